/* SPDX-License-Identifier: ISC */
#include "report.h"

#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "header.h"
#include "plain.h"
#include "reply.h"
#include "utf8.h"
#include "xtext.h"

#define EIGHT_BIT	"Content-Transfer-Encoding: 8bit\r\n"
#define LINE_MAX_OUT	998		/* RFC 5322 2.1.1 */
#define TYPE_MAX	32		/* of an address */
#define SAFE_MAX	(LINE_MAX_OUT - 64)	/* a value of a field */

struct page {
	const struct report *r;
	FILE *f;
	size_t len;		/* of the original that is attached */
	bool full;		/* all of it, not only its header */
	bool eight;		/* it has octets outside ASCII */
	bool global;		/* an address has: RFC 6533 */
	bool global_original;	/* it is internationalized mail itself */
	bool failed;		/* somebody is told of a failure */
	bool delayed;		/* or that it takes time */
	bool secret;		/* REQUIRETLS was asked for (RFC 8689) */
};

/*** What kind of report ***/

static bool
is_ascii(const char *text, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if ((unsigned char)text[i] >= 0x80)
			return false;
	return true;
}

/* May a report have it as it is?  No control characters, C1 included. */
static bool
is_text(const char *text)
{
	size_t len = strlen(text), n;
	uint32_t point;

	for (; len > 0; text += n, len -= n)
		if ((n = utf8_next(&point, text, len)) == 0 || point < 0x20 ||
		    (point >= 0x7f && point < 0xa0))
			return false;
	return true;
}

static bool
is_global(const char *address)
{
	return !is_ascii(address, strlen(address)) && is_text(address);
}

/* The length of the header, whole lines. */
static size_t
header_length(const struct report *r)
{
	const char *p = r->original, *end;

	if (r->original_len == 0 || (r->original_len > 1 &&
	    memcmp(p, "\r\n", 2) == 0))
		return 0;
	if ((end = memmem(p, r->original_len, "\r\n\r\n", 4)) != NULL)
		return (size_t)(end - p);
	/* Cut in the middle of a long header, or no body at all. */
	end = memrchr(p, '\n', r->original_len);
	return end != NULL && end > p ? (size_t)(end - 1 - p) : 0;
}

/* Lines that end in CRLF, none too long, no NUL: can it go into a mail? */
static bool
is_mail(const char *p, size_t len)
{
	size_t line = 0;

	for (size_t i = 0; i < len; i++) {
		if (p[i] == '\r' && i + 1 < len && p[i + 1] == '\n') {
			line = 0;
			i++;
		} else if (p[i] == '\0' || p[i] == '\r' || p[i] == '\n' ||
		    ++line > LINE_MAX_OUT)
			return false;
	}
	return true;
}

/* RFC 3461 4.3; what came under REQUIRETLS is not sent about (RFC 8689 5). */
static bool
is_full(const struct page *p)
{
	const struct report *r = p->r;
	char value[8];

	return p->failed && r->complete && !p->secret &&
	    envelope_param(r->envelope->params, "RET", value, sizeof(value)) &&
	    strcasecmp(value, "FULL") == 0 &&
	    is_mail(r->original, r->original_len);
}

static void
look(struct page *p)
{
	const struct report *r = p->r;
	const struct envelope *e = r->envelope;
	char value[8];

	p->global = is_global(e->sender);
	for (size_t i = 0; i < e->nrcpt; i++) {
		if (r->action[i] == REPORT_NOTHING)
			continue;
		p->failed = p->failed || r->action[i] == REPORT_REFUSED ||
		    r->action[i] == REPORT_EXPIRED;
		p->delayed = p->delayed || r->action[i] == REPORT_DELAYED;
		p->global = p->global || is_global(e->rcpt[i].address);
	}
	p->secret = envelope_param(e->params, "REQUIRETLS", value,
	    sizeof(value));
	p->full = is_full(p);
	p->len = p->full ? r->original_len : header_length(r);
	p->eight = !is_ascii(r->original, p->len);
	p->global_original = (p->global || (p->eight && envelope_param(
	    e->params, "SMTPUTF8", value, sizeof(value)))) &&
	    utf8_valid(r->original, header_length(r));
}

/*** The words ***/

