/* SPDX-License-Identifier: ISC */
#include "dsn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "addr.h"
#include "domain.h"
#include "draft.h"
#include "idn.h"
#include "ledger.h"
#include "log.h"
#include "plain.h"
#include "ration.h"
#include "report.h"

/* Seconds without any change that a report waits for other recipients. */
#define REPORT_WAIT	(4 * 3600)
/* Instead of a plan: nobody is to be told. */
#define WITHHELD	"withheld"

struct task {
	const struct conf *conf;
	struct spool *spool;
	struct message *m;
	enum dsn_reason reason;
	char base[MSGID_BASE_MAX + 1];
	char remote[ADDR_DOMAIN_MAX + 1];	/* "" unknown */
	char **replies;
	char *original;
	size_t original_len;
	enum report_action *action;
	time_t now, expires;
};

/* Does the recipient's NOTIFY say WORD, or, without one, is it DEFAULT? */
static bool
is_notify(const struct recipient *r, const char *word, bool by_default)
{
	char notify[64];

	if (!envelope_param(r->params, "NOTIFY", notify, sizeof(notify)))
		return by_default;
	return strcasestr(notify, word) != NULL;
}

bool
dsn_wants_relayed(const struct envelope *e, size_t i)
{
	const struct recipient *r = &e->rcpt[i];

	return *e->sender != '\0' && !r->unverified &&
	    is_notify(r, "SUCCESS", false);
}

bool
dsn_is_silenced(const struct envelope *e)
{
	for (size_t i = 0; i < e->nrcpt; i++)
		if (e->rcpt[i].unverified &&
		    e->rcpt[i].status != RCPT_DELIVERED &&
		    e->rcpt[i].status != RCPT_RELAYED)
			return true;
	return false;
}

/* What a report has to say of recipient I, be it wanted or not. */
static enum report_action
action_of(const struct task *t, size_t i)
{
	switch (t->m->envelope.rcpt[i].status) {
	case RCPT_PENDING:
		return t->reason == DSN_EXPIRED ? REPORT_EXPIRED :
		    t->reason == DSN_DELAYED ? REPORT_DELAYED :
		    REPORT_NOTHING;
	case RCPT_FAILED:
		return t->reason == DSN_RELAYED || t->reason == DSN_DELAYED ?
		    REPORT_NOTHING : REPORT_REFUSED;
	case RCPT_RELAYED:
		return t->reason == DSN_DELAYED ? REPORT_NOTHING :
		    REPORT_RELAYED;
	case RCPT_DELIVERED:
	case RCPT_REPORTED:
		break;
	}
	return REPORT_NOTHING;
}

/* RFC 3461 5.2.2 and 5.2.6; nobody is told for whom nobody vouched. */
static enum report_action
told_of(const struct task *t, size_t i)
{
	const struct recipient *r = &t->m->envelope.rcpt[i];
	enum report_action action = action_of(t, i);
	bool wanted = false;

	switch (action) {
	case REPORT_NOTHING:
		break;
	case REPORT_REFUSED:
	case REPORT_EXPIRED:
		wanted = !r->unverified && is_notify(r, "FAILURE", true);
		break;
	case REPORT_DELAYED:
		wanted = *t->m->envelope.sender != '\0' && !r->unverified &&
		    is_notify(r, "DELAY", true);
		break;
	case REPORT_RELAYED:
		wanted = dsn_wants_relayed(&t->m->envelope, i);
		break;
	}
	return wanted ? action : REPORT_NOTHING;
}

static bool
is_told(const struct task *t, size_t i)
{
	return told_of(t, i) != REPORT_NOTHING;
}

/* The original, or as much of it as a report would have. */
static int
load_original(struct task *t)
{
	ssize_t n;

	if ((t->original = malloc(REPORT_ORIGINAL_MAX)) == NULL)
		return -1;
	n = pread(t->m->fd, t->original, REPORT_ORIGINAL_MAX, t->m->offset);
	if (n == -1)
		return -1;
	t->original_len = (size_t)n;
	return 0;
}

