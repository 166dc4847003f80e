/* SPDX-License-Identifier: ISC */
#include "team.h"

#include <sys/mman.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "deadline.h"

#define FIRST_AFTER	20	/* milliseconds until the first member comes */
#define NEXT_AFTER	50	/* and each other one */
#define LOOK_EVERY	100	/* who waits for the others */
#define REST		10000	/* after trouble */
#define BUSY		0.6	/* of a processor: another would not help */

struct board {			/* shared */
	_Atomic size_t next;
	_Atomic bool stop;
	_Atomic bool dismissed;	/* nobody is to wait for the others */
	_Atomic int wanted;	/* processes */
	_Atomic int64_t grow_at;
};

struct team {
	struct board *board;
	size_t board_len;
	size_t total;
	int most;
	int rank;		/* 0: the leader */
	bool lost;		/* a member did not come to its end */
	pid_t *pid;		/* by rank; 0: none */
	int meet[2];		/* a pipe: at its end when all have come */
	int lock;		/* a file that nobody else sees */
	int64_t looked;		/* milliseconds; when is_short() last judged */
	double used;		/* seconds of processor until then */
};

/* What is shared: the board, the caller's memory, a mark for each job. */
#define BOARD_SIZE	64
_Static_assert(sizeof(struct board) <= BOARD_SIZE, "the board is larger");

static unsigned char *
marks(const struct team *t)
{
	return (unsigned char *)t->board + t->board_len - t->total;
}

struct team *
team_new(size_t total, int64_t most, size_t size)
{
	struct team *t;
	void *p;

	if ((t = calloc(1, sizeof(*t))) == NULL)
		return NULL;
	t->meet[0] = t->meet[1] = t->lock = -1;
	t->total = total;
	t->most = (int)most;
	t->board_len = BOARD_SIZE + size + total;
	p = mmap(NULL, t->board_len, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (p == MAP_FAILED) {
		free(t);
		return NULL;
	}
	t->board = p;
	t->board->wanted = 1;
	t->board->grow_at = deadline_in(FIRST_AFTER);
	t->looked = deadline_now();
	t->pid = calloc((size_t)most, sizeof(*t->pid));
	if (t->pid != NULL && pipe2(t->meet, O_CLOEXEC) == 0 && (t->lock =
	    memfd_create("mxkeep", MFD_CLOEXEC)) != -1)
		return t;
	team_free(t);
	return NULL;
}

static void
close_end(int *fd)
{
	if (*fd != -1)
		close(*fd);
	*fd = -1;
}

void
team_free(struct team *t)
{
	int saved = errno;

	if (t == NULL)
		return;
	close_end(&t->meet[1]);
	team_dismiss(t);
	close_end(&t->meet[0]);
	close_end(&t->lock);
	(void)munmap(t->board, t->board_len);
	free(t->pid);
	free(t);
	errno = saved;
}

void *
team_memory(struct team *t)
{
	return (char *)t->board + BOARD_SIZE;
}

/*** The jobs ***/

bool
team_next(struct team *t, size_t *i)
{
	if (atomic_load(&t->board->stop))
		return false;
	if (atomic_load(&t->board->next) < t->total)
		*i = atomic_fetch_add(&t->board->next, 1);
	else
		*i = t->total;
	return *i < t->total;
}

size_t
team_taken(const struct team *t)
{
	size_t n = atomic_load(&t->board->next);

	return n < t->total ? n : t->total;
}

void
team_stop(struct team *t)
{
	atomic_store(&t->board->stop, true);
}

void
team_mark(struct team *t, size_t i, unsigned char mark)
{
	marks(t)[i] = mark;
}

unsigned char
team_marked(const struct team *t, size_t i)
{
	return (unsigned char)marks(t)[i];
}

/*** Members ***/

static double
processor_time(void)
{
	struct timespec ts;

	if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts) == -1)
		return 0;
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

