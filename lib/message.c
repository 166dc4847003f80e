/* SPDX-License-Identifier: ISC */
#include "message.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static bool
keep_entry(struct message *m, const struct scan_entry *e)
{
	char *name = strdup(e->name), *id = strdup(e->id);

	m->entry = *e;
	m->entry.name = name;
	m->entry.id = id;
	return name != NULL && id != NULL;
}

static bool
change_entry(struct message *m, const struct scan_entry *e)
{
	free((char *)m->entry.name);
	free((char *)m->entry.id);
	return keep_entry(m, e);
}

static bool
file_path(char *path, const struct message *m)
{
	return spool_path(path, m->domain, m->entry.folder, m->entry.name);
}

/*
 * Opens the file under its name, or under that which a mail reader gave it
 * since it was listed.
 */
static int
open_file(struct spool *sp, struct message *m, bool lock)
{
	struct scan_found now;
	char path[SPOOL_PATH_SIZE];
	int fd, flags = lock ? O_RDWR : O_RDONLY;

	/* Not to be led astray or blocked by what is no regular file. */
	flags |= O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	for (int tries = 0; tries < 2; tries++) {
		if (!file_path(path, m))
			return -1;
		fd = openat(sp->mail, path, flags);
		if (fd != -1 || errno != ENOENT || tries > 0 ||
		    !scan_find_quickly(sp, m->domain, m->entry.id, &now))
			return fd;
		/* Put on hold since: to whoever had it on a list it is gone. */
		if (now.entry.folder == SPOOL_HELD &&
		    m->entry.folder != SPOOL_HELD)
			break;
		if (!change_entry(m, &now.entry))
			return -1;
	}
	errno = ENOENT;
	return -1;
}

/* A commit without O_TMPFILE that was cut short leaves both its names. */
static bool
has_temporary(const struct spool *sp, const struct message *m)
{
	char base[MSGID_BASE_MAX + 1];
	size_t n = strcspn(m->entry.id, ",");

	if (n >= sizeof(base))
		return false;
	memcpy(base, m->entry.id, n);
	base[n] = '\0';
	return spool_leads_to(sp->tmp, base, m->fd);
}

