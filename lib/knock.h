/* SPDX-License-Identifier: ISC */
#ifndef MX_KNOCK_H
#define MX_KNOCK_H

#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "hosts.h"
#include "route.h"

/*
 * Connecting to any of the addresses of a route, in their order, but without
 * waiting for each in turn: after a while the next is begun beside those that
 * have not answered (much as in RFC 8305), so that all that are silent cost
 * little more than one "timeout connect".  A server that answers waits for
 * those before it, unless they are as good: other addresses of the same host,
 * or hosts of the same preference.
 */

struct knock {
	/* Set by the caller, who clears the rest. */
	const struct conf *conf;
	struct hosts *hosts;
	const struct route *route;
	/* Told of each address that is of no use, and why (plain text). */
	void (*failed)(void *arg, size_t addr, const char *why);
	void *arg;

	/* private */
	struct knock_try {
		enum {
			KNOCK_NEXT, KNOCK_CONNECTING, KNOCK_ELSEWHERE,
			KNOCK_READY, KNOCK_DONE
		} state;
		int fd;
		int64_t until;
	} try[ROUTE_ADDRS_MAX];
	int64_t next;		/* when another may be begun */
};

/* Leaves an address out. */
void knock_leave(struct knock *k, size_t addr);

/*
 * The next one that answers, as an index into the route's addresses, or -1
 * when there is none left.  *FD is connected, and hosts_tell() must follow;
 * or it is -1: the server has answered another worker in this run.
 */
int knock_next(struct knock *k, int *fd);

#endif
