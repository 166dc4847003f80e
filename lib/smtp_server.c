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
#include "dot.h"
#include "draft.h"
#include "envelope.h"
#include "header.h"
#include "log.h"
#include "msgid.h"
#include "plain.h"

/*** What we say: enhanced codes of RFC 3463 and 5248 ***/

#define R_BYE		"221 2.0.0 bye"
#define R_OK		"250 2.0.0 ok"
#define R_SENDER	"250 2.1.0 sender ok"
#define R_RECIPIENT	"250 2.1.5 recipient ok"
#define R_VRFY		"252 2.5.2 send mail, and its own server will tell"
#define R_HELP		"214 2.0.0 this host keeps mail while its server " \
			"is away: RFC 5321"
#define R_DATA		"354 end with <CRLF>.<CRLF>"

#define R_TIMEOUT	"421 4.4.2 timeout, closing"
#define R_ERRORS	"421 4.7.0 too many errors, closing"
#define R_NOT_SMTP	"421 4.7.0 this is SMTP, closing"
#define R_CONFIG	"451 4.3.5 configuration error here, try later"
#define R_TROUBLE	"451 4.3.0 storage trouble here, try later"
#define R_FULL		"452 4.3.1 storage is full here, try later"
#define R_TOO_MANY	"452 4.5.3 too many recipients, send the rest apart"

#define R_LONG		"500 5.5.2 line too long"
#define R_BARE		"500 5.5.2 lines must end in CRLF"
#define R_UNKNOWN	"500 5.5.1 unknown command"
#define R_NUL		"501 5.5.2 NUL in a command"
#define R_NO_ARGUMENT	"501 5.5.4 this command takes no argument"
#define R_HELO_SYNTAX	"501 5.5.4 your host name is wanted"
#define R_MAIL_SYNTAX	"501 5.5.4 syntax: MAIL FROM:<address> [SIZE=n] " \
			"[BODY=8BITMIME]"
#define R_RCPT_SYNTAX	"501 5.5.4 syntax: RCPT TO:<address>"
#define R_SENDER_SYNTAX	"501 5.1.7 bad sender address"
#define R_RCPT_ADDRESS	"501 5.1.3 bad recipient address"
#define R_PARAMETER	"501 5.5.4 bad or repeated parameter"
#define R_VRFY_SYNTAX	"501 5.5.4 syntax: VRFY address"
#define R_NOT_HERE	"502 5.5.1 not implemented"
#define R_HELO_FIRST	"503 5.5.1 say EHLO or HELO first"
#define R_NESTED	"503 5.5.1 a sender is already given"
#define R_MAIL_FIRST	"503 5.5.1 say MAIL first"
#define R_NO_RECIPIENT	"554 5.5.1 no valid recipients"
#define R_UNOFFERED	"555 5.5.4 parameter not offered"
#define R_UTF8		"553 5.6.7 SMTPUTF8 is not offered here"
#define R_RELAY		"550 5.7.1 not a domain that is kept here"
#define R_ROUTING	"550 5.7.1 no routing within addresses"
#define R_TOO_BIG	"552 5.3.4 message too big"
#define R_BARE_TEXT	"550 5.5.2 bare CR or LF in the message"
#define R_NUL_TEXT	"550 5.6.0 NUL in the message"
#define R_HOPS		"554 5.4.6 too many hops: a mail loop"

#define COMMAND_MAX	1022	/* RFC 5321 asks for 510, plus extensions */
#define ERRORS_MAX	20
#define HOPS_MAX	100	/* RFC 5321 6.3 */
#define DOMAINS_MAX	100	/* of a message: each is a copy, and two fds */
#define PROGRESS	1024	/* octets that earn a new deadline in DATA */

struct transaction {
	bool open;		/* MAIL was accepted */
	struct addr sender;
	char params[64];	/* of MAIL, as they go on */
	struct recipient_list {
		struct addr *addr;
		size_t n;
	} rcpt;
	size_t domains;		/* of rcpt */
};

