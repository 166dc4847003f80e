/* SPDX-License-Identifier: ISC */
#ifndef MX_WATCH_H
#define MX_WATCH_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Files that somebody may change, and what they were when they were added:
 * a process that has read them can tell that it is out of date.  Symbolic
 * links are followed, so turning one to another file is a change too.
 */

struct watch_file;

struct watch {
	struct watch_file *file;
	size_t n;
};

enum watch_what {
	WATCH_TEXT,		/* any change of the file, or of a directory's
				   names */
	WATCH_PLACE		/* only that another file is there, or that
				   its owner or mode is another */
};

void watch_init(struct watch *w);
void watch_clear(struct watch *w);

/*
 * Notes what PATH, which is copied, is now; a file that is not there may
 * come.  0, or -1 with errno when out of memory.
 */
int watch_add(struct watch *w, const char *path, enum watch_what what);

/*
 * The first path that is not what it was when it was added or last asked
 * for, good until the next watch_add or watch_clear; NULL if all are as
 * they were.  All that changed is noted, so it is told once.
 */
const char *watch_changed(struct watch *w);

#endif
