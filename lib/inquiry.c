/* SPDX-License-Identifier: ISC */
#include "inquiry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "addr.h"
#include "learn.h"
#include "log.h"
#include "recipients.h"
#include "smtp_client.h"

struct round {
	struct inquiry *q;
	time_t now;
	bool over;			/* no more questions */
	size_t asked, refused;
	struct recipients_entry entry[INQUIRY_MAX + 1];
	char local[INQUIRY_MAX + 1][ADDR_LOCAL_MAX + 1];
	size_t n;
};

/* UNKNOWN is any other answer, or none. */
static enum recipients_found
ask(struct round *r, const char *address)
{
	struct link *l = r->q->link;
	enum smtp_client_result result;
	struct reply reply;

	if (r->over)
		return RECIPIENTS_UNKNOWN;
	result = smtp_client_ask(l->client, address, &reply);
	r->over = result != SMTP_CLIENT_OK;
	if (result == SMTP_CLIENT_LOST)
		link_close(l);
	if (result == SMTP_CLIENT_OK && reply.code / 100 == 2)
		return RECIPIENTS_YES;
	if (result == SMTP_CLIENT_OK && learn_is_unknown(&reply))
		return RECIPIENTS_NO;
	return RECIPIENTS_UNKNOWN;
}

static void
keep(struct round *r, const char *local, enum recipients_found found)
{
	(void)strlcpy(r->local[r->n], local, sizeof(r->local[0]));
	r->entry[r->n].local = r->local[r->n];
	r->entry[r->n].found = found;
	r->entry[r->n].when = r->now;
	r->n++;
}

/* Is LINE somebody of the domain of whom nothing is known? */
static bool
is_ours(const struct inquiry *q, const char *line, struct addr *a, time_t now)
{
	return addr_parse_mailbox(a, line) && !a->utf8 &&
	    strcmp(a->domain, q->domain) == 0 &&
	    recipients_learnt(q->spool, q->domain, a, now) ==
	    RECIPIENTS_UNKNOWN;
}

static bool
is_any_ours(const struct inquiry *q, const char *text, time_t now)
{
	char line[ADDR_MAX + 1];
	struct addr a;
	size_t n;

	for (; *text != '\0'; text += n, text += *text == '\n') {
		n = strcspn(text, "\n");
		if (n == 0 || n >= sizeof(line))
			continue;
		memcpy(line, text, n);
		line[n] = '\0';
		if (is_ours(q, line, &a, now))
			return true;
	}
	return false;
}

/* What the server makes of everybody.  True if it takes anybody. */
static bool
probe(struct round *r)
{
	struct inquiry *q = r->q;
	char address[ADDR_MAX + 1];
	enum recipients_found found;

	(void)snprintf(address, sizeof(address), "postmaster@%s", q->domain);
	if (ask(r, address) != RECIPIENTS_YES)
		q->believe = false;
	(void)snprintf(address, sizeof(address), "nobody-%08x%08x@%s",
	    arc4random(), arc4random(), q->domain);
	found = ask(r, address);
	if (found != RECIPIENTS_NO)
		q->believe = false;
	else
		r->refused++;
	if (found == RECIPIENTS_YES || (found == RECIPIENTS_NO && q->believe))
		keep(r, "@", found);
	if (found == RECIPIENTS_YES)
		log_info("catch-all domain=%s host=\"%s\"", q->domain,
		    q->link->peer);
	return found == RECIPIENTS_YES;
}

/* True if A need not be asked about again. */
static bool
settle(struct round *r, const struct addr *a, const char *line)
{
	char local[ADDR_LOCAL_MAX + 1];
	enum recipients_found found;

	if (r->over || r->asked == INQUIRY_MAX ||
	    r->refused >= INQUIRY_REFUSED)
		return false;
	r->asked++;
	found = ask(r, line);
	r->refused += found == RECIPIENTS_NO;
	if (found == RECIPIENTS_UNKNOWN || (found == RECIPIENTS_NO &&
	    !r->q->believe))
		return false;
	recipients_local(a, local);
	keep(r, local, found);
	return true;
}

static void
walk(struct round *r, char *text, bool anybody)
{
	struct inquiry *q = r->q;
	struct addr a;
	char *line;

	while ((line = strsep(&text, "\n")) != NULL) {
		if (!addr_parse_mailbox(&a, line) || a.utf8)
			continue;
		if (is_ours(q, line, &a, r->now) && (anybody ||
		    settle(r, &a, line)))
			continue;
		if (strcmp(a.domain, q->domain) == 0 && recipients_learnt(
		    q->spool, q->domain, &a, r->now) != RECIPIENTS_UNKNOWN)
			continue;
		/* What cannot be noted again is asked for again. */
		(void)recipients_ask(q->spool, q->file, &a);
	}
}

void
inquiry_run(struct inquiry *q)
{
	struct round *r = calloc(1, sizeof(*r));
	char *text;

	text = recipients_asked_take(q->spool, q->file);
	if (text == NULL || r == NULL)
		goto out;
	r->q = q;
	r->now = time(NULL);
	if (!is_any_ours(q, text, r->now))
		r->over = true;
	else if (q->link->client == NULL && !link_open(q->link))
		r->over = true;
	/* Told of another client the server would answer for that one. */
	else if (smtp_client_speaks(q->link->client))
		r->over = true;
	walk(r, text, !r->over && probe(r));
	if (r->n > 0 && recipients_learn(q->spool, q->domain, r->entry, r->n,
	    r->now) == -1)
		log_warn("%s: cannot note its recipients", q->domain);
	if (r->asked > 0)
		log_info("asked domain=%s host=\"%s\" recipients=%zu "
		    "refused=%zu believed=%s", q->domain, q->link->peer,
		    r->asked, r->refused, q->believe ? "yes" : "no");
out:
	free(text);
	free(r);
}
