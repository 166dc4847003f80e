/* SPDX-License-Identifier: ISC */
#include "conduct.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define DAY		86400
#define DAYS_SHORT	14	/* of a certificate: renewals are late then */

static const char *
host(const struct conduct *c)
{
	return c->look->host;
}

/* Is the errno one of this machine's own? */
static bool
is_our_fault(int error)
{
	switch (error) {
	case ENETUNREACH:
	case ENETDOWN:
	case EADDRNOTAVAIL:
	case EAFNOSUPPORT:
	case EACCES:
	case EPERM:
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		return true;
	}
	return false;
}

bool
conduct_is_unproven(const struct look *l)
{
	return l->end == TALK_NOT || (l->step <= LOOK_CONNECT &&
	    is_our_fault(l->error));
}

/* True if there was a connection. */
static bool
judge_connect(struct findings *f, const struct conduct *c)
{
	const struct look *l = c->look;

	if (l->end == TALK_NOT) {
		finding_unknown(f, CHECK_SMTP_CONNECT, host(c),
		    "Not looked at in the time there was: give more (-t).");
		return false;
	}
	if (l->step > LOOK_CONNECT) {
		if (l->greeting.code != 0)
			finding_add(f, CHECK_OK, CHECK_SMTP_CONNECT, host(c),
			    "The server answers (%s).", l->greeting.text);
		else
			finding_add(f, CHECK_OK, CHECK_SMTP_CONNECT, host(c),
			    "There is a connection.");
		return true;
	}
	if (is_our_fault(l->error))
		finding_unknown(f, CHECK_SMTP_CONNECT, host(c),
		    "This machine cannot go there (%s): look from another "
		    "one, or at what it can reach alone (-4, -6).", l->why);
	else
		finding_add(f, CHECK_FAIL, CHECK_SMTP_CONNECT, host(c),
		    "No connection (%s): start a server there and let port "
		    "25 through, or take the address out of the DNS.",
		    l->why);
	return false;
}

/* A session that did not get to its end; not that of STARTTLS. */
static void
judge_broken(struct findings *f, const struct conduct *c)
{
	const struct look *l = c->look;
	const char *step = look_step_name(l->step);

	switch (l->end) {
	case TALK_NOT:
	case TALK_WELL:
		break;
	case TALK_LATE:
		finding_add(f, CHECK_FAIL, CHECK_SMTP_SESSION, host(c),
		    "The server is silent at %s until the time is over: see "
		    "what it waits for, or give more time (-t).", step);
		break;
	case TALK_LOST:
		finding_add(f, CHECK_FAIL, CHECK_SMTP_SESSION, host(c),
		    "The session breaks at %s (%s): its log should say why.",
		    step, l->why);
		break;
	case TALK_REFUSED:
		finding_add(f, l->why[0] == '4' ? CHECK_WARN : CHECK_FAIL,
		    CHECK_SMTP_SESSION, host(c),
		    "The server turns us away at %s (%s): see whether it "
		    "does so to others.", step, l->why);
		break;
	case TALK_GARBAGE:
		finding_add(f, CHECK_FAIL, CHECK_SMTP_SESSION, host(c),
		    "At %s this is no mail server (%s): see what listens "
		    "there.", step, l->why);
		break;
	}
}

static bool
is_about_tls(const struct look *l)
{
	return l->step >= LOOK_STARTTLS && l->step <= LOOK_EHLO_AGAIN &&
	    l->end != TALK_WELL;
}

static void
judge_session(struct findings *f, const struct conduct *c)
{
	const struct look *l = c->look;

	if (l->end != TALK_WELL && !is_about_tls(l))
		judge_broken(f, c);
	else if (l->ehlo.code == 0)
		return;
	else if (!l->extended && !is_about_tls(l))
		finding_add(f, CHECK_WARN, CHECK_SMTP_SESSION, host(c),
		    "The server knows HELO alone, so no SIZE, TLS or reports: "
		    "let it speak ESMTP.");
	else if (l->keywords[0] == '\0')
		finding_add(f, CHECK_OK, CHECK_SMTP_SESSION, host(c),
		    "The server offers nothing beyond plain SMTP.");
	else
		finding_add(f, CHECK_OK, CHECK_SMTP_SESSION, host(c),
		    "The server offers %s.", l->keywords);
}

/* What bears the backup's own name is taken for it, and gets no mail. */
static bool
is_namesake(const struct conduct *c)
{
	return !c->backup && c->us != NULL && c->look->name[0] != '\0' &&
	    conf_is_self(c->us, c->look->name);
}

/* RFC 5321 4.1.4 and 4.3.1: a server names itself, by a name that leads
   to it. */
