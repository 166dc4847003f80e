/* SPDX-License-Identifier: ISC */
#include "look.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "deadline.h"
#include "ipaddr.h"
#include "net.h"
#include "plain.h"
#include "reply.h"

#define CONNECT_TIME	5000	/* milliseconds: three SYNs */

/* Names that the RFCs keep for such as this (RFC 2606, RFC 6761). */
#define OUTSIDE		"mx-check-relay-test@example.com"
#define ELSEWHERE	"mx-check@example.com"

struct looker {
	struct look *l;
	const struct look_us *us;
	struct talk talk;
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
note_offer(void *arg, const char *text)
{
	struct look *l = arg;
	size_t i, used = strlen(l->keywords), n = strcspn(text, " ");

	if (used > 0)
		used = strlcat(l->keywords, ", ", sizeof(l->keywords));
	if (used + 1 >= sizeof(l->keywords))
		used = sizeof(l->keywords) - 1;
	plain(l->keywords + used, sizeof(l->keywords) - used, text);
	for (i = 0; i < sizeof(offers) / sizeof(offers[0]); i++)
		if (strlen(offers[i].name) == n &&
		    strncasecmp(offers[i].name, text, n) == 0)
			l->offers |= offers[i].bit;
	if (n == 4 && strncasecmp(text, "SIZE ", 5) == 0)
		note_size(l, text + 5);
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

/*** Steps ***/

static bool
hear(struct looker *k, struct talk_reply *r)
{
	return talk_hear(&k->talk, r, NULL, NULL, NULL);
}

static bool
greeting(struct looker *k)
{
	struct look *l = k->l;

	l->step = LOOK_GREETING;
	if (!hear(k, &l->greeting))
		return false;
	if (!talk_is_good(&l->greeting))
		return talk_refused(&k->talk, &l->greeting);
	return talk_is_silent(&k->talk);
}

static void
forget_offers(struct look *l)
{
	l->offers = 0;
	l->size = 0;
	l->keywords[0] = '\0';
}

static bool
hello(struct looker *k, enum look_step step)
{
	struct look *l = k->l;
	struct talk *t = &k->talk;
	struct reply raw;

	l->step = step;
	forget_offers(l);
	if (!talk_say(t, "EHLO %s", k->us->name) ||
	    !talk_hear(t, &l->ehlo, &raw, note_offer, l))
		return false;
	l->extended = talk_is_good(&l->ehlo);
	if (!l->extended)
		forget_offers(l);
	/* RFC 5321 3.2: a server too old for EHLO is asked with HELO. */
	if (l->ehlo.code / 100 == 5 && !talk_is_farewell(&l->ehlo) &&
	    (!talk_say(t, "HELO %s", k->us->name) ||
	    !talk_hear(t, &l->ehlo, &raw, NULL, NULL)))
		return false;
	if (!talk_is_good(&l->ehlo))
		return talk_refused(t, &l->ehlo);
	note_name(l, &raw);
	return talk_is_silent(t);
}

/*** TLS ***/

/* The records one by one: which of them is for the key in use? */
static void
note_matches(struct looker *k, struct tls_want *want)
{
	struct look *l = k->l;
	char error[TLS_ERROR_MAX] = "";
	size_t i;

	if (l->ntlsa == 0)
		return;
	want->tlsa = l->tlsa;
	want->ntlsa = l->ntlsa;
	l->tls.any = tls_tlsa_matches(k->us->tls, k->talk.tls, want, error);
	plain(l->tls.mismatch, sizeof(l->tls.mismatch), error);
	want->ntlsa = 1;
	for (i = 0; i < l->ntlsa && i < LOOK_TLSA_MAX; i++) {
		want->tlsa = &l->tlsa[i];
		if (tls_tlsa_matches(k->us->tls, k->talk.tls, want, error))
			l->tls.match |= (uint32_t)1 << i;
	}
}

static void
note_tls(struct looker *k, struct tls_want *want)
{
	struct look_tls *to = &k->l->tls;
	struct tls_look cert;
	char error[TLS_ERROR_MAX];

	plain(to->protocol, sizeof(to->protocol), tls_protocol(k->talk.tls));
	plain(to->cipher, sizeof(to->cipher), tls_cipher(k->talk.tls));
	if (tls_look(k->us->tls, k->talk.tls, want->name, want->nname, &cert,
	    error) == -1) {
		plain(to->distrust, sizeof(to->distrust), error);
		tls_look_clear(&cert);
		return;
	}
	plain(to->distrust, sizeof(to->distrust), cert.distrust);
	plain(to->names, sizeof(to->names), cert.names);
	plain(to->algorithm, sizeof(to->algorithm), cert.algorithm);
	to->named = cert.named;
	to->not_before = cert.not_before;
	to->not_after = cert.not_after;
	memcpy(to->key, cert.key, sizeof(to->key));
	tls_look_clear(&cert);
	note_matches(k, want);
}

static bool
handshake(struct looker *k)
{
	struct look *l = k->l;
	const char *name = l->host;
	struct tls_want want = { .how = TLS_MAY, .name = &name, .nname = 1 };
	struct net net;

	if (!net_parse(&net, name))
		want.server = name;

	l->step = LOOK_HANDSHAKE;
	if (!talk_handshake(&k->talk, k->us->tls, &want))
		return false;
	l->encrypted = true;
	note_tls(k, &want);
	return true;
}

/* A server that takes STARTTLS back is asked on in clear, as by others. */
static bool
secure(struct looker *k)
{
	struct look *l = k->l;

	if ((l->offers & LOOK_TLS) == 0 || k->us->tls == NULL)
		return true;
	l->step = LOOK_STARTTLS;
	if (!talk_say(&k->talk, "STARTTLS") || !hear(k, &l->starttls))
		return false;
	if (talk_is_farewell(&l->starttls))
		return talk_refused(&k->talk, &l->starttls);
	if (l->starttls.code != 220)
		return talk_is_silent(&k->talk);
	if (!handshake(k) || !hello(k, LOOK_EHLO_AGAIN))
		return false;
	l->offers |= LOOK_TLS;
	return true;
}

/*** Mail ***/

/*
 * One transaction that ends in RSET, in one write where PIPELINING is
 * offered.  MAIL has the first reply, the recipients have the next.
 */
struct probe {
	const char *sender;	/* with its domain, or "" */
	const char *rcpt[2];
	size_t nrcpt;
	struct talk_reply *mail;
	struct talk_reply *reply[2];	/* to each recipient */
};

static bool
probe_say(struct looker *k, const struct probe *p, size_t i)
{
	if (i == 0)
		return talk_say(&k->talk, "MAIL FROM:<%s>", p->sender);
	if (i <= p->nrcpt)
		return talk_say(&k->talk, "RCPT TO:<%s>", p->rcpt[i - 1]);
	return talk_say(&k->talk, "RSET");
}

static bool
probe_hear(struct looker *k, const struct probe *p, size_t i)
{
	struct talk_reply rset, *r = &rset;

	if (i <= p->nrcpt)
		r = i == 0 ? p->mail : p->reply[i - 1];
	if (!hear(k, r))
		return false;
	if (talk_is_farewell(r))
		return talk_refused(&k->talk, r);
	/* "503 need MAIL" says nothing of the recipient. */
	if (i > 0 && i <= p->nrcpt && !talk_is_good(p->mail))
		memset(r, 0, sizeof(*r));
	return true;
}

static bool
probe(struct looker *k, const struct probe *p)
{
	bool at_once = (k->l->offers & LOOK_PIPELINING) != 0;
	size_t i, last = p->nrcpt + 1;

	for (i = 0; i <= last; i++) {
		if (!at_once && i > 0 && i < last && !talk_is_good(p->mail))
			continue;
		if (!probe_say(k, p, i) || (!at_once && !probe_hear(k, p, i)))
			return false;
	}
	for (i = 0; at_once && i <= last; i++)
		if (!probe_hear(k, p, i))
			return false;
	return talk_is_silent(&k->talk);
}

/* Whom it takes mail for (RFC 5321 4.5.1, 4.5.5). */
static bool
ask_postmaster(struct looker *k, struct look_ask *a)
{
	struct look *l = k->l;
	struct talk_reply mail = { 0, "" };
	char postmaster[ADDR_MAX + 1], sender[ADDR_MAX + 1];
	struct probe p = { "", { postmaster }, 1, &l->null_sender,
	    { &a->postmaster } };

	/* A domain has ADDR_DOMAIN_MAX octets: these fit. */
	(void)snprintf(postmaster, sizeof(postmaster), "postmaster@%s",
	    a->domain);
	if (!probe(k, &p))
		return false;
	if (talk_is_good(&l->null_sender))
		return true;
	(void)snprintf(sender, sizeof(sender), "postmaster@%s", k->us->name);
	p.sender = sender;
	p.mail = &mail;
	return probe(k, &p);
}

/* For whom it must not.  Who refuses the null sender relays for others. */
static bool
ask_relay(struct looker *k)
{
	struct look *l = k->l;
	struct talk_reply mail = { 0, "" };
	char sender[ADDR_MAX + 1] = "";
	struct probe p = { sender, { OUTSIDE }, 1, &mail, { &l->relay } };

	if (l->nask > 0 && !talk_is_good(&l->null_sender))
		(void)snprintf(sender, sizeof(sender), "postmaster@%s",
		    k->us->name);
	return probe(k, &p);
}

/* As the one that has the domain's mail to hand over. */
static bool
ask_rehearsal(struct looker *k, struct look_ask *a)
{
	struct talk_reply mail = { 0, "" };
	char postmaster[ADDR_MAX + 1], stranger[ADDR_MAX + 1];
	char sender[ADDR_MAX + 1];
	struct probe own = { sender, { postmaster, stranger }, 2, &a->sender,
	    { &a->known, &a->stranger } };
	struct probe other = { ELSEWHERE, { postmaster }, 1, &mail,
	    { &a->passed } };

	(void)snprintf(postmaster, sizeof(postmaster), "postmaster@%s",
	    a->domain);
	(void)snprintf(stranger, sizeof(stranger), "mx-check-%08x%08x@%s",
	    arc4random(), arc4random(), a->domain);
	(void)snprintf(sender, sizeof(sender), "postmaster@%s", k->us->name);
	if (!probe(k, &own) || !probe(k, &other))
		return false;
	if (!talk_is_good(&mail))
		a->passed = mail;
	return true;
}

static bool
ask_all(struct looker *k)
{
	struct look *l = k->l;
	size_t i;

	l->step = LOOK_MAIL;
	for (i = 0; i < l->nask; i++)
		if (!ask_postmaster(k, &l->ask[i]) ||
		    (l->rehearse && !ask_rehearsal(k, &l->ask[i])))
			return false;
	return ask_relay(k);
}

void
look_init(struct look *l, const struct sockaddr_storage *addr,
    const char *host)
{
	memset(l, 0, sizeof(*l));
	l->addr = *addr;
	(void)strlcpy(l->host, host, sizeof(l->host));
}

bool
look_ask(struct look *l, const char *domain)
{
	if (l->nask == LOOK_ASKS)
		return false;
	return strlcpy(l->ask[l->nask++].domain, domain,
	    sizeof(l->ask[0].domain)) < sizeof(l->ask[0].domain);
}

void
look_talk(struct look *l, const struct look_us *us,
    const struct stream_ops *ops, void *arg, int64_t deadline)
{
	struct looker k = { .l = l, .us = us };
	struct talk *t = &k.talk;
	bool go;

	go = talk_open(t, ops, arg, deadline) == 0 ||
	    talk_end(t, TALK_LOST, "%s", strerror(errno));
	go = go && greeting(&k) && hello(&k, LOOK_EHLO) && secure(&k) &&
	    ask_all(&k);
	if (go)
		l->step = LOOK_QUIT;
	talk_quit(t);
	l->end = go ? TALK_WELL : t->end;
	memcpy(l->why, t->why, sizeof(l->why));
	talk_close(t);
}

/* RFC 5321 4.1.3: what has no name has its address. */
static void
name_by_addr(char *name, size_t size, const struct sockaddr_storage *own)
{
	char text[INET6_ADDRSTRLEN];

	ipaddr_print(text, own);
	(void)snprintf(name, size, "[%s%s]",
	    own->ss_family == AF_INET6 ? "IPv6:" : "", text);
}

void
look_run(struct look *l, const struct look_us *us, int64_t deadline)
{
	struct sockaddr_storage addr;
	socklen_t len = sizeof(addr);
	struct look_us own = *us;
	struct stream_fds fds;
	int fd;

	l->step = LOOK_CONNECT;
	fd = talk_dial(&l->addr, us->source, deadline_min(deadline,
	    deadline_in(CONNECT_TIME)));
	if (fd == -1 ||
	    getsockname(fd, (struct sockaddr *)&addr, &len) == -1) {
		l->end = errno == ETIMEDOUT ? TALK_LATE : TALK_LOST;
		l->error = errno;
		(void)strlcpy(l->why, l->end == TALK_LATE ?
		    "no answer in time" : strerror(errno), sizeof(l->why));
		goto out;
	}
	l->local = ipaddr_same(&addr, &l->addr);
	if (strchr(own.name, '.') == NULL)
		name_by_addr(own.name, sizeof(own.name), &addr);
	fds = (struct stream_fds){ fd, fd, 0 };
	look_talk(l, &own, &stream_fd_ops, &fds, deadline);
out:
	if (fd != -1)
		close(fd);
}
