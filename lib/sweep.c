/* SPDX-License-Identifier: ISC */
#include "sweep.h"

#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ledger.h"
#include "message.h"
#include "scan.h"

#define LAST_EXPIRE ".last-expire"

time_t
sweep_last_run(struct spool *sp)
{
	char *text = spool_text_read(sp, NULL, LAST_EXPIRE);
	long long n;

	if (text == NULL)
		return 0;
	n = strtoll(text, NULL, 10);
	free(text);
	return n > 0 ? (time_t)n : 0;
}

int
sweep_last_run_set(struct spool *sp, time_t now)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%lld\n", (long long)now);
	return spool_text_write(sp, NULL, LAST_EXPIRE, text, true);
}

struct sweep {
	struct spool *sp;
	bool dry;
	void (*fn)(const char *path, const char *why, void *arg);
	void *arg;
};

static void
sweep_one(const struct sweep *s, int at, const char *name, const char *why)
{
	if (s->fn != NULL)
		s->fn(name, why, s->arg);
	if (!s->dry)
		(void)unlinkat(at, name, 0);
}

static int
sweep_tmp(const struct sweep *s, int64_t age)
{
	struct dirent *e;
	struct stat st;
	DIR *dir;

	if ((dir = spool_dir(s->sp->tmp, ".")) == NULL)
		return -1;
	while ((e = readdir(dir)) != NULL) {
		/* The server's clock made the time, and its own reads it. */
		if (e->d_name[0] == '.' || fstatat(s->sp->tmp, e->d_name, &st,
		    AT_SYMLINK_NOFOLLOW) == -1 || !S_ISREG(st.st_mode) ||
		    time(NULL) - st.st_mtime < age)
			continue;
		sweep_one(s, s->sp->tmp, e->d_name, "a stale temporary");
	}
	closedir(dir);
	return 0;
}

/* Is a message with the base NAME among the N of LIST, oldest first? */
static bool
is_queued(const struct scan_entry *list, size_t n, const char *name)
{
	struct msgid want;
	size_t low = 0, high = n, mid;

	if (!msgid_parse(&want, name))
		return false;
	while (low < high) {
		mid = low + (high - low) / 2;
		if (list[mid].msgid.time < want.time ||
		    (list[mid].msgid.time == want.time &&
		    list[mid].msgid.usec < want.usec))
			low = mid + 1;
		else
			high = mid;
	}
	for (; low < n && list[low].msgid.time == want.time &&
	    list[low].msgid.usec == want.usec; low++)
		if (msgid_matches(list[low].id, name))
			return true;
	return false;
}

/* Replies of messages that are no longer in any folder. */
static int
sweep_replies(const struct sweep *s, const char *domain, int64_t age)
{
	char path[SPOOL_PATH_SIZE];
	struct scan_entry *list = NULL;
	struct dirent *e;
	struct stat st;
	DIR *dir;
	size_t n;
	int result = -1;

	(void)snprintf(path, sizeof(path), "%s/replies", domain);
	if ((dir = spool_dir(s->sp->state, path)) == NULL)
		return errno == ENOENT ? 0 : -1;
	if (scan_sorted(s->sp, domain, SCAN_QUEUED, &list, &n) == -1)
		goto out;
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.' || fstatat(dirfd(dir), e->d_name, &st,
		    AT_SYMLINK_NOFOLLOW) == -1 ||
		    time(NULL) - st.st_mtime < age ||
		    is_queued(list, n, e->d_name))
			continue;
		sweep_one(s, dirfd(dir), e->d_name,
		    "replies of a message that is gone");
	}
	result = 0;
out:
	free(list);
	closedir(dir);
	return result;
}

/* Opening under lock removes void messages; files are small in number. */
static int
sweep_void(const struct sweep *s, const char *domain)
{
	char mark, path[SPOOL_PATH_SIZE];
	struct scan *scan;
	struct scan_entry e;
	struct message m;
	const char *why;
	int fd, got;

	if ((scan = scan_open(s->sp, domain, 1 << SPOOL_NEW)) == NULL)
		return -1;
	while ((got = scan_next(scan, &e)) == 1) {
		if (!spool_path(path, domain, e.folder, e.name))
			continue;
		fd = openat(s->sp->mail, path, O_RDONLY | O_NOFOLLOW |
		    O_NONBLOCK | O_CLOEXEC);
		if (fd == -1 || pread(fd, &mark, 1, ENVELOPE_STATE) != 1)
			mark = ENVELOPE_WHOLE;
		if (fd != -1)
			close(fd);
		if (mark != ENVELOPE_VOID)
			continue;
		if (s->fn != NULL)
			s->fn(e.name, "a message that was never acknowledged",
			    s->arg);
		if (!s->dry && message_open(s->sp, domain, &e, true, &m,
		    &why) == MESSAGE_OPENED)
			message_close(&m);
	}
	scan_close(scan);
	return got;
}

