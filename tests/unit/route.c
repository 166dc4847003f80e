/* SPDX-License-Identifier: ISC */
/* Routes from a zone in a table: no packet is sent. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "route.h"
#include "tap.h"

/* "10 host" for MX; several records of a name and type are several lines. */
static const struct {
	const char *name;
	enum dns_type type;
	enum dns_outcome outcome;
	const char *data;
} zone[] = {
	{ "plain.test", DNS_MX, DNS_DATA, "20 mx2.backup.test" },
	{ "plain.test", DNS_MX, DNS_DATA, "10 mx1.plain.test" },
	{ "plain.test", DNS_MX, DNS_DATA, "30 mx3.plain.test" },
	{ "mx1.plain.test", DNS_A, DNS_DATA, "192.0.2.1" },
	{ "mx1.plain.test", DNS_A, DNS_DATA, "192.0.2.2" },
	{ "mx1.plain.test", DNS_AAAA, DNS_DATA, "2001:db8::1" },
	{ "mx3.plain.test", DNS_A, DNS_DATA, "192.0.2.3" },
	{ "mx2.backup.test", DNS_A, DNS_DATA, "192.0.2.20" },
	{ "equal.test", DNS_MX, DNS_DATA, "10 MX2.backup.test" },
	{ "equal.test", DNS_MX, DNS_DATA, "10 mx1.plain.test" },
	{ "best.test", DNS_MX, DNS_DATA, "5 mx2.backup.test" },
	{ "best.test", DNS_MX, DNS_DATA, "10 mx1.plain.test" },
	{ "both.test", DNS_MX, DNS_DATA, "30 mx2.backup.test" },
	{ "both.test", DNS_MX, DNS_DATA, "20 other.backup.test" },
	{ "both.test", DNS_MX, DNS_DATA, "25 mx3.plain.test" },
	{ "both.test", DNS_MX, DNS_DATA, "10 mx1.plain.test" },
	/* ourselves by an address that "self" names */
	{ "nat.test", DNS_MX, DNS_DATA, "10 mx3.plain.test" },
	{ "nat.test", DNS_MX, DNS_DATA, "20 nat.backup.test" },
	{ "nat.test", DNS_MX, DNS_DATA, "20 mx1.plain.test" },
	{ "nat.test", DNS_MX, DNS_DATA, "30 mx1.plain.test" },
	{ "nat.backup.test", DNS_A, DNS_DATA, "198.51.100.9" },
	{ "mapped.test", DNS_MX, DNS_DATA, "10 mapped.backup.test" },
	{ "mapped.backup.test", DNS_AAAA, DNS_DATA, "::ffff:198.51.100.9" },
	/* ourselves by an interface */
	{ "loop.test", DNS_MX, DNS_DATA, "10 loop.host.test" },
	{ "loop.test", DNS_MX, DNS_DATA, "5 mx3.plain.test" },
	{ "loop.host.test", DNS_A, DNS_DATA, "127.0.0.3" },
	{ "loop6.test", DNS_MX, DNS_DATA, "10 loop6.host.test" },
	{ "loop6.host.test", DNS_AAAA, DNS_DATA, "::1" },
	{ "named.test", DNS_MX, DNS_DATA, "10 loop.host.test" },
	{ "named.test", DNS_MX, DNS_DATA, "20 mx2.backup.test" },
	/* the MX records are missing, or say no */
	{ "implicit.test", DNS_MX, DNS_NODATA, "" },
	{ "implicit.test", DNS_A, DNS_DATA, "192.0.2.5" },
	{ "nothing.test", DNS_MX, DNS_NODATA, "" },
	{ "nothing.test", DNS_A, DNS_NODATA, "" },
	{ "nothing.test", DNS_AAAA, DNS_NODATA, "" },
	{ "mx2.backup.test", DNS_MX, DNS_NODATA, "" },
	{ "null.test", DNS_MX, DNS_DATA, "0 " },
	{ "nullmix.test", DNS_MX, DNS_DATA, "0 " },
	{ "nullmix.test", DNS_MX, DNS_DATA, "10 mx3.plain.test" },
	{ "temp.test", DNS_MX, DNS_TEMPFAIL, "SERVFAIL" },
	{ "bogus.test", DNS_MX, DNS_BOGUS, "signature expired" },
	{ "noaddr.test", DNS_MX, DNS_DATA, "10 nothing.test" },
	{ "gone.test", DNS_MX, DNS_DATA, "10 gone.host.test" },
	{ "tempaddr.test", DNS_MX, DNS_DATA, "10 tempaddr.host.test" },
	{ "tempaddr.host.test", DNS_A, DNS_TEMPFAIL, "SERVFAIL" },
	{ "bogusaddr.test", DNS_MX, DNS_DATA, "10 bogusaddr.host.test" },
	{ "bogusaddr.host.test", DNS_A, DNS_BOGUS, "signature expired" },
	{ "zero.test", DNS_MX, DNS_DATA, "10 zero.host.test" },
	{ "zero.host.test", DNS_A, DNS_DATA, "0.0.0.0" },
	{ "zero.host.test", DNS_A, DNS_DATA, "224.0.0.1" },
	{ "zero.host.test", DNS_A, DNS_DATA, "255.255.255.255" },
	{ "zero.host.test", DNS_AAAA, DNS_DATA, "::" },
	{ "zero.host.test", DNS_AAAA, DNS_DATA, "ff02::1" },
	/* DNSSEC: half an answer is as good, an insecure half is not */
	{ "stopped.test", DNS_MX, DNS_DATA, "10 stopped.host.test" },
	{ "stopped.host.test", DNS_A, DNS_DATA, "192.0.2.30" },
	{ "stopped.host.test", DNS_AAAA, DNS_TEMPFAIL, "SERVFAIL" },
	{ "open.test", DNS_MX, DNS_DATA, "10 open.insecure.test" },
	{ "open.insecure.test", DNS_A, DNS_DATA, "192.0.2.31" },
	{ "mx.insecure.test", DNS_MX, DNS_DATA, "10 mx3.plain.test" },
	{ "dim.test", DNS_MX, DNS_DATA, "10 gone.host.test" },
	{ "dim.test", DNS_MX, DNS_DATA, "10 dim.host.test" },
	{ "dim.host.test", DNS_A, DNS_NODATA, "" },
	{ "dim.host.test", DNS_AAAA, DNS_TEMPFAIL, "SERVFAIL" },
	/* one host has trouble, the other none */
	{ "half.test", DNS_MX, DNS_DATA, "10 tempaddr.host.test" },
	{ "half.test", DNS_MX, DNS_DATA, "20 mx3.plain.test" },
	{ "same.test", DNS_MX, DNS_DATA, "10 mx3.plain.test" },
	{ "same.test", DNS_MX, DNS_DATA, "20 twin.test" },
	{ "twin.test", DNS_A, DNS_DATA, "192.0.2.3" },
	{ "shuffle.test", DNS_MX, DNS_DATA, "10 mx3.plain.test" },
	{ "shuffle.test", DNS_MX, DNS_DATA, "10 nat.backup.test" },
	{ "literal.test", DNS_MX, DNS_DATA, "10 192.0.2.77" },
};

