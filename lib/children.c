/* SPDX-License-Identifier: ISC */
#include "children.h"

#include <sys/mman.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <unistd.h>

#include "deadline.h"

#define ATONCE_MAX	256

/* A pipe that nobody writes to: its end is the child's. */
struct child {
	pid_t pid;
	int fd;
};

void *
children_share(size_t size)
{
	void *memory;

	memory = mmap(NULL, size == 0 ? 1 : size, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	return memory == MAP_FAILED ? NULL : memory;
}

void
children_unshare(void *memory, size_t size)
{
	if (memory != NULL)
		(void)munmap(memory, size == 0 ? 1 : size);
}

pid_t
children_fork(void)
{
	pid_t parent = getpid(), pid = fork();

	if (pid != 0)
		return pid;
#ifdef __linux__
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
	if (getppid() != parent)	/* it died before that */
		_exit(1);
	return 0;
}

static bool
child_begin(struct child *c, size_t i, void (*work)(size_t i, void *arg),
    void *arg)
{
	int fds[2];

	if (pipe(fds) == -1)
		return false;
	switch (c->pid = children_fork()) {
	case -1:
		close(fds[0]);
		close(fds[1]);
		return false;
	case 0:
		close(fds[0]);
		work(i, arg);
		_exit(0);
	}
	close(fds[1]);
	c->fd = fds[0];
	return true;
}

static void
child_end(struct child *c)
{
	int status;

	close(c->fd);
	while (waitpid(c->pid, &status, 0) == -1 && errno == EINTR)
		continue;
}

/* Removes those that ended; returns how many are left. */
static size_t
children_wait(struct child *c, size_t n, int64_t deadline)
{
	struct pollfd pfd[ATONCE_MAX];
	size_t i, left = 0;

	for (i = 0; i < n; i++)
		pfd[i] = (struct pollfd){ .fd = c[i].fd, .events = POLLIN };
	if (poll(pfd, n, deadline_left(deadline)) <= 0)
		return n;
	for (i = 0; i < n; i++)
		if (pfd[i].revents != 0)
			child_end(&c[i]);
		else
			c[left++] = c[i];
	return left;
}

void
children_run(size_t n, size_t atonce, void (*work)(size_t i, void *arg),
    void *arg, int64_t deadline)
{
	struct child c[ATONCE_MAX];
	size_t i, begun = 0, live = 0;

	if (atonce == 0 || atonce > ATONCE_MAX)
		atonce = ATONCE_MAX;
	while ((begun < n || live > 0) && deadline_left(deadline) != 0) {
		while (begun < n && live < atonce) {
			if (child_begin(&c[live], begun, work, arg))
				live++;
			else if (live > 0)
				break;	/* one that ends makes room */
			begun++;
		}
		if (live > 0)
			live = children_wait(c, live, deadline);
	}
	for (i = 0; i < live; i++)
		(void)kill(c[i].pid, SIGKILL);
	for (i = 0; i < live; i++)
		child_end(&c[i]);
}
