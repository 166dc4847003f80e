/* SPDX-License-Identifier: ISC */

#include <sys/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "cover.h"
#include "sts.h"
#include "tls_client.h"

#define AGE_SHORT	604800		/* a week: RFC 8461 3.2 */
#define TXT_MAX		2048

/* PREFIX.domain into OUT (ADDR_DOMAIN_MAX + 1), "" if too long. */
static void
below(char *out, const char *prefix, const char *domain)
{
	int n = snprintf(out, ADDR_DOMAIN_MAX + 1, "%s.%s", prefix, domain);

	if (n < 0 || n > ADDR_DOMAIN_MAX)
		out[0] = '\0';
}

void
cover_want_domain(struct check *c, const struct check_options *o)
{
	char name[ADDR_DOMAIN_MAX + 1];
	const char *zone = c->domain;

	if (o->validate)
		chain_want(c->asked, c->domain, DNS_MX);
	for (; zone != NULL && strchr(zone, '.') != NULL;
	    zone = asked_parent(zone))
		asked_want(c->asked, zone, DNS_DS);
	below(name, "_mta-sts", c->domain);
	asked_want(c->asked, name, DNS_TXT);
	below(name, "_smtp._tls", c->domain);
	asked_want(c->asked, name, DNS_TXT);
}

void
cover_want_hosts(struct check *c, const struct check_options *o)
{
	char name[ADDR_DOMAIN_MAX + 1];
	size_t i;

	for (i = 0; i < c->nhost; i++) {
		if (!c->host[i].sound)
			continue;
		check_tlsa_name(name, c->host[i].name);
		asked_want(c->asked, name, DNS_TLSA);
		if (!o->validate)
			continue;
		if (o->v4)
			chain_want(c->asked, c->host[i].name, DNS_A);
		if (o->v6)
			chain_want(c->asked, c->host[i].name, DNS_AAAA);
		chain_want(c->asked, name, DNS_TLSA);
	}
}

/* DNSSEC, as we have it */

static void
link_add(struct chain_link *link, size_t *n, const char *name,
    enum dns_type type)
{
	struct chain_link *l = &link[(*n)++];

	memset(l, 0, sizeof(*l));
	(void)strlcpy(l->name, name, sizeof(l->name));
	l->type = type;
}

static void
judge_link(struct check *c, const struct chain_link *l)
{
	switch (l->trust) {
	case CHAIN_UNKNOWN:
		finding_unknown(&c->found, CHECK_DNSSEC_OWN, l->name,
		    "Not verified: %s.", l->why);
		break;
	case CHAIN_SECURE:
		if (l->type == DNS_MX)
			finding_add(&c->found, CHECK_OK, CHECK_DNSSEC_OWN,
			    l->name, "Secure: we have verified the MX set "
			    "from the trust anchor down.");
		break;
	case CHAIN_INSECURE:
		finding_add(&c->found, CHECK_OK, CHECK_DNSSEC_OWN, l->name,
		    "Insecure: not signed from here on: %s.", l->why);
		break;
	case CHAIN_BOGUS:
		finding_add(&c->found, CHECK_FAIL, CHECK_DNSSEC_OWN, l->name,
		    "Bogus: %s. Senders that validate find nothing: mend the "
		    "signatures, or the DS record in the parent zone.",
		    l->why);
		break;
	}
}

#define LINKS_MAX (1 + 3 * CHECK_HOSTS_MAX)

