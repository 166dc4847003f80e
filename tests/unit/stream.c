/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "stream.h"
#include "tap.h"

/* A peer made of memory; says what happened in LOG ("r" and "w"). */
struct peer {
	const char *in;
	size_t len, at, piece;
	int error;		/* after the input, instead of the end */
	int write_error;
	size_t write_piece;	/* 0: all */
	char out[200000];
	size_t outlen;
	char log[64];
};

static void
note(struct peer *p, char c)
{
	size_t n = strlen(p->log);

	if (n + 1 < sizeof(p->log) && (n == 0 || p->log[n - 1] != c)) {
		p->log[n] = c;
		p->log[n + 1] = '\0';
	}
}

static ssize_t
peer_read(void *arg, void *buf, size_t len, int64_t deadline)
{
	struct peer *p = arg;
	size_t n = p->len - p->at;

	(void)deadline;
	note(p, 'r');
	if (n == 0 && p->error != 0) {
		errno = p->error;
		return -1;
	}
	if (n > len)
		n = len;
	if (p->piece != 0 && n > p->piece)
		n = p->piece;
	memcpy(buf, p->in + p->at, n);
	p->at += n;
	return (ssize_t)n;
}

static ssize_t
peer_write(void *arg, const void *buf, size_t len, int64_t deadline)
{
	struct peer *p = arg;

	(void)deadline;
	note(p, 'w');
	if (p->write_error != 0) {
		errno = p->write_error;
		return -1;
	}
	if (p->write_piece != 0 && len > p->write_piece)
		len = p->write_piece;
	if (len > sizeof(p->out) - p->outlen)
		abort();
	memcpy(p->out + p->outlen, buf, len);
	p->outlen += len;
	return (ssize_t)len;
}

static const struct stream_ops peer_ops = { peer_read, peer_write };

static struct stream *
start(struct peer *p, const char *in, size_t len, size_t piece)
{
	struct stream *s;

	memset(p, 0, sizeof(*p));
	p->in = in;
	p->len = len;
	p->piece = piece;
	if ((s = stream_new(&peer_ops, p)) == NULL)
		abort();
	return s;
}

static char
letter(enum stream_got got)
{
	switch (got) {
	case STREAM_LINE:
		return 'l';
	case STREAM_BARE:
		return 'b';
	case STREAM_LONG:
		return 'L';
	case STREAM_EOF:
		return 'e';
	case STREAM_TIMEOUT:
		return 't';
	case STREAM_ERROR:
		return '!';
	}
	return '?';
}

/* Lines of at most 4 octets; WANT has a letter and the line for each. */
static const struct {
	const char *in;
	size_t len;
	const char *want;
} lines[] = {
#define S(text) text, sizeof(text) - 1
	{ S(""), "e" },
	{ S("\r\n"), "l[]e" },
	{ S("abc\r\n"), "l[abc]e" },
	{ S("abcd\r\n"), "l[abcd]e" },
	{ S("abcde\r\n"), "Le" },
	{ S("abcdef\r\nab\r\n"), "Ll[ab]e" },
	{ S("ab\r\ncd\r\n\r\n"), "l[ab]l[cd]l[]e" },
	{ S("ab"), "e" },
	{ S("ab\r"), "e" },
	{ S("abcdefgh"), "e" },
	{ S("\n"), "b[]e" },
	{ S("abc\n"), "b[abc]e" },
	{ S("abcd\n"), "b[abcd]e" },
	{ S("abcde\n"), "Le" },
	{ S("abcdef\nab\r\n"), "Ll[ab]e" },
	{ S("a\rb\r\n"), "b[a\rb]e" },
	{ S("a\r\r\n"), "b[a\r]e" },
	{ S("abcd\r\r\n"), "Le" },
	{ S("\ra\r\n"), "b[\ra]e" },
	{ S("a\0b\r\n"), "l[a.b]e" },
	{ S("abcde\r\nabcde\r\nab\r\n"), "LLl[ab]e" },
};

