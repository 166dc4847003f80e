/* SPDX-License-Identifier: ISC */
#ifndef MX_SMTP_SERVER_H
#define MX_SMTP_SERVER_H

#include "conf.h"
#include "peer.h"
#include "policy.h"
#include "spool.h"
#include "stream.h"
#include "tls.h"

/*
 * An SMTP receiver (RFC 5321) that takes mail for configured domains into
 * the spool.  The catalogue of its replies is in serve.h.
 */

struct smtp_server_args {
	const struct conf *conf;
	struct spool *spool;
	const struct peer *peer;
	struct stream *stream;
	/* What the stream is over, for TLS between the two. */
	const struct stream_ops *ops;
	void *ops_arg;
	/*
	 * For STARTTLS: a context that is ready, else what to make one of
	 * when it is asked for; both NULL: it is not offered.
	 */
	struct tls_context *tls;
	const struct tls_secret *secret;
};

enum smtp_server_end {
	SMTP_SERVER_DONE,	/* whoever ended it */
	SMTP_SERVER_BROKEN	/* our spool or configuration: exit 75 or 78 */
};

/*
 * Serves one connection, greeting to end.  Blocks as long as the conf's
 * time-outs allow, never longer than its "session".
 */
enum smtp_server_end smtp_serve(const struct smtp_server_args *args);

/* "421 4.3.5 ..." to a client of a receiver whose configuration is broken. */
void smtp_serve_refusal(struct stream *stream, const char *hostname);

/* What is answered to RCPT on a verdict, without CRLF. */
const char *smtp_server_answer(enum policy_verdict verdict);

#endif
