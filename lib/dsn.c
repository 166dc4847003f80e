/* SPDX-License-Identifier: ISC */
#include "dsn.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "addr.h"
#include "domain.h"
#include "draft.h"
#include "header.h"
#include "ledger.h"
#include "log.h"
#include "plain.h"
#include "reply.h"
#include "xtext.h"

#define HEADERS_MAX	(64 * 1024)	/* of the original, in the report */
#define EIGHT_BIT	"Content-Transfer-Encoding: 8bit\r\n"
#define LINE_MAX_OUT	998		/* RFC 5322 2.1.1 */

struct report {
	const struct conf *conf;
	struct spool *spool;
	struct message *m;
	enum dsn_reason reason;
	char base[MSGID_BASE_MAX + 1];
	char remote[ADDR_DOMAIN_MAX + 1];	/* "" unknown */
	char **replies;
	char *original;		/* its header */
	size_t original_len;
	bool eight;		/* the header has octets outside ASCII */
	time_t now;
};

/* Is this recipient's failure to be told (RFC 3461 5.2.6)? */
static bool
is_wanted(const struct recipient *r)
{
	char notify[64];

	return !envelope_param(r->params, "NOTIFY", notify, sizeof(notify)) ||
	    strcasestr(notify, "FAILURE") != NULL;
}

static bool
is_subject(const struct report *r, const struct recipient *rcpt)
{
	return rcpt->status == RCPT_FAILED ||
	    (r->reason == DSN_EXPIRED && rcpt->status == RCPT_PENDING);
}

static bool
is_told(const struct report *r, size_t i)
{
	const struct recipient *rcpt = &r->m->envelope.rcpt[i];

	return is_subject(r, rcpt) && is_wanted(rcpt);
}

/* The header of the original, whole lines, as it lies in the spool. */
static int
load_original(struct report *r)
{
	char *end;
	ssize_t n;

	if ((r->original = malloc(HEADERS_MAX + 1)) == NULL)
		return -1;
	n = pread(r->m->fd, r->original, HEADERS_MAX, r->m->offset);
	if (n == -1)
		return -1;
	r->original[n] = '\0';
	end = memmem(r->original, (size_t)n, "\r\n\r\n", 4);
	if (end == NULL) {
		/* Cut in the middle of a long header, or no body at all. */
		end = memrchr(r->original, '\n', (size_t)n);
		end = end != NULL && end > r->original ? end - 1 : r->original;
	}
	r->original_len = (size_t)(end - r->original);
	for (size_t i = 0; i < r->original_len; i++)
		if ((unsigned char)r->original[i] >= 0x80)
			r->eight = true;
	return 0;
}

/*
 * A parameter's value for a report, which is ASCII: decoded, but for an
 * address of type utf-8, which has a form of its own for that (RFC 6533 3).
 * What is no xtext is shown as it is.
 */
static void
print_xtext(FILE *f, const char *field, const char *text, bool utf8)
{
	char value[600], safe[2400];

	if (utf8 && xtext_decode_utf8(value, sizeof(value), text,
	    strlen(text)))
		(void)xtext_encode_utf8(safe, sizeof(safe), value,
		    strlen(value));
	else if (!utf8 && xtext_decode(value, sizeof(value), text,
	    strlen(text)))
		(void)plain(safe, sizeof(safe), value);
	else
		(void)plain(safe, sizeof(safe), text);
	/* A line too long for mail is worse than a field that need not be. */
	if (strlen(field) + strlen(safe) <= LINE_MAX_OUT)
		fprintf(f, "%s%s\r\n", field, safe);
}

static void
print_words(const struct report *r, FILE *f)
{
	const struct envelope *e = &r->m->envelope;
	char date[HEADER_DATE_MAX], safe[1024];

	header_date(date, e->arrived);
	fprintf(f, "This is the mail system at host %s.\r\n\r\n"
	    "It kept your message of %s\r\n"
	    "for the servers of %s.\r\n", r->conf->hostname, date,
	    r->m->domain);
	if (r->reason == DSN_REFUSED)
		fputs("They answered, and refused it for good for:\r\n", f);
	else
		fputs("They could not be reached in the time that mail is "
		    "kept here.\r\nIt was not delivered to:\r\n", f);
	for (size_t i = 0; i < e->nrcpt; i++) {
		if (!is_told(r, i))
			continue;
		fprintf(f, "\r\n  <%s>\r\n", plain(safe, sizeof(safe),
		    e->rcpt[i].address));
		if (r->replies[i][0] != '\0')
			fprintf(f, "    %s: %s\r\n", r->reason == DSN_REFUSED ?
			    "the answer" : "the last answer",
			    plain(safe, 900, r->replies[i]));
	}
	fputs("\r\nThe header of your message is attached.\r\n", f);
}

