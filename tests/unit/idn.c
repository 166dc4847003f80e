/* SPDX-License-Identifier: ISC */
#include <errno.h>
#include <string.h>

#include "addr.h"
#include "idn.h"
#include "tap.h"

static void
test_to_ascii(void)
{
	static const struct {
		const char *text, *want;	/* NULL: refused */
	} t[] = {
		{ "example.org", "example.org" },
		{ "Example.ORG.", "example.org" },
		{ "b\303\274cher.example", "xn--bcher-kva.example" },
		{ "B\303\234CHER.example", "xn--bcher-kva.example" },
		{ "stra\303\237e.example", "xn--strae-oqa.example" },
		{ "xn--bcher-kva.example", "xn--bcher-kva.example" },
		{ "\346\227\245\346\234\254.jp", "xn--wgv71a.jp" },
		{ "", NULL },
		{ ".", NULL },
		{ "example..org", NULL },
		{ "example.org..", NULL },
		{ "a b.example", NULL },
		{ "exa_mple.org", NULL },
		{ "_25._tcp.example.org", NULL },
		{ "192.0.2.1", NULL },
		{ "user@example.org", NULL },
		{ "b\303\274 cher.example", NULL },
		{ "b\303\274_cher.example", NULL },
		{ "\377\376.example", NULL },
		{ "b\303", NULL },
		{ "-b\303\274.example", NULL },
	};
	char out[ADDR_DOMAIN_MAX + 1], longest[400];
	const char *why;
	size_t i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
		bool done = idn_to_ascii(out, t[i].text, &why);

		is_str(done ? out : NULL, t[i].want, "to ascii: \"%s\"",
		    t[i].text);
		if (!done)
			ok(why[0] != '\0' && out[0] == '\0' &&
			    errno == EINVAL,
			    "there is a reason: %s", why);
	}
	memset(longest, 'a', sizeof(longest));
	for (i = 50; i < sizeof(longest); i += 50)
		longest[i] = '.';
	longest[sizeof(longest) - 1] = '\0';
	ok(!idn_to_ascii(out, longest, &why), "to ascii: 399 octets (%s)",
	    why);
}

int
main(void)
{
	test_to_ascii();
	return done_testing();
}