static void
check_line(size_t i, size_t piece)
{
	struct peer *p = malloc(sizeof(*p));
	enum stream_got got = STREAM_LINE;
	struct stream *s;
	char said[256], *line;
	size_t len, n = 0;

	if (p == NULL)
		abort();
	s = start(p, lines[i].in, lines[i].len, piece);
	while (got != STREAM_EOF && n < sizeof(said) - 20) {
		got = stream_line(s, &line, &len, 4);
		said[n++] = letter(got);
		if (got != STREAM_LINE && got != STREAM_BARE)
			continue;
		if (line[len] != '\0' || len > 5)
			abort();
		said[n++] = '[';
		for (size_t k = 0; k < len; k++)
			said[n++] = line[k] == '\0' ? '.' : line[k];
		said[n++] = ']';
	}
	said[n] = '\0';
	is_str(said, lines[i].want, "lines %zu by %zu", i, piece);
	stream_free(s);
	free(p);
}

/* The longest line there may be, wherever in the buffer it begins. */
static void
check_longest(size_t before, size_t extra)
{
	static char text[200000];
	struct peer *p = malloc(sizeof(*p));
	struct stream *s;
	char *line;
	size_t len, n = 0;

	if (p == NULL)
		abort();
	while (n < before) {
		memcpy(text + n, "x\r\n", 3);
		n += 3;
	}
	before = n / 3;
	memset(text + n, 'y', STREAM_LINE_MAX + extra);
	n += STREAM_LINE_MAX + extra;
	memcpy(text + n, "\r\nend\r\n", 7);
	s = start(p, text, n + 7, 0);
	for (size_t i = 0; i < before; i++)
		if (stream_line(s, &line, &len, STREAM_LINE_MAX) !=
		    STREAM_LINE || len != 1)
			abort();
	if (extra == 0)
		ok(stream_line(s, &line, &len, 1000000) == STREAM_LINE &&
		    len == STREAM_LINE_MAX, "the longest line behind %zu",
		    before);
	else
		ok(stream_line(s, &line, &len, 1000000) == STREAM_LONG,
		    "longer by %zu behind %zu", extra, before);
	ok(stream_line(s, &line, &len, 10) == STREAM_LINE &&
	    strcmp(line, "end") == 0, "and the next one");
	stream_free(s);
	free(p);
}

static void
check_data(void)
{
	struct peer *p = malloc(sizeof(*p));
	struct stream *s;
	const char *data;
	char *line;
	size_t len;

	if (p == NULL)
		abort();
	s = start(p, "DATA\r\nbody", 10, 0);
	ok(stream_line(s, &line, &len, 100) == STREAM_LINE, "a line");
	is_int(stream_pending(s), 4, "what is behind it is there");
	ok(stream_data(s, &data, &len) == STREAM_LINE && len == 4 &&
	    memcmp(data, "body", 4) == 0, "as data");
	stream_skip(s, 1);
	ok(stream_data(s, &data, &len) == STREAM_LINE && len == 3 &&
	    memcmp(data, "ody", 3) == 0, "an octet less");
	stream_skip(s, 3);
	is_int(stream_data(s, &data, &len), STREAM_EOF, "the end");
	is_int(stream_data(s, &data, &len), STREAM_EOF, "it stays the end");
	is_int(stream_line(s, &line, &len, 9), STREAM_EOF, "for lines too");
	is_int(stream_write(s, "x", 1), 0, "one may still be told");
	is_int(stream_flush(s), 0, "so");
	stream_free(s);
	free(p);
}

static void
check_flush(void)
{
	struct peer *p = malloc(sizeof(*p));
	static char big[70000];
	struct stream *s;
	char *line;
	size_t len;

	if (p == NULL)
		abort();
	s = start(p, "a\r\nb\r\nc\r\n", 9, 6);
	is_int(stream_printf(s, "220 %s\r\n", "hello"), 0, "a greeting");
	is_int(p->outlen, 0, "waits");
	stream_line(s, &line, &len, 100);
	is_mem(p->out, p->outlen, "220 hello\r\n", 11, "until we must wait");
	stream_write(s, "1\r\n", 3);
	stream_line(s, &line, &len, 100);
	stream_write(s, "2\r\n", 3);
	is_int(p->outlen, 11, "answers collect while lines are there");
	stream_line(s, &line, &len, 100);
	is_mem(p->out, p->outlen, "220 hello\r\n1\r\n2\r\n", 17,
	    "and go in one write");
	is_str(p->log, "wrwr", "in this order");
	memset(big, 'z', sizeof(big));
	p->write_piece = 1000;
	is_int(stream_write(s, "1", 1), 0, "a little");
	is_int(stream_write(s, big, sizeof(big)), 0, "more than a buffer");
	is_int(p->outlen, 17 + 1 + sizeof(big), "goes at once, in order");
	ok(p->out[17] == '1' && p->out[18] == 'z', "behind what was there");
	is_int(stream_printf(s, "%4095s", "x"), 0, "4095 octets");
	errno = 0;
	ok(stream_printf(s, "%4096s", "x") == -1 && errno == EMSGSIZE,
	    "4096 do not fit");
	stream_free(s);
	free(p);
}

