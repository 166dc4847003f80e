/* SPDX-License-Identifier: ISC */
#include <sys/wait.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "crowd.h"
#include "tap.h"

static struct net
client(const char *addr)
{
	struct net net;

	if (!net_of(&net, addr, 32, 64))
		exit(1);
	return net;
}

static int
status_of(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid ? status : -1;
}

int
main(void)
{
	struct net one = client("192.0.2.1"), two = client("192.0.2.2");
	struct net six = client("2001:db8::1"), near = client("2001:db8::2");
	struct net far = client("2001:db8:0:1::1");
	struct crowd *c = crowd_new();
	pid_t pid;

	if (c == NULL)
		return 1;
	ok(crowd_has_room(c, &one, 1, 1), "an empty one has room");
	crowd_add(c, &one, getpid());
	ok(!crowd_has_room(c, &two, 1, 1), "but not for two");
	ok(!crowd_has_room(c, &one, 9, 1), "one of a client");
	ok(crowd_has_room(c, &two, 9, 1), "another client");
	ok(crowd_has_room(c, &one, 9, 2), "two of a client");
	ok(crowd_has_room(c, &one, 9, 0), "any number of a client");
	crowd_add(c, &six, 1);
	ok(!crowd_has_room(c, &near, 9, 1), "a neighbour is the same client");
	ok(crowd_has_room(c, &far, 9, 1), "another network is not");
	crowd_sweep(c);
	ok(!crowd_has_room(c, &one, 9, 1) && !crowd_has_room(c, &six, 9, 1),
	    "who lives is not swept away");
	crowd_remove(c, 1);
	ok(crowd_has_room(c, &six, 2, 1), "who ended is gone");

	/* Another process that accepts writes into the same table. */
	if ((pid = fork()) == 0) {
		crowd_add(c, &two, getpid());
		_exit(crowd_has_room(c, &two, 9, 1));
	}
	is_int(status_of(pid), 0, "another process adds one");
	ok(!crowd_has_room(c, &two, 9, 1), "it counts here");
	crowd_sweep(c);
	ok(crowd_has_room(c, &two, 9, 1), "until it is swept away");

	crowd_withhold(c);
	if ((pid = fork()) == 0) {
		/* No sanitizer's word: it dies, as it should. */
		signal(SIGSEGV, SIG_DFL);
		crowd_remove(c, 1);
		_exit(0);
	}
	ok(WIFSIGNALED(status_of(pid)), "a session cannot reach the table");
	ok(crowd_has_room(c, &two, 9, 1), "its owner can");
	crowd_free(c);
	return done_testing();
}
