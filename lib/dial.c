/* SPDX-License-Identifier: ISC */
#include "dial.h"

#include <netinet/in.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

static int
bind_source(int fd, const struct conf *conf, int family)
{
	const struct sockaddr_storage *source;
	size_t i;

	for (i = 0; i < sizeof(conf->source) / sizeof(conf->source[0]); i++) {
		source = &conf->source[i];
		if (source->ss_family != family)
			continue;
		return bind(fd, (const struct sockaddr *)source,
		    family == AF_INET6 ? sizeof(struct sockaddr_in6) :
		    sizeof(struct sockaddr_in));
	}
	return 0;
}

int
dial_begin(const struct conf *conf, const struct sockaddr *addr,
    socklen_t len)
{
	int fd, saved;

	fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (bind_source(fd, conf, addr->sa_family) == 0 &&
	    (connect(fd, addr, len) == 0 || errno == EINPROGRESS))
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

int
dial_end(int fd)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int error;

	if (poll(&pfd, 1, 0) != 1) {
		errno = EINPROGRESS;
		return -1;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		return -1;
	errno = error;
	return error == 0 ? 0 : -1;
}