static int asked;	/* questions */

void
dns_query_init(struct dns_query *q, const char *name, enum dns_type type)
{
	memset(q, 0, sizeof(*q));
	(void)strlcpy(q->name, name, sizeof(q->name));
	q->type = type;
}

void
dns_query_clear(struct dns_query *q)
{
	free(q->rr);
	q->rr = NULL;
	q->nrr = 0;
}

static void
zone_answer(struct dns_query *q, const char *data)
{
	struct dns_record *rr;
	char *end;

	q->rr = reallocarray(q->rr, q->nrr + 1, sizeof(*q->rr));
	rr = &q->rr[q->nrr++];
	memset(rr, 0, sizeof(*rr));
	rr->type = q->type;
	if (q->type == DNS_MX) {
		rr->preference = (uint16_t)strtol(data, &end, 10);
		(void)strlcpy(rr->host, end + 1, sizeof(rr->host));
	} else if (q->type == DNS_A) {
		rr->addr.ss_family = AF_INET;
		inet_pton(AF_INET, data,
		    &((struct sockaddr_in *)&rr->addr)->sin_addr);
	} else {
		rr->addr.ss_family = AF_INET6;
		inet_pton(AF_INET6, data,
		    &((struct sockaddr_in6 *)&rr->addr)->sin6_addr);
	}
}

