/* SPDX-License-Identifier: ISC */

#include <sys/types.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "idn.h"
#include "route.h"

/* The registries of RFC 6890, and what must not be reached by mail. */
static const struct special {
	const char *net;
	int len;
	const char *what;
} specials[] = {
	{ "0.0.0.0",		8,	"means \"this host\"" },
	{ "10.0.0.0",		8,	"is private" },
	{ "100.64.0.0",		10,	"is shared by a carrier's customers" },
	{ "127.0.0.0",		8,	"is the sender's own" },
	{ "169.254.0.0",	16,	"is link-local" },
	{ "172.16.0.0",		12,	"is private" },
	{ "192.0.0.0",		24,	"is reserved for protocols" },
	{ "192.0.2.0",		24,	"is for documentation" },
	{ "192.168.0.0",	16,	"is private" },
	{ "198.18.0.0",		15,	"is for benchmarks" },
	{ "198.51.100.0",	24,	"is for documentation" },
	{ "203.0.113.0",	24,	"is for documentation" },
	{ "224.0.0.0",		4,	"is for multicast" },
	{ "240.0.0.0",		4,	"is reserved" },
	{ "::",			128,	"means \"this host\"" },
	{ "::1",		128,	"is the sender's own" },
	{ "::ffff:0:0",		96,	"is an IPv4 address in disguise" },
	{ "64:ff9b:1::",	48,	"is for local translation" },
	{ "100::",		64,	"is for discarding" },
	{ "2001::",		32,	"is for Teredo" },
	{ "2001:2::",		48,	"is for benchmarks" },
	{ "2001:db8::",		32,	"is for documentation" },
	{ "2002::",		16,	"is for 6to4" },
	{ "3fff::",		20,	"is for documentation" },
	{ "fc00::",		7,	"is private" },
	{ "fe80::",		10,	"is link-local" },
	{ "fec0::",		10,	"is site-local" },
	{ "ff00::",		8,	"is for multicast" },
};

/* A lookup that gave no proof, for the domain itself or for a host. */
static void
find_failed(struct check *c, const char *subject, const struct dns_query *q)
{
	const char *type = q->type == DNS_MX ? "MX" :
	    q->type == DNS_A ? "A" : "AAAA";

	if (q->outcome == DNS_BOGUS)
		finding_add(&c->found, CHECK_FAIL, CHECK_LOOKUP_BOGUS, subject,
		    "The %s lookup fails DNSSEC validation (%s).", type,
		    q->why);
	else if (q->outcome == DNS_TEMPFAIL)
		finding_unknown(&c->found, CHECK_LOOKUP_TEMP, subject,
		    "The %s lookup failed for now (%s).", type, q->why);
}

void
check_init(struct check *c, const char *text)
{
	const char *why;

	memset(c, 0, sizeof(*c));
	if (idn_to_ascii(c->domain, text, &why))
		dns_query_init(&c->mx, c->domain, DNS_MX);
	else {
		dns_query_init(&c->mx, "", DNS_MX);
		(void)strlcpy(c->domain, text, sizeof(c->domain));
		finding_add(&c->found, CHECK_FAIL, CHECK_DOMAIN_NAME, text,
		    "Not a domain (%s).", why);
	}
}

void
check_clear(struct check *c)
{
	dns_query_clear(&c->mx);
	findings_clear(&c->found);
	c->nhost = 0;
}

/* Addresses */

static bool
in_net(const struct sockaddr_storage *ss, const struct special *s)
{
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)ss;
	const struct sockaddr_in *sin = (const struct sockaddr_in *)ss;
	unsigned char net[16], mask;
	const void *p;
	int whole = s->len / 8;

	p = ss->ss_family == AF_INET6 ? (const void *)&sin6->sin6_addr :
	    (const void *)&sin->sin_addr;
	if (inet_pton(ss->ss_family, s->net, net) != 1 ||
	    memcmp(net, p, (size_t)whole) != 0)
		return false;
	if (s->len % 8 == 0)
		return true;
	mask = (unsigned char)(0xff << (8 - s->len % 8));
	return (((const unsigned char *)p)[whole] & mask) == net[whole];
}

