/* SPDX-License-Identifier: ISC */
#include "finding.h"
#include "tap.h"

static void
test_names(void)
{
	int id, other;
	bool named = true, apart = true, levels = true;

	for (id = 0; id < CHECK_ID_MAX; id++) {
		if (check_id_name((enum check_id)id) == NULL) {
			named = false;
			continue;
		}
		levels = levels && (check_id_can((enum check_id)id,
		    CHECK_OK) || check_id_can((enum check_id)id, CHECK_WARN) ||
		    check_id_can((enum check_id)id, CHECK_FAIL));
		for (other = 0; other < id; other++)
			if (strcmp(check_id_name((enum check_id)id),
			    check_id_name((enum check_id)other)) == 0)
				apart = false;
	}
	ok(named, "each check has a name");
	ok(apart, "no two have the same");
	ok(levels, "each has a level");
	is_str(check_level_name(CHECK_OK), "ok", "ok");
	is_str(check_level_name(CHECK_WARN), "warn", "warn");
	is_str(check_level_name(CHECK_FAIL), "fail", "fail");
}

static void
test_status(void)
{
	struct findings f;

	findings_init(&f);
	is_int(findings_status(&f), 0, "nothing found: 0");
	finding_add(&f, CHECK_OK, CHECK_MX_RECORDS, "a", "%d", 1);
	is_int(findings_status(&f), 0, "ok: 0");
	finding_add(&f, CHECK_WARN, CHECK_MX_TWICE, "a", "%d", 2);
	is_int(findings_status(&f), 1, "a warning: 1");
	finding_unknown(&f, CHECK_LOOKUP_TEMP, "a", "%d", 3);
	is_int(findings_status(&f), 3, "not known: 3");
	finding_add(&f, CHECK_FAIL, CHECK_MX_ALIAS, "b", "%s", "text");
	is_int(findings_status(&f), 2, "a fault: 2");
	is_int((int)f.n, 4, "in a list");
	is_str(f.finding[3].subject, "b", "subject");
	is_str(f.finding[3].text, "text", "text");
	ok(f.finding[2].unknown && !f.finding[3].unknown, "unknown or not");
	findings_clear(&f);
	is_int((int)f.n, 0, "cleared");
	f.failed = true;
	is_int(findings_status(&f), 3, "out of memory: 3");
}

static void
test_worse(void)
{
	static const int rank[] = { 0, 1, 3, 2 };
	int a, b;

	for (a = 0; a < 4; a++)
		for (b = 0; b < 4; b++)
			is_int(findings_worse(rank[a], rank[b]),
			    rank[a > b ? a : b], "%d and %d", rank[a],
			    rank[b]);
}

int
main(void)
{
	test_names();
	test_status();
	test_worse();
	return done_testing();
}
