/* SPDX-License-Identifier: ISC */
#ifndef MX_ROUTE_H
#define MX_ROUTE_H

#include <sys/socket.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "dns.h"

/*
 * Where the mail of a domain goes (RFC 5321 5.1): the domain's "route" if
 * set, else the MX hosts that are strictly better than ourselves, in the
 * order to try them.  We know ourselves by hostname, "self" names and
 * addresses, and, where no name of ours is in the set, by the addresses of
 * our interfaces (loopback only when mail goes to port 25).
 */

#define ROUTE_HOSTS_MAX	20
#define ROUTE_ADDRS_MAX	50

struct route_addr {
	size_t host;			/* index into hosts */
	struct sockaddr_storage addr;	/* with port */
	socklen_t len;
};

struct route_host {
	char name[ADDR_DOMAIN_MAX + 1];	/* or a numeric address ("route") */
	char canonical[ADDR_DOMAIN_MAX + 1];	/* after CNAMEs */
	int preference;			/* -1: of a "route" or implicit */
	int port;
	enum dns_outcome outcome;	/* of its addresses */
	bool secure;			/* they, and the CNAMEs to them */
};

enum route_kind {
	ROUTE_FOUND,
	ROUTE_UNROUTABLE	/* no better host known: the mail waits */
};

enum route_lack {			/* what ROUTE_UNROUTABLE lacks */
	ROUTE_LACK_ANSWER,	/* for now: failure, bogus, our own trouble,
				   a "route" that leads nowhere */
	ROUTE_LACK_DOMAIN,	/* NXDOMAIN */
	ROUTE_LACK_MX,		/* null MX (RFC 7505) */
	ROUTE_LACK_BETTER,	/* nobody is better than ourselves */
	ROUTE_LACK_ADDRESS	/* only names without a usable address */
};

struct route {
	enum route_kind kind;
	enum route_lack lack;
	char why[256];			/* ROUTE_UNROUTABLE, plain text */
	/*
	 * Are the names of the hosts what they should be?  By DNSSEC, or on
	 * the operator's word ("route").
	 */
	bool secure;
	/* What the domain is an alias of, by DNSSEC; "" if of nothing. */
	char alias_of[ADDR_DOMAIN_MAX + 1];
	struct route_host host[ROUTE_HOSTS_MAX];
	size_t nhost;
	struct route_addr addr[ROUTE_ADDRS_MAX];	/* in order to try */
	size_t naddr;
};

/*
 * Never a verdict about mail: no MX and no address, null MX, NXDOMAIN,
 * failure, bogus, and nobody better than us are all ROUTE_UNROUTABLE with
 * the reason.  Hosts of equal preference are shuffled, all their addresses
 * tried, v6 and v4 interleaved.  Blocks until DEADLINE at most.
 */
void route_find(struct route *r, struct dns *dns, const struct conf *c,
    const struct settings *s, const char *domain, int64_t deadline);

/*
 * Asks for the addresses of R's hosts anew, and fills what is said of them
 * but not R's list of addresses.  False: out of memory.
 */
bool route_look_up(struct route *r, struct dns *dns, int64_t deadline);

/* True if ADDR (port ignored) is one of the conf's "self" addresses. */
bool route_is_self_addr(const struct conf *c, const struct sockaddr *addr);

/* "192.0.2.1:25", "[2001:db8::1]:25"; BUF of ROUTE_ADDR_TEXT bytes. */
#define ROUTE_ADDR_TEXT 64
char *route_addr_print(char *buf, const struct sockaddr_storage *addr);

#endif