void
cover_verify(struct check *c, const struct check_options *o, int64_t deadline)
{
	struct chain_link *link;
	char name[ADDR_DOMAIN_MAX + 1];
	size_t i, n = 0;

	if (!o->validate || !c->named)
		return;
	if ((link = calloc(LINKS_MAX, sizeof(*link))) == NULL) {
		c->found.failed = true;
		return;
	}
	link_add(link, &n, c->domain, DNS_MX);
	for (i = 0; i < c->nhost; i++) {
		check_tlsa_name(name, c->host[i].name);
		if (asked_data(c->asked, c->host[i].name, DNS_AAAA) != NULL)
			link_add(link, &n, c->host[i].name, DNS_AAAA);
		if (asked_data(c->asked, c->host[i].name, DNS_A) != NULL)
			link_add(link, &n, c->host[i].name, DNS_A);
		if (asked_data(c->asked, name, DNS_TLSA) != NULL)
			link_add(link, &n, name, DNS_TLSA);
	}
	chain_verify(c->asked, link, n, o->anchors, deadline);
	for (i = 0; i < n; i++)
		if (i == 0 || strcmp(link[i].name, link[i - 1].name) != 0 ||
		    link[i].trust != link[i - 1].trust)
			judge_link(c, &link[i]);
	free(link);
}

/* DNSSEC, as the resolver has it */

static void
judge_dnssec(struct check *c)
{
	const char *zone = c->zone != NULL ? c->zone : c->domain;
	bool ds = asked_data(c->asked, zone, DNS_DS) != NULL;

	if (c->mx->outcome != DNS_DATA && c->mx->outcome != DNS_NODATA)
		return;
	if (c->mx->secure)
		finding_add(&c->found, CHECK_OK, CHECK_DNSSEC, c->domain,
		    "Secure: the resolver has validated the MX set.");
	else if (!ds)
		finding_add(&c->found, CHECK_OK, CHECK_DNSSEC, c->domain,
		    "Insecure: the zone is not signed (no DS record in the "
		    "parent zone), so DANE is not to be had.");
	else
		finding_add(&c->found, CHECK_OK, CHECK_DNSSEC, c->domain,
		    "The zone is signed; whether as it should be, the "
		    "resolver does not say, or is not believed: -S does.");
}

/* TLSA */

static bool
is_usable(const struct dns_record *rr)
{
	struct tls_tlsa tlsa;

	if (rr->datalen < 4)
		return false;
	tlsa = (struct tls_tlsa){ rr->data[0], rr->data[1], rr->data[2],
		rr->data + 3, rr->datalen - 3 };
	return tls_tlsa_is_usable(&tlsa);
}

static bool
has_usable(const struct check_host *h)
{
	size_t i;

	for (i = 0; h->tlsa != NULL && i < h->tlsa->nrr; i++)
		if (is_usable(&h->tlsa->rr[i]))
			return true;
	return false;
}

/*
 * Nobody heeds them: the zone is known not to be signed, or the resolver does
 * validate, and has not validated these.
 */
static bool
is_unsigned(const struct check *c, const struct check_host *h)
{
	const struct dns_query *ds = asked_find(c->asked,
	    c->zone != NULL ? c->zone : c->domain, DNS_DS);

	return !h->tlsa->secure && (c->mx->secure || (ds != NULL &&
	    ds->outcome == DNS_NODATA && check_is_in_zone(c, h->name)));
}

/* One with TLSA records among the better hosts. */
static const struct check_host *
tlsa_primary(const struct check *c, const struct check_options *o)
{
	size_t i;

	for (i = 0; i < c->nhost; i++)
		if (check_is_primary(c, o, i) && has_usable(&c->host[i]))
			return &c->host[i];
	return NULL;
}

