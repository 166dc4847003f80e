/* SPDX-License-Identifier: ISC */
#ifndef MX_REHEARSE_H
#define MX_REHEARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "check.h"
#include "dns.h"
#include "look.h"

/*
 * The rehearsal for domains whose mail goes by "route" and not by MX records:
 * would those hosts take it?  Others are rehearsed where survey looks at
 * their MX hosts.
 */

/* Has the domain a route, in the configuration of the backup? */
bool rehearse_is_routed(const struct check_options *o, const char *domain);

/* Those of the N domains that have one.  Blocks until DEADLINE at most. */
void rehearse(struct check *c, size_t n, struct dns *d,
    const struct check_options *o, const struct look_us *us,
    int64_t deadline);

#endif
