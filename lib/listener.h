/* SPDX-License-Identifier: ISC */
#ifndef MX_LISTENER_H
#define MX_LISTENER_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"
#include "crowd.h"
#include "peer.h"

/*
 * One process for each connection of listening sockets, as inetd "wait" and
 * socket activation hand them over.  Forking a small process that has read
 * its configuration costs a fraction of an exec.
 */

struct listener_args {
	const struct conf *conf;
	const int *fd;		/* the sockets, N of them */
	size_t n;
	struct crowd *crowd;
	int control;		/* end of file here ends it */
	int (*serve)(void *arg, int fd, struct peer *peer);
	void *arg;
};

#define LISTENER_MAX 16		/* sockets */

/* True if FD is a socket that listens. */
bool listener_is(int fd);

/*
 * Accepts until the control descriptor is at its end, and returns 0; no
 * connection that was accepted is left unserved then, and the sessions go
 * on.  In each child the listening sockets are closed and SERVE is called;
 * its answer is the child's exit status.  Past the conf's max-sessions, or
 * max-sessions-per-client from one IPv4 address or IPv6 /64 that is no
 * trusted-proxy, a client gets 421 and is sent away.  Want of descriptors,
 * processes or memory passes: the loop waits a moment and goes on.  -1 with
 * errno when a socket itself is broken.
 */
int listener_run(const struct listener_args *args);

#endif
