/* SPDX-License-Identifier: ISC */
#include <sys/resource.h>
#include <stdlib.h>
#include <unistd.h>

#include "envelope.h"
#include "tap.h"

static const char sample[] =
    "Mx-Envelope: 1 00000329 -\r\n"
    "Mx-Arrived: 1764000000 2025-11-24T16:00:00Z\r\n"
    "Mx-Domain: example.org\r\n"
    "Mx-Client: 198.51.100.7\r\n"
    "Mx-Client-Name: mail.example.com\r\n"
    "Mx-Helo: mail.example.com\r\n"
    "Mx-Protocol: ESMTP\r\n"
    "Mx-Sender: <ann@example.com> BODY=8BITMIME\r\n"
    "Mx-Recipient: p <bob@example.org>\r\n"
    "Mx-Recipient: d <Carol@example.org>\r\n"
    "Mx-End: 1\r\n";

static void
fill(struct envelope *e)
{
	envelope_init(e);
	e->arrived = 1764000000;
	(void)snprintf(e->domain, sizeof(e->domain), "example.org");
	(void)snprintf(e->client_addr, sizeof(e->client_addr),
	    "198.51.100.7");
	(void)snprintf(e->client_name, sizeof(e->client_name),
	    "mail.example.com");
	(void)snprintf(e->helo, sizeof(e->helo), "mail.example.com");
	(void)snprintf(e->protocol, sizeof(e->protocol), "ESMTP");
	if (envelope_set_sender(e, "ann@example.com", "BODY=8BITMIME") == -1 ||
	    envelope_add(e, "bob@example.org", "") == -1 ||
	    envelope_add(e, "Carol@example.org", "") == -1)
		abort();
	e->rcpt[1].status = RCPT_DELIVERED;
}

/* Each status, printed and read back. */
static void
check_statuses(void)
{
	static const enum rcpt_status status[] = { RCPT_PENDING,
	    RCPT_DELIVERED, RCPT_RELAYED, RCPT_FAILED, RCPT_REPORTED };
	struct envelope e, p;
	size_t len, need;
	const char *why;
	char *text;

	for (size_t i = 0; i < sizeof(status) / sizeof(status[0]); i++) {
		fill(&e);
		e.rcpt[0].status = status[i];
		text = envelope_print(&e, &len);
		is_int(envelope_parse(&p, text, len, &need, &why), 0,
		    "status %c: parsed", status[i]);
		is_int(p.rcpt[0].status, status[i], "status %c", status[i]);
		envelope_clear(&e);
		envelope_clear(&p);
		free(text);
	}
}

/* A block from lines; the length in its first line is set right. */
static char *
block(const char *lines, size_t *len)
{
	char *buf, digits[9];

	*len = 27 + strlen(lines);
	if ((buf = malloc(*len + 1)) == NULL)
		abort();
	(void)snprintf(buf, *len + 1, "Mx-Envelope: 1 00000000 -\r\n%s",
	    lines);
	(void)snprintf(digits, sizeof(digits), "%08zu", *len);
	memcpy(buf + 15, digits, 8);
	return buf;
}

/* Only those are marked that were, whatever their place. */
static void
check_unverified(void)
{
	struct envelope e, p;
	size_t len, need;
	const char *why;
	char *text;

	fill(&e);
	envelope_unverified(&e);
	if (envelope_add(&e, "dave@example.org", "") == -1)
		abort();
	text = envelope_print(&e, &len);
	is_int(envelope_parse(&p, text, len, &need, &why), 0, "with a mark");
	is_int(p.nrcpt, 3, "recipients");
	ok(!p.rcpt[0].unverified && p.rcpt[1].unverified &&
	    !p.rcpt[2].unverified, "the second is unverified");
	is_int(p.rcpt[2].where, e.rcpt[2].where, "where the third's status is");
	free(text);
	envelope_clear(&p);
	envelope_clear(&e);
	text = block("Mx-Arrived: 1\r\nMx-Domain: example.org\r\n"
	    "Mx-Unverified: yes\r\nMx-Sender: <>\r\n"
	    "Mx-Recipient: p <a@example.org>\r\nMx-End: 1\r\n", &len);
	ok(envelope_parse(&p, text, len, &need, &why) == -1 && why != NULL,
	    "a mark before all recipients is refused");
	free(text);
}