int
sweep_run(struct spool *sp, int64_t age, bool dry,
    void (*fn)(const char *path, const char *why, void *arg), void *arg)
{
	struct sweep s = { sp, dry, fn, arg };
	char **list;
	int result;

	result = sweep_tmp(&s, age);
	if ((list = spool_domains(sp)) == NULL)
		return -1;
	for (size_t i = 0; list[i] != NULL; i++) {
		if (sweep_replies(&s, list[i], age) == -1 ||
		    sweep_void(&s, list[i]) == -1)
			result = -1;
	}
	free(list);
	return result;
}

/*** Domains that are gone ***/

/* Has nothing been added to PATH, or removed, for AGE seconds? */
static bool
is_idle(int at, const char *path, int64_t age)
{
	struct stat st;

	if (fstatat(at, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return errno == ENOENT;
	return time(NULL) - st.st_mtime >= age;
}

static bool
is_abandoned(struct spool *sp, const char *domain, int64_t age)
{
	char path[SPOOL_PATH_SIZE];
	struct scan_entry e;
	struct scan *scan;
	int got;

	if (spool_check_domain(domain) == -1 ||
	    !is_idle(sp->state, domain, age))
		return false;
	for (size_t i = 0; i < SPOOL_NFOLDERS; i++)
		if (!spool_path(path, domain, (enum spool_folder)i, NULL) ||
		    !is_idle(sp->mail, path, age))
			return false;
	if ((scan = scan_open(sp, domain, (1 << SPOOL_NFOLDERS) - 1)) == NULL)
		return false;
	got = scan_next(scan, &e);
	scan_close(scan);
	return got == 0;
}

/* The directory PATH below AT, with the files in it. */
static int
remove_files(int at, const char *path)
{
	struct dirent *e;
	DIR *dir;

	if ((dir = spool_dir(at, path)) == NULL)
		return errno == ENOENT ? 0 : -1;
	while ((e = readdir(dir)) != NULL)
		if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
			(void)unlinkat(dirfd(dir), e->d_name, 0);
	closedir(dir);
	return unlinkat(at, path, AT_REMOVEDIR);
}

/* An empty maildir; whoever is faster and puts something there keeps it. */
static int
remove_maildir(int at, const char *path)
{
	static const char *const subs[] = { "/tmp", "/new", "/cur", "" };
	char name[SPOOL_PATH_SIZE + 8];

	for (size_t i = 0; i < sizeof(subs) / sizeof(subs[0]); i++) {
		(void)snprintf(name, sizeof(name), "%s%s", path, subs[i]);
		if (unlinkat(at, name, AT_REMOVEDIR) == -1 && errno != ENOENT)
			return -1;
	}
	return 0;
}

static int
remove_folders(struct spool *sp, const char *domain)
{
	char path[SPOOL_PATH_SIZE];

	for (size_t i = SPOOL_HELD; i < SPOOL_NFOLDERS; i++) {
		if (!spool_path(path, domain, (enum spool_folder)i, NULL))
			return -1;
		*strrchr(path, '/') = '\0';
		if (remove_maildir(sp->mail, path) == -1)
			return -1;
	}
	return remove_maildir(sp->mail, domain);
}

/* The mail's directory last: by it the next run finds what is left. */
static int
remove_domain(struct spool *sp, const char *domain)
{
	char path[SPOOL_PATH_SIZE];

	(void)snprintf(path, sizeof(path), "%s/replies", domain);
	if (ledger_note_primaries(sp, domain, NULL, 0) == -1 ||
	    remove_files(sp->state, path) == -1 ||
	    remove_files(sp->state, domain) == -1 ||
	    spool_lock_remove(sp, domain) == -1)
		return -1;
	return remove_folders(sp, domain);
}

int
sweep_domain(struct spool *sp, const char *domain, int64_t age, bool dry,
    void (*fn)(const char *path, const char *why, void *arg), void *arg)
{
	int lock, result = 0;

	if (!is_abandoned(sp, domain, age))
		return 0;
	if ((lock = ledger_lock(sp, domain)) == -1)
		return errno == EWOULDBLOCK ? 0 : -1;
	if (is_abandoned(sp, domain, age)) {
		if (fn != NULL)
			fn(domain, "a domain of which nothing is left", arg);
		if (!dry)
			result = remove_domain(sp, domain);
	}
	close(lock);
	/* Somebody's file, or a message that has just come. */
	return result == -1 && errno != ENOTEMPTY && errno != EEXIST &&
	    errno != EISDIR ? -1 : 0;
}
