/* SPDX-License-Identifier: ISC */
#include "conf.h"

#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef O_PATH
#define O_PATH	O_RDONLY
#endif

#define REPORT_EXPIRE	(5 * 86400LL)

/*** Files ***/

static bool
set_error(char *error, const char *file, size_t line, const char *what,
    const char *more)
{
	char where[32] = "";

	if (line > 0)
		(void)snprintf(where, sizeof(where), ":%zu", line);
	if (snprintf(error, CONF_ERROR_MAX, "%s%s: %s%s", file, where, what,
	    more) >= CONF_ERROR_MAX)
		memcpy(error + CONF_ERROR_MAX - 4, "...", 4);
	return false;
}

/* The key and its words; a '#' at the beginning of a word ends the line. */
static int
split(char *line, char **word, int max)
{
	char *w;
	int n = 0;

	while ((w = strsep(&line, " \t\r")) != NULL) {
		if (*w == '\0')
			continue;
		if (*w == '#')
			break;
		if (n == max)
			return -1;
		word[n++] = w;
	}
	return n;
}

static bool
parse_line(struct settings_target *t, char *line, const char *file,
    size_t number, char *error)
{
	char *word[CONF_LIST_MAX + 2], shown[256];
	const struct settings_key *k;
	int n;

	n = split(line, word, CONF_LIST_MAX + 2);
	if (n == 0)
		return true;
	if (n == -1)
		return set_error(error, file, number, "too many words; "
		    "expected a key and 16 values at most", "");
	if ((k = settings_key(word[0])) == NULL) {
		(void)snprintf(shown, sizeof(shown), "unknown key \"%.60s\"; "
		    "mxkeep.conf(5) lists those there are", word[0]);
		return set_error(error, file, number, shown, "");
	}
	if (k->global && t->conf == NULL) {
		(void)snprintf(shown, sizeof(shown), "%s belongs in "
		    "mxkeep.conf, not in a domain's file", k->name);
		return set_error(error, file, number, shown, "");
	}
	if (!k->parse(t, word + 1, n - 1)) {
		(void)snprintf(shown, sizeof(shown), "%s: expected ", k->name);
		return set_error(error, file, number, shown, k->expected);
	}
	return true;
}

/*
 * All of FILE, NUL-terminated, caller frees; NULL with errno.  Each
 * recipient's file is read anew: without the cost of a stream.
 */
static char *
read_file(const char *file, size_t *len)
{
	char *text = NULL, *grown;
	struct stat st;
	size_t size = 0;
	ssize_t n = -1;
	int fd, saved;

	if ((fd = open(file, O_RDONLY | O_NONBLOCK | O_CLOEXEC)) == -1)
		return NULL;
	*len = 0;
	do {
		if (*len == size) {
			size = size == 0 ? 512 : size * 2;
			if ((grown = realloc(text, size + 1)) == NULL)
				break;
			text = grown;
		}
		if ((n = read(fd, text + *len, size - *len)) > 0)
			*len += (size_t)n;
	} while (n > 0);
	/* A pipe that nobody writes to looks empty, which means something. */
	if (n == 0 && *len == 0 && fstat(fd, &st) == 0 &&
	    S_ISFIFO(st.st_mode)) {
		errno = EINVAL;
		n = -1;
	}
	saved = errno;
	close(fd);
	if (n == 0)
		text[*len] = '\0';
	else {
		free(text);
		text = NULL;
	}
	errno = saved;
	return text;
}

/* A link to what is away for now does not say that nothing is there. */
static bool
is_link(const char *file)
{
	struct stat st;

	return lstat(file, &st) == 0 && S_ISLNK(st.st_mode);
}

/* False with ERROR set; a file that is not there is said by *THERE. */
static bool
parse_file(struct settings_target *t, const char *file, bool *there,
    char *error)
{
	char *text, *line, *next, *end;
	size_t len, number = 0;
	bool good = true;

	*there = true;
	if ((text = read_file(file, &len)) == NULL) {
		if (errno == ENOENT && is_link(file))
			return set_error(error, file, 0,
			    "a link to what is not there", "");
		*there = errno != ENOENT;
		return *there ? set_error(error, file, 0, strerror(errno), "") :
		    true;
	}
	for (line = text, end = text + len; good && line < end; line = next) {
		if ((next = memchr(line, '\n', (size_t)(end - line))) == NULL)
			next = end;
		*next++ = '\0';
		number++;
		if (line + strlen(line) + 1 != next)
			good = set_error(error, file, number,
			    "expected text, found a NUL", "");
		else
			good = parse_line(t, line, file, number, error);
	}
	free(text);
	return good;
}

/*** Doors ***/

void
conf_init(struct conf *c)
{
	char host[ADDR_DOMAIN_MAX + 1] = "";

	settings_init(c);
	(void)strlcpy(c->dir, CONF_DIR, sizeof(c->dir));
	if (gethostname(host, sizeof(host) - 1) == -1 ||
	    !addr_domain(c->hostname, host))
		(void)strlcpy(c->hostname, "localhost", sizeof(c->hostname));
}

