/* SPDX-License-Identifier: ISC */
#include "smtp_session.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "addr.h"
#include "deadline.h"
#include "plain.h"
#include "reply.h"
#include "xclient.h"

/*** What EHLO offers ***/

/* The keywords that change what we say (RFC 5321 4.1.1.1). */
static const struct {
	const char *name;
	enum smtp_offer bit;
} keywords[] = {
	{ "PIPELINING", SMTP_OFFER_PIPELINING },
	{ "SIZE", SMTP_OFFER_SIZE },
	{ "8BITMIME", SMTP_OFFER_8BITMIME },
	{ "CHUNKING", SMTP_OFFER_CHUNKING },
	{ "SMTPUTF8", SMTP_OFFER_SMTPUTF8 },
	{ "DSN", SMTP_OFFER_DSN },
	{ "STARTTLS", SMTP_OFFER_STARTTLS },
	{ "ENHANCEDSTATUSCODES", SMTP_OFFER_ENHANCED },
	{ "REQUIRETLS", SMTP_OFFER_REQUIRETLS }
};

/* A number above zero that fills TEXT up to a blank or its end; 0 if none. */
static int64_t
number(const char *text)
{
	long long n;
	char *end;

	errno = 0;
	n = strtoll(text, &end, 10);
	if (errno != 0 || end == text || (*end != '\0' && *end != ' '))
		return 0;
	return n > 0 ? n : 0;
}

/* "LIMITS RCPTMAX=20 MAILMAX=5" (RFC 9422 4); what is no number is no limit. */
static void
note_limits(struct smtp_session *s, const char *words)
{
	for (; *words != '\0'; words += strspn(words, " ")) {
		if (strncasecmp(words, "RCPTMAX=", 8) == 0)
			s->rcpt_max = number(words + 8);
		else if (strncasecmp(words, "MAILMAX=", 8) == 0)
			s->mail_max = number(words + 8);
		words += strcspn(words, " ");
	}
}

static bool
is_word(const char *text, size_t len, const char *word)
{
	return strlen(word) == len && strncasecmp(text, word, len) == 0;
}

/* One line of the reply to EHLO. */
static void
offer(void *arg, const char *text)
{
	struct smtp_session *s = arg;
	size_t i, used, n = strcspn(text, " ");
	const char *words = text + n + strspn(text + n, " ");

	used = strlen(s->ehlo);
	if (used > 0 && used + 1 < sizeof(s->ehlo))
		s->ehlo[used++] = ';';
	plain(s->ehlo + used, sizeof(s->ehlo) - used, text);
	for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (is_word(text, n, keywords[i].name))
			s->offers |= (unsigned)keywords[i].bit &
			    ~s->passed_over;
	/* A limit that is no number, or zero, is none (RFC 1870 4). */
	if (is_word(text, n, "SIZE") && strchr(words, ' ') == NULL)
		s->size_limit = number(words);
	else if (is_word(text, n, "LIMITS"))
		note_limits(s, words);
	else if (is_word(text, n, "XCLIENT")) {
		s->has_xclient = true;
		s->xclient = xclient_offered(words);
	} else if (is_word(text, n, "XFORWARD")) {
		s->has_xforward = true;
		s->xforward = xclient_offered(words);
	}
}

/* RFC 3207 4.2, RFC 9422 4.1: what was learnt before counts no more. */
static void
forget(struct smtp_session *s)
{
	s->offers = s->xclient = s->xforward = 0;
	s->size_limit = s->rcpt_max = s->mail_max = 0;
	s->has_xclient = s->has_xforward = false;
	s->ehlo[0] = '\0';
}

/*** Greeting and EHLO ***/

static bool
is_ok(const struct reply *r)
{
	return r->code / 100 == 2;
}

/* Is the first word of the peer's TEXT a name of ours? */
static bool
is_ourselves(const struct conf *conf, const struct reply *r)
{
	char word[ADDR_DOMAIN_MAX + 1], name[ADDR_DOMAIN_MAX + 1];
	size_t n = strcspn(r->text, " ");

	if (n == 0 || n >= sizeof(word))
		return false;
	memcpy(word, r->text, n);
	word[n] = '\0';
	return addr_domain(name, word) && conf_is_self(conf, name);
}

