/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "conf.h"
#include "smtp_client.h"
#include "spool.h"
#include "tap.h"

/*
 * A server that plays a script: "STEP=reply" separated by '|', STEP one of
 * GREET EHLO HELO MAIL RCPT DATA END BDAT RSET QUIT, or the first letters of
 * another verb.  The first unused entry of a step is its answer, then the last
 * one again.  "!" closes the connection, at the end of a reply behind it, and
 * "?" says nothing; LF within a reply separates its lines, and what follows a
 * "~" comes 0.2 s later.
 */
struct server {
	int listener, fd;
	const char *script;
	unsigned long used;
	bool text;		/* after 354 */
	size_t chunk;		/* octets of BDAT still to come */
	char heard[16384];	/* all that the client said */
	size_t len;
	size_t done;		/* of heard: answered */
	int reads;
};

/* The script's answer, not terminated; its length, or -1. */
static int
answer(struct server *s, const char *step, const char **text)
{
	const char *p = s->script, *end;
	size_t n = strlen(step);
	int i, len = -1;

	for (i = 0; *p != '\0'; i++) {
		end = p + strcspn(p, "|");
		if (strncmp(p, step, n) == 0 && p[n] == '=') {
			*text = p + n + 1;
			len = (int)(end - *text);
			if ((s->used & (1UL << i)) == 0) {
				s->used |= 1UL << i;
				break;
			}
		}
		p = *end == '|' ? end + 1 : end;
	}
	return len;
}

/* False when the connection is to be closed. */
static bool
say(struct server *s, const char *step)
{
	const char *text, *rest;
	char *out = NULL;
	size_t outlen = 0;
	FILE *f;
	bool go;
	int i, len;

	if ((len = answer(s, step, &text)) == -1) {
		text = strcmp(step, "GREET") == 0 ? "220 primary.test hello" :
		    strcmp(step, "DATA") == 0 ? "354 go on" :
		    strcmp(step, "QUIT") == 0 ? "221 bye" : "250 ok";
		len = (int)strlen(text);
	}
	if (len == 1 && *text == '!')
		return false;
	if (len == 1 && *text == '?')
		return true;
	if ((rest = memchr(text, '~', (size_t)len)) != NULL) {
		(void)dprintf(s->fd, "%.*s\r\n", (int)(rest - text), text);
		usleep(200000);
		len -= (int)(rest + 1 - text);
		text = rest + 1;
	}
	if (strcmp(step, "DATA") == 0)
		s->text = *text == '3';
	if ((f = open_memstream(&out, &outlen)) == NULL)
		return false;
	if (len > 0 && text[len - 1] == '!')
		len--;
	for (i = 0; i < len; i++) {
		if (text[i] == '\n')
			fputc('\r', f);
		fputc(text[i], f);
	}
	fputs("\r\n", f);
	fclose(f);
	go = write(s->fd, out, outlen) == (ssize_t)outlen && text[len] != '!';
	free(out);
	return go && strcmp(step, "QUIT") != 0;
}

static bool
hear_line(struct server *s, const char *line)
{
	static const char *const steps[] = { "EHLO", "HELO", "MAIL", "RCPT",
	    "DATA", "RSET", "QUIT", "XCLI", "XFOR", "STAR" };
	size_t i;

	if (strncmp(line, "BDAT ", 5) == 0) {
		s->chunk = strtoul(line + 5, NULL, 10);
		return s->chunk > 0 || say(s, "BDAT");
	}

	if (s->text) {
		if (strncmp(line, ".\r\n", 3) != 0)
			return true;
		s->text = false;
		return say(s, "END");
	}
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		if (strncmp(line, steps[i], 4) == 0)
			return say(s, steps[i]);
	return false;
}

/* What has come of a chunk. */
static bool
hear_chunk(struct server *s)
{
	size_t n = s->len - s->done;

	if (n > s->chunk)
		n = s->chunk;
	s->done += n;
	s->chunk -= n;
	return s->chunk > 0 || say(s, "BDAT");
}

static void *
serve(void *arg)
{
	struct server *s = arg;
	bool go;
	char *lf;
	ssize_t n;

	if ((s->fd = accept(s->listener, NULL, NULL)) == -1)
		return NULL;
	go = say(s, "GREET");
	while (go && (n = read(s->fd, s->heard + s->len,
	    sizeof(s->heard) - 1 - s->len)) > 0) {
		s->reads++;
		s->len += (size_t)n;
		while (go && s->done < s->len) {
			if (s->chunk > 0) {
				go = hear_chunk(s);
				continue;
			}
			lf = memchr(s->heard + s->done, '\n',
			    s->len - s->done);
			if (lf == NULL)
				break;
			n = lf + 1 - (s->heard + s->done);
			go = hear_line(s, s->heard + s->done);
			s->done += (size_t)n;
		}
	}
	close(s->fd);
	return NULL;
}

