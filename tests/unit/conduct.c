/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>

#include "conduct.h"
#include "tap.h"

#define NOW	1795500000	/* 2026-11-24 */
#define DAY	86400

static struct look l;
static struct conduct k;
static struct conf us;
static struct tls_tlsa tlsa[3];
static unsigned char digest[32];

static void
reply(struct talk_reply *r, const char *text)
{
	r->code = (int)strtol(text, NULL, 10);
	strlcpy(r->text, text, sizeof(r->text));
}

/* A server with which all is well. */
static void
good(void)
{
	struct sockaddr_storage addr;

	memset(&addr, 0, sizeof(addr));
	memset(&k, 0, sizeof(k));
	look_init(&l, &addr, "mx1.example.org");
	look_ask(&l, "example.org");
	l.step = LOOK_QUIT;
	l.end = TALK_WELL;
	l.extended = l.encrypted = true;
	l.offers = LOOK_TLS | LOOK_SIZE;
	l.size = 1000;
	strlcpy(l.keywords, "SIZE 1000", sizeof(l.keywords));
	strlcpy(l.name, "mx1.example.org", sizeof(l.name));
	strlcpy(l.tls.protocol, "TLSv1.3", sizeof(l.tls.protocol));
	strlcpy(l.tls.names, "mx1.example.org", sizeof(l.tls.names));
	l.tls.named = true;
	l.tls.not_before = NOW - 10 * DAY;
	l.tls.not_after = NOW + 80 * DAY + 1;
	reply(&l.greeting, "220 hello");
	reply(&l.ehlo, "250 hello");
	reply(&l.starttls, "220 go on");
	reply(&l.null_sender, "250 ok");
	reply(&l.relay, "554 5.7.1 no");
	reply(&l.ask[0].postmaster, "250 ok");
	k.look = &l;
	k.ask = &l.ask[0];
	k.us = &us;
	k.now = NOW;
	k.reverse = DNS_DATA;
	strlcpy(k.pointer, "mx1.example.org", sizeof(k.pointer));
	k.confirmed = k.leads = k.leads_known = true;
}

static void
ends(enum look_step step, enum talk_end end, const char *why)
{
	l.step = step;
	l.end = end;
	strlcpy(l.why, why, sizeof(l.why));
}

/* What is found but for what is ok: "fail smtp-name; ...". */
static const char *
found(const struct findings *f)
{
	static char text[1024];
	size_t i;

	text[0] = '\0';
	for (i = 0; i < f->n; i++) {
		const struct check_finding *it = &f->finding[i];

		if (!check_id_can(it->id, it->level))
			ok(false, "%s may be %s", check_id_name(it->id),
			    check_level_name(it->level));
		if (it->text[strlen(it->text) - 1] != '.')
			is_str(it->text, "", "a sentence");
		if (it->level == CHECK_OK)
			continue;
		if (text[0] != '\0')
			strlcat(text, "; ", sizeof(text));
		strlcat(text, it->unknown ? "unknown" :
		    check_level_name(it->level), sizeof(text));
		strlcat(text, " ", sizeof(text));
		strlcat(text, check_id_name(it->id), sizeof(text));
	}
	return text;
}

static void
judged(const char *want, const char *name)
{
	struct findings f;

	findings_init(&f);
	conduct_judge(&f, &k);
	is_str(found(&f), want, "%s", name);
	findings_clear(&f);
}

/* Does a finding that is ok, too, have ID and TEXT? */
static void
says(enum check_id id, const char *text)
{
	struct findings f;
	size_t i;

	findings_init(&f);
	conduct_judge(&f, &k);
	conduct_rehearsal(&f, &k);
	for (i = 0; i < f.n; i++)
		if (f.finding[i].id == id)
			break;
	if (i == f.n)
		is_str(NULL, text, "%s", check_id_name(id));
	else if (strstr(f.finding[i].text, text) == NULL)
		is_str(f.finding[i].text, text, "%s", check_id_name(id));
	else
		ok(true, "%s: %s", check_id_name(id), text);
	findings_clear(&f);
}

