/* SPDX-License-Identifier: ISC */
#include "hook.h"

#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "plain.h"

#define OUTPUT_MAX	160	/* of what it says, octets: for the log */
#define CANNOT_RUN	127	/* as of a shell */

static _Noreturn void
become(const char *program, char *const *env, int out)
{
	char *const argv[] = { (char *)program, NULL };
	int null = open("/dev/null", O_RDONLY);
	sigset_t none;

	/* What is ignored or blocked stays so over an exec. */
	for (int sig = 1; sig < NSIG; sig++)
		(void)signal(sig, SIG_DFL);
	sigemptyset(&none);
	(void)sigprocmask(SIG_SETMASK, &none, NULL);
#ifdef __linux__
	/* Without us nobody would end it. */
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
#endif
	if (setpgid(0, 0) == -1 || null == -1 || dup2(null, 0) == -1 ||
	    dup2(out, 1) == -1 || dup2(out, 2) == -1 || chdir("/") == -1)
		_exit(CANNOT_RUN);
	closefrom(3);
	(void)execve(program, argv, env);
	(void)dprintf(2, "%s: %s\n", program, strerror(errno));
	_exit(CANNOT_RUN);
}

/*
 * Until all of them have closed it; the first octets are kept.  A pipe that
 * is left open by what runs on in the background is not waited for.
 */
static void
listen_to(int fd, pid_t pid, int64_t deadline, char *said)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	size_t used = 0, n;
	char buf[4096];
	siginfo_t info;
	ssize_t got;
	int left, ready;

	while ((left = deadline_left(deadline)) > 0) {
		ready = poll(&pfd, 1, left < 100 ? left : 100);
		if (ready == -1 && errno != EINTR)
			break;
		if (ready != 1) {
			info.si_pid = 0;
			if (waitid(P_PID, (id_t)pid, &info, WEXITED |
			    WNOHANG | WNOWAIT) == -1 || info.si_pid != 0)
				break;
			continue;
		}
		if ((got = read(fd, buf, sizeof(buf))) == 0)
			break;
		if (got == -1 && errno != EINTR && errno != EAGAIN)
			break;
		n = got > 0 ? (size_t)got : 0;
		if (n > OUTPUT_MAX - used)
			n = OUTPUT_MAX - used;
		memcpy(said + used, buf, n);
		used += n;
	}
	said[used] = '\0';
	said[strcspn(said, "\n")] = '\0';
}

/* True with its status if it ended in time. */
static bool
ended(pid_t pid, int64_t deadline, int *status)
{
	const struct timespec pause = { 0, 10 * 1000000 };
	pid_t got;

	while ((got = waitpid(pid, status, WNOHANG)) == 0 ||
	    (got == -1 && errno == EINTR)) {
		if (deadline_left(deadline) == 0)
			return false;
		(void)nanosleep(&pause, NULL);
	}
	if (got == -1)
		*status = 0;
	return true;
}

static int
judge(int status, const char *said, char *why)
{
	char safe[OUTPUT_MAX];

	plain(safe, sizeof(safe), said);
	if (WIFSIGNALED(status))
		(void)snprintf(why, HOOK_WHY_MAX, "ended by signal %d: %s",
		    WTERMSIG(status), safe);
	else if (WEXITSTATUS(status) != 0)
		(void)snprintf(why, HOOK_WHY_MAX, "exit status %d: %s",
		    WEXITSTATUS(status), safe);
	else
		return 0;
	return -1;
}

int
hook_run(const char *program, char *const *env, int64_t ms, char *why)
{
	int64_t deadline = deadline_in(ms);
	char said[OUTPUT_MAX + 1];
	int end[2], status;
	pid_t pid;

	if (pipe2(end, O_CLOEXEC) == -1) {
		(void)snprintf(why, HOOK_WHY_MAX, "%s", strerror(errno));
		return -1;
	}
	if ((pid = fork()) == 0)
		become(program, env, end[1]);
	close(end[1]);
	if (pid == -1) {
		(void)snprintf(why, HOOK_WHY_MAX, "%s", strerror(errno));
		close(end[0]);
		return -1;
	}
	/* Both do it, so it is done whoever comes first. */
	(void)setpgid(pid, pid);
	listen_to(end[0], pid, deadline, said);
	if (ended(pid, deadline, &status)) {
		close(end[0]);
		return judge(status, said, why);
	}
	(void)killpg(pid, SIGKILL);
	while (waitpid(pid, &status, 0) == -1 && errno == EINTR)
		continue;
	close(end[0]);
	(void)snprintf(why, HOOK_WHY_MAX, "killed after %lld seconds",
	    (long long)(ms / 1000));
	return -1;
}
