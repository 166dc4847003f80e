/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

#include "seen.h"
#include "tap.h"

static char dir[200], file[256];
static struct spool *sp;

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static struct seen *
need_open(void)
{
	struct seen *seen = seen_open(sp);

	if (seen == NULL) {
		printf("# seen_open failed\n");
		abort();
	}
	return seen;
}

static void
number_key(struct seen *seen, struct seen_key *key, const char *group, int n)
{
	seen_key(seen, key, SEEN_OTHER, group, &n, sizeof(n));
}

static bool
knows(struct seen *seen, const char *group, int n)
{
	struct seen_key key;
	struct seen_entry e;

	number_key(seen, &key, group, n);
	return seen_get(seen, &key, &e) == 1 && e.value == (uint64_t)n;
}

static bool
note(struct seen *seen, const char *group, int n, time_t now)
{
	struct seen_key key;

	number_key(seen, &key, group, n);
	return seen_put(seen, &key, (uint64_t)n, now) == 0;
}

static void
check_table(void)
{
	struct seen *seen = need_open(), *other = need_open();
	struct seen_key key, kind;
	struct seen_entry e;

	seen_key(seen, &key, SEEN_OTHER, "g", "abc", 3);
	is_int(seen_get(seen, &key, &e), 0, "nothing is known at first");
	is_int(seen_put(seen, &key, 17, 1000), 0, "a note");
	is_int(seen_get(other, &key, &e), 1, "another process sees it");
	is_int(e.value, 17, "its value");
	is_int(e.when, 1000, "its time");
	is_int(seen_put(other, &key, 18, 1001), 0, "it is noted again");
	(void)seen_get(seen, &key, &e);
	is_int(e.value, 18, "the new value");
	seen_key(seen, &kind, SEEN_ORDER, "g", "abc", 3);
	is_int(seen_get(seen, &kind, &e), 0, "another kind is another key");
	seen_key(seen, &kind, SEEN_OTHER, "g", "abcd", 4);
	is_int(seen_get(seen, &kind, &e), 0, "so are other octets");
	seen_close(other);
	seen_close(seen);
	seen_close(NULL);
}

static int
count(struct seen *seen, const char *group, int from, int to)
{
	int found = 0;

	for (int i = from; i < to; i++)
		found += knows(seen, group, i);
	return found;
}

static void
check_full(void)
{
	struct seen *seen = need_open();
	int left;

	for (int i = 0; i < 20; i++)
		(void)note(seen, "neighbour", i, 100000);
	for (int i = 100; i < 600; i++)
		(void)note(seen, "flood", i, 100000 + i);
	ok(count(seen, "flood", 100, 600) >= 495,
	    "a client's 500 entries are remembered");
	for (int i = 600; i < 100000; i++)
		(void)note(seen, "flood", i, 100000 + i / 100);
	left = count(seen, "neighbour", 0, 20);
	ok(left == 20, "a flood from one client leaves the others alone");
	left = count(seen, "flood", 99000, 100000);
	ok(left > 300, "of the last 1000 of a flood some are known: %d", left);
	for (int i = 0; i < 1000; i++)
		(void)note(seen, "flood", i, 1000000);
	left = count(seen, "flood", 99000, 100000);
	ok(left < 300, "what is old goes first: %d", left);
	for (int i = 0; i < 1000; i++)
		(void)note(seen, "age", i, 10000 + i * 10);
	for (int i = 1000; i < 1300; i++)
		(void)note(seen, "age", i, 30000);
	left = count(seen, "age", 500, 1000) - count(seen, "age", 0, 500);
	ok(left > 150, "the oldest before the others: %d", left);
	left = 0;
	for (int i = 0; i < 4000; i++)
		if (knows(seen, "turns", i % 2000))
			left++;
		else
			(void)note(seen, "turns", i % 2000, 40000 + i / 10);
	ok(left > 300, "who comes in turns is known in the end: %d", left);
	seen_close(seen);
}

static int
open_file(void)
{
	int fd = open(file, O_RDWR);

	if (fd == -1)
		abort();
	return fd;
}

