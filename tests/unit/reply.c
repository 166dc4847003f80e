/* SPDX-License-Identifier: ISC */
#include "reply.h"
#include "tap.h"

/* Lines separated by '\n'; what the last of them gives. */
static const struct {
	const char *in;
	enum reply_got got;
	int code;
	const char *status, *text, *print;
} cases[] = {
	{ "250 ok", REPLY_DONE, 250, "", "ok", "250 ok" },
	{ "250", REPLY_DONE, 250, "", "", "250" },
	{ "250 ", REPLY_DONE, 250, "", "", "250" },
	{ "250-a\n250 b", REPLY_DONE, 250, "", "a b", "250 a b" },
	{ "250-a\n250", REPLY_DONE, 250, "", "a", "250 a" },
	{ "250-", REPLY_MORE, 250, "", "", "250" },
	{ "250-a\n250-b\n250-c", REPLY_MORE, 250, "", "a b c", "250 a b c" },
	{ "550 5.1.1 no such user", REPLY_DONE, 550, "5.1.1", "no such user",
	    "550 5.1.1 no such user" },
	{ "550-5.1.1 no such\n550 5.1.1 user", REPLY_DONE, 550, "5.1.1",
	    "no such user", "550 5.1.1 no such user" },
	{ "550 5.1.1", REPLY_DONE, 550, "5.1.1", "", "550 5.1.1" },
	{ "550 5.123.456 x", REPLY_DONE, 550, "5.123.456", "x",
	    "550 5.123.456 x" },
	/* an enhanced code of another class, or none at all */
	{ "550 4.1.1 x", REPLY_DONE, 550, "", "4.1.1 x", "550 4.1.1 x" },
	{ "550 5.1234.1 x", REPLY_DONE, 550, "", "5.1234.1 x",
	    "550 5.1234.1 x" },
	{ "550 5.1 x", REPLY_DONE, 550, "", "5.1 x", "550 5.1 x" },
	{ "550 5.1.1.1 x", REPLY_DONE, 550, "", "5.1.1.1 x",
	    "550 5.1.1.1 x" },
	{ "550 5.1.x", REPLY_DONE, 550, "", "5.1.x", "550 5.1.x" },
	{ "354 3.0.0 go", REPLY_DONE, 354, "", "3.0.0 go", "354 3.0.0 go" },
	/* garbage */
	{ "", REPLY_GARBAGE, 0, "", "", "000" },
	{ "2", REPLY_GARBAGE, 0, "", "", "000" },
	{ "25", REPLY_GARBAGE, 0, "", "", "000" },
	{ "2500 ok", REPLY_GARBAGE, 0, "", "", "000" },
	{ "250ok", REPLY_GARBAGE, 0, "", "", "000" },
	{ "250\tok", REPLY_GARBAGE, 0, "", "", "000" },
	{ " 250 ok", REPLY_GARBAGE, 0, "", "", "000" },
	{ "-250 ok", REPLY_GARBAGE, 0, "", "", "000" },
	{ "150 ok", REPLY_GARBAGE, 0, "", "", "000" },
	{ "650 ok", REPLY_GARBAGE, 0, "", "", "000" },
	{ "000 ok", REPLY_GARBAGE, 0, "", "", "000" },
	{ "2a0 ok", REPLY_GARBAGE, 0, "", "", "000" },
	{ "HTTP/1.1 400 Bad", REPLY_GARBAGE, 0, "", "", "000" },
	{ "SSH-2.0-x", REPLY_GARBAGE, 0, "", "", "000" },
	/* lines that disagree */
	{ "250-a\n550 b", REPLY_GARBAGE, 250, "", "a", "250 a" },
	{ "550-a\n551 b", REPLY_GARBAGE, 550, "", "a", "550 a" },
	{ "550-a\nb", REPLY_GARBAGE, 550, "", "a", "550 a" },
	{ "550-a\n", REPLY_GARBAGE, 550, "", "a", "550 a" },
};

static void
check(size_t i)
{
	enum reply_got got = REPLY_MORE;
	struct reply r;
	const char *p = cases[i].in;
	char print[REPLY_TEXT_MAX + 32];
	size_t n;

	reply_init(&r);
	for (;;) {
		n = strcspn(p, "\n");
		got = reply_feed(&r, p, n);
		if (p[n] == '\0')
			break;
		p += n + 1;
	}
	is_int(got, cases[i].got, "case %zu: got", i);
	is_int(r.code, cases[i].code, "case %zu: code", i);
	is_str(r.status, cases[i].status, "case %zu: status", i);
	is_str(r.text, cases[i].text, "case %zu: text", i);
	reply_print(&r, print, sizeof(print));
	is_str(print, cases[i].print, "case %zu: printed", i);
}

/* CONNECT EHLO MAIL RCPT DATA END OTHER; d delivered, l later, f failed */
static const struct {
	int code;
	const char *want;
} verdicts[] = {
	{ 0, "lllllll" },
	{ 200, "llllldl" },
	{ 220, "llllldl" },
	{ 250, "llllldl" },
	{ 251, "llllldl" },
	{ 299, "llllldl" },
	{ 354, "lllllll" },
	{ 399, "lllllll" },
	{ 421, "lllllll" },
	{ 450, "lllllll" },
	{ 451, "lllllll" },
	{ 452, "lllllll" },
	{ 499, "lllllll" },
	{ 500, "lllllfl" },
	{ 501, "lllflfl" },
	{ 502, "lllllfl" },
	{ 503, "lllllll" },
	{ 504, "lllflfl" },
	{ 521, "lllllll" },
	{ 530, "lllllll" },
	{ 538, "lllllll" },
	{ 550, "lllflfl" },
	{ 552, "lllflfl" },
	{ 554, "lllflfl" },
	{ 571, "lllflfl" },
	{ 599, "lllflfl" },
};

static char
letter(enum verdict v)
{
	switch (v) {
	case VERDICT_DELIVERED:
		return 'd';
	case VERDICT_DEFERRED:
		return 'l';
	case VERDICT_FAILED:
		return 'f';
	}
	return '?';
}

static void
check_verdicts(void)
{
	struct reply r;
	char got[8];
	int to;

	for (size_t i = 0; i < sizeof(verdicts) / sizeof(verdicts[0]); i++) {
		reply_init(&r);
		r.code = verdicts[i].code;
		for (to = REPLY_TO_CONNECT; to <= REPLY_TO_OTHER; to++)
			got[to] = letter(reply_verdict(&r,
			    (enum reply_to)to));
		got[to] = '\0';
		is_str(got, verdicts[i].want, "verdicts on %d",
		    verdicts[i].code);
	}
}

static void
check_long(void)
{
	char line[2000], small[8];
	struct reply r;

	memset(line, 'x', sizeof(line));
	memcpy(line, "250-", 4);
	reply_init(&r);
	is_int(reply_feed(&r, line, sizeof(line)), REPLY_MORE, "a long line");
	is_int(strlen(r.text), REPLY_TEXT_MAX - 1, "is cut");
	is_int(reply_feed(&r, line, sizeof(line)), REPLY_MORE, "and another");
	is_int(strlen(r.text), REPLY_TEXT_MAX - 1, "changes nothing");
	is_int(reply_feed(&r, "250 end", 7), REPLY_DONE, "to its end");
	reply_print(&r, small, sizeof(small));
	is_str(small, "250 xxx", "printed as far as there is room");
	reply_init(&r);
	is_int(reply_feed(&r, "250 a\0b", 7), REPLY_DONE, "a NUL");
	is_str(r.text, "a b", "becomes a space");
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		check(i);
	check_verdicts();
	check_long();
	return done_testing();
}
