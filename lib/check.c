/* SPDX-License-Identifier: ISC */

#include <sys/types.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "idn.h"
#include "route.h"

void
check_init(struct check *c, const char *text, struct asked *asked)
{
	const char *why;

	memset(c, 0, sizeof(*c));
	c->asked = asked;
	findings_init(&c->found);
	(void)snprintf(c->stray, sizeof(c->stray), "stray-%08x%08x",
	    arc4random(), arc4random());
	c->named = idn_to_ascii(c->domain, text, &why);
	if (c->named)
		return;
	(void)strlcpy(c->domain, text, sizeof(c->domain));
	finding_add(&c->found, CHECK_FAIL, CHECK_DOMAIN_NAME, text,
	    "Not a domain (%s): write the domain alone, as example.org.",
	    why);
}

void
check_clear(struct check *c)
{
	findings_clear(&c->found);
	c->nhost = c->nserver = 0;
	c->mx = NULL;
}

static const char *
type_name(enum dns_type type)
{
	switch (type) {
	case DNS_A:
		return "A";
	case DNS_NS:
		return "NS";
	case DNS_CNAME:
		return "CNAME";
	case DNS_SOA:
		return "SOA";
	case DNS_PTR:
		return "PTR";
	case DNS_MX:
		return "MX";
	case DNS_TXT:
		return "TXT";
	case DNS_AAAA:
		return "AAAA";
	case DNS_DS:
		return "DS";
	case DNS_DNSKEY:
		return "DNSKEY";
	case DNS_TLSA:
		break;
	}
	return "TLSA";
}

void
check_failed(struct check *c, const char *subject, const struct dns_query *q)
{
	if (q == NULL)
		return;
	if (q->outcome == DNS_BOGUS)
		finding_add(&c->found, CHECK_FAIL, CHECK_LOOKUP_BOGUS,
		    subject, "The %s lookup fails DNSSEC validation (%s)%s%s: "
		    "sign the zone anew, or mend its DS record in the parent "
		    "zone.", type_name(q->type), q->why,
		    q->extra[0] != '\0' ? " " : "", q->extra);
	else if (q->outcome == DNS_TEMPFAIL)
		finding_unknown(&c->found, CHECK_LOOKUP_TEMP, subject,
		    "The %s lookup failed for now (%s)%s%s: ask again, then "
		    "see to the resolver, and to the name servers of the "
		    "zone.",
		    type_name(q->type), q->why,
		    q->extra[0] != '\0' ? " " : "", q->extra);
}

void
check_tlsa_name(char *out, const char *name)
{
	int n = snprintf(out, ADDR_DOMAIN_MAX + 1, "_25._tcp.%s", name);

	if (n < 0 || n > ADDR_DOMAIN_MAX)
		out[0] = '\0';
}

void
check_stray_name(char *out, const struct check *c, const char *name)
{
	int n = snprintf(out, ADDR_DOMAIN_MAX + 1, "%s.%s", c->stray, name);

	if (n < 0 || n > ADDR_DOMAIN_MAX)
		out[0] = '\0';
}

bool
check_is_in_zone(const struct check *c, const char *name)
{
	const char *zone = c->zone != NULL ? c->zone : c->domain;
	size_t len = strlen(name), zlen = strlen(zone);

	return len >= zlen && strcmp(name + len - zlen, zone) == 0 &&
	    (len == zlen || name[len - zlen - 1] == '.');
}

const struct dns_record *
check_mx_missing(const struct dns_query *a, const struct dns_query *b)
{
	size_t i, k;

	for (i = 0; i < a->nrr; i++) {
		for (k = 0; k < b->nrr; k++)
			if (a->rr[i].preference == b->rr[k].preference &&
			    strcmp(a->rr[i].host, b->rr[k].host) == 0)
				break;
		if (k == b->nrr)
			return &a->rr[i];
	}
	return NULL;
}

/* The hosts of a domain */

static void
host_add(struct check *c, const char *name, int preference,
    const struct check_options *o)
{
	struct check_host *h = &c->host[c->nhost++];

	memset(h, 0, sizeof(*h));
	(void)strlcpy(h->name, name, sizeof(h->name));
	h->preference = preference;
	h->outcome = DNS_NXDOMAIN;
	h->ours = o->us != NULL && conf_is_self(o->us, name);
}

static int
record_compare(const void *a, const void *b)
{
	const struct dns_record *x = a, *y = b;

	if (x->preference != y->preference)
		return (int)x->preference - (int)y->preference;
	return strcmp(x->host, y->host);
}

static void
null_mx(struct check *c, const struct check_options *o, size_t hosts,
    int preference)
{
	if (hosts > 0)
		finding_add(&c->found, CHECK_FAIL, CHECK_NULL_MX_MIXED,
		    c->domain, "The null MX, which says that the domain takes "
		    "no mail, stands beside other hosts: remove the record "
		    "\"%s. MX %d .\".", c->domain, preference);
	else if (o->us != NULL)
		finding_add(&c->found, CHECK_FAIL, CHECK_NULL_MX, c->domain,
		    "The null MX says that the domain takes no mail: if it "
		    "shall take some, put records for the primary and, with a "
		    "greater number, for the backup in the place of "
		    "\"%s. MX %d .\".", c->domain, preference);
	else if (preference != 0)
		finding_add(&c->found, CHECK_WARN, CHECK_NULL_MX, c->domain,
		    "The null MX has preference %d: write \"%s. MX 0 .\".",
		    preference, c->domain);
	else
		finding_add(&c->found, CHECK_OK, CHECK_NULL_MX, c->domain,
		    "The null MX says that the domain takes no mail.");
}

