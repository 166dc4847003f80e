/* SPDX-License-Identifier: ISC */
#include <sys/stat.h>
#include <stdlib.h>
#include <unistd.h>

#include "rehearse.h"
#include "tap.h"

static void
write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	if (f == NULL || fputs(text, f) == EOF || fclose(f) == EOF)
		ok(false, "%s", path);
}

int
main(void)
{
	static struct conf conf;
	char dir[] = "/tmp/mxkeep.XXXXXX", error[CONF_ERROR_MAX];
	struct check_options o;
	struct look_us us;

	memset(&o, 0, sizeof(o));
	ok(!rehearse_is_routed(&o, "a.example"), "nothing is configured");
	if (mkdtemp(dir) == NULL || chdir(dir) == -1) {
		ok(false, "a directory");
		return done_testing();
	}
	mkdir("domains", 0700);
	write_file("domains/a.example", "route mx.a.example:2525\n");
	write_file("domains/b.example", "");
	write_file("domains/c.example", "route\n");
	conf_init(&conf);
	is_int(conf_load(&conf, dir, error), 0, "a configuration");
	o.us = &conf;
	ok(rehearse_is_routed(&o, "a.example"), "a domain with a route");
	ok(!rehearse_is_routed(&o, "b.example"), "one without");
	ok(!rehearse_is_routed(&o, "c.example"), "one that is broken");
	ok(!rehearse_is_routed(&o, "d.example"), "one that is not ours");
	memset(&us, 0, sizeof(us));
	rehearse(NULL, 0, NULL, &o, &us, 0);
	ok(true, "nothing to rehearse");
	unlink("domains/a.example");
	unlink("domains/b.example");
	unlink("domains/c.example");
	rmdir("domains");
	if (chdir("/") == -1 || rmdir(dir) == -1)
		ok(false, "nothing is left");
	return done_testing();
}
