/* SPDX-License-Identifier: ISC */
#include "turn.h"

#include <netinet/in.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"

struct server {
	int family;
	in_port_t port;
	unsigned char addr[16];
};

/* What a worker says; the answer is one octet of enum answer. */
struct request {
	enum { TAKE, OVER, MORE, HAVE, END } what;
	bool stranger;		/* TAKE */
	size_t n;		/* HAVE: connections beyond the first */
	struct server server;
};

enum answer { GO = 'g', STOP = 's' };

struct seat {
	enum { IDLE, WAITING, HOLDING } state;
	uint64_t number;	/* in the queue of those who wait */
	size_t more;		/* connections beyond the first */
	bool stranger;
	struct server server;
};

struct turns {
	size_t all, per_server;
	size_t n;
	size_t first;		/* to be looked at next, after a poll(2) */
	size_t used;		/* seats behind it were never taken */
	uint64_t number;
	struct seat *seat;
	struct pollfd *pfd;	/* in step; fd -1: a free seat */
};

/*** The worker's side ***/

static void
server_set(struct server *s, const struct sockaddr *sa)
{
	struct sockaddr_in6 in6;
	struct sockaddr_in in;

	memset(s, 0, sizeof(*s));
	s->family = sa->sa_family;
	if (sa->sa_family == AF_INET6) {
		memcpy(&in6, sa, sizeof(in6));
		s->port = in6.sin6_port;
		memcpy(s->addr, &in6.sin6_addr, sizeof(in6.sin6_addr));
	} else if (sa->sa_family == AF_INET) {
		memcpy(&in, sa, sizeof(in));
		s->port = in.sin_port;
		memcpy(s->addr, &in.sin_addr, sizeof(in.sin_addr));
	}
}

static bool
say(struct turn *t, const struct request *r)
{
	/* If nobody is there any more, nobody waits. */
	if (send(t->fd, r, sizeof(*r), MSG_NOSIGNAL) == sizeof(*r))
		return true;
	t->fd = -1;
	return false;
}

static enum answer
ask(struct turn *t, const struct request *r)
{
	unsigned char answer;
	ssize_t n;

	if (!say(t, r))
		return GO;
	while ((n = recv(t->fd, &answer, 1, 0)) == -1 && errno == EINTR)
		continue;
	if (n != 1)
		t->fd = -1;
	return n == 1 && answer == STOP ? STOP : GO;
}

void
turn_take(struct turn *t, const struct sockaddr *server)
{
	struct request r;

	if (t == NULL || t->fd == -1)
		return;
	memset(&r, 0, sizeof(r));
	r.what = TAKE;
	r.stranger = t->stranger;
	server_set(&r.server, server);
	(void)ask(t, &r);
	t->ours = true;
	t->have = 0;
	t->until = deadline_in(TURN_SLICE);
}

bool
turn_over(struct turn *t)
{
	struct request r;

	if (t == NULL || t->fd == -1 || !t->ours ||
	    deadline_left(t->until) != 0)
		return false;
	memset(&r, 0, sizeof(r));
	r.what = OVER;
	if (ask(t, &r) == STOP)
		t->ours = false;
	t->until = deadline_in(TURN_SLICE);
	return !t->ours;
}

bool
turn_more(struct turn *t)
{
	struct request r;

	if (t == NULL || t->fd == -1 || !t->ours)
		return true;
	memset(&r, 0, sizeof(r));
	r.what = MORE;
	if (ask(t, &r) == STOP)
		return false;
	t->have++;
	return true;
}

void
turn_have(struct turn *t, size_t n)
{
	struct request r;

	if (t == NULL || t->fd == -1 || !t->ours || t->have == n)
		return;
	memset(&r, 0, sizeof(r));
	r.what = HAVE;
	r.n = t->have = n;
	(void)say(t, &r);
}

void
turn_end(struct turn *t)
{
	struct request r;

	if (t == NULL || t->fd == -1 || !t->ours)
		return;
	memset(&r, 0, sizeof(r));
	r.what = END;
	t->ours = false;
	(void)say(t, &r);
}

/*** Those who give them ***/

struct turns *
turns_new(size_t seats, size_t all, size_t per_server)
{
	struct turns *ts;
	size_t i;

	if ((ts = calloc(1, sizeof(*ts))) == NULL)
		return NULL;
	ts->all = all;
	ts->per_server = per_server;
	ts->n = seats;
	ts->seat = calloc(seats, sizeof(*ts->seat));
	ts->pfd = calloc(seats, sizeof(*ts->pfd));
	if (ts->seat == NULL || ts->pfd == NULL) {
		ts->n = 0;
		turns_free(ts);
		return NULL;
	}
	for (i = 0; i < seats; i++) {
		ts->pfd[i].fd = -1;
		ts->pfd[i].events = POLLIN;
	}
	return ts;
}

void
turns_free(struct turns *ts)
{
	size_t i;

	if (ts == NULL)
		return;
	for (i = 0; i < ts->n; i++)
		if (ts->pfd[i].fd != -1)
			close(ts->pfd[i].fd);
	free(ts->seat);
	free(ts->pfd);
	free(ts);
}

int
turns_join(struct turns *ts, size_t *seat)
{
	int fd[2];
	size_t i;

	for (i = 0; i < ts->n && ts->pfd[i].fd != -1; i++)
		continue;
	if (i == ts->n) {
		errno = EAGAIN;
		return -1;
	}
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) == -1)
		return -1;
	memset(&ts->seat[i], 0, sizeof(ts->seat[i]));
	ts->pfd[i].fd = fd[0];
	ts->pfd[i].revents = 0;
	if (i >= ts->used)
		ts->used = i + 1;
	*seat = i;
	return fd[1];
}

