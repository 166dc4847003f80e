/* SPDX-License-Identifier: ISC */
#include "smtp_server.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "addr.h"
#include "deadline.h"
#include "envelope.h"
#include "etrn.h"
#include "incoming.h"
#include "ledger.h"
#include "log.h"
#include "param.h"
#include "plain.h"
#include "utf8.h"
#include "xclient.h"

/*** What we say: enhanced codes of RFC 3463 and 5248 ***/

#define R_BYE		"221 2.0.0 bye"
#define R_OK		"250 2.0.0 ok"
#define R_SENDER	"250 2.1.0 sender ok"
#define R_RECIPIENT	"250 2.1.5 recipient ok"
#define R_KEPT		"250 2.0.0 kept as"
#define R_CHUNK		"250 2.0.0 chunk taken"
#define R_VRFY		"252 2.5.2 send mail, and its own server will tell"
#define R_HELP		"214 2.0.0 this host keeps mail while its server " \
			"is away: RFC 5321"
#define R_TLS_READY	"220 2.0.0 begin TLS"
#define R_DATA		"354 end with <CRLF>.<CRLF>"

#define R_TIMEOUT	"421 4.4.2 timeout, closing"
#define R_ERRORS	"421 4.7.0 too many errors, closing"
#define R_NOT_SMTP	"421 4.7.0 this is SMTP, closing"
#define R_PRIMARY_UP	"451 4.3.2 the domain's own server answers, deliver " \
			"to it; if you cannot reach it, return in 5 minutes"
#define R_CONFIG	"451 4.3.5 configuration error here, try later"
#define R_TROUBLE	"451 4.3.0 storage trouble here, try later"
#define R_UNKNOWN_DEFER	"450 4.1.1 this address cannot be verified now, " \
			"try later"
#define R_FULL		"452 4.3.1 storage is full here, try later"
#define R_QUOTA		"452 4.2.2 too much waits for this domain, try later"
#define R_TOO_MANY	"452 4.5.3 too many recipients, send the rest apart"
#define R_NO_TLS_NOW	"454 4.7.0 TLS is not available now"
#define R_ETRN_HELD	"458 4.3.2 %s is on hold here"
#define R_ETRN_DEAF	"458 4.3.0 the queue for %s cannot be started now"
#define R_ETRN_DENIED	"459 4.7.1 %s is not for you to start"
#define R_ETRN_NONE	"251 2.0.0 no messages wait for %s"
#define R_ETRN_LATER	"252 2.0.0 messages for %s go with the next run"
#define R_ETRN_STARTED	"253 2.0.0 %zu messages for %s started"

#define R_LONG		"500 5.5.2 line too long"
#define R_BARE		"500 5.5.2 lines must end in CRLF"
#define R_UNKNOWN	"500 5.5.1 unknown command"
#define R_NUL		"501 5.5.2 NUL in a command"
#define R_NO_ARGUMENT	"501 5.5.4 this command takes no argument"
#define R_HELO_SYNTAX	"501 5.5.4 your host name is wanted"
#define R_MAIL_SYNTAX	"501 5.5.4 syntax: MAIL FROM:<address> [parameters]"
#define R_RCPT_SYNTAX	"501 5.5.4 syntax: RCPT TO:<address> [parameters]"
#define R_SENDER_SYNTAX	"501 5.1.7 bad sender address"
#define R_RCPT_ADDRESS	"501 5.1.3 bad recipient address"
#define R_PARAMETER	"501 5.5.4 bad or repeated parameter"
#define R_VRFY_SYNTAX	"501 5.5.4 syntax: VRFY address"
#define R_ETRN_SYNTAX	"501 5.5.4 syntax: ETRN domain"
#define R_XCLIENT_SYNTAX "501 5.5.4 syntax: XCLIENT attribute=value ..."
#define R_BDAT_SYNTAX	"501 5.5.4 syntax: BDAT octets [LAST], closing"
#define R_NOT_HERE	"502 5.5.1 not implemented"
#define R_HELO_FIRST	"503 5.5.1 say EHLO or HELO first"
#define R_NESTED	"503 5.5.1 a sender is already given"
#define R_MAIL_FIRST	"503 5.5.1 say MAIL first"
#define R_IN_CHUNKS	"503 5.5.1 the text has begun with BDAT"
#define R_SPOILED	"503 5.5.1 a chunk was refused, say RSET first"
#define R_BUSY		"503 5.5.1 not within a transaction"
#define R_TLS_TWICE	"503 5.5.1 TLS is already active"
#define R_NO_RECIPIENT	"554 5.5.1 no valid recipients"
#define R_SYNC		"554 5.5.0 wait for the reply, closing"
#define R_EARLY		"554 you spoke before the greeting, closing"
#define R_UNOFFERED	"555 5.5.4 parameter not offered"
#define R_UTF8		"553 5.6.7 say SMTPUTF8 with such an address"
#define R_UTF8_PRIMARY	"550 5.6.7 the domain's own server takes no SMTPUTF8"
#define R_NOBODY	"550 5.1.1 no such recipient"
#define R_UNVERIFIED	"550 5.1.1 a recipient its own server does not know"
#define R_RELAY		"550 5.7.1 not a domain that is kept here"
#define R_ROUTING	"550 5.7.1 no routing within addresses"
#define R_XCLIENT	"550 5.7.0 not for you"
#define R_TOO_BIG	"552 5.3.4 message too big"
#define R_BARE_TEXT	"550 5.5.2 bare CR or LF in the message"
#define R_NUL_TEXT	"550 5.6.0 NUL in the message"
#define R_HOPS		"554 5.4.6 too many hops: a mail loop"

#define COMMAND_MAX	2046	/* RFC 5321 asks for 510, extensions for more:
				   RFC 3461 5, 6531 3.4; XCLIENT */
