/* SPDX-License-Identifier: ISC */
#include "dot.h"

#include <string.h>

enum {
	TEXT,		/* within a line */
	TEXT_CR,	/* ... and a CR, held back */
	BEGIN,		/* at the beginning of a line */
	DOT,		/* a dot there, held back */
	DOT_CR		/* a dot and a CR, held back */
};

void
dot_decoder_init(struct dot_decoder *d)
{
	d->state = BEGIN;
	d->faults = 0;
	d->done = false;
}

/*
 * The run of ordinary text at IN: up to a CR, noting what may not stand
 * alone.  memchr(3) keeps the cost per octet far below a byte-wise loop.
 */
static size_t
run(struct dot_decoder *d, const char *in, size_t len)
{
	const char *cr = memchr(in, '\r', len);
	size_t n = cr != NULL ? (size_t)(cr - in) : len;

	if (n > 0 && (d->faults & DOT_BARE_LF) == 0 &&
	    memchr(in, '\n', n) != NULL)
		d->faults |= DOT_BARE_LF;
	if (n > 0 && (d->faults & DOT_NUL) == 0 && memchr(in, '\0', n) != NULL)
		d->faults |= DOT_NUL;
	return n;
}

size_t
dot_decode(struct dot_decoder *d, const char *in, size_t len, char *out,
    size_t *outlen)
{
	size_t i = 0, o = 0, n;

	while (i < len && !d->done) {
		switch (d->state) {
		case BEGIN:
			d->state = TEXT;
			if (in[i] == '.') {
				d->state = DOT;
				i++;
			}
			break;
		case TEXT:
			n = run(d, in + i, len - i);
			memcpy(out + o, in + i, n);
			o += n;
			i += n;
			if (i < len) {
				d->state = TEXT_CR;
				i++;
			}
			break;
		case TEXT_CR:
			out[o++] = '\r';
			d->state = TEXT;
			if (in[i] == '\n') {
				out[o++] = '\n';
				d->state = BEGIN;
				i++;
			} else
				d->faults |= DOT_BARE_CR;
			break;
		case DOT:
			/* RFC 5321 4.5.2: the leading dot is deleted. */
			if (in[i] == '\r') {
				d->state = DOT_CR;
				i++;
			} else
				d->state = TEXT;
			break;
		case DOT_CR:
			if (in[i] == '\n') {
				d->done = true;
				i++;
			} else {
				/* ".\r" and no LF: text with a bare CR */
				out[o++] = '\r';
				d->faults |= DOT_BARE_CR;
				d->state = TEXT;
			}
			break;
		}
	}
	*outlen = o;
	return i;
}

void
dot_watch_init(struct dot_watch *w)
{
	w->cr = false;
	w->faults = 0;
}

void
dot_watch(struct dot_watch *w, const char *in, size_t len)
{
	const char *end = in + len, *cr;

	if (len > 0 && (w->faults & DOT_NUL) == 0 &&
	    memchr(in, '\0', len) != NULL)
		w->faults |= DOT_NUL;
	while (in < end) {
		if (w->cr && *in == '\n')
			in++;
		else if (w->cr)
			w->faults |= DOT_BARE_CR;
		cr = memchr(in, '\r', (size_t)(end - in));
		w->cr = cr != NULL;
		if (cr == NULL)
			cr = end;
		if (cr > in && memchr(in, '\n', (size_t)(cr - in)) != NULL)
			w->faults |= DOT_BARE_LF;
		in = w->cr ? cr + 1 : end;
	}
}

void
dot_watch_end(struct dot_watch *w)
{
	if (w->cr)
		w->faults |= DOT_BARE_CR;
	w->cr = false;
}

void
dot_encoder_init(struct dot_encoder *e)
{
	e->last[0] = '\r';
	e->last[1] = '\n';
}

size_t
dot_encode(struct dot_encoder *e, const char *in, size_t len, char *out)
{
	size_t i = 0, o = 0, n;
	const char *lf;

	while (i < len) {
		if (in[i] == '.' && e->last[0] == '\r' && e->last[1] == '\n')
			out[o++] = '.';
		lf = memchr(in + i, '\n', len - i);
		n = lf != NULL ? (size_t)(lf - (in + i)) + 1 : len - i;
		memcpy(out + o, in + i, n);
		if (n > 1)
			e->last[0] = in[i + n - 2];
		else
			e->last[0] = e->last[1];
		e->last[1] = in[i + n - 1];
		o += n;
		i += n;
	}
	return o;
}

size_t
dot_encode_end(struct dot_encoder *e, char *out)
{
	size_t o = 0;

	if (e->last[0] != '\r' || e->last[1] != '\n') {
		/* A final CR gets its LF, so that no bare CR leaves us. */
		if (e->last[1] != '\r')
			out[o++] = '\r';
		out[o++] = '\n';
	}
	memcpy(out + o, ".\r\n", 3);
	return o + 3;
}
