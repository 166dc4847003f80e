/* SPDX-License-Identifier: ISC */
#ifndef MX_SMTP_PARAMS_H
#define MX_SMTP_PARAMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "envelope.h"
#include "smtp_session.h"
#include "stream.h"

/*
 * MAIL and RCPT as a client says them: the envelope's parameters go unchanged
 * to a server that offers their extension (RFC 3461 5.2.1, RFC 6152, RFC 6531,
 * RFC 8689), and not at all to others.
 */

enum smtp_lack {
	SMTP_LACKS_NOTHING,
	SMTP_LACKS_SMTPUTF8,	/* RFC 6531 3.2 */
	SMTP_LACKS_REQUIRETLS,	/* the extension, or authenticated TLS to rely
				   on (RFC 8689 4.2.1) */
	SMTP_LACKS_ROOM		/* by its SIZE (RFC 1870 6.1) */
};
#define SMTP_NLACKS (SMTP_LACKS_ROOM + 1)

/*
 * What keeps a message with this envelope, of SIZE octets, from being sent to
 * the server.
 */
enum smtp_lack smtp_params_lack(const struct smtp_session *s,
    const struct envelope *e, int64_t size);
/* Of the server alone: would such a message be kept from it? */
bool smtp_params_lacks(const struct smtp_session *s, enum smtp_lack lack);
/* "not sent: it needs SMTPUTF8, which is not offered"; "" for NOTHING. */
const char *smtp_params_lack_text(enum smtp_lack lack);

/* The commands, with CRLF; SIZE (RFC 1870) in octets.  0, or -1 with errno. */
int smtp_params_mail(const struct smtp_session *s, const struct envelope *e,
    int64_t size);
int smtp_params_rcpt(const struct smtp_session *s, const struct recipient *r);

#endif