static void
judge_name(struct findings *f, const struct conduct *c)
{
	const struct look *l = c->look;

	if (l->ehlo.code / 100 != 2)
		return;
	if (l->name[0] == '\0')
		finding_add(f, CHECK_WARN, CHECK_SMTP_NAME, host(c),
		    "The server gives no host name (%s): set one.",
		    l->ehlo.text);
	else if (is_namesake(c))
		finding_add(f, CHECK_FAIL, CHECK_SMTP_NAME, host(c),
		    "The server calls itself %s as the backup does, which so "
		    "takes it for itself and hands nothing over: rename one.",
		    l->name);
	else if (strcmp(l->name, l->host) == 0 || c->leads ||
	    (c->confirmed && strcmp(l->name, c->pointer) == 0))
		finding_add(f, CHECK_OK, CHECK_SMTP_NAME, host(c),
		    "The server calls itself %s.", l->name);
	else if (strchr(l->name, '.') == NULL)
		finding_add(f, CHECK_WARN, CHECK_SMTP_NAME, host(c),
		    "The server calls itself %s, which is no full host name: "
		    "set one.", l->name);
	else if (c->leads_known)
		finding_add(f, CHECK_WARN, CHECK_SMTP_NAME, host(c),
		    "The server calls itself %s, which does not lead to its "
		    "address: set a name that does.", l->name);
}

static void
judge_reverse(struct findings *f, const struct conduct *c)
{
	switch (c->reverse) {
	case DNS_DATA:
		if (c->confirmed)
			finding_add(f, CHECK_OK, CHECK_SMTP_PTR, host(c),
			    "The address leads back to %s.", c->pointer);
		else
			finding_add(f, CHECK_WARN, CHECK_SMTP_PTR, host(c),
			    "The PTR record says %s, which has not this "
			    "address: make them agree.", c->pointer);
		break;
	case DNS_NODATA:
	case DNS_NXDOMAIN:
		finding_add(f, CHECK_WARN, CHECK_SMTP_PTR, host(c),
		    "The address has no PTR record, and many servers take no "
		    "mail from such: have one set.");
		break;
	case DNS_TEMPFAIL:
	case DNS_BOGUS:
		finding_add(f, CHECK_WARN, CHECK_SMTP_PTR, host(c),
		    "The PTR record cannot be looked up: see to the name "
		    "servers of the reverse zone.");
		break;
	}
}

/* TLS */

static void
judge_starttls(struct findings *f, const struct conduct *c)
{
	const struct look *l = c->look;

	if (l->encrypted && !is_about_tls(l))
		finding_add(f, CHECK_OK, CHECK_SMTP_STARTTLS, host(c),
		    "STARTTLS works (%s, %s).", l->tls.protocol,
		    l->tls.cipher);
	else if (is_about_tls(l))
		finding_add(f, CHECK_FAIL, CHECK_SMTP_STARTTLS, host(c),
		    "STARTTLS is offered and fails at %s (%s): mend it, or "
		    "do not offer it.", look_step_name(l->step), l->why);
	else if (l->starttls.code != 0)
		finding_add(f, CHECK_FAIL, CHECK_SMTP_STARTTLS, host(c),
		    "STARTTLS is offered and refused (%s): see to its "
		    "certificate and key.", l->starttls.text);
	else if (l->end == TALK_WELL && (l->offers & LOOK_TLS) == 0)
		finding_add(f, CHECK_WARN, CHECK_SMTP_STARTTLS, host(c),
		    "STARTTLS is not offered, so mail comes in clear text: "
		    "give the server a certificate.");
}

static void
print_date(char *buf, size_t size, int64_t when)
{
	time_t t = (time_t)when;
	struct tm tm;

	if (gmtime_r(&t, &tm) == NULL ||
	    strftime(buf, size, "%Y-%m-%d", &tm) == 0)
		(void)snprintf(buf, size, "%lld", (long long)when);
}

/* By which TLSA record are we free of names and dates (RFC 7672 3.1.1)? */
static bool
is_pinned(const struct conduct *c)
{
	const struct look *l = c->look;
	size_t i;

	for (i = 0; c->guarded && i < l->ntlsa && i < LOOK_TLSA_MAX; i++)
		if (l->tlsa[i].usage == 3 && (l->tls.match >> i & 1) != 0)
			return true;
	return false;
}

