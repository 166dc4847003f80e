/* SPDX-License-Identifier: ISC */
#include "confine.h"

#include <sys/stat.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tls.h"

#define DESCRIPTORS	512	/* a message for 100 domains has 200 open */

void
confine_init(struct confine *c)
{
	c->file = NULL;
	c->n = 0;
	c->prepared = -1;
	c->lacking = false;
}

void
confine_clear(struct confine *c)
{
	for (size_t i = 0; i < c->n; i++)
		free(c->file[i]);
	free(c->file);
	confine_init(c);
}

/*** What lies outside ***/

static int
add(struct confine *c, const char *path)
{
	char **grown;

	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->file[i], path) == 0)
			return 0;
	if ((grown = reallocarray(c->file, c->n + 1, sizeof(*grown))) == NULL)
		return -1;
	c->file = grown;
	if ((c->file[c->n] = strdup(path)) == NULL)
		return -1;
	c->n++;
	return 0;
}

/* A link may lead out of the directory that it is in. */
static bool
is_link(const char *path)
{
	struct stat st;

	return lstat(path, &st) == 0 && S_ISLNK(st.st_mode);
}

static int
add_recipients(struct confine *c, const struct conf *conf,
    const struct settings *s)
{
	char path[PATH_MAX];

	if (s->recipients != CONF_FILE ||
	    !conf_path(conf, s->recipients_file, path) ||
	    (s->recipients_file[0] != '/' && !is_link(path)))
		return 0;
	return add(c, path);
}

/* NAME in DIR, which is conf's directory of domains. */
static int
add_domain(struct confine *c, const struct conf *conf, DIR *dir,
    const char *name)
{
	struct settings settings;
	char path[PATH_MAX], error[CONF_ERROR_MAX];
	struct stat st;

	if (fstatat(dirfd(dir), name, &st, AT_SYMLINK_NOFOLLOW) == -1)
		return 0;
	if (S_ISLNK(st.st_mode) &&
	    snprintf(path, sizeof(path), "%s/domains/%s", conf->dir, name) <
	    (int)sizeof(path) && add(c, path) == -1)
		return -1;
	/* Most are empty; one with an error is told when it is asked for. */
	if (st.st_size == 0 || S_ISDIR(st.st_mode) ||
	    conf_file(conf, name, &settings, error) != CONF_YES)
		return 0;
	return add_recipients(c, conf, &settings);
}

int
confine_find(struct confine *c, const struct conf *conf, size_t most)
{
	int result = add_recipients(c, conf, &conf->defaults);
	char path[PATH_MAX + 16];
	const struct dirent *d;
	DIR *dir;

	if (result == -1 || most == 0)
		return result;
	(void)snprintf(path, sizeof(path), "%s/domains", conf->dir);
	if ((dir = opendir(path)) == NULL)
		return errno == ENOENT ? 0 : -1;
	while (result == 0 && most > 0 && (d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 &&
		    strcmp(d->d_name, "..") != 0) {
			result = add_domain(c, conf, dir, d->d_name);
			most--;
		}
	closedir(dir);
	return result;
}

/*** Entering ***/

static size_t
put(struct sandbox_path *list, size_t n, const char *path, unsigned rights)
{
	list[n].fd = -1;
	list[n].path = path;
	list[n].rights = rights;
	return n + 1;
}

bool
confine_enter(struct confine *c, const struct conf *conf,
    const struct spool *sp, bool parent, char *active)
{
	const struct sandbox_limits limits = { RLIM_INFINITY, DESCRIPTORS,
	    parent };
	struct sandbox_path *list = NULL;
	char domains[PATH_MAX + 16];
	size_t n = SPOOL_RECEIVER_PATHS, libraries = 0;

	(void)strlcpy(active, "no sandbox", SANDBOX_ACTIVE_SIZE);
	if (conf->sandbox == CONF_SANDBOX_NO)
		return true;
	while (tls_library_paths[libraries] != NULL)
		libraries++;
	list = calloc(n + 2 + libraries + c->n, sizeof(*list));
	c->lacking = true;
	if (list == NULL)
		return conf->sandbox != CONF_SANDBOX_REQUIRED;
	spool_receiver_paths(sp, list);
	n = put(list, n, conf->dir, SANDBOX_READ | SANDBOX_LIST);
	/* It may be a link. */
	(void)snprintf(domains, sizeof(domains), "%s/domains", conf->dir);
	n = put(list, n, domains, SANDBOX_READ | SANDBOX_LIST);
	for (size_t i = 0; i < libraries; i++)
		n = put(list, n, tls_library_paths[i], SANDBOX_READ);
	for (size_t i = 0; i < c->n; i++)
		n = put(list, n, c->file[i], SANDBOX_READ);
	c->lacking = sandbox_enter(list, n, &limits, active,
	    SANDBOX_ACTIVE_SIZE) != SANDBOX_ALL;
	free(list);
	if (parent)
		c->prepared = sandbox_prepare();
	return !c->lacking || conf->sandbox != CONF_SANDBOX_REQUIRED;
}

bool
confine_narrow(const struct confine *c, const struct conf *conf)
{
	return conf->sandbox == CONF_SANDBOX_NO ||
	    sandbox_narrow(c->prepared) == SANDBOX_ALL ||
	    conf->sandbox != CONF_SANDBOX_REQUIRED;
}