void
turns_leave(struct turns *ts, size_t seat)
{
	close(ts->pfd[seat].fd);
	ts->pfd[seat].fd = -1;
	ts->pfd[seat].revents = 0;
	ts->seat[seat].state = IDLE;
	while (ts->used > 0 && ts->pfd[ts->used - 1].fd == -1)
		ts->used--;
}

/* May SEAT, who waits, go if BUT were not there? */
static bool
has_room(const struct turns *ts, const struct seat *seat, size_t but)
{
	const size_t most = ts->all > 1 ? ts->all / 2 : 1;
	size_t all = 0, same = 0, strangers = 0, i;

	for (i = 0; i < ts->used; i++) {
		if (i == but || ts->seat[i].state != HOLDING)
			continue;
		all++;
		strangers += ts->seat[i].stranger;
		if (memcmp(&ts->seat[i].server, &seat->server,
		    sizeof(seat->server)) == 0)
			same += 1 + ts->seat[i].more;
	}
	return all < ts->all && same < ts->per_server &&
	    (!seat->stranger || strangers < most);
}

/* The one who has waited longest of those who may go, or ts->n. */
static size_t
next_to_go(const struct turns *ts, size_t but)
{
	size_t i, next = ts->n;

	for (i = 0; i < ts->used; i++)
		if (ts->seat[i].state == WAITING && (next == ts->n ||
		    ts->seat[i].number < ts->seat[next].number) &&
		    has_room(ts, &ts->seat[i], but))
			next = i;
	return next;
}

static void
reply(struct turns *ts, size_t seat, enum answer what)
{
	unsigned char octet = (unsigned char)what;

	/*
	 * It cannot be full, and whoever is gone has no use for it; but nobody
	 * is to wait for an answer that was lost.
	 */
	if (send(ts->pfd[seat].fd, &octet, 1, MSG_NOSIGNAL | MSG_DONTWAIT) != 1)
		(void)shutdown(ts->pfd[seat].fd, SHUT_RDWR);
}

static void
answer(struct turns *ts, size_t seat, enum answer what)
{
	reply(ts, seat, what);
	ts->seat[seat].state = what == GO ? HOLDING : IDLE;
	if (what == STOP)
		ts->seat[seat].more = 0;
}

/*
 * May SEAT have another connection?  A server that only one delivers to has
 * no need of being shared out.
 */
static bool
may_have_more(const struct turns *ts, size_t seat)
{
	const struct server *server = &ts->seat[seat].server;
	size_t i, same = 0, others = 0;

	for (i = 0; i < ts->used; i++) {
		const struct seat *s = &ts->seat[i];

		if (s->state == IDLE ||
		    memcmp(&s->server, server, sizeof(*server)) != 0)
			continue;
		if (s->state == WAITING)
			return false;
		same += 1 + s->more;
		others += i != seat;
	}
	return others == 0 || same < ts->per_server;
}

static void
give(struct turns *ts)
{
	size_t i;

	while ((i = next_to_go(ts, ts->n)) != ts->n)
		answer(ts, i, GO);
}

static void
hear(struct turns *ts, size_t seat, const struct request *r)
{
	struct seat *s = &ts->seat[seat];

	switch (r->what) {
	case TAKE:
		s->state = WAITING;
		s->more = 0;
		s->number = ts->number++;
		s->server = r->server;
		s->stranger = r->stranger;
		break;
	case OVER:
		answer(ts, seat, next_to_go(ts, seat) == ts->n ? GO : STOP);
		break;
	case MORE:
		if (may_have_more(ts, seat)) {
			s->more++;
			reply(ts, seat, GO);
		} else
			reply(ts, seat, STOP);
		break;
	case HAVE:
		s->more = r->n;
		break;
	case END:
		s->state = IDLE;
		s->more = 0;
		break;
	}
	give(ts);
}

/* Hears all who had something to say.  1 and *SEAT when one of them is gone. */
static int
hear_all(struct turns *ts, size_t *seat)
{
	struct request r;
	ssize_t n;
	size_t i;

	for (; ts->first < ts->used; ts->first++) {
		i = ts->first;
		if (ts->pfd[i].fd == -1 || ts->pfd[i].revents == 0)
			continue;
		ts->pfd[i].revents = 0;
		n = recv(ts->pfd[i].fd, &r, sizeof(r), MSG_DONTWAIT);
		if (n == sizeof(r))
			hear(ts, i, &r);
		else if (n != -1 || (errno != EAGAIN && errno != EINTR)) {
			turns_leave(ts, i);
			give(ts);
			*seat = i;
			return 1;
		}
	}
	return 0;
}

int
turns_wait(struct turns *ts, int64_t deadline, const sigset_t *mask,
    size_t *seat)
{
	struct timespec left, *timeout;
	int ms, n;

	for (;;) {
		if (hear_all(ts, seat) == 1)
			return 1;
		ms = deadline_left(deadline);
		left.tv_sec = ms / 1000;
		left.tv_nsec = ms % 1000 * 1000000L;
		timeout = ms == -1 ? NULL : &left;
		n = ppoll(ts->pfd, ts->used, timeout, mask);
		if (n == 0 || (n == -1 && errno == EINTR))
			return 0;
		if (n == -1)
			return -1;
		ts->first = 0;
	}
}
