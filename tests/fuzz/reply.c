/* SPDX-License-Identifier: ISC */
/* Lines of a server, one reply after another. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "reply.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
need(int held)
{
	if (!held)
		abort();
}

static void
check(const struct reply *r)
{
	char print[REPLY_TEXT_MAX + 32];
	struct reply again;

	need(r->code >= 200 && r->code <= 599);
	need(strlen(r->text) < sizeof(r->text));
	need(strlen(r->status) < sizeof(r->status));
	need(r->status[strspn(r->status, "0123456789.")] == '\0');
	if (r->status[0] != '\0')
		need(r->status[0] == '0' + r->code / 100);
	reply_print(r, print, sizeof(print));
	reply_init(&again);
	need(reply_feed(&again, print, strlen(print)) == REPLY_DONE);
	need(again.code == r->code);
	if (r->status[0] != '\0')
		need(strcmp(again.status, r->status) == 0);
	for (int to = REPLY_TO_CONNECT; to <= REPLY_TO_OTHER; to++)
		switch (reply_verdict(r, (enum reply_to)to)) {
		case VERDICT_DELIVERED:
			need(to == REPLY_TO_END && r->code / 100 == 2);
			break;
		case VERDICT_FAILED:
			need((to == REPLY_TO_END || to == REPLY_TO_RCPT) &&
			    r->code / 100 == 5 && r->code != 521 &&
			    r->code != 503);
			break;
		case VERDICT_DEFERRED:
			break;
		}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *p = (const char *)data, *end = p + size, *lf;
	struct reply r;
	char *line;
	size_t n;

	reply_init(&r);
	while (size != 0 && p < end) {
		lf = memchr(p, '\n', (size_t)(end - p));
		n = (size_t)((lf != NULL ? lf : end) - p);
		/* exactly as long as it is said to be */
		if ((line = malloc(n == 0 ? 1 : n)) == NULL)
			return 0;
		memcpy(line, p, n);
		switch (reply_feed(&r, line, n)) {
		case REPLY_MORE:
			check(&r);
			break;
		case REPLY_DONE:
			check(&r);
			/* FALLTHROUGH */
		case REPLY_GARBAGE:
			reply_init(&r);
			break;
		}
		free(line);
		p += n + 1;
	}
	return 0;
}
