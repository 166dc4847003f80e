/* SPDX-License-Identifier: ISC */

#include <sys/types.h>

#include <netinet/in.h>

#include <stdio.h>
#include <string.h>

#include "authority.h"
#include "ipaddr.h"

#define PORT		53
#define PARENTS_MAX	3	/* addresses of the parent's servers */
#define TTL_LONG	86400	/* seconds */
#define TTL_SHORT	60

void
authority_want_zone(struct check *c)
{
	asked_want_zone(c->asked, c->domain);
}

static const char *
parent_zone(const struct check *c)
{
	return c->zone == NULL ? NULL :
	    asked_zone(c->asked, asked_parent(c->zone));
}

static void
want_addrs(struct check *c, const char *zone, const struct check_options *o)
{
	const struct dns_query *ns;
	size_t i;

	if (zone == NULL || (ns = asked_data(c->asked, zone, DNS_NS)) == NULL)
		return;
	for (i = 0; i < ns->nrr; i++) {
		if (o->v4)
			asked_want(c->asked, ns->rr[i].host, DNS_A);
		if (o->v6)
			asked_want(c->asked, ns->rr[i].host, DNS_AAAA);
	}
}

void
authority_want_servers(struct check *c, const struct check_options *o)
{
	c->zone = asked_zone(c->asked, c->domain);
	want_addrs(c, c->zone, o);
	want_addrs(c, parent_zone(c), o);
}

/* Adds the addresses of NAME, of one type, up to MOST servers in all. */
static void
servers_add(struct check *c, const char *name, enum dns_type type, bool parent,
    size_t most)
{
	const struct dns_query *q = asked_data(c->asked, name, type);
	struct check_server *s;
	size_t i;

	for (i = 0; q != NULL && i < q->nrr && c->nserver < most; i++) {
		s = &c->server[c->nserver++];
		s->name = name;
		s->parent = parent;
		s->addr = q->rr[i].addr;
		if (type == DNS_AAAA)
			((struct sockaddr_in6 *)&s->addr)->sin6_port =
			    htons(PORT);
		else
			((struct sockaddr_in *)&s->addr)->sin_port =
			    htons(PORT);
	}
}

static void
servers_of(struct check *c, const char *zone, bool parent, size_t most)
{
	const struct dns_query *ns;
	size_t i;

	if (zone == NULL || (ns = asked_data(c->asked, zone, DNS_NS)) == NULL)
		return;
	for (i = 0; i < ns->nrr; i++)
		servers_add(c, ns->rr[i].host, DNS_A, parent, most);
	for (i = 0; i < ns->nrr; i++)
		servers_add(c, ns->rr[i].host, DNS_AAAA, parent, most);
}

void
authority_want_answers(struct check *c, const struct check_options *o)
{
	struct check_server *s;
	size_t i;

	(void)o;
	servers_of(c, c->zone, false, CHECK_SERVERS_MAX - PARENTS_MAX);
	servers_of(c, parent_zone(c), true, c->nserver + PARENTS_MAX);
	for (i = 0; i < c->nserver; i++) {
		s = &c->server[i];
		if (s->parent) {
			asked_want_at(c->asked, c->zone, DNS_NS, &s->addr,
			    false);
			continue;
		}
		asked_want_at(c->asked, c->zone, DNS_SOA, &s->addr, false);
		asked_want_at(c->asked, c->domain, DNS_MX, &s->addr, false);
		asked_want_at(c->asked, c->domain, DNS_MX, &s->addr, true);
	}
}

/* Judgements */

/* "ns1.example.org (192.0.2.1)" into BUF of SERVER_TEXT. */
#define SERVER_TEXT (ADDR_DOMAIN_MAX + INET6_ADDRSTRLEN + 4)
static const char *
server_print(char *buf, const struct check_server *s)
{
	char addr[INET6_ADDRSTRLEN];

	(void)snprintf(buf, SERVER_TEXT, "%s (%s)", s->name,
	    ipaddr_print(addr, &s->addr));
	return buf;
}

static const struct dns_query *
answer(const struct check *c, const struct check_server *s,
    enum dns_type type, bool tcp)
{
	return asked_find_at(c->asked, type == DNS_MX ? c->domain : c->zone,
	    type, &s->addr, tcp);
}

/* An answer with authority, whatever it says. */
static bool
is_answer(const struct dns_query *q)
{
	return q != NULL && q->outcome != DNS_TEMPFAIL &&
	    q->outcome != DNS_BOGUS;
}

