/* SPDX-License-Identifier: ISC */

#include <sys/types.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "asked.h"

#define PARENTS_MAX	5	/* zones above a name that are looked for */

void
asked_init(struct asked *a)
{
	memset(a, 0, sizeof(*a));
}

void
asked_clear(struct asked *a)
{
	size_t i;

	for (i = 0; i < a->n; i++) {
		dns_query_clear(a->q[i]);
		free(a->q[i]);
	}
	free(a->q);
	free(a->slot);
	asked_init(a);
}

/* FNV-1a */
static size_t
hash(const char *name, enum dns_type type)
{
	uint32_t h = 2166136261u ^ (uint32_t)type;

	for (; *name != '\0'; name++)
		h = (h ^ (unsigned char)*name) * 16777619u;
	return h;
}

static bool
is_same(const struct dns_query *q, const char *name, enum dns_type type,
    const struct sockaddr_storage *at, bool tcp)
{
	return q->type == type && q->tcp == tcp && q->at == at &&
	    strcmp(q->name, name) == 0;
}

/* The slot of the question, or the one that it would have. */
static size_t *
slot_find(const struct asked *a, const char *name, enum dns_type type,
    const struct sockaddr_storage *at, bool tcp)
{
	size_t i = hash(name, type) & (a->nslot - 1);

	while (a->slot[i] != 0 &&
	    !is_same(a->q[a->slot[i] - 1], name, type, at, tcp))
		i = (i + 1) & (a->nslot - 1);
	return &a->slot[i];
}

/* Room for one more: the slots are a power of two, half of them empty. */
static bool
grow(struct asked *a)
{
	size_t i, size = a->nslot == 0 ? 64 : 2 * a->nslot;
	struct dns_query **q;
	size_t *slot;

	if (a->n < a->nslot / 2)
		return true;
	if ((q = reallocarray(a->q, size / 2, sizeof(*q))) == NULL)
		return false;
	a->q = q;
	if ((slot = calloc(size, sizeof(*slot))) == NULL)
		return false;
	free(a->slot);
	a->slot = slot;
	a->nslot = size;
	for (i = 0; i < a->n; i++)
		*slot_find(a, q[i]->name, q[i]->type, q[i]->at,
		    q[i]->tcp) = i + 1;
	return true;
}

static struct dns_query *
want(struct asked *a, const char *name, enum dns_type type,
    const struct sockaddr_storage *at, bool tcp)
{
	struct dns_query *q;
	size_t *slot;

	if (name[0] == '\0' || strlen(name) >= sizeof(q->name))
		return NULL;
	if (!grow(a)) {
		a->failed = true;
		return NULL;
	}
	slot = slot_find(a, name, type, at, tcp);
	if (*slot != 0)
		return a->q[*slot - 1];
	if ((q = malloc(sizeof(*q))) == NULL) {
		a->failed = true;
		return NULL;
	}
	dns_query_init(q, name, type);
	q->at = at;
	q->tcp = tcp;
	a->q[a->n++] = q;
	*slot = a->n;
	return q;
}

void
asked_want(struct asked *a, const char *name, enum dns_type type)
{
	(void)want(a, name, type, NULL, false);
}

void
asked_want_at(struct asked *a, const char *name, enum dns_type type,
    const struct sockaddr_storage *at, bool tcp)
{
	(void)want(a, name, type, at, tcp);
}

void
asked_must(struct asked *a, const char *name, enum dns_type type)
{
	struct dns_query *q = want(a, name, type, NULL, false);

	if (q != NULL)
		q->until = INT64_MAX;
}

void
asked_run(struct asked *a, struct dns *d, int64_t until, int64_t deadline)
{
	size_t i;

	for (i = a->done; i < a->n; i++)
		if (a->q[i]->until == 0)
			a->q[i]->until = until;
	dns_lookup_each(d, a->q + a->done, a->n - a->done, deadline);
	a->done = a->n;
}

struct dns_query *
asked_find(const struct asked *a, const char *name, enum dns_type type)
{
	return asked_find_at(a, name, type, NULL, false);
}

struct dns_query *
asked_find_at(const struct asked *a, const char *name, enum dns_type type,
    const struct sockaddr_storage *at, bool tcp)
{
	size_t *slot;

	if (a->nslot == 0)
		return NULL;
	slot = slot_find(a, name, type, at, tcp);
	return *slot == 0 ? NULL : a->q[*slot - 1];
}

struct dns_query *
asked_data(const struct asked *a, const char *name, enum dns_type type)
{
	struct dns_query *q = asked_find(a, name, type);

	return q != NULL && q->outcome == DNS_DATA ? q : NULL;
}

/* "a.b.org", "b.org", "org", NULL */
static const char *
parent(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot != NULL ? dot + 1 : NULL;
}

void
asked_want_zone(struct asked *a, const char *name)
{
	int n;

	for (n = 0; name != NULL && n < PARENTS_MAX; name = parent(name), n++)
		asked_want(a, name, DNS_NS);
}

const char *
asked_zone(const struct asked *a, const char *name)
{
	const struct dns_query *q;

	for (; name != NULL; name = parent(name)) {
		q = asked_data(a, name, DNS_NS);
		/* an alias has the servers of another zone */
		if (q != NULL && strcmp(q->canonical, name) == 0)
			return name;
	}
	return NULL;
}
