/* SPDX-License-Identifier: ISC */
#include "way.h"

#include <sys/socket.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "breaker.h"
#include "deadline.h"
#include "ledger.h"
#include "log.h"
#include "plain.h"
#include "route.h"
#include "smtp_client.h"

/*** The state ***/

void
way_save(struct way *w)
{
	if (!w->dry && ledger_save(w->spool, w->domain, &w->state) == -1)
		log_warn("%s: cannot write the domain's state", w->domain);
}

static void
note(struct way *w, const char *error)
{
	switch (w->state.state) {
	case DOMAIN_UP:
		event_note(w->event, EVENT_UP, w->link->peer, "");
		break;
	case DOMAIN_DOWN:
		event_note(w->event, EVENT_DOWN, w->state.route, error);
		break;
	case DOMAIN_UNROUTABLE:
		event_note(w->event, EVENT_UNROUTABLE, "", error);
		break;
	case DOMAIN_STOPPED:
		if (w->event != NULL)
			w->event->tried_on = w->state.refuses;
		event_note(w->event, EVENT_STOPPED, w->link->peer, error);
		break;
	case DOMAIN_UNKNOWN:
	case DOMAIN_HELD:
		break;
	}
}

static void
write_outage(struct way *w, const char *what, const char *detail)
{
	if (!w->dry && ledger_outage(w->spool, w->domain, what, detail) == -1)
		log_warn("%s: cannot write to outages", w->domain);
}

/* A domain of which nothing was known has not been away. */
static void
change_state(struct way *w, enum domain_state state, const char *detail)
{
	struct domain *d = &w->state;

	if (state == DOMAIN_UP)
		d->accepted = d->state == DOMAIN_UNKNOWN ? BREAKER_ENOUGH : 0;
	d->state = state;
	d->since = d->last_try;
	write_outage(w, domain_state_name(state), detail);
}

static void
set_state(struct way *w, enum domain_state state, const char *error)
{
	const char *detail = state == DOMAIN_UP ? w->link->peer : error;
	struct domain *d = &w->state;

	d->last_try = time(NULL);
	d->next_try = state == DOMAIN_STOPPED && !d->refuses ? 0 :
	    d->last_try + w->interval;
	/* Cut if need be: it is for reading. */
	(void)strlcpy(d->error, error, sizeof(d->error));
	/* A dry run is there to tell, be it news or not. */
	if (d->state != state || w->dry)
		log_info("%s domain=%s %s=\"%s\"", domain_state_name(state),
		    w->domain, state == DOMAIN_UP ? "host" : "reason", detail);
	if (d->state != state)
		change_state(w, state, detail);
	way_save(w);
	note(w, error);
}

/*
 * A server that was away and now refuses to talk to us is stopped, and tried
 * on: it heals by itself, and somebody should know.  One that refused from
 * the beginning is as good as away.
 */
static void
set_away(struct way *w)
{
	enum domain_state state = DOMAIN_DOWN;
	struct domain *d = &w->state;
	bool refused = w->link->refused;

	if (refused && ((d->state == DOMAIN_DOWN && !d->refuses) ||
	    (d->state == DOMAIN_STOPPED && d->refuses)))
		state = DOMAIN_STOPPED;
	d->refuses = refused;
	set_state(w, state, w->link->error);
}

static void
set_loop(struct way *w)
{
	event_note(w->event, EVENT_LOOP, "", w->link->error);
	set_state(w, DOMAIN_UNROUTABLE, w->link->error);
}

void
way_lost(struct way *w)
{
	if (w->link->ourselves)
		set_loop(w);
	else if (w->link->busy && w->state.state == DOMAIN_UP)
		set_state(w, DOMAIN_UP, w->link->error);
	else
		set_away(w);
}

bool
way_is_released(const struct way *w)
{
	time_t now = time(NULL);

	/* A clock that was set back makes it old. */
	return w->state.released != 0 && w->state.released <= now &&
	    now - w->state.released < WAY_LONG;
}

bool
way_is_back(const struct way *w)
{
	return w->state.accepted < BREAKER_ENOUGH &&
	    w->state.since + WAY_LONG > time(NULL);
}

void
way_stop(struct way *w, const char *why)
{
	/* First: rather too long a life for mail than one too short. */
	if (!w->dry && ledger_stop(w->spool, w->domain, why) == -1)
		log_warn("%s: cannot note that it has stopped", w->domain);
	w->state.refuses = false;
	set_state(w, DOMAIN_STOPPED, why);
}

