/* SPDX-License-Identifier: ISC */
#include "link.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "knock.h"
#include "log.h"
#include "plain.h"

/* A list of reasons, as long as there is room. */
static void
join(char *list, size_t size, const char *head, const char *text)
{
	size_t used = strlen(list);

	(void)snprintf(list + used, size - used, "%s%s: %s",
	    used > 0 ? "; " : "", head, text);
}

static void
peer_print(char *peer, const char *name, const struct sockaddr_storage *ss)
{
	char text[INET6_ADDRSTRLEN] = "?";
	struct sockaddr_in6 in6;
	struct sockaddr_in in;
	int port = 0;

	if (ss->ss_family == AF_INET6) {
		memcpy(&in6, ss, sizeof(in6));
		inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof(text));
		port = ntohs(in6.sin6_port);
	} else {
		memcpy(&in, ss, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text));
		port = ntohs(in.sin_port);
	}
	(void)snprintf(peer, LINK_PEER_MAX, "%s [%s]:%d", name, text, port);
}

char *
link_print(char *peer, const struct route *r, size_t addr)
{
	peer_print(peer, r->host[r->addr[addr].host].name,
	    &r->addr[addr].addr);
	return peer;
}

static bool
parse_address(struct route_addr *a, const char *text, int port)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };

	memset(a, 0, sizeof(*a));
	if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1) {
		in6.sin6_port = htons((in_port_t)port);
		a->len = sizeof(in6);
		memcpy(&a->addr, &in6, sizeof(in6));
	} else if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		in.sin_port = htons((in_port_t)port);
		a->len = sizeof(in);
		memcpy(&a->addr, &in, sizeof(in));
	} else
		return false;
	return true;
}

/* The host NAME in R, made if it is missing; ROUTE_HOSTS_MAX: no room. */
static size_t
find_host(struct route *r, const char *name, int port)
{
	struct route_host *h;
	size_t i;

	for (i = 0; i < r->nhost; i++)
		if (strcmp(r->host[i].name, name) == 0 &&
		    r->host[i].port == port)
			return i;
	if (i == ROUTE_HOSTS_MAX)
		return i;
	h = &r->host[i];
	memset(h, 0, sizeof(*h));
	if (strlcpy(h->name, name, sizeof(h->name)) >= sizeof(h->name))
		return ROUTE_HOSTS_MAX;
	(void)strlcpy(h->canonical, name, sizeof(h->canonical));
	h->preference = -1;
	h->port = port;
	h->outcome = DNS_DATA;
	r->nhost++;
	return i;
}

bool
link_parse(struct route *r, const struct conf *conf, const char *peer)
{
	char name[ADDR_DOMAIN_MAX + 1], text[INET6_ADDRSTRLEN];
	struct route_addr *a;
	const char *error;
	int port, at = -1;

	if (sscanf(peer, "%255s [%45[0-9a-fA-F.:]]:%n", name, text, &at) != 2 ||
	    at == -1 || r->naddr == ROUTE_ADDRS_MAX)
		return false;
	port = (int)strtonum(peer + at, 1, 65535, &error);
	a = &r->addr[r->naddr];
	if (error != NULL || !parse_address(a, text, port) ||
	    conf_is_self(conf, name) || (port == conf->port &&
	    route_is_self_addr(conf, (struct sockaddr *)&a->addr)) ||
	    (a->host = find_host(r, name, port)) == ROUTE_HOSTS_MAX)
		return false;
	r->kind = ROUTE_FOUND;
	r->naddr++;
	return true;
}

void
link_close(struct link *l)
{
	smtp_client_close(l->client);
	l->client = NULL;
	l->carried = 0;
}

void
link_abandon(struct link *l)
{
	smtp_client_abandon(l->client);
	l->client = NULL;
	l->carried = 0;
}

void
link_clear(struct link *l)
{
	link_close(l);
	tls_policy_clear(&l->tls);
}

/* The peer lacks the TLS that is wanted. */
static void
note_bare(struct link *l, char *why)
{
	struct link_bare *bare = &l->bare[l->nbare];

	if (l->nbare == LINK_BARE_MAX)
		return;
	l->nbare++;
	memcpy(bare->peer, l->peer, sizeof(bare->peer));
	(void)strlcpy(bare->why, plain_unquote(why), sizeof(bare->why));
}

