/* SPDX-License-Identifier: ISC */
#ifndef MX_TEXT_H
#define MX_TEXT_H

#include "serve.h"

/*
 * The text of a message on its way in: DATA (RFC 5321 4.1.1.4) and BDAT
 * (RFC 3030), up to the answer to its end.  Each gets its argument.
 */

void text_data(struct session *s, char *arg);
void text_bdat(struct session *s, char *arg);

#endif
