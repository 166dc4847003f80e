/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "plain.h"
#include "tap.h"

#define S(text) text, sizeof(text) - 1

static const struct {
	const char *name;
	const char *in;
	size_t len;
	const char *want;
} cases[] = {
	{ "nothing", S(""), "" },
	{ "words", S("550 no such user"), "550 no such user" },
	{ "all of ASCII's marks", S("!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~"),
	    "!\"#$%&'()*+,-./:;<=>?@[]^_`{|}~" },
	{ "backslash stays", S("a\\b"), "a\\b" },
	{ "escape sequence", S("\033[2J"), "\\033[2J" },
	{ "window title", S("\033]0;x\007"), "\\033]0;x\\a" },
	{ "C1 in one octet", S("\2332J"), "\\2332J" },
	{ "line end", S("a\r\nb"), "a\\r\\nb" },
	{ "tab", S("a\tb"), "a\\tb" },
	{ "NUL", S("a\0b"), "a\\000b" },
	{ "NUL before a digit", S("a\0" "1"), "a\\0001" },
	{ "delete", S("\177"), "\\177" },
	{ "UTF-8", S("\303\244"), "\\303\\244" },
	{ "direction override", S("\342\200\256"), "\\342\\200\\256" },
	{ "last octet", S("\377"), "\\377" },
};

static void
check_room(void)
{
	char buf[16];
	size_t size;

	for (size = 1; size <= sizeof(buf); size++) {
		memset(buf, '#', sizeof(buf));
		plain_mem(buf, size, "a\033b\033c", 5);
		/* a \033 b \033 c: a whole escape or none of it */
		is_int(strlen(buf), size <= 1 ? 0 : size <= 5 ? 1 :
		    size == 6 ? 5 : size <= 10 ? 6 : size == 11 ? 10 : 11,
		    "half an escape is none, room for %zu", size);
		if (size < sizeof(buf))
			ok(buf[size] == '#', "nothing behind room for %zu",
			    size);
	}
}

static void
check_alphabet(void)
{
	char buf[16], c, *p;
	bool good = true;

	for (int i = 0; i < 256; i++) {
		c = (char)i;
		plain_mem(buf, sizeof(buf), &c, 1);
		for (p = buf; *p != '\0'; p++)
			good = good && *p >= ' ' && *p <= '~';
		good = good && p > buf;
	}
	ok(good, "every octet becomes printable ASCII");
}

int
main(void)
{
	char buf[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		is_str(plain_mem(buf, sizeof(buf), cases[i].in, cases[i].len),
		    cases[i].want, "%s", cases[i].name);
	is_str(plain(buf, sizeof(buf), "a b"), "a b", "a string");
	is_str(plain_unquote(buf), "a b", "without quotes");
	(void)strlcpy(buf, "\"a\" b\"", sizeof(buf));
	is_str(plain_unquote(buf), "'a' b'", "with some");
	check_room();
	check_alphabet();
	return done_testing();
}
