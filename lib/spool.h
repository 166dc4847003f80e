/* SPDX-License-Identifier: ISC */
#ifndef MX_SPOOL_H
#define MX_SPOOL_H

#include <dirent.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "msgid.h"
#include "sandbox.h"

/*
 * The tree of mx-spool(5): the only file that knows its paths.  Functions
 * return 0, or -1 with errno, unless they say otherwise.  Names of domains
 * given here are as addr_domain() left them; anything else is EINVAL.
 */

struct spool {
	int fd;			/* SPOOL and what is below it, open */
	int mail;
	int state;
	int tmp;
	int seen;
};

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
 * What mx-receive does in the spool, for sandbox_enter: it takes mail, lists
 * names, reads state, remembers, and pulls the trigger.
 */
#define SPOOL_RECEIVER_PATHS 5
void spool_receiver_paths(const struct spool *sp, struct sandbox_path *paths);

/*
 * Is there room for NEED octets more, a reserve of SPOOL_RESERVE octets and
 * SPOOL_INODES inodes?  -1 with ENOSPC when not.
 */
#define SPOOL_RESERVE	(16LL * 1024 * 1024)
#define SPOOL_INODES	64
int spool_space(struct spool *sp, int64_t need);

/*
 * The domains that have a directory in mail/, sorted; a NULL-terminated
 * array of strings in one allocation, free(3) it.  NULL with errno.
 */
char **spool_domains(struct spool *sp);

/* Makes removals and moves of a domain durable. */
int spool_sync_domain(struct spool *sp, const char *domain);

/*
 * The file to lock for DOMAIN, or for what belongs to none if that is NULL:
 * a descriptor, or -1.  No receiver can open it, so none can hold it.
 */
int spool_lock_open(struct spool *sp, const char *domain);
/* Removes that of DOMAIN; whoever waits for it finds that it has no name. */
int spool_lock_remove(struct spool *sp, const char *domain);

/*
 * Wakes mx-flush -w for DOMAIN, or for all if that is NULL.  0, or -1 with
 * errno: ENXIO if none is there.
 */
enum spool_cause {
	SPOOL_NEW_MAIL = '+',	/* worth a try only if the domain is up */
	SPOOL_ASKED = '=',	/* by the operator, or by its server */
	SPOOL_BUSY = '!'	/* another flusher was at it; by mx-flush */
};
int spool_trigger(struct spool *sp, const char *domain,
    enum spool_cause cause);
/* The reading end for mx-flush -w: a descriptor for poll(2), or -1. */
int spool_trigger_open(struct spool *sp);

/*** For those who work in the tree: draft, scan, message, ledger, sweep ***/

/* Folders of a domain; a mail reader sees the last three as Maildir++. */
enum spool_folder {
	SPOOL_NEW,	/* new/: waiting, not yet tried */
	SPOOL_CUR,	/* cur/: waiting, tried */
	SPOOL_HELD,	/* .Held/cur: on hold, does not age */
	SPOOL_SENT,	/* .Sent/cur: copy kept after delivery */
	SPOOL_EXPIRED	/* .Expired/cur: copy kept after failure or expiry */
};
#define SPOOL_NFOLDERS	5

#define SPOOL_NAME_SIZE	(MSGID_MAX + 64)	/* of a file, with flags */
#define SPOOL_PATH_SIZE	(ADDR_DOMAIN_MAX + 32 + SPOOL_NAME_SIZE)

/* A name from outside is checked before it becomes part of a path. */
int spool_check_domain(const char *domain);

/*
 * The path of NAME, or of the folder if NAME is NULL, below sp->mail, into
 * PATH of SPOOL_PATH_SIZE.  False with errno if it does not fit.
 */
bool spool_path(char *path, const char *domain, enum spool_folder folder,
    const char *name);

/* Opens a folder; the second makes it, durably, where it is missing. */
int spool_folder(struct spool *sp, const char *domain,
    enum spool_folder folder);
int spool_folder_need(struct spool *sp, const char *domain,
    enum spool_folder folder);

/* A stream of the names in the directory PATH below AT; NULL with errno. */
DIR *spool_dir(int at, const char *path);

/* Does NAME in DIR lead to the file behind FD?  Keeps errno. */
bool spool_leads_to(int dir, const char *name, int fd);

/* All of BUF, or -1. */
int spool_write_fd(int fd, const char *buf, size_t len);

/*
 * Small files of text below state/: NAME of DOMAIN, or of all if DOMAIN is
 * NULL; directories are made as needed.  Read: the whole as a string,
 * free(3) it, "" if it is missing, NULL with errno.  Write: a reader sees
 * the old or the new; SYNC makes the text durable.  Append: one line in one
 * write, durable.
 */
char *spool_text_read(struct spool *sp, const char *domain, const char *name);
int spool_text_write(struct spool *sp, const char *domain, const char *name,
    const char *text, bool sync);
int spool_text_append(struct spool *sp, const char *domain, const char *name,
    const char *line);
int spool_text_remove(struct spool *sp, const char *domain, const char *name);
/* A descriptor to read from, for a file too long to be read whole; or -1. */
int spool_text_reader(struct spool *sp, const char *domain, const char *name);

/*
 * Files below seen/: what mx-receive remembers itself, in a sandbox that
 * lets it make, read and write regular files there, but not remove, rename
 * or truncate them.  KIND is the memory; OF, if not NULL, a domain's file,
 * of whose name the last 240 octets count.  Opens for reading and writing,
 * making the file if it is missing; EINVAL if it is no regular file.
 */
int spool_seen_open(struct spool *sp, const char *kind, const char *of);

/*
 * Calls FN with the OF of each file of that KIND, until it answers non-zero:
 * that, else 0; -1 with errno when they cannot be listed.
 */
int spool_seen_each(struct spool *sp, const char *kind,
    int (*fn)(const char *of, void *arg), void *arg);

/*
 * flock(2), exclusive, waiting MS milliseconds at most: true if it is ours.
 * close(2) ends it.
 */
bool spool_seen_lock(int fd, int64_t ms);

#endif