static void
judge_dates(struct findings *f, const struct conduct *c)
{
	const struct look_tls *t = &c->look->tls;
	long long left = (t->not_after - c->now) / DAY;
	char date[24];

	if (c->now < t->not_before) {
		print_date(date, sizeof(date), t->not_before);
		finding_add(f, is_pinned(c) ? CHECK_WARN : CHECK_FAIL,
		    CHECK_SMTP_CERT, host(c), "The certificate is not good "
		    "before %s: see whose clock is wrong.", date);
		return;
	}
	print_date(date, sizeof(date), t->not_after);
	if (c->now >= t->not_after)
		finding_add(f, is_pinned(c) ? CHECK_WARN : CHECK_FAIL,
		    CHECK_SMTP_CERT, host(c), "The certificate has ended on "
		    "%s: renew it, and have the server read it.", date);
	else if (left < DAYS_SHORT)
		finding_add(f, CHECK_WARN, CHECK_SMTP_CERT, host(c),
		    "The certificate ends on %s, in %lld days: renew it, and "
		    "have the server read it.", date, left);
	else
		finding_add(f, CHECK_OK, CHECK_SMTP_CERT, host(c),
		    "The certificate (%s, for %s) is good until %s, %lld "
		    "days.", t->algorithm, t->names, date, left);
}

static void
judge_certificate(struct findings *f, const struct conduct *c)
{
	const struct look_tls *t = &c->look->tls;

	if (!c->look->encrypted)
		return;
	if (t->not_after == 0)
		finding_add(f, CHECK_WARN, CHECK_SMTP_CERT, host(c),
		    "The server shows no certificate (%s): give it one.",
		    t->distrust);
	else if (c->now < t->not_before || c->now >= t->not_after ||
	    is_pinned(c))
		judge_dates(f, c);
	else if (t->distrust[0] != '\0')
		finding_add(f, CHECK_WARN, CHECK_SMTP_CERT, host(c),
		    "The certificate is not trusted (%s): senders with "
		    "MTA-STS need one of a public authority, with its chain.",
		    t->distrust);
	else if (!t->named)
		finding_add(f, CHECK_WARN, CHECK_SMTP_CERT, host(c),
		    "The certificate is for %s, not for this host: get one "
		    "for %s, which senders with MTA-STS need.", t->names,
		    host(c));
	else
		judge_dates(f, c);
}

/* TLSA records against the key in use */

static void
print_key(char *buf, size_t size, const unsigned char *key)
{
	size_t i;

	buf[0] = '\0';
	for (i = 0; i < TLS_SHA256 && 2 * i + 2 < size; i++)
		(void)snprintf(buf + 2 * i, size - 2 * i, "%02x", key[i]);
}

static void
judge_mismatch(struct findings *f, const struct conduct *c)
{
	const struct look *l = c->look;
	char key[2 * TLS_SHA256 + 1];

	print_key(key, sizeof(key), l->tls.key);
	finding_add(f, c->guarded ? CHECK_FAIL : CHECK_WARN,
	    CHECK_TLSA_MATCH, host(c), "No TLSA record matches the "
	    "certificate in use%s: publish \"_25._tcp.%s. TLSA 3 1 1 %s\".",
	    c->guarded ? ", so senders with DANE do not deliver" : "",
	    host(c), key);
}

static void
judge_match(struct findings *f, const struct conduct *c)
{
	const struct look *l = c->look;
	const struct tls_tlsa *first = NULL;
	bool by_key = false;
	size_t i, others = 0;

	for (i = 0; i < l->ntlsa && i < LOOK_TLSA_MAX; i++)
		if ((l->tls.match >> i & 1) != 0) {
			first = first == NULL ? &l->tlsa[i] : first;
			by_key |= l->tlsa[i].usage == 2 ||
			    l->tlsa[i].selector == 1;
		} else
			others += tls_tlsa_is_usable(&l->tlsa[i]);
	if (first == NULL || !l->tls.any)
		judge_mismatch(f, c);
	else if (!by_key)
		finding_add(f, CHECK_WARN, CHECK_TLSA_MATCH, host(c),
		    "TLSA %d %d %d matches, but no longer when the certificate "
		    "is renewed: publish a 3 1 1.", first->usage,
		    first->selector, first->matching);
	else
		finding_add(f, CHECK_OK, CHECK_TLSA_MATCH, host(c),
		    "TLSA %d %d %d matches the certificate in use.",
		    first->usage, first->selector, first->matching);
	if (first != NULL && others > 0)
		finding_add(f, CHECK_OK, CHECK_TLSA_ROLLOVER, host(c),
		    others == 1 ? "%zu TLSA record is for another key, past "
		    "or to come." : "%zu TLSA records are for other keys, past "
		    "or to come.", others);
}