static int
load_actions(struct task *t)
{
	size_t n = t->m->envelope.nrcpt;

	if ((t->action = calloc(n, sizeof(*t->action))) == NULL)
		return -1;
	for (size_t i = 0; i < n; i++)
		t->action[i] = told_of(t, i);
	return 0;
}

/* The text of it, caller frees; NULL when out of memory. */
static char *
compose(const struct task *t, size_t *len, const char **params)
{
	struct report r = {
		.conf = t->conf, .envelope = &t->m->envelope, .id = t->base,
		.now = t->now, .expires = t->expires,
		.remote = t->remote, .action = t->action,
		.replies = t->replies, .original = t->original,
		.original_len = t->original_len,
		.complete = (int64_t)t->original_len == t->m->size
	};

	return report_print(&r, len, params);
}

/* Into FOLDER of the sender's domain. */
static int
commit(const struct task *t, const char *domain, enum spool_folder folder)
{
	struct envelope e, *list = &e;
	struct draft *d = NULL;
	const char *params;
	char *text;
	size_t len;
	int result = -1;

	envelope_init(&e);
	e.arrived = t->now;
	(void)strlcpy(e.domain, domain, sizeof(e.domain));
	(void)strlcpy(e.protocol, "report", sizeof(e.protocol));
	if ((text = compose(t, &len, &params)) == NULL ||
	    envelope_set_sender(&e, "", params) == -1 ||
	    envelope_add(&e, t->m->envelope.sender, "") == -1) {
		errno = ENOMEM;
		goto out;
	}
	if ((d = draft_begin(t->spool, &list, 1, t->base, "")) == NULL)
		goto out;
	draft_set_folder(d, folder);
	if (draft_write(d, text, len) == -1 || draft_commit(d) == -1)
		goto out;
	log_info("reported id=%s as=%s to=<%s>", t->m->entry.id,
	    draft_id(d, 0), plain((char[ADDR_MAX * 2]){ 0 },
	    ADDR_MAX * 2, t->m->envelope.sender));
	result = 0;
out:
	if (d != NULL)
		draft_abort(d);
	envelope_clear(&e);
	free(text);
	return result;
}

/* The host that refused, as the domain's state remembers it. */
static void
find_remote(struct task *t)
{
	struct domain d;
	char *space;

	if (ledger_load(t->spool, t->m->domain, &d) == -1)
		return;
	if ((space = strchr(d.route, ' ')) != NULL)
		*space = '\0';
	if (!addr_domain(t->remote, d.route))
		t->remote[0] = '\0';
}

/*
 * The plan is "BASE INDEX": it holds as long as recipient INDEX has not been
 * told, and is done with afterwards.  A crash may leave either.
 */
enum plan { PLAN_NONE, PLAN_OPEN, PLAN_DONE, PLAN_WITHHELD };

static enum plan
read_plan(struct task *t)
{
	char plan[MSGID_MAX + 1], *index;
	unsigned long i;

	if (message_planned(t->spool, t->m, plan) == -1)
		return PLAN_NONE;
	if (strcmp(plan, WITHHELD) == 0) {
		t->m->remembered = true;
		return PLAN_WITHHELD;
	}
	if ((index = strchr(plan, ' ')) == NULL)
		return PLAN_NONE;
	*index++ = '\0';
	if (strlcpy(t->base, plan, sizeof(t->base)) >= sizeof(t->base))
		return PLAN_NONE;
	t->m->remembered = true;	/* to be forgotten with the message */
	i = strtoul(index, NULL, 10);
	return i < t->m->envelope.nrcpt && is_told(t, i) ? PLAN_OPEN :
	    PLAN_DONE;
}

/* Sends a committed report on its way; what is on its way stays there. */
static int
publish(struct task *t, const char *domain)
{
	struct scan_found found;
	struct message m;
	const char *why;
	int got, result;

	got = scan_find_in(t->spool, domain, t->base, &found);
	if (got != 1 || found.entry.folder != SPOOL_HELD)
		return got == -1 ? -1 : 0;
	if (message_open(t->spool, domain, &found.entry, true, &m, &why) !=
	    MESSAGE_OPENED)
		return -1;
	result = message_move(t->spool, &m, SPOOL_NEW);
	message_close(&m);
	if (result == -1 || spool_sync_domain(t->spool, domain) == -1)
		return -1;
	(void)spool_trigger(t->spool, domain, SPOOL_NEW_MAIL);
	return 0;
}

