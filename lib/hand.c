/* SPDX-License-Identifier: ISC */
#include "hand.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "dsn.h"
#include "ledger.h"
#include "plain.h"
#include "report.h"

/*** Out of the queue ***/

/* Makes removals durable. */
static int
sync_domain(struct desk *d, const char *domain)
{
	return spool_sync_domain(d->spool, domain) == 0 ? 0 :
	    complain_errno(&d->complain, 1, "%s", domain);
}

/* Once for all, wherever they were. */
static int
visit_and_sync(struct desk *d, char **arg, desk_visitor *fn)
{
	char *all[] = { NULL };

	if (desk_visit(d, arg, false, fn) == -1)
		return -1;
	return d->dry ? 0 : desk_visit_domains(d, all, sync_domain);
}

static int
remove_one(struct desk *d, const char *domain, const struct scan_entry *e)
{
	struct message m;

	if (!desk_open(d, domain, e, true, true, &m))
		return 0;
	if (!d->dry && message_remove(d->spool, &m) == -1)
		complain_errno(&d->complain, 1, "%s", e->id);
	else
		desk_done(d, "removed", e->id);
	message_close(&m);
	return 0;
}

int
hand_remove(struct desk *d, char **arg)
{
	return visit_and_sync(d, arg, remove_one);
}

/* Who is pending has failed, in our words and on disk. */
static int
fail_message(struct desk *d, struct message *m)
{
	char text[1024], why[512] = "";
	size_t i;

	if (d->why != NULL)
		plain(why, sizeof(why), d->why);
	if (snprintf(text, sizeof(text), REPORT_OURS "5.0.0 returned by the "
	    "postmaster of %s%s%s", d->conf.hostname, *why != '\0' ? ": " : "",
	    why) >= (int)sizeof(text))
		text[sizeof(text) - 1] = '\0';
	for (i = 0; i < m->envelope.nrcpt; i++)
		if (m->envelope.rcpt[i].status == RCPT_PENDING &&
		    (message_reply_add(d->spool, m, i, text) == -1 ||
		    message_mark(m, i, RCPT_FAILED) == -1))
			return -1;
	return message_sync(m);
}

/* Reported by the rules of all reports, whatever "bounce" says. */
static int
return_message(struct desk *d, const struct settings *s, struct message *m)
{
	enum dsn_result told;

	if (fail_message(d, m) == -1)
		return -1;
	told = dsn_send(&d->conf, d->spool, m, DSN_REFUSED);
	if (told == DSN_LATER)
		return -1;
	if (told == DSN_WITHHELD && !d->quiet)
		complain(&d->complain, 0, "%s: its sender is not told; a copy "
		    "is in .Expired", m->entry.id);
	return s->keep > 0 || told == DSN_WITHHELD ||
	    dsn_is_silenced(&m->envelope) ?
	    message_move(d->spool, m, SPOOL_EXPIRED) :
	    message_remove(d->spool, m);
}

static int
return_one(struct desk *d, const char *domain, const struct scan_entry *e)
{
	char error[CONF_ERROR_MAX];
	struct settings s;
	struct message m;
	int result = 0;

	if (!desk_open(d, domain, e, true, true, &m))
		return 0;
	if (d->dry)
		desk_done(d, "returned", e->id);
	else if (conf_domain(&d->conf, domain, &s, NULL, error) == CONF_BROKEN)
		result = complain(&d->complain, EX_CONFIG, "%s", error);
	else if (return_message(d, &s, &m) == -1)
		complain_errno(&d->complain, EX_TEMPFAIL, "%s", e->id);
	else
		desk_done(d, "returned", e->id);
	message_close(&m);
	return result;
}

int
hand_return(struct desk *d, char **arg)
{
	return visit_and_sync(d, arg, return_one);
}

/*** On hold, and back ***/

/* What was refused is tried again. */
static int
let_go(struct desk *d, struct message *m)
{
	const char *domain = m->domain, *id = m->entry.id;

	for (size_t i = 0; i < m->envelope.nrcpt; i++)
		if (m->envelope.rcpt[i].status == RCPT_FAILED &&
		    message_mark(m, i, RCPT_PENDING) == -1)
			return -1;
	if (message_sync(m) == -1 ||
	    message_move(d->spool, m, SPOOL_CUR) == -1 ||
	    spool_sync_domain(d->spool, domain) == -1 ||
	    ledger_release(d->spool, domain, id) == -1)
		return -1;
	return 0;
}

