/* SPDX-License-Identifier: ISC */
#include "tally.h"

#include <stdint.h>
#include <stdlib.h>
#include <sysexits.h>

#include "detail.h"
#include "event.h"
#include "ration.h"

struct tally {
	int64_t messages, bytes;
	time_t oldest;		/* when it arrived; 0: none */
	time_t expires;		/* the first of them; 0: none */
};

static int
count(struct desk *d, const struct outlook *o, struct tally *t)
{
	struct scan *scan = scan_open(d->spool, o->name, SCAN_QUEUED);
	struct scan_entry e;
	time_t expires;
	int got;

	if (scan == NULL)
		return complain_errno(&d->complain, 1, "%s", o->name);
	while ((got = scan_next(scan, &e)) == 1) {
		t->messages++;
		t->bytes += e.msgid.size > 0 ? e.msgid.size : 0;
		if (t->oldest == 0 || e.msgid.time < t->oldest)
			t->oldest = e.msgid.time;
		expires = outlook_expires(o, &e, d->now);
		if (t->expires == 0 || expires < t->expires)
			t->expires = expires;
	}
	if (got == -1)
		complain_errno(&d->complain, 1, "%s", o->name);
	scan_close(scan);
	return got;
}

static void
print_row(struct desk *d, const struct outlook *o, const struct tally *t,
    int64_t withheld)
{
	const struct domain *dom = &o->domain;
	struct row *r = &d->row;

	row_begin(r);
	row_text(r, "domain", o->name, 24);
	row_int(r, "messages", t->messages, -8);
	row_int(r, "bytes", t->bytes, -11);
	row_time_maybe(r, "oldest", t->oldest, 20);
	row_text(r, "state", domain_state_name(dom->state), 10);
	row_time_maybe(r, "since", dom->since, 20);
	/* For eyes what has no fixed width comes last. */
	if (r->style != ROW_COLUMNS)
		row_maybe(r, "error", dom->error, 0);
	row_time_maybe(r, "expires", t->expires, 20);
	if (r->style == ROW_COLUMNS)
		row_maybe(r, "error", dom->error, 0);
	else {
		row_int(r, "withheld", withheld, 0);
		detail_row_servers(r, o, d->now);
	}
	row_end(r);
}

/* An error that no syntax shows. */
static void
complain_notify(struct desk *d, const char *domain)
{
	char error[CONF_ERROR_MAX];
	struct settings s;

	if (conf_domain(&d->conf, domain, &s, NULL, error) == CONF_YES &&
	    event_ear(&d->conf, &s, d->spool, domain) == EVENT_INSIDE)
		complain(&d->complain, EX_CONFIG, "%s: notify %s: expected an "
		    "address of another domain: what is told of an outage "
		    "must not wait for its end", domain, s.notify);
}

static int
tally(struct desk *d, const char *domain)
{
	const struct outlook *o = desk_know(d, domain);
	struct tally t = { 0 };
	struct ration ration;

	if (o == NULL)
		return -1;
	complain_notify(d, domain);
	if (ration_load(d->spool, domain, d->now, &ration) == -1)
		complain_errno(&d->complain, 0, "%s: reports", domain);
	if (count(d, o, &t) == -1)
		return -1;
	print_row(d, o, &t, ration.withheld);
	return 0;
}

/* One that was asked for: there is room for all that is known of it. */
static int
tally_fully(struct desk *d, const char *domain)
{
	const struct outlook *o;

	if (tally(d, domain) == -1)
		return -1;
	if (d->row.style != ROW_COLUMNS)
		return 0;
	if ((o = desk_know(d, domain)) == NULL)
		return -1;
	detail_next(&d->row, outlook_next(o, d->now));
	detail_servers(&d->row, o);
	return 0;
}

/*
 * A configured domain without a directory in the spool has zeros to tell.  1:
 * complained.
 */
static int
tally_configured(const char *name, void *arg)
{
	struct desk *d = arg;
	int spooled;

	if (name[0] == '.')
		return 0;
	if ((spooled = desk_is_spooled(d, name)) == 0)
		return tally(d, name) == -1;
	return spooled == -1;
}

int
tally_print(struct desk *d, char **arg)
{
	if (d->row.style == ROW_COLUMNS)
		fprintf(d->row.f, "%-24s %8s %11s %-20s %-10s %-20s %-20s "
		    "%s\n", "DOMAIN", "MESSAGES", "BYTES", "OLDEST", "STATE",
		    "SINCE", "NEXT EXPIRY", "LAST ERROR");
	if (*arg != NULL)
		return desk_visit_domains(d, arg, tally_fully);
	if (desk_visit_domains(d, arg, tally) == -1)
		return -1;
	switch (conf_domains(&d->conf, tally_configured, d)) {
	case 0:
		return 0;
	case -1:
		return complain_errno(&d->complain, EX_CONFIG, "%s/domains",
		    d->conf.dir);
	default:
		return -1;
	}
}

static int
check_domain(struct desk *d, const char *domain)
{
	struct message m;
	struct scan_entry *e;
	size_t n;

	if (scan_sorted(d->spool, domain, SCAN_QUEUED, &e, &n) == -1)
		return complain_errno(&d->complain, 1, "%s", domain);
	for (size_t i = 0; i < n; i++)
		if (desk_open(d, domain, &e[i], false, false, &m))
			message_close(&m);
	if (!d->quiet)
		fprintf(d->row.f, "%s\t%zu\n", domain, n);
	free(e);
	return 0;
}

int
tally_check(struct desk *d, char **arg)
{
	return desk_visit_domains(d, arg, check_domain);
}