#define REPLY_MAX	512	/* RFC 5321 4.5.3.1.5, its end included */
#define ERRORS_MAX	20
#define TARPIT_AFTER	10	/* errors */
#define RCPT_FRAME	64	/* octets beside its address and parameters */
#define DOMAINS_MAX	100	/* of a message: each is a copy, and two fds */
#define PROGRESS	1024	/* octets that earn a new deadline in DATA */
#define CHUNK_DIGITS	18	/* of BDAT: what surely does not overflow */
#define OFFERED		(PARAM_SIZE | PARAM_8BITMIME | PARAM_SMTPUTF8 | \
			PARAM_DSN)

struct transaction {
	bool open;		/* MAIL was accepted */
	struct addr sender;
	struct param_mail mail;
	struct incoming_rcpt *rcpt;
	size_t nrcpt;
	size_t domains;		/* of rcpt */
	size_t octets;		/* of rcpt, in an envelope */
	int64_t limit;		/* octets: the least of ours and of what the
				   primaries take; 0: none */
	bool wakes;		/* the flusher, once it is kept */
	struct incoming *in;	/* BDAT has begun */
	const char *spoiled;	/* what was answered to a chunk refused */
};

struct session {
	const struct smtp_server_args *args;
	const struct conf *conf;
	struct spool *spool;
	struct peer peer;
	struct stream *io;
	struct policy *policy;
	struct tls *tls;	/* NULL in clear */
	char tls_text[64];	/* protocol and cipher */
	int64_t end;		/* deadline of the session */
	unsigned errors;
	bool extended;		/* EHLO */
	bool closing;
	bool broken;		/* our side failed */
	bool first;		/* no command was understood yet */
	bool old_client;	/* by XCLIENT: it said HELO */
	bool primary;		/* the client is the server of a domain */
	bool unheard;		/* no flusher stays to be woken */
	char helo[ADDR_DOMAIN_MAX + 1];
	char other_helo[ADDR_DOMAIN_MAX + 1];	/* by XCLIENT, else "" */
	struct transaction tx;
};

/*** Answers ***/

/* Who makes many errors gets his answers slowly. */
static void
hesitate(struct session *s)
{
	int64_t until = deadline_min(s->end, deadline_in(s->conf->tarpit));

	if (s->errors <= TARPIT_AFTER || s->conf->tarpit == 0 ||
	    stream_flush(s->io) == -1)
		return;
	(void)poll(NULL, 0, deadline_left(until));
}

static void
answer(struct session *s, const char *text)
{
	if (text[0] == '5') {
		s->errors++;
		log_debug("refused client=[%s] reply=\"%s\"", s->peer.addr,
		    text);
		hesitate(s);
	}
	(void)stream_printf(s->io, "%s\r\n", text);
}

static void
hang_up(struct session *s, const char *text)
{
	log_info("closed client=[%s] reply=\"%s\"", s->peer.addr, text);
	(void)stream_printf(s->io, "%s\r\n", text);
	s->closing = true;
}

/* Of errors on our side: is there no room, or something worse? */
static const char *
storage_answer(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EFBIG ? R_FULL :
	    R_TROUBLE;
}

const char *
smtp_server_answer(enum policy_verdict verdict)
{
	switch (verdict) {
	case POLICY_ACCEPT:
	case POLICY_UNVERIFIED:
		return R_RECIPIENT;
	case POLICY_RELAY:
		return R_RELAY;
	case POLICY_ROUTING:
		return R_ROUTING;
	case POLICY_BROKEN:
		return R_CONFIG;
	case POLICY_NOBODY:
		return R_NOBODY;
	case POLICY_UNKNOWN_DEFER:
		return R_UNKNOWN_DEFER;
	case POLICY_UNKNOWN_REJECT:
		return R_UNVERIFIED;
	case POLICY_NO_UTF8:
		return R_UTF8_PRIMARY;
	case POLICY_TOO_BIG:
		return R_TOO_BIG;
	case POLICY_QUOTA:
		return R_QUOTA;
	case POLICY_PRIMARY_UP:
		return R_PRIMARY_UP;
	}
	return R_CONFIG;
}

/*** Transactions ***/

static void
tx_clear(struct transaction *tx)
{
	incoming_close(tx->in);
	for (size_t i = 0; i < tx->nrcpt; i++)
		free(tx->rcpt[i].params);
	free(tx->rcpt);
	memset(tx, 0, sizeof(*tx));
}

static bool
tx_has(const struct transaction *tx, const struct addr *a)
{
	for (size_t i = 0; i < tx->nrcpt; i++)
		if (strcmp(tx->rcpt[i].addr.text, a->text) == 0)
			return true;
	return false;
}

static bool
tx_has_domain(const struct transaction *tx, const char *domain)
{
	for (size_t i = 0; i < tx->nrcpt; i++)
		if (strcmp(tx->rcpt[i].domain, domain) == 0)
			return true;
	return false;
}

static bool
tx_add(struct transaction *tx, const struct addr *a, const char *domain,
    const char *params, bool unverified)
{
	struct incoming_rcpt *grown;
	char *copy;

	if ((copy = strdup(params)) == NULL)
		return false;
	/* Grows by doubling at powers of two. */
	if ((tx->nrcpt & (tx->nrcpt - 1)) == 0) {
		grown = reallocarray(tx->rcpt,
		    tx->nrcpt == 0 ? 1 : tx->nrcpt * 2, sizeof(*grown));
		if (grown == NULL) {
			free(copy);
			return false;
		}
		tx->rcpt = grown;
	}
	tx->domains += !tx_has_domain(tx, domain);
	tx->octets += strlen(a->text) + strlen(params) + RCPT_FRAME;
	grown = &tx->rcpt[tx->nrcpt++];
	grown->addr = *a;
	(void)strlcpy(grown->domain, domain, sizeof(grown->domain));
	grown->params = copy;
	grown->unverified = unverified;
	return true;
}

