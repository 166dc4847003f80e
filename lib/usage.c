/* SPDX-License-Identifier: ISC */
#include "usage.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "scan.h"

#define LOCK_MS		10000
#define GIVE_MS		100
#define AGE_ROOM	60	/* seconds that a count is good for */
#define AGE_FULL	5
#define SHARE		100	/* of the time; one of it goes to counting */

/* The file: four lines, padded to be of the same size always. */
#define FORMAT		"messages %-19lld\nbytes %-19lld\n" \
			"counted %-19lld\ncost %-19lld\n"
#define TEXT_SIZE	128

struct figures {
	long long messages, bytes;
	long long counted;	/* seconds since 1970; -1: never */
	long long cost;		/* of that count, milliseconds */
};

struct account {
	struct spool *sp;
	const struct conf *conf;
	const char *file;
	time_t now;
	int fd;
	bool locked;
	struct figures figures;
};

/*** The file ***/

static bool
parse(struct figures *f, char *text)
{
	static const char *const key[] = { "messages", "bytes", "counted",
	    "cost" };
	long long *const value[] = { &f->messages, &f->bytes, &f->counted,
	    &f->cost };
	const char *error;
	char *line, *word;

	for (size_t i = 0; i < 4; i++) {
		if ((line = strsep(&text, "\n")) == NULL ||
		    (word = strsep(&line, " ")) == NULL ||
		    strcmp(word, key[i]) != 0 ||
		    (word = strsep(&line, " ")) == NULL)
			return false;
		/* Sums of two never overflow. */
		*value[i] = strtonum(word, 0, LLONG_MAX / 2, &error);
		if (error != NULL)
			return false;
	}
	return true;
}

/* What makes no sense was never counted. */
static int
load(struct account *a)
{
	char text[TEXT_SIZE];
	ssize_t n = pread(a->fd, text, sizeof(text) - 1, 0);

	if (n == -1)
		return -1;
	text[n] = '\0';
	if (!parse(&a->figures, text))
		a->figures = (struct figures){ .counted = -1 };
	return 0;
}

/* If it fails the old figures stay, and are counted anew one day. */
static void
save(const struct account *a)
{
	const struct figures *f = &a->figures;
	int n, saved = errno;
	char text[TEXT_SIZE];

	n = snprintf(text, sizeof(text), FORMAT, f->messages, f->bytes,
	    f->counted, f->cost);
	if (a->locked && n < (int)sizeof(text) &&
	    pwrite(a->fd, text, (size_t)n, 0) == -1)
		errno = saved;
}

static int
open_account(struct account *a, int64_t ms)
{
	if ((a->fd = spool_seen_open(a->sp, "usage", a->file)) == -1)
		return -1;
	a->locked = spool_seen_lock(a->fd, ms);
	return 0;
}

static void
close_account(struct account *a)
{
	int saved = errno;

	close(a->fd);
	errno = saved;
}

/*** Counting ***/

static int
count_domain(struct account *a, const char *domain)
{
	struct scan_entry e;
	struct scan *scan;
	int n;

	if ((scan = scan_open(a->sp, domain, SCAN_QUEUED)) == NULL)
		return -1;
	while ((n = scan_next(scan, &e)) == 1) {
		a->figures.messages++;
		if (e.msgid.size > 0)
			a->figures.bytes += e.msgid.size;
	}
	scan_close(scan);
	return n;
}

/* Does the file, which begins with a dot, stand for DOMAIN? */
static bool
stands_for(const struct account *a, const char *domain)
{
	char file[ADDR_DOMAIN_MAX + 2], error[CONF_ERROR_MAX];
	size_t n = strlen(domain), tail = strlen(a->file);
	struct settings settings;

	return n > tail && strcmp(domain + n - tail, a->file) == 0 &&
	    conf_domain(a->conf, domain, &settings, file, error) ==
	    CONF_YES && strcmp(file, a->file) == 0;
}

static int
count_all(struct account *a)
{
	char **domains;
	int result = 0;

	if (a->file[0] != '.')
		return count_domain(a, a->file);
	if ((domains = spool_domains(a->sp)) == NULL)
		return -1;
	for (char **d = domains; *d != NULL && result == 0; d++)
		if (stands_for(a, *d))
			result = count_domain(a, *d);
	free(domains);
	return result;
}

/* The others wait meanwhile; they are not to count the same. */
static int
count(struct account *a)
{
	int64_t began = deadline_now();

	a->figures.messages = a->figures.bytes = 0;
	if (count_all(a) == -1)
		return -1;
	a->figures.counted = a->now;
	a->figures.cost = deadline_now() - began;
	save(a);
	return 0;
}

/* Is a count due that is good for AGE seconds?  Not without the lock. */
static bool
is_due(const struct account *a, int64_t age)
{
	const struct figures *f = &a->figures;

	if (f->counted < 0)
		return true;
	if (age < f->cost * SHARE / 1000)
		age = f->cost * SHARE / 1000;
	return a->locked && (a->now < f->counted ||
	    a->now - f->counted >= age);
}

/*** The answer ***/

static bool
is_full(const struct figures *f, const struct usage *quota, int64_t bytes)
{
	return (quota->messages != 0 && f->messages >= quota->messages) ||
	    (quota->bytes != 0 && (f->bytes >= quota->bytes ||
	    bytes > quota->bytes - f->bytes));
}

static enum usage_answer
answer(struct account *a, const struct usage *quota, int64_t bytes)
{
	if (load(a) == -1 ||
	    (is_due(a, AGE_ROOM) && count(a) == -1))
		return USAGE_ERROR;
	if (is_full(&a->figures, quota, bytes) && is_due(a, AGE_FULL) &&
	    count(a) == -1)
		return USAGE_ERROR;
	return is_full(&a->figures, quota, bytes) ? USAGE_FULL : USAGE_ROOM;
}

enum usage_answer
usage_look(struct spool *sp, const struct conf *conf, const char *file,
    const struct usage *quota, int64_t bytes, struct usage *used, time_t now)
{
	struct account a = { .sp = sp, .conf = conf, .file = file,
	    .now = now };
	enum usage_answer result;

	if (open_account(&a, LOCK_MS) == -1)
		return USAGE_ERROR;
	result = answer(&a, quota, bytes);
	close_account(&a);
	if (used != NULL) {
		used->messages = a.figures.messages;
		used->bytes = a.figures.bytes;
	}
	return result;
}

enum usage_answer
usage_take(struct spool *sp, const struct conf *conf, const char *file,
    const struct usage *quota, int64_t bytes, time_t now)
{
	struct account a = { .sp = sp, .conf = conf, .file = file,
	    .now = now };
	enum usage_answer result;

	if (open_account(&a, LOCK_MS) == -1)
		return USAGE_ERROR;
	result = answer(&a, quota, bytes);
	if (result == USAGE_ROOM) {
		a.figures.messages++;
		a.figures.bytes += bytes;
		save(&a);
	}
	close_account(&a);
	return result;
}

void
usage_give(struct spool *sp, const char *file, int64_t bytes)
{
	struct account a = { .sp = sp, .file = file };
	int saved = errno;

	if (open_account(&a, GIVE_MS) == -1)
		return;
	if (load(&a) == 0 && a.figures.counted >= 0 &&
	    a.figures.messages > 0) {
		a.figures.messages--;
		a.figures.bytes -= a.figures.bytes < bytes ? a.figures.bytes :
		    bytes;
		save(&a);
	}
	close_account(&a);
	errno = saved;
}
