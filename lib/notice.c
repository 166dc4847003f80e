/* SPDX-License-Identifier: ISC */
#include "notice.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "draft.h"
#include "envelope.h"
#include "header.h"
#include "msgid.h"

static const struct words {
	const char *subject;	/* behind "DOMAIN: " */
	const char *what;	/* the first sentence, behind the domain */
	const char *next;	/* what follows of it */
} words[EVENT_NKINDS] = {
	[EVENT_UP] = { "its servers take mail again",
	    "takes mail again, after an outage.", "" },
	[EVENT_DOWN] = { "its servers are down, mail is waiting here",
	    "has no server that takes mail.",
	    "It is kept, and its servers are tried at each run of mx-flush.\r\n"
	    "When one is back all goes out by itself, and you get one more "
	    "mail.\r\n" },
	[EVENT_UNROUTABLE] = { "DNS names no server, mail is waiting here",
	    "cannot be routed: DNS names no server that is better than this "
	    "one.",
	    "It is kept.  Look at the MX records of the domain (mx-check), "
	    "or write a\r\n\"route\" into its file.\r\n" },
	[EVENT_STOPPED] = { "stopped: its server refuses too much",
	    "was stopped: its server refuses mail that it should take.",
	    "Nothing was returned to senders" },
	[EVENT_LOOP] = { "a loop: the way to it leads back here",
	    "has a server that is this host itself.",
	    "Its mail is kept.  Look at its MX records, its \"route\", and "
	    "the key \"self\".\r\n" },
	[EVENT_DOWNGRADE] = { "less TLS than before",
	    "has a server that gave authenticated TLS before and now does "
	    "not.",
	    "Perhaps somebody mends it, or somebody is in between.\r\n" },
	[EVENT_REMEMBERED] = { "DNS fails, the last good route is used",
	    "has no usable answer in DNS.  Its mail goes to the server that "
	    "took it last.",
	    "That route is remembered for the time of \"route-memory\".  "
	    "Look at the domain's\r\nname servers and MX records "
	    "(mx-check).\r\n" },
};

void
notice_duration(char *text, size_t size, time_t seconds)
{
	static const struct {
		time_t len;
		const char *name;
	} unit[] = {
		{ 86400, "day" }, { 3600, "hour" }, { 60, "minute" },
		{ 1, "second" }
	};
	size_t i = 0, used = 0;
	long long n;
	int got;

	while (i < 3 && seconds < unit[i].len)
		i++;
	(void)strlcpy(text, "", size);
	for (size_t end = i + 2; i < end && i < 4; i++) {
		n = (long long)(seconds / unit[i].len);
		seconds %= unit[i].len;
		if (n == 0 && (used > 0 || i < 3))
			continue;
		got = snprintf(text + used, size - used, "%s%lld %s%s",
		    used > 0 ? " and " : "", n, unit[i].name,
		    n == 1 ? "" : "s");
		if (got < 0 || (size_t)got >= size - used)
			return;
		used += (size_t)got;
	}
}

static void
print_header(FILE *f, const struct notice *n, const char *base)
{
	const char *host = n->conf->hostname;
	char date[HEADER_DATE_MAX];

	header_date(date, n->now);
	fprintf(f, "Received: by %s (mxkeep)\r\n\tid %s;\r\n\t%s\r\n"
	    "Date: %s\r\nFrom: \"Mail system of %s\" <%s>\r\nTo: <%s>\r\n"
	    "Subject: %s: %s\r\nMessage-ID: <%s@%s>\r\n"
	    "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=us-ascii\r\n\r\n", host, base,
	    date, date, host, n->conf->postmaster, n->settings->notify,
	    n->domain, words[n->kind].subject, base, host);
}

static void
print_queue(FILE *f, const struct notice *n)
{
	char date[HEADER_DATE_MAX];

	fprintf(f, "waiting:   %zu message%s\r\n", n->waiting,
	    n->waiting == 1 ? "" : "s");
	if (n->waiting == 0 || n->oldest == 0)
		return;
	header_date(date, n->oldest);
	fprintf(f, "oldest:    %s\r\n", date);
	header_date(date, n->oldest + n->settings->expire);
	fprintf(f, "expires:   %s\r\n", date);
}