/* What a reply R to the greeting or EHLO means. */
static enum smtp_client_result
weigh(struct smtp_session *s, const struct smtp_step *step,
    const struct reply *r)
{
	if (is_ok(r))
		return is_ourselves(s->conf, r) ? SMTP_CLIENT_OURSELVES :
		    SMTP_CLIENT_OK;
	smtp_wire_quote(&s->wire, step, r);
	if (r->code / 100 == 3)
		return SMTP_CLIENT_LOST;
	/* A server that refuses still waits for QUIT (RFC 5321 3.1). */
	s->wire.over = smtp_wire_is_farewell(r);
	return SMTP_CLIENT_REFUSED;
}

static enum smtp_client_result
greet(struct smtp_session *s)
{
	const struct smtp_step step = { "the greeting",
	    s->conf->timeout.greeting };
	struct reply r;

	if (!smtp_wire_reply(&s->wire, &step, &r, NULL, NULL))
		return SMTP_CLIENT_LOST;
	return weigh(s, &step, &r);
}

static enum smtp_client_result
hello(struct smtp_session *s, const char *verb)
{
	const struct smtp_step step = { verb, s->conf->timeout.helo };
	enum smtp_client_result result;
	struct reply r;

	forget(s);
	stream_deadline(s->wire.stream, deadline_in(step.timeout));
	if (stream_printf(s->wire.stream, "%s %s\r\n", verb, s->helo) == -1) {
		smtp_wire_lost_errno(&s->wire, &step);
		return SMTP_CLIENT_LOST;
	}
	if (!smtp_wire_reply(&s->wire, &step, &r,
	    strcmp(verb, "EHLO") == 0 ? offer : NULL, s))
		return SMTP_CLIENT_LOST;
	result = weigh(s, &step, &r);
	/* RFC 5321 3.2: a server too old for EHLO is asked with HELO. */
	if (result == SMTP_CLIENT_REFUSED && r.code / 100 == 5 &&
	    !s->wire.over && strcmp(verb, "EHLO") == 0)
		return hello(s, "HELO");
	return result;
}

/* Octets nobody asked for would be taken for the reply to what comes next. */
static enum smtp_client_result
silence(struct smtp_session *s, const char *behind)
{
	if (smtp_wire_pending(&s->wire) == 0)
		return SMTP_CLIENT_OK;
	(void)snprintf(s->wire.error, SMTP_ERROR_MAX,
	    "the server talks unasked after %s", behind);
	return SMTP_CLIENT_LOST;
}

/* The handshake, and EHLO again behind it. */
static enum smtp_client_result
shake_hands(struct smtp_session *s, const struct smtp_client_options *o)
{
	const struct smtp_step step = { "STARTTLS", s->conf->timeout.helo };
	enum smtp_client_result result;
	char why[TLS_ERROR_MAX];

	if (tls_connect(o->tls, o->want, &smtp_wire_ops, &s->wire,
	    deadline_in(step.timeout), &s->wire.tls, why) != TLS_OK) {
		s->wire.over = true;
		(void)snprintf(s->wire.error, SMTP_ERROR_MAX, "TLS: %.*s",
		    SMTP_ERROR_MAX - 8, why);
		return SMTP_CLIENT_TLS_FAILED;
	}
	/* Octets before the handshake are no part of what is inside it. */
	if (stream_switch(s->wire.stream, &tls_stream_ops,
	    s->wire.tls) == -1) {
		smtp_wire_lost_errno(&s->wire, &step);
		return SMTP_CLIENT_LOST;
	}
	result = hello(s, "EHLO");
	if (result == SMTP_CLIENT_OK)
		return silence(s, "EHLO");
	/* In TLS 1.3 a server's objections may come as late as this. */
	return result == SMTP_CLIENT_LOST && !tls_has_heard(s->wire.tls) ?
	    SMTP_CLIENT_TLS_FAILED : result;
}

