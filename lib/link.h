/* SPDX-License-Identifier: ISC */
#ifndef MX_LINK_H
#define MX_LINK_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>

#include "addr.h"
#include "conf.h"
#include "hosts.h"
#include "route.h"
#include "smtp_client.h"
#include "tls_policy.h"
#include "turn.h"

/*
 * A connection to any server of a domain: the first of its route that
 * answers; and then to each of the others, for what that one does not take.
 */

#define LINK_PEER_MAX	(ADDR_DOMAIN_MAX + INET6_ADDRSTRLEN + 16)
#define LINK_ERROR_MAX	512
#define LINK_BARE_MAX	8

struct link {
	/* Set by the caller, who clears the rest. */
	const struct conf *conf;
	const struct settings *settings;
	struct hosts *hosts;
	struct turn *turn;	/* to deliver; NULL: it always is */
	const char *domain;
	struct route route;
	bool fallback;		/* the route is one remembered */
	struct tls_policy tls;	/* its caller's parts set, and told of the
				   route; link_clear() ends it */
	bool in_turn;		/* no window: it lost count of its replies */
	bool unchunked;		/* no BDAT: it offers what it does not know */
	bool anonymous;		/* no word of clients to the next one */
	bool extra;		/* it is not the domain's first: one that
				   comes to nothing says nothing of a host */

	struct smtp_client *client;	/* NULL: not connected */
	char peer[LINK_PEER_MAX];	/* "name [address]:port" */
	char tls_text[TLS_TEXT_MAX];	/* of the connection: tls_print() */
	size_t carried;		/* messages over this connection: see carry.h */
	char error[LINK_ERROR_MAX];	/* why there is none, or was lost */

	/*
	 * The servers that the last link_open() found without the TLS that is
	 * wanted, the first of them, and why.
	 */
	struct link_bare {
		char peer[LINK_PEER_MAX];
		char why[LINK_ERROR_MAX];
	} bare[LINK_BARE_MAX];
	size_t nbare;

	/* What the last link_open() that failed has found. */
	bool ourselves;		/* each that answered was us */
	bool busy;		/* one that answered in this run refused us */
	bool refused;		/* nobody took us, and one refused us for good,
				   at its greeting or EHLO */

	/* Of a walk; see link_walk(). */
	bool walk;
	bool complete;		/* each server so far has answered EHLO, and
				   with what it offers */
	bool none_has[SMTP_NLACKS];	/* none of those that have */
	char lacks[SMTP_NLACKS][LINK_ERROR_MAX];	/* who lacks that, or
				   has not answered, and why */
	/* private */
	size_t at;		/* in the route; ROUTE_ADDRS_MAX: none */
	bool passed[ROUTE_ADDRS_MAX];
};

/*
 * Tries the addresses of the route in their order, but for those known to be
 * dead in this run.  False with l->error.  Blocks for the time-outs of each.
 */
bool link_open(struct link *l);

/*
 * A walk past all servers of the route, each address of them, in their order.
 * link_walk() begins it, at the one there is a connection to, if any;
 * link_step() goes on to the next one that answers, false when there is none
 * left.  In between link_open() is for the same one again.
 */
void link_walk(struct link *l);
bool link_step(struct link *l);
void link_walk_end(struct link *l);

/* Says QUIT if there is a connection. */
void link_close(struct link *l);
/* In a forked process: the connection is another's. */
void link_abandon(struct link *l);
/* Closes, and gives back what connections have in common. */
void link_clear(struct link *l);

/*
 * An address of R as text, as l->peer is (LINK_PEER_MAX); and R with the
 * address of such a text more, false if it is none, or one of ours.
 */
char *link_print(char *peer, const struct route *r, size_t addr);
bool link_parse(struct route *r, const struct conf *conf, const char *peer);

#endif