static void
judge_tlsa(struct findings *f, const struct conduct *c)
{
	const struct look *l = c->look;
	size_t i, usable = 0;

	for (i = 0; i < l->ntlsa; i++)
		usable += tls_tlsa_is_usable(&l->tlsa[i]);
	if (l->ehlo.code == 0 || usable == 0)
		return;
	if (l->encrypted)
		judge_match(f, c);
	else if (c->guarded)
		finding_add(f, CHECK_FAIL, CHECK_TLSA_MATCH, host(c),
		    "The TLSA record promises TLS and there is none, so "
		    "senders with DANE do not deliver: mend STARTTLS, or "
		    "take the record away.");
}

/* Mail */

static void
judge_null(struct findings *f, const struct conduct *c)
{
	const struct talk_reply *r = &c->look->null_sender;

	if (r->code == 0)
		return;
	if (talk_is_good(r))
		finding_add(f, CHECK_OK, CHECK_SMTP_NULL, host(c),
		    "The null sender is accepted.");
	else
		finding_add(f, r->code / 100 == 4 ? CHECK_WARN : CHECK_FAIL,
		    CHECK_SMTP_NULL, host(c), "The null sender is not "
		    "accepted (%s), so no bounce arrives: RFC 5321 4.5.5 "
		    "wants it.", r->text);
}

static bool
speaks_of(const char *text, const char *const *words)
{
	for (; *words != NULL; words++)
		if (strcasestr(text, *words) != NULL)
			return true;
	return false;
}

static bool
is_about_relaying(const char *text)
{
	static const char *const words[] = { "relay", "5.7.1 ",
	    "not a local", "not local", "5.1.2", "not for us", NULL };

	return speaks_of(text, words);
}

static void
judge_postmaster(struct findings *f, const struct conduct *c)
{
	const struct look_ask *a = c->ask;
	const struct talk_reply *r;

	if (a == NULL || a->postmaster.code == 0)
		return;
	r = &a->postmaster;
	if (talk_is_good(r))
		finding_add(f, CHECK_OK, CHECK_SMTP_POSTMASTER, host(c),
		    "Mail for postmaster@%s is accepted.", a->domain);
	else if (is_about_relaying(r->text))
		finding_add(f, CHECK_FAIL, CHECK_SMTP_POSTMASTER, host(c),
		    "The server seems not to know the domain (postmaster@%s: "
		    "%s): add it there.", a->domain, r->text);
	else if (r->code / 100 == 4)
		finding_add(f, CHECK_WARN, CHECK_SMTP_POSTMASTER, host(c),
		    "Mail for postmaster@%s is put off (%s): ask again "
		    "later.", a->domain, r->text);
	else
		finding_add(f, CHECK_WARN, CHECK_SMTP_POSTMASTER, host(c),
		    "Mail for postmaster@%s is refused (%s): RFC 5321 4.5.1 "
		    "wants that address.", a->domain, r->text);
}

/* A server may well relay for this machine, or for the backup. */
static void
judge_relay(struct findings *f, const struct conduct *c)
{
	const struct talk_reply *r = &c->look->relay;

	if (r->code == 0)
		return;
	if (!talk_is_good(r))
		finding_add(f, CHECK_OK, CHECK_SMTP_RELAY, host(c),
		    "Mail of strangers for strangers is not accepted.");
	else if (c->look->local || c->trusted)
		finding_add(f, CHECK_WARN, CHECK_SMTP_RELAY, host(c),
		    "The server relays for this machine: look from another "
		    "one whether it does so for anybody.");
	else
		finding_add(f, CHECK_FAIL, CHECK_SMTP_RELAY, host(c),
		    "An open relay: mail of strangers for strangers is "
		    "accepted (%s). Restrict it to the domains it is for.",
		    r->text);
}

bool
conduct_reach(struct findings *f, const struct conduct *c)
{
	if (!judge_connect(f, c))
		return false;
	judge_session(f, c);
	if (is_namesake(c))
		judge_name(f, c);
	return true;
}

void
conduct_judge(struct findings *f, const struct conduct *c)
{
	bool reached = conduct_reach(f, c);

	if (reached && !is_namesake(c))
		judge_name(f, c);
	judge_reverse(f, c);
	if (!reached)
		return;
	judge_starttls(f, c);
	judge_certificate(f, c);
	judge_tlsa(f, c);
	judge_null(f, c);
	judge_postmaster(f, c);
	judge_relay(f, c);
}

/*** Rehearsal ***/

bool
conduct_is_spf(const char *text)
{
	static const char *const words[] = { "SPF", "sender policy",
	    "5.7.23", "5.7.24", "not authorized to send", "not permitted "
	    "to send", "not allowed to send", NULL };

	return speaks_of(text, words);
}

