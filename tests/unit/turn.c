/* SPDX-License-Identifier: ISC */
#include <sys/wait.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "deadline.h"
#include "tap.h"
#include "turn.h"

#define SEATS	4

static struct sockaddr_in server[3];

/* What a worker did, a letter a step. */
static int report[2];

static void
tell(char c)
{
	if (write(report[1], &c, 1) != 1)
		_exit(1);
}

/* The next letter, while turns are given by TS if there is one; '?' if none comes. */
static char
heard(struct turns *ts)
{
	struct pollfd pfd = { .fd = report[0], .events = POLLIN };
	int64_t deadline = deadline_in(5000);
	size_t seat;
	char c;

	while (ts != NULL && poll(&pfd, 1, 0) == 0 &&
	    deadline_left(deadline) > 0)
		(void)turns_wait(ts, deadline_in(10), NULL, &seat);
	return poll(&pfd, 1, deadline_left(deadline)) == 1 && read(report[0], &c, 1) == 1 ? c : '?';
}

static bool
is_quiet(struct turns *ts)
{
	struct pollfd pfd = { .fd = report[0], .events = POLLIN };
	int64_t deadline = deadline_in(100);
	size_t seat;

	while (deadline_left(deadline) > 0)
		(void)turns_wait(ts, deadline, NULL, &seat);
	return poll(&pfd, 1, 0) == 0;
}

static void
obey(struct turn *t, int orders)
{
	char c;

	while (read(orders, &c, 1) == 1) {
		switch (c) {
		case '0':
		case '1':
		case '2':
			turn_take(t, (struct sockaddr *)&server[c - '0']);
			tell('t');
			break;
		case 'o':
			t->until = deadline_now() - 1;
			tell(turn_over(t) ? 'o' : 'n');
			break;
		case 's':
			tell(turn_over(t) ? 'o' : 'n');
			break;
		case 'x':
			t->stranger = true;
			break;
		case 'e':
			turn_end(t);
			break;
		}
	}
}

/*
 * A worker whose orders are letters, and whose answers are letters.  OTHERS
 * are the orders of those before it.
 */
static bool
worker(struct turns *ts, int *orders, const int *others, size_t n)
{
	struct turn t = { .fd = -1 };
	size_t i, seat;
	int fd[2];
	pid_t pid;

	if (pipe(fd) == -1 || (t.fd = turns_join(ts, &seat)) == -1 ||
	    (pid = fork()) == -1)
		return false;
	if (pid == 0) {
		turns_free(ts);
		close(fd[1]);
		for (i = 0; i < n; i++)
			close(others[i]);
		obey(&t, fd[0]);
		_exit(0);
	}
	close(t.fd);
	close(fd[0]);
	*orders = fd[1];
	return true;
}

static void
order(int fd, char c)
{
	if (write(fd, &c, 1) != 1)
		ok(false, "an order is given");
}

static void
test_alone(void)
{
	struct turn t = { .fd = -1 };

	turn_take(NULL, (struct sockaddr *)&server[0]);
	ok(!turn_over(NULL), "without turns there is no end to them");
	turn_take(&t, (struct sockaddr *)&server[0]);
	ok(!turn_over(&t), "nor without a descriptor");
	turn_end(&t);
}

static void
test_turns(void)
{
	struct turns *ts = turns_new(SEATS, 2, 1);
	int all[3], a, b, c, fd;
	size_t seat;

	for (seat = 0; seat < 3 && ts != NULL &&
	    worker(ts, &all[seat], all, seat); seat++)
		continue;
	if (!ok(seat == 3, "three workers"))
		return;
	a = all[0];
	b = all[1];
	c = all[2];
	order(a, '0');
	is_int(heard(ts), 't', "the first gets a turn");
	order(a, 's');
	is_int(heard(ts), 'n', "which is not over at once");
	order(b, '0');
	ok(is_quiet(ts), "another for the same server waits");
	order(c, '1');
	is_int(heard(ts), 't', "one for another server does not");
	order(c, 'o');
	is_int(heard(ts), 'n', "nor has it to make room for the one who waits");
	order(a, 'o');
	is_int(heard(ts) + heard(ts), 'o' + 't',
	    "the first makes room for the second");
	order(a, '2');
	ok(is_quiet(ts), "there are two turns in all");
	order(c, '0');
	is_int(heard(ts), 't', "who waits for another server frees its turn");
	ok(is_quiet(ts), "and waits himself");
	order(b, 'e');
	is_int(heard(ts), 't', "a turn given back goes to the next");
	close(a);
	is_int(turns_wait(ts, deadline_in(5000), NULL, &seat), 1,
	    "a worker's end is told");
	is_int((int)seat, 0, "with its seat");
	order(b, '2');
	is_int(heard(ts), 't', "what it had is free");
	fd = turns_join(ts, &seat);
	is_int((int)seat, 0, "so is its seat");
	close(fd);
	fd = turns_join(ts, &seat);
	is_int((int)seat, 3, "one seat more is there");
	close(fd);
	is_int(turns_join(ts, &seat) == -1 ? errno : 0, EAGAIN, "and no other");
	turns_free(ts);
	order(b, 'o');
	is_int(heard(NULL), 'n', "those who are left alone go on");
	order(c, '1');
	is_int(heard(NULL), 't', "all of them");
	close(b);
	close(c);
	while (wait(NULL) > 0)
		continue;
}

static void
test_strangers(void)
{
	struct turns *ts = turns_new(SEATS, 2, 1);
	int all[3];
	size_t n;

	for (n = 0; n < 3 && ts != NULL && worker(ts, &all[n], all, n); n++)
		continue;
	if (!ok(n == 3, "three workers"))
		return;
	order(all[0], 'x');
	order(all[0], '0');
	is_int(heard(ts), 't', "a stranger gets a turn");
	order(all[1], 'x');
	order(all[1], '1');
	ok(is_quiet(ts), "another waits: half of the turns are not for them");
	order(all[2], '2');
	is_int(heard(ts), 't', "but for ours");
	order(all[2], 'o');
	is_int(heard(ts), 'n', "who need not make room for them");
	order(all[0], 'e');
	is_int(heard(ts), 't', "only they do");
	for (n = 0; n < 3; n++)
		close(all[n]);
	turns_free(ts);
	while (wait(NULL) > 0)
		continue;
}

int
main(void)
{
	size_t i;

	alarm(30);
	for (i = 0; i < 3; i++) {
		server[i].sin_family = AF_INET;
		server[i].sin_port = htons(25);
		server[i].sin_addr.s_addr = htonl(0x7f000001 + (uint32_t)i);
	}
	if (pipe(report) == -1)
		return 1;
	test_alone();
	test_turns();
	test_strangers();
	return done_testing();
}
