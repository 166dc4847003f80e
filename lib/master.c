/* SPDX-License-Identifier: ISC */
#include "master.h"

#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "log.h"

#define START	30000	/* milliseconds a child has to begin */
#define PAUSE	1000	/* after one that died young, and while files change */
#define BUSY	5	/* pauses that files may go on changing */
#define AGAIN	60000	/* until a child that sends all away is replaced */

struct acceptor {
	pid_t pid;		/* 0: none */
	int control;		/* our end; -1 */
	bool well;
	int64_t since;		/* deadline_now() */
};

struct keeper {
	const struct master *m;
	struct crowd *crowd;
	struct watch watch;
	struct acceptor now;
	int changing;		/* looks that found a change; 0: none is on */
};

void
master_ready(struct master_child *child, bool well)
{
	/* If nobody reads it the control is at its end as well. */
	if (write(child->ready, well ? "w" : "u", 1) == -1)
		log_warn("cannot tell that we accept");
	close(child->ready);
	child->ready = -1;
}

/*** Children ***/

static _Noreturn void
be_child(const struct keeper *k, int control, int ready, bool alone)
{
	struct master_child child = { k->crowd, control, ready, alone };

	/* Else nobody would ever see its end. */
	if (k->now.control != -1)
		close(k->now.control);
	_exit((int)k->m->run(k->m->arg, &child));
}

/* What a child that was begun says of itself: 'w', 'u', or 0 for nothing. */
static char
hear(int ready)
{
	struct pollfd pfd = { .fd = ready, .events = POLLIN };
	int64_t end = deadline_in(START);
	char word = 0;
	int n;

	do
		n = poll(&pfd, 1, deadline_left(end));
	while (n == -1 && errno == EINTR);
	if (n <= 0 || read(ready, &word, 1) != 1)
		return 0;
	return word;
}

/* Waits for a child that did not begin. */
static enum master_end
failed(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			return MASTER_UNFIT;
	if (WIFEXITED(status) && WEXITSTATUS(status) == MASTER_BROKEN)
		return MASTER_BROKEN;
	return MASTER_UNFIT;
}

static enum master_end
begin(struct keeper *k, struct acceptor *a, bool alone)
{
	int control[2], ready[2];
	char word;

	memset(a, 0, sizeof(*a));
	a->control = -1;
	if (pipe2(control, O_CLOEXEC) == -1)
		return MASTER_UNFIT;
	if (pipe2(ready, O_CLOEXEC) == -1) {
		close(control[0]);
		close(control[1]);
		return MASTER_UNFIT;
	}
	if ((a->pid = fork()) == 0) {
		close(control[1]);
		close(ready[0]);
		be_child(k, control[0], ready[1], alone);
	}
	close(control[0]);
	close(ready[1]);
	a->control = control[1];
	a->since = deadline_now();
	word = a->pid == -1 ? 0 : hear(ready[0]);
	close(ready[0]);
	a->well = word == 'w';
	if (word != 0)
		return MASTER_END;
	close(control[1]);
	return a->pid == -1 ? MASTER_UNFIT : failed(a->pid);
}

/* Another child in place of the one there is, if it can be had. */
static enum master_end
renew(struct keeper *k)
{
	struct acceptor a;
	enum master_end end;

	if ((end = begin(k, &a, k->now.pid == 0)) != MASTER_END) {
		if (k->now.pid != 0)
			log_warnx("what was loaded before stays in force");
		else
			k->now.since = deadline_now();
		return end;
	}
	if (k->now.pid != 0)
		log_info("took over from process %ld", (long)k->now.pid);
	/* It serves what it has accepted, and ends. */
	if (k->now.control != -1)
		close(k->now.control);
	k->now = a;
	return MASTER_END;
}

