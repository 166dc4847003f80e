/* SPDX-License-Identifier: ISC */
#ifndef MX_IDN_H
#define MX_IDN_H

#include <stdbool.h>

/* International domain names (RFC 5890, UTS 46), by libidn2. */

/*
 * A domain as people write it (final dot, upper case, U-labels) as A-labels
 * into OUT (ADDR_DOMAIN_MAX + 1).  False with the reason in *WHY, and
 * errno EINVAL if TEXT is to blame, ENOMEM if it may pass.
 */
bool idn_to_ascii(char *out, const char *text, const char **why);

#endif