static void
judge_list(struct check *c, const struct check_options *o)
{
	const struct dns_query *ns = asked_data(c->asked, c->zone, DNS_NS);
	const struct dns_query *a, *aaaa;
	size_t i;

	if (ns->nrr == 1)
		finding_add(&c->found, CHECK_WARN, CHECK_NS_RECORDS, c->zone,
		    "%s is the only name server; without it nobody finds "
		    "the backup: add a second one elsewhere.",
		    ns->rr[0].host);
	else
		finding_add(&c->found, CHECK_OK, CHECK_NS_RECORDS, c->zone,
		    "There are %zu name servers.", ns->nrr);
	for (i = 0; i < ns->nrr; i++) {
		a = asked_find(c->asked, ns->rr[i].host, DNS_A);
		aaaa = asked_find(c->asked, ns->rr[i].host, DNS_AAAA);
		check_failed(c, ns->rr[i].host, a);
		check_failed(c, ns->rr[i].host, aaaa);
		if (!o->v4 || !o->v6 || !is_answer(a) || !is_answer(aaaa))
			continue;
		if (a->nrr == 0 && aaaa->nrr == 0)
			finding_add(&c->found, CHECK_FAIL, CHECK_NS_ADDRESS,
			    ns->rr[i].host, "The name server has no address: "
			    "add one, or remove its NS record, here and in "
			    "the parent zone.");
	}
}

/* One that has no business with the zone, or says so. */
static void
judge_lame(struct check *c, const struct check_server *s,
    const struct dns_query *q)
{
	char text[INET6_ADDRSTRLEN];

	finding_add(&c->found, CHECK_FAIL, CHECK_NS_LAME, s->name,
	    "The name server does not serve the zone %s (%s): configure the "
	    "zone there, or remove the NS record, here and in the parent "
	    "zone.", c->zone, q->why[0] != '\0' ?
	    q->why : ipaddr_print(text, &s->addr));
}

static void
judge_silent(struct check *c, const struct check_server *s, bool tcp)
{
	char text[INET6_ADDRSTRLEN];

	(void)ipaddr_print(text, &s->addr);
	if (!tcp)
		finding_add(&c->found, CHECK_FAIL, CHECK_NS_ANSWER, s->name,
		    "The name server does not answer at %s: mend it, or "
		    "remove its NS record here and in the parent zone.",
		    text);
	else
		finding_add(&c->found, CHECK_FAIL, CHECK_NS_TCP, s->name,
		    "The name server does not answer over TCP at %s, as "
		    "long answers need: open TCP port 53.", text);
}

struct tally {			/* of addresses asked */
	size_t asked, answer, tcp, edns, nowhere;
};

static void
judge_server(struct check *c, const struct check_server *s, struct tally *t,
    bool silent, bool no_tcp)
{
	const struct dns_query *soa = answer(c, s, DNS_SOA, false);
	const struct dns_query *mx = answer(c, s, DNS_MX, false);
	const struct dns_query *tcp = answer(c, s, DNS_MX, true);
	char text[INET6_ADDRSTRLEN];

	if (soa == NULL || mx == NULL || tcp == NULL)
		return;
	t->asked++;
	if (soa->nowhere) {
		t->nowhere++;
		return;
	}
	if (!soa->heard && !mx->heard) {
		if (!silent)
			judge_silent(c, s, false);
		return;
	}
	t->answer++;
	/* What was lost on the way says nothing. */
	if (soa->heard && soa->outcome != DNS_DATA) {
		judge_lame(c, s, soa);
		return;
	}
	if (mx->heard && !is_answer(mx)) {
		judge_lame(c, s, mx);
		return;
	}
	if (tcp->heard)
		t->tcp++;
	else if (!no_tcp)
		judge_silent(c, s, true);
	if (soa->edns || mx->edns)
		t->edns++;
	else
		finding_add(&c->found, CHECK_WARN, CHECK_NS_EDNS, s->name,
		    "The name server does not know EDNS at %s, which DNSSEC "
		    "needs: update it, or what stands before it.",
		    ipaddr_print(text, &s->addr));
}

/* Over TCP, or at all; a single address says nothing of our network. */
static bool
all_are_silent(const struct check *c, bool tcp)
{
	const struct dns_query *q;
	size_t i, n = 0;

	for (i = 0; i < c->nserver; i++) {
		if (c->server[i].parent)
			continue;
		n++;
		q = answer(c, &c->server[i], DNS_MX, tcp);
		if (q != NULL && q->heard)
			return false;
		q = answer(c, &c->server[i], DNS_SOA, tcp);
		if (q != NULL && q->heard)
			return false;
	}
	return !tcp || n > 1;
}

