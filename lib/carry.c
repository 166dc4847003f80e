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
#include "turn.h"

#define LOSSES_MAX	3	/* in a row, then the domain's run ends */
#define LATER_MAX	3	/* messages in a row put off by the server */
#define NAP		500	/* milliseconds, and a look at who waits */

/* A message in our hands, locked, on its way or to be sent alone. */
struct parcel {
	TAILQ_ENTRY(parcel) next;
	struct message m;
	size_t index;		/* the caller's */
	struct smtp_client_result_set r;
	enum verdict *verdict;	/* for each of r.rcpt */
	bool dsn;		/* the server offers it */
	bool reworded;		/* it was said with BDAT, in vain */
	bool *tried;		/* recipients, by their index */
	bool *refused;		/* likewise: see settle.h */
};

static void
parcel_free(struct parcel *p)
{
	if (p == NULL)
		return;
	message_close(&p->m);
	free(p->r.rcpt);
	free(p->verdict);
	free(p->tried);
	free(p->refused);
	free(p);
}

/* Takes over M; NULL when out of memory. */
static struct parcel *
parcel_new(struct message *m, size_t index)
{
	size_t n = m->envelope.nrcpt;
	struct parcel *p;

	if ((p = calloc(1, sizeof(*p))) == NULL)
		return NULL;
	p->r.rcpt = calloc(n, sizeof(*p->r.rcpt));
	p->verdict = calloc(n, sizeof(*p->verdict));
	p->tried = calloc(n, sizeof(*p->tried));
	p->refused = calloc(n, sizeof(*p->refused));
	p->m = *m;
	p->index = index;
	if (p->r.rcpt != NULL && p->verdict != NULL && p->tried != NULL &&
	    p->refused != NULL)
		return p;
	p->m.fd = -1;
	envelope_init(&p->m.envelope);
	p->m.entry.name = p->m.entry.id = NULL;
	parcel_free(p);
	return NULL;
}

/*
 * The recipients that are next, MAX at most.  True if there are still others
 * behind them.
 */
static bool
choose(struct parcel *p, size_t max)
{
	struct smtp_client_result_set *r = &p->r;
	size_t i;

	r->nrcpt = 0;
	for (i = 0; i < p->m.envelope.nrcpt; i++) {
		if (p->m.envelope.rcpt[i].status != RCPT_PENDING ||
		    p->tried[i])
			continue;
		if (r->nrcpt == max)
			return true;
		r->rcpt[r->nrcpt++].index = i;
	}
	return false;
}

/*
 * Those who have had their answer are not asked for again; those who were one
 * too many have not had it.  True if there are any left.
 */
static bool
note_tried(struct parcel *p)
{
	const struct smtp_client_result_set *r = &p->r;
	bool crowded = false, left = false;
	size_t i, k;

	for (k = 0; k < r->nrcpt; k++) {
		const struct reply *said = &r->rcpt[k].reply;

		p->tried[r->rcpt[k].index] = !crowded ||
		    (said->code != 452 && said->code != 552);
		crowded = crowded || said->code / 100 == 2;
	}
	for (i = 0; i < p->m.envelope.nrcpt; i++)
		left = left || (!p->tried[i] &&
		    p->m.envelope.rcpt[i].status == RCPT_PENDING);
	return left;
}

/*** The connection ***/

/*
 * Sleeps for MS milliseconds.  A turn to deliver is not slept through: who
 * waits for it has it meanwhile, and we take another one.
 */
static void
rest(struct carry *c, int64_t ms)
{
	int64_t until = deadline_in(ms);
	struct timespec ts;
	int left;

	while ((left = deadline_left(until)) > 0) {
		if (c->link->client != NULL && turn_over(c->link->turn))
			link_close(c->link);
		if (left > NAP)
			left = NAP;
		ts.tv_sec = left / 1000;
		ts.tv_nsec = left % 1000 * 1000000L;
		(void)nanosleep(&ts, NULL);
	}
}