/*** One table for whole sessions of one message to three recipients ***/

#define PIPE "EHLO=250-primary.test\n250-PIPELINING\n250 SIZE 1000|"
#define LOST SMTP_CLIENT_LOST
#define REFUSED SMTP_CLIENT_REFUSED

static const struct {
	const char *name;
	const char *script;
	int open;		/* enum smtp_client_result */
	int sent;
	int mail, rcpt[3], data, end;	/* codes */
	bool unsure;
	const char *error;	/* begins or contains, "" for any */
	const char *heard;	/* after EHLO, "" for any */
} table[] = {
	{ "all goes well, in turn", "", 0, 0, 250, {250, 250, 250}, 354, 250,
	    false, "", "MAIL FROM:<s@x.test>\r\nRCPT TO:<a@y.test>\r\n"
	    "RCPT TO:<b@y.test>\r\nRCPT TO:<c@y.test>\r\nDATA\r\n"
	    "A: b\r\n\r\n..dot\r\n.\r\nQUIT\r\n" },
	{ "all goes well, pipelined", PIPE, 0, 0, 250, {250, 250, 250}, 354,
	    250, false, "", "MAIL FROM:<s@x.test> SIZE=14\r\n"
	    "RCPT TO:<a@y.test>\r\nRCPT TO:<b@y.test>\r\n"
	    "RCPT TO:<c@y.test>\r\nDATA\r\nA: b\r\n\r\n..dot\r\n.\r\n"
	    "QUIT\r\n" },
	{ "8BITMIME is passed on", "EHLO=250-p\n250 8bitmime", 0, 0, 250,
	    {250, 250, 250}, 354, 250, false, "",
	    "MAIL FROM:<s@x.test> BODY=8BITMIME\r\nRCPT TO:<a@y.test>\r\n"
	    "RCPT TO:<b@y.test>\r\nRCPT TO:<c@y.test>\r\nDATA\r\n"
	    "A: b\r\n\r\n..dot\r\n.\r\nQUIT\r\n" },
	{ "HELO where EHLO is unknown", "EHLO=500 what", 0, 0, 250,
	    {250, 250, 250}, 354, 250, false, "", "HELO mx2.test\r\n"
	    "MAIL FROM:<s@x.test>\r\nRCPT TO:<a@y.test>\r\n"
	    "RCPT TO:<b@y.test>\r\nRCPT TO:<c@y.test>\r\nDATA\r\n"
	    "A: b\r\n\r\n..dot\r\n.\r\nQUIT\r\n" },
	{ "greeting 554", "GREET=554 go away", REFUSED, 0, 0, {0, 0, 0}, 0, 0,
	    false, "the greeting: 554 go away", "" },
	{ "greeting 421", "GREET=421 busy", REFUSED, 0, 0, {0, 0, 0}, 0, 0,
	    false, "the greeting: 421 busy", "" },
	{ "greeting garbage", "GREET=SSH-2.0-x\033[1m", LOST, 0, 0, {0, 0, 0},
	    0, 0, false, "not an SMTP reply: \"SSH-2.0-x\\033[1m\"", "" },
	{ "greeting 354", "GREET=354 x", LOST, 0, 0, {0, 0, 0}, 0, 0, false,
	    "the greeting: 354", "" },
	{ "no greeting", "GREET=!", LOST, 0, 0, {0, 0, 0}, 0, 0, false,
	    "closed", "" },
	{ "silence", "GREET=?", LOST, 0, 0, {0, 0, 0}, 0, 0, false,
	    "no answer for 1s to the greeting", "" },
	{ "ourselves in the greeting", "GREET=220 MX2.TEST. hi",
	    SMTP_CLIENT_OURSELVES, 0, 0, {0, 0, 0}, 0, 0, false,
	    "a name of ours", "" },
	{ "ourselves in EHLO", "EHLO=250-mx2.test\n250 SIZE",
	    SMTP_CLIENT_OURSELVES, 0, 0, {0, 0, 0}, 0, 0, false,
	    "a name of ours", "" },
	{ "EHLO 421", "EHLO=421 no", REFUSED, 0, 0, {0, 0, 0}, 0, 0, false,
	    "EHLO: 421 no", "" },
	{ "EHLO 450", "EHLO=450 no", REFUSED, 0, 0, {0, 0, 0}, 0, 0, false,
	    "EHLO: 450 no", "QUIT\r\n" },
	{ "EHLO and HELO 5xx", "EHLO=502 no|HELO=550 no", REFUSED, 0, 0,
	    {0, 0, 0}, 0, 0, false, "HELO: 550 no", "" },
	{ "EHLO lines that disagree", "EHLO=250-p\n550 x", LOST, 0, 0,
	    {0, 0, 0}, 0, 0, false, "not an SMTP reply: \"550 x\" to EHLO",
	    "" },
	{ "two replies to EHLO", "EHLO=250 p\n250 ok", LOST, 0, 0, {0, 0, 0},
	    0, 0, false, "unasked", "" },
	{ "MAIL 451, in turn", "MAIL=451 later", 0, 0, 451, {0, 0, 0}, 0, 0,
	    false, "", "MAIL FROM:<s@x.test>\r\nQUIT\r\n" },
	{ "MAIL 550, pipelined: what follows concerns nobody",
	    PIPE "MAIL=550 no|RCPT=503 mail?|DATA=503 x", 0, 0, 550, {0, 0, 0},
	    503, 0, false, "", "" },
	{ "MAIL 550, pipelined, and 354 all the same",
	    PIPE "MAIL=550 no|RCPT=503 mail?|END=554 none", 0, 0, 550,
	    {0, 0, 0}, 354, 0, false, "",
	    "MAIL FROM:<s@x.test> SIZE=14\r\n"
	    "RCPT TO:<a@y.test>\r\nRCPT TO:<b@y.test>\r\n"
	    "RCPT TO:<c@y.test>\r\nDATA\r\n.\r\nQUIT\r\n" },
	{ "one RCPT 550", "RCPT=250 ok|RCPT=550 no|RCPT=250 ok", 0, 0, 250,
	    {250, 550, 250}, 354, 250, false, "", "" },
	{ "all RCPT refused, in turn", "RCPT=550 no", 0, 0, 250,
	    {550, 550, 550}, 0, 0, false, "", "MAIL FROM:<s@x.test>\r\n"
	    "RCPT TO:<a@y.test>\r\nRCPT TO:<b@y.test>\r\n"
	    "RCPT TO:<c@y.test>\r\nRSET\r\nQUIT\r\n" },
	{ "all RCPT refused, pipelined, 354: the lone dot",
	    PIPE "RCPT=550 no|END=554 none", 0, 0, 250, {550, 550, 550}, 354,
	    0, false, "", "MAIL FROM:<s@x.test> SIZE=14\r\n"
	    "RCPT TO:<a@y.test>\r\nRCPT TO:<b@y.test>\r\n"
	    "RCPT TO:<c@y.test>\r\nDATA\r\n.\r\nQUIT\r\n" },
	{ "all RCPT refused, pipelined, DATA refused",
	    PIPE "RCPT=550 no|DATA=554 none", 0, 0, 250, {550, 550, 550}, 554,
	    0, false, "", "MAIL FROM:<s@x.test> SIZE=14\r\n"
	    "RCPT TO:<a@y.test>\r\nRCPT TO:<b@y.test>\r\n"
	    "RCPT TO:<c@y.test>\r\nDATA\r\nRSET\r\nQUIT\r\n" },
	{ "421 to the second RCPT", "RCPT=250 ok|RCPT=421 closing", 0, LOST,
	    250, {250, 421, 0}, 0, 0, false, "RCPT: 421 closing", "" },
	{ "closed at RCPT", "RCPT=550 no|RCPT=!", 0, LOST, 250, {550, 0, 0}, 0,
	    0, false, "connection closed at RCPT", "" },
	{ "garbage at RCPT takes earlier refusals back",
	    "RCPT=550 no|RCPT=hello", 0, LOST, 250, {0, 0, 0}, 0, 0, false,
	    "not an SMTP reply: \"hello\" to RCPT", "" },
	{ "silence at RCPT", "RCPT=?", 0, LOST, 250, {0, 0, 0}, 0, 0, false,
	    "no answer for 1s to RCPT", "" },
	{ "DATA 451", "DATA=451 x", 0, 0, 250, {250, 250, 250}, 451, 0, false,
	    "", "" },
	{ "DATA 250 is out of step", "DATA=250 x", 0, LOST, 250, {0, 0, 0},
	    250, 0, false, "out of step", "" },
	{ "bytes after 354 are out of step", "DATA=354 x\n250 ok", 0, LOST,
	    250, {0, 0, 0}, 354, 0, false, "out of step", "" },
	{ "two replies to RCPT are out of step",
	    PIPE "RCPT=550 no\n250 ok", 0, LOST, 250, {0, 0, 0}, 250, 0,
	    false, "out of step", "" },
	{ "closed after the text", "END=!", 0, LOST, 250, {250, 250, 250}, 354,
	    0, true, "closed at the end of the text", "" },
	{ "silence after the text", "END=?", 0, LOST, 250, {250, 250, 250},
	    354, 0, true, "no answer for 1s to the end", "" },
	{ "garbage after the text", "END=\xff\x01", 0, LOST, 250, {0, 0, 0},
	    354, 0, true, "not an SMTP reply: \"\\377\\001\"", "" },
	{ "354 after the text", "END=354 go on", 0, LOST, 250, {0, 0, 0},
	    354, 354, true, "replies out of step", "" },
	{ "554 after the text", "END=554 5.6.0 no", 0, 0, 250,
	    {250, 250, 250}, 354, 554, false, "", "" },
	{ "421 after the text", "END=421 no", 0, LOST, 250, {250, 250, 250},
	    354, 421, false, "end of the text: 421 no", "" },
	{ "552 after the text, several lines", "END=552-a\n552-b\n552 c", 0, 0,
	    250, {250, 250, 250}, 354, 552, false, "", "" },
	{ "RSET refused", "RCPT=550 no|RSET=500 x", 0, LOST, 250,
	    {550, 550, 550}, 0, 0, false, "refused: RSET", "" }
};