/* Back from .Held. */
static int
release_message(struct desk *d, const char *domain,
    const struct scan_entry *e, const char *word)
{
	struct message m;
	int result = 0;

	if (!desk_open(d, domain, e, true, true, &m))
		return 0;
	if (!d->dry && let_go(d, &m) == -1)
		result = complain_errno(&d->complain, 1, "%s", e->id);
	else
		desk_done(d, word, e->id);
	message_close(&m);
	return result;
}

/* For a domain that the breaker has stopped: 1 if it is one, 0, or -1. */
static int
give_order(struct desk *d, const char *domain, enum domain_order order)
{
	const struct outlook *o = desk_know(d, domain);

	if (o == NULL)
		return -1;
	if (o->domain.state != DOMAIN_STOPPED)
		return 0;
	if (!d->dry && ledger_order(d->spool, domain, order) == -1)
		return complain_errno(&d->complain, 1, "%s", domain);
	return 1;
}

/* One after the other may be of the same domain. */
static void
wake(struct desk *d, const char *domain)
{
	if (d->dry || strcmp(d->woken, domain) == 0)
		return;
	(void)strlcpy(d->woken, domain, sizeof(d->woken));
	(void)spool_trigger(d->spool, domain, SPOOL_ASKED);
}

/* The slip of a hand: what is said of a message moves no domain. */
static void
warn_waits(struct desk *d, const char *domain)
{
	struct domain dom;

	if (!d->dry && strcmp(d->woken, domain) != 0 &&
	    ledger_load(d->spool, domain, &dom) == 0 &&
	    domain_waits_for_us(&dom) && dom.order == DOMAIN_WAIT)
		complain(&d->complain, 0, "%s: is %s, and stays so", domain,
		    domain_state_name(dom.state));
}

static int
retry_one(struct desk *d, const char *domain, const struct scan_entry *e)
{
	if (e != NULL && e->folder == SPOOL_HELD) {
		if (release_message(d, domain, e, "retried") == -1)
			return -1;
	} else {
		if (e == NULL && give_order(d, domain, DOMAIN_RETRY) == -1)
			return -1;
		desk_done(d, "retried", e != NULL ? e->id : domain);
	}
	warn_waits(d, domain);
	wake(d, domain);
	return 0;
}

int
hand_retry(struct desk *d, char **arg)
{
	return desk_visit(d, arg, true, retry_one);
}

static int
hold_domain(struct desk *d, const char *domain, const char *why)
{
	if (!d->dry &&
	    ledger_hold(d->spool, domain, NULL, d->until, why) == -1)
		return complain_errno(&d->complain, 1, "%s", domain);
	desk_done(d, "held", domain);
	return 0;
}

static int
hold_message(struct desk *d, const char *domain, const struct scan_entry *e,
    const char *why)
{
	struct message m;
	int result = 0;

	if (!desk_open(d, domain, e, true, true, &m))
		return 0;
	if (!d->dry &&
	    (ledger_hold(d->spool, domain, e->id, 0, why) == -1 ||
	    message_move(d->spool, &m, SPOOL_HELD) == -1 ||
	    spool_sync_domain(d->spool, domain) == -1))
		result = complain_errno(&d->complain, 1, "%s", e->id);
	else
		desk_done(d, "held", e->id);
	message_close(&m);
	return result;
}

static int
hold_one(struct desk *d, const char *domain, const struct scan_entry *e)
{
	const char *why = d->why != NULL ? d->why : "";

	if (e == NULL)
		return hold_domain(d, domain, why);
	if (d->until != 0)
		return complain(&d->complain, EX_USAGE, "-u is for domains");
	return e->folder == SPOOL_HELD ? 0 : hold_message(d, domain, e, why);
}

int
hand_hold(struct desk *d, char **arg)
{
	return desk_visit(d, arg, true, hold_one);
}

static int
release_domain(struct desk *d, const char *domain)
{
	int ordered = give_order(d, domain, DOMAIN_RELEASE);

	if (ordered == -1)
		return -1;
	if (ordered == 0) {
		if (d->outlook.domain.state != DOMAIN_HELD) {
			complain(&d->complain, 1, "%s: is neither on hold nor "
			    "stopped", domain);
			return 0;
		}
		if (!d->dry && ledger_release(d->spool, domain, NULL) == -1)
			return complain_errno(&d->complain, 1, "%s", domain);
	}
	desk_done(d, "released", domain);
	wake(d, domain);
	return 0;
}

static int
release_one(struct desk *d, const char *domain, const struct scan_entry *e)
{
	if (e == NULL)
		return release_domain(d, domain);
	if (e->folder == SPOOL_HELD &&
	    release_message(d, domain, e, "released") == -1)
		return -1;
	wake(d, domain);
	return 0;
}

int
hand_release(struct desk *d, char **arg)
{
	return desk_visit(d, arg, true, release_one);
}
