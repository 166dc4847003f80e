/* SPDX-License-Identifier: ISC */
#ifndef MX_SMTP_WIRE_H
#define MX_SMTP_WIRE_H

#include <sys/socket.h>
#include <sys/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "reply.h"
#include "stream.h"
#include "tls.h"

/*
 * The wire below an SMTP client: a socket, in TLS or not, commands out and
 * replies in, each step under its own deadline.  While a write waits for room
 * replies are read away, so that a peer that has much to say before it listens
 * again never blocks both sides.
 */

#define SMTP_ERROR_MAX	512

/* What is waited for: the words for it, and its time in milliseconds. */
struct smtp_step {
	const char *name;
	int64_t timeout;
};

struct smtp_wire {
	int fd;
	bool over;		/* of no further use */
	bool gone;		/* it hears no more: what is written to it is
				   lost, what it said is still to be read */
	bool farewell;		/* it has said 421 or 521 */
	bool late;		/* it is over because no reply came in time */
	bool out_of_step;	/* whose replies are whose is not certain */
	char *error;		/* SMTP_ERROR_MAX, the owner's: why it's over */
	struct stream *stream;
	struct tls *tls;	/* NULL: clear text */
	/* private */
	bool more;		/* what is written is not the end of it */
	bool deaf;		/* nothing more is read while a write waits */
	char *inbox;		/* read while a write waited */
	size_t inpos, inlen;
};

/*
 * A socket connected to ADDR from the conf's source of that family, or -1
 * with errno.  Blocks for the time of conf's connect at most.
 */
int smtp_wire_dial(const struct conf *conf, const struct sockaddr *addr,
    socklen_t len);

/*
 * Takes over FD, a connected socket.  False with errno; clear it all the same.
 * SIGPIPE has to be ignored: sendfile(2) knows no MSG_NOSIGNAL.
 */
bool smtp_wire_init(struct smtp_wire *w, int fd, char *error);
void smtp_wire_clear(struct smtp_wire *w);	/* closes; says nothing */

/* What is beneath the stream without TLS, for tls.h; its ARG is the struct. */
extern const struct stream_ops smtp_wire_ops;

/*
 * These note that the wire is dead and why, and return false.  WHAT is put
 * before the step's name.
 */
bool smtp_wire_lost(struct smtp_wire *w, const struct smtp_step *step,
    const char *what);
bool smtp_wire_lost_errno(struct smtp_wire *w, const struct smtp_step *step);
bool smtp_wire_lost_step(struct smtp_wire *w, const struct smtp_step *step);

/*
 * LEN octets of FD from OFFSET behind what is still to be sent, by sendfile(2)
 * where that is worth it and there is no TLS.  False: lost.
 */
bool smtp_wire_file(struct smtp_wire *w, const struct smtp_step *step, int fd,
    int64_t offset, int64_t len);

/*
 * One whole reply within the time of STEP; false when none came, which is the
 * end.  LINE, if not NULL, is told the text of each line but the first of a
 * reply that is 250.
 */
bool smtp_wire_reply(struct smtp_wire *w, const struct smtp_step *step,
    struct reply *r, void (*line)(void *arg, const char *text), void *arg);

/* The same, but 421 and 521 are the end, too (RFC 5321 3.8, RFC 7504). */
bool smtp_wire_get(struct smtp_wire *w, const struct smtp_step *step,
    struct reply *r);
bool smtp_wire_is_farewell(const struct reply *r);

/*
 * After a farewell: does it close the connection without another word, within
 * the time of STEP?  Then nothing is done that was not answered before.
 * Nothing more is sent to it.
 */
bool smtp_wire_leaves(struct smtp_wire *w, const struct smtp_step *step);

/* The reply's words into the error: "MAIL: 451 4.3.0 try later". */
void smtp_wire_quote(struct smtp_wire *w, const struct smtp_step *step,
    const struct reply *r);

/* Octets that came and were asked for by nobody yet. */
size_t smtp_wire_pending(const struct smtp_wire *w);

/*
 * Likewise, and those that the kernel has; in TLS these need not be words.  To
 * be asked where nothing is owed to us.
 */
bool smtp_wire_talks(const struct smtp_wire *w);

#endif