/* Text of a stranger: plain, but for what RFC 6533 lets through. */
static void
put(const struct page *p, const char *text)
{
	char safe[SAFE_MAX];

	if (p->global && is_text(text))
		fputs(text, p->f);
	else
		fputs(plain(safe, sizeof(safe), text), p->f);
}

static void
print_header(const struct page *p, const char *boundary)
{
	const struct report *r = p->r;
	const char *host = r->conf->hostname;
	char date[HEADER_DATE_MAX];

	header_date(date, r->now);
	fprintf(p->f, "Received: by %s (mxkeep)\r\n\tid %s;\r\n\t%s\r\n"
	    "Date: %s\r\nFrom: \"Mail system of %s\" <%s>\r\nTo: <", host,
	    r->id, date, date, host, r->conf->postmaster);
	put(p, r->envelope->sender);
	fprintf(p->f, ">\r\nSubject: %s: your mail for %s\r\n"
	    "Message-ID: <%s@%s>\r\nAuto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n%s"
	    "Content-Type: multipart/report; report-type=%sdelivery-status;"
	    "\r\n\tboundary=\"%s\"\r\n\r\n",
	    p->failed ? "Not delivered" : p->delayed ? "Delayed" :
	    "Passed on", r->envelope->domain,
	    r->id, host, p->eight || p->global ? EIGHT_BIT : "",
	    p->global ? "global-" : "", boundary);
}

static bool
is_ours(const char *reply)
{
	return strncmp(reply, REPORT_OURS, strlen(REPORT_OURS)) == 0;
}

static const char *
lead_in(enum report_action action, bool ours)
{
	switch (action) {
	case REPORT_NOTHING:
		break;
	case REPORT_REFUSED:
		return ours ? "It was not delivered to:" :
		    "They answered, and refused it for good for:";
	case REPORT_EXPIRED:
		return "They could not be reached in the time that mail is "
		    "kept here.\r\nIt was not delivered to:";
	case REPORT_DELAYED:
		return "They could not take it yet.  You need not send it "
		    "again: it is tried again and\r\nagain, and you will "
		    "hear of it should that be in vain.  It waits for:";
	case REPORT_RELAYED:
		return "They have taken it, but do not tell when mail is "
		    "delivered, so this is all\r\nthat you will hear of it, "
		    "unless it fails there:";
	}
	return "";
}

static const char *
label(enum report_action action, const char *reply)
{
	if (is_ours(reply))
		return "";
	return action == REPORT_EXPIRED || action == REPORT_DELAYED ?
	    "the last answer: " : "the answer: ";
}

/* The recipients with ACTION, by our own decision or not, if there are any. */
static void
print_group(const struct page *p, enum report_action action, bool ours)
{
	const struct report *r = p->r;
	bool first = true;
	char safe[900];

	for (size_t i = 0; i < r->envelope->nrcpt; i++) {
		if (r->action[i] != action || (action == REPORT_REFUSED &&
		    is_ours(r->replies[i]) != ours))
			continue;
		if (first)
			fprintf(p->f, "\r\n%s\r\n", lead_in(action, ours));
		first = false;
		fputs("\r\n  <", p->f);
		put(p, r->envelope->rcpt[i].address);
		fputs(">\r\n", p->f);
		if (r->replies[i][0] != '\0')
			fprintf(p->f, "    %s%s\r\n",
			    label(action, r->replies[i]),
			    plain(safe, sizeof(safe), r->replies[i]));
	}
}

static void
print_words(const struct page *p)
{
	const struct report *r = p->r;
	char date[HEADER_DATE_MAX];

	header_date(date, r->envelope->arrived);
	fprintf(p->f, "This is the mail system at host %s.\r\n\r\n"
	    "It kept your message of %s\r\nfor the servers of %s.\r\n",
	    r->conf->hostname, date, r->envelope->domain);
	print_group(p, REPORT_REFUSED, false);
	print_group(p, REPORT_REFUSED, true);
	print_group(p, REPORT_EXPIRED, false);
	print_group(p, REPORT_DELAYED, false);
	print_group(p, REPORT_RELAYED, false);
	fprintf(p->f, "\r\n%s message is attached.\r\n",
	    p->full ? "Your" : "The header of your");
}