static void
judge_tlsa_host(struct check *c, size_t host, const struct check_options *o)
{
	const struct check_host *h = &c->host[host];
	const struct check_host *primary = tlsa_primary(c, o);

	if (h->tlsa == NULL)
		return;
	check_failed(c, h->name, h->tlsa);
	if (h->tlsa->nrr > 0 && !has_usable(h))
		finding_add(&c->found, CHECK_WARN, CHECK_TLSA_COVER, h->name,
		    "None of its TLSA records can be used for mail (RFC "
		    "7672): publish one that begins with 3 1 1.");
	else if (h->tlsa->nrr > 0 && is_unsigned(c, h))
		finding_add(&c->found, CHECK_WARN, CHECK_TLSA_COVER, h->name,
		    "Its TLSA record is in a zone that is not signed, so "
		    "nobody heeds it: sign that zone.");
	else if (h->tlsa->nrr > 0)
		finding_add(&c->found, CHECK_OK, CHECK_TLSA_COVER, h->name,
		    "The host has a TLSA record.");
	else if (primary != NULL && check_is_backup(c, o, host) &&
	    (h->tlsa->outcome == DNS_NODATA ||
	    h->tlsa->outcome == DNS_NXDOMAIN))
		finding_add(&c->found, CHECK_WARN, CHECK_TLSA_COVER, h->name,
		    "Senders verify the certificate of the primary %s by its "
		    "TLSA record, and that of the backup not at all: publish "
		    "one for the backup, too (-s prints it).",
		    primary->name);
}

/* TXT records */

/*
 * How many of the TXT records at NAME are of the kind; the text of the last
 * in TXT.
 */
static size_t
records_count(const struct dns_query *q, bool (*is)(const char *), char *txt)
{
	char one[TXT_MAX];
	size_t i, n = 0;

	for (i = 0; q != NULL && i < q->nrr; i++)
		if (sts_txt(one, sizeof(one), q->rr[i].data,
		    q->rr[i].datalen) && is(one)) {
			(void)strlcpy(txt, one, TXT_MAX);
			n++;
		}
	return n;
}

static void
judge_reports(struct check *c)
{
	char name[ADDR_DOMAIN_MAX + 1], txt[TXT_MAX];
	const struct dns_query *q;
	const char *why;
	size_t n;

	below(name, "_smtp._tls", c->domain);
	if ((q = asked_find(c->asked, name, DNS_TXT)) == NULL)
		return;
	check_failed(c, name, q);
	if ((n = records_count(q, sts_is_report, txt)) == 0)
		return;
	if (n > 1)
		finding_add(&c->found, CHECK_WARN, CHECK_TLSRPT, name,
		    "There are %zu TLS-RPT records, which counts as none: "
		    "leave one.", n);
	else if (!sts_report_parse(txt, &why))
		finding_add(&c->found, CHECK_WARN, CHECK_TLSRPT, name,
		    "The TLS-RPT record is not in order (%s): write "
		    "\"v=TLSRPTv1; rua=mailto:...\".", why);
	else
		finding_add(&c->found, CHECK_OK, CHECK_TLSRPT, name,
		    "The TLS-RPT record is in order.");
}

/* True if senders with MTA-STS will ask for the policy. */
static bool
judge_sts_record(struct check *c)
{
	char name[ADDR_DOMAIN_MAX + 1], txt[TXT_MAX];
	const struct dns_query *q;
	const char *why;
	size_t n;

	below(name, "_mta-sts", c->domain);
	if ((q = asked_find(c->asked, name, DNS_TXT)) == NULL)
		return false;
	check_failed(c, name, q);
	if ((n = records_count(q, sts_is_record, txt)) == 0)
		return false;
	if (n > 1)
		finding_add(&c->found, CHECK_WARN, CHECK_STS_RECORD, name,
		    "There are %zu MTA-STS records, which counts as none: "
		    "leave one.", n);
	else if (!sts_record_parse(txt, &why))
		finding_add(&c->found, CHECK_WARN, CHECK_STS_RECORD, name,
		    "The MTA-STS record is not in order (%s), which counts "
		    "as none: write \"v=STSv1; id=20260101;\".", why);
	else {
		finding_add(&c->found, CHECK_OK, CHECK_STS_RECORD, name,
		    "The MTA-STS record is in order.");
		return true;
	}
	return false;
}

/* The policy */

