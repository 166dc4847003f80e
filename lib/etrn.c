/* SPDX-License-Identifier: ISC */
#include "etrn.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "ledger.h"
#include "scan.h"

struct queue {
	struct spool *spool;
	size_t waiting;
	bool held;
	int error;		/* of the trigger */
};

static size_t
count(struct spool *sp, const char *domain)
{
	struct scan_entry e;
	struct scan *scan;
	size_t n = 0;

	if ((scan = scan_open(sp, domain, SCAN_WAITING)) == NULL)
		return 0;
	while (scan_next(scan, &e) == 1)
		n++;
	scan_close(scan);
	return n;
}

static void
look_at(struct queue *q, const char *domain)
{
	struct domain d;
	size_t n = count(q->spool, domain);

	if (n > 0 && ledger_load(q->spool, domain, &d) == 0 &&
	    domain_waits_for_us(&d))
		q->held = true;
	else if (n > 0) {
		q->waiting += n;
		q->error = spool_trigger(q->spool, domain, SPOOL_ASKED) == 0 ?
		    0 : errno;
	}
}

static bool
is_below(const char *domain, const char *name)
{
	size_t n = strlen(domain), m = strlen(name);

	return n > m && domain[n - m - 1] == '.' &&
	    strcmp(domain + n - m, name) == 0;
}

enum etrn_answer
etrn_start(struct spool *sp, const char *domain, bool below, size_t *waiting)
{
	struct queue q = { .spool = sp };
	char **domains = NULL;

	look_at(&q, domain);
	if (below)
		domains = spool_domains(sp);
	for (size_t i = 0; domains != NULL && domains[i] != NULL; i++)
		if (is_below(domains[i], domain))
			look_at(&q, domains[i]);
	free(domains);
	*waiting = q.waiting;
	if (q.waiting == 0)
		return q.held ? ETRN_HELD : ETRN_NONE;
	if (q.error == 0)
		return ETRN_STARTED;
	errno = q.error;
	return errno == ENXIO || errno == ENOENT ? ETRN_LATER : ETRN_DEAF;
}

struct caller {
	struct spool *spool;
	bool primary, woken;
};

static int
wake(const char *domain, void *arg)
{
	struct caller *c = arg;

	c->primary = true;
	if (scan_waiting(c->spool, domain) == 1 &&
	    spool_trigger(c->spool, domain, SPOOL_ASKED) == 0)
		c->woken = true;
	return 0;
}

bool
etrn_wake(struct spool *sp, const char *addr, bool *primary)
{
	struct caller c = { .spool = sp };

	(void)ledger_primary_of(sp, addr, wake, &c);
	*primary = c.primary;
	return c.woken;
}