static void
check_sample(void)
{
	struct envelope e, p;
	size_t len, need;
	const char *why;
	char *text;

	fill(&e);
	text = envelope_print(&e, &len);
	is_mem(text, len, sample, sizeof(sample) - 1, "as mx-spool(5) has it");
	is_int(e.length, len, "its length is known");
	ok(text[e.rcpt[0].where] == 'p' && text[e.rcpt[1].where] == 'd',
	    "and where each status is");
	is_int(ENVELOPE_STATE, 24, "where the state is");
	is_int(envelope_parse(&p, text, len, &need, &why), 0, "read back");
	is_int(p.length, len, "length");
	is_int(p.arrived, 1764000000, "arrived");
	is_int(p.state, ENVELOPE_WHOLE, "state");
	is_str(p.domain, "example.org", "domain");
	is_str(p.sender, "ann@example.com", "sender");
	is_str(p.params, "BODY=8BITMIME", "parameters");
	is_str(p.client_addr, "198.51.100.7", "client");
	is_str(p.client_name, "mail.example.com", "its name");
	is_str(p.helo, "mail.example.com", "HELO");
	is_str(p.protocol, "ESMTP", "protocol");
	is_str(p.tls, "", "no TLS");
	is_int(p.nrcpt, 2, "recipients");
	is_str(p.rcpt[1].address, "Carol@example.org", "as written");
	is_int(p.rcpt[1].status, RCPT_DELIVERED, "status");
	is_int(p.rcpt[1].where, e.rcpt[1].where, "where");
	is_int(envelope_count(&p, RCPT_PENDING), 1, "one is pending");
	is_int(envelope_count(&p, RCPT_FAILED), 0, "none has failed");
	envelope_clear(&p);
	text[24] = 'V';
	is_int(envelope_parse(&p, text, len, &need, &why), 0, "a void one");
	is_int(p.state, ENVELOPE_VOID, "is void");
	envelope_clear(&p);
	/* The message behind it is not looked at. */
	is_int(envelope_parse(&p, sample, sizeof(sample), &need, &why), 0,
	    "more behind it");
	envelope_clear(&p);
	free(text);
	envelope_clear(&e);
}

/* However a crash cut it, it is never taken for whole. */
static void
check_cuts(void)
{
	struct envelope e;
	size_t len = sizeof(sample) - 1, need, bad = 0;
	const char *why;
	char *cut;

	for (size_t n = 0; n < len; n++) {
		if ((cut = malloc(n + 1)) == NULL)
			abort();
		memcpy(cut, sample, n);
		if (envelope_parse(&e, cut, n, &need, &why) != -1 ||
		    why != NULL || need <= n || e.nrcpt != 0)
			bad++;
		envelope_clear(&e);
		/* zeros where blocks were lost */
		free(cut);
		if ((cut = calloc(1, len)) == NULL)
			abort();
		memcpy(cut, sample, n);
		if (n < len && envelope_parse(&e, cut, len, &need, &why) != -1)
			bad++;
		envelope_clear(&e);
		free(cut);
	}
	is_int(bad, 0, "no cut is an envelope");
	if ((cut = malloc(len)) == NULL)
		abort();
	memcpy(cut, sample, len);
	cut[24] = 'V';
	is_int(envelope_parse(&e, cut, 60, &need, &why), -1, "a void one cut");
	is_int(e.state, ENVELOPE_VOID, "is still known to be void");
	free(cut);
}