bool
way_is_stopped(struct way *w)
{
	struct domain *d = &w->state;
	bool release = d->order == DOMAIN_RELEASE;

	if (d->state != DOMAIN_STOPPED || (d->order == DOMAIN_WAIT &&
	    d->refuses))
		return false;
	if (d->order == DOMAIN_WAIT || w->dry) {
		/* The run that stopped it may have been killed too early. */
		event_note(w->event, EVENT_STOPPED, d->route, d->error);
		log_info("stopped domain=%s reason=\"%s\"", w->domain,
		    plain_unquote(d->error));
		return true;
	}
	if (!d->refuses && ledger_go_on(w->spool, w->domain) == -1)
		log_warn("%s: cannot note that it goes on", w->domain);
	d->since = time(NULL);
	d->released = release ? d->since : 0;
	d->state = DOMAIN_DOWN;
	d->refuses = false;
	(void)strlcpy(d->error, "not tried since it was stopped",
	    sizeof(d->error));
	log_info("%s domain=%s", release ? "released" : "retried", w->domain);
	write_outage(w, release ? "release" : "retry", "");
	way_save(w);
	/* Last: an order is rather followed twice than lost. */
	if (ledger_order(w->spool, w->domain, DOMAIN_WAIT) == -1)
		log_warn("%s: cannot put the operator's order away",
		    w->domain);
	return false;
}

/*** What is remembered of the way ***/

static int
compare_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The receiver is to know the servers when they call. */
static void
note_primaries(struct way *w)
{
	const struct route *r = &w->link->route;
	char text[ROUTE_ADDRS_MAX][INET6_ADDRSTRLEN];
	const char *addr[ROUTE_ADDRS_MAX];
	size_t n = 0;

	if (w->dry)
		return;
	for (size_t i = 0; i < r->naddr; i++)
		if (getnameinfo((const struct sockaddr *)&r->addr[i].addr,
		    r->addr[i].len, text[n], sizeof(text[n]), NULL, 0,
		    NI_NUMERICHOST) == 0)
			n++;
	/* Those of one preference come in a new order each time. */
	qsort(text, n, sizeof(text[0]), compare_text);
	for (size_t i = 0; i < n; i++)
		addr[i] = text[i];
	if (ledger_note_primaries(w->spool, w->domain, addr, n) == -1)
		log_warn("%s: cannot note its servers", w->domain);
}

/* The way that was found led to a server that takes mail. */
static void
remember(struct way *w)
{
	const struct route *r = &w->link->route;
	char peer[LINK_PEER_MAX];
	struct domain *d = &w->state;
	size_t n = 0;

	d->good = time(NULL);
	d->refuses = false;
	(void)strlcpy(d->route, w->link->peer, sizeof(d->route));
	(void)strlcpy(d->tls, w->link->tls_text, sizeof(d->tls));
	(void)strlcpy(d->ehlo, smtp_client_ehlo(w->link->client),
	    sizeof(d->ehlo));
	if (w->link->fallback)
		return;
	memset(d->host, 0, sizeof(d->host));
	for (size_t i = 0; i < r->naddr && n < DOMAIN_HOSTS_MAX; i++)
		n += strlcpy(d->host[n], link_print(peer, r, i),
		    sizeof(d->host[n])) < sizeof(d->host[n]);
}

/*
 * Is the last address of the route at a host that the operator has named, if
 * he has named any?  Another may be what he has just left.
 */
static bool
is_named(const struct way *w)
{
	const struct settings *s = w->settings;
	const struct route *r = &w->link->route;
	const struct route_host *h = &r->host[r->addr[r->naddr - 1].host];

	for (int i = 0; i < s->nroute; i++)
		if (strcmp(s->route[i].host, h->name) == 0 && h->port ==
		    (s->route[i].port != 0 ? s->route[i].port : w->conf->port))
			return true;
	return s->nroute == 0;
}

static void
recall_host(struct way *w, const char *text)
{
	struct route *r = &w->link->route;

	if (*text != '\0' && link_parse(r, w->conf, text) && !is_named(w))
		r->naddr--;
}

/* The last route that worked; false if there is none, or it is too old. */
static bool
recall(struct way *w)
{
	struct route *r = &w->link->route;
	const struct domain *d = &w->state;

	if (!w->ours || w->settings->strict_routing ||
	    w->settings->route_memory == 0 || d->route[0] == '\0')
		return false;
	/* Not known since when: an older version has written it. */
	if (d->good != 0 && time(NULL) - d->good > w->settings->route_memory)
		return false;
	memset(r, 0, sizeof(*r));
	recall_host(w, d->route);
	for (size_t i = 0; i < DOMAIN_HOSTS_MAX; i++)
		if (strcmp(d->host[i], d->route) != 0)
			recall_host(w, d->host[i]);
	w->link->fallback = true;
	return r->naddr > 0;
}

/*** The probe ***/

/*
 * The verdicts of RFC 5321 5.1 and RFC 7505, for those who want them.  What
 * may be otherwise tomorrow is none.
 */
