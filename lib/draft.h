/* SPDX-License-Identifier: ISC */
#ifndef MX_DRAFT_H
#define MX_DRAFT_H

#include <stddef.h>
#include <stdint.h>

#include "envelope.h"
#include "spool.h"

/*
 * A message on its way into the spool, in one copy for each domain.  It has
 * no name, and is nobody's business, until draft_commit.  Functions return
 * 0, or -1 with errno, unless they say otherwise.
 */

struct draft;

/*
 * Begins a message for each of N envelopes, whose domains differ.  BASE is
 * the base id of the first (msgid_new); the others get their own.  HEADER is
 * what we put before the message (our Received field), the same in all.
 * The envelopes are borrowed until commit or abort.  NULL with errno.
 */
struct draft *draft_begin(struct spool *sp, struct envelope **env, size_t n,
    const char *base, const char *header);

/* Where it is to go: SPOOL_NEW unless said before the commit. */
void draft_set_folder(struct draft *d, enum spool_folder folder);

/* More of the message.  After an error only draft_abort is of use. */
int draft_write(struct draft *d, const char *data, size_t len);

/*
 * The same without a copy: *SIZE octets, never few, in which it may be made,
 * and LEN of them taken from their beginning.
 */
char *draft_room(struct draft *d, size_t *size);
int draft_take(struct draft *d, size_t len);

/* Octets of the message so far, HEADER included. */
int64_t draft_size(const struct draft *d);

/*
 * Makes the message durable in its folder of every domain, all or none: link,
 * fsync of the files, fsync of the directories, each error looked at.  The
 * ids are then in draft_id.  On failure nothing of it will ever be
 * delivered.  Does not free the draft.
 */
int draft_commit(struct draft *d);
const char *draft_id(const struct draft *d, size_t i);

/* Frees; if the draft was not committed nothing of it remains. */
void draft_abort(struct draft *d);
void draft_free(struct draft *d);	/* after a commit */

#endif
