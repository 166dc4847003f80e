/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "deadline.h"
#include "look.h"
#include "tap.h"

/*
 * A server that says its lines whatever it hears, one reply at a time.  At
 * the end of its lines it closes, or is silent, or says the last for ever.
 */
enum then { CLOSE, SILENT, FOREVER };

struct server {
	const char *next;
	enum then then;
	char heard[4096];
	size_t len;
};

/* A line in the script is an LF alone; a reply's last line has a blank. */
static size_t
one_reply(const char *p)
{
	const char *line = p;
	size_t n;

	for (;;) {
		n = strcspn(line, "\n");
		if (line[n] == '\0')
			return (size_t)(line + n - p);
		if (n < 4 || line[3] != '-')
			return (size_t)(line + n + 1 - p);
		line += n + 1;
	}
}

static ssize_t
server_read(void *arg, void *buf, size_t len, int64_t deadline)
{
	struct server *s = arg;
	const char *p = s->next;
	size_t n = one_reply(p);

	(void)deadline;
	if (n == 0 && s->then == SILENT) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (n > len)
		n = len;
	memcpy(buf, p, n);
	if (s->then != FOREVER || p[n] != '\0')
		s->next += n;
	return (ssize_t)n;
}

static ssize_t
server_write(void *arg, const void *buf, size_t len, int64_t deadline)
{
	struct server *s = arg;

	(void)deadline;
	if (len >= sizeof(s->heard) - s->len)
		len = sizeof(s->heard) - 1 - s->len;
	memcpy(s->heard + s->len, buf, len);
	s->len += len;
	return (ssize_t)len;
}

static const struct stream_ops server_ops = { server_read, server_write };

static struct look l;
static char heard[4096];

static void
look(const char *script, enum then then, bool rehearse)
{
	struct look_us us;
	struct server s;
	struct sockaddr_storage addr;
	char *to, *p;

	memset(&us, 0, sizeof(us));
	memset(&addr, 0, sizeof(addr));
	memset(&s, 0, sizeof(s));
	strlcpy(us.name, "mx2.backup.test", sizeof(us.name));
	s.next = script;
	s.then = then;
	look_init(&l, &addr, "mx1.example.org");
	look_ask(&l, "example.org");
	l.rehearse = rehearse;
	look_talk(&l, &us, &server_ops, &s, deadline_in(2000));
	/* What was heard, a line each, without CR. */
	for (p = s.heard, to = heard; *p != '\0'; p++)
		if (*p != '\r')
			*to++ = *p;
	*to = '\0';
}

#define GREET	"220 mx1.example.org ESMTP Postfix\n"
#define EHLO	"250-MX1.example.org hello\n250-SIZE 1000\n250-8bitmime\n" \
		"250-SMTPUTF8\n250-DSN\n250-XCLIENT NAME ADDR\n250 FUTURE\x1b[2J\n"
#define TWO	"250 2.1.0 ok\n250 2.1.5 ok\n250 2.0.0 ok\n"

static void
test_good(void)
{
	look(GREET EHLO TWO "250 ok\n554 5.7.1 Relay access denied\n250 ok\n"
	    "221 bye\n", CLOSE, false);
	is_int(l.end, TALK_WELL, "good: ends well");
	is_str(l.why, "", "good: nothing to explain");
	is_int(l.step, LOOK_QUIT, "good: the last step");
	is_str(l.name, "mx1.example.org", "good: its name");
	is_int(l.offers, LOOK_SIZE | LOOK_8BITMIME | LOOK_SMTPUTF8 |
	    LOOK_DSN | LOOK_XCLIENT, "good: offers");
	is_int(l.size, 1000, "good: its limit");
	is_str(l.keywords, "SIZE 1000, 8bitmime, SMTPUTF8, DSN, "
	    "XCLIENT NAME ADDR, FUTURE\\033[2J", "good: keywords, plain");
	is_str(l.greeting.text, "220 mx1.example.org ESMTP Postfix",
	    "good: greeting");
	is_int(l.null_sender.code, 250, "good: the null sender");
	is_int(l.ask[0].postmaster.code, 250, "good: postmaster");
	is_int(l.relay.code, 554, "good: no relay");
	is_str(l.relay.text, "554 5.7.1 Relay access denied",
	    "good: in its words");
	is_int(l.ask[0].sender.code, 0, "good: not rehearsed");
	is_str(heard, "EHLO mx2.backup.test\n"
	    "MAIL FROM:<>\nRCPT TO:<postmaster@example.org>\nRSET\n"
	    "MAIL FROM:<>\nRCPT TO:<mx-check-relay-test@example.com>\nRSET\n"
	    "QUIT\n", "good: what is said");
}

static void
test_pipelining(void)
{
	look(GREET "250-[192.0.2.1]\n250 PIPELINING\n" TWO
	    "550 no\n503 need MAIL\n250 ok\n221 bye\n", CLOSE, false);
	is_int(l.end, TALK_WELL, "pipelining: ends well");
	is_int(l.relay.code, 0, "pipelining: 503 is no verdict");
	is_str(l.name, "", "pipelining: a word that is no host name");
}