static bool
is_never(struct way *w)
{
	const struct route *r = &w->link->route;
	const char *status = NULL;

	if (!w->settings->strict_routing || !w->ours)
		return false;
	switch (r->lack) {
	case ROUTE_LACK_ANSWER:
		return false;
	case ROUTE_LACK_DOMAIN:
		status = "5.1.2";
		break;
	case ROUTE_LACK_MX:
		status = "5.1.10";
		break;
	case ROUTE_LACK_BETTER:
		status = "5.4.6";
		break;
	case ROUTE_LACK_ADDRESS:
		status = "5.4.4";
		break;
	}
	return snprintf(w->never, sizeof(w->never), "%s %s", status, r->why) <
	    (int)sizeof(w->never);
}

/* PEER gives TEXT now: if that is less than it did, WHAT is for people. */
static void
compare_one(struct way *w, const char *peer, const char *text,
    const char *what)
{
	time_t now = time(NULL);
	char *best = tls_best(w->state.best_tls, DOMAIN_HOSTS_MAX, peer, now);

	if (!tls_is_less(best, peer, text, w->settings->tls, now))
		return;
	log_warnx("less TLS domain=%s host=\"%s\" now=\"%s\" before=\"%s\"",
	    w->domain, peer, what, best);
	event_note(w->event, EVENT_DOWNGRADE, peer, what);
}

/* A server that has given more than it does now is worth a word. */
static void
compare_tls(struct way *w)
{
	const struct link *l = w->link;
	bool told = l->client == NULL;

	for (size_t i = 0; i < l->nbare; i++) {
		compare_one(w, l->bare[i].peer, "none", l->bare[i].why);
		told = told || strcmp(l->bare[i].peer, l->peer) == 0;
	}
	/* Of one that is talked to in clear it is known why. */
	if (!told)
		compare_one(w, l->peer, l->tls_text, l->tls_text);
}

/* By the route that the link has.  WHY: the DNS has none; "" it has. */
static enum way_found
try_route(struct way *w, const char *why)
{
	struct domain *d = &w->state;
	bool open = link_open(w->link);

	compare_tls(w);
	if (!open)
		return WAY_NONE;
	remember(w);
	if (*why != '\0') {
		log_info("detour domain=%s host=\"%s\" reason=\"%s\"",
		    w->domain, w->link->peer, why);
		event_note(w->event, EVENT_REMEMBERED, w->link->peer, why);
		if (d->detour[0] == '\0')
			write_outage(w, "detour", why);
	}
	(void)strlcpy(d->detour, why, sizeof(d->detour));
	d->sending = time(NULL);
	set_state(w, DOMAIN_UP, "");
	return WAY_OPEN;
}

/*
 * DNS that names no better host is the domain's trouble and no verdict on
 * its mail; where we are its backup the last route that worked is used.
 */
static enum way_found
try_memory(struct way *w, const char *why)
{
	struct link *l = w->link;
	char text[LINK_ERROR_MAX];

	l->peer[0] = '\0';
	if (!recall(w)) {
		(void)strlcpy(l->error, why, sizeof(l->error));
		return WAY_NONE;
	}
	log_debug("%s: %s; trying the last route that worked", w->domain,
	    why);
	tls_policy_route(&l->tls, &l->route, w->state.tls,
	    deadline_in(w->conf->timeout.dns));
	if (try_route(w, why) == WAY_OPEN)
		return WAY_OPEN;
	(void)snprintf(text, sizeof(text), "%s; and by the last route that "
	    "worked: %.250s", why, l->error);
	(void)strlcpy(l->error, text, sizeof(l->error));
	return WAY_NONE;
}

enum way_found
way_probe(struct way *w)
{
	char why[LINK_ERROR_MAX];
	struct link *l = w->link;

	l->error[0] = l->peer[0] = '\0';
	l->fallback = false;
	route_find(&l->route, w->dns, w->conf, w->settings, w->domain,
	    deadline_in(w->conf->timeout.dns));
	if (l->route.kind == ROUTE_FOUND && l->route.naddr > 0) {
		if (w->ours)
			note_primaries(w);
		tls_policy_route(&l->tls, &l->route, NULL,
		    deadline_in(w->conf->timeout.dns));
		if (try_route(w, "") == WAY_OPEN)
			return WAY_OPEN;
		if (!l->ourselves) {
			way_lost(w);
			return WAY_NONE;
		}
		(void)strlcpy(why, l->error, sizeof(why));
		if (try_memory(w, why) == WAY_OPEN)
			return WAY_OPEN;
		set_loop(w);
		return WAY_NONE;
	}
	(void)strlcpy(why, l->route.why, sizeof(why));
	if (is_never(w)) {
		(void)strlcpy(l->error, why, sizeof(l->error));
		set_state(w, DOMAIN_UNROUTABLE, why);
		return WAY_NEVER;
	}
	if (try_memory(w, why) == WAY_OPEN)
		return WAY_OPEN;
	w->state.detour[0] = '\0';
	set_state(w, DOMAIN_UNROUTABLE, l->error);
	return WAY_NONE;
}
