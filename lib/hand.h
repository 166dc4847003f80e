/* SPDX-License-Identifier: ISC */
#ifndef MX_HAND_H
#define MX_HAND_H

#include "desk.h"

/*
 * What the operator does by hand to messages, under the lock of each, and to
 * domains.  Durable when the verb returns; with "dry" nothing is done.
 */

/* The verbs "rm" and "bounce", of messages. */
int hand_remove(struct desk *d, char **arg);
int hand_return(struct desk *d, char **arg);

/* The verbs "retry", "hold" and "release", of messages and of domains. */
int hand_retry(struct desk *d, char **arg);
int hand_hold(struct desk *d, char **arg);
int hand_release(struct desk *d, char **arg);

#endif
