/* SPDX-License-Identifier: ISC */
#include "listing.h"

#include <stdlib.h>

#include "detail.h"
#include "duration.h"

static void
print_row(struct desk *d, const struct outlook *o,
    const struct scan_entry *e)
{
	time_t expires = outlook_expires(o, e, d->now);
	struct row *r = &d->row;
	char age[64], left[64];

	row_begin(r);
	row_text(r, "id", e->id, 58);
	row_text(r, "domain", o->name, 24);
	row_text(r, "state", outlook_state(o, e), 5);
	row_int(r, "size", e->msgid.size, -9);
	if (r->style == ROW_COLUMNS) {
		row_text(r, NULL, duration_print_short(age, sizeof(age),
		    d->now - e->msgid.time), -7);
		row_text(r, NULL, duration_print_short(left, sizeof(left),
		    expires - d->now), -7);
	} else {
		row_time(r, "arrived", e->msgid.time, 0);
		row_time(r, "expires", expires, 0);
	}
	row_end(r);
}

static int
print_entry(struct desk *d, const char *domain, const struct scan_entry *e)
{
	const struct outlook *o;

	if (d->nul || d->quiet) {
		fprintf(d->row.f, "%s%c", e->id, d->nul ? '\0' : '\n');
		return 0;
	}
	if (d->row.style == ROW_JSON)
		return detail_json(d, domain, e, false);
	if ((o = desk_know(d, domain)) == NULL)
		return -1;
	print_row(d, o, e);
	return 0;
}

static int
list_sorted(struct desk *d, const char *domain)
{
	struct scan_entry *e;
	size_t n;
	int result = 0;

	if (scan_sorted(d->spool, domain, SCAN_QUEUED, &e, &n) == -1)
		return complain_errno(&d->complain, 1, "%s", domain);
	for (size_t i = 0; result == 0 && i < n; i++)
		result = print_entry(d, domain, &e[i]);
	free(e);
	return result;
}

static int
list_unsorted(struct desk *d, const char *domain)
{
	struct scan *scan = scan_open(d->spool, domain, SCAN_QUEUED);
	struct scan_entry e;
	int got, result = 0;

	if (scan == NULL)
		return complain_errno(&d->complain, 1, "%s", domain);
	while (result == 0 && (got = scan_next(scan, &e)) != 0)
		result = got == 1 ? print_entry(d, domain, &e) :
		    complain_errno(&d->complain, 1, "%s", domain);
	scan_close(scan);
	return result;
}

static int
list_domain(struct desk *d, const char *domain)
{
	return d->row.style == ROW_COLUMNS ? list_sorted(d, domain) :
	    list_unsorted(d, domain);
}

static int
list_one(struct desk *d, const char *domain, const struct scan_entry *e)
{
	return e != NULL ? print_entry(d, domain, e) : list_domain(d, domain);
}

int
listing_print(struct desk *d, char **arg)
{
	if (d->row.style == ROW_COLUMNS && !d->nul && !d->quiet)
		fprintf(d->row.f, "%-58s %-24s %-5s %9s %7s %7s\n", "ID",
		    "DOMAIN", "STATE", "SIZE", "AGE", "LEFT");
	return *arg != NULL ? desk_visit(d, arg, true, list_one) :
	    desk_visit_domains(d, arg, list_domain);
}
