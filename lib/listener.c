/* SPDX-License-Identifier: ISC */
#include "listener.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "log.h"

#define PAUSE	100	/* milliseconds, when the machine is short of a thing */
#define QUIET	10000	/* milliseconds in which a trouble is told once */
#define ENDED	16	/* children that may wait to be reaped under load */

/* A trouble that may come many times a second. */
struct trouble {
	int64_t told;		/* until then nothing is said */
	unsigned more;		/* times nothing was said */
};

struct listener {
	const struct listener_args *args;
	unsigned begun;		/* children since the last reaping */
	struct trouble crowded, accepting, forking;
};

bool
listener_is(int fd)
{
	int yes = 0;
	socklen_t len = sizeof(yes);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 &&
	    yes != 0;
}

/* May it be told?  Keeps errno. */
static bool
is_news(struct trouble *t)
{
	int saved = errno;
	int64_t now = deadline_now();

	errno = saved;
	if (now < t->told) {
		t->more++;
		return false;
	}
	if (t->more > 0)
		log_info("of what follows %u more were not told", t->more);
	t->more = 0;
	t->told = now + QUIET;
	errno = saved;
	return true;
}

static void
reap(struct listener *l)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		crowd_remove(l->args->crowd, pid);
	l->begun = 0;
}

/* One client: an IPv4 address, or an IPv6 network of 64 bits. */
static bool
has_room(struct listener *l, const struct peer *peer, struct net *client)
{
	const struct conf *c = l->args->conf;
	int64_t same = c->max_sessions_per_client;

	/* No Internet socket: one client, whoever it is. */
	if (!net_of(client, peer->addr, 32, 64))
		memset(client, 0, sizeof(*client));
	if (net_covers(c->trusted_proxy.net, c->trusted_proxy.n, peer->addr))
		same = 0;
	if (crowd_has_room(l->args->crowd, client, c->max_sessions, same))
		return true;
	/* Some may have ended unnoticed. */
	reap(l);
	return crowd_has_room(l->args->crowd, client, c->max_sessions, same);
}

static void
send_away(const struct listener *l, int fd, const char *code, const char *why)
{
	char text[ADDR_DOMAIN_MAX + 64];
	int n;

	n = snprintf(text, sizeof(text), "421 %s %s %s, try later\r\n", code,
	    l->args->conf->hostname, why);
	/* Never worth waiting for. */
	if (send(fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		log_debug("a client left before it was sent away");
}

static void
child(const struct listener *l, int fd, struct peer *peer)
{
	for (size_t i = 0; i < l->args->n; i++)
		close(l->args->fd[i]);
	_exit(l->args->serve(l->args->arg, fd, peer));
}

static void
begin(struct listener *l, int fd, struct peer *peer)
{
	struct net client;
	pid_t pid;

	if (!has_room(l, peer, &client)) {
		send_away(l, fd, "4.7.0", "has too many sessions");
		if (is_news(&l->crowded))
			log_info("sent away client=[%s]: too many sessions",
			    peer->addr);
		return;
	}
	if ((pid = fork()) == 0)
		child(l, fd, peer);
	if (pid == -1) {
		if (is_news(&l->forking))
			log_warn("cannot fork");
		send_away(l, fd, "4.3.2", "cannot take a session now");
		reap(l);
		(void)poll(NULL, 0, PAUSE);
		return;
	}
	crowd_add(l->args->crowd, &client, pid);
	if (++l->begun >= ENDED)
		reap(l);
}

/* Errors of accept(2) that say nothing about the listening socket. */
static bool
is_passing(struct listener *l, int error)
{
	switch (error) {
	case EBADF:
	case EFAULT:
	case EINVAL:
	case ENOTSOCK:
	case EOPNOTSUPP:
		return false;
	case EAGAIN:
	case EINTR:
	case ECONNABORTED:
		return true;
	default:
		/*
		 * EMFILE, ENFILE, ENOBUFS, ENOMEM; or a security module says
		 * EACCES.  The connection may still be there, to be taken.
		 */
		if (is_news(&l->accepting))
			log_warn("cannot accept");
		reap(l);
		(void)poll(NULL, 0, PAUSE);
		return true;
	}
}

/* False when the socket is broken. */
static bool
take(struct listener *l, int listening)
{
	struct sockaddr_storage ss = { .ss_family = AF_UNSPEC };
	socklen_t len = sizeof(ss);
	struct peer peer;
	int fd;

	fd = accept4(listening, (struct sockaddr *)&ss, &len, SOCK_CLOEXEC);
	if (fd == -1)
		return is_passing(l, errno);
	(void)peer_from(&peer, &ss);
	begin(l, fd, &peer);
	close(fd);
	return true;
}

static void
prepare(const struct listener_args *a)
{
	int flags, one = 1;

	for (size_t i = 0; i < a->n; i++) {
		/* Others may accept from it too: never block in it. */
		flags = fcntl(a->fd[i], F_GETFL);
		if (flags == -1 ||
		    fcntl(a->fd[i], F_SETFL, flags | O_NONBLOCK) == -1)
			log_warn("a listening socket may block");
		/*
		 * No reply of ours waits for the acknowledgement of another:
		 * what is accepted has it from here.
		 */
		(void)setsockopt(a->fd[i], IPPROTO_TCP, TCP_NODELAY, &one,
		    sizeof(one));
	}
	crowd_withhold(a->crowd);
}

/* Its only work is to end a ppoll(2). */
static void
wake(int number)
{
	(void)number;
}

int
listener_run(const struct listener_args *a)
{
	struct listener l = { .args = a };
	struct pollfd pfd[LISTENER_MAX + 1];
	struct sigaction action = { .sa_handler = wake };
	sigset_t child_ended, mask;

	prepare(a);
	for (size_t i = 0; i < a->n; i++)
		pfd[i] = (struct pollfd){ .fd = a->fd[i], .events = POLLIN };
	pfd[a->n] = (struct pollfd){ .fd = a->control, .events = POLLIN };
	sigemptyset(&child_ended);
	sigaddset(&child_ended, SIGCHLD);
	sigemptyset(&action.sa_mask);
	if (sigprocmask(SIG_BLOCK, &child_ended, &mask) == -1 ||
	    sigaction(SIGCHLD, &action, NULL) == -1)
		return -1;
	sigdelset(&mask, SIGCHLD);
	for (;;) {
		if (ppoll(pfd, a->n + 1, NULL, &mask) == -1) {
			if (errno != EINTR)
				(void)poll(NULL, 0, PAUSE);
			reap(&l);
			continue;
		}
		for (size_t i = 0; i < a->n; i++)
			if (pfd[i].revents != 0 && !take(&l, a->fd[i]))
				return -1;
		if (pfd[a->n].revents != 0)
			return 0;
	}
}
