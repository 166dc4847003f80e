/* SPDX-License-Identifier: ISC */
#include "spool.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addr.h"
#include "header.h"

#define NAME_SIZE	(MSGID_MAX + 64)	/* of a file, flags included */
#define SUB_SIZE	(ADDR_DOMAIN_MAX + 32)	/* "mail/DOMAIN/.Held/cur" */
#define BUFSIZE		65536
#define TEXT_MAX	(64 * 1024 * 1024)	/* of a state file */

struct spool {
	int fd;			/* SPOOL */
	int mail;
	int state;
	int tmp;
	char found[NAME_SIZE];	/* of spool_find */
	char found_id[MSGID_MAX + 1];
	char *holds;		/* of the domain asked for last */
	char holds_of[ADDR_DOMAIN_MAX + 1];
};

static const char *const folders[] = {
	[SPOOL_NEW] = "new",
	[SPOOL_CUR] = "cur",
	[SPOOL_HELD] = ".Held/cur",
	[SPOOL_SENT] = ".Sent/cur",
	[SPOOL_EXPIRED] = ".Expired/cur",
};
#define NFOLDERS (sizeof(folders) / sizeof(folders[0]))

/*** The tree ***/

/* A name from outside is checked before it becomes part of a path. */
static int
check_domain(const char *domain)
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
	int fd, made = make_dir(at, name);

	/* Without the right to make it, it may still be there. */
	if (made == -1 && errno != EACCES && errno != EROFS)
		return -1;
	if ((fd = open_dir(at, name)) == -1)
		return -1;
	if (made == 1 && fsync(at) == -1) {
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
		*why = "it does not belong to the user who runs this program";
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
	(void)snprintf(error, 512, "spool %.400s: %s", path, why);
	spool_close(sp);
	return NULL;
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
	sp->mail = sp->state = sp->tmp = -1;
	sp->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sp->fd == -1 && errno == ENOENT &&
	    (mkdir(path, 0700) == 0 || errno == EEXIST))
		sp->fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (sp->fd == -1)
		return fail_open(sp, path, strerror(errno), error);
	if (!is_private(sp->fd, &why))
		return fail_open(sp, path, why, error);
	sp->mail = make_and_open(sp->fd, "mail");
	sp->state = make_and_open(sp->fd, "state");
	sp->tmp = make_and_open(sp->fd, "tmp");
	if (sp->mail == -1 || sp->state == -1 || sp->tmp == -1)
		return fail_open(sp, path, strerror(errno), error);
	/* The FIFO comes last, so who finds it finds all. */
	if (faccessat(sp->fd, "trigger", F_OK, 0) == -1 &&
	    (make_dir(sp->fd, "seen") == -1 ||
	    (mkfifoat(sp->fd, "trigger", 0600) == -1 && errno != EEXIST)))
		return fail_open(sp, path, strerror(errno), error);
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
	close_fd(sp->tmp);
	close_fd(sp->state);
	close_fd(sp->mail);
	close_fd(sp->fd);
	free(sp->holds);
	free(sp);
	errno = saved;
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

/* "DOMAIN/folder" under mail/; false if it does not fit. */
static bool
folder_path(char *path, const char *domain, enum spool_folder folder)
{
	return snprintf(path, SUB_SIZE, "%s/%s", domain, folders[folder]) <
	    SUB_SIZE;
}

