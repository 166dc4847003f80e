/* SPDX-License-Identifier: ISC */
#include "agenda.h"
#include "deadline.h"
#include "tap.h"

#define PERIOD	900000

static struct agenda *a;

static void
hear(const char *text, int64_t now)
{
	agenda_hear(a, text, strlen(text), now);
}

static const char *
take(int64_t now)
{
	bool fresh;
	const char *domain = agenda_take_domain(a, now, &fresh);

	return domain == NULL ? "" : domain;
}

/* An agenda whose first run of all was begun at NOW. */
static void
anew(int64_t now)
{
	agenda_free(a);
	if ((a = agenda_new(PERIOD)) == NULL || !agenda_take_whole(a, false,
	    now))
		ok(false, "a new agenda has the whole queue due");
}

static void
test_clock(void)
{
	int64_t due, first = INT64_MAX, last = 0, now = 5000;
	int i;

	for (i = 0; i < 1000; i++) {
		anew(now);
		due = agenda_due(a, false) - now;
		if (due < first)
			first = due;
		if (due > last)
			last = due;
	}
	ok(first >= PERIOD - PERIOD / 10 && last <= PERIOD + PERIOD / 10,
	    "the next run is a tenth early or late at most");
	ok(last - first > PERIOD / 10, "and not always by as much");
	ok(!agenda_take_whole(a, true, now + PERIOD / 2), "not before");
	ok(agenda_take_whole(a, true, now + 2 * PERIOD),
	    "a run that lasts does not hold the next up");
}

static void
test_whole(void)
{
	static const char *const odd[] = { "x", "\n", "*\n", "a.test\n",
	    "=a.test", "=not a domain\n", "=\n", "x=a.test\n", "=../x\n" };
	size_t i;

	for (i = 0; i < sizeof(odd) / sizeof(odd[0]); i++) {
		anew(5000);
		hear(odd[i], 10000);
		ok(agenda_take_whole(a, false, 10000) &&
		    take(10000)[0] == '\0', "%zu makes the whole queue due",
		    i);
	}
	agenda_whole(a);
	is_int(agenda_due(a, false), 11000, "a second after the last");
	is_int(agenda_due(a, true), 20000, "ten while that lasts");
	ok(!agenda_take_whole(a, false, 10999), "not before");
	ok(agenda_take_whole(a, false, 11000), "but then");
	ok(agenda_due(a, false) > 11000 + PERIOD / 2, "once");
	agenda_hear(a, "=a.test\0\n", 9, 20000);
	ok(agenda_take_whole(a, false, 20000), "and after a NUL");
}

static void
test_domains(void)
{
	bool fresh = true;

	anew(5000);
	hear("+a.test\n=b.test\n+a.test\n", 10000);
	is_int(agenda_due(a, false), 10000, "domains are due at once");
	ok(!agenda_take_whole(a, false, 10000), "they alone");
	is_str(agenda_take_domain(a, 10000, &fresh), "a.test", "the first");
	ok(fresh, "for new mail");
	is_str(agenda_take_domain(a, 10000, &fresh), "b.test", "the second");
	ok(!fresh, "was asked for");
	is_str(take(10000), "", "each once");

	hear("=A.Test\n", 10100);
	is_int(agenda_due(a, false), 11000, "again after a second");
	is_str(take(10999), "", "not before");
	hear("+a.test\n", 10999);
	is_str(agenda_take_domain(a, 11000, &fresh), "a.test", "then it is");
	ok(!fresh, "still asked for");
	hear("+a.test\n", 20000);
	hear("=a.test\n", 20001);
	is_str(agenda_take_domain(a, 20001, &fresh), "a.test", "at once later");
	ok(!fresh, "new mail, and asked for");

	hear("+a.test\n", 30000);
	agenda_whole(a);
	ok(agenda_take_whole(a, false, 30000), "a run of all");
	is_str(take(30000), "", "is one of each");
}

static void
test_busy(void)
{
	anew(5000);
	hear("!a.test\n", 10000);
	is_int(agenda_due(a, false), 11000, "a busy one waits a second");
	hear("+a.test\n", 10500);
	is_int(agenda_due(a, false), 11000, "whatever comes in");
	is_str(take(11000), "a.test", "is due");
	hear("!a.test\n", 11000);
	is_int(agenda_due(a, false), 13000, "then two");
	(void)take(13000);
	hear("!a.test\n", 13000);
	(void)take(17000);
	hear("!a.test\n", 17000);
	is_int(agenda_due(a, false), 22000, "then five");
	agenda_whole(a);
	(void)agenda_take_whole(a, false, 20000);
	is_str(take(22000), "a.test", "a run of all leaves it out");
	hear("+a.test\n", 30000);
	is_int(agenda_due(a, false), 30000, "and it is as others again");
}

static void
test_many(void)
{
	char line[64];
	int i;

	anew(5000);
	for (i = 0; i < AGENDA_DOMAINS; i++) {
		(void)snprintf(line, sizeof(line), "+d%d.test\n", i);
		hear(line, 10000);
	}
	ok(!agenda_take_whole(a, false, 10000), "so many have room");
	hear("+one.more.test\n", 10000);
	ok(agenda_take_whole(a, false, 10000), "one more is all of them");
	hear("+one.more.test\n", 20000);
	is_str(take(20000), "one.more.test", "old ones make room");
}

int
main(void)
{
	test_clock();
	test_whole();
	test_domains();
	test_busy();
	test_many();
	agenda_free(a);
	return done_testing();
}
