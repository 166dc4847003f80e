/* SPDX-License-Identifier: ISC */
/*
 * sink: an SMTP server on the loopback interface that takes everything and
 * keeps nothing.  Ends after so many messages or seconds, or on SIGTERM, and
 * prints messages, connections, the seconds from the first connection to the
 * last message, and when the first message was there, in seconds since 1970.
 *
 * usage: sink [-c] [-a addr] [-n messages] [-p port] [-w seconds]
 *
 *	-c	offers CHUNKING
 */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <err.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>
#include <unistd.h>

struct client {
	int fd;
	bool data;		/* between DATA and the dot */
	size_t chunk;		/* octets of BDAT still to come */
	bool last;		/* and it is the last one */
	bool middle;		/* of a line longer than the buffer */
	bool quit;
	char in[65536];
	size_t nin;
	char out[8192];
	size_t nout;
};

struct run {
	int ep, listener;
	bool chunking;
	long want, messages, connections;
	double first, last;
	double begun;		/* the first message, by the calendar */
};

static volatile sig_atomic_t stop;

static void
on_term(int sig)
{
	stop = sig;
}

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static double
today(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static void
say(struct client *c, const char *text)
{
	size_t n = strlen(text);

	if (n > sizeof(c->out) - c->nout) {
		c->quit = true;
		return;
	}
	memcpy(c->out + c->nout, text, n);
	c->nout += n;
}

static void
taken(struct run *r, struct client *c)
{
	if (r->messages++ == 0)
		r->begun = today();
	r->last = now();
	say(c, "250 taken\r\n");
}

static void
command(struct run *r, struct client *c, const char *line, size_t len)
{
	if (len >= 4 && strncasecmp(line, "EHLO", 4) == 0) {
		say(c, "250-sink.test\r\n250-PIPELINING\r\n250-SIZE 0\r\n");
		if (r->chunking)
			say(c, "250-CHUNKING\r\n");
		say(c, "250 8BITMIME\r\n");
	} else if (len >= 5 && strncasecmp(line, "BDAT ", 5) == 0) {
		c->chunk = strtoul(line + 5, NULL, 10);
		c->last = memmem(line, len, "LAST", 4) != NULL;
		if (c->chunk == 0)
			taken(r, c);
	} else if (len >= 4 && strncasecmp(line, "DATA", 4) == 0) {
		c->data = true;
		say(c, "354 go on\r\n");
	} else if (len >= 4 && strncasecmp(line, "QUIT", 4) == 0) {
		c->quit = true;
		say(c, "221 bye\r\n");
	} else
		say(c, "250 ok\r\n");
}

static void
text(struct run *r, struct client *c, const char *line, size_t len)
{
	if (c->middle || len != 3 || memcmp(line, ".\r\n", 3) != 0)
		return;
	c->data = false;
	taken(r, c);
}

static void
eat(struct run *r, struct client *c)
{
	char *line = c->in, *end = c->in + c->nin, *nl;
	size_t n;

	while (line < end) {
		if (c->chunk > 0) {
			n = (size_t)(end - line) < c->chunk ?
			    (size_t)(end - line) : c->chunk;
			line += n;
			if ((c->chunk -= n) == 0 && c->last)
				taken(r, c);
			else if (c->chunk == 0)
				say(c, "250 more\r\n");
			continue;
		}
		if ((nl = memchr(line, '\n', end - line)) == NULL)
			break;
		if (c->data)
			text(r, c, line, nl + 1 - line);
		else
			command(r, c, line, nl + 1 - line);
		c->middle = false;
		line = nl + 1;
	}
	c->nin = end - line;
	memmove(c->in, line, c->nin);
	if (c->nin == sizeof(c->in)) {
		c->nin = 0;
		c->middle = true;
	}
}

/* Everything said so far.  Replies are few and small: blocking is fine. */
static int
flush(struct client *c)
{
	size_t done = 0;
	ssize_t n;

	while (done < c->nout) {
		n = send(c->fd, c->out + done, c->nout - done, MSG_NOSIGNAL);
		if (n == -1)
			return -1;
		done += n;
	}
	c->nout = 0;
	return 0;
}

static int
turn(struct run *r, struct client *c)
{
	ssize_t n;

	n = recv(c->fd, c->in + c->nin, sizeof(c->in) - c->nin, 0);
	if (n <= 0)
		return -1;
	c->nin += n;
	eat(r, c);
	if (flush(c) == -1 || c->quit)
		return -1;
	return 0;
}

static void
welcome(struct run *r)
{
	struct epoll_event ev;
	struct client *c;
	int on = 1;

	if ((c = malloc(sizeof(*c))) == NULL)
		err(1, "malloc");
	c->data = c->middle = c->quit = false;
	c->chunk = 0;
	c->nin = c->nout = 0;
	c->fd = accept(r->listener, NULL, NULL);
	if (c->fd == -1) {
		free(c);
		return;
	}
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (r->connections++ == 0)
		r->first = now();
	ev.events = EPOLLIN;
	ev.data.ptr = c;
	if (epoll_ctl(r->ep, EPOLL_CTL_ADD, c->fd, &ev) == -1)
		err(1, "epoll_ctl");
	say(c, "220 sink.test ESMTP\r\n");
	flush(c);
}

static void
serve(struct run *r, int limit)
{
	struct epoll_event ev[64];
	struct client *c;
	double start = now();
	int i, n;

	while (!stop && r->messages < r->want && now() - start < limit) {
		n = epoll_wait(r->ep, ev, 64, 500);
		for (i = 0; i < n; i++) {
			if ((c = ev[i].data.ptr) == NULL) {
				welcome(r);
			} else if (turn(r, c) == -1) {
				close(c->fd);
				free(c);
			}
		}
	}
}

static void
open_listener(struct run *r, const char *addr, int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct epoll_event ev = { .events = EPOLLIN };
	int on = 1;

	sin.sin_port = htons(port);
	if (inet_pton(AF_INET, addr, &sin.sin_addr) != 1 ||
	    ntohl(sin.sin_addr.s_addr) >> 24 != 127)
		errx(64, "%s is not a loopback address", addr);
	r->listener = socket(AF_INET, SOCK_STREAM, 0);
	if (r->listener == -1)
		err(1, "socket");
	setsockopt(r->listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(r->listener, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(r->listener, 1024) == -1)
		err(1, "%s port %d", addr, port);
	if ((r->ep = epoll_create1(0)) == -1 ||
	    epoll_ctl(r->ep, EPOLL_CTL_ADD, r->listener, &ev) == -1)
		err(1, "epoll");
}

static int
number(const char *arg, int max)
{
	char *end;
	long n;

	n = strtol(arg, &end, 10);
	if (*arg == '\0' || *end != '\0' || n < 1 || n > max)
		errx(64, "bad number %s", arg);
	return n;
}

int
main(int argc, char *argv[])
{
	static struct run r;
	const char *addr = "127.0.0.1";
	int c, port = 25, limit = 60;

	r.want = 1000000000;
	while ((c = getopt(argc, argv, "a:cn:p:w:")) != -1) {
		switch (c) {
		case 'a': addr = optarg; break;
		case 'c': r.chunking = true; break;
		case 'n': r.want = number(optarg, 10000000); break;
		case 'p': port = number(optarg, 65535); break;
		case 'w': limit = number(optarg, 3600); break;
		default: return 64;
		}
	}
	signal(SIGTERM, on_term);
	open_listener(&r, addr, port);
	serve(&r, limit);
	printf("%ld %ld %.3f %.3f\n", r.messages, r.connections,
	    r.messages > 0 ? r.last - r.first : 0.0, r.begun);
	return 0;
}
