/* SPDX-License-Identifier: ISC */
#ifndef MX_CONDUCT_H
#define MX_CONDUCT_H

#include <stdbool.h>
#include <stdint.h>

#include "conf.h"
#include "dns.h"
#include "finding.h"
#include "look.h"

/*
 * The conduct of a mail server at one address, as a look has seen it:
 * what of it is in order, and what to do about the rest.
 */

struct conduct {
	const struct look *look;
	const struct look_ask *ask;	/* about the domain; NULL: none */
	const struct conf *us;		/* the backup, or NULL */
	bool backup;		/* the host is the backup */
	bool trusted;		/* we may be more to it than a stranger */
	bool guarded;		/* its TLSA records are secure */
	int64_t now;		/* Unix time */

	/* What the DNS says of the address and of the name in EHLO. */
	enum dns_outcome reverse;
	char pointer[ADDR_DOMAIN_MAX + 1];	/* a PTR, one confirmed if
						   there is one */
	bool confirmed;		/* pointer has the address */
	bool leads;		/* the name in EHLO has the address */
	bool leads_known;	/* that could be looked up */
};

/* The findings of one address, none of which names the address. */
void conduct_judge(struct findings *f, const struct conduct *c);

/* Only whether it is there and can be spoken to: true if it is there. */
bool conduct_reach(struct findings *f, const struct conduct *c);

/* Whether it answers is not known, for a reason of this machine's own. */
bool conduct_is_unproven(const struct look *l);

/* How it takes mail from us (--rehearse), which the look has to have asked. */
void conduct_rehearsal(struct findings *f, const struct conduct *c);

/* Do the words speak of SPF, a list of addresses, a user that is not there? */
bool conduct_is_spf(const char *text);
bool conduct_is_unknown_user(const char *text);
bool conduct_is_dnsbl(const char *text);

#endif
