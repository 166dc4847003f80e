/* SPDX-License-Identifier: ISC */
#include "deadline.h"

#include <limits.h>
#include <time.h>

int64_t
deadline_now(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_MONOTONIC, &ts) == -1)
		return 0;
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

int64_t
deadline_in(int64_t ms)
{
	int64_t now = deadline_now();

	if (ms > DEADLINE_NEVER - now)
		return DEADLINE_NEVER;
	return now + ms;
}

int64_t
deadline_min(int64_t a, int64_t b)
{
	return a < b ? a : b;
}

int
deadline_left(int64_t deadline)
{
	int64_t left;

	if (deadline == DEADLINE_NEVER)
		return -1;
	left = deadline - deadline_now();
	if (left <= 0)
		return 0;
	return left > INT_MAX ? INT_MAX : (int)left;
}
