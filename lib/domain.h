/* SPDX-License-Identifier: ISC */
#ifndef MX_DOMAIN_H
#define MX_DOMAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <time.h>

/*
 * What is known of a domain's servers: the text of SPOOL/state/DOMAIN/state.
 * One "key value" a line; unknown keys are kept out of the way and lost at
 * the next write.  mx-spool(5) documents the file.
 */

enum domain_state {
	DOMAIN_UNKNOWN,
	DOMAIN_UP,
	DOMAIN_DOWN,
	DOMAIN_UNROUTABLE,	/* DNS names no better host; mail waits */
	DOMAIN_HELD,		/* by the operator */
	DOMAIN_STOPPED		/* by the breaker: its server refuses too much
				   to be believed, or us */
};

/* What the operator said of a domain that is stopped. */
enum domain_order {
	DOMAIN_WAIT,		/* nothing yet */
	DOMAIN_RETRY,		/* try, and look out again */
	DOMAIN_RELEASE		/* go on: the refusals are right */
};

#define DOMAIN_HOSTS_MAX	8
#define DOMAIN_HOST_MAX		320	/* "name [addr]:port" */
#define DOMAIN_BEST_MAX		512

struct domain {
	enum domain_state state;
	time_t since;		/* of the state; 0: unknown */
	time_t last_try;	/* 0: never */
	time_t next_try;	/* 0: not known, or not by itself */
	time_t held_until;	/* DOMAIN_HELD: 0 until released */
	time_t sending;		/* an unended run's beginning; 0 none */
	char error[512];	/* the last one; "" none; plain text */
	char why[256];		/* DOMAIN_HELD: the operator's words */

	/* The last route that worked. */
	char route[512];	/* the server: "name [addr]:port" */
	time_t good;		/* when it did; 0: not known */
	char tls[128];		/* what came of TLS with it; "" not known */
	char best_tls[DOMAIN_HOSTS_MAX][DOMAIN_BEST_MAX];	/* the best that
				   came of it, with each host: tls_best() */
	char ehlo[512];		/* what it offered: keywords, ';' between */
	char host[DOMAIN_HOSTS_MAX][DOMAIN_HOST_MAX];	/* all that the DNS
				   named then; "" ends the list */
	char detour[256];	/* why it is used in spite of the DNS; "" it
				   is not */

	/* Is the server to be believed?  See breaker.h. */
	unsigned accepted;	/* recipients since the last outage */
	bool refuses;		/* it answers, and refuses to talk to us */
	time_t released;	/* by the operator; 0: never */
	enum domain_order order;	/* DOMAIN_STOPPED; not in the file */
};

void domain_init(struct domain *d);
/* Lines that make no sense are passed over: the file is a memory, not mail. */
void domain_parse(struct domain *d, const char *text);
void domain_print(const struct domain *d, FILE *f);

const char *domain_state_name(enum domain_state state);

/* Does the domain wait for the operator, rather than for its server? */
bool domain_waits_for_us(const struct domain *d);

#endif
