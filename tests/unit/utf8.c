/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "tap.h"
#include "utf8.h"

static const struct {
	const char *name, *in;
	size_t len;		/* of in's first character; 0 none */
	uint32_t point;
} characters[] = {
	{ "a letter", "A", 1, 'A' },
	{ "DEL", "\177", 1, 0x7f },
	{ "the first of two octets", "\302\200", 2, 0x80 },
	{ "a letter with dots", "\303\244x", 2, 0xe4 },
	{ "the last of two octets", "\337\277", 2, 0x7ff },
	{ "the first of three", "\340\240\200", 3, 0x800 },
	{ "the last before the surrogates", "\355\237\277", 3, 0xd7ff },
	{ "the first behind them", "\356\200\200", 3, 0xe000 },
	{ "the last of three", "\357\277\277", 3, 0xffff },
	{ "the first of four", "\360\220\200\200", 4, 0x10000 },
	{ "the very last", "\364\217\277\277", 4, 0x10ffff },
	{ "one above it", "\364\220\200\200", 0, 0 },
	{ "a surrogate", "\355\240\200", 0, 0 },
	{ "the last surrogate", "\355\277\277", 0, 0 },
	{ "a slash in two octets", "\300\257", 0, 0 },
	{ "C1", "\301\277", 0, 0 },
	{ "a slash in three octets", "\340\200\257", 0, 0 },
	{ "a slash in four octets", "\360\200\200\257", 0, 0 },
	{ "overlong U+FFFF", "\360\217\277\277", 0, 0 },
	{ "an octet of a middle", "\200", 0, 0 },
	{ "five octets", "\370\210\200\200\200", 0, 0 },
	{ "FF", "\377", 0, 0 },
	{ "a broken middle", "\303A", 0, 0 },
	{ "a lead in the middle", "\342\202\303", 0, 0 },
	{ "nothing", "", 0, 0 },
};

static void
check(size_t i)
{
	const char *name = characters[i].name, *in = characters[i].in;
	size_t len = characters[i].len;
	char out[UTF8_MAX];
	uint32_t point = 0;
	char *heap;

	is_int(utf8_next(&point, in, strlen(in)), len, "%s: length", name);
	is_int(point, characters[i].point, "%s: value", name);
	if (len == 0)
		return;
	is_mem(out, utf8_put(out, point), in, len, "%s: put again", name);
	/* Cut short it is none, and nothing behind the cut is read. */
	for (size_t n = 1; n < len; n++) {
		if ((heap = malloc(n)) == NULL)
			abort();
		memcpy(heap, in, n);
		ok(utf8_next(NULL, heap, n) == 0 && !utf8_valid(heap, n),
		    "%s: cut to %zu", name, n);
		free(heap);
	}
}

/* Each code point there is comes back, and each other is refused. */
static void
check_all(void)
{
	size_t n, wrong = 0, most = 0;
	char out[UTF8_MAX];
	uint32_t again;

	for (uint32_t point = 0; point <= 0x110000; point++) {
		n = utf8_put(out, point);
		if (n == 0)
			most += point < 0x110000;
		else if (utf8_next(&again, out, n) != n || again != point)
			wrong++;
	}
	is_int(wrong, 0, "all characters come back");
	is_int(most, 2048, "the surrogates are none");
	is_int(utf8_put(out, UINT32_MAX), 0, "nor is the largest number");
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(characters) / sizeof(characters[0]); i++)
		check(i);
	check_all();
	ok(utf8_valid("", 0), "nothing is valid");
	ok(utf8_valid("p\303\244r@\344\276\213.test", 13), "an address is");
	ok(!utf8_valid("p\344r@x.test", 9), "one in Latin-1 is not");
	ok(!utf8_valid("ab\303", 3), "nor one that is cut off");
	return done_testing();
}
