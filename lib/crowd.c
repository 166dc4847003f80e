/* SPDX-License-Identifier: ISC */
#include "crowd.h"

#include <sys/mman.h>
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

/*
 * Two processes may write for the moment of a hand-over.  A place is taken
 * by its pid; who counts before the client stands beside it is off by one
 * for as long as that takes.
 */
struct place {
	_Atomic pid_t pid;	/* 0: free */
	struct net client;
};

struct crowd {
	atomic_size_t top;	/* no place from here on was ever taken */
	struct place place[CROWD_MAX];
};

struct crowd *
crowd_new(void)
{
	/* Pages that are never touched cost nothing. */
	struct crowd *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	return c == MAP_FAILED ? NULL : c;
}

void
crowd_free(struct crowd *c)
{
	if (c != NULL)
		munmap(c, sizeof(*c));
}

void
crowd_withhold(struct crowd *c)
{
#ifdef MADV_DONTFORK
	(void)madvise(c, sizeof(*c), MADV_DONTFORK);
#else
	(void)minherit(c, sizeof(*c), INHERIT_NONE);
#endif
}

bool
crowd_has_room(const struct crowd *c, const struct net *client, int64_t most,
    int64_t same)
{
	size_t top = c->top;
	int64_t all = 0, like = 0;

	for (size_t i = 0; i < top; i++) {
		if (c->place[i].pid == 0)
			continue;
		all++;
		like += memcmp(&c->place[i].client, client,
		    sizeof(*client)) == 0;
	}
	return all < most && all < CROWD_MAX && (same == 0 || like < same);
}

void
crowd_add(struct crowd *c, const struct net *client, pid_t pid)
{
	size_t top = c->top;
	pid_t none;

	for (size_t i = 0; i < CROWD_MAX; i++) {
		none = 0;
		if (!atomic_compare_exchange_strong(&c->place[i].pid, &none,
		    pid))
			continue;
		c->place[i].client = *client;
		while (top <= i && !atomic_compare_exchange_weak(&c->top,
		    &top, i + 1))
			continue;
		return;
	}
}

void
crowd_remove(struct crowd *c, pid_t pid)
{
	for (size_t i = 0; i < c->top; i++)
		if (c->place[i].pid == pid) {
			c->place[i].pid = 0;
			return;
		}
}

void
crowd_sweep(struct crowd *c)
{
	for (size_t i = 0; i < c->top; i++) {
		pid_t pid = c->place[i].pid;

		if (pid != 0 && kill(pid, 0) == -1 && errno == ESRCH)
			c->place[i].pid = 0;
	}
}
