/* SPDX-License-Identifier: ISC */
#include <stdlib.h>

#include "offers.h"
#include "tap.h"

#define ALL	(LOOK_8BITMIME | LOOK_SMTPUTF8 | LOOK_DSN | LOOK_TLS)

static struct offers
offers(unsigned bits, int64_t size)
{
	static struct look l;
	struct offers o;

	memset(&l, 0, sizeof(l));
	l.ehlo.code = 250;
	l.offers = bits;
	l.size = size;
	offers_init(&o);
	offers_add(&o, &l);
	return o;
}

int
main(void)
{
	static const struct {
		const char *name;
		unsigned backup, primary;
		int64_t bsize, psize;
		enum check_level level;
		const char *want;
	} tests[] = {
		{ "the same", ALL, ALL, 1000, 1000, CHECK_OK,
		    "offers what the primary mx1 does" },
		{ "no limits", ALL, ALL, 0, 0, CHECK_OK, "offers what" },
		{ "DSN is of use alone", ALL, ALL & ~LOOK_DSN, 0, 0, CHECK_OK,
		    "offers what" },
		{ "smaller", ALL, ALL, 999, 1000, CHECK_WARN,
		    "up to 999 octets" },
		{ "smaller than any", ALL, ALL, 999, 0, CHECK_WARN,
		    "raise the backup's limit" },
		{ "larger", ALL, ALL, 1001, 1000, CHECK_WARN,
		    "mx1 takes mail up to 1000 octets" },
		{ "without limit", ALL, ALL, 0, 1000, CHECK_WARN,
		    "the primary will refuse" },
		{ "less", LOOK_TLS | LOOK_8BITMIME, ALL, 0, 0, CHECK_WARN,
		    "mx1 offers SMTPUTF8, DSN and the backup does not" },
		{ "more", ALL, LOOK_8BITMIME, 0, 0, CHECK_WARN,
		    "backup offers SMTPUTF8, STARTTLS and the primary mx1" },
	};
	struct findings f;
	struct offers b, p;
	struct look l;
	size_t i;

	for (i = 0; i < sizeof(tests) / sizeof(tests[0]); i++) {
		b = offers(tests[i].backup, tests[i].bsize);
		p = offers(tests[i].primary, tests[i].psize);
		findings_init(&f);
		offers_compare(&f, "mx2", &b, "mx1", &p);
		if (is_int(f.n, 1, "%s: one finding", tests[i].name)) {
			is_int(f.finding[0].level, tests[i].level, "%s: level",
			    tests[i].name);
			if (strstr(f.finding[0].text, tests[i].want) == NULL)
				is_str(f.finding[0].text, tests[i].want,
				    "%s: text", tests[i].name);
		}
		findings_clear(&f);
	}

	/* Of several addresses the least counts; one that fails does not. */
	b = offers(ALL, 1000);
	memset(&l, 0, sizeof(l));
	l.ehlo.code = 550;
	offers_add(&b, &l);
	is_int(b.bits & ALL, ALL, "one that refuses does not count");
	l.ehlo.code = 250;
	l.offers = LOOK_DSN;
	l.size = 500;
	offers_add(&b, &l);
	is_int(b.bits & ALL, LOOK_DSN, "what all offer");
	is_int(b.size, 500, "the least limit");
	offers_init(&p);
	ok(!p.known, "nobody has said anything");
	return done_testing();
}
