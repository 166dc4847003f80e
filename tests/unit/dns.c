/* SPDX-License-Identifier: ISC */
/* What needs no server: names, the limits of a set. */
#include "../../lib/dns.c"

#include "tap.h"

static void
test_names(void)
{
	static const struct {
		const char *name;
		bool want;
	} t[] = {
		{ "example.org", true },
		{ "EXAMPLE.org", true },
		{ "_25._tcp.mx.example.org", true },
		{ "under_score.example", true },
		{ "4.2.0.192.in-addr.arpa", true },
		{ "org", true },
		{ "", false },
		{ ".", false },
		{ "example.org.", false },
		{ ".example.org", false },
		{ "a..b", false },
		{ "a b.example", false },
		{ "a\\032b.example", false },
		{ "a\\.b.example", false },
		{ "b\303\274cher.example", false },
		{ "192.0.2.1", false },
		{ "example.123", false },
		{ "a*.example", false },
		{ "a234567890123456789012345678901234567890123456789012345678"
		    "90123.example", true },
		{ "a2345678901234567890123456789012345678901234567890123456789"
		    "01234.example", false },
	};
	char text[300];
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		is_int(is_askable(t[i].name), t[i].want, "askable: \"%s\"",
		    t[i].name);
	for (i = 0; i < 254; i++)
		text[i] = i % 2 ? '.' : 'a';
	text[253] = '\0';
	ok(is_askable(text), "askable: 253 octets");
	(void)strlcpy(text + 253, "a", 2);
	text[252] = 'b';
	ok(!is_askable(text), "not askable: 254 octets");
}

static void
test_open(void)
{
	struct sockaddr_storage ss[RESOLV_SERVERS_MAX];
	struct dns *d;

	memset(ss, 0, sizeof(ss));
	((struct sockaddr_in *)&ss[0])->sin_family = AF_INET;
	((struct sockaddr_in *)&ss[0])->sin_addr.s_addr = htonl(0xc0000201);
	ok((d = dns_open(ss, 1, NULL)) != NULL, "one server");
	ok(!d->resolv.trust_ad, "AD of a server elsewhere is not believed");
	dns_trust_ad(d);
	ok(d->resolv.trust_ad, "but on the operator's word");
	dns_close(d);
	ok(dns_open(ss, RESOLV_SERVERS_MAX + 1, NULL) == NULL && errno == EINVAL,
	    "too many servers");
	d = dns_open(NULL, 0, "/nonexistent/resolv.conf");
	ok(d != NULL && d->resolv.trust_ad, "AD of this host is believed");
	dns_close(d);
	ok(dns_open(NULL, 0, "/") == NULL && errno == EISDIR,
	    "a file that cannot be read");
	ok(dns_open(ss, -1, NULL) == NULL && errno == EINVAL,
	    "less than none");
}

static void
test_lookup(void)
{
	struct dns_query q[3];
	struct dns *d = dns_open(NULL, 0, "/nonexistent/resolv.conf");
	int64_t began = deadline_now();
	char longest[400];

	memset(longest, 'a', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	dns_query_init(&q[0], "no name", DNS_MX);
	dns_query_init(&q[1], longest, DNS_A);
	dns_query_init(&q[2], "Example.ORG", DNS_A);
	dns_lookup(d, q, 3, deadline_in(0));
	is_int(q[0].outcome, DNS_NXDOMAIN, "what is no name does not exist");
	is_int(q[1].outcome, DNS_NXDOMAIN, "nor does what is too long");
	is_int(q[2].outcome, DNS_TEMPFAIL, "no time, no answer");
	is_str(q[2].canonical, "example.org", "the name in lower case");
	is_str(q[2].answer, "", "the answer is empty");
	ok(q[2].why[0] != '\0', "there is a reason: %s", q[2].why);
	dns_lookup(d, q, 0, deadline_in(1000));
	dns_lookup(d, q, 2, DEADLINE_NEVER);
	ok(deadline_now() - began < 500, "nobody waited");
	dns_query_clear(&q[0]);
	dns_query_clear(&q[1]);
	dns_query_clear(&q[2]);
	dns_close(d);
}

int
main(void)
{
	test_names();
	test_open();
	test_lookup();
	return done_testing();
}
