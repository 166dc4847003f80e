/* SPDX-License-Identifier: ISC */
#ifndef MX_QUERY_H
#define MX_QUERY_H

#include <sys/socket.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "packet.h"

/* A question to the DNS, and what came of it (dns.h asks it). */

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
	int64_t least;		/* milliseconds that it has from the time it
				   is first sent even so, within the set's */
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

/* NAME of TYPE, by the resolvers; the rest is for the caller to set. */
void dns_query_init(struct dns_query *q, const char *name, enum dns_type type);
void dns_query_clear(struct dns_query *q);

/* As if it had never been asked: what is asked stays. */
void dns_query_forget(struct dns_query *q);

#endif
