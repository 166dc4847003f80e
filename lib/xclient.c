/* SPDX-License-Identifier: ISC */
#include "xclient.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "utf8.h"
#include "xtext.h"

#define VALUE_MAX	256	/* decoded, with its NUL */

static const char unavailable[] = "[UNAVAILABLE]";
static const char later[] = "[TEMPUNAVAIL]";

static bool
take_name(struct xclient *x, const char *value)
{
	x->name_later = strcasecmp(value, later) == 0;
	/* What the DNS calls a name need not be one of a host. */
	if (x->name_later || !addr_domain(x->name, value))
		x->name[0] = '\0';
	return true;
}

static bool
read_addr(char *out, const char *value)
{
	unsigned char v4[4], raw[16] = { [10] = 0xff, [11] = 0xff };

	if (*value == '\0') {
		out[0] = '\0';
		return true;
	}
	if (strncasecmp(value, "IPV6:", 5) == 0) {
		if (inet_pton(AF_INET6, value + 5, raw) != 1)
			return false;
	} else if (inet_pton(AF_INET, value, v4) == 1)
		memcpy(raw + 12, v4, sizeof(v4));
	else
		return false;
	net_print(out, raw);
	return true;
}

static bool
read_port(int *port, const char *value)
{
	*port = 0;
	if (*value == '\0')
		return true;
	for (; isdigit((unsigned char)*value) && *port <= 65535; value++)
		*port = *port * 10 + (*value - '0');
	return *value == '\0' && *port <= 65535;
}

static bool
take_addr(struct xclient *x, const char *value)
{
	return read_addr(x->addr, value);
}

static bool
take_port(struct xclient *x, const char *value)
{
	return read_port(&x->port, value);
}

static bool
take_destaddr(struct xclient *x, const char *value)
{
	return read_addr(x->local, value);
}

static bool
take_destport(struct xclient *x, const char *value)
{
	return read_port(&x->local_port, value);
}

static bool
take_proto(struct xclient *x, const char *value)
{
	x->extended = strcasecmp(value, "ESMTP") == 0;
	return x->extended || strcasecmp(value, "SMTP") == 0;
}

static bool
take_helo(struct xclient *x, const char *value)
{
	size_t i;

	/* A client may call itself anything, and a proxy tells us so. */
	for (i = 0; value[i] != '\0' && i < sizeof(x->helo) - 1; i++)
		x->helo[i] = isgraph((unsigned char)value[i]) ? value[i] : '?';
	x->helo[i] = '\0';
	return value[i] == '\0';
}

static bool
take_login(struct xclient *x, const char *value)
{
	return strlcpy(x->login, value, sizeof(x->login)) <
	    sizeof(x->login) && utf8_valid(value, strlen(value));
}

/* In the order in which they are said. */
static const struct attribute {
	const char *name;
	enum xclient_attribute bit;
	bool (*take)(struct xclient *x, const char *value);
} attributes[] = {
	{ "NAME", XCLIENT_NAME, take_name },
	{ "ADDR", XCLIENT_ADDR, take_addr },
	{ "PORT", XCLIENT_PORT, take_port },
	{ "PROTO", XCLIENT_PROTO, take_proto },
	{ "HELO", XCLIENT_HELO, take_helo },
	{ "LOGIN", XCLIENT_LOGIN, take_login },
	{ "DESTADDR", XCLIENT_DESTADDR, take_destaddr },
	{ "DESTPORT", XCLIENT_DESTPORT, take_destport },
};
#define NATTRIBUTES (sizeof(attributes) / sizeof(attributes[0]))

static const struct attribute *
find(const char *name, size_t len)
{
	for (size_t i = 0; i < NATTRIBUTES; i++)
		if (strlen(attributes[i].name) == len &&
		    strncasecmp(attributes[i].name, name, len) == 0)
			return &attributes[i];
	return NULL;
}

/* Decodes a value that LEN octets of TEXT are; [UNAVAILABLE] is "". */
static bool
decode(char *out, size_t size, const char *text, size_t len)
{
	if (len == 0 || !xtext_decode(out, size, text, len))
		return false;
	for (const char *p = out; *p != '\0'; p++)
		if (iscntrl((unsigned char)*p))
			return false;
	if (strcasecmp(out, unavailable) == 0)
		out[0] = '\0';
	return true;
}

