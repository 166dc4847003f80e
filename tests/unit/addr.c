/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "addr.h"
#include "plain.h"
#include "tap.h"

#define L63	"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" \
		"bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define L64	L63 "c"
#define D251	L63 "." L63 "." L63 "." \
		"ccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"
#define LOCAL64	L64
#define LOCAL256 L64 L64 L64 L64

/* Letters of FLAGS: l literal, q quoted, r routed, u UTF-8 */
static const struct {
	const char *in;
	enum addr_kind kind;
	const char *rest;	/* NULL: no path */
	const char *text, *local, *domain, *flags;
} paths[] = {
	{ "<a@example.org>", ADDR_SENDER, "", "a@example.org", "a",
	    "example.org", "" },
	{ "<a@example.org> SIZE=1", ADDR_SENDER, " SIZE=1", "a@example.org",
	    "a", "example.org", "" },
	{ "<a@example.org>x", ADDR_SENDER, "x", "a@example.org", "a",
	    "example.org", "" },
	{ "<A.B@Example.ORG>", ADDR_SENDER, "", "A.B@Example.ORG", "A.B",
	    "example.org", "" },
	{ "<>", ADDR_SENDER, "", "", "", "", "" },
	{ "<> X", ADDR_SENDER, " X", "", "", "", "" },
	{ "<>", ADDR_RECIPIENT, NULL, "", "", "", "" },
	{ "<postmaster>", ADDR_RECIPIENT, "", "postmaster", "postmaster", "",
	    "" },
	{ "<PostMaster>", ADDR_RECIPIENT, "", "PostMaster", "PostMaster", "",
	    "" },
	{ "<postmaster>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<postmasters>", ADDR_RECIPIENT, NULL, "", "", "", "" },
	{ "<root>", ADDR_RECIPIENT, NULL, "", "", "", "" },
	{ "<\"postmaster\">", ADDR_RECIPIENT, NULL, "", "", "", "" },
	/* source routes are read and taken off */
	{ "<@a.test:b@c.test>", ADDR_RECIPIENT, "", "b@c.test", "b", "c.test",
	    "r" },
	{ "<@a.test,@b.test:b@c.test>", ADDR_RECIPIENT, "", "b@c.test", "b",
	    "c.test", "r" },
	{ "<@[192.0.2.1]:b@c.test>", ADDR_RECIPIENT, "", "b@c.test", "b",
	    "c.test", "r" },
	{ "<@a.test:postmaster>", ADDR_RECIPIENT, "", "postmaster",
	    "postmaster", "", "r" },
	{ "<@a.test:>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<@a.test>", ADDR_RECIPIENT, NULL, "", "", "", "" },
	{ "<@a.test,b@c.test>", ADDR_RECIPIENT, NULL, "", "", "", "" },
	{ "<@a.test;b@c.test>", ADDR_RECIPIENT, NULL, "", "", "", "" },
	{ "<@:b@c.test>", ADDR_RECIPIENT, NULL, "", "", "", "" },
	{ "<@a.test:@b.test:c@d.test>", ADDR_RECIPIENT, NULL, "", "", "", "" },
	{ "<a.test:b@c.test>", ADDR_RECIPIENT, NULL, "", "", "", "" },
	/* quoted strings */
	{ "<\"a b\"@c.test>", ADDR_SENDER, "", "\"a b\"@c.test", "a b",
	    "c.test", "q" },
	{ "<\"a>b\"@c.test>", ADDR_SENDER, "", "\"a>b\"@c.test", "a>b",
	    "c.test", "q" },
	{ "<\"a@b\"@c.test>", ADDR_SENDER, "", "\"a@b\"@c.test", "a@b",
	    "c.test", "q" },
	{ "<\"a\\\"b\"@c.test>", ADDR_SENDER, "", "\"a\\\"b\"@c.test",
	    "a\"b", "c.test", "q" },
	{ "<\"a\\\\\"@c.test>", ADDR_SENDER, "", "\"a\\\\\"@c.test", "a\\",
	    "c.test", "q" },
	{ "<\"\"@c.test>", ADDR_SENDER, "", "\"\"@c.test", "", "c.test",
	    "q" },
	{ "<\"\\a\"@c.test>", ADDR_SENDER, "", "\"\\a\"@c.test", "a",
	    "c.test", "q" },
	{ "<\" \"@c.test>", ADDR_SENDER, "", "\" \"@c.test", " ", "c.test",
	    "q" },
	{ "<\"..\"@c.test>", ADDR_SENDER, "", "\"..\"@c.test", "..",
	    "c.test", "q" },
	{ "<\"a@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<\"a\\\"@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<\"a\"b@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a\"b\"@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<\"a\".b@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<\"a\tb\"@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<\"a\\\tb\"@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<\"a\177b\"@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<\"a\033b\"@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	/* local parts */
	{ "<!#$%&'*+-/=?^_`{|}~@c.test>", ADDR_SENDER, "",
	    "!#$%&'*+-/=?^_`{|}~@c.test", "!#$%&'*+-/=?^_`{|}~", "c.test",
	    "" },
	{ "<a%b@c.test>", ADDR_RECIPIENT, "", "a%b@c.test", "a%b", "c.test",
	    "" },
	{ "<a!b@c.test>", ADDR_RECIPIENT, "", "a!b@c.test", "a!b", "c.test",
	    "" },
	{ "<" LOCAL64 "@c.test>", ADDR_SENDER, "", LOCAL64 "@c.test",
	    LOCAL64, "c.test", "" },
	{ "<" LOCAL256 "@c.test>", ADDR_SENDER, "", LOCAL256 "@c.test",
	    LOCAL256, "c.test", "" },
	{ "<" LOCAL256 "a@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<.a@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a.@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a..b@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a b@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a(c)@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a,b@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a\\@b@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@b@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "< a@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@c.test >", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@ c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<<a@c.test>>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@c.test", ADDR_SENDER, NULL, "", "", "", "" },
	{ "a@c.test", ADDR_SENDER, NULL, "", "", "", "" },
	{ "", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<\"", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<\"\\", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@c.test\r\n>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a\001@c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	/* UTF-8 is noted, not judged */
	{ "<\303\244@c.test>", ADDR_SENDER, "", "\303\244@c.test", "\303\244",
	    "c.test", "u" },
	{ "<a@\303\244.test>", ADDR_SENDER, "", "a@\303\244.test", "a",
	    "\303\244.test", "u" },
	{ "<\"\303\244 b\"@c.test>", ADDR_SENDER, "", "\"\303\244 b\"@c.test",
	    "\303\244 b", "c.test", "qu" },
	/* domains */
	{ "<a@b>", ADDR_SENDER, "", "a@b", "a", "b", "" },
	{ "<a@1.2.3.4>", ADDR_SENDER, "", "a@1.2.3.4", "a", "1.2.3.4", "" },
	{ "<a@b_c.test>", ADDR_SENDER, "", "a@b_c.test", "a", "b_c.test",
	    "" },
	{ "<a@_b.test>", ADDR_SENDER, "", "a@_b.test", "a", "_b.test", "" },
	{ "<a@x._b.test>", ADDR_SENDER, "", "a@x._b.test", "a", "x._b.test",
	    "" },
	{ "<a@" L63 ".test>", ADDR_SENDER, "", "a@" L63 ".test", "a",
	    L63 ".test", "" },
	{ "<a@" D251 ".c>", ADDR_SENDER, "", "a@" D251 ".c", "a", D251 ".c",
	    "" },
	{ "<a@" D251 ".c.d>", ADDR_SENDER, "", "a@" D251 ".c.d", "a",
	    D251 ".c.d", "" },
	{ "<a@" D251 ".c.d.e>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@" L64 ".test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@c.test.>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@.c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@c..test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@-c.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@c-.test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@c.-test>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@c/../test>", ADDR_SENDER, NULL, "", "", "", "" },
	/* literals */
	{ "<a@[192.0.2.1]>", ADDR_SENDER, "", "a@[192.0.2.1]", "a",
	    "[192.0.2.1]", "l" },
	{ "<a@[IPv6:2001:DB8::1]>", ADDR_SENDER, "", "a@[IPv6:2001:DB8::1]",
	    "a", "[ipv6:2001:db8::1]", "l" },
	{ "<a@[ipv6:::ffff:192.0.2.1]>", ADDR_SENDER, "",
	    "a@[ipv6:::ffff:192.0.2.1]", "a", "[ipv6:::ffff:192.0.2.1]",
	    "l" },
	{ "<a@[2001:db8::1]>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@[IPv6:192.0.2.1]>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@[192.0.2.256]>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@[192.0.2]>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@[192.0.2.1>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@[192.0.2.1]x>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@[]>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@[x-tag:x]>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@[ 192.0.2.1]>", ADDR_SENDER, NULL, "", "", "", "" },
	{ "<a@[" L64 "]>", ADDR_SENDER, NULL, "", "", "", "" },
};

/* What must never become a name of a file is NULL. */
static const struct {
	const char *in;
	const char *want;
} domains[] = {
	{ "example.org", "example.org" },
	{ "EXAMPLE.Org", "example.org" },
	{ "example.org.", "example.org" },
	{ "a", "a" },
	{ "a.", "a" },
	{ "a-b.c--d", "a-b.c--d" },
	{ "1a.2", "1a.2" },
	{ "1.2.3.4a", "1.2.3.4a" },
	{ "xn--bcher-kva.example", "xn--bcher-kva.example" },
	{ L63, L63 },
	{ L63 "." L63 "." L63 "." "ddddddddddddddddddddddddddddddddddddddddd"
	    "dddddddddddddddddddd", L63 "." L63 "." L63 "."
	    "ddddddddddddddddddddddddddddddddddddddddddddddddddddddddddddd" },
	{ D251 ".c", D251 ".c" },
	{ D251 ".c.", D251 ".c" },
	{ D251 ".cd", NULL },
	{ D251 ".cd.", NULL },
	{ D251 ".c..", NULL },
	{ L64, NULL },
	{ "a." L64 ".b", NULL },
	{ "", NULL },
	{ ".", NULL },
	{ "..", NULL },
	{ "...", NULL },
	{ "a..", NULL },
	{ ".a", NULL },
	{ "..a", NULL },
	{ "a..b", NULL },
	{ "/", NULL },
	{ "a/b", NULL },
	{ "../etc", NULL },
	{ "a/..", NULL },
	{ "a\\b", NULL },
	{ "-a", NULL },
	{ "a-", NULL },
	{ "a-.b", NULL },
	{ "a.-b", NULL },
	{ "-", NULL },
	{ "a.-", NULL },
	{ "a.b-.", NULL },
	{ "1", NULL },
	{ "1.2.3.4", NULL },
	{ "1.2.3.4.", NULL },
	{ "127.1", NULL },
	{ "_dmarc.a", NULL },
	{ "a_b", NULL },
	{ "a b", NULL },
	{ " a", NULL },
	{ "a ", NULL },
	{ "a\n", NULL },
	{ "a\tb", NULL },
	{ "a\001", NULL },
	{ "a\177", NULL },
	{ "a:b", NULL },
	{ "a,b", NULL },
	{ "a@b", NULL },
	{ "*.a", NULL },
	{ "a;b", NULL },
	{ "[192.0.2.1]", NULL },
	{ "\303\244.test", NULL },
	{ "a\357\274\216b", NULL },	/* a full-width dot */
	{ "\357\275\201.test", NULL },	/* a full-width a */
	{ "a\240b", NULL },
	{ "\377", NULL },
};

static const struct {
	const char *in;
	bool want;
} helos[] = {
	{ "mail.example.org", true },
	{ "localhost", true },
	{ "mail.example.org.", true },
	{ "my_pc", true },
	{ "[192.0.2.1]", true },
	{ "[IPv6:2001:db8::1]", true },
	{ "192.0.2.1", true },
	{ D251 ".c", true },
	{ "", false },
	{ ".", false },
	{ "a..", false },
	{ "a b", false },
	{ "[192.0.2.1", false },
	{ "[192.0.2.1].", false },
	{ "[2001:db8::1]", false },
	{ "a\033b", false },
	{ "a/b", false },
	{ D251 ".c.d.e", false },
};

/* On the heap, so that reading past the end shows. */
static char *
heap(const char *text)
{
	char *p = strdup(text);

	if (p == NULL)
		abort();
	return p;
}

static void
check_path(size_t i)
{
	char *in = heap(paths[i].in), local[ADDR_LOCAL_MAX + 1], flags[8];
	const char *rest, *bare;
	char name[72];
	struct addr a;

	bare = plain(name, sizeof(name), in);
	rest = addr_parse(&a, in, paths[i].kind);
	if (paths[i].rest == NULL) {
		ok(rest == NULL, "%s is no path", bare);
		free(in);
		return;
	}
	is_str(rest, paths[i].rest, "%s: what follows", bare);
	is_str(a.text, paths[i].text, "%s: text", bare);
	is_str(a.domain, paths[i].domain, "%s: domain", bare);
	addr_local(&a, local);
	is_str(local, paths[i].local, "%s: local part", bare);
	(void)snprintf(flags, sizeof(flags), "%s%s%s%s", a.literal ? "l" : "",
	    a.quoted ? "q" : "", a.routed ? "r" : "", a.utf8 ? "u" : "");
	is_str(flags, paths[i].flags, "%s: flags", bare);
	free(in);
	/* What was read is a mailbox again, the two exceptions aside. */
	if (a.domain[0] != '\0') {
		struct addr b;

		in = heap(a.text);
		ok(addr_parse_mailbox(&b, in) && strcmp(a.text, b.text) == 0 &&
		    strcmp(a.domain, b.domain) == 0 && a.local == b.local,
		    "%s: the same without brackets", bare);
		free(in);
	}
}

static void
check_domains(void)
{
	char out[ADDR_DOMAIN_MAX + 1], *in, name[72];
	bool good;

	for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++) {
		in = heap(domains[i].in);
		good = addr_domain(out, in);
		is_str(good ? out : NULL, domains[i].want, "domain %s",
		    plain(name, sizeof(name), in));
		free(in);
	}
	for (size_t i = 0; i < sizeof(helos) / sizeof(helos[0]); i++)
		is_int(addr_is_helo(helos[i].in), helos[i].want, "HELO %s",
		    plain(name, sizeof(name), helos[i].in));
	/* In place, as callers like it. */
	(void)snprintf(out, sizeof(out), "A.B.");
	ok(addr_domain(out, out) && strcmp(out, "a.b") == 0, "in place");
}

int
main(void)
{
	struct addr a;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		check_path(i);
	check_domains();
	ok(!addr_parse_mailbox(&a, ""), "nothing is no mailbox");
	ok(!addr_parse_mailbox(&a, "postmaster"), "nor a bare local part");
	ok(!addr_parse_mailbox(&a, "<a@b>"), "nor a path");
	ok(!addr_parse_mailbox(&a, "a@b "), "nor with something behind it");
	ok(!addr_parse_mailbox(&a, "@x:a@b"), "nor with a route");
	return done_testing();
}
