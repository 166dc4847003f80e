/* SPDX-License-Identifier: ISC */
#include "header.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char name[] = "received:";

enum {
	LINE_BEGIN,
	MATCHING,	/* so far "received:" up to match */
	REST,		/* of a line that no longer interests */
	FIRST_CR	/* a CR at the beginning of a line */
};

void
header_scan_init(struct header_scan *h)
{
	h->state = LINE_BEGIN;
	h->match = 0;
	h->received = 0;
	h->done = false;
}

static void
feed_one(struct header_scan *h, char c)
{
	switch (h->state) {
	case FIRST_CR:
		if (c == '\n') {
			h->done = true;
			return;
		}
		h->state = REST;
		break;
	case LINE_BEGIN:
		h->match = 0;
		if (c == '\r') {
			h->state = FIRST_CR;
			break;
		}
		h->state = MATCHING;
		/* FALLTHROUGH */
	case MATCHING:
		if (tolower((unsigned char)c) != name[h->match]) {
			h->state = c == '\n' ? LINE_BEGIN : REST;
			break;
		}
		if (++h->match == sizeof(name) - 1) {
			h->received++;
			h->state = REST;
		}
		break;
	}
}

void
header_scan_feed(struct header_scan *h, const char *data, size_t len)
{
	const char *lf;
	size_t i = 0;

	while (i < len && !h->done) {
		if (h->state != REST) {
			feed_one(h, data[i++]);
			continue;
		}
		lf = memchr(data + i, '\n', len - i);
		if (lf == NULL)
			return;
		i = (size_t)(lf - data) + 1;
		h->state = LINE_BEGIN;
	}
}

void
header_date(char *buf, time_t when)
{
	struct tm tm;

	/* No setlocale(3) anywhere: the C locale's names are RFC 5322's. */
	if (gmtime_r(&when, &tm) == NULL ||
	    strftime(buf, HEADER_DATE_MAX, "%a, %d %b %Y %H:%M:%S +0000",
	    &tm) == 0)
		memcpy(buf, "Thu, 01 Jan 1970 00:00:00 +0000", 32);
}

void
header_rfc3339(char *buf, time_t when)
{
	struct tm tm;

	if (gmtime_r(&when, &tm) == NULL ||
	    strftime(buf, HEADER_DATE_MAX, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		memcpy(buf, "1970-01-01T00:00:00Z", 21);
}