struct fixture {
	struct server server;
	pthread_t thread;
	struct conf conf;
	struct sockaddr_in addr;
	struct message m;
	enum conf_identify identify;
	int64_t window;
};

static bool
begin(struct fixture *x, const char *script, const char *text)
{
	socklen_t len = sizeof(x->addr);
	char name[] = "/tmp/mxkeep.XXXXXX";

	memset(x, 0, sizeof(*x));
	x->server.script = script;
	x->window = 1;
	conf_init(&x->conf);
	(void)strlcpy(x->conf.hostname, "mx2.test", sizeof(x->conf.hostname));
	x->conf.timeout.connect = x->conf.timeout.greeting = 1000;
	x->conf.timeout.helo = x->conf.timeout.mail = 1000;
	x->conf.timeout.rcpt = x->conf.timeout.data = 1000;
	x->conf.timeout.block = x->conf.timeout.dot = 1000;
	/* For who is about to close; no script keeps silent there. */
	x->conf.timeout.quit = 3000;
	envelope_init(&x->m.envelope);
	envelope_set_sender(&x->m.envelope, "s@x.test", "BODY=8BITMIME");
	envelope_add(&x->m.envelope, "a@y.test", "");
	envelope_add(&x->m.envelope, "b@y.test", "");
	envelope_add(&x->m.envelope, "c@y.test", "");
	x->m.size = (int64_t)strlen(text);
	x->m.offset = 4;
	if ((x->m.fd = mkstemp(name)) == -1)
		return false;
	unlink(name);
	dprintf(x->m.fd, "ENV\n%s", text);
	x->addr.sin_family = AF_INET;
	x->addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	x->server.listener = socket(AF_INET, SOCK_STREAM, 0);
	return bind(x->server.listener, (struct sockaddr *)&x->addr,
	    sizeof(x->addr)) == 0 && listen(x->server.listener, 1) == 0 &&
	    getsockname(x->server.listener, (struct sockaddr *)&x->addr,
	    &len) == 0 &&
	    pthread_create(&x->thread, NULL, serve, &x->server) == 0;
}

