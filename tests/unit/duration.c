/* SPDX-License-Identifier: ISC */
#include "duration.h"
#include "tap.h"

static const struct {
	const char *in;
	int64_t want;		/* -1: refused */
	const char *print;	/* NULL: not printed */
	const char *eyes;
} cases[] = {
	{ "0", 0, "0s", "0s" },
	{ "0s", 0, "0s", "0s" },
	{ "1", 1, "1s", "1s" },
	{ "59", 59, "59s", "59s" },
	{ "60", 60, "1m", "1m" },
	{ "90", 90, "1m30s", "1m30s" },
	{ "15m", 900, "15m", "15m" },
	{ "3600", 3600, "1h", "1h" },
	{ "1h30m", 5400, "1h30m", "1h30m" },
	{ "36h", 129600, "1d12h", "1d12h" },
	{ "1d12h", 129600, "1d12h", "1d12h" },
	{ "30d", 2592000, "30d", "30d" },
	{ "2w", 1209600, "2w", "14d" },
	{ "1w1d", 691200, "8d", "8d" },
	{ "3d4h5m6s", 273906, "3d4h5m6s", "3d4h" },
	{ "1m1m", 120, "2m", "2m" },
	{ "0d0h7s", 7, "7s", "7s" },
	{ "007s", 7, "7s", "7s" },
	{ "36600d", DURATION_MAX, NULL, NULL },
	{ "36601d", -1, NULL, NULL },
	{ "3162240001", -1, NULL, NULL },
	{ "99999999999999999999", -1, NULL, NULL },
	{ "36600d1s", -1, NULL, NULL },
	{ "9223372036854775807w", -1, NULL, NULL },
	{ "", -1, NULL, NULL },
	{ " 1", -1, NULL, NULL },
	{ "1 ", -1, NULL, NULL },
	{ "-1", -1, NULL, NULL },
	{ "+1", -1, NULL, NULL },
	{ "1.5h", -1, NULL, NULL },
	{ "d", -1, NULL, NULL },
	{ "1dd", -1, NULL, NULL },
	{ "1D", -1, NULL, NULL },
	{ "1y", -1, NULL, NULL },
	{ "0x10", -1, NULL, NULL },
	{ "30 d", -1, NULL, NULL },
	{ "1d1", 86401, "1d1s", "1d1s" },
};

int
main(void)
{
	char buf[64], small[4];
	int64_t got;
	bool good;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		got = -1;
		good = duration_parse(&got, cases[i].in);
		is_int(good ? got : -1, cases[i].want, "\"%s\"", cases[i].in);
		if (!good || cases[i].print == NULL)
			continue;
		is_str(duration_print(buf, sizeof(buf), got), cases[i].print,
		    "\"%s\" in its shortest form", cases[i].in);
		is_str(duration_print_short(buf, sizeof(buf), got),
		    cases[i].eyes, "\"%s\" for eyes", cases[i].in);
	}
	good = true;
	for (int64_t n = 0; n < 5000000; n = n * 3 / 2 + 7)
		good = good && duration_parse(&got, duration_print(buf,
		    sizeof(buf), n)) && got == n;
	ok(good, "what is printed is read back");
	is_str(duration_print(buf, sizeof(buf), -5), "0s", "no negative time");
	is_str(duration_print(small, sizeof(small), 86400 + 3600), "1d",
	    "what does not fit is left out");
	return done_testing();
}
