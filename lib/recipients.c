/* SPDX-License-Identifier: ISC */
#include "recipients.h"

#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lines.h"

#define SMALL		32768	/* octets: no slower read whole */
#define TRIES		3	/* at a file that changes meanwhile */
#define RACY		2	/* seconds in which a time may not have moved */
#define FRESH		10	/* seconds in which a file may grow */
#define ASK_MS		20
#define TAKE_MS		1000

#define WORD_SIZE	(ADDR_MAX + 2)

/* What lines of a file would mean one address. */
struct wanted {
	char word[6][WORD_SIZE];
	size_t len[6];
	int n;
};

void
recipients_local(const struct addr *a, char *out)
{
	addr_local(a, out);
	lines_fold(out, strlen(out));
}

/* Can WORD stand at the beginning of a line? */
static bool
is_word(const char *word)
{
	return *word != '\0' && *word != '#' && strpbrk(word, " \t\r\n") ==
	    NULL;
}

static void
want(struct wanted *w, const char *local, const char *at, const char *domain)
{
	char *word = w->word[w->n];
	int len = snprintf(word, WORD_SIZE, "%s%s%s", local, at, domain);

	if (len >= WORD_SIZE || !is_word(word))
		return;
	lines_fold(word, (size_t)len);
	w->len[w->n++] = (size_t)len;
}

/* A local part that has an '@' cannot stand for itself. */
static void
want_local(struct wanted *w, const char *local, const char *domain)
{
	if (*domain != '\0' && *local != '\0')
		want(w, local, "@", domain);
	if (strchr(local, '@') == NULL)
		want(w, local, "", "");
}

static void
want_all(struct wanted *w, const struct addr *a)
{
	char local[ADDR_LOCAL_MAX + 1], *plus;

	w->n = 0;
	recipients_local(a, local);
	want_local(w, local, a->domain);
	if ((plus = strchr(local, '+')) != NULL && plus > local) {
		*plus = '\0';
		want_local(w, local, a->domain);
	}
	if (a->domain[0] != '\0')
		want(w, "", "@", a->domain);
	want(w, "", "@", "");
}

/*** A file of the operator's ***/

struct file {
	const char *path;
	int fd;
	struct stat st;
	struct seen *seen;
	struct seen_key key;	/* of this state of it */
	char *why;
};

enum order { ORDER_UNKNOWN, ORDER_SORTED, ORDER_UNSORTED };

static enum recipients_found
fail(struct file *f, const char *reason)
{
	(void)snprintf(f->why, RECIPIENTS_WHY_MAX, "%.400s: %s", f->path,
	    reason);
	return RECIPIENTS_ERROR;
}

