/* SPDX-License-Identifier: ISC */

#include <sys/types.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <string.h>

#include "ipaddr.h"
#include "legal.h"

#define TTL_LONG	86400	/* seconds */

void
legal_want_domain(struct check *c)
{
	char name[ADDR_DOMAIN_MAX + 1];

	check_stray_name(name, c, c->domain);
	asked_want(c->asked, name, DNS_MX);
}

/* Names */

static bool
is_literal(const char *name)
{
	char text[ADDR_DOMAIN_MAX + 1];
	unsigned char addr[16];
	size_t len;

	len = strlcpy(text, name[0] == '[' ? name + 1 : name, sizeof(text));
	if (len > 0 && len < sizeof(text) && text[len - 1] == ']')
		text[len - 1] = '\0';
	return inet_pton(AF_INET, text, addr) == 1 ||
	    inet_pton(AF_INET6, text, addr) == 1;
}

static bool
is_listed_before(struct check *c, size_t host)
{
	const char *name = c->host[host].name;
	size_t h;

	for (h = 0; h < host; h++)
		if (strcmp(c->host[h].name, name) == 0) {
			finding_add(&c->found, CHECK_WARN, CHECK_MX_TWICE,
			    name, "The host is listed twice, with preference "
			    "%d and %d: remove the one that is not meant.",
			    c->host[h].preference, c->host[host].preference);
			return true;
		}
	return false;
}

static void
add_literal(struct check *c, const struct check_host *h, const char *addr)
{
	finding_add(&c->found, CHECK_FAIL, CHECK_MX_LITERAL, h->name,
	    "An address stands where a host name must: add \"mail.%s. %s "
	    "%s\", and change the record to \"%s. MX %d mail.%s.\".",
	    c->domain, strchr(addr, ':') != NULL ? "AAAA" : "A", addr,
	    c->domain, h->preference, c->domain);
}

/* True if the name can have addresses. */
static bool
name_is_sound(struct check *c, size_t host)
{
	const struct check_host *h = &c->host[host];
	const char *name = h->name;
	char lower[ADDR_DOMAIN_MAX + 1];

	if (is_listed_before(c, host))
		return false;
	if (is_literal(name) && legal_literal(c, h, lower)) {
		add_literal(c, h, lower);
		return false;
	}
	if (addr_domain(lower, name))
		return true;
	if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-._") ==
	    strlen(name)) {
		finding_add(&c->found, CHECK_WARN, CHECK_MX_NAME, name,
		    "Not a legal host name, and some senders refuse it: "
		    "letters, digits and hyphens only.");
		return true;
	}
	finding_add(&c->found, CHECK_FAIL, CHECK_MX_NAME, name,
	    "Not a host name: letters, digits and hyphens only.");
	return false;
}

void
legal_names(struct check *c)
{
	size_t i;

	for (i = 0; i < c->nhost; i++)
		c->host[i].sound = name_is_sound(c, i);
}

/*
 * What stands before the domain's zone in the name, if it looks like a name
 * of its own: "mx.example.org" of mx.example.org.example.org, where a final
 * dot was forgotten.  False if there is nothing of the kind.
 */
static bool
name_before_zone(const struct check *c, const char *name, char *out)
{
	const char *zone = c->zone != NULL ? c->zone : c->domain;
	size_t len = strlen(name), zlen = strlen(zone), rest;

	if (len < zlen + 2 || strcmp(name + len - zlen, zone) != 0 ||
	    name[len - zlen - 1] != '.')
		return false;
	rest = len - zlen - 1;
	memcpy(out, name, rest);
	out[rest] = '\0';
	return strchr(out, '.') != NULL;
}

static const char *
after_first_label(const char *name)
{
	const char *dot = strchr(name, '.');

	return dot != NULL ? dot + 1 : "";
}

static void
want_addrs(struct check *c, const char *name, const struct check_options *o)
{
	if (o->v4)
		asked_want(c->asked, name, DNS_A);
	if (o->v6)
		asked_want(c->asked, name, DNS_AAAA);
}

void
legal_want_hosts(struct check *c, const struct check_options *o)
{
	char name[ADDR_DOMAIN_MAX + 1];
	size_t i;

	for (i = 0; i < c->nhost; i++) {
		if (!c->host[i].sound)
			continue;
		want_addrs(c, c->host[i].name, o);
		if (name_before_zone(c, c->host[i].name, name))
			want_addrs(c, name, o);
		check_stray_name(name, c, after_first_label(c->host[i].name));
		want_addrs(c, name, o);
	}
}

static bool
has_addrs(const struct check *c, const char *name)
{
	return asked_data(c->asked, name, DNS_A) != NULL ||
	    asked_data(c->asked, name, DNS_AAAA) != NULL;
}

static bool
is_nowhere(const struct check_host *h)
{
	return h->naddr == 0 && (h->outcome == DNS_NODATA ||
	    h->outcome == DNS_NXDOMAIN);
}

