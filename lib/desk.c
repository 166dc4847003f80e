/* SPDX-License-Identifier: ISC */
#include "desk.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "addr.h"
#include "log.h"
#include "plain.h"

const struct outlook *
desk_know(struct desk *d, const char *domain)
{
	char error[CONF_ERROR_MAX];

	switch (outlook_load(&d->outlook, &d->conf, d->spool, domain, error)) {
	case OUTLOOK_OK:
		return &d->outlook;
	case OUTLOOK_NO_STATE:
		complain_errno(&d->complain, 0, "%s: state", domain);
		return &d->outlook;
	case OUTLOOK_NO_HOLDS:
		complain_errno(&d->complain, 1, "%s: holds", domain);
		return NULL;
	case OUTLOOK_NO_CONF:
		complain(&d->complain, EX_CONFIG, "%s", error);
		return NULL;
	}
	return NULL;
}

int
desk_is_spooled(struct desk *d, const char *domain)
{
	char **list = spool_domains(d->spool);
	int found = 0;

	if (list == NULL)
		return complain_errno(&d->complain, 1, "spool");
	for (size_t i = 0; list[i] != NULL; i++)
		if (strcmp(list[i], domain) == 0)
			found = 1;
	free(list);
	return found;
}

/*** Arguments: ids, domains, and "-" for a list on standard input ***/

/* A word without a dot was perhaps meant for a verb. */
static int
complain_unknown(struct desk *d, const char *name, bool domains)
{
	char domain[ADDR_DOMAIN_MAX + 1], safe[512];
	int spooled = 0;

	(void)plain(safe, sizeof(safe), name);
	if (!domains && addr_domain(domain, name) &&
	    (spooled = desk_is_spooled(d, domain)) == -1)
		return -1;
	if (spooled)
		complain(&d->complain, 1, "%s: expected an id; \"mx-queue "
		    "list %s\" prints them", safe, domain);
	else if (!domains)
		complain(&d->complain, 1, "%s: no such message", safe);
	else if (strchr(name, '.') == NULL)
		complain(&d->complain, 1, "%s: no such verb, message or "
		    "domain", safe);
	else
		complain(&d->complain, 1, "%s: no such message or domain",
		    safe);
	return 0;
}

/* Is there anything to be said of the domain NAME?  1, 0 or -1. */
static int
is_domain(struct desk *d, char *domain, const char *name)
{
	const struct outlook *o;

	if (!addr_domain(domain, name))
		return 0;
	if ((o = desk_know(d, domain)) == NULL)
		return -1;
	return o->ours ? 1 : desk_is_spooled(d, domain);
}

static int
visit_name(struct desk *d, const char *name, bool domains, desk_visitor *fn)
{
	char domain[ADDR_DOMAIN_MAX + 1];
	struct scan_found found;
	int got = scan_find(d->spool, name, &found);

	if (got == -1)
		return complain_errno(&d->complain, 1, "spool");
	if (got == 1)
		return fn(d, found.domain, &found.entry);
	if (domains && (got = is_domain(d, domain, name)) == -1)
		return -1;
	return got == 1 ? fn(d, domain, NULL) :
	    complain_unknown(d, name, domains);
}

static int
visit_list(struct desk *d, bool domains, desk_visitor *fn)
{
	char *line = NULL;
	size_t size = 0;
	int result = 0;

	while (result == 0 &&
	    getdelim(&line, &size, d->nul ? '\0' : '\n', d->in) > 0) {
		if (!d->nul) {
			/* The first field of what "list" prints. */
			line[strcspn(line, "\t\n")] = '\0';
		}
		if (*line != '\0')
			result = visit_name(d, line, domains, fn);
	}
	if (result == 0 && ferror(d->in))
		result = complain_errno(&d->complain, 1, "standard input");
	free(line);
	return result;
}

int
desk_visit(struct desk *d, char **arg, bool domains, desk_visitor *fn)
{
	int result = 0;

	for (; result == 0 && *arg != NULL; arg++)
		result = strcmp(*arg, "-") == 0 ? visit_list(d, domains, fn) :
		    visit_name(d, *arg, domains, fn);
	return result;
}

int
desk_visit_domains(struct desk *d, char **arg, desk_domain_visitor *fn)
{
	char **list, domain[ADDR_DOMAIN_MAX + 1];
	int result = 0;

	for (size_t i = 0; result == 0 && arg[i] != NULL; i++)
		result = addr_domain(domain, arg[i]) ? fn(d, domain) :
		    complain(&d->complain, EX_USAGE, "%s: expected a domain",
		    arg[i]);
	if (arg[0] != NULL)
		return result;
	if ((list = spool_domains(d->spool)) == NULL)
		return complain_errno(&d->complain, 1, "spool");
	for (size_t i = 0; result == 0 && list[i] != NULL; i++)
		result = fn(d, list[i]);
	free(list);
	return result;
}

/*** A message ***/

bool
desk_open(struct desk *d, const char *domain, const struct scan_entry *e,
    bool lock, bool asked, struct message *m)
{
	const struct complain *c = &d->complain;
	const char *why;

	switch (message_open(d->spool, domain, e, lock, m, &why)) {
	case MESSAGE_OPENED:
		return true;
	case MESSAGE_GONE:
	case MESSAGE_VOIDED:
		if (asked)
			complain(c, 1, "%s: no such message", e->id);
		return false;
	case MESSAGE_BUSY:
		complain(c, EX_TEMPFAIL,
		    "%s: in use by another program, try again", e->id);
		return false;
	case MESSAGE_DAMAGED:
		complain(c, 1, "%s: damaged: %s", e->id, why);
		return false;
	case MESSAGE_ERROR:
		complain_errno(c, 1, "%s", e->id);
		return false;
	}
	return false;
}

void
desk_done(struct desk *d, const char *what, const char *name)
{
	log_info("%s id=%s uid=%ld", what, name, (long)getuid());
	if (!d->quiet && (d->row.style == ROW_COLUMNS || d->dry))
		fprintf(d->row.f, "%s: %s%s\n", name,
		    d->dry ? "would be " : "", what);
}
