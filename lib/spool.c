/* SPDX-License-Identifier: ISC */
#include "spool.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "addr.h"
#include "deadline.h"
#include "msgid.h"

#define TEXT_MAX	(64 * 1024 * 1024)	/* of a file of state */
#define SEEN_OF_MAX	240			/* of 255, with a prefix */
#define SEEN_NAME_SIZE	256
#define PAUSE_MAX	(5 * 1000 * 1000)	/* nanoseconds */

static const char *const folders[] = {
	[SPOOL_NEW] = "new",
	[SPOOL_CUR] = "cur",
	[SPOOL_HELD] = ".Held/cur",
	[SPOOL_SENT] = ".Sent/cur",
	[SPOOL_EXPIRED] = ".Expired/cur",
};

_Static_assert(sizeof(folders) / sizeof(folders[0]) == SPOOL_NFOLDERS,
    "every folder has a name");

/*** The tree ***/

/* A name from outside is checked before it becomes part of a path. */
int
spool_check_domain(const char *domain)
{
	char name[ADDR_DOMAIN_MAX + 1];

	if (addr_domain(name, domain) && strcmp(name, domain) == 0)
		return 0;
	errno = EINVAL;
	return -1;
}

static int
open_dir(int at, const char *path)
{
	return openat(at, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW |
	    O_CLOEXEC);
}

/* 1 made, 0 was there, -1. */
static int
make_dir(int at, const char *path)
{
	if (mkdirat(at, path, 0700) == 0)
		return 1;
	return errno == EEXIST ? 0 : -1;
}

static int
make_and_open(int at, const char *name)
{
	int fd = open_dir(at, name);

	/* Nearly always it is there; a failing mkdir locks the parent. */
	if (fd != -1 || errno != ENOENT || make_dir(at, name) == -1 ||
	    (fd = open_dir(at, name)) == -1)
		return fd;
	if (fsync(at) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

/* Is FD a directory that only we can write to? */
static bool
is_private(int fd, const char **why)
{
	struct stat st;

	if (fstat(fd, &st) == -1)
		*why = strerror(errno);
	else if (st.st_uid != geteuid())
		*why = "it does not belong to the user who runs this "
		    "program; run it as its owner, or as root";
	else if ((st.st_mode & (S_IWGRP | S_IWOTH)) != 0)
		*why = "others may write to it; expected mode 0700 or 0750";
	else
		return true;
	return false;
}

int
spool_become_owner(const char *path, char *error)
{
	struct stat st;

	if (geteuid() != 0 || stat(path, &st) == -1 || st.st_uid == 0)
		return 0;
	if (setgroups(1, &st.st_gid) == 0 &&
	    setresgid(st.st_gid, st.st_gid, st.st_gid) == 0 &&
	    setresuid(st.st_uid, st.st_uid, st.st_uid) == 0)
		return 0;
	(void)snprintf(error, 512, "spool %.400s: cannot become its owner: %s",
	    path, strerror(errno));
	return -1;
}

static struct spool *
fail_open(struct spool *sp, const char *path, const char *why, char *error)
{
	(void)snprintf(error, 512, "spool %.360s: %s", path, why);
	spool_close(sp);
	return NULL;
}

/* What errno says, and what to do about it. */
static struct spool *
fail_errno(struct spool *sp, const char *path, char *error)
{
	const char *advice = "";
	char why[140];

	if (errno == ENOENT)
		advice = "; make it, with mode 0700, for the user who is to "
		    "run the programs";
	else if (errno == EACCES && sp->fd == -1)
		advice = "; run this as its owner, or as root";
	else if (errno == EACCES)
		advice = "; what is in it has to belong to its owner";
	(void)snprintf(why, sizeof(why), "%s%s", strerror(errno), advice);
	return fail_open(sp, path, why, error);
}

struct spool *
spool_open(const char *path, char *error)
{
	struct spool *sp;
	const char *why;

	if ((sp = calloc(1, sizeof(*sp))) == NULL) {
		(void)snprintf(error, 512, "out of memory");
		return NULL;
	}
	sp->mail = sp->state = sp->tmp = sp->seen = -1;
	sp->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sp->fd == -1 && errno == ENOENT &&
	    (mkdir(path, 0700) == 0 || errno == EEXIST))
		sp->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sp->fd == -1)
		return fail_errno(sp, path, error);
	if (!is_private(sp->fd, &why))
		return fail_open(sp, path, why, error);
	sp->mail = make_and_open(sp->fd, "mail");
	sp->state = make_and_open(sp->fd, "state");
	sp->tmp = make_and_open(sp->fd, "tmp");
	sp->seen = make_and_open(sp->fd, "seen");
	if (sp->mail == -1 || sp->state == -1 || sp->tmp == -1 ||
	    sp->seen == -1)
		return fail_errno(sp, path, error);
	/* The FIFO comes last, so who finds it finds all. */
	if (faccessat(sp->fd, "trigger", F_OK, 0) == -1 &&
	    mkfifoat(sp->fd, "trigger", 0600) == -1 && errno != EEXIST)
		return fail_errno(sp, path, error);
	return sp;
}

