/* SPDX-License-Identifier: ISC */
#ifndef MX_ROW_H
#define MX_ROW_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

/*
 * A record in one of three dresses: fields separated by tabs, aligned
 * columns for a terminal, or one JSON object a line.  Text is escaped for
 * each: plain() for the first two; JSON keeps valid UTF-8, replaces what is
 * not by U+FFFD and escapes control and bidirectional characters.
 */

enum row_style { ROW_TABS, ROW_COLUMNS, ROW_JSON };

/* ROW_COLUMNS when F is a terminal, else ROW_TABS. */
enum row_style row_style_for(FILE *f);

struct row {
	FILE *f;		/* where to; errors are left to ferror() */
	enum row_style style;
	char end;		/* '\n', or '\0' for -0 */
	int n;			/* private: fields so far at this level */
	int depth;		/* private */
};

void row_init(struct row *r, FILE *f, enum row_style style);

void row_begin(struct row *r);
/* WIDTH: columns to pad to on a terminal, negative to align right, 0 none. */
void row_text(struct row *r, const char *key, const char *text, int width);
void row_int(struct row *r, const char *key, int64_t value, int width);
void row_bool(struct row *r, const char *key, bool value, int width);
void row_null(struct row *r, const char *key, int width);
/* "-" in the text dresses and null in JSON when TEXT is NULL or empty. */
void row_maybe(struct row *r, const char *key, const char *text, int width);
/* RFC 3339, in UTC; the second as row_maybe() when T is 0. */
void row_time(struct row *r, const char *key, time_t t, int width);
void row_time_maybe(struct row *r, const char *key, time_t t, int width);
void row_end(struct row *r);

/* Nested values; in the text dresses they print nothing. */
void row_array(struct row *r, const char *key);
void row_array_end(struct row *r);
void row_object(struct row *r, const char *key);	/* NULL in an array */
void row_object_end(struct row *r);

/* A JSON string with its quotes. */
void row_json_string(FILE *f, const char *text);

#endif
