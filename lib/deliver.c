/* SPDX-License-Identifier: ISC */
#include "deliver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "backlog.h"
#include "breaker.h"
#include "carry.h"
#include "delay.h"
#include "domain.h"
#include "drain.h"
#include "event.h"
#include "header.h"
#include "inquiry.h"
#include "learn.h"
#include "ledger.h"
#include "link.h"
#include "log.h"
#include "msgid.h"
#include "scan.h"
#include "team.h"
#include "way.h"

struct flush {
	const struct deliver_args *args;
	const char *domain;
	struct settings settings;
	char file[ADDR_DOMAIN_MAX + 2];	/* of the settings */
	struct link link;
	struct way way;
	struct settle settle;
	struct carry carry;
	struct drain drain;
	struct event event;
};

static bool
is_wanted(void *arg, const struct scan_entry *e)
{
	const struct flush *f = arg;
	const char *const *id;

	if (f->args->ids == NULL)
		return true;
	for (id = f->args->ids; *id != NULL; id++)
		if (msgid_matches(e->id, *id))
			return true;
	return false;
}

/* "strict-routing": there is nobody to ask, and there will be nobody. */
static void
refuse_all(struct flush *f)
{
	size_t total = backlog_size(f->drain.backlog), done;
	struct scan_found found;

	for (done = 0; done < total && !f->carry.stop &&
	    !drain_is_held(&f->drain); done++)
		if (backlog_get(f->drain.backlog, done, &found))
			carry_refuse(&f->carry, &found.entry, f->way.never);
	f->settle.count.deferred += total - done;
	settle_sync(&f->settle);
}

/* A hold that has run out is over.  True while it has not. */
static bool
is_held(struct flush *f)
{
	struct spool *sp = f->args->spool;
	struct domain *d = &f->way.state;

	if (d->state != DOMAIN_HELD)
		return false;
	if (d->held_until == 0 || d->held_until > time(NULL))
		return true;
	if (f->args->dry)
		return false;
	if (ledger_release(sp, f->domain, NULL) == -1 ||
	    ledger_load(sp, f->domain, d) == -1) {
		log_warn("%s: cannot end its hold", f->domain);
		return true;
	}
	return d->state == DOMAIN_HELD;
}

/*
 * Reports go to domains that are not ours: by their MX records, whatever
 * route ours have by default, and one that is refused ends there.
 */
static void
as_stranger(struct settings *s)
{
	s->nroute = 0;
	s->bounce = true;
	s->keep = 0;
	/* Their keys are not known, and who defaults to them means ours. */
	if (s->tls != CONF_TLS_DANE)
		s->tls = CONF_TLS_MAY;
}

static void
arm_breaker(struct flush *f)
{
	const struct domain *d = &f->way.state;
	int percent = f->settings.breaker;

	/* Strangers owe us nothing; the operator's word is good for a day. */
	if (!f->way.ours || way_is_released(&f->way))
		percent = 0;
	breaker_init(f->settle.breaker, percent, way_is_back(&f->way),
	    d->accepted);
}

/* What the run has found out about the server. */
static void
conclude(struct flush *f)
{
	const struct settle *s = &f->settle;

	settle_end(&f->settle);
	settle_sync(&f->settle);
	f->way.state.sending = 0;
	if (breaker_tripped(f->settle.breaker) != BREAKER_WHOLE) {
		way_stop(&f->way, s->cause);
		return;
	}
	f->way.state.accepted = breaker_proven(f->settle.breaker);
	way_save(&f->way);
	if (learn_save(s->learn, f->args->spool, f->domain,
	    !breaker_is_trial(s->breaker), time(NULL)) == -1)
		log_warn("%s: cannot note its recipients", f->domain);
}

/* Who exists?  The mail has gone first. */
static void
inquire(struct flush *f)
{
	struct inquiry q = {
		.link = &f->link, .spool = f->args->spool,
		.domain = f->domain, .file = f->file,
		.believe = !breaker_is_trial(f->settle.breaker)
	};

	if (f->way.ours && f->settings.recipients == CONF_VERIFY &&
	    breaker_tripped(f->settle.breaker) == BREAKER_WHOLE &&
	    !f->carry.stop)
		inquiry_run(&q);
}

/* All of it, over as many connections as the settings allow. */
static int
hand_over(struct flush *f)
{
	struct drain_board *board;
	struct drain *d = &f->drain;

	d->team = team_new(backlog_size(d->backlog), f->settings.sessions,
	    sizeof(*board));
	if (d->team == NULL) {
		log_warn("%s", f->domain);
		return -1;
	}
	board = team_memory(d->team);
	f->settle.breaker = &board->breaker;
	if (f->way.ours)
		f->settle.learn = learn_new();
	arm_breaker(f);
	drain_run(d);
	if (f->carry.losses > 0)
		(void)strlcpy(f->way.state.error, f->link.error,
		    sizeof(f->way.state.error));
	conclude(f);
	inquire(f);
	team_free(d->team);
	f->settle.breaker = NULL;
	return 0;
}

/* The way has been found, or it is known that there is none. */
static int
work_off(struct flush *f, enum way_found found)
{
	const struct deliver_args *args = f->args;
	struct backlog *backlog;
	int result = 0;

	backlog = backlog_new(args->spool, f->domain, SCAN_WAITING, is_wanted,
	    f);
	if (backlog == NULL) {
		log_warn("%s: cannot read the queue", f->domain);
		return -1;
	}
	f->drain.backlog = backlog;
	if (args->dry) {
		log_info("would %s domain=%s host=\"%s\" messages=%zu",
		    found == WAY_NEVER ? "refuse" : "deliver", f->domain,
		    f->link.peer, backlog_size(backlog));
		f->settle.count.deferred = backlog_size(backlog);
	} else if (found == WAY_NEVER)
		refuse_all(f);
	else
		result = hand_over(f);
	backlog_free(backlog);
	return result;
}

