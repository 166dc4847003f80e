/* SPDX-License-Identifier: ISC */

#include <sys/types.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <ifaddrs.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "route.h"

#define SMTP_PORT	25

/* What one search has in hand. */
struct search {
	struct route *r;
	const struct conf *conf;
	struct dns *dns;
	int64_t deadline;
	struct dns_query *q;	/* AAAA and A of each host, in pairs */
	size_t nq;
	bool by_name;		/* a name of ours is in the MX set */
	struct ifaddrs *interfaces;
};

/* Addresses */

/* An IPv4 address in IPv6 clothes is the IPv4 address. */
static void
addr_unmap(struct sockaddr_storage *ss)
{
	struct sockaddr_in6 sin6;
	struct sockaddr_in *sin = (struct sockaddr_in *)ss;

	if (ss->ss_family != AF_INET6)
		return;
	memcpy(&sin6, ss, sizeof(sin6));
	if (!IN6_IS_ADDR_V4MAPPED(&sin6.sin6_addr))
		return;
	memset(ss, 0, sizeof(*ss));
	sin->sin_family = AF_INET;
	sin->sin_port = sin6.sin6_port;
	memcpy(&sin->sin_addr, &sin6.sin6_addr.s6_addr[12], 4);
}

static bool
addr_equal(const struct sockaddr *a, const struct sockaddr *b)
{
	if (a->sa_family != b->sa_family)
		return false;
	if (a->sa_family == AF_INET)
		return ((const struct sockaddr_in *)a)->sin_addr.s_addr ==
		    ((const struct sockaddr_in *)b)->sin_addr.s_addr;
	return a->sa_family == AF_INET6 && IN6_ARE_ADDR_EQUAL(
	    &((const struct sockaddr_in6 *)a)->sin6_addr,
	    &((const struct sockaddr_in6 *)b)->sin6_addr);
}

static bool
addr_is_loopback(const struct sockaddr *a)
{
	if (a->sa_family == AF_INET)
		return ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr)
		    >> 24 == IN_LOOPBACKNET;
	return a->sa_family == AF_INET6 && IN6_IS_ADDR_LOOPBACK(
	    &((const struct sockaddr_in6 *)a)->sin6_addr);
}

/* Nobody's: connect(2) would take it for this host, or for many. */
static bool
addr_is_nobody(const struct sockaddr *a)
{
	const struct in6_addr *in6;
	in_addr_t in;

	if (a->sa_family == AF_INET) {
		in = ntohl(((const struct sockaddr_in *)a)->sin_addr.s_addr);
		return in >> 24 == 0 || in >= INADDR_UNSPEC_GROUP;
	}
	in6 = &((const struct sockaddr_in6 *)a)->sin6_addr;
	return IN6_IS_ADDR_UNSPECIFIED(in6) || IN6_IS_ADDR_MULTICAST(in6);
}

static void
addr_set_port(struct sockaddr_storage *ss, int port)
{
	if (ss->ss_family == AF_INET6)
		((struct sockaddr_in6 *)ss)->sin6_port = htons((uint16_t)port);
	else
		((struct sockaddr_in *)ss)->sin_port = htons((uint16_t)port);
}

/* True if TEXT is a numeric address; no name is looked up. */
static bool
addr_numeric(struct sockaddr_storage *ss, const char *text)
{
	struct addrinfo hints, *ai;

	memset(&hints, 0, sizeof(hints));
	hints.ai_flags = AI_NUMERICHOST;
	hints.ai_socktype = SOCK_STREAM;
	if (getaddrinfo(text, NULL, &hints, &ai) != 0)
		return false;
	memset(ss, 0, sizeof(*ss));
	memcpy(ss, ai->ai_addr, ai->ai_addrlen);
	freeaddrinfo(ai);
	addr_unmap(ss);
	return true;
}

bool
route_is_self_addr(const struct conf *c, const struct sockaddr *addr)
{
	struct sockaddr_storage ours, theirs;
	int i;

	memset(&theirs, 0, sizeof(theirs));
	if (addr->sa_family == AF_INET6)
		memcpy(&theirs, addr, sizeof(struct sockaddr_in6));
	else
		memcpy(&theirs, addr, sizeof(struct sockaddr_in));
	addr_unmap(&theirs);
	for (i = 0; i < c->nself_addr; i++) {
		ours = c->self_addr[i];
		addr_unmap(&ours);
		if (addr_equal((const struct sockaddr *)&ours,
		    (const struct sockaddr *)&theirs))
			return true;
	}
	return false;
}

