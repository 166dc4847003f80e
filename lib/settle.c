/* SPDX-License-Identifier: ISC */
#include "settle.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "addr.h"
#include "dsn.h"
#include "envelope.h"
#include "ledger.h"
#include "log.h"
#include "plain.h"
#include "recipients.h"
#include "scan.h"

#define SYNC_EVERY	100	/* removals: what a power cut may repeat */
#define KNOWN_WAITS	86400	/* seconds, before a message to somebody who
				   was known good may fail */


static bool
is_ok(const struct reply *r)
{
	return r->code / 100 == 2;
}

/*
 * The verdict on recipient K and the words for it in TEXT.  CROWDED: an
 * earlier recipient of the transaction was accepted, so that 552 means "too
 * many" (RFC 5321 4.5.3.1.10).
 */
static enum verdict
judge(const struct smtp_client_result_set *r, size_t k, bool crowded,
    char *text)
{
	const struct reply *rcpt = &r->rcpt[k].reply, *said = NULL;
	enum verdict verdict = VERDICT_DEFERRED;
	char raw[REPLY_TEXT_MAX + 32];

	if (r->mail.code != 0 && !is_ok(&r->mail))
		said = &r->mail;
	else if (rcpt->code != 0 && !is_ok(rcpt)) {
		said = rcpt;
		if (rcpt->code != 552 || !crowded)
			verdict = reply_verdict(rcpt, REPLY_TO_RCPT);
	} else if (rcpt->code != 0 && r->end.code != 0) {
		said = &r->end;
		verdict = reply_verdict(&r->end, REPLY_TO_END);
	} else if (r->data.code != 0 && r->data.code / 100 != 3)
		said = &r->data;
	if (said == NULL) {
		plain(text, SETTLE_TEXT_MAX, r->error);
		return VERDICT_DEFERRED;
	}
	reply_print(said, raw, sizeof(raw));
	plain(text, SETTLE_TEXT_MAX, raw);
	return verdict;
}

/*
 * Removed, moved: nothing more is to be done for the message.  Now and then
 * that is made durable.
 */
static void
count_removed(struct settle *s)
{
	if (++s->removed >= SYNC_EVERY)
		settle_sync(s);
}

void
settle_wait(struct settle *s, struct message *m)
{
	s->count.deferred++;
	if (m->entry.folder == SPOOL_NEW &&
	    message_move(s->spool, m, SPOOL_CUR) == -1)
		log_warn("%s: cannot mark as tried", m->entry.id);
}

/*
 * What settle_said() left to the removal that failed: without the marks each
 * run would deliver the message again.
 */
static void
mark_delivered(struct message *m)
{
	struct recipient *r = m->envelope.rcpt;
	size_t i;

	for (i = 0; i < m->envelope.nrcpt; i++) {
		if (r[i].status != RCPT_DELIVERED)
			continue;
		r[i].status = RCPT_PENDING;
		if (message_mark(m, i, RCPT_DELIVERED) == -1)
			break;
	}
	if (i < m->envelope.nrcpt || message_sync(m) == -1)
		log_warn("%s: cannot mark recipients; possible duplicate",
		    m->entry.id);
}

/* Nobody pending and nobody to tell: out of the queue. */
static void
let_go(struct settle *s, struct message *m, enum dsn_result told)
{
	enum spool_folder folder = SPOOL_SENT;
	int error;

	if (envelope_count(&m->envelope, RCPT_REPORTED) > 0 ||
	    envelope_count(&m->envelope, RCPT_FAILED) > 0)
		folder = SPOOL_EXPIRED;
	if (s->settings->keep > 0 || told == DSN_WITHHELD ||
	    dsn_is_silenced(&m->envelope))
		error = message_move(s->spool, m, folder);
	else
		error = message_remove(s->spool, m);
	if (error == -1) {
		log_warn("%s: cannot leave the queue", m->entry.id);
		mark_delivered(m);
		s->count.deferred++;
		return;
	}
	if (folder == SPOOL_SENT)
		s->count.delivered++;
	count_removed(s);
}