static const char *
special(const struct sockaddr_storage *ss)
{
	size_t i;

	for (i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
		if (in_net(ss, &specials[i]))
			return specials[i].what;
	return NULL;
}

static bool
same_addr(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	const struct sockaddr_in6 *a6 = (const struct sockaddr_in6 *)a;
	const struct sockaddr_in6 *b6 = (const struct sockaddr_in6 *)b;
	const struct sockaddr_in *a4 = (const struct sockaddr_in *)a;
	const struct sockaddr_in *b4 = (const struct sockaddr_in *)b;

	if (a->ss_family != b->ss_family)
		return false;
	if (a->ss_family == AF_INET6)
		return IN6_ARE_ADDR_EQUAL(&a6->sin6_addr, &b6->sin6_addr);
	return a4->sin_addr.s_addr == b4->sin_addr.s_addr;
}

const char *
check_addr_print(char *buf, const struct sockaddr_storage *ss)
{
	const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)ss;
	const struct sockaddr_in *sin = (const struct sockaddr_in *)ss;
	const void *p = ss->ss_family == AF_INET6 ?
	    (const void *)&sin6->sin6_addr : (const void *)&sin->sin_addr;

	if (inet_ntop(ss->ss_family, p, buf, INET6_ADDRSTRLEN) == NULL)
		buf[0] = '\0';
	return buf;
}

/* Has an earlier host the same address? */
static void
check_addr_twice(struct check *c, size_t host,
    const struct sockaddr_storage *ss)
{
	char text[INET6_ADDRSTRLEN];
	size_t h, i;

	for (h = 0; h < host; h++) {
		if (strcmp(c->host[h].name, c->host[host].name) == 0)
			continue;
		for (i = 0; i < c->host[h].naddr; i++)
			if (same_addr(&c->host[h].addr[i], ss)) {
				finding_add(&c->found, CHECK_WARN, CHECK_ADDRESS_TWICE,
				    c->host[host].name,
				    "The address %s is that of %s, too.",
				    check_addr_print(text, ss),
				    c->host[h].name);
				return;
			}
	}
}

