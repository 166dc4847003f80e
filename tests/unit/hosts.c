/* SPDX-License-Identifier: ISC */
#include <sys/wait.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "hosts.h"
#include "tap.h"

static struct sockaddr_storage
addr(const char *text, int port)
{
	struct sockaddr_storage ss;
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };

	memset(&ss, 0, sizeof(ss));
	in6.sin6_port = in.sin_port = htons((in_port_t)port);
	if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1)
		memcpy(&ss, &in6, sizeof(in6));
	else if (inet_pton(AF_INET, text, &in.sin_addr) == 1)
		memcpy(&ss, &in, sizeof(in));
	return ss;
}

#define SA(ss) ((const struct sockaddr *)&(ss))

static void
pause_ms(long ms)
{
	struct timespec ts = { ms / 1000, ms % 1000 * 1000000 };

	(void)nanosleep(&ts, NULL);
}

static int
child_status(pid_t pid)
{
	int status;

	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

static void
test_memory(void)
{
	struct sockaddr_storage a = addr("192.0.2.1", 25);
	struct sockaddr_storage b = addr("192.0.2.1", 26);
	struct sockaddr_storage c = addr("2001:db8::1", 25);
	struct hosts *h = hosts_new();

	if (!ok(h != NULL, "a new table"))
		return;
	is_int(hosts_ask(h, SA(a), true), HOSTS_TRY, "an unknown host is to try");
	hosts_tell(h, SA(a), false, "cannot connect");
	is_int(hosts_ask(h, SA(a), true), HOSTS_DEAD, "a dead one is dead");
	is_str(hosts_why(h, SA(a)), "cannot connect", "and we know why");
	is_int(hosts_ask(h, SA(b), true), HOSTS_TRY, "another port is another host");
	hosts_tell(h, SA(b), true, NULL);
	is_int(hosts_ask(h, SA(b), true), HOSTS_ALIVE, "one that answered is alive");
	is_str(hosts_why(h, SA(b)), "", "and no reason is known");
	is_int(hosts_ask(h, SA(c), true), HOSTS_TRY, "IPv6 is to try");
	hosts_tell(h, SA(c), true, NULL);
	hosts_tell(h, SA(c), false, "gone");
	is_int(hosts_ask(h, SA(c), true), HOSTS_DEAD, "one that died is dead");
	hosts_free(h);
}

static void
test_many_at_once(void)
{
	struct sockaddr_storage a = addr("192.0.2.1", 25);
	struct sockaddr_storage b = addr("192.0.2.2", 25);
	struct hosts *h = hosts_new();
	int go[2], status;
	pid_t pid;
	char c;

	if (pipe(go) == -1 || (pid = fork()) == -1)
		return;
	if (pid == 0) {
		pause_ms(100);
		status = hosts_ask(h, SA(a), false) == HOSTS_BUSY &&
		    hosts_ask(h, SA(b), false) == HOSTS_BUSY &&
		    !hosts_is_alive(h, SA(b)) ? 0 : 1;
		close(go[1]);
		if (read(go[0], &c, 1) != 0 ||
		    hosts_ask(h, SA(a), false) != HOSTS_TRY ||
		    hosts_ask(h, SA(b), false) != HOSTS_ALIVE ||
		    !hosts_is_alive(h, SA(b)))
			status = 2;
		_exit(status);
	}
	close(go[0]);
	is_int(hosts_ask(h, SA(a), false), HOSTS_TRY, "one probe");
	is_int(hosts_ask(h, SA(b), false), HOSTS_TRY, "and another beside it");
	ok(!hosts_is_alive(h, SA(a)), "nothing is known yet");
	pause_ms(300);
	hosts_drop(h, SA(a));
	hosts_tell(h, SA(b), true, NULL);
	close(go[1]);
	is_int(child_status(pid), 0, "others see them busy, then what was told");
	is_int(hosts_ask(h, SA(a), true), HOSTS_TRY, "a dropped one is unknown");
	hosts_free(h);
}

static void
test_shared(void)
{
	struct sockaddr_storage a = addr("192.0.2.1", 25);
	struct hosts *h = hosts_new();
	pid_t pid;

	if ((pid = fork()) == 0) {
		int answer = hosts_ask(h, SA(a), true);

		pause_ms(200);
		hosts_tell(h, SA(a), false, "slow and dead");
		_exit(answer);
	}
	pause_ms(50);
	is_int(hosts_ask(h, SA(a), true), HOSTS_DEAD,
	    "we wait for another worker's answer");
	is_str(hosts_why(h, SA(a)), "slow and dead", "and get its reason");
	is_int(child_status(pid), HOSTS_TRY, "the other one was first");
	hosts_free(h);
}

static void
test_killed(void)
{
	struct sockaddr_storage a = addr("192.0.2.1", 25);
	struct hosts *h = hosts_new();
	pid_t pid;

	if ((pid = fork()) == 0)
		_exit(hosts_ask(h, SA(a), true));
	is_int(child_status(pid), HOSTS_TRY, "a worker asks and dies");
	is_int(hosts_ask(h, SA(a), true), HOSTS_TRY, "its probe is ours");
	hosts_tell(h, SA(a), true, NULL);
	is_int(hosts_ask(h, SA(a), true), HOSTS_ALIVE, "and our answer stands");
	hosts_free(h);
}

static void
test_full(void)
{
	struct sockaddr_storage a;
	struct hosts *h = hosts_new();
	char text[64];
	int i;

	for (i = 0; i < 8200; i++) {
		(void)snprintf(text, sizeof(text), "10.0.%d.%d", i / 256,
		    i % 256);
		a = addr(text, 25);
		if (hosts_ask(h, SA(a), true) != HOSTS_TRY)
			break;
		hosts_tell(h, SA(a), false, "dead");
	}
	is_int(i, 8200, "a full table says try");
	a = addr("10.0.0.1", 25);
	is_int(hosts_ask(h, SA(a), true), HOSTS_DEAD, "and forgets nothing");
	hosts_free(h);
}

int
main(void)
{
	test_memory();
	test_many_at_once();
	test_shared();
	test_killed();
	test_full();
	return done_testing();
}
