/* SPDX-License-Identifier: ISC */
#ifndef MX_BREAKER_H
#define MX_BREAKER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Is a server that refuses recipients for good to be believed, or is it half
 * repaired?  Counting and deciding alone: in memory, which processes may
 * share.  A refusal is noted when it comes and believed later, when others
 * have been accepted around it; until then it means nothing.
 */

#define BREAKER_ENOUGH	8	/* recipients, below which nobody can tell */
#define BREAKER_RECENT	32	/* recipients, among which a burst shows */

enum breaker_trip {
	BREAKER_WHOLE,		/* it has not tripped */
	BREAKER_SHARE,		/* too many refused */
	BREAKER_KNOWN,		/* a recipient known good is unknown */
	BREAKER_MAIL		/* nobody accepted, and MAIL is refused */
};

struct breaker {
	int percent;		/* that may be refused; 0: believe all */
	bool trial;		/* the server is just back: for all of the
				   run; never without a percentage */
	_Atomic uint32_t good, bad;
	_Atomic uint32_t recent;	/* bits, the last one lowest: refused */
	_Atomic int trip;	/* enum breaker_trip */
};

/*
 * TRIAL: the domain's server is back from an outage, and has accepted PROVEN
 * recipients since.
 */
void breaker_init(struct breaker *b, int percent, bool trial,
    uint32_t proven);

/* A recipient was accepted; refused for good.  The second: its place. */
void breaker_good(struct breaker *b);
uint32_t breaker_bad(struct breaker *b);

/* Trips it; the first reason stays. */
void breaker_trip(struct breaker *b, enum breaker_trip why);
enum breaker_trip breaker_tripped(const struct breaker *b);

/*
 * As long as this is true messages go one at a time over one connection: the
 * server has not yet shown that it is what it was.
 */
bool breaker_is_trial(const struct breaker *b);

enum breaker_belief {
	BREAKER_WAIT,		/* not known yet */
	BREAKER_BELIEVE,	/* the refusal is about the recipient */
	BREAKER_DOUBT		/* it has tripped: no refusal counts */
};

/*
 * Is the refusal at PLACE to be believed?  When at least BREAKER_ENOUGH
 * recipients are known, no more than PERCENT of them are refused, and
 * BREAKER_RECENT came after it without a burst.
 */
enum breaker_belief breaker_ask(const struct breaker *b, uint32_t place);

/*
 * The same at the end of a run, for all that wait.  It may trip here.  WAIT:
 * too few to tell after an outage, so another run has to; in a domain that
 * was up before they are believed.
 */
enum breaker_belief breaker_end(struct breaker *b);

/* How many were accepted since the outage, BREAKER_ENOUGH at most. */
uint32_t breaker_proven(const struct breaker *b);

#endif
