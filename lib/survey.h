/* SPDX-License-Identifier: ISC */
#ifndef MX_SURVEY_H
#define MX_SURVEY_H

#include <stddef.h>
#include <stdint.h>

#include "check.h"
#include "dns.h"
#include "look.h"

/*
 * Looks at the servers of all hosts of N domains, side by side over the
 * addresses and each in a process of its own.  Never has an address two
 * sessions at once; domains that have one in common share a session.  The
 * findings go to the domains: what holds for several addresses of a host is
 * one.
 *
 * Blocks until DEADLINE at most.  No child that is not ours may end
 * meanwhile.
 */
void survey(struct check *c, size_t n, struct dns *d,
    const struct check_options *o, const struct look_us *us,
    int64_t deadline);

/* "1.2.0.192.in-addr.arpa" or "...ip6.arpa" into OUT (ADDR_DOMAIN_MAX + 1). */
void survey_reverse(char *out, const struct sockaddr_storage *addr);

#endif
