/* SPDX-License-Identifier: ISC */
/*
 * The framing of DATA: in pieces of any size as in one; text that is encoded
 * comes back; nothing but CRLF.CRLF is an end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "dot.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
need(bool held)
{
	if (!held)
		abort();
}

static void *
get(size_t size)
{
	void *p = malloc(size == 0 ? 1 : size);

	if (p == NULL)
		abort();
	return p;
}

/* Decodes by PIECE into OUT; returns how much of IN was used. */
static size_t
decode(const char *in, size_t len, size_t piece, struct dot_decoder *d,
    char *out, size_t *outlen)
{
	size_t used = 0, n, o;
	char *part;

	dot_decoder_init(d);
	*outlen = 0;
	while (used < len && !d->done) {
		n = len - used < piece ? len - used : piece;
		part = get(n + 3);
		used += dot_decode(d, in + used, n, part, &o);
		need(o <= n + 3);
		memcpy(out + *outlen, part, o);
		*outlen += o;
		free(part);
	}
	return used;
}

/* Where the first true end of IN is, or 0. */
static size_t
true_end(const char *in, size_t len)
{
	const char *p;

	if (len >= 3 && memcmp(in, ".\r\n", 3) == 0)
		return 3;
	p = memmem(in, len, "\r\n.\r\n", 5);
	return p == NULL ? 0 : (size_t)(p - in) + 5;
}

static void
check_decoder(const char *in, size_t len)
{
	char *one = get(len + 8), *all = get(len + 8);
	struct dot_decoder a, b;
	size_t used, onelen, alllen, end = true_end(in, len);

	used = decode(in, len, len + 1, &a, all, &alllen);
	need(a.done == (end != 0) && used == (end != 0 ? end : len));
	for (size_t piece = 1; piece < 5; piece++) {
		need(decode(in, len, piece, &b, one, &onelen) == used);
		need(onelen == alllen && memcmp(one, all, onelen) == 0);
		need(a.done == b.done && a.faults == b.faults);
	}
	free(one);
	free(all);
}

static void
check_encoder(const char *in, size_t len)
{
	char *wire = get(2 * len + 5), *back = get(2 * len + 16);
	struct dot_encoder e;
	struct dot_decoder d;
	size_t half = len / 2, n, backlen;

	dot_encoder_init(&e);
	n = dot_encode(&e, in, half, wire);
	need(n <= 2 * half);
	n += dot_encode(&e, in + half, len - half, wire + n);
	n += dot_encode_end(&e, wire + n);
	need(n <= 2 * len + 5 && true_end(wire, n) == n);
	need(decode(wire, n, n, &d, back, &backlen) == n && d.done);
	need(backlen >= len && backlen <= len + 2);
	need(memcmp(back, in, len) == 0);
	if (len == 0 || (len >= 2 && memcmp(in + len - 2, "\r\n", 2) == 0))
		need(backlen == len);
	free(wire);
	free(back);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char empty[1];
	const char *in = size == 0 ? empty : (const char *)data;

	check_decoder(in, size);
	check_encoder(in, size);
	return 0;
}
