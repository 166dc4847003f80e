/* SPDX-License-Identifier: ISC */
/* What can be had without a zone: anchors, and answers that are none. */
#include <stdlib.h>

#include "chain.h"
#include "deadline.h"
#include "tap.h"

/* In the place of dns.c: all are answered by this. */
static const unsigned char *answer;
static size_t answerlen;

void
dns_query_init(struct dns_query *q, const char *name, enum dns_type type)
{
	memset(q, 0, sizeof(*q));
	(void)strlcpy(q->name, name, sizeof(q->name));
	q->type = type;
	q->outcome = DNS_TEMPFAIL;
}

void
dns_query_clear(struct dns_query *q)
{
	free(q->packet);
}

void
dns_lookup_each(struct dns *d, struct dns_query **q, size_t n,
    int64_t deadline)
{
	size_t i;

	(void)d;
	(void)deadline;
	for (i = 0; i < n; i++) {
		if (answer == NULL) {
			(void)strlcpy(q[i]->why, "no answer in time",
			    sizeof(q[i]->why));
			continue;
		}
		if ((q[i]->packet = malloc(answerlen)) == NULL)
			abort();
		memcpy(q[i]->packet, answer, answerlen);
		q[i]->packetlen = answerlen;
		q[i]->outcome = DNS_DATA;
	}
}

static void
verify(struct chain_link *link, const char *anchors)
{
	struct asked a;

	memset(link, 0, sizeof(*link));
	(void)strlcpy(link->name, "mx.example.org", sizeof(link->name));
	link->type = DNS_A;
	asked_init(&a);
	chain_want(&a, link->name, link->type);
	asked_run(&a, NULL, deadline_in(1000), deadline_in(1000));
	chain_verify(&a, link, 1, anchors, deadline_in(5000));
	asked_clear(&a);
}

static void
test_anchors(void)
{
	static const struct {
		const char *text;
		bool sound;
	} t[] = {
		{ "example. IN DS 1 13 2 00112233445566778899aabbccddeeff"
		    "00112233445566778899aabbccddeeff\n", true },
		{ "; ours\n\n. 3600 IN DS 20326 8 2 E06D44B80B8F1D39A95C0B0D7"
		    "C65D08458E880409BBC683457104237C7F8EC8D ; of 2017\r\n",
		    true },
		{ "", false },
		{ "; nothing\n", false },
		{ "garbage\n", false },
		{ "example. IN A 192.0.2.1\n", false },
	};
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		is_int(chain_anchors_are_sound(t[i].text), t[i].sound,
		    "anchors %zu", i);
}

static void
test_no_answers(void)
{
	/* a whole answer for ". DNSKEY", whose record has no data */
	static const unsigned char hollow[] = { 0, 1, 0x84, 0, 0, 1, 0, 1, 0,
		0, 0, 0, 0, 0, 48, 0, 1, 0, 0, 48, 0, 1, 0, 0, 0, 60, 0, 0 };
	static const unsigned char garbage[] = { 0, 1, 0x84, 0, 0, 1, 0xff,
		0xff, 9, 9, 9, 9, 0xc0, 0x0c, 0xff };
	struct chain_link link;

	verify(&link, NULL);
	is_int(link.trust, CHAIN_UNKNOWN, "no answer: nothing is proven");
	is_str(link.why, "no DNSKEY of .: no answer in time", "and why");
	answer = garbage;
	answerlen = sizeof(garbage);
	verify(&link, NULL);
	is_int(link.trust, CHAIN_UNKNOWN, "garbage: nothing is proven");
	is_str(link.why, "no DNSKEY of .: malformed", "and why");
	answer = hollow;
	answerlen = sizeof(hollow);
	verify(&link, NULL);
	ok(link.trust != CHAIN_SECURE && link.trust != CHAIN_INSECURE,
	    "hollow: neither secure nor insecure");
	verify(&link, "elsewhere.test. IN DS 1 13 2 00112233445566778899aabb"
	    "ccddeeff00112233445566778899aabbccddeeff\n");
	is_int(link.trust, CHAIN_INSECURE, "no anchor above it");
}

int
main(void)
{
	test_anchors();
	test_no_answers();
	return done_testing();
}
