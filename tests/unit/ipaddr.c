/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <stdlib.h>

#include "ipaddr.h"
#include "tap.h"

static struct sockaddr_storage
addr(const char *text)
{
	struct sockaddr_storage ss;
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)&ss;
	struct sockaddr_in *sin = (struct sockaddr_in *)&ss;

	memset(&ss, 0, sizeof(ss));
	if (inet_pton(AF_INET, text, &sin->sin_addr) == 1)
		ss.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &sin6->sin6_addr) == 1)
		ss.ss_family = AF_INET6;
	else
		abort();
	return ss;
}

static void
test_special(void)
{
	static const struct {
		const char *addr, *want;
	} t[] = {
		{ "0.1.2.3", "means \"this host\"" },
		{ "9.255.255.255", NULL },
		{ "10.0.0.0", "is private" },
		{ "10.255.255.255", "is private" },
		{ "11.0.0.0", NULL },
		{ "100.63.255.255", NULL },
		{ "100.64.0.0", "is shared by a carrier's customers" },
		{ "100.127.255.255", "is shared by a carrier's customers" },
		{ "100.128.0.0", NULL },
		{ "127.0.0.1", "is the sender's own" },
		{ "169.254.1.1", "is link-local" },
		{ "172.15.255.255", NULL },
		{ "172.16.0.1", "is private" },
		{ "172.32.0.0", NULL },
		{ "192.0.1.255", NULL },
		{ "192.0.2.1", "is for documentation" },
		{ "192.0.0.8", "is reserved for protocols" },
		{ "192.88.98.255", NULL },
		{ "192.88.99.1", "is for 6to4" },
		{ "192.168.255.255", "is private" },
		{ "198.17.255.255", NULL },
		{ "198.19.255.255", "is for benchmarks" },
		{ "198.51.100.1", "is for documentation" },
		{ "203.0.113.255", "is for documentation" },
		{ "223.255.255.255", NULL },
		{ "224.0.0.1", "is for multicast" },
		{ "255.255.255.255", "is reserved" },
		{ "::", "means \"this host\"" },
		{ "::1", "is the sender's own" },
		{ "::2", "is an IPv4 address in disguise" },
		{ "::8.8.8.8", "is an IPv4 address in disguise" },
		{ "64:ff9b::808:808", NULL },
		{ "64:ff9b:1::1", "is for local translation" },
		{ "100::1", "is for discarding" },
		{ "2001::1", "is for Teredo" },
		{ "2001:2::1", "is for benchmarks" },
		{ "2001:1f::1", "is no address but an identifier" },
		{ "2001:1ff::1", "is reserved for protocols" },
		{ "2001:200::1", NULL },
		{ "::ffff:8.8.8.8", "is an IPv4 address in disguise" },
		{ "2001:db8::1", "is for documentation" },
		{ "2001:db9::1", NULL },
		{ "2002::1", "is for 6to4" },
		{ "2a00::1", NULL },
		{ "3fff:fff::1", "is for documentation" },
		{ "3fff:1000::1", NULL },
		{ "5f00::1", "is no address but a segment's name" },
		{ "fd00::1", "is private" },
		{ "fe80::1", "is link-local" },
		{ "ff02::1", "is for multicast" },
	};
	struct sockaddr_storage ss;
	const char *got;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		ss = addr(t[i].addr);
		got = ipaddr_special(&ss);
		ok(got == t[i].want || (got != NULL && t[i].want != NULL &&
		    strcmp(got, t[i].want) == 0), "special: %s", t[i].addr);
	}
}

static void
test_pairs(void)
{
	static const struct {
		const char *a, *b;
		bool same, near;
	} t[] = {
		{ "8.8.8.8", "8.8.8.8", true, true },
		{ "8.8.8.8", "8.8.8.255", false, true },
		{ "8.8.8.8", "8.8.9.8", false, false },
		{ "2a00::1", "2a00::1", true, true },
		{ "2a00:0:1:2::1", "2a00:0:1:ffff::2", false, true },
		{ "2a00:0:1::1", "2a00:0:2::1", false, false },
		{ "8.8.8.8", "808:808::", false, false },
	};
	struct sockaddr_storage a, b;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		a = addr(t[i].a);
		b = addr(t[i].b);
		((struct sockaddr_in *)&b)->sin_port = htons(53);
		is_int(ipaddr_same(&a, &b), t[i].same, "same: %s %s", t[i].a,
		    t[i].b);
		is_int(ipaddr_near(&b, &a), t[i].near, "near: %s %s", t[i].a,
		    t[i].b);
	}
}

int
main(void)
{
	struct sockaddr_storage ss = addr("2a00:0:0:1::1");
	char buf[INET6_ADDRSTRLEN];

	test_special();
	test_pairs();
	is_str(ipaddr_print(buf, &ss), "2a00:0:0:1::1", "print");
	return done_testing();
}
