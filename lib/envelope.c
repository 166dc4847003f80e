/* SPDX-License-Identifier: ISC */
#include "envelope.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "header.h"

#define FIRST		"Mx-Envelope: 1 00000000 -\r\n"
#define FIRST_LENGTH	15	/* offset of the length's eight digits */
#define FIRST_STATE	24
#define FIRST_SIZE	(sizeof(FIRST) - 1)

_Static_assert(FIRST_STATE == ENVELOPE_STATE, "the header tells where");

void
envelope_init(struct envelope *e)
{
	memset(e, 0, sizeof(*e));
	e->state = ENVELOPE_WHOLE;
}

void
envelope_clear(struct envelope *e)
{
	for (size_t i = 0; i < e->nrcpt; i++) {
		free(e->rcpt[i].address);
		free(e->rcpt[i].params);
	}
	free(e->rcpt);
	free(e->sender);
	free(e->params);
	envelope_init(e);
}

/* What could break a line, or end a path, must never get into the file. */
static bool
is_clean(const char *text)
{
	return text[strcspn(text, "\r\n")] == '\0';
}

/* The end of an address within "<address>": the first '>' not quoted. */
static const char *
address_end(const char *p)
{
	bool quoted = false;

	for (; *p != '\0' && (quoted || *p != '>'); p++) {
		if (quoted && *p == '\\' && p[1] != '\0')
			p++;
		else if (*p == '"')
			quoted = !quoted;
	}
	return p;
}

/* Will it be read back as it is? */
static bool
is_address(const char *address)
{
	char end[ADDR_MAX + 2];

	return is_clean(address) &&
	    snprintf(end, sizeof(end), "%s>", address) < (int)sizeof(end) &&
	    address_end(end) == end + strlen(address);
}

int
envelope_set_sender(struct envelope *e, const char *address,
    const char *params)
{
	char *a, *p;

	if (!is_address(address) || !is_clean(params))
		return -1;
	a = strdup(address);
	p = strdup(params);
	if (a == NULL || p == NULL) {
		free(a);
		free(p);
		return -1;
	}
	free(e->sender);
	free(e->params);
	e->sender = a;
	e->params = p;
	return 0;
}

int
envelope_add(struct envelope *e, const char *address, const char *params)
{
	struct recipient *r;

	if (*address == '\0' || !is_address(address) || !is_clean(params))
		return -1;
	/* Grows by doubling at powers of two. */
	if ((e->nrcpt & (e->nrcpt - 1)) == 0) {
		r = reallocarray(e->rcpt, e->nrcpt == 0 ? 1 : e->nrcpt * 2,
		    sizeof(*r));
		if (r == NULL)
			return -1;
		e->rcpt = r;
	}
	r = &e->rcpt[e->nrcpt];
	r->address = strdup(address);
	r->params = strdup(params);
	r->status = RCPT_PENDING;
	r->where = 0;
	r->unverified = false;
	if (r->address == NULL || r->params == NULL) {
		free(r->address);
		free(r->params);
		return -1;
	}
	e->nrcpt++;
	return 0;
}

void
envelope_unverified(struct envelope *e)
{
	e->rcpt[e->nrcpt - 1].unverified = true;
}

/* A text that grows; open_memstream(3) would cost more than the rest. */
struct text {
	char *buf;
	size_t len, size;
	bool good;
};

static void __attribute__((format(printf, 2, 3)))
add(struct text *t, const char *fmt, ...)
{
	va_list ap;
	size_t room;
	char *grown;
	int n;

	while (t->good) {
		room = t->size - t->len;
		va_start(ap, fmt);
		n = vsnprintf(t->buf + t->len, room, fmt, ap);
		va_end(ap);
		if (n >= 0 && (size_t)n < room) {
			t->len += (size_t)n;
			return;
		}
		grown = n < 0 || t->size > ENVELOPE_MAX ? NULL :
		    realloc(t->buf, t->size * 2 + (size_t)n);
		t->good = grown != NULL;
		if (t->good) {
			t->size = t->size * 2 + (size_t)n;
			t->buf = grown;
		}
	}
}

/* A field is left out where there is nothing to say. */
static void
add_field(struct text *t, const char *name, const char *value)
{
	if (*value != '\0' && is_clean(value))
		add(t, "%s: %s\r\n", name, value);
}

static void
add_path(struct text *t, const char *address, const char *params)
{
	add(t, "<%s>%s%s\r\n", address, *params != '\0' ? " " : "", params);
}

