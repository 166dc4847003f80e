/* SPDX-License-Identifier: ISC */
#ifndef MX_INQUIRY_H
#define MX_INQUIRY_H

#include <stdbool.h>

#include "link.h"
#include "spool.h"

/*
 * Asking the primary, politely, who exists of those that the receiver knows
 * nothing about ("recipients verify").
 */

#define INQUIRY_MAX	20	/* recipients of a domain in a run */
#define INQUIRY_REFUSED	8	/* of these, at most: servers count them */

struct inquiry {
	struct link *link;
	struct spool *spool;
	const char *domain;
	const char *file;	/* of the domain, as conf_domain() gives it */
	bool believe;		/* the server is itself, so that a refusal is
				   one */
};

/*
 * Asks over the link, which is opened if it is not, and remembers what was
 * answered.  Two more are asked about: the postmaster, whom any server takes
 * (RFC 5321 4.5.1), and somebody who cannot exist.  If the former is refused,
 * so is everybody, and no refusal is believed; if the latter is accepted, so
 * is everybody, and that is remembered.  Whom it did not come to, or who got
 * another answer, is asked about the next time.  Called under the domain's
 * lock.  Does nothing where nobody is to be asked about.
 */
void inquiry_run(struct inquiry *q);

#endif
