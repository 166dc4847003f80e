/* SPDX-License-Identifier: ISC */

#include <sys/types.h>

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "asked.h"
#include "deadline.h"

#define PARENTS_MAX	8	/* zones above a name that are looked for */

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

/* How it is asked. */
struct how {
	const struct sockaddr_storage *at;
	bool tcp, raw;
};

static bool
is_same(const struct dns_query *q, const char *name, enum dns_type type,
    const struct how *how)
{
	return q->type == type && q->tcp == how->tcp && q->at == how->at &&
	    q->raw == how->raw && strcmp(q->name, name) == 0;
}

/* The slot of the question, or the one that it would have. */
static size_t *
slot_find(const struct asked *a, const char *name, enum dns_type type,
    const struct how *how)
{
	size_t i = hash(name, type) & (a->nslot - 1);

	while (a->slot[i] != 0 &&
	    !is_same(a->q[a->slot[i] - 1], name, type, how))
		i = (i + 1) & (a->nslot - 1);
	return &a->slot[i];
}

/* Room for one more: the slots are a power of two, half of them empty. */
static bool
grow(struct asked *a)
{
	size_t i, size = a->nslot == 0 ? 64 : 2 * a->nslot;
	struct dns_query **q;
	struct how how;
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
	for (i = 0; i < a->n; i++) {
		how = (struct how){ q[i]->at, q[i]->tcp, q[i]->raw };
		*slot_find(a, q[i]->name, q[i]->type, &how) = i + 1;
	}
	return true;
}

static struct dns_query *
want(struct asked *a, const char *name, enum dns_type type,
    const struct how *how)
{
	struct dns_query *q;
	size_t *slot;

	if (name[0] == '\0' || strlen(name) >= sizeof(q->name))
		return NULL;
	if (!grow(a)) {
		a->failed = true;
		return NULL;
	}
	slot = slot_find(a, name, type, how);
	if (*slot != 0)
		return a->q[*slot - 1];
	if ((q = malloc(sizeof(*q))) == NULL) {
		a->failed = true;
		return NULL;
	}
	dns_query_init(q, name, type);
	q->at = how->at;
	q->tcp = how->tcp;
	q->raw = how->raw;
	a->q[a->n++] = q;
	*slot = a->n;
	return q;
}

void
asked_want(struct asked *a, const char *name, enum dns_type type)
{
	(void)want(a, name, type, &(struct how){ NULL, false, false });
}

void
asked_want_at(struct asked *a, const char *name, enum dns_type type,
    const struct sockaddr_storage *at, bool tcp)
{
	(void)want(a, name, type, &(struct how){ at, tcp, false });
}

void
asked_want_raw(struct asked *a, const char *name, enum dns_type type)
{
	(void)want(a, name, type, &(struct how){ NULL, false, true });
}

void
asked_must(struct asked *a, const char *name, enum dns_type type)
{
	struct dns_query *q = want(a, name, type,
	    &(struct how){ NULL, false, false });

	if (q != NULL)
		q->until = INT64_MAX;
}

void
asked_until(struct asked *a, int64_t until)
{
	size_t i;

	for (i = a->done; i < a->n; i++)
		if (a->q[i]->until == 0) {
			a->q[i]->until = until;
			a->q[i]->least = (until - deadline_now()) / 2;
		}
}

void
asked_run(struct asked *a, struct dns *d, int64_t until, int64_t deadline)
{
	asked_until(a, until);
	dns_lookup_each(d, a->q + a->done, a->n - a->done, deadline);
	a->done = a->n;
}

static struct dns_query *
find(const struct asked *a, const char *name, enum dns_type type,
    const struct how *how)
{
	size_t *slot;

	if (a->nslot == 0)
		return NULL;
	slot = slot_find(a, name, type, how);
	return *slot == 0 ? NULL : a->q[*slot - 1];
}

struct dns_query *
asked_find(const struct asked *a, const char *name, enum dns_type type)
{
	return find(a, name, type, &(struct how){ NULL, false, false });
}

struct dns_query *
asked_find_at(const struct asked *a, const char *name, enum dns_type type,
    const struct sockaddr_storage *at, bool tcp)
{
	return find(a, name, type, &(struct how){ at, tcp, false });
}

struct dns_query *
asked_find_raw(const struct asked *a, const char *name, enum dns_type type)
{
	return find(a, name, type, &(struct how){ NULL, false, true });
}

struct dns_query *
asked_data(const struct asked *a, const char *name, enum dns_type type)
{
	struct dns_query *q = asked_find(a, name, type);

	return q != NULL && q->outcome == DNS_DATA ? q : NULL;
}

const char *
asked_parent(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot != NULL ? dot + 1 : NULL;
}

void
asked_want_zone(struct asked *a, const char *name)
{
	int n;

	for (n = 0; name != NULL && n < PARENTS_MAX; n++) {
		asked_want(a, name, DNS_NS);
		name = asked_parent(name);
	}
}

const char *
asked_zone(const struct asked *a, const char *name)
{
	const struct dns_query *q;

	for (; name != NULL; name = asked_parent(name)) {
		q = asked_data(a, name, DNS_NS);
		/* an alias has the servers of another zone */
		if (q != NULL && strcmp(q->canonical, name) == 0)
			return name;
	}
	return NULL;
}
