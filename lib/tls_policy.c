/* SPDX-License-Identifier: ISC */
#include "tls_policy.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "log.h"

#define BEST_AGE	(30 * 86400)	/* seconds */

static void
forget(struct tls_policy *p)
{
	size_t i;

	if (p->dane != NULL)
		dane_clear(p->dane, p->ndane);
	free(p->dane);
	p->dane = NULL;
	for (i = 0; i < ROUTE_ADDRS_MAX; i++) {
		tls_session_free(p->session[i]);
		p->session[i] = NULL;
		p->broken[i] = false;
	}
}

void
tls_policy_route(struct tls_policy *p, struct route *r,
    const char *remembered, int64_t deadline)
{
	forget(p);
	p->route = r;
	p->dane_only = remembered != NULL &&
	    strstr(remembered, " dane-") != NULL;
	p->never_clear = remembered != NULL &&
	    strncmp(remembered, "TLSv", 4) == 0;
	if (p->settings->tls != CONF_TLS_DANE)
		return;
	if (!dns_trusts_ad(p->dns))
		log_warnx("%s: no DANE, for the resolver is not believed: "
		    "see \"resolver\" in mxkeep.conf(5)", p->domain);
	/* Its names came out of a secure DNS then. */
	if (p->dane_only)
		r->secure = route_look_up(r, p->dns, deadline);
	p->dane = dane_of_route(r, p->dns, deadline);
	p->ndane = r->nhost;
}

void
tls_policy_clear(struct tls_policy *p)
{
	forget(p);
	tls_client_free(p->own);
	p->own = NULL;
}

static bool
is_numeric(const char *host)
{
	struct in6_addr in;

	return inet_pton(AF_INET, host, &in) == 1 ||
	    inet_pton(AF_INET6, host, &in) == 1;
}

/*
 * By a chain: the host has to be the one we were sent to, or show the name of
 * the domain itself.
 */
static enum tls_demand
ask_verify(struct tls_policy *p, const char *host, struct tls_want *want)
{
	want->how = TLS_VERIFY;
	want->nname = 0;
	if (want->server[0] != '\0')
		p->name[want->nname++] = host;
	else
		want->server = p->domain;
	p->name[want->nname++] = p->domain;
	return TLS_DEMAND_MUST;
}

/* RFC 7672 2.2: what the records say, or why they cannot be had. */
static enum tls_demand
ask_dane(struct tls_policy *p, size_t host, struct tls_want *want, char *why)
{
	const struct dane_host *h = p->dane == NULL ? NULL : &p->dane[host];

	if (h == NULL || h->kind == DANE_FAILED) {
		(void)snprintf(why, TLS_ERROR_MAX, "%s", h == NULL ?
		    "out of memory" : h->why);
		return TLS_DEMAND_LEAVE;
	}
	if (h->kind == DANE_NONE) {
		/* All its records may have been unusable (RFC 7672 2.2). */
		if (!p->dane_only)
			return p->never_clear ? TLS_DEMAND_MUST :
			    TLS_DEMAND_TRY;
		(void)snprintf(why, TLS_ERROR_MAX, "it was known by DANE "
		    "when the DNS led there, and is not now");
		return TLS_DEMAND_LEAVE;
	}
	want->how = TLS_DANE;
	want->server = h->base;
	want->tlsa = h->tlsa;
	want->ntlsa = h->ntlsa;
	/* RFC 7672 3.2.2 */
	p->name[want->nname++] = h->base;
	p->name[want->nname++] = p->domain;
	if (p->route->alias_of[0] != '\0')
		p->name[want->nname++] = p->route->alias_of;
	return TLS_DEMAND_MUST;
}

static enum tls_demand
ask(struct tls_policy *p, size_t host, struct tls_want *want, char *why)
{
	const char *name = p->route->host[host].name;

	want->how = TLS_MAY;
	want->server = is_numeric(name) ? "" : name;
	want->name = p->name;
	switch (p->settings->tls) {
	case CONF_TLS_MAY:
		break;
	case CONF_TLS_DANE:
		return ask_dane(p, host, want, why);
	case CONF_TLS_VERIFY:
		return ask_verify(p, name, want);
	case CONF_TLS_PIN:
		want->how = TLS_PIN;
		want->pin = p->settings->pin;
		want->npin = (size_t)p->settings->npin;
		return TLS_DEMAND_MUST;
	}
	return TLS_DEMAND_TRY;
}

enum tls_demand
tls_policy_ask(struct tls_policy *p, size_t addr, struct tls_want *want,
    struct tls_client **tls, char *why)
{
	enum tls_demand demand;

