/* SPDX-License-Identifier: ISC */
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/resource.h>
#include <sys/wait.h>
#include <err.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "addr.h"
#include "agenda.h"
#include "conf.h"
#include "deadline.h"
#include "deliver.h"
#include "dns.h"
#include "duration.h"
#include "hosts.h"
#include "ledger.h"
#include "log.h"
#include "msgid.h"
#include "policy.h"
#include "recipients.h"
#include "scan.h"
#include "spool.h"
#include "tls_client.h"
#include "turn.h"

#define SEATS		1000	/* workers at once: 0.1 MB each */
#define SPARE_FILES	64	/* descriptors for all but the workers */
#define BUSY		100	/* a worker's status: another has the domain */
#define TRIGGER_PAUSE	100	/* milliseconds, between two looks at it */
#define PER_SERVER	5	/* of them deliver to one server */

#define CRON_INTERVAL	(15 * 60)	/* seconds, as mxkeep(7) has it */

struct job {
	char domain[ADDR_DOMAIN_MAX + 1];
	const char **id;
	size_t nid;
	bool whole;		/* not only its ids */
	bool asked;		/* somebody there is to be asked about */
	bool fresh;		/* for the sake of mail that just came */
};

struct flusher {
	const char *dir;
	struct conf conf;
	struct spool *spool;
	struct dns *dns;
	struct hosts *hosts;
	struct tls_client *tls;
	bool dry, quiet, verbose;
	int64_t interval;	/* seconds from one run to the next */
	int jobs;
	struct turns *turns;
	size_t seats, nworker;
	struct worker {
		pid_t pid;	/* 0: none */
		const struct job *job;
	} *worker;		/* by seat */
	bool pulled;		/* the trigger began this run */
	char **args;
	struct job *job;
	size_t njob;
	int status;
};

/* Signals come in while there is nothing to do, and at no other time. */
static volatile sig_atomic_t must_end, hung_up;
static sigset_t no_signals;

static void
note_end(int sig)
{
	must_end = sig;
}

static void
note_hangup(int sig)
{
	(void)sig;
	hung_up = 1;
}

/* For what is only to end a sleep. */
static void
note_nothing(int sig)
{
	(void)sig;
}

static void
on_signal(int sig, void (*handler)(int), sigset_t *block)
{
	struct sigaction sa = { .sa_handler = handler };

	sigemptyset(&sa.sa_mask);
	sigaction(sig, &sa, NULL);
	sigaddset(block, sig);
}

static void
catch_signals(void (*hangup)(int))
{
	sigset_t block;

	sigemptyset(&no_signals);
	sigemptyset(&block);
	on_signal(SIGTERM, note_end, &block);
	on_signal(SIGINT, note_end, &block);
	on_signal(SIGHUP, hangup, &block);
	on_signal(SIGCHLD, note_nothing, &block);
	sigprocmask(SIG_SETMASK, &block, NULL);
}

/* What was to end us does. */
static void
end_by_signal(void)
{
	signal(must_end, SIG_DFL);
	raise(must_end);
	sigprocmask(SIG_SETMASK, &no_signals, NULL);
}

static _Noreturn void
usage(void)
{
	fprintf(stderr, "usage: mx-flush [-nqv] [-C dir] [-j jobs] "
	    "[-w seconds] [domain | id ...]\n");
	exit(EX_USAGE);
}

/* The gravest of what happened is the exit status. */
static void
worsen(struct flusher *f, int status)
{
	static const int order[] = { 0, EX_TEMPFAIL, 1, EX_CONFIG };
	size_t i, was = 0, now = 2;

	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (order[i] == f->status)
			was = i;
		if (order[i] == status)
			now = i;
	}
	if (now > was)
		f->status = order[now];
}

/*** Who is to be flushed ***/

static struct job *
job_get(struct flusher *f, const char *domain)
{
	struct job *job;
	size_t i;

	for (i = 0; i < f->njob; i++)
		if (strcmp(f->job[i].domain, domain) == 0)
			return &f->job[i];
	job = recallocarray(f->job, f->njob, f->njob + 1, sizeof(*job));
	if (job == NULL)
		err(1, NULL);
	f->job = job;
	job = &f->job[f->njob++];
	(void)strlcpy(job->domain, domain, sizeof(job->domain));
	return job;
}

static void
job_add_id(struct job *job, const char *id)
{
	/* One more than there are: NULL ends the list. */
	job->id = recallocarray(job->id, job->nid == 0 ? 0 : job->nid + 1,
	    job->nid + 2, sizeof(*job->id));
	if (job->id == NULL)
		err(1, NULL);
	job->id[job->nid++] = id;
}

