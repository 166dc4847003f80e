/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "sts.h"
#include "tap.h"

static void
test_txt(void)
{
	static const struct {
		const char *name, *rdata;
		size_t len;
		const char *want;
	} t[] = {
		{ "one string", "\5hello", 6, "hello" },
		{ "two strings", "\2ab\1c", 5, "abc" },
		{ "empty string", "\0", 1, "" },
		{ "nothing", "", 0, "" },
		{ "cut", "\6hello", 6, NULL },
		{ "a NUL", "\3a\0b", 4, NULL },
		{ "too long", "\11123456789", 10, NULL },
	};
	char out[9];
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		if (is_int(sts_txt(out, sizeof(out),
		    (const unsigned char *)t[i].rdata, t[i].len),
		    t[i].want != NULL, "txt: %s", t[i].name) &&
		    t[i].want != NULL)
			is_str(out, t[i].want, "txt: %s: text", t[i].name);
}

static void
test_records(void)
{
	static const struct {
		const char *txt;
		bool is, good;
	} t[] = {
		{ "v=STSv1; id=20160831085700Z;", true, true },
		{ "v=STSv1;id=a", true, true },
		{ "v=STSv1 ; id=a ", true, true },
		{ "v=STSv1; x=y; id=a; z", true, true },
		{ "v=STSv1", true, false },
		{ "v=STSv1;", true, false },
		{ "v=STSv1; id=", true, false },
		{ "v=STSv1; id=a-b", true, false },
		{ "v=STSv1; id=123456789012345678901234567890123", true,
		    false },
		{ "v=STSv1; grid=a", true, false },
		{ "v=STSv10; id=a", false, false },
		{ "v=spf1 -all", false, false },
		{ "", false, false },
	};
	const char *why;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		is_int(sts_is_record(t[i].txt), t[i].is, "is: \"%s\"",
		    t[i].txt);
		if (t[i].is)
			is_int(sts_record_parse(t[i].txt, &why), t[i].good,
			    "parse: \"%s\"", t[i].txt);
	}
	ok(sts_is_report("v=TLSRPTv1; rua=mailto:a@b") &&
	    sts_report_parse("v=TLSRPTv1; rua=mailto:a@b", &why), "report");
	ok(sts_report_parse("v=TLSRPTv1;rua=https://x.example/", &why),
	    "report: by https");
	ok(!sts_report_parse("v=TLSRPTv1", &why), "report: to nobody");
	ok(!sts_report_parse("v=TLSRPTv1; rua=http://x", &why),
	    "report: in clear");
	ok(!sts_is_report("v=TLSRPTv2; rua=mailto:a@b"), "report: another");
}

#define HEAD "version: STSv1\r\nmode: enforce\r\nmax_age: 604800\r\n"

static void
test_policies(void)
{
	static const struct {
		const char *name, *text;
		bool good;
	} t[] = {
		{ "whole", HEAD "mx: mx.example.org\r\n", true },
		{ "LF alone", "version: STSv1\nmode: testing\nmax_age: 1\n"
		    "mx: a.example", true },
		{ "any order", "mx: a.example\nmax_age:86400\n"
		    "mode:\tenforce\nversion: STSv1\n", true },
		{ "unknown key", HEAD "mx: a.example\r\nnew: thing\r\n",
		    true },
		{ "wildcard", HEAD "mx: *.example.org\r\n", true },
		{ "none needs no mx", "version: STSv1\nmode: none\n"
		    "max_age: 0\n", true },
		{ "empty", "", false },
		{ "no mx", HEAD, false },
		{ "no version", "mode: none\nmax_age: 1\n", false },
		{ "no mode", "version: STSv1\nmax_age: 1\nmx: a.b\n", false },
		{ "no max_age", "version: STSv1\nmode: none\n", false },
		{ "a mode of its own", "version: STSv1\nmode: Enforce\n"
		    "max_age: 1\nmx: a.b\n", false },
		{ "a year and a second", "version: STSv1\nmode: none\n"
		    "max_age: 31557601\n", false },
		{ "an address", HEAD "mx: 192.0.2.1\r\n", false },
		{ "a wildcard within", HEAD "mx: mx.*.example\r\n", false },
		{ "a wildcard alone", HEAD "mx: *.\r\n", false },
		{ "HTML", "<html>\n", false },
	};
	struct sts_policy p;
	const char *why;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		is_int(sts_policy_parse(&p, t[i].text, &why), t[i].good,
		    "policy: %s", t[i].name);
	ok(sts_policy_parse(&p, HEAD "mode: none\r\nmx: a.b\r\n", &why) &&
	    p.mode == STS_ENFORCE, "policy: the first mode counts");
	is_int(p.max_age, 604800, "policy: max_age");
}

static void
test_many(void)
{
	struct sts_policy p;
	char *text = NULL;
	const char *why;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	int i;

	fputs(HEAD, f);
	for (i = 0; i < 3000; i++)
		fprintf(f, "mx: mx%d.example.org\r\n", i);
	fclose(f);
	ok(!sts_policy_parse(&p, text, &why), "policy: too many mx");
	free(text);
}

static void
test_covers(void)
{
	static const struct {
		const char *host;
		bool want;
	} t[] = {
		{ "mx1.example.org", true },
		{ "MX1.Example.ORG", true },
		{ "mx2.example.org", false },
		{ "a.wild.example", true },
		{ "wild.example", false },
		{ "a.b.wild.example", false },
		{ ".wild.example", false },
		{ "awild.example", false },
		{ "mx1.example.org.", false },
	};
	struct sts_policy p;
	const char *why;
	size_t i;

	ok(sts_policy_parse(&p, HEAD "mx: MX1.example.org\r\n"
	    "mx: *.wild.example\r\n", &why), "covers: a policy");
	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		is_int(sts_covers(&p, t[i].host), t[i].want, "covers: %s",
		    t[i].host);
}

int
main(void)
{
	test_txt();
	test_records();
	test_policies();
	test_many();
	test_covers();
	return done_testing();
}