static int
open_folder(struct spool *sp, const char *domain, enum spool_folder folder)
{
	char path[SUB_SIZE];

	if (check_domain(domain) == -1)
		return -1;
	if (!folder_path(path, domain, folder)) {
		errno = ENAMETOOLONG;
		return -1;
	}
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
static int
need_folder(struct spool *sp, const char *domain, enum spool_folder folder)
{
	char path[SUB_SIZE], *slash;
	int fd = open_folder(sp, domain, folder);

	if (fd != -1 || errno != ENOENT)
		return fd;
	if (make_maildir(sp, domain) == -1)
		return -1;
	if (folders[folder][0] == '.') {
		(void)folder_path(path, domain, folder);
		if ((slash = strrchr(path, '/')) != NULL)
			*slash = '\0';
		if (make_maildir(sp, path) == -1)
			return -1;
	}
	return open_folder(sp, domain, folder);
}

/*** Writing ***/

struct copy {
	struct envelope *envelope;
	int fd;
	int dir;			/* its new/ */
	bool linked;
	char base[MSGID_BASE_MAX + 1];
	char id[MSGID_MAX + 1];
};

struct spool_draft {
	struct spool *sp;
	struct copy *copy;
	size_t n;
	bool named;		/* the files have names in tmp/ */
	bool committed;
	int64_t size;		/* of the message */
	size_t used;		/* of buf */
	char buf[BUFSIZE];
};

static int
write_fd(int fd, const char *buf, size_t len)
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

/* A locked file in tmp/ that has no name, or, failing that, BASE. */
static int
open_temporary(struct spool_draft *d, const char *base)
{
	int fd = -1;

	if (!d->named) {
		fd = openat(d->sp->tmp, ".", O_TMPFILE | O_RDWR | O_CLOEXEC,
		    0600);
		/* NFS, Gluster, old FUSE and old kernels have no such thing. */
		d->named = fd == -1 && (errno == EOPNOTSUPP ||
		    errno == EISDIR || errno == EINVAL || errno == ENOENT);
	}
	if (d->named)
		fd = openat(d->sp->tmp, base, O_CREAT | O_EXCL | O_RDWR |
		    O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd != -1 && flock(fd, LOCK_EX | LOCK_NB) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

static int
begin_copy(struct spool_draft *d, struct copy *c, struct envelope *e,
    const char *base)
{
	char *block;
	size_t len;
	int result;

	c->envelope = e;
	if (strlcpy(c->base, base, sizeof(c->base)) >= sizeof(c->base) ||
	    check_domain(e->domain) == -1) {
		errno = EINVAL;
		return -1;
	}
	if ((c->fd = open_temporary(d, base)) == -1)
		return -1;
	if ((block = envelope_print(e, &len)) == NULL) {
		errno = ENOMEM;
		return -1;
	}
	/* The first copy goes through the buffer, together with the text. */
	if (c == d->copy && len <= sizeof(d->buf)) {
		memcpy(d->buf, block, len);
		d->used = len;
		result = 0;
	} else
		result = write_fd(c->fd, block, len);
	free(block);
	return result;
}

struct spool_draft *
spool_begin(struct spool *sp, struct envelope **env, size_t n,
    const char *base, const char *header)
{
	struct spool_draft *d;
	char other[MSGID_BASE_MAX + 1];
	const char *host = strchr(base, '.');

	/* seconds.unique.host: the host is behind the second dot. */
	if (host == NULL || (host = strchr(host + 1, '.')) == NULL || n == 0) {
		errno = EINVAL;
		return NULL;
	}
	if ((d = malloc(sizeof(*d))) == NULL)
		return NULL;
	memset(d, 0, offsetof(struct spool_draft, buf));
	if ((d->copy = calloc(n, sizeof(*d->copy))) == NULL) {
		free(d);
		return NULL;
	}
	d->sp = sp;
	for (size_t i = 0; i < n; i++)
		d->copy[i].fd = d->copy[i].dir = -1;
	for (d->n = 0; d->n < n; d->n++) {
		if (d->n > 0)
			msgid_new(other, host + 1);
		if (begin_copy(d, &d->copy[d->n], env[d->n],
		    d->n == 0 ? base : other) == -1) {
			d->n++;
			goto fail;
		}
	}
	if (spool_write(d, header, strlen(header)) == 0)
		return d;
fail:
	spool_abort(d);
	return NULL;
}

static int
flush_draft(struct spool_draft *d)
{
	size_t n = d->used;

	d->used = 0;
	return write_fd(d->copy[0].fd, d->buf, n);
}

int
spool_write(struct spool_draft *d, const char *data, size_t len)
{
	if (len > sizeof(d->buf) - d->used && flush_draft(d) == -1)
		return -1;
	d->size += (int64_t)len;
	if (len >= sizeof(d->buf))
		return write_fd(d->copy[0].fd, data, len);
	memcpy(d->buf + d->used, data, len);
	d->used += len;
	return 0;
}

int64_t
spool_draft_size(const struct spool_draft *d)
{
	return d->size;
}

/* The text of the first copy behind the envelope of another. */
static int
copy_text(struct spool_draft *d, struct copy *to)
{
	off_t at = (off_t)d->copy[0].envelope->length;
	int64_t left = d->size;
	ssize_t n;

	while (left > 0) {
		n = pread(d->copy[0].fd, d->buf, left < BUFSIZE ?
		    (size_t)left : BUFSIZE, at);
		if (n == -1 && errno == EINTR)
			continue;
		if (n == 0)
			errno = EIO;
		if (n <= 0 || write_fd(to->fd, d->buf, (size_t)n) == -1)
			return -1;
		at += n;
		left -= n;
	}
	return 0;
}

/* Does NAME in DIR lead to the file behind FD? */
static bool
is_there(int dir, const char *name, int fd)
{
	struct stat there, ours;

	return fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	    fstat(fd, &ours) == 0 && there.st_dev == ours.st_dev &&
	    there.st_ino == ours.st_ino;
}

static int
link_copy(struct spool_draft *d, struct copy *c)
{
	char proc[64];
	int result;

	if (d->named)
		result = linkat(d->sp->tmp, c->base, c->dir, c->id, 0);
	else {
		/* AT_EMPTY_PATH would want a capability on older kernels. */
		(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", c->fd);
		result = linkat(AT_FDCWD, proc, c->dir, c->id,
		    AT_SYMLINK_FOLLOW);
	}
	/* A network file system may have done it and lost the reply. */
	if (result == -1 && !is_there(c->dir, c->id, c->fd))
		return -1;
	c->linked = true;
	if (d->named)
		(void)unlinkat(d->sp->tmp, c->base, 0);
	return 0;
}

/* What was linked but cannot be vouched for must never be delivered. */
static void
void_copies(struct spool_draft *d)
{
	static const char mark = ENVELOPE_VOID;
	int saved = errno;

	for (size_t i = 0; i < d->n; i++) {
		struct copy *c = &d->copy[i];

		if (!c->linked)
			continue;
		if (pwrite(c->fd, &mark, 1, ENVELOPE_STATE) == 1)
			(void)fsync(c->fd);
		(void)unlinkat(c->dir, c->id, 0);
		c->linked = false;
	}
	errno = saved;
}

static int
prepare_copy(struct spool_draft *d, struct copy *c)
{
	if (c != d->copy && copy_text(d, c) == -1)
		return -1;
	msgid_name(c->id, c->base, (int64_t)c->envelope->length + d->size);
	/* Where link cannot be called back, the file is synced before it. */
	if (d->named && fsync(c->fd) == -1)
		return -1;
	c->dir = need_folder(d->sp, c->envelope->domain, SPOOL_NEW);
	return c->dir == -1 ? -1 : 0;
}

int
spool_commit(struct spool_draft *d)
{
	size_t i;

	if (flush_draft(d) == -1)
		return -1;
	for (i = 0; i < d->n; i++)
		if (prepare_copy(d, &d->copy[i]) == -1)
			return -1;
	for (i = 0; i < d->n; i++)
		if (link_copy(d, &d->copy[i]) == -1)
			goto fail;
	/* Link before fsync: one commit of the journal carries both. */
	for (i = 0; i < d->n; i++)
		if (fsync(d->copy[i].fd) == -1)
			goto fail;
	for (i = 0; i < d->n; i++)
		if (fsync(d->copy[i].dir) == -1)
			goto fail;
	d->committed = true;
	return 0;
fail:
	void_copies(d);
	return -1;
}

const char *
spool_draft_id(const struct spool_draft *d, size_t i)
{
	return d->copy[i].id;
}

void
spool_draft_free(struct spool_draft *d)
{
	int saved = errno;

	for (size_t i = 0; i < d->n; i++) {
		close_fd(d->copy[i].dir);
		close_fd(d->copy[i].fd);	/* ends the lock */
	}
	free(d->copy);
	free(d);
	errno = saved;
}

void
spool_abort(struct spool_draft *d)
{
	int saved = errno;

	if (!d->committed) {
		void_copies(d);
		for (size_t i = 0; d->named && i < d->n; i++)
			(void)unlinkat(d->sp->tmp, d->copy[i].base, 0);
	}
	errno = saved;
	spool_draft_free(d);
}

/*** Names ***/

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
		    check_domain(e->d_name) == 0) {
			fwrite(e->d_name, 1, strlen(e->d_name) + 1, f);
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

/* A directory stream for an open directory, which stays open. */
static DIR *
dir_stream(int at, const char *path)
{
	int fd = open_dir(at, path);
	DIR *dir;

	if (fd == -1)
		return NULL;
	if ((dir = fdopendir(fd)) == NULL)
		close(fd);
	return dir;
}

char **
spool_domains(struct spool *sp)
{
	char **list;
	DIR *dir;
	int saved;

	if ((dir = dir_stream(sp->mail, ".")) == NULL)
		return NULL;
	list = pack_names(dir);
	saved = errno;
	closedir(dir);
	errno = saved;
	return list;
}

struct spool_scan {
	struct spool *sp;
	unsigned folders;
	enum spool_folder folder;
	DIR *dir;
	char domain[ADDR_DOMAIN_MAX + 1];
	char id[MSGID_MAX + 1];
};

struct spool_scan *
spool_scan_open(struct spool *sp, const char *domain, unsigned which)
{
	struct spool_scan *scan;

	if (check_domain(domain) == -1 ||
	    (scan = calloc(1, sizeof(*scan))) == NULL)
		return NULL;
	scan->sp = sp;
	scan->folders = which;
	scan->folder = SPOOL_NEW;
	(void)strlcpy(scan->domain, domain, sizeof(scan->domain));
	return scan;
}

/* The name of a message's file as an entry; false if it is not one. */
static bool
parse_name(struct spool_entry *e, const char *name, char *id)
{
	size_t n = strcspn(name, ":");

	if (name[0] == '.' || n > MSGID_MAX || strlen(name) >= NAME_SIZE ||
	    !msgid_parse(&e->msgid, name))
		return false;
	memcpy(id, name, n);
	id[n] = '\0';
	e->name = name;
	e->id = id;
	return true;
}

/* Opens the next folder that is asked for.  1, 0 at the end, -1. */
static int
next_folder(struct spool_scan *scan)
{
	char path[SUB_SIZE];

	for (; scan->folder < NFOLDERS; scan->folder++) {
		if ((scan->folders & 1U << scan->folder) == 0 ||
		    !folder_path(path, scan->domain, scan->folder))
			continue;
		scan->dir = dir_stream(scan->sp->mail, path);
		if (scan->dir != NULL)
			return 1;
		if (errno != ENOENT)
			return -1;
	}
	return 0;
}

int
spool_scan_next(struct spool_scan *scan, struct spool_entry *e)
{
	struct dirent *d;
	int n;

	for (;;) {
		if (scan->dir == NULL && (n = next_folder(scan)) != 1)
			return n;
		while ((errno = 0, d = readdir(scan->dir)) != NULL)
			if (parse_name(e, d->d_name, scan->id)) {
				e->folder = scan->folder;
				return 1;
			}
		if (errno != 0)
			return -1;
		closedir(scan->dir);
		scan->dir = NULL;
		scan->folder++;
	}
}

void
spool_scan_close(struct spool_scan *scan)
{
	int saved = errno;

	if (scan->dir != NULL)
		closedir(scan->dir);
	free(scan);
	errno = saved;
}

int
spool_waiting(struct spool *sp, const char *domain)
{
	struct spool_scan *scan;
	struct spool_entry e;
	int n;

	if ((scan = spool_scan_open(sp, domain, SPOOL_WAITING)) == NULL)
		return -1;
	n = spool_scan_next(scan, &e);
	spool_scan_close(scan);
	return n;
}

static int
compare_entries(const void *a, const void *b)
{
	const struct spool_entry *x = a, *y = b;

	if (x->msgid.time != y->msgid.time)
		return x->msgid.time < y->msgid.time ? -1 : 1;
	if (x->msgid.usec != y->msgid.usec)
		return x->msgid.usec < y->msgid.usec ? -1 : 1;
	return strcmp(x->name, y->name);
}

/* Entries as they are found, each in front of its two strings. */
static int
gather(struct spool_scan *scan, FILE *f, size_t *n)
{
	struct spool_entry e;
	int got;

	for (*n = 0; (got = spool_scan_next(scan, &e)) == 1; ++*n) {
		fwrite(&e, sizeof(e), 1, f);
		fwrite(e.name, 1, strlen(e.name) + 1, f);
	}
	return got;
}

/* Lays out the array and behind it the strings; ids share their name's. */
static struct spool_entry *
lay_out(const char *p, size_t size, size_t n)
{
	struct spool_entry *list;
	char *strings;
	size_t len;

	/* An id is no longer than its name, so twice the names will do. */
	list = malloc(n * sizeof(*list) + 2 * (size - n * sizeof(*list)) + 1);
	if (list == NULL)
		return NULL;
	strings = (char *)(list + n);
	for (size_t i = 0; i < n; i++) {
		memcpy(&list[i], p, sizeof(*list));
		p += sizeof(*list);
		len = strlen(p);
		memcpy(strings, p, len + 1);
		p += len + 1;
		list[i].name = list[i].id = strings;
		strings += len + 1;
		len = strcspn(list[i].name, ":");
		if (list[i].name[len] == ':') {
			memcpy(strings, list[i].name, len);
			strings[len] = '\0';
			list[i].id = strings;
			strings += len + 1;
		}
	}
	return list;
}

int
spool_sorted(struct spool *sp, const char *domain, unsigned which,
    struct spool_entry **e, size_t *n)
{
	struct spool_scan *scan;
	char *arena = NULL;
	size_t size = 0;
	int result = -1, got;
	FILE *f;

	*e = NULL;
	*n = 0;
	if ((scan = spool_scan_open(sp, domain, which)) == NULL)
		return -1;
	if ((f = open_memstream(&arena, &size)) == NULL)
		goto out;
	got = gather(scan, f, n);
	if (fclose(f) != 0 || got == -1 ||
	    (*e = lay_out(arena, size, *n)) == NULL)
		goto out;
	qsort(*e, *n, sizeof(**e), compare_entries);
	result = 0;
out:
	free(arena);
	spool_scan_close(scan);
	return result;
}

/* The names a message of that id has where no reader set flags. */
static bool
find_quickly(struct spool *sp, const char *domain, const char *id,
    struct spool_entry *e)
{
	static const char *const forms[] = { "%s/new/%s", "%s/cur/%s:2,",
	    "%s/cur/%s:2,S", "%s/.Held/cur/%s:2," };
	static const enum spool_folder in[] = { SPOOL_NEW, SPOOL_CUR,
	    SPOOL_CUR, SPOOL_HELD };
	char path[SUB_SIZE + NAME_SIZE];
	struct stat st;

	for (size_t i = 0; i < sizeof(in) / sizeof(in[0]); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
		if (snprintf(path, sizeof(path), forms[i], domain, id) >=
		    (int)sizeof(path))
			continue;
#pragma GCC diagnostic pop
		if (fstatat(sp->mail, path, &st, AT_SYMLINK_NOFOLLOW) == -1)
			continue;
		(void)strlcpy(sp->found, strrchr(path, '/') + 1,
		    sizeof(sp->found));
		e->folder = in[i];
		return parse_name(e, sp->found, sp->found_id);
	}
	return false;
}

static int
find_by_scan(struct spool *sp, const char *domain, const char *id,
    struct spool_entry *e)
{
	struct spool_scan *scan;
	int got;

	if ((scan = spool_scan_open(sp, domain, SPOOL_QUEUED)) == NULL)
		return -1;
	while ((got = spool_scan_next(scan, e)) == 1)
		if (msgid_matches(e->id, id))
			break;
	if (got == 1) {
		(void)strlcpy(sp->found, e->name, sizeof(sp->found));
		if (!parse_name(e, sp->found, sp->found_id))
			got = 0;
	}
	spool_scan_close(scan);
	return got;
}

int
spool_find(struct spool *sp, const char *id, char *domain,
    struct spool_entry *e)
{
	struct msgid parsed;
	char **list;
	int got = 0;

	/* Only what has the form of an id is ever looked for. */
	if (strchr(id, ':') != NULL || !msgid_parse(&parsed, id))
		return 0;
	if ((list = spool_domains(sp)) == NULL)
		return -1;
	for (size_t i = 0; list[i] != NULL && got == 0; i++) {
		(void)strlcpy(domain, list[i], ADDR_DOMAIN_MAX + 1);
		got = parsed.size != -1 && find_quickly(sp, list[i], id, e);
	}
	for (size_t i = 0; list[i] != NULL && got == 0; i++) {
		(void)strlcpy(domain, list[i], ADDR_DOMAIN_MAX + 1);
		got = find_by_scan(sp, list[i], id, e);
	}
	free(list);
	return got;
}

/*** A message ***/

static bool
keep_entry(struct spool_message *m, const struct spool_entry *e)
{
	char *name = strdup(e->name), *id = strdup(e->id);

	m->entry = *e;
	m->entry.name = name;
	m->entry.id = id;
	return name != NULL && id != NULL;
}

/* "DOMAIN/folder/name" under mail/; false with errno if it does not fit. */
static bool
file_path(char *path, const struct spool_message *m)
{
	if (snprintf(path, SUB_SIZE + NAME_SIZE, "%s/%s/%s", m->domain,
	    folders[m->entry.folder], m->entry.name) < SUB_SIZE + NAME_SIZE)
		return true;
	errno = ENAMETOOLONG;
	return false;
}

/*
 * Opens the file under its name, or under that which a mail reader gave it
 * since it was listed.
 */
static int
open_file(struct spool *sp, struct spool_message *m, bool lock)
{
	struct spool_entry now;
	char path[SUB_SIZE + NAME_SIZE];
	int fd, flags = lock ? O_RDWR : O_RDONLY;

	/* Not to be led astray or blocked by what is no regular file. */
	flags |= O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	for (int tries = 0; tries < 2; tries++) {
		if (!file_path(path, m))
			return -1;
		fd = openat(sp->mail, path, flags);
		if (fd != -1 || errno != ENOENT || tries > 0 ||
		    !find_quickly(sp, m->domain, m->entry.id, &now))
			return fd;
		free((char *)m->entry.name);
		free((char *)m->entry.id);
		if (!keep_entry(m, &now)) {
			errno = ENOMEM;
			return -1;
		}
	}
	errno = ENOENT;
	return -1;
}

/* A commit without O_TMPFILE that was cut short leaves both its names. */
static bool
has_temporary(const struct spool *sp, const struct spool_message *m)
{
	char base[MSGID_BASE_MAX + 1];
	size_t n = strcspn(m->entry.id, ",");

	if (n >= sizeof(base))
		return false;
	memcpy(base, m->entry.id, n);
	base[n] = '\0';
	return is_there(sp->tmp, base, m->fd);
}

/* NULL if it is what its name says. */
static const char *
check_file(const struct spool *sp, const struct spool_message *m,
    const struct stat *st)
{
	if (!S_ISREG(st->st_mode))
		return "it is no regular file";
	if (st->st_nlink > 2 || (st->st_nlink == 2 && !has_temporary(sp, m)))
		return "it has a second name";
	if (m->entry.msgid.size >= 0 && st->st_size != m->entry.msgid.size)
		return "its size is not the one in its name";
	return NULL;
}

static enum spool_opened
lock_file(struct spool *sp, struct spool_message *m, struct stat *st)
{
	char path[SUB_SIZE + NAME_SIZE];
	struct stat there;

	if (flock(m->fd, LOCK_EX | LOCK_NB) == -1)
		return errno == EWOULDBLOCK ? SPOOL_BUSY : SPOOL_ERROR;
	/* The last holder of the lock may have removed or moved it. */
	if (fstat(m->fd, st) == -1 || !file_path(path, m))
		return SPOOL_ERROR;
	if (fstatat(sp->mail, path, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	    there.st_ino == st->st_ino && there.st_dev == st->st_dev)
		return SPOOL_OPENED;
	return SPOOL_GONE;
}

static enum spool_opened
read_envelope(struct spool_message *m, const char **why)
{
	size_t size = 8192, need;
	char *buf = NULL, *bigger;
	enum spool_opened result = SPOOL_ERROR;
	ssize_t n;

	for (;;) {
		if ((bigger = realloc(buf, size)) == NULL)
			goto out;
		buf = bigger;
		n = pread(m->fd, buf, size, 0);
		if (n == -1)
			goto out;
		if (envelope_parse(&m->envelope, buf, (size_t)n, &need,
		    why) == 0)
			break;
		if (*why == NULL && need > size && (size_t)n == size) {
			size = need;
			continue;
		}
		if (*why == NULL)
			*why = "it ends within its envelope";
		result = SPOOL_DAMAGED;
		goto out;
	}
	result = SPOOL_OPENED;
	if (strcmp(m->envelope.domain, m->domain) != 0) {
		*why = "its envelope names another domain";
		result = SPOOL_DAMAGED;
	}
out:
	free(buf);
	return result;
}

static enum spool_opened
open_message(struct spool *sp, struct spool_message *m, bool lock,
    const char **why)
{
	enum spool_opened result;
	struct stat st;

	if ((m->fd = open_file(sp, m, lock)) == -1) {
		if (errno == ELOOP || errno == ENXIO || errno == EISDIR) {
			*why = "it is no regular file";
			return SPOOL_DAMAGED;
		}
		return errno == ENOENT ? SPOOL_GONE : SPOOL_ERROR;
	}
	if (lock) {
		result = lock_file(sp, m, &st);
		if (result != SPOOL_OPENED)
			return result;
	} else if (fstat(m->fd, &st) == -1)
		return SPOOL_ERROR;
	if (S_ISREG(st.st_mode)) {
		result = read_envelope(m, why);
		if (result != SPOOL_ERROR &&
		    m->envelope.state == ENVELOPE_VOID) {
			if (lock)
				(void)spool_remove(sp, m);
			return SPOOL_VOIDED;
		}
	} else
		result = SPOOL_DAMAGED;
	if (result != SPOOL_ERROR && check_file(sp, m, &st) != NULL) {
		*why = check_file(sp, m, &st);
		result = SPOOL_DAMAGED;
	}
	m->offset = (off_t)m->envelope.length;
	m->size = st.st_size - m->offset;
	return result;
}

enum spool_opened
spool_message_open(struct spool *sp, const char *domain,
    const struct spool_entry *e, bool lock, struct spool_message *m,
    const char **why)
{
	enum spool_opened result = SPOOL_ERROR;
	int saved;

	memset(m, 0, sizeof(*m));
	m->fd = -1;
	envelope_init(&m->envelope);
	*why = NULL;
	if (check_domain(domain) == -1)
		return SPOOL_ERROR;
	(void)strlcpy(m->domain, domain, sizeof(m->domain));
	if (keep_entry(m, e))
		result = open_message(sp, m, lock, why);
	m->remembered = m->entry.folder != SPOOL_NEW;
	if (result != SPOOL_OPENED) {
		saved = errno;
		spool_message_close(m);
		errno = saved;
	}
	return result;
}

void
spool_message_close(struct spool_message *m)
{
	envelope_clear(&m->envelope);
	free((char *)m->entry.name);
	free((char *)m->entry.id);
	m->entry.name = m->entry.id = NULL;
	close_fd(m->fd);
	m->fd = -1;
}

time_t
spool_message_changed(const struct spool_message *m)
{
	struct stat st;

	return fstat(m->fd, &st) == -1 ? 0 : st.st_ctime;
}

int
spool_mark(struct spool_message *m, size_t i, enum rcpt_status status)
{
	struct recipient *r = &m->envelope.rcpt[i];
	char c = (char)status;

	if (r->status == status)
		return 0;
	if (pwrite(m->fd, &c, 1, (off_t)r->where) != 1)
		return -1;
	r->status = status;
	return 0;
}

int
spool_sync(struct spool_message *m)
{
	return fsync(m->fd);
}

/* "DOMAIN/replies/BASE" under state/. */
static bool
reply_path(char *path, size_t size, const struct spool_message *m)
{
	int base = (int)strcspn(m->entry.id, ",");

	return snprintf(path, size, "%s/replies/%.*s", m->domain, base,
	    m->entry.id) < (int)size;
}

static void
forget_replies(struct spool *sp, struct spool_message *m)
{
	char path[SUB_SIZE + NAME_SIZE];

	if (m->remembered && reply_path(path, sizeof(path), m))
		(void)unlinkat(sp->state, path, 0);
}

int
spool_remove(struct spool *sp, struct spool_message *m)
{
	char path[SUB_SIZE + NAME_SIZE];

	if (!file_path(path, m) ||
	    (unlinkat(sp->mail, path, 0) == -1 && errno != ENOENT))
		return -1;
	forget_replies(sp, m);
	return 0;
}

int
spool_move(struct spool *sp, struct spool_message *m, enum spool_folder folder)
{
	char from[SUB_SIZE + NAME_SIZE], name[NAME_SIZE];
	int dir, result;

	if (folder == m->entry.folder)
		return 0;
	if (!file_path(from, m))
		return -1;
	if (snprintf(name, sizeof(name), "%s%s", m->entry.name,
	    strchr(m->entry.name, ':') == NULL ? ":2," : "") >=
	    (int)sizeof(name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if ((dir = need_folder(sp, m->domain, folder)) == -1)
		return -1;
	/* Ids are unique and the lock is ours: nothing is overwritten. */
	result = renameat(sp->mail, from, dir, name);
	if (result == -1 && is_there(dir, name, m->fd))
		result = 0;
	close(dir);
	if (result == -1)
		return -1;
	free((char *)m->entry.name);
	m->entry.folder = folder;
	m->entry.name = strdup(name);
	if (folder == SPOOL_SENT || folder == SPOOL_EXPIRED)
		forget_replies(sp, m);
	m->remembered = true;
	return m->entry.name == NULL ? -1 : 0;
}

int
spool_sync_domain(struct spool *sp, const char *domain)
{
	int fd, result = 0;

	for (size_t i = 0; i < NFOLDERS; i++) {
		fd = open_folder(sp, domain, (enum spool_folder)i);
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

/* The whole of a file of state as a string, free(3) it; "" if missing. */
static char *
read_text(int at, const char *path)
{
	char *text = NULL;
	struct stat st;
	ssize_t n;
	int fd, saved;

	fd = openat(at, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	if (fd == -1)
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

static int
make_state_dir(struct spool *sp, const char *domain, const char *sub)
{
	char path[SUB_SIZE];

	if (make_dir(sp->state, domain) == -1)
		return -1;
	if (sub == NULL)
		return 0;
	if (snprintf(path, sizeof(path), "%s/%s", domain, sub) >=
	    (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	return make_dir(sp->state, path) == -1 ? -1 : 0;
}

/* Replaces PATH below state/ by TEXT; a reader sees the old or the new. */
static int
write_text(struct spool *sp, const char *path, const char *text, bool sync)
{
	char tmp[MSGID_BASE_MAX + 1];
	int fd, result = -1, saved;

	msgid_new(tmp, "state");
	fd = openat(sp->tmp, tmp, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC,
	    0600);
	if (fd == -1)
		return -1;
	if (write_fd(fd, text, strlen(text)) == 0 &&
	    (!sync || fsync(fd) == 0) &&
	    renameat(sp->tmp, tmp, sp->state, path) == 0)
		result = 0;
	saved = errno;
	close(fd);
	if (result == -1)
		(void)unlinkat(sp->tmp, tmp, 0);
	errno = saved;
	return result;
}

/* Appends a line to DOMAIN's file NAME in one write. */
static int
append_line(struct spool *sp, const char *domain, const char *name,
    const char *line)
{
	char path[SUB_SIZE];
	int fd, result;

	if (check_domain(domain) == -1 ||
	    make_state_dir(sp, domain, NULL) == -1)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/%s", domain, name);
	fd = openat(sp->state, path, O_CREAT | O_WRONLY | O_APPEND |
	    O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	result = write_fd(fd, line, strlen(line));
	if (result == 0)
		result = fsync(fd);
	close(fd);
	return result;
}

/*** Replies ***/

#define PLAN "report"

/* "INDEX TAB TEXT" lines and one "report TAB PLAN". */
static char *
read_replies(struct spool *sp, const struct spool_message *m)
{
	char path[SUB_SIZE + NAME_SIZE];

	if (!reply_path(path, sizeof(path), m)) {
		errno = ENAMETOOLONG;
		return NULL;
	}
	return read_text(sp->state, path);
}

/* Sets KEY to VALUE in the message's file of replies. */
static int
set_reply(struct spool *sp, const struct spool_message *m, const char *key,
    const char *value)
{
	char path[SUB_SIZE + NAME_SIZE], *old, *text = NULL;
	size_t size = 0, keylen = strlen(key), n;
	int result = -1;
	FILE *f;

	if ((old = read_replies(sp, m)) == NULL)
		return -1;
	if ((f = open_memstream(&text, &size)) == NULL)
		goto out;
	for (const char *p = old; *p != '\0'; p += n) {
		n = strcspn(p, "\n");
		n += p[n] == '\n';
		if (strncmp(p, key, keylen) != 0 || p[keylen] != '\t')
			fwrite(p, 1, n, f);
	}
	fprintf(f, "%s\t%.*s\n", key, (int)strcspn(value, "\n"), value);
	if (fclose(f) != 0)
		goto out;
	if (strcmp(old, text) == 0)
		result = 0;
	else if (make_state_dir(sp, m->domain, "replies") == 0 &&
	    reply_path(path, sizeof(path), m))
		result = write_text(sp, path, text, true);
out:
	free(text);
	free(old);
	return result;
}

int
spool_reply_add(struct spool *sp, struct spool_message *m, size_t i,
    const char *text)
{
	char key[24];

	(void)snprintf(key, sizeof(key), "%zu", i);
	m->remembered = true;
	return set_reply(sp, m, key, text);
}

char **
spool_replies(struct spool *sp, const struct spool_message *m)
{
	size_t n = m->envelope.nrcpt, i, len, used = 1;
	char *text, *p, *end, **list, *strings;

	if ((text = read_replies(sp, m)) == NULL)
		return NULL;
	list = malloc((n + 1) * sizeof(*list) + strlen(text) + 1);
	if (list == NULL) {
		free(text);
		return NULL;
	}
	strings = (char *)(list + n + 1);
	strings[0] = '\0';
	for (i = 0; i < n; i++)
		list[i] = strings;
	list[n] = NULL;
	for (p = text; *p != '\0'; p += len, p += *p == '\n') {
		len = strcspn(p, "\n");
		i = strtoul(p, &end, 10);
		if (end == p || *end != '\t' || i >= n)
			continue;
		end++;
		list[i] = strings + used;
		memcpy(list[i], end, (size_t)(p + len - end));
		used += (size_t)(p + len - end);
		strings[used++] = '\0';
	}
	free(text);
	return list;
}

int
spool_report_plan(struct spool *sp, struct spool_message *m, const char *plan)
{
	m->remembered = true;
	return set_reply(sp, m, PLAN, plan);
}

int
spool_report_planned(struct spool *sp, const struct spool_message *m,
    char *plan)
{
	char *text, *p;
	size_t n;

	plan[0] = '\0';
	if ((text = read_replies(sp, m)) == NULL)
		return -1;
	for (p = text; *p != '\0'; p += n, p += *p == '\n') {
		n = strcspn(p, "\n");
		if (n > sizeof(PLAN) && n - sizeof(PLAN) <= MSGID_MAX &&
		    strncmp(p, PLAN "\t", sizeof(PLAN)) == 0) {
			memcpy(plan, p + sizeof(PLAN), n - sizeof(PLAN));
			plan[n - sizeof(PLAN)] = '\0';
		}
	}
	free(text);
	return 0;
}

/*** Domains ***/

int
spool_lock_domain(struct spool *sp, const char *domain)
{
	char path[SUB_SIZE];
	int fd, saved;

	if (check_domain(domain) == -1 ||
	    make_state_dir(sp, domain, NULL) == -1)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/lock", domain);
	fd = openat(sp->state, path, O_CREAT | O_RDWR | O_NOFOLLOW | O_CLOEXEC,
	    0600);
	if (fd != -1 && flock(fd, LOCK_EX | LOCK_NB) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* Is the domain on hold by the operator?  Fills what is known of it. */
static int
load_hold(struct spool *sp, const char *domain, struct domain *d)
{
	char path[SUB_SIZE], *text;
	struct domain hold;

	(void)snprintf(path, sizeof(path), "%s/hold", domain);
	if ((text = read_text(sp->state, path)) == NULL)
		return -1;
	domain_parse(&hold, text);
	free(text);
	if (hold.state == DOMAIN_HELD) {
		d->state = DOMAIN_HELD;
		d->since = hold.since;
		d->held_until = hold.held_until;
		(void)strlcpy(d->why, hold.why, sizeof(d->why));
	}
	return 0;
}

int
spool_domain_load(struct spool *sp, const char *domain, struct domain *d)
{
	char path[SUB_SIZE], *text;

	domain_init(d);
	if (check_domain(domain) == -1)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/state", domain);
	if ((text = read_text(sp->state, path)) == NULL)
		return -1;
	domain_parse(d, text);
	free(text);
	return load_hold(sp, domain, d);
}

static int
save_domain(struct spool *sp, const char *domain, const char *name,
    const struct domain *d, bool sync)
{
	char path[SUB_SIZE], *text = NULL;
	size_t size = 0;
	int result = -1;
	FILE *f;

	if (check_domain(domain) == -1 ||
	    make_state_dir(sp, domain, NULL) == -1)
		return -1;
	(void)snprintf(path, sizeof(path), "%s/%s", domain, name);
	if ((f = open_memstream(&text, &size)) == NULL)
		return -1;
	domain_print(d, f);
	if (fclose(f) == 0)
		result = write_text(sp, path, text, sync);
	free(text);
	return result;
}

int
spool_domain_save(struct spool *sp, const char *domain, const struct domain *d)
{
	return save_domain(sp, domain, "state", d, false);
}

int
spool_outage(struct spool *sp, const char *domain, const char *event,
    const char *detail)
{
	char date[HEADER_DATE_MAX], line[1024];

	header_rfc3339(date, time(NULL));
	if (snprintf(line, sizeof(line), "%s\t%s\t%.900s\n", date, event,
	    detail) >= (int)sizeof(line)) {
		errno = EMSGSIZE;
		return -1;
	}
	return append_line(sp, domain, "outages", line);
}

/* "TIME hold|release ID [WHY]", ID "*" for the whole domain. */
static int
log_hold(struct spool *sp, const char *domain, const char *id, time_t when,
    const char *event, const char *why)
{
	char line[MSGID_MAX + 512];

	if (snprintf(line, sizeof(line), "%lld %s %s%s%.*s\n",
	    (long long)when, event, id == NULL ? "*" : id,
	    *why != '\0' ? " " : "", (int)strcspn(why, "\n"), why) >=
	    (int)sizeof(line)) {
		errno = EMSGSIZE;
		return -1;
	}
	sp->holds_of[0] = '\0';
	return append_line(sp, domain, "holds", line);
}

int
spool_hold_begin(struct spool *sp, const char *domain, const char *id,
    time_t until, const char *why)
{
	struct domain d;
	time_t now = time(NULL);

	if (log_hold(sp, domain, id, now, "hold", why) == -1)
		return -1;
	if (id != NULL)
		return 0;
	domain_init(&d);
	d.state = DOMAIN_HELD;
	d.since = now;
	d.held_until = until;
	(void)strlcpy(d.why, why, sizeof(d.why));
	if (save_domain(sp, domain, "hold", &d, true) == -1)
		return -1;
	return spool_outage(sp, domain, "hold", why);
}

int
spool_hold_end(struct spool *sp, const char *domain, const char *id)
{
	char path[SUB_SIZE];

	if (check_domain(domain) == -1)
		return -1;
	if (id == NULL) {
		(void)snprintf(path, sizeof(path), "%s/hold", domain);
		if (unlinkat(sp->state, path, 0) == -1)
			return -1;
		if (spool_outage(sp, domain, "release", "") == -1)
			return -1;
	}
	return log_hold(sp, domain, id, time(NULL), "release", "");
}

/*
 * One walk over the log for one subject ("*" or an id).  By hand: sscanf(3)
 * would measure the rest of the log for each of its lines.
 */
static int64_t
sum_holds(const char *log, const char *subject, time_t arrived, time_t now)
{
	static const char hold[] = " hold ", release[] = " release ";
	size_t len = strlen(subject);
	int64_t sum = 0;
	time_t begin = 0, when;
	char *p;
	bool ends;

	for (; *log != '\0'; log += strcspn(log, "\n"), log += *log == '\n') {
		when = (time_t)strtoll(log, &p, 10);
		ends = strncmp(p, release, sizeof(release) - 1) == 0;
		if (p == log || (!ends && strncmp(p, hold, sizeof(hold) - 1)))
			continue;
		p += ends ? sizeof(release) - 1 : sizeof(hold) - 1;
		if (strncmp(p, subject, len) != 0 ||
		    (p[len] != ' ' && p[len] != '\n' && p[len] != '\0'))
			continue;
		if (when < arrived)
			when = arrived;
		if (!ends && begin == 0)
			begin = when;
		else if (ends && begin != 0) {
			sum += when - begin;
			begin = 0;
		}
	}
	if (begin != 0 && now > begin)
		sum += now - begin;
	return sum < 0 ? 0 : sum;
}

/* The log of a domain's holds; read once for a walk over its messages. */
static const char *
load_holds(struct spool *sp, const char *domain)
{
	char path[SUB_SIZE];

	if (check_domain(domain) == -1)
		return "";
	if (sp->holds == NULL || strcmp(sp->holds_of, domain) != 0) {
		free(sp->holds);
		(void)snprintf(path, sizeof(path), "%s/holds", domain);
		sp->holds = read_text(sp->state, path);
		(void)strlcpy(sp->holds_of, domain, sizeof(sp->holds_of));
	}
	return sp->holds != NULL ? sp->holds : "";
}

int64_t
spool_held_seconds(struct spool *sp, const char *domain, const char *id,
    time_t arrived, time_t now)
{
	const char *log = load_holds(sp, domain);
	int64_t whole, own;

	if (*log == '\0')
		return 0;
	whole = sum_holds(log, "*", arrived, now);
	own = sum_holds(log, id, arrived, now);
	/* Two holds may overlap; the message gains from the longer one. */
	return whole > own ? whole : own;
}

void
spool_hold_why(struct spool *sp, const char *domain, const char *id,
    char *why, size_t size)
{
	const char *p = load_holds(sp, domain), *words;
	char line[MSGID_MAX + 512], pattern[MSGID_MAX + 16];
	size_t n;

	why[0] = '\0';
	(void)snprintf(pattern, sizeof(pattern), " hold %s ", id);
	for (; *p != '\0'; p += n, p += *p == '\n') {
		n = strcspn(p, "\n");
		if (n >= sizeof(line))
			continue;
		memcpy(line, p, n);
		line[n] = '\0';
		if ((words = strstr(line, pattern)) != NULL)
			(void)strlcpy(why, words + strlen(pattern), size);
	}
}

/*** House-keeping ***/

#define LAST_EXPIRE ".last-expire"

time_t
spool_last_run(struct spool *sp)
{
	char *text = read_text(sp->state, LAST_EXPIRE);
	long long n;

	if (text == NULL)
		return 0;
	n = strtoll(text, NULL, 10);
	free(text);
	return n > 0 ? (time_t)n : 0;
}

int
spool_last_run_set(struct spool *sp, time_t now)
{
	char text[32];

	(void)snprintf(text, sizeof(text), "%lld\n", (long long)now);
	return write_text(sp, LAST_EXPIRE, text, true);
}

struct sweep {
	struct spool *sp;
	bool dry;
	void (*fn)(const char *path, const char *why, void *arg);
	void *arg;
};

static void
sweep_one(const struct sweep *s, int at, const char *name, const char *path,
    const char *why)
{
	if (s->fn != NULL)
		s->fn(path, why, s->arg);
	if (!s->dry)
		(void)unlinkat(at, name, 0);
}

static int
sweep_tmp(const struct sweep *s, int64_t age)
{
	char path[NAME_SIZE + 8];
	struct dirent *e;
	struct stat st;
	DIR *dir;

	if ((dir = dir_stream(s->sp->tmp, ".")) == NULL)
		return -1;
	while ((e = readdir(dir)) != NULL) {
		/* The server's clock made the time, and its own reads it. */
		if (e->d_name[0] == '.' || fstatat(s->sp->tmp, e->d_name, &st,
		    AT_SYMLINK_NOFOLLOW) == -1 || !S_ISREG(st.st_mode) ||
		    time(NULL) - st.st_mtime < age)
			continue;
		(void)snprintf(path, sizeof(path), "tmp/%s", e->d_name);
		sweep_one(s, s->sp->tmp, e->d_name, path,
		    "a stale temporary");
	}
	closedir(dir);
	return 0;
}

/* Replies of messages that are no longer in any folder. */
static int
sweep_replies(const struct sweep *s, const char *domain, int64_t age)
{
	char path[SUB_SIZE], full[SUB_SIZE + NAME_SIZE];
	struct spool_entry found;
	struct dirent *e;
	struct stat st;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%s/replies", domain);
	if ((dir = dir_stream(s->sp->state, path)) == NULL)
		return errno == ENOENT ? 0 : -1;
	while ((e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.' || fstatat(dirfd(dir), e->d_name, &st,
		    AT_SYMLINK_NOFOLLOW) == -1 ||
		    time(NULL) - st.st_mtime < age ||
		    find_by_scan(s->sp, domain, e->d_name, &found) != 0)
			continue;
		(void)snprintf(full, sizeof(full), "state/%s/%s", path,
		    e->d_name);
		sweep_one(s, dirfd(dir), e->d_name, full,
		    "replies of a message that is gone");
	}
	closedir(dir);
	return 0;
}

/* Opening under lock removes void messages; files are small in number. */
static int
sweep_void(const struct sweep *s, const char *domain)
{
	char mark, path[SUB_SIZE + NAME_SIZE];
	struct spool_scan *scan;
	struct spool_entry e;
	struct spool_message m;
	const char *why;
	int fd, got;

	if ((scan = spool_scan_open(s->sp, domain, 1 << SPOOL_NEW)) == NULL)
		return -1;
	while ((got = spool_scan_next(scan, &e)) == 1) {
		/* Only what is not the current second's can be abandoned. */
		(void)snprintf(path, sizeof(path), "%s/%s/%s", domain,
		    folders[e.folder], e.name);
		fd = openat(s->sp->mail, path, O_RDONLY | O_NOFOLLOW |
		    O_NONBLOCK | O_CLOEXEC);
		if (fd == -1 || pread(fd, &mark, 1, ENVELOPE_STATE) != 1)
			mark = ENVELOPE_WHOLE;
		close_fd(fd);
		if (mark != ENVELOPE_VOID)
			continue;
		if (s->fn != NULL)
			s->fn(path, "a message that was never acknowledged",
			    s->arg);
		if (!s->dry && spool_message_open(s->sp, domain, &e, true, &m,
		    &why) == SPOOL_OPENED)
			spool_message_close(&m);
	}
	spool_scan_close(scan);
	return got;
}

int
spool_sweep(struct spool *sp, int64_t age, bool dry,
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

void
spool_trigger(struct spool *sp)
{
	int fd, saved = errno;

	/* ENXIO: nobody listens. */
	fd = openat(sp->fd, "trigger", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd != -1 && write(fd, "t", 1) == -1)
		errno = saved;
	close_fd(fd);
	errno = saved;
}

int
spool_trigger_open(struct spool *sp)
{
	/* Open for writing too: no end of file when the writers leave. */
	return openat(sp->fd, "trigger", O_RDWR | O_NONBLOCK | O_CLOEXEC);
}
