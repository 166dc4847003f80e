/* SPDX-License-Identifier: ISC */
#ifndef MX_CHECK_H
#define MX_CHECK_H

#include <sys/socket.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "asked.h"
#include "conf.h"
#include "dns.h"
#include "finding.h"

/*
 * A domain under examination: its MX hosts as senders try them, what the
 * DNS was asked for it and said, and what was found.  Others judge it: legal,
 * authority, place, cover and look.  mx-check(1) lists the checks.
 */

#define CHECK_HOSTS_MAX		20	/* of a domain; senders stop earlier */
#define CHECK_ADDRS_MAX		16	/* of one host */
#define CHECK_KEY		32	/* octets of a SHA-256 */
#define CHECK_SERVERS_MAX	32	/* addresses of name servers */

struct check_host {
	char name[ADDR_DOMAIN_MAX + 1];
	int preference;			/* -1: implicit */
	bool ours;			/* the backup that is asked about */
	bool sound;			/* a host name, listed here first */
	enum dns_outcome outcome;	/* of the addresses */
	struct sockaddr_storage addr[CHECK_ADDRS_MAX];
	size_t naddr;
	const struct dns_query *tlsa;	/* _25._tcp.NAME; NULL: not asked */
	bool has_key;			/* of the live server, by SMTP */
	unsigned char key[CHECK_KEY];	/* as TLSA 3 1 1 has it */
};

struct check_server {
	const char *name;		/* of a name server */
	bool parent;			/* of the zone above */
	struct sockaddr_storage addr;	/* with its port */
};

struct check_options {
	const struct conf *us;	/* the backup's names and addresses, or NULL */
	bool v4, v6;		/* the families looked at */
	bool dns_only;		/* -D: no SMTP */
	bool rehearse;		/* --rehearse: this machine is the backup */
	bool validate;		/* -S: DNSSEC by ourselves */
	const char *anchors;	/* -k: text of trust anchors, or NULL */
	const char *policy;	/* -P: text of the MTA-STS policy, or NULL */
	bool plan;		/* -s: what should be published */
	const unsigned char *key;	/* CHECK_KEY octets: the digest of the
				   configured key, or NULL */
	int port;		/* of the MX hosts: 25 */
};

struct check {
	char domain[ADDR_DOMAIN_MAX + 1];	/* A-labels; or as given */
	bool named;			/* it is a domain name */
	struct asked *asked;		/* borrowed: many share it */
	struct dns_query *mx;		/* NULL until it is asked, or !named */
	const char *zone;		/* that the domain is in, or NULL */
	char stray[24];			/* a label that nobody has */
	struct check_host host[CHECK_HOSTS_MAX];	/* as senders try */
	size_t nhost;
	struct check_server server[CHECK_SERVERS_MAX];	/* of zone, parent */
	size_t nserver;
	struct findings found;
};

/* TEXT as written by people; what is no domain is a finding of its own. */
void check_init(struct check *c, const char *text, struct asked *asked);
void check_clear(struct check *c);

/*
 * The hosts, from the answer for the MX set, with the findings about that
 * set; and their addresses and TLSA from the answers for those.
 */
void check_hosts(struct check *c, const struct check_options *o);
void check_host_answers(struct check *c, const struct check_options *o);

/* TEMPFAIL and BOGUS as findings about SUBJECT; Q may be NULL. */
void check_failed(struct check *c, const char *subject,
    const struct dns_query *q);

/*
 * Is the host a backup: the one asked about, or, where none is, any that is
 * not best?  Is it a primary: better than all of these?
 */
bool check_is_backup(const struct check *c, const struct check_options *o,
    size_t host);
bool check_is_primary(const struct check *c, const struct check_options *o,
    size_t host);

/* Does the name end in that of the domain's zone, or is it that? */
bool check_is_in_zone(const struct check *c, const char *name);

/* The first MX record of A that B has not, or NULL. */
const struct dns_record *check_mx_missing(const struct dns_query *a,
    const struct dns_query *b);

/* "_25._tcp.NAME" into OUT (ADDR_DOMAIN_MAX + 1), "" if too long. */
void check_tlsa_name(char *out, const char *name);
/* The stray label below NAME, likewise. */
void check_stray_name(char *out, const struct check *c, const char *name);

#endif
