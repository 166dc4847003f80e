/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "event.h"
#include "tap.h"

static char dir[256];
static struct conf conf;
static struct settings settings;
static struct spool *sp;

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* Of the events that SPOOL/state/a.test/told has, KIND's line, or "". */
static const char *
told(const char *kind)
{
	static char line[256];
	char *text = spool_text_read(sp, "a.test", "told"), *p;

	line[0] = '\0';
	for (p = text; p != NULL && *p != '\0'; p += strcspn(p, "\n"),
	    p += *p == '\n')
		if (strncmp(p, kind, strlen(kind)) == 0 &&
		    p[strlen(kind)] == ' ')
			(void)snprintf(line, sizeof(line), "%.*s",
			    (int)strcspn(p, "\n"), p);
	free(text);
	return line;
}

/* A run that ends in STATE, and saw OTHER if that is not EVENT_UP. */
static void
run(enum event_kind state, enum event_kind other)
{
	struct event *e = calloc(1, sizeof(*e));

	if (e == NULL)
		exit(1);
	e->conf = &conf;
	e->settings = &settings;
	e->spool = sp;
	e->domain = "a.test";
	event_note(e, EVENT_DOWN, "", "first");
	event_note(e, state, "host", "a\nb");
	if (other != EVENT_UP)
		event_note(e, other, "host", "why");
	is_str(e->reason[state], "a\\nb", "a reason is made plain");
	event_tell(e);
	free(e);
}

static void
put(const char *text)
{
	is_int(spool_text_write(sp, "a.test", "told", text, false), 0,
	    "a memory");
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");
	char error[512];

	(void)snprintf(dir, sizeof(dir), "%s/event.XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(dir) == NULL || (sp = spool_open(dir, error)) == NULL)
		return 1;
	conf_init(&conf);
	settings = conf.defaults;
	event_note(NULL, EVENT_DOWN, "", "");
	is_str(event_name(EVENT_DOWNGRADE), "tls-downgrade", "a name");
	run(EVENT_UP, EVENT_UP);
	is_str(told("up"), "", "the end of nothing is none");
	is_str(told("down"), "", "what was noted before does not count");
	run(EVENT_UNROUTABLE, EVENT_LOOP);
	ok(*told("unroutable") != '\0', "an outage is remembered");
	ok(*told("loop") != '\0', "and what else there was");
	run(EVENT_UP, EVENT_UP);
	is_str(told("unroutable"), "", "it is over, and nobody had heard");
	is_str(told("loop"), "", "so is the other");
	put("loop 1 1 99999999999\ntls-downgrade 5 5 5\n");
	run(EVENT_UP, EVENT_UP);
	ok(*told("loop") != '\0', "what was told of just now is not news");
	is_str(told("tls-downgrade"), "", "what was told long ago may be");
	put("loop 9223372036854775807 9223372036854775807 0\n");
	run(EVENT_UP, EVENT_UP);
	ok(strncmp(told("loop"), "loop 9", 6) != 0 && *told("loop") != '\0',
	    "nothing was told tomorrow");
	put("down x\nnonsense\n\n-1\ndown -5 0 0\nup 7\nstopped 1 0 0");
	run(EVENT_DOWN, EVENT_UP);
	ok(strncmp(told("stopped"), "stopped 1 0 0 1970", 18) == 0,
	    "what makes no sense is passed over");
	ok(*told("down") != '\0', "and written anew");
	/* Nothing waits in any of these. */
	(void)strlcpy(settings.notify, "ops@ops.test",
	    sizeof(settings.notify));
	put("down 1000 0 0\n");
	run(EVENT_DOWN, EVENT_UP);
	ok(strncmp(told("down"), "down 1000 0 0 ", 14) == 0,
	    "an outage without mail is told nobody");
	settings.notify_after = 3600;
	run(EVENT_DOWN, EVENT_UP);
	ok(strncmp(told("down"), "down 1000 0 ", 12) == 0 &&
	    told("down")[12] != '0', "but when it has lasted as long as asked");
	put("");
	run(EVENT_DOWN, EVENT_UP);
	ok(strstr(told("down"), " 0 0 ") != NULL, "and not before");
	spool_close(sp);
	(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return done_testing();
}
