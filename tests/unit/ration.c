/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ration.h"
#include "tap.h"

#define NOW	1764000000

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int
main(void)
{
	char dir[] = "/tmp/mx-ration.XXXXXX", error[512], *text;
	struct ration r;
	struct spool *sp;

	if (mkdtemp(dir) == NULL || (sp = spool_open(dir, error)) == NULL)
		return 1;
	is_int(ration_load(sp, "a.test", NOW, &r), 0, "no file");
	is_int(r.hour, 0, "nothing sent");
	for (int i = 0; i < 3; i++)
		is_int(ration_take(sp, "a.test", 3, NOW + i * 1000), 1,
		    "take %d", i);
	is_int(ration_take(sp, "a.test", 3, NOW + 2500), 0, "none left");
	is_int(ration_take(sp, "b.test", 3, NOW + 2500), 1,
	    "each domain has its own");
	is_int(ration_take(sp, "a.test", 0, NOW + 2500), 1, "no limit");
	is_int(ration_take(sp, "a.test", 3, NOW + 3590), 0,
	    "an hour is not over");
	is_int(ration_take(sp, "a.test", 3, NOW + 3610), 1, "it is");
	is_int(ration_take(sp, "a.test", 3, NOW + 3610), 0, "for one");
	is_int(ration_withhold(sp, "a.test"), 0, "withhold");
	is_int(ration_load(sp, "a.test", NOW + 3700, &r), 0, "load");
	is_int(r.hour, 3, "sent");
	is_int(r.withheld, 1, "withheld");
	is_int(ration_load(sp, "a.test", NOW - 86400, &r), 0, "a clock back");
	is_int(r.hour, 0, "keeps nothing away");
	for (int i = 0; i < 5000; i++)
		if (ration_take(sp, "a.test", 5000, NOW + i * 97) != 1)
			break;
	text = spool_text_read(sp, "a.test", "reports");
	ok(text != NULL && strlen(text) < 400, "the file stays small");
	free(text);
	is_int(spool_text_write(sp, "a.test", "reports",
	    "sent x\nsent -1 5\nnonsense\nwithheld 7\n", false), 0, "garbage");
	is_int(ration_load(sp, "a.test", NOW, &r), 0, "is read");
	is_int(r.hour * 100 + r.withheld, 7, "as far as it makes sense");
	spool_close(sp);
	(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return done_testing();
}
