/* SPDX-License-Identifier: ISC */
#include "listener.h"

#include <sys/socket.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "log.h"

#define PAUSE	100	/* milliseconds, when the machine is short of a thing */
#define REAP	1000	/* milliseconds between looks for ended children */

/* What counts as one client: an IPv4 address, an IPv6 /64. */
struct client {
	unsigned char net[8];
};

struct session {
	pid_t pid;
	struct client client;
};

struct listener {
	const struct conf *conf;
	struct session *session;
	size_t n;
};

bool
listener_is(int fd)
{
	int yes = 0;
	socklen_t len = sizeof(yes);

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) == 0 &&
	    yes != 0;
}

static struct client
client_of(const struct sockaddr_storage *ss)
{
	const struct sockaddr_in6 *in6 = (const void *)ss;
	const struct sockaddr_in *in = (const void *)ss;
	struct client c = { { 0 } };

	if (ss->ss_family == AF_INET)
		memcpy(c.net, &in->sin_addr, 4);
	else if (ss->ss_family == AF_INET6 &&
	    IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		memcpy(c.net, &in6->sin6_addr.s6_addr[12], 4);
	else if (ss->ss_family == AF_INET6)
		memcpy(c.net, &in6->sin6_addr, 8);
	return c;
}

static void
reap(struct listener *l)
{
	pid_t pid;

	while ((pid = waitpid(-1, NULL, WNOHANG)) > 0)
		for (size_t i = 0; i < l->n; i++)
			if (l->session[i].pid == pid) {
				l->session[i] = l->session[--l->n];
				break;
			}
}

static bool
is_crowded(const struct listener *l, const struct client *c)
{
	int64_t same = 0;

	if ((int64_t)l->n >= l->conf->max_sessions)
		return true;
	for (size_t i = 0; i < l->n; i++)
		same += memcmp(&l->session[i].client, c, sizeof(*c)) == 0;
	return same >= l->conf->max_sessions_per_client;
}

static void
send_away(const struct listener *l, int fd)
{
	char text[ADDR_DOMAIN_MAX + 64];
	int n;

	n = snprintf(text, sizeof(text), "421 4.7.0 %s has too many sessions, "
	    "try later\r\n", l->conf->hostname);
	/* Never worth waiting for. */
	if (send(fd, text, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL) == -1)
		log_debug("a client left before it was sent away");
	log_info("refused a client: too many sessions");
}

static void
child(int listening, int fd, int (*serve)(void *arg), void *arg)
{
	if (dup2(fd, STDIN_FILENO) == -1 || dup2(fd, STDOUT_FILENO) == -1)
		_exit(1);
	/* inetd "wait": the listening socket is fd 2 too. */
	if (listener_is(STDERR_FILENO) && dup2(fd, STDERR_FILENO) == -1)
		_exit(1);
	if (fd > STDERR_FILENO)
		close(fd);
	if (listening > STDERR_FILENO)
		close(listening);
	_exit(serve(arg));
}

static void
begin(struct listener *l, int listening, int fd, const struct client *c,
    int (*serve)(void *arg), void *arg)
{
	pid_t pid = fork();

	if (pid == 0)
		child(listening, fd, serve, arg);
	if (pid == -1) {
		log_warn("cannot fork");
		send_away(l, fd);
		(void)poll(NULL, 0, PAUSE);
		return;
	}
	l->session[l->n].pid = pid;
	l->session[l->n++].client = *c;
}

/* Errors of accept(2) that say nothing about the listening socket. */
static bool
is_passing(int error)
{
	switch (error) {
	case EBADF:
	case EFAULT:
	case EINVAL:
	case ENOTSOCK:
	case EOPNOTSUPP:
		return false;
	case EMFILE:
	case ENFILE:
	case ENOBUFS:
	case ENOMEM:
		log_warn("cannot accept");
		(void)poll(NULL, 0, PAUSE);
		return true;
	default:
		return true;
	}
}

void
listener_run(const struct conf *conf, int fd, int (*serve)(void *arg),
    void *arg)
{
	struct listener l = { .conf = conf };
	struct sockaddr_storage ss;
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	struct client client;
	socklen_t len;
	int conn, flags;

	l.session = calloc((size_t)conf->max_sessions, sizeof(*l.session));
	if (l.session == NULL)
		return;
	/* Several processes may share the socket: never block in it. */
	flags = fcntl(fd, F_GETFL);
	if (flags == -1 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) == -1)
		log_warn("the listening socket may block");
	for (;;) {
		(void)poll(&pfd, 1, l.n > 0 ? REAP : -1);
		reap(&l);
		len = sizeof(ss);
		memset(&ss, 0, sizeof(ss));
		conn = pfd.revents == 0 ? -1 : accept4(fd,
		    (struct sockaddr *)&ss, &len, SOCK_CLOEXEC);
		if (conn == -1) {
			if (pfd.revents != 0 && !is_passing(errno))
				break;
			continue;
		}
		client = client_of(&ss);
		if (is_crowded(&l, &client))
			send_away(&l, conn);
		else
			begin(&l, fd, conn, &client, serve, arg);
		close(conn);
	}
	free(l.session);
}
