/* SPDX-License-Identifier: ISC */
#ifndef MX_BACKLOG_H
#define MX_BACKLOG_H

#include <stdbool.h>
#include <stddef.h>

#include "scan.h"
#include "spool.h"

/*
 * What lies in the folders of a domain, oldest first, in little memory: 16
 * octets and its name for each message, so that a million of them take 80 MB.
 */

struct backlog;

/*
 * Reads the names, as scan_open() has it.  KEEP, if not NULL, says which.  NULL
 * with errno.
 */
struct backlog *backlog_new(struct spool *sp, const char *domain,
    unsigned folders, bool (*keep)(void *arg, const struct scan_entry *e),
    void *arg);
void backlog_free(struct backlog *b);

size_t backlog_size(const struct backlog *b);

/* Number I, from 0, into F, as scan_find() would have found it. */
bool backlog_get(const struct backlog *b, size_t i, struct scan_found *f);

#endif
