/* SPDX-License-Identifier: ISC */
#ifndef MX_DURATION_H
#define MX_DURATION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Spans of time as people write them: a number with s, m, h, d or w, or
 * several ("1d12h"); a bare number is seconds.
 */

#define DURATION_MAX	(100LL * 366 * 86400)

bool duration_parse(int64_t *seconds, const char *text);

/* The shortest exact form: "30d", "1h30m", "0s".  Returns BUF. */
char *duration_print(char *buf, size_t size, int64_t seconds);

/* For eyes, the one or two largest units: "3d4h", "15m".  Returns BUF. */
char *duration_print_short(char *buf, size_t size, int64_t seconds);

#endif
