/* SPDX-License-Identifier: ISC */
#include "param.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "xtext.h"

/* A parameter as written; value is NULL where there is no "=". */
struct word {
	const char *name, *value;
	size_t name_len, value_len;
};

/*
 * One parameter of a verb; what take writes to is that verb's struct.
 * Tables are in the order in which a struct's text has them.
 */
struct param {
	const char *name;
	unsigned offer;
	enum param_result (*take)(void *to, const struct word *w);
	bool fleeting;		/* of this hop only, not of text */
};

#define MOST	6		/* parameters in a table */

static bool
is_value(const struct word *w, const char *text)
{
	return w->value != NULL && strlen(text) == w->value_len &&
	    strncasecmp(w->value, text, w->value_len) == 0;
}

static enum param_result
take_size(void *to, const struct word *w)
{
	struct param_mail *m = to;

	if (w->value == NULL || w->value_len > 20)
		return PARAM_BAD;
	m->size = 0;
	for (size_t i = 0; i < w->value_len; i++) {
		int digit = w->value[i] - '0';

		if (!isdigit((unsigned char)w->value[i]))
			return PARAM_BAD;
		if (m->size > (INT64_MAX - digit) / 10)
			m->size = INT64_MAX;
		else
			m->size = m->size * 10 + digit;
	}
	return PARAM_OK;
}

static enum param_result
take_body(void *to, const struct word *w)
{
	struct param_mail *m = to;

	if (is_value(w, "BINARYMIME"))
		return PARAM_UNKNOWN;
	if (is_value(w, "8BITMIME"))
		m->body = PARAM_BODY_8BITMIME;
	else if (is_value(w, "7BIT"))
		m->body = PARAM_BODY_7BIT;
	return m->body == PARAM_BODY_NONE ? PARAM_BAD : PARAM_OK;
}

static enum param_result
take_smtputf8(void *to, const struct word *w)
{
	struct param_mail *m = to;

	m->smtputf8 = true;
	return w->value == NULL ? PARAM_OK : PARAM_BAD;
}

static enum param_result
take_requiretls(void *to, const struct word *w)
{
	struct param_mail *m = to;

	m->requiretls = true;
	return w->value == NULL ? PARAM_OK : PARAM_BAD;
}

static enum param_result
take_ret(void *to, const struct word *w)
{
	struct param_mail *m = to;

	if (is_value(w, "FULL"))
		m->ret = PARAM_RET_FULL;
	else if (is_value(w, "HDRS"))
		m->ret = PARAM_RET_HDRS;
	return m->ret == PARAM_RET_NONE ? PARAM_BAD : PARAM_OK;
}

/* xtext of printable ASCII, blanks included (RFC 3461 4.2, 4.4). */
static bool
is_printable(const char *text, size_t len)
{
	char out[PARAM_ORCPT_MAX + 1];

	if (!xtext_decode(out, sizeof(out), text, len))
		return false;
	for (const char *p = out; *p != '\0'; p++)
		if ((*p < ' ' && *p != '\t') || *p > '~')
			return false;
	return true;
}

static enum param_result
take_envid(void *to, const struct word *w)
{
	struct param_mail *m = to;

	if (w->value == NULL || w->value_len > PARAM_ENVID_MAX ||
	    !is_printable(w->value, w->value_len))
		return PARAM_BAD;
	memcpy(m->envid, w->value, w->value_len);
	m->envid[w->value_len] = '\0';
	return PARAM_OK;
}

