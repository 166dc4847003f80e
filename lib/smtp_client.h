/* SPDX-License-Identifier: ISC */
#ifndef MX_SMTP_CLIENT_H
#define MX_SMTP_CLIENT_H

#include <sys/socket.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "envelope.h"
#include "message.h"
#include "reply.h"

/*
 * The client's side of SMTP on one connection: straight-line, blocking,
 * each step under its own deadline (RFC 5321 4.5.3.2).  It knows what the
 * peer said; what becomes of the mail is deliver's business.
 */

struct smtp_client;

enum smtp_offer {		/* what EHLO offered, bits */
	SMTP_OFFER_PIPELINING = 1,
	SMTP_OFFER_SIZE = 2,
	SMTP_OFFER_8BITMIME = 4,
	SMTP_OFFER_CHUNKING = 8,
	SMTP_OFFER_SMTPUTF8 = 16,
	SMTP_OFFER_DSN = 32,
	SMTP_OFFER_STARTTLS = 64,
	SMTP_OFFER_ENHANCED = 128
};

enum smtp_client_result {
	SMTP_CLIENT_OK,
	SMTP_CLIENT_REFUSED,	/* an unwanted reply, told in ERROR */
	SMTP_CLIENT_LOST,	/* connection broken, time-out or garbage: the
				   session is of no further use */
	SMTP_CLIENT_UNABLE,	/* nothing was sent: the message needs SMTPUTF8
				   and the peer does not offer it; the session
				   is good for others */
	SMTP_CLIENT_OURSELVES	/* greeting or EHLO bears a name of ours */
};

/*
 * Connects to ADDR, from the conf's source if set, and goes on to the end of
 * EHLO (or HELO).  *C is NULL unless the result is OK.  ERROR (512 bytes)
 * says in plain text what went wrong, with the peer's words.
 */
enum smtp_client_result smtp_client_open(struct smtp_client **c,
    const struct conf *conf, const struct sockaddr *addr, socklen_t len,
    char *error);

/* Frees; says QUIT first if the session is still good. */
void smtp_client_close(struct smtp_client *c);

unsigned smtp_client_offers(const struct smtp_client *c);
int64_t smtp_client_size_limit(const struct smtp_client *c);	/* 0: none */
/* The EHLO keywords with parameters, ';' between, plain text. */
const char *smtp_client_ehlo(const struct smtp_client *c);

/*
 * May a message with this envelope be sent to the peer (RFC 6531 3.2)?  Where
 * SMTPUTF8 was asked for, or an address is not ASCII, it has to offer that.
 */
bool smtp_client_takes(const struct smtp_client *c, const struct envelope *e);

/* One message to some of its recipients. */
struct smtp_client_rcpt {
	size_t index;		/* in the envelope */
	struct reply reply;	/* to RCPT; code 0: none came */
};

struct smtp_client_result_set {
	struct smtp_client_rcpt *rcpt;	/* filled by the caller: index */
	size_t nrcpt;
	struct reply mail;	/* code 0: none came */
	struct reply data;
	struct reply end;	/* to the end of data; code 0 if not reached */
	bool unsure;		/* the end was sent and no reply to it came:
				   the peer may have the message */
	char error[512];	/* of SMTP_CLIENT_LOST and _UNABLE */
};

/*
 * MAIL, RCPT for each of r->rcpt, DATA, text, end; pipelined where offered
 * (RFC 2920).  The envelope's parameters go unchanged to a peer that offers
 * their extension (RFC 3461 5.2.1), and not at all to others.  After OK the
 * session is good for the next message, whatever was refused (RSET was said
 * if needed); after LOST it is not.  The replies are in R.
 */
enum smtp_client_result smtp_client_send(struct smtp_client *c,
    const struct message *m, struct smtp_client_result_set *r);

#endif