/*** Commands; each gets its argument, blanks around it removed ***/

static bool
offers_tls(const struct session *s)
{
	return s->tls == NULL &&
	    (s->args->tls != NULL || s->args->secret != NULL);
}

/* It is the connection that counts, whoever else it spoke for before. */
static bool
may_xclient(const struct session *s)
{
	const struct conf_nets *list = &s->conf->xclient;

	return net_covers(list->net, list->n, s->args->peer->addr);
}

/* Is the client one of DOMAIN's own servers, or may it start any queue? */
static bool
may_start(const struct session *s, const char *domain)
{
	const struct conf_nets *list = &s->conf->etrn;

	if (net_covers(list->net, list->n, s->peer.addr))
		return true;
	return s->primary && (domain == NULL ||
	    ledger_is_primary(s->spool, s->peer.addr, domain));
}

static void
offer(struct session *s)
{
	(void)stream_printf(s->io, "250-%s\r\n250-PIPELINING\r\n"
	    "250-SIZE %" PRId64 "\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
	    "250-CHUNKING\r\n250-DSN\r\n",
	    s->conf->hostname, s->conf->max_size);
	if (offers_tls(s))
		(void)stream_printf(s->io, "250-STARTTLS\r\n");
	if (may_start(s, NULL))
		(void)stream_printf(s->io, "250-ETRN\r\n");
	if (may_xclient(s))
		(void)stream_printf(s->io, "250-XCLIENT " XCLIENT_NAMES
		    "\r\n");
	(void)stream_printf(s->io, "250-LIMITS RCPTMAX=%" PRId64
	    " RCPTDOMAINMAX=%d\r\n250-HELP\r\n250 ENHANCEDSTATUSCODES\r\n",
	    s->conf->max_recipients, DOMAINS_MAX);
}

/* What stands in our trace must not be able to break it. */
static void
set_helo(struct session *s, const char *text)
{
	size_t n = 0;

	for (; text[n] != '\0' && n < sizeof(s->helo) - 1; n++) {
		unsigned char c = (unsigned char)text[n];

		s->helo[n] = isalnum(c) || strchr(".-_:[]", c) != NULL ?
		    (char)c : '?';
	}
	s->helo[n] = '\0';
}

static void
greet(struct session *s, const char *arg, bool extended)
{
	if (*arg == '\0' || strlen(arg) >= sizeof(s->helo) ||
	    strpbrk(arg, " \t") != NULL) {
		answer(s, R_HELO_SYNTAX);
		return;
	}
	set_helo(s, s->other_helo[0] != '\0' ? s->other_helo : arg);
	s->extended = extended;
	tx_clear(&s->tx);
	if (extended)
		offer(s);
	else
		(void)stream_printf(s->io, "250 %s\r\n", s->conf->hostname);
}

static void
cmd_helo(struct session *s, char *arg)
{
	greet(s, arg, false);
}

static void
cmd_ehlo(struct session *s, char *arg)
{
	greet(s, arg, true);
}

/*
 * The path behind "FROM:" or "TO:", and in *REST what follows it; NULL after
 * an answer.
 */
static const char *
take_path(struct session *s, struct addr *a, const char *arg,
    enum addr_kind kind)
{
	const char *keyword = kind == ADDR_SENDER ? "FROM:" : "TO:", *rest;
	size_t n = strlen(keyword);

	if (strncasecmp(arg, keyword, n) != 0) {
		answer(s, kind == ADDR_SENDER ? R_MAIL_SYNTAX : R_RCPT_SYNTAX);
		return NULL;
	}
	/* A blank there is wrong and common. */
	arg += n + strspn(arg + n, " ");
	rest = addr_parse(a, arg, kind);
	if (rest == NULL || (*rest != '\0' && *rest != ' ') ||
	    (a->utf8 && !utf8_valid(a->text, strlen(a->text)))) {
		answer(s, kind == ADDR_SENDER ? R_SENDER_SYNTAX :
		    R_RCPT_ADDRESS);
		return NULL;
	}
	return rest;
}

static const char *
param_problem(enum param_result result)
{
	switch (result) {
	case PARAM_OK:
		return NULL;
	case PARAM_BAD:
		return R_PARAMETER;
	case PARAM_UNKNOWN:
		return R_UNOFFERED;
	}
	return R_PARAMETER;
}

/* NULL, or what to answer to the size that MAIL announced (RFC 1870). */
static const char *
check_size(struct session *s, int64_t size)
{
	if (s->conf->max_size > 0 && size > s->conf->max_size)
		return R_TOO_BIG;
	if (spool_space(s->spool, size < 0 ? 0 : size) == -1)
		return storage_answer(errno);
	return NULL;
}

static void
cmd_mail(struct session *s, char *arg)
{
	struct transaction *tx = &s->tx;
	struct addr sender;
	const char *problem, *rest;

	if (tx->open) {
		answer(s, R_NESTED);
		return;
	}
	if ((rest = take_path(s, &sender, arg, ADDR_SENDER)) == NULL)
		return;
	tx_clear(tx);
	problem = param_problem(param_mail_parse(&tx->mail, rest,
	    s->extended ? OFFERED : 0));
	if (problem == NULL && sender.utf8 && !tx->mail.smtputf8)
		problem = R_UTF8;
	if (problem == NULL)
		problem = check_size(s, tx->mail.size);
	if (problem != NULL) {
		answer(s, problem);
		return;
	}
	tx->sender = sender;
	tx->limit = s->conf->max_size;
	tx->open = true;
	answer(s, R_SENDER);
}

