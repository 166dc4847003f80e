/* SPDX-License-Identifier: ISC */
#include "outlook.h"

#include <errno.h>
#include <string.h>

#define INTERVAL	(15 * 60)	/* of the cron job, seconds */

void
outlook_init(struct outlook *o)
{
	o->name[0] = '\0';
	o->holds = NULL;
}

void
outlook_clear(struct outlook *o)
{
	ledger_holds_free(o->holds);
	outlook_init(o);
}

enum outlook_result
outlook_load(struct outlook *o, const struct conf *conf, struct spool *sp,
    const char *domain, char *error)
{
	enum outlook_result result = OUTLOOK_OK;
	struct settings settings;
	int saved = 0;

	if (strcmp(o->name, domain) == 0)
		return OUTLOOK_OK;
	outlook_clear(o);
	switch (conf_domain(conf, domain, &settings, NULL, error)) {
	case CONF_YES:
		o->ours = true;
		o->life = settings.expire;
		break;
	case CONF_NO:
		o->ours = false;
		o->life = conf_report_expire(&settings);
		break;
	case CONF_BROKEN:
		return OUTLOOK_NO_CONF;
	}
	if (ledger_load(sp, domain, &o->domain) == -1) {
		saved = errno;
		result = OUTLOOK_NO_STATE;
	}
	if ((o->holds = ledger_holds_load(sp, domain)) == NULL)
		return OUTLOOK_NO_HOLDS;
	(void)strlcpy(o->name, domain, sizeof(o->name));
	errno = saved;
	return result;
}

const char *
outlook_state(const struct outlook *o, const struct scan_entry *e)
{
	if (e->folder == SPOOL_HELD || o->domain.state == DOMAIN_HELD)
		return "held";
	return e->folder == SPOOL_NEW ? "new" : "tried";
}

time_t
outlook_expires(const struct outlook *o, const struct scan_entry *e,
    time_t now)
{
	return e->msgid.time + o->life + ledger_held_seconds(o->holds, e->id,
	    e->msgid.time, now);
}

time_t
outlook_next(const struct outlook *o, time_t now)
{
	const struct domain *d = &o->domain;
	time_t next = d->next_try;

	if (d->state == DOMAIN_HELD)
		return d->held_until;
	if (domain_waits_for_us(d) && d->order == DOMAIN_WAIT)
		return 0;
	if (next == 0 && d->last_try != 0)
		next = d->last_try + INTERVAL;
	return next == 0 || next > now ? next : now;
}

time_t
outlook_next_of(const struct outlook *o, const struct scan_entry *e,
    time_t now)
{
	return e->folder == SPOOL_HELD ? 0 : outlook_next(o, now);
}

void
outlook_why(const struct outlook *o, const struct scan_entry *e, char *why,
    size_t size)
{
	if (e->folder == SPOOL_HELD)
		ledger_why(o->holds, e->id, why, size);
	else
		(void)strlcpy(why, o->domain.why, size);
}
