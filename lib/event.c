/* SPDX-License-Identifier: ISC */
#include "event.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "header.h"
#include "hook.h"
#include "ledger.h"
#include "log.h"
#include "msgid.h"
#include "notice.h"
#include "plain.h"
#include "scan.h"

/* What comes back within it, having gone, is no news. */
#define NO_NEWS		86400		/* seconds */
/* So long after it a domain that is up need not be empty to be told of. */
#define SETTLED		3600		/* seconds */
#define LAST_STATE	EVENT_STOPPED	/* of those that exclude each other */

static const char *const names[EVENT_NKINDS] = {
	[EVENT_UP] = "up",
	[EVENT_DOWN] = "down",
	[EVENT_UNROUTABLE] = "unroutable",
	[EVENT_STOPPED] = "stopped",
	[EVENT_LOOP] = "loop",
	[EVENT_DOWNGRADE] = "tls-downgrade",
	[EVENT_REMEMBERED] = "route-memory",
};

const char *
event_name(enum event_kind kind)
{
	return names[kind];
}

void
event_note(struct event *e, enum event_kind kind, const char *host,
    const char *reason)
{
	if (e == NULL || (kind > LAST_STATE && e->noted[kind] != 0))
		return;
	if (kind <= LAST_STATE)
		for (size_t i = 0; i <= LAST_STATE; i++)
			e->noted[i] = 0;
	e->noted[kind] = time(NULL);
	/* Cut if need be: it is for reading. */
	plain(e->host[kind], EVENT_TEXT_MAX, host);
	plain(e->reason[kind], EVENT_TEXT_MAX, reason);
}

/*** What was told: SPOOL/state/DOMAIN/told, mx-spool(5) ***/

struct told {
	time_t since;		/* of what is so; 0: it is not */
	time_t hook, mail;	/* when it was told; 0: not yet */
};

struct task {
	struct event *event;
	time_t now;
	struct told told[EVENT_NKINDS];
	size_t delivered, failed;	/* since EVENT_UP began */
	char *text;		/* as it was read */
	bool counted;
	size_t waiting;
	time_t oldest;
};

/* What is to come, by a clock that was set back since, has just been. */
static time_t
past(const struct task *t, long long when)
{
	return when < 0 ? 0 : when > t->now ? t->now : (time_t)when;
}

/* "KIND SINCE HOOK MAIL DATE", "delivered NUMBER", "refused NUMBER" */
static void
parse_told(struct task *t, const char *line)
{
	size_t n = strcspn(line, " ");
	long long value[3];

	if (sscanf(line, "delivered %lld", &value[0]) == 1 && value[0] > 0)
		t->delivered = (size_t)value[0];
	if (sscanf(line, "refused %lld", &value[0]) == 1 && value[0] > 0)
		t->failed = (size_t)value[0];
	for (size_t i = 0; i < EVENT_NKINDS; i++)
		if (strlen(names[i]) == n && memcmp(line, names[i], n) == 0 &&
		    sscanf(line + n, " %lld %lld %lld", &value[0], &value[1],
		    &value[2]) == 3 && value[0] > 0) {
			t->told[i].since = past(t, value[0]);
			t->told[i].hook = past(t, value[1]);
			t->told[i].mail = past(t, value[2]);
		}
}

static int
load(struct task *t)
{
	t->text = spool_text_read(t->event->spool, t->event->domain, "told");
	if (t->text == NULL)
		return -1;
	for (const char *p = t->text; *p != '\0'; p += *p == '\n') {
		parse_told(t, p);
		p += strcspn(p, "\n");
	}
	return 0;
}

/* Writes nothing where nothing is new: nearly always. */
static void
save(struct task *t)
{
	const struct event *e = t->event;
	char date[HEADER_DATE_MAX], *text = NULL;
	size_t size;
	FILE *f;

	if ((f = open_memstream(&text, &size)) == NULL)
		goto fail;
	for (size_t i = 0; i < EVENT_NKINDS; i++) {
		if (t->told[i].since == 0)
			continue;
		header_rfc3339(date, t->told[i].since);
		fprintf(f, "%s %lld %lld %lld %s\n", names[i],
		    (long long)t->told[i].since, (long long)t->told[i].hook,
		    (long long)t->told[i].mail, date);
	}
	if (t->told[EVENT_UP].since != 0)
		fprintf(f, "delivered %zu\nrefused %zu\n", t->delivered,
		    t->failed);
	if (fclose(f) != 0 || (strcmp(text, t->text) != 0 &&
	    spool_text_write(e->spool, e->domain, "told", text, true) == -1))
		goto fail;
	free(t->text);
	t->text = text;
	return;
fail:
	log_warn("%s: cannot remember what was told", e->domain);
	free(text);
}

