/* SPDX-License-Identifier: ISC */
#include "row.h"

#include <string.h>
#include <unistd.h>

#include "header.h"
#include "plain.h"

enum row_style
row_style_for(FILE *f)
{
	return isatty(fileno(f)) ? ROW_COLUMNS : ROW_TABS;
}

void
row_init(struct row *r, FILE *f, enum row_style style)
{
	r->f = f;
	r->style = style;
	r->end = '\n';
	r->n = 0;
	r->depth = 0;
}

/*
 * The length of the UTF-8 sequence at P, 0 if it is none (RFC 3629), with
 * its code point in *CP.
 */
static size_t
utf8(const unsigned char *p, unsigned *cp)
{
	static const unsigned least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t n = p[0] >= 0xf0 ? 4 : p[0] >= 0xe0 ? 3 : 2;

	if (p[0] < 0xc2 || p[0] > 0xf4)
		return 0;
	*cp = p[0] & (0xffU >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*cp = *cp << 6 | (p[i] & 0x3f);
	}
	if (*cp < least[n] || *cp > 0x10ffff ||
	    (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return n;
}

/* C1 controls, and what turns the direction of text (UAX 9). */
static bool
is_treacherous(unsigned cp)
{
	return cp < 0xa0 || cp == 0x61c || cp == 0x200e || cp == 0x200f ||
	    (cp >= 0x2028 && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069);
}

void
row_json_string(FILE *f, const char *text)
{
	const unsigned char *p = (const unsigned char *)text;
	unsigned cp;
	size_t n;

	putc('"', f);
	while (*p != '\0') {
		if (*p == '"' || *p == '\\')
			fprintf(f, "\\%c", *p++);
		else if (*p < ' ' || *p == 0x7f)
			fprintf(f, "\\u%04x", *p++);
		else if (*p < 0x7f)
			putc(*p++, f);
		else if ((n = utf8(p, &cp)) == 0) {
			fputs("\\ufffd", f);
			p++;
		} else if (is_treacherous(cp)) {
			fprintf(f, "\\u%04x", cp);
			p += n;
		} else {
			fwrite(p, 1, n, f);
			p += n;
		}
	}
	putc('"', f);
}

void
row_begin(struct row *r)
{
	r->n = 0;
	r->depth = 0;
	if (r->style == ROW_JSON)
		putc('{', r->f);
}

void
row_end(struct row *r)
{
	if (r->style == ROW_JSON)
		putc('}', r->f);
	putc(r->end, r->f);
}

/* What stands before a value.  False if the value is not to be printed. */
static bool
lead(struct row *r, const char *key)
{
	if (r->style != ROW_JSON) {
		if (r->depth > 0)
			return false;
		if (r->n++ > 0)
			putc(r->style == ROW_TABS ? '\t' : ' ', r->f);
		return true;
	}
	if (r->n++ > 0)
		putc(',', r->f);
	if (key != NULL) {
		row_json_string(r->f, key);
		putc(':', r->f);
	}
	return true;
}

static void
put_plain(struct row *r, const char *text, int width)
{
	char safe[4096];

	(void)plain(safe, sizeof(safe), text);
	if (r->style == ROW_COLUMNS)
		fprintf(r->f, "%*s", -width, safe);
	else
		fputs(safe, r->f);
}

void
row_text(struct row *r, const char *key, const char *text, int width)
{
	if (!lead(r, key))
		return;
	if (r->style == ROW_JSON)
		row_json_string(r->f, text);
	else
		put_plain(r, text, width);
}

void
row_int(struct row *r, const char *key, int64_t value, int width)
{
	if (!lead(r, key))
		return;
	if (r->style == ROW_COLUMNS)
		fprintf(r->f, "%*lld", -width, (long long)value);
	else
		fprintf(r->f, "%lld", (long long)value);
}

void
row_bool(struct row *r, const char *key, bool value, int width)
{
	const char *text;

	if (!lead(r, key))
		return;
	if (r->style == ROW_JSON)
		text = value ? "true" : "false";
	else
		text = value ? "yes" : "no";
	if (r->style == ROW_COLUMNS)
		fprintf(r->f, "%*s", -width, text);
	else
		fputs(text, r->f);
}

void
row_null(struct row *r, const char *key, int width)
{
	if (!lead(r, key))
		return;
	if (r->style == ROW_JSON)
		fputs("null", r->f);
	else
		put_plain(r, "-", width);
}

void
row_maybe(struct row *r, const char *key, const char *text, int width)
{
	if (text == NULL || *text == '\0')
		row_null(r, key, width);
	else
		row_text(r, key, text, width);
}

void
row_time(struct row *r, const char *key, time_t t, int width)
{
	char date[HEADER_DATE_MAX];

	header_rfc3339(date, t);
	row_text(r, key, date, width);
}

void
row_time_maybe(struct row *r, const char *key, time_t t, int width)
{
	if (t == 0)
		row_null(r, key, width);
	else
		row_time(r, key, t, width);
}

static void
open_nested(struct row *r, const char *key, char bracket)
{
	if (r->style == ROW_JSON) {
		(void)lead(r, key);
		putc(bracket, r->f);
		r->n = 0;
	} else
		r->depth++;
}

static void
close_nested(struct row *r, char bracket)
{
	if (r->style == ROW_JSON) {
		putc(bracket, r->f);
		r->n = 1;
	} else
		r->depth--;
}

void
row_array(struct row *r, const char *key)
{
	open_nested(r, key, '[');
}

void
row_array_end(struct row *r)
{
	close_nested(r, ']');
}

void
row_object(struct row *r, const char *key)
{
	open_nested(r, key, '{');
}

void
row_object_end(struct row *r)
{
	close_nested(r, '}');
}