static void
check_errors(void)
{
	struct peer *p = malloc(sizeof(*p));
	struct stream *s;
	const char *data;
	char *line;
	size_t len;

	if (p == NULL)
		abort();
	s = start(p, "ab", 2, 0);
	p->error = ECONNRESET;
	is_int(stream_line(s, &line, &len, 9), STREAM_ERROR, "broken");
	errno = 0;
	ok(stream_line(s, &line, &len, 9) == STREAM_ERROR &&
	    errno == ECONNRESET, "stays broken");
	errno = 0;
	ok(stream_write(s, "x", 1) == -1 && errno == ECONNRESET,
	    "for writing too");
	ok(stream_flush(s) == -1, "and flushing");
	stream_free(s);

	s = start(p, "ab", 2, 0);
	p->error = ETIMEDOUT;
	is_int(stream_line(s, &line, &len, 9), STREAM_TIMEOUT, "late");
	is_int(stream_write(s, "421\r\n", 5), 0, "may be told");
	is_int(stream_flush(s), 0, "indeed");
	is_mem(p->out, p->outlen, "421\r\n", 5, "so");
	is_int(stream_line(s, &line, &len, 9), STREAM_TIMEOUT, "still late");
	stream_free(s);

	s = start(p, "abcdefgh", 8, 0);
	p->error = ETIMEDOUT;
	is_int(stream_line(s, &line, &len, 4), STREAM_TIMEOUT,
	    "late in a long line");
	stream_free(s);

	s = start(p, "ab\r\n", 4, 0);
	p->write_error = EPIPE;
	is_int(stream_write(s, "x", 1), 0, "collected");
	is_int(stream_line(s, &line, &len, 9), STREAM_ERROR,
	    "cannot be sent: nothing is read");
	is_int(p->at, 0, "indeed");
	ok(stream_write(s, "x", 1) == -1 && errno == EPIPE, "and no more");
	is_int(stream_data(s, &data, &len), STREAM_ERROR, "for ever");
	stream_free(s);

	s = start(p, "ab\r\n", 4, 0);
	p->write_error = ETIMEDOUT;
	stream_write(s, "x", 1);
	is_int(stream_line(s, &line, &len, 9), STREAM_TIMEOUT,
	    "a peer that takes nothing is late");
	ok(stream_flush(s) == -1 && errno == ETIMEDOUT, "and is told nothing");
	stream_free(s);
	free(p);
}

/* Real descriptors: a dripper and a flooder against one deadline. */
static void
check_deadline(bool flood)
{
	struct stream_fds fds = { .timer = 0 };
	struct stream *s;
	enum stream_got got;
	int in[2], out[2];
	pid_t pid;
	char *line;
	const char *data;
	size_t len;
	int64_t began = deadline_now(), took;

	if (pipe(in) == -1 || pipe(out) == -1 || (pid = fork()) == -1)
		abort();
	if (pid == 0) {
		close(in[0]);
		alarm(5);
		while (write(in[1], flood ? "yyyyyyyy\r\n" : "x",
		    flood ? 10 : 1) > 0)
			if (!flood)
				usleep(10000);
		_exit(0);
	}
	close(in[1]);
	fds.in = in[0];
	fds.out = out[1];
	if ((s = stream_new(&stream_fd_ops, &fds)) == NULL)
		abort();
	stream_deadline(s, deadline_in(200));
	do {
		if (flood)
			got = stream_line(s, &line, &len, 100);
		else if ((got = stream_data(s, &data, &len)) == STREAM_LINE)
			stream_skip(s, len);
		took = deadline_now() - began;
	} while (got == STREAM_LINE && took < 2000);
	is_int(got, STREAM_TIMEOUT, "one that %s is late",
	    flood ? "floods" : "drips");
	ok(took >= 190 && took < 1500, "in time (%lld ms)", (long long)took);
	stream_free(s);
	close(in[0]);
	close(out[0]);
	close(out[1]);
}