static void
end(struct fixture *x)
{
	pthread_join(x->thread, NULL);
	close(x->server.listener);
	close(x->m.fd);
	envelope_clear(&x->m.envelope);
}

static enum smtp_client_result
dial(struct fixture *x, struct smtp_client **c, char *error)
{
	struct smtp_client_options o = { .conf = &x->conf, .fd = -1,
	    .identify = x->identify, .window = x->window };

	return smtp_client_open(c, &o, (const struct sockaddr *)&x->addr,
	    sizeof(x->addr), error);
}

static void
check_sent(size_t t, struct smtp_client *c, struct fixture *x)
{
	struct smtp_client_rcpt rcpt[3] = { { .index = 0 }, { .index = 1 },
	    { .index = 2 } };
	struct smtp_client_result_set r = { .rcpt = rcpt, .nrcpt = 3 };
	const char *name = table[t].name;
	int i;

	is_int(smtp_client_send(c, &x->m, &r), table[t].sent, "%s: sent",
	    name);
	is_int(r.mail.code, table[t].mail, "%s: MAIL", name);
	for (i = 0; i < 3; i++)
		is_int(rcpt[i].reply.code, table[t].rcpt[i], "%s: RCPT %d",
		    name, i + 1);
	is_int(r.data.code, table[t].data, "%s: DATA", name);
	is_int(r.end.code, table[t].end, "%s: end", name);
	is_int(r.unsure, table[t].unsure, "%s: unsure", name);
	if (!ok(strstr(r.error, table[t].error) != NULL, "%s: error", name))
		printf("# %s\n", r.error);
}

