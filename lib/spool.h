/* SPDX-License-Identifier: ISC */
#ifndef MX_SPOOL_H
#define MX_SPOOL_H

#include <sys/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "domain.h"
#include "envelope.h"
#include "msgid.h"

/*
 * The spool of mx-spool(5): the only file that knows its paths.  Functions
 * return 0, or -1 with errno, unless they say otherwise.  Names of domains
 * given here are as addr_domain() left them; anything else is EINVAL.
 */

struct spool;

/*
 * Root takes the user and group of the spool's owner for good, so that what
 * it makes there is the owner's; for others, and where PATH is root's or is
 * not there yet, nothing happens.  -1 with the reason in ERROR (512 bytes).
 */
int spool_become_owner(const char *path, char *error);

/*
 * Opens PATH, making the directories below it that are missing (PATH itself
 * must exist, or its parent).  NULL with the reason in ERROR (512 bytes):
 * not ours, writable by others, not a directory.
 */
struct spool *spool_open(const char *path, char *error);
void spool_close(struct spool *sp);

/*
 * Is there room for NEED octets more, a reserve of SPOOL_RESERVE octets and
 * SPOOL_INODES inodes?  -1 with ENOSPC when not.
 */
#define SPOOL_RESERVE	(16LL * 1024 * 1024)
#define SPOOL_INODES	64
int spool_space(struct spool *sp, int64_t need);

/*** Writing: one draft a message, one copy of it a domain ***/

struct spool_draft;

/*
 * Begins a message for each of N envelopes, whose domains differ.  BASE is
 * the base id of the first (msgid_new); the others get their own.  HEADER is
 * what we put before the message (our Received field), the same in all.
 * The envelopes are borrowed until commit or abort.  NULL with errno.
 */
struct spool_draft *spool_begin(struct spool *sp, struct envelope **env,
    size_t n, const char *base, const char *header);

/* More of the message.  After an error only spool_abort is of use. */
int spool_write(struct spool_draft *d, const char *data, size_t len);

/* Octets of the message so far, HEADER included. */
int64_t spool_draft_size(const struct spool_draft *d);

/*
 * Makes the message durable in new/ of every domain, all or none: link,
 * fsync of the files, fsync of the directories, each error looked at.  The
 * ids are then in spool_draft_id.  On failure nothing of it will ever be
 * delivered.  Does not free the draft.
 */
int spool_commit(struct spool_draft *d);
const char *spool_draft_id(const struct spool_draft *d, size_t i);

/* Frees; if the draft was not committed nothing of it remains. */
void spool_abort(struct spool_draft *d);
void spool_draft_free(struct spool_draft *d);	/* after a commit */

/*** Reading ***/

/* Folders of a domain; a mail reader sees the last three as Maildir++. */
enum spool_folder {
	SPOOL_NEW,	/* new/: waiting, not yet tried */
	SPOOL_CUR,	/* cur/: waiting, tried */
	SPOOL_HELD,	/* .Held/cur: on hold, does not age */
	SPOOL_SENT,	/* .Sent/cur: copy kept after delivery */
	SPOOL_EXPIRED	/* .Expired/cur: copy kept after failure or expiry */
};

struct spool_entry {
	enum spool_folder folder;
	const char *name;	/* of the file, flags included */
	const char *id;
	struct msgid msgid;
};

/*
 * The domains that have a directory in mail/, sorted; a NULL-terminated
 * array of strings in one allocation, free(3) it.  NULL with errno.
 */
char **spool_domains(struct spool *sp);

struct spool_scan;

/*
 * Reads the names in FOLDERS (bits 1 << folder) of a domain, unsorted, by
 * readdir alone.  A missing directory is empty.  Names that begin with a dot
 * or are no ids are passed over.
 */
#define SPOOL_WAITING ((1 << SPOOL_NEW) | (1 << SPOOL_CUR))
#define SPOOL_QUEUED (SPOOL_WAITING | (1 << SPOOL_HELD))
struct spool_scan *spool_scan_open(struct spool *sp, const char *domain,
    unsigned folders);
/* 1 with *E, good until the next call; 0 at the end; -1 with errno. */
int spool_scan_next(struct spool_scan *scan, struct spool_entry *e);
void spool_scan_close(struct spool_scan *scan);

/*
 * All names of a domain, oldest first (then by microseconds and name):
 * *N entries in *E, strings included in one allocation: free(3) it.
 */
int spool_sorted(struct spool *sp, const char *domain, unsigned folders,
    struct spool_entry **e, size_t *n);

/* Is anything waiting (new/ or cur/)?  1, 0, or -1 with errno.  O(1). */
int spool_waiting(struct spool *sp, const char *domain);

/*
 * Finds a queued message by its id or base.  1 with DOMAIN
 * (ADDR_DOMAIN_MAX + 1) and *E, good until the next call; 0 when there is
 * none; -1 with errno.
 */
int spool_find(struct spool *sp, const char *id, char *domain,
    struct spool_entry *e);

