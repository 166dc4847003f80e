/* SPDX-License-Identifier: ISC */
#ifndef MX_DOT_H
#define MX_DOT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The framing of DATA (RFC 5321 4.1.1.4, 4.5.2).  Only CRLF.CRLF ends a
 * message; a bare CR, a bare LF and a NUL are noted and kept, never taken
 * for an end of line.
 */

enum dot_fault {
	DOT_BARE_CR = 1,
	DOT_BARE_LF = 2,
	DOT_NUL = 4
};

struct dot_decoder {
	int state;		/* private */
	unsigned faults;	/* of enum dot_fault */
	bool done;		/* the end was seen; feed no more */
};

/* At the beginning of the text, after the 354. */
void dot_decoder_init(struct dot_decoder *d);

/*
 * Decodes from IN, at most LEN bytes, into OUT, of LEN + DOT_MORE bytes;
 * sets *OUTLEN.  Returns how many bytes of IN were used: all, or up to the
 * end of the final CRLF.CRLF (then d->done).
 */
#define DOT_MORE 3
size_t dot_decode(struct dot_decoder *d, const char *in, size_t len, char *out,
    size_t *outlen);

/*
 * The same faults in text that needs no dots, because its length is known
 * (RFC 3030).
 */
struct dot_watch {
	bool cr;		/* private */
	unsigned faults;	/* of enum dot_fault */
};

void dot_watch_init(struct dot_watch *w);
void dot_watch(struct dot_watch *w, const char *in, size_t len);
void dot_watch_end(struct dot_watch *w);	/* a last CR is bare */

struct dot_encoder {
	char last[2];		/* private */
};

void dot_encoder_init(struct dot_encoder *e);

/* OUT holds 2 * LEN bytes; returns the bytes written there. */
size_t dot_encode(struct dot_encoder *e, const char *in, size_t len, char *out);

/* The end: a CRLF if the text lacks one, dot, CRLF.  OUT holds 5 bytes. */
size_t dot_encode_end(struct dot_encoder *e, char *out);

#endif