static void
judge_uncovered(struct check *c, size_t host, enum sts_mode mode,
    const struct check_options *o)
{
	const char *name = c->host[host].name;
	const char *who = check_is_backup(c, o, host) ? "backup" : "host";

	if (mode == STS_ENFORCE)
		finding_add(&c->found, CHECK_FAIL, CHECK_STS_COVER, name,
		    "The MTA-STS policy does not cover this %s: senders that "
		    "heed it will never deliver to it. Add \"mx: %s\" to the "
		    "policy, and change the id in the TXT record of "
		    "_mta-sts.%s.", who, name, c->domain);
	else
		finding_add(&c->found, CHECK_WARN, CHECK_STS_COVER, name,
		    "The MTA-STS policy, in testing, does not cover this %s: "
		    "add \"mx: %s\" to it before it says enforce.", who,
		    name);
}

/* An mx line of the policy that no host answers to. */
static void
judge_lines(struct check *c, const struct sts_policy *p)
{
	struct sts_policy one = { .nmx = 1 };
	size_t i, h;

	for (i = 0; i < p->nmx; i++) {
		(void)strlcpy(one.mx[0], p->mx[i], sizeof(one.mx[0]));
		for (h = 0; h < c->nhost; h++)
			if (sts_covers(&one, c->host[h].name))
				break;
		if (h == c->nhost)
			finding_add(&c->found, CHECK_WARN, CHECK_STS_POLICY,
			    p->mx[i], "The policy's line \"mx: %s\" names "
			    "none of the MX hosts: misspelt, or left over?",
			    p->mx[i]);
	}
}

static void
judge_policy(struct check *c, const struct check_options *o, bool record)
{
	struct sts_policy p;
	const char *why;
	size_t i;

	if (!sts_policy_parse(&p, o->policy, &why)) {
		finding_add(&c->found, CHECK_FAIL, CHECK_STS_POLICY,
		    c->domain, "The MTA-STS policy is not in order (%s): "
		    "mend https://mta-sts.%s/.well-known/mta-sts.txt.",
		    why, c->domain);
		return;
	}
	finding_add(&c->found, CHECK_OK, CHECK_STS_POLICY, c->domain,
	    "The MTA-STS policy is in order, its mode is %s, and it is "
	    "remembered for %lld days.", sts_mode_name(p.mode),
	    (long long)p.max_age / 86400);
	if (!record)
		finding_add(&c->found, CHECK_WARN, CHECK_STS_RECORD,
		    c->domain, "There is a policy, but no sound TXT record "
		    "at _mta-sts, so nobody asks for it: add the TXT record "
		    "\"v=STSv1; id=20260101;\" at _mta-sts.%s.", c->domain);
	if (p.mode == STS_NONE)
		return;
	if (p.max_age < AGE_SHORT)
		finding_add(&c->found, CHECK_WARN, CHECK_STS_POLICY,
		    c->domain, "The policy is remembered for %lld seconds "
		    "only: raise max_age to some weeks.",
		    (long long)p.max_age);
	for (i = 0; i < c->nhost; i++)
		if (!sts_covers(&p, c->host[i].name))
			judge_uncovered(c, i, p.mode, o);
		else if (check_is_backup(c, o, i))
			finding_add(&c->found, CHECK_OK, CHECK_STS_COVER,
			    c->host[i].name,
			    "The MTA-STS policy covers the backup.");
	judge_lines(c, &p);
}

void
cover_judge(struct check *c, const struct check_options *o)
{
	bool record;
	size_t i;

	if (c->mx == NULL || c->nhost == 0)
		return;
	judge_dnssec(c);
	for (i = 0; i < c->nhost; i++)
		judge_tlsa_host(c, i, o);
	record = judge_sts_record(c);
	if (o->policy != NULL)
		judge_policy(c, o, record);
	else if (record)
		finding_add(&c->found, CHECK_OK, CHECK_STS_POLICY, c->domain,
		    "The MTA-STS policy was not looked at: give it by -P.");
	judge_reports(c);
}
