/* SPDX-License-Identifier: ISC */
#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "conf.h"
#include "deadline.h"
#include "dns.h"
#include "duration.h"
#include "flush.h"
#include "log.h"
#include "run.h"
#include "spool.h"
#include "vigil.h"

#define CRON_INTERVAL	(15 * 60)	/* seconds, as mxkeep(7) has it */

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

static void
catch_end(void)
{
	catch_signals(note_end);
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

static void
hear(void *arg, int status, const char *text)
{
	warnx("%s", text);
	if (status != 0)
		flush_worsen(arg, status);
}

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

static void
open_all(struct flush *f)
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
	if (f->conf.trust_ad)
		dns_trust_ad(f->dns);
}

struct options {
	bool quiet, verbose;
	int64_t seconds;	/* -w; 0: one run */
};

static void
read_options(struct flush *f, struct options *o, int argc, char *argv[])
{
	const char *error;
	int ch;

	while ((ch = getopt(argc, argv, "C:j:nqvw:")) != -1) {
		switch (ch) {
		case 'C':
			f->dir = optarg;
			break;
		case 'j':
			f->jobs = (int)strtonum(optarg, 1, 1000, &error);
			if (error != NULL)
				errx(EX_USAGE, "-j %s: expected a number "
				    "from 1 to 1000", optarg);
			break;
		case 'n':
			f->dry = true;
			break;
		case 'q':
			o->quiet = true;
			break;
		case 'v':
			o->verbose = true;
			break;
		case 'w':
			if (!duration_parse(&o->seconds, optarg) ||
			    o->seconds < 1)
				errx(EX_USAGE, "-w %s: expected seconds, or "
				    "a duration as 15m", optarg);
			break;
		default:
			usage();
		}
	}
	f->args = argv + optind;
	f->interval = o->seconds > 0 ? o->seconds : CRON_INTERVAL;
}

int
main(int argc, char *argv[])
{
	static struct flush f = { .dir = CONF_DIR, .jobs = 10,
		.end = &must_end, .hangup = &hung_up, .open = &no_signals,
		.catch = catch_end };
	struct options o = { 0 };
	int64_t next = 0;

	read_options(&f, &o, argc, argv);
	signal(SIGPIPE, SIG_IGN);
	log_open("mx-flush", o.verbose || f.dry ? LOG_TARGET_STDERR :
	    LOG_TARGET_SYSLOG, o.verbose);
	f.complain = (struct complain){ hear, &f };
	/* With -v the log's lines are there, and say more. */
	if (isatty(STDERR_FILENO) && !o.quiet && !o.verbose)
		f.progress = progress;
	f.progress_arg = &next;
	open_all(&f);
	if (o.seconds > 0) {
		catch_signals(note_hangup);
		vigil_keep(&f, o.seconds);
	} else {
		catch_end();
		if (flush_find(&f) == 0)
			run_jobs(&f);
		if (must_end)
			end_by_signal();
	}
	flush_forget(&f);
	dns_close(f.dns);
	spool_close(f.spool);
	return f.status;
}