bool
legal_literal(const struct check *c, const struct check_host *h, char *out)
{
	if (h->preference < 0)
		return false;
	if (is_literal(h->name))
		(void)strlcpy(out, h->name, ADDR_DOMAIN_MAX + 1);
	else if (!is_nowhere(h) || !name_before_zone(c, h->name, out) ||
	    !is_literal(out))
		return false;
	if (out[0] == '[') {
		memmove(out, out + 1, strlen(out));
		out[strcspn(out, "]")] = '\0';
	}
	return true;
}

bool
legal_meant(const struct check *c, const struct check_host *h, char *out)
{
	return is_nowhere(h) && name_before_zone(c, h->name, out) &&
	    !is_literal(out) && (check_is_in_zone(c, out) || has_addrs(c, out));
}

/*
 * "mx.example.org" in the zone example.org, or what has an address, or is
 * one.  True if that is why the host has none.
 */
static bool
judge_dot(struct check *c, const struct check_host *h)
{
	char name[ADDR_DOMAIN_MAX + 1];

	if (legal_literal(c, h, name)) {
		add_literal(c, h, name);
		return true;
	}
	if (legal_meant(c, h, name)) {
		finding_add(&c->found, CHECK_FAIL, CHECK_MX_DOT, h->name,
		    "There is no such host; the final dot was forgotten in "
		    "the zone file: write \"%s.\", with the dot.", name);
		return true;
	}
	if (name_before_zone(c, h->name, name) && check_is_in_zone(c, name))
		finding_add(&c->found, CHECK_WARN, CHECK_MX_DOT, h->name,
		    "The name has the zone's name twice: if a final dot was "
		    "forgotten in the zone file, write \"%s.\".", name);
	return false;
}

static void
judge_alias(struct check *c, const struct check_host *h)
{
	const struct dns_query *q = asked_find(c->asked, h->name, DNS_AAAA);

	if (q == NULL)
		q = asked_find(c->asked, h->name, DNS_A);
	/* Of an implicit MX it is the domain's alias, which is in order. */
	if (q == NULL || h->preference < 0 ||
	    strcmp(q->canonical, h->name) == 0)
		return;
	if (is_nowhere(h))
		finding_add(&c->found, CHECK_FAIL, CHECK_MX_ALIAS, h->name,
		    "The host is an alias (CNAME) of %s, which %s: put a host "
		    "that has an address in its place.", q->canonical,
		    h->outcome == DNS_NXDOMAIN ? "does not exist" :
		    "has no address");
	else
		finding_add(&c->found, CHECK_FAIL, CHECK_MX_ALIAS, h->name,
		    "The host is an alias (CNAME) of %s: put that name into "
		    "the MX record, \"%s. MX %d %s.\".", q->canonical,
		    c->domain, h->preference, q->canonical);
}

/* Addresses */

static size_t
of_family(const struct check_host *h, int family)
{
	size_t i, n = 0;

	for (i = 0; i < h->naddr; i++)
		if (h->addr[i].ss_family == family)
			n++;
	return n;
}

static void
judge_presence(struct check *c, const struct check_host *h)
{
	char all[CHECK_ADDRS_MAX * (INET6_ADDRSTRLEN + 2)] = "";
	char one[INET6_ADDRSTRLEN];
	size_t i;

	for (i = 0; i < h->naddr; i++) {
		if (i > 0)
			(void)strlcat(all, ", ", sizeof(all));
		(void)strlcat(all, ipaddr_print(one, &h->addr[i]),
		    sizeof(all));
	}
	if (h->naddr > 0)
		finding_add(&c->found, CHECK_OK, CHECK_MX_ADDRESS, h->name,
		    "The host has %s %s.", h->naddr == 1 ? "the address" :
		    "the addresses", all);
	else if (h->preference < 0)
		finding_add(&c->found, CHECK_FAIL, CHECK_MX_ADDRESS, h->name,
		    "The domain has neither MX record nor address, so it "
		    "gets no mail: add an MX record for each host.");
	else if (h->outcome == DNS_NODATA)
		finding_add(&c->found, CHECK_FAIL, CHECK_MX_ADDRESS, h->name,
		    "The host has no address: add an A or AAAA record for "
		    "it, or remove the MX record.");
	else if (h->outcome == DNS_NXDOMAIN)
		finding_add(&c->found, CHECK_FAIL, CHECK_MX_ADDRESS, h->name,
		    "The host does not exist: if its name is misspelt, mend "
		    "the MX record; else add an A or AAAA record for it, or "
		    "remove the MX record.");
}

static void
judge_family(struct check *c, const struct check_host *h,
    const struct check_options *o)
{
	if (h->naddr == 0 || !o->v4 || !o->v6)
		return;
	if (of_family(h, AF_INET) == 0)
		finding_add(&c->found, CHECK_WARN, CHECK_MX_FAMILY, h->name,
		    "The host has IPv6 only, and many senders have not: add "
		    "an A record.");
	else if (of_family(h, AF_INET6) == 0)
		finding_add(&c->found, CHECK_OK, CHECK_MX_FAMILY, h->name,
		    "The host has IPv4 only, which all senders have.");
	else
		finding_add(&c->found, CHECK_OK, CHECK_MX_FAMILY, h->name,
		    "The host has IPv4 and IPv6.");
}