/* What the policy says of A, and of the transaction with it in. */
static enum policy_verdict
ask_policy(struct session *s, struct addr *a)
{
	const struct transaction *tx = &s->tx;
	struct policy_mail mail = {
		.client = s->peer.addr,
		.sender = tx->sender.text,
		.size = tx->mail.size > 0 ? tx->mail.size : 0,
		.utf8 = tx->mail.smtputf8
	};
	enum policy_verdict verdict;

	verdict = policy_rcpt(s->policy, &mail, a, NULL, NULL);
	if (verdict == POLICY_BROKEN) {
		log_warnx("%s", policy_error(s->policy));
		s->broken = true;
	}
	return verdict;
}

/*
 * Where primaries differ in what they take and the size was not announced,
 * a message too big for one of them would be refused for all.
 */
static bool
is_apart(const struct session *s)
{
	int64_t most = policy_size(s->policy);

	return s->tx.nrcpt > 0 && s->tx.mail.size <= 0 && most > 0 &&
	    (s->conf->max_size == 0 || most < s->conf->max_size) &&
	    !tx_has_domain(&s->tx, policy_domain(s->policy));
}

static void
add_recipient(struct session *s, const struct addr *a, const char *params,
    bool unverified)
{
	const char *domain = policy_domain(s->policy);
	struct transaction *tx = &s->tx;
	int64_t most = policy_size(s->policy);

	if (tx_has(tx, a)) {
		answer(s, R_RECIPIENT);
		return;
	}
	if (tx->nrcpt >= (size_t)s->conf->max_recipients || is_apart(s) ||
	    tx->octets >= ENVELOPE_MAX / 2 ||
	    (tx->domains >= DOMAINS_MAX && !tx_has_domain(tx, domain))) {
		answer(s, R_TOO_MANY);
		return;
	}
	if (!tx_add(tx, a, domain, params, unverified)) {
		answer(s, R_TROUBLE);
		return;
	}
	if (most > 0 && (tx->limit == 0 || most < tx->limit))
		tx->limit = most;
	tx->wakes |= policy_wakes(s->policy);
	answer(s, R_RECIPIENT);
}

static void
cmd_rcpt(struct session *s, char *arg)
{
	char shown[ADDR_MAX + 1];
	enum policy_verdict verdict;
	struct param_rcpt params;
	const char *rest, *problem;
	struct addr a;

	if (s->tx.in != NULL || s->tx.spoiled != NULL) {
		answer(s, s->tx.spoiled != NULL ? R_SPOILED : R_IN_CHUNKS);
		return;
	}
	if ((rest = take_path(s, &a, arg, ADDR_RECIPIENT)) == NULL)
		return;
	problem = param_problem(param_rcpt_parse(&params, rest,
	    !s->extended ? 0 : PARAM_DSN |
	    (s->tx.mail.smtputf8 ? PARAM_SMTPUTF8 : 0)));
	if (problem == NULL && a.utf8 && !s->tx.mail.smtputf8)
		problem = R_UTF8;
	if (problem != NULL) {
		answer(s, problem);
		return;
	}
	verdict = ask_policy(s, &a);
	if (verdict == POLICY_ACCEPT || verdict == POLICY_UNVERIFIED) {
		add_recipient(s, &a, params.text,
		    verdict == POLICY_UNVERIFIED);
		return;
	}
	problem = smtp_server_answer(verdict);
	log_info("refused client=[%s] rcpt=<%s> reply=\"%s\"", s->peer.addr,
	    plain(shown, sizeof(shown), a.text), problem);
	answer(s, problem);
}

/*** The message ***/

/* RFC 3848 and RFC 6531 3.7.3. */
static const char *
protocol(const struct session *s)
{
	if (!s->extended || s->old_client)
		return "SMTP";
	if (s->tx.mail.smtputf8)
		return s->tls != NULL ? "UTF8SMTPS" : "UTF8SMTP";
	return s->tls != NULL ? "ESMTPS" : "ESMTP";
}

/* NULL, or what to answer. */
static const char *
begin_message(struct session *s)
{
	const struct transaction *tx = &s->tx;
	struct incoming_from from = {
		.spool = s->spool,
		.peer = &s->peer,
		.hostname = s->conf->hostname,
		.helo = s->helo,
		.protocol = protocol(s),
		.tls = s->tls_text,
		.sender = &tx->sender,
		.params = tx->mail.text,
		.rcpt = tx->rcpt,
		.nrcpt = tx->nrcpt,
		.max_size = tx->limit
	};

	if ((s->tx.in = incoming_open(&from)) != NULL)
		return NULL;
	log_warn("cannot begin a message of client=[%s]", s->peer.addr);
	s->broken = true;
	return storage_answer(errno);
}

/* NULL if the message may be kept. */
static const char *
fault_answer(const struct incoming *in)
{
	switch (incoming_fault(in)) {
	case INCOMING_GOOD:
		return NULL;
	case INCOMING_TOO_BIG:
		return R_TOO_BIG;
	case INCOMING_NUL:
		return R_NUL_TEXT;
	case INCOMING_BARE:
		return R_BARE_TEXT;
	case INCOMING_HOPS:
		return R_HOPS;
	case INCOMING_STORAGE:
		return storage_answer(incoming_error(in));
	}
	return R_TROUBLE;
}

static void
log_accepted(struct session *s, const struct incoming *in)
{
	char from[ADDR_MAX * 2], to[ADDR_MAX * 2];

	(void)plain(from, sizeof(from), s->tx.sender.text);
	for (size_t i = 0; i < incoming_copies(in); i++) {
		const struct envelope *e = incoming_envelope(in, i);

		log_info("accepted id=%s domain=%s client=[%s] helo=%s "
		    "from=<%s> to=<%s> rcpts=%zu bytes=%" PRId64 "%s%s",
		    incoming_id(in, i), e->domain, s->peer.addr, s->helo,
		    from, plain(to, sizeof(to), e->rcpt[0].address), e->nrcpt,
		    incoming_octets(in), s->tls != NULL ? " tls=" : "",
		    s->tls != NULL ? tls_protocol(s->tls) : "");
	}
}

