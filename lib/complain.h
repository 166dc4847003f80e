/* SPDX-License-Identifier: ISC */
#ifndef MX_COMPLAIN_H
#define MX_COMPLAIN_H

/*
 * What went wrong, told to the program: it alone knows who reads, and what
 * is to end with what.
 */

struct complain {
	/*
	 * STATUS is what the program should end with, of sysexits(3); 0 is
	 * but a warning.  TEXT is one line, without its end.
	 */
	void (*hear)(void *arg, int status, const char *text);
	void *arg;
};

/* Both return -1, as the caller does who can do no more. */
int complain(const struct complain *c, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* With the words for errno behind, or nothing else if FMT is NULL. */
int complain_errno(const struct complain *c, int status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