static void
zone_lookup(struct dns_query *q)
{
	size_t i, k, many = 0;
	char name[80];

	(void)strlcpy(q->canonical, q->name, sizeof(q->canonical));
	q->outcome = DNS_NXDOMAIN;
	if (q->name[0] != '\0')
		asked++;
	/* N hosts of N addresses each */
	if (sscanf(q->name, "many%zu.test", &many) == 1) {
		q->outcome = DNS_DATA;
		for (i = 0; i < many; i++) {
			snprintf(name, sizeof(name), "%zu host%zu-%zu.test",
			    10 + i, many, i);
			zone_answer(q, name);
		}
		return;
	}
	if (sscanf(q->name, "host%zu-%zu.test", &many, &k) == 2) {
		q->outcome = q->type == DNS_A ? DNS_DATA : DNS_NODATA;
		for (i = 0; q->type == DNS_A && i < many; i++) {
			snprintf(name, sizeof(name), "10.0.%zu.%zu", k, i);
			zone_answer(q, name);
		}
		return;
	}
	for (i = 0; i < sizeof(zone) / sizeof(zone[0]); i++) {
		if (strcmp(zone[i].name, q->name) != 0)
			continue;
		if (q->outcome == DNS_NXDOMAIN)
			q->outcome = DNS_NODATA;
		if (zone[i].type != q->type)
			continue;
		q->outcome = zone[i].outcome;
		if (q->outcome == DNS_DATA) {
			q->secure = strstr(q->name, "insecure") == NULL;
			zone_answer(q, zone[i].data);
		} else
			(void)strlcpy(q->why, zone[i].data, sizeof(q->why));
	}
}

void
dns_lookup(struct dns *d, struct dns_query *q, size_t n, int64_t deadline)
{
	(void)d;
	(void)deadline;
	while (n-- > 0)
		zone_lookup(q++);
}

static void
conf_make(struct conf *c)
{
	conf_init(c);
	(void)strlcpy(c->hostname, "mx2.backup.test", sizeof(c->hostname));
	c->port = 25;
	(void)strlcpy(c->self_name[0], "other.backup.test",
	    sizeof(c->self_name[0]));
	c->nself_name = 1;
	memset(&c->self_addr[0], 0, sizeof(c->self_addr[0]));
	c->self_addr[0].ss_family = AF_INET;
	inet_pton(AF_INET, "198.51.100.9",
	    &((struct sockaddr_in *)&c->self_addr[0])->sin_addr);
	c->nself_addr = 1;
}

/* The addresses of a route, in order; or its reason. */
static const char *
route_text(const struct route *r)
{
	static char text[8192];
	char one[ROUTE_ADDR_TEXT];
	size_t i;

	text[0] = '\0';
	if (r->kind == ROUTE_UNROUTABLE) {
		snprintf(text, sizeof(text), "(%s)", r->why);
		return text;
	}
	for (i = 0; i < r->naddr; i++) {
		if (i > 0)
			(void)strlcat(text, " ", sizeof(text));
		(void)strlcat(text, route_addr_print(one, &r->addr[i].addr),
		    sizeof(text));
	}
	return text;
}

static void
test_mx(void)
{
	static const struct {
		const char *domain;
		int port;
		const char *want;
	} t[] = {
		{ "both.test", 25,
		    "[2001:db8::1]:25 192.0.2.1:25 192.0.2.2:25" },
		{ "equal.test", 25,
		    "(no host of equal.test is better than ourselves)" },
		{ "best.test", 25,
		    "(no host of best.test is better than ourselves)" },
		{ "nat.test", 25, "192.0.2.3:25" },
		{ "mapped.test", 25,
		    "(no host of mapped.test is better than ourselves)" },
		{ "loop.test", 25, "192.0.2.3:25" },
		{ "loop6.test", 25,
		    "(no host of loop6.test is better than ourselves)" },
		{ "loop.test", 2525, "192.0.2.3:2525 127.0.0.3:2525" },
		{ "loop6.test", 2525, "[::1]:2525" },
		{ "named.test", 25, "127.0.0.3:25" },
		{ "implicit.test", 25, "192.0.2.5:25" },
		{ "mx2.backup.test", 25,
		    "(no host of mx2.backup.test is better than ourselves)" },
		{ "nothing.test", 25, "(nothing.test has no address)" },
		{ "null.test", 25, "(null MX: the domain takes no mail)" },
		{ "nullmix.test", 25, "192.0.2.3:25" },
		{ "none.test", 25, "(none.test does not exist in the DNS)" },
		{ "temp.test", 25, "(MX of temp.test: SERVFAIL)" },
		{ "bogus.test", 25,
		    "(MX of bogus.test: bogus, signature expired)" },
		{ "noaddr.test", 25, "(nothing.test has no address)" },
		{ "gone.test", 25, "(gone.host.test does not exist)" },
		{ "tempaddr.test", 25,
		    "(address of tempaddr.host.test: SERVFAIL)" },
		{ "bogusaddr.test", 25, "(address of bogusaddr.host.test: "
		    "bogus, signature expired)" },
		{ "zero.test", 25, "(zero.host.test has no usable address)" },
		{ "half.test", 25, "192.0.2.3:25" },
		{ "same.test", 25, "192.0.2.3:25" },
	};
	static struct conf c;
	static struct route r;
	struct settings none;
	size_t i;

	memset(&none, 0, sizeof(none));
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		conf_make(&c);
		c.port = t[i].port;
		/* addresses are shuffled: a fixed order for the table */
		do
			route_find(&r, NULL, &c, &none, t[i].domain, 0);
		while (strstr(route_text(&r), "192.0.2.2:25 192.0.2.1:25") ||
		    strstr(route_text(&r), "192.0.2.2:25 [") ||
		    strstr(route_text(&r), "1]:25 192.0.2.2:25"));
		is_str(route_text(&r), t[i].want, "%s, port %d", t[i].domain,
		    t[i].port);
	}
}

