/* SPDX-License-Identifier: ISC */
#include "settings.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <libutil.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "duration.h"

#define DAY		(86400LL)
#define MINUTE		(60 * 1000LL)

/*** Values ***/

static bool
parse_number(int64_t *out, const char *text, int64_t least, int64_t most)
{
	const char *error;
	long long n = strtonum(text, least, most, &error);

	if (error != NULL)
		return false;
	*out = n;
	return true;
}

/* Octets with K, M, G as expand_number(3) has them. */
static bool
parse_size(int64_t *out, const char *text)
{
	uint64_t n;

	if (!isdigit((unsigned char)*text) || expand_number(text, &n) == -1 ||
	    n > INT64_MAX)
		return false;
	*out = (int64_t)n;
	return true;
}

static bool
parse_yes(bool *out, const char *text)
{
	*out = strcmp(text, "yes") == 0;
	return *out || strcmp(text, "no") == 0;
}

/* A numeric address, with or without brackets, port 0. */
static bool
parse_addr(struct sockaddr_storage *ss, const char *text)
{
	struct sockaddr_in6 *in6 = (void *)ss;
	struct sockaddr_in *in = (void *)ss;
	char bare[INET6_ADDRSTRLEN + 2];
	size_t n = strlen(text);

	if (n >= sizeof(bare))
		return false;
	memcpy(bare, text, n + 1);
	if (n > 2 && bare[0] == '[' && bare[n - 1] == ']') {
		bare[n - 1] = '\0';
		memmove(bare, bare + 1, n - 1);
	}
	memset(ss, 0, sizeof(*ss));
	if (inet_pton(AF_INET, bare, &in->sin_addr) == 1)
		ss->ss_family = AF_INET;
	else if (inet_pton(AF_INET6, bare, &in6->sin6_addr) == 1)
		ss->ss_family = AF_INET6;
	else
		return false;
	return true;
}

static void
set_port(struct sockaddr_storage *ss, int port)
{
	if (ss->ss_family == AF_INET)
		((struct sockaddr_in *)(void *)ss)->sin_port =
		    htons((uint16_t)port);
	else
		((struct sockaddr_in6 *)(void *)ss)->sin6_port =
		    htons((uint16_t)port);
}

static bool
parse_path(char *out, size_t size, const char *text)
{
	return text[0] == '/' && strlcpy(out, text, size) < size;
}

/* HOST, HOST:PORT, [ADDR]:PORT, or an IPv6 address alone. */
static bool
parse_hop(struct conf_hop *hop, const char *text)
{
	struct sockaddr_storage ss;
	char host[ADDR_DOMAIN_MAX + 8];
	const char *colon = strrchr(text, ':');
	int64_t port = 0;
	size_t n = strlen(text);

	if (colon != NULL && !parse_addr(&ss, text)) {
		if (!parse_number(&port, colon + 1, 1, 65535))
			return false;
		n = (size_t)(colon - text);
	}
	if (n >= sizeof(host))
		return false;
	memcpy(host, text, n);
	host[n] = '\0';
	hop->port = (int)port;
	if (parse_addr(&ss, host)) {
		const struct sockaddr_in *in = (const void *)&ss;
		const struct sockaddr_in6 *in6 = (const void *)&ss;
		const void *a = &in6->sin6_addr;

		if (ss.ss_family == AF_INET)
			a = &in->sin_addr;
		return inet_ntop(ss.ss_family, a, hop->host,
		    sizeof(hop->host)) != NULL;
	}
	return addr_domain(hop->host, host);
}

/*** Keys ***/

static bool
key_hostname(struct settings_target *t, char **word, int n)
{
	char name[ADDR_DOMAIN_MAX + 1];

	/* A client may still be greeted by the name that was there. */
	if (n != 1 || !addr_domain(name, word[0]))
		return false;
	memcpy(t->conf->hostname, name, sizeof(name));
	return true;
}

static bool
key_spool(struct settings_target *t, char **word, int n)
{
	return n == 1 && parse_path(t->conf->spool, sizeof(t->conf->spool),
	    word[0]);
}