/* NULL if it is what its name says. */
static const char *
check_file(const struct spool *sp, const struct message *m,
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

static enum message_opened
lock_file(struct spool *sp, struct message *m, struct stat *st)
{
	char path[SPOOL_PATH_SIZE];
	struct stat there;

	if (flock(m->fd, LOCK_EX | LOCK_NB) == -1)
		return errno == EWOULDBLOCK ? MESSAGE_BUSY : MESSAGE_ERROR;
	/* The last holder of the lock may have removed or moved it. */
	if (fstat(m->fd, st) == -1 || !file_path(path, m))
		return MESSAGE_ERROR;
	if (fstatat(sp->mail, path, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	    there.st_ino == st->st_ino && there.st_dev == st->st_dev)
		return MESSAGE_OPENED;
	return MESSAGE_GONE;
}

static enum message_opened
read_envelope(struct message *m, const char **why)
{
	size_t size = 8192, need;
	char *buf = NULL, *bigger;
	enum message_opened result = MESSAGE_ERROR;
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
		result = MESSAGE_DAMAGED;
		goto out;
	}
	result = MESSAGE_OPENED;
	if (strcmp(m->envelope.domain, m->domain) != 0) {
		*why = "its envelope names another domain";
		result = MESSAGE_DAMAGED;
	}
out:
	free(buf);
	return result;
}

static enum message_opened
open_message(struct spool *sp, struct message *m, bool lock,
    const char **why)
{
	enum message_opened result;
	struct stat st;

	if ((m->fd = open_file(sp, m, lock)) == -1) {
		if (errno == ELOOP || errno == ENXIO || errno == EISDIR) {
			*why = "it is no regular file";
			return MESSAGE_DAMAGED;
		}
		return errno == ENOENT ? MESSAGE_GONE : MESSAGE_ERROR;
	}
	if (lock) {
		result = lock_file(sp, m, &st);
		if (result != MESSAGE_OPENED)
			return result;
	} else if (fstat(m->fd, &st) == -1)
		return MESSAGE_ERROR;
	if (S_ISREG(st.st_mode)) {
		result = read_envelope(m, why);
		if (result != MESSAGE_ERROR &&
		    m->envelope.state == ENVELOPE_VOID) {
			if (lock)
				(void)message_remove(sp, m);
			return MESSAGE_VOIDED;
		}
	} else
		result = MESSAGE_DAMAGED;
	if (result != MESSAGE_ERROR && check_file(sp, m, &st) != NULL) {
		*why = check_file(sp, m, &st);
		result = MESSAGE_DAMAGED;
	}
	m->offset = (off_t)m->envelope.length;
	m->size = st.st_size - m->offset;
	return result;
}

enum message_opened
message_open(struct spool *sp, const char *domain,
    const struct scan_entry *e, bool lock, struct message *m,
    const char **why)
{
	enum message_opened result = MESSAGE_ERROR;
	int saved;

	memset(m, 0, sizeof(*m));
	m->fd = -1;
	envelope_init(&m->envelope);
	*why = NULL;
	if (spool_check_domain(domain) == -1)
		return MESSAGE_ERROR;
	(void)strlcpy(m->domain, domain, sizeof(m->domain));
	if (keep_entry(m, e))
		result = open_message(sp, m, lock, why);
	m->remembered = m->entry.folder != SPOOL_NEW;
	if (result != MESSAGE_OPENED) {
		saved = errno;
		message_close(m);
		errno = saved;
	}
	return result;
}

void
message_close(struct message *m)
{
	envelope_clear(&m->envelope);
	free((char *)m->entry.name);
	free((char *)m->entry.id);
	m->entry.name = m->entry.id = NULL;
	if (m->fd != -1)
		close(m->fd);
	m->fd = -1;
}

time_t
message_changed(const struct message *m)
{
	struct stat st;

	return fstat(m->fd, &st) == -1 ? 0 : st.st_ctime;
}

/* A CR that ended the last piece comes now, unless an LF follows. */
static void
print_lines(FILE *f, const char *buf, size_t n, bool *cr)
{
	const char *end = buf + n, *p;

	while (buf < end) {
		if (*cr && *buf != '\n')
			putc('\r', f);
		*cr = false;
		p = memchr(buf, '\r', (size_t)(end - buf));
		if (p == NULL)
			p = end;
		fwrite(buf, 1, (size_t)(p - buf), f);
		if (p < end) {
			*cr = true;
			p++;
		}
		buf = p;
	}
}

int
message_print(const struct message *m, FILE *f, bool wire)
{
	char buf[65536];
	bool cr = false;
	ssize_t n;
	off_t at;

	for (at = m->offset; (n = pread(m->fd, buf, sizeof(buf), at)) > 0;
	    at += n) {
		if (wire)
			fwrite(buf, 1, (size_t)n, f);
		else
			print_lines(f, buf, (size_t)n, &cr);
	}
	if (cr)
		putc('\r', f);
	return n == -1 ? -1 : 0;
}

int
message_mark(struct message *m, size_t i, enum rcpt_status status)
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
message_sync(struct message *m)
{
	return fsync(m->fd);
}

/* "replies/BASE" of the domain. */
static void
reply_name(char *name, const struct message *m)
{
	int base = (int)strcspn(m->entry.id, ",");

	/* An id that was parsed is no longer than MSGID_MAX: it fits. */
	(void)snprintf(name, SPOOL_NAME_SIZE, "replies/%.*s", base,
	    m->entry.id);
}

static void
forget_replies(struct spool *sp, struct message *m)
{
	char name[SPOOL_NAME_SIZE];

	if (!m->remembered)
		return;
	reply_name(name, m);
	(void)spool_text_remove(sp, m->domain, name);
}

static int
unlink_file(struct spool *sp, const struct message *m)
{
	char path[SPOOL_PATH_SIZE];

	return file_path(path, m) ? unlinkat(sp->mail, path, 0) : -1;
}

int
message_remove(struct spool *sp, struct message *m)
{
	struct scan_found now;
	int got, result = unlink_file(sp, m);

	/* A mail reader, which knows no lock, may have renamed it. */
	if (result == -1 && errno == ENOENT) {
		got = scan_find_in(sp, m->domain, m->entry.id, &now);
		if (got == 1 && change_entry(m, &now.entry))
			result = unlink_file(sp, m);
		else if (got == 0)
			result = 0;
	}
	if (result == -1)
		return -1;
	forget_replies(sp, m);
	return 0;
}

int
message_move(struct spool *sp, struct message *m, enum spool_folder folder)
{
	char from[SPOOL_PATH_SIZE], name[SPOOL_NAME_SIZE];
	const char *old = m->entry.name;
	int dir, result;

	if (folder == m->entry.folder)
		return 0;
	if (!file_path(from, m))
		return -1;
	/* Only in new/ a name has no flags. */
	if (folder == SPOOL_NEW)
		old = m->entry.id;
	if (snprintf(name, sizeof(name), "%s%s", old, folder == SPOOL_NEW ||
	    strchr(old, ':') != NULL ? "" : ":2,") >= (int)sizeof(name)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if ((dir = spool_folder_need(sp, m->domain, folder)) == -1)
		return -1;
	/* Ids are unique and the lock is ours: nothing is overwritten. */
	result = renameat(sp->mail, from, dir, name);
	if (result == -1 && spool_leads_to(dir, name, m->fd))
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


/*** Replies ***/

#define PLAN "report"

/* "INDEX TAB TEXT" lines and one "report TAB PLAN". */
static char *
read_replies(struct spool *sp, const struct message *m)
{
	char name[SPOOL_NAME_SIZE];

	reply_name(name, m);
	return spool_text_read(sp, m->domain, name);
}

static bool
print_reply(FILE *f, const char *key, const char *value)
{
	return fprintf(f, "%s\t%.*s\n", key, (int)strcspn(value, "\n"),
	    value) > 0;
}

/*
 * Sets KEY to VALUE in the message's file of replies, in its place: what has
 * not changed is not written again.
 */
static int
set_reply(struct spool *sp, const struct message *m, const char *key,
    const char *value)
{
	char name[SPOOL_NAME_SIZE], *old, *text = NULL;
	size_t size = 0, keylen = strlen(key), n;
	bool good = true, missing = true;
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
			good = good && fwrite(p, 1, n, f) == n;
		else if (missing) {
			good = good && print_reply(f, key, value);
			missing = false;
		}
	}
	if (missing)
		good = good && print_reply(f, key, value);
	if (fclose(f) != 0 || !good)
		goto out;
	reply_name(name, m);
	result = strcmp(old, text) == 0 ? 0 :
	    spool_text_write(sp, m->domain, name, text, true);
out:
	free(text);
	free(old);
	return result;
}

int
message_reply_add(struct spool *sp, struct message *m, size_t i,
    const char *text)
{
	char key[24];

	(void)snprintf(key, sizeof(key), "%zu", i);
	m->remembered = true;
	return set_reply(sp, m, key, text);
}

char **
message_replies(struct spool *sp, const struct message *m)
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
message_plan(struct spool *sp, struct message *m, const char *plan)
{
	m->remembered = true;
	return set_reply(sp, m, PLAN, plan);
}

int
message_planned(struct spool *sp, const struct message *m,
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

