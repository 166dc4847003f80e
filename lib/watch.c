/* SPDX-License-Identifier: ISC */
#include "watch.h"

#include <sys/stat.h>
#include <stdlib.h>
#include <string.h>

struct watch_file {
	char *path;
	enum watch_what what;
	struct mark {
		bool there;
		dev_t dev;
		ino_t ino;
		mode_t mode;
		uid_t uid;
		gid_t gid;
		off_t size;
		struct timespec time;	/* also moved by a change of mode */
	} mark;
};

void
watch_init(struct watch *w)
{
	w->file = NULL;
	w->n = 0;
}

void
watch_clear(struct watch *w)
{
	for (size_t i = 0; i < w->n; i++)
		free(w->file[i].path);
	free(w->file);
	watch_init(w);
}

static struct mark
look(const char *path, enum watch_what what)
{
	struct mark m = { 0 };
	struct stat st;

	if (stat(path, &st) == -1)
		return m;
	m.there = true;
	m.dev = st.st_dev;
	m.ino = st.st_ino;
	m.mode = st.st_mode;
	m.uid = st.st_uid;
	m.gid = st.st_gid;
	if (what == WATCH_TEXT) {
		m.size = st.st_size;
		m.time = st.st_ctim;
	}
	return m;
}

static bool
is_same(const struct mark *a, const struct mark *b)
{
	return a->there == b->there && a->dev == b->dev && a->ino == b->ino &&
	    a->mode == b->mode && a->uid == b->uid && a->gid == b->gid &&
	    a->size == b->size && a->time.tv_sec == b->time.tv_sec &&
	    a->time.tv_nsec == b->time.tv_nsec;
}

int
watch_add(struct watch *w, const char *path, enum watch_what what)
{
	struct watch_file *f, *grown;

	grown = reallocarray(w->file, w->n + 1, sizeof(*grown));
	if (grown == NULL)
		return -1;
	w->file = grown;
	f = &w->file[w->n];
	if ((f->path = strdup(path)) == NULL)
		return -1;
	f->what = what;
	f->mark = look(path, what);
	w->n++;
	return 0;
}

const char *
watch_changed(struct watch *w)
{
	const char *first = NULL;
	struct mark now;

	for (size_t i = 0; i < w->n; i++) {
		now = look(w->file[i].path, w->file[i].what);
		if (is_same(&now, &w->file[i].mark))
			continue;
		w->file[i].mark = now;
		if (first == NULL)
			first = w->file[i].path;
	}
	return first;
}
