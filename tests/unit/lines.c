/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <unistd.h>

#include "lines.h"
#include "tap.h"

static int fd;

static void
put(const char *text, size_t len)
{
	if (ftruncate(fd, 0) == -1 || pwrite(fd, text, len, 0) !=
	    (ssize_t)len)
		abort();
}

static int
find(size_t size, const char *word, char *rest, size_t restsize)
{
	return lines_find(fd, (off_t)size, word, rest, restsize);
}

/* What a pass calls each word, "word(rest)" and the line's number. */
static char said[4096];

static int
say(const struct line *line, void *arg)
{
	size_t used = strlen(said);

	(void)snprintf(said + used, sizeof(said) - used, "%zu:%.*s(%.*s) ",
	    line->number, (int)line->len, line->word, (int)line->restlen,
	    line->rest);
	return line->len == 4 && memcmp(line->word, "stop", 4) == 0 ?
	    *(int *)arg : 0;
}

#define TEXT(s) s, sizeof(s) - 1
static const struct {
	const char *name, *text;
	size_t len;
	const char *want;
} passes[] = {
	{ "nothing", TEXT(""), "" },
	{ "no words", TEXT("\n \n\t\r\n#x\n  # y\n"), "" },
	{ "no final newline", TEXT("a\nb"), "1:a() 2:b() " },
	{ "CRLF", TEXT("a\r\nb x\r\n"), "1:a() 2:b(x) " },
	{ "capitals and a rest", TEXT("# c\nANN OK now \n"), "2:ann(OK now) " },
	{ "blanks in front", TEXT("  \ta\tb"), "1:a(b) " },
	{ "a byte order mark", TEXT("\xef\xbb\xbf" "a\nb\n"), "1:a() 2:b() " },
	{ "the mark alone", TEXT("\xef\xbb\xbf"), "" },
	{ "it may be stopped", TEXT("a\nstop\nb\n"), "1:a() 2:stop() " },
	{ "other bytes stay", TEXT("\xc3\x84X\n"), "1:\xc3\x84x() " },
};

static void
check_pass(void)
{
	int seven = 7, n;

	for (size_t i = 0; i < sizeof(passes) / sizeof(passes[0]); i++) {
		put(passes[i].text, passes[i].len);
		said[0] = '\0';
		n = lines_pass(fd, say, &seven);
		is_str(said, passes[i].want, "pass: %s", passes[i].name);
		is_int(n, strstr(said, "stop") != NULL ? 7 : 0,
		    "pass: %s: result", passes[i].name);
	}
	is_int(lines_pass(-1, say, &seven), -1, "a bad descriptor");
	is_int(find(1, "a", NULL, 0), 0, "what is not there");
	is_int(lines_find(-1, 1, "a", NULL, 0), -1, "a bad descriptor, again");
}

static int
count(const struct line *line, void *arg)
{
	size_t *n = arg;

	n[0]++;
	n[1] += line->len;
	return 0;
}

/* A line longer than all buffers, between two others. */
static void
check_long(void)
{
	size_t size = 300000, n[2] = { 0, 0 };
	char *text = malloc(size);

	if (text == NULL)
		abort();
	memset(text, 'm', size);
	memcpy(text, "a\n", 2);
	memcpy(text + size - 3, "\nz\n", 3);
	put(text, size);
	is_int(lines_pass(fd, count, n), 0, "a pass over a long line");
	is_int(n[0], 3, "is three lines");
	is_int(n[1], 2 + LINES_MAX, "one of them cut");
	is_int(find(size, "a", NULL, 0), 1, "the first is found");
	is_int(find(size, "z", NULL, 0), 1, "so is the last");
	is_int(find(size, "m", NULL, 0), 0, "the long one is another word");
	memset(text + 2, ' ', size - 5);
	put(text, size);
	is_int(find(size, "z", NULL, 0), 1, "behind a long line of blanks");
	memset(text + 2, '\n', size - 5);
	put(text, size);
	is_int(find(size, "z", NULL, 0), 1, "behind empty lines");
	is_int(find(size, "a", NULL, 0), 1, "before empty lines");
	is_int(find(size, "b", NULL, 0), 0, "between them");
	memset(text, 0, size);
	put(text, size);
	is_int(find(size, "a", NULL, 0), 0, "a file of NULs");
	n[0] = 0;
	is_int(lines_pass(fd, count, n), 0, "a pass over it");
	is_int(n[0], 1, "is one line");
	free(text);
}

/* Each even number of a file, of several shapes of line. */
static void
check_find(void)
{
	static const struct shape {
		const char *before, *after;
	} shape[] = { { "", "\n" }, { "", "@example.org\n" },
	    { "# comment\n", "\n\n" }, { "", "\r\n" },
	    { "\n", "\n" }, { "", " some more of it\n" } };
	char *text = malloc(1 << 20), word[64], rest[16];
	size_t used;
	int wrong;

	if (text == NULL)
		abort();
	for (size_t i = 0; i < sizeof(shape) / sizeof(shape[0]); i++) {
		for (int lines = 1; lines <= 20000; lines = lines * 5 + 2) {
			used = wrong = 0;
			for (int k = 0; k < lines; k++)
				used += (size_t)snprintf(text + used, 64,
				    "%s%05d%s", shape[i].before, 2 * k,
				    shape[i].after);
			put(text, used);
			for (int k = -1; k <= 2 * lines; k++) {
				(void)snprintf(word, sizeof(word), i == 1 ?
				    "%05d@example.org" : "%05d", k);
				wrong += find(used, word, rest,
				    sizeof(rest)) != (k >= 0 && k % 2 == 0 &&
				    k < 2 * lines);
			}
			is_int(wrong, 0, "shape %zu, %d lines", i, lines);
		}
	}
	is_int(find(used, "00000", rest, sizeof(rest)), 1, "the first");
	is_str(rest, "some more of it", "the rest of a line");
	is_int(find(used, "00000", rest, 5), 1, "the first");
	is_str(rest, "some", "cut to what there is room for");
	is_int(find(used - 10, "00000", NULL, 0), 1, "a size too small");
	is_int(find(used * 2, "00000", NULL, 0), 1, "a size too big");
	free(text);
}

/* A file cut by somebody else meanwhile: no crash, and an end. */
static void
check_cut(void)
{
	char text[20000];

	memset(text, 'x', sizeof(text));
	for (size_t i = 7; i < sizeof(text); i += 8)
		text[i] = '\n';
	put(text, 100);
	is_int(find(sizeof(text), "y", NULL, 0), 0, "a file that was cut");
	put(text, 0);
	is_int(find(sizeof(text), "y", NULL, 0), 0, "to nothing");
}

int
main(void)
{
	char name[] = "/tmp/lines.XXXXXX";

	if ((fd = mkstemp(name)) == -1 || unlink(name) == -1)
		return 1;
	check_pass();
	check_long();
	check_find();
	check_cut();
	return done_testing();
}