static void
hold(struct settle *s, struct message *m)
{
	struct spool *sp = s->spool;

	if (ledger_hold(sp, s->domain, m->entry.id, 0,
	    "refused; \"bounce no\"") == -1 ||
	    message_move(sp, m, SPOOL_HELD) == -1) {
		log_warn("%s: cannot be put on hold", m->entry.id);
		s->count.deferred++;
		return;
	}
	log_info("held id=%s domain=%s reason=\"refused; bounce no\"",
	    m->entry.id, s->domain);
	count_removed(s);
}

/* Tells the sender what is to be told, then decides where the message goes. */
void
settle_finish(struct settle *s, struct message *m)
{
	bool failed = envelope_count(&m->envelope, RCPT_FAILED) > 0;
	bool pending = envelope_count(&m->envelope, RCPT_PENDING) > 0;
	bool relayed = envelope_count(&m->envelope, RCPT_RELAYED) > 0;
	enum dsn_result told = DSN_NONE;

	if (failed)
		s->count.failed++;
	/* One that was tried before may have a report left by a crash. */
	if (failed || relayed || m->remembered)
		told = dsn_send(s->conf, s->spool, m, s->settings->bounce ?
		    DSN_REFUSED : DSN_RELAYED);
	if (told == DSN_LATER) {
		log_warn("%s: cannot report to the sender yet", m->entry.id);
		pending = true;
	}
	if (pending)
		settle_wait(s, m);
	else if (failed && !s->settings->bounce)
		hold(s, m);
	else
		let_go(s, m, told);
}

/* Does the sender wait for a word on I, which only we can give now? */
static bool
is_relayed(const struct settle_said *said, const struct message *m, size_t i)
{
	return !said->dsn && dsn_wants_relayed(&m->envelope, i);
}

/* Marks on disk what the verdicts say. */
static int
mark(struct message *m, const struct settle_said *said)
{
	const struct smtp_client_result_set *r = said->replies;
	const enum verdict *v = said->verdict;
	enum rcpt_status status;
	bool changed = false;
	size_t k;

	for (k = 0; k < r->nrcpt; k++) {
		if (v[k] == VERDICT_DEFERRED)
			continue;
		changed = true;
		status = RCPT_FAILED;
		if (v[k] == VERDICT_DELIVERED)
			status = is_relayed(said, m, r->rcpt[k].index) ?
			    RCPT_RELAYED : RCPT_DELIVERED;
		if (message_mark(m, r->rcpt[k].index, status) == -1)
			return -1;
	}
	return changed ? message_sync(m) : 0;
}

/*** Is a refusal to be believed? ***/

/* Has the primary taken mail for ADDRESS, or the operator listed it? */
static bool
is_known_good(const struct settle *s, const char *address)
{
	char path[PATH_MAX], why[RECIPIENTS_WHY_MAX];
	struct addr a;

	if (s->learn == NULL || !addr_parse_mailbox(&a, address))
		return false;
	if (recipients_learnt(s->spool, s->domain, &a, time(NULL)) ==
	    RECIPIENTS_YES)
		return true;
	return s->settings->recipients == CONF_FILE &&
	    conf_path(s->conf, s->settings->recipients_file, path) &&
	    recipients_file(path, &a, NULL, why) == RECIPIENTS_YES;
}

static void
trip(struct settle *s, enum breaker_trip why, const char *what,
    const char *words)
{
	breaker_trip(s->breaker, why);
	if (s->cause[0] == '\0')
		(void)snprintf(s->cause, sizeof(s->cause), "%.400s: %.500s",
		    what, words);
}

/*
 * MAIL refused for good says that the server wants nothing of us, unless it
 * has taken something before, or it is the message's size that it minds.
 */