static void
check_damage(void)
{
	int fd, octets = 0, known = 0;
	struct seen *seen, *late;
	struct seen_entry e;
	struct seen_key key;
	struct stat st;
	char junk[8192];

	/* A file of its own, with one entry. */
	(void)unlink(file);
	seen = need_open();
	fd = open_file();
	(void)note(seen, "g", 1, 5000);
	is_int(fstat(fd, &st), 0, "the file is there");
	is_int(st.st_mode & 07777, 0600, "its mode");
	ok(st.st_size <= SEEN_OCTETS, "its size is bounded");
	number_key(seen, &key, "g", 1);
	/* Each octet of an entry, wrong: never another value. */
	for (off_t at = 4096; at < st.st_size; at++) {
		char was, now;

		if (pread(fd, &was, 1, at) != 1 || was == 0)
			continue;
		now = (char)(was ^ 1);
		if (pwrite(fd, &now, 1, at) != 1)
			abort();
		known += seen_get(seen, &key, &e);
		if (pwrite(fd, &was, 1, at) != 1)
			abort();
		octets++;
	}
	ok(octets > 16 && known == 0, "a damaged entry is none");
	ok(knows(seen, "g", 1), "what was damaged and mended is one");
	if (ftruncate(fd, 0) == -1)
		abort();
	ok(!knows(seen, "g", 1), "a file that was cut is empty");
	ok(note(seen, "g", 2, 5000) && knows(seen, "g", 2),
	    "who has it open goes on");
	late = need_open();
	ok(!knows(late, "g", 2), "who comes then begins anew");
	ok(note(late, "g", 3, 5000) && knows(late, "g", 3), "and remembers");
	seen_close(late);
	seen_close(seen);
	arc4random_buf(junk, sizeof(junk));
	if (ftruncate(fd, 0) == -1 ||
	    pwrite(fd, junk, sizeof(junk), 0) != sizeof(junk))
		abort();
	seen = need_open();
	ok(!knows(seen, "g", 3), "a foreign file is empty");
	ok(note(seen, "g", 4, 5000) && knows(seen, "g", 4), "and taken over");
	late = need_open();
	ok(knows(late, "g", 4), "by all");
	seen_close(late);
	seen_close(seen);
	close(fd);
	if (unlink(file) == -1 || mkfifo(file, 0600) == -1)
		abort();
	ok(seen_open(sp) == NULL, "a FIFO is not opened");
	if (unlink(file) == -1)
		abort();
}

/* Those who come first at once all know what the others note. */
static void
check_begin(void)
{
	struct seen *seen;
	int lost = 0, gate[2];
	char c;

	for (int round = 0; round < 30; round++) {
		(void)unlink(file);
		if (pipe(gate) == -1)
			abort();
		for (int i = 0; i < 6; i++) {
			if (fork() != 0)
				continue;
			close(gate[1]);
			if (read(gate[0], &c, 1) != 0)
				_exit(1);
			(void)note(need_open(), "first", i, 7000);
			_exit(0);
		}
		close(gate[0]);
		close(gate[1]);
		while (wait(NULL) != -1)
			;
		seen = need_open();
		for (int i = 0; i < 6; i++)
			lost += !knows(seen, "first", i);
		seen_close(seen);
	}
	/* Two that take the same place at once lose one now and then. */
	ok(lost <= 6, "of 180 notes %d were lost", lost);
}

/* Children open, note and are killed; nobody ever reads a wrong value. */
static void
child(unsigned seed)
{
	for (;;) {
		struct seen *seen = need_open();

		for (int i = 0; i < 200; i++) {
			struct seen_key key;
			struct seen_entry e;
			int n = (int)(seed >> 16) % 3000;

			seed = seed * 1103515245 + 12345;
			number_key(seen, &key, "race", n);
			if (seen_get(seen, &key, &e) == 1 &&
			    e.value != (uint64_t)n)
				_exit(9);
			(void)note(seen, "race", n, 7000);
		}
		seen_close(seen);
	}
}

static void
check_race(void)
{
	int status, wrong = 0;
	struct seen *seen;
	pid_t pid[4];

	for (int round = 0; round < 8; round++) {
		(void)unlink(file);
		for (int i = 0; i < 4; i++)
			if ((pid[i] = fork()) == 0)
				child((unsigned)(round * 4 + i));
		usleep(30000);
		for (int i = 0; i < 4; i++) {
			(void)kill(pid[i], SIGKILL);
			(void)waitpid(pid[i], &status, 0);
			wrong += WIFEXITED(status);
		}
	}
	is_int(wrong, 0, "nobody saw a value of another's");
	seen = need_open();
	ok(count(seen, "race", 0, 3000) > 500, "and much was remembered");
	seen_close(seen);
}