struct session {
	const struct conf *conf;
	struct spool *spool;
	const struct peer *peer;
	struct stream *io;
	int64_t end;		/* deadline of the session */
	unsigned errors;
	bool extended;		/* EHLO */
	bool closing;
	bool broken;		/* our side failed */
	bool first;		/* no command was understood yet */
	char helo[ADDR_DOMAIN_MAX + 1];
	char known[ADDR_DOMAIN_MAX + 1];	/* the last domain of ours */
	struct transaction tx;
	char text[65536 + 3];	/* decoded text on its way to the spool */
};

/*** Answers ***/

static void
answer(struct session *s, const char *text)
{
	if (text[0] == '5') {
		s->errors++;
		log_debug("refused client=[%s] reply=\"%s\"", s->peer->addr,
		    text);
	}
	(void)stream_printf(s->io, "%s\r\n", text);
}

static void
hang_up(struct session *s, const char *text)
{
	log_info("closed client=[%s] reply=\"%s\"", s->peer->addr, text);
	answer(s, text);
	s->closing = true;
}

/* Of errors on our side: is there no room, or something worse? */
static const char *
storage_answer(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EFBIG ? R_FULL :
	    R_TROUBLE;
}

/*** Transactions ***/

static void
tx_clear(struct transaction *tx)
{
	free(tx->rcpt.addr);
	memset(tx, 0, sizeof(*tx));
}

static bool
tx_has(const struct transaction *tx, const struct addr *a)
{
	for (size_t i = 0; i < tx->rcpt.n; i++)
		if (strcmp(tx->rcpt.addr[i].text, a->text) == 0)
			return true;
	return false;
}

static bool
tx_has_domain(const struct transaction *tx, const char *domain)
{
	for (size_t i = 0; i < tx->rcpt.n; i++)
		if (strcmp(tx->rcpt.addr[i].domain, domain) == 0)
			return true;
	return false;
}

static bool
tx_add(struct transaction *tx, const struct addr *a)
{
	struct addr *grown;

	/* Grows by doubling at powers of two. */
	if ((tx->rcpt.n & (tx->rcpt.n - 1)) == 0) {
		grown = reallocarray(tx->rcpt.addr,
		    tx->rcpt.n == 0 ? 1 : tx->rcpt.n * 2, sizeof(*grown));
		if (grown == NULL)
			return false;
		tx->rcpt.addr = grown;
	}
	tx->domains += !tx_has_domain(tx, a->domain);
	tx->rcpt.addr[tx->rcpt.n++] = *a;
	return true;
}

/*** Commands; each gets its argument, blanks around it removed ***/

