/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "dot.h"
#include "tap.h"

#define S(text) text, sizeof(text) - 1

/* What a client sends after 354; REST is not to be consumed. */
static const struct {
	const char *name;
	const char *in;
	size_t len;
	const char *want;
	size_t wantlen;
	unsigned faults;
	size_t rest;
	bool done;
} cases[] = {
	{ "empty", S(".\r\n"), S(""), 0, 0, true },
	{ "one line", S("a\r\n.\r\n"), S("a\r\n"), 0, 0, true },
	{ "empty line", S("\r\n.\r\n"), S("\r\n"), 0, 0, true },
	{ "a command follows", S("a\r\n.\r\nQUIT\r\n"), S("a\r\n"), 0, 6,
	    true },
	{ "a second end follows", S(".\r\n.\r\n"), S(""), 0, 3, true },
	{ "a dot of its own", S("..\r\n.\r\n"), S(".\r\n"), 0, 0, true },
	{ "two dots", S("...\r\n.\r\n"), S("..\r\n"), 0, 0, true },
	{ "dot before text", S("..a\r\n.\r\n"), S(".a\r\n"), 0, 0, true },
	{ "a dot not doubled", S(".a\r\n.\r\n"), S("a\r\n"), 0, 0, true },
	{ "dots within", S("a.b.\r\n.\r\n"), S("a.b.\r\n"), 0, 0, true },
	{ "no end", S("a\r\nb"), S("a\r\nb"), 0, 0, false },
	{ "no end, dot held", S("a\r\n."), S("a\r\n"), 0, 0, false },
	{ "no end, CR held", S("a\r\n.\r"), S("a\r\n"), 0, 0, false },
	{ "8 bit", S("\377\200\r\n.\r\n"), S("\377\200\r\n"), 0, 0, true },
	{ "NUL", S("a\0b\r\n.\r\n"), S("a\0b\r\n"), DOT_NUL, 0, true },
	{ "bare LF", S("a\nb\r\n.\r\n"), S("a\nb\r\n"), DOT_BARE_LF, 0, true },
	{ "bare CR", S("a\rb\r\n.\r\n"), S("a\rb\r\n"), DOT_BARE_CR, 0, true },
	{ "LF at once", S("\n.\r\n"), S("\n.\r\n"), DOT_BARE_LF, 0, false },
	{ "CR at once", S("\r.\r\n"), S("\r.\r\n"), DOT_BARE_CR, 0, false },
	/* The odd ends; none of them may be one. */
	{ "LF.LF", S("a\n.\n"), S("a\n.\n"), DOT_BARE_LF, 0, false },
	{ "LF.CRLF", S("a\n.\r\n"), S("a\n.\r\n"), DOT_BARE_LF, 0, false },
	{ "CRLF.LF", S("a\r\n.\nb"), S("a\r\n\nb"), DOT_BARE_LF, 0, false },
	{ "CRLF.CR", S("a\r\n.\rb"), S("a\r\n\rb"), DOT_BARE_CR, 0, false },
	{ "CR.CR", S("a\r.\rb"), S("a\r.\rb"), DOT_BARE_CR, 0, false },
	{ "CR.CRLF", S("a\r.\r\n"), S("a\r.\r\n"), DOT_BARE_CR, 0, false },
	{ "CR.LF", S("a\r.\n"), S("a\r.\n"), DOT_BARE_CR | DOT_BARE_LF, 0,
	    false },
	{ "LF.CR", S("a\n.\rb"), S("a\n.\rb"), DOT_BARE_CR | DOT_BARE_LF, 0,
	    false },
	{ "LF.CRCRLF", S("a\n.\r\r\n"), S("a\n.\r\r\n"),
	    DOT_BARE_CR | DOT_BARE_LF, 0, false },
	{ "CRLF.CRCRLF", S("a\r\n.\r\r\n"), S("a\r\n\r\r\n"), DOT_BARE_CR, 0,
	    false },
	{ "CRCRLF.CRLF", S("a\r\r\n.\r\n"), S("a\r\r\n"), DOT_BARE_CR, 0,
	    true },
	{ "LFLF.CRLF", S("a\n\n.\r\n"), S("a\n\n.\r\n"), DOT_BARE_LF, 0,
	    false },
	{ "NUL before the dot", S("a\r\n\0.\r\n"), S("a\r\n\0.\r\n"), DOT_NUL,
	    0, false },
	{ "NUL behind the dot", S("a\r\n.\0\r\n"), S("a\r\n\0\r\n"), DOT_NUL,
	    0, false },
	{ "NUL between CR and LF", S("a\r\n.\r\0\n"), S("a\r\n\r\0\n"),
	    DOT_NUL | DOT_BARE_CR | DOT_BARE_LF, 0, false },
	{ "space before", S("a\r\n .\r\n"), S("a\r\n .\r\n"), 0, 0, false },
	{ "space behind", S("a\r\n. \r\n"), S("a\r\n \r\n"), 0, 0, false },
	{ "tab before", S("a\r\n\t.\r\n"), S("a\r\n\t.\r\n"), 0, 0, false },
	{ "tab behind", S("a\r\n.\t\r\n"), S("a\r\n\t\r\n"), 0, 0, false },
	{ "form feed", S("a\f.\f\r\n"), S("a\f.\f\r\n"), 0, 0, false },
	{ "vertical tab", S("a\v.\v\r\n"), S("a\v.\v\r\n"), 0, 0, false },
	{ "U+0085", S("a\302\205.\302\205"), S("a\302\205.\302\205"), 0, 0,
	    false },
	{ "U+2028", S("a\342\200\250.\342\200\250"),
	    S("a\342\200\250.\342\200\250"), 0, 0, false },
	{ "CRLF..LF", S("a\r\n..\n"), S("a\r\n.\n"), DOT_BARE_LF, 0, false },
	{ "LFCR.LFCR", S("a\n\r.\n\rb"), S("a\n\r.\n\rb"),
	    DOT_BARE_LF | DOT_BARE_CR, 0, false },
};

