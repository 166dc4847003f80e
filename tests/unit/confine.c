/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "confine.h"
#include "tap.h"

static char top[] = "/tmp/mxkeep-confine.XXXXXX";
static struct conf conf;

static const char *
at(const char *name)
{
	static char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/%s", top, name);
	return path;
}

/* A file with one line, which may name what is below the top by %s. */
static void __attribute__((format(printf, 2, 3)))
put(const char *name, const char *fmt, ...)
{
	FILE *f = fopen(at(name), "w");
	va_list ap;

	if (f == NULL)
		exit(1);
	va_start(ap, fmt);
	(void)vfprintf(f, fmt, ap);
	va_end(ap);
	fclose(f);
}

static bool
has(const struct confine *c, const char *name)
{
	for (size_t i = 0; i < c->n; i++)
		if (strcmp(c->file[i], at(name)) == 0)
			return true;
	return false;
}

static void
furnish(void)
{
	char error[CONF_ERROR_MAX], target[PATH_MAX];

	if (mkdtemp(top) == NULL || mkdir(at("etc"), 0755) == -1 ||
	    mkdir(at("etc/domains"), 0755) == -1 ||
	    mkdir(at("spool"), 0700) == -1)
		exit(1);
	put("etc/mxkeep.conf", "spool %s/spool\nrecipients %s/all\n", top, top);
	put("all", "@\n");
	put("one", "@\n");
	put("linked", "bounce no\n");
	put("secret", "x\n");
	put("etc/near", "@\n");
	put("etc/domains/one.test", "recipients %s/one\n", top);
	put("etc/domains/.two.test", "recipients %s/one\n", top);
	put("etc/domains/near.test", "recipients near\n");
	put("etc/domains/far.test", "recipients far\n");
	put("etc/domains/empty.test", "%s", "");
	put("etc/domains/wrong.test", "nonsense\n");
	(void)strlcpy(target, at("linked"), sizeof(target));
	if (symlink(target, at("etc/domains/link.test")) == -1)
		exit(1);
	(void)strlcpy(target, at("one"), sizeof(target));
	if (symlink(target, at("etc/far")) == -1 ||
	    conf_load(&conf, at("etc"), error) == -1)
		exit(1);
}

static bool
can_read(const char *name)
{
	int fd = open(at(name), O_RDONLY);

	return fd != -1 && close(fd) == 0;
}

/* What can be read from within; a letter each. */
static int
inside(struct confine *c, enum conf_sandbox sandbox)
{
	char active[SANDBOX_ACTIVE_SIZE], error[CONF_ERROR_MAX];
	struct spool *sp = spool_open(conf.spool, error);
	int bits = 0;

	conf.sandbox = sandbox;
	if (sp == NULL || !confine_enter(c, &conf, sp, true, active) ||
	    !confine_narrow(c, &conf))
		return 64;
	if (sandbox != CONF_SANDBOX_NO && strstr(active, "no ") != NULL)
		return 65;
	bits |= can_read("etc/domains/one.test") ? 1 : 0;
	bits |= can_read("etc/domains/link.test") ? 2 : 0;
	bits |= can_read("one") ? 4 : 0;
	bits |= can_read("all") ? 8 : 0;
	bits |= can_read("secret") ? 16 : 0;
	return bits;
}

static int
from_inside(struct confine *c, enum conf_sandbox sandbox)
{
	int status;
	pid_t pid;

	if ((pid = fork()) == 0)
		_exit(inside(c, sandbox));
	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ?
	    WEXITSTATUS(status) : -1;
}

int
main(void)
{
	char command[PATH_MAX];
	struct confine c;
	int bits;

	furnish();
	confine_init(&c);
	is_int(confine_find(&c, &conf, 0), 0, "without the domains");
	ok(c.n == 1 && has(&c, "all"), "the file for all");
	is_int(confine_find(&c, &conf, SIZE_MAX), 0, "with the domains");
	is_int((long)c.n, 4, "four lead out");
	ok(has(&c, "one"), "a domain's, once");
	ok(has(&c, "etc/far"), "a link in the directory");
	ok(has(&c, "etc/domains/link.test"), "a domain that is a link");
	ok(!has(&c, "etc/near"), "but not one that is in it");

	bits = from_inside(&c, CONF_SANDBOX);
	if (bits == 65)
		skip("no sandbox here", "what can be read inside");
	else
		is_int(bits, 15, "inside, all but the secret can be read");
	is_int(from_inside(&c, CONF_SANDBOX_NO), 31,
	    "sandbox no: everything can");
	confine_clear(&c);
	is_int((long)c.n, 0, "cleared");
	if (bits != 65)
		is_int(from_inside(&c, CONF_SANDBOX_REQUIRED), 1,
		    "what was not looked for cannot be read");
	is_int(confine_find(&c, &conf, 1), 0, "no more than one domain");
	ok(c.n <= 2, "all, and what that one has");
	confine_clear(&c);

	(void)snprintf(command, sizeof(command), "rm -r %s", top);
	if (system(command) != 0)
		return 1;
	(void)strlcpy(conf.defaults.recipients_file, "/x/y", 8);
	is_int(confine_find(&c, &conf, SIZE_MAX), 0, "no domains at all");
	confine_clear(&c);
	return done_testing();
}
