/* SPDX-License-Identifier: ISC */
#ifndef MX_PLAN_H
#define MX_PLAN_H

#include <stdbool.h>
#include <stdio.h>

#include "check.h"

/*
 * The lines of a zone file (RFC 1035 5) that make the backup the backup: the
 * whole MX set as it should be, its addresses and TLSA record where they are
 * missing, in steps if the TTL is long.  Everything else is a comment.
 */

/* The backup itself, listed or not: round one. */
void plan_want(struct check *c, const struct check_options *o);

/* False if the MX set could not be looked up: only a comment says so. */
bool plan_write(FILE *f, const struct check *c, const struct check_options *o);

#endif
