/* SPDX-License-Identifier: ISC */
#include "policy.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "duration.h"
#include "idn.h"
#include "log.h"
#include "recipients.h"
#include "seen.h"
#include "usage.h"

#define RELEARN	30	/* seconds that a session trusts what it has read */

struct policy {
	const struct conf *conf;
	struct spool *spool;
	struct seen *seen;		/* opened when first needed */
	char error[CONF_ERROR_MAX];
	bool warned;			/* that a quota does not hold */
	/* of the domain asked about last */
	char domain[ADDR_DOMAIN_MAX + 1];	/* "" none */
	char file[ADDR_DOMAIN_MAX + 2];
	bool foreign;			/* it has only the postmaster */
	time_t learnt;
	struct domain state;
	/* of the question being answered */
	const struct policy_mail *mail;
	struct addr *rcpt;
	bool named;			/* ... for <postmaster> */
	policy_note *note;
	void *arg;
	struct settings settings;	/* last: see struct settings */
};

struct policy *
policy_new(const struct conf *conf, struct spool *spool)
{
	struct policy *p;

	if ((p = malloc(sizeof(*p))) == NULL)
		return NULL;
	/* The settings and the state are written before they are read. */
	p->conf = conf;
	p->spool = spool;
	p->seen = NULL;
	p->domain[0] = p->file[0] = p->error[0] = '\0';
	p->foreign = false;
	p->learnt = 0;
	p->warned = false;
	domain_init(&p->state);
	return p;
}

void
policy_free(struct policy *p)
{
	if (p == NULL)
		return;
	if (p->seen != NULL)
		seen_close(p->seen);
	free(p);
}

