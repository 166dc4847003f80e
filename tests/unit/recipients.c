/* SPDX-License-Identifier: ISC */
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "recipients.h"
#include "tap.h"

static char dir[200], list[256];
static struct spool *sp;

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/* The list, as if it had been written AGE seconds ago. */
static void
put(const char *text, size_t len, time_t age)
{
	struct timespec times[2] = { { time(NULL) - age, 0 },
	    { time(NULL) - age, 0 } };
	int fd = open(list, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd == -1 || write(fd, text, len) != (ssize_t)len ||
	    futimens(fd, times) == -1)
		abort();
	close(fd);
}

static void
address(struct addr *a, const char *text)
{
	if (!addr_parse_mailbox(a, text)) {
		printf("# not an address: %s\n", text);
		abort();
	}
}

static enum recipients_found
look(const char *text, struct seen *seen, char *why)
{
	struct addr a;

	address(&a, text);
	return recipients_file(list, &a, seen, why);
}

#define TEXT(s) s, sizeof(s) - 1
#define YES RECIPIENTS_YES
#define NO RECIPIENTS_NO
static const struct {
	const char *name, *text;
	size_t len;
	const char *address;
	enum recipients_found want;
} cases[] = {
	{ "an address", TEXT("ann@x.test\n"), "ann@x.test", YES },
	{ "another domain", TEXT("ann@x.test\n"), "ann@y.test", NO },
	{ "another user", TEXT("ann@x.test\n"), "an@x.test", NO },
	{ "a longer user", TEXT("ann@x.test\n"), "anna@x.test", NO },
	{ "a user alone", TEXT("bob\n"), "bob@y.test", YES },
	{ "either case", TEXT("Bob@X.test\n"), "bOB@x.TEST", YES },
	{ "no newline", TEXT("ann\nbob"), "bob@y.test", YES },
	{ "CRLF", TEXT("ann\r\nbob\r\n"), "ann@y.test", YES },
	{ "CRLF, the last", TEXT("ann\r\nbob\r\n"), "bob@y.test", YES },
	{ "comments", TEXT("# bob\n#bob\nann # bob\n"), "bob@x.test", NO },
	{ "a word behind", TEXT("ann OK\n"), "ann@x.test", YES },
	{ "blanks", TEXT("  ann\t \n\n"), "ann@x.test", YES },
	{ "nobody", TEXT("# nobody\n"), "ann@x.test", NO },
	{ "an empty line", TEXT("\n"), "ann@x.test", NO },
	{ "all", TEXT("@\n"), "ann@x.test", YES },
	{ "all of a domain", TEXT("@x.test\n"), "ann@x.test", YES },
	{ "all of another", TEXT("@x.test\n"), "ann@y.test", NO },
	{ "not of a subdomain", TEXT("@x.test\n"), "ann@a.x.test", NO },
	{ "a tag", TEXT("ann\n"), "ann+lists@x.test", YES },
	{ "a tag with a domain", TEXT("ann@x.test\n"), "Ann+a+b@x.test", YES },
	{ "a tag of another", TEXT("ann\n"), "bob+ann@x.test", NO },
	{ "the tag alone is there", TEXT("ann+a\n"), "ann+a@x.test", YES },
	{ "another tag", TEXT("ann+a\n"), "ann+b@x.test", NO },
	{ "without the tag", TEXT("ann+a\n"), "ann@x.test", NO },
	{ "nothing before the tag", TEXT("ann\n"), "+ann@x.test", NO },
	{ "a plus in front", TEXT("+ann\n"), "+ann@x.test", YES },
	{ "quotes", TEXT("ann\n"), "\"ann\"@x.test", YES },
	{ "quotes that had been needed", TEXT("a,b\n"), "\"a,b\"@x.test",
	    YES },
	{ "an address as a local part", TEXT("ann@x.test\n"),
	    "\"ann@x.test\"@x.test", NO },
	{ "a local part like a wildcard", TEXT("@x.test\n"),
	    "\"@x.test\"@y.test", NO },
	{ "nothing as a local part", TEXT("ann\n"), "\"\"@x.test", NO },
	{ "a blank in a local part", TEXT("ann b\n"), "\"ann b\"@x.test",
	    NO },
	{ "UTF-8", TEXT("j\xc3\xb6rg\n"), "j\xc3\xb6rg@x.test", YES },
	{ "UTF-8 in capitals is another", TEXT("j\xc3\x96rg\n"),
	    "j\xc3\xb6rg@x.test", NO },
	{ "NUL", TEXT("a\0nn\nbob\0\n"), "bob@x.test", NO },
	{ "behind NUL", TEXT("a\0nn\nbob\n"), "bob@x.test", YES },
	{ "a byte order mark", TEXT("\xef\xbb\xbf" "ann\n"), "ann@x.test",
	    YES },
	{ "a literal", TEXT("ann@[192.0.2.1]\n"), "ann@[192.0.2.1]", YES },
};