/* An octet changed is refused, or what is read can be printed again. */
static void
check_flips(void)
{
	struct envelope e, p;
	char text[sizeof(sample)], *again;
	size_t len = sizeof(sample) - 1, need, l, bad = 0, read = 0;
	const char *why;

	for (size_t i = 0; i < len; i++) {
		for (int c = 0; c < 256; c++) {
			memcpy(text, sample, len);
			text[i] = (char)c;
			if (envelope_parse(&e, text, len, &need, &why) == -1) {
				envelope_clear(&e);
				continue;
			}
			read++;
			again = envelope_print(&e, &l);
			if (e.nrcpt == 0 || again == NULL ||
			    envelope_parse(&p, again, l, &need, &why) == -1 ||
			    p.nrcpt != e.nrcpt || p.state != e.state ||
			    strcmp(p.sender, e.sender) != 0 ||
			    strcmp(p.rcpt[0].address, e.rcpt[0].address) != 0)
				bad++;
			envelope_clear(&p);
			envelope_clear(&e);
			free(again);
		}
	}
	ok(read > 1000, "of octets changed some are read (%zu)", read);
	is_int(bad, 0, "and all of them sanely");
}

/* Lines behind the first; WANT is what is wrong, NULL for nothing. */
#define D "Mx-Domain: a.test\r\n"
#define F "Mx-Sender: <>\r\n"
#define R "Mx-Recipient: p <b@a.test>\r\n"
#define E "Mx-End: 1\r\n"
#define MISSING "the envelope lacks its sender, domain or recipients"
#define BROKEN "the envelope's lines are broken"
#define CONTROL "the envelope has control bytes"
#define NO_FIELD "a line of the envelope is no field"
#define NO_SENSE "a field of the envelope makes no sense"
static const struct {
	const char *lines, *want;
} blocks[] = {
	{ D F R E, NULL },
	{ R F D E, NULL },
	{ D F R R R E, NULL },
	{ D F R "Mx-Later: x\r\n" E, NULL },
	{ D F R "Mx-Arrived: 5\r\n" E, NULL },
	{ "", "the envelope has no end" },
	{ D F R, "the envelope has no end" },
	{ E, MISSING },
	{ F R E, MISSING },
	{ D R E, MISSING },
	{ D F E, MISSING },
	{ D F R E R, BROKEN },
	{ D F R E E, BROKEN },
	{ D F R "Mx-End: 1\n", BROKEN },
	{ D F R "Mx-End: 1\r", BROKEN },
	{ D F R "Mx-End: 1\r\n\r", BROKEN },
	{ D F R "X\r\n" E, NO_FIELD },
	{ D F R "\r\n" E, NO_FIELD },
	{ D F R "X: a\nb\r\n" E, CONTROL },
	{ D F R "X: a\rb\r\n" E, BROKEN },
	{ D F F R E, NO_SENSE },
	{ "Mx-Domain: A.test\r\n" F R E, NO_SENSE },
	{ "Mx-Domain: ../x\r\n" F R E, NO_SENSE },
	{ "Mx-Domain: \r\n" F R E, NO_SENSE },
	{ D "Mx-Sender: a@b\r\n" R E, NO_SENSE },
	{ D "Mx-Sender: <a@b\r\n" R E, NO_SENSE },
	{ D "Mx-Sender: <a@b>x\r\n" R E, NO_SENSE },
	{ D F "Mx-Recipient: x <b@a.test>\r\n" E, NO_SENSE },
	{ D F "Mx-Recipient:  <b@a.test>\r\n" E, NO_SENSE },
	{ D F "Mx-Recipient: p<b@a.test>\r\n" E, NO_SENSE },
	{ D F "Mx-Recipient: p <>\r\n" E, NO_SENSE },
	{ D F "Mx-Recipient: p\r\n" E, NO_SENSE },
	{ D F "Mx-Recipient: \r\n" E, NO_SENSE },
	{ D F R "Mx-Arrived: x\r\n" E, NO_SENSE },
	{ D F R "Mx-Client: 1234567890123456789012345678901234567890123456789"
	    "\r\n" E, NO_SENSE },
};