bool
team_is_short(struct team *t)
{
	int64_t now = deadline_now(), past = now - t->looked;
	double used, share;

	if (t->most == 1 || atomic_load(&t->board->stop) ||
	    now < atomic_load(&t->board->grow_at) || past <= 0 ||
	    team_taken(t) == t->total)
		return false;
	used = processor_time();
	share = (used - t->used) * 1000 / (double)past;
	t->looked = now;
	t->used = used;
	atomic_store(&t->board->grow_at, now + NEXT_AFTER);
	return share < BUSY && (int)team_others(t) + 1 < t->most;
}

static void
become_member(struct team *t, int rank, pid_t leader)
{
#ifdef __linux__
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
	if (getppid() != leader)	/* it died before that */
		_exit(1);
	t->rank = rank;
	memset(t->pid, 0, (size_t)t->most * sizeof(*t->pid));
}

bool
team_grow(struct team *t)
{
	pid_t pid, leader = getpid();
	int rank = 1;

	while (rank < t->most && t->pid[rank] != 0)
		rank++;
	if (rank == t->most)
		return false;
	atomic_store(&t->board->wanted, (int)team_others(t) + 2);
	if ((pid = fork()) == -1)
		return false;
	if (pid == 0) {
		become_member(t, rank, leader);
		return true;
	}
	t->pid[rank] = pid;
	return false;
}

void
team_shrink(struct team *t)
{
	int wanted = atomic_load(&t->board->wanted);

	if (wanted > 1)
		atomic_compare_exchange_strong(&t->board->wanted, &wanted,
		    wanted - 1);
	atomic_store(&t->board->grow_at, deadline_in(REST));
}

bool
team_is_wanted(const struct team *t)
{
	return t->rank == 0 || t->rank < atomic_load(&t->board->wanted);
}

bool
team_is_member(const struct team *t)
{
	return t->rank != 0;
}

/* False if it is still there, which only WNOHANG allows. */
static bool
reap(struct team *t, int rank, int flags)
{
	int status = 0;
	pid_t pid;

	while ((pid = waitpid(t->pid[rank], &status, flags)) == -1 &&
	    errno == EINTR)
		continue;
	if (pid == 0)
		return false;
	t->pid[rank] = 0;
	t->lost = t->lost || pid == -1 || status != 0;
	return true;
}

size_t
team_others(struct team *t)
{
	size_t n = 0;
	int i;

	for (i = 1; i < t->most; i++)
		n += t->pid[i] != 0 && !reap(t, i, WNOHANG);
	return n;
}

void
team_dismiss(struct team *t)
{
	int i;

	atomic_store(&t->board->wanted, 1);
	/* Those who have come to the meeting wait for us as well. */
	atomic_store(&t->board->dismissed, true);
	for (i = 1; t->pid != NULL && i < t->most; i++)
		if (t->pid[i] != 0)
			(void)reap(t, i, 0);
	atomic_store(&t->board->dismissed, false);
	atomic_store(&t->board->grow_at, deadline_in(NEXT_AFTER));
}

bool
team_has_lost(const struct team *t)
{
	return t->lost;
}

bool
team_meet(struct team *t)
{
	struct pollfd pfd = { .events = 0 };
	int n;

	close_end(&t->meet[1]);
	pfd.fd = t->meet[0];	/* nobody writes: it can but hang up */
	do {
		if (t->rank != 0 && atomic_load(&t->board->dismissed))
			return false;
		n = poll(&pfd, 1, t->rank != 0 ? LOOK_EVERY : -1);
	} while (n == 0 || (n == -1 && errno == EINTR));
	return n == 1;
}

/*** The lock ***/

static void
set_lock(const struct team *t, short type)
{
	struct flock lock = { .l_type = type, .l_whence = SEEK_SET };

	while (fcntl(t->lock, F_SETLKW, &lock) == -1 && errno == EINTR)
		continue;
}

void
team_lock(struct team *t)
{
	set_lock(t, F_WRLCK);
}

void
team_unlock(struct team *t)
{
	set_lock(t, F_UNLCK);
}
