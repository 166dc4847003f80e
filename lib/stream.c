/* SPDX-License-Identifier: ISC */
#include "stream.h"

#include <sys/socket.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"

#define INSIZE	65536
#define OUTSIZE	65536
#define PRINTSIZE	4096

struct stream {
	const struct stream_ops *ops;
	void *arg;
	int64_t deadline;
	int error;		/* errno that broke it, or 0 */
	bool eof;
	size_t inpos, inlen;	/* unread bytes: in[inpos] .. in[inlen] */
	size_t outlen;
	char in[INSIZE + 1];
	char out[OUTSIZE];
};

struct stream *
stream_new(const struct stream_ops *ops, void *arg)
{
	struct stream *s;

	/* Not calloc: untouched pages of the buffers cost nothing. */
	if ((s = malloc(sizeof(*s))) == NULL)
		return NULL;
	memset(s, 0, offsetof(struct stream, in));
	s->ops = ops;
	s->arg = arg;
	s->deadline = DEADLINE_NEVER;
	return s;
}

void
stream_free(struct stream *s)
{
	free(s);
}

void
stream_deadline(struct stream *s, int64_t deadline)
{
	s->deadline = deadline;
}

static int
wait_for(int fd, short events, int64_t deadline)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int n, left;

	for (;;) {
		/* One that has always something to say is late all the same. */
		left = deadline_left(deadline);
		n = left == 0 ? 0 : poll(&pfd, 1, left);
		if (n > 0)
			return 0;
		if (n == 0) {
			errno = ETIMEDOUT;
			return -1;
		}
		if (errno != EINTR)
			return -1;
	}
}

/*
 * A socket that blocks can keep time itself, which spares each read a
 * poll(2).  Its timer is set where it would outlast the deadline, and so
 * short that it need not be set again for the next command or the text.
 */
static bool
keeps_time(struct stream_fds *fds, int left)
{
	struct timeval tv;
	int ms = left == -1 || left > 80000 ? 60000 : left - left / 4;

	if (fds->timer == -1)
		return false;
	if (fds->timer > 0 && (left == -1 || fds->timer <= left))
		return true;
	tv.tv_sec = ms / 1000;
	tv.tv_usec = ms % 1000 * 1000;
	fds->timer = setsockopt(fds->in, SOL_SOCKET, SO_RCVTIMEO, &tv,
	    sizeof(tv)) == -1 ? -1 : ms;
	return fds->timer != -1;
}

static ssize_t
fd_read(void *arg, void *buf, size_t len, int64_t deadline)
{
	struct stream_fds *fds = arg;
	ssize_t n;
	int left;

	for (;;) {
		left = deadline_left(deadline);
		/* wait_for() knows that what is late is late. */
		if ((left == 0 || !keeps_time(fds, left)) &&
		    wait_for(fds->in, POLLIN, deadline) == -1)
			return -1;
		n = read(fds->in, buf, len);
		if (n >= 0 || (errno != EINTR && errno != EAGAIN))
			return n;
		/* Its time is up, or it does not block at all. */
		if (errno == EAGAIN &&
		    wait_for(fds->in, POLLIN, deadline) == -1)
			return -1;
	}
}

static ssize_t
fd_write(void *arg, const void *buf, size_t len, int64_t deadline)
{
	struct stream_fds *fds = arg;
	ssize_t n;

	/*
	 * A reply nearly always fits: ask poll(2) only when it did not.  A
	 * plain write to a blocking socket could outstay the deadline.
	 */
	for (;;) {
		n = send(fds->out, buf, len, MSG_DONTWAIT | MSG_NOSIGNAL);
		if (n == -1 && errno == ENOTSOCK) {
			if (wait_for(fds->out, POLLOUT, deadline) == -1)
				return -1;
			/* A pipe with room takes this much, not any more. */
			n = write(fds->out, buf, len > PIPE_BUF ? PIPE_BUF :
			    len);
		}
		if (n > 0)
			return n;
		if (n == 0)
			errno = EIO;
		if (n == 0 || (errno != EINTR && errno != EAGAIN) ||
		    wait_for(fds->out, POLLOUT, deadline) == -1)
			return -1;
	}
}

const struct stream_ops stream_fd_ops = { fd_read, fd_write };

static int
broken(struct stream *s, int error)
{
	s->error = error;
	errno = error;
	return -1;
}

static int
write_all(struct stream *s, const char *buf, size_t len)
{
	ssize_t n;

	while (len > 0) {
		n = s->ops->write(s->arg, buf, len, s->deadline);
		if (n <= 0)
			return broken(s, n == 0 ? EIO : errno);
		buf += n;
		len -= (size_t)n;
	}
	return 0;
}

int
stream_flush(struct stream *s)
{
	size_t len = s->outlen;

	if (s->error != 0) {
		errno = s->error;
		return -1;
	}
	s->outlen = 0;
	return write_all(s, s->out, len);
}

int
stream_switch(struct stream *s, const struct stream_ops *ops, void *arg)
{
	if (stream_pending(s) > 0) {
		errno = EBUSY;
		return -1;
	}
	if (stream_flush(s) == -1)
		return -1;
	s->ops = ops;
	s->arg = arg;
	return 0;
}

