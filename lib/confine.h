/* SPDX-License-Identifier: ISC */
#ifndef MX_CONFINE_H
#define MX_CONFINE_H

#include <stdbool.h>
#include <stddef.h>

#include "conf.h"
#include "sandbox.h"
#include "spool.h"

/*
 * The rights that a receiver keeps (mx-receive(8), SANDBOX): to add mail to
 * the spool, to read the configuration, and to load late what few sessions
 * ask for.
 */

/* Files of the configuration that are, or lead, out of its directory. */
struct confine {
	char **file;
	size_t n;
	int prepared;		/* for those that are narrowed; -1 */
	bool lacking;		/* a layer that was wanted is not there */
};

void confine_init(struct confine *c);
void confine_clear(struct confine *c);

/*
 * Looks for them in mxkeep.conf and in MOST files of domains.  0, or -1 with
 * errno; what was found is there all the same.
 */
int confine_find(struct confine *c, const struct conf *conf, size_t most);

/*
 * Enters, as conf's "sandbox" wants it.  As PARENT for a process that forks
 * one for each connection, which calls confine_narrow.  ACTIVE, of
 * SANDBOX_ACTIVE_SIZE, says in words what holds.  False: it is required and
 * not to be had.
 */
bool confine_enter(struct confine *c, const struct conf *conf,
    const struct spool *sp, bool parent, char *active);
bool confine_narrow(const struct confine *c, const struct conf *conf);

#endif
