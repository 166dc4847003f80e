/* SPDX-License-Identifier: ISC */
#ifndef MX_VERDICT_H
#define MX_VERDICT_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "check.h"

/* What mx-check(1) prints, in its forms.  Errors are left to ferror(). */

struct verdict_style {
	bool json;
	bool terminal;		/* for eyes: aligned, folded, good ones brief */
	bool colour;
	bool quiet;		/* only what is not ok */
	bool all;		/* on a terminal the good at length, too */
	bool several;		/* domains: a terminal shows which is which */
	const char *plan;	/* the command for what plan.h writes, but for
				   the domain; NULL if no backup is known */
	int width;		/* columns of the terminal */
};

/* The numbers of one domain, for what sums up many. */
struct verdict {
	char domain[ADDR_DOMAIN_MAX + 1];
	int status;
	size_t ok, warn, fail, unknown;	/* findings */
	size_t hosts;
	char worst[ADDR_DOMAIN_MAX + 840];	/* the finding to begin with */
};

/* The answer, what senders will do, the hosts in order, the findings. */
void verdict_write(FILE *f, const struct check *c,
    const struct verdict_style *style);
/* One whose check was not finished; F may be NULL. */
void verdict_unfinished(FILE *f, const char *domain, const char *why,
    const struct verdict_style *style, struct verdict *v);

void verdict_of(struct verdict *v, const struct check *c);

/* Many domains in a table, the good ones in one line. */
void verdict_table(FILE *f, const struct verdict *v, size_t n,
    const struct verdict_style *style);

/* One line, as monitoring plugins have it, with performance data. */
void verdict_plugin(FILE *f, const struct verdict *v, size_t n, int64_t ms,
    int64_t limit);

#endif
