/* SPDX-License-Identifier: ISC */
#ifndef MX_DSN_H
#define MX_DSN_H

#include <stdbool.h>
#include <stddef.h>

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
	DSN_RELAYED	/* only what was relayed: "bounce no" */
};

enum dsn_result {
	DSN_SENT,
	DSN_NONE,	/* nobody to be told: null sender, no domain to send
			   to, not vouched for, NOTIFY; nothing more to do */
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
 */
enum dsn_result dsn_send(const struct conf *c, struct spool *sp,
    struct message *m, enum dsn_reason reason);

#endif