static bool
is_known(struct flusher *f, const char *domain)
{
	char error[CONF_ERROR_MAX];
	struct settings settings;

	return scan_waiting(f->spool, domain) != 0 || conf_domain(&f->conf,
	    domain, &settings, NULL, error) != CONF_NO;
}

/* The slip of a finger must not look like an empty queue. */
static void
warn_unknown(struct flusher *f, const char *domain)
{
	if (!is_known(f, domain))
		warnx("%s: not in %s/domains, and nothing waits for it",
		    domain, f->conf.dir);
}

static void
jobs_from_args(struct flusher *f)
{
	char domain[ADDR_DOMAIN_MAX + 1];
	struct scan_found where;
	struct msgid id;
	char **arg;
	bool name;
	int found;

	for (arg = f->args; *arg != NULL; arg++) {
		name = addr_domain(domain, *arg);
		found = scan_find(f->spool, *arg, &where);
		/* 360.com.cn has the form of an id, too. */
		if (found == 0 && (!msgid_parse(&id, *arg) ||
		    (name && is_known(f, domain)))) {
			if (!name)
				errx(EX_USAGE, "%s: neither a domain nor an id",
				    *arg);
			job_get(f, domain)->whole = true;
			warn_unknown(f, domain);
			continue;
		}
		if (found == -1)
			warn("%s", *arg);
		else if (found == 0)
			warnx("%s: no such message", *arg);
		if (found == 1)
			job_add_id(job_get(f, where.domain), *arg);
		else
			worsen(f, 1);
	}
}

/* All domains; spool_domains has them sorted, and each once. */
static void
jobs_from_spool(struct flusher *f)
{
	char **domains;
	size_t i, n;

	if ((domains = spool_domains(f->spool)) == NULL) {
		warn("%s", f->conf.spool);
		worsen(f, 1);
		return;
	}
	for (n = 0; domains[n] != NULL; n++)
		continue;
	if (n > 0 && (f->job = calloc(n, sizeof(*f->job))) == NULL)
		err(1, NULL);
	for (i = 0; i < n; i++)
		if (strlcpy(f->job[f->njob].domain, domains[i],
		    sizeof(f->job->domain)) < sizeof(f->job->domain))
			f->job[f->njob++].whole = true;
	free(domains);
}

static int
job_ask(const char *domain, void *arg)
{
	char error[CONF_ERROR_MAX];
	struct settings settings;
	struct flusher *f = arg;
	struct job *job;

	/* It may not be ours any more. */
	if (conf_domain(&f->conf, domain, &settings, NULL, error) !=
	    CONF_YES || settings.recipients != CONF_VERIFY)
		return 0;
	job = job_get(f, domain);
	job->whole = job->asked = true;
	return 0;
}

static void
find_jobs(struct flusher *f)
{
	if (*f->args != NULL)
		jobs_from_args(f);
	else {
		jobs_from_spool(f);
		if (recipients_asked_domains(f->spool, job_ask, f) == -1)
			warn("who is to be asked about");
	}
}

static void
jobs_free(struct flusher *f)
{
	size_t i;

	for (i = 0; i < f->njob; i++)
		free(f->job[i].id);
	free(f->job);
	f->job = NULL;
	f->njob = 0;
}

/*** The workers ***/

static void
progress(void *arg, const char *domain, size_t done, size_t total)
{
	int64_t *next = arg;

	if (done < total && deadline_left(*next) > 0)
		return;
	*next = deadline_in(100);
	fprintf(stderr, "\r%s: %zu of %zu%s", domain, done, total,
	    done == total ? "\n" : "");
}

/* In the child: one domain, told by the exit status. */
static int
work(struct flusher *f, const struct job *job, struct turn *turn)
{
	char error[CONF_ERROR_MAX];
	struct deliver_count count;
	struct settings settings;
	int64_t next = 0;
	struct deliver_args args = {
		.conf = &f->conf, .spool = f->spool, .dns = f->dns,
		.hosts = f->hosts, .tls = f->tls, .turn = turn, .dry = f->dry,
		.interval = f->interval, .asked = job->asked,
		.ids = job->whole ? NULL : job->id,
		.progress_arg = &next
	};

	/* With -v the log's lines are there, and say more. */
	if (isatty(STDERR_FILENO) && !f->quiet && !f->verbose)
		args.progress = progress;
	if (deliver_domain(&args, job->domain, &count) == 0) {
		if (count.busy)
			return BUSY;
		return count.waiting ? EX_TEMPFAIL : 0;
	}
	/* cron mails this; the log has the rest. */
	if (conf_domain(&f->conf, job->domain, &settings, NULL, error) ==
	    CONF_BROKEN) {
		warnx("%s", error);
		return EX_CONFIG;
	}
	warnx("%s: its part of the spool is in trouble; see the log",
	    job->domain);
	return 1;
}