static const struct {
	const char *name, *client, *sender, *recipient;
	time_t now;
	enum seen_answer want;
} returns[] = {
	{ "the first time", "192.0.2.1", "a@x.test", "b@y.test", 10000,
	    SEEN_WAIT },
	{ "at once", "192.0.2.1", "a@x.test", "b@y.test", 10001, SEEN_WAIT },
	{ "a second early", "192.0.2.1", "a@x.test", "b@y.test", 10299,
	    SEEN_WAIT },
	{ "another sender", "192.0.2.1", "c@x.test", "b@y.test", 10300,
	    SEEN_WAIT },
	{ "another recipient", "192.0.2.1", "a@x.test", "d@y.test", 10300,
	    SEEN_WAIT },
	{ "another network", "192.0.3.1", "a@x.test", "b@y.test", 10300,
	    SEEN_WAIT },
	{ "after 5 minutes, from the same /24, in capitals", "192.0.2.254",
	    "A@X.test", "B@y.TEST", 10300, SEEN_PASSES },
	{ "the next message", "192.0.2.1", "a@x.test", "b@y.test", 10301,
	    SEEN_PASSES },
	{ "a month later", "192.0.2.1", "a@x.test", "b@y.test",
	    10301 + 36 * 86400, SEEN_PASSES },
	{ "each time begins the month anew", "192.0.2.1", "a@x.test",
	    "b@y.test", 10301 + 72 * 86400, SEEN_PASSES },
	{ "too late", "192.0.2.1", "a@x.test", "b@y.test",
	    10302 + 108 * 86400, SEEN_WAIT },
	{ "begun anew", "192.0.2.1", "a@x.test", "b@y.test",
	    10602 + 108 * 86400, SEEN_PASSES },
	{ "returns within two days", "192.0.3.1", "a@x.test", "b@y.test",
	    10300 + 2 * 86400, SEEN_PASSES },
	{ "returns after two days", "192.0.2.1", "c@x.test", "b@y.test",
	    10301 + 2 * 86400, SEEN_WAIT },
	{ "and then in time", "192.0.2.1", "c@x.test", "b@y.test",
	    10601 + 2 * 86400, SEEN_PASSES },
	{ "the clock is set back", "192.0.2.1", "c@x.test", "b@y.test",
	    9000, SEEN_WAIT },
	{ "and goes on from there", "192.0.2.1", "c@x.test", "b@y.test",
	    9300, SEEN_PASSES },
	{ "IPv6", "2001:db8::1", "", "b@y.test", 10000, SEEN_WAIT },
	{ "the same /64", "2001:db8::ff:0:0:1", "", "b@y.test", 10300,
	    SEEN_PASSES },
	{ "another /64", "2001:db8:0:1::1", "", "b@y.test", 10300,
	    SEEN_WAIT },
	{ "no address", "unknown", "", "b@y.test", 10000, SEEN_WAIT },
	{ "no address, again", "unknown", "", "b@y.test", 10300,
	    SEEN_PASSES },
	{ "where sender and recipient meet", "192.0.9.1", "ab", "c", 10000,
	    SEEN_WAIT },
	{ "they are not one", "192.0.9.1", "a", "bc", 10300, SEEN_WAIT },
};

static void
check_return(void)
{
	for (size_t i = 0; i < sizeof(returns) / sizeof(returns[0]); i++) {
		struct seen *seen = need_open();

		is_int(seen_return(seen, returns[i].client, returns[i].sender,
		    returns[i].recipient, returns[i].now), returns[i].want,
		    "return: %s", returns[i].name);
		seen_close(seen);
	}
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");
	char error[512];

	(void)snprintf(dir, sizeof(dir), "%s/seen.XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(dir) == NULL || (sp = spool_open(dir, error)) == NULL)
		return 1;
	(void)snprintf(file, sizeof(file), "%s/seen/memory", dir);
	check_table();
	check_full();
	check_damage();
	check_return();
	check_begin();
	check_race();
	spool_close(sp);
	(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return done_testing();
}
