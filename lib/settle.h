/* SPDX-License-Identifier: ISC */
#ifndef MX_SETTLE_H
#define MX_SETTLE_H

#include <stdbool.h>
#include <stddef.h>

#include "breaker.h"
#include "conf.h"
#include "doubt.h"
#include "learn.h"
#include "message.h"
#include "reply.h"
#include "smtp_client.h"
#include "spool.h"

/*
 * What the replies mean for the mail, and what follows of it: marks on
 * disk, words kept for people, a report to the sender, the message's place.
 * What was refused for good stays pending until the breaker believes it.
 */

#define SETTLE_TEXT_MAX	1024	/* a reply made plain, cut if need be */

struct settle_count {
	size_t delivered;	/* messages that left, all recipients */
	size_t failed;		/* messages with a recipient refused for good */
	size_t deferred;	/* messages that still wait */
	size_t unread;		/* could not be opened or parsed: kept */
};

struct settle {
	/* Set by the caller. */
	const struct conf *conf;
	const struct settings *settings;
	struct spool *spool;
	const char *domain;
	struct learn *learn;	/* NULL for strangers' domains */
	struct breaker *breaker;

	struct settle_count count;
	size_t removed;		/* messages, since the last sync */
	struct doubts doubts;
	char last[SETTLE_TEXT_MAX];	/* the words of the last refusal */
	char cause[SETTLE_TEXT_MAX];	/* why the breaker has tripped */
};

enum settled {
	SETTLED,
	SETTLE_AGAIN,		/* there are recipients left, or were too many
				   for this transaction: another one */
	SETTLE_BROKEN		/* the disk does not take the verdicts */
};

/* Who said what to r's recipients of the message. */
struct settle_said {
	const char *peer;	/* as link_open() has it */
	const char *tls;	/* the same: of tls_print() */
	bool dsn;		/* it offers DSN */
	bool more;		/* there are recipients it did not name */
	bool last;		/* there is no other transaction now */
	const struct smtp_client_result_set *replies;
	enum verdict *verdict;	/* filled: one for each of replies->rcpt */
	bool *refused;		/* set: for each of the envelope, that it was
				   for good, and is pending in doubt: nobody to
				   ask again in this run */
};

/* What a transaction means for M, on disk before the next one. */
enum settled settle_said(struct settle *s, struct message *m,
    const struct settle_said *said);

/* Our own words for why M's pending recipients did not get it. */
bool settle_words(struct settle *s, struct message *m, const char *text);

/* M's pending recipients have failed, by our own decision. */
enum settled settle_failed(struct settle *s, struct message *m);

/* M waits on. */
void settle_wait(struct settle *s, struct message *m);

/* Tells the sender what is to be told, then decides where M goes. */
void settle_finish(struct settle *s, struct message *m);

/* Makes removals durable. */
void settle_sync(struct settle *s);

/* S is all 0; clear it whatever happened. */
void settle_init(struct settle *s);
void settle_clear(struct settle *s);

/*
 * The end of a run: what was refused fails, or stays pending, as the breaker
 * says.  If that has tripped, s->cause says why.
 */
void settle_end(struct settle *s);

#endif
