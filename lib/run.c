/* SPDX-License-Identifier: ISC */
#include "run.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"
#include "deliver.h"
#include "hosts.h"
#include "ledger.h"
#include "policy.h"
#include "scan.h"
#include "tls_client.h"
#include "turn.h"

#define SEATS		1000	/* workers at once: 0.1 MB each */
#define SPARE_FILES	64	/* descriptors for all but the workers */
#define BUSY		100	/* a worker's status: another has the domain */
#define PER_SERVER	5	/* of them deliver to one server */

struct worker {
	pid_t pid;		/* 0: none */
	const struct job *job;
};

struct run {
	struct flush *f;
	struct hosts *hosts;	/* what is known of them is good for one run */
	struct tls_client *tls;
	struct turns *turns;
	struct worker *worker;	/* by seat */
	size_t seats, nworker;
};

/* In the child: one domain, told by the exit status. */
static int
work(struct run *r, const struct job *job, struct turn *turn)
{
	struct flush *f = r->f;
	char error[CONF_ERROR_MAX];
	struct deliver_count count;
	struct settings settings;
	struct deliver_args args = {
		.conf = &f->conf, .spool = f->spool, .dns = f->dns,
		.hosts = r->hosts, .tls = r->tls, .turn = turn, .dry = f->dry,
		.interval = f->interval, .asked = job->asked,
		.ids = job->whole ? NULL : job->id, .progress = f->progress,
		.progress_arg = f->progress_arg
	};

	if (deliver_domain(&args, job->domain, &count) == 0) {
		if (count.busy)
			return BUSY;
		return count.waiting ? EX_TEMPFAIL : 0;
	}
	/* cron mails this; the log has the rest. */
	if (conf_domain(&f->conf, job->domain, &settings, NULL, error) ==
	    CONF_BROKEN) {
		complain(&f->complain, EX_CONFIG, "%s", error);
		return EX_CONFIG;
	}
	complain(&f->complain, 1, "%s: its part of the spool is in trouble; "
	    "see the log", job->domain);
	return 1;
}

static _Noreturn void
be_worker(struct run *r, const struct job *job, struct turn *turn,
    pid_t parent)
{
	flush_be_child(r->f, parent);
	turns_free(r->turns);
	_exit(work(r, job, turn));
}

/* The worker of a seat has ended. */
static void
reap(struct run *r, size_t seat)
{
	struct flush *f = r->f;
	pid_t pid = r->worker[seat].pid;
	int status;

	r->nworker--;
	r->worker[seat].pid = 0;
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR) {
			complain_errno(&f->complain, 1, "wait");
			return;
		}
	if (WIFSIGNALED(status))
		complain(&f->complain, 0, "a worker was ended by signal %d "
		    "(%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	/* Mail may have come after the other one looked. */
	if (WIFEXITED(status) && WEXITSTATUS(status) == BUSY) {
		if (f->pulled)
			(void)spool_trigger(f->spool,
			    r->worker[seat].job->domain, SPOOL_BUSY);
		flush_worsen(f, EX_TEMPFAIL);
	} else
		flush_worsen(f, WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/*
 * Mail that comes in is no reason to try a server known to be down, unless
 * that is long ago: nothing has waited since.
 */
static bool
is_worth_it(struct flush *f, const char *domain)
{
	struct domain d;
	time_t now = time(NULL);

	return ledger_load(f->spool, domain, &d) == -1 ||
	    d.state == DOMAIN_UP || d.state == DOMAIN_UNKNOWN ||
	    d.last_try > now || d.last_try + POLICY_FRESH < now;
}

enum start { STARTED, NOT_STARTED, NOT_YET };

/* NOT_YET: there is no room for another worker. */
static enum start
start(struct run *r, const struct job *job)
{
	struct flush *f = r->f;
	int waiting = scan_waiting(f->spool, job->domain);
	pid_t pid, self = getpid();
	struct turn turn = { .fd = -1 };
	char error[TLS_ERROR_MAX];
	size_t seat;

	if ((waiting == 0 && !job->asked) ||
	    (job->fresh && !is_worth_it(f, job->domain)))
		return NOT_STARTED;
	if (waiting == -1) {
		complain_errno(&f->complain, 1, "%s", job->domain);
		return NOT_STARTED;
	}
	/* One for all: a worker needs milliseconds to make its own. */
	if (r->tls == NULL && (r->tls = tls_client_new(
	    f->conf.tls_authorities, error)) == NULL)
		complain(&f->complain, 0, "%s", error);
	if ((turn.fd = turns_join(r->turns, &seat)) != -1 &&
	    (pid = fork()) != -1) {
		if (pid == 0)
			be_worker(r, job, &turn, self);
		close(turn.fd);
		r->worker[seat].pid = pid;
		r->worker[seat].job = job;
		r->nworker++;
		return STARTED;
	}
	if (r->nworker == 0)
		complain_errno(&f->complain, 1, "cannot start a worker");
	if (turn.fd != -1) {
		close(turn.fd);
		turns_leave(r->turns, seat);
	}
	return r->nworker == 0 ? NOT_STARTED : NOT_YET;
}

/* Starts all it can, and sees them through. */
static void
work_off(struct run *r)
{
	struct flush *f = r->f;
	enum start started;
	size_t i = 0, seat;

	while (!*f->end) {
		started = NOT_YET;
		if (i < f->njob)
			started = start(r, &f->job[i]);
		if (started != NOT_YET)
			i++;
		else if (r->nworker == 0)
			break;
		/* Those that are there already are heard meanwhile. */
		switch (turns_wait(r->turns, started == NOT_YET ?
		    DEADLINE_NEVER : deadline_now(), f->open, &seat)) {
		case -1:
			complain_errno(&f->complain, 1, "poll");
			return;
		case 1:
			reap(r, seat);
			break;
		}
	}
}

static void
end_workers(struct run *r)
{
	size_t i;

	for (i = 0; i < r->seats; i++)
		if (r->worker[i].pid != 0)
			kill(r->worker[i].pid, SIGTERM);
	for (i = 0; i < r->seats; i++)
		if (r->worker[i].pid != 0)
			while (waitpid(r->worker[i].pid, NULL, 0) == -1 &&
			    errno == EINTR)
				continue;
}

/* A descriptor for each worker. */
static size_t
count_seats(void)
{
	struct rlimit limit;
	rlim_t want = SEATS + SPARE_FILES;

	if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
		return 1;
	if (limit.rlim_cur < want) {
		limit.rlim_cur = limit.rlim_max < want ? limit.rlim_max : want;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
		if (getrlimit(RLIMIT_NOFILE, &limit) == -1)
			return 1;
	}
	if (limit.rlim_cur >= want)
		return SEATS;
	return limit.rlim_cur > SPARE_FILES ?
	    (size_t)limit.rlim_cur - SPARE_FILES : 1;
}

void
run_jobs(struct flush *f)
{
	struct run r = { .f = f, .seats = count_seats() };

	r.turns = turns_new(r.seats, (size_t)f->jobs, PER_SERVER);
	r.worker = calloc(r.seats, sizeof(*r.worker));
	r.hosts = hosts_new();
	if (r.turns == NULL || r.worker == NULL || r.hosts == NULL)
		complain_errno(&f->complain, 1, NULL);
	else {
		work_off(&r);
		end_workers(&r);
	}
	hosts_free(r.hosts);
	tls_client_free(r.tls);
	turns_free(r.turns);
	free(r.worker);
	flush_forget(f);
}