/* Nobody was left to say it of each message. */
static void
tell_of_crash(struct flush *f)
{
	struct domain *d = &f->way.state;
	char when[HEADER_DATE_MAX];

	if (d->sending == 0 || f->args->dry)
		return;
	header_rfc3339(when, d->sending);
	log_warnx("possible duplicate domain=%s reason=\"the run of %s was cut "
	    "short; what it was sending may have arrived\"", f->domain, when);
	d->sending = 0;
	way_save(&f->way);
}

static int
flush_domain(struct flush *f)
{
	const struct deliver_args *args = f->args;
	char error[CONF_ERROR_MAX];
	enum conf_match ours;
	enum way_found found;
	int result = 0;

	if (ledger_load(args->spool, f->domain, &f->way.state) == -1) {
		log_warn("%s: cannot read the domain's state", f->domain);
		return -1;
	}
	if (is_held(f)) {
		log_debug("%s: on hold", f->domain);
		return 0;
	}
	ours = conf_domain(args->conf, f->domain, &f->settings,
	    f->file, error);
	if (ours == CONF_NO)
		as_stranger(&f->settings);
	if (ours == CONF_BROKEN) {
		log_warnx("%s", error);
		return -1;
	}
	f->way.ours = ours == CONF_YES;
	if (f->link.turn != NULL)
		f->link.turn->stranger = !f->way.ours;
	if (ours == CONF_YES && !args->dry)
		f->way.event = &f->event;
	tell_of_crash(f);
	if (way_is_stopped(&f->way))
		return 0;
	found = way_probe(&f->way);
	if (found != WAY_NONE)
		result = work_off(f, found);
	if (f->way.state.sending != 0) {
		f->way.state.sending = 0;
		way_save(&f->way);
	}
	return result;
}

/* Does anything wait of what was asked for?  1, 0, or -1 with errno. */
static int
is_waiting(const struct deliver_args *args, const char *domain)
{
	const char *const *id = args->ids;
	struct scan_found found;
	int waiting;

	if (id == NULL)
		return scan_waiting(args->spool, domain);
	for (; *id != NULL; id++) {
		waiting = scan_find_in(args->spool, domain, *id, &found);
		if (waiting == -1 || (waiting == 1 &&
		    ((1 << found.entry.folder) & SCAN_WAITING) != 0))
			return waiting;
	}
	return 0;
}

static void
set_up(struct flush *f, const struct deliver_args *args, const char *domain)
{
	f->args = args;
	f->domain = domain;
	f->link.conf = f->way.conf = f->settle.conf = args->conf;
	f->link.domain = f->way.domain = f->settle.domain = domain;
	f->link.hosts = args->hosts;
	f->link.turn = args->turn;
	f->link.settings = f->way.settings = f->settle.settings =
	    &f->settings;
	f->way.spool = f->settle.spool = args->spool;
	f->way.dns = f->link.tls.dns = args->dns;
	f->link.tls.conf = args->conf;
	f->link.tls.settings = &f->settings;
	f->link.tls.domain = domain;
	f->link.tls.tls = args->tls;
	f->way.interval = args->interval;
	settle_init(&f->settle);
	f->way.dry = args->dry;
	f->way.link = f->carry.link = &f->link;
	f->carry.way = &f->way;
	f->carry.settle = &f->settle;
	carry_init(&f->carry);
	f->drain.spool = args->spool;
	f->drain.domain = domain;
	f->drain.carry = &f->carry;
	f->drain.progress = args->progress;
	f->drain.progress_arg = args->progress_arg;
	f->event.conf = args->conf;
	f->event.settings = &f->settings;
	f->event.spool = args->spool;
	f->event.domain = domain;
}

/* What came of it, to the domain's operator and to senders. */
static void
tell_people(struct flush *f)
{
	if (f->way.event == NULL)
		return;
	f->event.delivered = f->settle.count.delivered;
	f->event.failed = f->settle.count.failed;
	event_tell(&f->event);
	delay_warn(f->args->conf, &f->settings, f->args->spool, f->domain,
	    time(NULL));
}

int
deliver_domain(const struct deliver_args *args, const char *domain,
    struct deliver_count *count)
{
	int lock = -1, result = -1, waiting;
	struct flush *f;

	memset(count, 0, sizeof(*count));
	count->waiting = true;
	if ((f = calloc(1, sizeof(*f))) == NULL) {
		log_warn("%s", domain);
		return -1;
	}
	set_up(f, args, domain);
	waiting = scan_waiting(args->spool, domain);
	if (waiting == -1 || (waiting == 0 && !args->asked)) {
		count->waiting = waiting == -1;
		result = waiting;
		goto out;
	}
	if (!args->dry)
		lock = ledger_lock(args->spool, domain);
	if (!args->dry && lock == -1) {
		count->busy = errno == EWOULDBLOCK;
		result = count->busy ? 0 : -1;
		goto out;
	}
	result = flush_domain(f);
	link_clear(&f->link);
	/* A hook that takes its time is not to take others'. */
	turn_end(args->turn);
	tell_people(f);
	waiting = is_waiting(args, domain);
	count->waiting = waiting != 0;
out:
	if (result == -1 || waiting == -1)
		log_warnx("%s: its part of the spool is in trouble", domain);
	if (lock != -1)
		close(lock);
	settle_clear(&f->settle);
	learn_free(f->settle.learn);
	free(f);
	return waiting == -1 ? -1 : result;
}