static enum master_end
reload(struct keeper *k)
{
	struct watch old = k->watch;
	bool loaded;

	k->changing = 0;
	watch_init(&k->watch);
	loaded = k->m->load(k->m->arg, &k->watch);
	watch_clear(&old);
	if (!loaded && k->now.pid != 0) {
		log_warnx("what was loaded before stays in force");
		return MASTER_UNFIT;
	}
	return renew(k);
}

/*** The loop ***/

/*
 * Sessions whose parent has ended become children of the master, who then
 * knows at once when they end.  Where that is not to be had the next look
 * finds out.
 */
static void
adopt_orphans(void)
{
#ifdef PR_SET_CHILD_SUBREAPER
	if (prctl(PR_SET_CHILD_SUBREAPER, 1L) == -1)
		log_warn("sessions will not be adopted");
#endif
}

static void
tell_end(pid_t pid, int status)
{
	if (WIFSIGNALED(status))
		log_warnx("process %ld, which accepted, died of signal %d",
		    (long)pid, WTERMSIG(status));
	else
		log_warnx("process %ld, which accepted, ended with %d",
		    (long)pid, WEXITSTATUS(status));
}

/* Those who ended; MASTER_BROKEN if there is no use in going on. */
static enum master_end
reap(struct keeper *k)
{
	pid_t pid;
	int status;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		/* A session that outlived who had accepted it, if not that. */
		crowd_remove(k->crowd, pid);
		if (pid != k->now.pid)
			continue;
		tell_end(pid, status);
		close(k->now.control);
		k->now.control = -1;
		k->now.pid = 0;
		if (WIFEXITED(status) && WEXITSTATUS(status) == MASTER_BROKEN)
			return MASTER_BROKEN;
	}
	return MASTER_END;
}

/* Has what was loaded changed, and come to rest? */
static bool
is_stale(struct keeper *k)
{
	const char *path = watch_changed(&k->watch);

	if (path != NULL && k->changing++ == 0)
		log_info("%s has changed", path);
	return k->changing > 0 && (path == NULL || k->changing > BUSY);
}

static int64_t
next_look(const struct keeper *k)
{
	return k->changing > 0 || k->now.pid == 0 ? PAUSE : MASTER_LOOK;
}

/* Signals wait until they are asked for. */
static int
wait_signal(const sigset_t *set, int64_t ms)
{
	struct timespec ts;

	ts.tv_sec = (time_t)(ms / 1000);
	ts.tv_nsec = (long)(ms % 1000) * 1000000;
	return sigtimedwait(set, NULL, &ts);
}

static enum master_end
look_after(struct keeper *k, int number)
{
	int64_t now;

	if (reap(k) == MASTER_BROKEN)
		return MASTER_BROKEN;
	if (number == SIGHUP)
		return reload(k);
	if (number != SIGCHLD) {
		crowd_sweep(k->crowd);
		if (is_stale(k))
			return reload(k);
	}
	now = deadline_now();
	if (k->now.pid == 0)
		/* Not faster than that, or a fault would eat the machine. */
		return now - k->now.since < PAUSE ? MASTER_END : renew(k);
	if (!k->now.well && now - k->now.since >= AGAIN) {
		/* Its end would bring us here again, at once. */
		k->now.since = now;
		return reload(k);
	}
	return MASTER_END;
}

enum master_end
master_run(const struct master *m)
{
	struct keeper k = { .m = m, .now = { .control = -1 } };
	enum master_end end;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	watch_init(&k.watch);
	/* Whose SIGCHLD is ignored never hears of a child that died. */
	(void)signal(SIGCHLD, SIG_DFL);
	if ((k.crowd = crowd_new()) == NULL ||
	    sigprocmask(SIG_BLOCK, &set, NULL) == -1) {
		crowd_free(k.crowd);
		return MASTER_UNFIT;
	}
	adopt_orphans();
	end = reload(&k);
	while (end != MASTER_BROKEN)
		end = look_after(&k, wait_signal(&set, next_look(&k)));
	watch_clear(&k.watch);
	crowd_free(k.crowd);
	return end;
}