static void __attribute__((format(printf, 3, 4)))
note(struct policy *p, const char *what, const char *fmt, ...)
{
	char found[1024];
	va_list ap;

	if (p->note == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(found, sizeof(found), fmt, ap);
	va_end(ap);
	p->note(p->arg, what, found);
}

static enum policy_verdict
broken(struct policy *p, const char *what, const char *why)
{
	if (why != p->error)
		(void)strlcpy(p->error, why, sizeof(p->error));
	note(p, what, "%s", p->error);
	return POLICY_BROKEN;
}

static struct seen *
memory(struct policy *p)
{
	if (p->seen == NULL && p->spool != NULL)
		p->seen = seen_open(p->spool);
	return p->seen;
}

/*** The address and its domain ***/

static int
take_first(const char *name, void *arg)
{
	if (name[0] == '.')
		return 0;
	(void)strlcpy(arg, name, ADDR_DOMAIN_MAX + 1);
	return 1;
}

/*
 * <postmaster> without a domain must be accepted (RFC 5321 4.5.1): it is the
 * address the operator set, else the postmaster of the first domain.
 */
static bool
name_postmaster(const struct policy *p, struct addr *a)
{
	char text[ADDR_MAX + 1], domain[ADDR_DOMAIN_MAX + 1];

	if (p->conf->postmaster_set)
		return addr_parse_mailbox(a, p->conf->postmaster);
	if (conf_domains(p->conf, take_first, domain) != 1)
		return false;
	return snprintf(text, sizeof(text), "postmaster@%s", domain) <
	    (int)sizeof(text) && addr_parse_mailbox(a, text);
}

/* Routing by the local part: a trusting primary would relay it. */
static bool
is_routed(const struct addr *a)
{
	char local[ADDR_LOCAL_MAX + 1];

	addr_local(a, local);
	return strpbrk(local, "%!@:") != NULL;
}

static void
learn_state(struct policy *p)
{
	char *text = NULL;

	domain_init(&p->state);
	if (p->spool != NULL)
		text = spool_text_read(p->spool, p->domain, "state");
	/* What cannot be read is not known, which is no reason to refuse. */
	if (text != NULL)
		domain_parse(&p->state, text);
	free(text);
}

/* NAMED: it is that of the operator's address, and need not be kept here. */
static enum policy_verdict
learn_domain(struct policy *p, const char *name, bool named)
{
	time_t now = time(NULL);

	if (!p->foreign && strcmp(p->domain, name) == 0 && p->learnt <= now &&
	    now - p->learnt <= RELEARN)
		return POLICY_ACCEPT;
	p->foreign = false;
	p->domain[0] = '\0';
	switch (conf_domain(p->conf, name, &p->settings, p->file, p->error)) {
	case CONF_YES:
		break;
	case CONF_NO:
		if (!named) {
			note(p, "domain", "no file for %s in %s/domains, nor "
			    "for a parent", name, p->conf->dir);
			return POLICY_RELAY;
		}
		(void)strlcpy(p->file, name, sizeof(p->file));
		p->foreign = true;
		break;
	case CONF_BROKEN:
		return broken(p, "domain", p->error);
	}
	(void)strlcpy(p->domain, name, sizeof(p->domain));
	p->learnt = now;
	learn_state(p);
	return POLICY_ACCEPT;
}

static enum policy_verdict
check_domain(struct policy *p)
{
	char name[ADDR_DOMAIN_MAX + 1];
	struct addr *a = p->rcpt;
	enum policy_verdict verdict;
	bool named = a->domain[0] == '\0' && p->conf->postmaster_set;
	const char *why;

	if (a->domain[0] == '\0' && !name_postmaster(p, a)) {
		note(p, "domain", "<postmaster> alone, and no domain is kept");
		return POLICY_RELAY;
	}
	if (a->literal) {
		note(p, "domain", "an address literal is no domain of ours");
		return POLICY_RELAY;
	}
	if (is_routed(a)) {
		note(p, "address", "it asks for routing by its local part");
		return POLICY_ROUTING;
	}
	if (!idn_to_ascii(name, a->domain, &why)) {
		if (errno == ENOMEM)
			return broken(p, "domain", why);
		note(p, "domain", "%s: %s", a->domain, why);
		return POLICY_RELAY;
	}
	p->named = named;
	verdict = learn_domain(p, name, named);
	if (verdict == POLICY_ACCEPT && p->foreign)
		note(p, "domain", "%s, not kept here, by \"postmaster\"", name);
	else if (verdict == POLICY_ACCEPT)
		note(p, "domain", "%s, by %s/domains/%s", name, p->conf->dir,
		    p->file);
	return verdict;
}

/*** Its recipients ***/

/* A list names a domain beyond ASCII as the client does, or as the DNS. */
static enum recipients_found
ask_list(struct policy *p, const char *path, char *why)
{
	enum recipients_found found;
	struct addr other;

	found = recipients_file(path, p->rcpt, memory(p), why);
	if (found != RECIPIENTS_NO || strcmp(p->rcpt->domain, p->domain) == 0)
		return found;
	other = *p->rcpt;
	(void)strlcpy(other.domain, p->domain, sizeof(other.domain));
	return recipients_file(path, &other, memory(p), why);
}

static enum policy_verdict
check_list(struct policy *p)
{
	char path[PATH_MAX], why[RECIPIENTS_WHY_MAX];
	enum recipients_found found;

	if (!conf_path(p->conf, p->settings.recipients_file, path))
		return broken(p, "recipients", "the file's name is too long");
	found = ask_list(p, path, why);
	/* A remark, if it is no error. */
	if (found != RECIPIENTS_ERROR && *why != '\0' && p->note == NULL)
		log_info("%s", why);
	switch (found) {
	case RECIPIENTS_YES:
		note(p, "recipients", "listed in %s", path);
		return POLICY_ACCEPT;
	case RECIPIENTS_NO:
		note(p, "recipients", "not listed in %s", path);
		return POLICY_NOBODY;
	case RECIPIENTS_UNKNOWN:
	case RECIPIENTS_ERROR:
		break;
	}
	return broken(p, "recipients", why);
}

static enum policy_verdict
unknown(struct policy *p)
{
	/* The flusher will ask the primary about it. */
	if (p->note == NULL && p->spool != NULL)
		(void)recipients_ask(p->spool, p->file, p->rcpt);
	switch (p->settings.unknown) {
	case CONF_ACCEPT:
		note(p, "recipients", "nothing is known of it; unknown accept, "
		    "and no report about it will ever be sent");
		return POLICY_UNVERIFIED;
	case CONF_DEFER:
		note(p, "recipients", "nothing is known of it; unknown defer");
		return POLICY_UNKNOWN_DEFER;
	case CONF_REJECT:
		note(p, "recipients", "nothing is known of it; unknown reject");
		return POLICY_UNKNOWN_REJECT;
	}
	return POLICY_UNVERIFIED;
}

static enum policy_verdict
check_learnt(struct policy *p)
{
	enum recipients_found found = RECIPIENTS_UNKNOWN;

	if (p->spool != NULL)
		found = recipients_learnt(p->spool, p->domain, p->rcpt,
		    time(NULL));
	switch (found) {
	case RECIPIENTS_YES:
		note(p, "recipients", "the primary has accepted it before");
		return POLICY_ACCEPT;
	case RECIPIENTS_NO:
		note(p, "recipients", "the primary has refused it lately");
		return POLICY_NOBODY;
	case RECIPIENTS_ERROR:
		/* What cannot be read is no reason to refuse for good. */
		if (p->settings.unknown == CONF_REJECT)
			return broken(p, "recipients",
			    "what was learnt cannot be read");
		break;
	case RECIPIENTS_UNKNOWN:
		break;
	}
	return unknown(p);
}

static enum policy_verdict
check_recipients(struct policy *p)
{
	char local[ADDR_LOCAL_MAX + 1];

	/* RFC 5321 4.5.1: every domain has one, in quotes too (4.1.2). */
	addr_local(p->rcpt, local);
	if (p->named || strcasecmp(local, "postmaster") == 0) {
		note(p, "recipients", "postmaster is always accepted");
		return POLICY_ACCEPT;
	}
	switch (p->settings.recipients) {
	case CONF_ANY:
		note(p, "recipients", "any");
		return POLICY_ACCEPT;
	case CONF_FILE:
		return check_list(p);
	case CONF_VERIFY:
		return check_learnt(p);
	}
	return POLICY_ACCEPT;
}

/*** Its primary ***/

/* The argument of KEYWORD in what the primary offered; NULL: not offered. */
static const char *
offered(const struct policy *p, const char *keyword)
{
	size_t n = strlen(keyword);

	for (const char *word = p->state.ehlo; *word != '\0';
	    word += strcspn(word, ";"), word += *word == ';')
		if (strncasecmp(word, keyword, n) == 0 &&
		    (word[n] == '\0' || word[n] == ';' || word[n] == ' '))
			return word + n + strspn(word + n, " ");
	return NULL;
}

int64_t
policy_size(const struct policy *p)
{
	const char *size = offered(p, "SIZE");
	int64_t n = 0;

	if (size == NULL)
		return 0;
	/* Beyond any limit is no limit; it must not wrap. */
	for (; *size >= '0' && *size <= '9' && n < INT64_MAX / 100; size++)
		n = n * 10 + (*size - '0');
	return *size == '\0' || *size == ';' ? n : 0;
}

/*
 * RFC 8689: only where mx-flush has to know the server, and the server is
 * known to go on with it.  Section 5: nobody loses a report for that.
 */
static enum policy_verdict
check_requiretls(struct policy *p)
{
	if (*p->mail->sender == '\0')
		return POLICY_ACCEPT;
	if (p->settings.tls == CONF_TLS_MAY) {
		note(p, "tls", "the primary need not show who it is");
		return POLICY_NO_TLS;
	}
	if (p->state.ehlo[0] == '\0')
		return POLICY_TLS_UNKNOWN;
	if (offered(p, "REQUIRETLS") == NULL) {
		note(p, "primary", "it does not offer REQUIRETLS");
		return POLICY_NO_TLS;
	}
	return POLICY_ACCEPT;
}

static enum policy_verdict
check_capabilities(struct policy *p)
{
	enum policy_verdict verdict = POLICY_ACCEPT;
	int64_t most = policy_size(p);

	if (p->mail->requiretls)
		verdict = check_requiretls(p);
	if (verdict != POLICY_ACCEPT)
		return verdict;
	if (p->state.ehlo[0] == '\0') {
		note(p, "primary", "what it offers is not known");
		return POLICY_ACCEPT;
	}
	if ((p->mail->utf8 || p->rcpt->utf8) &&
	    offered(p, "SMTPUTF8") == NULL) {
		note(p, "primary", "it does not offer SMTPUTF8");
		return POLICY_NO_UTF8;
	}
	if (most > 0 && p->mail->size > most) {
		note(p, "primary", "it takes %" PRId64 " octets at most",
		    most);
		return POLICY_TOO_BIG;
	}
	note(p, "primary", "offers %s", p->state.ehlo);
	return POLICY_ACCEPT;
}

/* Seconds since the state was last looked at; -1 if it never was. */
static int64_t
age(const struct policy *p)
{
	time_t now = time(NULL);

	if (p->state.state == DOMAIN_UNKNOWN || p->state.last_try == 0)
		return -1;
	/* A clock that was set back makes it old, not fresh. */
	return now < p->state.last_try ? INT64_MAX : now - p->state.last_try;
}

static bool
is_fresh(const struct policy *p)
{
	int64_t seconds = age(p);

	return seconds >= 0 && seconds <= POLICY_FRESH;
}

bool
policy_wakes(const struct policy *p)
{
	return p->state.state == DOMAIN_UP || !is_fresh(p);
}

static enum policy_verdict
check_when_up(struct policy *p)
{
	char ago[32];

	if (!p->settings.when_up_defer) {
		note(p, "when-up", "accept");
		return POLICY_ACCEPT;
	}
	if (p->state.state != DOMAIN_UP || !is_fresh(p)) {
		note(p, "when-up", "defer, but the primary is %s",
		    p->state.state == DOMAIN_UP ? "not known to be up still" :
		    domain_state_name(p->state.state));
		return POLICY_ACCEPT;
	}
	(void)duration_print_short(ago, sizeof(ago), age(p));
	if (p->note != NULL) {
		note(p, "when-up", "defer, and the primary answered %s ago; "
		    "the same client network, sender and recipient may "
		    "return after 5 minutes", ago);
		return POLICY_PRIMARY_UP;
	}
	/* Without a memory nobody could ever return. */
	if (memory(p) == NULL || seen_return(p->seen, p->mail->client,
	    p->mail->sender, p->rcpt->text, time(NULL)) != SEEN_WAIT)
		return POLICY_ACCEPT;
	return POLICY_PRIMARY_UP;
}

/*** All together ***/

static struct usage
quota_of(const struct policy *p)
{
	const struct usage quota = {
		.messages = p->settings.quota_count,
		.bytes = p->settings.quota_size
	};

	return quota;
}

static bool
has_quota(const struct policy *p)
{
	return p->spool != NULL &&
	    (p->settings.quota_size > 0 || p->settings.quota_count > 0);
}

static enum policy_verdict
check_quota(struct policy *p)
{
	struct usage quota = quota_of(p), used = { 0, 0 };
	enum usage_answer answer;

	if (!has_quota(p)) {
		note(p, "quota", "none");
		return POLICY_ACCEPT;
	}
	answer = usage_look(p->spool, p->conf, p->file, &quota, p->mail->size,
	    &used, time(NULL));
	if (answer == USAGE_ERROR) {
		note(p, "quota", "cannot be counted: %s", strerror(errno));
		if (p->note == NULL && !p->warned)
			log_warn("the quota of %s cannot be counted", p->file);
		p->warned = true;
		return POLICY_ACCEPT;
	}
	note(p, "quota", "%" PRId64 " messages wait, %" PRId64 " octets; "
	    "may be %" PRId64 " and %" PRId64 " (0: no limit)", used.messages,
	    used.bytes, quota.messages, quota.bytes);
	return answer == USAGE_FULL ? POLICY_QUOTA : POLICY_ACCEPT;
}

enum policy_verdict
policy_take(struct policy *p, const char *domain, int64_t bytes)
{
	enum policy_verdict verdict;
	struct usage quota;

	p->note = NULL;
	if ((verdict = learn_domain(p, domain, false)) != POLICY_ACCEPT)
		return verdict == POLICY_BROKEN ? verdict : POLICY_ACCEPT;
	if (!has_quota(p))
		return POLICY_ACCEPT;
	quota = quota_of(p);
	switch (usage_take(p->spool, p->conf, p->file, &quota, bytes,
	    time(NULL))) {
	case USAGE_ROOM:
		break;
	case USAGE_FULL:
		return POLICY_QUOTA;
	case USAGE_ERROR:
		/* Better than to refuse, but nobody would ever notice. */
		log_warn("the quota of %s does not hold: it cannot be counted",
		    p->file);
		break;
	}
	return POLICY_ACCEPT;
}

void
policy_give(struct policy *p, const char *domain, int64_t bytes)
{
	p->note = NULL;
	if (learn_domain(p, domain, false) == POLICY_ACCEPT && has_quota(p))
		usage_give(p->spool, p->file, bytes);
}

enum policy_verdict
policy_rcpt(struct policy *p, const struct policy_mail *mail,
    struct addr *rcpt, policy_note *fn, void *arg)
{
	/* What is for good comes before what may pass. */
	static enum policy_verdict (*const checks[])(struct policy *p) = {
		check_domain, check_recipients, check_capabilities,
		check_quota, check_when_up
	};
	enum policy_verdict verdict, result = POLICY_ACCEPT;

	p->mail = mail;
	p->rcpt = rcpt;
	p->note = fn;
	p->arg = arg;
	for (size_t i = 0; i < sizeof(checks) / sizeof(checks[0]); i++) {
		verdict = checks[i](p);
		if (verdict == POLICY_UNVERIFIED)
			result = verdict;
		else if (verdict != POLICY_ACCEPT)
			return verdict;
	}
	return result;
}

const char *
policy_domain(const struct policy *p)
{
	return p->domain;
}

const char *
policy_file(const struct policy *p)
{
	return p->file;
}

const char *
policy_error(const struct policy *p)
{
	return p->error;
}
