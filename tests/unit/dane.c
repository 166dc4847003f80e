/* SPDX-License-Identifier: ISC */
/* TLSA records from a zone in a table: no packet is sent. */
#include <stdlib.h>
#include <strings.h>

#include "dane.h"
#include "tap.h"

#define EE	"\3\1\1abcdefghijklmnopqrstuvwxyz012345"
#define EE2	"\3\1\1Abcdefghijklmnopqrstuvwxyz012345"
#define TA	"\2\1\1abcdefghijklmnopqrstuvwxyz012345"
#define PKIX	"\1\1\1abcdefghijklmnopqrstuvwxyz012345"

static const struct {
	const char *name;
	enum dns_type type;
	enum dns_outcome outcome;
	const char *data;
	bool secure;
} zone[] = {
	{ "_25._tcp.good.test", DNS_TLSA, DNS_DATA, EE, true },
	{ "_26._tcp.good.test", DNS_TLSA, DNS_DATA, TA, true },
	{ "_25._tcp.open.test", DNS_TLSA, DNS_DATA, EE, false },
	{ "_25._tcp.bogus.test", DNS_TLSA, DNS_BOGUS, "expired", false },
	{ "_25._tcp.temp.test", DNS_TLSA, DNS_TEMPFAIL, "SERVFAIL", false },
	{ "_25._tcp.pkix.test", DNS_TLSA, DNS_DATA, PKIX, true },
	{ "_25._tcp.short.test", DNS_TLSA, DNS_DATA, "\3\1\1", true },
	{ "_25._tcp.mixed.test", DNS_TLSA, DNS_DATA, PKIX, true },
	{ "_25._tcp.mixed.test", DNS_TLSA, DNS_DATA, EE, true },
	{ "_25._tcp.mixed.test", DNS_TLSA, DNS_DATA, TA, true },
	{ "_25._tcp.mixed.test", DNS_TLSA, DNS_DATA, EE2, true },
	/* aliases */
	{ "_25._tcp.both.test", DNS_TLSA, DNS_DATA, EE, true },
	{ "_25._tcp.first.test", DNS_TLSA, DNS_DATA, EE, true },
	{ "out.test", DNS_CNAME, DNS_DATA, "none.test", true },
	{ "_25._tcp.out.test", DNS_TLSA, DNS_DATA, EE, true },
	{ "outtemp.test", DNS_CNAME, DNS_TEMPFAIL, "time", false },
	{ "_25._tcp.outtemp.test", DNS_TLSA, DNS_DATA, EE, true },
	{ "open-out.test", DNS_CNAME, DNS_DATA, "none.test", false },
	{ "_25._tcp.open-out.test", DNS_TLSA, DNS_DATA, EE, true },
};

static size_t asked;

void
dns_query_init(struct dns_query *q, const char *name, enum dns_type type)
{
	memset(q, 0, sizeof(*q));
	(void)strlcpy(q->name, name, sizeof(q->name));
	q->type = type;
	q->outcome = DNS_TEMPFAIL;
}

void
dns_query_clear(struct dns_query *q)
{
	for (size_t i = 0; i < q->nrr; i++)
		free(q->rr[i].data);
	free(q->rr);
	free(q->answer);
	q->rr = NULL;
	q->answer = NULL;
	q->nrr = 0;
}

static void
zone_answer(struct dns_query *q, const char *data)
{
	struct dns_record *rr;

	q->rr = reallocarray(q->rr, q->nrr + 1, sizeof(*q->rr));
	rr = &q->rr[q->nrr++];
	memset(rr, 0, sizeof(*rr));
	if (q->type != DNS_TLSA)
		return;
	rr->datalen = strlen(data);
	rr->data = malloc(rr->datalen);
	memcpy(rr->data, data, rr->datalen);
}

void
dns_lookup(struct dns *d, struct dns_query *q, size_t n, int64_t deadline)
{
	(void)d;
	(void)deadline;
	for (; n > 0; n--, q++) {
		asked++;
		q->answer = strdup("");
		q->outcome = DNS_NXDOMAIN;
		q->secure = true;
		for (size_t i = 0; i < sizeof(zone) / sizeof(*zone); i++) {
			if (strcmp(zone[i].name, q->name) != 0 ||
			    zone[i].type != q->type)
				continue;
			q->outcome = zone[i].outcome;
			q->secure = zone[i].secure;
			if (q->outcome == DNS_DATA)
				zone_answer(q, zone[i].data);
			else
				(void)strlcpy(q->why, zone[i].data,
				    sizeof(q->why));
		}
	}
}

