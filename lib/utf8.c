/* SPDX-License-Identifier: ISC */
#include "utf8.h"

/* The smallest character of so many octets: less is an overlong form. */
static const uint32_t least[UTF8_MAX + 1] = { 0, 0, 0x80, 0x800, 0x10000 };

static bool
is_character(uint32_t point)
{
	return point <= 0x10ffff && (point < 0xd800 || point > 0xdfff);
}

size_t
utf8_next(uint32_t *point, const char *text, size_t len)
{
	uint32_t c, all;
	size_t n;

	if (len == 0)
		return 0;
	c = (unsigned char)text[0];
	n = c < 0x80 ? 1 : c < 0xc0 ? 0 : c < 0xe0 ? 2 : c < 0xf0 ? 3 :
	    c < 0xf8 ? 4 : 0;
	if (n == 0 || n > len)
		return 0;
	all = n == 1 ? c : c & (0x7fU >> n);
	for (size_t i = 1; i < n; i++) {
		c = (unsigned char)text[i];
		if ((c & 0xc0) != 0x80)
			return 0;
		all = all << 6 | (c & 0x3f);
	}
	if (all < least[n] || !is_character(all))
		return 0;
	if (point != NULL)
		*point = all;
	return n;
}

size_t
utf8_put(char *out, uint32_t point)
{
	size_t n = UTF8_MAX;

	if (!is_character(point))
		return 0;
	if (point < 0x80) {
		out[0] = (char)point;
		return 1;
	}
	while (point < least[n])
		n--;
	for (size_t i = n; i-- > 1; point >>= 6)
		out[i] = (char)(0x80 | (point & 0x3f));
	out[0] = (char)((0xf00U >> n & 0xff) | point);
	return n;
}

bool
utf8_valid(const char *text, size_t len)
{
	size_t n;

	for (; len != 0; text += n, len -= n)
		if ((n = utf8_next(NULL, text, len)) == 0)
			return false;
	return true;
}
