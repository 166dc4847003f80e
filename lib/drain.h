/* SPDX-License-Identifier: ISC */
#ifndef MX_DRAIN_H
#define MX_DRAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "backlog.h"
#include "carry.h"
#include "team.h"

/*
 * All that waits for a domain whose server has answered, oldest first, over
 * one connection and then over several, each with a process of its own, as
 * long as that helps and the server likes it.
 */

/* What they share besides the list: team_memory(). */
struct drain_board {
	struct breaker breaker;
	_Atomic int64_t slot;	/* see carry.h */
	_Atomic size_t delivered, failed, deferred, unread;	/* members' */
};

struct drain {
	/* Set by the caller. */
	struct spool *spool;
	const char *domain;
	struct carry *carry;
	const struct backlog *backlog;
	struct team *team;	/* for as many jobs */
	void (*progress)(void *arg, const char *domain, size_t done,
	    size_t total);	/* may be NULL */
	void *progress_arg;

	int64_t look;		/* when to look for a hold again */
};

/*
 * Returns in the process that called, when nobody has anything in flight any
 * more.  What members have counted is added to the settle's count; what they
 * have learnt is saved.
 */
void drain_run(struct drain *d);

/* Has the operator put the domain on hold meanwhile?  Asks once a second. */
bool drain_is_held(struct drain *d);

#endif
