/* SPDX-License-Identifier: ISC */
#ifndef MX_WAY_H
#define MX_WAY_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "dns.h"
#include "domain.h"
#include "event.h"
#include "link.h"
#include "spool.h"

/*
 * The way to a domain's servers, and the state of the domain that finding
 * it, or not, means.  The caller has the domain's lock.
 *
 * One probe decides: it has tried all addresses of all servers.  Who is told
 * of a change, and how long it has to last for that, is event's business.
 */

#define WAY_LONG	86400	/* seconds up: a server is itself again */

struct way {
	/* Set by the caller. */
	const struct conf *conf;
	const struct settings *settings;
	struct spool *spool;
	struct dns *dns;
	struct link *link;
	struct event *event;	/* told of each state; NULL: nobody is */
	const char *domain;
	int64_t interval;	/* seconds to the next run */
	bool ours;		/* we are its backup, no report's way out */
	bool dry;		/* write nothing */

	struct domain state;	/* loaded by the caller */
	char never[512];	/* WAY_NEVER: why, with a status (RFC 3463) */
};

enum way_found {
	WAY_OPEN,		/* w->link is connected */
	WAY_NONE,		/* no server is to be had: the mail waits */
	WAY_NEVER		/* "strict-routing": nor will there be */
};

/*
 * The one probe of the run: finds the route and connects.  Where the DNS does
 * not help, the last route that worked is tried, as long as the settings have
 * it remembered.  The domain's state is then as it was found.
 */
enum way_found way_probe(struct way *w);

/*
 * link_open() failed later in the run.  A server that has answered in this
 * run and wants no connection more is not down.
 */
void way_lost(struct way *w);

/*
 * A domain that was stopped by the breaker: does it wait for the operator?
 * If not, it goes on as he has said.
 */
bool way_is_stopped(struct way *w);
/* The breaker has tripped: nothing is tried until the operator says so. */
void way_stop(struct way *w, const char *why);

/* Is the server just back from an outage, and not yet proven? */
bool way_is_back(const struct way *w);
/* Did the operator say, less than WAY_LONG ago, that it is right? */
bool way_is_released(const struct way *w);

/* Writes w->state; a failure is logged. */
void way_save(struct way *w);

#endif
