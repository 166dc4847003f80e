/* SPDX-License-Identifier: ISC */
/* What a pass over a file finds a search finds, and nothing else. */
#include <sys/mman.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lines.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MANY 256

struct words {
	char word[MANY][LINES_MAX + 1];
	size_t len[MANY];
	size_t n;
	bool sorted;
};

static void
need(bool held)
{
	if (!held)
		abort();
}

static int
take(const struct line *line, void *arg)
{
	struct words *w = arg;

	need(line->len > 0 && line->len <= LINES_MAX && line->number > 0);
	need(line->restlen == 0 || line->rest[line->restlen - 1] != '\n');
	if (w->n == MANY)
		return 1;
	memcpy(w->word[w->n], line->word, line->len);
	w->word[w->n][line->len] = '\0';
	w->len[w->n] = line->len;
	if (w->n > 0 && lines_compare(w->word[w->n - 1], w->len[w->n - 1],
	    line->word, line->len) > 0)
		w->sorted = false;
	w->n++;
	return 0;
}

static bool
has(const struct words *w, const char *word)
{
	for (size_t i = 0; i < w->n; i++)
		if (w->len[i] == strlen(word) &&
		    memcmp(w->word[i], word, w->len[i]) == 0)
			return true;
	return false;
}

static void
look(int fd, size_t size, const struct words *w, const char *word)
{
	char rest[8];
	int n = lines_find(fd, (off_t)size, word, rest, sizeof(rest));

	need(n == 0 || n == 1);
	/* Found is found; not found is not there if the file is sorted. */
	need(n == 0 || has(w, word));
	need(n == 1 || !w->sorted || !has(w, word));
	need(n == 0 || strlen(rest) < sizeof(rest));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct words w;
	int fd = memfd_create("lines", MFD_CLOEXEC);

	need(fd != -1 && write(fd, data, size) == (ssize_t)size);
	w.n = 0;
	w.sorted = true;
	if (lines_pass(fd, take, &w) == 0)
		for (size_t i = 0; i < w.n; i++) {
			char word[LINES_MAX + 2];
			size_t len;

			(void)strlcpy(word, w.word[i], sizeof(word));
			look(fd, size, &w, word);
			len = strlen(word);
			memcpy(word + len, "!", 2);
			look(fd, size, &w, word);
			if (len > 1) {
				word[len - 1] = '\0';
				look(fd, size, &w, word);
			}
		}
	close(fd);
	return 0;
}
