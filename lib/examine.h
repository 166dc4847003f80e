/* SPDX-License-Identifier: ISC */
#ifndef MX_EXAMINE_H
#define MX_EXAMINE_H

#include <stdint.h>

#include "check.h"

/*
 * N domains by the DNS: three rounds of questions, each side by side, then
 * the judgements.  ASKED is what their checks have.  Blocks until DEADLINE at
 * most; what is not answered by then is a finding.
 */
void examine(struct check *c, size_t n, struct asked *asked, struct dns *d,
    const struct check_options *o, int64_t deadline);

#endif