/* What a verdict may rest on, and what is only for now. */
static void
test_lacks(void)
{
	static const struct {
		const char *domain;
		enum route_lack want;
	} t[] = {
		{ "none.test", ROUTE_LACK_DOMAIN },
		{ "null.test", ROUTE_LACK_MX },
		{ "best.test", ROUTE_LACK_BETTER },
		{ "mapped.test", ROUTE_LACK_BETTER },
		{ "mx2.backup.test", ROUTE_LACK_BETTER },
		{ "nothing.test", ROUTE_LACK_ADDRESS },
		{ "noaddr.test", ROUTE_LACK_ADDRESS },
		{ "gone.test", ROUTE_LACK_ADDRESS },
		{ "zero.test", ROUTE_LACK_ADDRESS },
		{ "temp.test", ROUTE_LACK_ANSWER },
		{ "bogus.test", ROUTE_LACK_ANSWER },
		{ "tempaddr.test", ROUTE_LACK_ANSWER },
		{ "bogusaddr.test", ROUTE_LACK_ANSWER },
		{ "dim.test", ROUTE_LACK_ANSWER },
	};
	static struct conf c;
	static struct route r;
	static struct settings set;

	conf_make(&c);
	for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		route_find(&r, NULL, &c, &set, t[i].domain, 0);
		is_int(r.lack, t[i].want, "%s lacks", t[i].domain);
	}
	set.nroute = 1;
	(void)strlcpy(set.route[0].host, "gone.host.test",
	    sizeof(set.route[0].host));
	route_find(&r, NULL, &c, &set, "plain.test", 0);
	is_int(r.kind, ROUTE_UNROUTABLE, "a route that leads nowhere");
	is_int(r.lack, ROUTE_LACK_ANSWER, "is no verdict");
}

static void
test_fields(void)
{
	static struct conf c;
	static struct route r;
	struct settings none;

	memset(&none, 0, sizeof(none));
	conf_make(&c);
	route_find(&r, NULL, &c, &none, "plain.test", 0);
	is_int(r.kind, ROUTE_FOUND, "plain.test: found");
	is_int(r.nhost, 1, "plain.test: one host is better");
	is_str(r.host[0].name, "mx1.plain.test", "its name");
	is_int(r.host[0].preference, 10, "its preference");
	is_int(r.host[0].outcome, DNS_DATA, "its addresses");
	ok(r.secure && r.host[0].secure, "all of it is secure");
	is_str(r.host[0].canonical, "mx1.plain.test", "no alias");
	is_str(r.alias_of, "", "nor the domain");
	is_int(r.host[0].port, c.port, "its port");
	is_int(r.addr[0].host, 0, "the first address is its");
	is_int(r.addr[0].len, sizeof(struct sockaddr_in6), "length, v6");
	is_int(r.addr[1].len, sizeof(struct sockaddr_in), "length, v4");
	route_find(&r, NULL, &c, &none, "half.test", 0);
	is_int(r.nhost, 2, "half.test: both hosts are there");
	is_int(r.host[0].outcome, DNS_TEMPFAIL, "one for want of an answer");
	ok(!r.host[0].secure, "which is not secure");
	is_int(r.addr[0].host, 1, "the address is that of the other");
	route_find(&r, NULL, &c, &none, "implicit.test", 0);
	is_int(r.host[0].preference, -1, "implicit: no preference");
	ok(!r.secure, "implicit: AD was not there for the MX");
	ok(r.host[0].secure, "but for its address");
	route_find(&r, NULL, &c, &none, "stopped.test", 0);
	ok(r.secure && r.host[0].secure,
	    "stopped.test: who stops one answer does not undo another");
	route_find(&r, NULL, &c, &none, "open.test", 0);
	ok(r.secure && !r.host[0].secure, "open.test: insecure addresses");
	route_find(&r, NULL, &c, &none, "mx.insecure.test", 0);
	ok(!r.secure && r.host[0].secure, "mx.insecure.test: insecure MX");
	asked = 0;
	route_find(&r, NULL, &c, &none, "literal.test", 0);
	is_int(r.kind, ROUTE_UNROUTABLE, "an address is no MX host");
}

