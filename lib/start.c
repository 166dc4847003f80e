/* SPDX-License-Identifier: ISC */
#include "start.h"

#include <stdio.h>
#include <string.h>

#include "deadline.h"
#include "etrn.h"
#include "ledger.h"
#include "log.h"
#include "net.h"
#include "xclient.h"

bool
start_offers_tls(const struct session *s)
{
	return s->tls == NULL &&
	    (s->tls_context != NULL || s->secret != NULL);
}

/* It is the connection that counts, whoever else it spoke for before. */
bool
start_may_xclient(const struct session *s)
{
	const struct conf_nets *list = &s->conf->xclient;

	return net_covers(list->net, list->n, s->client);
}

/* Is the client one of DOMAIN's own servers, or may it start any queue? */
bool
start_may_etrn(const struct session *s, const char *domain)
{
	const struct conf_nets *list = &s->conf->etrn;

	if (net_covers(list->net, list->n, s->peer.addr))
		return true;
	return s->primary && (domain == NULL ||
	    ledger_is_primary(s->spool, s->peer.addr, domain));
}

static void
begin_tls(struct session *s, struct tls_context *context)
{
	char error[TLS_ERROR_MAX];
	int64_t until;

	serve_answer(s, R_TLS_READY);
	if (stream_flush(s->io) == -1) {
		s->closing = true;
		return;
	}
	until = deadline_min(s->end, deadline_in(s->conf->timeout.command));
	if (tls_accept(context, s->ops, s->ops_arg, until, &s->tls,
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
	serve_forget(s);
}

void
start_tls(struct session *s, char *arg)
{
	struct tls_context *context = s->tls_context;
	char error[TLS_ERROR_MAX];

	(void)arg;
	if (!start_offers_tls(s)) {
		serve_answer(s, s->tls != NULL ? R_TLS_TWICE : R_NOT_HERE);
		return;
	}
	/* What came along is neither clear text nor TLS (RFC 3207 6). */
	if (stream_pending(s->io) > 0) {
		s->errors++;
		serve_hang_up(s, R_SYNC);
		return;
	}
	if (context == NULL)
		context = tls_server_new(s->secret, error);
	if (context == NULL) {
		log_warnx("%s", error);
		s->errors++;
		serve_answer(s, R_NO_TLS_NOW);
		return;
	}
	begin_tls(s, context);
	if (context != s->tls_context)
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

void
start_xclient(struct session *s, char *arg)
{
	struct xclient x;

	if (!start_may_xclient(s)) {
		serve_answer(s, R_XCLIENT);
		return;
	}
	if (s->tx.open) {
		serve_answer(s, R_BUSY);
		return;
	}
	if (!xclient_parse(&x, arg)) {
		serve_answer(s, R_XCLIENT_SYNTAX);
		return;
	}
	change_peer(&s->peer, &x);
	if (etrn_wake(s->spool, s->peer.addr, &s->primary))
		log_info("the primary [%s] is here", s->peer.addr);
	log_debug("xclient client=[%s] addr=[%s]", s->client,
	    s->peer.addr);
	if ((x.given & XCLIENT_HELO) != 0)
		(void)strlcpy(s->other_helo, x.helo, sizeof(s->other_helo));
	if ((x.given & XCLIENT_PROTO) != 0)
		s->old_client = !x.extended;
	serve_forget(s);
	serve_greeting(s);
}

static void
start_queue(struct session *s, const char *domain, bool below, char *text,
    size_t size)
{
	size_t waiting = 0;

	if (!start_may_etrn(s, domain)) {
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

void
start_etrn(struct session *s, char *arg)
{
	char text[ADDR_DOMAIN_MAX + 128], domain[ADDR_DOMAIN_MAX + 1];
	bool below = *arg == '@';

	/* Our queues are named by their domains, so "#name" is one too. */
	if (*arg == '@' || *arg == '#')
		arg++;
	if (!addr_domain(domain, arg)) {
		serve_answer(s, R_ETRN_SYNTAX);
		return;
	}
	if (s->tx.open) {
		serve_answer(s, R_BUSY);
		return;
	}
	start_queue(s, domain, below, text, sizeof(text));
	log_info("etrn client=[%s] domain=%s reply=\"%s\"", s->peer.addr,
	    domain, text);
	serve_answer(s, text);
}
