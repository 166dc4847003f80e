/* SPDX-License-Identifier: ISC */
#ifndef MX_HEADER_H
#define MX_HEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/*
 * The little that a relay must know of a message's header: how many hops
 * it made (RFC 5321 6.3), where the header ends, and how to write a date.
 */

struct header_scan {
	int state;		/* private */
	unsigned match;		/* private */
	unsigned received;	/* Received fields seen */
	bool done;		/* past the header */
};

void header_scan_init(struct header_scan *h);

/* Any chunk of the message, CRLF line ends; stops looking at its body. */
void header_scan_feed(struct header_scan *h, const char *data, size_t len);

/* RFC 5322 date and time with zone, "Mon, 23 Nov 2026 20:34:00 +0000". */
#define HEADER_DATE_MAX 40
void header_date(char *buf, time_t when);	/* in UTC */

/* RFC 3339, "2026-11-23T20:34:00Z". */
void header_rfc3339(char *buf, time_t when);

#endif
