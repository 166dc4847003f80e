/* SPDX-License-Identifier: ISC */
#ifndef MX_IPADDR_H
#define MX_IPADDR_H

#include <sys/socket.h>
#include <stdbool.h>

/*
 * IP addresses as mail and its DNS meet them.  Ports play no part; families
 * are AF_INET and AF_INET6.
 */

/* Without its port into BUF (INET6_ADDRSTRLEN); returns BUF. */
const char *ipaddr_print(char *buf, const struct sockaddr_storage *ss);

bool ipaddr_same(const struct sockaddr_storage *a,
    const struct sockaddr_storage *b);

/* The same IPv4 /24 or IPv6 /48: what one site, or one outage, has. */
bool ipaddr_near(const struct sockaddr_storage *a,
    const struct sockaddr_storage *b);

/*
 * What is special about an address that strangers cannot send mail to
 * (RFC 6890 and the registries it made), as the end of a sentence: "is
 * private".  NULL for all others.
 */
const char *ipaddr_special(const struct sockaddr_storage *ss);

#endif
