/* SPDX-License-Identifier: ISC */
#ifndef MX_DSN_H
#define MX_DSN_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "conf.h"
#include "envelope.h"
#include "message.h"
#include "spool.h"

/*
 * Reports to senders (RFC 3464, 3461, 6522, 6533): one a message, on all its
 * recipients that failed or were relayed, spooled under the sender's domain
 * from <>.
 */

enum dsn_reason {
	DSN_REFUSED,	/* what failed by the primary's permanent reply, and
			   what was relayed */
	DSN_EXPIRED,	/* those, and what is pending: its lifetime ended */
	DSN_RELAYED,	/* only what was relayed: "bounce no" */
	DSN_DELAYED	/* what is pending, and will be tried again */
};

enum dsn_result {
	DSN_SENT,
	DSN_NONE,	/* nothing to be told, or not yet: some of the others
			   are still pending */
	DSN_WITHHELD,	/* mail was lost, and nobody may be told: null sender,
			   no domain to send to, not vouched for, NOTIFY, too
			   many reports; a copy is to be kept */
	DSN_LATER	/* could not be spooled: errno; try again */
};

/*
 * Is recipient I to be reported when it was relayed to a server that does not
 * offer DSN (RFC 3461 5.2.2)?
 */
bool dsn_wants_relayed(const struct envelope *e, size_t i);

/*
 * Was a recipient lost of whom nobody may be told, since nobody vouched for
 * it?  Then a copy is to be kept.
 */
bool dsn_is_silenced(const struct envelope *e);

/*
 * Reports on the recipients of M that REASON says, as far as their NOTIFY
 * asks for it, and marks them REPORTED, the relayed ones DELIVERED, durably.
 * One that nobody vouched for is marked and logged, never reported.  To be
 * called again after a crash, until nothing is left to do: the report's id is
 * planned on disk, the report waits on hold until the marks are there, and is
 * then let go, so that there is one, and only one.
 *
 * With DSN_REFUSED the report waits for pending recipients, so that they are
 * in it too, but not after nothing has changed for 4 hours.  More reports
 * than "report-limit" are withheld and counted (ration.h).
 */
enum dsn_result dsn_send(const struct conf *c, struct spool *sp,
    struct message *m, enum dsn_reason reason);

/*
 * Tells the sender that M, which will be tried until EXPIRES, is late, as far
 * as NOTIFY asks for it.  Warnings take half of "report-limit" at most: then
 * DSN_LATER with EAGAIN.  M is not changed: the caller remembers.
 */
enum dsn_result dsn_delay(const struct conf *c, struct spool *sp,
    struct message *m, time_t expires);

#endif
