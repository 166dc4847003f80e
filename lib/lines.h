/* SPDX-License-Identifier: ISC */
#ifndef MX_LINES_H
#define MX_LINES_H

#include <sys/types.h>
#include <stddef.h>

/*
 * Text files that are searched by the first word of their lines, read with
 * pread(2): the file may be cut or changed at any time.
 *
 * A word ends at a blank, tab or CR; blanks before it are passed over, and
 * so are empty lines, lines that begin with '#', and a byte order mark.
 * Letters of ASCII are the same in either case; other bytes, NUL among them,
 * are what they are.  Of a line the first LINES_MAX octets count.
 *
 * A file is sorted if its words ascend by their folded bytes; the same twice
 * is no harm.  "LC_ALL=C sort" of a file in lower case leaves it so.
 */

#define LINES_MAX	1024

/* Lower-cases ASCII letters. */
void lines_fold(char *text, size_t len);

/* Less than, equal to or greater than 0; both are folded. */
int lines_compare(const char *a, size_t alen, const char *b, size_t blen);

/*
 * Looks for WORD (folded) in the SIZE octets of a sorted file by halving it.
 * 1 with what follows the word and one blank in REST (cut to SIZE octets,
 * NULL if nobody asks); 0 if it is not there, or the file not sorted; -1
 * with errno.
 */
int lines_find(int fd, off_t size, const char *word, char *rest,
    size_t restsize);

/*
 * Calls FN with each word, folded, good until the next but one, and the rest
 * of its line, until it returns other than 0.  NUMBER counts the lines of
 * the file from 1.  Returns 0, or what FN returned; -1 with errno.
 */
struct line {
	const char *word, *rest;
	size_t len, restlen;
	size_t number;
};
int lines_pass(int fd, int (*fn)(const struct line *line, void *arg),
    void *arg);

#endif