/*** The fields of RFC 3464 ***/

/* The class of status that goes with ACTION, and one without a reply. */
static const char *
status_without(enum report_action action)
{
	switch (action) {
	case REPORT_NOTHING:
	case REPORT_REFUSED:
		break;
	case REPORT_EXPIRED:
		return "4.4.7";
	case REPORT_DELAYED:
		return "4.4.1";
	case REPORT_RELAYED:
		return "2.0.0";
	}
	return "5.0.0";
}

static const char *
action_word(enum report_action action)
{
	switch (action) {
	case REPORT_NOTHING:
	case REPORT_REFUSED:
	case REPORT_EXPIRED:
		break;
	case REPORT_DELAYED:
		return "delayed";
	case REPORT_RELAYED:
		return "relayed";
	}
	return "failed";
}

/* The enhanced code within a reply, if it goes with what is told of it. */
static void
status_of(enum report_action action, const char *text, char *status,
    size_t size)
{
	const char *without = status_without(action), *ours = "";
	char line[64];
	struct reply reply;

	if (is_ours(text)) {
		text += strlen(REPORT_OURS);
		ours = "550 ";
	}
	/* Only its beginning is of interest. */
	(void)snprintf(line, sizeof(line), "%s%s", ours, text);
	reply_init(&reply);
	if (action != REPORT_EXPIRED &&
	    reply_feed(&reply, line, strlen(line)) != REPLY_GARBAGE &&
	    reply.status[0] == without[0])
		without = reply.status;
	(void)strlcpy(status, without, size);
}

/* RFC 3461 6.3 (b), RFC 6533 3. */
static void
print_original_recipient(const struct page *p, const char *params)
{
	char orcpt[600], address[600], xtext[1200], *type = orcpt, *value;
	bool utf8;

	if (!envelope_param(params, "ORCPT", orcpt, sizeof(orcpt)) ||
	    (value = strchr(orcpt, ';')) == NULL)
		return;
	*value++ = '\0';
	/* No type of address has such a name; the line would be too long. */
	if (strlen(type) > TYPE_MAX)
		return;
	utf8 = strcasecmp(type, "utf-8") == 0;
	if (utf8 && xtext_decode_utf8(address, sizeof(address), value,
	    strlen(value))) {
		if (p->global && is_text(address))
			value = address;
		else if (xtext_encode_utf8(xtext, sizeof(xtext), address,
		    strlen(address)))
			value = xtext;
	} else if (!utf8 && xtext_decode(address, sizeof(address), value,
	    strlen(value)))
		value = address;
	fputs("Original-Recipient: ", p->f);
	put(p, type);
	fputs("; ", p->f);
	put(p, value);
	fputs("\r\n", p->f);
}

static void
print_final_recipient(const struct page *p, const char *address)
{
	char xtext[LINE_MAX_OUT - 32];
	const char *type = "rfc822";

	if (is_global(address))
		type = "utf-8";
	else if (!is_ascii(address, strlen(address)) && xtext_encode_utf8(
	    xtext, sizeof(xtext), address, strlen(address))) {
		type = "utf-8";
		address = xtext;
	}
	fprintf(p->f, "Final-Recipient: %s; ", type);
	put(p, address);
}

static void
print_recipient(const struct page *p, size_t i)
{
	const struct report *r = p->r;
	const struct recipient *rcpt = &r->envelope->rcpt[i];
	enum report_action action = r->action[i];
	char safe[900], status[16], date[HEADER_DATE_MAX];

	fputs("\r\n", p->f);
	print_original_recipient(p, rcpt->params);
	print_final_recipient(p, rcpt->address);
	status_of(action, r->replies[i], status, sizeof(status));
	fprintf(p->f, "\r\nAction: %s\r\nStatus: %s\r\n",
	    action_word(action), status);
	if (r->remote[0] != '\0' && action != REPORT_EXPIRED &&
	    action != REPORT_DELAYED)
		fprintf(p->f, "Remote-MTA: dns; %s\r\n", r->remote);
	if (r->expires != 0 && action == REPORT_DELAYED) {
		header_date(date, r->expires);
		fprintf(p->f, "Will-Retry-Until: %s\r\n", date);
	}
	if (r->replies[i][0] == '\0')
		return;
	if (isdigit((unsigned char)r->replies[i][0]))
		fputs("Diagnostic-Code: smtp; ", p->f);
	else if (*label(action, r->replies[i]) == '\0')
		fputs("Diagnostic-Code: x-mxkeep; ", p->f);
	else
		return;
	fprintf(p->f, "%s\r\n", plain(safe, sizeof(safe), r->replies[i]));
}

