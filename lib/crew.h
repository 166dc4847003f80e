/* SPDX-License-Identifier: ISC */
#ifndef MX_CREW_H
#define MX_CREW_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

/*
 * Many jobs that write text, side by side, each in a process of its own with
 * a time of its own; what they wrote comes in the order of the jobs.
 */

#define CREW_ATONCE_MAX 64	/* jobs: no more at once */
#define CREW_TEXT_MAX (4 * 1024 * 1024)	/* octets that a job may write */

struct crew_result {
	const char *text;	/* LEN octets; all of what it wrote */
	size_t len;
	void *note;		/* what it left there */
	const char *why;	/* it was not finished, and there is no text:
				   why; else NULL */
};

struct crew {
	size_t jobs, atonce;
	int64_t limit;		/* milliseconds for one job */
	size_t note;		/* octets of a job's note */
	/* In the child: writes to OUT and NOTE, which is zeroed. */
	void (*work)(size_t job, FILE *out, void *note, void *arg);
	/* In the parent, for each job, in order. */
	void (*done)(size_t job, const struct crew_result *r, void *arg);
	void *arg;
};

/* Returns when all jobs are done; -1 with errno if none could be begun. */
int crew_run(const struct crew *crew);

#endif
