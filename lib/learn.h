/* SPDX-License-Identifier: ISC */
#ifndef MX_LEARN_H
#define MX_LEARN_H

#include <stdbool.h>
#include <time.h>

#include "reply.h"
#include "spool.h"

/*
 * What a primary's answers to RCPT tell of its recipients, gathered in a run
 * and remembered for the receiver ("recipients verify").
 */

struct learn;

/*
 * Does the answer to RCPT say that there is no such recipient?  RFC 3463:
 * 5.1.1 no such mailbox, 5.1.6 moved, 5.1.10 null MX, 5.2.1 disabled.  Without
 * an enhanced code 550 and 551 mean the first (RFC 5321 4.2.2), though other
 * refusals come with 550 as well.
 */
bool learn_is_unknown(const struct reply *r);

/* NULL when out of memory, which the others take for one that is deaf. */
struct learn *learn_new(void);
void learn_free(struct learn *l);

/*
 * REPLY was the answer to RCPT for ADDRESS (without brackets).  Only "this is
 * one of mine" and "there is no such recipient" count.
 */
void learn_rcpt(struct learn *l, const char *address,
    const struct reply *reply);

/*
 * Remembers it, under the domain's lock.  Refusals count only if BELIEVE, and
 * in a run with at least as many recipients accepted: a server that is half
 * repaired refuses everybody.  0, or -1 with errno.
 */
int learn_save(struct learn *l, struct spool *sp, const char *domain,
    bool believe, time_t now);

#endif
