/* SPDX-License-Identifier: ISC */
#include "scan.h"

#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct scan {
	struct spool *sp;
	unsigned folders;
	enum spool_folder folder;
	DIR *dir;
	char domain[ADDR_DOMAIN_MAX + 1];
	char id[MSGID_MAX + 1];
};

struct scan *
scan_open(struct spool *sp, const char *domain, unsigned which)
{
	struct scan *scan;

	if (spool_check_domain(domain) == -1 ||
	    (scan = calloc(1, sizeof(*scan))) == NULL)
		return NULL;
	scan->sp = sp;
	scan->folders = which;
	scan->folder = SPOOL_NEW;
	(void)strlcpy(scan->domain, domain, sizeof(scan->domain));
	return scan;
}

/* The name of a message's file as an entry; false if it is not one. */
static bool
parse_name(struct scan_entry *e, const char *name, char *id)
{
	size_t n = strcspn(name, ":");

	if (name[0] == '.' || n > MSGID_MAX ||
	    strlen(name) >= SPOOL_NAME_SIZE || !msgid_parse(&e->msgid, name))
		return false;
	memcpy(id, name, n);
	id[n] = '\0';
	e->name = name;
	e->id = id;
	return true;
}

/* Opens the next folder that is asked for.  1, 0 at the end, -1. */
static int
next_folder(struct scan *scan)
{
	char path[SPOOL_PATH_SIZE];

	for (; scan->folder < SPOOL_NFOLDERS; scan->folder++) {
		if ((scan->folders & 1U << scan->folder) == 0 ||
		    !spool_path(path, scan->domain, scan->folder,
		    NULL))
			continue;
		scan->dir = spool_dir(scan->sp->mail, path);
		if (scan->dir != NULL)
			return 1;
		if (errno != ENOENT)
			return -1;
	}
	return 0;
}

int
scan_next(struct scan *scan, struct scan_entry *e)
{
	struct dirent *d;
	int n;

	for (;;) {
		if (scan->dir == NULL && (n = next_folder(scan)) != 1)
			return n;
		while ((errno = 0, d = readdir(scan->dir)) != NULL)
			if (parse_name(e, d->d_name, scan->id)) {
				e->folder = scan->folder;
				return 1;
			}
		if (errno != 0)
			return -1;
		closedir(scan->dir);
		scan->dir = NULL;
		scan->folder++;
	}
}

void
scan_close(struct scan *scan)
{
	int saved = errno;

	if (scan->dir != NULL)
		closedir(scan->dir);
	free(scan);
	errno = saved;
}

int
scan_waiting(struct spool *sp, const char *domain)
{
	struct scan *scan;
	struct scan_entry e;
	int n;

	if ((scan = scan_open(sp, domain, SCAN_WAITING)) == NULL)
		return -1;
	n = scan_next(scan, &e);
	scan_close(scan);
	return n;
}