static void
test_table(size_t t)
{
	static const char hello[] = "EHLO mx2.test\r\n";
	const char *name = table[t].name;
	struct smtp_client *c;
	char error[512];
	struct fixture x;

	if (!ok(begin(&x, table[t].script, "A: b\r\n\r\n.dot\r\n"),
	    "%s: set up", name))
		return;
	is_int(dial(&x, &c, error), table[t].open, "%s: opened", name);
	if (c != NULL)
		check_sent(t, c, &x);
	else if (!ok(strstr(error, table[t].error) != NULL, "%s: error", name))
		printf("# %s\n", error);
	smtp_client_close(c);
	end(&x);
	x.server.heard[x.server.len] = '\0';
	if (table[t].heard[0] != '\0')
		is_str(x.server.heard + sizeof(hello) - 1, table[t].heard,
		    "%s: what the server heard", name);
}

static void
test_offers(void)
{
	struct smtp_client *c;
	char error[512];
	struct fixture x;

	begin(&x, "EHLO=250-primary.test hi\n250-PIPELINING\n"
	    "250-size 35882577\n250-AUTH PLAIN\033\n250-SIZEX 3\n250 DSN", "");
	is_int(dial(&x, &c, error), SMTP_CLIENT_OK, "offers: opened");
	is_int(smtp_client_offers(c), SMTP_OFFER_PIPELINING |
	    SMTP_OFFER_SIZE | SMTP_OFFER_DSN, "offers: which");
	is_int(smtp_client_size_limit(c), 35882577, "offers: the limit");
	is_str(smtp_client_ehlo(c), "PIPELINING;size 35882577;"
	    "AUTH PLAIN\\033;SIZEX 3;DSN", "offers: as plain text");
	smtp_client_close(c);
	end(&x);
}

/* A connection carries message after message, one write for each half. */
static void
test_many(void)
{
	struct smtp_client_rcpt rcpt[1] = { { .index = 0 } };
	struct smtp_client_result_set r = { .rcpt = rcpt, .nrcpt = 1 };
	struct smtp_client *c;
	char error[512];
	struct fixture x;
	int i;

	begin(&x, "EHLO=250-p\n250 PIPELINING|RCPT=250 ok|RCPT=550 no|"
	    "RCPT=250 ok|END=250 ok|END=554 none|END=250 ok", "hello");
	is_int(dial(&x, &c, error), SMTP_CLIENT_OK, "many: opened");
	for (i = 0; i < 4; i++) {
		is_int(smtp_client_send(c, &x.m, &r), SMTP_CLIENT_OK,
		    "many: message %d", i + 1);
		is_int(rcpt[0].reply.code, i == 1 ? 550 : 250,
		    "many: its recipient");
	}
	smtp_client_close(c);
	end(&x);
	ok(strstr(x.server.heard, "DATA\r\nhello\r\n.\r\nMAIL") != NULL,
	    "many: a text without a final end of line gets one");
	is_int(x.server.reads, 10, "many: two writes a message");
}

static void
test_nobody(void)
{
	struct smtp_client *c;
	char error[512];
	struct fixture x;

	begin(&x, "", "");
	dial(&x, &c, error);
	smtp_client_close(c);
	end(&x);
	is_int(dial(&x, &c, error), SMTP_CLIENT_LOST, "nobody listens");
	ok(c == NULL && strstr(error, "cannot connect: ") == error,
	    "nobody listens: the reason");
}

/* The file is shorter than it should be: no dot may end that text. */
static void
test_short_file(void)
{
	struct smtp_client_rcpt rcpt[1] = { { .index = 0 } };
	struct smtp_client_result_set r = { .rcpt = rcpt, .nrcpt = 1 };
	struct smtp_client *c;
	char error[512];
	struct fixture x;

	begin(&x, "", "A: b\r\n\r\ntext\r\n");
	x.m.size += 10;
	is_int(dial(&x, &c, error), SMTP_CLIENT_OK, "short: opened");
	is_int(smtp_client_send(c, &x.m, &r), SMTP_CLIENT_LOST, "short: lost");
	is_int(r.end.code, 0, "short: no end");
	is_int(r.unsure, false, "short: and no doubt");
	smtp_client_close(c);
	end(&x);
	ok(strstr(x.server.heard, "\r\n.\r\n") == NULL, "short: no dot");
}