static void
print_status(const struct page *p)
{
	const struct report *r = p->r;
	char date[HEADER_DATE_MAX], envid[128], decoded[128];

	header_date(date, r->envelope->arrived);
	if (envelope_param(r->envelope->params, "ENVID", envid,
	    sizeof(envid))) {
		fputs("Original-Envelope-Id: ", p->f);
		put(p, xtext_decode(decoded, sizeof(decoded), envid,
		    strlen(envid)) ? decoded : envid);
		fputs("\r\n", p->f);
	}
	fprintf(p->f, "Reporting-MTA: dns; %s\r\nArrival-Date: %s\r\n",
	    r->conf->hostname, date);
	for (size_t i = 0; i < r->envelope->nrcpt; i++)
		if (r->action[i] != REPORT_NOTHING)
			print_recipient(p, i);
}

/*** The original ***/

/* In a header a line too long for mail is cut. */
static void
print_original(const struct page *p)
{
	const char *text = p->r->original, *end = text + p->len, *eol;
	size_t n;

	while (text < end) {
		eol = memmem(text, (size_t)(end - text), "\r\n", 2);
		n = eol != NULL ? (size_t)(eol - text) : (size_t)(end - text);
		fwrite(text, 1, n < LINE_MAX_OUT ? n : LINE_MAX_OUT, p->f);
		fputs("\r\n", p->f);
		text += n + 2;
	}
}

static const char *
original_type(const struct page *p)
{
	if (p->global_original)
		return p->full ? "message/global" : "message/global-headers";
	return p->full ? "message/rfc822" : "text/rfc822-headers";
}

static void
print_page(const struct page *p, const char *boundary)
{
	FILE *f = p->f;

	print_header(p, boundary);
	fprintf(f, "--%s\r\nContent-Type: text/plain; charset=%s\r\n%s"
	    "Content-Description: notification\r\n\r\n", boundary,
	    p->global ? "utf-8" : "us-ascii", p->global ? EIGHT_BIT : "");
	print_words(p);
	fprintf(f, "\r\n--%s\r\nContent-Type: message/%sdelivery-status\r\n%s"
	    "Content-Description: delivery status\r\n\r\n", boundary,
	    p->global ? "global-" : "", p->global ? EIGHT_BIT : "");
	print_status(p);
	fprintf(f, "\r\n--%s\r\nContent-Type: %s\r\n"
	    "Content-Description: %smessage\r\n%s\r\n", boundary,
	    original_type(p), p->full ? "" : "header of the ",
	    p->eight ? EIGHT_BIT : "");
	print_original(p);
	fprintf(f, "\r\n--%s--\r\n", boundary);
}

/* What its MAIL asks for: REQUIRETLS if the original's did (RFC 8689 5). */
static const char *
params_of(const struct page *p)
{
	static const char *const params[3][2] = {
		{ "", "REQUIRETLS" },
		{ "BODY=8BITMIME", "BODY=8BITMIME REQUIRETLS" },
		{ "BODY=8BITMIME SMTPUTF8",
		    "BODY=8BITMIME SMTPUTF8 REQUIRETLS" },
	};

	return params[p->global ? 2 : p->eight ? 1 : 0][p->secret];
}

char *
report_print(const struct report *r, size_t *len, const char **params)
{
	struct page p = { .r = r };
	char *text = NULL, boundary[64];

	look(&p);
	/* A header may hold such a line, but not one that it has to guess. */
	(void)snprintf(boundary, sizeof(boundary), "mxkeep-%08x%08x",
	    arc4random(), arc4random());
	if ((p.f = open_memstream(&text, len)) == NULL)
		return NULL;
	print_page(&p, boundary);
	if (fclose(p.f) != 0) {
		free(text);
		return NULL;
	}
	*params = params_of(&p);
	return text;
}