static void
judge_answers(struct check *c)
{
	bool silent = all_are_silent(c, false);
	bool no_tcp = all_are_silent(c, true);
	struct tally t = { 0 };
	size_t i;

	for (i = 0; i < c->nserver; i++)
		if (!c->server[i].parent)
			judge_server(c, &c->server[i], &t, silent, no_tcp);
	if (t.asked == 0)
		return;
	if (silent) {
		finding_unknown(&c->found, CHECK_NS_ANSWER, c->zone,
		    "None of %zu addresses of the name servers answers us "
		    "directly: all are down, or UDP port 53 is closed "
		    "between them and this machine.", t.asked);
		return;
	}
	if (t.answer == t.asked - t.nowhere)
		finding_add(&c->found, CHECK_OK, CHECK_NS_ANSWER, c->zone,
		    t.nowhere > 0 ? "All name servers answer, %zu addresses "
		    "(%zu of another family cannot be reached from this "
		    "machine)." : "All name servers answer, %zu addresses.",
		    t.answer, t.nowhere);
	if (no_tcp)
		finding_unknown(&c->found, CHECK_NS_TCP, c->zone,
		    "None of the name servers answers us over TCP: TCP port "
		    "53 is closed there, or between them and this machine.");
	else if (t.tcp > 0 && t.tcp == t.answer)
		finding_add(&c->found, CHECK_OK, CHECK_NS_TCP, c->zone,
		    "All answer over TCP, too.");
	if (t.edns > 0 && t.edns == t.answer)
		finding_add(&c->found, CHECK_OK, CHECK_NS_EDNS, c->zone,
		    "All know EDNS.");
}

static void
judge_serial(struct check *c)
{
	const struct check_server *first = NULL;
	const struct dns_query *q, *p = NULL;
	char one[SERVER_TEXT], two[SERVER_TEXT];
	size_t i;

	for (i = 0; i < c->nserver; i++) {
		q = answer(c, &c->server[i], DNS_SOA, false);
		if (c->server[i].parent || q == NULL ||
		    q->outcome != DNS_DATA)
			continue;
		if (p == NULL) {
			first = &c->server[i];
			p = q;
		} else if (q->rr[0].serial != p->rr[0].serial) {
			finding_add(&c->found, CHECK_WARN, CHECK_NS_SERIAL,
			    c->zone, "The name servers have different "
			    "versions of the zone, %s serial %u and %s "
			    "serial %u: look why zone transfers fail, unless "
			    "you have just changed it.",
			    server_print(one, first), p->rr[0].serial,
			    server_print(two, &c->server[i]),
			    q->rr[0].serial);
			return;
		}
	}
	if (p != NULL)
		finding_add(&c->found, CHECK_OK, CHECK_NS_SERIAL, c->zone,
		    "All name servers have serial %u.", p->rr[0].serial);
}

/* True, and said, if the two sets are not the same. */
static bool
sets_differ(struct check *c, const struct check_server *s,
    const struct dns_query *q, const struct check_server *t,
    const struct dns_query *p)
{
	char one[SERVER_TEXT], two[SERVER_TEXT];
	const struct dns_record *r;

	if ((r = check_mx_missing(q, p)) != NULL) {
		const struct check_server *swap = s;

		s = t;
		t = swap;
	} else if ((r = check_mx_missing(p, q)) == NULL)
		return false;
	finding_add(&c->found, CHECK_FAIL, CHECK_NS_MX, c->domain,
	    "%s has the MX record %u %s, and %s has not: raise the serial "
	    "of the zone, and see that all of them get it.",
	    server_print(one, t), r->preference, r->host,
	    server_print(two, s));
	return true;
}

/* A resolver counts the TTL down, so that it proves to be long only. */
static void
judge_ttl(struct check *c, const struct dns_query *q)
{
	uint32_t ttl = q->rr[0].ttl;

	if (q == c->mx && ttl <= TTL_LONG)
		return;
	if (ttl > TTL_LONG)
		finding_add(&c->found, CHECK_WARN, CHECK_TTL, c->domain,
		    "The MX set may be remembered for %u hours, so a change "
		    "takes that long: lower the TTL to a day at most, to 300 "
		    "two days before a change.", ttl / 3600);
	else if (ttl < TTL_SHORT)
		finding_add(&c->found, CHECK_WARN, CHECK_TTL, c->domain,
		    "The MX set may be remembered for %u seconds only, so it "
		    "is lost with the name servers: raise the TTL to 3600.",
		    ttl);
	else
		finding_add(&c->found, CHECK_OK, CHECK_TTL, c->domain,
		    "The TTL of the MX set is %u seconds.", ttl);
}