static void
close_fd(int fd)
{
	if (fd != -1)
		close(fd);
}

void
spool_close(struct spool *sp)
{
	int saved = errno;

	if (sp == NULL)
		return;
	close_fd(sp->seen);
	close_fd(sp->tmp);
	close_fd(sp->state);
	close_fd(sp->mail);
	close_fd(sp->fd);
	free(sp);
	errno = saved;
}

void
spool_receiver_paths(const struct spool *sp, struct sandbox_path *paths)
{
	const struct sandbox_path all[SPOOL_RECEIVER_PATHS] = {
		{ sp->mail, NULL, SANDBOX_MAKE | SANDBOX_MAKE_DIR |
		    SANDBOX_REFER | SANDBOX_LIST },
		/* Where there is no O_TMPFILE it takes names away again. */
		{ sp->tmp, NULL, SANDBOX_MAKE | SANDBOX_WRITE |
		    SANDBOX_REMOVE | SANDBOX_REFER },
		{ sp->state, NULL, SANDBOX_READ },
		{ sp->seen, NULL, SANDBOX_MAKE | SANDBOX_WRITE |
		    SANDBOX_READ },
		{ sp->fd, "trigger", SANDBOX_WRITE },
	};

	memcpy(paths, all, sizeof(all));
}

int
spool_space(struct spool *sp, int64_t need)
{
	struct statvfs vfs;
	uint64_t free_octets;

	if (fstatvfs(sp->tmp, &vfs) == -1)
		return -1;
	free_octets = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	if (need < 0)
		need = 0;
	/* btrfs and some others count no inodes: f_files is 0 there. */
	if (free_octets < (uint64_t)need + SPOOL_RESERVE ||
	    (vfs.f_files != 0 && vfs.f_favail < SPOOL_INODES)) {
		errno = ENOSPC;
		return -1;
	}
	return 0;
}

