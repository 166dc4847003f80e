/* SPDX-License-Identifier: ISC */
#ifndef MX_FINDING_H
#define MX_FINDING_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"

/*
 * What mx-check(1) says of a domain: a list of findings, each of a check
 * that the manual names, with the levels the table in finding.c allows it.
 * A text of a finding that is not ok says what to do about it.
 */

enum check_level { CHECK_OK, CHECK_WARN, CHECK_FAIL };

/* Names, and the levels each may have, are in finding.c. */
enum check_id {
	/* the domain and its MX set */
	CHECK_DOMAIN_NAME,
	CHECK_NO_DOMAIN,
	CHECK_LOOKUP_TEMP,
	CHECK_LOOKUP_BOGUS,
	CHECK_UNFINISHED,
	CHECK_MX_RECORDS,
	CHECK_MX_MANY,
	CHECK_IMPLICIT_MX,
	CHECK_NULL_MX,
	CHECK_NULL_MX_MIXED,
	CHECK_WILDCARD_MX,
	CHECK_TTL,
	/* its hosts */
	CHECK_MX_LITERAL,
	CHECK_MX_NAME,
	CHECK_MX_TWICE,
	CHECK_MX_DOT,
	CHECK_MX_ALIAS,
	CHECK_MX_ADDRESS,
	CHECK_MX_FAMILY,
	CHECK_ADDRESS_TWICE,
	CHECK_ADDRESS_SPECIAL,
	CHECK_WILDCARD_ADDRESS,
	/* the backup's place */
	CHECK_BACKUP_LISTED,
	CHECK_BACKUP_ALONE,
	CHECK_BACKUP_BEST,
	CHECK_BACKUP_EQUAL,
	CHECK_BACKUP_ORDER,
	CHECK_BACKUP_PRIMARY,
	CHECK_BACKUP_APART,
	CHECK_BACKUP_NAMES,
	/* name servers */
	CHECK_NS_RECORDS,
	CHECK_NS_ADDRESS,
	CHECK_NS_ANSWER,
	CHECK_NS_LAME,
	CHECK_NS_TCP,
	CHECK_NS_EDNS,
	CHECK_NS_SERIAL,
	CHECK_NS_MX,
	CHECK_NS_VIEW,
	CHECK_NS_PARENT,
	/* what protects the way */
	CHECK_DNSSEC,
	CHECK_DNSSEC_OWN,
	CHECK_TLSA_COVER,
	CHECK_STS_RECORD,
	CHECK_STS_POLICY,
	CHECK_STS_COVER,
	CHECK_TLSRPT,
	/* SMTP */
	CHECK_SMTP_CONNECT,
	CHECK_SMTP_SESSION,
	CHECK_SMTP_NAME,
	CHECK_SMTP_PTR,
	CHECK_SMTP_STARTTLS,
	CHECK_SMTP_CERT,
	CHECK_TLSA_MATCH,
	CHECK_TLSA_ROLLOVER,
	CHECK_SMTP_NULL,
	CHECK_SMTP_POSTMASTER,
	CHECK_SMTP_RELAY,
	CHECK_BACKUP_OFFERS,
	/* --rehearse */
	CHECK_REHEARSE_MAIL,
	CHECK_REHEARSE_SPF,
	CHECK_REHEARSE_USERS,
	CHECK_REHEARSE_XCLIENT,
	CHECK_ID_MAX
};

struct check_finding {
	enum check_level level;
	enum check_id id;
	bool unknown;		/* a temporary failure: nothing is proven */
	char subject[ADDR_DOMAIN_MAX + 1];
	char text[800];		/* sentences, one line; not yet escaped */
};

struct findings {
	struct check_finding *finding;	/* in the order they were found */
	size_t n;
	bool failed;		/* out of memory: some are missing */
};

void findings_init(struct findings *f);
void findings_clear(struct findings *f);

void finding_add(struct findings *f, enum check_level level,
    enum check_id id, const char *subject, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));

/* A failure that may be ours or may pass: exit status 3, not 2. */
void finding_unknown(struct findings *f, enum check_id id,
    const char *subject, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The exit status of mx-check(1): 0 ok, 1 warning, 2 critical, 3 unknown. */
int findings_status(const struct findings *f);
/* Of two of them: a fault that is proven is worse than one that is not. */
int findings_worse(int a, int b);

const char *check_id_name(enum check_id id);
bool check_id_can(enum check_id id, enum check_level level);
const char *check_level_name(enum check_level level);

#endif
