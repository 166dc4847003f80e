/* SPDX-License-Identifier: ISC */
#ifndef MX_MAILDIR_H
#define MX_MAILDIR_H

#include <stddef.h>

#include "message.h"

/*
 * Copies of queued messages in a plain maildir, for other programs: lines end
 * in LF, and the envelope has become fields of the header.
 */

struct maildir {
	int tmp, sub[2];	/* new/ and cur/ */
	char **old;		/* what was there, without flags, sorted */
	size_t nold;
};

/*
 * Opens the maildir PATH; what is missing of it, PATH itself included, is
 * made.  0, or -1 with errno.
 */
int maildir_open(struct maildir *md, const char *path);

/* Makes what was added durable, if all went well.  0, or -1 with errno. */
int maildir_close(struct maildir *md);

/*
 * Adds a copy of M: to new/ if it was not tried yet, else to cur/.  1; 0 if
 * one of that name is there already, and stays as it is; or -1 with errno,
 * and nothing is there.
 */
int maildir_add(struct maildir *md, const struct message *m);

#endif
