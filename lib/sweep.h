/* SPDX-License-Identifier: ISC */
#ifndef MX_SWEEP_H
#define MX_SWEEP_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "spool.h"

/* House-keeping: what crashes left in the spool, and when we last looked. */

/* When the last expiry run was, 0 if never; and that it is NOW. */
time_t sweep_last_run(struct spool *sp);
int sweep_last_run_set(struct spool *sp, time_t now);

/*
 * Removes what no living process can still need: temporaries older than
 * AGE seconds, void messages, replies of messages that are gone.  FN, if not
 * NULL, hears of each; with DRY nothing is removed.  0, or -1 with errno.
 */
int sweep_run(struct spool *sp, int64_t age, bool dry,
    void (*fn)(const char *name, const char *why, void *arg), void *arg);

/*
 * Removes the directories of DOMAIN, which must be none of ours, with all
 * that is remembered of it, if nothing lies there, nothing has come or gone
 * for AGE seconds and no flusher is at it.  What is no part of a spool stays,
 * and the directories that it is in.  FN and DRY as above.  0, or -1 with
 * errno.
 */
int sweep_domain(struct spool *sp, const char *domain, int64_t age, bool dry,
    void (*fn)(const char *name, const char *why, void *arg), void *arg);

#endif
