/* SPDX-License-Identifier: ISC */
#ifndef MX_FLUSH_H
#define MX_FLUSH_H

#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "complain.h"
#include "conf.h"
#include "dns.h"
#include "spool.h"

/* What is to be flushed: the queue, or a part of it. */

struct job {
	char domain[ADDR_DOMAIN_MAX + 1];
	const char **id;	/* NULL ends them */
	size_t nid;
	bool whole;		/* not only its ids */
	bool asked;		/* somebody there is to be asked about */
	bool fresh;		/* for the sake of mail that just came */
};

struct flush {
	struct complain complain;
	const char *dir;	/* of the configuration */
	struct conf conf;
	struct spool *spool;
	struct dns *dns;
	bool dry;
	int64_t interval;	/* seconds from one run to the next */
	int jobs;		/* domains that deliver at once */
	char **args;		/* domains and ids; none: all */
	/* As for deliver_domain(). */
	void (*progress)(void *arg, const char *domain, size_t done,
	    size_t total);
	void *progress_arg;
	/*
	 * Signals come in while there is nothing to do, by the mask OPEN, and
	 * at no other time; a handler of the program notes them.  CATCH makes
	 * it so, in a child with SIGHUP as one that ends it.
	 */
	const volatile sig_atomic_t *end;
	volatile sig_atomic_t *hangup;	/* to be set to 0 */
	const sigset_t *open;
	void (*catch)(void);
	bool pulled;		/* the trigger began this run */
	/* To be cleared by flush_forget(). */
	struct job *job;
	size_t njob;
	int status;		/* to exit with: see flush_worsen() */
};

/* The gravest of what happened is the exit status. */
void flush_worsen(struct flush *f, int status);

/* The job for a domain, new or not.  NULL: complained. */
struct job *flush_job(struct flush *f, const char *domain);

/* Jobs for ARGS, or all there are.  0, or -1: complained, nothing to do. */
int flush_find(struct flush *f);
void flush_forget(struct flush *f);

/*
 * In a child of PARENT: what is the parent's alone is put away, what ends it
 * is let in, and it ends with its parent.
 */
void flush_be_child(const struct flush *f, pid_t parent);

#endif
