/* SPDX-License-Identifier: ISC */
#include <stdlib.h>
#include <string.h>

#include "envelope.h"
#include "report.h"
#include "tap.h"

#define U "\303\274"

/* One report on one recipient; WANT must be in it, UNWANTED must not. */
static const struct {
	const char *name;
	const char *sender, *params, *rcpt, *rcpt_params;
	enum report_action action;
	const char *reply, *original;
	bool complete;
	const char *mail;	/* parameters of MAIL */
	const char *want[4];
	const char *unwanted;
} table[] = {
	{ "refused", "a@x.test", "", "b@y.test", "", REPORT_REFUSED,
	    "550 5.1.1 no", "A: b\r\n\r\nbody\r\n", true, "",
	    { "\r\nAction: failed\r\nStatus: 5.1.1\r\n",
	    "\r\nDiagnostic-Code: smtp; 550 5.1.1 no\r\n",
	    "text/rfc822-headers", "\r\nRemote-MTA: dns; p.test\r\n" },
	    "body\r\n" },
	{ "refused, but the status says otherwise", "a@x.test", "",
	    "b@y.test", "", REPORT_REFUSED, "550 2.0.0 no", "", true, "",
	    { "\r\nStatus: 5.0.0\r\n", "", "", "" }, NULL },
	{ "expired", "a@x.test", "", "b@y.test", "", REPORT_EXPIRED,
	    "451 4.3.0 later", "A: b\r\n", true, "",
	    { "\r\nStatus: 4.4.7\r\n", "the last answer: 451", "", "" },
	    "Remote-MTA" },
	{ "relayed", "a@x.test", "RET=FULL", "b@y.test", "", REPORT_RELAYED,
	    "250 2.6.0 ok", "A: b\r\n\r\nbody\r\n", true, "",
	    { "\r\nAction: relayed\r\nStatus: 2.6.0\r\n", "Subject: Passed on",
	    "text/rfc822-headers", "" }, "body\r\n" },
	{ "our own words", "a@x.test", "", "b@y.test", "", REPORT_REFUSED,
	    REPORT_OURS "5.6.7 no", "A: b\r\n", true, "",
	    { "\r\nStatus: 5.6.7\r\nRemote-MTA",
	    "\r\nDiagnostic-Code: x-mxkeep; not sent: 5.6.7 no\r\n", "", "" },
	    "answer: " },
	{ "all of it", "a@x.test", "RET=FULL", "b@y.test", "",
	    REPORT_REFUSED, "", "A: b\r\n\r\nbody\r\n", true, "",
	    { "message/rfc822", "\r\n\r\nA: b\r\n\r\nbody\r\n", "", "" },
	    NULL },
	{ "all of it, but it is cut", "a@x.test", "RET=FULL", "b@y.test", "",
	    REPORT_REFUSED, "", "A: b\r\n\r\nbody\r\n", false, "",
	    { "text/rfc822-headers", "", "", "" }, "body\r\n" },
	{ "all of it, but for a bare LF", "a@x.test", "RET=FULL", "b@y.test",
	    "", REPORT_REFUSED, "", "A: b\r\n\r\nbody\nmore\r\n", true, "",
	    { "text/rfc822-headers", "", "", "" }, "body\n" },
	{ "a header that is cut", "a@x.test", "", "b@y.test", "",
	    REPORT_REFUSED, "", "A: b\r\nC: d", false, "",
	    { "\r\n\r\nA: b\r\n\r\n--mxkeep-", "", "", "" }, "C: d" },
	{ "8 bits", "a@x.test", "", "b@y.test", "", REPORT_REFUSED, "",
	    "A: \374\r\n", true, "BODY=8BITMIME",
	    { "text/rfc822-headers", "A: \374\r\n", "", "" }, "global" },
	{ "SMTPUTF8, addresses in ASCII", "a@x.test", "SMTPUTF8", "b@y.test",
	    "ORCPT=utf-8;" U, REPORT_REFUSED, "", "A: " U "\r\n", true,
	    "BODY=8BITMIME", { "message/global-headers",
	    "\r\nContent-Type: message/delivery-status\r\n",
	    "\r\nOriginal-Recipient: utf-8; \\x{FC}\r\n", "" }, NULL },
	{ "a sender beyond ASCII", U "@x.test", "", "b@y.test", "",
	    REPORT_REFUSED, "", "A: b\r\n", true, "BODY=8BITMIME SMTPUTF8",
	    { "report-type=global-delivery-status",
	    "\r\nContent-Type: message/global-delivery-status\r\n",
	    "\r\nTo: <" U "@x.test>\r\n",
	    "\r\nFinal-Recipient: rfc822; b@y.test\r\n" }, NULL },
	{ "control characters beyond ASCII", "a@x.test", "",
	    "\302\205@y.test", "", REPORT_REFUSED, "", "A: b\r\n", true, "",
	    { "\r\nContent-Type: message/delivery-status\r\n", "", "", "" },
	    "\302\205" },
	{ "no UTF-8", "a@x.test", "", "\374@y.test", "", REPORT_REFUSED, "",
	    "A: b\r\n", true, "",
	    { "\r\nFinal-Recipient: rfc822; \\374@y.test\r\n", "", "", "" },
	    "\374" },
	{ "words of a peer that would break a line", "a@x.test", "",
	    "b@y.test", "ORCPT=rfc822;x+0D+0AX:", REPORT_REFUSED,
	    "550 \033[2J\r\nX: y", "", true, "",
	    { "\r\nOriginal-Recipient: rfc822; x\\r\\nX:\r\n", "", "", "" },
	    "\r\nX:" }
};