static void
add_fields(struct envelope *e, struct text *t)
{
	char date[HEADER_DATE_MAX];

	header_rfc3339(date, e->arrived);
	add(t, "%sMx-Arrived: %lld %s\r\n", FIRST, (long long)e->arrived,
	    date);
	add_field(t, "Mx-Domain", e->domain);
	add_field(t, "Mx-Client", e->client_addr);
	add_field(t, "Mx-Client-Name", e->client_name);
	add_field(t, "Mx-Helo", e->helo);
	add_field(t, "Mx-Protocol", e->protocol);
	add_field(t, "Mx-Tls", e->tls);
	add(t, "Mx-Sender: ");
	add_path(t, e->sender, e->params);
	for (size_t i = 0; i < e->nrcpt; i++) {
		struct recipient *r = &e->rcpt[i];

		add(t, "Mx-Recipient: ");
		r->where = t->len;
		add(t, "%c ", r->status);
		add_path(t, r->address, r->params);
		if (r->unverified)
			add(t, "Mx-Unverified: yes\r\n");
	}
	add(t, "Mx-End: 1\r\n");
}

char *
envelope_print(struct envelope *e, size_t *len)
{
	struct text t = { NULL, 0, 1024, true };
	char digits[9];

	if ((t.buf = malloc(t.size)) == NULL)
		return NULL;
	add_fields(e, &t);
	if (!t.good || t.len > ENVELOPE_MAX ||
	    snprintf(digits, sizeof(digits), "%08zu", t.len) != 8) {
		free(t.buf);
		return NULL;
	}
	memcpy(t.buf + FIRST_LENGTH, digits, 8);
	t.buf[FIRST_STATE] = (char)e->state;
	e->length = *len = t.len;
	return t.buf;
}

/* The first line: state and length.  False if it is not one. */
static bool
parse_first(struct envelope *e, const char *buf)
{
	e->length = 0;
	if (memcmp(buf, FIRST, FIRST_LENGTH) != 0 ||
	    memcmp(buf + FIRST_STATE + 1, "\r\n", 2) != 0 ||
	    buf[FIRST_STATE - 1] != ' ')
		return false;
	for (int i = 0; i < 8; i++) {
		char c = buf[FIRST_LENGTH + i];

		if (c < '0' || c > '9')
			return false;
		e->length = e->length * 10 + (size_t)(c - '0');
	}
	if (buf[FIRST_STATE] != ENVELOPE_WHOLE &&
	    buf[FIRST_STATE] != ENVELOPE_VOID)
		return false;
	e->state = (enum envelope_state)buf[FIRST_STATE];
	return e->length >= FIRST_SIZE && e->length <= ENVELOPE_MAX;
}

/* Splits "<address> params" in place. */
static bool
split_path(char *text, char **address, char **params)
{
	char *p;

	if (*text++ != '<')
		return false;
	p = text + (address_end(text) - text);
	if (*p != '>' || (p[1] != '\0' && p[1] != ' '))
		return false;
	*address = text;
	*params = p[1] == ' ' ? p + 2 : p + 1;
	*p = '\0';
	return true;
}

static bool
parse_recipient(struct envelope *e, char *value, size_t where)
{
	char *address, *params;
	char status = value[0];

	if (status != RCPT_PENDING && status != RCPT_DELIVERED &&
	    status != RCPT_RELAYED && status != RCPT_FAILED &&
	    status != RCPT_REPORTED)
		return false;
	if (value[1] != ' ' || !split_path(value + 2, &address, &params) ||
	    *address == '\0' || envelope_add(e, address, params) == -1)
		return false;
	e->rcpt[e->nrcpt - 1].status = (enum rcpt_status)status;
	e->rcpt[e->nrcpt - 1].where = where;
	return true;
}

static bool
copy(char *dst, size_t size, const char *src)
{
	return strlcpy(dst, src, size) < size;
}

