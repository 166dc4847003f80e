/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdlib.h>
#include <sysexits.h>
#include <unistd.h>

#include "flush.h"
#include "tap.h"

static char dir[] = "/tmp/mxkeep.XXXXXX";
static char heard[4096];

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
hear(void *arg, int status, const char *text)
{
	(void)strlcpy(heard, text, sizeof(heard));
	if (status != 0)
		flush_worsen(arg, status);
}

static void
set_up(struct flush *f)
{
	char path[PATH_MAX], error[CONF_ERROR_MAX];
	int at, fd;

	if (mkdtemp(dir) == NULL)
		abort();
	(void)snprintf(path, sizeof(path), "%s/domains", dir);
	(void)mkdir(path, 0700);
	if (conf_load(&f->conf, dir, error) == -1 ||
	    (f->spool = spool_open(dir, error)) == NULL ||
	    (at = spool_folder_need(f->spool, "a.test", SPOOL_NEW)) == -1 ||
	    (fd = openat(at, "1.M1P1Q1.h,S=1", O_WRONLY | O_CREAT, 0600)) ==
	    -1)
		abort();
	close(fd);
	close(at);
	f->complain = (struct complain){ hear, f };
}

static void
check_worst(void)
{
	static const int order[] = { 0, EX_TEMPFAIL, 1, EX_CONFIG, EX_USAGE };
	struct flush f = { .status = 0 };

	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		flush_worsen(&f, order[i]);
		is_int(f.status, order[i], "%d is worse", order[i]);
		flush_worsen(&f, order[i > 0 ? i - 1 : 0]);
		is_int(f.status, order[i], "and stays");
	}
}

static int
find(struct flush *f, char **args)
{
	f->args = args;
	f->status = 0;
	heard[0] = '\0';
	return flush_find(f);
}

int
main(void)
{
	static struct flush f;
	char id[] = "1.M1P1Q1.h,S=1", a[] = "A.test", b[] = "b.test",
	    junk[] = "no_domain", gone[] = "2.M1P1Q1.h,S=1";

	check_worst();
	set_up(&f);
	is_int(find(&f, (char *[]){ NULL }), 0, "all there is");
	is_int(f.njob, 1, "one domain");
	is_str(f.job[0].domain, "a.test", "by its name");
	ok(f.job[0].whole, "the whole of it");
	flush_forget(&f);
	is_int(find(&f, (char *[]){ id, a, NULL }), 0, "an id and its domain");
	is_int(f.njob, 1, "are one job");
	is_int(f.job[0].nid, 1, "with an id");
	ok(f.job[0].id[1] == NULL, "NULL ends them");
	ok(f.job[0].whole, "and the whole domain");
	is_str(heard, "", "nothing is wrong");
	flush_forget(&f);
	is_int(find(&f, (char *[]){ b, NULL }), 0, "a domain nobody knows");
	is_int(f.njob, 1, "may be right");
	ok(strstr(heard, "nothing waits") != NULL, "a warning");
	is_int(f.status, 0, "and no more");
	flush_forget(&f);
	is_int(find(&f, (char *[]){ gone, NULL }), 0, "an id that is gone");
	is_int(f.njob, 0, "nothing to do");
	is_int(f.status, 1, "is an error");
	flush_forget(&f);
	is_int(find(&f, (char *[]){ a, junk, NULL }), -1, "a slip");
	is_int(f.status, EX_USAGE, "ends it");
	flush_forget(&f);
	spool_close(f.spool);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return done_testing();
}