static int
make_plan(struct task *t)
{
	char plan[MSGID_MAX + 1];
	size_t i = t->m->envelope.nrcpt - 1;

	/* The last to be marked: until then not all of them are. */
	while (i > 0 && !is_told(t, i))
		i--;
	msgid_new(t->base, t->conf->hostname);
	if (snprintf(plan, sizeof(plan), "%s %zu", t->base, i) >=
	    (int)sizeof(plan)) {
		errno = EMSGSIZE;
		return -1;
	}
	return message_plan(t->spool, t->m, plan);
}

static int
write_report(struct task *t, const char *domain, enum spool_folder folder)
{
	int result = -1;

	find_remote(t);
	if ((t->replies = message_replies(t->spool, t->m)) != NULL &&
	    load_original(t) == 0 && load_actions(t) == 0)
		result = commit(t, domain, folder);
	free(t->replies);
	free(t->original);
	free(t->action);
	return result;
}

/*
 * Commits the report unless an earlier run did; 0 or -1.  It comes to where
 * nobody sends it: what is still there after a crash has never been on its
 * way.
 */
static int
report(struct task *t, const char *domain, enum plan plan)
{
	struct scan_found found;
	int result;

	if (plan == PLAN_OPEN) {
		/* It cannot have left before its recipients were marked. */
		result = scan_find_in(t->spool, domain, t->base, &found);
		if (result != 0)
			return result == 1 ? 0 : -1;
	} else if (make_plan(t) == -1)
		return -1;
	return write_report(t, domain, SPOOL_HELD);
}

/* Has the sender a domain that mail can be sent to?  1, 0, or -1 with errno. */
static int
sender_domain(const struct task *t, char *domain)
{
	char ascii[ADDR_DOMAIN_MAX + 1];
	const char *why;
	struct addr a;

	if (!addr_parse_mailbox(&a, t->m->envelope.sender) || a.literal)
		return 0;
	if (!idn_to_ascii(ascii, a.domain, &why))
		return errno == ENOMEM ? -1 : 0;
	return addr_domain(domain, ascii);
}

/* Marks all that the report is about, be their sender told or not. */
static int
mark(struct task *t)
{
	struct message *m = t->m;
	size_t unverified = 0;
	bool marked = false;

	for (size_t i = 0; i < m->envelope.nrcpt; i++) {
		struct recipient *r = &m->envelope.rcpt[i];
		enum report_action action = action_of(t, i);

		if (action == REPORT_NOTHING)
			continue;
		if (message_mark(m, i, action == REPORT_RELAYED ?
		    RCPT_DELIVERED : RCPT_REPORTED) == -1)
			return -1;
		marked = true;
		unverified += r->unverified && action != REPORT_RELAYED;
	}
	if (marked && message_sync(m) == -1)
		return -1;
	if (unverified > 0)
		log_info("unreported id=%s domain=%s rcpts=%zu "
		    "reason=\"nobody vouched for them\"", m->entry.id,
		    m->domain, unverified);
	return 0;
}

static bool
is_any_told(const struct task *t)
{
	for (size_t i = 0; i < t->m->envelope.nrcpt; i++)
		if (is_told(t, i))
			return true;
	return false;
}

/* Is there a recipient that did not get it, of whom nobody was told yet? */
static bool
is_any_lost(const struct task *t)
{
	enum report_action action;

	for (size_t i = 0; i < t->m->envelope.nrcpt; i++) {
		action = action_of(t, i);
		if (action == REPORT_REFUSED || action == REPORT_EXPIRED)
			return true;
	}
	return false;
}

/* Is there more to come that the same report can tell? */
static bool
is_early(const struct task *t)
{
	return t->reason == DSN_REFUSED &&
	    envelope_count(&t->m->envelope, RCPT_PENDING) > 0 &&
	    t->now - message_changed(t->m) < REPORT_WAIT;
}

