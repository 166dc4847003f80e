/* SPDX-License-Identifier: ISC */
/* What is wanted of servers; no packet is sent. */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "tap.h"
#include "tls_policy.h"

#define PEER	"mx.test [192.0.2.1]:25"
#define OTHER	"other.test [192.0.2.2]:25"
#define DANE	"TLSv1.3 TLS_AES_256_GCM_SHA384 dane-ee"
#define PIN	"TLSv1.2 ECDHE-RSA-AES128-GCM-SHA256 pin"
#define ANY	"TLSv1.3 TLS_AES_256_GCM_SHA384 none"
#define DAY	86400

static void
test_less(void)
{
	static const struct {
		const char *test, *best, *peer, *text;
		enum conf_tls policy;
		time_t now;
		bool less;
		const char *then;
	} t[] = {
		{ "the first", "", PEER, DANE, CONF_TLS_DANE, 1000, false,
		    "1000 mx.test " DANE },
		{ "clear text from the first", "", PEER, "none",
		    CONF_TLS_MAY, 1000, false, "" },
		{ "as good", "1000 mx.test " DANE, PEER, DANE, CONF_TLS_DANE,
		    2000, false, "2000 mx.test " DANE },
		{ "known by DANE, now by nothing", "1000 mx.test " DANE, PEER,
		    ANY, CONF_TLS_DANE, 2000, true, "1000 mx.test " DANE },
		{ "now in clear", "1000 mx.test " ANY, PEER, "none",
		    CONF_TLS_MAY, 2000, true, "1000 mx.test " ANY },
		{ "better", "1000 mx.test " ANY, PEER, DANE, CONF_TLS_DANE,
		    2000, false, "2000 mx.test " DANE },
		{ "another way to know it", "1000 mx.test " DANE, PEER, PIN,
		    CONF_TLS_PIN, 2000, false, "2000 mx.test " PIN },
		{ "31 days later", "1000 mx.test " DANE, PEER, ANY,
		    CONF_TLS_DANE, 1000 + 31 * DAY, false,
		    "2679400 mx.test " ANY },
		{ "29 days later", "1000 mx.test " DANE, PEER, ANY,
		    CONF_TLS_DANE, 1000 + 29 * DAY, true,
		    "1000 mx.test " DANE },
		{ "a clock set back", "9000 mx.test " DANE, PEER, ANY,
		    CONF_TLS_DANE, 1000, false, "1000 mx.test " ANY },
		{ "another server with less", "1000 mx.test " DANE, OTHER, ANY,
		    CONF_TLS_DANE, 2000, false, "1000 mx.test " DANE },
		{ "another server in clear", "1000 mx.test " DANE, OTHER,
		    "none", CONF_TLS_DANE, 2000, false,
		    "1000 mx.test " DANE },
		{ "another server with more", "1000 mx.test " ANY, OTHER, DANE,
		    CONF_TLS_DANE, 2000, false, "2000 other.test " DANE },
		{ "the policy is relaxed", "1000 mx.test " PIN, PEER, ANY,
		    CONF_TLS_MAY, 2000, false, "2000 mx.test " ANY },
		{ "relaxed, and in clear", "1000 mx.test " PIN, PEER, "none",
		    CONF_TLS_MAY, 2000, true, "1000 mx.test " PIN },
		{ "nonsense", "no such thing", PEER, ANY, CONF_TLS_MAY, 2000,
		    false, "2000 mx.test " ANY },
		{ "half of it", "1000 mx.test", PEER, ANY, CONF_TLS_MAY, 2000,
		    false, "2000 mx.test " ANY },
		{ "part of a name", "1000 mx " DANE, PEER, ANY, CONF_TLS_DANE,
		    2000, false, "1000 mx " DANE },
	};
	char best[TLS_BEST_MAX];

	for (size_t i = 0; i < sizeof(t) / sizeof(*t); i++) {
		(void)strlcpy(best, t[i].best, sizeof(best));
		is_int(tls_is_less(best, t[i].peer, t[i].text, t[i].policy,
		    t[i].now), t[i].less, "%s", t[i].test);
		is_str(best, t[i].then, "what is remembered");
	}
}

static void
test_best(void)
{
	static char best[3][TLS_BEST_MAX];

	ok(tls_best(best, 3, PEER, 1000) == best[0], "a free place");
	ok(!tls_is_less(best[0], PEER, DANE, CONF_TLS_DANE, 1000), "one");
	ok(tls_best(best, 3, PEER, 2000) == best[0], "a host's own");
	ok(tls_best(best, 3, OTHER, 2000) == best[1], "another's");
	ok(!tls_is_less(best[1], OTHER, PIN, CONF_TLS_DANE, 2000), "two");
	(void)strlcpy(best[2], "1500 third.test " ANY, sizeof(best[2]));
	ok(tls_best(best, 3, "a.test [192.0.2.9]:25", 3000) == best[0],
	    "else the oldest");
	ok(tls_is_less(tls_best(best, 3, OTHER, 3000), OTHER, "none",
	    CONF_TLS_DANE, 3000), "the second is missed, too");
	ok(tls_best(best, 3, "a.test [192.0.2.9]:25", 1600 + 30 * DAY) ==
	    best[0], "one that is over is free");
}