/* Gives back what the first N copies took of their domains' quotas. */
static void
give_room(struct session *s, const struct incoming *in, size_t n)
{
	for (size_t i = 0; i < n; i++)
		policy_give(s->policy, incoming_envelope(in, i)->domain,
		    incoming_size(in, i));
}

/* NULL, or what to answer if a domain's quota has no room for its copy. */
static const char *
take_room(struct session *s, const struct incoming *in)
{
	enum policy_verdict verdict;

	for (size_t i = 0; i < incoming_copies(in); i++) {
		verdict = policy_take(s->policy,
		    incoming_envelope(in, i)->domain, incoming_size(in, i));
		if (verdict != POLICY_ACCEPT) {
			give_room(s, in, i);
			return smtp_server_answer(verdict);
		}
	}
	return NULL;
}

/* As many of the ids as a line of a reply holds (RFC 5321 4.5.3.1.5). */
static void
say_kept(struct session *s, const struct incoming *in)
{
	size_t used = strlen(R_KEPT "\r\n");

	(void)stream_printf(s->io, R_KEPT);
	for (size_t i = 0; i < incoming_copies(in) && i < 4; i++) {
		used += strlen(incoming_id(in, i)) + 1;
		if (used > REPLY_MAX)
			break;
		(void)stream_printf(s->io, " %s", incoming_id(in, i));
	}
	(void)stream_printf(s->io, "\r\n");
}

static void
accept_message(struct session *s, struct incoming *in)
{
	const char *problem = take_room(s, in);

	if (problem != NULL) {
		log_info("refused client=[%s] bytes=%" PRId64 " reply=\"%s\"",
		    s->peer.addr, incoming_octets(in), problem);
		answer(s, problem);
		return;
	}
	if (incoming_commit(in) == -1) {
		log_warn("cannot store a message of client=[%s]",
		    s->peer.addr);
		s->broken = true;
		answer(s, storage_answer(errno));
		give_room(s, in, incoming_copies(in));
		return;
	}
	/* From here on the mail is safe. */
	say_kept(s, in);
	if (stream_flush(s->io) == -1)
		log_info("client=[%s] left before it heard that id=%s is kept",
		    s->peer.addr, incoming_id(in, 0));
	log_accepted(s, in);
	if (s->tx.wakes && !s->unheard)
		s->unheard = spool_trigger(s->spool) == -1;
}

static void
log_refused(struct session *s, const struct incoming *in, const char *problem)
{
	if (incoming_fault(in) == INCOMING_STORAGE) {
		errno = incoming_error(in);
		log_warn("cannot write a message of client=[%s]",
		    s->peer.addr);
		s->broken = true;
	}
	log_info("refused client=[%s] bytes=%" PRId64 " reply=\"%s\"",
	    s->peer.addr, incoming_octets(in), problem);
}

static void
end_message(struct session *s)
{
	const char *problem = fault_answer(s->tx.in);

	if (problem == NULL)
		accept_message(s, s->tx.in);
	else {
		log_refused(s, s->tx.in, problem);
		answer(s, problem);
	}
	tx_clear(&s->tx);
}

static void
lost(struct session *s, enum stream_got got, const char *when)
{
	if (got == STREAM_TIMEOUT) {
		/* A moment more, to say why. */
		stream_deadline(s->io, deadline_in(5000));
		hang_up(s, R_TIMEOUT);
	} else {
		log_info("lost client=[%s] %s", s->peer.addr, when);
		s->closing = true;
	}
}

/* Text on its way, and the pace it has to keep. */
struct pace {
	int64_t began;
	int64_t octets;
	size_t progress;	/* since the deadline was set */
};

static void
pace_begin(struct pace *p)
{
	p->began = deadline_now();
	p->octets = 0;
	p->progress = PROGRESS;
}

/*
 * A client has the time of one "receive" for each KiB, not for each octet,
 * and one more on the whole, beside what "min-rate" gives it.
 */
static void
pace_keep(struct session *s, struct pace *p, size_t used)
{
	int64_t most = s->conf->timeout.receive, rate = s->conf->min_rate;
	int64_t until = deadline_in(most);

	p->octets += (int64_t)used;
	p->progress += used;
	if (p->progress < PROGRESS)
		return;
	p->progress = 0;
	if (rate > 0 && p->octets < INT64_MAX / 2000)
		until = deadline_min(until, p->began + most +
		    p->octets * 1000 / rate);
	stream_deadline(s->io, deadline_min(s->end, until));
}

/* Reads up to the end of the message, whatever becomes of it. */
static enum stream_got
receive(struct session *s)
{
	const char *data;
	size_t len, used;
	struct pace pace;
	enum stream_got got;
	bool done = false;

	pace_begin(&pace);
	for (used = 0; !done; stream_skip(s->io, used)) {
		pace_keep(s, &pace, used);
		if ((got = stream_data(s->io, &data, &len)) != STREAM_LINE)
			return got;
		used = incoming_data(s->tx.in, data, len, &done);
	}
	return STREAM_LINE;
}

static void
cmd_data(struct session *s, char *arg)
{
	const char *problem;
	enum stream_got got;

	(void)arg;
	if (s->tx.in != NULL || s->tx.spoiled != NULL) {
		answer(s, s->tx.spoiled != NULL ? R_SPOILED : R_IN_CHUNKS);
		return;
	}
	if (s->tx.nrcpt == 0) {
		answer(s, R_NO_RECIPIENT);
		return;
	}
	if ((problem = begin_message(s)) != NULL) {
		answer(s, problem);
		tx_clear(&s->tx);
		return;
	}
	answer(s, R_DATA);
	if ((got = receive(s)) == STREAM_LINE)
		end_message(s);
	else {
		tx_clear(&s->tx);
		lost(s, got, "in a message");
	}
}

