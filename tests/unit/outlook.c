/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "outlook.h"
#include "tap.h"

#define DAY	86400

static char dir[] = "/tmp/mxkeep.XXXXXX";
static struct conf conf;
static struct spool *sp;
static char error[CONF_ERROR_MAX];

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
write_file(const char *name, const char *text)
{
	char path[PATH_MAX];
	FILE *f;

	(void)snprintf(path, sizeof(path), "%s/%s", dir, name);
	if ((f = fopen(path, "w")) == NULL || fputs(text, f) < 0 ||
	    fclose(f) != 0)
		abort();
}

static void
set_up(void)
{
	char path[PATH_MAX], text[PATH_MAX + 64];

	if (mkdtemp(dir) == NULL)
		abort();
	(void)snprintf(path, sizeof(path), "%s/domains", dir);
	(void)mkdir(path, 0700);
	(void)snprintf(path, sizeof(path), "%s/spool", dir);
	(void)mkdir(path, 0700);
	(void)snprintf(text, sizeof(text), "hostname mx2.test\nspool %s\n",
	    path);
	write_file("mxkeep.conf", text);
	write_file("domains/a.test", "expire 10d\n");
	write_file("domains/broken.test", "expire soon\n");
	if (conf_load(&conf, dir, error) == -1 ||
	    (sp = spool_open(conf.spool, error)) == NULL)
		abort();
}

static void
check_next(void)
{
	static const struct {
		const char *name;
		struct domain domain;
		time_t want;
	} cases[] = {
		{ "never tried", { .state = DOMAIN_UNKNOWN }, 0 },
		{ "as planned", { .state = DOMAIN_DOWN, .last_try = 900,
		    .next_try = 2000 }, 2000 },
		{ "by the cron job", { .state = DOMAIN_DOWN,
		    .last_try = 900 }, 1800 },
		{ "overdue is now", { .state = DOMAIN_DOWN, .last_try = 1 },
		    1000 },
		{ "on hold", { .state = DOMAIN_HELD, .last_try = 900 }, 0 },
		{ "on hold until then", { .state = DOMAIN_HELD,
		    .held_until = 5000, .last_try = 900 }, 5000 },
		{ "stopped", { .state = DOMAIN_STOPPED, .last_try = 900 }, 0 },
		{ "stopped, and told to retry", { .state = DOMAIN_STOPPED,
		    .last_try = 900, .order = DOMAIN_RETRY }, 1800 },
	};
	struct scan_entry e = { .folder = SPOOL_HELD };
	struct outlook o;

	outlook_init(&o);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		o.domain = cases[i].domain;
		is_int(outlook_next(&o, 1000), cases[i].want, "next try: %s",
		    cases[i].name);
		is_int(outlook_next_of(&o, &e, 1000), 0,
		    "none of a message on hold");
	}
}

static void
check_state(void)
{
	static const struct {
		enum spool_folder folder;
		enum domain_state state;
		const char *want;
	} cases[] = {
		{ SPOOL_NEW, DOMAIN_DOWN, "new" },
		{ SPOOL_CUR, DOMAIN_DOWN, "tried" },
		{ SPOOL_HELD, DOMAIN_UP, "held" },
		{ SPOOL_NEW, DOMAIN_HELD, "held" },
		{ SPOOL_CUR, DOMAIN_STOPPED, "tried" },
	};
	struct outlook o;

	outlook_init(&o);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct scan_entry e = { .folder = cases[i].folder };

		o.domain.state = cases[i].state;
		is_str(outlook_state(&o, &e), cases[i].want, "state %zu", i);
	}
}

static void
check_load(void)
{
	struct scan_entry e = { .folder = SPOOL_NEW, .id = "1000.M1P1.h" };
	time_t now = time(NULL), expires;
	struct outlook o;
	char why[64];

	e.msgid.time = now - DAY;
	outlook_init(&o);
	is_int(outlook_load(&o, &conf, sp, "broken.test", error),
	    OUTLOOK_NO_CONF, "a broken file");
	ok(strstr(error, "broken.test") != NULL, "is named");
	is_int(outlook_load(&o, &conf, sp, "a.test", error), OUTLOOK_OK,
	    "a domain of ours");
	ok(o.ours, "it is ours");
	is_int(outlook_expires(&o, &e, now), now + 9 * DAY,
	    "a message of yesterday lives for nine days");
	if (ledger_hold(sp, "a.test", NULL, 0, "they move") == -1)
		abort();
	is_int(outlook_load(&o, &conf, sp, "a.test", error), OUTLOOK_OK,
	    "the same again");
	is_int(o.domain.state, DOMAIN_UNKNOWN, "it is not read again");
	is_int(outlook_load(&o, &conf, sp, "b.test", error), OUTLOOK_OK,
	    "another");
	ok(!o.ours, "it is not ours");
	is_int(o.life, 5 * DAY, "reports to it live for five days");
	is_int(outlook_load(&o, &conf, sp, "a.test", error), OUTLOOK_OK,
	    "the first");
	is_int(o.domain.state, DOMAIN_HELD, "is on hold now");
	outlook_why(&o, &e, why, sizeof(why));
	is_str(why, "they move", "for that");
	expires = outlook_expires(&o, &e, time(NULL) + DAY);
	ok(expires >= now + 10 * DAY && expires < now + 10 * DAY + 60,
	    "a day on hold is a day more");
	e.folder = SPOOL_HELD;
	outlook_why(&o, &e, why, sizeof(why));
	is_str(why, "", "nobody has said why the message is");
	outlook_clear(&o);
}

int
main(void)
{
	set_up();
	check_next();
	check_state();
	check_load();
	spool_close(sp);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return done_testing();
}
