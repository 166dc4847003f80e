/* SPDX-License-Identifier: ISC */
#include "carry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "deadline.h"
#include "envelope.h"
#include "log.h"
#include "message.h"
#include "plain.h"
#include "report.h"
#include "smtp_client.h"

#define LOSSES_MAX	3	/* in a row, then the domain's run ends */

static void
pace(struct carry *c)
{
	int64_t now = deadline_now(), left;
	struct timespec ts;

	if (c->settle->settings->rate <= 0)
		return;
	if ((left = c->next - now) > 0) {
		ts.tv_sec = (time_t)(left / 1000);
		ts.tv_nsec = (long)(left % 1000) * 1000000;
		(void)nanosleep(&ts, NULL);
		now = c->next;
	}
	c->next = now + (int64_t)(1000 / c->settle->settings->rate);
}

enum sent {
	SENT,
	SENT_LOST,		/* no replies: no server was to be had */
	SENT_ASIDE		/* it takes a server with SMTPUTF8 */
};

/*
 * The server refused to hear of the client.  Where it has never taken an
 * XCLIENT it will not later, and no word of clients is said any more.
 */
static void
give_up_identity(struct carry *c, const struct message *m,
    const struct smtp_client_result_set *r)
{
	struct link *l = c->link;

	c->anonymous = !c->identified;
	log_warnx("not identified id=%s domain=%s host=\"%s\" reason=\"%s\"",
	    m->entry.id, l->domain, l->peer, r->error);
	link_close(l);
	l->anonymous = true;
}

/*
 * Sends to r's recipients.  A server that closes a connection between two
 * messages, or says 421 to the second MAIL, has nothing against the second:
 * it gets one more chance, on a new connection.
 */
static enum sent
transmit(struct carry *c, const struct message *m,
    struct smtp_client_result_set *r)
{
	enum smtp_client_result result;
	struct link *l = c->link;
	bool fresh;

	l->anonymous = c->anonymous;
	do {
		if (l->client == NULL && !link_open(l)) {
			c->stop = true;
			c->losses = 0;
			if (!l->utf8)
				way_lost(c->way);
			return SENT_LOST;
		}
		fresh = l->carried == 0;
		log_debug("sending id=%s to %s", m->entry.id, l->peer);
		c->dsn = (smtp_client_offers(l->client) &
		    SMTP_OFFER_DSN) != 0;
		result = smtp_client_send(l->client, m, r);
		if (result == SMTP_CLIENT_UNABLE)
			return r->lack == SMTP_LACKS_SMTPUTF8 ? SENT_ASIDE :
			    SENT;
		if (result == SMTP_CLIENT_UNIDENTIFIED) {
			give_up_identity(c, m, r);
			fresh = false;
			continue;
		}
		c->identified = c->identified ||
		    smtp_client_speaks(l->client);
		if (result == SMTP_CLIENT_OK) {
			l->carried++;
			c->losses = 0;
			/* The next ones are to be identified again. */
			if (l->anonymous && !c->anonymous)
				link_close(l);
			return SENT;
		}
		(void)strlcpy(l->error, r->error, sizeof(l->error));
		log_debug("%s: lost %s: %s", l->domain, l->peer, r->error);
		link_close(l);
	} while (!fresh && !r->unsure &&
	    (r->mail.code == 0 || r->mail.code == 421));
	/* The third message to lose its connection: it is not the message. */
	if (++c->losses >= LOSSES_MAX)
		c->stop = true;
	return SENT;
}

/* The pending recipients of M that are not REFUSED into R. */
static void
choose(const struct message *m, const bool *refused,
    struct smtp_client_result_set *r)
{
	size_t i;

	r->nrcpt = 0;
	for (i = 0; i < m->envelope.nrcpt; i++)
		if (m->envelope.rcpt[i].status == RCPT_PENDING && !refused[i])
			r->rcpt[r->nrcpt++].index = i;
}

static void
send_message(struct carry *c, struct message *m)
{
	struct smtp_client_result_set r = { 0 };
	struct settle_said said = { .peer = c->link->peer,
	    .tls = c->link->tls_text, .replies = &r };
	enum settled settled = SETTLED;
	enum sent sent;

	r.rcpt = calloc(m->envelope.nrcpt, sizeof(*r.rcpt));
	said.verdict = calloc(m->envelope.nrcpt, sizeof(*said.verdict));
	said.refused = calloc(m->envelope.nrcpt, sizeof(*said.refused));
	if (r.rcpt == NULL || said.verdict == NULL || said.refused == NULL) {
		log_warn("%s", m->entry.id);
		settle_wait(c->settle, m);
		goto out;
	}
	pace(c);
	do {
		choose(m, said.refused, &r);
		if ((sent = transmit(c, m, &r)) != SENT)
			break;
		said.dsn = c->dsn;
		said.last = c->stop;
		settled = settle_said(c->settle, m, &said);
	} while (settled == SETTLE_AGAIN);
	if (settled == SETTLE_BROKEN ||
	    breaker_tripped(c->settle->breaker) != BREAKER_WHOLE)
		c->stop = true;
	if (sent == SENT_LOST)
		settle_wait(c->settle, m);
	c->aside = sent == SENT_ASIDE;
out:
	free(r.rcpt);
	free(said.verdict);
	free(said.refused);
}

