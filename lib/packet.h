/* SPDX-License-Identifier: ISC */
#ifndef MX_PACKET_H
#define MX_PACKET_H

#include <sys/socket.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

/*
 * DNS messages (RFC 1035 4), built and parsed by libldns.  It sees only
 * records that have the form of their type, as it asserts on others.
 * Nothing here blocks.
 */

enum dns_type {			/* numbers of the registry */
	DNS_A = 1,
	DNS_NS = 2,
	DNS_CNAME = 5,
	DNS_SOA = 6,
	DNS_PTR = 12,
	DNS_MX = 15,
	DNS_TXT = 16,
	DNS_AAAA = 28,
	DNS_DS = 43,
	DNS_DNSKEY = 48,
	DNS_TLSA = 52
};

struct dns_record {
	enum dns_type type;
	char owner[ADDR_DOMAIN_MAX + 1];	/* lower case, no final dot */
	uint32_t ttl;
	uint16_t preference;			/* MX */
	uint32_t serial;			/* SOA */
	char host[ADDR_DOMAIN_MAX + 1];		/* MX, CNAME, NS, PTR, SOA's
						   first; "" is the root */
	struct sockaddr_storage addr;		/* A, AAAA; port 0 */
	unsigned char *data;	/* RDATA of other types */
	size_t datalen;
};

/*
 * May it be asked for?  Underscores are let through, unlike addr_domain:
 * "_25._tcp", and some MX hosts.  Nothing that libldns could read as an
 * escape is.
 */
bool packet_is_name(const char *name);
void packet_lower(char *name);	/* in place */

#define PACKET_HEADER	12

/* How a question is put. */
#define PACKET_RECURSE		0x1	/* and tell of validation: RD, AD */
#define PACKET_UNCHECKED	0x2	/* even if validation fails: CD */
#define PACKET_EDNS		0x4
#define PACKET_SIGNED		0x8	/* with signatures: DO */

/*
 * A question with a random id into OUT.  Returns its length, with that of its
 * question section in *QLEN; 0 if out of memory or SIZE.
 */
size_t packet_question(unsigned char *out, size_t size, const char *name,
    enum dns_type type, unsigned how, size_t *qlen);

/* Is P a response with the id and the section of that question? */
bool packet_is_answer(const unsigned char *question, size_t qlen,
    const unsigned char *p, size_t len);

#define PACKET_NOERROR	0
#define PACKET_FORMERR	1
#define PACKET_SERVFAIL	2
#define PACKET_NXDOMAIN	3
#define PACKET_NOTIMPL	4
#define PACKET_BADVERS	16

struct packet {
	const unsigned char *p;
	size_t len;
	/* by packet_scan: */
	unsigned int rcode;
	unsigned int nanswer, nauthority;
	size_t answer;		/* where the answer section begins */
	bool aa, ra, ad, edns;
	int ede;		/* RFC 8914; -1: none */
	const unsigned char *extra;	/* its text */
	size_t extralen;
};

/*
 * An answer, of which P and LEN are set, with a question of QLEN.  False if
 * any of its sections is not whole.
 */
bool packet_scan(struct packet *m, size_t qlen);

/*
 * The N records of the answer section (and of the authority section, if it is
 * a REFERRAL) of this type, and aliases; free with packet_records_free.  *TEXT
 * (malloced) gets them as dig prints them, one a line, behind what it has.
 * NULL, and *TEXT as it was: malformed, or out of memory.
 */
struct dns_record *packet_records(const struct packet *m, enum dns_type type,
    bool referral, char **text, size_t *n);
void packet_records_free(struct dns_record *rr, size_t n);

/*
 * "SERVFAIL, extended error 7 (signature expired)" into OUT, and what the
 * server says of it into EXTRA ("" if nothing), both plain.
 */
void packet_failure(char *out, size_t size, char *extra, size_t extrasize,
    const struct packet *m);

/* Does this extended error mean that validation failed? */
bool packet_ede_is_dnssec(int ede);

#endif