static enum smtp_client_result
start_tls(struct smtp_session *s, const struct smtp_client_options *o)
{
	const struct smtp_step step = { "STARTTLS", s->conf->timeout.helo };
	struct reply r;

	if ((s->offers & SMTP_OFFER_STARTTLS) == 0) {
		if (!o->tls_required)
			return SMTP_CLIENT_OK;
		(void)snprintf(s->wire.error, SMTP_ERROR_MAX,
		    "STARTTLS is not offered");
		return SMTP_CLIENT_TLS_NONE;
	}
	stream_deadline(s->wire.stream, deadline_in(step.timeout));
	if (stream_write(s->wire.stream, "STARTTLS\r\n", 10) == -1) {
		smtp_wire_lost_errno(&s->wire, &step);
		return SMTP_CLIENT_LOST;
	}
	/* Some servers offer it and fall down at it. */
	if (!smtp_wire_reply(&s->wire, &step, &r, NULL, NULL))
		return SMTP_CLIENT_TLS_FAILED;
	if (r.code != 220) {
		smtp_wire_quote(&s->wire, &step, &r);
		s->wire.over = smtp_wire_is_farewell(&r);
		return SMTP_CLIENT_TLS_FAILED;
	}
	return silence(s, "STARTTLS") == SMTP_CLIENT_OK ?
	    shake_hands(s, o) : SMTP_CLIENT_LOST;
}

static enum smtp_client_result
introduce(struct smtp_session *s, const struct smtp_client_options *o)
{
	enum smtp_client_result result;

	if ((result = greet(s)) == SMTP_CLIENT_OK)
		result = hello(s, "EHLO");
	if (result == SMTP_CLIENT_OK)
		result = silence(s, "EHLO");
	if (result == SMTP_CLIENT_OK && o->tls != NULL)
		result = start_tls(s, o);
	if (result == SMTP_CLIENT_OURSELVES)
		(void)snprintf(s->wire.error, SMTP_ERROR_MAX,
		    "the server bears a name of ours");
	if (result == SMTP_CLIENT_LOST)
		s->wire.over = true;
	return result;
}

enum smtp_client_result
smtp_session_open(struct smtp_session *s, const struct smtp_client_options *o,
    const struct sockaddr *addr, socklen_t len, char *error)
{
	int fd = o->fd;

	error[0] = '\0';
	memset(s, 0, sizeof(*s));
	s->wire.fd = -1;
	s->wire.over = true;
	s->conf = o->conf;
	s->identify = o->identify;
	if (o->unchunked)
		s->passed_over = SMTP_OFFER_CHUNKING;
	if (o->window == 0)
		s->passed_over = SMTP_OFFER_PIPELINING | SMTP_OFFER_CHUNKING;
	(void)strlcpy(s->helo, o->conf->hostname, sizeof(s->helo));
	if (fd == -1 && (fd = smtp_wire_dial(o->conf, addr, len)) == -1) {
		(void)snprintf(error, SMTP_ERROR_MAX, "cannot connect: %s",
		    strerror(errno));
		return SMTP_CLIENT_LOST;
	}
	if (!smtp_wire_init(&s->wire, fd, error)) {
		(void)snprintf(error, SMTP_ERROR_MAX, "%s", strerror(errno));
		return SMTP_CLIENT_LOST;
	}
	return introduce(s, o);
}

void
smtp_session_clear(struct smtp_session *s)
{
	char unheard[SMTP_ERROR_MAX];
	struct smtp_step step = { "QUIT", 0 };
	struct reply r;

	if (!s->wire.over) {
		step.timeout = s->conf->timeout.quit;
		s->wire.error = unheard;
		stream_deadline(s->wire.stream, deadline_in(step.timeout));
		if (stream_write(s->wire.stream, "QUIT\r\n", 6) == 0)
			(void)smtp_wire_reply(&s->wire, &step, &r, NULL, NULL);
	}
	smtp_wire_clear(&s->wire);
}

/*** For whom we speak ***/

/* The client that brought E; false if none did. */
static bool
client_of(struct xclient *x, const struct envelope *e)
{
	memset(x, 0, sizeof(*x));
	if (e->client_addr[0] == '\0')
		return false;
	x->given = XCLIENT_ADDR | XCLIENT_NAME | XCLIENT_HELO | XCLIENT_PROTO;
	x->extended = strcmp(e->protocol, "SMTP") != 0;
	return strlcpy(x->addr, e->client_addr, sizeof(x->addr)) <
	    sizeof(x->addr) && strlcpy(x->name, e->client_name,
	    sizeof(x->name)) < sizeof(x->name) && strlcpy(x->helo, e->helo,
	    sizeof(x->helo)) < sizeof(x->helo);
}