char *
route_addr_print(char *buf, const struct sockaddr_storage *addr)
{
	char host[INET6_ADDRSTRLEN] = "?";
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)addr;
	const struct sockaddr_in *sin = (const struct sockaddr_in *)addr;

	if (addr->ss_family == AF_INET6) {
		inet_ntop(AF_INET6, &sin6->sin6_addr, host, sizeof(host));
		snprintf(buf, ROUTE_ADDR_TEXT, "[%s]:%u", host,
		    ntohs(sin6->sin6_port));
	} else {
		inet_ntop(AF_INET, &sin->sin_addr, host, sizeof(host));
		snprintf(buf, ROUTE_ADDR_TEXT, "%s:%u", host,
		    ntohs(sin->sin_port));
	}
	return buf;
}

/*
 * Our interfaces speak only where our names do not: the primary may well
 * live on another address of this machine.
 */
static bool
addr_is_ours(const struct search *s, const struct sockaddr_storage *ss,
    int port)
{
	const struct sockaddr *sa = (const struct sockaddr *)ss;
	const struct ifaddrs *i;

	if (port == s->conf->port && route_is_self_addr(s->conf, sa))
		return true;
	if (s->by_name)
		return false;
	if (addr_is_loopback(sa))
		return port == SMTP_PORT;
	for (i = s->interfaces; i != NULL; i = i->ifa_next)
		if (i->ifa_addr != NULL && addr_equal(i->ifa_addr, sa))
			return true;
	return false;
}

/* Hosts */

static void
unroutable(struct route *r, enum route_lack lack, const char *why)
{
	r->kind = ROUTE_UNROUTABLE;
	r->lack = lack;
	r->nhost = r->naddr = 0;
	(void)strlcpy(r->why, why, sizeof(r->why));
}

static void
host_add(struct search *s, const char *name, int preference, int port)
{
	struct route_host *h;

	if (s->r->nhost == ROUTE_HOSTS_MAX)
		return;
	h = &s->r->host[s->r->nhost];
	(void)strlcpy(h->name, name, sizeof(h->name));
	h->preference = preference;
	h->port = port;
	s->r->nhost++;
}

/* One word for a host out of those for its two kinds of address. */
static enum dns_outcome
outcome_merge(enum dns_outcome a, enum dns_outcome b)
{
	if (a == DNS_DATA || b == DNS_DATA)
		return DNS_DATA;
	if (a == DNS_BOGUS || b == DNS_BOGUS)
		return DNS_BOGUS;
	if (a == DNS_TEMPFAIL || b == DNS_TEMPFAIL)
		return DNS_TEMPFAIL;
	return a == DNS_NODATA ? a : b;
}

/*
 * An answer that failed takes nothing from one that is secure: else who can
 * stop an answer could stop DANE (RFC 7672 2.1.2).
 */
static bool
addrs_are_secure(const struct dns_query *v6, const struct dns_query *v4)
{
	if (v6->outcome != DNS_DATA && v4->outcome != DNS_DATA)
		return v6->secure && v4->secure;
	return (v6->outcome != DNS_DATA || v6->secure) &&
	    (v4->outcome != DNS_DATA || v4->secure);
}

/* Looks all hosts up that are no numbers, all at once. */
static bool
hosts_lookup(struct search *s)
{
	struct sockaddr_storage ss;
	struct route_host *h;
	struct dns_query *v6, *v4;
	size_t i, n = s->r->nhost;

	if ((s->q = calloc(2 * n, sizeof(*s->q))) == NULL)
		return false;
	s->nq = 2 * n;
	for (i = 0; i < n; i++) {
		const char *name = s->r->host[i].name;

		if (s->r->host[i].preference == -1 && addr_numeric(&ss, name))
			name = "";	/* no question, no answer */
		dns_query_init(&s->q[2 * i], name, DNS_AAAA);
		dns_query_init(&s->q[2 * i + 1], name, DNS_A);
	}
	dns_lookup(s->dns, s->q, 2 * n, s->deadline);
	for (i = 0; i < n; i++) {
		h = &s->r->host[i];
		v6 = &s->q[2 * i];
		v4 = v6 + 1;
		h->outcome = outcome_merge(v6->outcome, v4->outcome);
		h->secure = addrs_are_secure(v6, v4);
		(void)strlcpy(h->canonical, v4->outcome == DNS_DATA ?
		    v4->canonical : v6->canonical, sizeof(h->canonical));
	}
	return true;
}

static void
search_free(struct search *s)
{
	size_t i;

	for (i = 0; i < s->nq; i++)
		dns_query_clear(&s->q[i]);
	free(s->q);
	if (s->interfaces != NULL)
		freeifaddrs(s->interfaces);
}

/* Is one of the host's addresses one of ours? */
static bool
host_is_ours(const struct search *s, size_t host)
{
	struct sockaddr_storage ss;
	size_t i, k;

	for (k = 0; k < 2; k++)
		for (i = 0; i < s->q[2 * host + k].nrr; i++) {
			ss = s->q[2 * host + k].rr[i].addr;
			addr_unmap(&ss);
			if (addr_is_ours(s, &ss, s->r->host[host].port))
				return true;
		}
	return false;
}

