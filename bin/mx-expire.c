/* SPDX-License-Identifier: ISC */
#include <err.h>
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "conf.h"
#include "dsn.h"
#include "duration.h"
#include "header.h"
#include "ledger.h"
#include "log.h"
#include "message.h"
#include "scan.h"
#include "spool.h"
#include "sweep.h"

/* Longer than any session may last, so what is swept is dead. */
#define SWEEP_AGE	(36 * 3600)
/* Copies of mail that was lost unheard. */
#define WITHHELD_KEEP	(7 * 86400)
/* After that nobody asks why a report to a stranger took so long. */
#define STRANGER_KEEP	(7 * 86400)
/* Two runs further apart than this make the clock suspect. */
#define CLOCK_FORWARD	(7 * 86400)
#define CLOCK_BACK	3600

struct run {
	struct conf conf;
	struct spool *spool;
	bool dry;
	bool talk;		/* tell standard output of each */
	time_t now;
	size_t expired, left;	/* messages */
	int result;
};

static void
usage(void)
{
	fputs("usage: mx-expire [-fnqv] [-C dir] [domain ...]\n", stderr);
	exit(EX_USAGE);
}

static void
tell(const struct run *r, const char *what, const char *why)
{
	if (r->talk)
		printf("%s: %s%s\n", what, r->dry ? "would remove: " : "",
		    why);
}

/* What is wrong with one domain must not keep the others from it. */
static void
skip(struct run *r, const char *domain)
{
	warn("%s: left as it is", domain);
	r->result = 1;
}

/* A message past its time, under our lock. */
static int
expire_message(struct run *r, const struct settings *s,
    struct message *m)
{
	enum dsn_result told;
	bool keep = s->keep > 0 || dsn_is_silenced(&m->envelope);

	told = dsn_send(&r->conf, r->spool, m, s->bounce ? DSN_EXPIRED :
	    DSN_RELAYED);
	if (told == DSN_LATER)
		return -1;
	log_info("expired id=%s domain=%s report=%s", m->entry.id, m->domain,
	    told == DSN_SENT ? "yes" : "no");
	r->expired++;
	if (keep || told == DSN_WITHHELD)
		return message_move(r->spool, m, SPOOL_EXPIRED);
	return message_remove(r->spool, m);
}

/* FULL is when it expires if it is no report. */
static void
visit_message(struct run *r, const struct settings *s, const char *domain,
    const struct scan_entry *e, time_t full)
{
	struct message m;
	const char *why;

	switch (message_open(r->spool, domain, e, !r->dry, &m, &why)) {
	case MESSAGE_OPENED:
		break;
	case MESSAGE_GONE:
	case MESSAGE_VOIDED:
	case MESSAGE_BUSY:
		return;
	case MESSAGE_DAMAGED:
		warnx("%s: damaged, kept: %s", e->id, why);
		r->result = 1;
		return;
	case MESSAGE_ERROR:
		warn("%s", e->id);
		r->result = 1;
		return;
	}
	/* Among strangers' reports there may be mail of a former customer. */
	if (strcmp(m.envelope.protocol, "report") != 0 && full > r->now) {
		r->left++;
		message_close(&m);
		return;
	}
	tell(r, e->id, "its time is over");
	if (!r->dry && expire_message(r, s, &m) == -1) {
		warn("%s: kept", e->id);
		r->result = EX_TEMPFAIL;
	}
	message_close(&m);
}

/* What nobody was told of is kept for a while even where nothing else is. */
static int64_t
copy_life(const struct settings *s, const struct scan_entry *e)
{
	return s->keep == 0 && e->folder == SPOOL_EXPIRED ? WITHHELD_KEEP :
	    s->keep;
}

/* Copies kept after delivery or failure have served their time. */
static void
drop_copies(struct run *r, const struct settings *s, const char *domain)
{
	struct scan_entry *e;
	struct message m;
	const char *why;
	size_t n;
	time_t age;

	if (scan_sorted(r->spool, domain, 1 << SPOOL_SENT |
	    1 << SPOOL_EXPIRED, &e, &n) == -1) {
		skip(r, domain);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		if (message_open(r->spool, domain, &e[i], !r->dry, &m,
		    &why) != MESSAGE_OPENED)
			continue;
		age = r->now - message_changed(&m);
		if (age > copy_life(s, &e[i])) {
			tell(r, e[i].id, "a copy kept long enough");
			if (!r->dry && message_remove(r->spool, &m) == -1)
				warn("%s", e[i].id);
		}
		message_close(&m);
	}
	free(e);
}

static void
swept(const char *path, const char *why, void *arg)
{
	tell(arg, path, why);
}

/* Reports go to whole worlds of domains, most of them once. */
static void
leave_stranger(struct run *r, const char *domain)
{
	if (sweep_domain(r->spool, domain, STRANGER_KEEP, r->dry, swept,
	    r) == -1)
		skip(r, domain);
}

