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

#include "addr.h"
#include "conf.h"
#include "domain.h"
#include "dsn.h"
#include "duration.h"
#include "event.h"
#include "header.h"
#include "log.h"
#include "plain.h"
#include "ration.h"
#include "report.h"
#include "row.h"
#include "draft.h"
#include "ledger.h"
#include "maildir.h"
#include "message.h"
#include "scan.h"
#include "spool.h"

#define INTERVAL (15 * 60)	/* of the cron job, seconds */

struct queue {
	struct conf conf;
	struct spool *spool;
	struct row row;
	bool dry;		/* -n */
	bool quiet;		/* -q: ids alone */
	bool nul;		/* -0 */
	bool wire;		/* cat -w */
	const char *sender;	/* add -f */
	const char *why;	/* hold -m, bounce -m */
	time_t until;		/* hold -u */
	time_t now;
	char woken[ADDR_DOMAIN_MAX + 1];	/* the last one: see wake() */
	int result;
};

static void
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

/* Keeps the worst: 75 (somebody else is at it) yields to 1. */
static void
failed(struct queue *q, int code)
{
	if (q->result != 1)
		q->result = code;
}

static const char *
when(time_t t)
{
	static char buf[HEADER_DATE_MAX];

	header_rfc3339(buf, t);
	return buf;
}

/*** Facts of a message that its name tells ***/

/* The domain that was looked at last, so that each is read once. */
struct known {
	char name[ADDR_DOMAIN_MAX + 1];
	bool ours;		/* has a file in the configuration */
	int64_t life;		/* of its mail, seconds */
	struct domain domain;
	struct ledger_holds *holds;
};

static struct known *
know(struct queue *q, const char *domain)
{
	static struct known known;
	char error[CONF_ERROR_MAX];
	struct settings settings;

	if (strcmp(known.name, domain) == 0)
		return &known;
	(void)strlcpy(known.name, domain, sizeof(known.name));
	known.ours = false;
	switch (conf_domain(&q->conf, domain, &settings, NULL, error)) {
	case CONF_YES:
		known.ours = true;
		known.life = settings.expire;
		break;
	case CONF_NO:
		known.life = conf_report_expire(&settings);
		break;
	case CONF_BROKEN:
		errx(EX_CONFIG, "%s", error);
	}
	if (ledger_load(q->spool, domain, &known.domain) == -1)
		warn("%s: state", domain);
	ledger_holds_free(known.holds);
	if ((known.holds = ledger_holds_load(q->spool, domain)) == NULL)
		err(1, "%s: holds", domain);
	return &known;
}

static time_t
expires(struct queue *q, const char *domain, const struct scan_entry *e)
{
	const struct known *k = know(q, domain);

	return e->msgid.time + k->life + ledger_held_seconds(k->holds, e->id,
	    e->msgid.time, q->now);
}

static const char *
state_of(struct queue *q, const char *domain, const struct scan_entry *e)
{
	if (e->folder == SPOOL_HELD ||
	    know(q, domain)->domain.state == DOMAIN_HELD)
		return "held";
	return e->folder == SPOOL_NEW ? "new" : "tried";
}

/*** Arguments: ids, domains, and "-" for a list on standard input ***/

typedef void visitor(struct queue *q, const char *domain,
    const struct scan_entry *e);

/* Has the domain a directory in the spool? */
static bool
is_spooled(struct queue *q, const char *domain)
{
	char **list = spool_domains(q->spool);
	bool found = false;

	if (list == NULL)
		err(1, "spool");
	for (size_t i = 0; list[i] != NULL; i++)
		found = found || strcmp(list[i], domain) == 0;
	free(list);
	return found;
}

/* A word without a dot was perhaps meant for a verb. */
static void
warn_unknown(struct queue *q, const char *name, bool domains)
{
	char domain[ADDR_DOMAIN_MAX + 1], safe[512];

	(void)plain(safe, sizeof(safe), name);
	if (!domains && addr_domain(domain, name) && is_spooled(q, domain))
		warnx("%s: expected an id; \"mx-queue list %s\" prints them",
		    safe, domain);
	else if (!domains)
		warnx("%s: no such message", safe);
	else if (strchr(name, '.') == NULL)
		warnx("%s: no such verb, message or domain", safe);
	else
		warnx("%s: no such message or domain", safe);
}

/* E is NULL for a domain as a whole. */
static void
visit_name(struct queue *q, const char *name, bool domains, visitor *fn)
{
	char domain[ADDR_DOMAIN_MAX + 1];
	struct scan_found found;
	int got = scan_find(q->spool, name, &found);

	if (got == -1)
		err(1, "spool");
	if (got == 1)
		fn(q, found.domain, &found.entry);
	else if (domains && addr_domain(domain, name) &&
	    (know(q, domain)->ours || is_spooled(q, domain)))
		fn(q, domain, NULL);
	else {
		warn_unknown(q, name, domains);
		failed(q, 1);
	}
}

static void
visit_stdin(struct queue *q, bool domains, visitor *fn)
{
	char *line = NULL;
	size_t size = 0;
	ssize_t n;

	while ((n = getdelim(&line, &size, q->nul ? '\0' : '\n', stdin)) > 0) {
		if (!q->nul) {
			/* The first field of what "list" prints. */
			line[strcspn(line, "\t\n")] = '\0';
		}
		if (*line != '\0')
			visit_name(q, line, domains, fn);
	}
	if (ferror(stdin))
		err(1, "standard input");
	free(line);
}