/* The enhanced code within a reply, if it is one of a refusal. */
static void
status_of(const struct report *r, const char *text, char *status, size_t size)
{
	struct reply reply;

	reply_init(&reply);
	if (r->reason == DSN_EXPIRED)
		(void)strlcpy(status, "4.4.7", size);
	else if (reply_feed(&reply, text, strlen(text)) != REPLY_GARBAGE &&
	    reply.status[0] == '5')
		(void)strlcpy(status, reply.status, size);
	else
		(void)strlcpy(status, "5.0.0", size);
}

static void
print_final(FILE *f, const char *address)
{
	size_t len = strlen(address);
	char safe[4 * ADDR_MAX];
	bool ascii = true;

	for (size_t i = 0; i < len; i++)
		ascii = ascii && (unsigned char)address[i] < 0x80;
	if (!ascii && xtext_encode_utf8(safe, LINE_MAX_OUT - 32, address, len))
		fprintf(f, "Final-Recipient: utf-8; %s\r\n", safe);
	else
		fprintf(f, "Final-Recipient: rfc822; %s\r\n",
		    plain(safe, LINE_MAX_OUT - 32, address));
}

static void
print_recipient(const struct report *r, FILE *f, size_t i)
{
	const struct recipient *rcpt = &r->m->envelope.rcpt[i];
	char value[600], safe[1024], field[640], status[16], *address;

	fputs("\r\n", f);
	if (envelope_param(rcpt->params, "ORCPT", value, sizeof(value)) &&
	    (address = strchr(value, ';')) != NULL) {
		*address++ = '\0';
		(void)snprintf(field, sizeof(field), "Original-Recipient: %s; ",
		    plain(safe, sizeof(safe), value));
		print_xtext(f, field, address,
		    strcasecmp(value, "utf-8") == 0);
	}
	status_of(r, r->replies[i], status, sizeof(status));
	print_final(f, rcpt->address);
	fprintf(f, "Action: failed\r\nStatus: %s\r\n", status);
	if (r->remote[0] != '\0')
		fprintf(f, "Remote-MTA: dns; %s\r\n", r->remote);
	if (isdigit((unsigned char)r->replies[i][0]))
		fprintf(f, "Diagnostic-Code: smtp; %s\r\n",
		    plain(safe, 900, r->replies[i]));
}

static void
print_status(const struct report *r, FILE *f)
{
	const struct envelope *e = &r->m->envelope;
	char date[HEADER_DATE_MAX], value[128];

	header_date(date, e->arrived);
	if (envelope_param(e->params, "ENVID", value, sizeof(value)))
		print_xtext(f, "Original-Envelope-Id: ", value, false);
	fprintf(f, "Reporting-MTA: dns; %s\r\nArrival-Date: %s\r\n",
	    r->conf->hostname, date);
	for (size_t i = 0; i < e->nrcpt; i++)
		if (is_told(r, i))
			print_recipient(r, f, i);
}

/* The original's header; a line too long for mail is cut. */
static void
print_original(const struct report *r, FILE *f)
{
	const char *p = r->original, *end = p + r->original_len, *eol;
	size_t n;

	while (p < end) {
		eol = memmem(p, (size_t)(end - p), "\r\n", 2);
		n = eol != NULL ? (size_t)(eol - p) : (size_t)(end - p);
		fwrite(p, 1, n < LINE_MAX_OUT ? n : LINE_MAX_OUT, f);
		fputs("\r\n", f);
		p += n + 2;
	}
}