struct spool_message {
	char domain[ADDR_DOMAIN_MAX + 1];
	struct spool_entry entry;	/* with strings of its own */
	bool remembered;	/* replies may be on disk */
	struct envelope envelope;
	int fd;			/* the file, locked if asked for */
	off_t offset;		/* where the message begins */
	int64_t size;		/* of the message, without the envelope */
};

enum spool_opened {
	SPOOL_OPENED,
	SPOOL_GONE,	/* delivered, removed or moved meanwhile */
	SPOOL_BUSY,	/* another process has its hand on it */
	SPOOL_VOIDED,	/* was never acknowledged; removed now */
	SPOOL_DAMAGED,	/* not what a message looks like: *why; kept */
	SPOOL_ERROR	/* errno */
};

/*
 * Opens a message and reads its envelope; with LOCK under an exclusive
 * flock, for those who mark, move or remove.  Refuses what is no regular
 * file, has another size than its id says, or names another domain.
 */
enum spool_opened spool_message_open(struct spool *sp, const char *domain,
    const struct spool_entry *e, bool lock, struct spool_message *m,
    const char **why);
void spool_message_close(struct spool_message *m);

/* When it was last marked or moved, by the file system's clock. */
time_t spool_message_changed(const struct spool_message *m);

/*
 * Sets the status of recipient I on disk, one byte in place.  The change is
 * durable after spool_sync.
 */
int spool_mark(struct spool_message *m, size_t i, enum rcpt_status status);
int spool_sync(struct spool_message *m);

/* Removes the message and what is remembered of it.  Not yet durable. */
int spool_remove(struct spool *sp, struct spool_message *m);

/* Moves it to another folder; for SPOOL_CUR it is then "tried". */
int spool_move(struct spool *sp, struct spool_message *m,
    enum spool_folder folder);

/* Makes removals and moves of a domain durable. */
int spool_sync_domain(struct spool *sp, const char *domain);

/*** What is remembered of a message: the replies its recipients got ***/

/* The text for recipient I replaces an earlier one when read back. */
int spool_reply_add(struct spool *sp, struct spool_message *m, size_t i,
    const char *text);
/*
 * The last reply of each recipient in a new array of envelope.nrcpt strings
 * ("" none), one allocation, free(3) it.  NULL with errno.
 */
char **spool_replies(struct spool *sp, const struct spool_message *m);

/*
 * What the next report on this message will be, in words of dsn.c's own, at
 * most MSGID_MAX octets; "" when nothing is planned.
 */
int spool_report_plan(struct spool *sp, struct spool_message *m,
    const char *plan);
int spool_report_planned(struct spool *sp, const struct spool_message *m,
    char *plan);

/*** What is known of a domain ***/

/*
 * The flusher's lock on a domain: a descriptor to close(2), or -1
 * (EWOULDBLOCK: another flusher is at work).
 */
int spool_lock_domain(struct spool *sp, const char *domain);

/* A missing file is DOMAIN_UNKNOWN. */
int spool_domain_load(struct spool *sp, const char *domain, struct domain *d);
int spool_domain_save(struct spool *sp, const char *domain,
    const struct domain *d);

/* Appends "TIME TAB EVENT TAB DETAIL" to the domain's outages. */
int spool_outage(struct spool *sp, const char *domain, const char *event,
    const char *detail);

/*
 * Seconds that a message which arrived at ARRIVED has been on hold since,
 * with its domain or by itself, up to NOW.  A domain's log is read once in
 * a row of calls for it.
 */
int64_t spool_held_seconds(struct spool *sp, const char *domain,
    const char *id, time_t arrived, time_t now);
/*
 * Begins or ends a hold on ID, or on the whole domain when ID is NULL: its
 * clock stands still meanwhile.  UNTIL (a domain's only) ends it by itself,
 * 0 does not.
 */
int spool_hold_begin(struct spool *sp, const char *domain, const char *id,
    time_t until, const char *why);
int spool_hold_end(struct spool *sp, const char *domain, const char *id);
/* The words of the last hold on ID, "" if there are none. */
void spool_hold_why(struct spool *sp, const char *domain, const char *id,
    char *why, size_t size);

/*** House-keeping ***/

/* When the last expiry run was, 0 if never; and that it is NOW. */
time_t spool_last_run(struct spool *sp);
int spool_last_run_set(struct spool *sp, time_t now);

/*
 * Removes what no living process can still need: temporaries older than
 * AGE seconds, void messages, replies of messages that are gone.  FN, if not
 * NULL, hears of each; with DRY nothing is removed.
 */
int spool_sweep(struct spool *sp, int64_t age, bool dry,
    void (*fn)(const char *path, const char *why, void *arg), void *arg);

/* Wakes mx-flush -w, if one is there; says nothing otherwise. */
void spool_trigger(struct spool *sp);
/* The reading end for mx-flush -w: a descriptor for poll(2), or -1. */
int spool_trigger_open(struct spool *sp);

#endif
