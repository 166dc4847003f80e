/* SPDX-License-Identifier: ISC */
#ifdef __linux__
#include <sys/prctl.h>
#endif
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
#include "scan.h"
#include "spool.h"

struct job {
	char domain[ADDR_DOMAIN_MAX + 1];
	const char **id;
	size_t nid;
	bool whole;		/* not only its ids */
};

struct flusher {
	const char *dir;
	struct conf conf;
	struct spool *spool;
	struct dns *dns;
	struct hosts *hosts;
	bool dry, quiet, verbose;
	int jobs;
	char **args;
	struct job *job;
	size_t njob;
	int status;
};

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
work(struct flusher *f, const struct job *job)
{
	char error[CONF_ERROR_MAX];
	struct deliver_count count;
	struct settings settings;
	int64_t next = 0;
	struct deliver_args args = {
		.conf = &f->conf, .spool = f->spool, .dns = f->dns,
		.hosts = f->hosts, .dry = f->dry,
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

static void
die_with_parent(void)
{
#ifdef __linux__
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
}

static void
reap(struct flusher *f, int *running)
{
	int status;

	if (wait(&status) == -1) {
		if (errno == EINTR)
			return;
		err(1, "wait");
	}
	(*running)--;
	if (WIFSIGNALED(status))
		warnx("a worker was ended by signal %d (%s)",
		    WTERMSIG(status), strsignal(WTERMSIG(status)));
	worsen(f, WIFEXITED(status) ? WEXITSTATUS(status) : 1);
}

/* True if JOB became a process. */
static bool
start(struct flusher *f, const struct job *job)
{
	int waiting = scan_waiting(f->spool, job->domain);
	pid_t pid;

	if (waiting == 0)
		return false;
	if (waiting == -1)
		warn("%s", job->domain);
	else if ((pid = fork()) == -1)
		warn("fork");
	else if (pid > 0)
		return true;
	else {
		die_with_parent();
		_exit(work(f, job));
	}
	worsen(f, 1);
	return false;
}

static void
run(struct flusher *f)
{
	int running = 0;
	size_t i;

	f->status = 0;
	if (*f->args != NULL)
		jobs_from_args(f);
	else
		jobs_from_spool(f);
	/* What is known of hosts is good for one run. */
	if ((f->hosts = hosts_new()) == NULL)
		err(1, NULL);
	for (i = 0; i < f->njob; i++) {
		while (running >= f->jobs)
			reap(f, &running);
		if (start(f, &f->job[i]))
			running++;
	}
	while (running > 0)
		reap(f, &running);
	hosts_free(f->hosts);
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
	pid_t pid;

	if (pipe(end) == -1 || (pid = fork()) == -1)
		err(1, NULL);
	if (pid == 0) {
		die_with_parent();
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
	signal(SIGPIPE, SIG_IGN);
	log_open("mx-flush", f.verbose || f.dry ? LOG_TARGET_STDERR :
	    LOG_TARGET_SYSLOG, f.verbose);
	open_all(&f);
	if (seconds > 0)
		stay(&f, seconds);
	run(&f);
	dns_close(f.dns);
	spool_close(f.spool);
	return f.status;
}