/* What makes an outage: the states but for the first. */
static bool
is_outage(size_t kind)
{
	return kind > EVENT_UP && kind <= LAST_STATE;
}

/* When it began; 0: there is none. */
static time_t
outage_since(const struct task *t)
{
	time_t since = 0;

	for (size_t i = 0; i < EVENT_NKINDS; i++)
		if (is_outage(i) && t->told[i].since != 0 &&
		    (since == 0 || t->told[i].since < since))
			since = t->told[i].since;
	return since;
}

/* Begins what is new, and ends what is over and has been told. */
static void
compare(struct task *t)
{
	const struct event *e = t->event;
	bool up = e->noted[EVENT_UP] != 0;

	for (size_t i = 0; i < EVENT_NKINDS; i++) {
		struct told *told = &t->told[i];

		/* The end of what never was is none. */
		if (e->noted[i] != 0 && told->since == 0 &&
		    (i != EVENT_UP || outage_since(t) != 0))
			told->since = e->noted[i];
		if (e->noted[i] != 0)
			continue;
		if (i == EVENT_UP && (outage_since(t) == 0 ||
		    e->noted[EVENT_DOWN] != 0 || e->noted[EVENT_STOPPED] != 0 ||
		    e->noted[EVENT_UNROUTABLE] != 0))
			memset(told, 0, sizeof(*told));
		else if (i > LAST_STATE && up &&
		    told->hook + NO_NEWS <= t->now &&
		    told->mail + NO_NEWS <= t->now)
			memset(told, 0, sizeof(*told));
	}
}

/*** Who is told ***/

enum event_ear
event_ear(const struct conf *conf, const struct settings *s,
    struct spool *sp, const char *domain)
{
	char file[ADDR_DOMAIN_MAX + 2], ours[ADDR_DOMAIN_MAX + 2];
	char error[CONF_ERROR_MAX];
	struct settings *other;
	struct domain d;
	enum conf_match match;
	struct addr a;

	if (*s->notify == '\0')
		return EVENT_NOBODY;
	if (!addr_parse_mailbox(&a, s->notify) ||
	    strcmp(a.domain, domain) == 0)
		return EVENT_INSIDE;
	if ((other = malloc(sizeof(*other))) == NULL)
		return EVENT_DEAF;
	match = conf_domain(conf, a.domain, other, file, error);
	if (match == CONF_YES && conf_domain(conf, domain, other, ours,
	    error) == CONF_YES && strcmp(file, ours) == 0) {
		free(other);
		return EVENT_INSIDE;
	}
	free(other);
	if (match == CONF_NO)
		return EVENT_HEARS;
	if (ledger_load(sp, a.domain, &d) == -1)
		return EVENT_DEAF;
	return d.state == DOMAIN_UP || d.state == DOMAIN_UNKNOWN ?
	    EVENT_HEARS : EVENT_DEAF;
}

/* What waits, by names alone, and only where somebody is to be told. */
static void
count(struct task *t)
{
	struct scan *scan;
	struct scan_entry e;

	if (t->counted)
		return;
	t->counted = true;
	scan = scan_open(t->event->spool, t->event->domain, SCAN_WAITING);
	if (scan == NULL)
		return;
	while (scan_next(scan, &e) == 1) {
		t->waiting++;
		if (t->oldest == 0 || e.msgid.time < t->oldest)
			t->oldest = e.msgid.time;
	}
	scan_close(scan);
}

/* Since when what is told of KIND has lasted. */
static time_t
lasting(const struct task *t, size_t kind)
{
	return kind <= LAST_STATE ? outage_since(t) : t->told[kind].since;
}

/* Seconds; an outage ends when a server answers, not when all is delivered. */
static time_t
lasted(const struct task *t, size_t kind)
{
	return (kind == EVENT_UP ? t->told[kind].since : t->now) -
	    lasting(t, kind);
}

/*
 * Of an outage without mail that waits nobody needs to know, unless it lasts
 * for as long as they have said.
 */
static bool
is_news(struct task *t, size_t kind)
{
	int64_t patience = t->event->settings->notify_after;

	count(t);
	return !is_outage(kind) || t->waiting > 0 ||
	    (patience > 0 && lasted(t, kind) >= patience);
}

