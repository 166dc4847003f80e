/* SPDX-License-Identifier: ISC */
#include "maildir.h"

#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "msgid.h"
#include "plain.h"

static int
close_fd(int fd)
{
	return fd == -1 ? 0 : close(fd);
}

static int
make_dir(int at, const char *path)
{
	if (mkdirat(at, path, 0700) == -1 && errno != EEXIST)
		return -1;
	return openat(at, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static int
compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Remembers the names in one of the folders; their flags may change. */
static int
list(struct maildir *md, int at)
{
	DIR *dir = spool_dir(at, ".");
	struct dirent *e;
	char **grown;

	if (dir == NULL)
		return -1;
	while ((errno = 0, e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		if ((md->nold & (md->nold - 1)) == 0) {
			grown = reallocarray(md->old, md->nold == 0 ? 1 :
			    md->nold * 2, sizeof(*grown));
			if (grown == NULL)
				break;
			md->old = grown;
		}
		md->old[md->nold] = strndup(e->d_name,
		    strcspn(e->d_name, ":"));
		if (md->old[md->nold] == NULL)
			break;
		md->nold++;
	}
	closedir(dir);
	return e == NULL && errno == 0 ? 0 : -1;
}

static void
drop(struct maildir *md)
{
	int saved = errno;

	for (size_t i = 0; i < md->nold; i++)
		free(md->old[i]);
	free(md->old);
	close_fd(md->tmp);
	close_fd(md->sub[0]);
	close_fd(md->sub[1]);
	errno = saved;
}

int
maildir_open(struct maildir *md, const char *path)
{
	int dir = make_dir(AT_FDCWD, path), result = -1;

	md->tmp = md->sub[0] = md->sub[1] = -1;
	md->old = NULL;
	md->nold = 0;
	if (dir == -1)
		return -1;
	if ((md->tmp = make_dir(dir, "tmp")) != -1 &&
	    (md->sub[0] = make_dir(dir, "new")) != -1 &&
	    (md->sub[1] = make_dir(dir, "cur")) != -1 &&
	    list(md, md->sub[0]) == 0 && list(md, md->sub[1]) == 0)
		result = 0;
	if (md->nold > 0)
		qsort(md->old, md->nold, sizeof(*md->old), compare_names);
	if (result == -1)
		drop(md);
	close_fd(dir);
	return result;
}

int
maildir_close(struct maildir *md)
{
	int result = fsync(md->sub[0]) == 0 && fsync(md->sub[1]) == 0 ? 0 :
	    -1;

	drop(md);
	return result;
}

/*** The text ***/

static void
put_address(FILE *f, const char *name, const char *status,
    const char *address, const char *params)
{
	fprintf(f, "%s: %s%s<%s>%s%s\n", name, status,
	    *status != '\0' ? " " : "", address, *params != '\0' ? " " : "",
	    params);
}

static void
put_envelope(FILE *f, const struct message *m)
{
	const struct envelope *e = &m->envelope;
	char safe[1024];

	put_address(f, "Return-Path", "", e->sender, "");
	for (size_t i = 0; i < e->nrcpt; i++)
		if (e->rcpt[i].status == RCPT_PENDING)
			fprintf(f, "Delivered-To: %s\n", e->rcpt[i].address);
	fprintf(f, "X-Mxkeep-Id: %s\n", m->entry.id);
	put_address(f, "X-Mxkeep-Sender", "", e->sender, e->params);
	for (size_t i = 0; i < e->nrcpt; i++)
		put_address(f, "X-Mxkeep-Recipient",
		    envelope_status_name(e->rcpt[i].status),
		    e->rcpt[i].address, e->rcpt[i].params);
	if (e->client_addr[0] != '\0')
		fprintf(f, "X-Mxkeep-Client: %s\n",
		    plain(safe, sizeof(safe), e->client_addr));
	if (e->helo[0] != '\0')
		fprintf(f, "X-Mxkeep-Helo: %s\n",
		    plain(safe, sizeof(safe), e->helo));
}

/* Closes FD. */
static int
write_message(int fd, const struct message *m)
{
	FILE *f = fdopen(fd, "w");
	int bad;

	if (f == NULL) {
		close(fd);
		return -1;
	}
	put_envelope(f, m);
	bad = message_print(m, f, false) == -1 || fflush(f) != 0 ||
	    ferror(f) || fsync(fd) == -1;
	return fclose(f) == 0 && !bad ? 0 : -1;
}

int
maildir_add(struct maildir *md, const struct message *m)
{
	bool tried = m->entry.folder != SPOOL_NEW;
	char name[SPOOL_NAME_SIZE], tmp[MSGID_BASE_MAX + 1], *base = name;
	int fd, result = -1, saved;

	/* The size behind ",S=" is not the copy's. */
	(void)snprintf(name, sizeof(name), "%.*s",
	    (int)strcspn(m->entry.id, ","), m->entry.id);
	if (md->nold > 0 && bsearch(&base, md->old, md->nold,
	    sizeof(*md->old), compare_names) != NULL)
		return 0;
	if (tried)
		(void)strlcat(name, ":2,", sizeof(name));
	msgid_new(tmp, "export");
	fd = openat(md->tmp, tmp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW |
	    O_CLOEXEC, 0600);
	if (fd == -1)
		return -1;
	if (write_message(fd, m) == 0)
		result = linkat(md->tmp, tmp, md->sub[tried], name, 0) == 0;
	if (result == 0)
		result = errno == EEXIST ? 0 : -1;
	saved = errno;
	(void)unlinkat(md->tmp, tmp, 0);
	errno = saved;
	return result;
}
