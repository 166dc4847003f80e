/* SPDX-License-Identifier: ISC */
#ifndef MX_AGENDA_H
#define MX_AGENDA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * When mx-flush -w is to do what: the whole queue now and then, a domain when
 * its trigger was pulled.  Times are milliseconds, as deadline_now() has them.
 */

#define AGENDA_PAUSE	1000	/* between two beginnings of the same thing */
#define AGENDA_WHOLE	10000	/* of the whole queue, before the end of one */
#define AGENDA_PATIENCE	5000	/* at most, with a domain that is busy */
#define AGENDA_DOMAINS	1000	/* more of them are the whole queue */

struct agenda;

/* The whole queue is due at once, then every PERIOD, give or take a tenth. */
struct agenda *agenda_new(int64_t period);
void agenda_free(struct agenda *a);

/* The whole queue is due. */
void agenda_whole(struct agenda *a);

/*
 * What was read from the trigger, as spool_trigger() writes it.  All else
 * makes the whole queue due.
 */
void agenda_hear(struct agenda *a, const char *text, size_t len, int64_t now);

/*
 * When agenda_take_whole() or agenda_take_domain() will have something.
 * RUNNING: the whole queue has been taken, and its run goes on.
 */
int64_t agenda_due(const struct agenda *a, bool running);

/* Is the whole queue due?  Then it is begun. */
bool agenda_take_whole(struct agenda *a, bool running, int64_t now);

/*
 * A domain that is due and begun, NULL if there is none; good until the next
 * agenda_hear().  *FRESH: for nothing but mail that came in.
 */
const char *agenda_take_domain(struct agenda *a, int64_t now, bool *fresh);

#endif
