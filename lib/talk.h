/* SPDX-License-Identifier: ISC */
#ifndef MX_TALK_H
#define MX_TALK_H

#include <sys/socket.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stream.h"
#include "tls_client.h"

/*
 * Words with a mail server that nobody need trust: commands out, replies in,
 * within one deadline and a number of octets, and why it ended in plain text.
 */

struct reply;

#define TALK_OCTETS	(256 * 1024)	/* of a server; TLS counts as it is */
#define TALK_TEXT	200		/* of a reply */
#define TALK_WHY	256

enum talk_end {
	TALK_NOT,		/* not begun, or it goes on */
	TALK_WELL,		/* all was said up to QUIT */
	TALK_LATE,		/* the deadline passed */
	TALK_LOST,		/* no connection, or it broke */
	TALK_REFUSED,		/* the server would not go on */
	TALK_GARBAGE		/* not SMTP */
};

/* Code 0: none came, or it was not asked for.  The text is plain. */
struct talk_reply {
	int code;
	char text[TALK_TEXT];	/* "550 5.1.1 no such user" */
};

/* The transport below, for a limited number of octets. */
struct talk_meter {
	const struct stream_ops *ops;
	void *arg;
	size_t left;
};

struct talk {
	enum talk_end end;
	char why[TALK_WHY];
	bool over;		/* not even QUIT may be said */
	struct talk_meter meter;
	struct stream *stream;
	struct tls *tls;
	int64_t deadline;
};

/*
 * A socket that does not block, connected before DEADLINE, or -1 with errno.
 * Of SOURCE (two of them) that of ADDR's family is bound to; ss_family 0 is
 * none.
 */
int talk_dial(const struct sockaddr_storage *addr,
    const struct sockaddr_storage *source, int64_t deadline);

/* OPS and ARG are borrowed.  0, or -1 with errno. */
int talk_open(struct talk *t, const struct stream_ops *ops, void *arg,
    int64_t deadline);
/* Frees, without a word; right after a talk_open that failed as well. */
void talk_close(struct talk *t);

/* Ends it, with why; returns false, as the functions below then do. */
bool talk_end(struct talk *t, enum talk_end end, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* A command without its CRLF; sent when next we listen. */
bool talk_say(struct talk *t, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

/*
 * A whole reply.  RAW, if not NULL, gets it as reply.h has it.  LINE, if not
 * NULL, is called with what is behind the code of each line but the first.
 */
bool talk_hear(struct talk *t, struct talk_reply *r, struct reply *raw,
    void (*line)(void *arg, const char *text), void *arg);

/* Has it said more than it was asked?  That ends it. */
bool talk_is_silent(struct talk *t);

/* The reply R is why it ends. */
bool talk_refused(struct talk *t, const struct talk_reply *r);

/* 2xx */
bool talk_is_good(const struct talk_reply *r);
/* After these the server closes (RFC 5321 3.8, RFC 7504). */
bool talk_is_farewell(const struct talk_reply *r);

/* Goes on under TLS. */
bool talk_handshake(struct talk *t, struct tls_client *c,
    const struct tls_want *want);

/* QUIT, with a second for the answer, if it may still be said. */
void talk_quit(struct talk *t);

#endif