/* "octets" or "octets LAST" (RFC 3030); false if it is not that. */
static bool
parse_chunk(const char *arg, int64_t *octets, bool *last)
{
	size_t digits = strspn(arg, "0123456789");

	if (digits == 0 || digits > CHUNK_DIGITS)
		return false;
	*octets = 0;
	for (size_t i = 0; i < digits; i++)
		*octets = *octets * 10 + (arg[i] - '0');
	arg += digits;
	*last = *arg == ' ' &&
	    strcasecmp(arg + strspn(arg, " "), "LAST") == 0;
	return *last || *arg == '\0';
}

/* Reads the chunk; TAKE says whether it goes into the message. */
static enum stream_got
receive_chunk(struct session *s, int64_t left, bool take)
{
	const char *data;
	struct pace pace;
	size_t len, used = 0;
	enum stream_got got;

	pace_begin(&pace);
	while (left > 0) {
		pace_keep(s, &pace, used);
		if ((got = stream_data(s->io, &data, &len)) != STREAM_LINE)
			return got;
		used = left < (int64_t)len ? (size_t)left : len;
		if (take)
			incoming_chunk(s->tx.in, data, used);
		stream_skip(s->io, used);
		left -= (int64_t)used;
	}
	return STREAM_LINE;
}

/*
 * NULL if a chunk may come now.  What follows one that was refused is refused
 * with the same words: who looks at the last reply alone is not to take what
 * will pass for what is for good.
 */
static const char *
chunk_problem(const struct session *s)
{
	if (s->helo[0] == '\0')
		return R_HELO_FIRST;
	if (!s->tx.open)
		return R_MAIL_FIRST;
	if (s->tx.spoiled != NULL)
		return s->tx.spoiled;
	return s->tx.nrcpt == 0 ? R_NO_RECIPIENT : NULL;
}

/* After the last chunk nothing is left of a transaction, as after DATA. */
static void
refuse_chunk(struct session *s, const char *problem, bool last)
{
	answer(s, problem);
	incoming_close(s->tx.in);
	s->tx.in = NULL;
	if (last)
		tx_clear(&s->tx);
	else if (s->tx.open)
		s->tx.spoiled = problem;
}

static void
end_chunk(struct session *s, bool last)
{
	const char *problem;

	if (last) {
		incoming_chunks_end(s->tx.in);
		end_message(s);
	} else if ((problem = fault_answer(s->tx.in)) == NULL)
		answer(s, R_CHUNK);
	else {
		log_refused(s, s->tx.in, problem);
		refuse_chunk(s, problem, last);
	}
}

/* A chunk that is not wanted is read away all the same, and answered then. */
static void
cmd_bdat(struct session *s, char *arg)
{
	const char *problem;
	enum stream_got got;
	int64_t octets;
	bool last;

	if (!parse_chunk(arg, &octets, &last)) {
		/* Nobody knows where the next command begins. */
		s->errors++;
		hang_up(s, R_BDAT_SYNTAX);
		return;
	}
	problem = chunk_problem(s);
	if (problem == NULL && s->tx.in == NULL)
		problem = begin_message(s);
	got = receive_chunk(s, octets, problem == NULL);
	if (got != STREAM_LINE) {
		tx_clear(&s->tx);
		lost(s, got, "in a chunk");
	} else if (problem != NULL)
		refuse_chunk(s, problem, last);
	else
		end_chunk(s, last);
}

static void
cmd_rset(struct session *s, char *arg)
{
	(void)arg;
	tx_clear(&s->tx);
	answer(s, R_OK);
}

/*** TLS, and others who speak for a client ***/

static void
say_greeting(struct session *s)
{
	(void)stream_printf(s->io, "220 %s ESMTP mxkeep\r\n",
	    s->conf->hostname);
}

/* As if the connection had just begun (RFC 3207 4.2, XCLIENT). */
static void
forget(struct session *s)
{
	tx_clear(&s->tx);
	s->helo[0] = '\0';
	s->extended = false;
	s->first = true;
}

static void
begin_tls(struct session *s, struct tls_context *context)
{
	const struct smtp_server_args *args = s->args;
	char error[TLS_ERROR_MAX];
	int64_t until;

	answer(s, R_TLS_READY);
	if (stream_flush(s->io) == -1) {
		s->closing = true;
		return;
	}
	until = deadline_min(s->end, deadline_in(s->conf->timeout.command));
	if (tls_accept(context, args->ops, args->ops_arg, until, &s->tls,
	    error) != TLS_OK) {
		log_info("no TLS client=[%s]: %s", s->peer.addr, error);
		s->closing = true;
		return;
	}
	if (stream_switch(s->io, &tls_stream_ops, s->tls) == -1) {
		s->closing = true;
		return;
	}
	(void)snprintf(s->tls_text, sizeof(s->tls_text), "%s %s",
	    tls_protocol(s->tls), tls_cipher(s->tls));
	log_debug("tls client=[%s] %s", s->peer.addr, s->tls_text);
	forget(s);
}

static void
cmd_starttls(struct session *s, char *arg)
{
	struct tls_context *context = s->args->tls;
	char error[TLS_ERROR_MAX];

	(void)arg;
	if (!offers_tls(s)) {
		answer(s, s->tls != NULL ? R_TLS_TWICE : R_NOT_HERE);
		return;
	}
	/* What came along is neither clear text nor TLS (RFC 3207 6). */
	if (stream_pending(s->io) > 0) {
		s->errors++;
		hang_up(s, R_SYNC);
		return;
	}
	if (context == NULL)
		context = tls_server_new(s->args->secret, error);
	if (context == NULL) {
		log_warnx("%s", error);
		s->errors++;
		answer(s, R_NO_TLS_NOW);
		return;
	}
	begin_tls(s, context);
	if (context != s->args->tls)
		tls_context_free(context);
}

