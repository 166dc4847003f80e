/* SPDX-License-Identifier: ISC */
#ifndef MX_UTF8_H
#define MX_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * UTF-8 as RFC 3629 has it: the shortest form only, no surrogates, nothing
 * above U+10FFFF.  No I/O, no tables, no locale.
 */

#define UTF8_MAX	4	/* octets of one character */

/*
 * The character at TEXT, which has LEN octets left, into *POINT (may be
 * NULL).  Returns how many octets it takes, 0 if there is none.
 */
size_t utf8_next(uint32_t *point, const char *text, size_t len);

/*
 * Writes POINT, UTF8_MAX octets at most, no NUL behind it.  Returns how
 * many; 0 if there is no such character.
 */
size_t utf8_put(char *out, uint32_t point);

/* All of it; plain ASCII and nothing at all are valid too. */
bool utf8_valid(const char *text, size_t len);

#endif