/*
 * Some things may pass before anybody has to know, and the end of an outage
 * is told when all has been delivered.
 */
static bool
is_ripe(struct task *t, size_t kind)
{
	switch ((enum event_kind)kind) {
	case EVENT_DOWN:
	case EVENT_UNROUTABLE:
	case EVENT_REMEMBERED:
		return lasted(t, kind) >= t->event->settings->notify_after;
	case EVENT_UP:
		count(t);
		return t->waiting == 0 ||
		    t->now - t->told[EVENT_UP].since >= SETTLED;
	case EVENT_STOPPED:
	case EVENT_LOOP:
	case EVENT_DOWNGRADE:
		break;
	}
	return true;
}

/* The end is news for those who have heard of the outage. */
static bool
has_heard(const struct task *t, bool mail)
{
	for (size_t i = 0; i < EVENT_NKINDS; i++)
		if (is_outage(i) && (mail ? t->told[i].mail :
		    t->told[i].hook) != 0)
			return true;
	return false;
}

static bool
can_hear(const struct task *t)
{
	const struct event *e = t->event;

	switch (event_ear(e->conf, e->settings, e->spool, e->domain)) {
	case EVENT_HEARS:
		return true;
	case EVENT_NOBODY:
		break;
	case EVENT_INSIDE:
		log_warnx("%s: notify %s: the address is of the same domain "
		    "and cannot be reached: nobody is told", e->domain,
		    e->settings->notify);
		break;
	case EVENT_DEAF:
		log_info("%s: notify %s: its domain is not up either: told "
		    "later", e->domain, e->settings->notify);
		break;
	}
	return false;
}

static void
mail(struct task *t, size_t kind)
{
	const struct event *e = t->event;
	struct notice n = {
		.conf = e->conf, .settings = e->settings, .spool = e->spool,
		.domain = e->domain, .kind = (enum event_kind)kind,
		.host = e->host[kind], .reason = e->reason[kind],
		.now = t->now, .since = lasting(t, kind),
		.lasted = lasted(t, kind),
		.waiting = t->waiting, .oldest = t->oldest,
		.delivered = t->delivered, .failed = t->failed,
		.tried_on = e->tried_on
	};
	char id[MSGID_MAX + 1], domain[ADDR_DOMAIN_MAX + 1];
	const char *at;

	if (notice_send(&n, id) == -1) {
		log_warn("%s: cannot tell %s", e->domain,
		    e->settings->notify);
		return;
	}
	log_info("told domain=%s event=%s to=<%s> id=%s", e->domain,
	    names[kind], e->settings->notify, id);
	t->told[kind].mail = t->now;
	/* mx-flush -w need not wait for its next run. */
	at = strrchr(e->settings->notify, '@');
	if (at != NULL && addr_domain(domain, at + 1))
		(void)spool_trigger(e->spool, domain, SPOOL_ASKED);
}

/* When one or the other was told of it. */
static time_t *
heard(struct told *told, bool mail)
{
	return mail ? &told->mail : &told->hook;
}

/*
 * A loop leaves no way: who is told of the one need not hear of the other.
 * True for the latter.
 */
static bool
is_within_loop(struct task *t, size_t kind, bool mail)
{
	time_t loop = *heard(&t->told[EVENT_LOOP], mail);

	return kind == EVENT_UNROUTABLE && t->event->noted[EVENT_LOOP] != 0 &&
	    (loop == 0 || loop >= t->told[EVENT_UNROUTABLE].since);
}

/* The end is for those who have heard of the loop. */
static void
end_loop(struct task *t, bool mail)
{
	struct told *told = &t->told[EVENT_UNROUTABLE];

	if (told->since != 0 && *heard(told, mail) == 0 &&
	    is_within_loop(t, EVENT_UNROUTABLE, mail))
		*heard(told, mail) = *heard(&t->told[EVENT_LOOP], mail);
}

static void
mails(struct task *t)
{
	bool asked = false;

	for (size_t i = 0; i < EVENT_NKINDS; i++) {
		if (t->told[i].since == 0 || t->event->noted[i] == 0 ||
		    t->told[i].mail != 0 || is_within_loop(t, i, true) ||
		    (i == EVENT_UP && !has_heard(t, true)) ||
		    !is_ripe(t, i) || !is_news(t, i))
			continue;
		if (!asked && !can_hear(t))
			return;
		asked = true;
		mail(t, i);
	}
	end_loop(t, true);
}

/*** The hook ***/