static void
visit(struct queue *q, char **arg, bool domains, visitor *fn)
{
	if (*arg == NULL) {
		warnx("expected an id%s", domains ? " or a domain" : "");
		usage();
	}
	for (; *arg != NULL; arg++) {
		if (strcmp(*arg, "-") == 0)
			visit_stdin(q, domains, fn);
		else
			visit_name(q, *arg, domains, fn);
	}
}

/*
 * Opens a message; says why if that cannot be, except that a message which
 * is gone is only worth a word where it was asked for by its id.
 */
static bool
open_message(struct queue *q, const char *domain, const struct scan_entry *e,
    bool lock, bool asked, struct message *m)
{
	const char *why;

	switch (message_open(q->spool, domain, e, lock, m, &why)) {
	case MESSAGE_OPENED:
		return true;
	case MESSAGE_GONE:
	case MESSAGE_VOIDED:
		if (asked) {
			warnx("%s: no such message", e->id);
			failed(q, 1);
		}
		return false;
	case MESSAGE_BUSY:
		warnx("%s: in use by another program, try again", e->id);
		failed(q, EX_TEMPFAIL);
		return false;
	case MESSAGE_DAMAGED:
		warnx("%s: damaged: %s", e->id, why);
		failed(q, 1);
		return false;
	case MESSAGE_ERROR:
		warn("%s", e->id);
		failed(q, 1);
		return false;
	}
	return false;
}

/*** list, show ***/

static void
json_recipients(struct row *r, const struct message *m, char **replies)
{
	row_array(r, "recipients");
	for (size_t i = 0; i < m->envelope.nrcpt; i++) {
		const struct recipient *rcpt = &m->envelope.rcpt[i];

		row_object(r, NULL);
		row_text(r, "address", rcpt->address, 0);
		row_text(r, "status", envelope_status_name(rcpt->status), 0);
		row_maybe(r, "reply", replies[i], 0);
		row_text(r, "params", rcpt->params, 0);
		row_bool(r, "unverified", rcpt->unverified, 0);
		row_object_end(r);
	}
	row_array_end(r);
	row_object(r, "client");
	row_maybe(r, "address", m->envelope.client_addr, 0);
	row_maybe(r, "name", m->envelope.client_name, 0);
	row_maybe(r, "helo", m->envelope.helo, 0);
	row_object_end(r);
	row_maybe(r, "tls", m->envelope.tls, 0);
}

/* When the flusher tries the domain again, as far as it is known. */
static time_t
next_run(const struct queue *q, const struct domain *d)
{
	time_t next = d->next_try;

	if (d->state == DOMAIN_HELD)
		return d->held_until;
	if (domain_waits_for_us(d) && d->order == DOMAIN_WAIT)
		return 0;
	if (next == 0 && d->last_try != 0)
		next = d->last_try + INTERVAL;
	return next == 0 || next > q->now ? next : q->now;
}

static time_t
next_try(struct queue *q, const char *domain, const struct scan_entry *e)
{
	const struct domain *d = &know(q, domain)->domain;

	return e->folder == SPOOL_HELD ? 0 : next_run(q, d);
}

/* The operator's words at the hold; "" if there is none. */
static const char *
why_held(struct queue *q, const char *domain, const struct scan_entry *e)
{
	static char why[256];

	if (e->folder != SPOOL_HELD)
		return know(q, domain)->domain.why;
	ledger_why(know(q, domain)->holds, e->id, why, sizeof(why));
	return why;
}

static const char *
maybe_when(time_t t)
{
	return t != 0 ? when(t) : NULL;
}

static const char *
order_name(const struct domain *d)
{
	switch (d->order) {
	case DOMAIN_WAIT:
		break;
	case DOMAIN_RETRY:
		return "retry";
	case DOMAIN_RELEASE:
		return "release";
	}
	return NULL;
}

/* What is known of the domain's servers, besides its state and error. */
static void
row_servers(struct queue *q, const struct domain *d)
{
	struct row *r = &q->row;

	row_maybe(r, "last_try", maybe_when(d->last_try), 0);
	row_maybe(r, "next_try", maybe_when(next_run(q, d)), 0);
	row_maybe(r, "server", d->route, 0);
	row_maybe(r, "server_good", maybe_when(d->good), 0);
	row_maybe(r, "server_tls", d->tls, 0);
	row_maybe(r, "offers", d->ehlo, 0);
	row_maybe(r, "detour", d->detour, 0);
	row_maybe(r, "order", order_name(d), 0);
}

static void
json_domain(struct queue *q, const struct domain *d)
{
	struct row *r = &q->row;

	row_object(r, "servers");
	row_text(r, "state", domain_state_name(d->state), 0);
	row_maybe(r, "since", maybe_when(d->since), 0);
	row_maybe(r, "error", d->error, 0);
	row_servers(q, d);
	row_object_end(r);
}