static void
print_header(const struct report *r, FILE *f, const char *boundary)
{
	char date[HEADER_DATE_MAX];

	header_date(date, r->now);
	fprintf(f, "Received: by %s (mxkeep)\r\n\tid %s;\r\n\t%s\r\n"
	    "Date: %s\r\nFrom: \"Mail system of %s\" <%s>\r\nTo: <%s>\r\n"
	    "Subject: Not delivered: your mail for %s\r\n"
	    "Message-ID: <%s@%s>\r\nAuto-Submitted: auto-replied\r\n"
	    "MIME-Version: 1.0\r\n%s"
	    "Content-Type: multipart/report; report-type=delivery-status;\r\n"
	    "\tboundary=\"%s\"\r\n\r\n", r->conf->hostname, r->base, date,
	    date, r->conf->hostname, r->conf->postmaster,
	    r->m->envelope.sender, r->m->domain, r->base, r->conf->hostname,
	    r->eight ? EIGHT_BIT : "", boundary);
}

/* The whole report as a string, caller frees; NULL when out of memory. */
static char *
compose(const struct report *r, size_t *len)
{
	char *text = NULL, boundary[64];
	FILE *f;

	/* A header may hold such a line, but not one that it has to guess. */
	(void)snprintf(boundary, sizeof(boundary), "mxkeep-%08x%08x",
	    arc4random(), arc4random());
	if ((f = open_memstream(&text, len)) == NULL)
		return NULL;
	print_header(r, f, boundary);
	fprintf(f, "--%s\r\nContent-Type: text/plain; charset=us-ascii\r\n"
	    "Content-Description: notification\r\n\r\n", boundary);
	print_words(r, f);
	fprintf(f, "\r\n--%s\r\nContent-Type: message/delivery-status\r\n"
	    "Content-Description: delivery status\r\n\r\n", boundary);
	print_status(r, f);
	fprintf(f, "\r\n--%s\r\nContent-Type: text/rfc822-headers\r\n"
	    "Content-Description: header of the message\r\n%s\r\n", boundary,
	    r->eight ? EIGHT_BIT : "");
	print_original(r, f);
	fprintf(f, "\r\n--%s--\r\n", boundary);
	if (fclose(f) != 0) {
		free(text);
		return NULL;
	}
	return text;
}

/*
 * Into the spool, under the sender's domain, but where nobody sends it: what
 * is still there after a crash has never been on its way.
 */
static int
commit(const struct report *r, const char *domain)
{
	struct envelope e, *list = &e;
	struct draft *d = NULL;
	char *text;
	size_t len;
	int result = -1;

	envelope_init(&e);
	e.arrived = r->now;
	(void)strlcpy(e.domain, domain, sizeof(e.domain));
	(void)strlcpy(e.protocol, "report", sizeof(e.protocol));
	if ((text = compose(r, &len)) == NULL ||
	    envelope_set_sender(&e, "", r->eight ? "BODY=8BITMIME" : "") ==
	    -1 || envelope_add(&e, r->m->envelope.sender, "") == -1) {
		errno = ENOMEM;
		goto out;
	}
	if ((d = draft_begin(r->spool, &list, 1, r->base, "")) == NULL)
		goto out;
	draft_set_folder(d, SPOOL_HELD);
	if (draft_write(d, text, len) == -1 || draft_commit(d) == -1)
		goto out;
	log_info("reported id=%s as=%s to=<%s>", r->m->entry.id,
	    draft_id(d, 0), plain((char[ADDR_MAX * 2]){ 0 },
	    ADDR_MAX * 2, r->m->envelope.sender));
	result = 0;
out:
	if (d != NULL)
		draft_abort(d);
	envelope_clear(&e);
	free(text);
	return result;
}

/* The host that refused, as the domain's state remembers it. */
static void
find_remote(struct report *r)
{
	struct domain d;
	char *space;

	if (r->reason != DSN_REFUSED ||
	    ledger_load(r->spool, r->m->domain, &d) == -1)
		return;
	if ((space = strchr(d.route, ' ')) != NULL)
		*space = '\0';
	if (!addr_domain(r->remote, d.route))
		r->remote[0] = '\0';
}

/*
 * The plan is "BASE INDEX": it holds as long as recipient INDEX has not been
 * told, and is done with afterwards.  A crash may leave either.
 */
enum plan { PLAN_NONE, PLAN_OPEN, PLAN_DONE };

