/* SPDX-License-Identifier: ISC */
#include "vigil.h"

#include <sys/wait.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "agenda.h"
#include "deadline.h"
#include "run.h"

#define TRIGGER_PAUSE	100	/* milliseconds, between two looks at it */

struct vigil {
	struct flush *f;
	struct agenda *agenda;
	int trigger;		/* -1: none */
	int64_t deaf;		/* to the trigger, until then */
	pid_t whole;		/* the last run of all; 0: it has ended */
	pid_t *pid;		/* N runs, of all or not */
	size_t n;
};

/* True if DOMAIN is among those of the command line, or there are none. */
static bool
is_among(char **args, const char *domain)
{
	char name[ADDR_DOMAIN_MAX + 1];

	if (*args == NULL)
		return true;
	for (; *args != NULL; args++)
		if (addr_domain(name, *args) && strcmp(name, domain) == 0)
			return true;
	return false;
}

/* A run in a process of its own: of f->job, or else of the whole queue. */
static pid_t
run_apart(struct vigil *s)
{
	struct flush *f = s->f;
	pid_t pid, self = getpid();
	pid_t *more;

	more = recallocarray(s->pid, s->n, s->n + 1, sizeof(*more));
	if (more == NULL) {
		complain_errno(&f->complain, 0, "cannot start a run");
		return 0;
	}
	s->pid = more;
	if ((pid = fork()) == -1) {
		complain_errno(&f->complain, 0, "cannot start a run");
		return 0;
	}
	if (pid == 0) {
		flush_be_child(f, self);
		f->catch();
		if (s->trigger != -1)
			close(s->trigger);
		f->pulled = f->njob > 0;
		if (f->pulled || flush_find(f) == 0)
			run_jobs(f);
		_exit(f->status);
	}
	s->pid[s->n++] = pid;
	return pid;
}

static void
begin_due(struct vigil *s)
{
	char error[CONF_ERROR_MAX];
	struct flush *f = s->f;
	int64_t now = deadline_now();
	const char *domain;
	struct conf conf;
	struct job *job;
	bool fresh;

	if (agenda_due(s->agenda, s->whole != 0) > now)
		return;
	/* What was good yesterday is better than nothing. */
	if (conf_load(&conf, f->dir, error) == -1)
		complain(&f->complain, 0, "%s", error);
	else
		f->conf = conf;
	if (agenda_take_whole(s->agenda, s->whole != 0, now))
		s->whole = run_apart(s);
	while ((domain = agenda_take_domain(s->agenda, now, &fresh)) != NULL)
		if (is_among(f->args, domain)) {
			if ((job = flush_job(f, domain)) == NULL)
				break;
			job->whole = true;
			job->fresh = fresh;
		}
	if (f->njob > 0)
		(void)run_apart(s);
	flush_forget(f);
}

/* -1: it will not be better the next time. */
static int
reap_runs(struct vigil *s)
{
	int status;
	pid_t pid;
	size_t i;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (i = 0; i < s->n; i++)
			if (s->pid[i] == pid)
				s->pid[i--] = s->pid[--s->n];
		if (s->whole == pid)
			s->whole = 0;
		if (WIFEXITED(status) && WEXITSTATUS(status) == EX_USAGE) {
			flush_worsen(s->f, EX_USAGE);
			return -1;
		}
	}
	return 0;
}

/* Sleeps until something is due, a signal, or the trigger. */
static void
doze(struct vigil *s)
{
	int64_t due = agenda_due(s->agenda, s->whole != 0);
	struct pollfd pfd = { .fd = s->trigger, .events = POLLIN };
	bool deaf = deadline_left(s->deaf) != 0;
	char buf[65536];
	struct timespec left;
	ssize_t n;
	int ms;

	if (deaf)
		due = deadline_min(due, s->deaf);
	ms = deadline_left(due);
	left.tv_sec = ms / 1000;
	left.tv_nsec = ms % 1000 * 1000000L;
	if (ppoll(&pfd, deaf || s->trigger == -1 ? 0 : 1, &left,
	    s->f->open) != 1)
		return;
	/* However often it is pulled, it costs next to nothing. */
	s->deaf = deadline_in(TRIGGER_PAUSE);
	n = read(s->trigger, buf, sizeof(buf));
	if (n > 0)
		agenda_hear(s->agenda, buf, (size_t)n, deadline_now());
	/* A pipe that was full may have lost some. */
	if (n == sizeof(buf))
		agenda_whole(s->agenda);
	if (n == -1 && errno != EAGAIN)
		complain_errno(&s->f->complain, 0, "the trigger");
}

static void
end_runs(struct vigil *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		kill(s->pid[i], SIGTERM);
	for (i = 0; i < s->n; i++)
		while (waitpid(s->pid[i], NULL, 0) == -1 && errno == EINTR)
			continue;
}

void
vigil_keep(struct flush *f, int64_t seconds)
{
	struct vigil s = { .f = f };

	if ((s.agenda = agenda_new(seconds * 1000)) == NULL) {
		complain_errno(&f->complain, 1, NULL);
		return;
	}
	if ((s.trigger = spool_trigger_open(f->spool)) == -1)
		complain_errno(&f->complain, 0, "no trigger; running by the "
		    "clock alone");
	for (; !*f->end; doze(&s)) {
		if (*f->hangup) {
			*f->hangup = 0;
			agenda_whole(s.agenda);
		}
		if (reap_runs(&s) == -1)
			break;
		begin_due(&s);
	}
	end_runs(&s);
	agenda_free(s.agenda);
	free(s.pid);
}