static void
check_small(void)
{
	char why[RECIPIENTS_WHY_MAX];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		put(cases[i].text, cases[i].len, 60);
		is_int(look(cases[i].address, NULL, why), cases[i].want,
		    "%s", cases[i].name);
		is_str(why, "", "%s: no remark", cases[i].name);
	}
}

static void
check_errors(void)
{
	char why[RECIPIENTS_WHY_MAX];

	(void)unlink(list);
	is_int(look("a@x.test", NULL, why), RECIPIENTS_ERROR, "no file");
	ok(strstr(why, "/list: No such file") != NULL, "says %s", why);
	if (mkdir(list, 0700) == -1)
		abort();
	is_int(look("a@x.test", NULL, why), RECIPIENTS_ERROR, "a directory");
	(void)rmdir(list);
	if (mkfifo(list, 0600) == -1)
		abort();
	is_int(look("a@x.test", NULL, why), RECIPIENTS_ERROR, "a FIFO");
	ok(strstr(why, "expected a file") != NULL, "says %s", why);
	(void)unlink(list);
	put(TEXT(""), 60);
	is_int(look("a@x.test", NULL, why), RECIPIENTS_ERROR,
	    "an empty file, somebody may be about to fill it");
	ok(strstr(why, "empty") != NULL, "says %s", why);
	put(TEXT("ann\nb"), 0);
	is_int(look("bob@x.test", NULL, why), RECIPIENTS_ERROR,
	    "half a line was written just now");
	is_int(look("ann@x.test", NULL, why), YES, "who is there, is there");
	put(TEXT("ann\nb\n"), 0);
	is_int(look("bob@x.test", NULL, why), NO, "whole lines were");
}

/* A long list of u00000 to u09999; one line is out of order if WRONG. */
static void
put_long(bool wrong, time_t age)
{
	char *text = malloc(400000);
	size_t used = 0;

	if (text == NULL)
		abort();
	for (int i = 0; i < 10000; i++) {
		used += (size_t)snprintf(text + used, 64, "u%05d@x.test\n", i);
		if (wrong && i == 5000)
			used += (size_t)snprintf(text + used, 64, "a00000@x.test\n");
	}
	put(text, used, age);
	free(text);
}

static int
count_wrong(struct seen *seen)
{
	char text[32], why[RECIPIENTS_WHY_MAX];
	int wrong = 0;

	for (int i = 0; i < 10000; i += 7) {
		(void)snprintf(text, sizeof(text), "u%05d@x.test", i);
		wrong += look(text, seen, why) != YES;
	}
	return wrong;
}

static bool
remembers_order(struct seen *seen)
{
	struct seen_key key;
	struct seen_entry e;
	struct stat st;
	uint64_t state[7];

	if (stat(list, &st) == -1)
		abort();
	state[0] = (uint64_t)st.st_dev;
	state[1] = (uint64_t)st.st_ino;
	state[2] = (uint64_t)st.st_size;
	state[3] = (uint64_t)st.st_mtim.tv_sec;
	state[4] = (uint64_t)st.st_mtim.tv_nsec;
	state[5] = (uint64_t)st.st_ctim.tv_sec;
	state[6] = (uint64_t)st.st_ctim.tv_nsec;
	seen_key(seen, &key, SEEN_ORDER, "order", state, sizeof(state));
	return seen_get(seen, &key, &e) == 1;
}