static enum plan
read_plan(struct report *r)
{
	char plan[MSGID_MAX + 1], *index;
	unsigned long i;

	if (message_planned(r->spool, r->m, plan) == -1 ||
	    (index = strchr(plan, ' ')) == NULL)
		return PLAN_NONE;
	*index++ = '\0';
	if (strlcpy(r->base, plan, sizeof(r->base)) >= sizeof(r->base))
		return PLAN_NONE;
	r->m->remembered = true;	/* to be forgotten with the message */
	i = strtoul(index, NULL, 10);
	return i < r->m->envelope.nrcpt && is_told(r, i) ? PLAN_OPEN :
	    PLAN_DONE;
}

/* Sends a committed report on its way; what is on its way stays there. */
static int
publish(struct report *r, const char *domain)
{
	struct scan_found found;
	struct message m;
	const char *why;
	int got, result;

	got = scan_find_in(r->spool, domain, r->base, &found);
	if (got != 1 || found.entry.folder != SPOOL_HELD)
		return got == -1 ? -1 : 0;
	if (message_open(r->spool, domain, &found.entry, true, &m, &why) !=
	    MESSAGE_OPENED)
		return -1;
	result = message_move(r->spool, &m, SPOOL_NEW);
	message_close(&m);
	return result == -1 ? -1 : spool_sync_domain(r->spool, domain);
}

static int
make_plan(struct report *r)
{
	char plan[MSGID_MAX + 1];
	size_t i = r->m->envelope.nrcpt - 1;

	/* The last to be marked: until then not all of them are. */
	while (i > 0 && !is_told(r, i))
		i--;
	msgid_new(r->base, r->conf->hostname);
	if (snprintf(plan, sizeof(plan), "%s %zu", r->base, i) >=
	    (int)sizeof(plan)) {
		errno = EMSGSIZE;
		return -1;
	}
	return message_plan(r->spool, r->m, plan);
}

/* Commits the report unless an earlier run did; 0 or -1. */
static int
report(struct report *r, const char *domain, enum plan plan)
{
	struct scan_found found;
	int result = -1;

	if (plan == PLAN_OPEN) {
		/* It cannot have left before its recipients were marked. */
		result = scan_find_in(r->spool, domain, r->base, &found);
		if (result != 0)
			return result == 1 ? 0 : -1;
		result = -1;
	} else if (make_plan(r) == -1)
		return -1;
	find_remote(r);
	if ((r->replies = message_replies(r->spool, r->m)) == NULL ||
	    load_original(r) == -1)
		goto out;
	result = commit(r, domain);
out:
	free(r->replies);
	free(r->original);
	return result;
}

/* Has the sender a domain that mail can be sent to? */
static bool
sender_domain(const struct report *r, char *domain)
{
	struct addr a;

	return addr_parse_mailbox(&a, r->m->envelope.sender) && !a.literal &&
	    addr_domain(domain, a.domain);
}

/* How many recipients are the subject, and is one of them to be told of? */
static size_t
count_subjects(const struct report *r, bool *wanted)
{
	size_t n = 0;

	*wanted = false;
	for (size_t i = 0; i < r->m->envelope.nrcpt; i++) {
		n += is_subject(r, &r->m->envelope.rcpt[i]);
		*wanted = *wanted || is_told(r, i);
	}
	return n;
}

enum dsn_result
dsn_send(const struct conf *c, struct spool *sp, struct message *m,
    enum dsn_reason reason)
{
	struct report r = { .conf = c, .spool = sp, .m = m, .reason = reason,
		.now = time(NULL) };
	char domain[ADDR_DOMAIN_MAX + 1];
	enum plan plan = PLAN_NONE;
	bool tell, wanted;
	size_t n;

	tell = sender_domain(&r, domain);
	if (tell)
		plan = read_plan(&r);
	if (plan == PLAN_DONE && publish(&r, domain) == -1)
		return DSN_LATER;
	n = count_subjects(&r, &wanted);
	tell = tell && wanted;
	if (tell && report(&r, domain, plan) == -1)
		return DSN_LATER;
	for (size_t i = 0; i < m->envelope.nrcpt; i++)
		if (is_subject(&r, &m->envelope.rcpt[i]) &&
		    message_mark(m, i, RCPT_REPORTED) == -1)
			return DSN_LATER;
	if (n > 0 && message_sync(m) == -1)
		return DSN_LATER;
	if (tell && publish(&r, domain) == -1)
		return DSN_LATER;
	return tell ? DSN_SENT : DSN_NONE;
}