static void
print_json(struct queue *q, const char *domain, const struct scan_entry *e,
    bool asked)
{
	struct message m;
	struct row *r = &q->row;
	char **replies;
	time_t next = next_try(q, domain, e);

	if (!open_message(q, domain, e, false, asked, &m))
		return;
	if ((replies = message_replies(q->spool, &m)) == NULL)
		err(1, "%s", e->id);
	row_begin(r);
	row_text(r, "id", e->id, 0);
	row_text(r, "domain", domain, 0);
	row_text(r, "state", state_of(q, domain, e), 0);
	row_int(r, "size", e->msgid.size, 0);
	row_text(r, "arrived", when(e->msgid.time), 0);
	row_text(r, "expires", when(expires(q, domain, e)), 0);
	row_text(r, "sender", m.envelope.sender, 0);
	json_recipients(r, &m, replies);
	row_maybe(r, "next_try", next != 0 ? when(next) : NULL, 0);
	row_maybe(r, "error", know(q, domain)->domain.error, 0);
	row_maybe(r, "why", why_held(q, domain, e), 0);
	row_text(r, "protocol", m.envelope.protocol, 0);
	row_text(r, "params", m.envelope.params, 0);
	json_domain(q, &know(q, domain)->domain);
	row_end(r);
	free(replies);
	message_close(&m);
}

static void
print_entry(struct queue *q, const char *domain, const struct scan_entry *e)
{
	struct row *r = &q->row;
	char age[64], left[64];

	if (q->nul || q->quiet) {
		printf("%s%c", e->id, q->nul ? '\0' : '\n');
		return;
	}
	if (r->style == ROW_JSON) {
		print_json(q, domain, e, false);
		return;
	}
	/* Errors first, before half a line is out. */
	(void)know(q, domain);
	row_begin(r);
	row_text(r, "id", e->id, 58);
	row_text(r, "domain", domain, 24);
	row_text(r, "state", state_of(q, domain, e), 5);
	row_int(r, "size", e->msgid.size, -9);
	if (r->style == ROW_COLUMNS) {
		row_text(r, NULL, duration_print_short(age, sizeof(age),
		    q->now - e->msgid.time), -7);
		row_text(r, NULL, duration_print_short(left, sizeof(left),
		    expires(q, domain, e) - q->now), -7);
	} else {
		row_text(r, "arrived", when(e->msgid.time), 0);
		row_text(r, "expires", when(expires(q, domain, e)), 0);
	}
	row_end(r);
}

/* Oldest first, for eyes. */
static void
list_sorted(struct queue *q, const char *domain)
{
	struct scan_entry *e;
	size_t n;

	if (scan_sorted(q->spool, domain, SCAN_QUEUED, &e, &n) == -1)
		err(1, "%s", domain);
	for (size_t i = 0; i < n; i++)
		print_entry(q, domain, &e[i]);
	free(e);
}

/*
 * Into a pipe as the directory has them: a million messages are listed in
 * constant memory, and sort(1) puts ids in order of arrival.
 */
static void
list_domain(struct queue *q, const char *domain)
{
	struct scan *scan;
	struct scan_entry e;
	int got;

	if (q->row.style == ROW_COLUMNS) {
		list_sorted(q, domain);
		return;
	}
	scan = scan_open(q->spool, domain, SCAN_QUEUED);
	if (scan == NULL)
		err(1, "%s", domain);
	while ((got = scan_next(scan, &e)) == 1)
		print_entry(q, domain, &e);
	if (got == -1)
		err(1, "%s", domain);
	scan_close(scan);
}

static void
list_one(struct queue *q, const char *domain, const struct scan_entry *e)
{
	if (e != NULL)
		print_entry(q, domain, e);
	else
		list_domain(q, domain);
}

static void
verb_list(struct queue *q, char **arg)
{
	char **list;

	if (q->row.style == ROW_COLUMNS && !q->nul && !q->quiet)
		printf("%-58s %-24s %-5s %9s %7s %7s\n", "ID", "DOMAIN",
		    "STATE", "SIZE", "AGE", "LEFT");
	if (*arg != NULL) {
		visit(q, arg, true, list_one);
		return;
	}
	if ((list = spool_domains(q->spool)) == NULL)
		err(1, "spool");
	for (size_t i = 0; list[i] != NULL; i++)
		list_domain(q, list[i]);
	free(list);
}

static void
show_line(struct queue *q, const char *key, const char *value)
{
	char safe[4096];

	if (value == NULL || *value == '\0')
		return;
	(void)plain(safe, sizeof(safe), value);
	if (q->row.style == ROW_COLUMNS)
		printf("%-12s %s\n", key, safe);
	else
		printf("%s\t%s\n", key, safe);
}

static void
show_recipients(struct queue *q, const struct message *m)
{
	char **replies = message_replies(q->spool, m), safe[ADDR_MAX * 4 + 1];
	bool columns = q->row.style == ROW_COLUMNS;

	if (replies == NULL)
		err(1, "%s", m->entry.id);
	for (size_t i = 0; i < m->envelope.nrcpt; i++) {
		const struct recipient *r = &m->envelope.rcpt[i];
		const char *status = envelope_status_name(r->status);

		(void)plain(safe, sizeof(safe), r->address);
		if (columns)
			printf("%-12s %s  %s%s\n", "recipient", safe, status,
			    r->unverified ? ", unverified" : "");
		else
			printf("recipient\t%s\t%s\t", safe, status);
		(void)plain(safe, sizeof(safe), replies[i]);
		if (!columns)
			printf("%s%s\n", *safe != '\0' ? safe : "-",
			    r->unverified ? "\tunverified" : "");
		else if (*safe != '\0')
			printf("%-12s   %s\n", "", safe);
	}
	free(replies);
}

