/* SPDX-License-Identifier: ISC */
#include <sys/mman.h>
#include <sys/wait.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "log.h"
#include "master.h"
#include "tap.h"

#define SPEED	40	/* of our clock, which is linked in place of its own */

int64_t
deadline_now(void)
{
	struct timespec ts;

	(void)clock_gettime(CLOCK_MONOTONIC, &ts);
	return ((int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000) * SPEED;
}

int64_t
deadline_in(int64_t ms)
{
	return deadline_now() + ms;
}

int64_t
deadline_min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int
deadline_left(int64_t deadline)
{
	int64_t left = deadline - deadline_now();

	return left <= 0 ? 0 : (int)left;
}

struct counts {
	atomic_int loads, runs;
	atomic_int pid;		/* of the last that accepts */
};

static bool
count_load(void *arg, struct watch *w)
{
	struct counts *c = arg;

	(void)w;
	c->loads++;
	return true;
}

static void
wait_for_end(struct master_child *child)
{
	struct pollfd pfd = { .fd = child->control, .events = POLLIN };

	while (poll(&pfd, 1, 20000) == -1 && errno == EINTR)
		continue;
}

/* Never fit but to send clients away. */
static enum master_end
run_unfit(void *arg, struct master_child *child)
{
	struct counts *c = arg;

	c->runs++;
	if (!child->alone)
		return MASTER_UNFIT;
	master_ready(child, false);
	wait_for_end(child);
	return MASTER_END;
}

static enum master_end
run_well(void *arg, struct master_child *child)
{
	struct counts *c = arg;

	c->runs++;
	c->pid = getpid();
	master_ready(child, true);
	wait_for_end(child);
	return MASTER_END;
}

static pid_t
begin(struct counts *c, enum master_end (*run)(void *, struct master_child *))
{
	const struct master m = { count_load, run, c };
	pid_t pid;

	c->loads = c->runs = c->pid = 0;
	if ((pid = fork()) == 0)
		_exit((int)master_run(&m));
	return pid;
}

static void
end(pid_t pid)
{
	kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
}

static bool
becomes(atomic_int *n, int least)
{
	for (int i = 0; i < 500 && *n < least; i++)
		(void)poll(NULL, 0, 10);
	return *n >= least;
}

/* One that sends all away is to be replaced, but not at any price. */
static void
test_unfit(struct counts *c)
{
	pid_t pid = begin(c, run_unfit);

	ok(becomes(&c->runs, 1), "one sends clients away");
	(void)poll(NULL, 0, MASTER_LOOK + 1200);
	ok(c->runs >= 2, "another is tried after a while");
	is_int(c->runs, 2, "... once");
	end(pid);
}

/* What starts us may have left SIGCHLD ignored. */
static void
test_ignored(struct counts *c)
{
	pid_t pid, first;

	signal(SIGCHLD, SIG_IGN);
	pid = begin(c, run_well);
	signal(SIGCHLD, SIG_DFL);
	ok(becomes(&c->pid, 1), "SIGCHLD ignored: one accepts");
	first = c->pid;
	(void)poll(NULL, 0, 200);
	kill(first, SIGKILL);
	ok(becomes(&c->runs, 2), "... and is replaced when it dies");
	end(pid);
}

int
main(void)
{
	struct counts *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (c == MAP_FAILED)
		return 1;
	log_open("master", LOG_TARGET_STDERR, -1);
	test_unfit(c);
	test_ignored(c);
	return done_testing();
}
