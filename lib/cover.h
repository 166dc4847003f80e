/* SPDX-License-Identifier: ISC */
#ifndef MX_COVER_H
#define MX_COVER_H

#include "check.h"

/*
 * What protects the way to the MX hosts, and whether it covers the backup:
 * DNSSEC as the resolver says, TLSA records (RFC 7672), MTA-STS (RFC 8461)
 * with the policy that was given, TLS reports (RFC 8460).
 */

/* The records of the domain: they depend on no other. */
void cover_want_domain(struct check *c, const struct check_options *o);
/* Those of the hosts: on the MX set. */
void cover_want_hosts(struct check *c, const struct check_options *o);

/* With -S, what was asked for is verified.  Blocks until DEADLINE at most. */
void cover_verify(struct check *c, const struct check_options *o,
    int64_t deadline);

void cover_judge(struct check *c, const struct check_options *o);

#endif