static void
change_peer(struct peer *p, const struct xclient *x)
{
	if ((x->given & XCLIENT_ADDR) != 0) {
		(void)strlcpy(p->addr, x->addr, sizeof(p->addr));
		p->v6 = strchr(p->addr, ':') != NULL;
		/* The name was another's. */
		p->name[0] = '\0';
	}
	if ((x->given & XCLIENT_NAME) != 0)
		(void)strlcpy(p->name, x->name, sizeof(p->name));
	if ((x->given & XCLIENT_PORT) != 0)
		p->port = x->port;
}

static void
cmd_xclient(struct session *s, char *arg)
{
	struct xclient x;

	if (!may_xclient(s)) {
		answer(s, R_XCLIENT);
		return;
	}
	if (s->tx.open) {
		answer(s, R_BUSY);
		return;
	}
	if (!xclient_parse(&x, arg)) {
		answer(s, R_XCLIENT_SYNTAX);
		return;
	}
	change_peer(&s->peer, &x);
	s->primary = ledger_is_primary(s->spool, s->peer.addr, NULL);
	log_debug("xclient client=[%s] addr=[%s]", s->args->peer->addr,
	    s->peer.addr);
	if ((x.given & XCLIENT_HELO) != 0)
		(void)strlcpy(s->other_helo, x.helo, sizeof(s->other_helo));
	if ((x.given & XCLIENT_PROTO) != 0)
		s->old_client = !x.extended;
	forget(s);
	say_greeting(s);
}

/*** ETRN (RFC 1985) ***/

static void
start_queue(struct session *s, const char *domain, bool below, char *text,
    size_t size)
{
	size_t waiting = 0;

	if (!may_start(s, domain)) {
		(void)snprintf(text, size, R_ETRN_DENIED, domain);
		return;
	}
	switch (etrn_start(s->spool, domain, below, &waiting)) {
	case ETRN_STARTED:
		(void)snprintf(text, size, R_ETRN_STARTED, waiting, domain);
		break;
	case ETRN_LATER:
		(void)snprintf(text, size, R_ETRN_LATER, domain);
		break;
	case ETRN_NONE:
		(void)snprintf(text, size, R_ETRN_NONE, domain);
		break;
	case ETRN_HELD:
		(void)snprintf(text, size, R_ETRN_HELD, domain);
		break;
	case ETRN_DEAF:
		(void)snprintf(text, size, R_ETRN_DEAF, domain);
		break;
	}
}

static void
cmd_etrn(struct session *s, char *arg)
{
	char text[ADDR_DOMAIN_MAX + 128], domain[ADDR_DOMAIN_MAX + 1];
	bool below = *arg == '@';

	/* Our queues are named by their domains, so "#name" is one too. */
	if (*arg == '@' || *arg == '#')
		arg++;
	if (!addr_domain(domain, arg)) {
		answer(s, R_ETRN_SYNTAX);
		return;
	}
	if (s->tx.open) {
		answer(s, R_BUSY);
		return;
	}
	start_queue(s, domain, below, text, sizeof(text));
	log_info("etrn client=[%s] domain=%s reply=\"%s\"", s->peer.addr,
	    domain, text);
	answer(s, text);
}

static void
cmd_noop(struct session *s, char *arg)
{
	(void)arg;
	answer(s, R_OK);
}

static void
cmd_vrfy(struct session *s, char *arg)
{
	answer(s, *arg == '\0' ? R_VRFY_SYNTAX : R_VRFY);
}

static void
cmd_help(struct session *s, char *arg)
{
	(void)arg;
	answer(s, R_HELP);
}

static void
cmd_quit(struct session *s, char *arg)
{
	(void)arg;
	answer(s, R_BYE);
	s->closing = true;
}

static void
cmd_not_here(struct session *s, char *arg)
{
	(void)arg;
	answer(s, R_NOT_HERE);
}

/* Verbs of another protocol: somebody makes a browser talk to us. */
static void
cmd_foreign(struct session *s, char *arg)
{
	(void)arg;
	hang_up(s, R_NOT_SMTP);
}

enum {
	HELO = 1,		/* needs HELO or EHLO */
	MAIL = 2,		/* needs MAIL */
	BARE = 4,		/* takes no argument */
	LAST = 8		/* ends a pipelined group (RFC 2920 3.1) */
};

static const struct command {
	const char *verb;
	void (*run)(struct session *s, char *arg);
	unsigned flags;
} commands[] = {
	{ "HELO", cmd_helo, LAST },
	{ "EHLO", cmd_ehlo, LAST },
	{ "MAIL", cmd_mail, HELO },
	{ "RCPT", cmd_rcpt, HELO | MAIL },
	{ "DATA", cmd_data, HELO | MAIL | BARE | LAST },
	{ "BDAT", cmd_bdat, 0 },
	{ "RSET", cmd_rset, BARE },
	{ "NOOP", cmd_noop, LAST },
	{ "VRFY", cmd_vrfy, LAST },
	{ "HELP", cmd_help, 0 },
	{ "QUIT", cmd_quit, BARE },
	{ "STARTTLS", cmd_starttls, HELO | BARE },
	{ "ETRN", cmd_etrn, HELO },
	{ "XCLIENT", cmd_xclient, LAST },
	{ "EXPN", cmd_not_here, LAST },
	{ "TURN", cmd_not_here, LAST },
	{ "SEND", cmd_not_here, 0 },
	{ "SOML", cmd_not_here, 0 },
	{ "SAML", cmd_not_here, 0 },
	{ "GET", cmd_foreign, 0 },
	{ "POST", cmd_foreign, 0 },
	{ "HEAD", cmd_foreign, 0 },
	{ "PUT", cmd_foreign, 0 },
	{ "OPTIONS", cmd_foreign, 0 },
	{ "CONNECT", cmd_foreign, 0 },
};
#define NCOMMANDS (sizeof(commands) / sizeof(commands[0]))

