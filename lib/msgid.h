/* SPDX-License-Identifier: ISC */
#ifndef MX_MSGID_H
#define MX_MSGID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

/*
 * The name of a message, as maildir has it:
 *
 *	1764000000.M123456P4711Q1.mx2.example.net,S=4711
 *
 * seconds, microseconds, process and counter, host, size of the file in
 * octets.  The part before ",S=" is the base: it is unique, and stands in
 * the Received field, which is written before the size is known.
 */

#define MSGID_BASE_MAX	(64 + 255)
#define MSGID_MAX	(MSGID_BASE_MAX + 24)

struct msgid {
	time_t time;
	long usec;
	int64_t size;		/* -1: the base alone */
};

/* A new base in BASE (MSGID_BASE_MAX + 1).  Never the same twice. */
void msgid_new(char *base, const char *host);

/* BASE and SIZE into ID (MSGID_MAX + 1). */
void msgid_name(char *id, const char *base, int64_t size);

/*
 * True if TEXT, up to its end or a ':' (maildir flags), is an id or a base
 * and safe as the name of a file: no '/', no leading dot, no control bytes.
 */
bool msgid_parse(struct msgid *m, const char *text);

/* True if ID is, or begins with, WANT: whole, or its base. */
bool msgid_matches(const char *id, const char *want);

#endif
