/* SPDX-License-Identifier: ISC */

#include <sys/types.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "children.h"
#include "crew.h"
#include "deadline.h"

/* One that works; the memory is shared with its child. */
struct hand {
	size_t job;
	pid_t pid;		/* 0: free */
	int fd;			/* closed at the other end when it is done */
	int64_t deadline;
	struct page {
		bool whole;
		size_t len;
		char text[];	/* the note, then the text */
	} *page;
};

struct outcome {		/* kept until those before it are done */
	char *text;		/* with the note before it */
	size_t len;
	const char *why;
	bool ended;
};

static size_t
page_size(const struct crew *crew)
{
	return sizeof(struct page) + crew->note + CREW_TEXT_MAX;
}

static void __attribute__((noreturn))
work(const struct crew *crew, struct hand *h)
{
	char *text = NULL;
	size_t len = 0;
	FILE *out;

	if ((out = open_memstream(&text, &len)) == NULL)
		_exit(1);
	crew->work(h->job, out, h->page->text, crew->arg);
	if (fclose(out) == EOF || len > CREW_TEXT_MAX)
		_exit(1);
	memcpy(h->page->text + crew->note, text, len);
	h->page->len = len;
	h->page->whole = true;
	_exit(0);
}

static bool
begin(const struct crew *crew, struct hand *h, size_t job)
{
	int fds[2];

	if (pipe(fds) == -1)
		return false;
	h->page->whole = false;
	memset(h->page->text, 0, crew->note);
	h->job = job;
	h->deadline = deadline_in(crew->limit);
	switch (h->pid = children_fork()) {
	case -1:
		close(fds[0]);
		close(fds[1]);
		h->pid = 0;
		return false;
	case 0:
		close(fds[0]);
		work(crew, h);
	}
	close(fds[1]);
	h->fd = fds[0];
	return true;
}

static void
end(const struct crew *crew, struct hand *h, struct outcome *o,
    const char *why)
{
	int status = 0;

	if (why != NULL)
		(void)kill(h->pid, SIGKILL);
	close(h->fd);
	while (waitpid(h->pid, &status, 0) == -1 && errno == EINTR)
		continue;
	h->pid = 0;
	o->ended = true;
	o->why = why != NULL ? why : WIFSIGNALED(status) ?
	    "ended by a signal" : h->page->whole ? NULL :
	    "out of memory, or too much text";
	o->len = h->page->len;
	if (o->why != NULL)
		return;
	if ((o->text = malloc(crew->note + o->len + 1)) == NULL)
		o->why = "out of memory";
	else
		memcpy(o->text, h->page->text, crew->note + o->len);
}

/* Waits for the first that ends, or whose time does. */
static void
wait_any(const struct crew *crew, struct hand *hand, struct outcome *o)
{
	struct pollfd pfd[CREW_ATONCE_MAX];
	struct hand *of[CREW_ATONCE_MAX];
	int64_t first = INT64_MAX;
	size_t i, n = 0;

	for (i = 0; i < crew->atonce; i++)
		if (hand[i].pid != 0) {
			first = deadline_min(first, hand[i].deadline);
			pfd[n] = (struct pollfd){ .fd = hand[i].fd,
				.events = POLLIN };
			of[n++] = &hand[i];
		}
	if (poll(pfd, n, deadline_left(first)) == -1)
		return;
	for (i = 0; i < n; i++)
		if (pfd[i].revents != 0)
			end(crew, of[i], &o[of[i]->job], NULL);
		else if (deadline_left(of[i]->deadline) == 0)
			end(crew, of[i], &o[of[i]->job], "out of time");
}

/* Hands out those whose turn it is. */
static size_t
deliver(const struct crew *crew, struct outcome *o, size_t next)
{
	struct crew_result r;

	for (; next < crew->jobs && o[next].ended; next++) {
		r.why = o[next].why;
		r.note = o[next].text;
		r.text = r.why == NULL ? o[next].text + crew->note : NULL;
		r.len = r.why == NULL ? o[next].len : 0;
		crew->done(next, &r, crew->arg);
		free(o[next].text);
		o[next].text = NULL;
	}
	return next;
}

static size_t
begin_more(const struct crew *crew, struct hand *hand, struct outcome *o,
    size_t begun, size_t *live)
{
	size_t i;

	*live = 0;
	for (i = 0; i < crew->atonce; i++) {
		if (hand[i].pid == 0 && begun < crew->jobs) {
			if (!begin(crew, &hand[i], begun)) {
				if (*live > 0 || i + 1 < crew->atonce)
					continue;	/* later */
				o[begun].ended = true;
				o[begun].why = strerror(errno);
			}
			begun++;
		}
		if (hand[i].pid != 0)
			(*live)++;
	}
	return begun;
}

int
crew_run(const struct crew *given)
{
	struct crew crew = *given;
	struct hand hand[CREW_ATONCE_MAX] = { { 0 } };
	struct outcome *o;
	size_t i, begun = 0, next = 0, live;
	int result = -1;

	if (crew.atonce == 0 || crew.atonce > CREW_ATONCE_MAX)
		crew.atonce = CREW_ATONCE_MAX;
	if (crew.atonce > crew.jobs)
		crew.atonce = crew.jobs;
	if ((o = calloc(crew.jobs + 1, sizeof(*o))) == NULL)
		return -1;
	for (i = 0; i < crew.atonce; i++)
		if ((hand[i].page = children_share(page_size(&crew))) == NULL)
			goto out;
	while (next < crew.jobs) {
		begun = begin_more(&crew, hand, o, begun, &live);
		if (live > 0)
			wait_any(&crew, hand, o);
		next = deliver(&crew, o, next);
	}
	result = 0;
out:
	for (i = 0; i < crew.atonce; i++)
		children_unshare(hand[i].page, page_size(&crew));
	free(o);
	return result;
}
