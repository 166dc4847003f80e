/* SPDX-License-Identifier: ISC */
#ifndef MX_CHAIN_H
#define MX_CHAIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "asked.h"

/*
 * DNSSEC by ourselves (RFC 4035 5): what was asked for is verified from a
 * trust anchor down, whatever resolver it came from.  The packets come over
 * our own transport; libldns parses and verifies them, in a child, so that
 * neither its mistakes nor a zone made to be costly hurt anybody else.
 */

enum chain_trust {
	CHAIN_UNKNOWN,		/* something was not to be had, or the child
				   died: nothing is proven */
	CHAIN_SECURE,
	CHAIN_INSECURE,		/* proven not to be signed */
	CHAIN_BOGUS
};

struct chain_link {
	char name[ADDR_DOMAIN_MAX + 1];
	enum dns_type type;
	enum chain_trust trust;
	char why[200];		/* plain text; where INSECURE begins */
};

/* Puts the questions that the verification of NAME and TYPE takes. */
void chain_want(struct asked *a, const char *name, enum dns_type type);

/*
 * Verifies N of them, whose names and types are set, in one child that has
 * CHAIN_MEMORY octets and until DEADLINE.  ANCHORS is text in the form of a
 * zone file, DS or DNSKEY records; NULL for the root's.  A CNAME is verified
 * in the place of what it hides, and not followed.
 */
#define CHAIN_MEMORY (256 * 1024 * 1024)
void chain_verify(const struct asked *a, struct chain_link *link, size_t n,
    const char *anchors, int64_t deadline);

/* Is the text at least one anchor, and nothing else? */
bool chain_anchors_are_sound(const char *anchors);

#endif
