/* SPDX-License-Identifier: ISC */
#ifndef MX_USAGE_H
#define MX_USAGE_H

#include <stdint.h>
#include <time.h>

#include "conf.h"
#include "spool.h"

/*
 * How much waits for a domain (new, cur and .Held), and whether more may,
 * at the cost of a few system calls however much it is.
 *
 * Receivers keep a count in SPOOL/seen: each adds to it before it commits a
 * message.  What a flusher takes away, a kill leaves behind or an operator
 * does by hand it learns by counting anew, from the names alone, when the
 * last count is older than 60 seconds, or 5 when there seems to be no more
 * room; but never sooner than 100 times what a count took, so that counting
 * costs a hundredth of the time at most.  So after a crash or a drain the
 * count is right again a minute later, with a million messages (a second to
 * count them) two.
 *
 * Receivers that are between usage_take() and their commit when another
 * counts are left out of that count: so many messages a quota may be
 * exceeded by, and no more.
 *
 * FILE is the name of the domain's file, as conf_domain() gives it.  One that
 * begins with a dot counts all domains that it stands for together, or who
 * invents subdomains would have a new quota for each.
 */

struct usage {
	int64_t messages, bytes;
};

enum usage_answer {
	USAGE_ROOM,
	USAGE_FULL,	/* 452 4.2.2 */
	USAGE_ERROR	/* errno: it cannot be counted.  Better to take the
			   mail: spool_space() keeps the disk from filling */
};

/*
 * Is there room for one message more, of BYTES octets (0 if not yet known),
 * within QUOTA (0 messages, 0 bytes: no limit)?  Promises nothing.  USED, if
 * not NULL, gets what waits.  Both this and usage_take() may block while
 * another counts, 10 seconds at most.
 */
enum usage_answer usage_look(struct spool *sp, const struct conf *conf,
    const char *file, const struct usage *quota, int64_t bytes,
    struct usage *used, time_t now);

/* The same, and if there is room it is ours: call it before the commit. */
enum usage_answer usage_take(struct spool *sp, const struct conf *conf,
    const char *file, const struct usage *quota, int64_t bytes, time_t now);

/* Gives it back when the commit failed.  Says nothing if it cannot. */
void usage_give(struct spool *sp, const char *file, int64_t bytes);

#endif
