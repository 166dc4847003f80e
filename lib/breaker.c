/* SPDX-License-Identifier: ISC */
#include "breaker.h"

#include <string.h>

void
breaker_init(struct breaker *b, int percent, bool trial, uint32_t proven)
{
	memset(b, 0, sizeof(*b));
	b->percent = percent;
	b->trial = percent > 0 && trial && proven < BREAKER_ENOUGH;
	atomic_init(&b->good, b->trial ? proven : 0);
	atomic_init(&b->bad, 0);
	atomic_init(&b->recent, 0);
	atomic_init(&b->trip, BREAKER_WHOLE);
}

static void
remember(struct breaker *b, uint32_t refused)
{
	uint32_t was = atomic_load(&b->recent);

	while (!atomic_compare_exchange_weak(&b->recent, &was,
	    was << 1 | refused))
		continue;
}

static uint32_t
total(const struct breaker *b)
{
	return atomic_load(&b->good) + atomic_load(&b->bad);
}

/* More than PERCENT of all. */
static bool
is_too_many(const struct breaker *b)
{
	return (uint64_t)atomic_load(&b->bad) * 100 >
	    (uint64_t)b->percent * total(b);
}

/*
 * A server that breaks after ten thousand deliveries would refuse thousands
 * before their share showed it.  Half-way between the percentage and all is
 * what chance does not make of the last few.
 */
static bool
is_burst(const struct breaker *b)
{
	uint32_t bits = atomic_load(&b->recent);
	int n = 0;

	for (; bits != 0; bits &= bits - 1)
		n++;
	return total(b) >= BREAKER_RECENT &&
	    n * 100 > (b->percent + 100) / 2 * BREAKER_RECENT;
}

void
breaker_good(struct breaker *b)
{
	atomic_fetch_add(&b->good, 1);
	remember(b, 0);
}

uint32_t
breaker_bad(struct breaker *b)
{
	atomic_fetch_add(&b->bad, 1);
	remember(b, 1);
	if (b->percent > 0 && total(b) >= BREAKER_ENOUGH &&
	    (is_too_many(b) || is_burst(b)))
		breaker_trip(b, BREAKER_SHARE);
	return total(b);
}

void
breaker_trip(struct breaker *b, enum breaker_trip why)
{
	int whole = BREAKER_WHOLE;

	(void)atomic_compare_exchange_strong(&b->trip, &whole, (int)why);
}

enum breaker_trip
breaker_tripped(const struct breaker *b)
{
	return (enum breaker_trip)atomic_load(&b->trip);
}

bool
breaker_is_trial(const struct breaker *b)
{
	return b->trial && atomic_load(&b->good) < BREAKER_ENOUGH;
}

enum breaker_belief
breaker_ask(const struct breaker *b, uint32_t place)
{
	if (breaker_tripped(b) != BREAKER_WHOLE)
		return BREAKER_DOUBT;
	if (b->percent == 0)
		return BREAKER_BELIEVE;
	if (total(b) < BREAKER_ENOUGH || is_too_many(b) ||
	    total(b) - place < BREAKER_RECENT)
		return BREAKER_WAIT;
	return BREAKER_BELIEVE;
}

enum breaker_belief
breaker_end(struct breaker *b)
{
	if (b->percent > 0 && total(b) >= BREAKER_ENOUGH && is_too_many(b))
		breaker_trip(b, BREAKER_SHARE);
	if (breaker_tripped(b) != BREAKER_WHOLE)
		return BREAKER_DOUBT;
	return b->trial && total(b) < BREAKER_ENOUGH ? BREAKER_WAIT :
	    BREAKER_BELIEVE;
}

uint32_t
breaker_proven(const struct breaker *b)
{
	uint32_t good = atomic_load(&b->good);

	return !b->trial || good > BREAKER_ENOUGH ? BREAKER_ENOUGH : good;
}
