/* SPDX-License-Identifier: ISC */
#include "smtp_wire.h"

#include <sys/sendfile.h>
#include <sys/time.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "dial.h"
#include "duration.h"
#include "plain.h"

#define REPLY_LINES	200
#define TICK		1000	/* milliseconds a read sleeps */
#define NAP		20	/* and sendfile(2), which then looks around */
#define INBOX		(64 * 1024)
#define BLOCK		(64 * 1024)
/* Up to here a copy costs less than another system call. */
#define SMALL		(32 * 1024)

/*** Opening ***/

static int
wait_connected(int fd, int64_t deadline)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	int n;

	while ((n = poll(&pfd, 1, deadline_left(deadline))) == -1)
		if (errno != EINTR)
			return -1;
	if (n == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	return dial_end(fd);
}

int
smtp_wire_dial(const struct conf *conf, const struct sockaddr *addr,
    socklen_t len)
{
	int64_t deadline = deadline_in(conf->timeout.connect);
	int fd, saved;

	if ((fd = dial_begin(conf, addr, len)) == -1)
		return -1;
	if (wait_connected(fd, deadline) == 0)
		return fd;
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

/*
 * From now on reads block, but for a TICK only: a message costs no poll(2)
 * and a deadline is still kept.
 */
static int
set_tick(int fd)
{
	struct timeval tick = { TICK / 1000, TICK % 1000 * 1000 };
	struct timeval nap = { NAP / 1000, NAP % 1000 * 1000 };
	int flags, one = 1;

	/* Nagle and a delayed ACK would cost 40 ms a message. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tick,
	    sizeof(tick)) == -1 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO,
	    &nap, sizeof(nap)) == -1 || (flags = fcntl(fd, F_GETFL)) == -1)
		return -1;
	return fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

bool
smtp_wire_init(struct smtp_wire *w, int fd, char *error)
{
	memset(w, 0, sizeof(*w));
	w->fd = fd;
	w->error = error;
	w->over = true;
	if (set_tick(fd) == -1 ||
	    (w->stream = stream_new(&smtp_wire_ops, w)) == NULL)
		return false;
	w->over = false;
	return true;
}

void
smtp_wire_clear(struct smtp_wire *w)
{
	stream_free(w->stream);
	tls_free(w->tls);
	if (w->fd != -1)
		close(w->fd);
	free(w->inbox);
	memset(w, 0, sizeof(*w));
	w->fd = -1;
}

/*** Octets ***/

/*
 * Reads sleep in the kernel for a TICK; near the end of their time we ask
 * poll(2).  True if the call is worth making.
 */
static bool
worth_trying(int fd, int64_t deadline)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	int left = deadline_left(deadline);

	if (left < 0 || left >= TICK)
		return true;
	if (left > 0 && poll(&pfd, 1, left) != 0)
		return true;
	errno = ETIMEDOUT;
	return false;
}

static ssize_t
wire_read(void *arg, void *buf, size_t len, int64_t deadline)
{
	struct smtp_wire *w = arg;
	ssize_t n = -1;

	if (w->inpos < w->inlen) {
		if (len > w->inlen - w->inpos)
			len = w->inlen - w->inpos;
		memcpy(buf, w->inbox + w->inpos, len);
		w->inpos += len;
		return (ssize_t)len;
	}
	while (worth_trying(w->fd, deadline)) {
		n = recv(w->fd, buf, len, 0);
		if (n >= 0 || (errno != EINTR && errno != EAGAIN))
			break;
	}
	return n;
}

/* Takes away what the peer has said, so that it listens again. */
static void
read_away(struct smtp_wire *w)
{
	ssize_t n;

	if (w->inbox == NULL && (w->inbox = malloc(INBOX)) == NULL) {
		w->deaf = true;
		return;
	}
	if (w->inpos == w->inlen)
		w->inpos = w->inlen = 0;
	n = recv(w->fd, w->inbox + w->inlen, INBOX - w->inlen, MSG_DONTWAIT);
	if (n > 0)
		w->inlen += (size_t)n;
	w->deaf = n == 0;
}

/* Until there is room for more, or the peer has gone; -1 with errno. */
static int
wait_for_room(struct smtp_wire *w, int64_t deadline)
{
	struct pollfd pfd = { .fd = w->fd };
	int n;

	do {
		pfd.events = POLLOUT;
		/* Who has said his last may still listen. */
		if (w->inlen < INBOX && !w->deaf)
			pfd.events |= POLLIN;
		n = poll(&pfd, 1, deadline_left(deadline));
		if (n == -1 && errno != EINTR)
			return -1;
		if (n == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (n == 1 && (pfd.revents & POLLIN) != 0)
			read_away(w);
	} while (n == -1 || (pfd.revents & (POLLOUT | POLLERR | POLLHUP)) == 0);
	return 0;
}

/*
 * A peer that closes with our words unread is not there any more, while its
 * replies to what it has read still are: they are not to be lost with it.
 */
static bool
has_gone(struct smtp_wire *w, int error)
{
	w->gone = w->gone || error == EPIPE || error == ECONNRESET;
	return w->gone;
}

static ssize_t
wire_write(void *arg, const void *buf, size_t len, int64_t deadline)
{
	struct smtp_wire *w = arg;
	int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (w->more ? MSG_MORE : 0);
	ssize_t n;

	for (;;) {
		if (w->gone)
			return (ssize_t)len;
		n = send(w->fd, buf, len, flags);
		if (n > 0)
			return n;
		if (n == -1 && has_gone(w, errno))
			continue;
		if (n == -1 && errno == EAGAIN) {
			if (wait_for_room(w, deadline) == -1)
				return -1;
		} else if (n == 0 || errno != EINTR)
			return n;
	}
}

const struct stream_ops smtp_wire_ops = { wire_read, wire_write };

/* By way of our own memory. */
static bool
copy_file(struct smtp_wire *w, const struct smtp_step *step, int fd,
    int64_t offset, int64_t len)
{
	const struct smtp_step file = { "the message in the spool", 0 };
	char buf[BLOCK];
	ssize_t n;

	while (len > 0 && !w->gone) {
		n = pread(fd, buf, len < BLOCK ? (size_t)len : BLOCK, offset);
		if (n == -1 && errno == EINTR)
			continue;
		if (n <= 0)
			return smtp_wire_lost(w, &file, n == 0 ? "too short:" :
			    "cannot read");
		stream_deadline(w->stream, deadline_in(step->timeout));
		if (stream_write(w->stream, buf, (size_t)n) == -1)
			return smtp_wire_lost_errno(w, step);
		offset += n;
		len -= n;
	}
	return true;
}

bool
smtp_wire_file(struct smtp_wire *w, const struct smtp_step *step, int fd,
    int64_t offset, int64_t len)
{
	const struct smtp_step file = { "the message in the spool", 0 };
	off_t at = offset;
	int64_t deadline, block;
	ssize_t n;
	int error;

	if (w->tls != NULL || len <= SMALL)
		return copy_file(w, step, fd, offset, len);
	stream_deadline(w->stream, deadline_in(step->timeout));
	w->more = true;
	error = stream_flush(w->stream);
	w->more = false;
	if (error == -1)
		return smtp_wire_lost_errno(w, step);
	deadline = deadline_in(step->timeout);
	block = len - BLOCK;
	while (len > 0 && !w->gone) {
		n = sendfile(w->fd, fd, &at, (size_t)len);
		if (n == 0)
			return smtp_wire_lost(w, &file, "too short:");
		if (n > 0) {
			len -= n;
			/* A sip now and then is no progress. */
			if (len <= block) {
				deadline = deadline_in(step->timeout);
				block = len - BLOCK;
			}
		} else if (errno == EINVAL || errno == ENOSYS)
			return copy_file(w, step, fd, at, len);
		else if (errno == EAGAIN) {
			if (wait_for_room(w, deadline) == -1)
				return smtp_wire_lost_errno(w, step);
		} else if (errno != EINTR && !has_gone(w, errno))
			return smtp_wire_lost_errno(w, step);
	}
	return true;
}

/*** The end ***/

bool
smtp_wire_lost(struct smtp_wire *w, const struct smtp_step *step,
    const char *what)
{
	w->over = true;
	/* Cut if need be: it is for reading. */
	(void)snprintf(w->error, SMTP_ERROR_MAX, "%s %s", what, step->name);
	return false;
}

static bool
lost_timeout(struct smtp_wire *w, const struct smtp_step *step)
{
	char span[32], what[64];

	duration_print_short(span, sizeof(span), (step->timeout + 999) / 1000);
	(void)snprintf(what, sizeof(what), "no answer for %s to", span);
	w->late = true;
	return smtp_wire_lost(w, step, what);
}

bool
smtp_wire_lost_errno(struct smtp_wire *w, const struct smtp_step *step)
{
	char what[256];
	const char *why = strerror(errno);

	if (errno == ETIMEDOUT)
		return lost_timeout(w, step);
	if (w->tls != NULL && tls_failure(w->tls)[0] != '\0')
		why = tls_failure(w->tls);
	(void)snprintf(what, sizeof(what), "connection lost (%.200s) at", why);
	return smtp_wire_lost(w, step, what);
}

bool
smtp_wire_lost_step(struct smtp_wire *w, const struct smtp_step *step)
{
	w->out_of_step = true;
	return smtp_wire_lost(w, step, "replies out of step at");
}

static bool
lost_garbage(struct smtp_wire *w, const struct smtp_step *step,
    const char *line, size_t len)
{
	char text[160], what[256];

	w->out_of_step = true;
	plain_mem(text, sizeof(text), line, len);
	(void)snprintf(what, sizeof(what), "not an SMTP reply: \"%s\" to",
	    text);
	return smtp_wire_lost(w, step, what);
}

/*** Replies ***/

/* A line of a reply, good until the next; NULL: the wire is lost. */
static char *
get_line(struct smtp_wire *w, const struct smtp_step *step, size_t *len)
{
	char *line;

	switch (stream_line(w->stream, &line, len, STREAM_LINE_MAX)) {
	case STREAM_LINE:
	case STREAM_BARE:
		return line;
	case STREAM_LONG:
		smtp_wire_lost(w, step, "an endless line for a reply to");
		break;
	case STREAM_EOF:
		smtp_wire_lost(w, step, "connection closed at");
		break;
	case STREAM_TIMEOUT:
		lost_timeout(w, step);
		break;
	case STREAM_ERROR:
		smtp_wire_lost_errno(w, step);
		break;
	}
	return NULL;
}

static bool
read_reply(struct smtp_wire *w, const struct smtp_step *step,
    struct reply *r, void (*told)(void *arg, const char *text), void *arg)
{
	enum reply_got got;
	size_t len;
	char *line;
	int n;

	for (n = 0; n < REPLY_LINES; n++) {
		if ((line = get_line(w, step, &len)) == NULL)
			return false;
		got = reply_feed(r, line, len);
		if (got == REPLY_GARBAGE)
			return lost_garbage(w, step, line, len);
		if (told != NULL && n > 0 && r->code == 250 && len > 4)
			told(arg, line + 4);
		if (got == REPLY_DONE)
			return true;
	}
	return smtp_wire_lost(w, step, "an endless reply to");
}

bool
smtp_wire_reply(struct smtp_wire *w, const struct smtp_step *step,
    struct reply *r, void (*line)(void *arg, const char *text), void *arg)
{
	reply_init(r);
	stream_deadline(w->stream, deadline_in(step->timeout));
	if (read_reply(w, step, r, line, arg))
		return true;
	reply_init(r);
	return false;
}

bool
smtp_wire_is_farewell(const struct reply *r)
{
	return r->code == 421 || r->code == 521;
}

void
smtp_wire_quote(struct smtp_wire *w, const struct smtp_step *step,
    const struct reply *r)
{
	char raw[REPLY_TEXT_MAX + 32], text[SMTP_ERROR_MAX];

	reply_print(r, raw, sizeof(raw));
	plain(text, sizeof(text), raw);
	(void)snprintf(w->error, SMTP_ERROR_MAX, "%s: %.*s", step->name,
	    SMTP_ERROR_MAX - 32, text);
}

bool
smtp_wire_get(struct smtp_wire *w, const struct smtp_step *step,
    struct reply *r)
{
	if (w->over || !smtp_wire_reply(w, step, r, NULL, NULL))
		return false;
	if (!smtp_wire_is_farewell(r))
		return true;
	smtp_wire_quote(w, step, r);
	w->over = w->farewell = true;
	return false;
}

bool
smtp_wire_leaves(struct smtp_wire *w, const struct smtp_step *step)
{
	size_t len;
	char *line;

	w->gone = true;
	stream_deadline(w->stream, deadline_in(step->timeout));
	switch (stream_line(w->stream, &line, &len, STREAM_LINE_MAX)) {
	case STREAM_EOF:
	case STREAM_ERROR:
		return smtp_wire_pending(w) == 0;
	case STREAM_LINE:
	case STREAM_BARE:
	case STREAM_LONG:
	case STREAM_TIMEOUT:
		break;
	}
	return false;
}

size_t
smtp_wire_pending(const struct smtp_wire *w)
{
	return stream_pending(w->stream) + (w->inlen - w->inpos);
}

bool
smtp_wire_talks(const struct smtp_wire *w)
{
	char c;

	return smtp_wire_pending(w) > 0 || (w->tls == NULL &&
	    recv(w->fd, &c, 1, MSG_PEEK | MSG_DONTWAIT) == 1);
}
