/* SPDX-License-Identifier: ISC */
/*
 * load: so many messages to an SMTP server on the loopback interface, over so
 * many sessions at once, with -T after STARTTLS.  Prints messages, seconds and
 * errors.
 *
 * usage: load [-PT] [-a addr] [-d domain] [-l octets] [-m messages]
 *	    [-n per-connection] [-p port] [-s sessions] [-w seconds]
 */
#include <sys/epoll.h>
#include <sys/socket.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <err.h>
#include <errno.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum step { GREETING, EHLO, STARTTLS, MAIL, RCPT, DATA, DOT, QUIT, NSTEPS };

struct session {
	int fd;			/* -1: none */
	enum step step;		/* whose reply we wait for */
	int sent;		/* messages begun on this connection */
	bool blocked;		/* waiting for room to write */
	bool shaking;		/* hands, for TLS */
	SSL *tls;		/* NULL: in clear */
	char in[4096];
	size_t nin;
	const char *out;
	size_t nout;
};

struct run {
	struct sockaddr_in server;
	char *say[NSTEPS];	/* said when that step begins */
	size_t len[NSTEPS];
	int per_connection;
	bool pipeline;
	SSL_CTX *tls;		/* NULL: in clear */
	long want, begun, done, errors;
	int ep, open;
};

static double
now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static char *
message(size_t size, size_t *len)
{
	static const char head[] = "From: <sender@load.test>\r\n"
	    "Subject: a message\r\n\r\n";
	char *text;
	size_t i, n = sizeof(head) - 1;

	if (size < n + 2)
		size = n + 2;
	if ((text = malloc(size + 4)) == NULL)
		err(1, "malloc");
	memcpy(text, head, n);
	for (i = n; i < size; i++)
		text[i] = (i - n) % 72 == 70 ? '\r' :
		    (i - n) % 72 == 71 ? '\n' : 'a' + i % 26;
	if (text[size - 3] == '\r' || text[size - 3] == '\n')
		text[size - 3] = 'x';
	memcpy(text + size - 2, "\r\n.\r\n", 5);
	*len = size + 3;
	return text;
}

/* What is said at a step: three texts, one after the other. */
static void
set(struct run *r, enum step step, const char *a, const char *b, const char *c)
{
	int n;

	n = asprintf(&r->say[step], "%s%s%s", a, b, c);
	if (n == -1)
		err(1, "asprintf");
	r->len[step] = n;
}

static void
words(struct run *r, const char *domain, size_t size)
{
	const char *from = "MAIL FROM:<sender@load.test>\r\n";

	set(r, EHLO, "EHLO load.test\r\n", "", "");
	set(r, STARTTLS, "STARTTLS\r\n", "", "");
	set(r, MAIL, from, "", "");
	set(r, RCPT, "RCPT TO:<user@", domain, ">\r\n");
	set(r, DATA, "DATA\r\n", "", "");
	if (r->pipeline) {
		set(r, MAIL, from, r->say[RCPT], r->say[DATA]);
		r->len[RCPT] = r->len[DATA] = 0;
	}
	r->say[DOT] = message(size, &r->len[DOT]);
	set(r, QUIT, "QUIT\r\n", "", "");
}

static void
watch(struct run *r, struct session *s, int op, uint32_t events)
{
	struct epoll_event ev;

	ev.events = events;
	ev.data.ptr = s;
	if (epoll_ctl(r->ep, op, s->fd, &ev) == -1)
		err(1, "epoll_ctl");
}

static void
hang_up(struct run *r, struct session *s)
{
	SSL_free(s->tls);
	s->tls = NULL;
	close(s->fd);
	s->fd = -1;
	r->open--;
}

static void
begin(struct run *r, struct session *s)
{
	int on = 1;

	s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	if (s->fd == -1)
		err(1, "socket");
	setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	if (connect(s->fd, (struct sockaddr *)&r->server,
	    sizeof(r->server)) == -1 && errno != EINPROGRESS)
		err(1, "connect");
	s->step = GREETING;
	s->sent = 0;
	s->nin = s->nout = 0;
	s->blocked = s->shaking = false;
	r->open++;
	watch(r, s, EPOLL_CTL_ADD, EPOLLIN);
}

/* As send(2) and recv(2) on a socket that does not block. */
static ssize_t
put(struct session *s, const char *buf, size_t len)
{
	int n;

	if (s->tls == NULL)
		return send(s->fd, buf, len, MSG_NOSIGNAL);
	if ((n = SSL_write(s->tls, buf, len)) > 0)
		return n;
	errno = SSL_get_error(s->tls, n) == SSL_ERROR_WANT_WRITE ? EAGAIN :
	    EIO;
	return -1;
}

static ssize_t
get(struct session *s, char *buf, size_t len)
{
	int n;

	if (s->tls == NULL)
		return recv(s->fd, buf, len, 0);
	if ((n = SSL_read(s->tls, buf, len)) > 0)
		return n;
	errno = SSL_get_error(s->tls, n) == SSL_ERROR_WANT_READ ? EAGAIN : EIO;
	return errno == EIO ? 0 : -1;
}

/* 0, or -1 when the connection is gone */
static int
push(struct run *r, struct session *s)
{
	ssize_t n;

	while (s->nout > 0) {
		n = put(s, s->out, s->nout);
		if (n == -1 && errno == EAGAIN) {
			s->blocked = true;
			watch(r, s, EPOLL_CTL_MOD, EPOLLIN | EPOLLOUT);
			return 0;
		}
		if (n == -1)
			return -1;
		s->out += n;
		s->nout -= n;
	}
	if (s->blocked)
		watch(r, s, EPOLL_CTL_MOD, EPOLLIN);
	s->blocked = false;
	return 0;
}

