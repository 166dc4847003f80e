/* SPDX-License-Identifier: ISC */
#ifndef MX_PARAM_H
#define MX_PARAM_H

#include <stdbool.h>
#include <stdint.h>

/*
 * The parameters of MAIL and RCPT (RFC 5321 4.1.2): SIZE (RFC 1870), BODY
 * (RFC 6152), SMTPUTF8 (RFC 6531), REQUIRETLS (RFC 8689), RET, ENVID, NOTIFY
 * and ORCPT (RFC 3461, RFC 6533).  Grammar only: whether a size is too big
 * or a demand can be kept, others know.
 */

#define PARAM_ENVID_MAX	100	/* RFC 3461 4.4, as xtext */
#define PARAM_ORCPT_MAX	500	/* RFC 3461 4.2, with its type */

/* What EHLO offered; a parameter of anything else is PARAM_UNKNOWN. */
enum param_offer {
	PARAM_SIZE = 1 << 0,
	PARAM_8BITMIME = 1 << 1,
	PARAM_SMTPUTF8 = 1 << 2,	/* of RCPT: ORCPT may have raw UTF-8 */
	PARAM_REQUIRETLS = 1 << 3,
	PARAM_DSN = 1 << 4
};

enum param_result {
	PARAM_OK,
	PARAM_BAD,	/* 501 5.5.4: not the grammar, or given twice */
	PARAM_UNKNOWN	/* 555 5.5.4: known to nobody, or not offered; so is
			   BODY=BINARYMIME, a value of RFC 3030 2's own
			   extension */
};

enum param_body { PARAM_BODY_NONE, PARAM_BODY_7BIT, PARAM_BODY_8BITMIME };
enum param_ret { PARAM_RET_NONE, PARAM_RET_FULL, PARAM_RET_HDRS };

struct param_mail {
	int64_t size;			/* octets; -1 absent; INT64_MAX also
					   stands for more */
	enum param_body body;
	enum param_ret ret;
	bool smtputf8;
	bool requiretls;
	char envid[PARAM_ENVID_MAX + 1];	/* xtext, as written */
	char text[192];			/* to be kept and sent on: all but
					   SIZE, always in one order, keywords
					   upper-case, values as written */
	char fault[32];			/* the keyword at fault, upper-case,
					   cut short; "" if none is legible */
};

/* Bits of param_rcpt's notify; 0 is not given. */
enum param_notify {
	PARAM_NEVER = 1 << 0,
	PARAM_SUCCESS = 1 << 1,
	PARAM_FAILURE = 1 << 2,
	PARAM_DELAY = 1 << 3
};

struct param_rcpt {
	unsigned notify;
	char orcpt[PARAM_ORCPT_MAX + 1];	/* type;xtext, as written */
	char text[576];
	char fault[32];
};

/*
 * TEXT is what stands behind the path: nothing, or blanks and parameters.
 * OFFERED are bits of param_offer.  But for fault, nothing in the struct
 * means anything unless PARAM_OK is returned.
 */
enum param_result param_mail_parse(struct param_mail *m, const char *text,
    unsigned offered);
enum param_result param_rcpt_parse(struct param_rcpt *r, const char *text,
    unsigned offered);

#endif
