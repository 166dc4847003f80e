/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <sys/wait.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "knock.h"
#include "tap.h"

#define TIMEOUT	600		/* milliseconds */

static struct conf conf;
static struct route route;
static char said[512];		/* "0: why;1: why;" */

static void
failed(void *arg, size_t addr, const char *why)
{
	size_t used = strlen(said);

	(void)arg;
	(void)snprintf(said + used, sizeof(said) - used, "%zu: %s;", addr,
	    why);
}

enum server { SHUT, OPEN, SILENT };

/* An address of a server; its descriptors stay until the end of the test. */
static struct sockaddr_in
server(enum server what)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	socklen_t len = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0), i, flags;

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (bind(fd, (struct sockaddr *)&in, len) == -1 ||
	    (what != SHUT && listen(fd, what == OPEN ? 5 : 0) == -1) ||
	    getsockname(fd, (struct sockaddr *)&in, &len) == -1)
		abort();
	/* Whose queue is full does not answer at all. */
	for (i = 0; what == SILENT && i < 2; i++) {
		fd = socket(AF_INET, SOCK_STREAM, 0);
		flags = fcntl(fd, F_GETFL);
		(void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
		(void)connect(fd, (struct sockaddr *)&in, len);
	}
	return in;
}

/* A route of one address a host, in the order given. */
static void
route_to(struct knock *k, struct hosts *h, const enum server *what, size_t n)
{
	struct sockaddr_in in;
	size_t i;

	memset(k, 0, sizeof(*k));
	memset(&route, 0, sizeof(route));
	said[0] = '\0';
	for (i = 0; i < n; i++) {
		in = server(what[i]);
		memcpy(&route.addr[i].addr, &in, sizeof(in));
		route.addr[i].len = sizeof(in);
		route.addr[i].host = i;
		route.host[i].preference = -1;
	}
	route.nhost = route.naddr = n;
	k->conf = &conf;
	k->hosts = h;
	k->route = &route;
	k->failed = failed;
}

static const struct sockaddr *
addr(size_t i)
{
	return (const struct sockaddr *)&route.addr[i].addr;
}

static void
test_order(void)
{
	static const enum server what[] = { SHUT, OPEN, OPEN };
	struct hosts *h = hosts_new();
	struct knock k;
	int fd = -1;

	route_to(&k, h, what, 3);
	is_int(knock_next(&k, &fd), 1, "the first that answers");
	ok(fd != -1, "is connected");
	is_str(said, "0: cannot connect: Connection refused;",
	    "we hear of the one before it");
	hosts_tell(h, addr(1), false, "it is in a bad mood");
	close(fd);
	is_int(knock_next(&k, &fd), 2, "then the next");
	hosts_tell(h, addr(2), true, NULL);
	close(fd);
	is_int(knock_next(&k, &fd), -1, "then none");

	memset(k.try, 0, sizeof(k.try));
	said[0] = '\0';
	is_int(knock_next(&k, &fd), 2, "again: the one that is known");
	is_int(fd, -1, "without a connection");
	is_str(said, "0: cannot connect: Connection refused;"
	    "1: it is in a bad mood;", "the others are not asked again");
	memset(k.try, 0, sizeof(k.try));
	knock_leave(&k, 2);
	is_int(knock_next(&k, &fd), -1, "one that is left out is left alone");
	hosts_free(h);
}

