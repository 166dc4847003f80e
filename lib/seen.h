/* SPDX-License-Identifier: ISC */
#ifndef MX_SEEN_H
#define MX_SEEN_H

#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "spool.h"

/*
 * What mx-receive remembers from one connection to the next: a table of
 * fixed size (SEEN_OCTETS at most, a sparse file) in SPOOL/seen, shared by
 * all receivers without locks.  It may forget, when it is full or damaged,
 * or when two write at once; it never tells one thing for another, as each
 * entry carries a check under the secret in the file's head.  It is no
 * place for what must not be forgotten.
 *
 * Each look is one pread(2), each note one more pread and one pwrite of 32
 * octets; nothing is mapped, so a file that is cut or a disk that is full is
 * an error of a call and not a signal.
 */

#define SEEN_OCTETS	(4096 + 4 * 1024 * 1024)	/* 131072 entries */

struct seen;

/* NULL with errno.  A file that is damaged or foreign is begun anew. */
struct seen *seen_open(struct spool *sp);
void seen_close(struct seen *seen);

enum seen_kind {
	SEEN_RETURN,	/* of a client that was asked to come back */
	SEEN_ORDER,	/* of a file's lines */
	SEEN_OTHER	/* free for tests */
};

/*
 * What an entry is known by: KIND and LEN octets at DATA.  All entries of
 * one GROUP (a string) share at most 1024 places, so that a client that
 * fills the table with noise crowds out itself.
 */
struct seen_key {
	uint64_t group, hash;
};
void seen_key(const struct seen *seen, struct seen_key *key,
    enum seen_kind kind, const char *group, const void *data, size_t len);

struct seen_entry {
	uint64_t value;
	time_t when;		/* of the note */
};

/* 1 and *ENTRY, 0 if there is none, -1 with errno. */
int seen_get(struct seen *seen, const struct seen_key *key,
    struct seen_entry *entry);

/*
 * Notes VALUE at NOW, in place of what was noted of KEY before.  Where its
 * places are full the oldest goes; any of them if even that is younger than
 * an hour.  0, or -1 with errno.
 */
int seen_put(struct seen *seen, const struct seen_key *key, uint64_t value,
    time_t now);

/*
 * "when-up defer": may mail of this kind pass?  It is known by the client's
 * network (IPv4 /24, IPv6 /64), the sender and the recipient, letters of
 * either case being the same.  The first time the answer is SEEN_WAIT, and
 * for SEEN_DELAY seconds more.  Who returns after that, but no later than
 * SEEN_WINDOW, passes, and so does all that follows until SEEN_PASS has gone
 * by without any.
 *
 * SEEN_BROKEN: nothing could be noted (errno), so the client would wait for
 * ever: let it pass.  CLIENT is a numeric address or another word for it;
 * SENDER "" is the null path.
 */
#define SEEN_DELAY	(5 * 60)
#define SEEN_WINDOW	(2 * 86400)
#define SEEN_PASS	(36 * 86400)
enum seen_answer { SEEN_WAIT, SEEN_PASSES, SEEN_BROKEN };
enum seen_answer seen_return(struct seen *seen, const char *client,
    const char *sender, const char *recipient, time_t now);

#endif
