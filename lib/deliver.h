/* SPDX-License-Identifier: ISC */
#ifndef MX_DELIVER_H
#define MX_DELIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "dns.h"
#include "hosts.h"
#include "settle.h"
#include "spool.h"
#include "tls_client.h"
#include "turn.h"

/*
 * One domain of one flush: lock, route, one probe, and only if a better host
 * answers, its messages, oldest first.
 */

struct deliver_args {
	const struct conf *conf;
	struct spool *spool;
	struct dns *dns;
	struct hosts *hosts;
	struct tls_client *tls;	/* NULL: each domain makes its own */
	struct turn *turn;	/* to deliver; NULL: it always is */
	int64_t interval;	/* seconds to the next run, as is planned */
	bool dry;		/* -n: look, connect, deliver nothing */
	const char *const *ids;	/* only these; NULL: all */
	bool asked;		/* go there even if nothing waits: there are
				   recipients to be asked about */
	/* Told after each message; may be NULL. */
	void (*progress)(void *arg, const char *domain, size_t done,
	    size_t total);
	void *progress_arg;
};

struct deliver_count {
	struct settle_count messages;
	bool busy;		/* another flusher has the domain */
	bool waiting;		/* something asked for waits after the run */
};

/*
 * 0, or -1 when our own side is broken (logged): the spool cannot be read,
 * the configuration of the domain is wrong.  No outcome of DNS or of a peer
 * is an error.
 */
int deliver_domain(const struct deliver_args *args, const char *domain,
    struct deliver_count *count);

#endif
