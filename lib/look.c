/* SPDX-License-Identifier: ISC */
#include "look.h"

#include <netinet/in.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "deadline.h"
#include "plain.h"
#include "reply.h"
#include "stream.h"

#define REPLY_LINES	200
#define QUIT_TIME	1000	/* milliseconds */

/* Names that the RFCs keep for such as this (RFC 2606, RFC 6761). */
#define OUTSIDE		"mx-check-relay-test@example.com"
#define ELSEWHERE	"mx-check@example.com"

/* The transport below, for a limited number of octets. */
struct meter {
	const struct stream_ops *ops;
	void *arg;
	size_t left;
};

struct talk {
	struct look *l;
	const struct look_us *us;
	struct meter meter;
	struct stream *stream;
	int64_t began, deadline;
	bool over;		/* nothing more may be said */
};

const char *
look_step_name(enum look_step step)
{
	switch (step) {
	case LOOK_CONNECT:
		return "the connection";
	case LOOK_GREETING:
		return "the greeting";
	case LOOK_EHLO:
		return "EHLO";
	case LOOK_STARTTLS:
		return "STARTTLS";
	case LOOK_HANDSHAKE:
		return "the TLS handshake";
	case LOOK_EHLO_AGAIN:
		return "EHLO under TLS";
	case LOOK_MAIL:
		return "MAIL and RCPT";
	case LOOK_QUIT:
		break;
	}
	return "QUIT";
}

/*** Transport ***/

static ssize_t
meter_read(void *arg, void *buf, size_t len, int64_t deadline)
{
	struct meter *m = arg;
	ssize_t n;

	if (m->left == 0) {
		errno = EFBIG;
		return -1;
	}
	n = m->ops->read(m->arg, buf, len < m->left ? len : m->left, deadline);
	if (n > 0)
		m->left -= (size_t)n;
	return n;
}

static ssize_t
meter_write(void *arg, const void *buf, size_t len, int64_t deadline)
{
	struct meter *m = arg;

	return m->ops->write(m->arg, buf, len, deadline);
}

static const struct stream_ops meter_ops = { meter_read, meter_write };

/*** How it ends ***/

static bool __attribute__((format(printf, 3, 4)))
ended(struct talk *t, enum look_end end, const char *fmt, ...)
{
	va_list ap;

	t->l->end = end;
	va_start(ap, fmt);
	/* Cut if need be: it is for reading. */
	(void)vsnprintf(t->l->why, sizeof(t->l->why), fmt, ap);
	va_end(ap);
	t->over = end == LOOK_LOST || end == LOOK_GARBAGE;
	return false;
}

static bool
ended_errno(struct talk *t)
{
	if (errno == ETIMEDOUT)
		return ended(t, LOOK_LATE, "no answer in time");
	if (errno == EFBIG)
		return ended(t, LOOK_GARBAGE, "it does not stop talking");
	return ended(t, LOOK_LOST, "%s", strerror(errno));
}

static bool
ended_garbage(struct talk *t, const char *line, size_t len)
{
	char text[100];

	plain_mem(text, sizeof(text), line, len);
	return ended(t, LOOK_GARBAGE, "it says \"%s\", which is no reply", text);
}

/*** One reply ***/

static const struct {
	const char *name;
	enum look_offer bit;
} offers[] = {
	{ "PIPELINING", LOOK_PIPELINING },
	{ "SIZE", LOOK_SIZE },
	{ "8BITMIME", LOOK_8BITMIME },
	{ "CHUNKING", LOOK_CHUNKING },
	{ "SMTPUTF8", LOOK_SMTPUTF8 },
	{ "DSN", LOOK_DSN },
	{ "STARTTLS", LOOK_TLS },
	{ "ENHANCEDSTATUSCODES", LOOK_ENHANCED },
	{ "XCLIENT", LOOK_XCLIENT }
};

static void
note_size(struct look *l, const char *text)
{
	char *end;
	long long limit;

	/* A limit that is no number, or zero, is none (RFC 1870 4). */
	errno = 0;
	limit = strtoll(text, &end, 10);
	if (errno == 0 && end != text && *end == '\0' && limit > 0)
		l->size = limit;
}

