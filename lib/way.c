/* SPDX-License-Identifier: ISC */
#include "way.h"

#include <sys/socket.h>
#include <netdb.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "deadline.h"
#include "ledger.h"
#include "log.h"
#include "route.h"
#include "smtp_client.h"

void
way_save(struct way *w)
{
	if (!w->dry && ledger_save(w->spool, w->domain, &w->state) == -1)
		log_warn("%s: cannot write the domain's state", w->domain);
}

static void
note(struct way *w, enum domain_state state, const char *error)
{
	switch (state) {
	case DOMAIN_UP:
		event_note(w->event, EVENT_UP, w->link->peer, "");
		break;
	case DOMAIN_DOWN:
		event_note(w->event, EVENT_DOWN, w->state.route, error);
		break;
	case DOMAIN_UNROUTABLE:
		event_note(w->event, EVENT_UNROUTABLE, "", error);
		break;
	case DOMAIN_UNKNOWN:
	case DOMAIN_HELD:
		break;
	}
}

static void
set_state(struct way *w, enum domain_state state, const char *error)
{
	const char *detail = state == DOMAIN_UP ? w->link->peer : error;

	note(w, state, error);
	w->state.last_try = time(NULL);
	/* Cut if need be: it is for reading. */
	(void)strlcpy(w->state.error, error, sizeof(w->state.error));
	/* A dry run is there to tell, be it news or not. */
	if (w->state.state != state || w->dry)
		log_info("%s domain=%s %s=\"%s\"", domain_state_name(state),
		    w->domain, state == DOMAIN_UP ? "host" : "reason", detail);
	if (w->state.state != state) {
		w->state.state = state;
		w->state.since = w->state.last_try;
		if (!w->dry && ledger_outage(w->spool, w->domain,
		    domain_state_name(state), detail) == -1)
			log_warn("%s: cannot write to outages", w->domain);
	}
	way_save(w);
}

/*
 * No server took the connection.  One that has answered in this run and wants
 * no connection more is not down.
 */
void
way_lost(struct way *w)
{
	enum domain_state state = w->link->ourselves ? DOMAIN_UNROUTABLE :
	    DOMAIN_DOWN;

	if (w->link->ourselves)
		event_note(w->event, EVENT_LOOP, "", w->link->error);
	if (w->link->busy && w->state.state == DOMAIN_UP)
		state = DOMAIN_UP;
	set_state(w, state, w->link->error);
}

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

/*
 * DNS that names no better host is the domain's trouble and no verdict on
 * its mail; where we are its backup the last route that worked is used.
 */
static bool
find_route(struct way *w)
{
	struct link *l = w->link;

	route_find(&l->route, w->dns, w->conf, w->settings, w->domain,
	    deadline_in(w->conf->timeout.dns));
	l->fallback = false;
	if (l->route.kind == ROUTE_FOUND && l->route.naddr > 0) {
		if (w->ours)
			note_primaries(w);
		tls_policy_route(&l->tls, &l->route, NULL,
		    deadline_in(w->conf->timeout.dns));
		return true;
	}
	l->fallback = true;
	(void)strlcpy(l->error, l->route.why, sizeof(l->error));
	if (!w->ours || !link_parse(&l->route, w->state.route))
		return false;
	log_debug("%s: %s; trying the last route that worked", w->domain,
	    l->error);
	tls_policy_route(&l->tls, &l->route, "",
	    deadline_in(w->conf->timeout.dns));
	return true;
}

bool
way_probe(struct way *w)
{
	char unroutable[LINK_ERROR_MAX];

	w->link->error[0] = '\0';
	if (!find_route(w)) {
		set_state(w, DOMAIN_UNROUTABLE, w->link->error);
		return false;
	}
	memcpy(unroutable, w->link->error, sizeof(unroutable));
	if (link_open(w->link)) {
		if (w->link->fallback)
			event_note(w->event, EVENT_REMEMBERED, w->link->peer,
			    unroutable);
		memcpy(w->state.route, w->link->peer, sizeof(w->link->peer));
		(void)strlcpy(w->state.ehlo, smtp_client_ehlo(w->link->client),
		    sizeof(w->state.ehlo));
		set_state(w, DOMAIN_UP, "");
		return true;
	}
	if (unroutable[0] != '\0')
		set_state(w, DOMAIN_UNROUTABLE, unroutable);
	else
		way_lost(w);
	return false;
}

