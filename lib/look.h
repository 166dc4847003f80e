/* SPDX-License-Identifier: ISC */
#ifndef MX_LOOK_H
#define MX_LOOK_H

#include <sys/socket.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "stream.h"
#include "talk.h"
#include "tls_client.h"

/*
 * A polite look at a mail server by one SMTP session, in which no mail is
 * sent: greeting, EHLO (or HELO), the offers, whom it takes mail for, QUIT.
 * It notes what was said and judges nothing.
 */

#define LOOK_OFFERS	512	/* of all that EHLO offers */
#define LOOK_ASKS	6	/* domains that one session asks about */
#define LOOK_TLSA_MAX	32	/* records that are compared */

enum look_step {		/* in this order */
	LOOK_CONNECT,
	LOOK_GREETING,
	LOOK_EHLO,
	LOOK_STARTTLS,
	LOOK_HANDSHAKE,
	LOOK_EHLO_AGAIN,	/* under TLS */
	LOOK_MAIL,		/* all questions about mail */
	LOOK_QUIT
};

enum look_offer {		/* bits */
	LOOK_PIPELINING = 1,
	LOOK_SIZE = 2,
	LOOK_8BITMIME = 4,
	LOOK_CHUNKING = 8,
	LOOK_SMTPUTF8 = 16,
	LOOK_DSN = 32,
	LOOK_TLS = 64,
	LOOK_ENHANCED = 128,
	LOOK_XCLIENT = 256
};

/* What is asked about one domain, and its answers. */
struct look_ask {
	char domain[ADDR_DOMAIN_MAX + 1];
	struct talk_reply postmaster;
	/* of a rehearsal */
	struct talk_reply sender;	/* to MAIL of an address of ours */
	struct talk_reply known;	/* to postmaster after that */
	struct talk_reply stranger;	/* to a user that cannot exist */
	struct talk_reply passed;	/* to the mail of another domain: RCPT,
					   or MAIL if that was refused */
};

/* After a handshake. */
struct look_tls {
	char protocol[16], cipher[48];
	char distrust[160];	/* why PKIX says no, names apart; "" if yes */
	bool named;		/* it has the host's name */
	char names[256];	/* those it has; cut if need be */
	int64_t not_before, not_after;	/* Unix time */
	unsigned char key[TLS_SHA256];	/* TLSA 3 1 1 */
	char algorithm[32];
	uint32_t match;		/* the Nth TLSA record matches: bit N */
	bool any;		/* all of them together do */
	char mismatch[160];	/* why not */
};

/*
 * Of fixed size, so that it may be kept in memory that is shared; what it
 * points at is borrowed and only read.
 */
struct look {
	/* what to look at */
	struct sockaddr_storage addr;	/* with its port */
	char host[ADDR_DOMAIN_MAX + 1];	/* for SNI and certificates */
	const struct tls_tlsa *tlsa;
	size_t ntlsa;
	bool rehearse;		/* ask as one that delivers */

	/* what was found */
	enum look_step step;	/* how far it went */
	enum talk_end end;
	char why[TALK_WHY];	/* of an end that is not well, plain text */
	int error;		/* errno, if no connection was made */
	bool local;		/* the server is on this machine */
	bool extended;		/* it knows EHLO */
	bool encrypted;		/* tls means something */
	unsigned offers;	/* after STARTTLS; LOOK_TLS from before */
	int64_t size;		/* its limit; 0: none said */
	char keywords[LOOK_OFFERS];	/* "SIZE 1000, DSN", plain text */
	char name[ADDR_DOMAIN_MAX + 1];	/* in the reply to EHLO; "" none
					   that is a host name */
	struct talk_reply greeting, ehlo, starttls;
	struct talk_reply null_sender, relay;
	struct look_tls tls;
	size_t nask;
	struct look_ask ask[LOOK_ASKS];
};

/*
 * Who asks: the name in EHLO, which is also the domain of our senders (where
 * it has no dot, look_run takes our address); the addresses to bind to, by
 * family (ss_family 0: any); the client's side of TLS, or NULL for clear text
 * only.
 */
struct look_us {
	char name[ADDR_DOMAIN_MAX + 1];
	struct sockaddr_storage source[2];
	struct tls_client *tls;
};

/* Nothing to ask yet, and nothing found. */
void look_init(struct look *l, const struct sockaddr_storage *addr,
    const char *host);
/* One more domain; false if there is no room for it. */
bool look_ask(struct look *l, const char *domain);

/* Connects and talks.  Blocks until DEADLINE at most. */
void look_run(struct look *l, const struct look_us *us, int64_t deadline);

/* The same on a connection that is there; ARG belongs to the caller. */
void look_talk(struct look *l, const struct look_us *us,
    const struct stream_ops *ops, void *arg, int64_t deadline);

/* "the greeting" */
const char *look_step_name(enum look_step step);

#endif
