/* SPDX-License-Identifier: ISC */
#include "copy.h"

#include <stdlib.h>
#include <sysexits.h>

#include "addr.h"
#include "maildir.h"

static int
print_one(struct desk *d, const char *domain, const struct scan_entry *e)
{
	struct message m;
	int result = 0;

	if (!desk_open(d, domain, e, false, true, &m))
		return 0;
	if (message_print(&m, d->row.f, d->wire) == -1)
		result = complain_errno(&d->complain, 1, "%s", e->id);
	message_close(&m);
	return result;
}

int
copy_print(struct desk *d, char **arg)
{
	return desk_visit(d, arg, false, print_one);
}

static int
export_one(struct desk *d, struct maildir *md, const char *domain,
    const struct scan_entry *e)
{
	struct message m;
	int added = 1;

	/* What is being delivered is in the queue until it is not. */
	if (!desk_open(d, domain, e, false, false, &m))
		return 0;
	if (!d->dry && (added = maildir_add(md, &m)) == -1)
		complain_errno(&d->complain, 1, "%s", e->id);
	if (added == 1)
		desk_done(d, "exported", e->id);
	message_close(&m);
	return added == -1 ? -1 : 0;
}

int
copy_export(struct desk *d, char **arg)
{
	char domain[ADDR_DOMAIN_MAX + 1];
	struct maildir md;
	struct scan_entry *e;
	size_t n;
	int result = 0;

	if (!addr_domain(domain, arg[0]))
		return complain(&d->complain, EX_USAGE, "%s: expected a "
		    "domain", arg[0]);
	if (scan_sorted(d->spool, domain, SCAN_QUEUED, &e, &n) == -1)
		return complain_errno(&d->complain, 1, "%s", domain);
	if (!d->dry && maildir_open(&md, arg[1]) == -1) {
		result = complain_errno(&d->complain, 1, "%s", arg[1]);
		goto out;
	}
	for (size_t i = 0; result == 0 && i < n; i++)
		result = export_one(d, &md, domain, &e[i]);
	/* What has been added stays, whatever came next. */
	if (!d->dry && maildir_close(&md) == -1)
		result = complain_errno(&d->complain, 1, "%s", arg[1]);
out:
	free(e);
	return result;
}