static bool
key_resolver(struct settings_target *t, char **word, int n)
{
	struct conf *c = t->conf;
	int64_t port;
	char *at;

	for (int i = 0; i < n; i++) {
		if (strcmp(word[i], "trust-ad") == 0) {
			c->trust_ad = true;
			continue;
		}
		if (c->nresolver == CONF_LIST_MAX)
			return false;
		port = 53;
		if ((at = strchr(word[i], '@')) != NULL) {
			*at++ = '\0';
			if (!parse_number(&port, at, 1, 65535))
				return false;
		}
		if (!parse_addr(&c->resolver[c->nresolver], word[i]))
			return false;
		set_port(&c->resolver[c->nresolver++], (int)port);
	}
	return n > 0;
}

static bool
key_port(struct settings_target *t, char **word, int n)
{
	int64_t port;

	if (n != 1 || !parse_number(&port, word[0], 1, 65535))
		return false;
	t->conf->port = (int)port;
	return true;
}

static bool
key_source(struct settings_target *t, char **word, int n)
{
	struct sockaddr_storage ss;
	sa_family_t family = AF_UNSPEC;

	for (int i = 0; i < n && i < 2; i++) {
		if (!parse_addr(&ss, word[i]) ||
		    (i > 0 && ss.ss_family == family))
			return false;
		family = ss.ss_family;
		t->conf->source[ss.ss_family == AF_INET6] = ss;
	}
	return n == 1 || n == 2;
}

static bool
key_postmaster(struct settings_target *t, char **word, int n)
{
	char domain[ADDR_DOMAIN_MAX + 1];
	struct addr a;

	t->conf->postmaster_set = n == 1 && addr_parse_mailbox(&a, word[0]) &&
	    !a.utf8 && addr_domain(domain, a.domain) &&
	    strlcpy(t->conf->postmaster, a.text,
	    sizeof(t->conf->postmaster)) < sizeof(t->conf->postmaster);
	return t->conf->postmaster_set;
}

static bool
key_self(struct settings_target *t, char **word, int n)
{
	struct conf *c = t->conf;

	for (int i = 0; i < n; i++) {
		if (c->nself_addr == CONF_LIST_MAX ||
		    c->nself_name == CONF_LIST_MAX)
			return false;
		if (parse_addr(&c->self_addr[c->nself_addr], word[i]))
			c->nself_addr++;
		else if (addr_domain(c->self_name[c->nself_name], word[i]))
			c->nself_name++;
		else
			return false;
	}
	return n > 0;
}

static bool
key_max_size(struct settings_target *t, char **word, int n)
{
	return n == 1 && parse_size(&t->conf->max_size, word[0]);
}

static bool
key_max_recipients(struct settings_target *t, char **word, int n)
{
	/* RFC 5321 4.5.3.1.8: at least 100. */
	return n == 1 && parse_number(&t->conf->max_recipients, word[0], 1,
	    10000);
}

static bool
key_max_sessions(struct settings_target *t, char **word, int n)
{
	return n == 1 && parse_number(&t->conf->max_sessions, word[0], 1,
	    100000);
}

static bool
key_max_sessions_per_client(struct settings_target *t, char **word, int n)
{
	return n == 1 && parse_number(&t->conf->max_sessions_per_client,
	    word[0], 1, 100000);
}

static bool
key_tls_certificate(struct settings_target *t, char **word, int n)
{
	return n == 1 && parse_path(t->conf->tls_certificate,
	    sizeof(t->conf->tls_certificate), word[0]);
}

static bool
key_tls_key(struct settings_target *t, char **word, int n)
{
	return n == 1 && parse_path(t->conf->tls_key,
	    sizeof(t->conf->tls_key), word[0]);
}

static bool
key_tls_authorities(struct settings_target *t, char **word, int n)
{
	return n == 1 && parse_path(t->conf->tls_authorities,
	    sizeof(t->conf->tls_authorities), word[0]);
}

static bool
nets(struct conf_nets *list, char **word, int n)
{
	for (int i = 0; i < n; i++)
		if (list->n == CONF_NETS_MAX ||
		    !net_parse(&list->net[list->n++], word[i]))
			return false;
	return n > 0;
}

static bool
key_trusted_proxy(struct settings_target *t, char **word, int n)
{
	return nets(&t->conf->trusted_proxy, word, n);
}

static bool
key_xclient(struct settings_target *t, char **word, int n)
{
	return nets(&t->conf->xclient, word, n);
}

