/* SPDX-License-Identifier: ISC */
#ifndef MX_PROXY_H
#define MX_PROXY_H

#include <stdbool.h>
#include <stddef.h>

#include "net.h"

/*
 * The header by which a proxy in front says whose connection it passes on
 * (HAProxy's proxy-protocol.txt): version 1, a line of text, and version 2,
 * binary.  Memory only; whose word is taken and how long one waits for it is
 * for the caller.
 */

#define PROXY_V1_MAX	107		/* its CRLF included */
#define PROXY_V2_MAX	(16 + 2048)	/* what we take of version 2: TLVs of
					   TLS and of clouds are far smaller */
#define PROXY_MAX	PROXY_V2_MAX

enum proxy_kind {
	PROXY_LOCAL,	/* the proxy's own connection: a health check */
	PROXY_UNKNOWN,	/* somebody's of whom no address can be told */
	PROXY_TCP4,
	PROXY_TCP6
};

/* For both of the first kinds the connection's own ends are to be used. */
struct proxy {
	enum proxy_kind kind;		/* of the addresses as shown: mapped
					   IPv4 is PROXY_TCP4 */
	int version;			/* 1 or 2 */
	char addr[NET_ADDR_MAX];	/* numeric, "" if not told */
	int port;			/* 0 if not told */
	char local[NET_ADDR_MAX];	/* the end that the client spoke to */
	int local_port;
};

enum proxy_got {
	PROXY_DONE,
	PROXY_MORE,	/* a good beginning: wait for more octets */
	PROXY_BAD	/* no such header: drop the connection, say nothing */
};

/*
 * Reads the header at the beginning of BUF.  With PROXY_DONE, *USED octets
 * are the header's and what follows is the client's; else *USED is 0 and
 * nothing in P means anything.  PROXY_MORE is never said with PROXY_MAX
 * octets at hand.
 */
enum proxy_got proxy_parse(struct proxy *p, const char *buf, size_t len,
    size_t *used);

#endif
