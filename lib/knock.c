/* SPDX-License-Identifier: ISC */
#include "knock.h"

#include <sys/socket.h>
#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "dial.h"

#define APART_MAX	1000	/* milliseconds between two beginnings */
#define APART_SHARE	30	/* and that part of the time-out */
#define LOOK_EVERY	100	/* for what others have found out */

static const struct sockaddr *
addr_of(const struct knock *k, size_t i)
{
	return (const struct sockaddr *)&k->route->addr[i].addr;
}

static bool
are_equal(const struct knock *k, size_t a, size_t b)
{
	size_t x = k->route->addr[a].host, y = k->route->addr[b].host;
	int preference = k->route->host[x].preference;

	return x == y || (preference >= 0 &&
	    preference == k->route->host[y].preference);
}

static void
give_up(struct knock *k, size_t i, const char *why)
{
	struct knock_try *t = &k->try[i];

	if (t->state == KNOCK_CONNECTING && t->fd != -1)
		close(t->fd);
	t->state = KNOCK_DONE;
	k->next = 0;
	k->failed(k->arg, i, why);
}

static void
cannot_connect(struct knock *k, size_t i, int error)
{
	char why[128];

	(void)snprintf(why, sizeof(why), "cannot connect: %s",
	    strerror(error));
	hosts_tell(k->hosts, addr_of(k, i), false, why);
	give_up(k, i, why);
}

/* What is known of it decides; WAIT as for hosts_ask(). */
static void
begin(struct knock *k, size_t i, bool wait)
{
	struct knock_try *t = &k->try[i];
	int64_t apart = k->conf->timeout.connect / APART_SHARE;
	char why[HOSTS_WHY_MAX];

	switch (hosts_ask(k->hosts, addr_of(k, i), wait)) {
	case HOSTS_TRY:
		t->fd = dial_begin(k->conf, addr_of(k, i),
		    k->route->addr[i].len);
		if (t->fd == -1) {
			cannot_connect(k, i, errno);
			return;
		}
		t->state = KNOCK_CONNECTING;
		break;
	case HOSTS_BUSY:
		if (t->state == KNOCK_ELSEWHERE)
			return;
		t->state = KNOCK_ELSEWHERE;
		break;
	case HOSTS_ALIVE:
		t->state = KNOCK_READY;
		t->fd = -1;
		return;
	case HOSTS_DEAD:
		(void)strlcpy(why, hosts_why(k->hosts, addr_of(k, i)),
		    sizeof(why));
		give_up(k, i, why);
		return;
	}
	t->until = deadline_in(k->conf->timeout.connect);
	k->next = deadline_in(apart < APART_MAX ? apart : APART_MAX);
}

/* What has become of I meanwhile? */
static void
look_at(struct knock *k, size_t i)
{
	struct knock_try *t = &k->try[i];

	if (t->state == KNOCK_ELSEWHERE)
		begin(k, i, false);
	else if (t->state == KNOCK_CONNECTING) {
		if (dial_end(t->fd) == 0)
			t->state = KNOCK_READY;
		else if (errno != EINPROGRESS)
			cannot_connect(k, i, errno);
		else if (deadline_left(t->until) == 0)
			cannot_connect(k, i, ETIMEDOUT);
	}
}

/* Has another one to wait for I? */
static bool
is_awaited(const struct knock *k, size_t i)
{
	const struct knock_try *t = &k->try[i];

	switch (t->state) {
	case KNOCK_NEXT:
	case KNOCK_CONNECTING:
		return true;
	case KNOCK_ELSEWHERE:
		/* Another's patience may be longer than ours. */
		return deadline_left(t->until) != 0;
	case KNOCK_READY:
	case KNOCK_DONE:
		break;
	}
	return false;
}

/* The one to be taken, or -1 if it is too early to tell. */
static int
choose(const struct knock *k)
{
	size_t i, first = k->route->naddr;

	for (i = 0; i < k->route->naddr; i++) {
		if (first == k->route->naddr && is_awaited(k, i))
			first = i;
		else if (k->try[i].state == KNOCK_READY &&
		    (first == k->route->naddr || are_equal(k, first, i)))
			return (int)i;
	}
	return -1;
}

/* The others may be needed later: as if they had not been begun. */
static void
take(struct knock *k, size_t chosen, int *fd)
{
	struct knock_try *t;
	size_t i;

	*fd = k->try[chosen].fd;
	k->try[chosen].state = KNOCK_DONE;
	for (i = 0; i < k->route->naddr; i++) {
		t = &k->try[i];
		if (t->state == KNOCK_DONE)
			continue;
		if (t->state == KNOCK_CONNECTING || (t->state == KNOCK_READY &&
		    t->fd != -1)) {
			close(t->fd);
			hosts_drop(k->hosts, addr_of(k, i));
		}
		t->state = KNOCK_NEXT;
	}
	k->next = 0;
}

/* Another way to one that is as good as the first, without any waiting. */
static void
prefer_known(struct knock *k)
{
	size_t first, i;

	for (first = 0; first < k->route->naddr; first++)
		if (k->try[first].state != KNOCK_DONE)
			break;
	for (i = first; i < k->route->naddr; i++)
		if (are_equal(k, first, i) && k->try[i].state == KNOCK_NEXT &&
		    hosts_is_alive(k->hosts, addr_of(k, i))) {
			k->try[i].state = KNOCK_READY;
			k->try[i].fd = -1;
		}
}

/* Sleeps until something may have changed. */
static void
rest(const struct knock *k, bool more)
{
	struct pollfd pfd[ROUTE_ADDRS_MAX];
	int64_t deadline = more ? k->next : DEADLINE_NEVER;
	const struct knock_try *t;
	nfds_t n = 0;
	size_t i;

	for (i = 0; i < k->route->naddr; i++) {
		t = &k->try[i];
		if (t->state == KNOCK_CONNECTING) {
			pfd[n].fd = t->fd;
			pfd[n++].events = POLLOUT;
			deadline = deadline_min(deadline, t->until);
		} else if (t->state == KNOCK_ELSEWHERE)
			deadline = deadline_min(deadline,
			    deadline_in(LOOK_EVERY));
	}
	(void)poll(pfd, n, deadline_left(deadline));
}

void
knock_leave(struct knock *k, size_t addr)
{
	k->try[addr].state = KNOCK_DONE;
}

int
knock_next(struct knock *k, int *fd)
{
	size_t count[KNOCK_DONE + 1], first[KNOCK_DONE + 1], i;
	int chosen;

	prefer_known(k);
	for (;;) {
		for (i = 0; i < k->route->naddr; i++)
			look_at(k, i);
		if ((chosen = choose(k)) != -1) {
			take(k, (size_t)chosen, fd);
			return chosen;
		}
		memset(count, 0, sizeof(count));
		for (i = 0; i < k->route->naddr; i++)
			if (count[k->try[i].state]++ == 0)
				first[k->try[i].state] = i;
		if (count[KNOCK_DONE] == k->route->naddr)
			return -1;
		if (count[KNOCK_NEXT] > 0 && deadline_left(k->next) == 0)
			begin(k, first[KNOCK_NEXT], false);
		else if (count[KNOCK_ELSEWHERE] + count[KNOCK_DONE] ==
		    k->route->naddr)
			/* We hold nothing that others could wait for. */
			begin(k, first[KNOCK_ELSEWHERE], true);
		else
			rest(k, count[KNOCK_NEXT] > 0);
	}
}
