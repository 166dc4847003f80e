/* SPDX-License-Identifier: ISC */
#ifndef MX_LISTENER_H
#define MX_LISTENER_H

#include <stdbool.h>

#include "conf.h"

/*
 * One process for each connection of a listening socket, as inetd "wait" and
 * socket activation hand it over on fd 0.  Forking a small process that has
 * read its configuration costs a fraction of an exec.
 */

/* True if FD is a socket that listens. */
bool listener_is(int fd);

/*
 * Accepts on FD for ever.  In each child the connection is fd 0 and 1, the
 * listening socket is closed, and SERVE is called; its answer is the child's
 * exit status.  Past the conf's max-sessions, or max-sessions-per-client
 * from one IPv4 address or IPv6 /64, a client gets 421 and is sent away.
 * Want of descriptors, processes or memory passes: the loop waits a moment
 * and goes on.  Returns only when the socket itself is broken, with errno.
 */
void listener_run(const struct conf *conf, int fd, int (*serve)(void *arg),
    void *arg);

#endif
