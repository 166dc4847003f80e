/* SPDX-License-Identifier: ISC */
#ifndef MX_CARRY_H
#define MX_CARRY_H

#include <sys/queue.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "link.h"
#include "scan.h"
#include "settle.h"
#include "way.h"

/*
 * Messages over a connection: opened, sent, what the replies mean settled.
 * Several may be in flight at once (smtp_client.h).  When the connection is
 * lost the one that was being answered is left for another run, unless the
 * server had nothing against it; those behind it go again, one by one.
 */

struct parcel;
TAILQ_HEAD(parcels, parcel);

struct carry {
	/* Set by the caller. */
	struct way *way;
	struct link *link;
	struct settle *settle;
	_Atomic int64_t *slot;	/* when the rate allows another message,
				   microseconds; shared by the connections */
	bool second;		/* it is not the domain's only connection */
	/*
	 * Told of messages that the server lacks something for.  When all
	 * servers have been met, DENIED is what the next message lacks.
	 */
	void (*aside)(void *arg, size_t index, enum smtp_lack lack);
	void *aside_arg;
	enum smtp_lack denied;

	bool stop;		/* the run is over on this connection */
	bool trouble;		/* set when the server is short of something */
	bool identified;	/* an XCLIENT was taken in this run */
	bool anonymous;		/* and one was refused before any was */
	int losses;		/* of connections, in a row */
	int later;		/* messages put off, in a row */
	struct parcels flying;	/* in flight, oldest first */
	struct parcels alone;	/* to be sent when nothing is in flight */
};

void carry_init(struct carry *c);

/*
 * Sends message E, which is the caller's number INDEX.  What becomes of it is
 * in the settle's count, after carry_finish() at the latest, unless c->aside
 * is told.
 */
void carry_message(struct carry *c, const struct scan_entry *e, size_t index);

/* Ends all that is in flight; to be called before the connection is ended. */
void carry_finish(struct carry *c);

/* In a forked process: what is in flight is another's. */
void carry_abandon(struct carry *c);

/*
 * Nobody is asked: who is pending in it has failed, WHY being a status (RFC
 * 3463) and words.
 */
void carry_refuse(struct carry *c, const struct scan_entry *e,
    const char *why);

#endif
