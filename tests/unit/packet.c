/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "packet.h"
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
		is_int(packet_is_name(t[i].name), t[i].want, "askable: \"%s\"",
		    t[i].name);
	for (i = 0; i < 254; i++)
		text[i] = i % 2 ? '.' : 'a';
	text[253] = '\0';
	ok(packet_is_name(text), "askable: 253 octets");
	(void)strlcpy(text + 253, "a", 2);
	text[252] = 'b';
	ok(!packet_is_name(text), "not askable: 254 octets");
}

static void
test_question(void)
{
	static const unsigned char want[] = { 2, 'm', 'x', 4, 't', 'e', 's',
		't', 0, 0, 15, 0, 1 };
	unsigned char p[512], q[512];
	size_t len, qlen;

	len = packet_question(p, sizeof(p), "mx.test", DNS_MX,
	    PACKET_RECURSE, &qlen);
	is_int((int)qlen, (int)sizeof(want), "question: its section");
	is_int((int)len, PACKET_HEADER + (int)sizeof(want),
	    "question: its length");
	ok(memcmp(p + PACKET_HEADER, want, sizeof(want)) == 0,
	    "question: name, type and class");
	is_int(p[2] << 8 | p[3], 0x0120, "question: RD and AD");
	(void)packet_question(q, sizeof(q), "mx.test", DNS_MX, 0, &qlen);
	is_int(q[2] << 8 | q[3], 0, "question: of one server");
	len = packet_question(q, sizeof(q), "mx.test", DNS_MX,
	    PACKET_RECURSE | PACKET_UNCHECKED | PACKET_EDNS | PACKET_SIGNED,
	    &qlen);
	is_int(q[2] << 8 | q[3], 0x0130, "question: RD, AD and CD");
	is_int(q[11], 1, "question: with EDNS");
	is_int(q[len - 4], 0x80, "question: and DO");
	ok(packet_question(p, 20, "mx.test", DNS_MX, 0, &qlen) == 0,
	    "question: no room");
}

static void
test_answer(void)
{
	unsigned char q[512], a[512];
	size_t len, qlen;

	len = packet_question(q, sizeof(q), "Mx.test", DNS_MX,
	    PACKET_RECURSE, &qlen);
	memcpy(a, q, len);
	ok(!packet_is_answer(q, qlen, a, len), "answer: a question is none");
	a[2] |= 0x80;
	ok(packet_is_answer(q, qlen, a, len), "answer");
	ok(!packet_is_answer(q, qlen, a, len - 1), "answer: cut");
	a[13] = 'm';
	ok(packet_is_answer(q, qlen, a, len), "answer: another case");
	a[13] = 'n';
	ok(!packet_is_answer(q, qlen, a, len), "answer: another name");
	a[13] = 'm';
	a[1] ^= 1;
	ok(!packet_is_answer(q, qlen, a, len), "answer: another id");
	a[1] ^= 1;
	a[len - 3] = 1;
	ok(!packet_is_answer(q, qlen, a, len), "answer: another type");
}

int
main(void)
{
	test_names();
	test_question();
	test_answer();
	return done_testing();
}
