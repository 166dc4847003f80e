/* SPDX-License-Identifier: ISC */
#ifndef MX_DESK_H
#define MX_DESK_H

#include <stdbool.h>
#include <stdio.h>
#include <time.h>

#include "complain.h"
#include "conf.h"
#include "message.h"
#include "outlook.h"
#include "row.h"
#include "scan.h"
#include "spool.h"

/*
 * Where the operator sits: what the verbs of mx-queue(8) have in common.  A
 * verb takes the words behind it, up to a NULL, and returns 0, or -1 when it
 * was given up.  What goes wrong has then been complained of, and so has all
 * that hinders it with one message only.
 */

struct desk {
	struct complain complain;
	struct conf conf;
	struct spool *spool;
	struct row row;		/* where all output goes; see ferror() */
	FILE *in;		/* a list of names, or a message */
	bool dry;		/* -n */
	bool quiet;		/* -q: ids alone */
	bool nul;		/* -0 */
	bool wire;		/* cat -w */
	const char *sender;	/* add -f */
	const char *why;	/* hold -m, bounce -m; NULL: none given */
	time_t until;		/* hold -u; 0: until it is released */
	time_t now;
	struct outlook outlook;	/* see desk_know(); to be cleared */
	char woken[ADDR_DOMAIN_MAX + 1];	/* the last one */
};

/* Of a domain, until the next call; NULL: complained. */
const struct outlook *desk_know(struct desk *d, const char *domain);

/* E is NULL for a domain as a whole.  0, or -1: that is enough. */
typedef int desk_visitor(struct desk *d, const char *domain,
    const struct scan_entry *e);

/* The messages, and if they are wanted the DOMAINS, that ARG names. */
int desk_visit(struct desk *d, char **arg, bool domains, desk_visitor *fn);

/* The domains that ARG names; if it names none, those of the spool. */
typedef int desk_domain_visitor(struct desk *d, const char *domain);
int desk_visit_domains(struct desk *d, char **arg, desk_domain_visitor *fn);

/* Has the domain a directory in the spool?  1, 0, or -1: complained. */
int desk_is_spooled(struct desk *d, const char *domain);

/*
 * Opens a message, see message_open().  False: complained, except that one
 * which is gone is only worth a word where it was ASKED for by its id.
 */
bool desk_open(struct desk *d, const char *domain, const struct scan_entry *e,
    bool lock, bool asked, struct message *m);

/* "removed", and what: a word for the log, and for eyes. */
void desk_done(struct desk *d, const char *what, const char *name);

#endif