static bool
key_etrn(struct settings_target *t, char **word, int n)
{
	return nets(&t->conf->etrn, word, n);
}

/* The number of WORD among WORDS, which ends in NULL; -1 if it is none. */
static int
choice(const char *word, const char *const *words)
{
	for (int i = 0; words[i] != NULL; i++)
		if (strcmp(word, words[i]) == 0)
			return i;
	return -1;
}

static bool
key_sandbox(struct settings_target *t, char **word, int n)
{
	static const char *const words[] = {
		[CONF_SANDBOX] = "yes",
		[CONF_SANDBOX_REQUIRED] = "required",
		[CONF_SANDBOX_NO] = "no",
		NULL
	};
	int i = n == 1 ? choice(word[0], words) : -1;

	t->conf->sandbox = i == -1 ? CONF_SANDBOX : (enum conf_sandbox)i;
	return i != -1;
}

/* At most MOST seconds, into milliseconds. */
static bool
pause_of(int64_t *out, char **word, int n, int64_t most)
{
	int64_t seconds;

	if (n != 1 || !duration_parse(&seconds, word[0]) || seconds > most)
		return false;
	*out = seconds * 1000;
	return true;
}

static bool
key_greet_delay(struct settings_target *t, char **word, int n)
{
	/* RFC 5321 4.5.3.2.1: the client waits five minutes. */
	return pause_of(&t->conf->greet_delay, word, n, 240);
}

static bool
key_tarpit(struct settings_target *t, char **word, int n)
{
	return pause_of(&t->conf->tarpit, word, n, 60);
}

static bool
key_min_rate(struct settings_target *t, char **word, int n)
{
	return n == 1 && parse_size(&t->conf->min_rate, word[0]);
}

static const struct {
	const char *name;
	size_t offset;
	bool reply;		/* set by "timeout DURATION" too */
} timeouts[] = {
#define T(name, reply) { #name, offsetof(struct conf_timeouts, name), reply }
	T(connect, false),
	T(greeting, true),
	T(helo, true),
	T(mail, true),
	T(rcpt, true),
	T(data, true),
	T(block, true),
	T(dot, true),
	T(quit, true),
	T(dns, false),
	T(command, true),
	T(receive, true),
	T(session, false),
	T(proxy, true),
	T(hook, false),
#undef T
};
#define NTIMEOUTS (sizeof(timeouts) / sizeof(timeouts[0]))

static bool
key_timeout(struct settings_target *t, char **word, int n)
{
	int64_t seconds;
	bool found = false;

	if (n < 1 || n > 2 || !duration_parse(&seconds, word[n - 1]) ||
	    seconds < 1)
		return false;
	for (size_t i = 0; i < NTIMEOUTS; i++) {
		if (n == 1 ? !timeouts[i].reply :
		    strcmp(word[0], timeouts[i].name) != 0)
			continue;
		*(int64_t *)(void *)((char *)&t->conf->timeout +
		    timeouts[i].offset) = seconds * 1000;
		found = true;
	}
	return found;
}

static bool
key_route(struct settings_target *t, char **word, int n)
{
	struct settings *s = t->settings;

	if (n < 1 || n > CONF_LIST_MAX)
		return false;
	for (int i = 0; i < n; i++)
		if (!parse_hop(&s->route[i], word[i]))
			return false;
	s->nroute = n;
	return true;
}

static bool
key_expire(struct settings_target *t, char **word, int n)
{
	return n == 1 && duration_parse(&t->settings->expire, word[0]) &&
	    t->settings->expire > 0;
}

static bool
key_bounce(struct settings_target *t, char **word, int n)
{
	return n == 1 && parse_yes(&t->settings->bounce, word[0]);
}

static bool
key_keep(struct settings_target *t, char **word, int n)
{
	return n == 1 && duration_parse(&t->settings->keep, word[0]);
}

static bool
key_sessions(struct settings_target *t, char **word, int n)
{
	return n == 1 && parse_number(&t->settings->sessions, word[0], 1, 1000);
}

