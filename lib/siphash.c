/* SPDX-License-Identifier: ISC */
#include "siphash.h"

struct state {
	uint64_t a, b, c, d;
};

static uint64_t
rotate(uint64_t x, int bits)
{
	return x << bits | x >> (64 - bits);
}

static void
rounds(struct state *s, int n)
{
	while (n-- > 0) {
		s->a += s->b;
		s->c += s->d;
		s->b = rotate(s->b, 13) ^ s->a;
		s->d = rotate(s->d, 16) ^ s->c;
		s->a = rotate(s->a, 32);
		s->c += s->b;
		s->a += s->d;
		s->b = rotate(s->b, 17) ^ s->c;
		s->d = rotate(s->d, 21) ^ s->a;
		s->c = rotate(s->c, 32);
	}
}

/* N octets, the first is the lowest. */
static uint64_t
word_of(const unsigned char *p, size_t n)
{
	uint64_t word = 0;

	while (n-- > 0)
		word = word << 8 | p[n];
	return word;
}

uint64_t
siphash(const uint64_t key[2], const void *data, size_t len)
{
	struct state s = {
		key[0] ^ UINT64_C(0x736f6d6570736575),
		key[1] ^ UINT64_C(0x646f72616e646f6d),
		key[0] ^ UINT64_C(0x6c7967656e657261),
		key[1] ^ UINT64_C(0x7465646279746573),
	};
	const unsigned char *p = data;
	size_t left = len;
	uint64_t word;

	for (;; p += 8, left -= 8) {
		word = left >= 8 ? word_of(p, 8) :
		    word_of(p, left) | (uint64_t)len << 56;
		s.d ^= word;
		rounds(&s, 2);
		s.a ^= word;
		if (left < 8)
			break;
	}
	s.c ^= 0xff;
	rounds(&s, 4);
	return s.a ^ s.b ^ s.c ^ s.d;
}
