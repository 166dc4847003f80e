/* SPDX-License-Identifier: ISC */
#include "peer.h"

#include <sys/socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"
#include "proxy.h"

static bool
print_addr(char *buf, size_t size, const struct sockaddr_storage *ss, int *port)
{
	const struct sockaddr_in6 *in6 = (const void *)ss;
	const struct sockaddr_in *in = (const void *)ss;

	if (ss->ss_family == AF_INET) {
		*port = ntohs(in->sin_port);
		return inet_ntop(AF_INET, &in->sin_addr, buf,
		    (socklen_t)size) != NULL;
	}
	if (ss->ss_family != AF_INET6)
		return false;
	*port = ntohs(in6->sin6_port);
	if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		return inet_ntop(AF_INET, &in6->sin6_addr.s6_addr[12], buf,
		    (socklen_t)size) != NULL;
	return inet_ntop(AF_INET6, &in6->sin6_addr, buf,
	    (socklen_t)size) != NULL;
}

/* An address out of the environment, in its canonical form. */
static bool
env_addr(char *buf, size_t size, const char *variable)
{
	struct sockaddr_storage ss;
	struct sockaddr_in6 *in6 = (void *)&ss;
	struct sockaddr_in *in = (void *)&ss;
	const char *text = getenv(variable);
	int port;

	memset(&ss, 0, sizeof(ss));
	if (text == NULL)
		return false;
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1)
		ss.ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &in6->sin6_addr) == 1)
		ss.ss_family = AF_INET6;
	else
		return false;
	return print_addr(buf, size, &ss, &port);
}

bool
peer_from(struct peer *p, const struct sockaddr_storage *ss)
{
	memset(p, 0, sizeof(*p));
	if (!print_addr(p->addr, sizeof(p->addr), ss, &p->port))
		return false;
	p->v6 = strchr(p->addr, ':') != NULL;
	return true;
}

/*
 * What stands before us in a chain knows more than the socket, as one that
 * has read a proxy's header away.
 */
bool
peer_find(struct peer *p, int fd)
{
	struct sockaddr_storage ss;
	socklen_t len = sizeof(ss);
	char addr[sizeof(p->addr)];
	const char *name;
	bool found;

	memset(p, 0, sizeof(*p));
	found = getpeername(fd, (struct sockaddr *)&ss, &len) == 0 &&
	    peer_from(p, &ss);
	if (env_addr(addr, sizeof(addr), "TCPREMOTEIP") ||
	    env_addr(addr, sizeof(addr), "REMOTE_ADDR")) {
		if (strcmp(addr, p->addr) != 0)
			p->port = 0;
		(void)strlcpy(p->addr, addr, sizeof(p->addr));
		p->v6 = strchr(p->addr, ':') != NULL;
		found = true;
	}
	if (!found)
		return false;
	name = getenv("TCPREMOTEHOST");
	if (name == NULL || !addr_domain(p->name, name))
		p->name[0] = '\0';
	return true;
}

const char *
peer_behind(struct peer *p, struct stream *s)
{
	enum proxy_got said = PROXY_MORE;
	enum stream_got got;
	struct proxy proxy;
	const char *data;
	size_t len, used;

	while (said == PROXY_MORE) {
		if ((got = stream_more(s, &data, &len)) != STREAM_LINE)
			return got == STREAM_TIMEOUT ? "too late" :
			    "left before its end";
		said = proxy_parse(&proxy, data, len, &used);
	}
	if (said == PROXY_BAD)
		return "not to be understood";
	stream_skip(s, used);
	if (proxy.addr[0] == '\0')
		return NULL;
	memset(p, 0, sizeof(*p));
	(void)strlcpy(p->addr, proxy.addr, sizeof(p->addr));
	p->port = proxy.port;
	p->v6 = strchr(p->addr, ':') != NULL;
	return NULL;
}
