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

/*
 * TIME in UTC.  gmtime_r(3) and strftime(3) would read the zone's file first,
 * once in each process: ten system calls for nothing.  False where the year
 * has no four digits.
 */
static bool
break_down(struct tm *tm, time_t when)
{
	int64_t day = when / 86400, era, year, month;

	if (when < 0 || day > 2932896)	/* 9999-12-31 */
		return false;
	tm->tm_sec = (int)(when % 60);
	tm->tm_min = (int)(when / 60 % 60);
	tm->tm_hour = (int)(when / 3600 % 24);
	tm->tm_wday = (int)((day + 4) % 7);
	/* Years that begin in March end with the leap day: 400 in an era. */
	day += 719468;
	era = day / 146097;
	day %= 146097;
	year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
	day -= year * 365 + year / 4 - year / 100;
	month = (5 * day + 2) / 153;
	tm->tm_mday = (int)(day - (153 * month + 2) / 5 + 1);
	tm->tm_mon = (int)(month < 10 ? month + 2 : month - 10);
	tm->tm_year = (int)(era * 400 + year + (month >= 10) - 1900);
	return true;
}

void
header_date(char *buf, time_t when)
{
	static const char days[][4] = { "Sun", "Mon", "Tue", "Wed", "Thu",
	    "Fri", "Sat" };
	static const char months[][4] = { "Jan", "Feb", "Mar", "Apr", "May",
	    "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	struct tm tm;

	if (!break_down(&tm, when))
		memcpy(buf, "Thu, 01 Jan 1970 00:00:00 +0000", 32);
	else
		(void)snprintf(buf, HEADER_DATE_MAX,
		    "%s, %02d %s %04d %02d:%02d:%02d +0000", days[tm.tm_wday],
		    tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
		    tm.tm_hour, tm.tm_min, tm.tm_sec);
}

void
header_rfc3339(char *buf, time_t when)
{
	struct tm tm;

	if (!break_down(&tm, when))
		memcpy(buf, "1970-01-01T00:00:00Z", 21);
	else
		(void)snprintf(buf, HEADER_DATE_MAX,
		    "%04d-%02d-%02dT%02d:%02d:%02dZ", tm.tm_year + 1900,
		    tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
		    tm.tm_sec);
}
