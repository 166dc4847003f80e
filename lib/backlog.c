/* SPDX-License-Identifier: ISC */
#include "backlog.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct item {
	int64_t when;		/* microseconds */
	uint32_t at;		/* of its name among the names */
	uint32_t folder;
};

struct backlog {
	char domain[ADDR_DOMAIN_MAX + 1];
	struct item *item;
	size_t n, room;
	char *names;		/* each with its NUL */
	size_t len, size;
};

/* Half as much again: the kernel moves pages, and copies nothing. */
static bool
make_room(struct backlog *b, size_t len)
{
	size_t more;
	void *p;

	if (b->n == b->room) {
		more = b->room + b->room / 2 + 64;
		p = reallocarray(b->item, more, sizeof(*b->item));
		if (p == NULL)
			return false;
		b->item = p;
		b->room = more;
	}
	if (b->size - b->len >= len)
		return true;
	more = b->size + b->size / 2 + 4096;
	if (more > UINT32_MAX) {
		errno = EOVERFLOW;
		return false;
	}
	if ((p = realloc(b->names, more)) == NULL)
		return false;
	b->names = p;
	b->size = more;
	return true;
}

static bool
add(struct backlog *b, const struct scan_entry *e)
{
	size_t len = strlen(e->name) + 1;
	struct item *item;

	if (!make_room(b, len))
		return false;
	item = &b->item[b->n++];
	item->when = (int64_t)e->msgid.time * 1000000 + e->msgid.usec;
	item->at = (uint32_t)b->len;
	item->folder = (uint32_t)e->folder;
	memcpy(b->names + b->len, e->name, len);
	b->len += len;
	return true;
}

static int
compare(const void *x, const void *y, void *arg)
{
	const struct item *a = x, *b = y;
	const char *names = arg;

	if (a->when != b->when)
		return a->when < b->when ? -1 : 1;
	return strcmp(names + a->at, names + b->at);
}

struct backlog *
backlog_new(struct spool *sp, const char *domain, unsigned folders,
    bool (*keep)(void *arg, const struct scan_entry *e), void *arg)
{
	struct scan *scan;
	struct scan_entry e;
	struct backlog *b;
	int got = -1;

	if ((b = calloc(1, sizeof(*b))) == NULL)
		return NULL;
	(void)strlcpy(b->domain, domain, sizeof(b->domain));
	if ((scan = scan_open(sp, domain, folders)) != NULL) {
		while ((got = scan_next(scan, &e)) == 1)
			if ((keep == NULL || keep(arg, &e)) && !add(b, &e)) {
				got = -1;
				break;
			}
		scan_close(scan);
	}
	if (got == -1) {
		backlog_free(b);
		return NULL;
	}
	if (b->n > 1)
		qsort_r(b->item, b->n, sizeof(*b->item), compare, b->names);
	return b;
}

void
backlog_free(struct backlog *b)
{
	int saved = errno;

	if (b == NULL)
		return;
	free(b->item);
	free(b->names);
	free(b);
	errno = saved;
}

size_t
backlog_size(const struct backlog *b)
{
	return b->n;
}

bool
backlog_get(const struct backlog *b, size_t i, struct scan_found *f)
{
	return scan_found_set(f, b->domain, (enum spool_folder)
	    b->item[i].folder, b->names + b->item[i].at);
}