/* A word of NOTIFY's list; 0 if it is none. */
static unsigned
notify_bit(const char *text, size_t len)
{
	static const struct {
		const char *name;
		unsigned bit;
	} words[] = {
		{ "NEVER", PARAM_NEVER },
		{ "SUCCESS", PARAM_SUCCESS },
		{ "FAILURE", PARAM_FAILURE },
		{ "DELAY", PARAM_DELAY },
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (strlen(words[i].name) == len &&
		    strncasecmp(words[i].name, text, len) == 0)
			return words[i].bit;
	return 0;
}

static enum param_result
take_notify(void *to, const struct word *w)
{
	struct param_rcpt *r = to;
	size_t begin = 0;
	unsigned bit;

	if (w->value == NULL)
		return PARAM_BAD;
	for (size_t i = 0; i <= w->value_len; i++) {
		if (i < w->value_len && w->value[i] != ',')
			continue;
		bit = notify_bit(w->value + begin, i - begin);
		if (bit == 0 || (r->notify & bit) != 0)
			return PARAM_BAD;
		r->notify |= bit;
		begin = i + 1;
	}
	if ((r->notify & PARAM_NEVER) != 0 && r->notify != PARAM_NEVER)
		return PARAM_BAD;
	return PARAM_OK;
}

/* The addr-type is an atom (RFC 822 3.3). */
static bool
is_type(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (!isgraph((unsigned char)text[i]) ||
		    strchr("()<>@,;:\\\".[]", text[i]) != NULL)
			return false;
	return len > 0;
}

static enum param_result
take_orcpt(void *to, const struct word *w)
{
	char decoded[PARAM_ORCPT_MAX + 1];
	struct param_rcpt *r = to;
	const char *address;
	size_t type, len;
	bool good;

	if (w->value == NULL || w->value_len > PARAM_ORCPT_MAX ||
	    (address = memchr(w->value, ';', w->value_len)) == NULL)
		return PARAM_BAD;
	type = (size_t)(address++ - w->value);
	len = w->value_len - type - 1;
	if (type == 5 && strncasecmp(w->value, "utf-8", type) == 0)
		good = xtext_decode_utf8(decoded, sizeof(decoded), address,
		    len);
	else
		good = is_type(w->value, type) && is_printable(address, len);
	if (!good || len == 0)
		return PARAM_BAD;
	memcpy(r->orcpt, w->value, w->value_len);
	r->orcpt[w->value_len] = '\0';
	return PARAM_OK;
}

static const struct param mail[] = {
	{ "SIZE", PARAM_SIZE, take_size, true },
	{ "BODY", PARAM_8BITMIME, take_body, false },
	{ "SMTPUTF8", PARAM_SMTPUTF8, take_smtputf8, false },
	{ "REQUIRETLS", PARAM_REQUIRETLS, take_requiretls, false },
	{ "RET", PARAM_DSN, take_ret, false },
	{ "ENVID", PARAM_DSN, take_envid, false },
};

static const struct param rcpt[] = {
	{ "NOTIFY", PARAM_DSN, take_notify, false },
	{ "ORCPT", PARAM_DSN, take_orcpt, false },
};

static bool
is_ascii(const char *text)
{
	for (; *text != '\0'; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

/*
 * Reads the next parameter at *P and goes behind it.  A name of no length
 * says that there is none more; false that the grammar is broken.
 */
static bool
next(struct word *w, const char **p)
{
	const char *q = *p + strspn(*p, " ");

	memset(w, 0, sizeof(*w));
	if (q == *p && *q != '\0')
		return false;
	w->name = q;
	while (isalnum((unsigned char)*q) || (*q == '-' && q != w->name))
		q++;
	w->name_len = (size_t)(q - w->name);
	if (w->name_len != 0 && *q == '=') {
		w->value = ++q;
		while ((unsigned char)*q > ' ' && *q != '=' && *q != 0x7f)
			q++;
		w->value_len = (size_t)(q - w->value);
		if (w->value_len == 0)
			return false;
	}
	*p = q;
	return *q == '\0' || *q == ' ';
}

static void
note_fault(char *fault, size_t size, const struct word *w)
{
	size_t n = w->name_len < size ? w->name_len : size - 1;

	for (size_t i = 0; i < n; i++)
		fault[i] = (char)toupper((unsigned char)w->name[i]);
	fault[n] = '\0';
}

/* Appends a parameter to TEXT, which has room for all of a table. */
static bool
append(char *text, size_t size, const char *name, const struct word *w)
{
	size_t used = strlen(text);
	int n;

	n = snprintf(text + used, size - used, "%s%s%s%.*s",
	    used == 0 ? "" : " ", name, w->value == NULL ? "" : "=",
	    (int)w->value_len, w->value == NULL ? "" : w->value);
	return n >= 0 && (size_t)n < size - used;
}

static enum param_result
take(const struct param *table, size_t n, struct word *seen, void *to,
    const struct word *w, unsigned offered)
{
	for (size_t i = 0; i < n; i++) {
		if (strlen(table[i].name) != w->name_len ||
		    strncasecmp(table[i].name, w->name, w->name_len) != 0)
			continue;
		if ((table[i].offer & offered) == 0)
			return PARAM_UNKNOWN;
		if (seen[i].name != NULL)
			return PARAM_BAD;
		seen[i] = *w;
		return table[i].take(to, w);
	}
	return PARAM_UNKNOWN;
}

static enum param_result
parse(const struct param *table, size_t n, void *to, char *text, size_t size,
    struct word *fault, const char *from, unsigned offered)
{
	struct word seen[MOST] = { { NULL, NULL, 0, 0 } };
	enum param_result result = PARAM_OK;

	for (;;) {
		if (!next(fault, &from))
			return PARAM_BAD;
		if (fault->name_len == 0)
			break;
		result = take(table, n, seen, to, fault, offered);
		if (result != PARAM_OK)
			return result;
	}
	for (size_t i = 0; i < n; i++)
		if (seen[i].name != NULL && !table[i].fleeting &&
		    !append(text, size, table[i].name, &seen[i]))
			return PARAM_BAD;
	return PARAM_OK;
}

enum param_result
param_mail_parse(struct param_mail *m, const char *text, unsigned offered)
{
	enum param_result result;
	struct word fault;

	memset(m, 0, sizeof(*m));
	m->size = -1;
	result = parse(mail, sizeof(mail) / sizeof(mail[0]), m, m->text,
	    sizeof(m->text), &fault, text, offered);
	if (result != PARAM_OK)
		note_fault(m->fault, sizeof(m->fault), &fault);
	return result;
}

enum param_result
param_rcpt_parse(struct param_rcpt *r, const char *text, unsigned offered)
{
	enum param_result result;
	struct word fault;

	memset(r, 0, sizeof(*r));
	result = parse(rcpt, sizeof(rcpt) / sizeof(rcpt[0]), r, r->text,
	    sizeof(r->text), &fault, text, offered);
	if (result != PARAM_OK)
		note_fault(r->fault, sizeof(r->fault), &fault);
	else if ((offered & PARAM_SMTPUTF8) == 0 && !is_ascii(r->orcpt)) {
		(void)strlcpy(r->fault, "ORCPT", sizeof(r->fault));
		result = PARAM_BAD;
	}
	return result;
}
