/* SPDX-License-Identifier: ISC */
#include "drain.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "domain.h"
#include "learn.h"
#include "ledger.h"
#include "link.h"
#include "log.h"
#include "turn.h"

#define LOOK_EVERY	1000	/* milliseconds, for a hold */
#define FEW		4	/* windows, not worth another connection */

bool
drain_is_held(struct drain *d)
{
	int64_t now = deadline_now();
	struct domain state;

	if (now < d->look)
		return false;
	d->look = now + LOOK_EVERY;
	return ledger_load(d->spool, d->domain, &state) == 0 &&
	    state.state == DOMAIN_HELD;
}

static void
carry_number(struct drain *d, size_t i)
{
	struct scan_found found;

	if (backlog_get(d->backlog, i, &found))
		carry_message(d->carry, &found.entry, i);
}

/* Others wait: the next message takes a new connection, in its turn. */
static void
make_room(struct drain *d)
{
	struct link *l = d->carry->link;

	if (!turn_over(l->turn))
		return;
	team_dismiss(d->team);
	carry_finish(d->carry);
	link_close(l);
}

/*** Members ***/

/* What is the leader's is let go, what is our own begins anew. */
static void
become_member(struct drain *d)
{
	struct settle *s = d->carry->settle;
	struct link *l = d->carry->link;

	carry_abandon(d->carry);
	link_abandon(l);
	l->turn = NULL;
	l->extra = true;
	d->progress = NULL;
	d->carry->second = true;
	memset(&s->count, 0, sizeof(s->count));
	s->removed = 0;
	settle_clear(s);
	settle_init(s);
	if (s->learn != NULL)
		s->learn = learn_new();
}

static void
save_learnt(struct drain *d)
{
	team_lock(d->team);
	if (learn_save(d->carry->settle->learn, d->spool, d->domain, true,
	    time(NULL)) == -1)
		log_warn("%s: cannot note its recipients", d->domain);
	team_unlock(d->team);
}

/* Does not return. */
static void
leave(struct drain *d, bool run_is_over)
{
	struct drain_board *board = team_memory(d->team);
	struct settle *s = d->carry->settle;

	link_close(d->carry->link);
	/* Before that nobody can tell which refusals are to be believed. */
	if (run_is_over && team_meet(d->team))
		settle_end(s);
	settle_sync(s);
	if (breaker_tripped(s->breaker) == BREAKER_WHOLE)
		save_learnt(d);
	atomic_fetch_add(&board->delivered, s->count.delivered);
	atomic_fetch_add(&board->failed, s->count.failed);
	atomic_fetch_add(&board->deferred, s->count.deferred);
	atomic_fetch_add(&board->unread, s->count.unread);
	_exit(0);
}

static void
set_aside(void *arg, size_t index, enum smtp_lack lack)
{
	struct drain *d = arg;

	team_mark(d->team, index, (unsigned char)lack);
}

/* Not where the rate is what keeps us waiting, nor for the last few. */
static bool
needs_hands(const struct drain *d)
{
	const struct drain_board *board = team_memory(d->team);
	const struct carry *c = d->carry;
	const size_t left = backlog_size(d->backlog) - team_taken(d->team);

	return !breaker_is_trial(c->settle->breaker) &&
	    c->link->client != NULL &&
	    left > FEW * (size_t)c->settle->settings->window &&
	    atomic_load(&board->slot) <= deadline_now() * 1000;
}

/* More connections where that helps, fewer where the server minds. */
static void
look_around(struct drain *d)
{
	struct carry *c = d->carry;

	if (c->trouble) {
		c->trouble = false;
		team_shrink(d->team);
	}
	if (team_is_member(d->team))
		return;
	make_room(d);
	turn_have(c->link->turn, team_others(d->team));
	if (needs_hands(d) && team_is_short(d->team) &&
	    turn_more(c->link->turn) && team_grow(d->team)) {
		become_member(d);
		/* No message is taken before there is a connection for it. */
		c->stop = c->trouble = !link_open(c->link);
	}
	if (!team_is_member(d->team))
		c->second = team_others(d->team) > 0;
}

/* Takes one message after the other; true when there are no more. */
static bool
work(struct drain *d)
{
	struct carry *c = d->carry;
	bool over = false;
	size_t i;

	while (!c->stop && team_is_wanted(d->team)) {
		if (drain_is_held(d))
			team_stop(d->team);
		look_around(d);
		if (c->stop || (over = !team_next(d->team, &i)))
			break;
		carry_number(d, i);
		if (breaker_tripped(c->settle->breaker) != BREAKER_WHOLE)
			team_stop(d->team);
		if (d->progress != NULL)
			d->progress(d->progress_arg, d->domain,
			    team_taken(d->team), backlog_size(d->backlog));
	}
	carry_finish(c);
	if (c->trouble)
		team_shrink(d->team);
	return over;
}

/*** The leader ***/

/*
 * What was set aside, by the server that the walk has come to or, DENIED, by
 * nobody.  True if any is left.
 */
static bool
work_marked(struct drain *d, bool denied)
{
	size_t total = backlog_size(d->backlog), i;
	struct carry *c = d->carry;
	unsigned char lack;
	bool left = false;

	for (i = 0; i < total && !c->stop; i++) {
		if ((lack = team_marked(d->team, i)) == SMTP_LACKS_NOTHING)
			continue;
		if ((c->stop = drain_is_held(d)))
			break;
		make_room(d);
		team_mark(d->team, i, SMTP_LACKS_NOTHING);
		if (denied)
			c->denied = (enum smtp_lack)lack;
		carry_number(d, i);
	}
	carry_finish(c);
	for (i = 0; i < total && !left; i++)
		left = team_marked(d->team, i) != SMTP_LACKS_NOTHING;
	return left;
}

/* What takes a server that offers more than the first that answered. */
static void
work_aside(struct drain *d)
{
	size_t total = backlog_size(d->backlog), i;
	struct carry *c = d->carry;
	bool left = false, met;

	for (i = 0; i < total && !left; i++)
		left = team_marked(d->team, i) != SMTP_LACKS_NOTHING;
	if (!left)
		return;
	link_walk(c->link);
	met = !c->stop && (c->link->client != NULL || link_step(c->link));
	while (left && met && !c->stop) {
		left = work_marked(d, false);
		met = left && !c->stop && link_step(c->link);
	}
	if (left && !c->stop)
		(void)work_marked(d, true);
	for (i = 0; i < total; i++)
		if (team_marked(d->team, i) != SMTP_LACKS_NOTHING)
			c->settle->count.deferred++;
	link_walk_end(c->link);
}

static void
add_members(struct drain *d)
{
	const struct drain_board *board = team_memory(d->team);
	struct settle_count *n = &d->carry->settle->count;

	n->delivered += atomic_load(&board->delivered);
	n->failed += atomic_load(&board->failed);
	n->deferred += atomic_load(&board->deferred);
	n->unread += atomic_load(&board->unread);
}

void
drain_run(struct drain *d)
{
	struct drain_board *board = team_memory(d->team);
	struct carry *c = d->carry;
	bool over;

	c->aside = set_aside;
	c->aside_arg = d;
	c->slot = &board->slot;
	over = work(d);
	if (team_is_member(d->team))
		leave(d, over);
	(void)team_meet(d->team);
	team_dismiss(d->team);
	if (team_has_lost(d->team))
		log_warnx("possible duplicate domain=%s reason=\"the process "
		    "of a connection has died; what it was sending may have "
		    "arrived\"", d->domain);
	add_members(d);
	c->settle->count.deferred += backlog_size(d->backlog) -
	    team_taken(d->team);
	work_aside(d);
}
