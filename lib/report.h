/* SPDX-License-Identifier: ISC */
#ifndef MX_REPORT_H
#define MX_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "conf.h"
#include "envelope.h"

/*
 * The text of a report to a sender: RFC 3464 in the form of RFC 6522, and
 * RFC 6533 where an address is not ASCII.  In memory only; who is told of
 * whom is dsn's business.
 */

enum report_action {
	REPORT_NOTHING,		/* the recipient is not in the report */
	REPORT_REFUSED,		/* for good, by the primary, or by ourselves */
	REPORT_EXPIRED,
	REPORT_DELAYED,		/* it waits, and will be tried again */
	REPORT_RELAYED		/* to a server without DSN: RFC 3461 5.2.2 */
};

/* So begins a reply that is none: what we decided, and its status. */
#define REPORT_OURS	"not sent: "

#define REPORT_ORIGINAL_MAX	(64 * 1024)	/* of the original, octets */

struct report {
	const struct conf *conf;
	const struct envelope *envelope;
	const char *id;			/* of the report, without its size */
	time_t now;
	time_t expires;			/* what is delayed; 0 unknown */
	const char *remote;		/* the host that replied; "" unknown */
	const enum report_action *action;	/* for each recipient */
	char *const *replies;		/* for each, "" if none */
	const char *original;		/* as it lies in the spool, or its */
	size_t original_len;		/* first REPORT_ORIGINAL_MAX octets */
	bool complete;			/* it is all there */
};

/*
 * The whole report, *LEN octets, caller frees; NULL when out of memory.
 * The original is in it where RET=FULL was given, something failed, and it
 * is whole and fit to be mailed; else its header.  PARAMS is what MAIL needs
 * to carry it (a constant).
 */
char *report_print(const struct report *r, size_t *len, const char **params);

#endif
