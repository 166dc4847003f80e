/* SPDX-License-Identifier: ISC */
#include "detail.h"

#include <inttypes.h>
#include <stdlib.h>

#include "addr.h"
#include "envelope.h"
#include "header.h"
#include "plain.h"

static const char *
order_name(const struct domain *dom)
{
	switch (dom->order) {
	case DOMAIN_WAIT:
		break;
	case DOMAIN_RETRY:
		return "retry";
	case DOMAIN_RELEASE:
		return "release";
	}
	return NULL;
}

/*** In a row ***/

void
detail_row_servers(struct row *r, const struct outlook *o, time_t now)
{
	const struct domain *dom = &o->domain;

	row_time_maybe(r, "last_try", dom->last_try, 0);
	row_time_maybe(r, "next_try", outlook_next(o, now), 0);
	row_maybe(r, "server", dom->route, 0);
	row_time_maybe(r, "server_good", dom->good, 0);
	row_maybe(r, "server_tls", dom->tls, 0);
	row_maybe(r, "offers", dom->ehlo, 0);
	row_maybe(r, "detour", dom->detour, 0);
	row_maybe(r, "order", order_name(dom), 0);
}

static void
row_servers(struct row *r, const struct outlook *o, time_t now)
{
	row_object(r, "servers");
	row_text(r, "state", domain_state_name(o->domain.state), 0);
	row_time_maybe(r, "since", o->domain.since, 0);
	row_maybe(r, "error", o->domain.error, 0);
	detail_row_servers(r, o, now);
	row_object_end(r);
}

static void
row_envelope(struct row *r, const struct envelope *env, char **replies)
{
	row_array(r, "recipients");
	for (size_t i = 0; i < env->nrcpt; i++) {
		const struct recipient *rcpt = &env->rcpt[i];

		row_object(r, NULL);
		row_text(r, "address", rcpt->address, 0);
		row_text(r, "status", envelope_status_name(rcpt->status), 0);
		row_maybe(r, "reply", replies[i], 0);
		row_text(r, "params", rcpt->params, 0);
		row_bool(r, "unverified", rcpt->unverified, 0);
		row_object_end(r);
	}
	row_array_end(r);
	row_object(r, "client");
	row_maybe(r, "address", env->client_addr, 0);
	row_maybe(r, "name", env->client_name, 0);
	row_maybe(r, "helo", env->helo, 0);
	row_object_end(r);
	row_maybe(r, "tls", env->tls, 0);
}

static void
row_message(struct row *r, const struct outlook *o, const struct message *m,
    char **replies, time_t now)
{
	const struct scan_entry *e = &m->entry;
	const struct envelope *env = &m->envelope;
	char why[sizeof(o->domain.why)];

	outlook_why(o, e, why, sizeof(why));
	row_begin(r);
	row_text(r, "id", e->id, 0);
	row_text(r, "domain", m->domain, 0);
	row_text(r, "state", outlook_state(o, e), 0);
	row_int(r, "size", e->msgid.size, 0);
	row_time(r, "arrived", e->msgid.time, 0);
	row_time(r, "expires", outlook_expires(o, e, now), 0);
	row_text(r, "sender", env->sender, 0);
	row_envelope(r, env, replies);
	row_time_maybe(r, "next_try", outlook_next_of(o, e, now), 0);
	row_maybe(r, "error", o->domain.error, 0);
	row_maybe(r, "why", why, 0);
	row_text(r, "protocol", env->protocol, 0);
	row_text(r, "params", env->params, 0);
	row_servers(r, o, now);
	row_end(r);
}

/*** In lines: a key, and what there is ***/

static void
put_line(struct row *r, const char *key, const char *value)
{
	char safe[4096];

	if (value == NULL || *value == '\0')
		return;
	(void)plain(safe, sizeof(safe), value);
	if (r->style == ROW_COLUMNS)
		fprintf(r->f, "%-12s %s\n", key, safe);
	else
		fprintf(r->f, "%s\t%s\n", key, safe);
}

static void
put_time(struct row *r, const char *key, time_t t)
{
	char date[HEADER_DATE_MAX];

	header_rfc3339(date, t);
	put_line(r, key, date);
}

static void
put_time_maybe(struct row *r, const char *key, time_t t)
{
	if (t != 0)
		put_time(r, key, t);
}