/* One "name=value" of LEN octets. */
static bool
take(struct xclient *x, const char *text, size_t len)
{
	size_t name = strspn(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
	    "abcdefghijklmnopqrstuvwxyz");
	const struct attribute *a = find(text, name);
	char value[VALUE_MAX];
	size_t i;

	for (i = 0; i < name && i < sizeof(x->fault) - 1; i++)
		x->fault[i] = (char)toupper((unsigned char)text[i]);
	x->fault[i] = '\0';
	if (a == NULL || text[name] != '=' || (x->given & a->bit) != 0)
		return false;
	x->given |= a->bit;
	name++;
	return decode(value, sizeof(value), text + name, len - name) &&
	    a->take(x, value);
}

bool
xclient_parse(struct xclient *x, const char *text)
{
	size_t len;

	memset(x, 0, sizeof(*x));
	for (; *(text += strspn(text, " ")) != '\0'; text += len) {
		len = strcspn(text, " ");
		if (!take(x, text, len))
			return false;
	}
	x->fault[0] = '\0';
	return x->given != 0;
}

unsigned
xclient_offered(const char *words)
{
	const struct attribute *a;
	unsigned bits = 0;
	size_t len;

	for (; *(words += strspn(words, " ")) != '\0'; words += len) {
		len = strcspn(words, " ");
		if ((a = find(words, len)) != NULL)
			bits |= a->bit;
	}
	return bits;
}

static void
print_addr(char *value, const char *addr)
{
	(void)snprintf(value, VALUE_MAX, "%s%s",
	    strchr(addr, ':') != NULL ? "IPV6:" : "", addr);
}

static void
print_port(char *value, int port)
{
	if (port == 0)
		value[0] = '\0';
	else
		(void)snprintf(value, VALUE_MAX, "%d", port);
}

/* An attribute's value, not yet xtext. */
static void
value_of(char *value, const struct xclient *x, enum xclient_attribute bit)
{
	switch (bit) {
	case XCLIENT_NAME:
		(void)strlcpy(value, x->name_later ? later : x->name,
		    VALUE_MAX);
		break;
	case XCLIENT_ADDR:
		print_addr(value, x->addr);
		break;
	case XCLIENT_PORT:
		print_port(value, x->port);
		break;
	case XCLIENT_PROTO:
		(void)strlcpy(value, x->extended ? "ESMTP" : "SMTP",
		    VALUE_MAX);
		break;
	case XCLIENT_HELO:
		(void)strlcpy(value, x->helo, VALUE_MAX);
		break;
	case XCLIENT_LOGIN:
		(void)strlcpy(value, x->login, VALUE_MAX);
		break;
	case XCLIENT_DESTADDR:
		print_addr(value, x->local);
		break;
	case XCLIENT_DESTPORT:
		print_port(value, x->local_port);
		break;
	}
	if (value[0] == '\0')
		(void)strlcpy(value, unavailable, VALUE_MAX);
}

unsigned
xclient_print(char *buf, size_t size, const struct xclient *x, unsigned which)
{
	char value[VALUE_MAX], form[3 * VALUE_MAX];
	size_t most = XCLIENT_LINE_MAX - 2 + 1;	/* CRLF is not ours */
	unsigned said = 0;
	size_t used = 7;

	if (most > size)
		most = size;
	if (strlcpy(buf, "XCLIENT", most) >= most)
		used = most;
	for (size_t i = 0; i < NATTRIBUTES; i++) {
		const struct attribute *a = &attributes[i];
		int n;

		if ((a->bit & which & x->given) == 0)
			continue;
		value_of(value, x, a->bit);
		if (!xtext_encode(form, sizeof(form), value, strlen(value)))
			continue;
		n = snprintf(NULL, 0, " %s=%s", a->name, form);
		if (n < 0 || (size_t)n >= most - used)
			continue;
		used += (size_t)snprintf(buf + used, most - used, " %s=%s",
		    a->name, form);
		said |= a->bit;
	}
	if (said == 0 && size != 0)
		buf[0] = '\0';
	return said;
}