static void
check_blocks(void)
{
	struct envelope e;
	size_t len, need;
	const char *why;
	char *text;

	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		text = block(blocks[i].lines, &len);
		if (envelope_parse(&e, text, len, &need, &why) == 0)
			why = NULL;
		is_str(why, blocks[i].want, "block %zu", i);
		envelope_clear(&e);
		free(text);
	}
	text = block(D F R E, &len);
	text[len - 20] = '\0';
	is_int(envelope_parse(&e, text, len, &need, &why), -1, "a NUL");
	envelope_clear(&e);
	memcpy(text + 13, "2", 1);
	is_int(envelope_parse(&e, text, len, &need, &why), -1, "version 2");
	is_str(why, "it does not begin with an envelope of version 1", "why");
	free(text);
	text = block(D F R E, &len);
	memcpy(text + 15, "99999999", 8);
	is_int(envelope_parse(&e, text, len, &need, &why), -1, "huge");
	ok(why != NULL, "is not asked for");
	memcpy(text + 15, "00000026", 8);
	is_int(envelope_parse(&e, text, len, &need, &why), -1, "tiny");
	ok(why != NULL, "is nothing");
	memcpy(text + 15, "00000027", 8);
	is_int(envelope_parse(&e, text, len, &need, &why), -1, "one line");
	free(text);
}

/* Addresses and parameters, and whether an envelope takes them. */
static const struct {
	const char *address, *params;
	bool good;
} texts[] = {
	{ "a@b.test", "", true },
	{ "a@b.test", "NOTIFY=NEVER", true },
	{ "a@b.test", "NOTIFY=NEVER ORCPT=rfc822;a+40b", true },
	{ "\"a>b\"@b.test", "", true },
	{ "\"a> b\"@b.test", "X=1", true },
	{ "\"a\\\">b\"@b.test", "", true },
	{ "\"\\\\\"@b.test", "", true },
	{ "\"a: b\"@b.test", "", true },
	{ "\303\244@b.test", "", true },
	{ "postmaster", "", true },
	{ "a<b@b.test", "", true },
	{ "a\r@b.test", "", false },
	{ "a\n@b.test", "", false },
	{ "a@b.test>\r\nMx-Recipient: p <c@d.test", "", false },
	{ "a@b.test", "X=1\r\nMx-End: 1", false },
	{ "a@b.test", "\n", false },
	/* could not be told from what follows it */
	{ "a>b@b.test", "", false },
	{ "a@b.test> X=1", "", false },
	{ "a\"b@b.test", "", false },
	{ "\"a@b.test", "", false },
	{ "\"a\\\"@b.test", "", false },
};

static void
check_texts(void)
{
	struct envelope e, p;
	size_t len, need;
	const char *why;
	char *text;
	bool good;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		fill(&e);
		good = envelope_set_sender(&e, texts[i].address,
		    texts[i].params) == 0;
		is_int(good, texts[i].good, "sender %zu", i);
		good = envelope_add(&e, texts[i].address,
		    texts[i].params) == 0;
		is_int(good, texts[i].good, "recipient %zu", i);
		is_int(e.nrcpt, texts[i].good ? 3 : 2, "recipients %zu", i);
		text = envelope_print(&e, &len);
		is_int(envelope_parse(&p, text, len, &need, &why), 0,
		    "%zu is read back", i);
		if (texts[i].good) {
			is_str(p.sender, texts[i].address, "sender %zu", i);
			is_str(p.rcpt[2].address, texts[i].address,
			    "address %zu", i);
			is_str(p.rcpt[2].params, texts[i].params,
			    "parameters %zu", i);
		} else
			is_str(p.sender, "ann@example.com", "old %zu", i);
		free(text);
		envelope_clear(&e);
		envelope_clear(&p);
	}
	envelope_init(&e);
	is_int(envelope_add(&e, "", ""), -1, "no recipient is empty");
	is_int(envelope_set_sender(&e, "", ""), 0, "a sender may be");
	envelope_clear(&e);
}