static void
weigh_mail(struct settle *s, const struct reply *mail, const char *text)
{
	struct breaker *b = s->breaker;

	if (!b->trial || mail->code / 100 != 5 || mail->code == 521 ||
	    mail->code == 552 || strcmp(mail->status, "5.3.4") == 0)
		return;
	(void)strlcpy(s->last, text, sizeof(s->last));
	if (breaker_proven(b) == 0)
		trip(s, BREAKER_MAIL, "MAIL was refused, and nobody accepted",
		    text);
	else
		(void)breaker_bad(b);
}

/*
 * TEXT is a refusal of recipient K for good.  True if that is so now; else it
 * is pending, and noted in *D unless another run has to tell.
 */
static bool
is_believed(struct settle *s, const struct message *m,
    const struct smtp_client_result_set *r, size_t k, const char *text,
    struct doubt **d)
{
	const char *address = m->envelope.rcpt[r->rcpt[k].index].address;
	char who[ADDR_MAX * 4 + 64], plain_address[ADDR_MAX * 4 + 1];
	struct breaker *b = s->breaker;
	uint32_t place = breaker_bad(b);
	time_t now = time(NULL);

	(void)strlcpy(s->last, text, sizeof(s->last));
	if (b->percent > 0 && learn_is_unknown(&r->rcpt[k].reply) &&
	    is_known_good(s, address)) {
		(void)snprintf(who, sizeof(who), "%s was known good",
		    plain(plain_address, sizeof(plain_address), address));
		if (b->trial)
			trip(s, BREAKER_KNOWN, who, text);
		/* One that was closed, or a server that forgot its users. */
		if (b->trial || now - m->entry.msgid.time < KNOWN_WAITS)
			return false;
	}
	/* Not before: who is known bad would not be known good any more. */
	learn_rcpt(s->learn, address, &r->rcpt[k].reply);
	if (b->percent == 0)
		return true;
	if (*d == NULL)
		*d = doubts_add(&s->doubts, m->entry.id, r->nrcpt - k);
	if (*d != NULL) {
		(*d)->rcpt[(*d)->nrcpt++] = r->rcpt[k].index;
		(*d)->place = place;
	}
	return false;
}

/*** A transaction ***/

struct tally {
	size_t delivered, failed, deferred;
	size_t relayed;		/* of those delivered */
	bool again;		/* some were too many for this transaction */
	char text[SETTLE_TEXT_MAX];	/* for the last one: deferred ones
					   first, refused ones last */
};

/*
 * The verdicts.  A refusal whose words cannot be kept is none: the
 * report to the sender would lack its reason.
 */
static void
weigh(struct settle *s, struct message *m, const struct settle_said *said,
    struct tally *t)
{
	const struct smtp_client_result_set *r = said->replies;
	enum verdict *v = said->verdict;
	bool crowded = false, relayed, refused;
	char text[SETTLE_TEXT_MAX];
	struct doubt *doubt = NULL;
	size_t i, k;

	memset(t, 0, sizeof(*t));
	for (k = 0; k < r->nrcpt; k++) {
		i = r->rcpt[k].index;
		v[k] = judge(r, k, crowded, text);
		if (is_ok(&r->rcpt[k].reply)) {
			learn_rcpt(s->learn, m->envelope.rcpt[i].address,
			    &r->rcpt[k].reply);
			crowded = true;
		}
		relayed = v[k] == VERDICT_DELIVERED && is_relayed(said, m, i);
		t->relayed += relayed;
		if ((v[k] != VERDICT_DELIVERED || relayed) &&
		    message_reply_add(s->spool, m, i, text) == -1) {
			log_warn("%s: cannot keep a reply", m->entry.id);
			if (!relayed)
				v[k] = VERDICT_DEFERRED;
		}
		refused = v[k] == VERDICT_FAILED;
		if (refused)
			log_info("refused id=%s domain=%s host=\"%s\" "
			    "rcpt=%zu reply=\"%s\"", m->entry.id, s->domain,
			    said->peer, i + 1, plain_unquote(text));
		if (v[k] == VERDICT_DELIVERED)
			breaker_good(s->breaker);
		if (refused && !is_believed(s, m, r, k, text, &doubt)) {
			v[k] = VERDICT_DEFERRED;
			said->refused[i] = true;
		} else if (v[k] == VERDICT_DEFERRED) {
			t->deferred++;
			t->again = t->again || (crowded &&
			    (r->rcpt[k].reply.code == 452 ||
			    r->rcpt[k].reply.code == 552));
		} else if (v[k] == VERDICT_FAILED)
			t->failed++;
		else
			t->delivered++;
		if (refused ? t->deferred + t->delivered == 0 :
		    v[k] == VERDICT_DEFERRED || t->deferred == 0)
			memcpy(t->text, text, sizeof(t->text));
	}
	if (r->nrcpt > 0)
		weigh_mail(s, &r->mail, t->text);
	/* Without a delivery another transaction would fare no better. */
	t->again = t->again && t->delivered > 0;
}

