/* SPDX-License-Identifier: ISC */
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "msgid.h"
#include "recipients.h"
#include "sandbox.h"
#include "seen.h"
#include "tap.h"
#include "usage.h"

static char dir[200];
static struct spool *sp;
static struct conf conf;
static const struct usage none = { 0, 0 };

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void
make_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd == -1 || write(fd, text, strlen(text)) !=
	    (ssize_t)strlen(text))
		abort();
	close(fd);
}

static void
configure(const char *file)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/etc/domains/%s", dir, file);
	make_file(path, "");
}

/* A message of SIZE octets, by its name. */
static void
queue(const char *domain, enum spool_folder folder, int64_t size)
{
	char base[MSGID_BASE_MAX + 1], id[MSGID_MAX + 1];
	int at = spool_folder_need(sp, domain, folder), fd;

	msgid_new(base, "test");
	msgid_name(id, base, size);
	if (at == -1 || (fd = openat(at, id, O_WRONLY | O_CREAT, 0600)) == -1)
		abort();
	close(fd);
	close(at);
}

static void
drain(const char *domain)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/mail/%s", dir, domain);
	(void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static enum usage_answer
take(const char *file, int64_t messages, int64_t bytes, int64_t size,
    time_t now)
{
	struct usage quota = { messages, bytes };

	return usage_take(sp, &conf, file, &quota, size, now);
}

static struct usage
used(const char *file, time_t now)
{
	struct usage u = { -1, -1 };

	if (usage_look(sp, &conf, file, &none, 0, &u, now) != USAGE_ROOM)
		u.messages = -2;
	return u;
}

static void
check_count(void)
{
	struct usage u, quota = { 0, 1500 };

	configure("a.test");
	u = used("a.test", 1000);
	is_int(u.messages, 0, "nothing waits");
	queue("a.test", SPOOL_NEW, 100);
	queue("a.test", SPOOL_CUR, 20);
	queue("a.test", SPOOL_HELD, 3);
	queue("a.test", SPOOL_SENT, 5000);
	queue("a.test", SPOOL_EXPIRED, 5000);
	u = used("a.test", 1059);
	is_int(u.messages, 0, "counted a minute ago");
	u = used("a.test", 1060);
	is_int(u.messages, 3, "what waits is counted");
	is_int(u.bytes, 123, "by its size");
	is_int(take("a.test", 0, 0, 1000, 1061), USAGE_ROOM, "one more");
	u = used("a.test", 1061);
	is_int(u.messages, 4, "is one message");
	is_int(u.bytes, 1123, "of its size");
	usage_give(sp, "a.test", 1000);
	u = used("a.test", 1061);
	is_int(u.messages, 3, "it was given back");
	is_int(u.bytes, 123, "all of it");
	is_int(usage_look(sp, &conf, "a.test", &quota, 1377, NULL, 1062),
	    USAGE_ROOM, "what just fits");
	is_int(usage_look(sp, &conf, "a.test", &quota, 1378, NULL, 1062),
	    USAGE_FULL, "what does not");
	for (int i = 0; i < 10; i++)
		usage_give(sp, "a.test", 1000);
	u = used("a.test", 1063);
	ok(u.messages == 0 && u.bytes == 0, "never below nothing");
	u = used("a.test", 500);
	is_int(u.messages, 3, "a clock that was set back counts");
}

static void
check_full(void)
{
	configure("b.test");
	is_int(take("b.test", 2, 0, 10, 1000), USAGE_ROOM, "the first");
	is_int(take("b.test", 2, 0, 10, 1000), USAGE_ROOM, "the second");
	is_int(take("b.test", 2, 0, 10, 1000), USAGE_FULL, "no third");
	is_int(take("b.test", 2, 0, 10, 1004), USAGE_FULL, "not yet");
	is_int(take("b.test", 2, 0, 10, 1005), USAGE_ROOM,
	    "none was committed, as is found 5 seconds later");
	queue("b.test", SPOOL_NEW, 10);
	queue("b.test", SPOOL_NEW, 10);
	queue("b.test", SPOOL_NEW, 10);
	is_int(take("b.test", 2, 0, 10, 1006), USAGE_ROOM, "two taken");
	is_int(take("b.test", 2, 0, 10, 1010), USAGE_FULL, "three wait");
	is_int(take("b.test", 4, 0, 10, 1010), USAGE_ROOM, "a larger quota");
	is_int(take("b.test", 4, 0, 10, 1010), USAGE_FULL, "no fifth");
	drain("b.test");
	is_int(take("b.test", 2, 0, 10, 1014), USAGE_FULL,
	    "all delivered, as is not known yet");
	is_int(take("b.test", 2, 0, 10, 1015), USAGE_ROOM, "now it is");
	is_int(take("b.test", 0, 30, 20, 1015), USAGE_ROOM, "30 octets");
	is_int(take("b.test", 0, 30, 1, 1015), USAGE_FULL, "not one more");
	is_int(take("b.test", 0, 0, 1 << 30, 1015), USAGE_ROOM, "no quota");
	is_int(take("b.test", 0, INT64_MAX, INT64_MAX, 1015), USAGE_FULL,
	    "no overflow");
}

static void
check_subdomains(void)
{
	struct usage u;

	configure(".c.test");
	configure("own.c.test");
	configure(".deep.c.test");
	configure("c.test");
	queue("x.c.test", SPOOL_NEW, 1);
	queue("y.z.c.test", SPOOL_CUR, 10);
	queue("own.c.test", SPOOL_NEW, 100);
	queue("x.deep.c.test", SPOOL_NEW, 1000);
	queue("c.test", SPOOL_NEW, 10000);
	queue("xc.test", SPOOL_NEW, 100000);
	u = used(".c.test", 1000);
	is_int(u.messages, 2, "subdomains are counted together");
	is_int(u.bytes, 11, "but those with a file of their own");
	u = used(".deep.c.test", 1000);
	is_int(u.bytes, 1000, "or under a nearer one");
	u = used("own.c.test", 1000);
	is_int(u.bytes, 100, "one of their own");
	u = used("c.test", 1000);
	is_int(u.bytes, 10000, "the domain itself");
}

static void
check_damage(void)
{
	static const char *const text[] = { "", "messages", "messages 7",
	    "messages -7\nbytes 7\ncounted 1000\ncost 0\n",
	    "messages 7\nbytes 7\ncounted 1000\ncost x\n",
	    "bytes 7\nmessages 7\ncounted 1000\ncost 0\n",
	    "messages 99999999999999999999\nbytes 7\ncounted 1000\ncost 0\n",
	    "\n\n\n\n\n\n", "messages 7\nbytes 7\ncounted 1000\n" };
	char path[512];
	struct usage u;
	int fd;

	configure("d.test");
	queue("d.test", SPOOL_NEW, 5);
	(void)snprintf(path, sizeof(path), "%s/seen/usage:d.test", dir);
	for (size_t i = 0; i < sizeof(text) / sizeof(text[0]); i++) {
		make_file(path, text[i]);
		u = used("d.test", 1000);
		ok(u.messages == 1 && u.bytes == 5, "damaged: %zu", i);
	}
	make_file(path, "messages 7\nbytes 70\ncounted 1000\ncost 0\n");
	u = used("d.test", 1001);
	ok(u.messages == 7 && u.bytes == 70, "a good one");
	make_file(path, "messages 7\nbytes 70\ncounted 1000\ncost 2000\n");
	u = used("d.test", 1199);
	is_int(u.messages, 7, "a count of 2 seconds is good for 200");
	is_int(take("d.test", 7, 0, 1, 1199), USAGE_FULL, "if full, too");
	u = used("d.test", 1200);
	is_int(u.messages, 1, "no longer");
	if ((fd = open(path, O_RDWR)) == -1 || flock(fd, LOCK_EX) == -1)
		abort();
	usage_give(sp, "d.test", 5);
	close(fd);
	u = used("d.test", 1200);
	is_int(u.messages, 1, "to give back does not wait long");
	(void)unlink(path);
	if (mkdir(path, 0700) == -1)
		abort();
	is_int(take("d.test", 1, 0, 1, 1300), USAGE_ERROR, "no file");
	(void)rmdir(path);
}

/* Many at once, some killed: nobody gets more than there is. */
static void
check_race(void)
{
	int gate[2];
	pid_t pid[20];
	atomic_int *taken;
	char c;

	configure("e.test");
	taken = mmap(NULL, sizeof(*taken), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (taken == MAP_FAILED || pipe(gate) == -1)
		abort();
	for (int i = 0; i < 20; i++) {
		if ((pid[i] = fork()) != 0)
			continue;
		close(gate[1]);
		/* All begin when the gate is closed. */
		if (read(gate[0], &c, 1) != 0)
			_exit(1);
		for (int k = 0; k < 50; k++) {
			if (take("e.test", 300, 0, 1, 1000) == USAGE_ROOM)
				++*taken;
			if (i == 0 && k == 5)
				(void)kill(getpid(), SIGKILL);
		}
		_exit(0);
	}
	close(gate[0]);
	close(gate[1]);
	for (int i = 0; i < 20; i++)
		(void)waitpid(pid[i], NULL, 0);
	is_int(*taken, 300, "20 at once get what there is, and no more");
	is_int(used("e.test", 1000).messages, 300, "as the count says");
	is_int(used("e.test", 1060).messages, 0, "which is set right later");
}

/* All that a receiver remembers, with the rights that it has. */
static int
remember(const char *list)
{
	struct sandbox_path paths[SPOOL_RECEIVER_PATHS + 1];
	const struct sandbox_limits limits = { RLIM_INFINITY, RLIM_INFINITY,
	    false };
	char active[SANDBOX_ACTIVE_SIZE], why[RECIPIENTS_WHY_MAX];
	struct seen *seen;
	struct addr a;
	int wrong = 0;

	spool_receiver_paths(sp, paths);
	paths[SPOOL_RECEIVER_PATHS] = (struct sandbox_path){ -1, conf.dir,
	    SANDBOX_READ };
	if (!addr_parse_mailbox(&a, "ann@f.test"))
		return 1;
	if ((sandbox_enter(paths, SPOOL_RECEIVER_PATHS + 1, &limits, active,
	    sizeof(active)) & SANDBOX_FILES) == 0)
		return 2;
	if ((seen = seen_open(sp)) == NULL)
		return 3;
	if (seen_return(seen, "192.0.2.1", "", "a@f.test", 1) != SEEN_WAIT ||
	    seen_return(seen, "192.0.2.1", "", "a@f.test", 400) !=
	    SEEN_PASSES)
		wrong |= 4;
	if (recipients_file(list, &a, seen, why) != RECIPIENTS_YES)
		wrong |= 8;
	if (recipients_learnt(sp, "f.test", &a, 1000) != RECIPIENTS_YES ||
	    recipients_ask(sp, "f.test", &a) != 0)
		wrong |= 16;
	if (take("f.test", 2, 0, 1, 1000) != USAGE_ROOM ||
	    take("f.test", 2, 0, 1, 1000) != USAGE_FULL ||
	    take(".f.test", 2, 0, 1, 1000) != USAGE_ROOM)
		wrong |= 32;
	if (unlinkat(sp->seen, "memory", 0) == 0)
		wrong |= 64;
	seen_close(seen);
	return wrong;
}

static void
check_sandbox(void)
{
	struct recipients_entry e = { "ann", RECIPIENTS_YES, 1000 };
	char list[512];
	int status;
	pid_t pid;

	configure("f.test");
	configure(".f.test");
	queue("f.test", SPOOL_NEW, 1);
	queue("x.f.test", SPOOL_NEW, 1);
	(void)snprintf(list, sizeof(list), "%s/etc/list", dir);
	make_file(list, "bob\nann\n");
	if (recipients_learn(sp, "f.test", &e, 1, 1000) == -1)
		abort();
	if ((pid = fork()) == 0)
		_exit(remember(list));
	(void)waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		tap_skip("no Landlock here", "in the sandbox");
	else
		is_int(status, 0, "in the sandbox");
}

int
main(void)
{
	const char *tmp = getenv("TMPDIR");
	char path[512], error[512];

	(void)snprintf(dir, sizeof(dir), "%s/usage.XXXXXX",
	    tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(dir) == NULL || (sp = spool_open(dir, error)) == NULL)
		return 1;
	(void)snprintf(path, sizeof(path), "%s/etc", dir);
	(void)mkdir(path, 0700);
	conf_init(&conf);
	(void)strlcpy(conf.dir, path, sizeof(conf.dir));
	(void)strlcat(path, "/domains", sizeof(path));
	(void)mkdir(path, 0700);
	check_count();
	check_full();
	check_subdomains();
	check_damage();
	check_race();
	check_sandbox();
	spool_close(sp);
	(void)nftw(dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return done_testing();
}