/* A line of the reply to EHLO behind its code (RFC 5321 4.1.1.1). */
static void
note_offer(struct look *l, const char *text)
{
	size_t i, used = strlen(l->keywords), n = strcspn(text, " ");

	if (used > 0 && used + 2 < sizeof(l->keywords))
		l->keywords[used++] = ';';
	plain(l->keywords + used, sizeof(l->keywords) - used, text);
	for (i = 0; i < sizeof(offers) / sizeof(offers[0]); i++)
		if (strlen(offers[i].name) == n &&
		    strncasecmp(offers[i].name, text, n) == 0)
			l->offers |= offers[i].bit;
	if (n == 4 && strncasecmp(text, "SIZE ", 5) == 0)
		note_size(l, text + 5);
}

static void
note_reply(struct look_reply *to, const struct reply *r)
{
	char raw[REPLY_TEXT_MAX + 32];

	reply_print(r, raw, sizeof(raw));
	plain(to->text, sizeof(to->text), raw);
	to->code = r->code;
}

/* The first word, if it is a host name. */
static void
note_name(struct look *l, const struct reply *r)
{
	char word[ADDR_DOMAIN_MAX + 1];
	size_t n = strcspn(r->text, " ");

	l->name[0] = '\0';
	if (n == 0 || n >= sizeof(word))
		return;
	memcpy(word, r->text, n);
	word[n] = '\0';
	if (!addr_domain(l->name, word))
		l->name[0] = '\0';
}

/* False when none came, and the talk is over. */
static bool
hear(struct talk *t, struct look_reply *to, bool ehlo)
{
	struct reply r;
	size_t len;
	char *line;
	int n;

	reply_init(&r);
	for (n = 0; n < REPLY_LINES; n++) {
		switch (stream_line(t->stream, &line, &len, STREAM_LINE_MAX)) {
		case STREAM_LINE:
		case STREAM_BARE:
			break;
		case STREAM_LONG:
			return ended(t, LOOK_GARBAGE, "its line has no end");
		case STREAM_EOF:
			return ended(t, LOOK_LOST, "it closed the connection");
		case STREAM_TIMEOUT:
			return ended(t, LOOK_LATE, "no answer in time");
		case STREAM_ERROR:
			return ended_errno(t);
		}
		switch (reply_feed(&r, line, len)) {
		case REPLY_GARBAGE:
			return ended_garbage(t, line, len);
		case REPLY_MORE:
		case REPLY_DONE:
			break;
		}
		if (ehlo && n > 0 && r.code == 250 && len > 4)
			note_offer(t->l, line + 4);
		if (len > 3 && line[3] == '-')
			continue;
		if (to == &t->l->ehlo)
			note_name(t->l, &r);
		note_reply(to, &r);
		return true;
	}
	return ended(t, LOOK_GARBAGE, "its reply has no end");
}

static bool
is_good(const struct look_reply *r)
{
	return r->code / 100 == 2;
}

/* After these the server closes (RFC 5321 3.8, RFC 7504). */
static bool
is_farewell(const struct look_reply *r)
{
	return r->code == 421 || r->code == 521;
}

static bool
refused(struct talk *t, const struct look_reply *r)
{
	(void)ended(t, LOOK_REFUSED, "%s", r->text);
	t->over = is_farewell(r);
	return false;
}

static bool __attribute__((format(printf, 2, 3)))
say(struct talk *t, const char *fmt, ...)
{
	char line[2 * ADDR_MAX];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line))
		return ended(t, LOOK_LOST, "%s", strerror(EMSGSIZE));
	if (stream_printf(t->stream, "%s\r\n", line) == -1)
		return ended_errno(t);
	return true;
}

/*** Steps ***/

static bool
greeting(struct talk *t)
{
	struct look *l = t->l;

	l->step = LOOK_GREETING;
	if (!hear(t, &l->greeting, false))
		return false;
	l->greeted = deadline_now() - t->began;
	return is_good(&l->greeting) || refused(t, &l->greeting);
}

/* What is not asked for would be taken for the reply to the next command. */
static bool
is_silent(struct talk *t)
{
	if (stream_pending(t->stream) == 0)
		return true;
	return ended(t, LOOK_GARBAGE, "it talks unasked");
}

static bool
hello(struct talk *t, enum look_step step)
{
	struct look *l = t->l;

	l->step = step;
	l->offers = 0;
	l->size = 0;
	l->keywords[0] = '\0';
	if (!say(t, "EHLO %s", t->us->name) || !hear(t, &l->ehlo, true))
		return false;
	l->extended = is_good(&l->ehlo);
	/* RFC 5321 3.2: a server too old for EHLO is asked with HELO. */
	if (!l->extended && l->ehlo.code / 100 == 5 && !is_farewell(&l->ehlo)) {
		l->offers = 0;
		if (!say(t, "HELO %s", t->us->name) ||
		    !hear(t, &l->ehlo, false))
			return false;
	}
	if (!is_good(&l->ehlo))
		return refused(t, &l->ehlo);
	return is_silent(t);
}

