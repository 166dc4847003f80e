/* SPDX-License-Identifier: ISC */
#include "learn.h"

#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "recipients.h"

#define ANSWERS_MAX	20000	/* of a run; the rest is for the next one */

struct learn {
	struct recipients_entry *entry;
	size_t n, good;
};

struct learn *
learn_new(void)
{
	return calloc(1, sizeof(struct learn));
}

void
learn_free(struct learn *l)
{
	if (l == NULL)
		return;
	for (size_t i = 0; i < l->n; i++)
		free((char *)l->entry[i].local);
	free(l->entry);
	free(l);
}

bool
learn_is_unknown(const struct reply *r)
{
	static const char *const codes[] = {
		"5.1.1", "5.1.6", "5.1.10", "5.2.1"
	};

	if (r->status[0] == '\0')
		return r->code == 550 || r->code == 551;
	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
		if (r->code / 100 == 5 && strcmp(r->status, codes[i]) == 0)
			return true;
	return false;
}

static void
add(struct learn *l, const char *local, bool good)
{
	struct recipients_entry *grown;
	char *copy;

	if (l->n == ANSWERS_MAX || (copy = strdup(local)) == NULL)
		return;
	/* Grows by doubling at powers of two. */
	if ((l->n & (l->n - 1)) == 0) {
		grown = reallocarray(l->entry, l->n == 0 ? 1 : l->n * 2,
		    sizeof(*grown));
		if (grown == NULL) {
			free(copy);
			return;
		}
		l->entry = grown;
	}
	l->entry[l->n].local = copy;
	l->entry[l->n].found = good ? RECIPIENTS_YES : RECIPIENTS_NO;
	l->entry[l->n].when = time(NULL);
	l->n++;
	l->good += good;
}

void
learn_rcpt(struct learn *l, const char *address, const struct reply *reply)
{
	char local[ADDR_LOCAL_MAX + 1];
	bool good = reply->code / 100 == 2;
	struct addr a;

	if (l == NULL || (!good && !learn_is_unknown(reply)) ||
	    !addr_parse_mailbox(&a, address))
		return;
	recipients_local(&a, local);
	add(l, local, good);
}

int
learn_save(struct learn *l, struct spool *sp, const char *domain, bool believe,
    time_t now)
{
	size_t n = 0;

	if (l == NULL || l->good == 0)
		return 0;
	if (believe && l->n - l->good <= l->good)
		return recipients_learn(sp, domain, l->entry, l->n, now);
	/* The good ones alone, which go to the front. */
	for (size_t i = 0; i < l->n; i++)
		if (l->entry[i].found == RECIPIENTS_YES) {
			struct recipients_entry e = l->entry[n];

			l->entry[n++] = l->entry[i];
			l->entry[i] = e;
		}
	return recipients_learn(sp, domain, l->entry, n, now);
}
