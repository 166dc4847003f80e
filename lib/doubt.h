/* SPDX-License-Identifier: ISC */
#ifndef MX_DOUBT_H
#define MX_DOUBT_H

#include <sys/queue.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "msgid.h"

/*
 * Refusals of a run that are not yet believed (breaker.h): of which message
 * and which of its recipients, in the order they came.  On disk these are
 * pending; if the process dies they are simply tried again.
 */

#define DOUBTS_MAX	256	/* messages; what is refused then stays pending
				   until the next run */

struct doubt {
	STAILQ_ENTRY(doubt) next;
	char id[MSGID_MAX + 1];
	uint32_t place;		/* of the last refusal: breaker_ask() */
	size_t nrcpt;
	size_t rcpt[];		/* indices in the envelope */
};

STAILQ_HEAD(doubt_list, doubt);

struct doubts {
	struct doubt_list list;
	size_t n;
};

void doubts_init(struct doubts *d);
void doubts_clear(struct doubts *d);

/*
 * Adds message ID at the end, with room for N recipients and none yet.  NULL
 * if it is not to be remembered: no room, no memory.
 */
struct doubt *doubts_add(struct doubts *d, const char *id, size_t n);

/* The first one, or NULL; and takes that away. */
struct doubt *doubts_first(const struct doubts *d);
void doubts_drop(struct doubts *d);

#endif