void
detail_servers(struct row *r, const struct outlook *o)
{
	const struct domain *dom = &o->domain;

	put_time_maybe(r, "since", dom->since);
	put_time_maybe(r, "last-try", dom->last_try);
	put_line(r, "server", dom->route);
	put_time_maybe(r, "server-good", dom->good);
	put_line(r, "server-tls", dom->tls);
	put_line(r, "offers", dom->ehlo);
	put_line(r, "detour", dom->detour);
	put_line(r, "order", order_name(dom));
}

void
detail_next(struct row *r, time_t next)
{
	put_time_maybe(r, "next-try", next);
}

static void
put_recipient(struct row *r, const struct recipient *rcpt, const char *reply)
{
	const char *status = envelope_status_name(rcpt->status);
	bool columns = r->style == ROW_COLUMNS;
	char safe[ADDR_MAX * 4 + 1];

	(void)plain(safe, sizeof(safe), rcpt->address);
	if (columns)
		fprintf(r->f, "%-12s %s  %s%s\n", "recipient", safe, status,
		    rcpt->unverified ? ", unverified" : "");
	else
		fprintf(r->f, "recipient\t%s\t%s\t", safe, status);
	(void)plain(safe, sizeof(safe), reply);
	if (!columns)
		fprintf(r->f, "%s%s\n", *safe != '\0' ? safe : "-",
		    rcpt->unverified ? "\tunverified" : "");
	else if (*safe != '\0')
		fprintf(r->f, "%-12s   %s\n", "", safe);
}

static void
put_message(struct row *r, const struct outlook *o, const struct message *m,
    char **replies, time_t now)
{
	const struct scan_entry *e = &m->entry;
	const struct envelope *env = &m->envelope;
	char text[ADDR_MAX + 64], why[sizeof(o->domain.why)];

	outlook_why(o, e, why, sizeof(why));
	put_line(r, "id", e->id);
	put_line(r, "domain", m->domain);
	put_line(r, "state", outlook_state(o, e));
	(void)snprintf(text, sizeof(text), "%" PRId64, e->msgid.size);
	put_line(r, "size", text);
	put_time(r, "arrived", e->msgid.time);
	put_time(r, "expires", outlook_expires(o, e, now));
	(void)snprintf(text, sizeof(text), "%s%s%s",
	    *env->sender != '\0' ? env->sender : "<>",
	    *env->params != '\0' ? " " : "", env->params);
	put_line(r, "sender", text);
	for (size_t i = 0; i < env->nrcpt; i++)
		put_recipient(r, &env->rcpt[i], replies[i]);
	put_line(r, "client", env->client_addr);
	put_line(r, "client-name", env->client_name);
	put_line(r, "helo", env->helo);
	put_line(r, "protocol", env->protocol);
	put_line(r, "tls", env->tls);
	detail_next(r, outlook_next_of(o, e, now));
	put_line(r, "error", o->domain.error);
	put_line(r, "why", why);
	put_line(r, "servers", domain_state_name(o->domain.state));
	detail_servers(r, o);
}

/*** A message ***/

typedef void printer(struct row *r, const struct outlook *o,
    const struct message *m, char **replies, time_t now);

static int
print(struct desk *d, const char *domain, const struct scan_entry *e,
    bool asked, printer *fn)
{
	const struct outlook *o = desk_know(d, domain);
	struct message m;
	char **replies;
	int result = 0;

	if (o == NULL)
		return -1;
	if (!desk_open(d, domain, e, false, asked, &m))
		return 0;
	if ((replies = message_replies(d->spool, &m)) != NULL)
		fn(&d->row, o, &m, replies, d->now);
	else
		result = complain_errno(&d->complain, 1, "%s", e->id);
	free(replies);
	message_close(&m);
	return result;
}

int
detail_json(struct desk *d, const char *domain, const struct scan_entry *e,
    bool asked)
{
	return print(d, domain, e, asked, row_message);
}

static int
print_one(struct desk *d, const char *domain, const struct scan_entry *e)
{
	return print(d, domain, e, true, d->row.style == ROW_JSON ?
	    row_message : put_message);
}

int
detail_print(struct desk *d, char **arg)
{
	return desk_visit(d, arg, false, print_one);
}
