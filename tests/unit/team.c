/* SPDX-License-Identifier: ISC */
#include <signal.h>
#include <stdatomic.h>
#include <unistd.h>

#include "tap.h"
#include "team.h"

#define JOBS	3000

struct board {
	_Atomic int done[JOBS];
	_Atomic int members;
	int sum;		/* under the lock */
};

/* Takes jobs until there are none; the leader's return is the only one. */
static void
work(struct team *t, bool dies)
{
	struct board *b = team_memory(t);
	int i, sum;
	size_t job;

	while (team_is_wanted(t) && team_next(t, &job)) {
		atomic_fetch_add(&b->done[job], 1);
		if (job % 2 == 1)
			team_mark(t, job, 7);
		if (dies && team_is_member(t))
			raise(SIGKILL);
		if (job % 50 == 0)
			usleep(100);
	}
	for (i = 0; i < 100; i++) {
		team_lock(t);
		sum = b->sum;
		b->sum = sum + 1;
		team_unlock(t);
	}
	team_meet(t);
	if (team_is_member(t)) {
		atomic_fetch_add(&b->members, 1);
		_exit(0);
	}
}

static void
check_sharing(void)
{
	struct team *t = team_new(JOBS, 4, sizeof(struct board));
	struct board *b = team_memory(t);
	size_t i, once = 0, marked = 0;

	for (i = 0; i < 5 && !team_is_member(t); i++)
		(void)team_grow(t);
	if (!team_is_member(t))
		is_int(team_others(t), 3, "no more than there may be");
	work(t, false);
	team_dismiss(t);
	for (i = 0; i < JOBS; i++) {
		once += b->done[i] == 1;
		marked += team_marked(t, i) == (i % 2 == 1 ? 7 : 0);
	}
	is_int(once, JOBS, "each job was done once");
	is_int(marked, JOBS, "and has its mark");
	is_int(b->members, 3, "all members came to the end");
	is_int(b->sum, 400, "one at a time had the lock");
	is_int(team_taken(t), JOBS, "all are taken");
	is_int(team_others(t), 0, "nobody is left");
	ok(!team_has_lost(t), "nor lost");
	team_free(t);
}

static void
check_death(void)
{
	struct team *t = team_new(JOBS, 2, sizeof(struct board));
	int i;

	if (!team_grow(t))
		for (i = 0; i < 5000 && team_others(t) > 0; i++)
			usleep(1000);
	work(t, true);
	ok(true, "a member that dies holds nobody up");
	is_int(team_others(t), 0, "it is gone");
	ok(team_has_lost(t), "and was not to go");
	team_free(t);
}

/* A leader that needs its members gone, when one has no more to do. */
static void
check_dismissal(void)
{
	struct team *t = team_new(1, 2, sizeof(struct board));
	struct board *b = team_memory(t);
	size_t job;

	if (team_grow(t)) {
		while (team_next(t, &job))
			continue;
		atomic_fetch_add(&b->members, 1);
		_exit(team_meet(t) ? 1 : 0);
	}
	while (atomic_load(&b->members) == 0)
		usleep(1000);
	usleep(20000);
	alarm(10);
	team_dismiss(t);
	alarm(0);
	ok(!team_has_lost(t), "who waits for the others can be dismissed");
	ok(team_meet(t), "and the leader waits for nobody");
	team_free(t);
}

static void
check_shrinking(void)
{
	struct team *t = team_new(10, 3, 8);
	size_t i;

	while (team_others(t) < 2)
		if (team_grow(t)) {
			while (team_is_wanted(t))
				usleep(1000);
			_exit(0);
		}
	ok(!team_is_short(t), "it takes a while before another is needed");
	team_shrink(t);
	for (i = 0; i < 3000 && team_others(t) == 2; i++)
		usleep(1000);
	is_int(team_others(t), 1, "one fewer");
	ok(team_is_wanted(t), "the leader never goes");
	team_dismiss(t);
	is_int(team_others(t), 0, "none");
	ok(team_next(t, &i) && i == 0, "there is still work");
	team_stop(t);
	ok(!team_next(t, &i), "which is stopped");
	team_free(t);
}

int
main(void)
{
	check_sharing();
	check_death();
	check_shrinking();
	check_dismissal();
	return done_testing();
}