static void
hosts_from_mx(struct check *c, const struct check_options *o)
{
	struct dns_query *q = c->mx;
	size_t i, hosts = 0;
	int null = -1;

	qsort(q->rr, q->nrr, sizeof(*q->rr), record_compare);
	for (i = 0; i < q->nrr; i++) {
		if (q->rr[i].host[0] == '\0')
			null = q->rr[i].preference;
		else if (hosts++ < CHECK_HOSTS_MAX)
			host_add(c, q->rr[i].host, q->rr[i].preference, o);
	}
	if (null != -1)
		null_mx(c, o, hosts, null);
	if (hosts > CHECK_HOSTS_MAX)
		finding_add(&c->found, CHECK_WARN, CHECK_MX_MANY, c->domain,
		    "Of %zu MX records only the first %d are looked at, and "
		    "senders stop earlier: remove some.", hosts,
		    CHECK_HOSTS_MAX);
	else if (hosts > 0)
		finding_add(&c->found, CHECK_OK, CHECK_MX_RECORDS, c->domain,
		    hosts == 1 ? "There is %zu MX record." :
		    "There are %zu MX records.", hosts);
}

static void
no_domain(struct check *c)
{
	if (strcmp(c->mx->canonical, c->domain) == 0)
		finding_add(&c->found, CHECK_FAIL, CHECK_NO_DOMAIN, c->domain,
		    "The domain does not exist in the DNS: look at its "
		    "spelling, then at its registration.");
	else
		finding_add(&c->found, CHECK_FAIL, CHECK_NO_DOMAIN, c->domain,
		    "The domain is an alias of %s, which does not exist.",
		    c->mx->canonical);
}

void
check_hosts(struct check *c, const struct check_options *o)
{
	c->mx = asked_find(c->asked, c->domain, DNS_MX);
	if (c->mx == NULL) {
		c->found.failed = c->found.failed || c->named;
		return;
	}
	switch (c->mx->outcome) {
	case DNS_DATA:
		hosts_from_mx(c, o);
		break;
	case DNS_NODATA:
		finding_add(&c->found, CHECK_WARN, CHECK_IMPLICIT_MX,
		    c->domain, "There is no MX record, so senders take the "
		    "domain itself for its only host: add an MX record for "
		    "each host, the domain itself included.");
		host_add(c, c->mx->canonical, -1, o);
		break;
	case DNS_NXDOMAIN:
		no_domain(c);
		break;
	case DNS_TEMPFAIL:
	case DNS_BOGUS:
		check_failed(c, c->domain, c->mx);
		break;
	}
}

/* Q: one question of the host, A or AAAA; or NULL. */
static void
host_answer(struct check_host *h, const struct dns_query *q,
    const struct check_options *o)
{
	size_t i;

	if (q == NULL)
		return;
	for (i = 0; i < q->nrr && h->naddr < CHECK_ADDRS_MAX; i++) {
		h->addr[h->naddr++] = q->rr[i].addr;
		if (o->us != NULL && route_is_self_addr(o->us,
		    (const struct sockaddr *)&q->rr[i].addr))
			h->ours = true;
	}
	if (q->outcome == DNS_DATA || h->outcome == DNS_NXDOMAIN)
		h->outcome = q->outcome;
	if ((q->outcome == DNS_TEMPFAIL || q->outcome == DNS_BOGUS) &&
	    h->naddr == 0)
		h->outcome = q->outcome;
}

void
check_host_answers(struct check *c, const struct check_options *o)
{
	char name[ADDR_DOMAIN_MAX + 1];
	struct check_host *h;
	size_t i;

	for (i = 0; i < c->nhost; i++) {
		h = &c->host[i];
		host_answer(h, asked_find(c->asked, h->name, DNS_AAAA), o);
		host_answer(h, asked_find(c->asked, h->name, DNS_A), o);
		check_tlsa_name(name, h->name);
		h->tlsa = asked_find(c->asked, name, DNS_TLSA);
	}
}

/* The best preference of those that are ours, or -2. */
static int
own_preference(const struct check *c)
{
	size_t i;

	for (i = 0; i < c->nhost; i++)
		if (c->host[i].ours)
			return c->host[i].preference;
	return -2;
}

bool
check_is_backup(const struct check *c, const struct check_options *o,
    size_t host)
{
	if (o->us != NULL)
		return c->host[host].ours;
	return c->host[host].preference > c->host[0].preference;
}

bool
check_is_primary(const struct check *c, const struct check_options *o,
    size_t host)
{
	if (o->us != NULL)
		return c->host[host].preference < own_preference(c);
	return c->host[host].preference == c->host[0].preference;
}