/* So that all connections of the domain together keep its rate. */
static void
pace(struct carry *c)
{
	const double rate = c->settle->settings->rate;
	int64_t now, slot, wanted;

	if (rate <= 0)
		return;
	wanted = atomic_load(c->slot);
	do {
		now = deadline_now() * 1000;
		slot = wanted > now ? wanted : now;
	} while (!atomic_compare_exchange_weak(c->slot, &wanted,
	    slot + (int64_t)(1000000 / rate)));
	if (slot == now)
		return;
	/* Nobody waits that long for a reply to be read. */
	carry_finish(c);
	rest(c, (slot - now + 999) / 1000);
}

/* False: no server is to be had, and the run is over. */
static bool
connected(struct carry *c)
{
	struct link *l = c->link;

	if (l->client != NULL || link_open(l))
		return true;
	c->stop = c->trouble = true;
	c->losses = 0;
	if (!l->walk && !c->second)
		way_lost(c->way);
	return false;
}

static void
disconnect(struct carry *c, const char *why)
{
	struct link *l = c->link;

	(void)strlcpy(l->error, why, sizeof(l->error));
	log_debug("%s: lost %s: %s", l->domain, l->peer, why);
	if (smtp_client_is_confused(l->client)) {
		log_info("in turn domain=%s host=\"%s\" reason=\"%s\"",
		    l->domain, l->peer, why);
		l->in_turn = true;
	}
	link_close(l);
	c->trouble = true;
}

/* The third message to lose its connection: it is not the message. */
static void
count_loss(struct carry *c)
{
	if (++c->losses >= LOSSES_MAX)
		c->stop = true;
}

/*
 * The server refused to hear of the client.  Where it has never taken an
 * XCLIENT it will not later, and no word of clients is said any more.
 */
static void
give_up_identity(struct carry *c, const struct parcel *p)
{
	struct link *l = c->link;

	c->anonymous = !c->identified;
	log_warnx("not identified id=%s domain=%s host=\"%s\" reason=\"%s\"",
	    p->m.entry.id, l->domain, l->peer, p->r.error);
	link_close(l);
	l->anonymous = true;
}

/*** One parcel ***/

/*
 * What was said to it, or that nothing was, on disk.  True if it is to go on
 * with other recipients; else it is done with, and freed.
 */
static bool
settle(struct carry *c, struct parcel *p, bool lost)
{
	struct link *l = c->link;
	struct settle_said said = { .peer = l->peer, .tls = l->tls_text,
	    .dsn = p->dsn, .last = c->stop || lost, .replies = &p->r,
	    .verdict = p->verdict, .refused = p->refused };
	enum settled settled;

	said.more = note_tried(p);
	settled = settle_said(c->settle, &p->m, &said);
	if (settled == SETTLE_AGAIN)
		return true;
	if (settled == SETTLE_BROKEN ||
	    breaker_tripped(c->settle->breaker) != BREAKER_WHOLE)
		c->stop = true;
	parcel_free(p);
	return false;
}

/* It takes a server that offers more than this one. */
static void
set_aside(struct carry *c, struct parcel *p)
{
	c->aside(c->aside_arg, p->index, p->r.lack);
	parcel_free(p);
}

static void
note_good(struct carry *c)
{
	struct link *l = c->link;

	l->carried++;
	c->losses = 0;
	c->identified = c->identified || smtp_client_speaks(l->client);
}

/*
 * P's connection is lost.  A server that closes one between two messages, or
 * says 421 to the second MAIL, has nothing against the second.
 */
static bool
is_worth_another(const struct parcel *p, bool fresh)
{
	return !fresh && !p->r.unsure &&
	    (p->r.mail.code == 0 || p->r.mail.code == 421);
}

static void
warn_of(const struct carry *c, const struct parcel *p)
{
	if (p->r.unsure)
		log_warnx("possible duplicate id=%s domain=%s host=\"%s\" "
		    "reason=\"%s\"", p->m.entry.id, c->link->domain,
		    c->link->peer, p->r.error);
}

/*
 * All behind a lost one are lost, too; they get another chance, alone.  So
 * does the one that showed that the server is to be talked to in turn, or each
 * run would begin with the same.
 */
