/* SPDX-License-Identifier: ISC */
#ifndef MX_VIGIL_H
#define MX_VIGIL_H

#include <stdint.h>

#include "flush.h"

/*
 * Run after run, each in a process of its own: every SECONDS, when the
 * trigger is pulled, and at a hangup (see agenda.h).  Blocks until a signal
 * ends it; or with EX_USAGE in F->status, where ARGS are of no use.
 */
void vigil_keep(struct flush *f, int64_t seconds);

#endif
