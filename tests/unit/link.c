/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "link.h"
#include "tap.h"

static const struct {
	const char *name, *text;
	bool want;
} cases[] = {
	{ "v4", "mx1.example.org [192.0.2.1]:25", true },
	{ "v6", "mx1.example.org [2001:db8::1]:2525", true },
	{ "a route's address", "192.0.2.1 [192.0.2.1]:25", true },
	{ "our name", "mx2.backup.test [192.0.2.1]:25", false },
	{ "our address", "mx1.example.org [198.51.100.9]:25", false },
	{ "our address, another port", "mx1.example.org [198.51.100.9]:26",
	    true },
	{ "nothing", "", false },
	{ "no address", "mx1.example.org", false },
	{ "no port", "mx1.example.org [192.0.2.1]:", false },
	{ "port 0", "mx1.example.org [192.0.2.1]:0", false },
	{ "port too large", "mx1.example.org [192.0.2.1]:65536", false },
	{ "something behind", "mx1.example.org [192.0.2.1]:25 x", false },
	{ "no number", "mx1.example.org [1.2.3]:25", false },
	{ "no name", " [192.0.2.1]:25", false },
	{ "a name for an address", "mx1.example.org [mx1]:25", false },
};

int
main(void)
{
	static struct conf conf;
	static struct route r;
	char text[LINK_PEER_MAX], many[LINK_PEER_MAX];
	size_t n = 0;

	(void)strlcpy(conf.hostname, "mx2.backup.test",
	    sizeof(conf.hostname));
	conf.port = 25;
	conf.self_addr[0].ss_family = AF_INET;
	((struct sockaddr_in *)&conf.self_addr[0])->sin_addr.s_addr =
	    htonl(0xc6336409);
	conf.nself_addr = 1;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		memset(&r, 0, sizeof(r));
		is_int(link_parse(&r, &conf, cases[i].text), cases[i].want,
		    "%s", cases[i].name);
		is_int(r.naddr, cases[i].want, "%s: in the route",
		    cases[i].name);
		if (cases[i].want)
			is_str(link_print(text, &r, 0), cases[i].text,
			    "%s: printed", cases[i].name);
	}
	memset(&r, 0, sizeof(r));
	ok(link_parse(&r, &conf, "a.test [192.0.2.1]:25") &&
	    link_parse(&r, &conf, "a.test [192.0.2.2]:25") &&
	    link_parse(&r, &conf, "b.test [192.0.2.3]:25"), "several");
	is_int(r.nhost, 2, "of two hosts");
	is_int(r.addr[1].host, 0, "the second address is the first one's");
	is_int(r.host[1].port, 25, "its port");
	do
		(void)snprintf(many, sizeof(many), "m%zu.test [192.0.2.9]:25",
		    n);
	while (link_parse(&r, &conf, many) && n++ < 1000);
	is_int(r.nhost, ROUTE_HOSTS_MAX, "as many as there is room for");
	return done_testing();
}