static void
lose(struct carry *c, struct parcel *p)
{
	struct link *l = c->link;
	bool fresh = l->carried == 0, in_turn = l->in_turn;
	struct smtp_client_result_set *r;
	struct parcel *q;

	while ((q = TAILQ_FIRST(&c->flying)) != NULL) {
		(void)smtp_client_end(l->client, &r);
		TAILQ_REMOVE(&c->flying, q, next);
		TAILQ_INSERT_TAIL(&c->alone, q, next);
		warn_of(c, q);
	}
	disconnect(c, p->r.error);
	if (is_worth_another(p, fresh) || in_turn != l->in_turn) {
		warn_of(c, p);
		TAILQ_INSERT_HEAD(&c->alone, p, next);
		return;
	}
	count_loss(c);
	(void)settle(c, p, true);
}

/* One 4xx is that message's affair, some in a row are the server's. */
static void
count_later(struct carry *c, const struct smtp_client_result_set *r)
{
	bool later = r->mail.code / 100 == 4 || r->data.code / 100 == 4 ||
	    r->end.code / 100 == 4;
	size_t k;

	for (k = 0; k < r->nrcpt; k++)
		later = later || r->rcpt[k].reply.code / 100 == 4;
	c->later = later ? c->later + 1 : 0;
	if (c->later >= LATER_MAX)
		c->trouble = true;
}

/* Waits for the replies to the oldest message in flight. */
static void
end_oldest(struct carry *c)
{
	struct parcel *p = TAILQ_FIRST(&c->flying);
	struct smtp_client_result_set *r;

	TAILQ_REMOVE(&c->flying, p, next);
	if (smtp_client_end(c->link->client, &r) != SMTP_CLIENT_OK) {
		lose(c, p);
		return;
	}
	note_good(c);
	count_later(c, &p->r);
	if (p->r.reworded && !p->reworded) {
		p->reworded = c->link->unchunked = true;
		TAILQ_INSERT_TAIL(&c->alone, p, next);
	} else if (settle(c, p, false))
		TAILQ_INSERT_TAIL(&c->alone, p, next);
}

/*
 * Puts P among those in flight, or settles what keeps it from there.
 */
static void
launch(struct carry *c, struct parcel *p)
{
	enum smtp_client_result result;
	struct link *l = c->link;
	bool fresh;

	for (;;) {
		if (c->stop || !connected(c)) {
			settle_wait(c->settle, &p->m);
			parcel_free(p);
			return;
		}
		fresh = l->carried == 0;
		(void)choose(p, smtp_client_rcpt_max(l->client));
		result = smtp_client_begin(l->client, &p->m, &p->r);
		p->dsn = (smtp_client_offers(l->client) &
		    SMTP_OFFER_DSN) != 0;
		if (result == SMTP_CLIENT_OK) {
			log_debug("sending id=%s to %s", p->m.entry.id,
			    l->peer);
			TAILQ_INSERT_TAIL(&c->flying, p, next);
			return;
		}
		if (result == SMTP_CLIENT_UNABLE) {
			set_aside(c, p);
			return;
		}
		/* Whatever it is, nothing of it was sent. */
		if (!TAILQ_EMPTY(&c->flying))
			end_oldest(c);
		else if (result == SMTP_CLIENT_SPENT)
			link_close(l);
		else if (result == SMTP_CLIENT_UNIDENTIFIED)
			give_up_identity(c, p);
		else {
			disconnect(c, p->r.error);
			if (!fresh)
				continue;
			count_loss(c);
			(void)settle(c, p, true);
			return;
		}
	}
}

/* Those that are to go alone; what they say may set others aside again. */
static void
send_alone(struct carry *c)
{
	struct parcel *p;

	while ((p = TAILQ_FIRST(&c->alone)) != NULL) {
		TAILQ_REMOVE(&c->alone, p, next);
		if (c->stop) {
			settle_wait(c->settle, &p->m);
			parcel_free(p);
			continue;
		}
		launch(c, p);
		while (!TAILQ_EMPTY(&c->flying))
			end_oldest(c);
	}
}

