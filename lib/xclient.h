/* SPDX-License-Identifier: ISC */
#ifndef MX_XCLIENT_H
#define MX_XCLIENT_H

#include <stdbool.h>
#include <stddef.h>

#include "addr.h"
#include "net.h"

/*
 * XCLIENT, by which a trusted client says for whom it speaks, as Postfix's
 * XCLIENT_README has it: "XCLIENT NAME=value ...", values in xtext, names
 * and the words below in any letter case.  Grammar only: who may say it and
 * when is for others.
 */

#define XCLIENT_LINE_MAX	512	/* of a command, with its CRLF */

enum xclient_attribute {
	XCLIENT_NAME = 1 << 0,
	XCLIENT_ADDR = 1 << 1,
	XCLIENT_PORT = 1 << 2,
	XCLIENT_PROTO = 1 << 3,
	XCLIENT_HELO = 1 << 4,
	XCLIENT_LOGIN = 1 << 5,
	XCLIENT_DESTADDR = 1 << 6,
	XCLIENT_DESTPORT = 1 << 7
};
#define XCLIENT_ALL	0xff

/* Each of them, for a line of EHLO's reply. */
#define XCLIENT_NAMES	"NAME ADDR PORT PROTO HELO LOGIN DESTADDR DESTPORT"

/* A field means something if its bit is in given. */
struct xclient {
	unsigned given;
	char name[ADDR_DOMAIN_MAX + 1];	/* a host name in lower case; ""
					   [UNAVAILABLE] or another thing */
	bool name_later;		/* [TEMPUNAVAIL]: name is "" */
	char addr[NET_ADDR_MAX];	/* numeric, v4-mapped as v4; ""
					   [UNAVAILABLE] */
	int port;			/* 0 [UNAVAILABLE] */
	bool extended;			/* PROTO is ESMTP */
	char helo[ADDR_DOMAIN_MAX + 1];	/* printable ASCII without blanks,
					   "?" for the rest; "" the same */
	char login[256];		/* UTF-8, no controls; "" the same */
	char local[NET_ADDR_MAX];	/* DESTADDR */
	int local_port;			/* DESTPORT */
	char fault[16];			/* the name at fault, upper-case, cut
					   short; "" if none is legible */
};

/*
 * TEXT is what stands behind the verb.  False, which is 501 5.5.4, if it is
 * not of the grammar, names nothing or something twice, or has a value that
 * can be none of its attribute; but for fault, the struct then means nothing.
 */
bool xclient_parse(struct xclient *x, const char *text);

/* Which attributes a server offers: bits out of its EHLO keyword's words. */
unsigned xclient_offered(const char *words);

/*
 * Writes a command, without CRLF, that says those attributes of WHICH that
 * are given and fit into a line; an empty one is said to be [UNAVAILABLE].
 * SIZE of XCLIENT_LINE_MAX is room enough.  Returns which it says: the rest
 * needs another command; 0, and BUF is "", if there is nothing to say.
 */
unsigned xclient_print(char *buf, size_t size, const struct xclient *x,
    unsigned which);

#endif
