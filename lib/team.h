/* SPDX-License-Identifier: ISC */
#ifndef MX_TEAM_H
#define MX_TEAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Processes that share a list of jobs.  It begins with one, the leader, which
 * forks members while that helps; each takes the next job that nobody has
 * taken.  A member that dies has lost its own jobs and nothing else.
 */

struct team;

/*
 * For TOTAL jobs and at most MOST processes, with SIZE octets of zeroed memory
 * that they share.  NULL with errno.
 */
struct team *team_new(size_t total, int64_t most, size_t size);
/* The leader: waits for all members. */
void team_free(struct team *t);
void *team_memory(struct team *t);

/* The next job in *I, from 0; false: there is none, or all are to stop. */
bool team_next(struct team *t, size_t *i);
size_t team_taken(const struct team *t);
void team_stop(struct team *t);

/* A mark at a job, which the others see; 0 in the beginning. */
void team_mark(struct team *t, size_t i, unsigned char mark);
unsigned char team_marked(const struct team *t, size_t i);

/*
 * The leader, between two jobs: is it time for another member?  They come one
 * after the other, for as long as it is not the processor that is busy.
 */
bool team_is_short(struct team *t);
/* Forks one: true in the new member, which ends with its leader. */
bool team_grow(struct team *t);

/* There is trouble: one fewer, and no new ones for a while. */
void team_shrink(struct team *t);
/* False when this member is one too many: it ends what it has begun. */
bool team_is_wanted(const struct team *t);
bool team_is_member(const struct team *t);

/* The leader: how many others there are; and waits until they have gone. */
size_t team_others(struct team *t);
void team_dismiss(struct team *t);
/* The leader: has one of those who have gone died with a job in hand? */
bool team_has_lost(const struct team *t);

/*
 * Waits until all the others have come here, or are no more: nobody has a job
 * any longer.  False in a member that is dismissed before.
 */
bool team_meet(struct team *t);

/* One process at a time; a lock dies with its holder. */
void team_lock(struct team *t);
void team_unlock(struct team *t);

#endif