/* The lines that "show" and, for eyes, "stat" end with. */
static void
show_servers(struct queue *q, const struct domain *d)
{
	show_line(q, "since", maybe_when(d->since));
	show_line(q, "last-try", maybe_when(d->last_try));
	show_line(q, "server", d->route);
	show_line(q, "server-good", maybe_when(d->good));
	show_line(q, "server-tls", d->tls);
	show_line(q, "offers", d->ehlo);
	show_line(q, "detour", d->detour);
	show_line(q, "order", order_name(d));
}

static void
show_text(struct queue *q, const char *domain, const struct message *m)
{
	const struct scan_entry *e = &m->entry;
	const struct envelope *env = &m->envelope;
	time_t next = next_try(q, domain, e);
	char text[ADDR_MAX + 64];

	show_line(q, "id", e->id);
	show_line(q, "domain", domain);
	show_line(q, "state", state_of(q, domain, e));
	(void)snprintf(text, sizeof(text), "%" PRId64, e->msgid.size);
	show_line(q, "size", text);
	show_line(q, "arrived", when(e->msgid.time));
	show_line(q, "expires", when(expires(q, domain, e)));
	(void)snprintf(text, sizeof(text), "%s%s%s",
	    *env->sender != '\0' ? env->sender : "<>",
	    *env->params != '\0' ? " " : "", env->params);
	show_line(q, "sender", text);
	show_recipients(q, m);
	show_line(q, "client", env->client_addr);
	show_line(q, "client-name", env->client_name);
	show_line(q, "helo", env->helo);
	show_line(q, "protocol", env->protocol);
	show_line(q, "tls", env->tls);
	show_line(q, "next-try", next != 0 ? when(next) : NULL);
	show_line(q, "error", know(q, domain)->domain.error);
	show_line(q, "why", why_held(q, domain, e));
	show_line(q, "servers",
	    domain_state_name(know(q, domain)->domain.state));
	show_servers(q, &know(q, domain)->domain);
}

static void
show_one(struct queue *q, const char *domain, const struct scan_entry *e)
{
	struct message m;

	if (q->row.style == ROW_JSON) {
		print_json(q, domain, e, true);
		return;
	}
	if (!open_message(q, domain, e, false, true, &m))
		return;
	show_text(q, domain, &m);
	message_close(&m);
}

static void
verb_show(struct queue *q, char **arg)
{
	visit(q, arg, false, show_one);
}

/*** cat ***/

/* Without -w lines end in LF, as everything does in a pipe. */
static void
put_text(struct queue *q, const char *buf, size_t n, bool *cr)
{
	const char *end = buf + n, *p;

	if (q->wire) {
		fwrite(buf, 1, n, stdout);
		return;
	}
	while (buf < end) {
		/* A CR that ended the last piece, unless an LF follows. */
		if (*cr && *buf != '\n')
			putchar('\r');
		*cr = false;
		p = memchr(buf, '\r', (size_t)(end - buf));
		if (p == NULL)
			p = end;
		fwrite(buf, 1, (size_t)(p - buf), stdout);
		if (p < end) {
			*cr = true;
			p++;
		}
		buf = p;
	}
}

static void
cat_one(struct queue *q, const char *domain, const struct scan_entry *e)
{
	struct message m;
	char buf[65536];
	off_t at;
	ssize_t n;
	bool cr = false;

	if (!open_message(q, domain, e, false, true, &m))
		return;
	for (at = m.offset; (n = pread(m.fd, buf, sizeof(buf), at)) > 0;
	    at += n)
		put_text(q, buf, (size_t)n, &cr);
	if (n == -1)
		err(1, "%s", e->id);
	if (cr)
		putchar('\r');
	message_close(&m);
}

static void
verb_cat(struct queue *q, char **arg)
{
	visit(q, arg, false, cat_one);
}

/*** add ***/

struct adding {
	struct envelope *envelope;
	struct envelope **list;
	size_t n;
};

static void
add_recipient(struct queue *q, struct adding *a, const char *text)
{
	char error[CONF_ERROR_MAX], safe[ADDR_MAX * 2];
	char domain[ADDR_DOMAIN_MAX + 1];
	struct settings settings;
	struct addr addr;
	size_t i;

	(void)plain(safe, sizeof(safe), text);
	if (!addr_parse_mailbox(&addr, text))
		errx(EX_USAGE, "%s: expected an address user@domain", safe);
	if (addr.utf8)
		errx(EX_USAGE, "%s: only ASCII addresses so far", safe);
	if (!addr_domain(domain, addr.domain))
		errx(EX_USAGE, "%s: expected a domain behind the @", safe);
	switch (conf_domain(&q->conf, domain, &settings, NULL, error)) {
	case CONF_YES:
		break;
	case CONF_NO:
		errx(1, "%s: %s is not kept here: there is no file "
		    "%s/domains/%s", safe, domain, q->conf.dir, domain);
	case CONF_BROKEN:
		errx(EX_CONFIG, "%s", error);
	}
	for (i = 0; i < a->n; i++)
		if (strcmp(a->envelope[i].domain, domain) == 0)
			break;
	if (i == a->n) {
		envelope_init(&a->envelope[i]);
		a->list[i] = &a->envelope[i];
		a->envelope[i].arrived = q->now;
		(void)strlcpy(a->envelope[i].domain, domain,
		    sizeof(a->envelope[i].domain));
		(void)strlcpy(a->envelope[i].protocol, "local",
		    sizeof(a->envelope[i].protocol));
		/* Unknown until it is read; to declare it does no harm. */
		if (envelope_set_sender(&a->envelope[i], q->sender,
		    "BODY=8BITMIME") == -1)
			err(1, NULL);
		a->n++;
	}
	if (envelope_add(&a->envelope[i], addr.text, "") == -1)
		err(1, NULL);
}

