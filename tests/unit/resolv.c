/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "resolv.h"
#include "tap.h"

static char file[] = "/tmp/mxkeep.XXXXXX";

static const struct {
	const char *text;
	const char *servers;	/* NULL: refused */
	bool local, trust_ad, tcp, rotate;
	int64_t patience;	/* 0: the default */
} table[] = {
	{ "nameserver 127.0.0.1\n", "127.0.0.1", true, false, false, false,
	    0 },
	{ "nameserver 192.0.2.1\nnameserver ::1\n", "192.0.2.1 ::1", false,
	    false, false, false, 0 },
	{ "nameserver 127.0.0.53\nnameserver ::1", "127.0.0.53 ::1", true,
	    false, false, false, 0 },
	{ "nameserver ::2\noptions edns0 trust-ad\n", "::2", false, true,
	    false, false, 0 },
	{ "options rotate use-vc timeout:2 attempts:9 ndots:3\n"
	    "nameserver\t192.0.2.1  # of the house\n", "192.0.2.1", false,
	    false, true, true, 2000 },
	{ "nameserver 127.0.0.1#5353\nnameserver 192.0.2.7\n", "192.0.2.7",
	    false, false, false, false, 0 },
	{ "#nameserver 192.0.2.1\n;nameserver 192.0.2.2\n"
	    "search example.org\n  nameserver 192.0.2.3\n", "127.0.0.1",
	    true, false, false, false, 0 },
	{ "nameserver\nnameserver   \noptions\nnonsense\n\n\t\n"
	    "options timeout:zero timeout: timeout:-1 timeout:999\n"
	    "nameserver 192.0.2.1", "192.0.2.1", false, false, false, false,
	    0 },
	{ "nameserver 192.0.2.1\r\noptions rotate\r\n", "192.0.2.1", false,
	    false, false, true, 0 },
	{ "nameserver resolver.example\n", NULL, false, false, false, false,
	    0 },
	{ "", "127.0.0.1", true, false, false, false, 0 },
};

static bool
resolv(struct resolv *r, const char *text)
{
	FILE *f = fopen(file, "w");

	fputs(text, f);
	fclose(f);
	resolv_init(r);
	return resolv_read(r, file);
}

static const char *
servers(const struct resolv *r)
{
	static char list[2000];
	char one[RESOLV_SERVER_TEXT];
	int i;

	list[0] = '\0';
	for (i = 0; i < r->nserver; i++) {
		resolv_server_print(one, &r->server[i]);
		(void)strlcat(list, i > 0 ? " " : "", sizeof(list));
		(void)strlcat(list, one, sizeof(list));
	}
	return list;
}

static void
test_table(void)
{
	struct resolv r;
	size_t i;

	for (i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		errno = 0;
		if (!resolv(&r, table[i].text)) {
			is_str(NULL, table[i].servers, "%zu: refused", i);
			is_int(errno, EINVAL, "%zu: errno", i);
			continue;
		}
		is_str(servers(&r), table[i].servers, "%zu: servers", i);
		is_int(resolv_is_local(&r), table[i].local, "%zu: local", i);
		is_int(r.trust_ad, table[i].trust_ad, "%zu: trust-ad", i);
		is_int(r.tcp, table[i].tcp, "%zu: use-vc", i);
		is_int(r.rotate, table[i].rotate, "%zu: rotate", i);
		is_int(r.patience, table[i].patience != 0 ?
		    table[i].patience : RESOLV_PATIENCE, "%zu: timeout", i);
	}
}

static void
test_files(void)
{
	struct resolv r;
	char text[1000] = "";
	int i;

	resolv_init(&r);
	ok(!resolv_is_local(&r), "nobody is not local");
	ok(resolv_read(&r, "/nonexistent/resolv.conf"), "no file");
	is_str(servers(&r), "127.0.0.1", "is the server of this host");
	resolv_init(&r);
	ok(!resolv_read(&r, "/") && errno == EISDIR, "an unreadable file");
	for (i = 0; i < RESOLV_SERVERS_MAX + 4; i++)
		(void)strlcat(text, "nameserver 192.0.2.1\n", sizeof(text));
	ok(resolv(&r, text), "more servers than we take");
	is_int(r.nserver, RESOLV_SERVERS_MAX, "are as many as we take");
}

int
main(void)
{
	int fd = mkstemp(file);

	if (fd == -1)
		return 1;
	close(fd);
	test_table();
	test_files();
	unlink(file);
	return done_testing();
}