/*** What was in doubt ***/

/* The refusals are true: marks, and a report. */
static void
believe(struct settle *s, const struct doubt *d)
{
	struct scan_found found;
	struct message m;
	const char *why;
	size_t n = 0;

	/*
	 * Taken out of the queue meanwhile, or in another's hand.  It was
	 * tried: it is where it can be found without reading all of a folder.
	 */
	if ((!scan_find_quickly(s->spool, s->domain, d->id, &found) &&
	    scan_find_in(s->spool, s->domain, d->id, &found) != 1) ||
	    message_open(s->spool, s->domain, &found.entry, true, &m, &why) !=
	    MESSAGE_OPENED)
		return;
	for (size_t i = 0; i < d->nrcpt; i++)
		if (d->rcpt[i] < m.envelope.nrcpt &&
		    m.envelope.rcpt[d->rcpt[i]].status == RCPT_PENDING &&
		    message_mark(&m, d->rcpt[i], RCPT_FAILED) == 0)
			n++;
	if (n > 0 && message_sync(&m) == 0) {
		m.remembered = true;
		if (s->count.deferred > 0)
			s->count.deferred--;
		settle_finish(s, &m);
	} else if (n > 0)
		log_warn("%s: cannot mark recipients", d->id);
	message_close(&m);
}

static void
keep(struct settle *s, const struct doubt *d, const char *why)
{
	log_info("kept id=%s domain=%s rcpts=%zu reason=\"%s\"", d->id,
	    s->domain, d->nrcpt, why);
}

/* Those that enough has followed since. */
static void
settle_doubts(struct settle *s)
{
	struct doubt *d;

	while ((d = doubts_first(&s->doubts)) != NULL &&
	    breaker_ask(s->breaker, d->place) == BREAKER_BELIEVE) {
		believe(s, d);
		doubts_drop(&s->doubts);
	}
}

/* In words, and of all connections together. */
static void
print_share(struct settle *s)
{
	unsigned good = atomic_load(&s->breaker->good);
	unsigned bad = atomic_load(&s->breaker->bad);

	(void)snprintf(s->cause, sizeof(s->cause), "%u of %u recipients were "
	    "refused%s%.500s", bad, good + bad, s->last[0] != '\0' ?
	    ", the last with: " : "", s->last);
}

void
settle_end(struct settle *s)
{
	enum breaker_belief belief = breaker_end(s->breaker);
	struct doubt *d;

	if (belief == BREAKER_DOUBT && s->cause[0] == '\0')
		print_share(s);
	for (; (d = doubts_first(&s->doubts)) != NULL;
	    doubts_drop(&s->doubts))
		switch (belief) {
		case BREAKER_BELIEVE:
			believe(s, d);
			break;
		case BREAKER_WAIT:
			keep(s, d, "the server is just back, and has not "
			    "accepted enough to be believed");
			break;
		case BREAKER_DOUBT:
			keep(s, d, "the domain is stopped");
			break;
		}
}

void
settle_init(struct settle *s)
{
	doubts_init(&s->doubts);
}

