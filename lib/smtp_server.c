/* SPDX-License-Identifier: ISC */
#include "smtp_server.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
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
#include "serve.h"
#include "start.h"
#include "text.h"
#include "utf8.h"
#include "xclient.h"

#define COMMAND_MAX	2046	/* RFC 5321 asks for 510, extensions for more:
				   RFC 3461 5, 6531 3.4; XCLIENT */
#define ERRORS_MAX	20
#define RCPT_FRAME	64	/* octets beside its address and parameters */
#define DOMAINS_MAX	100	/* of a message: each is a copy, and two fds */
#define OFFERED		(PARAM_SIZE | PARAM_8BITMIME | PARAM_SMTPUTF8 | \
			PARAM_DSN)

/*** Transactions ***/

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

/* RFC 8689 2: within TLS; and only if that is to be kept on the way out. */
static bool
offers_requiretls(const struct session *s)
{
	return s->tls != NULL && s->conf->defaults.tls != CONF_TLS_MAY;
}

static void
offer(struct session *s)
{
	(void)stream_printf(s->io, "250-%s\r\n250-PIPELINING\r\n"
	    "250-SIZE %" PRId64 "\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n"
	    "250-CHUNKING\r\n250-DSN\r\n",
	    s->conf->hostname, s->conf->max_size);
	if (offers_requiretls(s))
		(void)stream_printf(s->io, "250-REQUIRETLS\r\n");
	if (start_offers_tls(s))
		(void)stream_printf(s->io, "250-STARTTLS\r\n");
	if (start_may_etrn(s, NULL))
		(void)stream_printf(s->io, "250-ETRN\r\n");
	if (start_may_xclient(s))
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
		serve_answer(s, R_HELO_SYNTAX);
		return;
	}
	set_helo(s, s->other_helo[0] != '\0' ? s->other_helo : arg);
	s->extended = extended;
	transaction_clear(&s->tx);
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
		serve_answer(s, kind == ADDR_SENDER ? R_MAIL_SYNTAX :
		    R_RCPT_SYNTAX);
		return NULL;
	}
	/* A blank there is wrong and common. */
	arg += n + strspn(arg + n, " ");
	rest = addr_parse(a, arg, kind);
	if (rest == NULL || (*rest != '\0' && *rest != ' ') ||
	    (a->utf8 && !utf8_valid(a->text, strlen(a->text)))) {
		serve_answer(s, kind == ADDR_SENDER ? R_SENDER_SYNTAX :
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
		return serve_storage_answer(errno);
	return NULL;
}

static void
cmd_mail(struct session *s, char *arg)
{
	struct transaction *tx = &s->tx;
	struct addr sender;
	const char *problem, *rest;

	if (tx->open) {
		serve_answer(s, R_NESTED);
		return;
	}
	if ((rest = take_path(s, &sender, arg, ADDR_SENDER)) == NULL)
		return;
	transaction_clear(tx);
	problem = param_problem(param_mail_parse(&tx->mail, rest,
	    !s->extended ? 0 : OFFERED |
	    (offers_requiretls(s) ? PARAM_REQUIRETLS : 0)));
	if (problem == NULL && sender.utf8 && !tx->mail.smtputf8)
		problem = R_UTF8;
	if (problem == NULL)
		problem = check_size(s, tx->mail.size);
	if (problem != NULL) {
		serve_answer(s, problem);
		return;
	}
	tx->sender = sender;
	tx->open = true;
	serve_answer(s, R_SENDER);
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
		.utf8 = tx->mail.smtputf8,
		.requiretls = tx->mail.requiretls
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
		serve_answer(s, R_RECIPIENT);
		return;
	}
	if (tx->nrcpt >= (size_t)s->conf->max_recipients || is_apart(s) ||
	    tx->octets >= ENVELOPE_MAX / 2 ||
	    (tx->domains >= DOMAINS_MAX && !tx_has_domain(tx, domain))) {
		serve_answer(s, R_TOO_MANY);
		return;
	}
	if (!tx_add(tx, a, domain, params, unverified)) {
		serve_answer(s, R_TROUBLE);
		return;
	}
	if (most > 0 && (tx->limit == 0 || most < tx->limit))
		tx->limit = most;
	tx->wakes |= policy_wakes(s->policy);
	serve_answer(s, R_RECIPIENT);
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
		serve_answer(s, s->tx.spoiled != NULL ? R_SPOILED :
		    R_IN_CHUNKS);
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
		serve_answer(s, problem);
		return;
	}
	verdict = ask_policy(s, &a);
	if (verdict == POLICY_ACCEPT || verdict == POLICY_UNVERIFIED) {
		add_recipient(s, &a, params.text,
		    verdict == POLICY_UNVERIFIED);
		return;
	}
	problem = serve_verdict_answer(verdict);
	log_info("refused client=[%s] rcpt=<%s> reply=\"%s\"", s->peer.addr,
	    plain(shown, sizeof(shown), a.text), problem);
	serve_answer(s, problem);
}
static void
cmd_rset(struct session *s, char *arg)
{
	(void)arg;
	transaction_clear(&s->tx);
	serve_answer(s, R_OK);
}
static void
cmd_noop(struct session *s, char *arg)
{
	(void)arg;
	serve_answer(s, R_OK);
}

