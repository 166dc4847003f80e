/* SPDX-License-Identifier: ISC */
#ifndef MX_DEADLINE_H
#define MX_DEADLINE_H

#include <stdint.h>

/*
 * An absolute point on the monotonic clock in milliseconds.  A step of a
 * protocol gets one deadline for all its reads and writes, so a peer that
 * drips bytes gains nothing.
 */

#define DEADLINE_NEVER INT64_MAX

int64_t deadline_now(void);		/* milliseconds */
int64_t deadline_in(int64_t ms);	/* from now; saturates */
int64_t deadline_min(int64_t a, int64_t b);

/* What poll(2) wants: milliseconds left, 0 when passed, -1 for never. */
int deadline_left(int64_t deadline);

#endif