void
settle_clear(struct settle *s)
{
	doubts_clear(&s->doubts);
}

/*** A transaction, as a whole ***/

static void
tell(const struct settle *s, const struct message *m,
    const struct settle_said *said, const struct tally *t)
{
	if (said->replies->unsure)
		log_warnx("possible duplicate id=%s domain=%s host=\"%s\" "
		    "reason=\"%s\"", m->entry.id, s->domain, said->peer,
		    t->text);
	if (t->delivered > 0)
		log_info("delivered id=%s domain=%s host=\"%s\" tls=\"%s\" "
		    "rcpts=%zu bytes=%lld reply=\"%s\"", m->entry.id,
		    s->domain, said->peer, said->tls, t->delivered,
		    (long long)m->size, t->text);
	if (t->deferred > 0)
		log_info("deferred id=%s domain=%s host=\"%s\" rcpts=%zu "
		    "reason=\"%s\"", m->entry.id, s->domain, said->peer,
		    t->deferred, t->text);
}

static bool
is_any(const bool *set, size_t n)
{
	size_t i;

	for (i = 0; i < n && !set[i]; i++)
		continue;
	return i < n;
}

enum settled
settle_said(struct settle *s, struct message *m,
    const struct settle_said *said)
{
	const struct smtp_client_result_set *r = said->replies;
	struct tally t;
	size_t k;

	weigh(s, m, said, &t);
	plain_unquote(t.text);
	tell(s, m, said, &t);
	/* All that were left: the name goes, so the marks need not change. */
	if (t.delivered == r->nrcpt && t.relayed == 0 &&
	    envelope_count(&m->envelope, RCPT_PENDING) == r->nrcpt &&
	    envelope_count(&m->envelope, RCPT_RELAYED) == 0 &&
	    envelope_count(&m->envelope, RCPT_FAILED) == 0) {
		for (k = 0; k < r->nrcpt; k++)
			m->envelope.rcpt[r->rcpt[k].index].status =
			    RCPT_DELIVERED;
	} else if (mark(m, said) == -1) {
		log_warn("%s: cannot mark recipients; possible duplicate",
		    m->entry.id);
		settle_wait(s, m);
		return SETTLE_BROKEN;
	}
	if ((t.again || said->more) && !said->last &&
	    breaker_tripped(s->breaker) == BREAKER_WHOLE)
		return SETTLE_AGAIN;
	/* One report for all of them, when the last is known. */
	if (is_any(said->refused, m->envelope.nrcpt))
		settle_wait(s, m);
	else
		settle_finish(s, m);
	settle_doubts(s);
	return SETTLED;
}

/* Our own words for why M's pending recipients did not get it. */
bool
settle_words(struct settle *s, struct message *m, const char *text)
{
	bool kept = true;
	size_t i;

	for (i = 0; i < m->envelope.nrcpt; i++)
		if (m->envelope.rcpt[i].status == RCPT_PENDING &&
		    message_reply_add(s->spool, m, i, text) == -1)
			kept = false;
	if (!kept)
		log_warn("%s: cannot keep a reply", m->entry.id);
	return kept;
}


enum settled
settle_failed(struct settle *s, struct message *m)
{
	size_t i;

	for (i = 0; i < m->envelope.nrcpt; i++)
		if (m->envelope.rcpt[i].status == RCPT_PENDING &&
		    message_mark(m, i, RCPT_FAILED) == -1)
			break;
	if (i < m->envelope.nrcpt || message_sync(m) == -1) {
		log_warn("%s: cannot mark recipients", m->entry.id);
		settle_wait(s, m);
		return SETTLE_BROKEN;
	}
	settle_finish(s, m);
	return SETTLED;
}

void
settle_sync(struct settle *s)
{
	if (s->removed > 0 && spool_sync_domain(s->spool, s->domain) == -1)
		log_warn("%s: cannot sync; a message may be delivered twice "
		    "after a crash", s->domain);
	s->removed = 0;
}
