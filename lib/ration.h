/* SPDX-License-Identifier: ISC */
#ifndef MX_RATION_H
#define MX_RATION_H

#include <stdint.h>
#include <time.h>

#include "spool.h"

/*
 * How many reports to senders a domain's mail has caused, and may cause, in
 * an hour; and how often nobody was told: SPOOL/state/DOMAIN/reports,
 * mx-spool(5), a small file.
 */

struct ration {
	int64_t hour;		/* reports in the last hour (to 5 minutes) */
	int64_t withheld;	/* messages of which nobody was told, ever */
};

/* A missing file is all zeros.  0, or -1 with errno. */
int ration_load(struct spool *sp, const char *domain, time_t now,
    struct ration *r);

/*
 * Takes one of LIMIT reports an hour (0: as many as one likes), durably.
 * 1, 0 if there is none left, or -1 with errno.
 */
int ration_take(struct spool *sp, const char *domain, int64_t limit,
    time_t now);

/* Counts a message of which nobody was told.  0, or -1 with errno. */
int ration_withhold(struct spool *sp, const char *domain);

#endif