/*** Several messages in flight ***/

#define BURST "EHLO=250-p\n250-PIPELINING\n250 CHUNKING|"
#define AFTER "EHLO=250-p\n250 PIPELINING|"
#define SENDS	6		/* messages, to two recipients each */

static const struct {
	const char *name;
	const char *script;
	/*
	 * For each message what came of it: '+' taken, '-' refused at its
	 * end, 'r' its first recipient refused and the rest taken, 'm' MAIL
	 * refused, 'd' DATA refused or BDAT not understood, 'l' lost before
	 * its end was sent, '?' lost, and the peer may have it.
	 */
	const char *want;
	bool confused;
} windows[] = {
	{ "all goes well", BURST, "++++++", false },
	{ "all goes well by DATA", AFTER, "++++++", false },
	{ "one is refused", BURST "BDAT=250 a|BDAT=250 b|BDAT=552 no|"
	    "BDAT=250 c", "++-+++", false },
	{ "one is refused by DATA", AFTER "END=250 a|END=250 b|END=552 no|"
	    "END=250 c", "++-+++", false },
	{ "a recipient is refused", BURST "RCPT=250 1|RCPT=250 1|RCPT=550 no|"
	    "RCPT=250 2", "+r++++", false },
	{ "a recipient is refused by DATA", AFTER "RCPT=250 1|RCPT=250 1|"
	    "RCPT=550 no|RCPT=250 2", "+r++++", false },
	{ "MAIL is refused", BURST "MAIL=250 1|MAIL=250 2|MAIL=451 no|"
	    "MAIL=250 3", "++m+++", false },
	{ "MAIL is refused by DATA", AFTER "MAIL=250 1|MAIL=250 2|"
	    "MAIL=451 no|MAIL=250 3", "++m+++", false },
	{ "BDAT is not known", BURST "BDAT=500 what", "d+++++", false },
	{ "421 in the middle of the second", BURST "RCPT=250 1|RCPT=250 1|"
	    "RCPT=421 no!", "+lllll", false },
	{ "421 in the middle of the second, and it goes on", BURST
	    "RCPT=250 1|RCPT=250 1|RCPT=421 no|RCPT=250 2", "+?????", false },
	{ "421 in the middle of the second by DATA", AFTER "RCPT=250 1|"
	    "RCPT=250 1|RCPT=421 no", "+lllll", false },
	{ "421 to a text", BURST "BDAT=250 1|BDAT=421 no!", "+-llll", false },
	{ "421 to a text, and it goes on", BURST "BDAT=250 1|BDAT=421 no|"
	    "BDAT=250 2", "+-????", false },
	{ "closed at the second end", BURST "BDAT=250 1|BDAT=!", "+?????",
	    false },
	{ "closed at the second end by DATA", AFTER "END=250 1|END=!",
	    "+?llll", false },
	{ "garbage in the middle", BURST "RCPT=250 1|RCPT=250 1|RCPT=what",
	    "+?????", true },
	{ "354 to BDAT", BURST "BDAT=250 1|BDAT=354 go on", "+?????", true },
	{ "RSET is refused", BURST "RSET=500 what", "++????", false },
	{ "RCPT is answered twice", BURST "RCPT=250 1\n250 1", "?lllll", true },
	{ "a refusal comes twice", BURST "RCPT=250 1|RCPT=250 1|"
	    "RCPT=550 no\n550 no|RCPT=250 2.1.5 1|BDAT=250 2.0.0 1", "+?????",
	    true },
	{ "a server that says 2.1.5 to everything", BURST "MAIL=250 2.1.5 1|"
	    "RCPT=250 2.1.5 1|BDAT=250 2.1.5 1", "++++++", false },
	{ "DATA is refused", AFTER "DATA=354 a|DATA=451 no|DATA=354 b",
	    "+d++++", false }
};

static char
what_came(enum smtp_client_result result,
    const struct smtp_client_result_set *r)
{
	if (r->unsure)
		return '?';
	if (r->mail.code / 100 != 2 && result != SMTP_CLIENT_LOST)
		return 'm';
	if (r->end.code / 100 == 2)
		return r->rcpt[0].reply.code == 550 ? 'r' : '+';
	if (r->end.code != 0)
		return '-';
	if (result == SMTP_CLIENT_LOST)
		return 'l';
	return r->data.code / 100 > 3 ? 'd' : '!';
}

