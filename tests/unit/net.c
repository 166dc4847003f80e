/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "net.h"
#include "tap.h"

static const struct {
	const char *net;
	const char *addr;
	bool want;
} covers[] = {
	{ "192.0.2.0/24", "192.0.2.255", true },
	{ "192.0.2.0/24", "192.0.3.0", false },
	{ "192.0.2.7/24", "192.0.2.1", true },
	{ "192.0.2.128/25", "192.0.2.127", false },
	{ "192.0.2.1", "192.0.2.1", true },
	{ "192.0.2.1", "192.0.2.2", false },
	{ "192.0.2.1/32", "192.0.2.1", true },
	{ "0.0.0.0/0", "203.0.113.9", true },
	{ "0.0.0.0/0", "2001:db8::1", false },
	{ "::/0", "2001:db8::1", true },
	{ "::/0", "192.0.2.1", true },
	{ "2001:db8::/32", "2001:db8:ffff::1", true },
	{ "2001:db8::/32", "2001:db9::1", false },
	{ "[2001:db8::1]", "2001:db8::1", true },
	{ "[::1]/128", "::1", true },
	{ "::ffff:192.0.2.0/120", "192.0.2.9", true },
	{ "192.0.2.0/24", "::ffff:192.0.2.9", true },
	{ "192.0.2.0/24", "nonsense", false },
	{ "192.0.2.0/24", "", false },
};

static const char *const bad[] = {
	"", "/", "/24", "192.0.2.0/", "192.0.2.0/33", "192.0.2.0/-1",
	"192.0.2.0/2x", "192.0.2", "::1/129", "example.org", "[192.0.2.1]",
	"[::1", "::1]", "192.0.2.0/24/24",
	"1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc",
};

static const struct {
	const char *in, *want;
} same_text[] = {
	{ "192.0.2.1", "192.0.2.1" },
	{ "::FFFF:192.0.2.1", "192.0.2.1" },
	{ "::ffff:c000:201", "192.0.2.1" },
	{ "2001:0DB8:0:0:0:0:0:1", "2001:db8::1" },
	{ "::", "::" },
	{ "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
	    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
};

int
main(void)
{
	char text[NET_ADDR_MAX];
	struct net net, same;

	for (size_t i = 0; i < sizeof(covers) / sizeof(covers[0]); i++)
		ok(net_parse(&net, covers[i].net) &&
		    net_covers(&net, 1, covers[i].addr) == covers[i].want,
		    "%s and \"%s\"", covers[i].net, covers[i].addr);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		ok(!net_parse(&net, bad[i]), "\"%s\" is no network", bad[i]);
	ok(net_of(&net, "192.0.2.77", 24, 64) &&
	    net_of(&same, "::ffff:192.0.2.1", 24, 64) &&
	    memcmp(&net, &same, sizeof(net)) == 0, "neighbours of IPv4");
	ok(net_of(&net, "2001:db8:0:1::1", 24, 64) &&
	    net_of(&same, "2001:db8:0:1:ffff::", 24, 64) &&
	    memcmp(&net, &same, sizeof(net)) == 0, "neighbours of IPv6");
	ok(net_of(&same, "2001:db8:0:2::1", 24, 64) &&
	    memcmp(&net, &same, sizeof(net)) != 0, "strangers of IPv6");
	for (size_t i = 0; i < sizeof(same_text) / sizeof(same_text[0]); i++) {
		ok(net_parse(&net, same_text[i].in), "%s", same_text[i].in);
		net_print(text, net.addr);
		is_str(text, same_text[i].want, "%s in print",
		    same_text[i].in);
	}
	ok(!net_covers(NULL, 0, "192.0.2.1"), "an empty list covers nobody");
	return done_testing();
}