bool
conduct_is_dnsbl(const char *text)
{
	static const char *const words[] = { "block list", "blocklist",
	    "blacklist", "black list", "blocked using", " listed", "dnsbl",
	    "spamhaus", "spamcop", "reputation", NULL };

	return speaks_of(text, words);
}

bool
conduct_is_unknown_user(const char *text)
{
	static const char *const words[] = { "5.1.1 ", "user unknown",
	    "unknown user", "recipient unknown", "unknown recipient",
	    "no such user", "no such mailbox", "no mailbox here", NULL };

	return speaks_of(text, words);
}

/* What it said to our mail first that was not good; else to RCPT. */
static const struct talk_reply *
our_reply(const struct conduct *c)
{
	const struct look *l = c->look;

	if (l->greeting.code != 0 && !talk_is_good(&l->greeting))
		return &l->greeting;
	if (l->ehlo.code != 0 && !talk_is_good(&l->ehlo))
		return &l->ehlo;
	if (c->ask->sender.code != 0 && !talk_is_good(&c->ask->sender))
		return &c->ask->sender;
	return &c->ask->known;
}

static void
judge_ours(struct findings *f, const struct conduct *c)
{
	const struct talk_reply *r = our_reply(c);
	const char *how = "have it take all mail from the backup's address";

	if (r->code == 0)
		return;
	if (talk_is_good(r))
		finding_add(f, CHECK_OK, CHECK_REHEARSE_MAIL, host(c),
		    "The server takes mail from us.");
	else if (conduct_is_dnsbl(r->text))
		finding_add(f, CHECK_FAIL, CHECK_REHEARSE_MAIL, host(c),
		    "The server refuses mail from us by a list of addresses "
		    "(%s): %s.", r->text, how);
	else if (r == &c->ask->known && conduct_is_unknown_user(r->text))
		finding_add(f, CHECK_WARN, CHECK_REHEARSE_MAIL, host(c),
		    "The server does not know postmaster@%s (%s), so whether "
		    "it takes other mail from us is not known: have it accept "
		    "that address.", c->ask->domain, r->text);
	else if (r->code / 100 == 4)
		finding_add(f, CHECK_WARN, CHECK_REHEARSE_MAIL, host(c),
		    "The server puts our mail off (%s), as greylisting does: "
		    "%s.", r->text, how);
	else
		finding_add(f, CHECK_FAIL, CHECK_REHEARSE_MAIL, host(c),
		    "The server refuses mail from us (%s): %s.", r->text, how);
}

static void
judge_passed(struct findings *f, const struct conduct *c)
{
	const struct talk_reply *r = &c->ask->passed;

	if (talk_is_good(r))
		finding_add(f, CHECK_OK, CHECK_REHEARSE_SPF, host(c),
		    "The server takes from us what others have sent.");
	else if (r->code != 0 && conduct_is_spf(r->text))
		finding_add(f, CHECK_FAIL, CHECK_REHEARSE_SPF, host(c),
		    "The server judges by SPF what we pass on for others "
		    "(%s): have it exempt the backup's address, or offer it "
		    "XCLIENT.", r->text);
}

static void
judge_users(struct findings *f, const struct conduct *c)
{
	const struct talk_reply *r = &c->ask->stranger;

	if (r->code == 0 || !talk_is_good(our_reply(c)))
		return;
	if (talk_is_good(r))
		finding_add(f, CHECK_WARN, CHECK_REHEARSE_USERS, host(c),
		    "The server accepts users that do not exist: have it "
		    "refuse them at RCPT, so that the backup can learn them.");
	else if (r->code / 100 == 5)
		finding_add(f, CHECK_OK, CHECK_REHEARSE_USERS, host(c),
		    "The server knows its users (%s).", r->text);
	else
		finding_add(f, CHECK_WARN, CHECK_REHEARSE_USERS, host(c),
		    "The server puts off mail for users that do not exist "
		    "(%s): have it refuse them.", r->text);
}

void
conduct_rehearsal(struct findings *f, const struct conduct *c)
{
	const struct look *l = c->look;

	if (!l->rehearse || c->ask == NULL)
		return;
	judge_ours(f, c);
	judge_passed(f, c);
	judge_users(f, c);
	if (l->ehlo.code == 0 || !l->extended)
		return;
	finding_add(f, CHECK_OK, CHECK_REHEARSE_XCLIENT, host(c),
	    (l->offers & LOOK_XCLIENT) != 0 ? "The server offers us XCLIENT: "
	    "it can judge clients as if they had come to it (identify "
	    "xclient)." : "The server does not offer us XCLIENT, so to its "
	    "filters all that we pass on comes from us.");
}
