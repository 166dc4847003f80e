/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

#include "backlog.h"
#include "spool.h"
#include "tap.h"

static char dir[] = "/tmp/mxkeep.XXXXXX";
static struct spool *sp;

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
make(enum spool_folder folder, const char *name)
{
	int at = spool_folder_need(sp, "a.test", folder), fd;

	fd = openat(at, name, O_WRONLY | O_CREAT | O_EXCL, 0600);
	if (at == -1 || fd == -1)
		abort();
	close(fd);
	close(at);
}

static bool
odd(void *arg, const struct scan_entry *e)
{
	++*(size_t *)arg;
	return e->msgid.time % 2 == 1;
}

static void
check_order(void)
{
	struct scan_found f;
	struct backlog *b;
	char all[512] = "";

	make(SPOOL_NEW, "10.M1P1Q1.h,S=1");
	make(SPOOL_NEW, "2.M9P1Q1.h,S=1");
	make(SPOOL_CUR, "2.M9P1Q0.h,S=1:2,FS");
	make(SPOOL_CUR, "3.M1P1Q1.h,S=7:2,");
	make(SPOOL_CUR, "not one of ours");
	make(SPOOL_HELD, "1.M1P1Q1.h,S=1");
	if ((b = backlog_new(sp, "a.test", SCAN_WAITING, NULL, NULL)) == NULL)
		abort();
	is_int(backlog_size(b), 4, "all that waits, and nothing else");
	for (size_t i = 0; i < backlog_size(b); i++) {
		ok(backlog_get(b, i, &f), "number %zu", i);
		(void)strlcat(all, f.entry.id, sizeof(all));
		(void)strlcat(all, f.entry.folder == SPOOL_NEW ? " new " :
		    " cur ", sizeof(all));
	}
	is_str(all, "2.M9P1Q0.h,S=1 cur 2.M9P1Q1.h,S=1 new "
	    "3.M1P1Q1.h,S=7 cur 10.M1P1Q1.h,S=1 new ",
	    "oldest first, by number, then by name");
	ok(backlog_get(b, 0, &f), "the first again");
	is_str(f.entry.name, "2.M9P1Q0.h,S=1:2,FS", "the name has its flags");
	is_str(f.domain, "a.test", "and its domain");
	is_int(f.entry.msgid.size, 1, "the id is parsed");
	backlog_free(b);
}

static void
check_choice(void)
{
	struct scan_found f;
	struct backlog *b;
	size_t asked = 0;

	b = backlog_new(sp, "a.test", SCAN_WAITING, odd, &asked);
	is_int(asked, 4, "each is asked about");
	is_int(backlog_size(b), 1, "one is wanted");
	ok(backlog_get(b, 0, &f), "that one");
	is_str(f.entry.id, "3.M1P1Q1.h,S=7", "indeed");
	backlog_free(b);
	b = backlog_new(sp, "none.test", SCAN_WAITING, NULL, NULL);
	is_int(backlog_size(b), 0, "a domain without mail has none");
	backlog_free(b);
	backlog_free(NULL);
}

/* What has to grow on the way is whole in the end. */
static void
check_many(void)
{
	char name[64];
	struct scan_found f;
	struct backlog *b;
	bool good = true;
	int i;

	for (i = 0; i < 3000; i++) {
		(void)snprintf(name, sizeof(name), "%d.M1P1Q1.h,S=1",
		    100000 + (i * 7) % 3000);
		make(SPOOL_NEW, name);
	}
	b = backlog_new(sp, "a.test", 1 << SPOOL_NEW, NULL, NULL);
	is_int(backlog_size(b), 3002, "thousands");
	for (i = 0; i < 3000; i++)
		good = good && backlog_get(b, (size_t)i + 2, &f) &&
		    f.entry.msgid.time == 100000 + i;
	ok(good, "all of them in order");
	backlog_free(b);
}

int
main(void)
{
	char error[512];

	if (mkdtemp(dir) == NULL || (sp = spool_open(dir, error)) == NULL) {
		puts(error);
		return 1;
	}
	check_order();
	check_choice();
	check_many();
	spool_close(sp);
	nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return done_testing();
}