bool
spool_path(char *path, const char *domain, enum spool_folder folder,
    const char *name)
{
	if (snprintf(path, SPOOL_PATH_SIZE, "%s/%s%s%s", domain,
	    folders[folder], name != NULL ? "/" : "",
	    name != NULL ? name : "") < SPOOL_PATH_SIZE)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

int
spool_folder(struct spool *sp, const char *domain, enum spool_folder folder)
{
	char path[SPOOL_PATH_SIZE];

	if (spool_check_domain(domain) == -1 ||
	    !spool_path(path, domain, folder, NULL))
		return -1;
	return open_dir(sp->mail, path);
}

/* The maildir PATH below mail/, durably. */
static int
make_maildir(struct spool *sp, const char *path)
{
	static const char *const subs[] = { "tmp", "new", "cur" };
	int fd, made, result = -1;

	if ((made = make_dir(sp->mail, path)) == -1 ||
	    (fd = open_dir(sp->mail, path)) == -1)
		return -1;
	for (size_t i = 0; i < sizeof(subs) / sizeof(subs[0]); i++)
		if (make_dir(fd, subs[i]) == -1)
			goto out;
	if (fsync(fd) == -1 || fsync(sp->mail) == -1)
		goto out;
	result = 0;
out:
	close(fd);
	return result;
}

/* Opens a folder of a domain, making it (durably) where it is missing. */
int
spool_folder_need(struct spool *sp, const char *domain,
    enum spool_folder folder)
{
	char path[SPOOL_PATH_SIZE], *slash;
	int fd = spool_folder(sp, domain, folder);

	if (fd != -1 || errno != ENOENT)
		return fd;
	if (make_maildir(sp, domain) == -1)
		return -1;
	if (folders[folder][0] == '.') {
		(void)spool_path(path, domain, folder, NULL);
		if ((slash = strrchr(path, '/')) != NULL)
			*slash = '\0';
		if (make_maildir(sp, path) == -1)
			return -1;
	}
	return spool_folder(sp, domain, folder);
}

int
spool_write_fd(int fd, const char *buf, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = write(fd, buf, len);
		if (n == -1 && errno == EINTR)
			continue;
		/* A full disk first writes less, then says why. */
		if (n <= 0) {
			if (n == 0)
				errno = EIO;
			return -1;
		}
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

bool
spool_leads_to(int dir, const char *name, int fd)
{
	struct stat there, ours;
	int saved = errno;
	bool same;

	same = fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstat(fd, &ours) == 0 && there.st_dev == ours.st_dev &&
	    there.st_ino == ours.st_ino;
	errno = saved;
	return same;
}

DIR *
spool_dir(int at, const char *path)
{
	int fd = open_dir(at, path);
	DIR *dir;

	if (fd == -1)
		return NULL;
	if ((dir = fdopendir(fd)) == NULL)
		close(fd);
	return dir;
}

static int
compare_strings(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Packs the names of DIR that are domains behind an array of pointers. */
static char **
pack_names(DIR *dir)
{
	char *arena = NULL, **list = NULL, *p;
	size_t size = 0, n = 0;
	struct dirent *e;
	FILE *f;

	if ((f = open_memstream(&arena, &size)) == NULL)
		return NULL;
	while ((errno = 0, e = readdir(dir)) != NULL)
		if ((e->d_type == DT_DIR || e->d_type == DT_UNKNOWN) &&
		    spool_check_domain(e->d_name) == 0) {
			if (fwrite(e->d_name, strlen(e->d_name) + 1, 1, f) !=
			    1)
				break;	/* errno is set: out of memory */
			n++;
		}
	if (errno != 0) {
		fclose(f);
		goto out;
	}
	if (fclose(f) != 0 ||
	    (list = malloc((n + 1) * sizeof(*list) + size)) == NULL)
		goto out;
	p = memcpy(list + n + 1, arena, size);
	for (size_t i = 0; i < n; i++, p += strlen(p) + 1)
		list[i] = p;
	list[n] = NULL;
	qsort(list, n, sizeof(*list), compare_strings);
out:
	free(arena);
	return list;
}

char **
spool_domains(struct spool *sp)
{
	char **list;
	DIR *dir;
	int saved;

	if ((dir = spool_dir(sp->mail, ".")) == NULL)
		return NULL;
	list = pack_names(dir);
	saved = errno;
	closedir(dir);
	errno = saved;
	return list;
}

int
spool_sync_domain(struct spool *sp, const char *domain)
{
	int fd, result = 0;

	for (size_t i = 0; i < SPOOL_NFOLDERS; i++) {
		fd = spool_folder(sp, domain, (enum spool_folder)i);
		if (fd == -1 && errno == ENOENT)
			continue;
		if (fd == -1 || fsync(fd) == -1)
			result = -1;
		close_fd(fd);
	}
	return result;
}

/*** Small files of state ***/

/* The first SIZE octets of FD, or as many as there are.  -1 with errno. */
static ssize_t
read_fd(int fd, char *buf, size_t size)
{
	size_t used = 0;
	ssize_t n;

	while (used < size) {
		n = read(fd, buf + used, size - used);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == -1)
			return -1;
		if (n == 0)
			break;
		used += (size_t)n;
	}
	return (ssize_t)used;
}

/* "DOMAIN/NAME" below state/, or NAME alone. */
static bool
text_path(char *path, const char *domain, const char *name)
{
	if (domain != NULL && spool_check_domain(domain) == -1)
		return false;
	if (snprintf(path, SPOOL_PATH_SIZE, "%s%s%s", domain != NULL ? domain :
	    "", domain != NULL ? "/" : "", name) < SPOOL_PATH_SIZE)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

int
spool_text_reader(struct spool *sp, const char *domain, const char *name)
{
	char path[SPOOL_PATH_SIZE];

	if (!text_path(path, domain, name))
		return -1;
	return openat(sp->state, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
	    O_CLOEXEC);
}

char *
spool_text_read(struct spool *sp, const char *domain, const char *name)
{
	char *text = NULL;
	struct stat st;
	ssize_t n;
	int fd, saved;

	if ((fd = spool_text_reader(sp, domain, name)) == -1)
		return errno == ENOENT ? strdup("") : NULL;
	if (fstat(fd, &st) == -1)
		goto out;
	if (!S_ISREG(st.st_mode) || st.st_size > TEXT_MAX) {
		errno = S_ISREG(st.st_mode) ? EFBIG : EINVAL;
		goto out;
	}
	if ((text = malloc((size_t)st.st_size + 1)) == NULL)
		goto out;
	if ((n = read_fd(fd, text, (size_t)st.st_size)) == -1) {
		free(text);
		text = NULL;
		goto out;
	}
	text[n] = '\0';
out:
	saved = errno;
	close(fd);
	errno = saved;
	return text;
}

/* The directories that PATH, below state/, needs. */
static int
make_parents(struct spool *sp, char *path)
{
	for (char *p = path; (p = strchr(p, '/')) != NULL; *p++ = '/') {
		*p = '\0';
		if (make_dir(sp->state, path) == -1)
			return -1;
	}
	return 0;
}

static int
text_open(struct spool *sp, const char *domain, const char *name,
    int flags)
{
	char path[SPOOL_PATH_SIZE];

	if (!text_path(path, domain, name) || make_parents(sp, path) == -1)
		return -1;
	return openat(sp->state, path, flags | O_CREAT | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
}

/* A rename is durable when its directory is; ext4 and xfs do not insist. */
static int
sync_parent(struct spool *sp, char *path)
{
	char *slash = strrchr(path, '/');
	int fd, result;

	if (slash != NULL)
		*slash = '\0';
	if ((fd = open_dir(sp->state, slash != NULL ? path : ".")) == -1)
		return -1;
	result = fsync(fd);
	close(fd);
	return result;
}

int
spool_text_write(struct spool *sp, const char *domain, const char *name,
    const char *text, bool sync)
{
	char tmp[MSGID_BASE_MAX + 1], path[SPOOL_PATH_SIZE];
	int fd, result = -1, saved;

	if (!text_path(path, domain, name) || make_parents(sp, path) == -1)
		return -1;
	msgid_new(tmp, "state");
	fd = openat(sp->tmp, tmp, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC,
	    0600);
	if (fd == -1)
		return -1;
	if (spool_write_fd(fd, text, strlen(text)) == 0 &&
	    (!sync || fsync(fd) == 0) &&
	    renameat(sp->tmp, tmp, sp->state, path) == 0)
		result = sync ? sync_parent(sp, path) : 0;
	saved = errno;
	close(fd);
	if (result == -1)
		(void)unlinkat(sp->tmp, tmp, 0);
	errno = saved;
	return result;
}

int
spool_text_append(struct spool *sp, const char *domain, const char *name,
    const char *line)
{
	int fd, result;

	fd = text_open(sp, domain, name, O_WRONLY | O_APPEND);
	if (fd == -1)
		return -1;
	result = spool_write_fd(fd, line, strlen(line));
	if (result == 0)
		result = fsync(fd);
	close(fd);
	return result;
}

int
spool_text_remove(struct spool *sp, const char *domain, const char *name)
{
	char path[SPOOL_PATH_SIZE];

	if (!text_path(path, domain, name))
		return -1;
	return unlinkat(sp->state, path, 0);
}

/*** What the receiver remembers ***/

int
spool_seen_open(struct spool *sp, const char *kind, const char *of)
{
	char name[SEEN_NAME_SIZE];
	size_t len = of != NULL ? strlen(of) : 0;
	struct stat st;
	int fd;

	/* The longest names do not fit behind a prefix. */
	if (len > SEEN_OF_MAX)
		of += len - SEEN_OF_MAX;
	if (snprintf(name, sizeof(name), "%s%s%s", kind, of != NULL ? ":" :
	    "", of != NULL ? of : "") >= (int)sizeof(name) ||
	    strchr(name, '/') != NULL) {
		errno = EINVAL;
		return -1;
	}
	fd = openat(sp->seen, name, O_RDWR | O_CREAT | O_NOFOLLOW |
	    O_NONBLOCK | O_CLOEXEC, 0600);
	if (fd == -1 || (fstat(fd, &st) == 0 && S_ISREG(st.st_mode)))
		return fd;
	close(fd);
	errno = EINVAL;
	return -1;
}

int
spool_seen_each(struct spool *sp, const char *kind,
    int (*fn)(const char *of, void *arg), void *arg)
{
	size_t n = strlen(kind);
	struct dirent *e;
	int result = 0;
	DIR *dir;

	if ((dir = spool_dir(sp->seen, ".")) == NULL)
		return -1;
	while (result == 0 && (e = readdir(dir)) != NULL)
		if (strncmp(e->d_name, kind, n) == 0 && e->d_name[n] == ':')
			result = fn(e->d_name + n + 1, arg);
	closedir(dir);
	return result;
}

bool
spool_seen_lock(int fd, int64_t ms)
{
	struct timespec pause = { 0, 50 * 1000 };
	int64_t deadline = 0;

	/* flock(2) that waits could wait for a process that is stopped. */
	while (flock(fd, LOCK_EX | LOCK_NB) == -1) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return false;
		if (deadline == 0)
			deadline = deadline_in(ms);
		if (deadline_left(deadline) == 0)
			return false;
		(void)nanosleep(&pause, NULL);
		if (pause.tv_nsec < PAUSE_MAX)
			pause.tv_nsec *= 2;
	}
	return true;
}

/* A domain's name does not begin with a dot. */
static bool
lock_path(char *path, size_t size, const char *domain)
{
	if (domain != NULL && spool_check_domain(domain) == -1)
		return false;
	if (snprintf(path, size, "locks/%s", domain != NULL ? domain :
	    ".all") < (int)size)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

int
spool_lock_open(struct spool *sp, const char *domain)
{
	char path[ADDR_DOMAIN_MAX + 32];

	if (!lock_path(path, sizeof(path), domain) ||
	    make_dir(sp->fd, "locks") == -1)
		return -1;
	return openat(sp->fd, path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
	    0600);
}

int
spool_lock_remove(struct spool *sp, const char *domain)
{
	char path[ADDR_DOMAIN_MAX + 32];

	if (!lock_path(path, sizeof(path), domain))
		return -1;
	return unlinkat(sp->fd, path, 0) == 0 || errno == ENOENT ? 0 : -1;
}

/*** The trigger ***/

int
spool_trigger(struct spool *sp, const char *domain, enum spool_cause cause)
{
	char line[ADDR_DOMAIN_MAX + 3] = "*\n";
	int fd, result;

	if (domain != NULL && snprintf(line, sizeof(line), "%c%s\n", cause,
	    domain) >= (int)sizeof(line)) {
		errno = EINVAL;
		return -1;
	}
	fd = openat(sp->fd, "trigger", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
		return -1;
	/* A full pipe wakes as well. */
	result = write(fd, line, strlen(line)) == -1 && errno != EAGAIN ?
	    -1 : 0;
	close(fd);
	return result;
}

int
spool_trigger_open(struct spool *sp)
{
	/* Open for writing too: no end of file when the writers leave. */
	return openat(sp->fd, "trigger", O_RDWR | O_NONBLOCK | O_CLOEXEC);
}
