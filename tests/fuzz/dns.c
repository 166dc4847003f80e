/* SPDX-License-Identifier: ISC */
/*
 * A datagram, or a message over TCP, against a question that waits for it.
 * The first octet says what kind of question, the rest is the packet.
 */
#include "../../lib/ask.c"

#include "dns.h"

#define KIND_TCP	0x08
#define KIND_CD		0x10
#define KIND_MINE	0x20	/* give the packet our id and question */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const enum dns_type types[8] = { DNS_MX, DNS_A, DNS_AAAA, DNS_TLSA,
	DNS_TXT, DNS_CNAME, DNS_MX, DNS_A };

static void
need(bool held)
{
	if (!held)
		abort();
}

/* What the callers of dns_lookup count on. */
static void
verify(const struct dns_query *q)
{
	const char *p;
	size_t i;

	for (p = q->answer; *p != '\0'; p++)
		need(*p == '\n' || (*p >= ' ' && *p <= '~'));
	need(strlen(q->why) < sizeof(q->why));
	need(q->outcome != DNS_DATA || q->nrr > 0);
	need(q->outcome == DNS_DATA || q->nrr == 0);
	need(packet_is_name(q->canonical));
	for (i = 0; i < q->nrr; i++) {
		need(q->rr[i].type == q->type);
		need(strcmp(q->rr[i].owner, q->canonical) == 0);
		need(strlen(q->rr[i].host) <= ADDR_DOMAIN_MAX);
		need((q->type == DNS_A) ==
		    (q->rr[i].addr.ss_family == AF_INET));
		need((q->type == DNS_AAAA) ==
		    (q->rr[i].addr.ss_family == AF_INET6));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct dns *d;
	struct sockaddr_storage ss;
	struct dns_query q;
	struct ask a;
	uint8_t *packet;
	enum step step;
	size_t len;

	if (size < 1)
		return 0;
	if (d == NULL) {
		memset(&ss, 0, sizeof(ss));
		ss.ss_family = AF_INET;
		need((d = dns_open(&ss, 1, NULL)) != NULL);
	}
	dns_query_init(&q, "example.evil", types[data[0] & 7]);
	(void)strlcpy(q.canonical, q.name, sizeof(q.canonical));
	memset(&a, 0, sizeof(a));
	a.q = &q;
	a.fd = -1;
	a.edns = a.secure = true;
	a.servfail = -1;
	a.tcp = data[0] & KIND_TCP;
	a.cd = data[0] & KIND_CD;
	(void)strlcpy(a.name, q.name, sizeof(a.name));
	need((q.answer = strdup("")) != NULL && question_build(&a));
	len = size - 1;
	need((packet = malloc(len + 1)) != NULL);
	memcpy(packet, data + 1, len);
	if ((data[0] & KIND_MINE) && len >= PACKET_HEADER + a.qlen) {
		memcpy(packet, a.out + 2, 2);
		packet[2] = (uint8_t)((packet[2] & 0x87) | 0x80);
		packet[4] = 0;
		packet[5] = 1;
		memcpy(packet + PACKET_HEADER, a.out + 2 + PACKET_HEADER, a.qlen);
	}
	step = answer_take(d, &a, packet, len);
	need(step == STEP_DONE ? a.q == NULL : a.q == &q);
	if (step == STEP_DONE)
		verify(&q);
	need(a.fd == -1 && packet_is_name(a.name));
	free(packet);
	dns_query_clear(&q);
	return 0;
}
