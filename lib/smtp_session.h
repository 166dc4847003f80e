/* SPDX-License-Identifier: ISC */
#ifndef MX_SMTP_SESSION_H
#define MX_SMTP_SESSION_H

#include <sys/socket.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "envelope.h"
#include "smtp_wire.h"
#include "tls_client.h"

/*
 * A client's session before and between its messages: greeting, EHLO,
 * STARTTLS (RFC 3207), and XCLIENT, by which the server learns who the client
 * was that brought a message.
 */

enum smtp_offer {		/* what EHLO offered, bits */
	SMTP_OFFER_PIPELINING = 1,
	SMTP_OFFER_SIZE = 2,
	SMTP_OFFER_8BITMIME = 4,
	SMTP_OFFER_CHUNKING = 8,
	SMTP_OFFER_SMTPUTF8 = 16,
	SMTP_OFFER_DSN = 32,
	SMTP_OFFER_STARTTLS = 64,
	SMTP_OFFER_ENHANCED = 128,
	SMTP_OFFER_REQUIRETLS = 256
};

enum smtp_client_result {
	SMTP_CLIENT_OK,
	SMTP_CLIENT_REFUSED,	/* an unwanted reply, told in ERROR */
	SMTP_CLIENT_LOST,	/* connection broken, time-out or garbage: the
				   session is of no further use */
	SMTP_CLIENT_UNABLE,	/* nothing was sent: the message needs what
				   the peer lacks (the set's "lacks"); the
				   session is good for others */
	SMTP_CLIENT_UNIDENTIFIED, /* nothing was sent: XCLIENT was refused, and
				   the session is of no further use; without
				   "identify" it may be */
	SMTP_CLIENT_FULL,	/* see smtp_client_begin() */
	SMTP_CLIENT_SPENT,	/* likewise */
	SMTP_CLIENT_OURSELVES,	/* greeting or EHLO bears a name of ours */
	SMTP_CLIENT_TLS_NONE,	/* TLS is required, and STARTTLS not offered */
	SMTP_CLIENT_TLS_FAILED	/* STARTTLS was refused or led to nothing, be
				   it in the handshake or at the EHLO behind
				   it; without TLS a new connection may do */
};

/* How to open a session; what is not set is zero, but FD is -1. */
struct smtp_client_options {
	const struct conf *conf;	/* our names, source, time-outs */
	int fd;			/* connected already, or -1; taken over */
	struct tls_client *tls;		/* NULL: clear text */
	const struct tls_want *want;	/* with tls; for the time of the open */
	bool tls_required;	/* rather no session than one in clear */
	enum conf_identify identify;
	bool unchunked;		/* no BDAT, whatever the peer offers */
	int64_t window;		/* messages in flight; 0: in turn, whatever the
				   peer offers */
};

struct smtp_session {
	struct smtp_wire wire;
	const struct conf *conf;
	enum conf_identify identify;
	unsigned offers;
	unsigned passed_over;	/* offers that are not to be taken up */
	int64_t size_limit;	/* 0: none */
	int64_t rcpt_max;	/* LIMITS (RFC 9422); 0: none said */
	int64_t mail_max;
	bool has_xclient, has_xforward;
	unsigned xclient, xforward;	/* what they know: xclient.h's bits */
	char ehlo[512];		/* its lines, ';' between, plain text */
	char helo[ADDR_DOMAIN_MAX + 1];	/* what we say we are */
	bool speaks_for;	/* XCLIENT was said */
	char spoken[1024];	/* of the client it was said for; "" none */
};

/*
 * From the connection to the end of EHLO, inside TLS if that was wanted and
 * could be had.  S is to be cleared whatever the result is; unless it is OK,
 * ERROR (SMTP_ERROR_MAX) says in plain text what went wrong, with the peer's
 * words.  ERROR is where the session's wire writes, until that is changed.
 */
enum smtp_client_result smtp_session_open(struct smtp_session *s,
    const struct smtp_client_options *o, const struct sockaddr *addr,
    socklen_t len, char *error);
/* Says QUIT first if the session is still good. */
void smtp_session_clear(struct smtp_session *s);

/*
 * Has the server think of the client that brought E.  Does nothing where
 * XCLIENT is not offered, or the client is the one it thinks of.  OK, LOST or
 * UNIDENTIFIED.  smtp_session_suits: whether there is nothing to do; *ABLE is
 * false if it would take a new connection.
 */
enum smtp_client_result smtp_session_speak_for(struct smtp_session *s,
    const struct envelope *e);
bool smtp_session_suits(const struct smtp_session *s,
    const struct envelope *e, bool *able);

/* The XFORWARD that goes before MAIL, with CRLF, or "" (SMTP_FORWARD_MAX). */
#define SMTP_FORWARD_MAX	516
void smtp_session_forward(const struct smtp_session *s,
    const struct envelope *e, char *line);

#endif
