/* SPDX-License-Identifier: ISC */
#include "submit.h"

#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "addr.h"
#include "draft.h"
#include "envelope.h"
#include "header.h"
#include "log.h"
#include "plain.h"

/*** The envelopes: one for each domain ***/

struct envelopes {
	struct envelope *envelope;
	struct envelope **list;
	size_t n;
};

static int
envelopes_init(struct envelopes *a, size_t n)
{
	a->envelope = calloc(n, sizeof(*a->envelope));
	a->list = calloc(n, sizeof(*a->list));
	a->n = 0;
	return a->envelope != NULL && a->list != NULL ? 0 : -1;
}

static void
envelopes_clear(struct envelopes *a)
{
	for (size_t i = 0; i < a->n; i++)
		envelope_clear(&a->envelope[i]);
	free(a->envelope);
	free(a->list);
}

/* Of the domain; NULL with errno. */
static struct envelope *
get_envelope(struct desk *d, struct envelopes *a, const char *domain)
{
	struct envelope *e;

	for (size_t i = 0; i < a->n; i++)
		if (strcmp(a->envelope[i].domain, domain) == 0)
			return &a->envelope[i];
	e = a->list[a->n] = &a->envelope[a->n];
	a->n++;
	envelope_init(e);
	e->arrived = d->now;
	(void)strlcpy(e->domain, domain, sizeof(e->domain));
	(void)strlcpy(e->protocol, "local", sizeof(e->protocol));
	/* Unknown until it is read; to declare it does no harm. */
	if (envelope_set_sender(e, d->sender, "BODY=8BITMIME") == -1)
		return NULL;
	return e;
}

static int
check_ours(struct desk *d, const char *domain, const char *safe)
{
	char error[CONF_ERROR_MAX];
	struct settings settings;

	switch (conf_domain(&d->conf, domain, &settings, NULL, error)) {
	case CONF_YES:
		return 0;
	case CONF_NO:
		return complain(&d->complain, 1, "%s: %s is not kept here: "
		    "there is no file %s/domains/%s", safe, domain,
		    d->conf.dir, domain);
	case CONF_BROKEN:
		return complain(&d->complain, EX_CONFIG, "%s", error);
	}
	return -1;
}

static int
add_recipient(struct desk *d, struct envelopes *a, const char *text)
{
	const struct complain *c = &d->complain;
	char domain[ADDR_DOMAIN_MAX + 1], safe[ADDR_MAX * 2];
	struct envelope *e;
	struct addr addr;

	(void)plain(safe, sizeof(safe), text);
	if (!addr_parse_mailbox(&addr, text))
		return complain(c, EX_USAGE, "%s: expected an address "
		    "user@domain", safe);
	if (addr.utf8)
		return complain(c, EX_USAGE, "%s: only ASCII addresses so far",
		    safe);
	if (!addr_domain(domain, addr.domain))
		return complain(c, EX_USAGE, "%s: expected a domain behind "
		    "the @", safe);
	if (check_ours(d, domain, safe) == -1)
		return -1;
	if ((e = get_envelope(d, a, domain)) == NULL ||
	    envelope_add(e, addr.text, "") == -1)
		return complain_errno(c, 1, NULL);
	return 0;
}

static int
check_sender(struct desk *d)
{
	struct addr from;

	if (strcmp(d->sender, "<>") == 0)
		d->sender = "";
	if (*d->sender == '\0')
		return 0;
	if (!addr_parse_mailbox(&from, d->sender))
		return complain(&d->complain, EX_USAGE, "%s: expected an "
		    "address user@domain, or <>", d->sender);
	if (from.utf8)
		return complain(&d->complain, EX_USAGE, "the sender: only "
		    "ASCII addresses so far");
	return 0;
}

/*** The message ***/

static int
spool_failed(struct desk *d)
{
	return complain_errno(&d->complain, EX_TEMPFAIL, "spool");
}

static int
bare_cr(struct desk *d)
{
	return complain(&d->complain, 1, "standard input: bare CR; lines end "
	    "in LF or CRLF");
}

