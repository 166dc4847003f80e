/* SPDX-License-Identifier: ISC */
#include <sys/mman.h>
#include <sys/wait.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "breaker.h"
#include "tap.h"

/*
 * A run: '+' accepted, '-' refused.  WANT: W the first refusal waits at the
 * end of the run, B it is believed, D it has tripped.
 */
static const struct {
	const char *name;
	int percent;
	bool trial;
	uint32_t proven;
	const char *run;
	char want;
} cases[] = {
	{ "nothing", 25, false, 0, "", 'B' },
	{ "one, in a domain that was up", 25, false, 0, "-", 'B' },
	{ "seven of seven, in one that was up", 25, false, 0, "-------", 'B' },
	{ "eight of eight", 25, false, 0, "--------", 'D' },
	{ "one after an outage", 25, true, 0, "-", 'W' },
	{ "seven of seven after an outage", 25, true, 0, "-------", 'W' },
	{ "eight of eight after an outage", 25, true, 0, "--------", 'D' },
	{ "a quarter of eight is not more", 25, true, 0, "++++++--", 'B' },
	{ "three of eight are", 25, true, 0, "+++++---", 'D' },
	{ "at the beginning, too", 25, true, 0, "---+++++", 'D' },
	{ "unless more are accepted then", 25, true, 0, "---+++++++++", 'B' },
	{ "one with seven accepted before", 25, true, 7, "-", 'B' },
	{ "three with five accepted before", 25, true, 5, "---", 'D' },
	{ "long proven", 25, true, 8, "-", 'B' },
	{ "what was proven before counts no more then", 25, true, 8,
	    "++++++---", 'D' },
	{ "half may be", 50, true, 0, "+-+-+-+-", 'B' },
	{ "all may be", 100, true, 0, "--------------------", 'B' },
	{ "all may be, but too few after an outage", 100, true, 0, "--", 'W' },
	{ "no breaker", 0, true, 0, "--------------------", 'B' },
	{ "no breaker and but one", 0, true, 0, "-", 'B' },
};

static char
letter(enum breaker_belief belief)
{
	switch (belief) {
	case BREAKER_WAIT:
		return 'W';
	case BREAKER_BELIEVE:
		return 'B';
	case BREAKER_DOUBT:
		return 'D';
	}
	return '?';
}

static void
run(struct breaker *b, const char *text)
{
	for (; *text != '\0'; text++)
		if (*text == '+')
			breaker_good(b);
		else
			(void)breaker_bad(b);
}

static void
many(struct breaker *b, size_t n, bool good)
{
	for (size_t i = 0; i < n; i++)
		run(b, good ? "+" : "-");
}

/* Thousands went, and then the server breaks. */
static void
check_burst(void)
{
	struct breaker b;
	uint32_t first, n = 1;

	breaker_init(&b, 25, false, 0);
	many(&b, 10000, true);
	first = breaker_bad(&b);
	while (breaker_tripped(&b) == BREAKER_WHOLE && n < 1000) {
		(void)breaker_bad(&b);
		n++;
	}
	is_int(n, 20, "refusals in a row after 10000 deliveries");
	is_int(breaker_ask(&b, first), BREAKER_DOUBT,
	    "none of them has been believed");

	breaker_init(&b, 25, false, 0);
	for (size_t i = 0; i < 10000; i++)
		run(&b, i % 5 == 4 ? "-" : "+");
	is_int(breaker_tripped(&b), BREAKER_WHOLE, "a fifth is no burst");
	/* In bunches, as one sender's lists come. */
	for (size_t i = 0; i < 1000; i++)
		run(&b,
		    "++++++++++++++++++++++++++++++++++++++++"
		    "------------");
	is_int(breaker_tripped(&b), BREAKER_WHOLE, "nor are twelve in a row");
	many(&b, 12, false);
	is_int(breaker_tripped(&b), BREAKER_SHARE, "but twice as many are");
}

static void
check_belief(void)
{
	struct breaker b;
	uint32_t place;

	breaker_init(&b, 25, true, 0);
	place = breaker_bad(&b);
	ok(breaker_is_trial(&b), "on trial");
	is_int(breaker_ask(&b, place), BREAKER_WAIT, "not yet");
	many(&b, 7, true);
	ok(breaker_is_trial(&b), "on trial still");
	run(&b, "+");
	ok(!breaker_is_trial(&b), "proven");
	is_int(breaker_ask(&b, place), BREAKER_WAIT, "a burst may follow");
	many(&b, 23, true);
	is_int(breaker_ask(&b, place), BREAKER_WAIT, "still");
	run(&b, "+");
	is_int(breaker_ask(&b, place), BREAKER_BELIEVE, "believed");
	is_int(breaker_proven(&b), BREAKER_ENOUGH, "enough to remember");

	breaker_init(&b, 0, true, 0);
	ok(!breaker_is_trial(&b), "no breaker, no trial");
	is_int(breaker_ask(&b, breaker_bad(&b)), BREAKER_BELIEVE,
	    "no breaker: believed at once");
	is_int(breaker_proven(&b), BREAKER_ENOUGH, "and nothing to prove");
	breaker_init(&b, 25, true, 3);
	run(&b, "+-");
	is_int(breaker_proven(&b), 4, "proven over several runs");
	breaker_init(&b, 25, false, 0);
	is_int(breaker_proven(&b), BREAKER_ENOUGH, "never on trial");
	ok(!breaker_is_trial(&b), "never on trial");
}

static void
check_trip(void)
{
	struct breaker b;

	breaker_init(&b, 25, true, 0);
	breaker_trip(&b, BREAKER_KNOWN);
	breaker_trip(&b, BREAKER_MAIL);
	is_int(breaker_tripped(&b), BREAKER_KNOWN, "the first reason stays");
	is_int(breaker_end(&b), BREAKER_DOUBT, "to the end");
}

/* Eight processes count. */
static void
check_shared(void)
{
	struct breaker *b;

	b = mmap(NULL, sizeof(*b), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (b == MAP_FAILED)
		abort();
	breaker_init(b, 25, true, 0);
	for (int i = 0; i < 8; i++)
		switch (fork()) {
		case -1:
			abort();
		case 0:
			for (int k = 0; k < 20000; k++)
				run(b, k % 10 == 0 ? "-" : "+");
			_exit(0);
		}
	while (wait(NULL) != -1)
		continue;
	is_int(atomic_load(&b->good), 144000, "shared: all accepted");
	is_int(atomic_load(&b->bad), 16000, "shared: all refused");
	is_int(breaker_end(b), BREAKER_BELIEVE, "shared: believed");
	munmap(b, sizeof(*b));
}

int
main(void)
{
	struct breaker b;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char got[2] = "", want[2] = { cases[i].want, '\0' };

		breaker_init(&b, cases[i].percent, cases[i].trial,
		    cases[i].proven);
		run(&b, cases[i].run);
		got[0] = letter(breaker_end(&b));
		is_str(got, want, "%s", cases[i].name);
	}
	check_burst();
	check_belief();
	check_trip();
	check_shared();
	return done_testing();
}