static void
print_end(FILE *f, const struct notice *n)
{
	fprintf(f, "delivered: %zu message%s\r\n", n->delivered,
	    n->delivered == 1 ? "" : "s");
	if (n->failed > 0)
		fprintf(f, "refused:   %zu message%s\r\n", n->failed,
		    n->failed == 1 ? "" : "s");
	print_queue(f, n);
	fprintf(f, "\r\n%s\r\n", n->waiting > 0 ?
	    "What still waits is tried again at each run." :
	    n->failed > 0 ? "All mail that waited has been delivered, or "
	    "refused for good by the server." :
	    "All mail that waited has been delivered.");
}

static void
print_body(FILE *f, const struct notice *n)
{
	char date[HEADER_DATE_MAX], lasted[64];

	header_date(date, n->since);
	notice_duration(lasted, sizeof(lasted), n->lasted);
	fprintf(f, "This is the mail system at host %s, a backup for %s.\r\n"
	    "\r\n%s %s\r\n\r\nsince:     %s\r\nlasted:    %s\r\n",
	    n->conf->hostname, n->domain, n->domain, words[n->kind].what,
	    date, lasted);
	/* RFC 5322 2.1.1: a line has 998 octets at most; these have fewer. */
	if (*n->host != '\0')
		fprintf(f, "server:    %s\r\n", n->host);
	if (*n->reason != '\0')
		fprintf(f, "reason:    %s\r\n", n->reason);
	if (n->kind == EVENT_UP) {
		print_end(f, n);
		return;
	}
	print_queue(f, n);
	fprintf(f, "\r\n%s", words[n->kind].next);
	if (n->kind == EVENT_STOPPED && n->tried_on)
		fputs(".  The server does not even listen to us;\r\n"
		    "it is tried at each run, and all goes out by itself when "
		    "it does.\r\n", f);
	else if (n->kind == EVENT_STOPPED)
		fprintf(f, ", and nothing more is sent until you say so:\r\n"
		    "    mx-queue retry %s      the server has been "
		    "repaired: try again\r\n"
		    "    mx-queue release %s    it is right: its refusals "
		    "count\r\n", n->domain, n->domain);
}

static char *
compose(const struct notice *n, const char *base, size_t *len)
{
	char *text = NULL;
	FILE *f;

	if ((f = open_memstream(&text, len)) == NULL)
		return NULL;
	print_header(f, n, base);
	print_body(f, n);
	if (fclose(f) == 0)
		return text;
	free(text);
	return NULL;
}

int
notice_send(const struct notice *n, char *id)
{
	char base[MSGID_BASE_MAX + 1], *text = NULL;
	struct envelope e, *list = &e;
	struct draft *d = NULL;
	struct addr a;
	size_t len;
	int result = -1;

	envelope_init(&e);
	if (!addr_parse_mailbox(&a, n->settings->notify)) {
		errno = EINVAL;
		return -1;
	}
	msgid_new(base, n->conf->hostname);
	e.arrived = n->now;
	(void)strlcpy(e.domain, a.domain, sizeof(e.domain));
	(void)strlcpy(e.protocol, "report", sizeof(e.protocol));
	if ((text = compose(n, base, &len)) == NULL ||
	    envelope_set_sender(&e, "", "") == -1 ||
	    envelope_add(&e, n->settings->notify, "") == -1) {
		errno = ENOMEM;
		goto out;
	}
	if ((d = draft_begin(n->spool, &list, 1, base, "")) == NULL ||
	    draft_write(d, text, len) == -1 || draft_commit(d) == -1)
		goto out;
	(void)strlcpy(id, draft_id(d, 0), MSGID_MAX + 1);
	result = 0;
out:
	if (d != NULL)
		draft_abort(d);
	envelope_clear(&e);
	free(text);
	return result;
}
