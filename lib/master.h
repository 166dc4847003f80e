/* SPDX-License-Identifier: ISC */
#ifndef MX_MASTER_H
#define MX_MASTER_H

#include <stdbool.h>

#include "crowd.h"
#include "watch.h"

/*
 * The process over a listener.  It never reads a byte from a stranger and
 * keeps what rights it has; a child that has loaded what is needed and has
 * locked itself in accepts.  When a file changes that was loaded, a new
 * child takes over, and the old one ends when the new one is ready: no
 * connection is refused meanwhile, and if the new one is not to be had the
 * old one goes on.  A child that dies is replaced.
 */

#define MASTER_LOOK	5000	/* milliseconds between looks at the files */

struct master_child {
	struct crowd *crowd;
	int control;		/* at its end: stop accepting and return */
	int ready;
	bool alone;		/* nobody else accepts: better a child that
				   sends clients away than none */
};

/* The child accepts; or, if not WELL, it can only send clients away. */
void master_ready(struct master_child *child, bool well);

enum master_end {
	MASTER_END,		/* the control was at its end */
	MASTER_UNFIT,		/* could not begin; the reason is in the log */
	MASTER_BROKEN		/* nobody can ever accept: the master ends */
};

struct master {
	/*
	 * In the master: reads what children will need, and adds all it
	 * depends on to W.  If it fails it has said why in the log, and what
	 * the last call has read stays in force.
	 */
	bool (*load)(void *arg, struct watch *w);
	enum master_end (*run)(void *arg, struct master_child *child);
	void *arg;
};

/*
 * Never returns but with MASTER_BROKEN, or MASTER_UNFIT when it cannot begin
 * itself (errno).  SIGHUP makes it load at once.  Whatever ends it, the
 * children stop accepting then.
 */
enum master_end master_run(const struct master *m);

#endif