	memset(want, 0, sizeof(*want));
	*tls = NULL;
	demand = ask(p, p->route->addr[addr].host, want, why);
	if (demand == TLS_DEMAND_TRY && p->broken[addr])
		return TLS_DEMAND_NONE;
	if (demand == TLS_DEMAND_LEAVE)
		return demand;
	if (p->tls == NULL && p->own == NULL && (p->own = tls_client_new(
	    p->conf->tls_authorities, why)) == NULL)
		return demand == TLS_DEMAND_MUST ? TLS_DEMAND_LEAVE :
		    TLS_DEMAND_NONE;
	*tls = p->tls != NULL ? p->tls : p->own;
	want->session = p->session[addr];
	return demand;
}

bool
tls_policy_leaves(struct tls_policy *p, size_t addr, char *why)
{
	struct tls_want want;

	memset(&want, 0, sizeof(want));
	return ask(p, p->route->addr[addr].host, &want, why) ==
	    TLS_DEMAND_LEAVE;
}

void
tls_policy_failed(struct tls_policy *p, size_t addr)
{
	p->broken[addr] = true;
}

void
tls_policy_keep(struct tls_policy *p, size_t addr, struct tls *t)
{
	struct tls_session *s = tls_session_take(t);

	if (s == NULL)
		return;
	tls_session_free(p->session[addr]);
	p->session[addr] = s;
}

void
tls_print(char *text, const struct tls *t)
{
	if (t == NULL)
		(void)strlcpy(text, "none", TLS_TEXT_MAX);
	else
		(void)snprintf(text, TLS_TEXT_MAX, "%s %s %s",
		    tls_protocol(t), tls_cipher(t),
		    tls_auth_name(tls_authenticated(t)));
}

enum worth { NOTHING, ENCRYPTED, AUTHENTICATED };

static enum worth
worth(const char *text)
{
	const char *how = strrchr(text, ' ');

	if (strncmp(text, "TLSv", 4) != 0 || how == NULL)
		return NOTHING;
	return strcmp(how, " none") == 0 ? ENCRYPTED : AUTHENTICATED;
}

/* "SECONDS HOST TEXT": where the text begins; NULL for what is no such. */
static const char *
best_parse(const char *best, const char *host, bool *same, time_t now)
{
	long long when;
	const char *p;
	int at = -1;

	if (sscanf(best, "%lld %n", &when, &at) != 1 || at == -1 ||
	    when > now || now - when > BEST_AGE)
		return NULL;
	if ((p = strchr(best + at, ' ')) == NULL)
		return NULL;
	*same = strlen(host) == (size_t)(p - best) - (size_t)at &&
	    strncmp(best + at, host, strlen(host)) == 0;
	return p + 1;
}

/* The name of PEER; HOST has ADDR_DOMAIN_MAX + 1. */
static void
host_of(char *host, const char *peer)
{
	(void)strlcpy(host, peer, ADDR_DOMAIN_MAX + 1);
	host[strcspn(host, " ")] = '\0';
}

char *
tls_best(char (*best)[TLS_BEST_MAX], size_t n, const char *peer, time_t now)
{
	char host[ADDR_DOMAIN_MAX + 1];
	size_t i, least = 0;
	long long when, oldest = -1;
	bool same;

	host_of(host, peer);
	for (i = 0; i < n; i++) {
		when = 0;
		if (best_parse(best[i], host, &same, now) != NULL) {
			if (same)
				return best[i];
			when = strtoll(best[i], NULL, 10);
		}
		if (oldest == -1 || when < oldest) {
			oldest = when;
			least = i;
		}
	}
	return best[least];
}

bool
tls_is_less(char *best, const char *peer, const char *text,
    enum conf_tls policy, time_t now)
{
	char host[ADDR_DOMAIN_MAX + 1], text_now[TLS_BEST_MAX];
	const char *was;
	enum worth before = NOTHING;
	bool same = true;

	host_of(host, peer);
	if ((was = best_parse(best, host, &same, now)) != NULL)
		before = worth(was);
	if (policy == CONF_TLS_MAY && before == AUTHENTICATED && same)
		before = ENCRYPTED;
	if (worth(text) < before)
		return same;
	if (worth(text) == before && !same)
		return false;
	(void)snprintf(text_now, sizeof(text_now), "%lld %s %.120s",
	    (long long)now, host, text);
	(void)strlcpy(best, worth(text) == NOTHING ? "" : text_now,
	    TLS_BEST_MAX);
	return false;
}
