/* SPDX-License-Identifier: ISC */
#ifndef MX_CROWD_H
#define MX_CROWD_H

#include <sys/types.h>
#include <stdint.h>

#include "net.h"

/*
 * Who is being served: a table in memory that processes share which accept
 * for the same sockets, one after the other, so that the limits hold for all
 * of them together.  The sessions themselves cannot reach it.
 */

#define CROWD_MAX 100000	/* sessions at once */

struct crowd;

/* NULL with errno.  For the processes forked from then on as well. */
struct crowd *crowd_new(void);
void crowd_free(struct crowd *c);

/* The children forked from now on do not get it. */
void crowd_withhold(struct crowd *c);

/*
 * Is there room for one more: fewer than MOST sessions, and than SAME of
 * CLIENT?  SAME 0 stands for no limit.
 */
bool crowd_has_room(const struct crowd *c, const struct net *client,
    int64_t most, int64_t same);

void crowd_add(struct crowd *c, const struct net *client, pid_t pid);
void crowd_remove(struct crowd *c, pid_t pid);

/*
 * Removes the processes that are no more: those whose parent ended before
 * it could.
 */
void crowd_sweep(struct crowd *c);

#endif
