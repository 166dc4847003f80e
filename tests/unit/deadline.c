/* SPDX-License-Identifier: ISC */
#include <limits.h>

#include "deadline.h"
#include "tap.h"

int
main(void)
{
	int64_t a = deadline_now(), b = deadline_now();

	ok(a > 0 && b >= a, "the clock runs forward");
	ok(deadline_in(1000) >= a + 1000, "in a second");
	ok(deadline_in(1000) <= deadline_now() + 1000, "and no more");
	is_int(deadline_in(DEADLINE_NEVER), DEADLINE_NEVER, "never");
	is_int(deadline_in(DEADLINE_NEVER - 1), DEADLINE_NEVER, "saturates");
	is_int(deadline_min(1, 2), 1, "the first is sooner");
	is_int(deadline_min(DEADLINE_NEVER, 2), 2, "the second is sooner");
	is_int(deadline_left(DEADLINE_NEVER), -1, "poll(2) waits for ever");
	is_int(deadline_left(deadline_now() - 1), 0, "passed");
	is_int(deadline_left(0), 0, "long passed");
	is_int(deadline_left(INT64_MIN / 2), 0, "before all time");
	is_int(deadline_left(DEADLINE_NEVER - 1), INT_MAX,
	    "further than poll(2) can wait");
	ok(deadline_left(deadline_in(5000)) > 4000, "five seconds are left");
	return done_testing();
}
