/* SPDX-License-Identifier: ISC */
#ifndef MX_STREAM_H
#define MX_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Buffered bytes in and out over two functions, with the deadline beneath
 * them.  Reading flushes what is still to be sent before it blocks.
 * Replies collect in the buffer, so a pipelined group is answered in one
 * write.  After an error the stream stays broken: every further call fails.
 * A time-out while reading is no such error: the peer may still be told.
 */

/*
 * Move at least one byte before DEADLINE (see deadline.h).  Return the
 * number moved, 0 at end of file (read only), or -1 with errno; ETIMEDOUT
 * when the deadline passed.
 */
struct stream_ops {
	ssize_t (*read)(void *arg, void *buf, size_t len, int64_t deadline);
	ssize_t (*write)(void *arg, const void *buf, size_t len,
	    int64_t deadline);
};

/* Descriptors, blocking or not; ARG points at the struct. */
struct stream_fds {
	int in;
	int out;
	int timer;		/* private: begin with 0 */
};
extern const struct stream_ops stream_fd_ops;

struct stream;

/* NULL with errno when out of memory.  OPS and ARG are borrowed. */
struct stream *stream_new(const struct stream_ops *ops, void *arg);
void stream_free(struct stream *s);

/*
 * Goes on over OPS and ARG, as after STARTTLS.  What is still to be sent goes
 * the old way first.  Refuses with EBUSY if input is waiting, since what came
 * before could be taken for what comes after (RFC 3207 6).  0 or -1.
 */
int stream_switch(struct stream *s, const struct stream_ops *ops, void *arg);

/* For all that follows until the next call. */
void stream_deadline(struct stream *s, int64_t deadline);

enum stream_got {
	STREAM_LINE,	/* a line that ended in CRLF */
	STREAM_BARE,	/* a line that ended in LF alone or holds a bare CR */
	STREAM_LONG,	/* longer than allowed; read away up to its LF */
	STREAM_EOF,
	STREAM_TIMEOUT,
	STREAM_ERROR	/* errno is set */
};

/*
 * One line of at most MAX bytes without its end; *LINE points into the
 * buffer, is NUL-terminated and good until the next call on S.  It may hold
 * NULs: compare strlen with *LEN.  MAX is at most STREAM_LINE_MAX.
 */
#define STREAM_LINE_MAX 16384
enum stream_got stream_line(struct stream *s, char **line, size_t *len,
    size_t max);

/*
 * The bytes that are there, at least one: *DATA and *LEN say where; consume
 * with stream_skip.  STREAM_LINE stands for success.
 */
enum stream_got stream_data(struct stream *s, const char **data, size_t *len);
void stream_skip(struct stream *s, size_t len);

/* The same with at least one byte behind those that were there. */
enum stream_got stream_more(struct stream *s, const char **data, size_t *len);

/* Bytes read from the peer and not yet consumed. */
size_t stream_pending(const struct stream *s);

/* 0, or -1 with errno when a needed flush failed. */
int stream_write(struct stream *s, const void *buf, size_t len);
int stream_printf(struct stream *s, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));	/* at most 4095 bytes */
int stream_flush(struct stream *s);

#endif
