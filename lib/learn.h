/* SPDX-License-Identifier: ISC */
#ifndef MX_LEARN_H
#define MX_LEARN_H

#include <time.h>

#include "reply.h"
#include "spool.h"

/*
 * What a primary's answers to RCPT tell of its recipients, gathered in a run
 * and remembered for the receiver ("recipients verify").
 */

struct learn;

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
 * Remembers it, under the domain's lock.  Refusals count only in a run with
 * at least as many recipients accepted: a server that is half repaired
 * refuses everybody.  0, or -1 with errno.
 */
int learn_save(struct learn *l, struct spool *sp, const char *domain,
    time_t now);

#endif