/* "10/s", "30/m", "1/h" */
static bool
key_rate(struct settings_target *t, char **word, int n)
{
	int64_t per, count;
	char *slash;

	if (n != 1 || (slash = strchr(word[0], '/')) == NULL)
		return false;
	*slash++ = '\0';
	if (strcmp(slash, "s") == 0)
		per = 1;
	else if (strcmp(slash, "m") == 0)
		per = 60;
	else if (strcmp(slash, "h") == 0)
		per = 3600;
	else
		return false;
	if (!parse_number(&count, word[0], 1, 1000000))
		return false;
	t->settings->rate = (double)count / (double)per;
	return true;
}

static bool
key_recipients(struct settings_target *t, char **word, int n)
{
	struct settings *s = t->settings;

	if (n != 1)
		return false;
	s->recipients_file[0] = '\0';
	if (strcmp(word[0], "any") == 0)
		s->recipients = CONF_ANY;
	else if (strcmp(word[0], "verify") == 0)
		s->recipients = CONF_VERIFY;
	else {
		s->recipients = CONF_FILE;
		return strlcpy(s->recipients_file, word[0],
		    sizeof(s->recipients_file)) < sizeof(s->recipients_file);
	}
	return true;
}

static bool
key_unknown(struct settings_target *t, char **word, int n)
{
	static const char *const words[] = {
		[CONF_ACCEPT] = "accept",
		[CONF_DEFER] = "defer",
		[CONF_REJECT] = "reject",
		NULL
	};
	int i = n == 1 ? choice(word[0], words) : -1;

	if (i == -1)
		return false;
	t->settings->unknown = (enum conf_unknown)i;
	return true;
}

static bool
key_when_up(struct settings_target *t, char **word, int n)
{
	static const char *const words[] = { "accept", "defer", NULL };
	int i = n == 1 ? choice(word[0], words) : -1;

	t->settings->when_up_defer = i == 1;
	return i != -1;
}

static bool
is_digits(const char *text)
{
	return text[strspn(text, "0123456789")] == '\0';
}

/*
 * "10G", "100000", or both, in either order: bare digits count messages.
 * Where both are bare, the octets come first.
 */
static bool
key_quota(struct settings_target *t, char **word, int n)
{
	struct settings *s = t->settings;
	const char *part[2], *size = NULL, *count = NULL, *p;
	int parts = 0;

	s->quota_size = s->quota_count = 0;
	for (int i = 0; i < n; i++)
		while ((p = strsep(&word[i], "|")) != NULL) {
			if (parts == 2)
				return false;
			part[parts++] = p;
		}
	for (int i = 0; i < parts; i++)
		if (is_digits(part[i]) && !(i == 0 && parts == 2 &&
		    is_digits(part[1])))
			count = part[i];
		else if (size == NULL)
			size = part[i];
		else
			return false;
	if (size != NULL && !parse_size(&s->quota_size, size))
		return false;
	if (count != NULL && !parse_number(&s->quota_count, count, 0,
	    INT64_MAX))
		return false;
	return parts > 0;
}

/* "sha256:" and 64 hexadecimal digits, with colons or without. */
static bool
parse_pin(struct conf_pin *pin, const char *text)
{
	static const char digits[] = "0123456789abcdef";
	const char *high, *low;
	size_t i;

	if (strncasecmp(text, "sha256:", 7) != 0)
		return false;
	for (i = 0, text += 7; i < sizeof(pin->sha256); i++, text += 2) {
		if (i > 0 && *text == ':')
			text++;
		if (*text == '\0' || text[1] == '\0' ||
		    (high = strchr(digits, tolower((unsigned char)text[0]))) ==
		    NULL || (low = strchr(digits,
		    tolower((unsigned char)text[1]))) == NULL)
			return false;
		pin->sha256[i] = (unsigned char)((high - digits) << 4 |
		    (low - digits));
	}
	return *text == '\0';
}

static bool
key_tls(struct settings_target *t, char **word, int n)
{
	static const char *const words[] = {
		[CONF_TLS_MAY] = "may",
		[CONF_TLS_DANE] = "dane",
		[CONF_TLS_VERIFY] = "verify",
		[CONF_TLS_PIN] = "pin",
		NULL
	};
	struct settings *s = t->settings;
	int how = n > 0 ? choice(word[0], words) : -1;

	if (how == -1 || (how == CONF_TLS_PIN) != (n > 1) ||
	    n - 1 > CONF_PINS_MAX)
		return false;
	for (s->npin = 0; s->npin < n - 1; s->npin++)
		if (!parse_pin(&s->pin[s->npin], word[s->npin + 1]))
			return false;
	s->tls = (enum conf_tls)how;
	return true;
}

