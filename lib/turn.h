/* SPDX-License-Identifier: ISC */
#ifndef MX_TURN_H
#define MX_TURN_H

#include <sys/socket.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Whose turn it is.  All domains of a run are probed side by side, each by a
 * worker of its own, but only so many deliver at once, and only so many of
 * them to one server.  A turn that others wait for ends after TURN_SLICE, so
 * that a long queue never stands before a short one.  Strangers, to whom only
 * reports go, never have more than half of the turns, however slow they are.
 */

#define TURN_SLICE	2000	/* milliseconds */

/*** The worker's side; a NULL or one without a descriptor never waits ***/

struct turn {
	int fd;			/* from turns_join(), or -1 */
	bool stranger;		/* set by the worker before its first turn */
	bool ours;
	int64_t until;		/* when to ask whether others wait */
	size_t have;		/* connections beyond the first */
};

/*
 * Waits for a turn to deliver to SERVER.  One for another server is given
 * back first.
 */
void turn_take(struct turn *t, const struct sockaddr *server);

/*
 * Asked between two messages: true if the turn was given back because others
 * wait.  Then the connection is to be ended, and another turn taken.
 */
bool turn_over(struct turn *t);

/*
 * Asked before another connection to the same server: false if it has as many
 * as it is to have, or others wait.  turn_have() says how many there are.
 */
bool turn_more(struct turn *t);
void turn_have(struct turn *t, size_t n);

/* Gives it back, if there is one. */
void turn_end(struct turn *t);

/*** The side of those who give turns ***/

struct turns;

/*
 * For SEATS workers; ALL turns at once, PER_SERVER of them for one server.
 * NULL with errno.
 */
struct turns *turns_new(size_t seats, size_t all, size_t per_server);
/* Closes all seats; a worker calls it first, so that each hears the other. */
void turns_free(struct turns *ts);

/*
 * A free seat in *SEAT, and the descriptor for the worker's struct turn,
 * close-on-exec, to be closed by us once there is a worker.  -1 with errno:
 * EAGAIN when all seats are taken.
 */
int turns_join(struct turns *ts, size_t *seat);

/* Frees a seat that no worker was found for. */
void turns_leave(struct turns *ts, size_t seat);

/*
 * Gives turns until DEADLINE, a signal (MASK as for ppoll(2), may be NULL) or
 * the end of a worker: 1 and *SEAT, which is free again.  0 otherwise, -1
 * with errno.
 */
int turns_wait(struct turns *ts, int64_t deadline, const sigset_t *mask,
    size_t *seat);

#endif