static void
test_window(size_t t)
{
	struct smtp_client_rcpt rcpt[SENDS][2] = { { { .index = 0 } } };
	struct smtp_client_result_set r[SENDS] = { { 0 } }, *ended;
	enum smtp_client_result result;
	const char *name = windows[t].name;
	char got[SENDS + 1] = "", error[512];
	size_t begun = 0, done = 0;
	struct smtp_client *c;
	struct fixture x;

	begin(&x, windows[t].script, "A: b\r\n\r\n.dot\r\n");
	x.window = 8;
	is_int(dial(&x, &c, error), SMTP_CLIENT_OK, "%s: opened", name);
	while (done < SENDS) {
		result = SMTP_CLIENT_FULL;
		if (begun < SENDS) {
			rcpt[begun][1].index = 1;
			r[begun].rcpt = rcpt[begun];
			r[begun].nrcpt = 2;
			result = smtp_client_begin(c, &x.m, &r[begun]);
		}
		if (result == SMTP_CLIENT_OK)
			begun++;
		else if (result == SMTP_CLIENT_LOST &&
		    smtp_client_flying(c) == 0) {
			got[done++] = 'l';
			begun++;
		} else {
			result = smtp_client_end(c, &ended);
			ok(ended == &r[done], "%s: in order", name);
			got[done++] = what_came(result, ended);
		}
	}
	/* Behind the first it may be known that nothing was sent. */
	for (done = 1; done < SENDS; done++)
		if (got[done] == 'l' && got[done - 1] == '?' &&
		    windows[t].want[done] == '?')
			got[done] = '?';
	is_str(got, windows[t].want, "%s: what came of them", name);
	is_int(smtp_client_is_confused(c), windows[t].confused, "%s: in step",
	    name);
	smtp_client_close(c);
	end(&x);
}

/* What comes between two messages is no answer to the second. */
static void
test_between(const char *script, bool confused)
{
	struct smtp_client_rcpt rcpt[1] = { { .index = 0 } };
	struct smtp_client_result_set r = { .rcpt = rcpt, .nrcpt = 1 };
	struct smtp_client *c;
	struct fixture x;
	char error[512];

	begin(&x, script, "A: b\r\n\r\ntext\r\n");
	x.window = 8;
	is_int(dial(&x, &c, error), SMTP_CLIENT_OK, "between: opened");
	is_int(smtp_client_send(c, &x.m, &r), SMTP_CLIENT_OK, "between: one");
	usleep(400000);
	is_int(smtp_client_send(c, &x.m, &r), SMTP_CLIENT_LOST,
	    "between: two is not sent");
	ok(!r.unsure, "between: which is certain");
	is_int(smtp_client_is_confused(c), confused, "between: in step");
	smtp_client_close(c);
	end(&x);
}

/* Which parameters go where, and what cannot go at all. */
static const struct {
	const char *ehlo, *sender, *params, *rcpt_params;
	int sent;		/* enum smtp_client_result */
	const char *heard;	/* MAIL and RCPT */
} params[] = {
	{ "DSN", "s@x.test", "BODY=8BITMIME ret=Hdrs ENVID=a+2Bb",
	    "NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;Bob+40b.test", 0,
	    "MAIL FROM:<s@x.test> ret=Hdrs ENVID=a+2Bb\r\n"
	    "RCPT TO:<a@y.test> NOTIFY=SUCCESS,FAILURE "
	    "ORCPT=rfc822;Bob+40b.test\r\n" },
	{ "8BITMIME", "s@x.test", "BODY=8BITMIME RET=FULL ENVID=e",
	    "NOTIFY=NEVER", 0, "MAIL FROM:<s@x.test> BODY=8BITMIME\r\n"
	    "RCPT TO:<a@y.test>\r\n" },
	{ "8BITMIME\n250 DSN", "s@x.test", "BODY=7BIT", "NOTIFY=NEVER", 0,
	    "MAIL FROM:<s@x.test> BODY=7BIT\r\n"
	    "RCPT TO:<a@y.test> NOTIFY=NEVER\r\n" },
	{ "DSN\n250-8BITMIME\n250 SIZE", "s@x.test",
	    "SIZE=7 RETX=FULL RE=HDRS AUTH=<> X", "NOTIFY ORCPTS=x",
	    0, "MAIL FROM:<s@x.test> SIZE=0\r\nRCPT TO:<a@y.test>\r\n" },
	{ "SMTPUTF8\n250 8BITMIME", "s@x.test", "SMTPUTF8 BODY=8BITMIME", "",
	    0, "MAIL FROM:<s@x.test> SMTPUTF8 BODY=8BITMIME\r\n"
	    "RCPT TO:<a@y.test>\r\n" },
	{ "SMTPUTF8", "s@x.test", "", "", 0,
	    "MAIL FROM:<s@x.test>\r\nRCPT TO:<a@y.test>\r\n" },
	{ "smtputf8", "\303\244@x.test", "", "", 0,
	    "MAIL FROM:<\303\244@x.test> SMTPUTF8\r\n"
	    "RCPT TO:<a@y.test>\r\n" },
	{ "8BITMIME", "s@x.test", "SMTPUTF8", "", SMTP_CLIENT_UNABLE, "" },
	{ "REQUIRETLS", "s@x.test", "REQUIRETLS", "", SMTP_CLIENT_UNABLE, "" },
	{ "REQUIRETLS", "s@x.test", "REQUIRETLS=x", "", SMTP_CLIENT_UNABLE,
	    "" },
	{ "REQUIRETLS", "", "REQUIRETLS", "", 0,
	    "MAIL FROM:<>\r\nRCPT TO:<a@y.test>\r\n" },
	{ "8BITMIME", "\303\244@x.test", "BODY=8BITMIME", "",
	    SMTP_CLIENT_UNABLE, "" }
};

