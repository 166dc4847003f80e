/* SPDX-License-Identifier: ISC */
#include <sys/types.h>

#include <signal.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "crew.h"
#include "deadline.h"
#include "tap.h"

#define JOBS 12

static struct {
	size_t next;		/* the job whose turn it is */
	bool order;
	const char *why[JOBS];
	char text[JOBS][32];
	int note[JOBS];
	size_t len[JOBS];
} got;

static void
sleep_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	nanosleep(&ts, NULL);
}

/* The first takes longest; some come to grief. */
static void
work(size_t job, FILE *out, void *note, void *arg)
{
	int *n = note;
	size_t i;

	(void)arg;
	if (job == 0)
		sleep_ms(300);
	fprintf(out, "job %zu", job);
	*n = *n == 0 ? (int)job * 10 : -1;
	if (job == 3)
		raise(SIGKILL);
	if (job == 5)
		sleep_ms(60000);
	if (job == 7)
		for (i = 0; i < CREW_TEXT_MAX; i++)
			fputc('x', out);
	if (job == 8)
		for (i = 5; i < CREW_TEXT_MAX; i++)
			fputc('y', out);
}

static void
done(size_t job, const struct crew_result *r, void *arg)
{
	size_t len = r->len < 31 ? r->len : 31;

	(void)arg;
	got.order = got.order && job == got.next++;
	got.why[job] = r->why;
	got.len[job] = r->len;
	if (r->why != NULL)
		return;
	memcpy(got.text[job], r->text, len);
	got.note[job] = *(int *)r->note;
}

static void
test_run(size_t atonce)
{
	struct crew crew = { JOBS, atonce, 1000, sizeof(int), work, done,
		NULL };
	int64_t began = deadline_now();
	char want[32];
	size_t i;

	memset(&got, 0, sizeof(got));
	got.order = true;
	is_int(crew_run(&crew), 0, "%zu at once: run", atonce);
	ok(got.order && got.next == JOBS, "in order, all of them");
	ok(deadline_now() - began < 4000, "within their time");
	for (i = 0; i < JOBS; i++) {
		if (i == 3) {
			is_str(got.why[i], "ended by a signal", "killed");
		} else if (i == 5) {
			is_str(got.why[i], "out of time", "hung");
		} else if (i == 7) {
			is_str(got.why[i], "out of memory, or too much text",
			    "talkative");
		} else if (i == 8) {
			ok(got.why[i] == NULL && got.len[i] == CREW_TEXT_MAX,
			    "as much text as may be");
		} else {
			(void)snprintf(want, sizeof(want), "job %zu", i);
			is_str(got.text[i], want, "job %zu: text", i);
			is_int(got.note[i], (int)i * 10, "job %zu: note", i);
		}
	}
}

int
main(void)
{
	struct crew none = { 0, 4, 1000, 0, work, done, NULL };

	test_run(1);
	test_run(4);
	test_run(100);
	is_int(crew_run(&none), 0, "no jobs");
	return done_testing();
}
