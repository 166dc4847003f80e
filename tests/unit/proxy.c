/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "proxy.h"
#include "tap.h"

#define SIG	"\r\n\r\n\0\r\nQUIT\n"
#define V4	"\300\000\002\001" "\306\063\144\002"
#define V6	"\040\001\015\270\0\0\0\0\0\0\0\0\0\0\0\001" \
		"\040\001\015\270\0\0\0\0\0\0\0\0\0\0\0\002"
#define PORTS	"\022\147" "\000\031"
#define UNIX	"/run/client" Z90 "\0\0\0\0\0\0\0" \
		"/run/server" Z90 "\0\0\0\0\0\0\0"
#define Z90	Z10 Z10 Z10 Z10 Z10 Z10 Z10 Z10 Z10
#define Z10	"\0\0\0\0\0\0\0\0\0\0"
#define F39	"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"

/* Octets and how many, the NUL at the end not being one. */
#define IN(text)	(text), sizeof(text) - 1

static const struct {
	const char *name, *in;
	size_t len;
	enum proxy_kind kind;
	const char *addr;
	int port;
	const char *local;
	int local_port;
} good[] = {
	{ "TCP4", IN("PROXY TCP4 192.0.2.1 198.51.100.2 4711 25\r\n"),
	    PROXY_TCP4, "192.0.2.1", 4711, "198.51.100.2", 25 },
	{ "the longest TCP4",
	    IN("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"),
	    PROXY_TCP4, "255.255.255.255", 65535, "255.255.255.255", 65535 },
	{ "ports 0", IN("PROXY TCP4 0.0.0.0 0.0.0.0 0 0\r\n"), PROXY_TCP4,
	    "0.0.0.0", 0, "0.0.0.0", 0 },
	{ "TCP6", IN("PROXY TCP6 2001:DB8::1 ::1 4711 25\r\n"), PROXY_TCP6,
	    "2001:db8::1", 4711, "::1", 25 },
	{ "the longest TCP6", IN("PROXY TCP6 " F39 " " F39 " 65535 65535\r\n"),
	    PROXY_TCP6, F39, 65535, F39, 65535 },
	{ "mapped in TCP6",
	    IN("PROXY TCP6 ::ffff:192.0.2.1 ::ffff:c633:6402 1 25\r\n"),
	    PROXY_TCP4, "192.0.2.1", 1, "198.51.100.2", 25 },
	{ "UNKNOWN", IN("PROXY UNKNOWN\r\n"), PROXY_UNKNOWN, "", 0, "", 0 },
	{ "UNKNOWN and more",
	    IN("PROXY UNKNOWN " F39 " " F39 " 65535 65535\r\n"),
	    PROXY_UNKNOWN, "", 0, "", 0 },
	{ "UNKNOWN and noise", IN("PROXY UNKNOWN  \t\377 x\r\n"),
	    PROXY_UNKNOWN, "", 0, "", 0 },
	{ "2: IPv4", IN(SIG "\041\021\000\014" V4 PORTS), PROXY_TCP4,
	    "192.0.2.1", 4711, "198.51.100.2", 25 },
	{ "2: IPv6", IN(SIG "\041\041\000\044" V6 PORTS), PROXY_TCP6,
	    "2001:db8::1", 4711, "2001:db8::2", 25 },
	{ "2: mapped", IN(SIG "\041\041\000\044" Z10 "\377\377\300\000\002\001"
	    Z10 "\0\0\0\0\0\001" PORTS), PROXY_TCP4, "192.0.2.1", 4711,
	    "::1", 25 },
	{ "2: TLVs", IN(SIG "\041\021\000\031" V4 PORTS "\004\000\000"
	    "\001\000\001x" "\340\000\003abc"), PROXY_TCP4, "192.0.2.1", 4711,
	    "198.51.100.2", 25 },
	{ "2: CRC32C", IN(SIG "\041\021\000\023" V4 PORTS "\003\000\004"
	    "\101\350\224\121"), PROXY_TCP4, "192.0.2.1", 4711, "198.51.100.2", 25 },
	{ "2: CRC32C among others", IN(SIG "\041\041\000\064" V6 PORTS
	    "\004\000\002xx" "\003\000\004" "\346\157\025\351" "\340\000\001a"),
	    PROXY_TCP6, "2001:db8::1", 4711, "2001:db8::2", 25 },
	{ "2: LOCAL", IN(SIG "\040\000\000\000"), PROXY_LOCAL, "", 0, "", 0 },
	{ "2: LOCAL with addresses", IN(SIG "\040\021\000\014" V4 PORTS),
	    PROXY_LOCAL, "", 0, "", 0 },
	{ "2: LOCAL with anything", IN(SIG "\040\377\000\003abc"),
	    PROXY_LOCAL, "", 0, "", 0 },
	{ "2: unspecified", IN(SIG "\041\000\000\000"), PROXY_UNKNOWN, "", 0,
	    "", 0 },
	{ "2: unspecified with anything", IN(SIG "\041\000\000\003abc"),
	    PROXY_UNKNOWN, "", 0, "", 0 },
	{ "2: unspecified protocol", IN(SIG "\041\020\000\003abc"),
	    PROXY_UNKNOWN, "", 0, "", 0 },
	{ "2: UDP", IN(SIG "\041\022\000\014" V4 PORTS), PROXY_UNKNOWN, "", 0,
	    "", 0 },
	{ "2: local sockets", IN(SIG "\041\061\000\330" UNIX), PROXY_UNKNOWN,
	    "", 0, "", 0 },
};

