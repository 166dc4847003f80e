/* SPDX-License-Identifier: ISC */
#ifndef MX_RUN_H
#define MX_RUN_H

#include "flush.h"

/*
 * One run over the jobs of F, which are forgotten: a worker, a process of its
 * own, for each domain where something waits, all side by side; see turn.h.
 * Blocks until all have ended, or a signal ended them; what came of them is
 * in F->status.
 */
void run_jobs(struct flush *f);

#endif