static void
check_long(void)
{
	char why[RECIPIENTS_WHY_MAX];
	struct seen *seen;

	if ((seen = seen_open(sp)) == NULL)
		abort();
	put_long(false, 60);
	is_int(count_wrong(seen), 0, "all of a long list are found");
	is_int(look("v@x.test", seen, why), NO, "others are not");
	is_str(why, "", "which is no news");
	ok(!remembers_order(seen), "a file just changed is not remembered");
	put_long(true, 60);
	is_int(count_wrong(seen), 0, "all of an unsorted list are found");
	is_int(look("A00000@x.test", seen, why), YES, "those out of order, too");
	is_int(look("b@x.test", seen, why), NO, "others are not");
	ok(strstr(why, "/list:5002: not sorted") != NULL, "says %s", why);
	/* The time of change of the inode cannot be set back. */
	sleep(4);
	is_int(look("b@x.test", seen, why), NO, "once more");
	ok(remembers_order(seen), "it is remembered");
	is_int(look("b@x.test", seen, why), NO, "once more");
	is_str(why, "", "and said once");
	is_int(look("a00000@x.test", seen, why), YES, "who is out of order is "
	    "found in a list known to be unsorted");
	seen_close(seen);
	if ((seen = seen_open(sp)) == NULL)
		abort();
	ok(remembers_order(seen), "by others, too");
	put_long(true, 61);
	ok(!remembers_order(seen), "until the file changes");
	is_int(look("a00000@x.test", NULL, why), YES,
	    "it goes without a memory");
	seen_close(seen);
}

/* Whatever a writer does to the file, who is always in it is in it. */
static void
check_edited(void)
{
	char why[RECIPIENTS_WHY_MAX], other[300];
	int fd, no = 0, yes = 0;
	pid_t pid;

	put_long(false, 60);
	(void)snprintf(other, sizeof(other), "%s.orig", list);
	(void)rename(list, other);
	put_long(true, 60);
	if ((pid = fork()) == 0)
		for (;;) {
			(void)snprintf(other, sizeof(other), "%s.orig", list);
			(void)rename(other, list);
			put_long(true, 0);
			(void)rename(list, other);
			put_long(false, 0);
			if ((fd = open(list, O_WRONLY | O_TRUNC)) != -1)
				close(fd);
			(void)unlink(other);
			put_long(true, 0);
			(void)rename(list, other);
		}
	for (int i = 0; i < 3000; i++) {
		enum recipients_found found = look("u07777@x.test", NULL, why);

		no += found == NO;
		yes += found == YES;
	}
	(void)kill(pid, SIGKILL);
	(void)waitpid(pid, NULL, 0);
	is_int(no, 0, "nobody is refused while a list is rewritten");
	ok(yes > 0, "and it is read: %d", yes);
}

/*** What was learnt ***/

static enum recipients_found
learnt(const char *text, time_t now)
{
	struct addr a;

	address(&a, text);
	return recipients_learnt(sp, "x.test", &a, now);
}

static int
learn(const char *local, enum recipients_found found, time_t when)
{
	struct recipients_entry e = { local, found, when };

	return recipients_learn(sp, "x.test", &e, 1, when);
}

static ino_t
learnt_inode(void)
{
	char path[300];
	struct stat st;

	(void)snprintf(path, sizeof(path), "%s/state/x.test/recipients", dir);
	return stat(path, &st) == 0 ? st.st_ino : 0;
}

#define DAY 86400

