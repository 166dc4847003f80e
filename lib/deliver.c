/* SPDX-License-Identifier: ISC */
#include "deliver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "breaker.h"
#include "carry.h"
#include "deadline.h"
#include "delay.h"
#include "domain.h"
#include "event.h"
#include "inquiry.h"
#include "learn.h"
#include "ledger.h"
#include "link.h"
#include "log.h"
#include "msgid.h"
#include "scan.h"
#include "way.h"

#define LOOK_EVERY	1000	/* milliseconds, for a hold */

struct flush {
	const struct deliver_args *args;
	const char *domain;
	struct settings settings;
	char file[ADDR_DOMAIN_MAX + 2];	/* of the settings */
	struct link link;
	struct way way;
	struct breaker breaker;
	struct settle settle;
	struct carry carry;
	struct event event;
	int64_t look;		/* when to look for a hold again */
};

static bool
is_wanted(const struct flush *f, const struct scan_entry *e)
{
	const char *const *id;

	if (f->args->ids == NULL)
		return true;
	for (id = f->args->ids; *id != NULL; id++)
		if (msgid_matches(e->id, *id))
			return true;
	return false;
}

/* Has the operator put the domain on hold meanwhile? */
static bool
is_held_now(struct flush *f)
{
	int64_t now = deadline_now();
	struct domain d;

	if (now < f->look)
		return false;
	f->look = now + LOOK_EVERY;
	return ledger_load(f->args->spool, f->domain, &d) == 0 &&
	    d.state == DOMAIN_HELD;
}

/* Others wait: the next message takes a new connection, in its turn. */
static void
make_room(struct flush *f)
{
	if (turn_over(f->link.turn))
		link_close(&f->link);
}

/* What takes a server with SMTPUTF8, which the first that answered is not. */
static void
drain_aside(struct flush *f, const struct scan_entry *e, size_t n)
{
	size_t done = 0;

	link_close(&f->link);
	f->link.utf8 = true;
	f->carry.denied = !link_open(&f->link);
	while (done < n && !f->carry.stop && !is_held_now(f)) {
		make_room(f);
		carry_message(&f->carry, &e[done++]);
	}
	f->settle.count.deferred += n - done;
}

/* Leaves the N of E that are wanted in front; how many these are. */
static size_t
choose(const struct flush *f, struct scan_entry *e, size_t n)
{
	size_t total = 0;

	for (size_t i = 0; i < n; i++)
		if (is_wanted(f, &e[i]))
			e[total++] = e[i];
	return total;
}

static void
tell_progress(const struct flush *f, size_t done, size_t total)
{
	if (f->args->progress != NULL)
		f->args->progress(f->args->progress_arg, f->domain, done,
		    total);
}

static void
drain(struct flush *f, struct scan_entry *e, size_t total)
{
	size_t aside = 0, done = 0;

	while (done < total && !f->carry.stop && !is_held_now(f)) {
		make_room(f);
		carry_message(&f->carry, &e[done++]);
		if (f->carry.aside)
			e[aside++] = e[done - 1];
		tell_progress(f, done, total);
	}
	f->settle.count.deferred += total - done;
	if (f->carry.losses > 0)
		(void)strlcpy(f->way.state.error, f->link.error,
		    sizeof(f->way.state.error));
	if (f->carry.stop)
		f->settle.count.deferred += aside;
	else if (aside > 0)
		drain_aside(f, e, aside);
}

/* "strict-routing": there is nobody to ask, and there will be nobody. */
static void
refuse_all(struct flush *f, const struct scan_entry *e, size_t total)
{
	size_t done = 0;

	while (done < total && !f->carry.stop && !is_held_now(f)) {
		carry_refuse(&f->carry, &e[done++], f->way.never);
		tell_progress(f, done, total);
	}
	f->settle.count.deferred += total - done;
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
	breaker_init(&f->breaker, percent, way_is_back(&f->way),
	    d->accepted);
}

/* What the run has found out about the server. */
static void
conclude(struct flush *f)
{
	const struct settle *s = &f->settle;

	settle_end(&f->settle);
	settle_sync(&f->settle);
	if (breaker_tripped(&f->breaker) != BREAKER_WHOLE) {
		way_stop(&f->way, s->cause);
		return;
	}
	f->way.state.accepted = breaker_proven(&f->breaker);
	way_save(&f->way);
	if (learn_save(s->learn, f->args->spool, f->domain, time(NULL)) == -1)
		log_warn("%s: cannot note its recipients", f->domain);
}

/* Who exists?  The mail has gone first. */
static void
inquire(struct flush *f)
{
	struct inquiry q = {
		.link = &f->link, .spool = f->args->spool,
		.domain = f->domain, .file = f->file,
		.believe = !breaker_is_trial(&f->breaker)
	};

	if (f->way.ours && f->settings.recipients == CONF_VERIFY &&
	    breaker_tripped(&f->breaker) == BREAKER_WHOLE && !f->carry.stop)
		inquiry_run(&q);
}

/* The way has been found, or it is known that there is none. */
static int
work_off(struct flush *f, enum way_found found)
{
	const struct deliver_args *args = f->args;
	struct scan_entry *e = NULL;
	size_t n = 0, total;

	if (scan_sorted(args->spool, f->domain, SCAN_WAITING, &e, &n) == -1) {
		log_warn("%s: cannot read the queue", f->domain);
		return -1;
	}
	total = choose(f, e, n);
	if (args->dry) {
		log_info("would %s domain=%s host=\"%s\" messages=%zu",
		    found == WAY_NEVER ? "refuse" : "deliver", f->domain,
		    f->link.peer, total);
		f->settle.count.deferred = total;
	} else if (found == WAY_NEVER) {
		refuse_all(f, e, total);
		settle_sync(&f->settle);
	} else {
		if (f->way.ours)
			f->settle.learn = learn_new();
		arm_breaker(f);
		drain(f, e, total);
		conclude(f);
		inquire(f);
	}
	free(e);
	return 0;
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
	if (ours == CONF_YES && !args->dry)
		f->way.event = &f->event;
	if (way_is_stopped(&f->way))
		return 0;
	found = way_probe(&f->way);
	if (found != WAY_NONE)
		result = work_off(f, found);
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
	f->link.turn = args->dry ? NULL : args->turn;
	f->link.settings = f->way.settings = f->settle.settings =
	    &f->settings;
	f->way.spool = f->settle.spool = args->spool;
	f->way.dns = f->link.tls.dns = args->dns;
	f->link.tls.conf = args->conf;
	f->link.tls.settings = &f->settings;
	f->link.tls.domain = domain;
	f->link.tls.tls = args->tls;
	f->way.interval = args->interval;
	f->settle.breaker = &f->breaker;
	settle_init(&f->settle);
	f->way.dry = args->dry;
	f->way.link = f->carry.link = &f->link;
	f->carry.way = &f->way;
	f->carry.settle = &f->settle;
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
