/* SPDX-License-Identifier: ISC */
#ifndef MX_LEDGER_H
#define MX_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "domain.h"
#include "spool.h"

/*
 * What is written down of a domain: the state of its servers, its outages,
 * its holds and those of its messages.  Functions return 0, or -1 with
 * errno, unless they say otherwise.
 */

/*
 * The flusher's lock on a domain: a descriptor to close(2), or -1
 * (EWOULDBLOCK: another flusher is at work).
 */
int ledger_lock(struct spool *sp, const char *domain);

/* A missing file is DOMAIN_UNKNOWN; an operator's hold comes first. */
int ledger_load(struct spool *sp, const char *domain, struct domain *d);
int ledger_save(struct spool *sp, const char *domain, const struct domain *d);

/*
 * The breaker stopped the domain, or it goes on: the clock of its mail
 * stands still meanwhile, as in a hold.
 */
int ledger_stop(struct spool *sp, const char *domain, const char *why);
int ledger_go_on(struct spool *sp, const char *domain);

/*
 * What the operator said about it: ledger_load() finds it in a domain that
 * is stopped.  DOMAIN_WAIT takes it back.
 */
int ledger_order(struct spool *sp, const char *domain,
    enum domain_order order);

/* Appends "TIME TAB EVENT TAB DETAIL" to the domain's outages. */
int ledger_outage(struct spool *sp, const char *domain, const char *event,
    const char *detail);

/*
 * Notes the N numeric addresses of the servers that the domain's mail goes
 * to, so that the receiver knows them when they call; called under its lock.
 */
int ledger_note_primaries(struct spool *sp, const char *domain,
    const char *const *addr, size_t n);

/*
 * Is ADDR, numeric or "", such an address of DOMAIN, or of any if that is
 * NULL?  What cannot be read is no.
 */
bool ledger_is_primary(struct spool *sp, const char *addr, const char *domain);

/*
 * Calls FN for each domain with such a server at ADDR until it answers
 * non-zero, and returns that, else 0.
 */
int ledger_primary_of(struct spool *sp, const char *addr,
    int (*fn)(const char *domain, void *arg), void *arg);

/*
 * Begins or ends a hold on ID, or on the whole domain when ID is NULL: its
 * clock stands still meanwhile.  UNTIL (a domain's only) ends it by itself,
 * 0 does not.
 */
int ledger_hold(struct spool *sp, const char *domain, const char *id,
    time_t until, const char *why);
int ledger_release(struct spool *sp, const char *domain, const char *id);

/*
 * The holds of a domain and its messages, read once for a walk over them.
 * NULL with errno.
 */
struct ledger_holds;
struct ledger_holds *ledger_holds_load(struct spool *sp, const char *domain);
void ledger_holds_free(struct ledger_holds *h);

/*
 * Seconds that a message which arrived at ARRIVED has been on hold since,
 * with its domain or by itself, or stopped with its domain, up to NOW.
 */
int64_t ledger_held_seconds(const struct ledger_holds *h, const char *id,
    time_t arrived, time_t now);

/* The words of the last hold on ID, "" if there are none. */
void ledger_why(const struct ledger_holds *h, const char *id, char *why,
    size_t size);

#endif
