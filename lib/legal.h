/* SPDX-License-Identifier: ISC */
#ifndef MX_LEGAL_H
#define MX_LEGAL_H

#include "check.h"

/*
 * Are the names and addresses of the MX hosts such that senders can use
 * them?  RFC 5321 5.1, RFC 2181 10.3, RFC 1123 2.1, RFC 4592, RFC 6890.
 */

/* Whether there are wildcards at the domain: round one. */
void legal_want_domain(struct check *c);

/* The names of the hosts: says which are sound. */
void legal_names(struct check *c);

/* Their addresses, and what else those names could have been: round two. */
void legal_want_hosts(struct check *c, const struct check_options *o);

void legal_judge(struct check *c, const struct check_options *o);

/*
 * What the record of the host was to say, into OUT (ADDR_DOMAIN_MAX + 1), by
 * the answers that there are: an address, that no name can stand for (RFC
 * 5321 5.1), or the name that a final dot was forgotten after.  False if it
 * is neither.
 */
bool legal_literal(const struct check *c, const struct check_host *h,
    char *out);
bool legal_meant(const struct check *c, const struct check_host *h, char *out);

#endif
