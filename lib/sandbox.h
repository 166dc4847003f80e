/* SPDX-License-Identifier: ISC */
#ifndef MX_SANDBOX_H
#define MX_SANDBOX_H

#include <sys/resource.h>
#include <stdbool.h>
#include <stddef.h>

/*
 * Gives away, for good, what this process and its children will not need:
 * files by Landlock, system calls by a short seccomp deny-list (never an
 * allow-list: libraries change), resources by limits.  Each layer that the
 * kernel lacks is passed over and named.  Descriptors that are open stay so:
 * what they were opened for can still be done, but to open something below a
 * directory takes a right like any other.  stat(2), access(2) and
 * readlink(2) are nobody's right, and stay.
 */

/* What may be done beneath a path, by nobody else and nowhere else. */
#define SANDBOX_READ		0x01	/* read files, map libraries */
#define SANDBOX_LIST		0x02	/* open and read directories */
#define SANDBOX_WRITE		0x04	/* write files; a FIFO too */
#define SANDBOX_TRUNCATE	0x08
#define SANDBOX_MAKE		0x10	/* make or link regular files */
#define SANDBOX_MAKE_DIR	0x20
#define SANDBOX_REMOVE		0x40	/* remove or rename files */
#define SANDBOX_REFER		0x80	/* link, rename from and to elsewhere */

struct sandbox_path {
	int fd;			/* the file or directory itself if PATH is
				   NULL; else where PATH begins, or -1 */
	const char *path;	/* a missing one is passed over */
	unsigned rights;	/* for a file: READ, WRITE, TRUNCATE only */
};

/*
 * FSIZE holds for standard error too, if that is a file: a log that has
 * grown to it ends.  PARENT is for a process that has no more to do with
 * strangers than to accept(2) them: it keeps fork, signals, and Unix sockets
 * (syslog(3) may have to connect again); its children call sandbox_narrow.
 */
struct sandbox_limits {
	rlim_t fsize;		/* octets of a file; RLIM_INFINITY: as it is */
	rlim_t nofile;		/* descriptors; the same */
	bool parent;
};

/* The layers that hold. */
#define SANDBOX_FILES	0x1	/* Landlock */
#define SANDBOX_CALLS	0x2	/* seccomp */
#define SANDBOX_LIMITS	0x4
#define SANDBOX_ALL	0x7

/*
 * Enters with N paths.  Returns the layers that hold; ACTIVE, of SIZE octets
 * (SANDBOX_ACTIVE_SIZE is enough), gets them in words for the log, and why
 * one is missing.  Call it once, in a process of one thread.  Microseconds.
 */
#define SANDBOX_ACTIVE_SIZE	256
unsigned sandbox_enter(const struct sandbox_path *paths, size_t n,
    const struct sandbox_limits *limits, char *active, size_t size);

/*
 * For a child of a PARENT, before it reads the first octet of a stranger: no
 * fork, no signals, no socket from here on, and its siblings and their files
 * are as far away as any other process.  Returns the layers that hold.
 */
unsigned sandbox_narrow(int prepared);

/*
 * What it takes, once for all children: a descriptor, yours to close, or -1
 * where there is no Landlock.
 */
int sandbox_prepare(void);

#endif