static const struct {
	const char *name, *in;
	size_t len;
} bad[] = {
	{ "nothing like it", IN("EHLO a.test\r\n") },
	{ "lower case", IN("proxy UNKNOWN\r\n") },
	{ "a line break", IN("\n") },
	{ "TLS", IN("\026\003\001") },
	{ "no family", IN("PROXY \r\n") },
	{ "another family", IN("PROXY UDP4 192.0.2.1 192.0.2.2 1 2\r\n") },
	{ "more than UNKNOWN", IN("PROXY UNKNOWNS\r\n") },
	{ "a family in lower case",
	    IN("PROXY tcp4 192.0.2.1 192.0.2.2 1 2\r\n") },
	{ "IPv6 as TCP4", IN("PROXY TCP4 ::1 ::1 1 2\r\n") },
	{ "IPv4 as TCP6", IN("PROXY TCP6 192.0.2.1 192.0.2.2 1 2\r\n") },
	{ "both kinds", IN("PROXY TCP4 192.0.2.1 ::1 1 2\r\n") },
	{ "two spaces", IN("PROXY  TCP4 192.0.2.1 192.0.2.2 1 2\r\n") },
	{ "two spaces later", IN("PROXY TCP4 192.0.2.1  192.0.2.2 1 2\r\n") },
	{ "a tab", IN("PROXY TCP4 192.0.2.1\t192.0.2.2 1 2\r\n") },
	{ "a space behind", IN("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 \r\n") },
	{ "a word behind", IN("PROXY TCP4 192.0.2.1 192.0.2.2 1 2 3\r\n") },
	{ "one port", IN("PROXY TCP4 192.0.2.1 192.0.2.2 1\r\n") },
	{ "no port", IN("PROXY TCP4 192.0.2.1 192.0.2.2\r\n") },
	{ "an empty port", IN("PROXY TCP4 192.0.2.1 192.0.2.2 1 \r\n") },
	{ "one address", IN("PROXY TCP4 192.0.2.1\r\n") },
	{ "nothing but a family", IN("PROXY TCP4\r\n") },
	{ "a port of six digits",
	    IN("PROXY TCP4 192.0.2.1 192.0.2.2 100000 2\r\n") },
	{ "a port too high",
	    IN("PROXY TCP4 192.0.2.1 192.0.2.2 65536 2\r\n") },
	{ "a port padded", IN("PROXY TCP4 192.0.2.1 192.0.2.2 01 2\r\n") },
	{ "a port of 00", IN("PROXY TCP4 192.0.2.1 192.0.2.2 1 00\r\n") },
	{ "a negative port", IN("PROXY TCP4 192.0.2.1 192.0.2.2 -1 2\r\n") },
	{ "a port with a sign",
	    IN("PROXY TCP4 192.0.2.1 192.0.2.2 +1 2\r\n") },
	{ "a port in hexadecimal",
	    IN("PROXY TCP4 192.0.2.1 192.0.2.2 0x1 2\r\n") },
	{ "an octet padded", IN("PROXY TCP4 192.0.02.1 192.0.2.2 1 2\r\n") },
	{ "an octet too high",
	    IN("PROXY TCP4 192.0.2.256 192.0.2.2 1 2\r\n") },
	{ "three octets", IN("PROXY TCP4 192.0.2 192.0.2.2 1 2\r\n") },
	{ "an address with a zone",
	    IN("PROXY TCP6 fe80::1%lo fe80::2 1 2\r\n") },
	{ "an address in brackets", IN("PROXY TCP6 [::1] [::1] 1 2\r\n") },
	{ "a bare LF", IN("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\n") },
	{ "a bare CR", IN("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\rX") },
	{ "two CRs", IN("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\r\n") },
	{ "a NUL", IN("PROXY TCP4 192.0.2.1\0 192.0.2.2 1 2\r\n") },
	{ "a NUL in UNKNOWN", IN("PROXY UNKNOWN a\0b\r\n") },
	{ "a line of 108",
	    IN("PROXY UNKNOWN  " F39 " " F39 " 65535 65535\r\n") },
	{ "107 octets without an end",
	    IN("PROXY UNKNOWN " F39 " " F39 " 65535 65535xx") },
	{ "2: version 1", IN(SIG "\021") },
	{ "2: version 3", IN(SIG "\061\021\000\014" V4 PORTS) },
	{ "2: command 2", IN(SIG "\042") },
	{ "2: family 4", IN(SIG "\041\101\000\000") },
	{ "2: protocol 3", IN(SIG "\041\023\000\014" V4 PORTS) },
	{ "2: IPv4 too short", IN(SIG "\041\021\000\013" V4 PORTS) },
	{ "2: IPv6 too short", IN(SIG "\041\041\000\014" V4 PORTS) },
	{ "2: local sockets too short", IN(SIG "\041\061\000\014" V4 PORTS) },
	{ "2: UDP too short", IN(SIG "\041\022\000\000") },
	{ "2: half a TLV", IN(SIG "\041\021\000\016" V4 PORTS "\004\000") },
	{ "2: a TLV too long", IN(SIG "\041\021\000\020" V4 PORTS
	    "\004\000\002x") },
	{ "2: a TLV of 65535", IN(SIG "\041\021\000\017" V4 PORTS
	    "\004\377\377") },
	{ "2: a wrong CRC32C", IN(SIG "\041\021\000\023" V4 PORTS
	    "\003\000\004\001\002\003\004") },
	{ "2: a short CRC32C", IN(SIG "\041\021\000\022" V4 PORTS
	    "\003\000\003\001\002\003") },
	{ "2: an empty CRC32C", IN(SIG "\041\021\000\017" V4 PORTS
	    "\003\000\000") },
	{ "2: too much of it", IN(SIG "\041\021\010\001") },
	{ "2: 65535 octets", IN(SIG "\040\000\377\377") },
	{ "2: a broken signature", IN("\r\n\r\n\0\r\nQUIX") },
};

