/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <string.h>

#include "doubt.h"
#include "tap.h"

int
main(void)
{
	struct doubts d;
	struct doubt *one;
	char id[64], longest[MSGID_MAX + 2];
	size_t n;

	doubts_init(&d);
	ok(doubts_first(&d) == NULL, "none");
	one = doubts_add(&d, "1.a.h", 2);
	one->rcpt[one->nrcpt++] = 7;
	one->rcpt[one->nrcpt++] = 9;
	one = doubts_add(&d, "2.a.h", 0);
	ok(one != NULL && one->nrcpt == 0, "one without recipients");
	one = doubts_first(&d);
	is_str(one->id, "1.a.h", "the first in is the first");
	is_int(one->rcpt[1], 9, "with its recipients");
	doubts_drop(&d);
	is_str(doubts_first(&d)->id, "2.a.h", "then the second");
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	ok(doubts_add(&d, longest, 1) == NULL, "no such id");
	for (n = 1; n < 10000; n++) {
		(void)snprintf(id, sizeof(id), "%zu.a.h", n);
		if (doubts_add(&d, id, 1) == NULL)
			break;
	}
	is_int(n, DOUBTS_MAX, "as many as there is room for");
	doubts_clear(&d);
	ok(doubts_first(&d) == NULL, "cleared");
	ok(doubts_add(&d, "3.a.h", 1) != NULL, "room again");
	doubts_clear(&d);
	return done_testing();
}