static void
test_params(size_t t)
{
	struct smtp_client_rcpt rcpt[1] = { { .index = 0 } };
	struct smtp_client_result_set r = { .rcpt = rcpt, .nrcpt = 1 };
	struct smtp_client *c;
	char error[512], script[128], want[512] = "";
	struct fixture x;

	(void)snprintf(script, sizeof(script), "EHLO=250-p\n250%s%s",
	    strchr(params[t].ehlo, '\n') != NULL ? "-" : " ", params[t].ehlo);
	begin(&x, script, "");
	envelope_clear(&x.m.envelope);
	envelope_set_sender(&x.m.envelope, params[t].sender,
	    params[t].params);
	envelope_add(&x.m.envelope, "a@y.test", params[t].rcpt_params);
	is_int(dial(&x, &c, error), SMTP_CLIENT_OK, "parameters %zu: opened",
	    t);
	is_int(smtp_client_takes(c, &x.m.envelope),
	    params[t].sent != SMTP_CLIENT_UNABLE, "parameters %zu: takes", t);
	is_int(smtp_client_send(c, &x.m, &r), params[t].sent,
	    "parameters %zu: sent", t);
	smtp_client_close(c);
	end(&x);
	x.server.heard[x.server.len] = '\0';
	if (params[t].sent == 0)
		(void)snprintf(want, sizeof(want), "%sDATA\r\n.\r\n",
		    params[t].heard);
	(void)strlcat(want, "QUIT\r\n", sizeof(want));
	is_str(x.server.heard + strlen("EHLO mx2.test\r\n"), want,
	    "parameters %zu: heard", t);
}

/* An address anywhere in the envelope, be it of this transaction or not. */
static void
test_other_recipient(void)
{
	struct smtp_client_rcpt rcpt[1] = { { .index = 0 } };
	struct smtp_client_result_set r = { .rcpt = rcpt, .nrcpt = 1 };
	struct smtp_client *c;
	char error[512];
	struct fixture x;

	begin(&x, "", "");
	envelope_add(&x.m.envelope, "\303\266@y.test", "");
	is_int(dial(&x, &c, error), SMTP_CLIENT_OK, "UTF-8: opened");
	is_int(smtp_client_send(c, &x.m, &r), SMTP_CLIENT_UNABLE,
	    "UTF-8: cannot be sent");
	ok(strstr(r.error, "SMTPUTF8") != NULL, "UTF-8: says why");
	envelope_clear(&x.m.envelope);
	envelope_set_sender(&x.m.envelope, "", "");
	envelope_add(&x.m.envelope, "a@y.test", "");
	is_int(smtp_client_send(c, &x.m, &r), SMTP_CLIENT_OK,
	    "UTF-8: the session is good for the next");
	smtp_client_close(c);
	end(&x);
}

int
main(void)
{
	size_t t;

	signal(SIGPIPE, SIG_IGN);
	for (t = 0; t < sizeof(table) / sizeof(table[0]); t++)
		test_table(t);
	for (t = 0; t < sizeof(params) / sizeof(params[0]); t++)
		test_params(t);
	for (t = 0; t < sizeof(windows) / sizeof(windows[0]); t++)
		test_window(t);
	test_other_recipient();
	test_offers();
	test_many();
	test_nobody();
	test_short_file();
	test_between(BURST "BDAT=250 1~250 1", true);
	test_between(BURST "BDAT=250 1~421 idle!", false);
	return done_testing();
}
