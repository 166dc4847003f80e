/* SPDX-License-Identifier: ISC */
#include <sys/types.h>
#include <sys/wait.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "children.h"
#include "deadline.h"
#include "tap.h"

#define N 20

static void
sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

static void
note(size_t i, void *arg)
{
	int *found = arg;

	sleep_ms(50);
	found[i] = (int)i + 1;
}

/* The third dies, the fifth hangs; both say something first. */
static void
trouble(size_t i, void *arg)
{
	int *found = arg;

	found[i] = 1;
	if (i == 3)
		kill(getpid(), SIGKILL);
	while (i == 5)
		sleep_ms(1000);
	found[i] = 2;
}

static void
hang(size_t i, void *arg)
{
	(void)i;
	(void)arg;
	sleep_ms(60000);
}

/* All that run, by the pipe that they hold open. */
static void
test_orphans(void)
{
	struct pollfd pfd = { .events = POLLIN };
	int fds[2];
	pid_t pid;

	if (!ok(pipe(fds) == 0, "a pipe"))
		return;
	if ((pid = fork()) == 0) {
		children_run(3, 3, hang, NULL, deadline_in(60000));
		_exit(0);
	}
	close(fds[1]);
	pfd.fd = fds[0];
	is_int(poll(&pfd, 1, 300), 0, "three run");
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	is_int(poll(&pfd, 1, 2000), 1, "they die with their parent");
	close(fds[0]);
}

static void
test_all(int *found, size_t atonce, int64_t least, int64_t most)
{
	int64_t began = deadline_now();
	int i, good = 0;

	memset(found, 0, N * sizeof(*found));
	children_run(N, atonce, note, found, deadline_in(10000));
	began = deadline_now() - began;
	for (i = 0; i < N; i++)
		good += found[i] == i + 1;
	is_int(good, N, "%zu at once: all done", atonce);
	ok(began >= least && began < most, "%zu at once: in %lld ms", atonce,
	    (long long)began);
}

int
main(void)
{
	int64_t began;
	int i, *found, two = 0;

	found = children_share(N * sizeof(*found));
	if (!ok(found != NULL, "memory to share"))
		return done_testing();
	test_all(found, N, 50, 900);
	test_all(found, 5, 200, 5000);
	test_all(found, 0, 50, 900);

	memset(found, 0, N * sizeof(*found));
	began = deadline_now();
	children_run(N, 4, trouble, found, deadline_in(300));
	began = deadline_now() - began;
	ok(began >= 300 && began < 2000, "the deadline holds: %lld ms",
	    (long long)began);
	for (i = 0; i < N; i++)
		two += found[i] == 2;
	is_int(two, N - 2, "the others are done");
	is_int(found[3], 1, "what a child found stays when it dies");
	is_int(found[5], 1, "and when it is killed");

	memset(found, 0, N * sizeof(*found));
	children_run(N, 4, note, found, deadline_in(0));
	is_int(found[0], 0, "nothing is begun after the deadline");
	test_orphans();
	children_run(0, 4, note, found, deadline_in(1000));
	ok(waitpid(-1, NULL, WNOHANG) == -1 && errno == ECHILD,
	    "nobody is left");
	children_unshare(found, N * sizeof(*found));
	return done_testing();
}