/* The addresses to try, in order */

static void
addr_add(struct search *s, size_t host, const struct sockaddr_storage *from)
{
	struct route *r = s->r;
	struct sockaddr_storage ss = *from;
	size_t i;

	addr_unmap(&ss);
	addr_set_port(&ss, r->host[host].port);
	if (addr_is_nobody((const struct sockaddr *)&ss) ||
	    r->naddr == ROUTE_ADDRS_MAX)
		return;
	for (i = 0; i < r->naddr; i++)
		if (addr_equal((const struct sockaddr *)&ss,
		    (const struct sockaddr *)&r->addr[i].addr) &&
		    r->host[r->addr[i].host].port == r->host[host].port)
			return;
	r->addr[r->naddr].host = host;
	r->addr[r->naddr].addr = ss;
	r->addr[r->naddr].len = ss.ss_family == AF_INET6 ?
	    sizeof(struct sockaddr_in6) : sizeof(struct sockaddr_in);
	r->naddr++;
}

static void
records_shuffle(struct dns_record *rr, size_t n)
{
	struct dns_record swap;
	size_t i, k;

	for (i = n; i > 1; i--) {
		k = arc4random_uniform((uint32_t)i);
		swap = rr[i - 1];
		rr[i - 1] = rr[k];
		rr[k] = swap;
	}
}

/* v6, v4, v6, v4: neither family alone can use the caller's patience up. */
static void
host_addrs(struct search *s, size_t host, size_t most)
{
	struct dns_query *v6 = &s->q[2 * host], *v4 = v6 + 1;
	struct sockaddr_storage ss;
	size_t i, from = s->r->naddr;

	if (s->r->host[host].preference == -1 &&
	    addr_numeric(&ss, s->r->host[host].name)) {
		s->r->host[host].outcome = DNS_DATA;
		if (s->r->host[host].port != s->conf->port ||
		    !route_is_self_addr(s->conf, (struct sockaddr *)&ss))
			addr_add(s, host, &ss);
		return;
	}
	records_shuffle(v6->rr, v6->nrr);
	records_shuffle(v4->rr, v4->nrr);
	for (i = 0; i < v6->nrr || i < v4->nrr; i++) {
		if (i < v6->nrr && s->r->naddr - from < most)
			addr_add(s, host, &v6->rr[i].addr);
		if (i < v4->nrr && s->r->naddr - from < most)
			addr_add(s, host, &v4->rr[i].addr);
	}
}

/* Why none of the hosts has an address: the words of the first. */
static void
no_addresses(struct search *s)
{
	const struct route_host *h = &s->r->host[0];
	enum route_lack lack = ROUTE_LACK_ADDRESS;
	const char *why = "";
	char text[sizeof(s->r->why)];

	/* As long as one may have an address nothing is certain. */
	for (size_t i = 0; i < s->nq; i++)
		if (s->q[i].outcome == DNS_TEMPFAIL ||
		    s->q[i].outcome == DNS_BOGUS)
			lack = ROUTE_LACK_ANSWER;
	if (s->q[0].why[0] != '\0')
		why = s->q[0].why;
	else if (s->q[1].why[0] != '\0')
		why = s->q[1].why;
	switch (h->outcome) {
	case DNS_DATA:
		snprintf(text, sizeof(text), "%.200s has no usable address",
		    h->name);
		break;
	case DNS_NODATA:
		snprintf(text, sizeof(text), "%.200s has no address",
		    h->name);
		break;
	case DNS_NXDOMAIN:
		snprintf(text, sizeof(text), "%.200s does not exist",
		    h->name);
		break;
	case DNS_TEMPFAIL:
	case DNS_BOGUS:
		snprintf(text, sizeof(text), "address of %.70s: %s%s", h->name,
		    h->outcome == DNS_BOGUS ? "bogus, " : "", why);
		break;
	}
	unroutable(s->r, lack, text);
}

static void
addrs_find(struct search *s)
{
	size_t i, n = s->r->nhost, most;

	most = n > ROUTE_ADDRS_MAX / 2 ? 2 : ROUTE_ADDRS_MAX / n;
	for (i = 0; i < n; i++)
		host_addrs(s, i, most);
	s->r->kind = ROUTE_FOUND;
	if (s->r->naddr == 0)
		no_addresses(s);
}

/* The MX set */

static int
mx_compare(const void *a, const void *b)
{
	const struct dns_record *x = a, *y = b;

	return (int)x->preference - (int)y->preference;
}

static void
mx_sort(struct dns_record *rr, size_t n)
{
	size_t i, k;

	qsort(rr, n, sizeof(*rr), mx_compare);
	for (i = 0; i < n; i = k) {
		for (k = i; k < n && rr[k].preference == rr[i].preference; )
			k++;
		records_shuffle(rr + i, k - i);
	}
}