/* What is ours alone is put away, and what ends us is let in. */
static void
become_child(pid_t parent)
{
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
#ifdef __linux__
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
	if (getppid() != parent)
		_exit(1);
	sigprocmask(SIG_SETMASK, &no_signals, NULL);
}

static _Noreturn void
be_worker(struct flusher *f, const struct job *job, struct turn *turn,
    pid_t parent)
{
	become_child(parent);
	turns_free(f->turns);
	_exit(work(f, job, turn));
}

/* The worker of a seat has ended. */
static void
reap(struct flusher *f, size_t seat)
{
	pid_t pid = f->worker[seat].pid;
	int status;

	f->nworker--;
	f->worker[seat].pid = 0;
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			err(1, "wait");
	if (WIFSIGNALED(status))
		warnx("a worker was ended by signal %d (%s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	/* Mail may have come after the other one looked. */
	if (WIFEXITED(status) && WEXITSTATUS(status) == BUSY) {
		if (f->pulled)
			(void)spool_trigger(f->spool,
			    f->worker[seat].job->domain, SPOOL_BUSY);
		worsen(f, EX_TEMPFAIL);
	} else
		worsen(f, WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/*
 * Mail that comes in is no reason to try a server known to be down, unless
 * that is long ago: nothing has waited since.
 */
static bool
is_worth_it(struct flusher *f, const char *domain)
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
start(struct flusher *f, const struct job *job)
{
	int waiting = scan_waiting(f->spool, job->domain);
	pid_t pid, self = getpid();
	struct turn turn = { .fd = -1 };
	char error[TLS_ERROR_MAX];
	size_t seat;

	if ((waiting == 0 && !job->asked) ||
	    (job->fresh && !is_worth_it(f, job->domain)))
		return NOT_STARTED;
	if (waiting == -1) {
		warn("%s", job->domain);
		worsen(f, 1);
		return NOT_STARTED;
	}
	/* One for all: a worker needs milliseconds to make its own. */
	if (f->tls == NULL && (f->tls = tls_client_new(
	    f->conf.tls_authorities, error)) == NULL)
		warnx("%s", error);
	if ((turn.fd = turns_join(f->turns, &seat)) != -1 &&
	    (pid = fork()) != -1) {
		if (pid == 0)
			be_worker(f, job, &turn, self);
		close(turn.fd);
		f->worker[seat].pid = pid;
		f->worker[seat].job = job;
		f->nworker++;
		return STARTED;
	}
	if (f->nworker == 0) {
		warn("cannot start a worker");
		worsen(f, 1);
	}
	if (turn.fd != -1) {
		close(turn.fd);
		turns_leave(f->turns, seat);
	}
	return f->nworker == 0 ? NOT_STARTED : NOT_YET;
}

/* Starts all it can, and sees them through. */
static void
work_off(struct flusher *f)
{
	enum start started;
	size_t i = 0, seat;

	while (!must_end) {
		started = NOT_YET;
		if (i < f->njob)
			started = start(f, &f->job[i]);
		if (started != NOT_YET)
			i++;
		else if (f->nworker == 0)
			break;
		/* Those that are there already are heard meanwhile. */
		switch (turns_wait(f->turns, started == NOT_YET ?
		    DEADLINE_NEVER : deadline_now(), &no_signals, &seat)) {
		case -1:
			err(1, "poll");
		case 1:
			reap(f, seat);
			break;
		}
	}
}

static void
end_workers(struct flusher *f)
{
	size_t i;

	for (i = 0; i < f->seats; i++)
		if (f->worker[i].pid != 0)
			kill(f->worker[i].pid, SIGTERM);
	for (i = 0; i < f->seats; i++)
		if (f->worker[i].pid != 0)
			while (waitpid(f->worker[i].pid, NULL, 0) == -1 &&
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

static void
run(struct flusher *f)
{
	/* What is known of hosts is good for one run. */
	f->seats = count_seats();
	f->turns = turns_new(f->seats, (size_t)f->jobs, PER_SERVER);
	f->worker = calloc(f->seats, sizeof(*f->worker));
	f->hosts = hosts_new();
	if (f->turns == NULL || f->worker == NULL || f->hosts == NULL)
		err(1, NULL);
	work_off(f);
	if (must_end) {
		end_workers(f);
		end_by_signal();
	}
	hosts_free(f->hosts);
	tls_client_free(f->tls);
	f->tls = NULL;
	turns_free(f->turns);
	free(f->worker);
	jobs_free(f);
}

/*** Once, or again and again ***/

struct stay {
	struct flusher *f;
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
run_apart(struct stay *s)
{
	struct flusher *f = s->f;
	pid_t pid, self = getpid();
	pid_t *more;

	more = recallocarray(s->pid, s->n, s->n + 1, sizeof(*more));
	if (more == NULL)
		err(1, NULL);
	s->pid = more;
	if ((pid = fork()) == -1) {
		warn("cannot start a run");
		return 0;
	}
	if (pid == 0) {
		become_child(self);
		catch_signals(note_end);
		if (s->trigger != -1)
			close(s->trigger);
		if (f->njob == 0)
			find_jobs(f);
		else
			f->pulled = true;
		run(f);
		_exit(f->status);
	}
	s->pid[s->n++] = pid;
	return pid;
}

static void
begin_due(struct stay *s)
{
	char error[CONF_ERROR_MAX];
	struct flusher *f = s->f;
	int64_t now = deadline_now();
	const char *domain;
	struct conf conf;
	bool fresh;

	if (agenda_due(s->agenda, s->whole != 0) > now)
		return;
	/* What was good yesterday is better than nothing. */
	if (conf_load(&conf, f->dir, error) == -1)
		warnx("%s", error);
	else
		f->conf = conf;
	if (agenda_take_whole(s->agenda, s->whole != 0, now))
		s->whole = run_apart(s);
	while ((domain = agenda_take_domain(s->agenda, now, &fresh)) != NULL)
		if (is_among(f->args, domain)) {
			job_get(f, domain)->whole = true;
			job_get(f, domain)->fresh = fresh;
		}
	if (f->njob > 0)
		(void)run_apart(s);
	jobs_free(f);
}

static void
reap_runs(struct stay *s)
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
		/* It will not be better the next time. */
		if (WIFEXITED(status) && WEXITSTATUS(status) == EX_USAGE)
			exit(EX_USAGE);
	}
}

/* Sleeps until something is due, a signal, or the trigger. */
static void
doze(struct stay *s)
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
	    &no_signals) != 1)
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
		warn("the trigger");
}

static void
end_runs(struct stay *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		kill(s->pid[i], SIGTERM);
	for (i = 0; i < s->n; i++)
		while (waitpid(s->pid[i], NULL, 0) == -1 && errno == EINTR)
			continue;
}

static void
stay(struct flusher *f, int64_t seconds)
{
	struct stay s = { .f = f };

	if ((s.agenda = agenda_new(seconds * 1000)) == NULL)
		err(1, NULL);
	if ((s.trigger = spool_trigger_open(f->spool)) == -1)
		warn("no trigger; running by the clock alone");
	catch_signals(note_hangup);
	for (; !must_end; doze(&s)) {
		if (hung_up)
			agenda_whole(s.agenda);
		hung_up = 0;
		reap_runs(&s);
		begin_due(&s);
	}
	end_runs(&s);
	agenda_free(s.agenda);
	free(s.pid);
}

static void
open_all(struct flusher *f)
{
	char error[CONF_ERROR_MAX];

	if (conf_load(&f->conf, f->dir, error) == -1)
		errx(EX_CONFIG, "%s", error);
	if (spool_become_owner(f->conf.spool, error) == -1 ||
	    (f->spool = spool_open(f->conf.spool, error)) == NULL)
		errx(EX_CONFIG, "%s", error);
	f->dns = dns_open(f->conf.resolver, f->conf.nresolver, NULL);
	if (f->dns == NULL)
		err(1, "resolver");
}

int
main(int argc, char *argv[])
{
	struct flusher f = { .dir = CONF_DIR, .jobs = 10 };
	const char *error;
	int64_t seconds = 0;
	int ch;

	while ((ch = getopt(argc, argv, "C:j:nqvw:")) != -1) {
		switch (ch) {
		case 'C':
			f.dir = optarg;
			break;
		case 'j':
			f.jobs = (int)strtonum(optarg, 1, 1000, &error);
			if (error != NULL)
				errx(EX_USAGE, "-j %s: expected a number "
				    "from 1 to 1000", optarg);
			break;
		case 'n':
			f.dry = true;
			break;
		case 'q':
			f.quiet = true;
			break;
		case 'v':
			f.verbose = true;
			break;
		case 'w':
			if (!duration_parse(&seconds, optarg) || seconds < 1)
				errx(EX_USAGE, "-w %s: expected seconds, or "
				    "a duration as 15m", optarg);
			break;
		default:
			usage();
		}
	}
	f.args = argv + optind;
	f.interval = seconds > 0 ? seconds : CRON_INTERVAL;
	signal(SIGPIPE, SIG_IGN);
	log_open("mx-flush", f.verbose || f.dry ? LOG_TARGET_STDERR :
	    LOG_TARGET_SYSLOG, f.verbose);
	open_all(&f);
	if (seconds > 0)
		stay(&f, seconds);
	else {
		catch_signals(note_end);
		find_jobs(&f);
		run(&f);
	}
	dns_close(f.dns);
	spool_close(f.spool);
	return f.status;
}