/* One field; WHERE is the offset of its value in the file. */
static bool
parse_field(struct envelope *e, const char *name, char *value, size_t where)
{
	char *address, *params, *end;

	if (strcmp(name, "Mx-Recipient") == 0)
		return parse_recipient(e, value, where);
	/* It speaks of the recipient before it. */
	if (strcmp(name, "Mx-Unverified") == 0) {
		if (e->nrcpt > 0)
			envelope_unverified(e);
		return e->nrcpt > 0;
	}
	if (strcmp(name, "Mx-Sender") == 0)
		return e->sender == NULL &&
		    split_path(value, &address, &params) &&
		    envelope_set_sender(e, address, params) == 0;
	if (strcmp(name, "Mx-Arrived") == 0) {
		e->arrived = (time_t)strtoll(value, &end, 10);
		return end != value && (*end == ' ' || *end == '\0');
	}
	if (strcmp(name, "Mx-Domain") == 0) {
		/* The folder's name: compared, never joined into a path. */
		return addr_domain(e->domain, value) &&
		    strcmp(e->domain, value) == 0;
	}
	if (strcmp(name, "Mx-Client") == 0)
		return copy(e->client_addr, sizeof(e->client_addr), value);
	if (strcmp(name, "Mx-Client-Name") == 0)
		return copy(e->client_name, sizeof(e->client_name), value);
	if (strcmp(name, "Mx-Helo") == 0)
		return copy(e->helo, sizeof(e->helo), value);
	if (strcmp(name, "Mx-Protocol") == 0)
		return copy(e->protocol, sizeof(e->protocol), value);
	if (strcmp(name, "Mx-Tls") == 0)
		return copy(e->tls, sizeof(e->tls), value);
	/* Fields of a later version are none of our business. */
	return true;
}

/* The lines after the first.  The text is a private copy, cut up here. */
static const char *
parse_fields(struct envelope *e, char *text)
{
	char *p = text + FIRST_SIZE, *end = text + e->length, *eol, *value;
	bool ended = false;

	while (p < end) {
		eol = memchr(p, '\r', (size_t)(end - p));
		if (ended || eol == NULL || eol + 1 >= end || eol[1] != '\n')
			return "the envelope's lines are broken";
		*eol = '\0';
		if (strlen(p) != (size_t)(eol - p) || strchr(p, '\n') != NULL)
			return "the envelope has control bytes";
		if ((value = strstr(p, ": ")) == NULL)
			return "a line of the envelope is no field";
		*value = '\0';
		value += 2;
		ended = strcmp(p, "Mx-End") == 0;
		if (!parse_field(e, p, value, (size_t)(value - text)))
			return "a field of the envelope makes no sense";
		p = eol + 2;
	}
	if (!ended)
		return "the envelope has no end";
	if (e->sender == NULL || e->nrcpt == 0 || e->domain[0] == '\0')
		return "the envelope lacks its sender, domain or recipients";
	return NULL;
}

int
envelope_parse(struct envelope *e, const char *buf, size_t len,
    size_t *need, const char **why)
{
	enum envelope_state state;
	size_t length;
	char *text;

	envelope_init(e);
	*why = NULL;
	*need = FIRST_SIZE;
	if (len < FIRST_SIZE)
		return -1;
	if (!parse_first(e, buf)) {
		*why = "it does not begin with an envelope of version 1";
		envelope_init(e);
		return -1;
	}
	*need = e->length;
	state = e->state;
	length = e->length;
	if (len < e->length) {
		envelope_init(e);
		e->state = state;
		return -1;
	}
	if ((text = malloc(e->length + 1)) == NULL) {
		*why = "out of memory";
		envelope_init(e);
		return -1;
	}
	memcpy(text, buf, e->length);
	text[e->length] = '\0';
	*why = parse_fields(e, text);
	free(text);
	if (*why != NULL) {
		envelope_clear(e);
		/* A void file may be torn anywhere behind its first line. */
		e->state = state;
		e->length = length;
		return -1;
	}
	return 0;
}

size_t
envelope_count(const struct envelope *e, enum rcpt_status status)
{
	size_t n = 0;

	for (size_t i = 0; i < e->nrcpt; i++)
		n += e->rcpt[i].status == status;
	return n;
}

const char *
envelope_status_name(enum rcpt_status status)
{
	switch (status) {
	case RCPT_PENDING:
		return "pending";
	case RCPT_DELIVERED:
	case RCPT_RELAYED:
		return "delivered";
	case RCPT_FAILED:
	case RCPT_REPORTED:
		return "failed";
	}
	return "unknown";
}

bool
envelope_param(const char *params, const char *name, char *value, size_t size)
{
	size_t n = strlen(name), len;

	for (const char *p = params; *p != '\0'; p += strspn(p, " ")) {
		len = strcspn(p, " ");
		if (len >= n && strncasecmp(p, name, n) == 0 &&
		    (len == n || p[n] == '=')) {
			p += n;
			len -= n;
			if (len > 0) {
				p++;
				len--;
			}
			if (len >= size)
				return false;
			memcpy(value, p, len);
			value[len] = '\0';
			return true;
		}
		p += len;
	}
	return false;
}
