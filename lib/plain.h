/* SPDX-License-Identifier: ISC */
#ifndef MX_PLAIN_H
#define MX_PLAIN_H

#include <stddef.h>

/*
 * Text from strangers made plain: everything but printable ASCII becomes an
 * escape of vis(3) (VIS_CSTYLE, octal), so that it can neither move a
 * terminal's cursor nor forge a second log line or field.  Spaces stay, and
 * so do backslashes: what is plain may be made plain again unchanged.
 */

/*
 * Writes at most SIZE - 1 bytes and a NUL, never half an escape.  Returns
 * BUF.
 */
char *plain(char *buf, size_t size, const char *text);
char *plain_mem(char *buf, size_t size, const char *text, size_t len);

/* TEXT, in place, without what would end a quoted value of a log line. */
char *plain_unquote(char *text);

#endif
