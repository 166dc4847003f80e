/* SPDX-License-Identifier: ISC */
#ifndef MX_INCOMING_H
#define MX_INCOMING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "peer.h"
#include "spool.h"

/*
 * A message on its way from a client into the spool, with its envelopes and
 * our trace field, whether it comes by DATA or in chunks (RFC 3030).
 * Whatever is wrong with it, its text may be fed to the end.
 */

struct incoming_rcpt {
	struct addr addr;
	char domain[ADDR_DOMAIN_MAX + 1];	/* A-labels, whose mail it is */
	char *params;		/* ESMTP parameters of RCPT, "" if none */
	bool unverified;	/* see envelope.h */
};

/* Borrowed until incoming_close. */
struct incoming_from {
	struct spool *spool;
	const struct peer *peer;
	const char *hostname;	/* our own */
	const char *helo;
	const char *protocol;	/* RFC 3848 and 6531: "ESMTPS" */
	const char *tls;	/* protocol and cipher, "" in clear */
	const struct addr *sender;
	const char *params;	/* ESMTP parameters of MAIL */
	const struct incoming_rcpt *rcpt;
	size_t nrcpt;
	int64_t max_size;	/* octets of text; 0: no limit */
	int64_t passed_size;	/* the same, our trace field included */
};

struct incoming;

/* NULL with errno; nothing is left behind. */
struct incoming *incoming_open(const struct incoming_from *from);

/* Frees; what was not committed is gone. */
void incoming_close(struct incoming *in);

/*
 * Text as DATA frames it, from DATA of LEN octets: returns how many of them
 * were used, all, or up to the end of the final CRLF.CRLF; then *DONE.
 */
size_t incoming_data(struct incoming *in, const char *data, size_t len,
    bool *done);

/* Text of a chunk; the second tells that there will be no more. */
void incoming_chunk(struct incoming *in, const char *data, size_t len);
void incoming_chunks_end(struct incoming *in);

/* Octets of text so far, also of such as will not be kept. */
int64_t incoming_octets(const struct incoming *in);

enum incoming_fault {
	INCOMING_GOOD,
	INCOMING_TOO_BIG,
	INCOMING_NUL,
	INCOMING_BARE,		/* a CR or LF that is no end of line */
	INCOMING_HOPS,		/* RFC 5321 6.3 */
	INCOMING_STORAGE	/* the spool's errno is in incoming_error */
};

/* What is wrong with the text so far, the first of these. */
enum incoming_fault incoming_fault(const struct incoming *in);
int incoming_error(const struct incoming *in);

/* 0 when the message is safe, else -1 with errno: nothing of it is kept. */
int incoming_commit(struct incoming *in);

/* The copies, one for each domain, and after the commit their ids. */
size_t incoming_copies(const struct incoming *in);
int64_t incoming_size(const struct incoming *in, size_t i);	/* octets */
const char *incoming_id(const struct incoming *in, size_t i);
const struct envelope *incoming_envelope(const struct incoming *in, size_t i);

#endif
