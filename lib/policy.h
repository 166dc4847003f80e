/* SPDX-License-Identifier: ISC */
#ifndef MX_POLICY_H
#define MX_POLICY_H

#include <stdbool.h>
#include <stdint.h>

#include "addr.h"
#include "conf.h"
#include "domain.h"
#include "spool.h"

/*
 * Whose mail is kept here: what the configuration, the lists of recipients
 * and what is known of a domain's primary say of one recipient.  Nothing is
 * asked of the network, and nothing depends on what lies in the spool but
 * the quota.
 */

/* A state older than this says nothing: the flusher runs each 15 minutes. */
#define POLICY_FRESH	(20 * 60)	/* seconds */

enum policy_verdict {
	POLICY_ACCEPT,
	POLICY_UNVERIFIED,	/* accept; nobody vouches for the address */
	POLICY_RELAY,		/* not a domain that is kept here */
	POLICY_ROUTING,		/* the local part asks for routing */
	POLICY_BROKEN,		/* our configuration or a list: try later */
	POLICY_NOBODY,		/* not on the list, or the primary said so */
	POLICY_UNKNOWN_DEFER,	/* "unknown defer" */
	POLICY_UNKNOWN_REJECT,	/* "unknown reject" */
	POLICY_NO_UTF8,		/* the primary does not take SMTPUTF8 */
	POLICY_NO_TLS,		/* REQUIRETLS cannot be kept on the way out */
	POLICY_TLS_UNKNOWN,	/* nobody knows yet whether it can */
	POLICY_TOO_BIG,		/* for the primary, by its SIZE */
	POLICY_QUOTA,		/* as much as may wait for the domain waits */
	POLICY_PRIMARY_UP	/* "when-up defer" */
};

/* What is asked about. */
struct policy_mail {
	const char *client;	/* numeric address, "" unknown */
	const char *sender;	/* "" for the null path */
	int64_t size;		/* octets as MAIL announced them; 0 unknown */
	bool utf8;		/* SMTPUTF8 was asked for */
	bool requiretls;	/* REQUIRETLS was (RFC 8689) */
};

struct policy;

/* NULL with errno.  CONF and SPOOL are borrowed; SPOOL may be NULL. */
struct policy *policy_new(const struct conf *conf, struct spool *spool);
void policy_free(struct policy *p);

/*
 * What becomes of mail for RCPT, which must not be <>; <postmaster> is given
 * its domain.  What was learnt of a domain holds for as long as P is asked
 * about it, and is learnt anew after another.  If NOTE is not NULL it is
 * called with each thing looked at and what was found, both for people.
 */
typedef void policy_note(void *arg, const char *what, const char *found);
enum policy_verdict policy_rcpt(struct policy *p,
    const struct policy_mail *mail, struct addr *rcpt, policy_note *note,
    void *arg);

/*
 * Takes room for a message of BYTES octets within the quota of DOMAIN, one
 * that was accepted, before the commit; the second gives it back when that
 * failed.  POLICY_ACCEPT, POLICY_QUOTA or POLICY_BROKEN.
 */
enum policy_verdict policy_take(struct policy *p, const char *domain,
    int64_t bytes);
void policy_give(struct policy *p, const char *domain, int64_t bytes);

/*
 * Of the domain asked about last: its name in A-labels, its file; the
 * biggest message its primary takes, 0 if it did not say; why the verdict
 * was POLICY_BROKEN; and whether new mail for it should wake the flusher,
 * because its primary is up, or nothing recent is known.
 */
const char *policy_domain(const struct policy *p);
const char *policy_file(const struct policy *p);
int64_t policy_size(const struct policy *p);
const char *policy_error(const struct policy *p);
bool policy_wakes(const struct policy *p);

#endif