static const struct {
	const char *test, *name, *canonical;
	int port;
	bool secure_name, secure_addr;
	enum dane_kind kind;
	const char *base;
	size_t ntlsa, asked;
	const char *why;
} table[] = {
	{ "all secure", "good.test", "good.test", 25, true, true,
	    DANE_USABLE, "good.test", 1, 1, "" },
	{ "another port", "good.test", "good.test", 26, true, true,
	    DANE_USABLE, "good.test", 1, 1, "" },
	{ "insecure MX", "good.test", "good.test", 25, false, true,
	    DANE_NONE, "", 0, 0, "" },
	{ "insecure addresses", "good.test", "good.test", 25, true, false,
	    DANE_NONE, "", 0, 0, "" },
	{ "insecure TLSA", "open.test", "open.test", 25, true, true,
	    DANE_NONE, "", 0, 1, "" },
	{ "no TLSA", "none.test", "none.test", 25, true, true,
	    DANE_NONE, "", 0, 1, "" },
	{ "bogus TLSA", "bogus.test", "bogus.test", 25, true, true,
	    DANE_FAILED, "", 0, 1, "TLSA of _25._tcp.bogus.test: bogus, "
	    "expired" },
	{ "TLSA lookup fails", "temp.test", "temp.test", 25, true, true,
	    DANE_FAILED, "", 0, 1, "TLSA of _25._tcp.temp.test: SERVFAIL" },
	{ "usage 1 alone", "pkix.test", "pkix.test", 25, true, true,
	    DANE_UNUSABLE, "pkix.test", 0, 1, "no TLSA record is usable" },
	{ "no data in it", "short.test", "short.test", 25, true, true,
	    DANE_UNUSABLE, "short.test", 0, 1, "no TLSA record is usable" },
	{ "usage 1 among others", "mixed.test", "mixed.test", 25, true, true,
	    DANE_USABLE, "mixed.test", 3, 1, "" },
	{ "alias, records at both", "first.test", "both.test", 25, true, true,
	    DANE_USABLE, "both.test", 1, 2, "" },
	{ "alias, records at the name", "first.test", "none.test", 25, true,
	    true, DANE_USABLE, "first.test", 1, 2, "" },
	{ "alias, failure where it leads", "first.test", "temp.test", 25,
	    true, true, DANE_FAILED, "", 0, 2,
	    "TLSA of _25._tcp.temp.test: SERVFAIL" },
	{ "alias, failure at the name only", "temp.test", "both.test", 25,
	    true, true, DANE_USABLE, "both.test", 1, 2, "" },
	{ "alias, insecure records there", "first.test", "open.test", 25,
	    true, true, DANE_USABLE, "first.test", 1, 2, "" },
	{ "alias out of DNSSEC", "out.test", "good.test", 25, true, false,
	    DANE_USABLE, "out.test", 1, 2, "" },
	{ "insecure alias", "open-out.test", "good.test", 25, true, false,
	    DANE_NONE, "", 0, 1, "" },
	{ "alias that fails", "outtemp.test", "good.test", 25, true, false,
	    DANE_FAILED, "", 0, 1, "CNAME of outtemp.test: time" },
	{ "case is no alias", "GOOD.test", "good.test", 25, true, false,
	    DANE_NONE, "", 0, 0, "" },
};
#define NTABLE (sizeof(table) / sizeof(*table))

static void
fill(struct dane_host *h, size_t i)
{
	memset(h, 0, sizeof(*h));
	h->name = table[i].name;
	h->canonical = table[i].canonical;
	h->port = table[i].port;
	h->secure_name = table[i].secure_name;
	h->secure_addr = table[i].secure_addr;
}

static void
check_one(const struct dane_host *h, size_t i)
{
	is_int(h->kind, table[i].kind, "%s", table[i].test);
	is_str(h->base, table[i].base, "its base domain");
	is_int(h->ntlsa, table[i].ntlsa, "usable records");
	is_str(h->why, table[i].why, "why");
}

static void
test_each(void)
{
	struct dane_host h;

	for (size_t i = 0; i < NTABLE; i++) {
		fill(&h, i);
		asked = 0;
		dane_find(&h, 1, NULL, 0);
		check_one(&h, i);
		is_int(asked, table[i].asked, "questions");
		dane_clear(&h, 1);
		dane_clear(&h, 1);
	}
}

static void
test_together(void)
{
	struct dane_host h[NTABLE];

	for (size_t i = 0; i < NTABLE; i++)
		fill(&h[i], i);
	dane_find(h, NTABLE, NULL, 0);
	for (size_t i = 0; i < NTABLE; i++)
		check_one(&h[i], i);
	dane_clear(h, NTABLE);
}

static void
test_order(void)
{
	struct dane_host h;
	size_t i;

	for (i = 0; table[i].ntlsa != 3; i++)
		continue;
	fill(&h, i);
	dane_find(&h, 1, NULL, 0);
	is_int(h.tlsa[0].usage, 2, "an order of their own: usage 2");
	is_mem((const char *)h.tlsa[1].data, 1, "A", 1, "then by data");
	is_mem((const char *)h.tlsa[2].data, h.tlsa[2].len, &EE[3], 32,
	    "all of it");
	dane_clear(&h, 1);
}

static void
test_route(void)
{
	static struct route r;
	struct dane_host *h;

	r.kind = ROUTE_FOUND;
	r.nhost = 2;
	r.secure = true;
	(void)strlcpy(r.host[0].name, "good.test", sizeof(r.host[0].name));
	(void)strlcpy(r.host[0].canonical, "good.test",
	    sizeof(r.host[0].canonical));
	r.host[0].port = 26;
	r.host[0].secure = true;
	r.host[1] = r.host[0];
	r.host[1].secure = false;
	h = dane_of_route(&r, NULL, 0);
	is_int(h[0].kind, DANE_USABLE, "a route's host");
	is_int(h[0].tlsa[0].usage, 2, "at its port");
	is_int(h[1].kind, DANE_NONE, "and one that is not secure");
	dane_clear(h, r.nhost);
	free(h);
	r.secure = false;
	h = dane_of_route(&r, NULL, 0);
	is_int(h[0].kind, DANE_NONE, "an insecure route");
	dane_clear(h, r.nhost);
	free(h);
}

int
main(void)
{
	test_each();
	test_together();
	test_order();
	test_route();
	return done_testing();
}
