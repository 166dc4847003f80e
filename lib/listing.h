/* SPDX-License-Identifier: ISC */
#ifndef MX_LISTING_H
#define MX_LISTING_H

#include "desk.h"

/*
 * The verb "list": a line a message.  For eyes the oldest come first; into a
 * pipe they come as the directory has them, so that a million is listed in
 * constant memory, without an open(2) unless JSON was asked for.
 */
int listing_print(struct desk *d, char **arg);

#endif
