/* SPDX-License-Identifier: ISC */
#ifndef MX_LOOK_H
#define MX_LOOK_H

#include <sys/socket.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "stream.h"

/*
 * A polite look at a mail server by one SMTP session, in which no mail is
 * sent: greeting, EHLO (or HELO), the offers, whom it takes mail for, QUIT.
 * It notes what was said and judges nothing.
 */

#define LOOK_TEXT	200	/* of a reply */
#define LOOK_OFFERS	512	/* of all that EHLO offers */
#define LOOK_OCTETS	(256 * 1024)	/* a server that says more is cut */

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

enum look_end {
	LOOK_NOT,		/* not begun, or the looker died */
	LOOK_WELL,		/* all was said up to QUIT */
	LOOK_LATE,		/* the deadline passed at this step */
	LOOK_LOST,		/* no connection, or it broke */
	LOOK_REFUSED,		/* the server would not go on */
	LOOK_GARBAGE		/* not SMTP: WHY quotes it */
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

/* Code 0: none came, or it was not asked.  The text is plain. */
struct look_reply {
	int code;
	char text[LOOK_TEXT];	/* "550 5.1.1 no such user" */
};

/* Everything in it is of fixed size: it may be kept in shared memory. */
struct look {
	/* what to look at */
	struct sockaddr_storage addr;		/* with its port */
	char domain[ADDR_DOMAIN_MAX + 1];	/* whose mail is meant */
	bool rehearse;		/* ask as one that delivers */

	/* what was found */
	enum look_step step;	/* how far it went */
	enum look_end end;
	char why[256];		/* of an end that is not well, plain text */
	int64_t connected, greeted, ended;	/* ms since the begin; -1 */
	bool local;		/* the server is on this machine */
	bool extended;		/* it knows EHLO */
	unsigned offers;	/* after STARTTLS; LOOK_TLS from before */
	int64_t size;		/* its limit; 0: none said */
	char keywords[LOOK_OFFERS];	/* "SIZE 1000;DSN", plain text */
	char name[ADDR_DOMAIN_MAX + 1];	/* in the reply to EHLO; "" none
					   that is a host name */
	struct look_reply greeting, ehlo, starttls;
	struct look_reply null_sender, postmaster, relay;

	/* of a rehearsal */
	struct look_reply sender;	/* to MAIL of one of our addresses */
	struct look_reply known;	/* to postmaster after that */
	struct look_reply stranger;	/* to a user that cannot exist */
	struct look_reply passed;	/* to the mail of another domain, MAIL
					   or RCPT: the worse of the two */
};

/*
 * Who asks: the name in EHLO, which is also the domain of our senders, and
 * the addresses to bind to (ss_family 0: any), by family.
 */
struct look_us {
	char name[ADDR_DOMAIN_MAX + 1];
	struct sockaddr_storage source[2];
};

/* ADDR, domain and rehearse as they are, nothing found. */
void look_init(struct look *l, const struct sockaddr_storage *addr,
    const char *domain, bool rehearse);

/* Connects and talks.  Blocks until DEADLINE at most. */
void look_run(struct look *l, const struct look_us *us, int64_t deadline);

/* The same on a connection that is there; ARG belongs to the caller. */
void look_talk(struct look *l, const struct look_us *us,
    const struct stream_ops *ops, void *arg, int64_t deadline);

/* "the greeting" */
const char *look_step_name(enum look_step step);

#endif
