/* SPDX-License-Identifier: ISC */
#include "addr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <string.h>
#include <strings.h>

/* RFC 5322 atext; RFC 6531 adds everything outside ASCII. */
static bool
is_atext(unsigned char c)
{
	return c >= 0x80 || isalnum(c) ||
	    (c != '\0' && strchr("!#$%&'*+-/=?^_`{|}~", c) != NULL);
}

static bool
is_let_dig(unsigned char c)
{
	return isalnum(c) || c >= 0x80;
}

/*
 * A domain of dot-separated labels; underscores are let through, since
 * senders' domains have them.  Returns its end, or NULL.
 */
static const char *
parse_labels(const char *p)
{
	const char *begin;

	for (;;) {
		begin = p;
		while (is_let_dig((unsigned char)*p) || *p == '-' || *p == '_')
			p++;
		if (p == begin || p - begin > 63 || *begin == '-' ||
		    p[-1] == '-')
			return NULL;
		if (*p != '.')
			return p;
		/* A final dot is no part of RFC 5321's grammar. */
		if (!is_let_dig((unsigned char)p[1]) && p[1] != '_')
			return p;
		p++;
	}
}

/* [192.0.2.1], [IPv6:2001:db8::1]; general literals are refused. */
static const char *
parse_literal(const char *p)
{
	unsigned char raw[sizeof(struct in6_addr)];
	char text[64];
	const char *end = strchr(p, ']');
	size_t n;

	if (end == NULL || (n = (size_t)(end - p) - 1) >= sizeof(text))
		return NULL;
	memcpy(text, p + 1, n);
	text[n] = '\0';
	if (strncasecmp(text, "IPv6:", 5) == 0) {
		if (inet_pton(AF_INET6, text + 5, raw) != 1)
			return NULL;
	} else if (inet_pton(AF_INET, text, raw) != 1)
		return NULL;
	return end + 1;
}

static const char *
parse_quoted(const char *p)
{
	for (p++; *p != '"'; p++) {
		if (*p == '\\')
			p++;
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			return NULL;
	}
	return p + 1;
}

static const char *
parse_dot_string(const char *p)
{
	for (;;) {
		if (!is_atext((unsigned char)*p))
			return NULL;
		while (is_atext((unsigned char)*p))
			p++;
		if (*p != '.')
			return p;
		p++;
	}
}

/* "@a,@b:" before a mailbox (RFC 5321 4.1.2 A-d-l). */
static const char *
parse_route(const char *p)
{
	for (;;) {
		if (*p++ != '@')
			return NULL;
		p = *p == '[' ? parse_literal(p) : parse_labels(p);
		if (p == NULL)
			return NULL;
		if (*p == ':')
			return p + 1;
		if (*p++ != ',')
			return NULL;
	}
}

static bool
take(struct addr *a, const char *begin, const char *at, const char *end)
{
	size_t n = (size_t)(end - begin);

	a->local = (size_t)(at - begin);
	if (a->local > ADDR_LOCAL_MAX || n > ADDR_MAX)
		return false;
	memcpy(a->text, begin, n);
	a->text[n] = '\0';
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)a->text[i] >= 0x80)
			a->utf8 = true;
	if (at == end)
		return true;
	n = (size_t)(end - at) - 1;
	if (n > ADDR_DOMAIN_MAX)
		return false;
	for (size_t i = 0; i < n; i++)
		a->domain[i] = (char)tolower((unsigned char)at[1 + i]);
	a->domain[n] = '\0';
	return true;
}

/* A mailbox; BARE also allows a local part alone.  Returns its end. */
static const char *
parse_mailbox(struct addr *a, const char *p, bool bare)
{
	const char *begin = p, *at;

	a->quoted = *p == '"';
	p = a->quoted ? parse_quoted(p) : parse_dot_string(p);
	if (p == NULL)
		return NULL;
	at = p;
	if (*p == '@') {
		p++;
		a->literal = *p == '[';
		p = a->literal ? parse_literal(p) : parse_labels(p);
		if (p == NULL)
			return NULL;
	} else if (!bare)
		return NULL;
	return take(a, begin, at, p) ? p : NULL;
}

const char *
addr_parse(struct addr *a, const char *text, enum addr_kind kind)
{
	const char *p = text;
	bool bare;

	memset(a, 0, sizeof(*a));
	if (*p++ != '<')
		return NULL;
	if (*p == '>')
		return kind == ADDR_SENDER ? p + 1 : NULL;
	if (*p == '@') {
		a->routed = true;
		if ((p = parse_route(p)) == NULL)
			return NULL;
	}
	bare = kind == ADDR_RECIPIENT &&
	    strncasecmp(p, "postmaster>", 11) == 0;
	if ((p = parse_mailbox(a, p, bare)) == NULL || *p != '>')
		return NULL;
	return p + 1;
}

bool
addr_parse_mailbox(struct addr *a, const char *text)
{
	const char *end;

	memset(a, 0, sizeof(*a));
	end = parse_mailbox(a, text, false);
	return end != NULL && *end == '\0';
}

bool
addr_domain(char *out, const char *text)
{
	size_t n = strlen(text), label = 0;
	bool alpha = false;

	if (n > 0 && text[n - 1] == '.')
		n--;
	if (n == 0 || n > 253)
		return false;
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];

		if (c == '.') {
			if (label == 0 || text[i - 1] == '-')
				return false;
			label = 0;
		} else {
			if (!(c < 0x80 && (isalnum(c) || c == '-')) ||
			    (label == 0 && c == '-') || ++label > 63)
				return false;
			alpha = alpha || isalpha(c) || c == '-';
		}
		out[i] = (char)tolower(c);
	}
	out[n] = '\0';
	return label > 0 && text[n - 1] != '-' && alpha;
}

bool
addr_is_helo(const char *text)
{
	const char *end;

	if (strlen(text) > ADDR_DOMAIN_MAX)
		return false;
	end = *text == '[' ? parse_literal(text) : parse_labels(text);
	if (end != NULL && *end == '.' && end[1] == '\0' && *text != '[')
		return true;
	return end != NULL && *end == '\0';
}

void
addr_local(const struct addr *a, char *out)
{
	size_t o = 0;

	for (size_t i = 0; i < a->local; i++) {
		if (a->quoted) {
			if (i == 0 || i == a->local - 1)
				continue;
			if (a->text[i] == '\\' && i + 2 < a->local)
				i++;
		}
		out[o++] = a->text[i];
	}
	out[o] = '\0';
}
