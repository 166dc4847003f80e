/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"
#include "tap.h"

/* The environment of a pipe; NULL where a variable is not set. */
static const struct {
	const char *ip, *host, *remote;
	bool found;
	const char *addr, *name;
	bool v6;
} cases[] = {
	{ NULL, NULL, NULL, false, "", "", false },
	{ "192.0.2.1", NULL, NULL, true, "192.0.2.1", "", false },
	{ "192.0.2.1", "Mail.Example.ORG.", NULL, true, "192.0.2.1",
	    "mail.example.org", false },
	{ "2001:DB8:0::1", "", NULL, true, "2001:db8::1", "", true },
	{ "::ffff:192.0.2.1", NULL, NULL, true, "192.0.2.1", "", false },
	{ NULL, NULL, "192.0.2.2", true, "192.0.2.2", "", false },
	{ "192.0.2.1", NULL, "192.0.2.2", true, "192.0.2.1", "", false },
	{ "0", NULL, NULL, false, "", "", false },
	{ "localhost", NULL, NULL, false, "", "", false },
	{ "192.0.2.1\r\nX: y", NULL, NULL, false, "", "", false },
	{ "", NULL, "192.0.2.2", true, "192.0.2.2", "", false },
	{ "192.0.2.1", "a b", NULL, true, "192.0.2.1", "", false },
	{ "192.0.2.1", "\033[2J", NULL, true, "192.0.2.1", "", false },
	{ "192.0.2.1", "192.0.2.1", NULL, true, "192.0.2.1", "", false },
};

static void
set(const char *name, const char *value)
{
	if (value == NULL)
		unsetenv(name);
	else
		setenv(name, value, 1);
}

/* A connection over loopback; the end that accepted. */
static int
connection(int family, int *other, int *port)
{
	struct sockaddr_storage ss;
	struct sockaddr_in *in = (void *)&ss;
	struct sockaddr_in6 *in6 = (void *)&ss;
	socklen_t len = family == AF_INET ? sizeof(*in) : sizeof(*in6);
	int s, fd = -1;

	memset(&ss, 0, sizeof(ss));
	ss.ss_family = (sa_family_t)family;
	if (family == AF_INET)
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	else
		in6->sin6_addr = in6addr_loopback;
	s = socket(family, SOCK_STREAM, 0);
	*other = socket(family, SOCK_STREAM, 0);
	if (s != -1 && bind(s, (struct sockaddr *)&ss, len) == 0 &&
	    listen(s, 1) == 0 &&
	    getsockname(s, (struct sockaddr *)&ss, &len) == 0 &&
	    connect(*other, (struct sockaddr *)&ss, len) == 0) {
		fd = accept(s, NULL, NULL);
		getsockname(*other, (struct sockaddr *)&ss, &len);
		*port = ntohs(in->sin_port);	/* at the same place in both */
	}
	close(s);
	return fd;
}

int
main(void)
{
	static const struct { int family; const char *addr; } families[] = {
		{ AF_INET, "127.0.0.1" }, { AF_INET6, "::1" } };
	struct sockaddr_storage ss;
	socklen_t len;
	struct peer p;
	int fds[2], fd, other, port;

	if (pipe(fds) == -1)
		return 1;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		set("TCPREMOTEIP", cases[i].ip);
		set("TCPREMOTEHOST", cases[i].host);
		set("REMOTE_ADDR", cases[i].remote);
		is_int(peer_find(&p, fds[0]), cases[i].found, "case %zu", i);
		is_str(p.addr, cases[i].addr, "case %zu: address", i);
		is_str(p.name, cases[i].name, "case %zu: name", i);
		is_int(p.v6, cases[i].v6, "case %zu: v6", i);
	}
	/* a chain that says nothing leaves it to the socket */
	for (size_t i = 0; i < 2; i++) {
		fd = connection(families[i].family, &other, &port);
		if (fd == -1) {
			skip("not to be had here", "%s", families[i].addr);
			continue;
		}
		set("TCPREMOTEIP", NULL);
		set("REMOTE_ADDR", "nonsense");
		set("TCPREMOTEHOST", "mail.example.org");
		ok(peer_find(&p, fd), "%s", families[i].addr);
		is_str(p.addr, families[i].addr, "the peer");
		is_int(p.port, port, "its port");
		is_int(p.v6, i == 1, "v6");
		is_str(p.name, "mail.example.org", "its name");
		set("REMOTE_ADDR", families[i].addr);
		ok(peer_find(&p, fd), "%s, as the chain says too",
		    families[i].addr);
		is_str(p.addr, families[i].addr, "the peer");
		is_int(p.port, port, "its port");
		set("TCPREMOTEIP", "192.0.2.1");
		ok(peer_find(&p, fd), "somebody else, by the chain");
		is_str(p.addr, "192.0.2.1", "the peer");
		is_int(p.port, 0, "no port");
		is_int(p.v6, false, "v4");
		len = sizeof(ss);
		memset(&ss, 0, sizeof(ss));
		if (getpeername(fd, (struct sockaddr *)&ss, &len) == -1)
			return 1;
		ok(peer_from(&p, &ss), "%s as accept(2) tells it",
		    families[i].addr);
		is_str(p.addr, families[i].addr, "the peer");
		is_int(p.port, port, "its port");
		is_int(p.v6, i == 1, "v6");
		is_str(p.name, "", "no name of the environment");
		close(fd);
		close(other);
	}
	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == -1)
		return 1;
	memset(&ss, 0, sizeof(ss));
	ss.ss_family = AF_UNIX;
	ok(!peer_from(&p, &ss), "no address of the Internet");
	is_str(p.addr, "", "is not known");
	ok(peer_find(&p, fds[0]), "a socket without addresses");
	is_str(p.addr, "192.0.2.1", "leaves it to the environment");
	return done_testing();
}
