/* SPDX-License-Identifier: ISC */
#ifndef MX_MESSAGE_H
#define MX_MESSAGE_H

#include <sys/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include "envelope.h"
#include "scan.h"
#include "spool.h"

/*
 * A message in the spool, opened: read, marked, moved, removed; and what is
 * remembered of it.  Functions return 0, or -1 with errno, unless they say
 * otherwise.
 */

struct message {
	char domain[ADDR_DOMAIN_MAX + 1];
	struct scan_entry entry;	/* with strings of its own */
	bool remembered;	/* replies may be on disk */
	struct envelope envelope;
	int fd;			/* the file, locked if asked for */
	off_t offset;		/* where the message begins */
	int64_t size;		/* of the message, without the envelope */
};

enum message_opened {
	MESSAGE_OPENED,
	MESSAGE_GONE,	/* delivered, removed or moved meanwhile */
	MESSAGE_BUSY,	/* another process has its hand on it */
	MESSAGE_VOIDED,	/* was never acknowledged; removed now */
	MESSAGE_DAMAGED,	/* not what a message looks like: *why; kept */
	MESSAGE_ERROR	/* errno */
};

/*
 * Opens a message and reads its envelope; with LOCK under an exclusive
 * flock, for those who mark, move or remove.  Refuses what is no regular
 * file, has another size than its id says, or names another domain.
 */
enum message_opened message_open(struct spool *sp, const char *domain,
    const struct scan_entry *e, bool lock, struct message *m,
    const char **why);
void message_close(struct message *m);

/* When it was last marked or moved, by the file system's clock. */
time_t message_changed(const struct message *m);

/*
 * The message itself to F, whose errors are the caller's to look at: WIRE as
 * it is, else with lines that end in LF; a CR by itself stays.
 */
int message_print(const struct message *m, FILE *f, bool wire);

/*
 * Sets the status of recipient I on disk, one byte in place.  The change is
 * durable after message_sync.
 */
int message_mark(struct message *m, size_t i, enum rcpt_status status);
int message_sync(struct message *m);

/* Removes the message and what is remembered of it.  Not yet durable. */
int message_remove(struct spool *sp, struct message *m);

/* Moves it to another folder; for SPOOL_CUR it is then "tried". */
int message_move(struct spool *sp, struct message *m,
    enum spool_folder folder);

/*** What is remembered: the replies its recipients got ***/

/* The text for recipient I replaces an earlier one. */
int message_reply_add(struct spool *sp, struct message *m, size_t i,
    const char *text);
/*
 * The last reply of each recipient in a new array of envelope.nrcpt strings
 * ("" none), one allocation, free(3) it.  NULL with errno.
 */
char **message_replies(struct spool *sp, const struct message *m);

/*
 * What the next report on this message will be, in words of dsn.c's own, at
 * most MSGID_MAX octets; "" when nothing is planned.
 */
int message_plan(struct spool *sp, struct message *m, const char *plan);
int message_planned(struct spool *sp, const struct message *m, char *plan);

#endif