/*
 * One transaction that ends in RSET, in one write where PIPELINING is
 * offered.  MAIL has the first reply, the recipients have the next.
 */
struct probe {
	const char *sender;	/* with its domain, or "" */
	const char *rcpt[2];
	size_t nrcpt;
	struct look_reply *mail;
	struct look_reply *reply[2];	/* to each recipient */
};

static bool
probe_say(struct talk *t, const struct probe *p, size_t i)
{
	if (i == 0)
		return say(t, "MAIL FROM:<%s>", p->sender);
	if (i <= p->nrcpt)
		return say(t, "RCPT TO:<%s>", p->rcpt[i - 1]);
	return say(t, "RSET");
}

static bool
probe_hear(struct talk *t, const struct probe *p, size_t i)
{
	struct look_reply rset, *r = &rset;

	if (i <= p->nrcpt)
		r = i == 0 ? p->mail : p->reply[i - 1];
	if (!hear(t, r, false))
		return false;
	if (is_farewell(r))
		return refused(t, r);
	/* "503 need MAIL" says nothing of the recipient. */
	if (i > 0 && i <= p->nrcpt && !is_good(p->mail))
		memset(r, 0, sizeof(*r));
	return true;
}

static bool
probe(struct talk *t, const struct probe *p)
{
	bool at_once = (t->l->offers & LOOK_PIPELINING) != 0;
	size_t i, last = p->nrcpt + 1;

	for (i = 0; i <= last; i++) {
		if (!at_once && i > 0 && i < last && !is_good(p->mail))
			continue;
		if (!probe_say(t, p, i) || (!at_once && !probe_hear(t, p, i)))
			return false;
	}
	for (i = 0; at_once && i <= last; i++)
		if (!probe_hear(t, p, i))
			return false;
	return is_silent(t);
}

/* Whom it takes mail for (RFC 5321 4.5.1, 4.5.5), and for whom it must not. */
static bool
ask_mail(struct talk *t)
{
	struct look *l = t->l;
	struct look_reply mail = { 0, "" };
	char postmaster[ADDR_MAX + 1], sender[ADDR_MAX + 1] = "";
	struct probe own = { "", { postmaster }, 1, &l->null_sender,
	    { &l->postmaster } };
	struct probe other = { sender, { OUTSIDE }, 1, &mail, { &l->relay } };

	/* A domain has ADDR_DOMAIN_MAX octets: these fit. */
	(void)snprintf(postmaster, sizeof(postmaster), "postmaster@%s",
	    l->domain);
	if (!probe(t, &own))
		return false;
	/* No server refuses the null sender and relays for it. */
	if (!is_good(&l->null_sender)) {
		(void)snprintf(sender, sizeof(sender), "postmaster@%s",
		    t->us->name);
		own.sender = sender;
		own.mail = &mail;
		if (!probe(t, &own))
			return false;
	}
	return probe(t, &other);
}

/* As ask_mail, as the one that has the domain's mail to hand over. */
static bool
rehearse(struct talk *t)
{
	struct look *l = t->l;
	struct look_reply mail = { 0, "" };
	char postmaster[ADDR_MAX + 1], stranger[ADDR_MAX + 1];
	char sender[ADDR_MAX + 1];
	struct probe own = { sender, { postmaster, stranger }, 2, &l->sender,
	    { &l->known, &l->stranger } };
	struct probe other = { ELSEWHERE, { postmaster }, 1, &mail,
	    { &l->passed } };

	(void)snprintf(postmaster, sizeof(postmaster), "postmaster@%s",
	    l->domain);
	(void)snprintf(stranger, sizeof(stranger), "mx-check-%08x%08x@%s",
	    arc4random(), arc4random(), l->domain);
	(void)snprintf(sender, sizeof(sender), "postmaster@%s", t->us->name);
	if (!probe(t, &own) || !probe(t, &other))
		return false;
	if (!is_good(&mail))
		l->passed = mail;
	return true;
}

/* That it is not answered is between them and their log. */
static void
quit(struct talk *t)
{
	struct look *l = t->l;
	enum look_end end = l->end;
	char why[sizeof(l->why)];
	struct look_reply r;

	if (t->over)
		return;
	memcpy(why, l->why, sizeof(why));
	if (end == LOOK_NOT)
		l->step = LOOK_QUIT;
	stream_deadline(t->stream, deadline_min(t->deadline,
	    deadline_in(QUIT_TIME)));
	if (say(t, "QUIT") && stream_flush(t->stream) == 0 && end != LOOK_LATE)
		(void)hear(t, &r, false);
	l->end = end;
	memcpy(l->why, why, sizeof(why));
}

