/* SPDX-License-Identifier: ISC */
#ifndef MX_OFFERS_H
#define MX_OFFERS_H

#include <stdbool.h>
#include <stdint.h>

#include "finding.h"
#include "look.h"

/*
 * What a backup offers in EHLO beside what its primary does: the one should
 * take what the other would, and nothing that it will not take.
 */

struct offers {
	bool known;
	unsigned bits;		/* enum look_offer; at all addresses */
	int64_t size;		/* the least limit; 0: none */
};

void offers_init(struct offers *o);
/* One more address of the host; nothing if it said nothing good to EHLO. */
void offers_add(struct offers *o, const struct look *l);

/* Both known; the findings are about the host BACKUP. */
void offers_compare(struct findings *f, const char *backup,
    const struct offers *b, const char *primary, const struct offers *p);

#endif
