/* SPDX-License-Identifier: ISC */
#ifndef MX_TRIAL_H
#define MX_TRIAL_H

#include <stdbool.h>

#include "conf.h"

/*
 * What a receiver would find at its recipients, before one comes: the files
 * of all domains, and their lists of recipients.
 */

typedef void trial_note(void *arg, const char *what, const char *found);

/*
 * Calls FN for each domain that is in order, and logs what is wrong with the
 * others.  False if there is anything.  Blocks while it reads each list, of
 * those that several domains share each once in a row.
 */
bool trial(const struct conf *c, trial_note *fn, void *arg);

#endif
