/* SPDX-License-Identifier: ISC */
#include "delay.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backlog.h"
#include "dsn.h"
#include "ledger.h"
#include "log.h"
#include "message.h"
#include "msgid.h"

#define NAME	"warned"
#define LATER	300		/* seconds, when there were too many */

struct progress {
	const struct conf *conf;
	const struct settings *settings;
	struct spool *spool;
	const char *domain;
	time_t now;
	struct ledger_holds *holds;
	char last[MSGID_MAX + 1];	/* the last that was dealt with */
	time_t next;			/* nothing is due before */
};

/* "last ID", "next SECONDS"; what makes no sense is passed over. */
static int
load(struct progress *p)
{
	char *text, *rest, *line;
	struct msgid id;

	text = rest = spool_text_read(p->spool, p->domain, NAME);
	if (text == NULL)
		return -1;
	while ((line = strsep(&rest, "\n")) != NULL) {
		if (strncmp(line, "last ", 5) == 0 &&
		    msgid_parse(&id, line + 5))
			(void)strlcpy(p->last, line + 5, sizeof(p->last));
		else if (strncmp(line, "next ", 5) == 0)
			p->next = (time_t)strtoll(line + 5, NULL, 10);
	}
	free(text);
	return 0;
}

static void
save(const struct progress *p, bool sync)
{
	char text[MSGID_MAX + 64];

	(void)snprintf(text, sizeof(text), "last %s\nnext %lld\n",
	    *p->last != '\0' ? p->last : "-", (long long)p->next);
	if (spool_text_write(p->spool, p->domain, NAME, text, sync) == -1)
		log_warn("%s: cannot note who was warned", p->domain);
}

/* As the backlog has it: does E come behind the last one? */
static bool
is_behind(const struct progress *p, const struct scan_entry *e)
{
	struct msgid last;

	if (!msgid_parse(&last, p->last) || e->msgid.time > last.time)
		return true;
	if (e->msgid.time < last.time || e->msgid.usec < last.usec)
		return false;
	return e->msgid.usec > last.usec || strcmp(e->id, p->last) > 0;
}

/* False if it has to be tried again. */
static bool
warn_sender(struct progress *p, const struct scan_entry *e)
{
	enum dsn_result told;
	struct message m;
	const char *why;
	time_t expires;

	if (message_open(p->spool, p->domain, e, true, &m, &why) !=
	    MESSAGE_OPENED)
		return true;
	expires = e->msgid.time + p->settings->expire + ledger_held_seconds(
	    p->holds, e->id, e->msgid.time, p->now);
	told = dsn_delay(p->conf, p->spool, &m, expires);
	if (told == DSN_LATER && errno != EAGAIN)
		log_warn("%s: cannot warn its sender", e->id);
	message_close(&m);
	return told != DSN_LATER;
}

/* Is E's sender to be warned now?  The first that is not yet due is noted. */
static bool
is_due(void *arg, const struct scan_entry *e)
{
	struct progress *p = arg;
	time_t due = e->msgid.time + p->settings->warn;

	if (due > p->now && due < p->next)
		p->next = due;
	return due <= p->now && is_behind(p, e);
}

static void
walk(struct progress *p, const struct backlog *b)
{
	struct scan_found f;

	for (size_t i = 0; i < backlog_size(b); i++) {
		if (!backlog_get(b, i, &f))
			continue;
		if (!warn_sender(p, &f.entry)) {
			p->next = p->now + LATER;
			return;
		}
		(void)strlcpy(p->last, f.entry.id, sizeof(p->last));
		/* After a power cut a few may be told again. */
		save(p, false);
	}
}

void
delay_warn(const struct conf *c, const struct settings *s,
    struct spool *sp, const char *domain, time_t now)
{
	struct progress p = { .conf = c, .settings = s, .spool = sp,
		.domain = domain, .now = now };
	struct backlog *b = NULL;

	if (s->warn == 0)
		return;
	if (load(&p) == -1) {
		log_warn("%s: cannot read who was warned", domain);
		return;
	}
	/* A clock that was put back, or a new "warn", must not stop it. */
	if (p.next > now && p.next <= now + s->warn)
		return;
	p.next = now + s->warn;
	if ((p.holds = ledger_holds_load(sp, domain)) == NULL ||
	    (b = backlog_new(sp, domain, SCAN_WAITING, is_due, &p)) == NULL)
		log_warn("%s: cannot see who is to be warned", domain);
	else {
		walk(&p, b);
		save(&p, true);
	}
	backlog_free(b);
	ledger_holds_free(p.holds);
}
