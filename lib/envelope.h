/* SPDX-License-Identifier: ISC */
#ifndef MX_ENVELOPE_H
#define MX_ENVELOPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "addr.h"

/*
 * The block in front of a message in the spool.  mx-spool(5) documents it;
 * this file writes and reads it, in memory only.
 */

#define ENVELOPE_MAX	(4 * 1024 * 1024)
#define ENVELOPE_STATE	24	/* offset in the file of the state below */

enum envelope_state {
	ENVELOPE_WHOLE = '-',
	ENVELOPE_VOID = 'V'	/* never acknowledged: to be removed */
};

enum rcpt_status {
	RCPT_PENDING = 'p',
	RCPT_DELIVERED = 'd',
	RCPT_RELAYED = 's',	/* delivered to a server without DSN, its
				   sender, who asked for it, not yet told */
	RCPT_FAILED = 'f',	/* refused, its sender not yet told */
	RCPT_REPORTED = 'r'	/* refused or expired, and dealt with */
};

struct recipient {
	char *address;		/* without brackets, as the client wrote it */
	char *params;		/* ESMTP parameters of RCPT, "" if none */
	enum rcpt_status status;
	bool unverified;	/* nobody vouched for it: no report, ever */
	size_t where;		/* offset of the status byte in the file */
};

struct envelope {
	enum envelope_state state;
	size_t length;		/* of the block: the message begins here */
	time_t arrived;
	char domain[ADDR_DOMAIN_MAX + 1];	/* of all its recipients */
	char *sender;		/* "" for the null path */
	char *params;		/* ESMTP parameters of MAIL, "" if none */
	char client_addr[48];	/* "" when not received by SMTP */
	char client_name[ADDR_DOMAIN_MAX + 1];	/* "" unknown */
	char helo[ADDR_DOMAIN_MAX + 1];
	char protocol[16];	/* SMTP, ESMTP, ..., "local", "report" */
	char tls[64];		/* "" for clear text */
	struct recipient *rcpt;
	size_t nrcpt;
};

void envelope_init(struct envelope *e);
void envelope_clear(struct envelope *e);	/* frees what it holds */

/*
 * Copies.  0, or -1 when out of memory, or when the text could not be read
 * back: it has a CR, an LF or a '>' outside quotes, or is too long.  Only a
 * sender may be empty.
 */
int envelope_set_sender(struct envelope *e, const char *address,
    const char *params);
int envelope_add(struct envelope *e, const char *address, const char *params);

/* Marks the recipient added last. */
void envelope_unverified(struct envelope *e);

/*
 * The block as text into a new buffer, caller frees; *LEN is its length;
 * sets e->length and each rcpt's where.  NULL when out of memory.
 */
char *envelope_print(struct envelope *e, size_t *len);

/*
 * Reads the block at the beginning of BUF.  Returns 0; -1 with what is wrong
 * in *WHY (a constant) and e empty.  With LEN shorter than the block, *WHY
 * is NULL and *NEED says how many bytes are wanted.  e->state is right
 * whenever the first line is.
 */
int envelope_parse(struct envelope *e, const char *buf, size_t len,
    size_t *need, const char **why);

/* How many recipients have STATUS. */
size_t envelope_count(const struct envelope *e, enum rcpt_status status);

/* The word for mx-queue's output: pending, delivered or failed. */
const char *envelope_status_name(enum rcpt_status status);

/*
 * The value of an ESMTP parameter (any letter case) in PARAMS into VALUE;
 * false if absent or too long.  A parameter without '=' has "" as value.
 */
bool envelope_param(const char *params, const char *name, char *value,
    size_t size);

#endif
