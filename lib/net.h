/* SPDX-License-Identifier: ISC */
#ifndef MX_NET_H
#define MX_NET_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Networks of IPv4 and IPv6 as text.  An IPv4 address and the IPv6 address
 * it is mapped to are the same.
 */

#define NET_ADDR_MAX	48	/* room for a numeric address and its NUL */

struct net {
	unsigned char addr[16];		/* beyond bits all zero */
	int bits;			/* 0 to 128; an IPv4 /24 is 120 */
};

/*
 * "192.0.2.0/24", "2001:db8::/32", "[::1]", or an address alone, which is a
 * network of its own.  Bits behind the length are passed over.
 */
bool net_parse(struct net *net, const char *text);

/*
 * The network that the numeric address ADDR is in, of BITS4 bits if it is
 * IPv4, else of BITS6.  False if ADDR is no address.
 */
bool net_of(struct net *net, const char *addr, int bits4, int bits6);

/* The address of 16 octets into BUF (NET_ADDR_MAX); mapped IPv4 as IPv4. */
void net_print(char *buf, const unsigned char *addr);

/* Is the numeric address ADDR in one of the N networks of LIST? */
bool net_covers(const struct net *list, size_t n, const char *addr);

#endif