/*** The loop ***/

static const struct command *
find_command(const char *verb, size_t len)
{
	for (size_t i = 0; i < NCOMMANDS; i++)
		if (strlen(commands[i].verb) == len &&
		    strncasecmp(commands[i].verb, verb, len) == 0)
			return &commands[i];
	return NULL;
}

/*
 * Input that came before its time: whoever does not wait for replies does
 * not mean what he says, or somebody put it in.  A shell's pipe, where nobody
 * waits for anything, has no peer.
 */
static bool
is_early(const struct session *s, const struct command *c)
{
	return ((c->flags & LAST) != 0 || !s->extended) &&
	    c->run != cmd_quit && s->peer.addr[0] != '\0' &&
	    stream_pending(s->io) > 0;
}

static void
run_command(struct session *s, const struct command *c, char *arg)
{
	if (is_early(s, c)) {
		s->errors++;
		hang_up(s, R_SYNC);
	} else if ((c->flags & HELO) != 0 && s->helo[0] == '\0')
		answer(s, R_HELO_FIRST);
	else if ((c->flags & MAIL) != 0 && !s->tx.open)
		answer(s, R_MAIL_FIRST);
	else if ((c->flags & BARE) != 0 && *arg != '\0')
		answer(s, R_NO_ARGUMENT);
	else {
		s->first = false;
		c->run(s, arg);
	}
}

/* LINE is none.  What follows a BDAT would be taken for commands. */
static void
refuse_line(struct session *s, const char *line, const char *text)
{
	if (strncasecmp(line, "BDAT", 4) != 0)
		answer(s, text);
	else {
		s->errors++;
		hang_up(s, R_BDAT_SYNTAX);
	}
}

static void
run_line(struct session *s, char *line, size_t len)
{
	const struct command *c;
	size_t verb;
	char *arg;

	if (strlen(line) != len) {
		refuse_line(s, line, R_NUL);
		return;
	}
	/* Blanks before the end of the line are tolerated (4.1.1). */
	while (len > 0 && (line[len - 1] == ' ' || line[len - 1] == '\t'))
		line[--len] = '\0';
	verb = strcspn(line, " ");
	arg = line + verb + strspn(line + verb, " ");
	c = find_command(line, verb);
	if (c == NULL && s->first && (unsigned char)line[0] == 0x16)
		hang_up(s, R_NOT_SMTP);
	else if (c == NULL)
		answer(s, R_UNKNOWN);
	else
		run_command(s, c, arg);
}

/* One command; false when the conversation is over. */
static bool
next_command(struct session *s)
{
	enum stream_got got;
	char *line;
	size_t len;

	stream_deadline(s->io, deadline_min(s->end,
	    deadline_in(s->conf->timeout.command)));
	got = stream_line(s->io, &line, &len, COMMAND_MAX);
	switch (got) {
	case STREAM_LINE:
		run_line(s, line, len);
		break;
	case STREAM_BARE:
		refuse_line(s, line, R_BARE);
		break;
	case STREAM_LONG:
		answer(s, R_LONG);
		break;
	case STREAM_EOF:
	case STREAM_TIMEOUT:
	case STREAM_ERROR:
		lost(s, got, s->tx.open ? "in a transaction" :
		    "between messages");
		return false;
	}
	if (!s->closing && s->errors >= ERRORS_MAX)
		hang_up(s, R_ERRORS);
	return !s->closing;
}

/* False if the client is not worth a greeting. */
static bool
begin_session(struct session *s)
{
	enum stream_got got = STREAM_TIMEOUT;
	const char *data;
	size_t len;

	if (s->conf->greet_delay > 0) {
		stream_deadline(s->io, deadline_min(s->end,
		    deadline_in(s->conf->greet_delay)));
		got = stream_data(s->io, &data, &len);
	}
	stream_deadline(s->io, deadline_min(s->end,
	    deadline_in(s->conf->timeout.command)));
	if (got != STREAM_TIMEOUT && got != STREAM_LINE) {
		lost(s, got, "before the greeting");
		return false;
	}
	/* It may have come behind a proxy's header, too. */
	if (s->peer.addr[0] != '\0' && stream_pending(s->io) > 0) {
		hang_up(s, R_EARLY);
		return false;
	}
	say_greeting(s);
	if (etrn_wake(s->spool, s->peer.addr, &s->primary))
		log_info("the primary [%s] is here", s->peer.addr);
	return true;
}

static void
end_session(struct session *s)
{
	(void)stream_flush(s->io);
	if (s->tls != NULL)
		tls_close(s->tls);
	tls_free(s->tls);
	tx_clear(&s->tx);
	policy_free(s->policy);
}

enum smtp_server_end
smtp_serve(const struct smtp_server_args *args)
{
	struct session *s;
	bool broken;

	if ((s = calloc(1, sizeof(*s))) == NULL ||
	    (s->policy = policy_new(args->conf, args->spool)) == NULL) {
		free(s);
		smtp_serve_refusal(args->stream, args->conf->hostname);
		return SMTP_SERVER_BROKEN;
	}
	s->args = args;
	s->conf = args->conf;
	s->spool = args->spool;
	s->peer = *args->peer;
	s->io = args->stream;
	s->first = true;
	s->end = deadline_in(s->conf->timeout.session);
	if (begin_session(s))
		while (next_command(s))
			continue;
	end_session(s);
	broken = s->broken;
	free(s);
	return broken ? SMTP_SERVER_BROKEN : SMTP_SERVER_DONE;
}

void
smtp_serve_refusal(struct stream *stream, const char *hostname)
{
	stream_deadline(stream, deadline_in(5000));
	(void)stream_printf(stream, "421 4.3.5 %s cannot take mail now, "
	    "try later\r\n", hostname);
	(void)stream_flush(stream);
}