int
conf_load(struct conf *c, const char *dir, char *error)
{
	struct settings_target t = { c, &c->defaults };
	char path[PATH_MAX];
	struct stat st;
	bool there;

	conf_init(c);
	if (strlcpy(c->dir, dir, sizeof(c->dir)) >= sizeof(c->dir) - 300) {
		(void)set_error(error, dir, 0, "the name is too long", "");
		return -1;
	}
	(void)snprintf(path, sizeof(path), "%s/mxkeep.conf", dir);
	if (!parse_file(&t, path, &there, error))
		return -1;
	if (!there) {
		(void)snprintf(path, sizeof(path), "%s/domains", dir);
		if (stat(path, &st) == -1 || !S_ISDIR(st.st_mode)) {
			(void)set_error(error, dir, 0, "expected mxkeep.conf "
			    "and a directory domains there", "");
			return -1;
		}
	}
	if (c->tls_key[0] == '\0')
		memcpy(c->tls_key, c->tls_certificate, sizeof(c->tls_key));
	if (!c->postmaster_set && snprintf(c->postmaster,
	    sizeof(c->postmaster), "postmaster@%s", c->hostname) < 0)
		return -1;
	return 0;
}

static enum conf_match
match_file(const struct conf *c, const char *dot, const char *name,
    struct settings *s, char *file, char *error)
{
	struct settings_target t = { NULL, s };
	char path[PATH_MAX];
	bool there;

	if (snprintf(path, sizeof(path), "%s/domains/%s%s", c->dir, dot,
	    name) >= (int)sizeof(path))
		return CONF_NO;
	if (!parse_file(&t, path, &there, error))
		return CONF_BROKEN;
	if (!there)
		return CONF_NO;
	if (file != NULL)
		(void)snprintf(file, ADDR_DOMAIN_MAX + 2, "%s%s", dot, name);
	return CONF_YES;
}

/* Without the room for routes that there are not. */
static void
set_defaults(struct settings *s, const struct settings *d)
{
	memcpy(s, d, offsetof(struct settings, route) +
	    (size_t)d->nroute * sizeof(d->route[0]));
}

static enum conf_match
match_any(const struct conf *c, const char *name, struct settings *s,
    char *file, char *error)
{
	enum conf_match match = match_file(c, "", name, s, file, error);
	const char *parent;

	for (parent = strchr(name, '.'); match == CONF_NO && parent != NULL;
	    parent = strchr(parent + 1, '.'))
		match = match_file(c, ".", parent + 1, s, file, error);
	return match;
}

static bool
is_there(int dir, const char *name)
{
	struct stat st;

	return fstatat(dir, name, &st, 0) == 0 || errno != ENOENT;
}

/*
 * Without the directory (not mounted, being restored, just exchanged) every
 * domain would look like a stranger's, its mail refused for good and expired
 * early.  What is held open cannot be moved away between two names.
 */
static enum conf_match
confirm_no(const struct conf *c, const char *name, char *error)
{
	char path[PATH_MAX];
	const char *dot;
	bool there;
	int dir;

	(void)snprintf(path, sizeof(path), "%s/domains", c->dir);
	dir = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir == -1) {
		(void)set_error(error, path, 0, errno == ENOENT ||
		    errno == ENOTDIR ? "expected a directory" :
		    strerror(errno), "");
		return CONF_BROKEN;
	}
	there = is_there(dir, name);
	for (dot = strchr(name, '.'); !there && dot != NULL;
	    dot = strchr(dot + 1, '.'))
		there = is_there(dir, dot);
	close(dir);
	if (!there)
		return CONF_NO;
	(void)set_error(error, path, 0, "was changed just now", "");
	return CONF_BROKEN;
}

enum conf_match
conf_domain(const struct conf *c, const char *domain, struct settings *s,
    char *file, char *error)
{
	char name[ADDR_DOMAIN_MAX + 1];
	enum conf_match match;

	set_defaults(s, &c->defaults);
	/* Only a checked name is joined into a path. */
	if (!addr_domain(name, domain) || strcmp(name, domain) != 0)
		return CONF_NO;
	match = match_any(c, name, s, file, error);
	return match == CONF_NO ? confirm_no(c, name, error) : match;
}

enum conf_match
conf_file(const struct conf *c, const char *name, struct settings *s,
    char *error)
{
	set_defaults(s, &c->defaults);
	return match_file(c, "", name, s, NULL, error);
}

int64_t
conf_report_expire(const struct settings *s)
{
	return s->expire < REPORT_EXPIRE ? s->expire : REPORT_EXPIRE;
}

static int
visible(const struct dirent *d)
{
	char name[ADDR_DOMAIN_MAX + 1];
	const char *p = d->d_name;

	return addr_domain(name, *p == '.' ? p + 1 : p) &&
	    strcmp(name, *p == '.' ? p + 1 : p) == 0;
}

int
conf_domains(const struct conf *c, int (*fn)(const char *name, void *arg),
    void *arg)
{
	struct dirent **list;
	char path[PATH_MAX];
	int n, result = 0;

	if (snprintf(path, sizeof(path), "%s/domains", c->dir) >=
	    (int)sizeof(path)) {
		errno = ENAMETOOLONG;
		return -1;
	}
	if ((n = scandir(path, &list, visible, alphasort)) == -1)
		return -1;
	for (int i = 0; i < n; i++) {
		if (result == 0)
			result = fn(list[i]->d_name, arg);
		free(list[i]);
	}
	free(list);
	return result;
}

bool
conf_path(const struct conf *c, const char *file, char *path)
{
	bool whole = file[0] == '/';

	return snprintf(path, PATH_MAX, "%s%s%s", whole ? "" : c->dir,
	    whole ? "" : "/", file) < PATH_MAX;
}

bool
conf_is_self(const struct conf *c, const char *name)
{
	char lower[ADDR_DOMAIN_MAX + 1];

	if (!addr_domain(lower, name))
		return false;
	if (strcmp(lower, c->hostname) == 0)
		return true;
	for (int i = 0; i < c->nself_name; i++)
		if (strcmp(lower, c->self_name[i]) == 0)
			return true;
	return false;
}