int
stream_write(struct stream *s, const void *buf, size_t len)
{
	if (s->error != 0) {
		errno = s->error;
		return -1;
	}
	if (len > sizeof(s->out) - s->outlen && stream_flush(s) == -1)
		return -1;
	if (len >= sizeof(s->out))
		return write_all(s, buf, len);
	memcpy(s->out + s->outlen, buf, len);
	s->outlen += len;
	return 0;
}

int
stream_printf(struct stream *s, const char *fmt, ...)
{
	va_list ap;
	int n;

	if (sizeof(s->out) - s->outlen < PRINTSIZE && stream_flush(s) == -1)
		return -1;
	if (s->error != 0) {
		errno = s->error;
		return -1;
	}
	va_start(ap, fmt);
	n = vsnprintf(s->out + s->outlen, PRINTSIZE, fmt, ap);
	va_end(ap);
	if (n < 0 || n >= PRINTSIZE) {
		errno = EMSGSIZE;
		return -1;
	}
	s->outlen += (size_t)n;
	return 0;
}

/* More bytes behind those that are there. */
static enum stream_got
fill(struct stream *s)
{
	ssize_t n;

	if (s->eof)
		return STREAM_EOF;
	if (s->outlen > 0 && stream_flush(s) == -1)
		return errno == ETIMEDOUT ? STREAM_TIMEOUT : STREAM_ERROR;
	if (s->error != 0) {
		errno = s->error;
		return errno == ETIMEDOUT ? STREAM_TIMEOUT : STREAM_ERROR;
	}
	if (s->inpos > 0 && (s->inpos == s->inlen || s->inlen == INSIZE)) {
		memmove(s->in, s->in + s->inpos, s->inlen - s->inpos);
		s->inlen -= s->inpos;
		s->inpos = 0;
	}
	n = s->ops->read(s->arg, s->in + s->inlen, INSIZE - s->inlen,
	    s->deadline);
	if (n == -1 && errno == ETIMEDOUT)
		return STREAM_TIMEOUT;	/* may still be told so */
	if (n == -1) {
		(void)broken(s, errno);
		return STREAM_ERROR;
	}
	if (n == 0) {
		s->eof = true;
		return STREAM_EOF;
	}
	s->inlen += (size_t)n;
	return STREAM_LINE;
}

/* Reads away the rest of a line that was too long. */
static enum stream_got
skip_line(struct stream *s)
{
	enum stream_got got;
	char *lf;

	for (;;) {
		lf = memchr(s->in + s->inpos, '\n', s->inlen - s->inpos);
		if (lf != NULL) {
			s->inpos = (size_t)(lf - s->in) + 1;
			return STREAM_LONG;
		}
		s->inpos = s->inlen = 0;
		if ((got = fill(s)) != STREAM_LINE)
			return got;
	}
}

/* Without its end, which is LF or CRLF. */
static size_t
line_length(const struct stream *s, const char *lf)
{
	size_t n = (size_t)(lf - (s->in + s->inpos));

	return n > 0 && lf[-1] == '\r' ? n - 1 : n;
}

static enum stream_got
take_line(struct stream *s, char *lf, char **line, size_t *len)
{
	char *begin = s->in + s->inpos;
	size_t n = (size_t)(lf - begin);
	bool crlf = n > 0 && begin[n - 1] == '\r';

	if (crlf)
		n--;
	s->inpos = (size_t)(lf - s->in) + 1;
	begin[n] = '\0';
	*line = begin;
	*len = n;
	return crlf && memchr(begin, '\r', n) == NULL ? STREAM_LINE :
	    STREAM_BARE;
}

enum stream_got
stream_line(struct stream *s, char **line, size_t *len, size_t max)
{
	enum stream_got got;
	size_t seen = 0, there;
	char *lf;

	if (max > STREAM_LINE_MAX)
		max = STREAM_LINE_MAX;
	for (;;) {
		there = s->inlen - s->inpos;
		lf = memchr(s->in + s->inpos + seen, '\n', there - seen);
		if (lf != NULL && line_length(s, lf) <= max)
			return take_line(s, lf, line, len);
		if (lf != NULL || there > max + 1)
			return skip_line(s);
		seen = there;
		if ((got = fill(s)) != STREAM_LINE)
			return got;
	}
}

enum stream_got
stream_data(struct stream *s, const char **data, size_t *len)
{
	enum stream_got got;

	if (s->inpos == s->inlen && (got = fill(s)) != STREAM_LINE)
		return got;
	*data = s->in + s->inpos;
	*len = s->inlen - s->inpos;
	return STREAM_LINE;
}

enum stream_got
stream_more(struct stream *s, const char **data, size_t *len)
{
	enum stream_got got = fill(s);

	*data = s->in + s->inpos;
	*len = s->inlen - s->inpos;
	return got;
}

void
stream_skip(struct stream *s, size_t len)
{
	s->inpos += len;
}

size_t
stream_pending(const struct stream *s)
{
	return s->inlen - s->inpos;
}
