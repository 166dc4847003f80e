/* SPDX-License-Identifier: ISC */
#ifndef MX_ASKED_H
#define MX_ASKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dns.h"

/*
 * The questions of an inquiry, in rounds: those of a round go out side by
 * side, and those of the next depend on their answers.  No question is asked
 * twice.
 */

struct asked {
	struct dns_query **q;
	size_t n;
	size_t done;		/* those of earlier rounds */
	size_t *slot;		/* private: an index by name, type, server */
	size_t nslot;
	bool failed;		/* out of memory: some were not asked */
};

void asked_init(struct asked *a);
void asked_clear(struct asked *a);

/*
 * For the next round, unless asked before; names that are "" are not.  The
 * server AT is borrowed, and known by its pointer.
 */
void asked_want(struct asked *a, const char *name, enum dns_type type);
void asked_want_at(struct asked *a, const char *name, enum dns_type type,
    const struct sockaddr_storage *at, bool tcp);
/* With signatures, and its packet alone. */
void asked_want_raw(struct asked *a, const char *name, enum dns_type type);
/* One that may take all the time there is. */
void asked_must(struct asked *a, const char *name, enum dns_type type);

/* Those of the next round that are there now have time until UNTIL. */
void asked_until(struct asked *a, int64_t until);

/*
 * Blocks until all have their outcome: those that must be known have time
 * until DEADLINE, the others until UNTIL, or for half of the time until then
 * since they were sent, where many had their turn before them.
 */
void asked_run(struct asked *a, struct dns *d, int64_t until,
    int64_t deadline);

/* The answer, or NULL if it was never asked for.  Lives until asked_clear. */
struct dns_query *asked_find(const struct asked *a, const char *name,
    enum dns_type type);
struct dns_query *asked_find_at(const struct asked *a, const char *name,
    enum dns_type type, const struct sockaddr_storage *at, bool tcp);
struct dns_query *asked_find_raw(const struct asked *a, const char *name,
    enum dns_type type);

/* The same if it is DNS_DATA, else NULL. */
struct dns_query *asked_data(const struct asked *a, const char *name,
    enum dns_type type);

/*
 * The zone that NAME is in, by the NS questions that asked_want_zone put:
 * the longest of its parents, or itself, that has name servers.  A pointer
 * into NAME; NULL if none has.
 */
const char *asked_parent(const char *name);	/* one label less, or NULL */
void asked_want_zone(struct asked *a, const char *name);
const char *asked_zone(const struct asked *a, const char *name);

#endif
