/* SPDX-License-Identifier: ISC */
#include "draft.h"

#include <sys/file.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "msgid.h"

#define BUFSIZE	65536
#define ROOM	4096		/* at least so much of it is free */

struct copy {
	struct envelope *envelope;
	int fd;
	int dir;			/* its new/ */
	bool linked;
	char base[MSGID_BASE_MAX + 1];
	char id[MSGID_MAX + 1];
	char name[SPOOL_NAME_SIZE];	/* the id, flags behind it */
};

struct draft {
	struct spool *sp;
	struct copy *copy;
	size_t n;
	enum spool_folder folder;
	bool named;		/* the files have names in tmp/ */
	bool committed;
	int64_t size;		/* of the message */
	size_t used;		/* of buf */
	size_t own;		/* of that: the first copy's envelope */
	char buf[BUFSIZE];
};

/* A locked file in tmp/ that has no name, or, failing that, BASE. */
static int
open_temporary(struct draft *d, const char *base)
{
	int fd = -1;

	if (!d->named) {
		fd = openat(d->sp->tmp, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC,
		    0600);
		/* NFS, Gluster, old FUSE and old kernels have no such thing. */
		d->named = fd == -1 && (errno == EOPNOTSUPP ||
		    errno == EISDIR || errno == EINVAL || errno == ENOENT);
	}
	if (d->named)
		fd = openat(d->sp->tmp, base, O_CREAT | O_EXCL | O_WRONLY |
		    O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd != -1 && flock(fd, LOCK_EX | LOCK_NB) == -1) {
		close(fd);
		return -1;
	}
	return fd;
}

static int
begin_copy(struct draft *d, struct copy *c, struct envelope *e,
    const char *base)
{
	char *block;
	size_t len;
	int result;

	c->envelope = e;
	if (strlcpy(c->base, base, sizeof(c->base)) >= sizeof(c->base) ||
	    spool_check_domain(e->domain) == -1) {
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
	if (c == d->copy && len <= sizeof(d->buf) / 2) {
		memcpy(d->buf, block, len);
		d->used = d->own = len;
		result = 0;
	} else
		result = spool_write_fd(c->fd, block, len);
	free(block);
	return result;
}

struct draft *
draft_begin(struct spool *sp, struct envelope **env, size_t n,
    const char *base, const char *header)
{
	struct draft *d;
	char other[MSGID_BASE_MAX + 1];
	const char *host = strchr(base, '.');

	/* seconds.unique.host: the host is behind the second dot. */
	if (host == NULL || (host = strchr(host + 1, '.')) == NULL || n == 0) {
		errno = EINVAL;
		return NULL;
	}
	if ((d = malloc(sizeof(*d))) == NULL)
		return NULL;
	memset(d, 0, offsetof(struct draft, buf));
	if ((d->copy = calloc(n, sizeof(*d->copy))) == NULL) {
		free(d);
		return NULL;
	}
	d->sp = sp;
	d->folder = SPOOL_NEW;
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
	if (draft_write(d, header, strlen(header)) == 0)
		return d;
fail:
	draft_abort(d);
	return NULL;
}

/* To all copies, so that none is ever read: a receiver need not be able to. */
static int
write_copies(struct draft *d, const char *data, size_t len, size_t own)
{
	for (size_t i = 0; i < d->n; i++) {
		size_t skip = i == 0 ? 0 : own;

		if (spool_write_fd(d->copy[i].fd, data + skip, len - skip) ==
		    -1)
			return -1;
	}
	return 0;
}

static int
flush_draft(struct draft *d)
{
	size_t len = d->used, own = d->own;

	d->used = d->own = 0;
	return write_copies(d, d->buf, len, own);
}

void
draft_set_folder(struct draft *d, enum spool_folder folder)
{
	d->folder = folder;
}

int
draft_write(struct draft *d, const char *data, size_t len)
{
	if (len > sizeof(d->buf) - d->used && flush_draft(d) == -1)
		return -1;
	if (len <= sizeof(d->buf)) {
		memcpy(d->buf + d->used, data, len);
		return draft_take(d, len);
	}
	d->size += (int64_t)len;
	return write_copies(d, data, len, 0);
}

char *
draft_room(struct draft *d, size_t *size)
{
	*size = sizeof(d->buf) - d->used;
	return d->buf + d->used;
}

int
draft_take(struct draft *d, size_t len)
{
	d->size += (int64_t)len;
	d->used += len;
	return sizeof(d->buf) - d->used < ROOM ? flush_draft(d) : 0;
}

int64_t
draft_size(const struct draft *d)
{
	return d->size;
}

static int
link_copy(struct draft *d, struct copy *c)
{
	char proc[64];
	int result;

	if (d->named)
		result = linkat(d->sp->tmp, c->base, c->dir, c->name, 0);
	else
		result = linkat(c->fd, "", c->dir, c->name, AT_EMPTY_PATH);
	/* Before Linux 6.10 that takes a capability. */
	if (result == -1 && !d->named && errno == ENOENT) {
		(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", c->fd);
		result = linkat(AT_FDCWD, proc, c->dir, c->name,
		    AT_SYMLINK_FOLLOW);
	}
	/* A network file system may have done it and lost the reply. */
	if (result == -1 && !spool_leads_to(c->dir, c->name, c->fd))
		return -1;
	c->linked = true;
	if (d->named)
		(void)unlinkat(d->sp->tmp, c->base, 0);
	return 0;
}

/* What was linked but cannot be vouched for must never be delivered. */
static void
void_copies(struct draft *d)
{
	static const char mark = ENVELOPE_VOID;
	int saved = errno;

	for (size_t i = 0; i < d->n; i++) {
		struct copy *c = &d->copy[i];

		if (!c->linked)
			continue;
		if (pwrite(c->fd, &mark, 1, ENVELOPE_STATE) == 1)
			(void)fsync(c->fd);
		(void)unlinkat(c->dir, c->name, 0);
		c->linked = false;
	}
	errno = saved;
}

static int
prepare_copy(struct draft *d, struct copy *c)
{
	msgid_name(c->id, c->base, (int64_t)c->envelope->length + d->size);
	/* Where link cannot be called back, the file is synced before it. */
	if (d->named && fsync(c->fd) == -1)
		return -1;
	(void)snprintf(c->name, sizeof(c->name), "%s%s", c->id,
	    d->folder == SPOOL_NEW ? "" : ":2,");
	c->dir = spool_folder_need(d->sp, c->envelope->domain, d->folder);
	return c->dir == -1 ? -1 : 0;
}

int
draft_commit(struct draft *d)
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
draft_id(const struct draft *d, size_t i)
{
	return d->copy[i].id;
}

void
draft_free(struct draft *d)
{
	int saved = errno;

	for (size_t i = 0; i < d->n; i++) {
		if (d->copy[i].dir != -1)
			close(d->copy[i].dir);
		if (d->copy[i].fd != -1)
			close(d->copy[i].fd);	/* ends the lock */
	}
	free(d->copy);
	free(d);
	errno = saved;
}

void
draft_abort(struct draft *d)
{
	int saved = errno;

	if (!d->committed) {
		void_copies(d);
		for (size_t i = 0; d->named && i < d->n; i++)
			(void)unlinkat(d->sp->tmp, d->copy[i].base, 0);
	}
	errno = saved;
	draft_free(d);
}

