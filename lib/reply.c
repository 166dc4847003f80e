/* SPDX-License-Identifier: ISC */
#include "reply.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

void
reply_init(struct reply *r)
{
	r->code = 0;
	r->status[0] = '\0';
	r->text[0] = '\0';
}

/* Three digits, the first 2 to 5 (RFC 5321 4.2). */
static int
code_of(const char *line, size_t len)
{
	if (len < 3 || line[0] < '2' || line[0] > '5' || line[1] < '0' ||
	    line[1] > '9' || line[2] < '0' || line[2] > '9')
		return -1;
	return (line[0] - '0') * 100 + (line[1] - '0') * 10 + line[2] - '0';
}

/* The length of "5.1.1" at TEXT, 0 if there is none (RFC 3463 2). */
static size_t
status_of(const char *text, size_t len, char first)
{
	size_t i = 1, digits;

	if (len < 5 || text[0] != first || (first != '2' && first != '4' &&
	    first != '5'))
		return 0;
	for (int part = 0; part < 2; part++) {
		if (i >= len || text[i++] != '.')
			return 0;
		for (digits = 0; i < len && isdigit((unsigned char)text[i]);
		    i++)
			digits++;
		if (digits < 1 || digits > 3)
			return 0;
	}
	if (i < len && text[i] != ' ')
		return 0;
	return i;
}

static void
append(struct reply *r, const char *text, size_t len)
{
	size_t used = strlen(r->text);

	if (used > 0 && len > 0 && used + 1 < sizeof(r->text))
		r->text[used++] = ' ';
	if (len > sizeof(r->text) - 1 - used)
		len = sizeof(r->text) - 1 - used;
	for (size_t i = 0; i < len; i++)
		r->text[used++] = text[i] == '\0' ? ' ' : text[i];
	r->text[used] = '\0';
}

enum reply_got
reply_feed(struct reply *r, const char *line, size_t len)
{
	int code = code_of(line, len);
	size_t n, at = 4;

	if (code == -1 || (r->code != 0 && code != r->code))
		return REPLY_GARBAGE;
	if (len > 3 && line[3] != ' ' && line[3] != '-')
		return REPLY_GARBAGE;
	r->code = code;
	if (len > 4) {
		n = status_of(line + 4, len - 4, line[0]);
		if (n > 0 && n < sizeof(r->status)) {
			memcpy(r->status, line + 4, n);
			r->status[n] = '\0';
			at += n + (4 + n < len);
		}
		append(r, line + at, len - at);
	}
	return len > 3 && line[3] == '-' ? REPLY_MORE : REPLY_DONE;
}

void
reply_print(const struct reply *r, char *buf, size_t size)
{
	int n;

	n = snprintf(buf, size, "%03d%s%s%s%s", r->code,
	    r->status[0] != '\0' ? " " : "", r->status,
	    r->text[0] != '\0' ? " " : "", r->text);
	if (n < 0 && size > 0)
		buf[0] = '\0';
}

/*
 * These speak of the session, whatever they are an answer to: that it ends
 * (RFC 5321 3.8, RFC 7504), that the command came out of turn, or not before
 * TLS or a password (RFC 3207 4, RFC 4954 6).
 */
static bool
is_of_session(int code)
{
	return code == 421 || code == 503 || code == 521 || code == 530 ||
	    code == 538;
}

enum verdict
reply_verdict(const struct reply *r, enum reply_to to)
{
	if (is_of_session(r->code))
		return VERDICT_DEFERRED;
	switch (to) {
	case REPLY_TO_END:
		if (r->code / 100 == 2)
			return VERDICT_DELIVERED;
		if (r->code / 100 == 5)
			return VERDICT_FAILED;
		break;
	case REPLY_TO_RCPT:
		/* Who does not know RCPT has said nothing of a recipient. */
		if (r->code / 100 == 5 && r->code != 500 && r->code != 502)
			return VERDICT_FAILED;
		break;
	case REPLY_TO_CONNECT:
	case REPLY_TO_EHLO:
	case REPLY_TO_MAIL:
	case REPLY_TO_DATA:
	case REPLY_TO_OTHER:
		break;
	}
	return VERDICT_DEFERRED;
}