/* The end of a line, of which its last octet is there. */
static int
end_line(struct desk *d, struct draft *draft, char last)
{
	int result = last == '\r' ? draft_write(draft, "\n", 1) :
	    draft_write(draft, "\r\n", 2);

	return result == -1 ? spool_failed(d) : 0;
}

/* A piece of a line without its LF. */
static int
write_piece(struct desk *d, struct draft *draft, const char *buf, size_t len)
{
	const char *cr = memchr(buf, '\r', len);

	if (memchr(buf, '\0', len) != NULL)
		return complain(&d->complain, 1, "standard input: NUL in the "
		    "message");
	if (cr != NULL && cr + 1 < buf + len)
		return bare_cr(d);
	return draft_write(draft, buf, len) == -1 ? spool_failed(d) : 0;
}

/* Lines of a pipe as lines of the wire.  Sets *LAST to the last octet. */
static int
write_lines(struct desk *d, struct draft *draft, const char *buf, size_t n,
    char *last)
{
	const char *end = buf + n, *lf;
	size_t len;

	for (; buf < end; buf++) {
		if (*last == '\r' && *buf != '\n')
			return bare_cr(d);
		lf = memchr(buf, '\n', (size_t)(end - buf));
		len = (size_t)((lf != NULL ? lf : end) - buf);
		if (write_piece(d, draft, buf, len) == -1)
			return -1;
		if (len > 0)
			*last = buf[len - 1];
		if (lf == NULL)
			break;
		if (end_line(d, draft, *last) == -1)
			return -1;
		*last = '\n';
		buf = lf;
	}
	return 0;
}

static int
write_message(struct desk *d, struct draft *draft)
{
	char buf[65536], last = '\n';
	ssize_t n;

	while ((n = read(fileno(d->in), buf, sizeof(buf))) > 0)
		if (write_lines(d, draft, buf, (size_t)n, &last) == -1)
			return -1;
	if (n == -1)
		return complain_errno(&d->complain, 1, "standard input");
	return last != '\n' ? end_line(d, draft, last) : 0;
}

static struct draft *
begin(struct desk *d, struct envelopes *a)
{
	char base[MSGID_BASE_MAX + 1], trace[1024], date[HEADER_DATE_MAX];

	msgid_new(base, d->conf.hostname);
	header_date(date, d->now);
	(void)snprintf(trace, sizeof(trace), "Received: by %s (mxkeep)\r\n"
	    "\tid %s;\r\n\t%s\r\n", d->conf.hostname, base, date);
	return draft_begin(d->spool, a->list, a->n, base, trace);
}

static int
spool_message(struct desk *d, struct envelopes *a)
{
	struct draft *draft;

	if (spool_space(d->spool, 0) == -1 || (draft = begin(d, a)) == NULL)
		return spool_failed(d);
	if (write_message(d, draft) == -1)
		goto fail;
	if (draft_commit(draft) == -1) {
		spool_failed(d);
		goto fail;
	}
	for (size_t i = 0; i < a->n; i++) {
		log_info("added id=%s uid=%ld", draft_id(draft, i),
		    (long)getuid());
		fprintf(d->row.f, "%s%c", draft_id(draft, i),
		    d->nul ? '\0' : '\n');
		/* The flusher knows whether that is worth a try. */
		(void)spool_trigger(d->spool, a->list[i]->domain,
		    SPOOL_NEW_MAIL);
	}
	draft_free(draft);
	return 0;
fail:
	draft_abort(draft);
	return -1;
}

int
submit_message(struct desk *d, char **arg)
{
	struct envelopes a;
	size_t n = 0;
	int result = 0;

	while (arg[n] != NULL)
		n++;
	if (check_sender(d) == -1)
		return -1;
	if (envelopes_init(&a, n) == -1)
		result = complain_errno(&d->complain, 1, NULL);
	for (; result == 0 && *arg != NULL; arg++)
		result = add_recipient(d, &a, *arg);
	if (result == 0 && !d->dry)
		result = spool_message(d, &a);
	envelopes_clear(&a);
	return result;
}
