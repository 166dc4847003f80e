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
#include <unistd.h>

#include "addr.h"
#include "conf.h"
#include "deadline.h"
#include "deliver.h"
#include "dns.h"
#include "duration.h"
#include "hosts.h"
#include "log.h"
#include "msgid.h"
#include "recipients.h"
#include "scan.h"
#include "spool.h"
#include "tls_client.h"
#include "turn.h"

#define SEATS		1000	/* workers at once: 0.1 MB each */
#define SPARE_FILES	64	/* descriptors for all but the workers */
#define PER_SERVER	5	/* of them deliver to one server */

#define CRON_INTERVAL	(15 * 60)	/* seconds, as mxkeep(7) has it */

struct job {
	char domain[ADDR_DOMAIN_MAX + 1];
	const char **id;
	size_t nid;
	bool whole;		/* not only its ids */
	bool asked;		/* somebody there is to be asked about */
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
	pid_t *worker;		/* by seat; 0: none */
	char **args;
	struct job *job;
	size_t njob;
	int status;
};

/* Signals come in while there is nothing to do, and at no other time. */
static volatile sig_atomic_t must_end;
static sigset_t no_signals;

static void
note_end(int sig)
{
	must_end = sig;
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
	if (deliver_domain(&args, job->domain, &count) == 0)
		return count.waiting ? EX_TEMPFAIL : 0;
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
	pid_t pid = f->worker[seat];
	int status;

	f->nworker--;
	f->worker[seat] = 0;
	while (waitpid(pid, &status, 0) == -1)
		if (errno != EINTR)
			err(1, "wait");
	if (WIFSIGNALED(status))
		warnx("a worker was ended by signal %d (%s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	worsen(f, WIFEXITED(status) ? WEXITSTATUS(status) : 1);
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

	if (waiting == 0 && !job->asked)
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
		f->worker[seat] = pid;
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
		if (f->worker[i] != 0)
			kill(f->worker[i], SIGTERM);
	for (i = 0; i < f->seats; i++)
		if (f->worker[i] != 0)
			while (waitpid(f->worker[i], NULL, 0) == -1 &&
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
	f->status = 0;
	if (*f->args != NULL)
		jobs_from_args(f);
	else {
		jobs_from_spool(f);
		if (recipients_asked_domains(f->spool, job_ask, f) == -1)
			warn("who is to be asked about");
	}
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

/* A byte in the trigger ends the sleep; many bytes are one reason. */
static void
doze(int trigger, int64_t seconds)
{
	struct pollfd pfd = { .fd = trigger, .events = POLLIN };
	char buf[4096];

	if (poll(&pfd, 1, deadline_left(deadline_in(seconds * 1000))) != 1)
		return;
	if ((pfd.revents & POLLIN) == 0)
		sleep(1);
	else if (read(trigger, buf, sizeof(buf)) == -1 && errno != EAGAIN)
		warn("the trigger");
}

/*
 * A run in a process of its own, awaited for SECONDS at most: one domain that
 * is slow must not keep the others from being tried.  True if it has ended.
 */
static bool
run_apart(struct flusher *f, int64_t seconds)
{
	int64_t deadline = deadline_in(seconds * 1000);
	struct pollfd pfd = { .events = POLLIN };
	int end[2], status, n;
	pid_t pid, self = getpid();

	if (pipe(end) == -1 || (pid = fork()) == -1)
		err(1, NULL);
	if (pid == 0) {
		become_child(self);
		catch_signals(note_end);
		run(f);
		_exit(f->status);
	}
	close(end[1]);
	/* Nobody writes: it ends when the run's last process does. */
	pfd.fd = end[0];
	while ((n = poll(&pfd, 1, deadline_left(deadline))) == -1 &&
	    errno == EINTR)
		continue;
	close(end[0]);
	if (n == 1 && waitpid(pid, &status, 0) == pid &&
	    WIFEXITED(status) && WEXITSTATUS(status) == EX_USAGE)
		exit(EX_USAGE);
	while (waitpid(-1, NULL, WNOHANG) > 0)
		continue;
	return n == 1;
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

static void
stay(struct flusher *f, int64_t seconds)
{
	int trigger = spool_trigger_open(f->spool);
	char error[CONF_ERROR_MAX];
	struct conf conf;

	if (trigger == -1)
		warn("no trigger; running by the clock alone");
	for (;;) {
		if (run_apart(f, seconds))
			doze(trigger, seconds);
		/* What was good yesterday is better than nothing. */
		if (conf_load(&conf, f->dir, error) == -1)
			warnx("%s", error);
		else
			f->conf = conf;
	}
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
	catch_signals(note_end);
	run(&f);
	dns_close(f.dns);
	spool_close(f.spool);
	return f.status;
}
