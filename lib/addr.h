/* SPDX-License-Identifier: ISC */
#ifndef MX_ADDR_H
#define MX_ADDR_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The grammar of RFC 5321 4.1.2 and 4.1.3: paths, mailboxes, domains,
 * address literals.  No policy here, and nothing is looked up.
 */

#define ADDR_LOCAL_MAX	256	/* RFC 5321 asks for 64; longer ones exist */
#define ADDR_DOMAIN_MAX	255
#define ADDR_MAX	(ADDR_LOCAL_MAX + 1 + ADDR_DOMAIN_MAX)

struct addr {
	char text[ADDR_MAX + 1];	/* as written, source route removed;
					   "" is the null path */
	size_t local;			/* length of the local part in text */
	char domain[ADDR_DOMAIN_MAX + 1];	/* lower case, no final dot;
					   "" for <> and <postmaster> */
	bool literal;			/* domain is an address literal */
	bool quoted;			/* local part is a quoted string */
	bool routed;			/* a source route was removed */
	bool utf8;			/* has bytes outside ASCII */
};

enum addr_kind {
	ADDR_SENDER,	/* <> is allowed */
	ADDR_RECIPIENT	/* <postmaster> without domain is allowed */
};

/*
 * Parses a path with its angle brackets at TEXT.  Returns what follows the
 * path, or NULL when it is not one.  Bytes outside ASCII are let through
 * and noted (RFC 6531 is for the caller).
 */
const char *addr_parse(struct addr *a, const char *text, enum addr_kind kind);

/* The same for a bare mailbox without brackets, the whole string. */
bool addr_parse_mailbox(struct addr *a, const char *text);

/*
 * Lower-cases a host or domain name into OUT (ADDR_DOMAIN_MAX + 1 bytes),
 * without a final dot.  True if it is a name of LDH labels (RFC 1123 2.1,
 * underscores refused), 1 to 63 octets each, 253 in all, not all digits and
 * dots; such a name is safe as a name of a file.
 */
bool addr_domain(char *out, const char *text);

/* The argument of HELO and EHLO: a domain or an address literal. */
bool addr_is_helo(const char *text);

/*
 * The local part without quotes and backslashes; OUT holds
 * ADDR_LOCAL_MAX + 1.
 */
void addr_local(const struct addr *a, char *out);

#endif
