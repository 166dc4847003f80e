/* SPDX-License-Identifier: ISC */
#include <err.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "copy.h"
#include "desk.h"
#include "detail.h"
#include "duration.h"
#include "hand.h"
#include "listing.h"
#include "log.h"
#include "row.h"
#include "spool.h"
#include "submit.h"
#include "tally.h"

static _Noreturn void
usage(void)
{
	fputs("usage: mx-queue [-0jnqv] [-C dir] [list] [domain | id ...]\n"
	    "       mx-queue [-jv] [-C dir] show id ...\n"
	    "       mx-queue [-C dir] cat [-w] id ...\n"
	    "       mx-queue [-nqv] [-C dir] add -f sender recipient ...\n"
	    "       mx-queue [-0nqv] [-C dir] rm id ...\n"
	    "       mx-queue [-0nqv] [-C dir] bounce [-m why] id ...\n"
	    "       mx-queue [-0nqv] [-C dir] retry domain | id ...\n"
	    "       mx-queue [-0nqv] [-C dir] hold [-m why] [-u time]"
	    " domain | id ...\n"
	    "       mx-queue [-0nqv] [-C dir] release domain | id ...\n"
	    "       mx-queue [-j] [-C dir] stat [domain ...]\n"
	    "       mx-queue [-nqv] [-C dir] export domain directory\n"
	    "       mx-queue [-q] [-C dir] check [domain ...]\n", stderr);
	exit(EX_USAGE);
}

/* What was complained of. */
struct outcome {
	int last;		/* its status */
	int worst;		/* 75 (somebody else is at it) yields to 1 */
};

static void
hear(void *arg, int status, const char *text)
{
	struct outcome *o = arg;

	warnx("%s", text);
	if (status == 0)
		return;
	o->last = status;
	if (o->worst != 1)
		o->worst = status;
}

static const struct verb {
	const char *name;
	int (*run)(struct desk *d, char **arg);
	int min, max;		/* words behind it; -1: any number */
	const char *wants;
} verbs[] = {
	{ "list", listing_print, 0, -1, NULL },
	{ "show", detail_print, 1, -1, "an id" },
	{ "cat", copy_print, 1, -1, "an id" },
	{ "add", submit_message, 1, -1, "-f with a sender, and a recipient" },
	{ "rm", hand_remove, 1, -1, "an id" },
	{ "bounce", hand_return, 1, -1, "an id" },
	{ "retry", hand_retry, 1, -1, "an id or a domain" },
	{ "hold", hand_hold, 1, -1, "an id or a domain" },
	{ "release", hand_release, 1, -1, "an id or a domain" },
	{ "stat", tally_print, 0, -1, NULL },
	{ "export", copy_export, 2, 2, "a domain and a directory" },
	{ "check", tally_check, 0, -1, NULL },
};

static const struct verb *
find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (name != NULL && strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
}

static int
run(const struct verb *verb, struct desk *d, char **arg)
{
	int n = 0;

	while (arg[n] != NULL)
		n++;
	if (n < verb->min || (verb->max != -1 && n > verb->max) ||
	    (verb->run == submit_message && d->sender == NULL)) {
		warnx("expected %s", verb->wants);
		usage();
	}
	return verb->run(d, arg);
}

/* "2h" from now, or a time as mx-queue prints it. */
static time_t
parse_until(const char *text, time_t now)
{
	int64_t seconds;
	struct tm tm = { 0 };
	const char *end;
	time_t t;

	if (duration_parse(&seconds, text))
		return now + (time_t)seconds;
	end = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &tm);
	if (end == NULL || *end != '\0' || (t = timegm(&tm)) <= now)
		errx(EX_USAGE, "%s: expected a duration as 2h, or a time to "
		    "come as 2026-01-31T06:00:00Z", text);
	return t;
}

static void
options(struct desk *d, int argc, char *argv[], const char **dir,
    int *verbose)
{
	int ch;

	/* "+": what stands behind the verb is its own. */
	while ((ch = getopt(argc, argv, "+0C:f:jm:nqu:vw")) != -1)
		switch (ch) {
		case '0':
			d->nul = true;
			break;
		case 'C':
			*dir = optarg;
			break;
		case 'f':
			d->sender = optarg;
			break;
		case 'j':
			d->row.style = ROW_JSON;
			break;
		case 'm':
			d->why = optarg;
			break;
		case 'n':
			d->dry = true;
			break;
		case 'q':
			d->quiet = true;
			break;
		case 'u':
			d->until = parse_until(optarg, d->now);
			break;
		case 'v':
			*verbose = 1;
			break;
		case 'w':
			d->wire = true;
			break;
		default:
			usage();
		}
}

int
main(int argc, char *argv[])
{
	static struct desk d;
	static struct outcome outcome;
	const struct verb *verb;
	const char *dir = CONF_DIR;
	char error[CONF_ERROR_MAX];
	int verbose = 0, result;

	d.now = time(NULL);
	d.in = stdin;
	d.complain = (struct complain){ hear, &outcome };
	outlook_init(&d.outlook);
	row_init(&d.row, stdout, row_style_for(stdout));
	options(&d, argc, argv, &dir, &verbose);
	argc -= optind;
	argv += optind;
	if ((verb = find_verb(argv[0])) != NULL) {
		optind = 1;
		options(&d, argc, argv, &dir, &verbose);
		argv += optind;
	} else
		verb = &verbs[0];
	signal(SIGXFSZ, SIG_IGN);
	log_open("mx-queue", verbose ? LOG_TARGET_STDERR :
	    LOG_TARGET_SYSLOG, verbose);
	if (conf_load(&d.conf, dir, error) == -1)
		errx(EX_CONFIG, "%s", error);
	if (spool_become_owner(d.conf.spool, error) == -1)
		errx(EX_CONFIG, "%s", error);
	if ((d.spool = spool_open(d.conf.spool, error)) == NULL)
		errx(EX_CONFIG, "%s", error);
	result = run(verb, &d, argv) == -1 ? outcome.last : outcome.worst;
	if (fflush(stdout) != 0 || ferror(stdout))
		err(1, "standard output");
	outlook_clear(&d.outlook);
	spool_close(d.spool);
	return result;
}
