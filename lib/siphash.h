/* SPDX-License-Identifier: ISC */
#ifndef MX_SIPHASH_H
#define MX_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

/*
 * SipHash-2-4 (Aumasson and Bernstein, 2012): a 64-bit hash under a key of
 * 128 bits.  Who does not know the key cannot choose what collides.
 */
uint64_t siphash(const uint64_t key[2], const void *data, size_t len);

#endif