/* The domain of the message sets the limit; what cannot be read, the rest. */
static int64_t
limit(const struct task *t)
{
	char error[CONF_ERROR_MAX];
	struct settings s;

	if (conf_domain(t->conf, t->m->domain, &s, NULL, error) ==
	    CONF_BROKEN)
		return t->conf->defaults.report_limit;
	return s.report_limit;
}

/*
 * Nobody is told, which is remembered: a crash must not lose the copy.  A
 * report that cannot be delivered is no loss.
 */
static enum dsn_result
withhold(struct task *t, enum plan plan, const char *why)
{
	if (strcmp(t->m->envelope.protocol, "report") == 0)
		return mark(t) == -1 ? DSN_LATER : DSN_NONE;
	if (plan == PLAN_NONE) {
		if (message_plan(t->spool, t->m, WITHHELD) == -1)
			return DSN_LATER;
		log_info("withheld id=%s domain=%s reason=\"%s\"",
		    t->m->entry.id, t->m->domain, why);
		if (ration_withhold(t->spool, t->m->domain) == -1)
			log_warn("%s: cannot count it", t->m->entry.id);
	}
	return mark(t) == -1 ? DSN_LATER : DSN_WITHHELD;
}

static enum dsn_result
tell(struct task *t, const char *domain, enum plan plan)
{
	int left = 1;

	/* What was planned has had its share. */
	if (plan != PLAN_OPEN)
		left = ration_take(t->spool, t->m->domain, limit(t), t->now);
	if (left == 0 && plan == PLAN_NONE && is_any_lost(t))
		return withhold(t, plan, "too many reports in an hour");
	if (left == -1 || (left > 0 && report(t, domain, plan) == -1) ||
	    mark(t) == -1)
		return DSN_LATER;
	return left > 0 && publish(t, domain) == -1 ? DSN_LATER : DSN_SENT;
}

enum dsn_result
dsn_send(const struct conf *c, struct spool *sp, struct message *m,
    enum dsn_reason reason)
{
	struct task t = { .conf = c, .spool = sp, .m = m, .reason = reason,
		.now = time(NULL) };
	char domain[ADDR_DOMAIN_MAX + 1];
	enum plan plan;
	int known;

	if ((known = sender_domain(&t, domain)) == -1)
		return DSN_LATER;
	plan = read_plan(&t);
	if (plan == PLAN_DONE && publish(&t, domain) == -1)
		return DSN_LATER;
	if (plan == PLAN_WITHHELD)
		return withhold(&t, plan, "");
	if (known && is_any_told(&t))
		return plan == PLAN_NONE && is_early(&t) ? DSN_NONE :
		    tell(&t, domain, plan);
	if (plan == PLAN_NONE && is_any_lost(&t))
		return withhold(&t, plan, *m->envelope.sender == '\0' ?
		    "from the null sender" : "nobody is to be told");
	if (mark(&t) == -1)
		return DSN_LATER;
	return plan == PLAN_DONE ? DSN_SENT : DSN_NONE;
}

enum dsn_result
dsn_delay(const struct conf *c, struct spool *sp, struct message *m,
    time_t expires)
{
	struct task t = { .conf = c, .spool = sp, .m = m,
		.reason = DSN_DELAYED, .now = time(NULL), .expires = expires };
	char domain[ADDR_DOMAIN_MAX + 1];
	int known, left;

	if ((known = sender_domain(&t, domain)) == -1)
		return DSN_LATER;
	if (!known || !is_any_told(&t))
		return DSN_NONE;
	/* An odd one is for warnings: of 1 there would be none. */
	left = ration_take(sp, m->domain, (limit(&t) + 1) / 2, t.now);
	if (left != 1) {
		errno = left == 0 ? EAGAIN : errno;
		return DSN_LATER;
	}
	msgid_new(t.base, c->hostname);
	if (write_report(&t, domain, SPOOL_NEW) == -1)
		return DSN_LATER;
	(void)spool_trigger(sp, domain, SPOOL_NEW_MAIL);
	return DSN_SENT;
}
