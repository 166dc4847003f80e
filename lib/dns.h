/* SPDX-License-Identifier: ISC */
#ifndef MX_DNS_H
#define MX_DNS_H

#include <sys/socket.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "query.h"

/*
 * Questions to recursive resolvers, or to one server each, over a transport
 * of our own (ask.h); libldns, in packet.c, never carries them.  Blocks at
 * most until the caller's deadline, however many questions.
 */

struct dns;

/*
 * The N resolvers of RESOLVER, or with N 0 those of the file RESOLV_CONF
 * (NULL for /etc/resolv.conf), "options" included.  NULL with errno.
 */
struct dns *dns_open(const struct sockaddr_storage *resolver, int n,
    const char *resolv_conf);
void dns_close(struct dns *d);

/* Believe the AD bit of any resolver, on the operator's word. */
void dns_trust_ad(struct dns *d);
/* Without that nothing is ever secure. */
bool dns_trusts_ad(const struct dns *d);

/* N processes are going to ask, side by side: each a part of what one may. */
void dns_divide(struct dns *d, size_t n);

/*
 * Asks all N at once and returns when each has its outcome, at DEADLINE at
 * the latest (deadline.h).  Names that are no DNS names are DNS_NXDOMAIN
 * without a question; out of memory or sockets is DNS_TEMPFAIL.
 */
void dns_lookup(struct dns *d, struct dns_query *q, size_t n, int64_t deadline);
/* The same for questions that do not lie side by side. */
void dns_lookup_each(struct dns *d, struct dns_query **q, size_t n,
    int64_t deadline);

#endif
