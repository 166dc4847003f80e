/* SPDX-License-Identifier: ISC */
#ifndef MX_XTEXT_H
#define MX_XTEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * How an ESMTP parameter carries text that has blanks, "=" or worse: xtext
 * (RFC 3461 4) and its two forms for UTF-8 (RFC 6533 3).
 *
 * LEN octets of TEXT are read, SIZE - 1 at most and a NUL written to OUT.
 * False when it does not fit or TEXT is not of the form said; OUT is then
 * "".  OUT and TEXT may not overlap.
 */

/*
 * "+" and two upper-case hexadecimal digits stand for an octet.  Whatever
 * octets come out are for the caller to judge; only "+00" is refused, since
 * no string can hold it.
 */
bool xtext_decode(char *out, size_t size, const char *text, size_t len);

/* Of every octet that may not stand for itself. */
bool xtext_encode(char *out, size_t size, const char *text, size_t len);

/*
 * The address of an ORCPT of type utf-8 into UTF-8: utf-8-addr-xtext and
 * utf-8-addr-unitext, "\x{E4}", besides "+20", which RFC 3461 has in an
 * address of any type.  No control character of ASCII comes out.
 */
bool xtext_decode_utf8(char *out, size_t size, const char *text, size_t len);

/*
 * UTF-8 into utf-8-addr-xtext, which is all ASCII: what to send where
 * SMTPUTF8 is not offered.
 */
bool xtext_encode_utf8(char *out, size_t size, const char *text, size_t len);

#endif
