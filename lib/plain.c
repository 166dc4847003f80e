/* SPDX-License-Identifier: ISC */
#include "plain.h"

#include <string.h>
#include <vis.h>

char *
plain_mem(char *buf, size_t size, const char *text, size_t len)
{
	char one[8];
	size_t used = 0, n;

	for (size_t i = 0; i < len; i++) {
		/* vis(3) asks the locale; beyond ASCII nothing is plain. */
		unsigned char c = (unsigned char)text[i];

		if (c >= ' ' && c < 0x7f) {
			one[0] = (char)c;
			one[1] = '\0';
		} else if (c >= 0x80)
			(void)vis(one, c, VIS_OCTAL, 0);
		else
			(void)vis(one, c, VIS_CSTYLE | VIS_OCTAL | VIS_TAB |
			    VIS_NL, '0');
		n = strlen(one);
		if (used + n >= size)
			break;
		memcpy(buf + used, one, n);
		used += n;
	}
	buf[used] = '\0';
	return buf;
}

char *
plain(char *buf, size_t size, const char *text)
{
	return plain_mem(buf, size, text, strlen(text));
}

char *
plain_unquote(char *text)
{
	char *p;

	for (p = text; (p = strchr(p, '"')) != NULL; p++)
		*p = '\'';
	return text;
}
