/* SPDX-License-Identifier: ISC */
#ifndef MX_SERVE_H
#define MX_SERVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "conf.h"
#include "incoming.h"
#include "param.h"
#include "peer.h"
#include "policy.h"
#include "spool.h"
#include "stream.h"
#include "tls.h"

/*
 * What the commands of a receiver's session have in common: the session, the
 * catalogue of its replies, and the ways to give one.  For smtp_server, text
 * and start alone.
 */

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
#define R_REQUIRETLS_LATER "450 4.7.30 it is not known yet whether the " \
			"domain's own server keeps REQUIRETLS, try later"
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
#define R_REQUIRETLS	"550 5.7.30 REQUIRETLS cannot be kept on the way to " \
			"the domain's own server"
#define R_NOBODY	"550 5.1.1 no such recipient"
#define R_UNVERIFIED	"550 5.1.1 a recipient its own server does not know"
#define R_RELAY		"550 5.7.1 not a domain that is kept here"
#define R_ROUTING	"550 5.7.1 no routing within addresses"
#define R_XCLIENT	"550 5.7.0 not for you"
#define R_TOO_BIG	"552 5.3.4 message too big"
#define R_BARE_TEXT	"550 5.5.2 bare CR or LF in the message"
#define R_NUL_TEXT	"550 5.6.0 NUL in the message"
#define R_HOPS		"554 5.4.6 too many hops: a mail loop"

struct transaction {
	bool open;		/* MAIL was accepted */
	struct addr sender;
	struct param_mail mail;
	struct incoming_rcpt *rcpt;
	size_t nrcpt;
	size_t domains;		/* of rcpt */
	size_t octets;		/* of rcpt, in an envelope */
	int64_t limit;		/* octets: the least of what the primaries
				   take; 0: none */
	bool wakes;		/* the flusher, once it is kept */
	struct incoming *in;	/* BDAT has begun */
	const char *spoiled;	/* what was answered to a chunk refused */
};

struct session {
	const struct conf *conf;
	struct spool *spool;
	struct peer peer;	/* or whom it speaks for */
	char client[sizeof(((struct peer *)NULL)->addr)];	/* the peer */
	struct stream *io;
	struct policy *policy;
	const struct stream_ops *ops;	/* beneath the stream, for TLS */
	void *ops_arg;
	struct tls_context *tls_context;	/* see smtp_server.h */
	const struct tls_secret *secret;
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

/* One reply; those for good count as errors, and many make it slow. */
void serve_answer(struct session *s, const char *text);

/* One reply, the last. */
void serve_hang_up(struct session *s, const char *text);

/* What to say to an errno of the spool's: is there no room, or worse? */
const char *serve_storage_answer(int error);

/* What to say to RCPT, and of a quota. */
const char *serve_verdict_answer(enum policy_verdict verdict);

/* The client is gone, or has been silent for too long, in the course WHEN. */
void serve_lost(struct session *s, enum stream_got got, const char *when);

void serve_greeting(struct session *s);

/* As if the connection had just begun (RFC 3207 4.2, XCLIENT). */
void serve_forget(struct session *s);

/* The transaction: as after RSET. */
void transaction_clear(struct transaction *tx);

#endif