/* Lines of a pipe as lines of the wire.  Sets *LAST to the last octet. */
static int
write_lines(struct draft *d, const char *buf, size_t n, char *last)
{
	const char *end = buf + n, *lf;
	size_t len;

	while (buf < end) {
		if (*last == '\r' && *buf != '\n')
			errx(1, "standard input: bare CR; lines end in LF or "
			    "CRLF");
		lf = memchr(buf, '\n', (size_t)(end - buf));
		len = (size_t)((lf != NULL ? lf : end) - buf);
		if (memchr(buf, '\0', len) != NULL)
			errx(1, "standard input: NUL in the message");
		for (const char *p = buf; (p = memchr(p, '\r',
		    (size_t)(buf + len - p))) != NULL; p++)
			if (p + 1 < buf + len)
				errx(1, "standard input: bare CR; lines end "
				    "in LF or CRLF");
		if (draft_write(d, buf, len) == -1)
			return -1;
		if (len > 0)
			*last = buf[len - 1];
		buf += len;
		if (buf == end)
			break;
		if (draft_write(d, *last == '\r' ? "\n" : "\r\n",
		    *last == '\r' ? 1 : 2) == -1)
			return -1;
		*last = '\n';
		buf++;
	}
	return 0;
}

static void
read_message(struct draft *d)
{
	char buf[65536], last = '\n';
	ssize_t n;

	while ((n = read(STDIN_FILENO, buf, sizeof(buf))) > 0)
		if (write_lines(d, buf, (size_t)n, &last) == -1)
			err(EX_TEMPFAIL, "spool");
	if (n == -1)
		err(1, "standard input");
	if (last != '\n' && draft_write(d, last == '\r' ? "\n" : "\r\n",
	    last == '\r' ? 1 : 2) == -1)
		err(EX_TEMPFAIL, "spool");
}

static void
adding_clear(struct adding *a)
{
	for (size_t i = 0; i < a->n; i++)
		envelope_clear(&a->envelope[i]);
	free(a->envelope);
	free(a->list);
}

static void
verb_add(struct queue *q, char **arg)
{
	char base[MSGID_BASE_MAX + 1], trace[1024], date[HEADER_DATE_MAX];
	struct draft *d;
	struct adding a = { NULL, NULL, 0 };
	struct addr from;
	size_t n = 0;

	while (arg[n] != NULL)
		n++;
	if (q->sender == NULL || n == 0) {
		warnx("expected -f with a sender, and a recipient");
		usage();
	}
	if (strcmp(q->sender, "<>") == 0)
		q->sender = "";
	if (*q->sender != '\0' && !addr_parse_mailbox(&from, q->sender))
		errx(EX_USAGE, "%s: expected an address user@domain, or <>",
		    q->sender);
	if (*q->sender != '\0' && from.utf8)
		errx(EX_USAGE, "the sender: only ASCII addresses so far");
	a.envelope = calloc(n, sizeof(*a.envelope));
	a.list = calloc(n, sizeof(*a.list));
	if (a.envelope == NULL || a.list == NULL)
		err(1, NULL);
	for (; *arg != NULL; arg++)
		add_recipient(q, &a, *arg);
	if (q->dry) {
		adding_clear(&a);
		return;
	}
	if (spool_space(q->spool, 0) == -1)
		err(EX_TEMPFAIL, "spool");
	msgid_new(base, q->conf.hostname);
	header_date(date, q->now);
	(void)snprintf(trace, sizeof(trace), "Received: by %s (mxkeep)\r\n"
	    "\tid %s;\r\n\t%s\r\n", q->conf.hostname, base, date);
	d = draft_begin(q->spool, a.list, a.n, base, trace);
	if (d == NULL)
		err(EX_TEMPFAIL, "spool");
	read_message(d);
	if (draft_commit(d) == -1) {
		draft_abort(d);
		err(EX_TEMPFAIL, "spool");
	}
	for (size_t i = 0; i < a.n; i++) {
		log_info("added id=%s uid=%ld", draft_id(d, i),
		    (long)getuid());
		printf("%s%c", draft_id(d, i), q->nul ? '\0' : '\n');
	}
	draft_free(d);
	adding_clear(&a);
}

/*** rm, bounce, retry, hold, release ***/

static void
done(struct queue *q, const char *what, const char *name)
{
	log_info("%s id=%s uid=%ld", what, name, (long)getuid());
	if (!q->quiet && (q->row.style == ROW_COLUMNS || q->dry))
		printf("%s: %s%s\n", name, q->dry ? "would be " : "", what);
}

static void
rm_one(struct queue *q, const char *domain, const struct scan_entry *e)
{
	struct message m;

	if (!open_message(q, domain, e, true, true, &m))
		return;
	if (!q->dry && (message_remove(q->spool, &m) == -1)) {
		warn("%s", e->id);
		failed(q, 1);
	} else
		done(q, "removed", e->id);
	message_close(&m);
}