static void
check_learnt(void)
{
	char *text;
	ino_t before;

	is_int(learnt("ann@x.test", 0), RECIPIENTS_UNKNOWN, "nothing learnt");
	is_int(learn("Ann", YES, 1000), 0, "one is good");
	is_int(learn("bob", NO, 2000), 0, "one is bad");
	is_int(learnt("aNN@x.test", 3000), YES, "the good one");
	is_int(learnt("Bob@x.test", 3000), NO, "the bad one");
	is_int(learnt("ann+tag@x.test", 3000), RECIPIENTS_UNKNOWN, "a tag");
	is_int(learnt("al@x.test", 3000), RECIPIENTS_UNKNOWN, "another");
	text = spool_text_read(sp, "x.test", "recipients");
	is_str(text, "ann good 1000\nbob bad 2000\n", "the file");
	free(text);
	is_int(learnt("ann@x.test", 1000 + 31 * DAY), YES, "good, a month");
	is_int(learnt("ann@x.test", 1001 + 31 * DAY), RECIPIENTS_UNKNOWN,
	    "no more");
	is_int(learnt("bob@x.test", 2000 + 3 * DAY), NO, "bad, three days");
	is_int(learnt("bob@x.test", 2001 + 3 * DAY), RECIPIENTS_UNKNOWN,
	    "no more");
	before = learnt_inode();
	is_int(learn("ann", YES, 1000 + DAY - 1), 0, "good again");
	ok(before == learnt_inode(), "is no news within a day");
	is_int(learn("ann", YES, 1000 + DAY), 0, "good again");
	ok(before != learnt_inode(), "is news after a day");
	is_int(learnt("ann@x.test", 1000 + 32 * DAY), YES, "and lasts longer");
	is_int(learn("ann", NO, 1001 + DAY), 0, "bad after good");
	is_int(learnt("ann@x.test", 1001 + DAY), NO, "is bad");
	is_int(learn("cyd", YES, 1000 + 20 * DAY), 0, "another");
	text = spool_text_read(sp, "x.test", "recipients");
	is_str(text, "cyd good 1729000\n", "what is too old went");
	free(text);
	before = learnt_inode();
	is_int(learn("a b", YES, 2000 + 20 * DAY), 0, "no place for blanks");
	is_int(learn("a@b", YES, 2000 + 20 * DAY), 0, "for signs");
	is_int(learn("#a", YES, 2000 + 20 * DAY), 0, "for comments");
	is_int(learn("a\nb good 5", YES, 2000 + 20 * DAY), 0, "for lines");
	is_int(learn("", YES, 2000 + 20 * DAY), 0, "for nothing");
	ok(before == learnt_inode(), "is in the file");
	is_int(learnt("\"a b\"@x.test", 20 * DAY), RECIPIENTS_UNKNOWN,
	    "nor looked for");
	is_int(learn("@", YES, 20 * DAY), 0, "it takes anybody");
	is_int(learn("bob", NO, 20 * DAY), 0, "but one");
	is_int(learnt("xyz@x.test", 21 * DAY), YES, "anybody");
	is_int(learnt("\"a b\"@x.test", 21 * DAY), YES, "really anybody");
	is_int(learnt("bob@x.test", 21 * DAY), NO, "but the one");
	is_int(learnt("xyz@x.test", 52 * DAY), RECIPIENTS_UNKNOWN,
	    "for a month");
	is_int(learn("@", NO, 22 * DAY), 0, "not any more");
	is_int(learnt("xyz@x.test", 22 * DAY), RECIPIENTS_UNKNOWN,
	    "which says nothing of others");
}

static void
check_learnt_damage(void)
{
	static const char junk[] = "dan\nann good\nann good x\n\n \nbob maybe 5"
	    "\n\0\xff\nZOE good 1000\neve bad 1000\nann bad 99999999999999999999"
	    "\n";
	char path[300], *text;
	int fd;

	(void)snprintf(path, sizeof(path), "%s/state/x.test/recipients", dir);
	if ((fd = open(path, O_WRONLY | O_TRUNC)) == -1 ||
	    write(fd, junk, sizeof(junk) - 1) != sizeof(junk) - 1)
		abort();
	close(fd);
	is_int(learnt("ann@x.test", 1000), RECIPIENTS_UNKNOWN, "junk");
	is_int(learn("fay", YES, 1000), 0, "is learnt over");
	text = spool_text_read(sp, "x.test", "recipients");
	is_str(text, "fay good 1000\n", "what is behind a NUL is lost");
	free(text);
	if (chmod(path, 0) == -1 || unlink(path) == -1 ||
	    symlink("/etc/passwd", path) == -1)
		abort();
	is_int(learnt("ann@x.test", 1000), RECIPIENTS_ERROR, "a symlink");
	is_int(learn("fay", YES, 1000), -1, "is not learnt over");
	(void)unlink(path);
}