static int
go(struct run *r, struct session *s, enum step step)
{
	s->step = step;
	if (r->len[step] == 0)
		return 0;
	s->out = r->say[step];
	s->nout = r->len[step];
	return push(r, s);
}

static int
shake(struct run *r, struct session *s)
{
	int n = SSL_do_handshake(s->tls);

	if (n != 1)
		return SSL_get_error(s->tls, n) == SSL_ERROR_WANT_READ ? 0 :
		    -1;
	s->shaking = false;
	return go(r, s, EHLO);
}

static int
begin_tls(struct run *r, struct session *s)
{
	if ((s->tls = SSL_new(r->tls)) == NULL || !SSL_set_fd(s->tls, s->fd))
		errx(1, "no memory for TLS");
	SSL_set_connect_state(s->tls);
	s->shaking = true;
	return shake(r, s);
}

/* A complete reply.  0, or -1 when the connection is over. */
static int
answer(struct run *r, struct session *s, char digit)
{
	if (digit != (s->step == DATA ? '3' : '2')) {
		r->errors++;
		return -1;
	}
	switch (s->step) {
	case STARTTLS:
		return begin_tls(r, s);
	case GREETING:
	case MAIL:
	case RCPT:
	case DATA:
		return go(r, s, s->step + 1);
	case DOT:
		r->done++;
		/* FALLTHROUGH */
	case EHLO:
		if (r->tls != NULL && s->tls == NULL)
			return go(r, s, STARTTLS);
		if (s->sent == r->per_connection || r->begun == r->want)
			return go(r, s, QUIT);
		s->sent++;
		r->begun++;
		return go(r, s, MAIL);
	case QUIT:
	case NSTEPS:
		break;
	}
	return -1;
}

static int
hear(struct run *r, struct session *s)
{
	char *line = s->in, *nl;
	ssize_t n;

	if (s->shaking)
		return shake(r, s);
	n = get(s, s->in + s->nin, sizeof(s->in) - s->nin);
	if (n == -1 && errno == EAGAIN)
		return 0;
	if (n <= 0) {
		if (s->step != QUIT)
			r->errors++;
		return -1;
	}
	s->nin += n;
	while ((nl = memchr(line, '\n', s->in + s->nin - line)) != NULL) {
		if ((nl - line < 4 || line[3] != '-') &&
		    answer(r, s, line[0]) == -1)
			return -1;
		line = nl + 1;
	}
	s->nin -= line - s->in;
	memmove(s->in, line, s->nin);
	if (s->nin == sizeof(s->in)) {
		r->errors++;
		return -1;
	}
	return s->tls != NULL ? hear(r, s) : 0;
}

static void
turn(struct run *r, struct session *s, uint32_t events)
{
	if ((!(events & EPOLLOUT) || push(r, s) == 0) &&
	    (!(events & ~EPOLLOUT) || hear(r, s) == 0))
		return;
	hang_up(r, s);
	/* A message begun on a connection that broke is not sent again. */
	if (r->begun < r->want && r->errors < 100)
		begin(r, s);
}

static int
number(const char *text, int max)
{
	char *end;
	long n;

	n = strtol(text, &end, 10);
	if (*text == '\0' || *end != '\0' || n < 1 || n > max)
		errx(64, "bad number %s", text);
	return n;
}

int
main(int argc, char *argv[])
{
	static struct run r;
	struct epoll_event ev[64];
	struct session *s;
	const char *addr = "127.0.0.1", *domain = "backup.test";
	int c, i, n, port = 25, sessions = 1, size = 4096, limit = 60;
	double start, last;

	r.per_connection = 1;
	r.want = 1;
	while ((c = getopt(argc, argv, "PTa:d:l:m:n:p:s:w:")) != -1) {
		switch (c) {
		case 'P': r.pipeline = true; break;
		case 'T': r.tls = SSL_CTX_new(TLS_client_method()); break;
		case 'a': addr = optarg; break;
		case 'd': domain = optarg; break;
		case 'l': size = number(optarg, 1 << 26); break;
		case 'm': r.want = number(optarg, 10000000); break;
		case 'n': r.per_connection = number(optarg, 1000000); break;
		case 'p': port = number(optarg, 65535); break;
		case 's': sessions = number(optarg, 1000); break;
		case 'w': limit = number(optarg, 3600); break;
		default: return 64;
		}
	}
	r.server.sin_family = AF_INET;
	r.server.sin_port = htons(port);
	if (inet_pton(AF_INET, addr, &r.server.sin_addr) != 1 ||
	    ntohl(r.server.sin_addr.s_addr) >> 24 != 127)
		errx(64, "%s is not a loopback address", addr);
	words(&r, domain, size);
	if ((r.ep = epoll_create1(0)) == -1)
		err(1, "epoll_create1");
	if ((s = calloc(sessions, sizeof(*s))) == NULL)
		err(1, "calloc");
	start = now();
	for (i = 0; i < sessions; i++)
		begin(&r, &s[i]);
	last = start;
	/* OpenSMTPD sometimes forgets to hang up. */
	while (r.open > 0 && now() - start < limit &&
	    (r.done < r.want || now() - last < 5)) {
		if (r.done < r.want)
			last = now();
		n = epoll_wait(r.ep, ev, 64, 500);
		for (i = 0; i < n; i++)
			turn(&r, ev[i].data.ptr, ev[i].events);
	}
	last = now();
	printf("%ld %.3f %ld\n", r.done, last - start, r.errors);
	free(s);
	return r.done == r.want ? 0 : 1;
}