/* RFC 1870 6.1: what the server said it would not take is not sent. */
static bool
fits(struct carry *c, struct message *m)
{
	const struct link *l = c->link;
	char text[SETTLE_TEXT_MAX];
	int64_t limit;

	limit = l->client != NULL ? smtp_client_size_limit(l->client) : 0;
	if (limit == 0 || m->size <= limit)
		return true;
	(void)snprintf(text, sizeof(text), REPORT_OURS "the message has %lld "
	    "octets and %s takes %lld", (long long)m->size, l->peer,
	    (long long)limit);
	(void)settle_words(c->settle, m, text);
	log_info("deferred id=%s domain=%s host=\"%s\" reason=\"%s\"",
	    m->entry.id, l->domain, l->peer, text);
	return false;
}

/*
 * Not to be sent without SMTPUTF8, and nobody offers it (RFC 6531 3.2).  That
 * is the end of it where each server of the domain has said so, and the domain
 * has been up for so long that they are what they are meant to be: one that
 * has just been put back may still lack something.
 */
static void
deny(struct carry *c, struct message *m)
{
	const struct domain *d = &c->way->state;
	char text[SETTLE_TEXT_MAX];
	bool final;

	final = c->link->unable && d->state == DOMAIN_UP && d->since > 0 &&
	    d->since + WAY_LONG <= time(NULL);
	if (final)
		(void)snprintf(text, sizeof(text), REPORT_OURS "5.6.7 it "
		    "needs SMTPUTF8, and no server of %s offers that",
		    c->settle->domain);
	else
		(void)snprintf(text, sizeof(text), REPORT_OURS "it needs "
		    "SMTPUTF8: %s", c->link->error);
	final = settle_words(c->settle, m, text) && final;
	log_info("%s id=%s domain=%s reason=\"%s\"", final ? "refused" :
	    "deferred", m->entry.id, c->settle->domain, plain_unquote(text));
	if (!final) {
		settle_wait(c->settle, m);
		return;
	}
	if (settle_failed(c->settle, m) == SETTLE_BROKEN)
		c->stop = true;
}

static bool
open_message(struct carry *c, const struct scan_entry *e, struct message *m)
{
	const char *why = "";

	switch (message_open(c->settle->spool, c->settle->domain, e, true, m,
	    &why)) {
	case MESSAGE_OPENED:
		return true;
	case MESSAGE_GONE:
	case MESSAGE_VOIDED:
		break;
	case MESSAGE_BUSY:
		c->settle->count.deferred++;
		break;
	case MESSAGE_DAMAGED:
		log_warnx("damaged id=%s domain=%s reason=\"%s\": kept, not "
		    "delivered", e->id, c->settle->domain, why);
		c->settle->count.unread++;
		break;
	case MESSAGE_ERROR:
		log_warn("%s: cannot be opened", e->id);
		c->settle->count.unread++;
		break;
	}
	return false;
}

void
carry_message(struct carry *c, const struct scan_entry *e)
{
	struct message m;

	c->aside = false;
	if (!open_message(c, e, &m))
		return;
	/* A crash came between the last verdict and its consequence. */
	if (envelope_count(&m.envelope, RCPT_PENDING) == 0) {
		m.remembered = true;
		settle_finish(c->settle, &m);
	} else if (c->denied)
		deny(c, &m);
	else if (!fits(c, &m))
		settle_wait(c->settle, &m);
	else
		send_message(c, &m);
	message_close(&m);
}

void
carry_refuse(struct carry *c, const struct scan_entry *e, const char *why)
{
	char text[SETTLE_TEXT_MAX];
	struct message m;

	if (!open_message(c, e, &m))
		return;
	(void)snprintf(text, sizeof(text), REPORT_OURS "%s", why);
	log_info("refused id=%s domain=%s reason=\"%s\"", e->id,
	    c->settle->domain, why);
	if (!settle_words(c->settle, &m, text))
		settle_wait(c->settle, &m);
	else if (settle_failed(c->settle, &m) == SETTLE_BROKEN)
		c->stop = true;
	message_close(&m);
}
