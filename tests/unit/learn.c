/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "learn.h"
#include "recipients.h"
#include "tap.h"

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
hear(struct learn *l, const char *address, const char *line)
{
	struct reply r;

	reply_init(&r);
	if (reply_feed(&r, line, strlen(line)) != REPLY_DONE)
		abort();
	learn_rcpt(l, address, &r);
}

/* "yes", "no" or "?" */
static const char *
known(struct spool *sp, const char *address)
{
	struct addr a;

	if (!addr_parse_mailbox(&a, address))
		abort();
	switch (recipients_learnt(sp, "a.test", &a, time(NULL))) {
	case RECIPIENTS_YES:
		return "yes";
	case RECIPIENTS_NO:
		return "no";
	case RECIPIENTS_UNKNOWN:
	case RECIPIENTS_ERROR:
		break;
	}
	return "?";
}

static void
save_if(struct learn *l, struct spool *sp, bool believe)
{
	is_int(learn_save(l, sp, "a.test", believe, time(NULL)), 0, "saved");
	learn_free(l);
}

static void
save(struct learn *l, struct spool *sp)
{
	save_if(l, sp, true);
}

int
main(void)
{
	char dir[] = "/tmp/mxkeep-learn.XXXXXX", error[512];
	struct spool *sp;
	struct learn *l;

	if (mkdtemp(dir) == NULL || (sp = spool_open(dir, error)) == NULL)
		abort();
	l = learn_new();
	hear(l, "x@a.test", "550 5.1.1 no such user");
	hear(l, "y@a.test", "550 no such user");
	save(l, sp);
	is_str(known(sp, "x@a.test"), "?", "who refuses all is not believed");

	l = learn_new();
	hear(l, "Good@a.test", "250 2.1.5 ok");
	hear(l, "x@a.test", "550 5.1.1 no such user");
	save(l, sp);
	is_str(known(sp, "good@a.test"), "yes", "one is good");
	is_str(known(sp, "x@a.test"), "no", "one is bad");
	is_str(known(sp, "other@a.test"), "?", "of another nothing is known");

	l = learn_new();
	hear(l, "also@a.test", "250 ok");
	hear(l, "\"quoted one\"@a.test", "251 will forward");
	hear(l, "y@a.test", "550 5.1.1 no such user");
	hear(l, "policy@a.test", "550 5.7.1 your address is on a list");
	hear(l, "later@a.test", "450 4.1.1 not now");
	hear(l, "full@a.test", "552 5.2.2 over quota");
	hear(l, "gone@a.test", "551 gone elsewhere");
	save(l, sp);
	is_str(known(sp, "also@a.test"), "yes", "another good one");
	is_str(known(sp, "y@a.test"), "no", "another bad one");
	is_str(known(sp, "gone@a.test"), "no", "without an enhanced code");
	is_str(known(sp, "policy@a.test"), "?", "a policy is no verdict on it");
	is_str(known(sp, "later@a.test"), "?", "nor is a delay");
	is_str(known(sp, "full@a.test"), "?", "nor is a full mailbox");

	l = learn_new();
	hear(l, "third@a.test", "250 ok");
	hear(l, "also@a.test", "550 5.1.1 no");
	hear(l, "p@a.test", "550 5.1.1 no");
	save(l, sp);
	is_str(known(sp, "third@a.test"), "yes", "good amid many bad ones");
	is_str(known(sp, "also@a.test"), "yes", "those do not count");
	is_str(known(sp, "p@a.test"), "?", "none of them");

	l = learn_new();
	hear(l, "new@a.test", "250 ok");
	hear(l, "also@a.test", "550 5.1.1 no");
	hear(l, "q@a.test", "550 5.1.1 no");
	hear(l, "good@a.test", "250 ok");
	save_if(l, sp, false);
	is_str(known(sp, "new@a.test"), "yes", "good at one not believed");
	is_str(known(sp, "also@a.test"), "yes", "who does not count there");
	is_str(known(sp, "q@a.test"), "?", "nor there");
	spool_close(sp);
	(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return done_testing();
}
