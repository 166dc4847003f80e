/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "msgid.h"
#include "plain.h"
#include "tap.h"

static const struct {
	const char *in;
	bool want;
	int64_t time;
	long usec;
	int64_t size;
} cases[] = {
	{ "1764000000.M123456P4711Q1.mx2.example.net,S=4711", true,
	    1764000000, 123456, 4711 },
	{ "1764000000.M123456P4711Q1.mx2.example.net", true, 1764000000,
	    123456, -1 },
	{ "1764000000.M1P1Q1.h,S=0", true, 1764000000, 1, 0 },
	{ "1764000000.M1P1Q1.h,S=5:2,S", true, 1764000000, 1, 5 },
	{ "1764000000.M1P1Q1.h,S=5:2,", true, 1764000000, 1, 5 },
	{ "1764000000.M1P1Q1.h:2,RS", true, 1764000000, 1, -1 },
	{ "1764000000.P12Q3.h", true, 1764000000, 0, -1 },
	{ "1764000000.12_3.h", true, 1764000000, 0, -1 },
	{ "1764000000.M9999999P1.h", true, 1764000000, 0, -1 },
	{ "1764000000.M1P1Q1.a\\057b", true, 1764000000, 1, -1 },
	{ "0.M1P1Q1.h", true, 0, 1, -1 },
	{ "", false, 0, 0, 0 },
	{ ".", false, 0, 0, 0 },
	{ "..", false, 0, 0, 0 },
	{ "1764000000", false, 0, 0, 0 },
	{ "1764000000.", false, 0, 0, 0 },
	{ "1764000000.M1P1Q1", false, 0, 0, 0 },
	{ "1764000000.M1P1Q1.", false, 0, 0, 0 },
	{ ".1764000000.M1P1Q1.h", false, 0, 0, 0 },
	{ "-1.M1P1Q1.h", false, 0, 0, 0 },
	{ "+1.M1P1Q1.h", false, 0, 0, 0 },
	{ " 1.M1P1Q1.h", false, 0, 0, 0 },
	{ "x.M1P1Q1.h", false, 0, 0, 0 },
	{ "99999999999999999999.M1P1Q1.h", false, 0, 0, 0 },
	{ "9223372036854775700.M1P1Q1.h", false, 0, 0, 0 },
	{ "1.M1P1Q1.h/x", false, 0, 0, 0 },
	{ "1.M1/P1Q1.h", false, 0, 0, 0 },
	{ "1/../2.M1P1Q1.h", false, 0, 0, 0 },
	{ "1.M1P1Q1./../../x", false, 0, 0, 0 },
	{ "1.M1P1Q1.h\n", false, 0, 0, 0 },
	{ "1.M1P1Q1.h\033[2J", false, 0, 0, 0 },
	{ "1.M1P1Q1.h x", false, 0, 0, 0 },
	{ "1.M1P1Q1.h\303\244", false, 0, 0, 0 },
	{ "1.M1P1Q1.h,S=", false, 0, 0, 0 },
	{ "1.M1P1Q1.h,S=x", false, 0, 0, 0 },
	{ "1.M1P1Q1.h,S=-1", false, 0, 0, 0 },
	{ "1.M1P1Q1.h,S=1x", false, 0, 0, 0 },
	{ "1.M1P1Q1.h,S=99999999999999999999", false, 0, 0, 0 },
	{ "1.M1P1Q1.h,", false, 0, 0, 0 },
	{ "example.org", false, 0, 0, 0 },
	{ "1.example.org", true, 1, 0, -1 },
};

static const struct {
	const char *id, *want;
	bool matches;
} matches[] = {
	{ "1.M1P1Q1.h,S=5", "1.M1P1Q1.h,S=5", true },
	{ "1.M1P1Q1.h,S=5", "1.M1P1Q1.h", true },
	{ "1.M1P1Q1.h,S=5:2,S", "1.M1P1Q1.h,S=5", true },
	{ "1.M1P1Q1.h,S=5:2,S", "1.M1P1Q1.h", true },
	{ "1.M1P1Q1.h:2,S", "1.M1P1Q1.h", true },
	{ "1.M1P1Q1.h,S=55", "1.M1P1Q1.h,S=5", false },
	{ "1.M1P1Q1.h,S=5", "1.M1P1Q1.h,S=55", false },
	{ "1.M1P1Q1.h,S=5", "1.M1P1Q1.h,S", false },
	{ "1.M1P1Q1.h,S=5", "1.M1P1Q1", false },
	{ "1.M1P1Q1.host", "1.M1P1Q1.h", false },
	{ "1.M1P1Q1.h", "1.M1P1Q1.h,S=5", false },
	{ "1.M1P1Q1.h", "", false },
	{ "1.M1P1Q1.h,S=5", "1.M1P1Q1.h,", false },
};

int
main(void)
{
	char base[MSGID_BASE_MAX + 1], next[MSGID_BASE_MAX + 1];
	char id[MSGID_MAX + 1], host[254], *long_one, name[72];
	struct msgid m;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		bool got = msgid_parse(&m, cases[i].in);

		(void)plain(name, sizeof(name), cases[i].in);
		is_int(got, cases[i].want, "\"%s\"", name);
		if (!got || !cases[i].want)
			continue;
		is_int(m.time, cases[i].time, "%s: time", name);
		is_int(m.usec, cases[i].usec, "%s: usec", name);
		is_int(m.size, cases[i].size, "%s: size", name);
	}
	for (size_t i = 0; i < sizeof(matches) / sizeof(matches[0]); i++)
		is_int(msgid_matches(matches[i].id, matches[i].want),
		    matches[i].matches, "%s and %s", matches[i].id,
		    matches[i].want);
	msgid_new(base, "mx2.backup.test");
	msgid_new(next, "mx2.backup.test");
	ok(strcmp(base, next) != 0, "no two are the same");
	ok(msgid_parse(&m, base) && m.size == -1 &&
	    m.time >= time(NULL) - 2 && m.time <= time(NULL), "a new base");
	msgid_name(id, base, 4711);
	ok(msgid_parse(&m, id) && m.size == 4711, "a new id");
	ok(msgid_matches(id, base), "knows its base");
	memset(host, 'h', sizeof(host) - 1);
	host[sizeof(host) - 1] = '\0';
	msgid_new(base, host);
	msgid_name(id, base, INT64_MAX / 20);
	ok(msgid_parse(&m, id) && m.size == INT64_MAX / 20 &&
	    strlen(id) <= MSGID_MAX, "the longest host name fits");
	if ((long_one = malloc(5000)) == NULL)
		return 1;
	memset(long_one, 'h', 5000);
	memcpy(long_one, "1.M1P1Q1.", 9);
	long_one[4999] = '\0';
	ok(!msgid_parse(&m, long_one), "a name that no file can have");
	free(long_one);
	return done_testing();
}
