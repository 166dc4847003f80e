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

#endif
