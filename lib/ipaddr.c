/* SPDX-License-Identifier: ISC */

#include <sys/types.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <string.h>

#include "ipaddr.h"

/*
 * The registries of RFC 6890, and what must not be reached by mail; the first
 * that fits.  64:ff9b::/96 can be reached, and is what a resolver with DNS64
 * makes of any IPv4 address.
 */
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
	{ "192.88.99.0",	24,	"is for 6to4" },
	{ "192.168.0.0",	16,	"is private" },
	{ "198.18.0.0",		15,	"is for benchmarks" },
	{ "198.51.100.0",	24,	"is for documentation" },
	{ "203.0.113.0",	24,	"is for documentation" },
	{ "224.0.0.0",		4,	"is for multicast" },
	{ "240.0.0.0",		4,	"is reserved" },
	{ "::",			128,	"means \"this host\"" },
	{ "::1",		128,	"is the sender's own" },
	{ "::ffff:0:0",		96,	"is an IPv4 address in disguise" },
	{ "::",			96,	"is an IPv4 address in disguise" },
	{ "64:ff9b:1::",	48,	"is for local translation" },
	{ "100::",		64,	"is for discarding" },
	{ "2001::",		32,	"is for Teredo" },
	{ "2001:2::",		48,	"is for benchmarks" },
	{ "2001:10::",		28,	"is no address but an identifier" },
	{ "2001::",		23,	"is reserved for protocols" },
	{ "2001:db8::",		32,	"is for documentation" },
	{ "2002::",		16,	"is for 6to4" },
	{ "3fff::",		20,	"is for documentation" },
	{ "5f00::",		16,	"is no address but a segment's name" },
	{ "fc00::",		7,	"is private" },
	{ "fe80::",		10,	"is link-local" },
	{ "fec0::",		10,	"is site-local" },
	{ "ff00::",		8,	"is for multicast" },
};

/* The octets, 4 or 16 of them. */
static const unsigned char *
octets(const struct sockaddr_storage *ss)
{
	if (ss->ss_family == AF_INET6)
		return (const unsigned char *)
		    &((const struct sockaddr_in6 *)ss)->sin6_addr;
	return (const unsigned char *)
	    &((const struct sockaddr_in *)ss)->sin_addr;
}

const char *
ipaddr_print(char *buf, const struct sockaddr_storage *ss)
{
	if (inet_ntop(ss->ss_family, octets(ss), buf,
	    INET6_ADDRSTRLEN) == NULL)
		buf[0] = '\0';
	return buf;
}

bool
ipaddr_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	return a->ss_family == b->ss_family && memcmp(octets(a), octets(b),
	    a->ss_family == AF_INET6 ? 16 : 4) == 0;
}

bool
ipaddr_near(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
	return a->ss_family == b->ss_family && memcmp(octets(a), octets(b),
	    a->ss_family == AF_INET6 ? 6 : 3) == 0;
}

static bool
in_net(const struct sockaddr_storage *ss, const struct special *s)
{
	const unsigned char *p = octets(ss);
	unsigned char net[16], mask;
	int whole = s->len / 8;

	if (inet_pton(ss->ss_family, s->net, net) != 1 ||
	    memcmp(net, p, (size_t)whole) != 0)
		return false;
	if (s->len % 8 == 0)
		return true;
	mask = (unsigned char)(0xff << (8 - s->len % 8));
	return (p[whole] & mask) == net[whole];
}

const char *
ipaddr_special(const struct sockaddr_storage *ss)
{
	size_t i;

	for (i = 0; i < sizeof(specials) / sizeof(specials[0]); i++)
		if (in_net(ss, &specials[i]))
			return specials[i].what;
	return NULL;
}