/* A socket that blocks keeps the time itself, one that does not has poll. */
static void
check_socket(bool blocks)
{
	struct stream_fds fds = { .timer = 0 };
	struct stream *s;
	int pair[2], type = SOCK_STREAM | (blocks ? 0 : SOCK_NONBLOCK);
	int64_t began, took;
	clock_t used = clock();
	char *line;
	size_t len;

	if (socketpair(AF_UNIX, type, 0, pair) == -1)
		abort();
	fds.in = fds.out = pair[0];
	if ((s = stream_new(&stream_fd_ops, &fds)) == NULL)
		abort();
	/* The first deadline is the longest, the next must shorten it. */
	for (int ms = 400; ms >= 25; ms /= 4) {
		began = deadline_now();
		stream_deadline(s, deadline_in(ms));
		is_int(stream_line(s, &line, &len, 9), STREAM_TIMEOUT,
		    "%d ms of silence", ms);
		took = deadline_now() - began;
		ok(took >= ms - 5 && took < ms + 1000, "last as long");
	}
	ok(clock() - used < CLOCKS_PER_SEC / 5, "and are slept through");
	if (write(pair[1], "hi\r\n", 4) != 4)
		abort();
	stream_deadline(s, DEADLINE_NEVER);
	ok(stream_line(s, &line, &len, 9) == STREAM_LINE && len == 2,
	    "a line of a socket");
	close(pair[1]);
	is_int(stream_line(s, &line, &len, 9), STREAM_EOF, "hung up");
	stream_free(s);
	close(pair[0]);
}

static void
check_descriptors(void)
{
	struct stream_fds fds = { .timer = 0 };
	struct stream *s;
	int in[2], out[2];
	static char big[300000];
	char *line;
	size_t len;

	if (pipe(in) == -1 || pipe(out) == -1)
		abort();
	fds.in = in[0];
	fds.out = out[1];
	if ((s = stream_new(&stream_fd_ops, &fds)) == NULL)
		abort();
	if (write(in[1], "hi\r\n", 4) != 4)
		abort();
	stream_deadline(s, deadline_in(0));
	is_int(stream_line(s, &line, &len, 9), STREAM_TIMEOUT,
	    "what lies there is too late all the same");
	stream_deadline(s, deadline_in(5000));
	ok(stream_line(s, &line, &len, 9) == STREAM_LINE && len == 2,
	    "a line of a pipe");
	fcntl(out[1], F_SETFL, O_NONBLOCK);
	stream_deadline(s, deadline_in(100));
	ok(stream_write(s, big, sizeof(big)) == -1 && errno == ETIMEDOUT,
	    "one that does not read is late");
	stream_free(s);
	if ((s = stream_new(&stream_fd_ops, &fds)) == NULL)
		abort();
	stream_deadline(s, deadline_in(50));
	is_int(stream_line(s, &line, &len, 9), STREAM_TIMEOUT, "silence");
	close(in[1]);
	stream_deadline(s, deadline_in(5000));
	is_int(stream_line(s, &line, &len, 9), STREAM_EOF, "hung up");
	stream_free(s);
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		check_line(i, 0);
		check_line(i, 1);
		check_line(i, 3);
	}
	check_longest(0, 0);
	check_longest(0, 1);
	check_longest(60000, 0);
	check_longest(60000, 1);
	check_longest(65530, 0);
	check_longest(65530, 70000);
	check_data();
	check_flush();
	check_errors();
	check_deadline(false);
	check_deadline(true);
	check_descriptors();
	check_socket(true);
	check_socket(false);
	return done_testing();
}
