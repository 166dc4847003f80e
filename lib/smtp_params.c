/* SPDX-License-Identifier: ISC */
#include "smtp_params.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* The parameters that are passed on, and their extension. */
static const struct {
	const char *name;
	enum smtp_offer bit;
} passed[] = {
	{ "BODY", SMTP_OFFER_8BITMIME },
	{ "RET", SMTP_OFFER_DSN },
	{ "ENVID", SMTP_OFFER_DSN },
	{ "NOTIFY", SMTP_OFFER_DSN },
	{ "ORCPT", SMTP_OFFER_DSN },
	{ "REQUIRETLS", SMTP_OFFER_REQUIRETLS }
};

/* Does the peer know the parameter TEXT, of LEN octets? */
static bool
is_passed(const struct smtp_session *s, const char *text, size_t len)
{
	size_t i, n = strcspn(text, "= ");
	bool plain;

	if (n > len)
		return false;
	for (i = 0; i < sizeof(passed) / sizeof(passed[0]); i++) {
		if (strlen(passed[i].name) != n ||
		    strncasecmp(passed[i].name, text, n) != 0)
			continue;
		/* One has no value and is for TLS alone (RFC 8689 2). */
		plain = passed[i].bit == SMTP_OFFER_REQUIRETLS;
		return (s->offers & (unsigned)passed[i].bit) != 0 &&
		    (n < len) == !plain && (!plain || s->wire.tls != NULL);
	}
	return false;
}

/* As they were given: RFC 3461 5.2.1 has not even their case changed. */
static int
write_params(const struct smtp_session *s, const char *params)
{
	const char *p;
	size_t len;
	int error = 0;

	for (p = params; *p != '\0'; p += strspn(p, " ")) {
		len = strcspn(p, " ");
		if (is_passed(s, p, len)) {
			error |= stream_write(s->wire.stream, " ", 1);
			error |= stream_write(s->wire.stream, p, len);
		}
		p += len;
	}
	return error;
}

static bool
is_ascii(const char *text)
{
	while (*text != '\0' && (unsigned char)*text < 0x80)
		text++;
	return *text == '\0';
}

static bool
is_asked_for(const struct envelope *e, const char *param)
{
	char value[8];

	return envelope_param(e->params, param, value, sizeof(value));
}

static bool
needs_utf8(const struct envelope *e)
{
	size_t i;

	if (is_asked_for(e, "SMTPUTF8") || !is_ascii(e->sender))
		return true;
	for (i = 0; i < e->nrcpt; i++)
		if (!is_ascii(e->rcpt[i].address))
			return true;
	return false;
}

/* RFC 8689 4.2.1: whether what is behind this server may be trusted with it. */
static bool
is_authenticated(const struct smtp_session *s)
{
	return s->wire.tls != NULL &&
	    tls_authenticated(s->wire.tls) != TLS_AUTH_NONE;
}

/*
 * A report need not be lost because its way back is not as safe as the way
 * there (RFC 8689 4.2.1 and 5).
 */
static bool
needs_tls(const struct envelope *e)
{
	return *e->sender != '\0' && is_asked_for(e, "REQUIRETLS");
}

bool
smtp_params_lacks(const struct smtp_session *s, enum smtp_lack lack)
{
	switch (lack) {
	case SMTP_LACKS_NOTHING:
		break;
	case SMTP_LACKS_SMTPUTF8:
		return (s->offers & SMTP_OFFER_SMTPUTF8) == 0;
	case SMTP_LACKS_REQUIRETLS:
		return !is_authenticated(s) ||
		    (s->offers & SMTP_OFFER_REQUIRETLS) == 0;
	case SMTP_LACKS_ROOM:
		return s->size_limit > 0;
	}
	return false;
}

enum smtp_lack
smtp_params_lack(const struct smtp_session *s, const struct envelope *e,
    int64_t size)
{
	if (smtp_params_lacks(s, SMTP_LACKS_SMTPUTF8) && needs_utf8(e))
		return SMTP_LACKS_SMTPUTF8;
	if (smtp_params_lacks(s, SMTP_LACKS_REQUIRETLS) && needs_tls(e))
		return SMTP_LACKS_REQUIRETLS;
	if (smtp_params_lacks(s, SMTP_LACKS_ROOM) && size > s->size_limit)
		return SMTP_LACKS_ROOM;
	return SMTP_LACKS_NOTHING;
}

const char *
smtp_params_lack_text(enum smtp_lack lack)
{
	switch (lack) {
	case SMTP_LACKS_NOTHING:
		break;
	case SMTP_LACKS_SMTPUTF8:
		return "not sent: it needs SMTPUTF8, which is not offered";
	case SMTP_LACKS_REQUIRETLS:
		return "not sent: its sender asked for REQUIRETLS, and there "
		    "is no authenticated server that offers it";
	case SMTP_LACKS_ROOM:
		return "not sent: it is larger than the server takes";
	}
	return "";
}

int
smtp_params_mail(const struct smtp_session *s, const struct envelope *e,
    int64_t size)
{
	struct stream *out = s->wire.stream;
	int error;

	error = stream_printf(out, "MAIL FROM:<%s>", e->sender);
	if ((s->offers & SMTP_OFFER_SIZE) != 0)
		error |= stream_printf(out, " SIZE=%lld", (long long)size);
	if (needs_utf8(e))
		error |= stream_write(out, " SMTPUTF8", 9);
	error |= write_params(s, e->params);
	return error | stream_write(out, "\r\n", 2);
}

int
smtp_params_rcpt(const struct smtp_session *s, const struct recipient *r)
{
	int error;

	error = stream_printf(s->wire.stream, "RCPT TO:<%s>", r->address);
	error |= write_params(s, r->params);
	return error | stream_write(s->wire.stream, "\r\n", 2);
}
