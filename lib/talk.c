/* SPDX-License-Identifier: ISC */
#include "talk.h"

#include <netinet/in.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "plain.h"
#include "reply.h"

#define REPLY_LINES	200
#define LINE_MAX_SAID	1024	/* of a command */
#define QUIT_TIME	1000	/* milliseconds */

/*** Connecting ***/

static socklen_t
length_of(const struct sockaddr_storage *ss)
{
	return ss->ss_family == AF_INET6 ? sizeof(struct sockaddr_in6) :
	    sizeof(struct sockaddr_in);
}

static int
bind_source(int fd, const struct sockaddr_storage *source, int family)
{
	size_t i;

	for (i = 0; i < 2; i++)
		if (source[i].ss_family == family)
			return bind(fd, (const struct sockaddr *)&source[i],
			    length_of(&source[i]));
	return 0;
}

static int
wait_connected(int fd, int64_t deadline)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int error, n;

	while ((n = poll(&pfd, 1, deadline_left(deadline))) == -1)
		if (errno != EINTR)
			return -1;
	if (n == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		return -1;
	errno = error;
	return error == 0 ? 0 : -1;
}

int
talk_dial(const struct sockaddr_storage *addr,
    const struct sockaddr_storage *source, int64_t deadline)
{
	int fd, saved;

	fd = socket(addr->ss_family, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	if (bind_source(fd, source, addr->ss_family) == 0 &&
	    (connect(fd, (const struct sockaddr *)addr,
	    length_of(addr)) == 0 || (errno == EINPROGRESS &&
	    wait_connected(fd, deadline) == 0)))
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/*** Transport ***/

static ssize_t
meter_read(void *arg, void *buf, size_t len, int64_t deadline)
{
	struct talk_meter *m = arg;
	ssize_t n;

	if (m->left == 0) {
		errno = EFBIG;
		return -1;
	}
	n = m->ops->read(m->arg, buf, len < m->left ? len : m->left, deadline);
	if (n > 0)
		m->left -= (size_t)n;
	return n;
}

static ssize_t
meter_write(void *arg, const void *buf, size_t len, int64_t deadline)
{
	struct talk_meter *m = arg;

	return m->ops->write(m->arg, buf, len, deadline);
}

static const struct stream_ops meter_ops = { meter_read, meter_write };

int
talk_open(struct talk *t, const struct stream_ops *ops, void *arg,
    int64_t deadline)
{
	memset(t, 0, sizeof(*t));
	t->meter = (struct talk_meter){ ops, arg, TALK_OCTETS };
	t->deadline = deadline;
	if ((t->stream = stream_new(&meter_ops, &t->meter)) == NULL)
		return -1;
	stream_deadline(t->stream, deadline);
	return 0;
}

void
talk_close(struct talk *t)
{
	if (t->tls != NULL && !t->over)
		tls_close(t->tls);
	tls_free(t->tls);
	t->tls = NULL;
	stream_free(t->stream);
	t->stream = NULL;
}

/*** How it ends ***/

bool
talk_end(struct talk *t, enum talk_end end, const char *fmt, ...)
{
	va_list ap;

	t->end = end;
	va_start(ap, fmt);
	/* Cut if need be: it is for reading. */
	(void)vsnprintf(t->why, sizeof(t->why), fmt, ap);
	va_end(ap);
	t->over = end == TALK_LOST || end == TALK_GARBAGE;
	return false;
}

static bool
end_by_errno(struct talk *t)
{
	if (errno == ETIMEDOUT)
		return talk_end(t, TALK_LATE, "no answer in time");
	if (errno == EFBIG)
		return talk_end(t, TALK_GARBAGE, "it does not stop talking");
	if (errno == EPROTO && t->tls != NULL)
		return talk_end(t, TALK_LOST, "%s", tls_failure(t->tls));
	return talk_end(t, TALK_LOST, "%s", strerror(errno));
}

bool
talk_refused(struct talk *t, const struct talk_reply *r)
{
	(void)talk_end(t, TALK_REFUSED, "%s", r->text);
	t->over = talk_is_farewell(r);
	return false;
}

bool
talk_is_good(const struct talk_reply *r)
{
	return r->code / 100 == 2;
}

bool
talk_is_farewell(const struct talk_reply *r)
{
	return r->code == 421 || r->code == 521;
}

/*** Words ***/

bool
talk_say(struct talk *t, const char *fmt, ...)
{
	char line[LINE_MAX_SAID];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(line, sizeof(line), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(line))
		return talk_end(t, TALK_LOST, "%s", strerror(EMSGSIZE));
	if (stream_printf(t->stream, "%s\r\n", line) == -1)
		return end_by_errno(t);
	return true;
}

static bool
hear_line(struct talk *t, char **line, size_t *len)
{
	switch (stream_line(t->stream, line, len, STREAM_LINE_MAX)) {
	case STREAM_LINE:
	case STREAM_BARE:
		return true;
	case STREAM_LONG:
		return talk_end(t, TALK_GARBAGE, "its line has no end");
	case STREAM_EOF:
		return talk_end(t, TALK_LOST, "it closed the connection");
	case STREAM_TIMEOUT:
		return talk_end(t, TALK_LATE, "no answer in time");
	case STREAM_ERROR:
		break;
	}
	return end_by_errno(t);
}

static bool
end_by_garbage(struct talk *t, const char *line, size_t len)
{
	char text[100];

	plain_mem(text, sizeof(text), line, len);
	return talk_end(t, TALK_GARBAGE, "it says \"%s\", which is no reply",
	    text);
}

static void
note(struct talk_reply *to, const struct reply *r)
{
	char raw[REPLY_TEXT_MAX + 32];

	reply_print(r, raw, sizeof(raw));
	plain(to->text, sizeof(to->text), raw);
	to->code = r->code;
}

bool
talk_hear(struct talk *t, struct talk_reply *r, struct reply *raw,
    void (*fn)(void *arg, const char *text), void *arg)
{
	struct reply own;
	enum reply_got got;
	char *line;
	size_t len;
	int n;

	if (raw == NULL)
		raw = &own;
	reply_init(raw);
	for (n = 0; n < REPLY_LINES; n++) {
		if (!hear_line(t, &line, &len))
			return false;
		got = reply_feed(raw, line, len);
		if (got == REPLY_GARBAGE)
			return end_by_garbage(t, line, len);
		if (fn != NULL && n > 0 && len > 4)
			fn(arg, line + 4);
		if (got == REPLY_DONE) {
			note(r, raw);
			return true;
		}
	}
	return talk_end(t, TALK_GARBAGE, "its reply has no end");
}

bool
talk_is_silent(struct talk *t)
{
	if (stream_pending(t->stream) == 0)
		return true;
	return talk_end(t, TALK_GARBAGE, "it talks unasked");
}

bool
talk_handshake(struct talk *t, struct tls_client *c,
    const struct tls_want *want)
{
	char error[TLS_ERROR_MAX], text[TALK_WHY];
	enum tls_result result;

	/* RFC 3207 6: what comes before the handshake is a forgery. */
	if (!talk_is_silent(t))
		return false;
	result = tls_connect(c, want, &meter_ops, &t->meter, t->deadline,
	    &t->tls, error);
	if (result != TLS_OK) {
		plain(text, sizeof(text), error);
		(void)talk_end(t, result == TLS_TIMEOUT ? TALK_LATE :
		    TALK_LOST, "%s", text);
		t->over = true;
		return false;
	}
	if (stream_switch(t->stream, &tls_stream_ops, t->tls) == -1)
		return end_by_errno(t);
	return true;
}

/* That it is not answered is between them and their log. */
void
talk_quit(struct talk *t)
{
	enum talk_end end = t->end;
	char why[sizeof(t->why)];
	struct talk_reply r;

	if (t->over)
		return;
	memcpy(why, t->why, sizeof(why));
	stream_deadline(t->stream, deadline_min(t->deadline,
	    deadline_in(QUIT_TIME)));
	if (talk_say(t, "QUIT") && stream_flush(t->stream) == 0 &&
	    end != TALK_LATE)
		(void)talk_hear(t, &r, NULL, NULL, NULL);
	t->end = end;
	memcpy(t->why, why, sizeof(why));
}
