/* SPDX-License-Identifier: ISC */
#ifndef MX_RECIPIENTS_H
#define MX_RECIPIENTS_H

#include <stddef.h>
#include <time.h>

#include "addr.h"
#include "seen.h"
#include "spool.h"

/*
 * Who exists at a domain: what a file of the operator's says, what the
 * flusher has learnt from the primary, and whom the receiver would like to
 * know about.  Letters of ASCII are the same in either case, local parts
 * are taken without their quotes.
 */

enum recipients_found {
	RECIPIENTS_YES,
	RECIPIENTS_NO,
	RECIPIENTS_UNKNOWN,	/* never the answer of recipients_file() */
	RECIPIENTS_ERROR	/* nobody can tell now: answer 451 */
};

#define RECIPIENTS_WHY_MAX	512

/*
 * Looks in PATH ("recipients FILE", mxkeep.conf(5)) for A: user@domain,
 * user, both without what follows the first '+' of user, @domain, @.
 *
 * Files up to 32 KiB are read whole.  Longer ones are searched by halving;
 * if that finds nothing, and SEEN (NULL: not remembered) does not know this
 * state of the file, one pass over it decides, and finds out whether it is
 * sorted.  An unsorted one is read whole for each recipient not found.
 *
 * An empty file is an error, and so is one changed within 10 seconds whose
 * last line has no end, if A is not in it: somebody may be writing it.
 *
 * WHY (RECIPIENTS_WHY_MAX) gets the reason of RECIPIENTS_ERROR, else a
 * remark for the log, or "": the file is long and was just found unsorted.
 */
enum recipients_found recipients_file(const char *path, const struct addr *a,
    struct seen *seen, char *why);

/*** What was learnt: SPOOL/state/DOMAIN/recipients, mx-spool(5) ***/

#define RECIPIENTS_GOOD_AGE	(31 * 86400)	/* seconds an answer counts */
#define RECIPIENTS_BAD_AGE	(3 * 86400)
#define RECIPIENTS_LEARNT_MAX	100000		/* entries of a domain */

/*
 * YES and NO, as the primary of DOMAIN said of exactly this local part; YES
 * for anybody else if it takes any address; else UNKNOWN.
 */
enum recipients_found recipients_learnt(struct spool *sp, const char *domain,
    const struct addr *a, time_t now);

/*
 * Merges what the primary said in this run, in order of time.  Entries too
 * old are dropped, and the oldest if they are too many.  Nothing is written
 * if nothing is new, where an answer younger than a day is not.  Call it
 * with the lock of the domain.  Local parts that have no place in the file
 * (blanks, '@', '#' in front) are passed over.  0, or -1 with errno.
 */
struct recipients_entry {
	const char *local;	/* without quotes; "@": somebody who cannot
				   be, so that YES means any at all */
	enum recipients_found found;	/* YES or NO */
	time_t when;
};
int recipients_learn(struct spool *sp, const char *domain,
    const struct recipients_entry *entry, size_t n, time_t now);

/* addr_local(), folded: OUT holds ADDR_LOCAL_MAX + 1. */
void recipients_local(const struct addr *a, char *out);

/*** Whom to ask about: a file below SPOOL/seen for each FILE of a domain ***/

#define RECIPIENTS_ASKED_MAX	65536	/* octets; more is not noted */

/*
 * Notes A once, for the flusher to ask the primary about.  FILE is the name
 * of the domain's file, as conf_domain() gives it, so that strangers who
 * invent subdomains fill one file and not many.  Never waits.  0, also when
 * it is there already or there is no room; -1 with errno.
 */
int recipients_ask(struct spool *sp, const char *file, const struct addr *a);

/*
 * What was noted, as text: an address a line as in RCPT, without brackets;
 * free(3) it.  It is forgotten here.  NULL with errno.
 */
char *recipients_asked_take(struct spool *sp, const char *file);

/*
 * Calls FN for each domain that somebody was noted of, but not for all where
 * one file has many; perhaps more than once.  Returns 0 or the first non-zero
 * answer of FN.
 */
#define RECIPIENTS_ASKED_DOMAINS	10	/* of a file */
int recipients_asked_domains(struct spool *sp,
    int (*fn)(const char *domain, void *arg), void *arg);

#endif