static void
cmd_vrfy(struct session *s, char *arg)
{
	serve_answer(s, *arg == '\0' ? R_VRFY_SYNTAX : R_VRFY);
}

static void
cmd_help(struct session *s, char *arg)
{
	(void)arg;
	serve_answer(s, R_HELP);
}

static void
cmd_quit(struct session *s, char *arg)
{
	(void)arg;
	serve_answer(s, R_BYE);
	s->closing = true;
}

static void
cmd_not_here(struct session *s, char *arg)
{
	(void)arg;
	serve_answer(s, R_NOT_HERE);
}

/* Verbs of another protocol: somebody makes a browser talk to us. */
static void
cmd_foreign(struct session *s, char *arg)
{
	(void)arg;
	serve_hang_up(s, R_NOT_SMTP);
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
	{ "DATA", text_data, HELO | MAIL | BARE | LAST },
	{ "BDAT", text_bdat, 0 },
	{ "RSET", cmd_rset, BARE },
	{ "NOOP", cmd_noop, LAST },
	{ "VRFY", cmd_vrfy, LAST },
	{ "HELP", cmd_help, 0 },
	{ "QUIT", cmd_quit, BARE },
	{ "STARTTLS", start_tls, HELO | BARE },
	{ "ETRN", start_etrn, HELO },
	{ "XCLIENT", start_xclient, LAST },
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
		serve_hang_up(s, R_SYNC);
	} else if ((c->flags & HELO) != 0 && s->helo[0] == '\0')
		serve_answer(s, R_HELO_FIRST);
	else if ((c->flags & MAIL) != 0 && !s->tx.open)
		serve_answer(s, R_MAIL_FIRST);
	else if ((c->flags & BARE) != 0 && *arg != '\0')
		serve_answer(s, R_NO_ARGUMENT);
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
		serve_answer(s, text);
	else {
		s->errors++;
		serve_hang_up(s, R_BDAT_SYNTAX);
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
		serve_hang_up(s, R_NOT_SMTP);
	else if (c == NULL)
		serve_answer(s, R_UNKNOWN);
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
		serve_answer(s, R_LONG);
		break;
	case STREAM_EOF:
	case STREAM_TIMEOUT:
	case STREAM_ERROR:
		serve_lost(s, got, s->tx.open ? "in a transaction" :
		    "between messages");
		return false;
	}
	if (!s->closing && s->errors >= ERRORS_MAX)
		serve_hang_up(s, R_ERRORS);
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
		serve_lost(s, got, "before the greeting");
		return false;
	}
	/* It may have come behind a proxy's header, too. */
	if (s->peer.addr[0] != '\0' && stream_pending(s->io) > 0) {
		serve_hang_up(s, R_EARLY);
		return false;
	}
	serve_greeting(s);
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
	transaction_clear(&s->tx);
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
	s->conf = args->conf;
	s->spool = args->spool;
	s->peer = *args->peer;
	memcpy(s->client, s->peer.addr, sizeof(s->client));
	s->io = args->stream;
	s->ops = args->ops;
	s->ops_arg = args->ops_arg;
	s->tls_context = args->tls;
	s->secret = args->secret;
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

const char *
smtp_server_answer(enum policy_verdict verdict)
{
	return serve_verdict_answer(verdict);
}
