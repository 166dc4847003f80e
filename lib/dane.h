/* SPDX-License-Identifier: ISC */
#ifndef MX_DANE_H
#define MX_DANE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "dns.h"
#include "route.h"
#include "tls_client.h"

/*
 * What the DNS says of a mail host's certificate: the TLSA records of
 * _PORT._tcp.NAME (RFC 7672 2.2.3), and whether they may be believed.  It is
 * as good as the resolver's word for DNSSEC: see dns.h.
 */

enum dane_kind {
	DANE_NONE,	/* no secure records: DANE says nothing of this host */
	DANE_USABLE,	/* one of the records has to match */
	DANE_UNUSABLE,	/* records, and none usable: TLS, by whomever, but
			   never clear text */
	DANE_FAILED	/* not to be known now: leave this host alone, for a
			   stopped answer must not undo DANE (2.1.2) */
};

struct dane_host {
	/* Set by the caller, who clears the rest; names are borrowed. */
	const char *name;	/* as MX or "route" has it */
	const char *canonical;	/* where CNAMEs led its address lookup */
	int port;
	bool secure_name;	/* by a secure answer, or the operator's word */
	bool secure_addr;	/* the addresses, and the CNAMEs to them */

	/* Found; freed by dane_clear. */
	enum dane_kind kind;
	char base[ADDR_DOMAIN_MAX + 1];	/* TLSA base domain; "" with NONE */
	struct tls_tlsa *tlsa;	/* the usable ones, in an order of their own */
	size_t ntlsa;
	char why[256];		/* of FAILED and UNUSABLE, plain text */
	struct dns_record *rr;	/* private: what tlsa points into */
	size_t nrr;
};

/*
 * Asks for all N at once; those not secure are not asked for.  The base
 * domain is the canonical name if everything up to it is secure and it has
 * records, else the name itself if that is secure (2.2.2, 2.2.3).  Blocks
 * until DEADLINE at most.
 */
void dane_find(struct dane_host *h, size_t n, struct dns *dns,
    int64_t deadline);

/* One for each host of the route R; NULL when out of memory. */
struct dane_host *dane_of_route(const struct route *r, struct dns *dns,
    int64_t deadline);

void dane_clear(struct dane_host *h, size_t n);

#endif
