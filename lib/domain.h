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
	DOMAIN_HELD		/* by the operator */
};

struct domain {
	enum domain_state state;
	time_t since;		/* of the state; 0: unknown */
	time_t last_try;	/* 0: never */
	time_t held_until;	/* DOMAIN_HELD: 0 until released */
	char error[512];	/* the last one; "" none; plain text */
	char why[256];		/* DOMAIN_HELD: the operator's words */
	char route[512];	/* the last that worked: "name [addr]:port" */
	char ehlo[512];		/* what it offered: keywords, ';' between */
};

void domain_init(struct domain *d);
/* Lines that make no sense are passed over: the file is a memory, not mail. */
void domain_parse(struct domain *d, const char *text);
void domain_print(const struct domain *d, FILE *f);

const char *domain_state_name(enum domain_state state);

#endif
