/* SPDX-License-Identifier: ISC */
#ifndef MX_PLACE_H
#define MX_PLACE_H

#include <stdio.h>

#include "check.h"

/*
 * The backup's place: among the hosts, as senders try them (RFC 5321 5.1),
 * and apart from the primary, so that no one failure takes both.
 */

/* The zones that the hosts' names are in: round two. */
void place_want_zones(struct check *c);
/* The addresses of the servers of those zones: round three. */
void place_want_servers(struct check *c, const struct check_options *o);

void place_judge(struct check *c, const struct check_options *o);

/*
 * What senders will do, in words: "mail goes to mx1 or mx2; if neither
 * answers, to mx4".  Nothing if there is no host.
 */
void place_print(FILE *f, const struct check *c);

#endif
