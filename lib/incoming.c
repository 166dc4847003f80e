/* SPDX-License-Identifier: ISC */
#include "incoming.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "dot.h"
#include "draft.h"
#include "envelope.h"
#include "header.h"
#include "msgid.h"

#define HOPS_MAX	100	/* RFC 5321 6.3 */

struct incoming {
	struct envelope *envelope;	/* one a domain */
	struct envelope **list;
	size_t n;
	struct draft *draft;
	struct header_scan scan;
	struct dot_decoder dot;
	struct dot_watch watch;
	int64_t octets;
	int64_t max_size;
	int error;			/* errno of the spool, 0 none */
};

static void
trace_field(const struct incoming_from *from, const char *base, char *buf,
    size_t size)
{
	char date[HEADER_DATE_MAX], client[ADDR_DOMAIN_MAX + 64];
	char to[ADDR_MAX + 16] = "", tls[96] = "";

	header_date(date, time(NULL));
	if (from->peer->addr[0] == '\0')
		(void)snprintf(client, sizeof(client), "unknown");
	else
		(void)snprintf(client, sizeof(client), "%s%s[%s%s]",
		    from->peer->name, from->peer->name[0] != '\0' ? " " : "",
		    from->peer->v6 ? "IPv6:" : "", from->peer->addr);
	if (from->tls[0] != '\0')
		(void)snprintf(tls, sizeof(tls), "\r\n\t(%s)", from->tls);
	/* More than one would tell each of the others (RFC 5321 7.6). */
	if (from->nrcpt == 1)
		(void)snprintf(to, sizeof(to), "\r\n\tfor <%s>",
		    from->rcpt[0].addr.text);
	(void)snprintf(buf, size, "Received: from %s (%s)\r\n"
	    "\tby %s (mxkeep) with %s%s\r\n\tid %s%s;\r\n\t%s\r\n",
	    from->helo, client, from->hostname, from->protocol, tls, base, to,
	    date);
}

static struct envelope *
envelope_of(struct incoming *in, const char *domain)
{
	for (size_t i = 0; i < in->n; i++)
		if (strcmp(in->envelope[i].domain, domain) == 0)
			return &in->envelope[i];
	return NULL;
}

static bool
new_envelope(const struct incoming_from *from, struct incoming *in,
    const char *domain, time_t now)
{
	struct envelope *e = &in->envelope[in->n];

	envelope_init(e);
	in->list[in->n++] = e;
	e->arrived = now;
	(void)strlcpy(e->domain, domain, sizeof(e->domain));
	(void)strlcpy(e->client_addr, from->peer->addr,
	    sizeof(e->client_addr));
	(void)strlcpy(e->client_name, from->peer->name,
	    sizeof(e->client_name));
	(void)strlcpy(e->helo, from->helo, sizeof(e->helo));
	(void)strlcpy(e->protocol, from->protocol, sizeof(e->protocol));
	(void)strlcpy(e->tls, from->tls, sizeof(e->tls));
	return envelope_set_sender(e, from->sender->text, from->params) == 0;
}

/* One envelope for each domain among the recipients. */
static bool
make_envelopes(const struct incoming_from *from, struct incoming *in)
{
	time_t now = time(NULL);

	in->envelope = calloc(from->nrcpt, sizeof(*in->envelope));
	in->list = calloc(from->nrcpt, sizeof(*in->list));
	if (in->envelope == NULL || in->list == NULL)
		return false;
	for (size_t i = 0; i < from->nrcpt; i++) {
		const struct incoming_rcpt *r = &from->rcpt[i];

		if (envelope_of(in, r->domain) == NULL &&
		    !new_envelope(from, in, r->domain, now))
			return false;
		if (envelope_add(envelope_of(in, r->domain), r->addr.text,
		    r->params) == -1)
			return false;
		if (r->unverified)
			envelope_unverified(envelope_of(in, r->domain));
	}
	return true;
}