static void
greet(struct session *s, const char *arg, bool extended)
{
	if (*arg == '\0' || strlen(arg) >= sizeof(s->helo) ||
	    strpbrk(arg, " \t") != NULL) {
		answer(s, R_HELO_SYNTAX);
		return;
	}
	/* What stands in our trace must not be able to break it. */
	for (size_t i = 0; i <= strlen(arg); i++) {
		unsigned char c = (unsigned char)arg[i];

		s->helo[i] = c == '\0' || isalnum(c) ||
		    strchr(".-_:[]", c) != NULL ? (char)c : '?';
	}
	s->extended = extended;
	tx_clear(&s->tx);
	if (!extended) {
		(void)stream_printf(s->io, "250 %s\r\n", s->conf->hostname);
		return;
	}
	(void)stream_printf(s->io, "250-%s\r\n250-PIPELINING\r\n"
	    "250-SIZE %" PRId64 "\r\n250-8BITMIME\r\n"
	    "250 ENHANCEDSTATUSCODES\r\n",
	    s->conf->hostname, s->conf->max_size);
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

/* NULL, or what to answer to SIZE=VALUE (RFC 1870). */
static const char *
check_size(struct session *s, const char *value)
{
	int64_t size = 0;

	if (*value == '\0')
		return R_PARAMETER;
	for (; *value != '\0'; value++) {
		if (!isdigit((unsigned char)*value))
			return R_PARAMETER;
		/* Beyond any limit is big enough; it must not wrap. */
		if (size < INT64_MAX / 100)
			size = size * 10 + (*value - '0');
	}
	if (s->conf->max_size > 0 && size > s->conf->max_size)
		return R_TOO_BIG;
	if (spool_space(s->spool, size) == -1)
		return storage_answer(errno);
	return NULL;
}

/* NULL, or what to answer to the parameters of MAIL. */
static const char *
mail_parameters(struct session *s, char *rest)
{
	bool size = false, body = false;
	const char *problem;
	char *word;

	while ((word = strsep(&rest, " ")) != NULL) {
		if (*word == '\0')
			continue;
		if (!s->extended)
			return R_UNOFFERED;
		if (strncasecmp(word, "SIZE=", 5) == 0) {
			if (size)
				return R_PARAMETER;
			size = true;
			if ((problem = check_size(s, word + 5)) != NULL)
				return problem;
		} else if (strncasecmp(word, "BODY=", 5) == 0) {
			if (body)
				return R_PARAMETER;
			body = true;
			if (strcasecmp(word + 5, "8BITMIME") == 0)
				(void)strlcpy(s->tx.params, "BODY=8BITMIME",
				    sizeof(s->tx.params));
			else if (strcasecmp(word + 5, "7BIT") != 0)
				return R_PARAMETER;
		} else
			return R_UNOFFERED;
	}
	return NULL;
}

/* The path behind "FROM:" or "TO:"; NULL if that is not there. */
static char *
after_keyword(char *arg, const char *keyword)
{
	size_t n = strlen(keyword);

	if (strncasecmp(arg, keyword, n) != 0)
		return NULL;
	/* A blank there is wrong and common. */
	return arg + n + strspn(arg + n, " ");
}

static void
cmd_mail(struct session *s, char *arg)
{
	const char *rest, *problem;
	struct addr sender;
	char *path;

	if (s->tx.open) {
		answer(s, R_NESTED);
		return;
	}
	if ((path = after_keyword(arg, "FROM:")) == NULL) {
		answer(s, R_MAIL_SYNTAX);
		return;
	}
	rest = addr_parse(&sender, path, ADDR_SENDER);
	if (rest == NULL || (*rest != '\0' && *rest != ' ')) {
		answer(s, R_SENDER_SYNTAX);
		return;
	}
	if (sender.utf8) {
		answer(s, R_UTF8);
		return;
	}
	tx_clear(&s->tx);
	problem = mail_parameters(s, path + (rest - path));
	if (problem == NULL && spool_space(s->spool, 0) == -1)
		problem = storage_answer(errno);
	if (problem != NULL) {
		tx_clear(&s->tx);
		answer(s, problem);
		return;
	}
	s->tx.sender = sender;
	s->tx.open = true;
	answer(s, R_SENDER);
}

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
name_postmaster(struct session *s, struct addr *a)
{
	char text[ADDR_MAX + 1], domain[ADDR_DOMAIN_MAX + 1];

	if (s->conf->postmaster_set)
		return addr_parse_mailbox(a, s->conf->postmaster);
	if (conf_domains(s->conf, take_first, domain) != 1)
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

/* NULL if mail for A is kept here, else what to answer. */
static const char *
check_recipient(struct session *s, struct addr *a)
{
	struct settings settings;
	char error[CONF_ERROR_MAX];

	if (a->utf8)
		return R_UTF8;
	if (a->domain[0] == '\0')
		return name_postmaster(s, a) ? NULL : R_RELAY;
	if (a->literal)
		return R_RELAY;
	if (is_routed(a))
		return R_ROUTING;
	if (strcmp(a->domain, s->known) == 0)
		return NULL;
	switch (conf_domain(s->conf, a->domain, &settings, NULL, error)) {
	case CONF_YES:
		(void)strlcpy(s->known, a->domain, sizeof(s->known));
		return NULL;
	case CONF_NO:
		return R_RELAY;
	case CONF_BROKEN:
		log_warnx("%s", error);
		s->broken = true;
		return R_CONFIG;
	}
	return R_CONFIG;
}

static void
cmd_rcpt(struct session *s, char *arg)
{
	const char *rest, *problem;
	struct addr a;
	char *path, shown[ADDR_MAX + 1];

	if ((path = after_keyword(arg, "TO:")) == NULL) {
		answer(s, R_RCPT_SYNTAX);
		return;
	}
	rest = addr_parse(&a, path, ADDR_RECIPIENT);
	if (rest == NULL || (*rest != '\0' && *rest != ' ')) {
		answer(s, R_RCPT_ADDRESS);
		return;
	}
	if (rest[strspn(rest, " ")] != '\0') {
		answer(s, R_UNOFFERED);
		return;
	}
	if ((problem = check_recipient(s, &a)) != NULL) {
		log_info("refused client=[%s] rcpt=<%s> reply=\"%s\"",
		    s->peer->addr, plain(shown, sizeof(shown), a.text),
		    problem);
		answer(s, problem);
		return;
	}
	if (tx_has(&s->tx, &a))
		answer(s, R_RECIPIENT);
	else if (s->tx.rcpt.n >= (size_t)s->conf->max_recipients ||
	    (s->tx.domains >= DOMAINS_MAX &&
	    !tx_has_domain(&s->tx, a.domain)))
		answer(s, R_TOO_MANY);
	else
		answer(s, tx_add(&s->tx, &a) ? R_RECIPIENT : R_TROUBLE);
}

/*** The message ***/

struct incoming {
	struct envelope *envelope;	/* one a domain */
	struct envelope **list;
	size_t n;
	struct draft *draft;
	struct header_scan scan;
	int64_t octets;
	int error;		/* errno of the spool, 0 none */
};

static void
trace_field(const struct session *s, const char *base, char *buf, size_t size)
{
	char date[HEADER_DATE_MAX], client[ADDR_DOMAIN_MAX + 64];
	char to[ADDR_MAX + 16] = "";

	header_date(date, time(NULL));
	if (s->peer->addr[0] == '\0')
		(void)snprintf(client, sizeof(client), "unknown");
	else
		(void)snprintf(client, sizeof(client), "%s%s[%s%s]",
		    s->peer->name, s->peer->name[0] != '\0' ? " " : "",
		    s->peer->v6 ? "IPv6:" : "", s->peer->addr);
	/* More than one would tell each of the others (RFC 5321 7.6). */
	if (s->tx.rcpt.n == 1)
		(void)snprintf(to, sizeof(to), "\r\n\tfor <%s>",
		    s->tx.rcpt.addr[0].text);
	(void)snprintf(buf, size, "Received: from %s (%s)\r\n"
	    "\tby %s (mxkeep) with %s\r\n\tid %s%s;\r\n\t%s\r\n",
	    s->helo, client, s->conf->hostname,
	    s->extended ? "ESMTP" : "SMTP", base, to, date);
}

static struct envelope *
envelope_of(struct incoming *in, const char *domain)
{
	for (size_t i = 0; i < in->n; i++)
		if (strcmp(in->envelope[i].domain, domain) == 0)
			return &in->envelope[i];
	return NULL;
}

static bool
new_envelope(struct session *s, struct incoming *in, const char *domain,
    time_t now)
{
	struct envelope *e = &in->envelope[in->n];

	envelope_init(e);
	in->list[in->n++] = e;
	e->arrived = now;
	(void)strlcpy(e->domain, domain, sizeof(e->domain));
	(void)strlcpy(e->client_addr, s->peer->addr, sizeof(e->client_addr));
	(void)strlcpy(e->client_name, s->peer->name, sizeof(e->client_name));
	(void)strlcpy(e->helo, s->helo, sizeof(e->helo));
	(void)strlcpy(e->protocol, s->extended ? "ESMTP" : "SMTP",
	    sizeof(e->protocol));
	return envelope_set_sender(e, s->tx.sender.text, s->tx.params) == 0;
}

/* One envelope for each domain among the recipients. */
static bool
make_envelopes(struct session *s, struct incoming *in)
{
	const struct recipient_list *r = &s->tx.rcpt;
	time_t now = time(NULL);

	in->envelope = calloc(r->n, sizeof(*in->envelope));
	in->list = calloc(r->n, sizeof(*in->list));
	if (in->envelope == NULL || in->list == NULL)
		return false;
	for (size_t i = 0; i < r->n; i++) {
		const char *domain = r->addr[i].domain;

		if (envelope_of(in, domain) == NULL &&
		    !new_envelope(s, in, domain, now))
			return false;
		if (envelope_add(envelope_of(in, domain), r->addr[i].text,
		    "") == -1)
			return false;
	}
	return true;
}

static bool
incoming_open(struct session *s, struct incoming *in)
{
	char base[MSGID_BASE_MAX + 1], trace[4 * ADDR_MAX];

	memset(in, 0, sizeof(*in));
	header_scan_init(&in->scan);
	if (!make_envelopes(s, in)) {
		errno = ENOMEM;
		return false;
	}
	msgid_new(base, s->conf->hostname);
	trace_field(s, base, trace, sizeof(trace));
	in->draft = draft_begin(s->spool, in->list, in->n, base, trace);
	return in->draft != NULL;
}

static void
incoming_close(struct incoming *in)
{
	if (in->draft != NULL)
		draft_abort(in->draft);
	for (size_t i = 0; i < in->n; i++)
		envelope_clear(&in->envelope[i]);
	free(in->envelope);
	free(in->list);
}

/* What has been decoded; after trouble it is only counted. */
static void
incoming_text(struct session *s, struct incoming *in,
    const struct dot_decoder *d, size_t len)
{
	int64_t limit = s->conf->max_size;

	in->octets += (int64_t)len;
	if (d->faults != 0 || in->error != 0 ||
	    (limit > 0 && in->octets > limit))
		return;
	header_scan_feed(&in->scan, s->text, len);
	if (in->scan.received <= HOPS_MAX &&
	    draft_write(in->draft, s->text, len) == -1)
		in->error = errno;
}

/*
 * Reads up to the end of the message, whatever becomes of it.  A client has
 * the time of one "receive" for each KiB, not for each octet.
 */
static enum stream_got
receive(struct session *s, struct incoming *in, struct dot_decoder *d)
{
	const char *data;
	size_t len, used, out, progress = PROGRESS;
	enum stream_got got;

	while (!d->done) {
		if (progress >= PROGRESS) {
			stream_deadline(s->io, deadline_min(s->end,
			    deadline_in(s->conf->timeout.receive)));
			progress = 0;
		}
		if ((got = stream_data(s->io, &data, &len)) != STREAM_LINE)
			return got;
		if (len > sizeof(s->text) - 3)
			len = sizeof(s->text) - 3;
		used = dot_decode(d, data, len, s->text, &out);
		stream_skip(s->io, used);
		incoming_text(s, in, d, out);
		progress += used;
	}
	return STREAM_LINE;
}

/* NULL if the message may be kept. */
static const char *
check_message(struct session *s, const struct incoming *in,
    const struct dot_decoder *d)
{
	if (s->conf->max_size > 0 && in->octets > s->conf->max_size)
		return R_TOO_BIG;
	if ((d->faults & DOT_NUL) != 0)
		return R_NUL_TEXT;
	if (d->faults != 0)
		return R_BARE_TEXT;
	if (in->scan.received > HOPS_MAX)
		return R_HOPS;
	if (in->error != 0)
		return storage_answer(in->error);
	return NULL;
}

static void
log_accepted(struct session *s, const struct incoming *in)
{
	char from[ADDR_MAX * 2], to[ADDR_MAX * 2];

	(void)plain(from, sizeof(from), s->tx.sender.text);
	for (size_t i = 0; i < in->n; i++)
		log_info("accepted id=%s domain=%s client=[%s] helo=%s "
		    "from=<%s> to=<%s> rcpts=%zu bytes=%" PRId64,
		    draft_id(in->draft, i), in->envelope[i].domain,
		    s->peer->addr, s->helo, from, plain(to, sizeof(to),
		    in->envelope[i].rcpt[0].address), in->envelope[i].nrcpt,
		    in->octets);
}

static void
accept_message(struct session *s, struct incoming *in)
{
	if (draft_commit(in->draft) == -1) {
		log_warn("cannot store a message of client=[%s]",
		    s->peer->addr);
		s->broken = true;
		answer(s, storage_answer(errno));
		return;
	}
	/* From here on the mail is safe. */
	(void)stream_printf(s->io, "250 2.0.0 kept as");
	for (size_t i = 0; i < in->n && i < 4; i++)
		(void)stream_printf(s->io, " %s",
		    draft_id(in->draft, i));
	(void)stream_printf(s->io, "\r\n");
	if (stream_flush(s->io) == -1)
		log_info("client=[%s] left before it heard that id=%s is kept",
		    s->peer->addr, draft_id(in->draft, 0));
	log_accepted(s, in);
}

static void
lost(struct session *s, enum stream_got got, const char *when)
{
	if (got == STREAM_TIMEOUT) {
		/* A moment more, to say why. */
		stream_deadline(s->io, deadline_in(5000));
		hang_up(s, R_TIMEOUT);
	} else {
		log_info("lost client=[%s] %s", s->peer->addr, when);
		s->closing = true;
	}
}

static void
cmd_data(struct session *s, char *arg)
{
	struct incoming in;
	struct dot_decoder d;
	enum stream_got got;
	const char *problem;

	(void)arg;
	if (s->tx.rcpt.n == 0) {
		answer(s, R_NO_RECIPIENT);
		return;
	}
	if (!incoming_open(s, &in)) {
		log_warn("cannot begin a message of client=[%s]",
		    s->peer->addr);
		s->broken = true;
		answer(s, storage_answer(errno));
		goto out;
	}
	answer(s, R_DATA);
	dot_decoder_init(&d);
	if ((got = receive(s, &in, &d)) != STREAM_LINE) {
		lost(s, got, "in a message");
		goto out;
	}
	if ((problem = check_message(s, &in, &d)) != NULL) {
		if (in.error != 0) {
			errno = in.error;
			log_warn("cannot write a message of client=[%s]",
			    s->peer->addr);
			s->broken = true;
		}
		log_info("refused client=[%s] bytes=%" PRId64 " reply=\"%s\"",
		    s->peer->addr, in.octets, problem);
		answer(s, problem);
	} else
		accept_message(s, &in);
out:
	incoming_close(&in);
	tx_clear(&s->tx);
}

static void
cmd_rset(struct session *s, char *arg)
{
	(void)arg;
	tx_clear(&s->tx);
	answer(s, R_OK);
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
	BARE = 4		/* takes no argument */
};

static const struct command {
	const char *verb;
	void (*run)(struct session *s, char *arg);
	unsigned flags;
} commands[] = {
	{ "HELO", cmd_helo, 0 },
	{ "EHLO", cmd_ehlo, 0 },
	{ "MAIL", cmd_mail, HELO },
	{ "RCPT", cmd_rcpt, HELO | MAIL },
	{ "DATA", cmd_data, HELO | MAIL | BARE },
	{ "RSET", cmd_rset, BARE },
	{ "NOOP", cmd_noop, 0 },
	{ "VRFY", cmd_vrfy, 0 },
	{ "HELP", cmd_help, 0 },
	{ "QUIT", cmd_quit, BARE },
	{ "EXPN", cmd_not_here, 0 },
	{ "TURN", cmd_not_here, 0 },
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

static void
run_line(struct session *s, char *line, size_t len)
{
	const struct command *c;
	size_t verb;
	char *arg;

	if (strlen(line) != len) {
		answer(s, R_NUL);
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
	else if ((c->flags & HELO) != 0 && s->helo[0] == '\0')
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
		answer(s, R_BARE);
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

enum smtp_server_end
smtp_serve(const struct smtp_server_args *args)
{
	enum smtp_server_end result = SMTP_SERVER_DONE;
	struct session *s;

	if ((s = malloc(sizeof(*s))) == NULL) {
		smtp_serve_refusal(args->stream, args->conf->hostname);
		return SMTP_SERVER_BROKEN;
	}
	memset(s, 0, offsetof(struct session, text));
	s->conf = args->conf;
	s->spool = args->spool;
	s->peer = args->peer;
	s->io = args->stream;
	s->first = true;
	s->end = deadline_in(s->conf->timeout.session);
	(void)stream_printf(s->io, "220 %s ESMTP mxkeep\r\n",
	    s->conf->hostname);
	while (next_command(s))
		continue;
	(void)stream_flush(s->io);
	if (s->broken)
		result = SMTP_SERVER_BROKEN;
	tx_clear(&s->tx);
	free(s);
	return result;
}

void
smtp_serve_refusal(struct stream *stream, const char *hostname)
{
	stream_deadline(stream, deadline_in(5000));
	(void)stream_printf(stream, "421 4.3.5 %s cannot take mail now, "
	    "try later\r\n", hostname);
	(void)stream_flush(stream);
}
