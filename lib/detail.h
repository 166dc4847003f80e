/* SPDX-License-Identifier: ISC */
#ifndef MX_DETAIL_H
#define MX_DETAIL_H

#include <stdbool.h>

#include "desk.h"

/*
 * All that is known of a message: its envelope, what became of each
 * recipient, and its domain's servers.
 */

/* The verb "show". */
int detail_print(struct desk *d, char **arg);

/*
 * The same as one JSON object, whose keys are stable.  0, also if the message
 * could not be opened, see desk_open(); -1: complained.
 */
int detail_json(struct desk *d, const char *domain,
    const struct scan_entry *e, bool asked);

/*
 * What is known of a domain's servers, besides their state and error, in a
 * row that has begun; and in lines, without and with when they are tried.
 */
void detail_row_servers(struct row *r, const struct outlook *o, time_t now);
void detail_servers(struct row *r, const struct outlook *o);
void detail_next(struct row *r, time_t next);

#endif