/* What is passed on is longer than what came by our trace field. */
static void
set_limit(struct incoming *in, const struct incoming_from *from, size_t trace)
{
	int64_t left = from->passed_size - (int64_t)trace;

	in->max_size = from->max_size;
	if (from->passed_size == 0)
		return;
	if (left < 1)
		left = 1;
	if (in->max_size == 0 || left < in->max_size)
		in->max_size = left;
}

struct incoming *
incoming_open(const struct incoming_from *from)
{
	char base[MSGID_BASE_MAX + 1], trace[4 * ADDR_MAX];
	struct incoming *in;

	if ((in = calloc(1, sizeof(*in))) == NULL)
		return NULL;
	header_scan_init(&in->scan);
	dot_decoder_init(&in->dot);
	dot_watch_init(&in->watch);
	if (!make_envelopes(from, in))
		errno = ENOMEM;
	else {
		msgid_new(base, from->hostname);
		trace_field(from, base, trace, sizeof(trace));
		set_limit(in, from, strlen(trace));
		in->draft = draft_begin(from->spool, in->list, in->n, base,
		    trace);
	}
	if (in->draft != NULL)
		return in;
	incoming_close(in);
	return NULL;
}

void
incoming_close(struct incoming *in)
{
	int saved = errno;

	if (in == NULL)
		return;
	if (in->draft != NULL)
		draft_abort(in->draft);
	for (size_t i = 0; i < in->n; i++)
		envelope_clear(&in->envelope[i]);
	free(in->envelope);
	free(in->list);
	free(in);
	errno = saved;
}

/* False if text is of no use any more, and only counted. */
static bool
is_wanted(struct incoming *in, const char *text, size_t len)
{
	in->octets += (int64_t)len;
	if (incoming_fault(in) != INCOMING_GOOD)
		return false;
	header_scan_feed(&in->scan, text, len);
	return in->scan.received <= HOPS_MAX;
}

size_t
incoming_data(struct incoming *in, const char *data, size_t len, bool *done)
{
	size_t used, out, size;
	char *room = draft_room(in->draft, &size);

	if (len > size - DOT_MORE)
		len = size - DOT_MORE;
	used = dot_decode(&in->dot, data, len, room, &out);
	if (is_wanted(in, room, out) && draft_take(in->draft, out) == -1)
		in->error = errno;
	*done = in->dot.done;
	return used;
}

void
incoming_chunk(struct incoming *in, const char *data, size_t len)
{
	dot_watch(&in->watch, data, len);
	if (is_wanted(in, data, len) &&
	    draft_write(in->draft, data, len) == -1)
		in->error = errno;
}

void
incoming_chunks_end(struct incoming *in)
{
	dot_watch_end(&in->watch);
}

int64_t
incoming_octets(const struct incoming *in)
{
	return in->octets;
}

enum incoming_fault
incoming_fault(const struct incoming *in)
{
	unsigned faults = in->dot.faults | in->watch.faults;

	if (in->max_size > 0 && in->octets > in->max_size)
		return INCOMING_TOO_BIG;
	if ((faults & DOT_NUL) != 0)
		return INCOMING_NUL;
	if (faults != 0)
		return INCOMING_BARE;
	if (in->scan.received > HOPS_MAX)
		return INCOMING_HOPS;
	if (in->error != 0)
		return INCOMING_STORAGE;
	return INCOMING_GOOD;
}

int
incoming_error(const struct incoming *in)
{
	return in->error;
}

int
incoming_commit(struct incoming *in)
{
	return draft_commit(in->draft);
}

size_t
incoming_copies(const struct incoming *in)
{
	return in->n;
}

int64_t
incoming_size(const struct incoming *in, size_t i)
{
	return (int64_t)in->envelope[i].length + draft_size(in->draft);
}

const char *
incoming_id(const struct incoming *in, size_t i)
{
	return draft_id(in->draft, i);
}

const struct envelope *
incoming_envelope(const struct incoming *in, size_t i)
{
	return &in->envelope[i];
}