static bool
key_identify(struct settings_target *t, char **word, int n)
{
	static const char *const words[] = {
		[CONF_IDENTIFY_NONE] = "none",
		[CONF_IDENTIFY_XCLIENT] = "xclient",
		[CONF_IDENTIFY_XFORWARD] = "xforward",
		NULL
	};
	int i = n == 1 ? choice(word[0], words) : -1;

	if (i == -1)
		return false;
	t->settings->identify = (enum conf_identify)i;
	return true;
}

static bool
key_window(struct settings_target *t, char **word, int n)
{
	return n == 1 && parse_number(&t->settings->window, word[0], 1, 100);
}

static bool
key_strict_routing(struct settings_target *t, char **word, int n)
{
	return n == 1 && parse_yes(&t->settings->strict_routing, word[0]);
}

static bool
key_route_memory(struct settings_target *t, char **word, int n)
{
	return n == 1 && duration_parse(&t->settings->route_memory, word[0]);
}

static bool
key_breaker(struct settings_target *t, char **word, int n)
{
	int64_t percent = 0;
	bool off = n == 1 && strcmp(word[0], "off") == 0;
	size_t len;

	if (n != 1)
		return false;
	len = strlen(word[0]);
	if (len > 1 && word[0][len - 1] == '%')
		word[0][len - 1] = '\0';
	if (!off && !parse_number(&percent, word[0], 1, 100))
		return false;
	t->settings->breaker = (int)percent;
	return true;
}

/* "off", or at least a minute. */
static bool
key_warn(struct settings_target *t, char **word, int n)
{
	t->settings->warn = 0;
	if (n == 1 && strcmp(word[0], "off") == 0)
		return true;
	return n == 1 && duration_parse(&t->settings->warn, word[0]) &&
	    t->settings->warn >= 60;
}

static bool
key_report_limit(struct settings_target *t, char **word, int n)
{
	return n == 1 && parse_number(&t->settings->report_limit, word[0], 0,
	    1000000);
}

static bool
key_notify(struct settings_target *t, char **word, int n)
{
	struct settings *s = t->settings;
	char domain[ADDR_DOMAIN_MAX + 1];
	struct addr a;

	s->notify[0] = '\0';
	if (n == 1 && strcmp(word[0], "off") == 0)
		return true;
	return n == 1 && addr_parse_mailbox(&a, word[0]) && !a.utf8 &&
	    addr_domain(domain, a.domain) && strlcpy(s->notify, a.text,
	    sizeof(s->notify)) < sizeof(s->notify);
}

static bool
key_notify_after(struct settings_target *t, char **word, int n)
{
	return n == 1 && duration_parse(&t->settings->notify_after, word[0]);
}

static bool
key_hook(struct settings_target *t, char **word, int n)
{
	struct settings *s = t->settings;

	s->hook[0] = '\0';
	if (n == 1 && strcmp(word[0], "off") == 0)
		return true;
	return n == 1 && parse_path(s->hook, sizeof(s->hook), word[0]);
}