/* Exactly LEN octets on the heap, so that reading past them shows. */
static enum proxy_got
parse(struct proxy *p, const char *in, size_t len, size_t *used)
{
	char *copy = malloc(len == 0 ? 1 : len);
	enum proxy_got got;

	if (copy == NULL)
		abort();
	if (len != 0)
		memcpy(copy, in, len);
	got = proxy_parse(p, copy, len, used);
	free(copy);
	return got;
}

/* Cut anywhere it wants more, and takes nothing. */
static void
check_cuts(const char *name, const char *in, size_t len)
{
	struct proxy p;
	size_t wrong = 0, used;

	for (size_t n = 0; n < len; n++)
		if (parse(&p, in, n, &used) != PROXY_MORE || used != 0)
			wrong++;
	is_int(wrong, 0, "%s: cut anywhere it wants more", name);
}

static void
check_good(size_t i)
{
	const char *name = good[i].name;
	struct proxy p;
	char more[512];
	size_t used;

	is_int(parse(&p, good[i].in, good[i].len, &used), PROXY_DONE, "%s",
	    name);
	is_int(used, good[i].len, "%s: all of it is used", name);
	is_int(p.kind, good[i].kind, "%s: kind", name);
	is_int(p.version, strncmp(name, "2:", 2) == 0 ? 2 : 1, "%s: version",
	    name);
	is_str(p.addr, good[i].addr, "%s: client", name);
	is_int(p.port, good[i].port, "%s: its port", name);
	is_str(p.local, good[i].local, "%s: our end", name);
	is_int(p.local_port, good[i].local_port, "%s: our port", name);
	memcpy(more, good[i].in, good[i].len);
	memcpy(more + good[i].len, "EHLO a\r\n", 8);
	ok(parse(&p, more, good[i].len + 8, &used) == PROXY_DONE &&
	    used == good[i].len, "%s: what follows is left alone", name);
	check_cuts(name, good[i].in, good[i].len);
}

/* A header of version 2 with a TLV that makes its body N octets long. */
static enum proxy_got
parse_filled(size_t n)
{
	static char in[16 + 4096] = SIG "\041\021\000\000" V4 PORTS;
	struct proxy p;
	size_t used;

	in[14] = (char)(n >> 8);
	in[15] = (char)(n & 0xff);
	in[28] = 4;
	in[29] = (char)((n - 15) >> 8);
	in[30] = (char)((n - 15) & 0xff);
	return parse(&p, in, 16 + n, &used);
}

int
main(void)
{
	struct proxy p;
	size_t used;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		check_good(i);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		is_int(parse(&p, bad[i].in, bad[i].len, &used), PROXY_BAD,
		    "%s", bad[i].name);
		is_int(used, 0, "%s: nothing used", bad[i].name);
	}
	is_int(parse_filled(15), PROXY_DONE, "an empty TLV");
	is_int(parse_filled(2048), PROXY_DONE, "a header as long as may be");
	is_int(parse_filled(2049), PROXY_BAD, "one that is longer");
	return done_testing();
}