static void
visit_domain(struct run *r, const char *domain)
{
	char error[CONF_ERROR_MAX];
	struct settings s;
	struct ledger_holds *holds;
	struct scan_entry *e;
	enum conf_match match;
	int64_t life, held;
	size_t n;

	match = conf_domain(&r->conf, domain, &s, NULL, error);
	if (match == CONF_BROKEN) {
		warnx("%s", error);
		r->result = EX_CONFIG;
		return;
	}
	life = match == CONF_NO ? conf_report_expire(&s) : s.expire;
	if ((holds = ledger_holds_load(r->spool, domain)) == NULL) {
		skip(r, domain);
		return;
	}
	if (scan_sorted(r->spool, domain, SCAN_WAITING, &e, &n) == -1) {
		skip(r, domain);
		ledger_holds_free(holds);
		return;
	}
	for (size_t i = 0; i < n; i++) {
		/* Sorted by arrival, and a hold only makes it later. */
		if (e[i].msgid.time + life > r->now) {
			r->left += n - i;
			break;
		}
		held = ledger_held_seconds(holds, e[i].id,
		    e[i].msgid.time, r->now);
		if (e[i].msgid.time + life + held > r->now)
			r->left++;
		else
			visit_message(r, &s, domain, &e[i],
			    e[i].msgid.time + s.expire + held);
	}
	ledger_holds_free(holds);
	free(e);
	drop_copies(r, &s, domain);
	if (!r->dry && spool_sync_domain(r->spool, domain) == -1)
		warn("%s", domain);
	if (match == CONF_NO)
		leave_stranger(r, domain);
}

/*
 * A clock that jumped since the last run must expire nothing.  After a gap
 * that is real, the next run finds this one's time and goes on.
 */
static bool
clock_is_sane(const struct run *r)
{
	char a[HEADER_DATE_MAX], b[HEADER_DATE_MAX];
	time_t last = sweep_last_run(r->spool);

	if (last == 0 || (r->now >= last - CLOCK_BACK &&
	    r->now <= last + CLOCK_FORWARD))
		return true;
	header_rfc3339(a, last);
	header_rfc3339(b, r->now);
	warnx("the clock says %s, at the last run it said %s: nothing expires "
	    "in this run (-f insists)", b, a);
	return false;
}

static void
run(struct run *r, char **arg, bool force)
{
	char domain[ADDR_DOMAIN_MAX + 1], **list;
	bool sane;

	for (size_t i = 0; arg[i] != NULL; i++)
		if (!addr_domain(domain, arg[i]))
			errx(EX_USAGE, "%s: expected a domain", arg[i]);
	sane = clock_is_sane(r) || force;
	if (!r->dry && sweep_last_run_set(r->spool, r->now) == -1)
		err(1, "spool: the time of this run");
	if (!sane) {
		r->result = EX_TEMPFAIL;
		return;
	}
	for (size_t i = 0; arg[i] != NULL; i++)
		if (addr_domain(domain, arg[i]))
			visit_domain(r, domain);
	if (arg[0] != NULL)
		return;
	if ((list = spool_domains(r->spool)) == NULL)
		err(1, "spool");
	for (size_t i = 0; list[i] != NULL; i++)
		visit_domain(r, list[i]);
	free(list);
	if (sweep_run(r->spool, SWEEP_AGE, r->dry, swept, r) == -1) {
		warn("spool: sweep");
		r->result = 1;
	}
}

int
main(int argc, char *argv[])
{
	static struct run r;
	const char *dir = CONF_DIR;
	char error[CONF_ERROR_MAX];
	bool force = false, quiet = false, verbose = false;
	int ch;

	while ((ch = getopt(argc, argv, "C:fnqv")) != -1)
		switch (ch) {
		case 'C':
			dir = optarg;
			break;
		case 'f':
			force = true;
			break;
		case 'n':
			r.dry = true;
			break;
		case 'q':
			quiet = true;
			break;
		case 'v':
			verbose = true;
			break;
		default:
			usage();
		}
	signal(SIGXFSZ, SIG_IGN);
	log_open("mx-expire", verbose ? LOG_TARGET_STDERR :
	    LOG_TARGET_SYSLOG, verbose);
	r.now = time(NULL);
	r.talk = (r.dry || verbose) && !quiet;
	if (conf_load(&r.conf, dir, error) == -1)
		errx(EX_CONFIG, "%s", error);
	if (spool_become_owner(r.conf.spool, error) == -1)
		errx(EX_CONFIG, "%s", error);
	if ((r.spool = spool_open(r.conf.spool, error)) == NULL)
		errx(EX_CONFIG, "%s", error);
	run(&r, argv + optind, force);
	if (fflush(stdout) != 0 || ferror(stdout))
		err(1, "standard output");
	spool_close(r.spool);
	return r.result;
}