/* Makes removals durable, wherever they were. */
static void
sync_all(struct queue *q)
{
	char **list;

	if (q->dry)
		return;
	if ((list = spool_domains(q->spool)) == NULL)
		err(1, "spool");
	for (size_t i = 0; list[i] != NULL; i++)
		if (spool_sync_domain(q->spool, list[i]) == -1)
			err(1, "%s", list[i]);
	free(list);
}

static void
verb_rm(struct queue *q, char **arg)
{
	visit(q, arg, false, rm_one);
	sync_all(q);
}

/* Who is pending has failed, in our words and on disk. */
static int
fail_message(struct queue *q, struct message *m)
{
	char text[1024], why[512] = "";
	size_t i;

	if (q->why != NULL)
		plain(why, sizeof(why), q->why);
	if (snprintf(text, sizeof(text), REPORT_OURS "5.0.0 returned by the "
	    "postmaster of %s%s%s", q->conf.hostname, *why != '\0' ? ": " : "",
	    why) >= (int)sizeof(text))
		text[sizeof(text) - 1] = '\0';
	for (i = 0; i < m->envelope.nrcpt; i++)
		if (m->envelope.rcpt[i].status == RCPT_PENDING &&
		    (message_reply_add(q->spool, m, i, text) == -1 ||
		    message_mark(m, i, RCPT_FAILED) == -1))
			return -1;
	return message_sync(m);
}

/* Reported by the rules of all reports, whatever "bounce" says. */
static int
return_message(struct queue *q, const char *domain, struct message *m)
{
	char error[CONF_ERROR_MAX];
	enum dsn_result told;
	struct settings s;

	if (conf_domain(&q->conf, domain, &s, NULL, error) == CONF_BROKEN)
		errx(EX_CONFIG, "%s", error);
	if (fail_message(q, m) == -1)
		return -1;
	told = dsn_send(&q->conf, q->spool, m, DSN_REFUSED);
	if (told == DSN_LATER)
		return -1;
	if (told == DSN_WITHHELD && !q->quiet)
		warnx("%s: its sender is not told; a copy is in .Expired",
		    m->entry.id);
	return s.keep > 0 || told == DSN_WITHHELD ||
	    dsn_is_silenced(&m->envelope) ?
	    message_move(q->spool, m, SPOOL_EXPIRED) :
	    message_remove(q->spool, m);
}

static void
bounce_one(struct queue *q, const char *domain, const struct scan_entry *e)
{
	struct message m;

	if (!open_message(q, domain, e, true, true, &m))
		return;
	if (!q->dry && return_message(q, domain, &m) == -1) {
		warn("%s", e->id);
		failed(q, EX_TEMPFAIL);
	} else
		done(q, "returned", e->id);
	message_close(&m);
}

static void
verb_bounce(struct queue *q, char **arg)
{
	visit(q, arg, false, bounce_one);
	sync_all(q);
}

/* Back from .Held: what was refused is tried again. */
static void
release_message(struct queue *q, const char *domain,
    const struct scan_entry *e, const char *word)
{
	struct message m;

	if (!open_message(q, domain, e, true, true, &m))
		return;
	for (size_t i = 0; !q->dry && i < m.envelope.nrcpt; i++)
		if (m.envelope.rcpt[i].status == RCPT_FAILED &&
		    message_mark(&m, i, RCPT_PENDING) == -1)
			err(1, "%s", e->id);
	if (!q->dry && (message_sync(&m) == -1 ||
	    message_move(q->spool, &m, SPOOL_CUR) == -1 ||
	    spool_sync_domain(q->spool, domain) == -1 ||
	    ledger_release(q->spool, domain, e->id) == -1))
		err(1, "%s", e->id);
	done(q, word, e->id);
	message_close(&m);
}

/* For a domain that the breaker has stopped; true if it is one. */
static bool
give_order(struct queue *q, const char *domain, enum domain_order order)
{
	if (know(q, domain)->domain.state != DOMAIN_STOPPED)
		return false;
	if (!q->dry && ledger_order(q->spool, domain, order) == -1)
		err(1, "%s", domain);
	return true;
}

/* One after the other may be of the same domain. */
static void
wake(struct queue *q, const char *domain)
{
	if (q->dry || strcmp(q->woken, domain) == 0)
		return;
	(void)strlcpy(q->woken, domain, sizeof(q->woken));
	(void)spool_trigger(q->spool, domain, SPOOL_ASKED);
}

static void
retry_one(struct queue *q, const char *domain, const struct scan_entry *e)
{
	if (e != NULL && e->folder == SPOOL_HELD)
		release_message(q, domain, e, "retried");
	else {
		if (e == NULL)
			give_order(q, domain, DOMAIN_RETRY);
		done(q, "retried", e != NULL ? e->id : domain);
	}
	wake(q, domain);
}

static void
verb_retry(struct queue *q, char **arg)
{
	visit(q, arg, true, retry_one);
}

static void
hold_one(struct queue *q, const char *domain, const struct scan_entry *e)
{
	const char *why = q->why != NULL ? q->why : "";
	struct message m;

	if (e == NULL) {
		if (!q->dry && ledger_hold(q->spool, domain, NULL,
		    q->until, why) == -1)
			err(1, "%s", domain);
		done(q, "held", domain);
		return;
	}
	if (q->until != 0)
		errx(EX_USAGE, "-u is for domains");
	if (e->folder == SPOOL_HELD)
		return;
	if (!open_message(q, domain, e, true, true, &m))
		return;
	if (!q->dry && (ledger_hold(q->spool, domain, e->id, 0, why) ==
	    -1 || message_move(q->spool, &m, SPOOL_HELD) == -1 ||
	    spool_sync_domain(q->spool, domain) == -1))
		err(1, "%s", e->id);
	done(q, "held", e->id);
	message_close(&m);
}

