/* SPDX-License-Identifier: ISC */
#include "xtext.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "utf8.h"

static bool
is_xchar(unsigned char c)
{
	return c > ' ' && c < 0x7f && c != '+' && c != '=';
}

/* The value of a digit, -1 if it is none. */
static int
hex(char c)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *p;

	if (c == '\0' || (p = strchr(digits, c)) == NULL)
		return -1;
	return (int)(p - digits);
}

/* The octet of "+HH" at TEXT; 0 if that is not there. */
static unsigned char
plus(const char *text, size_t len)
{
	int high, low;

	if (len < 3 || text[0] != '+' || (high = hex(text[1])) == -1 ||
	    (low = hex(text[2])) == -1)
		return '\0';
	return (unsigned char)(high << 4 | low);
}

bool
xtext_decode(char *out, size_t size, const char *text, size_t len)
{
	size_t o = 0, n;
	unsigned char c;

	for (size_t i = 0; i < len; i += n) {
		n = text[i] == '+' ? 3 : 1;
		c = n == 1 ? (unsigned char)text[i] : plus(text + i, len - i);
		if (c == '\0' || (n == 1 && !is_xchar(c)) || o + 1 >= size) {
			out[0] = '\0';
			return false;
		}
		out[o++] = (char)c;
	}
	out[o] = '\0';
	return true;
}

bool
xtext_encode(char *out, size_t size, const char *text, size_t len)
{
	size_t o = 0, n;

	for (size_t i = 0; i < len; i++) {
		unsigned char c = (unsigned char)text[i];

		n = is_xchar(c) ? 1 : 3;
		if (n >= size - o) {
			out[0] = '\0';
			return false;
		}
		if (n == 1)
			out[o] = (char)c;
		else
			(void)snprintf(out + o, size - o, "+%02X", c);
		o += n;
	}
	out[o] = '\0';
	return true;
}

/*
 * "\x{HEX}" at TEXT (EmbeddedUnicodeChar): two to six digits, no zero to pad
 * them, and of ASCII only what xtext cannot say otherwise.  Returns its
 * length, 0 if it is none.
 */
static size_t
embedded(uint32_t *point, const char *text, size_t len)
{
	size_t i;
	int d;

	if (len < 6 || memcmp(text, "\\x{", 3) != 0 || text[3] == '0')
		return 0;
	*point = 0;
	for (i = 3; i < len && i < 3 + 6 && text[i] != '}'; i++) {
		/* ABNF strings know no case (RFC 5234 2.3). */
		d = hex(text[i] >= 'a' ? (char)(text[i] - 'a' + 'A') : text[i]);
		if (d == -1)
			return 0;
		*point = *point << 4 | (uint32_t)d;
	}
	if (i < 3 + 2 || i == len || text[i] != '}')
		return 0;
	if (*point < 0x80 && strchr(" +=\\", (int)*point) == NULL)
		return 0;
	return i + 1;
}

/* One character of any of the forms; its length, 0 if there is none. */
static size_t
character(uint32_t *point, const char *text, size_t len)
{
	if (text[0] == '\\')
		return embedded(point, text, len);
	if (text[0] == '+') {
		*point = plus(text, len);
		return *point >= ' ' && *point < 0x7f ? 3 : 0;
	}
	if ((unsigned char)text[0] < 0x80 && !is_xchar((unsigned char)text[0]))
		return 0;
	return utf8_next(point, text, len);
}

bool
xtext_decode_utf8(char *out, size_t size, const char *text, size_t len)
{
	char octets[UTF8_MAX];
	uint32_t point;
	size_t o = 0, n, put;

	for (size_t i = 0; i < len; i += n) {
		n = character(&point, text + i, len - i);
		put = n == 0 ? 0 : utf8_put(octets, point);
		if (put == 0 || put >= size - o) {
			out[0] = '\0';
			return false;
		}
		memcpy(out + o, octets, put);
		o += put;
	}
	out[o] = '\0';
	return true;
}

/* The form of a character as utf-8-addr-xtext; false if it has none. */
static bool
form_of(char *form, size_t size, uint32_t point)
{
	if (point < ' ' || point == 0x7f)
		return false;
	if (point < 0x80 && is_xchar((unsigned char)point) && point != '\\')
		(void)snprintf(form, size, "%c", (int)point);
	else
		(void)snprintf(form, size, "\\x{%02X}", (unsigned)point);
	return true;
}

bool
xtext_encode_utf8(char *out, size_t size, const char *text, size_t len)
{
	char form[16];
	uint32_t point;
	size_t n, put, o = 0;

	for (size_t i = 0; i < len; i += n) {
		n = utf8_next(&point, text + i, len - i);
		if (n == 0 || !form_of(form, sizeof(form), point) ||
		    (put = strlen(form)) >= size - o) {
			out[0] = '\0';
			return false;
		}
		memcpy(out + o, form, put);
		o += put;
	}
	out[o] = '\0';
	return true;
}