static bool
lines_fit(const char *text)
{
	size_t n;

	for (; *text != '\0'; text += n + 2) {
		n = strcspn(text, "\r\n");
		if (n > 998 || strncmp(text + n, "\r\n", 2) != 0)
			return false;
	}
	return true;
}

static void
test_table(size_t t)
{
	struct envelope e;
	struct conf conf;
	const char *name = table[t].name, *params;
	char *replies[1], *text, reply[64];
	struct report r = {
		.conf = &conf, .envelope = &e, .id = "1.M1P1Q1.h",
		.now = 1764000000, .remote = "p.test",
		.action = &table[t].action, .replies = replies,
		.original = table[t].original,
		.original_len = strlen(table[t].original),
		.complete = table[t].complete
	};
	size_t len = 0;

	conf_init(&conf);
	(void)strlcpy(conf.hostname, "mx2.test", sizeof(conf.hostname));
	(void)strlcpy(reply, table[t].reply, sizeof(reply));
	replies[0] = reply;
	envelope_init(&e);
	e.arrived = 1763900000;
	(void)strlcpy(e.domain, "y.test", sizeof(e.domain));
	envelope_set_sender(&e, table[t].sender, table[t].params);
	envelope_add(&e, table[t].rcpt, table[t].rcpt_params);
	text = report_print(&r, &len, &params);
	if (ok(text != NULL, "%s: printed", name)) {
		is_int(len, strlen(text), "%s: no NUL in it", name);
		is_str(params, table[t].mail, "%s: parameters", name);
		for (size_t i = 0; i < 4; i++)
			if (!ok(strstr(text, table[t].want[i]) != NULL,
			    "%s: has %zu", name, i + 1))
				printf("# %s\n", table[t].want[i]);
		ok(table[t].unwanted == NULL ||
		    strstr(text, table[t].unwanted) == NULL,
		    "%s: has nothing else", name);
		ok(lines_fit(text), "%s: lines as they must be", name);
	}
	free(text);
	envelope_clear(&e);
}

int
main(void)
{
	for (size_t t = 0; t < sizeof(table) / sizeof(table[0]); t++)
		test_table(t);
	return done_testing();
}