void
carry_finish(struct carry *c)
{
	while (!TAILQ_EMPTY(&c->flying))
		end_oldest(c);
	send_alone(c);
}

void
carry_init(struct carry *c)
{
	TAILQ_INIT(&c->flying);
	TAILQ_INIT(&c->alone);
}

static void
free_parcels(struct parcels *list)
{
	struct parcel *p;

	while ((p = TAILQ_FIRST(list)) != NULL) {
		TAILQ_REMOVE(list, p, next);
		parcel_free(p);
	}
}

void
carry_abandon(struct carry *c)
{
	free_parcels(&c->flying);
	free_parcels(&c->alone);
	c->trouble = false;
	c->losses = c->later = 0;
}

static void
send_message(struct carry *c, struct message *m, size_t index)
{
	struct link *l = c->link;
	struct parcel *p;

	if ((p = parcel_new(m, index)) == NULL) {
		log_warn("%s", m->entry.id);
		settle_wait(c->settle, m);
		message_close(m);
		return;
	}
	pace(c);
	if (l->client == NULL)
		l->anonymous = c->anonymous;
	launch(c, p);
	/* A server on trial gets one at a time. */
	if (breaker_is_trial(c->settle->breaker) ||
	    !TAILQ_EMPTY(&c->alone))
		carry_finish(c);
	/* The next ones are to be identified again. */
	if (l->anonymous && !c->anonymous) {
		carry_finish(c);
		link_close(l);
	}
}

/*
 * Not to be sent to any of the servers (RFC 6531 3.2, RFC 8689 4.2.1, RFC 1870
 * 6.1).  For an extension that is the end of it where each server of the
 * domain has said so, and the domain has been up for so long that they are
 * what they are meant to be: one that has just been put back may still lack
 * something.  A limit is a number that somebody may raise.
 */
static void
deny(struct carry *c, struct message *m)
{
	const struct domain *d = &c->way->state;
	const char *domain = c->settle->domain, *lacks;
	char text[SETTLE_TEXT_MAX];
	bool final;

	final = c->link->complete && c->link->none_has[c->denied] &&
	    d->state == DOMAIN_UP && d->since > 0 &&
	    d->since + WAY_LONG <= time(NULL);
	lacks = c->link->lacks[c->denied];
	switch (c->denied) {
	case SMTP_LACKS_NOTHING:
	case SMTP_LACKS_ROOM:
		final = false;
		(void)snprintf(text, sizeof(text), REPORT_OURS "the message "
		    "has %lld octets: %s", (long long)m->size, lacks);
		break;
	case SMTP_LACKS_SMTPUTF8:
		if (final)
			(void)snprintf(text, sizeof(text), REPORT_OURS
			    "5.6.7 it needs SMTPUTF8, and no server of %s "
			    "offers that", domain);
		else
			(void)snprintf(text, sizeof(text), REPORT_OURS
			    "it needs SMTPUTF8: %s", lacks);
		break;
	case SMTP_LACKS_REQUIRETLS:
		if (final)
			(void)snprintf(text, sizeof(text), REPORT_OURS
			    "5.7.30 its sender asked for REQUIRETLS, and no "
			    "server of %s offers that and shows who it is",
			    domain);
		else
			(void)snprintf(text, sizeof(text), REPORT_OURS
			    "its sender asked for REQUIRETLS: %s", lacks);
		break;
	}
	final = settle_words(c->settle, m, text) && final;
	log_info("%s id=%s domain=%s reason=\"%s\"", final ? "refused" :
	    "deferred", m->entry.id, domain, plain_unquote(text));
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
carry_message(struct carry *c, const struct scan_entry *e, size_t index)
{
	struct message m;

	if (!open_message(c, e, &m))
		return;
	/* A crash came between the last verdict and its consequence. */
	if (envelope_count(&m.envelope, RCPT_PENDING) == 0) {
		m.remembered = true;
		settle_finish(c->settle, &m);
	} else if (c->denied != SMTP_LACKS_NOTHING)
		deny(c, &m);
	else {
		send_message(c, &m, index);
		return;
	}
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