/* Feeds IN in pieces, exactly as large as the contract says. */
static void
check(size_t i, size_t piece)
{
	struct dot_decoder d;
	char all[256], *in, *out;
	size_t used = 0, got = 0, n, o, took;

	dot_decoder_init(&d);
	while (used < cases[i].len && !d.done) {
		n = cases[i].len - used < piece ? cases[i].len - used : piece;
		in = malloc(n);
		out = malloc(n + 3);
		if (in == NULL || out == NULL)
			abort();
		memcpy(in, cases[i].in + used, n);
		took = dot_decode(&d, in, n, out, &o);
		if (!d.done && took != n)
			ok(false, "%s: all is used by %zu", cases[i].name,
			    piece);
		memcpy(all + got, out, o);
		got += o;
		used += took;
		free(in);
		free(out);
		if (took == 0)
			break;
	}
	is_mem(all, got, cases[i].want, cases[i].wantlen, "%s: text by %zu",
	    cases[i].name, piece);
	is_int(d.done, cases[i].done, "%s: end by %zu", cases[i].name, piece);
	is_int(d.faults, cases[i].faults, "%s: faults by %zu", cases[i].name,
	    piece);
	is_int(cases[i].len - used, cases[i].rest, "%s: rest by %zu",
	    cases[i].name, piece);
}

static const struct {
	const char *name;
	const char *in;
	const char *want;
} encoded[] = {
	{ "empty", "", ".\r\n" },
	{ "a line", "a\r\n", "a\r\n.\r\n" },
	{ "a dot", ".\r\n", "..\r\n.\r\n" },
	{ "dots", "..a\r\n.b\r\nc.\r\n", "...a\r\n..b\r\nc.\r\n.\r\n" },
	{ "no final newline", "a", "a\r\n.\r\n" },
	{ "a final CR", "a\r", "a\r\n.\r\n" },
	{ "a dot alone at the end", "a\r\n.", "a\r\n..\r\n.\r\n" },
	{ "an empty line", "\r\n", "\r\n.\r\n" },
	{ "dot behind an empty line", "\r\n\r\n.", "\r\n\r\n..\r\n.\r\n" },
};

static void
check_encoder(size_t i, size_t piece)
{
	struct dot_encoder e;
	char all[256], *out;
	size_t len = strlen(encoded[i].in), at, n, o = 0, k;

	dot_encoder_init(&e);
	for (at = 0; at < len; at += n) {
		n = len - at < piece ? len - at : piece;
		if ((out = malloc(2 * n)) == NULL)
			abort();
		k = dot_encode(&e, encoded[i].in + at, n, out);
		memcpy(all + o, out, k);
		o += k;
		free(out);
	}
	if ((out = malloc(5)) == NULL)
		abort();
	k = dot_encode_end(&e, out);
	memcpy(all + o, out, k);
	all[o + k] = '\0';
	free(out);
	is_str(all, encoded[i].want, "encode %s by %zu", encoded[i].name,
	    piece);
}

/* The text of chunks, cut at every place. */
static const struct {
	const char *name;
	const char *in;
	size_t len;
	unsigned faults;
} watched[] = {
	{ "nothing", S(""), 0 },
	{ "a line", S("a\r\n"), 0 },
	{ "no end of line", S("a\r\nb"), 0 },
	{ "lines of nothing", S("\r\n\r\n\r\n"), 0 },
	{ "dots are text", S("\r\n.\r\n..\r\n"), 0 },
	{ "bare LF", S("a\nb\r\n"), DOT_BARE_LF },
	{ "LF at once", S("\na\r\n"), DOT_BARE_LF },
	{ "LF after a line", S("a\r\n\n"), DOT_BARE_LF },
	{ "bare CR", S("a\rb\r\n"), DOT_BARE_CR },
	{ "CR before a line's end", S("a\r\r\n"), DOT_BARE_CR },
	{ "CR at the end", S("a\r"), DOT_BARE_CR },
	{ "both", S("a\rb\nc"), DOT_BARE_CR | DOT_BARE_LF },
	{ "NUL", S("a\0\r\n"), DOT_NUL },
};

static void
check_watch(void)
{
	struct dot_watch w;

	for (size_t i = 0; i < sizeof(watched) / sizeof(watched[0]); i++)
		for (size_t cut = 0; cut <= watched[i].len; cut++) {
			dot_watch_init(&w);
			dot_watch(&w, watched[i].in, cut);
			dot_watch(&w, watched[i].in + cut,
			    watched[i].len - cut);
			dot_watch_end(&w);
			is_int(w.faults, watched[i].faults,
			    "watched: %s, cut at %zu", watched[i].name, cut);
		}
}

int
main(void)
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check(i, 1000);
		check(i, 1);
		check(i, 2);
		check(i, 3);
	}
	for (size_t i = 0; i < sizeof(encoded) / sizeof(encoded[0]); i++) {
		check_encoder(i, 1000);
		check_encoder(i, 1);
		check_encoder(i, 2);
	}
	check_watch();
	return done_testing();
}
