/* SPDX-License-Identifier: ISC */
#include "dns.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "ask.h"
#include "deadline.h"
#include "packet.h"
#include "resolv.h"

#define SOCKETS_MAX	480
/*
 * Of these, so many asked once: more do not fit into the buffer of a server's
 * socket (256 with Linux as it comes).  Those that are asked again make room,
 * lest names whose servers are dead keep others from being asked at all.
 */
#define FRESH_MAX	128
#define FRESH_MIN	8

struct dns *
dns_open(const struct sockaddr_storage *resolver, int n,
    const char *resolv_conf)
{
	struct dns *d;
	int i;

	if (n < 0 || n > RESOLV_SERVERS_MAX) {
		errno = EINVAL;
		return NULL;
	}
	if ((d = calloc(1, sizeof(*d))) == NULL)
		return NULL;
	d->fresh = FRESH_MAX;
	resolv_init(&d->resolv);
	for (i = 0; i < n; i++)
		d->resolv.server[i] = resolver[i];
	d->resolv.nserver = n;
	if (n == 0 && !resolv_read(&d->resolv,
	    resolv_conf != NULL ? resolv_conf : "/etc/resolv.conf")) {
		free(d);
		return NULL;
	}
	if (resolv_is_local(&d->resolv))
		d->resolv.trust_ad = true;
	return d;
}

void
dns_close(struct dns *d)
{
	free(d);
}

void
dns_trust_ad(struct dns *d)
{
	d->resolv.trust_ad = true;
}

bool
dns_trusts_ad(const struct dns *d)
{
	return d->resolv.trust_ad;
}

void
dns_divide(struct dns *d, size_t n)
{
	d->fresh = FRESH_MAX / (n > 0 ? n : 1);
	if (d->fresh < FRESH_MIN)
		d->fresh = FRESH_MIN;
}

/*
 * Waits for the first of the sockets, or for the first clock.  Only open
 * sockets are given to poll(2): it refuses more than there may be files.
 */
static void
asks_poll(struct dns *d, struct ask *ask, size_t n, int64_t deadline)
{
	struct pollfd pfd[SOCKETS_MAX];
	struct ask *of[SOCKETS_MAX];
	size_t i, open = 0;

	for (i = 0; i < n; i++) {
		if (ask[i].q == NULL)
			continue;
		deadline = deadline_min(deadline, ask[i].retry);
		if (ask[i].until != 0)
			deadline = deadline_min(deadline, ask[i].until);
		if (ask[i].fd == -1)
			continue;
		pfd[open].fd = ask[i].fd;
		pfd[open].events = ask[i].sent < ask[i].outlen ? POLLOUT :
		    POLLIN;
		pfd[open].revents = 0;
		of[open++] = &ask[i];
	}
	if (poll(pfd, open, deadline_left(deadline)) == -1)
		return;
	for (i = 0; i < open; i++)
		if (pfd[i].revents != 0)
			ask_ready(d, of[i]);
	for (i = 0; i < n; i++) {
		if (ask[i].q != NULL && ask[i].until != 0 &&
		    deadline_left(ask[i].until) == 0)
			ask_stop(d, &ask[i]);
		if (ask[i].q != NULL && deadline_left(ask[i].retry) == 0)
			ask_timeout(d, &ask[i]);
	}
}

/* Fills free slots.  Returns how many are busy. */
static size_t
asks_fill(struct dns *d, struct ask *ask, size_t width, struct dns_query **q,
    size_t n, size_t *next)
{
	size_t i, busy = 0, fresh = 0;

	for (i = 0; i < width; i++)
		fresh += ask_is_fresh(&ask[i]);
	for (i = 0; i < width; i++) {
		while (ask[i].q == NULL && *next < n && fresh < d->fresh) {
			if (q[*next]->outcome == DNS_TEMPFAIL &&
			    q[*next]->answer != NULL)
				ask_begin(d, &ask[i], q[*next]);
			fresh += ask_is_fresh(&ask[i]);
			(*next)++;
		}
		if (ask[i].q != NULL)
			busy++;
	}
	return busy;
}

void
dns_lookup_each(struct dns *d, struct dns_query **q, size_t n,
    int64_t deadline)
{
	size_t i, width = n < SOCKETS_MAX ? n : SOCKETS_MAX, next = 0;
	const char *why = "out of memory";
	struct ask *ask;

	for (i = 0; i < n; i++) {
		dns_query_forget(q[i]);
		strlcpy(q[i]->canonical, q[i]->name, sizeof(q[i]->canonical));
		packet_lower(q[i]->canonical);
		q[i]->answer = strdup("");
		q[i]->outcome = packet_is_name(q[i]->name) || (q[i]->raw &&
		    strcmp(q[i]->name, ".") == 0) ? DNS_TEMPFAIL :
		    DNS_NXDOMAIN;
	}
	if ((ask = calloc(width + 1, sizeof(*ask))) != NULL) {
		while (deadline_left(deadline) != 0 &&
		    asks_fill(d, ask, width, q, n, &next) > 0)
			asks_poll(d, ask, width, deadline);
		/* What came while this machine did something else. */
		asks_poll(d, ask, width, 0);
		for (i = 0; i < width; i++)
			if (ask[i].q != NULL)
				ask_stop(d, &ask[i]);
		why = "no answer in time";
		free(ask);
	}
	for (i = 0; i < n; i++)
		if (q[i]->outcome == DNS_TEMPFAIL && q[i]->why[0] == '\0')
			strlcpy(q[i]->why, why, sizeof(q[i]->why));
}

void
dns_lookup(struct dns *d, struct dns_query *q, size_t n, int64_t deadline)
{
	struct dns_query **each = reallocarray(NULL, n + 1, sizeof(*each));
	size_t i;

	if (each == NULL) {
		for (i = 0; i < n; i++) {
			dns_query_forget(&q[i]);
			q[i].outcome = DNS_TEMPFAIL;
			strlcpy(q[i].why, "out of memory", sizeof(q[i].why));
		}
		return;
	}
	for (i = 0; i < n; i++)
		each[i] = &q[i];
	dns_lookup_each(d, each, n, deadline);
	free(each);
}
