/* SPDX-License-Identifier: ISC */
#ifndef MX_DSN_H
#define MX_DSN_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"
#include "message.h"
#include "spool.h"

/*
 * Reports to senders (RFC 3464, 3461, 6522): one a message, on all its
 * recipients that failed, spooled under the sender's domain from <>.
 */

enum dsn_reason {
	DSN_REFUSED,	/* the primary's permanent reply */
	DSN_EXPIRED	/* its lifetime ended */
};

enum dsn_result {
	DSN_SENT,
	DSN_NONE,	/* not to be told: null sender, or no domain to send
			   to; nothing more to do */
	DSN_LATER	/* could not be spooled: errno; try again */
};

/*
 * Reports on the recipients of M with status FAILED (for DSN_EXPIRED also
 * those PENDING) and marks them REPORTED, durably.  To be called again after
 * a crash, until nothing is left to do: the report's id is planned on disk,
 * the report waits on hold until the marks are there, and is then let go, so
 * that there is one, and only one.
 */
enum dsn_result dsn_send(const struct conf *c, struct spool *sp,
    struct message *m, enum dsn_reason reason);

#endif
