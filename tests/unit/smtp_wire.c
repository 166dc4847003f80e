/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "smtp_wire.h"
#include "tap.h"

#define BIG	(1024 * 1024)

/* The two ends of a connection over loopback; ROOM octets fit into it. */
static void
connect_pair(int fd[2], int room)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	int listener = socket(AF_INET, SOCK_STREAM, 0);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	fd[0] = socket(AF_INET, SOCK_STREAM, 0);
	fd[1] = -1;
	(void)setsockopt(fd[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	(void)setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &room, sizeof(room));
	if (bind(listener, (struct sockaddr *)&in, sizeof(in)) == 0 &&
	    listen(listener, 1) == 0 &&
	    getsockname(listener, (struct sockaddr *)&in, &len) == 0 &&
	    connect(fd[0], (struct sockaddr *)&in, sizeof(in)) == 0)
		fd[1] = accept(listener, NULL, NULL);
	close(listener);
}

/* A file without a name. */
static int
file_of(size_t size)
{
	char path[] = "/tmp/mxkeep.XXXXXX";
	int fd = mkstemp(path);

	if (fd != -1)
		(void)unlink(path);
	return fd != -1 && ftruncate(fd, (off_t)size) == 0 ? fd : -1;
}

/*** A peer that closes with our words unread ***/

static void
test_gone(void)
{
	static const char said[] = "250 one\r\n250 two\r\n421 enough\r\n";
	const struct smtp_step step = { "MAIL", 2000 };
	const struct timespec pause = { 0, 50 * 1000000 };
	char error[SMTP_ERROR_MAX] = "", *text = calloc(1, BIG);
	int fd[2], file = file_of(BIG);
	struct smtp_wire w;
	struct reply r;

	connect_pair(fd, 65536);
	if (!ok(smtp_wire_init(&w, fd[0], error), "gone: init"))
		return;
	stream_deadline(w.stream, deadline_in(2000));
	(void)stream_write(w.stream, "unread\r\n", 8);
	(void)stream_flush(w.stream);
	(void)!write(fd[1], said, sizeof(said) - 1);
	close(fd[1]);
	(void)nanosleep(&pause, NULL);

	is_int(stream_write(w.stream, text, BIG), 0, "gone: writes go nowhere");
	ok(w.gone, "gone: that is noticed");
	ok(smtp_wire_file(&w, &step, file, 0, BIG), "gone: so do files");
	ok(smtp_wire_get(&w, &step, &r) && strcmp(r.text, "one") == 0,
	    "gone: what it said is heard");
	ok(smtp_wire_get(&w, &step, &r) && strcmp(r.text, "two") == 0,
	    "gone: all of it");
	ok(!smtp_wire_get(&w, &step, &r), "gone: 421 is the end");
	ok(w.farewell, "gone: a farewell");
	is_str(error, "MAIL: 421 enough", "gone: in its words");
	smtp_wire_clear(&w);
	close(file);
	free(text);
}

/*** A peer that listens, but slowly ***/

static void *
sip(void *arg)
{
	const struct timespec pause = { 0, 50 * 1000000 };
	char buf[2048];

	while (read(*(int *)arg, buf, sizeof(buf)) > 0)
		(void)nanosleep(&pause, NULL);
	return NULL;
}

static void
test_slow(void)
{
	const struct smtp_step step = { "the text", 400 };
	char error[SMTP_ERROR_MAX] = "";
	int fd[2], file = file_of(BIG);
	int64_t begun = deadline_now();
	struct smtp_wire w;
	pthread_t peer;

	connect_pair(fd, 4096);
	if (!ok(smtp_wire_init(&w, fd[0], error), "slow: init") ||
	    pthread_create(&peer, NULL, sip, &fd[1]) != 0)
		return;
	ok(!smtp_wire_file(&w, &step, file, 0, BIG), "slow: given up");
	is_str(error, "no answer for 1s to the text", "slow: why");
	ok(deadline_now() - begun < 3000, "slow: in time");
	smtp_wire_clear(&w);
	(void)pthread_join(peer, NULL);
	close(fd[1]);
	close(file);
}

/*** A peer that says more than it was asked ***/

static void
test_talks(void)
{
	static const char said[] = "550 no\r\n", more[] = "550 no\r\n";
	const struct smtp_step step = { "RCPT", 2000 };
	const struct timespec pause = { 0, 50 * 1000000 };
	char error[SMTP_ERROR_MAX] = "";
	struct smtp_wire w;
	struct reply r;
	int fd[2];

	connect_pair(fd, 65536);
	if (!ok(smtp_wire_init(&w, fd[0], error), "talks: init"))
		return;
	(void)!write(fd[1], said, sizeof(said) - 1);
	ok(smtp_wire_get(&w, &step, &r), "talks: the answer");
	ok(!smtp_wire_talks(&w), "talks: and no more");
	(void)!write(fd[1], more, sizeof(more) - 1);
	(void)nanosleep(&pause, NULL);
	is_int(smtp_wire_pending(&w), 0, "talks: nothing was read since");
	ok(smtp_wire_talks(&w), "talks: but something came");
	ok(smtp_wire_get(&w, &step, &r) && r.code == 550,
	    "talks: it is still there");
	close(fd[1]);
	(void)nanosleep(&pause, NULL);
	ok(!smtp_wire_talks(&w), "talks: an end is no word");
	smtp_wire_clear(&w);
}

int
main(void)
{
	(void)signal(SIGPIPE, SIG_IGN);
	test_gone();
	test_talks();
	test_slow();
	return done_testing();
}
