/* SPDX-License-Identifier: ISC */

#include <sys/types.h>

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "finding.h"

#define OK	(1 << CHECK_OK)
#define WARN	(1 << CHECK_WARN)
#define FAIL	(1 << CHECK_FAIL)

/* The manual's list of checks is this table (tests/cli/mx-check-ids.t). */
static const struct id {
	const char *name;
	int levels;
} ids[CHECK_ID_MAX] = {
	[CHECK_DOMAIN_NAME] = { "domain-name", FAIL },
	[CHECK_NO_DOMAIN] = { "no-domain", FAIL },
	[CHECK_LOOKUP_TEMP] = { "lookup-temp", FAIL },
	[CHECK_LOOKUP_BOGUS] = { "lookup-bogus", FAIL },
	[CHECK_UNFINISHED] = { "unfinished", FAIL },
	[CHECK_MX_RECORDS] = { "mx-records", OK },
	[CHECK_MX_MANY] = { "mx-many", WARN },
	[CHECK_IMPLICIT_MX] = { "implicit-mx", WARN },
	[CHECK_NULL_MX] = { "null-mx", OK | WARN | FAIL },
	[CHECK_NULL_MX_MIXED] = { "null-mx-mixed", FAIL },
	[CHECK_WILDCARD_MX] = { "wildcard-mx", OK | WARN },
	[CHECK_TTL] = { "ttl", OK | WARN },
	[CHECK_MX_LITERAL] = { "mx-literal", FAIL },
	[CHECK_MX_NAME] = { "mx-name", WARN | FAIL },
	[CHECK_MX_TWICE] = { "mx-twice", WARN },
	[CHECK_MX_DOT] = { "mx-dot", WARN | FAIL },
	[CHECK_MX_ALIAS] = { "mx-alias", FAIL },
	[CHECK_MX_ADDRESS] = { "mx-address", OK | FAIL },
	[CHECK_MX_FAMILY] = { "mx-family", OK | WARN },
	[CHECK_ADDRESS_TWICE] = { "address-twice", WARN },
	[CHECK_ADDRESS_SPECIAL] = { "address-special", FAIL },
	[CHECK_WILDCARD_ADDRESS] = { "wildcard-address", WARN },
	[CHECK_BACKUP_LISTED] = { "backup-listed", OK | FAIL },
	[CHECK_BACKUP_ALONE] = { "backup-alone", FAIL },
	[CHECK_BACKUP_BEST] = { "backup-best", FAIL },
	[CHECK_BACKUP_EQUAL] = { "backup-equal", FAIL },
	[CHECK_BACKUP_ORDER] = { "backup-order", OK },
	[CHECK_BACKUP_PRIMARY] = { "backup-primary", FAIL },
	[CHECK_BACKUP_APART] = { "backup-apart", OK | WARN | FAIL },
	[CHECK_BACKUP_NAMES] = { "backup-names", OK | WARN },
	[CHECK_NS_RECORDS] = { "ns-records", OK | WARN | FAIL },
	[CHECK_NS_ADDRESS] = { "ns-address", FAIL },
	[CHECK_NS_ANSWER] = { "ns-answer", OK | FAIL },
	[CHECK_NS_LAME] = { "ns-lame", FAIL },
	[CHECK_NS_TCP] = { "ns-tcp", OK | FAIL },
	[CHECK_NS_EDNS] = { "ns-edns", OK | WARN },
	[CHECK_NS_SERIAL] = { "ns-serial", OK | WARN },
	[CHECK_NS_MX] = { "ns-mx", OK | FAIL },
	[CHECK_NS_VIEW] = { "ns-view", OK | WARN },
	[CHECK_NS_PARENT] = { "ns-parent", OK | WARN },
	[CHECK_DNSSEC] = { "dnssec", OK },
	[CHECK_DNSSEC_OWN] = { "dnssec-own", OK | FAIL },
	[CHECK_TLSA_COVER] = { "tlsa-cover", OK | WARN },
	[CHECK_STS_RECORD] = { "sts-record", OK | WARN },
	[CHECK_STS_POLICY] = { "sts-policy", OK | WARN | FAIL },
	[CHECK_STS_COVER] = { "sts-cover", OK | WARN | FAIL },
	[CHECK_TLSRPT] = { "tlsrpt", OK | WARN },
	[CHECK_SMTP_CONNECT] = { "smtp-connect", OK | FAIL },
	[CHECK_SMTP_SESSION] = { "smtp-session", OK | WARN | FAIL },
	[CHECK_SMTP_NAME] = { "smtp-name", OK | WARN | FAIL },
	[CHECK_SMTP_PTR] = { "smtp-ptr", OK | WARN },
	[CHECK_SMTP_STARTTLS] = { "smtp-starttls", OK | WARN | FAIL },
	[CHECK_SMTP_CERT] = { "smtp-cert", OK | WARN | FAIL },
	[CHECK_TLSA_MATCH] = { "tlsa-match", OK | WARN | FAIL },
	[CHECK_TLSA_ROLLOVER] = { "tlsa-rollover", OK },
	[CHECK_SMTP_NULL] = { "smtp-null", OK | WARN | FAIL },
	[CHECK_SMTP_POSTMASTER] = { "smtp-postmaster", OK | WARN | FAIL },
	[CHECK_SMTP_RELAY] = { "smtp-relay", OK | WARN | FAIL },
	[CHECK_BACKUP_OFFERS] = { "backup-offers", OK | WARN },
	[CHECK_REHEARSE_MAIL] = { "rehearse-mail", OK | WARN | FAIL },
	[CHECK_REHEARSE_SPF] = { "rehearse-spf", OK | FAIL },
	[CHECK_REHEARSE_USERS] = { "rehearse-users", OK | WARN },
	[CHECK_REHEARSE_XCLIENT] = { "rehearse-xclient", OK },
};

