/* SPDX-License-Identifier: ISC */
#include "rehearse.h"

#include <stdlib.h>
#include <string.h>

#include "children.h"
#include "conduct.h"
#include "route.h"

#define ATONCE		4	/* most routes lead to one server */

/* One address of one domain's route. */
struct stop {
	struct check *c;
	struct route_host host;
	struct sockaddr_storage addr;	/* with its port */
	size_t look, ask;
};

struct tour {
	const struct look_us *us;
	int64_t deadline;
	struct stop *stop;
	size_t n;
	struct look *look;	/* shared with the children */
	size_t nlook;
};

static bool
settings_of(const struct check_options *o, const char *domain,
    struct settings *settings)
{
	char error[CONF_ERROR_MAX];

	return o->us != NULL && conf_domain(o->us, domain, settings, NULL,
	    error) != CONF_BROKEN && settings->nroute > 0;
}

bool
rehearse_is_routed(const struct check_options *o, const char *domain)
{
	struct settings settings;

	return settings_of(o, domain, &settings);
}

static bool
stops_add(struct tour *t, struct check *c, const struct route *r)
{
	struct stop *stop;
	size_t i;

	stop = reallocarray(t->stop, t->n + r->naddr + 1, sizeof(*stop));
	if (stop == NULL)
		return false;
	t->stop = stop;
	for (i = 0; i < r->naddr; i++)
		t->stop[t->n++] = (struct stop){ c,
		    r->host[r->addr[i].host], r->addr[i].addr, 0, 0 };
	return true;
}

/* Those of one domain; a route that leads nowhere is a finding. */
static void
stops_find(struct tour *t, struct check *c, struct dns *d,
    const struct check_options *o, int64_t deadline)
{
	struct settings settings;
	struct route r;

	if (!c->named || !settings_of(o, c->domain, &settings))
		return;
	route_find(&r, d, o->us, &settings, c->domain, deadline);
	if (r.kind == ROUTE_UNROUTABLE)
		finding_add(&c->found, CHECK_FAIL, CHECK_REHEARSE_MAIL,
		    c->domain, "The route leads nowhere (%s): mend it in the "
		    "domain's file.", r.why);
	else if (!stops_add(t, c, &r))
		c->found.failed = true;
}

static bool
is_at(const struct look *l, const struct stop *stop)
{
	char at[ROUTE_ADDR_TEXT], there[ROUTE_ADDR_TEXT];

	return l->nask < LOOK_ASKS && strcmp(l->host, stop->host.name) == 0 &&
	    strcmp(route_addr_print(at, &l->addr),
	    route_addr_print(there, &stop->addr)) == 0;
}

/* Domains that share a server share a session. */
static void
looks_make(struct tour *t)
{
	struct stop *stop;
	size_t i;

	for (stop = t->stop; stop < t->stop + t->n; stop++) {
		for (i = 0; i < t->nlook; i++)
			if (is_at(&t->look[i], stop))
				break;
		if (i == t->nlook) {
			look_init(&t->look[t->nlook++], &stop->addr,
			    stop->host.name);
			t->look[i].rehearse = true;
		}
		stop->look = i;
		stop->ask = t->look[i].nask;
		(void)look_ask(&t->look[i], stop->c->domain);
	}
}

/* In the child. */
static void
stop_visit(size_t i, void *arg)
{
	const struct tour *t = arg;

	look_run(&t->look[i], t->us, t->deadline);
}

static void
stop_tell(const struct tour *t, const struct stop *stop,
    const struct check_options *o)
{
	char at[ROUTE_ADDR_TEXT];
	const struct check_finding *it;
	struct findings f;
	struct conduct k;
	size_t i;

	memset(&k, 0, sizeof(k));
	k.look = &t->look[stop->look];
	k.ask = &k.look->ask[stop->ask];
	k.us = o->us;
	findings_init(&f);
	conduct_reach(&f, &k);
	conduct_rehearsal(&f, &k);
	route_addr_print(at, &stop->addr);
	for (i = 0; i < f.n; i++) {
		it = &f.finding[i];
		if (it->unknown)
			finding_unknown(&stop->c->found, it->id, it->subject,
			    "By route, %s: %s", at, it->text);
		else
			finding_add(&stop->c->found, it->level, it->id,
			    it->subject, "By route, %s: %s", at, it->text);
	}
	stop->c->found.failed |= f.failed;
	findings_clear(&f);
}

void
rehearse(struct check *c, size_t n, struct dns *d,
    const struct check_options *o, const struct look_us *us, int64_t deadline)
{
	struct tour t = { .us = us, .deadline = deadline };
	size_t i;

	for (i = 0; i < n; i++)
		stops_find(&t, &c[i], d, o, deadline);
	if (t.n == 0)
		return;
	if ((t.look = children_share(t.n * sizeof(*t.look))) == NULL) {
		for (i = 0; i < t.n; i++)
			t.stop[i].c->found.failed = true;
		goto out;
	}
	looks_make(&t);
	children_run(t.nlook, ATONCE, stop_visit, &t, deadline + 50);
	for (i = 0; i < t.n; i++)
		stop_tell(&t, &t.stop[i], o);
out:
	children_unshare(t.look, t.n * sizeof(*t.look));
	free(t.stop);
}