#define ENV_MAX	16

struct env {
	char *word[ENV_MAX + 1];
	size_t n;
	bool failed;
};

static void __attribute__((format(printf, 2, 3)))
put(struct env *env, const char *fmt, ...)
{
	va_list ap;

	if (env->n == ENV_MAX) {
		env->failed = true;
		return;
	}
	va_start(ap, fmt);
	if (vasprintf(&env->word[env->n], fmt, ap) == -1) {
		env->word[env->n] = NULL;
		env->failed = true;
	} else
		env->n++;
	va_end(ap);
}

static const char *
date_of(char *buf, time_t when)
{
	if (when == 0)
		return "";
	header_rfc3339(buf, when);
	return buf;
}

static void
fill(struct env *env, const struct task *t, size_t kind)
{
	const struct event *e = t->event;
	char since[HEADER_DATE_MAX], oldest[HEADER_DATE_MAX];
	const char *state = "";

	for (size_t i = 0; i <= LAST_STATE; i++)
		if (e->noted[i] != 0)
			state = names[i];
	put(env, "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:"
	    "/sbin:/bin");
	put(env, "MX_EVENT=%s", names[kind]);
	put(env, "MX_DOMAIN=%s", e->domain);
	put(env, "MX_STATE=%s", state);
	put(env, "MX_SINCE=%s", date_of(since, lasting(t, kind)));
	put(env, "MX_DURATION=%lld", (long long)lasted(t, kind));
	put(env, "MX_HOST=%s", e->host[kind]);
	put(env, "MX_REASON=%s", e->reason[kind]);
	put(env, "MX_WAITING=%zu", t->waiting);
	put(env, "MX_OLDEST=%s", date_of(oldest, t->oldest));
	put(env, "MX_DELIVERED=%zu", t->delivered);
	put(env, "MX_HOSTNAME=%s", e->conf->hostname);
	put(env, "MX_NOTIFY=%s", e->settings->notify);
}

static void
run_hook(struct task *t, size_t kind)
{
	const struct event *e = t->event;
	struct env env = { .n = 0 };
	char why[HOOK_WHY_MAX];

	fill(&env, t, kind);
	if (env.failed)
		log_warn("%s: hook", e->domain);
	else if (hook_run(e->settings->hook, env.word, e->conf->timeout.hook,
	    why) == -1)
		log_warnx("hook failed domain=%s event=%s program=\"%s\" "
		    "reason=\"%s\"", e->domain, names[kind],
		    e->settings->hook, plain_unquote(why));
	else
		log_info("hook domain=%s event=%s", e->domain, names[kind]);
	/* One that fails is not tried again: it may have done its part. */
	if (!env.failed)
		t->told[kind].hook = t->now;
	for (size_t i = 0; i < env.n; i++)
		free(env.word[i]);
}

static void
hooks(struct task *t)
{
	for (size_t i = 0; i < EVENT_NKINDS; i++)
		if (t->told[i].since != 0 && t->event->noted[i] != 0 &&
		    t->told[i].hook == 0 && !is_within_loop(t, i, false) &&
		    (i != EVENT_UP || has_heard(t, false)) &&
		    is_news(t, i)) {
			run_hook(t, i);
			save(t);
		}
	end_loop(t, false);
}

/* The end was told to all who were to hear of it. */
static bool
is_over(const struct task *t)
{
	const struct settings *s = t->event->settings;
	const struct told *up = &t->told[EVENT_UP];

	return up->since != 0 &&
	    (up->mail != 0 || *s->notify == '\0' || !has_heard(t, true)) &&
	    (up->hook != 0 || *s->hook == '\0' || !has_heard(t, false));
}

void
event_tell(struct event *e)
{
	struct task t = { .event = e, .now = time(NULL) };
	const struct settings *s = e->settings;

	if (load(&t) == -1) {
		log_warn("%s: cannot read what was told", e->domain);
		return;
	}
	compare(&t);
	if (t.told[EVENT_UP].since == 0)
		t.delivered = t.failed = 0;
	t.delivered += e->delivered;
	t.failed += e->failed;
	/* First, so that a crash does not make an outage begin anew. */
	save(&t);
	if (*s->notify != '\0')
		mails(&t);
	save(&t);
	if (*s->hook != '\0')
		hooks(&t);
	if (is_over(&t))
		for (size_t i = 0; i <= LAST_STATE; i++)
			memset(&t.told[i], 0, sizeof(t.told[i]));
	save(&t);
	free(t.text);
}
