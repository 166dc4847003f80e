/* SPDX-License-Identifier: ISC */
#ifndef MX_AUTHORITY_H
#define MX_AUTHORITY_H

#include "check.h"

/*
 * The name servers of the domain's zone, each asked directly at each of its
 * addresses, over UDP and TCP: do all answer, with authority (RFC 1912 2.8),
 * with EDNS (RFC 6891) and over TCP (RFC 7766), and do they agree with each
 * other, with the zone above, and with what the resolver has?
 */

/* Which zone: round one. */
void authority_want_zone(struct check *c);
/* Sets the zone; the addresses of its servers, and of the parent's. */
void authority_want_servers(struct check *c, const struct check_options *o);
/* The servers themselves: round three. */
void authority_want_answers(struct check *c, const struct check_options *o);

void authority_judge(struct check *c, const struct check_options *o);

#endif