static void
test_session(void)
{
	good();
	judged("", "all is well");
	says(CHECK_SMTP_SESSION, "offers SIZE 1000.");
	ends(LOOK_CONNECT, TALK_NOT, "");
	judged("unknown smtp-connect", "not looked at");
	ends(LOOK_CONNECT, TALK_LOST, "Connection refused");
	l.error = ECONNREFUSED;
	judged("fail smtp-connect", "refused");
	ends(LOOK_CONNECT, TALK_LATE, "no answer in time");
	l.error = ETIMEDOUT;
	judged("fail smtp-connect", "silent");
	ends(LOOK_CONNECT, TALK_LOST, "Network is unreachable");
	l.error = ENETUNREACH;
	judged("unknown smtp-connect", "no way there");
	says(CHECK_SMTP_CONNECT, "what it can reach alone (-4, -6)");
	k.reverse = DNS_NXDOMAIN;
	judged("unknown smtp-connect; warn smtp-ptr", "no PTR either");

	good();
	memset(&l.ehlo, 0, sizeof(l.ehlo));
	memset(&l.starttls, 0, sizeof(l.starttls));
	l.encrypted = false;
	ends(LOOK_GREETING, TALK_LATE, "no answer in time");
	judged("fail smtp-session", "no greeting");
	ends(LOOK_GREETING, TALK_GARBAGE, "it says \"HTTP\"");
	judged("fail smtp-session", "no SMTP");
	ends(LOOK_GREETING, TALK_REFUSED, "554 no");
	judged("fail smtp-session", "refuses");
	ends(LOOK_GREETING, TALK_REFUSED, "421 busy");
	judged("warn smtp-session", "is busy");
	good();
	ends(LOOK_MAIL, TALK_LOST, "it closed the connection");
	judged("fail smtp-session", "closes");
	good();
	l.extended = l.encrypted = false;
	l.offers = 0;
	memset(&l.starttls, 0, sizeof(l.starttls));
	judged("warn smtp-session; warn smtp-starttls", "HELO alone");
}

static void
test_name(void)
{
	good();
	strlcpy(l.name, "localhost", sizeof(l.name));
	k.leads = false;
	judged("warn smtp-name", "one label");
	l.name[0] = '\0';
	judged("warn smtp-name", "no name");
	strlcpy(l.name, "www.example.org", sizeof(l.name));
	judged("warn smtp-name", "leads elsewhere");
	k.leads_known = false;
	judged("", "leads we do not know where");
	k.leads = true;
	judged("", "leads there");
	strlcpy(l.name, "mx2.backup.test", sizeof(l.name));
	judged("fail smtp-name", "the backup's name");
	k.backup = true;
	judged("", "it is the backup");

	good();
	k.confirmed = false;
	judged("warn smtp-ptr", "PTR leads elsewhere");
	says(CHECK_SMTP_PTR, "says mx1.example.org");
	k.reverse = DNS_TEMPFAIL;
	judged("warn smtp-ptr", "PTR cannot be looked up");
}

static void
test_tls(void)
{
	good();
	says(CHECK_SMTP_STARTTLS, "TLSv1.3");
	says(CHECK_SMTP_CERT, "good until 2027-02-1");
	says(CHECK_SMTP_CERT, "80 days");
	l.encrypted = false;
	ends(LOOK_HANDSHAKE, TALK_LOST, "bad");
	judged("fail smtp-starttls", "no handshake");
	ends(LOOK_EHLO_AGAIN, TALK_LOST, "bad");
	l.encrypted = true;
	judged("fail smtp-starttls", "the client is refused");
	good();
	l.encrypted = false;
	reply(&l.starttls, "454 no");
	judged("fail smtp-starttls", "STARTTLS is refused");
	memset(&l.starttls, 0, sizeof(l.starttls));
	l.offers = 0;
	judged("warn smtp-starttls", "no STARTTLS");

	good();
	l.tls.not_after = NOW + 5 * DAY;
	judged("warn smtp-cert", "ends soon");
	l.tls.not_after = NOW;
	judged("fail smtp-cert", "ended");
	l.tls.not_after = NOW + 100 * DAY;
	l.tls.not_before = NOW + 1;
	judged("fail smtp-cert", "not good yet");
	good();
	strlcpy(l.tls.distrust, "self-signed", sizeof(l.tls.distrust));
	judged("warn smtp-cert", "not trusted");
	good();
	l.tls.named = false;
	judged("warn smtp-cert", "for another host");
	good();
	l.tls.not_after = l.tls.not_before = 0;
	judged("warn smtp-cert", "none shown");
}

static void
test_tlsa(void)
{
	good();
	tlsa[0] = (struct tls_tlsa){ 3, 1, 1, digest, sizeof(digest) };
	tlsa[1] = (struct tls_tlsa){ 3, 0, 1, digest, sizeof(digest) };
	tlsa[2] = (struct tls_tlsa){ 1, 1, 1, digest, sizeof(digest) };
	l.tlsa = &tlsa[2];
	l.ntlsa = 1;
	k.guarded = true;
	judged("", "TLSA: none usable is for others to say");
	l.tlsa = tlsa;
	judged("fail tlsa-match", "TLSA: no match");
	says(CHECK_TLSA_MATCH, "TLSA 3 1 1 0000000000");
	k.guarded = false;
	judged("warn tlsa-match", "TLSA: no match, and not signed");
	k.guarded = true;
	l.ntlsa = 2;
	l.tls.any = true;
	l.tls.match = 1;
	judged("", "TLSA: a match");
	says(CHECK_TLSA_MATCH, "3 1 1 matches");
	says(CHECK_TLSA_ROLLOVER, "1 TLSA record is for another key");
	l.tls.match = 2;
	judged("warn tlsa-match", "TLSA: a match until the next renewal");
	l.tls.not_after = NOW - DAY;
	strlcpy(l.tls.distrust, "expired", sizeof(l.tls.distrust));
	l.tls.match = 1;
	judged("warn smtp-cert", "TLSA: dates are of no weight");
	l.tls.not_after = NOW + 80 * DAY;
	judged("", "TLSA: nor is PKIX");
	l.encrypted = false;
	l.offers = 0;
	memset(&l.starttls, 0, sizeof(l.starttls));
	judged("warn smtp-starttls; fail tlsa-match", "TLSA: but no TLS");
}