/*
 * Connects, and where TLS is only asked for and comes to nothing once more
 * without it.  What hosts_tell() is told is not of TLS: another domain may
 * want another kind.
 */
static enum smtp_client_result
connect_to(struct link *l, const struct route_addr *a,
    struct smtp_client_options *options, char *error)
{
	const struct sockaddr *sa = (const struct sockaddr *)&a->addr;
	size_t at = (size_t)(a - l->route.addr);
	enum smtp_client_result result;

	result = smtp_client_open(&l->client, options, sa, a->len, error);
	if (result == SMTP_CLIENT_TLS_FAILED || result == SMTP_CLIENT_TLS_NONE)
		note_bare(l, error);
	if (result == SMTP_CLIENT_TLS_FAILED && !options->tls_required) {
		log_info("clear domain=%s host=\"%s\" reason=\"%s\"",
		    l->domain, l->peer, plain_unquote(error));
		tls_policy_failed(&l->tls, at);
		options->tls = NULL;
		options->fd = -1;
		result = smtp_client_open(&l->client, options, sa, a->len,
		    error);
	}
	if (result != SMTP_CLIENT_OK)
		return result;
	tls_print(l->tls_text, smtp_client_tls(l->client));
	if (smtp_client_tls(l->client) != NULL)
		tls_policy_keep(&l->tls, at, smtp_client_tls(l->client));
	return result;
}

/*
 * Told by its words, which are all that another domain's worker leaves of a
 * server that it found so.
 */
static bool
is_refusal(const char *why)
{
	int code = 0;

	return (sscanf(why, "the greeting: %3d", &code) == 1 ||
	    sscanf(why, "EHLO: %3d", &code) == 1 ||
	    sscanf(why, "HELO: %3d", &code) == 1) && code / 100 == 5;
}

/* For struct knock: the address I is of no use. */
static void
useless(void *arg, size_t i, const char *why)
{
	struct link *l = arg;
	const struct route_addr *a = &l->route.addr[i];

	peer_print(l->peer, l->route.host[a->host].name, &a->addr);
	log_debug("%s: %s: %s", l->domain, l->peer, why);
	join(l->error, sizeof(l->error), l->peer, why);
	l->refused = l->refused || is_refusal(why);
	l->ourselves = l->complete = false;
	if (l->walk)
		for (size_t lack = 0; lack < SMTP_NLACKS; lack++)
			join(l->lacks[lack], sizeof(l->lacks[lack]), l->peer,
			    why);
}

/* A session with A over FD; -1: it has answered others in this run. */
static bool
try_address(struct link *l, const struct route_addr *a, int fd)
{
	const struct sockaddr *sa = (const struct sockaddr *)&a->addr;
	enum smtp_client_result result;
	enum tls_demand demand;
	char error[LINK_ERROR_MAX];
	struct tls_want want;
	struct smtp_client_options options = { .conf = l->conf, .fd = fd,
	    .want = &want, .identify = l->anonymous ? CONF_IDENTIFY_NONE :
	    l->settings->identify, .unchunked = l->unchunked,
	    .window = l->in_turn ? 0 : l->settings->window };
	size_t at = (size_t)(a - l->route.addr);

	peer_print(l->peer, l->route.host[a->host].name, &a->addr);
	demand = tls_policy_ask(&l->tls, at, &want, &options.tls, error);
	if (demand == TLS_DEMAND_LEAVE) {
		if (fd != -1) {
			close(fd);
			hosts_drop(l->hosts, sa);
		}
		useless(l, at, error);
		return false;
	}
	options.tls_required = demand == TLS_DEMAND_MUST;
	/* One that is there is not connected to without need. */
	if (fd == -1)
		turn_take(l->turn, sa);
	log_debug("%s: talking to %s", l->domain, l->peer);
	result = connect_to(l, a, &options, error);
	/* A busy host may refuse the second connection and serve the first. */
	if (fd != -1 || (result == SMTP_CLIENT_LOST && !l->extra))
		hosts_tell(l->hosts, sa, result != SMTP_CLIENT_REFUSED &&
		    result != SMTP_CLIENT_LOST, error);
	if (fd == -1 && result == SMTP_CLIENT_REFUSED)
		l->busy = true;
	if (result == SMTP_CLIENT_OK) {
		if (fd != -1)
			turn_take(l->turn, sa);
		return true;
	}
	if (result == SMTP_CLIENT_OURSELVES) {
		log_debug("%s: %s: %s", l->domain, l->peer, error);
		join(l->error, sizeof(l->error), l->peer, error);
	} else
		useless(l, at, error);
	return false;
}