/* One more than there is room for: the bad go first, then the old. */
static void
check_learnt_full(void)
{
	size_t n = RECIPIENTS_LEARNT_MAX + 10;
	struct recipients_entry *e = calloc(n, sizeof(*e));
	char (*name)[12] = calloc(n, sizeof(*name));
	int good = 0, wrong = 0;

	if (e == NULL || name == NULL)
		abort();
	for (size_t i = 0; i < n; i++) {
		(void)snprintf(name[i], sizeof(name[i]), "u%07zu", i);
		e[i].local = name[i];
		e[i].when = 100000 + (time_t)i;
		e[i].found = i % 2 == 0 ? YES : NO;
	}
	is_int(recipients_learn(sp, "x.test", e, n, 200000), 0,
	    "too many at once");
	for (size_t i = 0; i < n; i++) {
		char text[64];
		enum recipients_found found;

		if (i > 1000 && i % 97 != 0)
			continue;
		(void)snprintf(text, sizeof(text), "%s@x.test", name[i]);
		found = learnt(text, 200000);
		good += found == YES;
		wrong += found != (i % 2 == 0 ? YES : i < 20 ?
		    RECIPIENTS_UNKNOWN : NO);
	}
	ok(good > 500 && wrong == 0, "the oldest of the bad went");
	free(e);
	free(name);
}

/*** Whom to ask about ***/

static int
ask(const char *file, const char *text)
{
	struct addr a;

	address(&a, text);
	return recipients_ask(sp, file, &a);
}

static void
is_taken(const char *file, const char *want, const char *name)
{
	char *text = recipients_asked_take(sp, file);

	is_str(text, want, "%s", name);
	free(text);
}

static void
check_asked(void)
{
	char text[300], path[300], *taken, longest[260];
	struct stat st;
	int fd;

	is_taken("x.test", "", "nothing was asked");
	is_int(ask("x.test", "Ann@X.test"), 0, "one is asked about");
	is_int(ask("x.test", "\"b c\"@x.test"), 0, "another");
	is_int(ask("x.test", "Ann@x.test"), 0, "the first again");
	is_int(ask("x.test", "nn@x.test"), 0, "the end of the first");
	is_int(ask(".x.test", "ann@y.x.test"), 0, "of a subdomain");
	is_taken("x.test", "Ann@x.test\n\"b c\"@x.test\nnn@x.test\n",
	    "each once");
	is_taken("x.test", "", "they are forgotten");
	is_taken(".x.test", "ann@y.x.test\n", "subdomains have their own");
	(void)snprintf(path, sizeof(path), "%s/seen/asked:x.test", dir);
	if ((fd = open(path, O_WRONLY)) == -1 || write(fd, "torn", 4) != 4)
		abort();
	is_int(ask("x.test", "ann@x.test"), 0, "behind half a line");
	is_int(ask("x.test", "ann@x.test"), 0, "again");
	is_taken("x.test", "torn\nann@x.test\n", "it gets an end");
	for (int i = 0; i < 6000; i++) {
		(void)snprintf(text, sizeof(text), "user-%d@x.test", i);
		(void)ask("x.test", text);
	}
	ok(stat(path, &st) == 0 && st.st_size > 65000 &&
	    st.st_size <= RECIPIENTS_ASKED_MAX, "there is an end of it");
	taken = recipients_asked_take(sp, "x.test");
	ok(taken != NULL && strncmp(taken, "user-0@x.test\n", 14) == 0 &&
	    strlen(taken) == (size_t)st.st_size, "all of it is taken");
	free(taken);
	if (flock(fd, LOCK_EX) == -1)
		abort();
	is_int(ask("x.test", "ann@x.test"), -1, "nobody waits for a lock");
	close(fd);
	memset(longest, 'a', 253);
	longest[253] = '\0';
	is_int(ask(longest, "ann@x.test"), 0, "the longest name");
	is_int(ask("a/b", "ann@x.test"), -1, "a name that is none");
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");
	char error[512];

	(void)snprintf(dir, sizeof(dir), "%s/recipients.XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(dir) == NULL || (sp = spool_open(dir, error)) == NULL)
		return 1;
	(void)snprintf(list, sizeof(list), "%s/list", dir);
	check_small();
	check_errors();
	check_long();
	check_edited();
	check_learnt();
	check_learnt_damage();
	check_learnt_full();
	check_asked();
	spool_close(sp);
	(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return done_testing();
}