static bool
same_time(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

/* Is the file as it was when it was opened? */
static bool
is_same(const struct file *f)
{
	struct stat st;

	return fstat(f->fd, &st) == 0 && st.st_size == f->st.st_size &&
	    same_time(&st.st_mtim, &f->st.st_mtim) &&
	    same_time(&st.st_ctim, &f->st.st_ctim);
}

/*
 * May somebody be writing it in place?  Nobody is to be refused for good
 * because his line is not there yet.
 */
static bool
is_unfinished(const struct file *f)
{
	int64_t age = time(NULL) - (int64_t)f->st.st_mtim.tv_sec;
	char last;

	/* time(2) may be a little behind the clock of the file system. */
	if (age >= FRESH || age <= -FRESH)
		return false;
	return pread(f->fd, &last, 1, f->st.st_size - 1) != 1 || last != '\n';
}

static void
state_key(struct file *f)
{
	uint64_t state[7] = {
		(uint64_t)f->st.st_dev, (uint64_t)f->st.st_ino,
		(uint64_t)f->st.st_size,
		(uint64_t)f->st.st_mtim.tv_sec,
		(uint64_t)f->st.st_mtim.tv_nsec,
		(uint64_t)f->st.st_ctim.tv_sec,
		(uint64_t)f->st.st_ctim.tv_nsec,
	};

	seen_key(f->seen, &f->key, SEEN_ORDER, "order", state, sizeof(state));
}

static enum order
known_order(struct file *f)
{
	struct seen_entry e;

	if (f->seen == NULL)
		return ORDER_UNKNOWN;
	state_key(f);
	if (seen_get(f->seen, &f->key, &e) != 1)
		return ORDER_UNKNOWN;
	return e.value == ORDER_SORTED ? ORDER_SORTED : ORDER_UNSORTED;
}

static void
note_order(struct file *f, size_t unsorted)
{
	time_t now = time(NULL);

	if (unsorted != 0)
		(void)snprintf(f->why, RECIPIENTS_WHY_MAX, "%.400s:%zu: "
		    "not sorted, so all of it is read each time; "
		    "use LC_ALL=C sort", f->path, unsorted);
	/* Another change within the clock's grain would look the same. */
	if (f->seen != NULL && now > f->st.st_ctim.tv_sec + RACY)
		(void)seen_put(f->seen, &f->key, unsorted == 0 ?
		    ORDER_SORTED : ORDER_UNSORTED, now);
}

struct reading {
	const struct wanted *wanted;
	const char *before;	/* the word before this */
	size_t beforelen;
	size_t unsorted;	/* the first line out of order; 0: none */
};

static int
read_line(const struct line *line, void *arg)
{
	struct reading *r = arg;

	for (int i = 0; i < r->wanted->n; i++)
		if (line->len == r->wanted->len[i] &&
		    memcmp(line->word, r->wanted->word[i], line->len) == 0)
			return 1;
	if (r->unsorted == 0 && r->before != NULL &&
	    lines_compare(r->before, r->beforelen, line->word, line->len) > 0)
		r->unsorted = line->number;
	r->before = line->word;
	r->beforelen = line->len;
	return 0;
}

/* 1, 0, or -1 with errno. */
static int
search(struct file *f, const struct wanted *w)
{
	int n = 0;

	for (int i = 0; i < w->n && n == 0; i++)
		n = lines_find(f->fd, f->st.st_size, w->word[i], NULL, 0);
	return n;
}

static int
look(struct file *f, const struct wanted *w)
{
	struct reading r = { .wanted = w };
	enum order order = ORDER_UNSORTED;
	bool small = f->st.st_size <= SMALL;
	int n;

	if (!small && (order = known_order(f)) != ORDER_UNSORTED) {
		n = search(f, w);
		if (n != 0 || order == ORDER_SORTED)
			return n;
	}
	n = lines_pass(f->fd, read_line, &r);
	if (n == 0 && order == ORDER_UNKNOWN && is_same(f))
		note_order(f, r.unsorted);
	return n;
}

/* RECIPIENTS_UNKNOWN: it changed meanwhile. */
static enum recipients_found
look_once(struct file *f, const struct wanted *w)
{
	int n;

	if (fstat(f->fd, &f->st) == -1)
		return fail(f, strerror(errno));
	if (!S_ISREG(f->st.st_mode))
		return fail(f, "expected a file");
	if ((n = look(f, w)) == -1)
		return fail(f, strerror(errno));
	if (n == 1)
		return RECIPIENTS_YES;
	if (!is_same(f))
		return RECIPIENTS_UNKNOWN;
	/* An export that failed, or will go on: ext4 cuts, then dates. */
	if (f->st.st_size == 0)
		return fail(f, "empty; expected at least a comment");
	if (is_unfinished(f))
		return fail(f, "changed just now, and has no end of line yet");
	return RECIPIENTS_NO;
}

enum recipients_found
recipients_file(const char *path, const struct addr *a, struct seen *seen,
    char *why)
{
	struct file f = { .path = path, .seen = seen, .why = why };
	enum recipients_found found;
	struct wanted w;

	want_all(&w, a);
	for (int i = 0; i < TRIES; i++) {
		why[0] = '\0';
		f.fd = open(path, O_RDONLY | O_NOCTTY | O_NONBLOCK |
		    O_CLOEXEC);
		if (f.fd == -1)
			return fail(&f, strerror(errno));
		found = look_once(&f, &w);
		close(f.fd);
		if (found != RECIPIENTS_UNKNOWN)
			return found;
	}
	return fail(&f, "changes while it is read");
}

/*** What was learnt ***/

#define LEARNT		"recipients"
#define ANYBODY		"@"
#define REFRESH		86400	/* seconds: younger is no news */

struct item {
	const char *local;
	enum recipients_found found;
	time_t when;
	size_t order;		/* later ones count */
	char *own;		/* to free */
};

static bool
is_learnable(const char *local)
{
	return strcmp(local, ANYBODY) == 0 || (is_word(local) &&
	    strchr(local, '@') == NULL && strlen(local) <= ADDR_LOCAL_MAX);
}

/* "good TIME" or "bad TIME". */
static bool
parse_answer(struct item *item, const char *text)
{
	const char *error;
	size_t n = strcspn(text, " ");

	if (n == 4 && strncmp(text, "good", n) == 0)
		item->found = RECIPIENTS_YES;
	else if (n == 3 && strncmp(text, "bad", n) == 0)
		item->found = RECIPIENTS_NO;
	else
		return false;
	if (text[n] == '\0')
		return false;
	item->when = (time_t)strtonum(text + n + 1, 0, LLONG_MAX, &error);
	return error == NULL;
}

static bool
is_fresh(const struct item *item, time_t now)
{
	return now - item->when <= (item->found == RECIPIENTS_YES ?
	    RECIPIENTS_GOOD_AGE : RECIPIENTS_BAD_AGE);
}

/* What the file FD of SIZE octets says of LOCAL. */
static enum recipients_found
find_learnt(int fd, off_t size, const char *local, time_t now)
{
	struct item item;
	char rest[64];
	int n = lines_find(fd, size, local, rest, sizeof(rest));

	if (n == -1)
		return RECIPIENTS_ERROR;
	if (n == 0 || !parse_answer(&item, rest) || !is_fresh(&item, now))
		return RECIPIENTS_UNKNOWN;
	return item.found;
}

enum recipients_found
recipients_learnt(struct spool *sp, const char *domain, const struct addr *a,
    time_t now)
{
	enum recipients_found found = RECIPIENTS_UNKNOWN;
	char local[ADDR_LOCAL_MAX + 1];
	struct stat st;
	int fd;

	if ((fd = spool_text_reader(sp, domain, LEARNT)) == -1)
		return errno == ENOENT ? RECIPIENTS_UNKNOWN : RECIPIENTS_ERROR;
	recipients_local(a, local);
	if (fstat(fd, &st) == -1)
		found = RECIPIENTS_ERROR;
	else if (is_word(local) && strchr(local, '@') == NULL)
		found = find_learnt(fd, st.st_size, local, now);
	if (found == RECIPIENTS_UNKNOWN) {
		found = find_learnt(fd, st.st_size, ANYBODY, now);
		/* That it does not take anybody says nothing of this one. */
		if (found == RECIPIENTS_NO)
			found = RECIPIENTS_UNKNOWN;
	}
	close(fd);
	return found;
}

/* By local part, the older first. */
static int
compare_items(const void *a, const void *b)
{
	const struct item *x = a, *y = b;
	int order = strcmp(x->local, y->local);

	if (order != 0)
		return order;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Those to keep first: the good, then the young. */
static int
compare_worth(const void *a, const void *b)
{
	const struct item *x = a, *y = b;

	if (x->found != y->found)
		return x->found == RECIPIENTS_YES ? -1 : 1;
	return x->when > y->when ? -1 : x->when < y->when;
}

static size_t
count_lines(const char *text)
{
	size_t n = 1;

	while ((text = strchr(text, '\n')) != NULL) {
		text++;
		n++;
	}
	return n;
}

/* The lines of TEXT that make sense; it is cut into pieces. */
static size_t
parse_items(struct item *item, char *text)
{
	char *line, *rest;
	size_t n = 0;

	while ((line = strsep(&text, "\n")) != NULL) {
		if ((rest = strchr(line, ' ')) == NULL)
			continue;
		*rest++ = '\0';
		if (!is_learnable(line) || !parse_answer(&item[n], rest))
			continue;
		lines_fold(line, strlen(line));
		item[n].local = line;
		item[n].order = n;
		n++;
	}
	return n;
}

/* Appends what is new to N items.  How many they are then, or 0. */
static size_t
add_items(struct item *item, size_t n, const struct recipients_entry *entry,
    size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (!is_learnable(entry[i].local))
			continue;
		if ((item[n].own = strdup(entry[i].local)) == NULL)
			return 0;
		lines_fold(item[n].own, strlen(item[n].own));
		item[n].local = item[n].own;
		item[n].found = entry[i].found;
		item[n].when = entry[i].when;
		item[n].order = n;
		n++;
	}
	return n;
}

/*
 * Of items with one local part the last stays, of those still fresh; but an
 * answer of less than a day before is good enough.  *NEWS: there is some.
 */
static size_t
merge_items(struct item *item, size_t n, time_t now, bool *news)
{
	size_t kept = 0, last;

	for (size_t i = 0; i < n; i = last + 1) {
		size_t best = i;

		for (last = i; last + 1 < n && strcmp(item[last + 1].local,
		    item[i].local) == 0; )
			if (item[++last].found != item[best].found ||
			    item[last].when - item[best].when >= REFRESH)
				best = last;
		if (item[best].own != NULL)
			*news = true;
		if (is_fresh(&item[best], now)) {
			struct item keep = item[best];

			item[best] = item[kept];
			item[kept++] = keep;
		}
	}
	return kept;
}

static int
print_items(struct spool *sp, const char *domain, const struct item *item,
    size_t n)
{
	char *text = NULL;
	size_t size = 0;
	int result = -1;
	FILE *f;

	if ((f = open_memstream(&text, &size)) == NULL)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (fprintf(f, "%s %s %lld\n", item[i].local, item[i].found ==
		    RECIPIENTS_YES ? "good" : "bad", (long long)item[i].when) <
		    0)
			break;
	if (ferror(f) != 0)
		(void)fclose(f);
	else if (fclose(f) == 0)
		result = spool_text_write(sp, domain, LEARNT, text, false);
	free(text);
	return result;
}

int
recipients_learn(struct spool *sp, const char *domain,
    const struct recipients_entry *entry, size_t count, time_t now)
{
	struct item *item = NULL;
	size_t n, kept, room;
	char *text;
	bool news = false;
	int result = -1;

	if (count == 0)
		return 0;
	if ((text = spool_text_read(sp, domain, LEARNT)) == NULL)
		return -1;
	room = count_lines(text) + count;
	if ((item = calloc(room, sizeof(*item))) == NULL)
		goto out;
	n = parse_items(item, text);
	if ((n = add_items(item, n, entry, count)) == 0)
		goto out;
	qsort(item, n, sizeof(*item), compare_items);
	if ((kept = merge_items(item, n, now, &news)) > RECIPIENTS_LEARNT_MAX) {
		qsort(item, kept, sizeof(*item), compare_worth);
		kept = RECIPIENTS_LEARNT_MAX;
		qsort(item, kept, sizeof(*item), compare_items);
	}
	result = news ? print_items(sp, domain, item, kept) : 0;
out:
	for (size_t i = 0; item != NULL && i < room; i++)
		free(item[i].own);
	free(item);
	free(text);
	return result;
}

/*** Whom to ask about ***/

#define ASKED		"asked"

/* The file, locked, with SIZE octets; -1 with errno. */
static int
open_asked(struct spool *sp, const char *file, int64_t ms, off_t *size)
{
	int fd = spool_seen_open(sp, ASKED, file), saved;
	struct stat st;

	if (fd == -1)
		return -1;
	if (spool_seen_lock(fd, ms) && fstat(fd, &st) == 0) {
		*size = st.st_size;
		return fd;
	}
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/* The text of FD with an end of line before and behind it; free(3) it. */
static char *
read_asked(int fd, off_t size)
{
	size_t len = size < RECIPIENTS_ASKED_MAX ? (size_t)size :
	    RECIPIENTS_ASKED_MAX;
	char *text;
	ssize_t n;

	if ((text = malloc(len + 3)) == NULL)
		return NULL;
	if ((n = pread(fd, text + 1, len, 0)) == -1) {
		free(text);
		return NULL;
	}
	for (ssize_t i = 1; i <= n; i++)
		if (text[i] == '\0')
			text[i] = '\n';
	text[0] = '\n';
	text[n + 1] = '\0';
	if (text[n] != '\n')
		(void)strlcpy(text + n + 1, "\n", 2);
	return text;
}

int
recipients_ask(struct spool *sp, const char *file, const struct addr *a)
{
	char line[ADDR_MAX + 4], *text = NULL;
	const char *begin;
	int fd, len, result = -1;
	off_t size;

	len = snprintf(line, sizeof(line), "\n%.*s@%s\n", (int)a->local,
	    a->text, a->domain);
	if ((fd = open_asked(sp, file, ASK_MS, &size)) == -1)
		return -1;
	if ((text = read_asked(fd, size)) == NULL)
		goto out;
	/* Where a crash left half a line, it gets its end. */
	begin = line + ((off_t)strlen(text) != size + 2);
	if (strstr(text, line) != NULL ||
	    size + len > RECIPIENTS_ASKED_MAX ||
	    pwrite(fd, begin, strlen(begin), size) == (ssize_t)strlen(begin))
		result = 0;
out:
	free(text);
	close(fd);
	return result;
}

char *
recipients_asked_take(struct spool *sp, const char *file)
{
	char *text, *result = NULL;
	off_t size;
	int fd;

	if ((fd = open_asked(sp, file, TAKE_MS, &size)) == -1)
		return NULL;
	if ((text = read_asked(fd, size)) != NULL) {
		if (size == 0 || ftruncate(fd, 0) == 0)
			result = strdup(text + 1);
		free(text);
	}
	close(fd);
	return result;
}

/* Calls FN for the domains of an asked file, some of them, as they come. */
static int
visit_asked(struct spool *sp, const char *file,
    int (*fn)(const char *domain, void *arg), void *arg)
{
	char domain[ADDR_DOMAIN_MAX + 1], last[ADDR_DOMAIN_MAX + 1] = "";
	char *text, *rest, *line, *at;
	int fd, result = 0, left = RECIPIENTS_ASKED_DOMAINS;
	off_t size;

	if ((fd = open_asked(sp, file, TAKE_MS, &size)) == -1)
		return 0;
	text = rest = size > 0 ? read_asked(fd, size) : NULL;
	close(fd);
	while (result == 0 && left > 0 &&
	    (line = strsep(&rest, "\n")) != NULL) {
		at = strrchr(line, '@');
		if (at == NULL || !addr_domain(domain, at + 1) ||
		    strcmp(domain, last) == 0)
			continue;
		(void)strlcpy(last, domain, sizeof(last));
		left--;
		result = fn(domain, arg);
	}
	free(text);
	return result;
}

struct visit {
	struct spool *spool;
	int (*fn)(const char *domain, void *arg);
	void *arg;
};

static int
visit_file(const char *of, void *arg)
{
	const struct visit *v = arg;

	return visit_asked(v->spool, of, v->fn, v->arg);
}

int
recipients_asked_domains(struct spool *sp,
    int (*fn)(const char *domain, void *arg), void *arg)
{
	struct visit v = { sp, fn, arg };

	return spool_seen_each(sp, ASKED, visit_file, &v);
}