static void
check_addrs(struct check *c, size_t host)
{
	const struct check_host *h = &c->host[host];
	char text[INET6_ADDRSTRLEN];
	const char *what;
	size_t i;

	for (i = 0; i < h->naddr; i++) {
		if ((what = special(&h->addr[i])) != NULL)
			finding_add(&c->found, CHECK_FAIL, CHECK_ADDRESS_SPECIAL, h->name,
			    "The address %s %s.",
			    check_addr_print(text, &h->addr[i]), what);
		check_addr_twice(c, host, &h->addr[i]);
	}
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
hosts_from_mx(struct check *c, const struct check_options *o)
{
	struct dns_query *q = &c->mx;
	size_t i, hosts = 0;

	qsort(q->rr, q->nrr, sizeof(*q->rr), record_compare);
	for (i = 0; i < q->nrr; i++) {
		if (q->rr[i].host[0] == '\0')
			continue;
		if (hosts++ < CHECK_HOSTS_MAX)
			host_add(c, q->rr[i].host, q->rr[i].preference, o);
	}
	if (hosts == 0)
		finding_add(&c->found, o->us != NULL ? CHECK_FAIL : CHECK_WARN,
		    CHECK_NULL_MX, c->domain,
		    "The null MX says that the domain takes no mail.");
	else if (hosts < q->nrr)
		finding_add(&c->found, CHECK_FAIL, CHECK_NULL_MX_MIXED, c->domain,
		    "The null MX stands beside other MX records.");
	if (hosts > CHECK_HOSTS_MAX)
		finding_add(&c->found, CHECK_WARN, CHECK_MX_MANY, c->domain,
		    "Of %zu MX records only the first %d are looked at.",
		    hosts, CHECK_HOSTS_MAX);
	else if (hosts > 0)
		finding_add(&c->found, CHECK_OK, CHECK_MX_RECORDS, c->domain,
		    hosts == 1 ? "There is %zu MX record." :
		    "There are %zu MX records.", hosts);
}

static void
hosts_find(struct check *c, const struct check_options *o)
{
	switch (c->mx.outcome) {
	case DNS_DATA:
		hosts_from_mx(c, o);
		break;
	case DNS_NODATA:
		finding_add(&c->found, CHECK_WARN, CHECK_IMPLICIT_MX, c->domain,
		    "There is no MX record; senders take the domain itself "
		    "for its only host.");
		host_add(c, c->mx.canonical, -1, o);
		break;
	case DNS_NXDOMAIN:
		if (c->found.n > 0)	/* no domain name at all */
			break;
		if (strcmp(c->mx.canonical, c->domain) == 0)
			finding_add(&c->found, CHECK_FAIL, CHECK_NO_DOMAIN, c->domain,
			    "The domain does not exist in the DNS.");
		else
			finding_add(&c->found, CHECK_FAIL, CHECK_NO_DOMAIN, c->domain,
			    "The domain is an alias of %s, which does not "
			    "exist.", c->mx.canonical);
		break;
	case DNS_TEMPFAIL:
	case DNS_BOGUS:
		find_failed(c, c->domain, &c->mx);
		break;
	}
}

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

/* True if the name can have addresses. */
static bool
check_name(struct check *c, size_t host)
{
	const char *name = c->host[host].name;
	char lower[ADDR_DOMAIN_MAX + 1];
	size_t h;

	for (h = 0; h < host; h++)
		if (strcmp(c->host[h].name, name) == 0) {
			finding_add(&c->found, CHECK_WARN, CHECK_MX_TWICE, name,
			    "The host is listed twice, with preference %d "
			    "and %d.", c->host[h].preference,
			    c->host[host].preference);
			return false;
		}
	if (is_literal(name))
		finding_add(&c->found, CHECK_FAIL, CHECK_MX_LITERAL, name,
		    "An address stands where a host name must.");
	else if (addr_domain(lower, name))
		return true;
	else if (strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-._") ==
	    strlen(name)) {
		finding_add(&c->found, CHECK_WARN, CHECK_MX_NAME, name,
		    "Not a legal host name; some senders refuse it.");
		return true;
	} else
		finding_add(&c->found, CHECK_FAIL, CHECK_MX_NAME, name,
		    "Not a host name.");
	return false;
}

/* Q: one question of the host, A or AAAA. */
static void
host_answer(struct check_host *h, const struct dns_query *q,
    const struct check_options *o)
{
	size_t i;

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

static void
check_alias(struct check *c, const struct check_host *h,
    const struct dns_query *q)
{
	if (q == NULL)
		return;
	/* Of an implicit MX it is the domain's alias, which is in order. */
	if (h->preference >= 0 && strcmp(q->canonical, h->name) != 0)
		finding_add(&c->found, CHECK_FAIL, CHECK_MX_ALIAS, h->name,
		    "The host is an alias of %s.", q->canonical);
}

static void
check_host_addrs(struct check *c, size_t host)
{
	const struct check_host *h = &c->host[host];

	if (h->naddr > 0)
		finding_add(&c->found, CHECK_OK, CHECK_MX_ADDRESS, h->name,
		    h->naddr == 1 ? "The host has %zu address." :
		    "The host has %zu addresses.", h->naddr);
	else if (h->outcome == DNS_NODATA)
		finding_add(&c->found, CHECK_FAIL, CHECK_MX_ADDRESS, h->name,
		    "The host has no address.");
	else if (h->outcome == DNS_NXDOMAIN)
		finding_add(&c->found, CHECK_FAIL, CHECK_MX_ADDRESS, h->name,
		    "The host does not exist.");
	check_addrs(c, host);
}

/* Our place among them */

static void
check_backup(struct check *c, const struct check_options *o)
{
	const char *name = o->us->hostname;
	size_t i, better = 0, equal = 0, worse = 0;
	int own = -2;

	for (i = c->nhost; i-- > 0; )
		if (c->host[i].ours) {
			own = c->host[i].preference;
			name = c->host[i].name;
		}
	if (own == -2) {
		finding_add(&c->found, CHECK_FAIL, CHECK_BACKUP_LISTED, name,
		    "The backup is not among the MX hosts.");
		return;
	}
	for (i = 0; i < c->nhost; i++) {
		if (c->host[i].ours)
			continue;
		if (c->host[i].preference < own)
			better++;
		else if (c->host[i].preference == own)
			equal++;
		else
			worse++;
	}
	if (better > 0)
		finding_add(&c->found, CHECK_OK, CHECK_BACKUP_LISTED, name,
		    better == 1 ? "%zu host is better than the backup." :
		    "%zu hosts are better than the backup.", better);
	else if (equal > 0)
		finding_add(&c->found, CHECK_FAIL, CHECK_BACKUP_EQUAL, name,
		    "The backup has the best preference (%d) together with "
		    "others, and may hand its mail to nobody.", own);
	else if (worse > 0)
		finding_add(&c->found, CHECK_FAIL, CHECK_BACKUP_BEST, name,
		    "The backup has the best preference (%d), before the "
		    "others.", own);
	else
		finding_add(&c->found, CHECK_FAIL, CHECK_BACKUP_ALONE, name,
		    "The backup is the only MX host.");
}

/* The addresses of all hosts of all domains, each asked for once */

static int
query_compare(const void *a, const void *b)
{
	const struct dns_query *x = a, *y = b;
	int cmp = strcmp(x->name, y->name);

	return cmp != 0 ? cmp : (int)x->type - (int)y->type;
}

static struct dns_query *
query_find(struct dns_query *q, size_t n, const char *name,
    enum dns_type type)
{
	struct dns_query key;

	memset(&key, 0, sizeof(key));
	key.type = type;
	if (strlcpy(key.name, name, sizeof(key.name)) >= sizeof(key.name))
		return NULL;
	return n == 0 ? NULL : bsearch(&key, q, n, sizeof(*q), query_compare);
}

static struct dns_query *
queries_build(struct check *c, size_t nc, const struct check_options *o,
    size_t *n)
{
	struct dns_query *q;
	size_t i, k, all = 0;

	for (i = 0; i < nc; i++)
		all += 2 * c[i].nhost;
	*n = 0;
	if ((q = calloc(all + 1, sizeof(*q))) == NULL)
		return NULL;
	for (i = all = 0; i < nc; i++)
		for (k = 0; k < c[i].nhost; k++) {
			if (o->v4)
				dns_query_init(&q[all++], c[i].host[k].name,
				    DNS_A);
			if (o->v6)
				dns_query_init(&q[all++], c[i].host[k].name,
				    DNS_AAAA);
		}
	qsort(q, all, sizeof(*q), query_compare);
	for (i = 0; i < all; i++)
		if (*n == 0 || query_compare(&q[*n - 1], &q[i]) != 0)
			q[(*n)++] = q[i];
	return q;
}

static void
check_host(struct check *c, size_t host, struct dns_query *q, size_t n,
    const struct check_options *o)
{
	struct check_host *h = &c->host[host];
	const struct dns_query *of[2];
	size_t i;
	bool named;

	h->outcome = DNS_NXDOMAIN;
	named = check_name(c, host);
	of[0] = query_find(q, n, h->name, DNS_AAAA);
	of[1] = query_find(q, n, h->name, DNS_A);
	for (i = 0; i < 2; i++)
		if (of[i] != NULL) {
			host_answer(h, of[i], o);
			if (named)
				find_failed(c, h->name, of[i]);
		}
	if (named) {
		check_alias(c, h, of[0] != NULL ? of[0] : of[1]);
		check_host_addrs(c, host);
	}
}

void
check_run(struct check *c, size_t n, struct dns *d,
    const struct check_options *o, int64_t deadline)
{
	struct dns_query *q;
	size_t i, k, nq;

	if ((q = calloc(n + 1, sizeof(*q))) == NULL)
		goto fail;
	for (i = 0; i < n; i++)
		q[i] = c[i].mx;
	dns_lookup(d, q, n, deadline);
	for (i = 0; i < n; i++) {
		c[i].mx = q[i];
		hosts_find(&c[i], o);
	}
	free(q);
	if ((q = queries_build(c, n, o, &nq)) == NULL)
		goto fail;
	dns_lookup(d, q, nq, deadline);
	for (i = 0; i < n; i++) {
		for (k = 0; k < c[i].nhost; k++)
			check_host(&c[i], k, q, nq, o);
		if (o->us != NULL && c[i].nhost > 0)
			check_backup(&c[i], o);
	}
	for (i = 0; i < nq; i++)
		dns_query_clear(&q[i]);
	free(q);
	return;
fail:
	for (i = 0; i < n; i++)
		c[i].found.failed = true;
}
