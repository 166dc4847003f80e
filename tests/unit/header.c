/* SPDX-License-Identifier: ISC */
#include "header.h"
#include "tap.h"

static const struct {
	const char *name;
	const char *in;
	unsigned received;
	bool done;
} cases[] = {
	{ "nothing", "", 0, false },
	{ "no hop", "Subject: x\r\n\r\n", 0, true },
	{ "one", "Received: by a\r\n\r\n", 1, true },
	{ "any letter case", "rEcEiVeD:by a\r\nRECEIVED: x\r\n\r\n", 2, true },
	{ "folded", "Received: by a\r\n\tReceived: no\r\n\r\n", 1, true },
	{ "not in the body", "A: b\r\n\r\nReceived: no\r\n", 0, true },
	{ "longer names", "X-Received: a\r\nReceived-SPF: a\r\n\r\n", 0,
	    true },
	{ "cut name", "Receive: a\r\nReceived\r\n\r\n", 0, true },
	{ "name twice in a line", "Received: Received: a\r\n\r\n", 1, true },
	{ "a start over", "RecReceived: a\r\nRReceived: b\r\n\r\n", 0, true },
	{ "header only", "Received: a\r\nReceived: b\r\n", 2, false },
	{ "no end of line", "Received: a", 1, false },
	{ "empty header", "\r\nReceived: a\r\n", 0, true },
	{ "bare CR is no empty line", "A: b\r\n\rReceived: a\r\n"
	    "Received: b\r\n\r\n", 1, true },
	{ "CR CR LF is no empty line", "A: b\r\n\r\r\nReceived: a\r\n\r\n", 1,
	    true },
};

static const struct {
	time_t when;
	const char *mail;
	const char *rfc3339;
} dates[] = {
	{ 0, "Thu, 01 Jan 1970 00:00:00 +0000", "1970-01-01T00:00:00Z" },
	{ 1764000000, "Mon, 24 Nov 2025 16:00:00 +0000",
	    "2025-11-24T16:00:00Z" },
	{ 951782400, "Tue, 29 Feb 2000 00:00:00 +0000",
	    "2000-02-29T00:00:00Z" },
	{ 2147483648, "Tue, 19 Jan 2038 03:14:08 +0000",
	    "2038-01-19T03:14:08Z" },
	{ 253402300799, "Fri, 31 Dec 9999 23:59:59 +0000",
	    "9999-12-31T23:59:59Z" },
};

static void
check(const char *name, const char *in, unsigned received, bool done,
    size_t piece)
{
	struct header_scan h;
	size_t len = strlen(in), n;

	header_scan_init(&h);
	for (size_t i = 0; i < len; i += n) {
		n = len - i < piece ? len - i : piece;
		header_scan_feed(&h, in + i, n);
	}
	is_int(h.received, received, "%s: hops, by %zu", name, piece);
	is_int(h.done, done, "%s: end, by %zu", name, piece);
}

/* Do the days agree with gmtime(3)? */
static bool
calendar(void)
{
	char got[HEADER_DATE_MAX], want[HEADER_DATE_MAX];
	struct tm tm;

	/* Each of the first 400 years, then now and then one. */
	for (time_t day = 0; day <= 2932896; day += day < 146097 ? 1 : 97) {
		time_t t = day * 86400 + day * 7919 % 86400;

		if (gmtime_r(&t, &tm) == NULL || strftime(want, sizeof(want),
		    "%a, %d %b %Y %H:%M:%S +0000", &tm) == 0)
			return false;
		header_date(got, t);
		if (strcmp(got, want) != 0) {
			printf("# %s is not %s\n", got, want);
			return false;
		}
	}
	return true;
}

int
main(void)
{
	char buf[HEADER_DATE_MAX];
	time_t far = (time_t)INT64_MAX;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		check(cases[i].name, cases[i].in, cases[i].received,
		    cases[i].done, 1000);
		check(cases[i].name, cases[i].in, cases[i].received,
		    cases[i].done, 1);
		check(cases[i].name, cases[i].in, cases[i].received,
		    cases[i].done, 3);
	}
	for (size_t i = 0; i < sizeof(dates) / sizeof(dates[0]); i++) {
		header_date(buf, dates[i].when);
		is_str(buf, dates[i].mail, "a date for mail");
		header_rfc3339(buf, dates[i].when);
		is_str(buf, dates[i].rfc3339, "a date for machines");
	}
	header_date(buf, far);
	is_str(buf, "Thu, 01 Jan 1970 00:00:00 +0000", "no year is that late");
	header_rfc3339(buf, far);
	is_str(buf, "1970-01-01T00:00:00Z", "for machines neither");
	header_date(buf, 253402300800);
	is_str(buf, "Thu, 01 Jan 1970 00:00:00 +0000", "nor of five digits");
	header_date(buf, -1);
	is_str(buf, "Thu, 01 Jan 1970 00:00:00 +0000", "nor before 1970");
	ok(calendar(), "the calendar is libc's");
	return done_testing();
}