static const struct settings_key keys[] = {
	{ "hostname", true, key_hostname, "a host name" },
	{ "spool", true, key_spool, "an absolute path" },
	{ "resolver", true, key_resolver, "ADDR[@PORT] ..., 16 at most" },
	{ "port", true, key_port, "a number from 1 to 65535" },
	{ "source", true, key_source,
	    "an IPv4 or IPv6 address, or one of each" },
	{ "postmaster", true, key_postmaster, "an address user@domain" },
	{ "self", true, key_self, "host names or addresses, 16 at most" },
	{ "max-size", true, key_max_size, "octets as 50M, or 0 for no limit" },
	{ "max-recipients", true, key_max_recipients,
	    "a number from 1 to 10000" },
	{ "max-sessions", true, key_max_sessions,
	    "a number from 1 to 100000" },
	{ "max-sessions-per-client", true, key_max_sessions_per_client,
	    "a number from 1 to 100000" },
	{ "timeout", true, key_timeout,
	    "[STEP] DURATION, STEP one of those in mxkeep.conf(5)" },
	{ "tls-certificate", true, key_tls_certificate, "an absolute path" },
	{ "tls-key", true, key_tls_key, "an absolute path" },
	{ "tls-authorities", true, key_tls_authorities, "an absolute path" },
	{ "trusted-proxy", true, key_trusted_proxy,
	    "ADDR[/LEN] ..., 64 at most" },
	{ "xclient", true, key_xclient, "ADDR[/LEN] ..., 64 at most" },
	{ "etrn", true, key_etrn, "ADDR[/LEN] ..., 64 at most" },
	{ "sandbox", true, key_sandbox, "yes, required or no" },
	{ "greet-delay", true, key_greet_delay, "a duration up to 4m, or 0" },
	{ "tarpit", true, key_tarpit, "a duration up to 1m, or 0" },
	{ "min-rate", true, key_min_rate, "octets a second, or 0" },
	{ "route", false, key_route, "HOST[:PORT] ..., 16 at most" },
	{ "expire", false, key_expire, "a duration as 30d" },
	{ "bounce", false, key_bounce, "yes or no" },
	{ "keep", false, key_keep, "a duration as 3d, or 0" },
	{ "sessions", false, key_sessions, "a number from 1 to 1000" },
	{ "rate", false, key_rate, "N/s, N/m or N/h" },
	{ "recipients", false, key_recipients, "any, verify or a file" },
	{ "unknown", false, key_unknown, "accept, defer or reject" },
	{ "when-up", false, key_when_up, "accept or defer" },
	{ "quota", false, key_quota,
	    "a size as 10G, a number of messages, or both" },
	{ "tls", false, key_tls,
	    "may, dane, verify, or pin sha256:DIGEST ..., 4 at most" },
	{ "identify", false, key_identify, "none, xclient or xforward" },
	{ "window", false, key_window, "a number from 1 to 100" },
	{ "strict-routing", false, key_strict_routing, "yes or no" },
	{ "route-memory", false, key_route_memory,
	    "a duration as 30d, or 0" },
	{ "breaker", false, key_breaker, "percent from 1 to 100, or off" },
	{ "warn", false, key_warn, "off, or a duration as 4h" },
	{ "report-limit", false, key_report_limit,
	    "a number an hour, or 0 for no limit" },
	{ "notify", false, key_notify, "an address user@domain, or off" },
	{ "notify-after", false, key_notify_after, "a duration as 30m, or 0" },
	{ "hook", false, key_hook, "an absolute path, or off" },
};
#define NKEYS (sizeof(keys) / sizeof(keys[0]))

const struct settings_key *
settings_key(const char *name)
{
	for (size_t i = 0; i < NKEYS; i++)
		if (strcmp(keys[i].name, name) == 0)
			return &keys[i];
	return NULL;
}

void
settings_init(struct conf *c)
{
	/* What has a count is not cleared: see struct conf. */
	memset(c, 0, offsetof(struct conf, defaults.route));
	c->trusted_proxy.n = c->xclient.n = c->etrn.n = 0;
	(void)strlcpy(c->spool, "/var/spool/mxkeep", sizeof(c->spool));
	c->port = 25;
	c->max_size = 50LL * 1024 * 1024;
	c->max_recipients = 1000;
	c->max_sessions = 200;
	c->max_sessions_per_client = 100;
	c->timeout = (struct conf_timeouts) {
		.connect = MINUTE / 2,
		.greeting = 5 * MINUTE,
		.helo = 5 * MINUTE,
		.mail = 5 * MINUTE,
		.rcpt = 5 * MINUTE,
		.data = 2 * MINUTE,
		.block = 3 * MINUTE,
		.dot = 10 * MINUTE,
		.quit = MINUTE / 12,
		.dns = MINUTE / 3,
		.command = 5 * MINUTE,
		.receive = 3 * MINUTE,
		.session = 120 * MINUTE,
		.proxy = MINUTE / 6,
		.hook = MINUTE / 2,
	};
	c->tarpit = 1000;
	c->min_rate = 128;
	c->defaults.expire = 30 * DAY;
	c->defaults.bounce = true;
	c->defaults.sessions = 4;
	c->defaults.window = 8;
	c->defaults.route_memory = 30 * DAY;
	c->defaults.breaker = 25;
	c->defaults.report_limit = 100;
}
