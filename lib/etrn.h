/* SPDX-License-Identifier: ISC */
#ifndef MX_ETRN_H
#define MX_ETRN_H

#include <stdbool.h>
#include <stddef.h>

#include "spool.h"

/* Starting a domain's queue for somebody who is there to take it. */

enum etrn_answer {
	ETRN_STARTED,	/* a flusher was woken */
	ETRN_LATER,	/* none stays to be woken: the next run takes it */
	ETRN_NONE,	/* nothing waits */
	ETRN_HELD,	/* what waits is on hold by the operator */
	ETRN_DEAF	/* the flusher cannot be woken: errno */
};

/*
 * For ETRN (RFC 1985): DOMAIN, and all domains below it if BELOW.  *WAITING
 * gets the number of messages that may go.
 */
enum etrn_answer etrn_start(struct spool *sp, const char *domain, bool below,
    size_t *waiting);

/*
 * A client at ADDR, numeric or "", is here.  If it is the server of domains
 * for which mail waits, the flusher is woken for them.  True if it was;
 * *PRIMARY says whether it is the server of any.
 */
bool etrn_wake(struct spool *sp, const char *addr, bool *primary);

#endif
