/* SPDX-License-Identifier: ISC */
#ifndef MX_REPLY_H
#define MX_REPLY_H

#include <stddef.h>

/*
 * Replies of an SMTP server as a client reads them (RFC 5321 4.2), and the
 * one place that says "later" or "never".
 */

#define REPLY_TEXT_MAX	512

struct reply {
	int code;			/* 0: none, or not understood */
	char status[16];		/* enhanced code (RFC 3463), or "" */
	char text[REPLY_TEXT_MAX];	/* of the lines, joined by a space,
					   without codes; cut when long */
};

enum reply_got {
	REPLY_MORE,	/* a further line follows */
	REPLY_DONE,
	REPLY_GARBAGE	/* not a reply, or its lines disagree */
};

void reply_init(struct reply *r);

/* Feeds one line without its CRLF. */
enum reply_got reply_feed(struct reply *r, const char *line, size_t len);

/* "550 5.1.1 no such user" on one line; raw text of the peer: see plain(). */
void reply_print(const struct reply *r, char *buf, size_t size);

/* What becomes of a recipient. */
enum verdict {
	VERDICT_DELIVERED,
	VERDICT_DEFERRED,
	VERDICT_FAILED
};

/* What the client had said when the reply came. */
enum reply_to {
	REPLY_TO_CONNECT,
	REPLY_TO_EHLO,
	REPLY_TO_MAIL,
	REPLY_TO_RCPT,
	REPLY_TO_DATA,
	REPLY_TO_END,	/* of the data */
	REPLY_TO_OTHER
};

/*
 * Only a 2xx to the end of data delivers; only a 5xx to RCPT or to the end
 * of data fails; everything else is for later.  What speaks of the session,
 * as 421, 503, 521 and 530 do, or 500 to a RCPT, fails nobody.  (A 2xx to RCPT
 * is "deferred": not decided yet.)
 */
enum verdict reply_verdict(const struct reply *r, enum reply_to to);

#endif
