/* SPDX-License-Identifier: ISC */
#ifndef MX_SCAN_H
#define MX_SCAN_H

#include <stdbool.h>
#include <stddef.h>

#include "msgid.h"
#include "spool.h"

/*
 * What lies in the folders of a domain, by the names of the files alone: no
 * message is opened, and none is looked at with stat(2).
 */

struct scan_entry {
	enum spool_folder folder;
	const char *name;	/* of the file, flags included */
	const char *id;
	struct msgid msgid;
};

struct scan;

/*
 * Reads the names in FOLDERS (bits 1 << folder) of a domain, unsorted, by
 * readdir alone.  A missing directory is empty.  Names that begin with a dot
 * or are no ids are passed over.
 */
#define SCAN_WAITING ((1 << SPOOL_NEW) | (1 << SPOOL_CUR))
#define SCAN_QUEUED (SCAN_WAITING | (1 << SPOOL_HELD))
struct scan *scan_open(struct spool *sp, const char *domain,
    unsigned folders);
/* 1 with *E, good until the next call; 0 at the end; -1 with errno. */
int scan_next(struct scan *scan, struct scan_entry *e);
void scan_close(struct scan *scan);

/*
 * All names of a domain, oldest first (then by microseconds and name):
 * *N entries in *E, strings included in one allocation: free(3) it.
 * 0, or -1 with errno.
 */
int scan_sorted(struct spool *sp, const char *domain, unsigned folders,
    struct scan_entry **e, size_t *n);

/* Is anything waiting (new/ or cur/)?  1, 0, or -1 with errno.  O(1). */
int scan_waiting(struct spool *sp, const char *domain);

/* Room for what was found, with the strings of E. */
struct scan_found {
	char domain[ADDR_DOMAIN_MAX + 1];
	struct scan_entry entry;
	char name[SPOOL_NAME_SIZE];
	char id[MSGID_MAX + 1];
};

/* What the file NAME of that folder is; false if it is no message. */
bool scan_found_set(struct scan_found *f, const char *domain,
    enum spool_folder folder, const char *name);

/*
 * Finds a queued message by its id or base: 1 and *F, 0 when there is none,
 * -1 with errno.  F is not to be copied: its entry points into it.
 */
int scan_find(struct spool *sp, const char *id, struct scan_found *f);

/* The same in one domain; the second looks only where no flags were set. */
int scan_find_in(struct spool *sp, const char *domain, const char *id,
    struct scan_found *f);
bool scan_find_quickly(struct spool *sp, const char *domain, const char *id,
    struct scan_found *f);

#endif