/* In a walk an address is tried once, but for the one that it has come to. */
static bool
is_left_out(const struct link *l, size_t i)
{
	if (!l->walk)
		return false;
	return l->at < ROUTE_ADDRS_MAX ? i != l->at : l->passed[i];
}

bool
link_open(struct link *l)
{
	struct knock k = { .conf = l->conf, .hosts = l->hosts,
	    .route = &l->route, .failed = useless, .arg = l };
	char why[TLS_ERROR_MAX];
	int at, fd;
	size_t i;

	l->error[0] = '\0';
	l->carried = l->nbare = 0;
	l->busy = l->refused = false;
	l->ourselves = l->route.naddr > 0;
	for (i = 0; i < l->route.naddr; i++)
		if (is_left_out(l, i))
			knock_leave(&k, i);
		else if (tls_policy_leaves(&l->tls, i, why)) {
			knock_leave(&k, i);
			useless(l, i, why);
		}
	while ((at = knock_next(&k, &fd)) != -1) {
		if (!try_address(l, &l->route.addr[at], fd))
			continue;
		l->ourselves = false;
		l->at = (size_t)at;
		return true;
	}
	turn_end(l->turn);
	return false;
}

/*** The walk ***/

static const char *
lack_text(const struct link *l, enum smtp_lack lack)
{
	switch (lack) {
	case SMTP_LACKS_NOTHING:
		break;
	case SMTP_LACKS_SMTPUTF8:
		return "SMTPUTF8 is not offered";
	case SMTP_LACKS_REQUIRETLS:
		return smtp_client_tls(l->client) != NULL &&
		    tls_authenticated(smtp_client_tls(l->client)) !=
		    TLS_AUTH_NONE ? "REQUIRETLS is not offered" :
		    "it has not shown in TLS who it is";
	case SMTP_LACKS_ROOM:
		return "it takes less";
	}
	return "";
}

/* The walk has come to a server: what does it lack? */
static void
meet(struct link *l)
{
	enum smtp_lack lack;

	/* HELO, or a proxy that hides what there is: it may, another day. */
	if (smtp_client_offers(l->client) == 0)
		l->complete = false;
	for (lack = SMTP_LACKS_NOTHING; lack < SMTP_NLACKS; lack++)
		if (smtp_client_lacks(l->client, lack))
			join(l->lacks[lack], sizeof(l->lacks[lack]), l->peer,
			    lack_text(l, lack));
		else
			l->none_has[lack] = false;
}

void
link_walk(struct link *l)
{
	size_t i;

	l->walk = true;
	l->complete = !l->fallback;
	for (i = 0; i < l->route.nhost; i++)
		if (l->route.host[i].outcome == DNS_TEMPFAIL ||
		    l->route.host[i].outcome == DNS_BOGUS)
			l->complete = false;
	for (i = 0; i < SMTP_NLACKS; i++)
		l->none_has[i] = true;
	memset(l->lacks, 0, sizeof(l->lacks));
	memset(l->passed, 0, sizeof(l->passed));
	if (l->client == NULL)
		l->at = ROUTE_ADDRS_MAX;
	else
		meet(l);
}

bool
link_step(struct link *l)
{
	if (l->at < ROUTE_ADDRS_MAX)
		l->passed[l->at] = true;
	l->at = ROUTE_ADDRS_MAX;
	link_close(l);
	if (!link_open(l))
		return false;
	meet(l);
	return true;
}

void
link_walk_end(struct link *l)
{
	link_close(l);
	l->walk = false;
}