static void
test_limits(void)
{
	static struct conf c;
	static struct route r;
	struct settings none;
	size_t seen[2] = { 0, 0 }, i;

	memset(&none, 0, sizeof(none));
	conf_make(&c);
	route_find(&r, NULL, &c, &none, "many30.test", 0);
	is_int(r.nhost, ROUTE_HOSTS_MAX, "hosts are bounded");
	is_int(r.naddr, 2 * ROUTE_HOSTS_MAX, "two addresses of each");
	is_int(r.host[19].preference, 29, "the best of them");
	route_find(&r, NULL, &c, &none, "many10.test", 0);
	is_int(r.naddr, ROUTE_ADDRS_MAX, "addresses are bounded");
	is_int(r.addr[49].host, 9, "each host has its share");
	c.nself_addr = 0;
	for (i = 0; i < 200; i++) {
		route_find(&r, NULL, &c, &none, "shuffle.test", 0);
		seen[strcmp(r.host[0].name, "mx3.plain.test") == 0]++;
	}
	ok(seen[0] > 50 && seen[1] > 50, "equals are shuffled (%zu, %zu)",
	    seen[0], seen[1]);
}

static void
test_route(void)
{
	static struct conf c;
	static struct route r;
	struct settings s;

	memset(&s, 0, sizeof(s));
	conf_make(&c);
	(void)strlcpy(s.route[0].host, "127.0.0.1", sizeof(s.route[0].host));
	s.route[0].port = 2526;
	(void)strlcpy(s.route[1].host, "mx3.plain.test",
	    sizeof(s.route[1].host));
	(void)strlcpy(s.route[2].host, "2001:db8::7",
	    sizeof(s.route[2].host));
	s.nroute = 3;
	asked = 0;
	route_find(&r, NULL, &c, &s, "null.test", 0);
	is_str(route_text(&r), "127.0.0.1:2526 192.0.2.3:25 "
	    "[2001:db8::7]:25", "route is instead of the MX, in its order");
	is_int(asked, 2, "numbers are not looked up, nor the domain");
	is_int(r.host[0].outcome, DNS_DATA, "a number has an address");
	s.nroute = 1;
	asked = 0;
	(void)strlcpy(s.route[0].host, "198.51.100.9",
	    sizeof(s.route[0].host));
	s.route[0].port = 0;
	route_find(&r, NULL, &c, &s, "plain.test", 0);
	is_int(r.kind, ROUTE_UNROUTABLE, "our own address is no route: %s",
	    r.why);
	s.route[0].port = 2526;
	route_find(&r, NULL, &c, &s, "plain.test", 0);
	is_str(route_text(&r), "198.51.100.9:2526", "but on another port");
	is_int(asked, 0, "and nobody was asked");
	(void)strlcpy(s.route[0].host, "none.test", sizeof(s.route[0].host));
	route_find(&r, NULL, &c, &s, "plain.test", 0);
	is_str(route_text(&r), "(none.test does not exist)",
	    "a route that does not exist");
}

static void
test_self_addr(void)
{
	static struct conf c;
	struct sockaddr_in6 sin6;
	struct sockaddr_in sin;

	conf_make(&c);
	memset(&sin, 0, sizeof(sin));
	memset(&sin6, 0, sizeof(sin6));
	sin.sin_family = AF_INET;
	sin.sin_port = htons(99);
	inet_pton(AF_INET, "198.51.100.9", &sin.sin_addr);
	ok(route_is_self_addr(&c, (struct sockaddr *)&sin), "self, v4");
	inet_pton(AF_INET, "198.51.100.8", &sin.sin_addr);
	ok(!route_is_self_addr(&c, (struct sockaddr *)&sin), "another, v4");
	sin6.sin6_family = AF_INET6;
	inet_pton(AF_INET6, "::ffff:198.51.100.9", &sin6.sin6_addr);
	ok(route_is_self_addr(&c, (struct sockaddr *)&sin6), "self, mapped");
	inet_pton(AF_INET6, "::1", &sin6.sin6_addr);
	ok(!route_is_self_addr(&c, (struct sockaddr *)&sin6), "another, v6");
}

int
main(void)
{
	test_mx();
	test_lacks();
	test_fields();
	test_limits();
	test_route();
	test_self_addr();
	return done_testing();
}
