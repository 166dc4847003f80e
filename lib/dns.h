/* SPDX-License-Identifier: ISC */
#ifndef MX_DNS_H
#define MX_DNS_H

#include <sys/socket.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "packet.h"

/*
 * Questions to recursive resolvers, or to one server each, over a transport
 * of our own (packet.h has the rest, by libldns, which never carries them).
 * Blocks at most until the caller's deadline, however many questions.
 */

/* Five outcomes that are never confused. */
enum dns_outcome {
	DNS_DATA,
	DNS_NODATA,	/* the name exists, not with this type */
	DNS_NXDOMAIN,
	DNS_TEMPFAIL,	/* no usable answer in time; SERVFAIL, REFUSED; from
			   one server: an answer without authority */
	DNS_BOGUS	/* the resolver says that validation failed */
};

struct dns_query {
	/* asked */
	char name[ADDR_DOMAIN_MAX + 1];	/* A-labels, no final dot */
	enum dns_type type;
	const struct sockaddr_storage *at;	/* this server alone, with its
				   port, not recursively; NULL: the resolvers */
	bool tcp;		/* over TCP from the start */
	bool raw;		/* with signatures, unvalidated: PACKET only */
	int64_t until;		/* a deadline of its own; 0: the set's */
	/* answered; free with dns_query_clear */
	enum dns_outcome outcome;
	bool secure;		/* AD, from a resolver that is believed */
	bool heard;		/* the last server asked did answer, somehow */
	bool edns;		/* and it speaks EDNS (RFC 6891) */
	bool nowhere;		/* this machine has no way to that server */
	bool referral;		/* rr are NS of the authority section */
	int rcode;		/* of that answer */
	char why[160];		/* of TEMPFAIL and BOGUS, plain text */
	char extra[160];	/* what the server says of it (RFC 8914) */
	char canonical[ADDR_DOMAIN_MAX + 1];	/* after CNAMEs */
	struct dns_record *rr;	/* the type asked for, at canonical */
	size_t nrr;
	unsigned char *packet;	/* of a raw question that is DNS_DATA, whose
				   rcode may still be NXDOMAIN */
	size_t packetlen;
	char *answer;		/* answer section as dig prints it, a record
				   a line, printable ASCII; "" if none */
};

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

void dns_query_init(struct dns_query *q, const char *name, enum dns_type type);
void dns_query_clear(struct dns_query *q);

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
