/* SPDX-License-Identifier: ISC */
#ifndef MX_WAY_H
#define MX_WAY_H

#include <stdbool.h>

#include "conf.h"
#include "dns.h"
#include "domain.h"
#include "event.h"
#include "link.h"
#include "spool.h"

/*
 * The way to a domain's servers, and the state of the domain that finding
 * it, or not, means.  The caller has the domain's lock.
 */

struct way {
	/* Set by the caller. */
	const struct conf *conf;
	const struct settings *settings;
	struct spool *spool;
	struct dns *dns;
	struct link *link;
	const char *domain;
	struct event *event;	/* told of each state; NULL: nobody is */
	bool ours;		/* we are its backup, no report's way out */
	bool dry;		/* write nothing */

	struct domain state;	/* loaded by the caller */
};

/*
 * The one probe of the run: finds the route and connects.  False if no
 * server is to be had; the domain's state is as it was found.
 */
bool way_probe(struct way *w);

/*
 * link_open() failed later in the run.  A server that has answered in this
 * run and wants no connection more is not down.
 */
void way_lost(struct way *w);

/* Writes w->state; a failure is logged. */
void way_save(struct way *w);

#endif
