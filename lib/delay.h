/* SPDX-License-Identifier: ISC */
#ifndef MX_DELAY_H
#define MX_DELAY_H

#include <time.h>

#include "conf.h"
#include "spool.h"

/*
 * Warnings to senders whose mail takes time ("warn", RFC 3461 5.2.5).
 */

/*
 * Tells the sender of each message of DOMAIN that has waited for S->warn, and
 * was not told of before: SPOOL/state/DOMAIN/warned says how far it came, so
 * that messages are opened once for it, and none are listed before the next
 * one is due.  Called under the domain's lock.  What fails is logged; the next
 * call goes on.
 */
void delay_warn(const struct conf *c, const struct settings *s,
    struct spool *sp, const char *domain, time_t now);

#endif
