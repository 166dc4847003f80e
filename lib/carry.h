/* SPDX-License-Identifier: ISC */
#ifndef MX_CARRY_H
#define MX_CARRY_H

#include <stdbool.h>
#include <stdint.h>

#include "link.h"
#include "scan.h"
#include "settle.h"
#include "way.h"

/*
 * One message after the other over a connection: opened, sent, what the
 * replies mean settled.
 */

struct carry {
	/* Set by the caller. */
	struct way *way;
	struct link *link;
	struct settle *settle;
	bool denied;		/* no server is to be had with what the next
				   messages need, be it for good or not */

	bool aside;		/* the message waits for a server with
				   SMTPUTF8 */
	bool dsn;		/* the server of the last message offers it */
	bool stop;		/* the domain's run is over */
	bool identified;	/* an XCLIENT was taken in this run */
	bool anonymous;		/* and one was refused before any was */
	int losses;		/* of connections, in a row */
	int64_t next;		/* when the rate allows another message */
};

/* What becomes of it is in the settle's count, except if c->aside is set. */
void carry_message(struct carry *c, const struct scan_entry *e);

/*
 * Nobody is asked: who is pending in it has failed, WHY being a status (RFC
 * 3463) and words.
 */
void carry_refuse(struct carry *c, const struct scan_entry *e,
    const char *why);

#endif
