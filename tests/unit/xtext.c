/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "plain.h"
#include "tap.h"
#include "xtext.h"

#define ROOM	24

/* WANT is NULL where the form is broken. */
struct row {
	const char *in, *want;
};

static const struct row decodes[] = {
	{ "", "" },
	{ "abc", "abc" },
	{ "a@b.test", "a@b.test" },
	{ "a+2Bb@c.test", "a+b@c.test" },
	{ "a+3Db", "a=b" },
	{ "+20", " " },
	{ "+0A", "\n" },
	{ "+E4", "\344" },
	{ "\\x{E4}", "\\x{E4}" },
	{ "+FF+FE", "\377\376" },
	{ "a+2B2B", "a+2B" },
	{ "12345678901234567890123", "12345678901234567890123" },
	{ "123456789012345678901234", NULL },
	{ "1234567890123456789012+2B", "1234567890123456789012+" },
	{ "12345678901234567890123+2B", NULL },
	{ "+00", NULL },
	{ "+2b", NULL },
	{ "+2", NULL },
	{ "+", NULL },
	{ "a+", NULL },
	{ "+G0", NULL },
	{ "+0G", NULL },
	{ "++20", NULL },
	{ "a=b", NULL },
	{ "a b", NULL },
	{ "a\tb", NULL },
	{ "a\177", NULL },
	{ "\303\244", NULL },
};

static const struct row encodes[] = {
	{ "", "" },
	{ "a@b.test", "a@b.test" },
	{ "a+b=c", "a+2Bb+3Dc" },
	{ " \t\r\n", "+20+09+0D+0A" },
	{ "\303\244\177", "+C3+A4+7F" },
	{ "!~\\", "!~\\" },
	{ "        ", NULL },
	{ "                ", NULL },
};

static const struct row decodes_utf8[] = {
	{ "", "" },
	{ "a@b.test", "a@b.test" },
	{ "\\x{E4}@b.test", "\303\244@b.test" },
	{ "\\x{e4}", "\303\244" },
	{ "\303\244", "\303\244" },
	{ "\\x{80}", "\302\200" },
	{ "\\x{4F8B}", "\344\276\213" },
	{ "\\x{1F600}", "\360\237\230\200" },
	{ "\\x{10FFFF}", "\364\217\277\277" },
	{ "\\x{20}\\x{2B}\\x{3D}\\x{5C}", " +=\\" },
	{ "a+2Bb", "a+b" },
	{ "+20", " " },
	{ "12345678901234567890123", "12345678901234567890123" },
	{ "1234567890123456789012\\x{2B}", "1234567890123456789012+" },
	{ "1234567890123456789012\303\244", NULL },
	{ "123456789012345678901\303\244", "123456789012345678901\303\244" },
	{ "\\x{110000}", NULL },
	{ "\\x{D800}", NULL },
	{ "\\x{DFFF}", NULL },
	{ "\\x{1000000}", NULL },
	{ "\\x{41}", NULL },
	{ "\\x{7F}", NULL },
	{ "\\x{00E4}", NULL },
	{ "\\x{0A}", NULL },
	{ "\\x{1F}", NULL },
	{ "\\x{}", NULL },
	{ "\\x{E}", NULL },
	{ "\\x{E4", NULL },
	{ "\\x{E4E4E4", NULL },
	{ "\\xE4", NULL },
	{ "\\X{E4}", NULL },
	{ "\\x{G4}", NULL },
	{ "\\", NULL },
	{ "\\\\", NULL },
	{ "+", NULL },
	{ "+0A", NULL },
	{ "+7F", NULL },
	{ "+C3+A4", NULL },
	{ "a=b", NULL },
	{ "a b", NULL },
	{ "\344", NULL },
	{ "\300\257", NULL },
};

static const struct row encodes_utf8[] = {
	{ "", "" },
	{ "a@b.test", "a@b.test" },
	{ "\303\244@b", "\\x{E4}@b" },
	{ "a+b=c\\", "a\\x{2B}b\\x{3D}c\\x{5C}" },
	{ " ", "\\x{20}" },
	{ "\360\237\230\200", "\\x{1F600}" },
	{ "\364\217\277\277", "\\x{10FFFF}" },
	{ "\344\344", NULL },
	{ "\n", NULL },
	{ "\177", NULL },
	{ "\303\244\303\244\303\244\303\244", NULL },
};

static void
check(const char *what, const struct row *row, size_t n,
    bool (*turn)(char *out, size_t size, const char *text, size_t len))
{
	char name[128], out[ROOM], *in;
	size_t len;
	bool good;

	for (size_t i = 0; i < n; i++) {
		len = strlen(row[i].in);
		/* Without its NUL: nothing behind it may be read. */
		if ((in = malloc(len == 0 ? 1 : len)) == NULL)
			abort();
		memcpy(in, row[i].in, len);
		good = turn(out, sizeof(out), in, len);
		is_str(good ? out : NULL, row[i].want, "%s %s", what,
		    plain(name, sizeof(name), row[i].in));
		if (!good)
			is_str(out, "", "%s %s: nothing left", what, name);
		free(in);
	}
}

/* Whatever is written is read again. */
static void
check_round(void)
{
	char text[256], form[1024], again[1024];
	size_t n = 0;

	for (int c = 1; c < 256; c++)
		text[n++] = (char)c;
	ok(xtext_encode(form, sizeof(form), text, n) &&
	    xtext_decode(again, sizeof(again), form, strlen(form)),
	    "all octets there and back");
	is_mem(again, strlen(again), text, n, "and the same");
	n = 0;
	for (int c = ' '; c < 0x7f; c++)
		text[n++] = (char)c;
	ok(xtext_encode_utf8(form, sizeof(form), text, n) &&
	    xtext_decode_utf8(again, sizeof(again), form, strlen(form)),
	    "all of printable ASCII as UTF-8");
	is_mem(again, strlen(again), text, n, "and the same");
	ok(!xtext_encode(form, 3, "+", 1) && xtext_encode(form, 4, "+", 1),
	    "the last octet of room is the NUL's");
	ok(!xtext_encode_utf8(form, 6, "+", 1) &&
	    xtext_encode_utf8(form, 7, "+", 1), "there too");
}

#define CHECK(function, rows) \
	check(#function, (rows), sizeof(rows) / sizeof((rows)[0]), (function))

int
main(void)
{
	CHECK(xtext_decode, decodes);
	CHECK(xtext_encode, encodes);
	CHECK(xtext_decode_utf8, decodes_utf8);
	CHECK(xtext_encode_utf8, encodes_utf8);
	check_round();
	return done_testing();
}
