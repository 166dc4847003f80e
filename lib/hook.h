/* SPDX-License-Identifier: ISC */
#ifndef MX_HOOK_H
#define MX_HOOK_H

#include <stdint.h>

/*
 * A program of the operator's, run for an event.
 */

#define HOOK_WHY_MAX	256

/*
 * Runs PROGRAM (an absolute path) without arguments, with ENV and a PATH as
 * its whole environment, in "/", in a process group of its own, with nothing
 * open but the null device as input and a pipe as output.  Blocks until it
 * has ended, MS milliseconds at most; then its group is killed.  0 if it
 * ended with status 0; -1 with the reason in WHY, which has the first line
 * that it printed, made plain.
 */
int hook_run(const char *program, char *const *env, int64_t ms, char *why);

#endif