static void
verb_hold(struct queue *q, char **arg)
{
	visit(q, arg, true, hold_one);
}

static void
release_one(struct queue *q, const char *domain, const struct scan_entry *e)
{
	if (e != NULL) {
		if (e->folder == SPOOL_HELD)
			release_message(q, domain, e, "released");
		wake(q, domain);
		return;
	}
	if (give_order(q, domain, DOMAIN_RELEASE)) {
		done(q, "released", domain);
		wake(q, domain);
		return;
	}
	if (know(q, domain)->domain.state != DOMAIN_HELD) {
		warnx("%s: is neither on hold nor stopped", domain);
		failed(q, 1);
		return;
	}
	if (!q->dry && ledger_release(q->spool, domain, NULL) == -1)
		err(1, "%s", domain);
	done(q, "released", domain);
	wake(q, domain);
}

static void
verb_release(struct queue *q, char **arg)
{
	visit(q, arg, true, release_one);
}

/*** stat, check ***/

/* An error that no syntax shows. */
static void
stat_notify(struct queue *q, const char *domain)
{
	char error[CONF_ERROR_MAX];
	struct settings s;

	if (conf_domain(&q->conf, domain, &s, NULL, error) != CONF_YES ||
	    event_ear(&q->conf, &s, q->spool, domain) != EVENT_INSIDE)
		return;
	warnx("%s: notify %s: expected an address of another domain: what "
	    "is told of an outage must not wait for its end", domain,
	    s.notify);
	failed(q, EX_CONFIG);
}

static void
stat_domain(struct queue *q, const char *domain)
{
	struct known *k = know(q, domain);
	struct row *r = &q->row;
	struct scan *scan;
	struct scan_entry e;
	int64_t n = 0, bytes = 0;
	time_t oldest = 0, first = 0, t;
	struct ration ration;
	int got;

	stat_notify(q, domain);
	if (ration_load(q->spool, domain, q->now, &ration) == -1)
		warn("%s: reports", domain);
	scan = scan_open(q->spool, domain, SCAN_QUEUED);
	if (scan == NULL)
		err(1, "%s", domain);
	while ((got = scan_next(scan, &e)) == 1) {
		n++;
		bytes += e.msgid.size > 0 ? e.msgid.size : 0;
		if (oldest == 0 || e.msgid.time < oldest)
			oldest = e.msgid.time;
		t = expires(q, domain, &e);
		if (first == 0 || t < first)
			first = t;
	}
	if (got == -1)
		err(1, "%s", domain);
	scan_close(scan);
	row_begin(r);
	row_text(r, "domain", domain, 24);
	row_int(r, "messages", n, -8);
	row_int(r, "bytes", bytes, -11);
	row_maybe(r, "oldest", oldest != 0 ? when(oldest) : NULL, 20);
	row_text(r, "state", domain_state_name(k->domain.state), 10);
	row_maybe(r, "since", k->domain.since != 0 ? when(k->domain.since) :
	    NULL, 20);
	/* For eyes what has no fixed width comes last. */
	if (r->style != ROW_COLUMNS)
		row_maybe(r, "error", k->domain.error, 0);
	row_maybe(r, "expires", first != 0 ? when(first) : NULL, 20);
	if (r->style == ROW_COLUMNS)
		row_maybe(r, "error", k->domain.error, 0);
	else {
		row_int(r, "withheld", ration.withheld, 0);
		row_servers(q, &k->domain);
	}
	row_end(r);
}

/* A configured domain without a directory in the spool has zeros to tell. */
static int
stat_configured(const char *name, void *arg)
{
	struct queue *q = arg;

	if (name[0] != '.' && !is_spooled(q, name))
		stat_domain(q, name);
	return 0;
}

static void
verb_stat(struct queue *q, char **arg)
{
	char **list, domain[ADDR_DOMAIN_MAX + 1];

	if (q->row.style == ROW_COLUMNS)
		printf("%-24s %8s %11s %-20s %-10s %-20s %-20s %s\n",
		    "DOMAIN", "MESSAGES", "BYTES", "OLDEST", "STATE", "SINCE",
		    "NEXT EXPIRY", "LAST ERROR");
	for (size_t i = 0; arg[i] != NULL; i++) {
		if (!addr_domain(domain, arg[i]))
			errx(EX_USAGE, "%s: expected a domain", arg[i]);
		stat_domain(q, domain);
		if (q->row.style == ROW_COLUMNS) {
			const struct domain *d = &know(q, domain)->domain;

			show_line(q, "next-try", maybe_when(next_run(q, d)));
			show_servers(q, d);
		}
	}
	if (arg[0] != NULL)
		return;
	if ((list = spool_domains(q->spool)) == NULL)
		err(1, "spool");
	for (size_t i = 0; list[i] != NULL; i++)
		stat_domain(q, list[i]);
	free(list);
	if (conf_domains(&q->conf, stat_configured, q) == -1)
		err(EX_CONFIG, "%s/domains", q->conf.dir);
}