static void
talk(struct talk *t)
{
	struct look *l = t->l;
	bool go;

	go = greeting(t) && hello(t, LOOK_EHLO);
	if (go) {
		l->step = LOOK_MAIL;
		go = ask_mail(t) && (!l->rehearse || rehearse(t));
	}
	quit(t);
	if (go)
		l->end = LOOK_WELL;
}

void
look_init(struct look *l, const struct sockaddr_storage *addr,
    const char *domain, bool for_rehearsal)
{
	memset(l, 0, sizeof(*l));
	l->addr = *addr;
	(void)strlcpy(l->domain, domain, sizeof(l->domain));
	l->rehearse = for_rehearsal;
	l->connected = l->greeted = l->ended = -1;
}

void
look_talk(struct look *l, const struct look_us *us,
    const struct stream_ops *ops, void *arg, int64_t deadline)
{
	struct talk t = { .l = l, .us = us, .deadline = deadline };

	t.began = deadline_now();
	t.meter.ops = ops;
	t.meter.arg = arg;
	t.meter.left = LOOK_OCTETS;
	if ((t.stream = stream_new(&meter_ops, &t.meter)) == NULL) {
		(void)ended(&t, LOOK_LOST, "%s", strerror(errno));
		return;
	}
	stream_deadline(t.stream, deadline);
	talk(&t);
	l->ended = deadline_now() - t.began;
	stream_free(t.stream);
}

/*** Connecting ***/

static socklen_t
length_of(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
	    sizeof(struct sockaddr_in);
}

static int
bind_source(int fd, const struct look_us *us, int family)
{
	size_t i;

	for (i = 0; i < sizeof(us->source) / sizeof(us->source[0]); i++)
		if (us->source[i].ss_family == family)
			return bind(fd, (const struct sockaddr *)&us->source[i],
			    length_of(&us->source[i]));
	return 0;
}

static int
wait_connected(int fd, int64_t deadline)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int error, n;

	while ((n = poll(&pfd, 1, deadline_left(deadline))) == -1)
		if (errno != EINTR)
			return -1;
	if (n == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		return -1;
	errno = error;
	return error == 0 ? 0 : -1;
}

/* Is the peer's address ours as well? */
static bool
is_local(int fd, const struct sockaddr_storage *peer)
{
	struct sockaddr_storage own;
	socklen_t len = sizeof(own);

	memset(&own, 0, sizeof(own));
	if (getsockname(fd, (struct sockaddr *)&own, &len) == -1 ||
	    own.ss_family != peer->ss_family)
		return false;
	if (own.ss_family == AF_INET)
		return ((struct sockaddr_in *)&own)->sin_addr.s_addr ==
		    ((const struct sockaddr_in *)peer)->sin_addr.s_addr;
	return memcmp(&((struct sockaddr_in6 *)&own)->sin6_addr,
	    &((const struct sockaddr_in6 *)peer)->sin6_addr,
	    sizeof(struct in6_addr)) == 0;
}

void
look_run(struct look *l, const struct look_us *us, int64_t deadline)
{
	const struct sockaddr *peer = (const struct sockaddr *)&l->addr;
	struct stream_fds fds;
	int64_t began = deadline_now();
	int fd;

	l->step = LOOK_CONNECT;
	l->end = LOOK_LOST;
	fd = socket(peer->sa_family, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);
	if (fd == -1 || bind_source(fd, us, peer->sa_family) == -1)
		goto out;
	if (connect(fd, peer, length_of(&l->addr)) == -1 &&
	    (errno != EINPROGRESS || wait_connected(fd, deadline) == -1))
		goto out;
	l->connected = deadline_now() - began;
	l->local = is_local(fd, &l->addr);
	fds = (struct stream_fds){ fd, fd, 0 };
	l->end = LOOK_NOT;
	look_talk(l, us, &stream_fd_ops, &fds, deadline);
out:
	if (l->step == LOOK_CONNECT) {
		if (errno == ETIMEDOUT)
			l->end = LOOK_LATE;
		(void)strlcpy(l->why, l->end == LOOK_LATE ?
		    "no answer in time" : strerror(errno), sizeof(l->why));
	}
	if (fd != -1)
		close(fd);
}
