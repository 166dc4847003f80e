/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger.h"
#include "tap.h"

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static int
collect(const char *domain, void *arg)
{
	(void)strlcat(arg, domain, 200);
	(void)strlcat(arg, " ", 200);
	return 0;
}

static const char *
whose(struct spool *sp, const char *addr)
{
	static char text[200];

	text[0] = '\0';
	(void)ledger_primary_of(sp, addr, collect, text);
	return text;
}

int
main(void)
{
	char dir[] = "/tmp/mxkeep-ledger.XXXXXX", error[512];
	const char *one[] = { "192.0.2.1", "2001:db8::1" };
	const char *two[] = { "192.0.2.1", "192.0.2.2" };
	struct spool *sp;

	if (mkdtemp(dir) == NULL || (sp = spool_open(dir, error)) == NULL)
		abort();
	is_str(whose(sp, "192.0.2.1"), "", "nobody is known");
	is_int(ledger_note_primaries(sp, "a.test", one, 2), 0, "noted");
	is_int(ledger_note_primaries(sp, "b.test", two, 2), 0, "another");
	is_str(whose(sp, "192.0.2.1"), "a.test b.test ", "of two domains");
	is_str(whose(sp, "2001:db8::1"), "a.test ", "of one, by IPv6");
	ok(ledger_is_primary(sp, "192.0.2.2", "b.test"), "a domain's");
	ok(!ledger_is_primary(sp, "192.0.2.2", "a.test"), "not another's");
	ok(ledger_is_primary(sp, "192.0.2.2", NULL), "but somebody's");
	ok(!ledger_is_primary(sp, "192.0.2.3", NULL), "a stranger");
	ok(!ledger_is_primary(sp, "", NULL), "one without an address");
	ok(!ledger_is_primary(sp, "../a.test/state", NULL), "no address");
	is_int(ledger_note_primaries(sp, "a.test", two, 2), 0, "moved");
	is_str(whose(sp, "2001:db8::1"), "", "its old server is forgotten");
	is_str(whose(sp, "192.0.2.2"), "b.test a.test ", "the new is known");
	is_str(whose(sp, "192.0.2.1"), "a.test b.test ", "one has stayed");
	is_int(ledger_note_primaries(sp, "b.test", NULL, 0), 0, "none");
	is_str(whose(sp, "192.0.2.1"), "a.test ", "b.test has no server");
	spool_close(sp);
	(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return done_testing();
}
