/* SPDX-License-Identifier: ISC */
#include <string.h>

#include "deadline.h"
#include "hook.h"
#include "tap.h"

int
main(void)
{
	char *const none[] = { NULL };
	char *const env[] = { "MX_EVENT=up", NULL };
	char why[HOOK_WHY_MAX];
	int64_t begin;

	is_int(hook_run("/bin/true", none, 5000, why), 0, "success");
	is_int(hook_run("/bin/false", none, 5000, why), -1, "failure");
	is_str(why, "exit status 1: ", "is told");
	is_int(hook_run("/nonexistent/hook", env, 5000, why), -1,
	    "no such program");
	is_str(why, "exit status 127: /nonexistent/hook: "
	    "No such file or directory", "is told");
	begin = deadline_now();
	is_int(hook_run("/usr/bin/yes", none, 300, why), -1, "no end");
	is_str(why, "killed after 0 seconds", "is told");
	ok(deadline_now() - begin < 3000, "in time");
	return done_testing();
}
