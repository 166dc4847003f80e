/* SPDX-License-Identifier: ISC */
/*
 * delay: a line of some length, on the loopback interface: what goes through
 * it comes out so many milliseconds later on the other side, as fast as it
 * went in.  With -r its round trip, half of it each way; a connection is made
 * after a round trip, too.  Ends on SIGTERM.
 *
 * usage: delay [-r milliseconds] port target-port
 */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CHUNK	16384
#define MOST	4096		/* chunks on the way: a line is not endless */

struct chunk {
	struct chunk *next;
	int64_t due;		/* microseconds */
	size_t len, done;	/* len 0: the end */
	char data[CHUNK];
};

struct way {			/* from one socket to another */
	int from, to;
	struct chunk *first, **last;
	int n;
	bool ended, reading, writing;
};

struct line {
	struct line *next;
	struct way way[2];
	int64_t born;
	bool gone;
};

static int ep;
static int64_t half;		/* microseconds */
static struct line *lines;
static struct chunk *spare;

static int64_t
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static struct chunk *
chunk_get(void)
{
	struct chunk *c = spare;

	if (c != NULL)
		spare = c->next;
	else if ((c = malloc(sizeof(*c))) == NULL)
		err(1, "malloc");
	c->next = NULL;
	c->done = 0;
	return c;
}

static void
chunk_put(struct chunk *c)
{
	c->next = spare;
	spare = c;
}

/* Takes what there is. */
static void
take(struct way *w)
{
	struct chunk *c;
	ssize_t n;

	while (!w->ended && w->n < MOST) {
		c = chunk_get();
		n = recv(w->from, c->data, sizeof(c->data), MSG_DONTWAIT);
		if (n == -1 && (errno == EAGAIN || errno == EINTR)) {
			chunk_put(c);
			return;
		}
		w->ended = n <= 0;
		c->len = n > 0 ? (size_t)n : 0;
		c->due = now() + half;
		*w->last = c;
		w->last = &c->next;
		w->n++;
		if (c->len < sizeof(c->data))
			return;
	}
}

/* Gives what is due; when the next will be, or 0. */
static int64_t
give(struct line *l, struct way *w, int64_t t)
{
	struct chunk *c;
	ssize_t n;

	while ((c = w->first) != NULL && c->due <= t) {
		n = c->len == 0 ? 0 : send(w->to, c->data + c->done,
		    c->len - c->done, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n == -1 && errno == EAGAIN)
			return t + 1000;
		if (n == -1)
			l->gone = true;
		if (n > 0 && (c->done += (size_t)n) < c->len)
			continue;
		if (c->len == 0)
			shutdown(w->to, SHUT_WR);
		if ((w->first = c->next) == NULL)
			w->last = &w->first;
		w->n--;
		chunk_put(c);
		if (n == -1)
			return 0;
	}
	if (w->n < MOST)
		take(w);
	return w->first == NULL ? 0 : w->first->due;
}

static void
way_clear(struct way *w)
{
	struct chunk *c;

	while ((c = w->first) != NULL) {
		w->first = c->next;
		chunk_put(c);
	}
	close(w->from);
}

/* Moves all that is due; microseconds until something is, at most 100 ms. */
static int64_t
move(void)
{
	struct line *l, **p = &lines;
	int64_t t = now(), next = t + 100000, due;
	int i;

	while ((l = *p) != NULL) {
		for (i = 0; i < 2; i++) {
			due = give(l, &l->way[i], t);
			if (due != 0 && due < next)
				next = due;
		}
		if (l->gone || (l->way[0].ended && l->way[1].ended &&
		    l->way[0].n == 0 && l->way[1].n == 0)) {
			*p = l->next;
			way_clear(&l->way[0]);
			way_clear(&l->way[1]);
			free(l);
		} else
			p = &l->next;
	}
	return next - t > 0 ? next - t : 0;
}

static int
dial(int port)
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons((uint16_t)port);
	if (fd == -1 || connect(fd, (struct sockaddr *)&sin, sizeof(sin)) ==
	    -1) {
		close(fd);
		return -1;
	}
	return fd;
}

static void
watch(struct line *l, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	int one = 1;

	ev.data.ptr = l;
	setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev) == -1)
		err(1, "epoll_ctl");
}

static void
welcome(int listener, int target)
{
	struct line *l;
	struct way *w;
	int fd, i;

	if ((fd = accept(listener, NULL, NULL)) == -1)
		return;
	if ((l = calloc(1, sizeof(*l))) == NULL)
		err(1, "calloc");
	w = l->way;
	w[0].from = w[1].to = fd;
	if ((w[0].to = w[1].from = dial(target)) == -1) {
		close(fd);
		free(l);
		return;
	}
	for (i = 0; i < 2; i++) {
		w[i].last = &w[i].first;
		watch(l, w[i].from);
	}
	l->next = lines;
	lines = l;
}

static int
number(const char *arg, int max)
{
	char *end;
	long n = strtol(arg, &end, 10);

	if (*arg == '\0' || *end != '\0' || n < 0 || n > max)
		errx(64, "bad number %s", arg);
	return (int)n;
}

int
main(int argc, char *argv[])
{
	struct sockaddr_in sin = { .sin_family = AF_INET };
	struct epoll_event ev[64], in = { .events = EPOLLIN };
	int c, i, n, on = 1, listener, target;
	struct line *l;
	int64_t left;

	while ((c = getopt(argc, argv, "r:")) != -1)
		if (c == 'r')
			half = number(optarg, 10000) * 500;
		else
			return 64;
	if (argc - optind != 2)
		errx(64, "usage: delay [-r milliseconds] port target-port");
	target = number(argv[optind + 1], 65535);
	sin.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	sin.sin_port = htons((uint16_t)number(argv[optind], 65535));
	listener = socket(AF_INET, SOCK_STREAM, 0);
	setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
	if (bind(listener, (struct sockaddr *)&sin, sizeof(sin)) == -1 ||
	    listen(listener, 1024) == -1 || (ep = epoll_create1(0)) == -1 ||
	    epoll_ctl(ep, EPOLL_CTL_ADD, listener, &in) == -1)
		err(1, "port %s", argv[optind]);
	for (;;) {
		left = move();
		n = epoll_wait(ep, ev, 64, (int)((left + 999) / 1000));
		for (i = 0; i < n; i++) {
			if ((l = ev[i].data.ptr) == NULL)
				welcome(listener, target);
			else {
				take(&l->way[0]);
				take(&l->way[1]);
			}
		}
	}
}