/* The client in one string, "" for none. */
static void
client_key(char *key, size_t size, const struct envelope *e)
{
	struct xclient x;

	key[0] = '\0';
	if (client_of(&x, e) && snprintf(key, size, "%s %s %s %d", x.addr,
	    x.name, x.helo, x.extended) >= (int)size)
		key[0] = '\0';
}

bool
smtp_session_suits(const struct smtp_session *s, const struct envelope *e,
    bool *able)
{
	char key[sizeof(s->spoken)];

	*able = true;
	if (s->identify != CONF_IDENTIFY_XCLIENT ||
	    (!s->has_xclient && !s->speaks_for))
		return true;
	client_key(key, sizeof(key), e);
	if (strcmp(key, s->spoken) == 0)
		return true;
	/* Nobody can be made to forget whom we spoke for. */
	*able = key[0] != '\0' && s->has_xclient;
	return false;
}

/* One command, or as many as it takes; the last reply is in R. */
static bool
say_xclient(struct smtp_session *s, const struct envelope *e, struct reply *r)
{
	const struct smtp_step step = { "XCLIENT", s->conf->timeout.helo };
	unsigned said, left = s->xclient;
	char line[XCLIENT_LINE_MAX];
	struct xclient x;

	reply_init(r);
	if (!client_of(&x, e))
		return true;
	while ((said = xclient_print(line, sizeof(line), &x, left)) != 0) {
		left &= ~said;
		stream_deadline(s->wire.stream, deadline_in(step.timeout));
		if (stream_printf(s->wire.stream, "%s\r\n", line) == -1)
			return smtp_wire_lost_errno(&s->wire, &step);
		if (!smtp_wire_get(&s->wire, &step, r))
			return false;
		smtp_wire_quote(&s->wire, &step, r);
		if (!is_ok(r))
			break;
	}
	return true;
}

/*
 * EHLO is what Postfix takes the client's HELO from in the end, XCLIENT's
 * attribute being what came before it.
 */
static void
take_name(struct smtp_session *s, const struct envelope *e)
{
	const char *p = e->helo;

	while (*p > ' ' && *p < 127)
		p++;
	(void)strlcpy(s->helo, *p == '\0' && p != e->helo ? e->helo :
	    s->conf->hostname, sizeof(s->helo));
}

enum smtp_client_result
smtp_session_speak_for(struct smtp_session *s, const struct envelope *e)
{
	enum smtp_client_result result;
	struct reply r;

	if (!say_xclient(s, e, &r))
		return SMTP_CLIENT_LOST;
	if (r.code == 0)	/* it takes nothing that we could say */
		return SMTP_CLIENT_OK;
	result = SMTP_CLIENT_UNIDENTIFIED;
	if (is_ok(&r)) {
		/* The server has begun anew, as after its greeting. */
		take_name(s, e);
		result = hello(s, "EHLO");
		if (result == SMTP_CLIENT_OK)
			result = silence(s, "EHLO");
		if (result == SMTP_CLIENT_REFUSED && !s->wire.over)
			result = SMTP_CLIENT_UNIDENTIFIED;
	}
	if (result == SMTP_CLIENT_OK) {
		s->speaks_for = true;
		client_key(s->spoken, sizeof(s->spoken), e);
		return result;
	}
	s->wire.over = true;
	return result == SMTP_CLIENT_UNIDENTIFIED ? result : SMTP_CLIENT_LOST;
}

void
smtp_session_forward(const struct smtp_session *s, const struct envelope *e,
    char *line)
{
	/* XFORWARD has XCLIENT's grammar and a verb one octet longer. */
	const char *verb = "XFORWARD";
	struct xclient x;

	line[0] = line[1] = '\0';
	if (s->identify != CONF_IDENTIFY_XFORWARD || !client_of(&x, e) ||
	    xclient_print(line + 1, SMTP_FORWARD_MAX - 3, &x,
	    s->xforward) == 0) {
		line[0] = '\0';
		return;
	}
	memcpy(line, verb, strlen(verb));
	(void)strlcat(line, "\r\n", SMTP_FORWARD_MAX);
}