/* Hosts better than any of our names; the null MX among others is no host. */
static void
mx_take(struct search *s, const struct dns_query *mx)
{
	int own = UINT16_MAX + 1;
	size_t i;

	mx_sort(mx->rr, mx->nrr);
	for (i = 0; i < mx->nrr; i++)
		if (conf_is_self(s->conf, mx->rr[i].host) &&
		    mx->rr[i].preference < own)
			own = mx->rr[i].preference;
	s->by_name = own <= UINT16_MAX;
	for (i = 0; i < mx->nrr; i++)
		if (mx->rr[i].preference < own && mx->rr[i].host[0] != '\0')
			host_add(s, mx->rr[i].host, mx->rr[i].preference,
			    s->conf->port);
}

/*
 * A host on an address of ours is ourselves by another name: it goes, with
 * those as good and worse.
 */
static void
mx_cut(struct search *s)
{
	struct route *r = s->r;
	size_t i, k = 0;

	for (i = 0; i < r->nhost; i++) {
		if (r->host[i].preference != r->host[k].preference)
			k = i;
		if (host_is_ours(s, i))
			r->nhost = k;
	}
}

static void
mx_failed(struct route *r, const char *domain, const struct dns_query *mx)
{
	char text[sizeof(r->why)];

	if (mx->outcome == DNS_NXDOMAIN)
		snprintf(text, sizeof(text), "%.200s does not exist in the DNS",
		    domain);
	else
		snprintf(text, sizeof(text), "MX of %.70s: %s%s", domain,
		    mx->outcome == DNS_BOGUS ? "bogus, " : "", mx->why);
	unroutable(r, mx->outcome == DNS_NXDOMAIN ? ROUTE_LACK_DOMAIN :
	    ROUTE_LACK_ANSWER, text);
}

static void
find_by_mx(struct search *s, const char *domain, struct dns_query *mx)
{
	char text[sizeof(s->r->why)];

	s->r->secure = mx->secure;
	if (mx->secure && strcasecmp(mx->canonical, domain) != 0)
		(void)strlcpy(s->r->alias_of, mx->canonical,
		    sizeof(s->r->alias_of));
	if (mx->outcome == DNS_DATA)
		mx_take(s, mx);
	else if (conf_is_self(s->conf, mx->canonical))
		s->by_name = true;
	else
		host_add(s, mx->canonical, -1, s->conf->port);
	if (s->r->nhost == 0 && !s->by_name) {
		unroutable(s->r, ROUTE_LACK_MX,
		    "null MX: the domain takes no mail");
		return;
	}
	if (s->r->nhost > 0) {
		if (!hosts_lookup(s)) {
			unroutable(s->r, ROUTE_LACK_ANSWER, "out of memory");
			return;
		}
		mx_cut(s);
	}
	if (s->r->nhost == 0) {
		snprintf(text, sizeof(text),
		    "no host of %.200s is better than ourselves", domain);
		unroutable(s->r, ROUTE_LACK_BETTER, text);
	} else
		addrs_find(s);
}

static void
find_by_route(struct search *s, const struct settings *set)
{
	int i;

	s->by_name = true;	/* the operator's word: nobody here is us */
	s->r->secure = true;
	for (i = 0; i < set->nroute; i++)
		host_add(s, set->route[i].host, -1, set->route[i].port != 0 ?
		    set->route[i].port : s->conf->port);
	if (hosts_lookup(s))
		addrs_find(s);
	else
		unroutable(s->r, ROUTE_LACK_ANSWER, "out of memory");
}

void
route_find(struct route *r, struct dns *dns, const struct conf *c,
    const struct settings *set, const char *domain, int64_t deadline)
{
	struct search s = { .r = r, .conf = c, .dns = dns,
	    .deadline = deadline };
	struct dns_query mx;

	memset(r, 0, sizeof(*r));
	if (set->nroute > 0) {
		find_by_route(&s, set);
		/* The operator's slip says nothing about the domain. */
		r->lack = ROUTE_LACK_ANSWER;
		search_free(&s);
		return;
	}
	if (getifaddrs(&s.interfaces) == -1)
		s.interfaces = NULL;
	dns_query_init(&mx, domain, DNS_MX);
	dns_lookup(dns, &mx, 1, deadline);
	if (mx.outcome == DNS_DATA || mx.outcome == DNS_NODATA)
		find_by_mx(&s, domain, &mx);
	else
		mx_failed(r, domain, &mx);
	dns_query_clear(&mx);
	search_free(&s);
}

bool
route_look_up(struct route *r, struct dns *dns, int64_t deadline)
{
	struct search s = { .r = r, .dns = dns, .deadline = deadline };
	bool good = hosts_lookup(&s);

	search_free(&s);
	return good;
}
