/* SPDX-License-Identifier: ISC */
#ifndef MX_OUTLOOK_H
#define MX_OUTLOOK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "addr.h"
#include "conf.h"
#include "domain.h"
#include "ledger.h"
#include "scan.h"
#include "spool.h"

/*
 * What the mail of a domain has to expect, as far as its name and what is
 * written down of the domain tell: no message is opened.
 */

struct outlook {
	char name[ADDR_DOMAIN_MAX + 1];	/* "": of no domain yet */
	bool ours;		/* has a file in the configuration */
	int64_t life;		/* of its mail, seconds */
	struct domain domain;
	struct ledger_holds *holds;
};

enum outlook_result {
	OUTLOOK_OK,
	OUTLOOK_NO_STATE,	/* errno; the state is taken for unknown */
	OUTLOOK_NO_HOLDS,	/* errno; of no use */
	OUTLOOK_NO_CONF		/* ERROR says why; of no use */
};

void outlook_init(struct outlook *o);
void outlook_clear(struct outlook *o);

/* Nothing is read again for the domain that O is of.  See conf_domain(). */
enum outlook_result outlook_load(struct outlook *o, const struct conf *conf,
    struct spool *sp, const char *domain, char *error);

/* "new", "tried" or "held". */
const char *outlook_state(const struct outlook *o, const struct scan_entry *e);

/* When a message is returned; held mail does not age. */
time_t outlook_expires(const struct outlook *o, const struct scan_entry *e,
    time_t now);

/*
 * When the flusher tries the domain again, or for one on hold when that
 * ends: 0 if that is not known, or up to the operator.  A message may be on
 * hold by itself.
 */
time_t outlook_next(const struct outlook *o, time_t now);
time_t outlook_next_of(const struct outlook *o, const struct scan_entry *e,
    time_t now);

/* The operator's words at the hold into WHY; "" if there is none. */
void outlook_why(const struct outlook *o, const struct scan_entry *e,
    char *why, size_t size);

#endif
