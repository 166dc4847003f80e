/* SPDX-License-Identifier: ISC */
#ifndef MX_TALLY_H
#define MX_TALLY_H

#include "desk.h"

/* What the queue of each domain comes to. */

/* The verb "stat": a line a domain; from the names of files alone. */
int tally_print(struct desk *d, char **arg);

/*
 * The verb "check": opens each message; complains of those that are damaged,
 * and destroys nothing.
 */
int tally_check(struct desk *d, char **arg);

#endif