static void
host(struct route *r, const char *name)
{
	(void)strlcpy(r->host[r->nhost].name, name, sizeof(r->host[0].name));
	(void)strlcpy(r->host[r->nhost].canonical, name,
	    sizeof(r->host[0].canonical));
	r->host[r->nhost].port = 25;
	r->addr[r->naddr].host = r->nhost++;
	r->addr[r->naddr++].addr.ss_family = AF_INET;
}

static void
test_ask(void)
{
	static struct conf c;
	static struct settings s;
	static struct route r;
	static struct tls_policy p;
	struct sockaddr_storage resolver = { 0 };
	struct tls_client *tls;
	struct tls_want want;
	char why[TLS_ERROR_MAX];

	p.conf = &c;
	p.settings = &s;
	p.domain = "domain.test";
	r.kind = ROUTE_FOUND;
	host(&r, "mx.test");
	host(&r, "192.0.2.9");
	tls_policy_route(&p, &r, NULL, 0);
	is_int(tls_policy_ask(&p, 0, &want, &tls, why), TLS_DEMAND_TRY, "may");
	is_int(want.how, TLS_MAY, "whoever it is");
	is_str(want.server, "mx.test", "called by its name");
	ok(tls != NULL, "with what it takes");
	is_int(tls_policy_ask(&p, 1, &want, &tls, why), TLS_DEMAND_TRY,
	    "an address");
	is_str(want.server, "", "has no name");
	tls_policy_failed(&p, 0);
	is_int(tls_policy_ask(&p, 0, &want, &tls, why), TLS_DEMAND_NONE,
	    "once TLS has failed it is not tried again");
	is_int(tls_policy_ask(&p, 1, &want, &tls, why), TLS_DEMAND_TRY,
	    "but elsewhere");
	s.tls = CONF_TLS_VERIFY;
	is_int(tls_policy_ask(&p, 0, &want, &tls, why), TLS_DEMAND_MUST,
	    "nor is it that for who wants it");
	is_int(want.how, TLS_VERIFY, "verify");
	is_int(want.nname, 2, "one of two names");
	is_str(want.name[0], "mx.test", "its own");
	is_str(want.name[1], "domain.test", "the domain's");
	is_int(tls_policy_ask(&p, 1, &want, &tls, why), TLS_DEMAND_MUST,
	    "an address");
	is_str(want.server, "domain.test", "is called by the domain's name");
	is_int(want.nname, 1, "and known by it");
	s.tls = CONF_TLS_PIN;
	s.npin = 2;
	is_int(tls_policy_ask(&p, 0, &want, &tls, why), TLS_DEMAND_MUST,
	    "pin");
	ok(want.how == TLS_PIN && want.npin == 2 && want.pin == s.pin,
	    "by what is pinned");
	s.tls = CONF_TLS_DANE;
	((struct sockaddr_in *)&resolver)->sin_family = AF_INET;
	((struct sockaddr_in *)&resolver)->sin_addr.s_addr = htonl(0x7f000001);
	p.dns = dns_open(&resolver, 1, NULL);
	ok(p.dns != NULL && dns_trusts_ad(p.dns), "a resolver on loopback");
	tls_policy_route(&p, &r, NULL, 0);
	is_int(tls_policy_ask(&p, 0, &want, &tls, why), TLS_DEMAND_TRY,
	    "DANE, and an insecure route: as may");
	is_int(want.how, TLS_MAY, "whoever it is");
	tls_policy_route(&p, &r, "none", 0);
	is_int(tls_policy_ask(&p, 0, &want, &tls, why), TLS_DEMAND_TRY,
	    "remembered without TLS: the same");
	tls_policy_route(&p, &r, "TLSv1.3 TLS_AES_256_GCM_SHA384 none", 0);
	is_int(tls_policy_ask(&p, 0, &want, &tls, why), TLS_DEMAND_MUST,
	    "remembered with it: never in clear text");
	is_int(want.how, TLS_MAY, "whoever it is");
	s.tls = CONF_TLS_MAY;
	is_int(tls_policy_ask(&p, 0, &want, &tls, why), TLS_DEMAND_TRY,
	    "which \"may\" does not ask for");
	s.tls = CONF_TLS_DANE;
	tls_policy_clear(&p);
	dns_close(p.dns);
}

int
main(void)
{
	char text[TLS_TEXT_MAX];

	tls_print(text, NULL);
	is_str(text, "none", "no TLS");
	test_less();
	test_best();
	test_ask();
	return done_testing();
}
