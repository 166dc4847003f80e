/* SPDX-License-Identifier: ISC */
#include "agenda.h"

#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "deadline.h"
#include "spool.h"

struct entry {
	char domain[ADDR_DOMAIN_MAX + 1];
	int64_t due;		/* DEADLINE_NEVER: not */
	int64_t last;		/* when it was last begun; 0: never */
	int64_t wait;		/* it was busy: until it is due again */
	bool fresh;
};

struct agenda {
	int64_t period;
	int64_t next;		/* by the clock, for the whole queue */
	int64_t last;		/* 0: never */
	bool whole;		/* it was asked for */
	size_t n;
	struct entry entry[AGENDA_DOMAINS];
};

struct agenda *
agenda_new(int64_t period)
{
	struct agenda *a;

	if ((a = calloc(1, sizeof(*a))) != NULL)
		a->period = period;
	return a;
}

void
agenda_free(struct agenda *a)
{
	free(a);
}

void
agenda_whole(struct agenda *a)
{
	a->whole = true;
}

/* The entry of DOMAIN, or one that is of no more use; NULL: all are. */
static struct entry *
entry_get(struct agenda *a, const char *domain, int64_t now)
{
	struct entry *e, *old = NULL;
	size_t i;

	for (i = 0; i < a->n; i++) {
		e = &a->entry[i];
		if (strcmp(e->domain, domain) == 0)
			return e;
		if (e->due == DEADLINE_NEVER &&
		    e->last + AGENDA_PATIENCE < now)
			old = e;
	}
	if (old == NULL && a->n < AGENDA_DOMAINS)
		old = &a->entry[a->n++];
	if (old == NULL)
		return NULL;
	memset(old, 0, sizeof(*old));
	(void)strlcpy(old->domain, domain, sizeof(old->domain));
	old->due = DEADLINE_NEVER;
	return old;
}

static void
hear_domain(struct agenda *a, enum spool_cause cause, const char *domain,
    int64_t now)
{
	struct entry *e;

	if ((e = entry_get(a, domain, now)) == NULL) {
		a->whole = true;
		return;
	}
	if (cause == SPOOL_BUSY) {
		e->wait = e->wait == 0 ? AGENDA_PAUSE : 2 * e->wait;
		if (e->wait > AGENDA_PATIENCE)
			e->wait = AGENDA_PATIENCE;
		if (e->due == DEADLINE_NEVER)
			e->due = now + e->wait;
	} else if (e->due == DEADLINE_NEVER) {
		e->wait = 0;
		e->fresh = true;
		e->due = e->last == 0 || e->last + AGENDA_PAUSE < now ? now :
		    e->last + AGENDA_PAUSE;
	}
	if (cause != SPOOL_NEW_MAIL)
		e->fresh = false;
}

static void
hear_line(struct agenda *a, const char *line, size_t len, int64_t now)
{
	char text[ADDR_DOMAIN_MAX + 1], domain[ADDR_DOMAIN_MAX + 1];

	if (len >= 2 && len - 1 < sizeof(text) &&
	    memchr(line, '\0', len) == NULL) {
		memcpy(text, line + 1, len - 1);
		text[len - 1] = '\0';
		switch (line[0]) {
		case SPOOL_NEW_MAIL:
		case SPOOL_ASKED:
		case SPOOL_BUSY:
			if (!addr_domain(domain, text))
				break;
			hear_domain(a, (enum spool_cause)line[0], domain, now);
			return;
		}
	}
	a->whole = true;
}

void
agenda_hear(struct agenda *a, const char *text, size_t len, int64_t now)
{
	const char *end;

	/* What follows the last end of a line is no line of ours. */
	for (; len > 0; text = end + 1) {
		if ((end = memchr(text, '\n', len)) == NULL) {
			a->whole = true;
			break;
		}
		hear_line(a, text, (size_t)(end - text), now);
		len -= (size_t)(end - text) + 1;
	}
}

static int64_t
due_whole(const struct agenda *a, bool running)
{
	if (a->last == 0)
		return 0;
	if (!a->whole)
		return a->next;
	return deadline_min(a->next, a->last + (running ? AGENDA_WHOLE :
	    AGENDA_PAUSE));
}

int64_t
agenda_due(const struct agenda *a, bool running)
{
	int64_t due = due_whole(a, running);
	size_t i;

	for (i = 0; i < a->n; i++)
		due = deadline_min(due, a->entry[i].due);
	return due;
}

bool
agenda_take_whole(struct agenda *a, bool running, int64_t now)
{
	int64_t tenth = a->period / 10;
	size_t i;

	if (tenth > INT32_MAX / 2)
		tenth = INT32_MAX / 2;
	if (due_whole(a, running) > now)
		return false;
	a->whole = false;
	a->last = now;
	/* Several backups of a primary are not to call in step. */
	a->next = now + a->period - tenth +
	    (int64_t)arc4random_uniform((uint32_t)(2 * tenth + 1));
	/* All domains are in it, but for those it will find busy. */
	for (i = 0; i < a->n; i++)
		if (a->entry[i].wait == 0)
			a->entry[i].due = DEADLINE_NEVER;
	return true;
}

const char *
agenda_take_domain(struct agenda *a, int64_t now, bool *fresh)
{
	struct entry *e;
	size_t i;

	for (i = 0; i < a->n; i++) {
		e = &a->entry[i];
		if (e->due > now)
			continue;
		e->due = DEADLINE_NEVER;
		e->last = now;
		*fresh = e->fresh;
		return e->domain;
	}
	return NULL;
}
