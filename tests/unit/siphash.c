/* SPDX-License-Identifier: ISC */
#include "siphash.h"
#include "tap.h"

/* The authors' vectors: key 00..0f, data 00, 01, ... of each length. */
static const struct {
	size_t len;
	uint64_t want;
} cases[] = {
	{ 0, UINT64_C(0x726fdb47dd0e0e31) },
	{ 1, UINT64_C(0x74f839c593dc67fd) },
	{ 7, UINT64_C(0xab0200f58b01d137) },
	{ 8, UINT64_C(0x93f5f5799a932462) },
	{ 15, UINT64_C(0xa129ca6149be45e5) },
	{ 63, UINT64_C(0x958a324ceb064572) },
};

int
main(void)
{
	static const uint64_t key[2] = { UINT64_C(0x0706050403020100),
	    UINT64_C(0x0f0e0d0c0b0a0908) };
	unsigned char data[64];

	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)i;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		ok(siphash(key, data, cases[i].len) == cases[i].want,
		    "%zu octets", cases[i].len);
	return done_testing();
}
