/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "deadline.h"
#include "reply.h"
#include "talk.h"
#include "tap.h"

static struct sockaddr_storage none[2];

static struct sockaddr_storage
addr(const char *text, int port)
{
	struct sockaddr_storage ss;
	struct sockaddr_in *in = (struct sockaddr_in *)&ss;

	memset(&ss, 0, sizeof(ss));
	in->sin_family = AF_INET;
	in->sin_port = htons((uint16_t)port);
	inet_pton(AF_INET, text, &in->sin_addr);
	return ss;
}

static void
test_dial(void)
{
	struct sockaddr_storage at = addr("127.0.0.1", 0), source[2];
	struct sockaddr_storage own;
	socklen_t len = sizeof(at);
	int fd, s = socket(AF_INET, SOCK_STREAM, 0);

	if (s == -1 || bind(s, (struct sockaddr *)&at,
	    sizeof(struct sockaddr_in)) == -1 || getsockname(s,
	    (struct sockaddr *)&at, &len) == -1) {
		ok(false, "a socket");
		return;
	}
	is_int(talk_dial(&at, none, deadline_in(2000)), -1, "nobody listens");
	is_int(errno, ECONNREFUSED, "and errno says so");
	listen(s, 1);
	memset(source, 0, sizeof(source));
	source[1] = addr("127.0.0.3", 0);
	fd = talk_dial(&at, source, deadline_in(2000));
	ok(fd != -1, "somebody listens");
	len = sizeof(own);
	getsockname(fd, (struct sockaddr *)&own, &len);
	is_int(((struct sockaddr_in *)&own)->sin_addr.s_addr,
	    ((struct sockaddr_in *)&source[1])->sin_addr.s_addr,
	    "from our source");
	close(fd);
	source[1] = addr("192.0.2.1", 0);
	is_int(talk_dial(&at, source, deadline_in(2000)), -1,
	    "a source that is not ours");
	is_int(errno, EADDRNOTAVAIL, "and errno says so");
	close(s);
}

struct server {
	const char *next;
	char heard[256];
};

/* All that is left, at once; the end of file after it. */
static ssize_t
server_read(void *arg, void *buf, size_t len, int64_t deadline)
{
	struct server *s = arg;
	size_t n = strlen(s->next);

	(void)deadline;
	if (n > len)
		n = len;
	memcpy(buf, s->next, n);
	s->next += n;
	return (ssize_t)n;
}

static ssize_t
server_write(void *arg, const void *buf, size_t len, int64_t deadline)
{
	struct server *s = arg;
	size_t used = strlen(s->heard);

	(void)deadline;
	memcpy(s->heard + used, buf, len);
	return (ssize_t)len;
}

static const struct stream_ops ops = { server_read, server_write };

static void
count(void *arg, const char *text)
{
	int *n = arg;

	if (strcmp(text, "more") == 0)
		++*n;
}

static void
test_words(void)
{
	struct server s = { "250-first\r\n250-more\r\n250 more\r\n"
	    "421 4.3.2 bye\x07\r\n", "" };
	struct talk_reply r;
	struct reply raw;
	struct talk t;
	int n = 0;

	if (!ok(talk_open(&t, &ops, &s, deadline_in(2000)) == 0, "open"))
		return;
	ok(talk_say(&t, "EHLO %s", "a.test"), "a command");
	is_str(s.heard, "", "is sent when we listen");
	ok(talk_hear(&t, &r, &raw, count, &n), "a reply");
	is_str(s.heard, "EHLO a.test\r\n", "to it");
	is_int(n, 2, "with two further lines");
	is_str(raw.text, "first more more", "as it came");
	ok(talk_is_good(&r) && !talk_is_farewell(&r), "a good one");
	ok(!talk_is_silent(&t), "but there is more");
	is_int(t.end, TALK_GARBAGE, "which ends it");
	t.over = false;
	t.end = TALK_NOT;
	ok(talk_hear(&t, &r, NULL, NULL, NULL), "another");
	is_str(r.text, "421 4.3.2 bye\\a", "is plain");
	ok(!talk_refused(&t, &r), "and refuses");
	is_int(t.end, TALK_REFUSED, "which ends it");
	s.heard[0] = '\0';
	talk_quit(&t);
	is_str(s.heard, "", "no QUIT to one that is gone");
	t.over = false;
	talk_quit(&t);
	is_int(strncmp(s.heard, "QUIT\r\n", 6), 0, "QUIT to another");
	is_int(t.end, TALK_REFUSED, "which is not why it ended");
	is_str(t.why, "421 4.3.2 bye\\a", "nor what it says");
	talk_close(&t);
	talk_close(&t);
}

int
main(void)
{
	test_dial();
	test_words();
	return done_testing();
}
