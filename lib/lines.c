/* SPDX-License-Identifier: ISC */
#include "lines.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WINDOW	4096		/* of a search: a page */
#define BLOCK	65536		/* of a pass */

struct window {
	int fd;
	off_t at;		/* of buf in the file */
	size_t len;
	char buf[WINDOW];
};

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

void
lines_fold(char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (text[i] >= 'A' && text[i] <= 'Z')
			text[i] += 'a' - 'A';
}

int
lines_compare(const char *a, size_t alen, const char *b, size_t blen)
{
	int order = memcmp(a, b, alen < blen ? alen : blen);

	if (order != 0)
		return order;
	return alen < blen ? -1 : alen > blen;
}

/* The word and the rest of LEN octets at P; false if the line has none. */
static bool
split(struct line *line, const char *p, size_t len)
{
	const char *end;

	if (len > LINES_MAX)
		len = LINES_MAX;
	end = p + len;
	while (p < end && is_blank(*p))
		p++;
	if (p == end || *p == '#')
		return false;
	line->word = p;
	while (p < end && !is_blank(*p))
		p++;
	line->len = (size_t)(p - line->word);
	if (p < end)
		p++;
	while (end > p && is_blank(end[-1]))
		end--;
	line->rest = p;
	line->restlen = (size_t)(end - p);
	return true;
}

/* Octets before the first line. */
static size_t
mark(const char *p, size_t len)
{
	return len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

/*** A search ***/

/* Makes the window begin at AT.  -1 with errno. */
static int
look(struct window *w, off_t at)
{
	ssize_t n;

	while ((n = pread(w->fd, w->buf, WINDOW, at)) == -1)
		if (errno != EINTR)
			return -1;
	w->at = at;
	w->len = (size_t)n;
	return 0;
}

/* Where the line after the one that AT is in begins, HI at most; -1. */
static off_t
next_line(struct window *w, off_t at, off_t hi)
{
	const char *lf;
	size_t skip;

	while (at < hi) {
		if (at < w->at || at >= w->at + (off_t)w->len) {
			if (look(w, at) == -1)
				return -1;
			if (w->len == 0)
				return hi;
		}
		skip = (size_t)(at - w->at);
		lf = memchr(w->buf + skip, '\n', w->len - skip);
		if (lf != NULL) {
			at = w->at + (lf - w->buf) + 1;
			return at < hi ? at : hi;
		}
		at = w->at + (off_t)w->len;
	}
	return hi;
}

/*
 * Has the window what counts of the line at AT?  What is behind HI in the
 * file may belong to it: HI is where no other line begins.
 */
static int
hold(struct window *w, off_t at)
{
	size_t skip = (size_t)(at - w->at);

	if (at >= w->at && at < w->at + (off_t)w->len &&
	    (w->len - skip >= LINES_MAX ||
	    memchr(w->buf + skip, '\n', w->len - skip) != NULL))
		return 0;
	return look(w, at);
}

/*
 * The first line with a word that begins in [*AT, HI): 1, with *AT where it
 * begins; 0 if there is none; -1.
 */
static int
next_word(struct window *w, off_t *at, off_t hi, struct line *line)
{
	const char *p, *lf;
	size_t left;

	while (*at < hi) {
		if (hold(w, *at) == -1)
			return -1;
		p = w->buf + (*at - w->at);
		left = w->len - (size_t)(*at - w->at);
		lf = memchr(p, '\n', left);
		if (split(line, p, lf != NULL ? (size_t)(lf - p) : left))
			return 1;
		if ((*at = next_line(w, *at, hi)) == -1)
			return -1;
	}
	return 0;
}

/* How the line's word is to WORD; folds what the window has of it. */
static int
compare_to(const struct line *line, const char *word, size_t len)
{
	char folded[LINES_MAX];

	memcpy(folded, line->word, line->len);
	lines_fold(folded, line->len);
	return lines_compare(folded, line->len, word, len);
}

static void
give(char *rest, size_t size, const struct line *line)
{
	size_t n = line->restlen < size ? line->restlen : size - 1;

	if (rest == NULL)
		return;
	memcpy(rest, line->rest, n);
	rest[n] = '\0';
}

int
lines_find(int fd, off_t size, const char *word, char *rest, size_t restsize)
{
	struct window w = { .fd = fd };
	size_t len = strlen(word);
	off_t lo, hi = size, mid, at;
	struct line line;
	int n, order;

	if (look(&w, 0) == -1)
		return -1;
	/* A line that is looked for begins in [lo, hi), and so does lo. */
	for (lo = (off_t)mark(w.buf, w.len); lo < hi;) {
		mid = hi - lo > WINDOW / 2 ? lo + (hi - lo) / 2 : lo;
		at = mid == lo ? lo : next_line(&w, mid - 1, hi);
		if (at == -1 || (n = next_word(&w, &at, hi, &line)) == -1)
			return -1;
		order = n == 0 ? 1 : compare_to(&line, word, len);
		if (order == 0) {
			give(rest, restsize, &line);
			return 1;
		}
		if (order > 0)
			hi = mid;
		else if ((lo = next_line(&w, at, hi)) == -1)
			return -1;
	}
	return 0;
}

/*** A pass ***/

struct pass {
	int (*fn)(const struct line *line, void *arg);
	void *arg;
	char word[2][LINES_MAX];	/* this one and the one before */
	size_t turn, number;
	bool inside;			/* a line of which enough was seen */
	size_t len;
	char buf[BLOCK];
};

static int
take(struct pass *p, const char *text, size_t len)
{
	struct line line;

	if (p->inside) {
		p->inside = false;
		return 0;
	}
	p->number++;
	if (!split(&line, text, len))
		return 0;
	p->turn ^= 1;
	memcpy(p->word[p->turn], line.word, line.len);
	lines_fold(p->word[p->turn], line.len);
	line.word = p->word[p->turn];
	line.number = p->number;
	return p->fn(&line, p->arg);
}

/* Takes the lines that have an end, from AT on; the rest stays. */
static int
take_whole(struct pass *p, size_t at)
{
	const char *lf;
	int result = 0;

	while (result == 0 &&
	    (lf = memchr(p->buf + at, '\n', p->len - at)) != NULL) {
		result = take(p, p->buf + at, (size_t)(lf - p->buf) - at);
		at = (size_t)(lf - p->buf) + 1;
	}
	p->len -= at;
	memmove(p->buf, p->buf + at, p->len);
	if (result == 0 && p->len == BLOCK) {
		result = take(p, p->buf, p->len);
		p->inside = true;
		p->len = 0;
	}
	return result;
}

int
lines_pass(int fd, int (*fn)(const struct line *line, void *arg), void *arg)
{
	struct pass *p;
	int result = -1, saved;
	off_t at = 0;
	ssize_t n;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return -1;
	p->fn = fn;
	p->arg = arg;
	for (;; at += n) {
		n = pread(fd, p->buf + p->len, BLOCK - p->len, at);
		if (n == -1 && errno == EINTR)
			n = 0;
		else if (n == -1)
			goto out;
		else if (n == 0)
			break;
		p->len += (size_t)n;
		result = take_whole(p, at == 0 ? mark(p->buf, p->len) : 0);
		if (result != 0)
			goto out;
	}
	result = p->len > 0 ? take(p, p->buf, p->len) : 0;
out:
	saved = errno;
	free(p);
	errno = saved;
	return result;
}