const char *
check_id_name(enum check_id id)
{
	return ids[id].name;
}

bool
check_id_can(enum check_id id, enum check_level level)
{
	return (ids[id].levels & 1 << level) != 0;
}

const char *
check_level_name(enum check_level level)
{
	switch (level) {
	case CHECK_OK:
		return "ok";
	case CHECK_WARN:
		return "warn";
	case CHECK_FAIL:
		break;
	}
	return "fail";
}

void
findings_init(struct findings *f)
{
	memset(f, 0, sizeof(*f));
}

void
findings_clear(struct findings *f)
{
	free(f->finding);
	findings_init(f);
}

static void __attribute__((format(printf, 5, 0)))
add(struct findings *fs, enum check_level level, enum check_id id,
    const char *subject, const char *fmt, va_list ap)
{
	struct check_finding *f;

	f = reallocarray(fs->finding, fs->n + 1, sizeof(*f));
	if (f == NULL) {
		fs->failed = true;
		return;
	}
	fs->finding = f;
	f += fs->n++;
	memset(f, 0, sizeof(*f));
	f->level = level;
	f->id = id;
	(void)strlcpy(f->subject, subject, sizeof(f->subject));
	(void)vsnprintf(f->text, sizeof(f->text), fmt, ap);
}

void
finding_add(struct findings *fs, enum check_level level, enum check_id id,
    const char *subject, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(fs, level, id, subject, fmt, ap);
	va_end(ap);
}

void
finding_unknown(struct findings *fs, enum check_id id, const char *subject,
    const char *fmt, ...)
{
	size_t n = fs->n;
	va_list ap;

	va_start(ap, fmt);
	add(fs, CHECK_FAIL, id, subject, fmt, ap);
	va_end(ap);
	if (fs->n > n)
		fs->finding[n].unknown = true;
}

int
findings_worse(int a, int b)
{
	static const int rank[] = { 0, 1, 3, 2 };

	return rank[a] > rank[b] ? a : b;
}

int
findings_status(const struct findings *fs)
{
	static const int of[] = { 0, 1, 2 };
	int status = 0;
	size_t i;

	for (i = 0; i < fs->n; i++)
		status = findings_worse(status, fs->finding[i].unknown ? 3 :
		    of[fs->finding[i].level]);
	return fs->failed ? findings_worse(status, 3) : status;
}