static int
compare_entries(const void *a, const void *b)
{
	const struct scan_entry *x = a, *y = b;

	if (x->msgid.time != y->msgid.time)
		return x->msgid.time < y->msgid.time ? -1 : 1;
	if (x->msgid.usec != y->msgid.usec)
		return x->msgid.usec < y->msgid.usec ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Entries as they are found, each in front of its two strings. */
static int
gather(struct scan *scan, FILE *f, size_t *n)
{
	struct scan_entry e;
	int got;

	for (*n = 0; (got = scan_next(scan, &e)) == 1; ++*n) {
		/* glibc's open_memstream(3) keeps no error for fclose. */
		if (fwrite(&e, sizeof(e), 1, f) != 1 ||
		    fwrite(e.name, strlen(e.name) + 1, 1, f) != 1)
			return -1;
	}
	return got;
}

/* Lays out the array and behind it the strings; ids share their name's. */
static struct scan_entry *
lay_out(const char *p, size_t size, size_t n)
{
	struct scan_entry *list;
	char *strings;
	size_t len;

	/* An id is no longer than its name, so twice the names will do. */
	list = malloc(n * sizeof(*list) + 2 * (size - n * sizeof(*list)) + 1);
	if (list == NULL)
		return NULL;
	strings = (char *)(list + n);
	for (size_t i = 0; i < n; i++) {
		memcpy(&list[i], p, sizeof(*list));
		p += sizeof(*list);
		len = strlen(p);
		memcpy(strings, p, len + 1);
		p += len + 1;
		list[i].name = list[i].id = strings;
		strings += len + 1;
		len = strcspn(list[i].name, ":");
		if (list[i].name[len] == ':') {
			memcpy(strings, list[i].name, len);
			strings[len] = '\0';
			list[i].id = strings;
			strings += len + 1;
		}
	}
	return list;
}

int
scan_sorted(struct spool *sp, const char *domain, unsigned which,
    struct scan_entry **e, size_t *n)
{
	struct scan *scan;
	char *arena = NULL;
	size_t size = 0;
	int result = -1, got;
	FILE *f;

	*e = NULL;
	*n = 0;
	if ((scan = scan_open(sp, domain, which)) == NULL)
		return -1;
	if ((f = open_memstream(&arena, &size)) == NULL)
		goto out;
	got = gather(scan, f, n);
	if (fclose(f) != 0 || got == -1 ||
	    (*e = lay_out(arena, size, *n)) == NULL)
		goto out;
	qsort(*e, *n, sizeof(**e), compare_entries);
	result = 0;
out:
	free(arena);
	scan_close(scan);
	return result;
}

bool
scan_found_set(struct scan_found *f, const char *domain,
    enum spool_folder folder, const char *name)
{
	f->entry.folder = folder;
	return strlcpy(f->domain, domain, sizeof(f->domain)) <
	    sizeof(f->domain) && strlcpy(f->name, name, sizeof(f->name)) <
	    sizeof(f->name) && parse_name(&f->entry, f->name, f->id);
}

bool
scan_find_quickly(struct spool *sp, const char *domain, const char *id,
    struct scan_found *f)
{
	static const struct {
		enum spool_folder folder;
		const char *flags;
	} forms[] = { { SPOOL_NEW, "" }, { SPOOL_CUR, ":2," },
		{ SPOOL_CUR, ":2,S" }, { SPOOL_HELD, ":2," } };
	char name[SPOOL_NAME_SIZE], path[SPOOL_PATH_SIZE];
	struct stat st;

	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if (snprintf(name, sizeof(name), "%s%s", id, forms[i].flags) >=
		    (int)sizeof(name) ||
		    !spool_path(path, domain, forms[i].folder, name))
			continue;
		if (fstatat(sp->mail, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
			return scan_found_set(f, domain, forms[i].folder,
			    name);
	}
	return false;
}

int
scan_find_in(struct spool *sp, const char *domain, const char *id,
    struct scan_found *f)
{
	struct scan *scan;
	struct scan_entry e;
	int got;

	if ((scan = scan_open(sp, domain, SCAN_QUEUED)) == NULL)
		return -1;
	while ((got = scan_next(scan, &e)) == 1)
		if (msgid_matches(e.id, id))
			break;
	if (got == 1 && !scan_found_set(f, domain, e.folder, e.name))
		got = 0;
	scan_close(scan);
	return got;
}

int
scan_find(struct spool *sp, const char *id, struct scan_found *f)
{
	struct msgid parsed;
	char **list;
	int got = 0;

	/* Only what has the form of an id is ever looked for. */
	if (strchr(id, ':') != NULL || !msgid_parse(&parsed, id))
		return 0;
	if ((list = spool_domains(sp)) == NULL)
		return -1;
	for (size_t i = 0; list[i] != NULL && got == 0; i++)
		got = parsed.size != -1 &&
		    scan_find_quickly(sp, list[i], id, f);
	for (size_t i = 0; list[i] != NULL && got == 0; i++)
		got = scan_find_in(sp, list[i], id, f);
	free(list);
	return got;
}
