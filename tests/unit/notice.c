/* SPDX-License-Identifier: ISC */
#include "notice.h"
#include "tap.h"

static const struct {
	time_t seconds;
	const char *want;
} table[] = {
	{ 0, "0 seconds" }, { 1, "1 second" }, { 59, "59 seconds" },
	{ 60, "1 minute" }, { 61, "1 minute and 1 second" },
	{ 3600, "1 hour" }, { 3659, "1 hour" },
	{ 7500, "2 hours and 5 minutes" }, { 86400, "1 day" },
	{ 86400 + 59 * 60, "1 day" },
	{ 400 * 86400 + 7200, "400 days and 2 hours" },
};

int
main(void)
{
	char text[40];

	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		notice_duration(text, sizeof(text), table[i].seconds);
		is_str(text, table[i].want, "%lld",
		    (long long)table[i].seconds);
	}
	notice_duration(text, 8, 7500);
	is_str(text, "2 hours", "too long for its room");
	return done_testing();
}