/* What the resolver has, beside what the zone has now. */
static void
judge_view(struct check *c, const struct dns_query *q)
{
	const struct dns_record *r;

	if (c->mx->outcome != DNS_DATA && c->mx->outcome != DNS_NODATA)
		return;
	if ((r = check_mx_missing(q, c->mx)) == NULL &&
	    (r = check_mx_missing(c->mx, q)) == NULL)
		finding_add(&c->found, CHECK_OK, CHECK_NS_VIEW, c->domain,
		    "The resolver has the MX set that the name servers "
		    "have.");
	else
		finding_add(&c->found, CHECK_WARN, CHECK_NS_VIEW, c->domain,
		    "The resolver does not have the MX set of the name "
		    "servers (look at %u %s): others have the old one too, "
		    "until its TTL has passed.", r->preference, r->host);
}

static void
judge_mx(struct check *c)
{
	const struct check_server *first = NULL;
	const struct dns_query *q, *p = NULL;
	size_t i, tcp;

	/* An alias leads out of the zone: the resolver has followed it. */
	if (c->mx == NULL || strcmp(c->mx->canonical, c->domain) != 0)
		return;
	for (i = 0; i < c->nserver; i++)
		for (tcp = 0; tcp < 2; tcp++) {
			q = answer(c, &c->server[i], DNS_MX, tcp == 1);
			if (c->server[i].parent || !is_answer(q))
				continue;
			if (p == NULL) {
				p = q;
				first = &c->server[i];
			} else if (sets_differ(c, &c->server[i], q, first, p))
				return;
		}
	if (p == NULL) {
		if (c->mx->outcome == DNS_DATA)
			judge_ttl(c, c->mx);
		return;
	}
	finding_add(&c->found, CHECK_OK, CHECK_NS_MX, c->domain,
	    "All name servers have the same MX set.");
	judge_view(c, p);
	if (p->outcome == DNS_DATA)
		judge_ttl(c, p);
}

static bool
has_server(const struct dns_query *ns, const char *name)
{
	size_t i;

	for (i = 0; i < ns->nrr; i++)
		if (strcmp(ns->rr[i].host, name) == 0)
			return true;
	return false;
}

/* The delegation, as the first of the parent's servers that knows it. */
static void
judge_parent(struct check *c)
{
	const struct dns_query *ns = asked_data(c->asked, c->zone, DNS_NS);
	const struct dns_query *q = NULL;
	const char *odd = NULL;
	size_t i;

	for (i = 0; i < c->nserver; i++) {
		q = answer(c, &c->server[i], DNS_NS, false);
		if (c->server[i].parent && q != NULL &&
		    q->outcome == DNS_DATA)
			break;
	}
	if (i == c->nserver)
		return;
	for (i = 0; i < q->nrr && odd == NULL; i++)
		if (!has_server(ns, q->rr[i].host))
			odd = q->rr[i].host;
	for (i = 0; i < ns->nrr && odd == NULL; i++)
		if (!has_server(q, ns->rr[i].host))
			odd = ns->rr[i].host;
	if (odd == NULL)
		finding_add(&c->found, CHECK_OK, CHECK_NS_PARENT, c->zone,
		    "The parent zone names the same name servers.");
	else
		finding_add(&c->found, CHECK_WARN, CHECK_NS_PARENT, c->zone,
		    "The name server %s is %s: make both lists the same, at "
		    "the registrar and in the zone.", odd, has_server(q, odd) ?
		    "in the parent zone, not in the zone itself" :
		    "in the zone itself, not in the parent zone");
}

void
authority_judge(struct check *c, const struct check_options *o)
{
	if (!c->named || c->mx == NULL || c->mx->outcome == DNS_NXDOMAIN)
		return;
	if (c->zone == NULL) {
		finding_unknown(&c->found, CHECK_NS_RECORDS, c->domain,
		    "The resolver gives no name servers for the domain, so "
		    "none could be asked directly.");
		if (c->mx->outcome == DNS_DATA)
			judge_ttl(c, c->mx);
		return;
	}
	judge_list(c, o);
	judge_answers(c);
	judge_serial(c);
	judge_mx(c);
	judge_parent(c);
}
