/* SPDX-License-Identifier: ISC */
/* The scan of a header, in pieces and by another way of counting. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
need(bool held)
{
	if (!held)
		abort();
}

static void
count(const char *p, size_t size, unsigned *received, bool *done)
{
	const char *end = p + size, *lf;

	*received = 0;
	*done = false;
	while (p < end && !*done) {
		if (end - p >= 2 && memcmp(p, "\r\n", 2) == 0)
			*done = true;
		else if (end - p >= 9 && strncasecmp(p, "received:", 9) == 0)
			++*received;
		lf = memchr(p, '\n', (size_t)(end - p));
		p = lf == NULL ? end : lf + 1;
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data;
	struct header_scan h;
	unsigned received;
	bool done;

	if (size == 0)
		return 0;
	count(p, size, &received, &done);
	for (size_t piece = 1; piece <= size; piece = piece * 4 + 1) {
		header_scan_init(&h);
		for (size_t i = 0; i < size; i += piece)
			header_scan_feed(&h, p + i, size - i < piece ?
			    size - i : piece);
		need(h.received == received && h.done == done);
	}
	return 0;
}