static void
test_mail(void)
{
	good();
	reply(&l.null_sender, "550 no");
	judged("fail smtp-null", "null sender refused");
	reply(&l.null_sender, "450 later");
	judged("warn smtp-null", "null sender put off");
	good();
	reply(&l.ask[0].postmaster, "550 5.1.1 unknown");
	judged("warn smtp-postmaster", "no postmaster");
	reply(&l.ask[0].postmaster, "450 later");
	judged("warn smtp-postmaster", "postmaster later");
	reply(&l.ask[0].postmaster, "554 5.7.1 Relay access denied");
	judged("fail smtp-postmaster", "the domain is not known there");
	good();
	reply(&l.relay, "250 ok");
	judged("fail smtp-relay", "open relay");
	l.local = true;
	judged("warn smtp-relay", "relays for itself");
	l.local = false;
	k.trusted = true;
	judged("warn smtp-relay", "relays for the backup");
	memset(&l.relay, 0, sizeof(l.relay));
	judged("", "relaying was not asked");
}

static void
rehearsed(const char *want, const char *name)
{
	struct findings f;

	findings_init(&f);
	conduct_rehearsal(&f, &k);
	is_str(found(&f), want, "rehearsal: %s", name);
	findings_clear(&f);
}

static void
rehearsal(void)
{
	good();
	l.rehearse = true;
	reply(&l.ask[0].sender, "250 ok");
	reply(&l.ask[0].known, "250 ok");
	reply(&l.ask[0].stranger, "550 5.1.1 unknown");
	reply(&l.ask[0].passed, "250 ok");
}

static void
test_rehearsal(void)
{
	good();
	rehearsed("", "not asked for");
	rehearsal();
	rehearsed("", "all is well");
	says(CHECK_REHEARSE_MAIL, "takes mail from us");
	says(CHECK_REHEARSE_SPF, "takes from us what others");
	says(CHECK_REHEARSE_USERS, "knows its users");
	says(CHECK_REHEARSE_XCLIENT, "does not offer us XCLIENT");
	l.offers |= LOOK_XCLIENT;
	says(CHECK_REHEARSE_XCLIENT, "identify xclient");
	reply(&l.ask[0].known, "450 4.2.0 Greylisted");
	rehearsed("warn rehearse-mail", "greylisted");
	reply(&l.ask[0].known, "550 5.7.1 go away");
	rehearsed("fail rehearse-mail", "refused");
	says(CHECK_REHEARSE_MAIL, "refuses mail from us (550 5.7.1 go away)");
	reply(&l.ask[0].sender, "451 Client host blocked using bl.test");
	rehearsed("fail rehearse-mail", "DNSBL at MAIL");
	says(CHECK_REHEARSE_MAIL, "by a list of addresses");
	rehearsal();
	memset(&l.ask[0], 0, sizeof(l.ask[0]));
	reply(&l.greeting, "554 no");
	rehearsed("fail rehearse-mail", "refused at once");
	rehearsal();
	reply(&l.ask[0].passed, "550 5.7.23 SPF validation failed");
	rehearsed("fail rehearse-spf", "SPF");
	reply(&l.ask[0].passed, "550 5.7.27 nullMX");
	rehearsed("", "the other domain is not liked");
	rehearsal();
	reply(&l.ask[0].stranger, "250 ok");
	rehearsed("warn rehearse-users", "catch-all");
	reply(&l.ask[0].stranger, "450 later");
	rehearsed("warn rehearse-users", "strangers are put off");
}

static void
test_words(void)
{
	ok(conduct_is_spf("550 5.7.1 See http://www.openspf.org"), "openspf");
	ok(conduct_is_spf("550 Sender not authorized to send from"), "words");
	ok(!conduct_is_spf("550 no such user"), "not SPF");
	ok(conduct_is_dnsbl("554 Service unavailable; Client host blocked "
	    "using zen.spamhaus.org"), "spamhaus");
	ok(!conduct_is_dnsbl("450 4.2.0 Greylisted"), "no such list");
	ok(conduct_is_unknown_user("550 5.1.1 <a@b>: Recipient address "
	    "rejected"), "an unknown user, by number");
	ok(conduct_is_unknown_user("550 No such user here"), "and by words");
	ok(!conduct_is_unknown_user("550 5.7.1 rejected"), "or not at all");
}

int
main(void)
{
	conf_init(&us);
	strlcpy(us.hostname, "mx2.backup.test", sizeof(us.hostname));
	test_session();
	test_name();
	test_tls();
	test_tlsa();
	test_mail();
	test_rehearsal();
	test_words();
	return done_testing();
}