/* Has an earlier host the same address? */
static void
judge_twice(struct check *c, size_t host, const struct sockaddr_storage *ss)
{
	char text[INET6_ADDRSTRLEN];
	size_t h, i;

	for (h = 0; h < host; h++) {
		if (strcmp(c->host[h].name, c->host[host].name) == 0)
			continue;
		for (i = 0; i < c->host[h].naddr; i++)
			if (ipaddr_same(&c->host[h].addr[i], ss)) {
				finding_add(&c->found, CHECK_WARN,
				    CHECK_ADDRESS_TWICE, c->host[host].name,
				    "The address %s is that of %s, too; they "
				    "fail together: remove one of them.",
				    ipaddr_print(text, ss), c->host[h].name);
				return;
			}
	}
}

static void
judge_addrs(struct check *c, size_t host)
{
	const struct check_host *h = &c->host[host];
	char text[INET6_ADDRSTRLEN];
	const char *what;
	size_t i;

	for (i = 0; i < h->naddr; i++) {
		if ((what = ipaddr_special(&h->addr[i])) != NULL)
			finding_add(&c->found, CHECK_FAIL,
			    CHECK_ADDRESS_SPECIAL, h->name, "The address %s "
			    "%s: publish one that the Internet can reach.",
			    ipaddr_print(text, &h->addr[i]), what);
		judge_twice(c, host, &h->addr[i]);
	}
}

static bool
has_addr(const struct dns_query *q, const struct sockaddr_storage *ss)
{
	size_t i;

	for (i = 0; q != NULL && i < q->nrr; i++)
		if (ipaddr_same(&q->rr[i].addr, ss))
			return true;
	return false;
}

/* Any name there would have that address, so a misspelt one has it too. */
static void
judge_wildcard(struct check *c, const struct check_host *h)
{
	const char *parent = after_first_label(h->name);
	char name[ADDR_DOMAIN_MAX + 1];
	size_t i;

	check_stray_name(name, c, parent);
	for (i = 0; i < h->naddr; i++)
		if (has_addr(asked_find(c->asked, name,
		    h->addr[i].ss_family == AF_INET6 ? DNS_AAAA : DNS_A),
		    &h->addr[i])) {
			finding_add(&c->found, CHECK_WARN,
			    CHECK_WILDCARD_ADDRESS, h->name, "A wildcard "
			    "gives every name in %s this address, misspelt "
			    "ones too: add records for the host itself.",
			    parent);
			return;
		}
}

static void
judge_ttl(struct check *c, const struct check_host *h)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA };
	const struct dns_query *q;
	size_t i;

	for (i = 0; i < 2; i++) {
		q = asked_data(c->asked, h->name, types[i]);
		if (q != NULL && q->rr[0].ttl > TTL_LONG) {
			finding_add(&c->found, CHECK_WARN, CHECK_TTL, h->name,
			    "The address may be remembered for %u hours, so "
			    "a change takes that long: lower the TTL to a "
			    "day at most, to 300 two days before a change.",
			    q->rr[0].ttl / 3600);
			return;
		}
	}
}

static void
judge_host(struct check *c, size_t host, const struct check_options *o)
{
	const struct check_host *h = &c->host[host];

	check_failed(c, h->name, asked_find(c->asked, h->name, DNS_AAAA));
	check_failed(c, h->name, asked_find(c->asked, h->name, DNS_A));
	judge_alias(c, h);
	if (!judge_dot(c, h))
		judge_presence(c, h);
	judge_family(c, h, o);
	judge_addrs(c, host);
	judge_wildcard(c, h);
	judge_ttl(c, h);
}

/* Wildcards */

static void
judge_wildcard_mx(struct check *c)
{
	char name[ADDR_DOMAIN_MAX + 1];
	const struct dns_query *q;

	check_stray_name(name, c, c->domain);
	if ((q = asked_data(c->asked, name, DNS_MX)) == NULL)
		return;
	if (check_mx_missing(q, c->mx) == NULL &&
	    check_mx_missing(c->mx, q) == NULL)
		finding_add(&c->found, CHECK_OK, CHECK_WILDCARD_MX, c->domain,
		    "A wildcard gives names below the domain the same MX "
		    "hosts, but not names that have records of their own.");
	else
		finding_add(&c->found, CHECK_WARN, CHECK_WILDCARD_MX,
		    c->domain, "A wildcard gives names below the domain "
		    "other MX hosts than the domain has: change both sets "
		    "together, or remove the wildcard.");
}

void
legal_judge(struct check *c, const struct check_options *o)
{
	size_t i;

	for (i = 0; i < c->nhost; i++)
		if (c->host[i].sound)
			judge_host(c, i, o);
	if (c->mx != NULL && c->mx->outcome == DNS_DATA && c->nhost > 0)
		judge_wildcard_mx(c);
}
