/* SPDX-License-Identifier: ISC */
#include "doubt.h"

#include <stdlib.h>
#include <string.h>

void
doubts_init(struct doubts *d)
{
	STAILQ_INIT(&d->list);
	d->n = 0;
}

void
doubts_clear(struct doubts *d)
{
	while (d->n > 0)
		doubts_drop(d);
}

struct doubt *
doubts_add(struct doubts *d, const char *id, size_t n)
{
	struct doubt *new;

	if (d->n == DOUBTS_MAX || n > SIZE_MAX / 2 / sizeof(new->rcpt[0]))
		return NULL;
	new = calloc(1, sizeof(*new) + n * sizeof(new->rcpt[0]));
	if (new == NULL)
		return NULL;
	if (strlcpy(new->id, id, sizeof(new->id)) >= sizeof(new->id)) {
		free(new);
		return NULL;
	}
	STAILQ_INSERT_TAIL(&d->list, new, next);
	d->n++;
	return new;
}

struct doubt *
doubts_first(const struct doubts *d)
{
	return STAILQ_FIRST(&d->list);
}

void
doubts_drop(struct doubts *d)
{
	struct doubt *first = STAILQ_FIRST(&d->list);

	STAILQ_REMOVE_HEAD(&d->list, next);
	free(first);
	d->n--;
}