static void
check_many(void)
{
	struct envelope e, p;
	size_t len, need, bad = 0;
	char address[64], *text;
	const char *why;

	fill(&e);
	(void)snprintf(e.helo, sizeof(e.helo), "a\r\nMx-End: 1");
	for (int i = 0; i < 5000; i++) {
		(void)snprintf(address, sizeof(address), "u%d@example.org", i);
		if (envelope_add(&e, address, i % 2 == 0 ? "" :
		    "NOTIFY=FAILURE") == -1)
			abort();
	}
	text = envelope_print(&e, &len);
	is_int(envelope_parse(&p, text, 27, &need, &why), -1, "begun");
	ok(why == NULL && need == len, "says how much it needs");
	is_int(envelope_parse(&p, text, len, &need, &why), 0, "5002 of them");
	is_int(p.nrcpt, 5002, "all there");
	for (size_t i = 0; i < p.nrcpt; i++)
		if (p.rcpt[i].where != e.rcpt[i].where ||
		    text[p.rcpt[i].where] != (char)p.rcpt[i].status ||
		    strcmp(p.rcpt[i].address, e.rcpt[i].address) != 0)
			bad++;
	is_int(bad, 0, "each in its place");
	is_str(p.helo, "", "a field that would break a line is left out");
	free(text);
	envelope_clear(&p);
	for (int i = 0; i < 200000 && e.nrcpt < 180000; i++)
		if (envelope_add(&e, "somebody@example.org", "") == -1)
			abort();
	ok(envelope_print(&e, &len) == NULL, "too many do not fit");
	envelope_clear(&e);
}

static const struct {
	const char *params, *name, *want;
	size_t size;
} params[] = {
	{ "SIZE=1 BODY=8BITMIME", "BODY", "8BITMIME", 20 },
	{ "SIZE=1 BODY=8BITMIME", "size", "1", 20 },
	{ "body=7bit", "BODY", "7bit", 20 },
	{ "SMTPUTF8", "SMTPUTF8", "", 20 },
	{ "SMTPUTF8X", "SMTPUTF8", NULL, 20 },
	{ "XSIZE=1", "SIZE", NULL, 20 },
	{ "SIZ=1", "SIZE", NULL, 20 },
	{ "A=SIZE=1", "SIZE", NULL, 20 },
	{ "", "SIZE", NULL, 20 },
	{ "  SIZE=1  ", "SIZE", "1", 20 },
	{ "SIZE=", "SIZE", "", 20 },
	{ "SIZE=1 SIZE=2", "SIZE", "1", 20 },
	{ "X=12345", "X", "12345", 6 },
	{ "X=12345", "X", NULL, 5 },
};

#ifndef __SANITIZE_ADDRESS__
/* The whole block or none, whenever memory ends. */
static void
check_memory(void)
{
	struct rlimit old, limit;
	struct envelope e, back;
	size_t len, need, pages = 0, none = 0, whole = 0, torn = 0;
	const char *why;
	char *text;
	FILE *f;

	fill(&e);
	for (size_t i = 0; i < 20000; i++)
		if (envelope_add(&e, "somebody@example.org", "") == -1)
			abort();
	if ((f = fopen("/proc/self/statm", "r")) == NULL ||
	    fscanf(f, "%zu", &pages) != 1 || getrlimit(RLIMIT_AS, &old) == -1)
		abort();
	fclose(f);
	limit = old;
	for (size_t i = 0; i < 64; i++) {
		limit.rlim_cur = pages * (size_t)getpagesize() + i * 65536;
		if (setrlimit(RLIMIT_AS, &limit) == -1)
			abort();
		text = envelope_print(&e, &len);
		if (setrlimit(RLIMIT_AS, &old) == -1)
			abort();
		if (text == NULL)
			none++;
		else if (envelope_parse(&back, text, len, &need, &why) == 0 &&
		    back.nrcpt == e.nrcpt)
			whole++;
		else
			torn++;
		if (text != NULL)
			envelope_clear(&back);
		free(text);
	}
	ok(none > 0 && whole > 0, "memory ends: %zu none, %zu whole", none,
	    whole);
	is_int(torn, 0, "and none is torn");
	envelope_clear(&e);
}
#endif

int
main(void)
{
	char value[32];

#ifndef __SANITIZE_ADDRESS__
	/* First, as long as nothing was freed that could be used again. */
	check_memory();
#endif
	check_sample();
	check_unverified();
	check_cuts();
	check_flips();
	check_blocks();
	check_texts();
	check_many();
	for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++)
		is_str(envelope_param(params[i].params, params[i].name, value,
		    params[i].size) ? value : NULL, params[i].want,
		    "%s in \"%s\"", params[i].name, params[i].params);
	is_str(envelope_status_name(RCPT_REPORTED), "failed", "words");
	is_str(envelope_status_name(RCPT_RELAYED), "delivered", "words");
	check_statuses();
	return done_testing();
}
