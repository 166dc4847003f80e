/* SPDX-License-Identifier: ISC */
#include "serve.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "deadline.h"
#include "log.h"

#define TARPIT_AFTER	10	/* errors */

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

void
serve_answer(struct session *s, const char *text)
{
	if (text[0] == '5') {
		s->errors++;
		log_debug("refused client=[%s] reply=\"%s\"", s->peer.addr,
		    text);
		hesitate(s);
	}
	(void)stream_printf(s->io, "%s\r\n", text);
}

void
serve_hang_up(struct session *s, const char *text)
{
	log_info("closed client=[%s] reply=\"%s\"", s->peer.addr, text);
	(void)stream_printf(s->io, "%s\r\n", text);
	s->closing = true;
}

const char *
serve_storage_answer(int error)
{
	return error == ENOSPC || error == EDQUOT || error == EFBIG ? R_FULL :
	    R_TROUBLE;
}

const char *
serve_verdict_answer(enum policy_verdict verdict)
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
	case POLICY_NO_TLS:
		return R_REQUIRETLS;
	case POLICY_TLS_UNKNOWN:
		return R_REQUIRETLS_LATER;
	case POLICY_TOO_BIG:
		return R_TOO_BIG;
	case POLICY_QUOTA:
		return R_QUOTA;
	case POLICY_PRIMARY_UP:
		return R_PRIMARY_UP;
	}
	return R_CONFIG;
}
void
serve_lost(struct session *s, enum stream_got got, const char *when)
{
	if (got == STREAM_TIMEOUT) {
		/* A moment more, to say why. */
		stream_deadline(s->io, deadline_in(5000));
		serve_hang_up(s, R_TIMEOUT);
	} else {
		log_info("lost client=[%s] %s", s->peer.addr, when);
		s->closing = true;
	}
}

void
serve_greeting(struct session *s)
{
	(void)stream_printf(s->io, "220 %s ESMTP mxkeep\r\n",
	    s->conf->hostname);
}

void
serve_forget(struct session *s)
{
	transaction_clear(&s->tx);
	s->helo[0] = '\0';
	s->extended = false;
	s->first = true;
}

void
transaction_clear(struct transaction *tx)
{
	incoming_close(tx->in);
	for (size_t i = 0; i < tx->nrcpt; i++)
		free(tx->rcpt[i].params);
	free(tx->rcpt);
	memset(tx, 0, sizeof(*tx));
}