static void
test_helo(void)
{
	look(GREET "502 what?\n250 old.example.org\n" TWO
	    "250 ok\n550 no\n250 ok\n221 bye\n", CLOSE, false);
	is_int(l.end, TALK_WELL, "HELO: ends well");
	ok(!l.extended, "HELO: noted");
	is_str(l.name, "old.example.org", "HELO: its name");
	look(GREET "502 what?\n504 no\n221 bye\n", CLOSE, false);
	is_int(l.end, TALK_REFUSED, "HELO refused too");
	is_str(l.why, "504 no", "HELO refused too: why");
	is_str(heard, "EHLO mx2.backup.test\nHELO mx2.backup.test\nQUIT\n",
	    "HELO refused too: QUIT all the same");
}

static void
test_null_refused(void)
{
	look(GREET "250 mx1.example.org\n"
	    "550 no null\n250 ok\n" TWO "250 ok\n554 no\n250 ok\n221 bye\n",
	    CLOSE, false);
	is_int(l.end, TALK_WELL, "no null sender: ends well");
	is_int(l.null_sender.code, 550, "no null sender: noted");
	is_int(l.ask[0].postmaster.code, 250, "no null sender: postmaster is asked");
	is_int(l.relay.code, 554, "no null sender: relay is asked");
	is_str(heard, "EHLO mx2.backup.test\nMAIL FROM:<>\nRSET\n"
	    "MAIL FROM:<postmaster@mx2.backup.test>\n"
	    "RCPT TO:<postmaster@example.org>\nRSET\n"
	    "MAIL FROM:<postmaster@mx2.backup.test>\n"
	    "RCPT TO:<mx-check-relay-test@example.com>\nRSET\nQUIT\n",
	    "no null sender: what is said");
}

static void
test_rehearse(void)
{
	char *at;

	look(GREET "250 mx1.example.org\n" TWO
	    "250 ok\n450 4.2.0 greylisted\n550 5.1.1 unknown\n250 ok\n"
	    "550 5.7.23 SPF fail\n250 ok\n250 ok\n554 no\n250 ok\n221 bye\n",
	    CLOSE, true);
	is_int(l.end, TALK_WELL, "rehearsal: ends well");
	is_int(l.ask[0].sender.code, 250, "rehearsal: our sender");
	is_int(l.ask[0].known.code, 450, "rehearsal: greylisted");
	is_int(l.ask[0].stranger.code, 550, "rehearsal: it knows its users");
	is_str(l.ask[0].passed.text, "550 5.7.23 SPF fail", "rehearsal: SPF");
	at = strstr(heard, "MAIL FROM:<postmaster@mx2.backup.test>\n"
	    "RCPT TO:<postmaster@example.org>\nRCPT TO:<mx-check-");
	ok(at != NULL, "rehearsal: what is said");
	ok(strstr(heard, "MAIL FROM:<mx-check@example.com>\nRSET\n") !=
	    NULL, "rehearsal: as one that passes on");
}

static void
test_bad(void)
{
	static const struct {
		const char *name, *script;
		enum then then;
		enum look_step step;
		enum talk_end end;
		const char *why;
		bool quits;
	} tests[] = {
		{ "closed", "", CLOSE, LOOK_GREETING, TALK_LOST,
		    "it closed the connection", false },
		{ "silent", "", SILENT, LOOK_GREETING, TALK_LATE,
		    "no answer in time", true },
		{ "silent after EHLO", GREET, SILENT, LOOK_EHLO, TALK_LATE,
		    "no answer in time", true },
		{ "refused", "554 go\taway\n221 bye\n", CLOSE, LOOK_GREETING,
		    TALK_REFUSED, "554 go\\taway", true },
		{ "farewell", "421 busy\n", CLOSE, LOOK_GREETING, TALK_REFUSED,
		    "421 busy", false },
		{ "farewell at RCPT", GREET "250 x\n250 ok\n421 bye\n", CLOSE,
		    LOOK_MAIL, TALK_REFUSED, "421 bye", false },
		{ "garbage", "HTTP/1.0 200 \xff\n", CLOSE, LOOK_GREETING,
		    TALK_GARBAGE, "it says \"HTTP/1.0 200 \\377\", which is "
		    "no reply", false },
		{ "endless greeting", "220-x\n", FOREVER, LOOK_GREETING,
		    TALK_GARBAGE, "its reply has no end", false },
		{ "endless line", "xxxxxxxxxxxxxxx", FOREVER, LOOK_GREETING,
		    TALK_GARBAGE, "it does not stop talking", false },
		{ "two at once", GREET "250-x\n250-y\n250 z\r\n250 x\n",
		    CLOSE, LOOK_MAIL, TALK_LOST, "it closed the connection",
		    false },
		{ "codes that differ", GREET "250-x\n220 z\n", CLOSE,
		    LOOK_EHLO, TALK_GARBAGE,
		    "it says \"220 z\", which is no reply", false },
	};
	size_t i;

	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		look(tests[i].script, tests[i].then, true);
		is_int(l.step, tests[i].step, "%s: step", tests[i].name);
		is_int(l.end, tests[i].end, "%s: end", tests[i].name);
		is_str(l.why, tests[i].why, "%s: why", tests[i].name);
		ok((strstr(heard, "QUIT\n") != NULL) == tests[i].quits,
		    "%s: QUIT", tests[i].name);
	}
}

int
main(void)
{
	test_good();
	test_pipelining();
	test_helo();
	test_null_refused();
	test_rehearse();
	test_bad();
	return done_testing();
}
