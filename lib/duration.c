/* SPDX-License-Identifier: ISC */
#include "duration.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const struct {
	char letter;
	int64_t seconds;
} units[] = {
	{ 'w', 7 * 86400 },
	{ 'd', 86400 },
	{ 'h', 3600 },
	{ 'm', 60 },
	{ 's', 1 },
};
#define NUNITS (sizeof(units) / sizeof(units[0]))

static int64_t
unit(char letter)
{
	for (size_t i = 0; i < NUNITS; i++)
		if (units[i].letter == letter)
			return units[i].seconds;
	return 0;
}

bool
duration_parse(int64_t *seconds, const char *text)
{
	int64_t total = 0, n, scale;

	if (*text == '\0')
		return false;
	while (*text != '\0') {
		if (!isdigit((unsigned char)*text))
			return false;
		for (n = 0; isdigit((unsigned char)*text); text++) {
			n = n * 10 + (*text - '0');
			if (n > DURATION_MAX)
				return false;
		}
		if (*text == '\0')
			scale = 1;
		else if ((scale = unit(*text++)) == 0)
			return false;
		if (n > DURATION_MAX / scale)
			return false;
		total += n * scale;
		if (total > DURATION_MAX)
			return false;
	}
	*seconds = total;
	return true;
}

static char *
print(char *buf, size_t size, int64_t seconds, int most)
{
	size_t used = 0;
	int n;

	buf[0] = '\0';
	if (seconds < 0)
		seconds = 0;
	for (size_t i = 0; i < NUNITS && most > 0; i++) {
		int64_t scale = units[i].seconds;

		/* Weeks only where they are the whole of it. */
		if (units[i].letter == 'w' &&
		    (seconds == 0 || seconds % scale != 0 || most < 3))
			continue;
		if (seconds / scale == 0 &&
		    !(units[i].letter == 's' && used == 0))
			continue;
		n = snprintf(buf + used, size - used, "%lld%c",
		    (long long)(seconds / scale), units[i].letter);
		if (n < 0 || (size_t)n >= size - used) {
			buf[used] = '\0';
			break;
		}
		used += (size_t)n;
		seconds %= scale;
		most--;
		if (seconds == 0)
			break;
	}
	return buf;
}

char *
duration_print(char *buf, size_t size, int64_t seconds)
{
	return print(buf, size, seconds, (int)NUNITS);
}

char *
duration_print_short(char *buf, size_t size, int64_t seconds)
{
	return print(buf, size, seconds, 2);
}