static void
check_domain(struct queue *q, const char *domain)
{
	struct message m;
	struct scan_entry *e;
	size_t n;

	if (scan_sorted(q->spool, domain, SCAN_QUEUED, &e, &n) == -1)
		err(1, "%s", domain);
	for (size_t i = 0; i < n; i++)
		if (open_message(q, domain, &e[i], false, false, &m))
			message_close(&m);
	if (!q->quiet)
		printf("%s\t%zu\n", domain, n);
	free(e);
}

static void
verb_check(struct queue *q, char **arg)
{
	char **list, domain[ADDR_DOMAIN_MAX + 1];

	for (size_t i = 0; arg[i] != NULL; i++) {
		if (!addr_domain(domain, arg[i]))
			errx(EX_USAGE, "%s: expected a domain", arg[i]);
		check_domain(q, domain);
	}
	if (arg[0] != NULL)
		return;
	if ((list = spool_domains(q->spool)) == NULL)
		err(1, "spool");
	for (size_t i = 0; list[i] != NULL; i++)
		check_domain(q, list[i]);
	free(list);
}

/*** export ***/

static void
export_one(struct queue *q, struct maildir *md, const char *domain,
    const struct scan_entry *e)
{
	struct message m;
	int added = 1;

	/* What is being delivered is in the queue until it is not. */
	if (!open_message(q, domain, e, false, false, &m))
		return;
	if (!q->dry && (added = maildir_add(md, &m)) == -1)
		err(1, "%s", e->id);
	if (added == 1)
		done(q, "exported", e->id);
	message_close(&m);
}

static void
verb_export(struct queue *q, char **arg)
{
	char domain[ADDR_DOMAIN_MAX + 1];
	struct maildir md;
	struct scan_entry *e;
	size_t n;

	if (arg[0] == NULL || arg[1] == NULL || arg[2] != NULL) {
		warnx("expected a domain and a directory");
		usage();
	}
	if (!addr_domain(domain, arg[0]))
		errx(EX_USAGE, "%s: expected a domain", arg[0]);
	if (scan_sorted(q->spool, domain, SCAN_QUEUED, &e, &n) == -1)
		err(1, "%s", domain);
	if (!q->dry && maildir_open(&md, arg[1]) == -1)
		err(1, "%s", arg[1]);
	for (size_t i = 0; i < n; i++)
		export_one(q, &md, domain, &e[i]);
	if (!q->dry && maildir_close(&md) == -1)
		err(1, "%s", arg[1]);
	free(e);
}

/*** main ***/

static const struct verb {
	const char *name;
	void (*run)(struct queue *q, char **arg);
} verbs[] = {
	{ "list", verb_list },
	{ "show", verb_show },
	{ "cat", verb_cat },
	{ "add", verb_add },
	{ "rm", verb_rm },
	{ "bounce", verb_bounce },
	{ "retry", verb_retry },
	{ "hold", verb_hold },
	{ "release", verb_release },
	{ "stat", verb_stat },
	{ "export", verb_export },
	{ "check", verb_check },
};

static const struct verb *
find_verb(const char *name)
{
	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (name != NULL && strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	return NULL;
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
options(struct queue *q, int argc, char *argv[], const char **dir,
    int *verbose)
{
	int ch;

	/* "+": what stands behind the verb is its own. */
	while ((ch = getopt(argc, argv, "+0C:f:jm:nqu:vw")) != -1)
		switch (ch) {
		case '0':
			q->nul = true;
			break;
		case 'C':
			*dir = optarg;
			break;
		case 'f':
			q->sender = optarg;
			break;
		case 'j':
			q->row.style = ROW_JSON;
			break;
		case 'm':
			q->why = optarg;
			break;
		case 'n':
			q->dry = true;
			break;
		case 'q':
			q->quiet = true;
			break;
		case 'u':
			q->until = parse_until(optarg, q->now);
			break;
		case 'v':
			*verbose = 1;
			break;
		case 'w':
			q->wire = true;
			break;
		default:
			usage();
		}
}

int
main(int argc, char *argv[])
{
	static struct queue q;
	const struct verb *verb;
	const char *dir = CONF_DIR;
	char error[CONF_ERROR_MAX];
	int verbose = 0;

	q.now = time(NULL);
	row_init(&q.row, stdout, row_style_for(stdout));
	options(&q, argc, argv, &dir, &verbose);
	argc -= optind;
	argv += optind;
	if ((verb = find_verb(argv[0])) != NULL) {
		optind = 1;
		options(&q, argc, argv, &dir, &verbose);
		argv += optind;
	} else
		verb = &verbs[0];
	signal(SIGXFSZ, SIG_IGN);
	log_open("mx-queue", verbose ? LOG_TARGET_STDERR :
	    LOG_TARGET_SYSLOG, verbose);
	if (conf_load(&q.conf, dir, error) == -1)
		errx(EX_CONFIG, "%s", error);
	if (spool_become_owner(q.conf.spool, error) == -1)
		errx(EX_CONFIG, "%s", error);
	if ((q.spool = spool_open(q.conf.spool, error)) == NULL)
		errx(EX_CONFIG, "%s", error);
	verb->run(&q, argv);
	if (fflush(stdout) != 0 || ferror(stdout))
		err(1, "standard output");
	spool_close(q.spool);
	return q.result;
}