static void
test_silent(void)
{
	static const enum server all[] = { SILENT, SILENT, SILENT, SILENT };
	static const enum server some[] = { SILENT, OPEN, SILENT };
	struct hosts *h = hosts_new();
	struct knock k;
	int64_t begin = deadline_now(), took;
	int fd = -1;

	route_to(&k, h, all, 4);
	is_int(knock_next(&k, &fd), -1, "four silent ones");
	took = deadline_now() - begin;
	ok(took >= TIMEOUT && took < 2 * TIMEOUT,
	    "take one time-out and a little (%d ms)", (int)took);
	is_str(said, "0: cannot connect: Connection timed out;"
	    "1: cannot connect: Connection timed out;"
	    "2: cannot connect: Connection timed out;"
	    "3: cannot connect: Connection timed out;", "each is told of");

	route_to(&k, h, some, 3);
	begin = deadline_now();
	is_int(knock_next(&k, &fd), 1, "one that answers");
	took = deadline_now() - begin;
	ok(took >= TIMEOUT, "waits for a better one (%d ms)", (int)took);
	close(fd);
	hosts_drop(h, addr(1));

	route_to(&k, h, some, 3);
	route.addr[1].host = 0;
	begin = deadline_now();
	is_int(knock_next(&k, &fd), 1, "another address of the same host");
	took = deadline_now() - begin;
	ok(took < TIMEOUT / 2, "does not (%d ms)", (int)took);
	close(fd);
	hosts_tell(h, addr(1), true, NULL);
	is_str(said, "", "the first is left in peace");
	memset(k.try, 0, sizeof(k.try));
	begin = deadline_now();
	is_int(knock_next(&k, &fd), 1, "next time");
	ok(deadline_now() - begin < TIMEOUT / 30, "it comes first");

	route_to(&k, h, some, 3);
	route.host[0].preference = route.host[1].preference = 10;
	begin = deadline_now();
	is_int(knock_next(&k, &fd), 1, "nor does one of the same preference");
	took = deadline_now() - begin;
	ok(took < TIMEOUT / 2, "wait (%d ms)", (int)took);
	close(fd);
	hosts_free(h);
}

/* What another worker is at is its business for a while. */
static void
test_elsewhere(void)
{
	static const enum server what[] = { SILENT, OPEN };
	struct hosts *h = hosts_new();
	struct timespec ts = { 0, 200000000 };
	struct knock k;
	int64_t begin, took;
	int fd = -1, go[2];
	pid_t pid;
	char c;

	route_to(&k, h, what, 2);
	if (pipe(go) == -1 || (pid = fork()) == -1)
		return;
	if (pid == 0) {
		(void)hosts_ask(h, addr(0), true);
		close(go[1]);
		(void)nanosleep(&ts, NULL);
		hosts_tell(h, addr(0), false, "seen elsewhere");
		_exit(0);
	}
	close(go[1]);
	is_int((int)read(go[0], &c, 1), 0, "another worker has begun");
	begin = deadline_now();
	is_int(knock_next(&k, &fd), 1, "what it finds out is awaited");
	took = deadline_now() - begin;
	ok(took > 100 && took < TIMEOUT, "as long as it takes (%d ms)",
	    (int)took);
	is_str(said, "0: seen elsewhere;", "and believed");
	close(fd);
	hosts_drop(h, addr(1));
	(void)waitpid(pid, NULL, 0);

	route_to(&k, h, what, 2);
	ts.tv_sec = 2;
	if (pipe(go) == -1 || (pid = fork()) == -1)
		return;
	if (pid == 0) {
		(void)hosts_ask(h, addr(0), true);
		close(go[1]);
		(void)nanosleep(&ts, NULL);
		_exit(0);
	}
	close(go[1]);
	is_int((int)read(go[0], &c, 1), 0, "another one has begun");
	begin = deadline_now();
	is_int(knock_next(&k, &fd), 1, "its patience");
	took = deadline_now() - begin;
	ok(took < 2 * TIMEOUT, "is not ours (%d ms)", (int)took);
	close(fd);
	hosts_tell(h, addr(1), false, "bad");
	is_int(knock_next(&k, &fd), -1, "but if nobody else is left");
	took = deadline_now() - begin;
	ok(took > 1500, "it is, and then the probe is ours (%d ms)",
	    (int)took);
	is_str(said, "0: cannot connect: Connection timed out;", "to be made");
	(void)waitpid(pid, NULL, 0);
	hosts_free(h);
}

int
main(void)
{
	conf_init(&conf);
	conf.timeout.connect = TIMEOUT;
	alarm(30);
	test_order();
	test_silent();
	test_elsewhere();
	return done_testing();
}
