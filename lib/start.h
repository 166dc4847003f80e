/* SPDX-License-Identifier: ISC */
#ifndef MX_START_H
#define MX_START_H

#include <stdbool.h>

#include "serve.h"

/*
 * Commands that start something else: TLS (RFC 3207), a session for another
 * client (XCLIENT), the queue of a domain (ETRN, RFC 1985).  Each gets its
 * argument; the questions say whether it is offered.
 */

bool start_offers_tls(const struct session *s);
bool start_may_xclient(const struct session *s);
/* Of DOMAIN, or of any if that is NULL. */
bool start_may_etrn(const struct session *s, const char *domain);

void start_tls(struct session *s, char *arg);
void start_xclient(struct session *s, char *arg);
void start_etrn(struct session *s, char *arg);

#endif
