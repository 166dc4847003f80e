/* SPDX-License-Identifier: ISC */
#ifndef MX_SMTP_CLIENT_H
#define MX_SMTP_CLIENT_H

#include <sys/socket.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "envelope.h"
#include "message.h"
#include "reply.h"
#include "smtp_params.h"
#include "smtp_session.h"

/*
 * The client's side of SMTP on one connection: blocking, each step under its
 * own deadline (RFC 5321 4.5.3.2).  It knows what the peer said; what becomes
 * of the mail is for others.
 */

struct smtp_client;

/*
 * A session as smtp_session_open() has it.  *C is NULL unless the result is
 * OK; ERROR has SMTP_ERROR_MAX bytes.
 */
enum smtp_client_result smtp_client_open(struct smtp_client **c,
    const struct smtp_client_options *options, const struct sockaddr *addr,
    socklen_t len, char *error);

/* Frees; says QUIT first if the session is still good. */
void smtp_client_close(struct smtp_client *c);

/* The same without a word, in a process that has inherited it. */
void smtp_client_abandon(struct smtp_client *c);

/* What EHLO offered and, in words, all its lines. */
unsigned smtp_client_offers(const struct smtp_client *c);
int64_t smtp_client_size_limit(const struct smtp_client *c);	/* 0: none */
const char *smtp_client_ehlo(const struct smtp_client *c);

/* NULL: in clear text.  Good until the close. */
struct tls *smtp_client_tls(const struct smtp_client *c);

/* To how many recipients a message goes at once, at most. */
size_t smtp_client_rcpt_max(const struct smtp_client *c);

/*
 * The peer's replies did not match what it was asked: it is to be talked to
 * in turn, with a window of 0.
 */
bool smtp_client_is_confused(const struct smtp_client *c);

/* Has the peer taken an XCLIENT? */
bool smtp_client_speaks(const struct smtp_client *c);

/* May a message with this envelope be sent to the peer, if it is small? */
bool smtp_client_takes(const struct smtp_client *c, const struct envelope *e);
/* Or is it a peer that lacks what some messages need? */
bool smtp_client_lacks(const struct smtp_client *c, enum smtp_lack lack);

/* One message to some of its recipients. */
struct smtp_client_rcpt {
	size_t index;		/* in the envelope */
	struct reply reply;	/* to RCPT; code 0: none came */
};

struct smtp_client_result_set {
	struct smtp_client_rcpt *rcpt;	/* filled by the caller: index */
	size_t nrcpt;
	struct reply mail;	/* code 0: none came */
	struct reply data;	/* also to a BDAT that was not understood */
	struct reply end;	/* to the end of data; code 0 if not reached */
	bool unsure;		/* the end was sent and no reply to it came,
				   nor a 421 before: the peer may have it */
	bool reworded;		/* BDAT was not understood: the session would
				   say DATA now */
	enum smtp_lack lack;	/* of SMTP_CLIENT_UNABLE */
	char error[SMTP_ERROR_MAX];	/* of all but SMTP_CLIENT_OK */
};

/*
 * Several messages may be in flight at once: where the peer offers CHUNKING
 * and PIPELINING as many as the window has, MAIL, RCPT, BDAT and the text of
 * each going out in one (RFC 3030); with PIPELINING alone the end of a text
 * and the verbs of the next message (RFC 2920 3.1).  The first message of a
 * session goes alone, to see that each command gets one reply.
 *
 * smtp_client_begin() takes a message to be sent to each of r->rcpt.  OK: M
 * and R are borrowed until smtp_client_end() hands R back.  FULL: not now;
 * end one first.  SPENT: not on this session, though it may be good for
 * others, and nothing is in flight; it is the peer's LIMITS, or that it
 * cannot be told of another client.  UNABLE, UNIDENTIFIED and LOST: not at
 * all; what is in flight is to be ended all the same.
 *
 * smtp_client_end() waits for the replies of the oldest message in flight,
 * which are then in *R: OK, whatever was refused, or LOST.  Every message
 * behind a lost one is lost, too, and unsure if its end was sent.
 * smtp_client_flying() is how many there are to be ended.
 */
enum smtp_client_result smtp_client_begin(struct smtp_client *c,
    const struct message *m, struct smtp_client_result_set *r);
enum smtp_client_result smtp_client_end(struct smtp_client *c,
    struct smtp_client_result_set **r);
size_t smtp_client_flying(const struct smtp_client *c);

/*
 * Would the peer take mail for ADDRESS (ASCII, without brackets) from <>?
 * MAIL, RCPT, RSET; nothing may be in flight.  OK with the reply to RCPT;
 * REFUSED: it did not come to that; SPENT: the session is good for no more;
 * LOST.
 */
enum smtp_client_result smtp_client_ask(struct smtp_client *c,
    const char *address, struct reply *reply);

/* Both, for one message; nothing else may be in flight. */
enum smtp_client_result smtp_client_send(struct smtp_client *c,
    const struct message *m, struct smtp_client_result_set *r);

#endif
