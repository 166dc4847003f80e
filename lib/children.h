/* SPDX-License-Identifier: ISC */
#ifndef MX_CHILDREN_H
#define MX_CHILDREN_H

#include <sys/types.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Short work that blocks, or that strangers may break, done side by side,
 * each in a process of its own.  What a child finds it writes into memory
 * that it shares with its parent: so what it had found stays when it dies.
 */

/* SIZE zeroed octets, shared with children to come; NULL with errno. */
void *children_share(size_t size);
void children_unshare(void *memory, size_t size);

/* fork(2), but the child does not outlive its parent (Linux). */
pid_t children_fork(void);

/*
 * WORK(I, ARG) in a child for each I below N, at most ATONCE at a time, in
 * order.  A child keeps what descriptors are open.  Returns when all have
 * ended; at DEADLINE those that have not are killed, and the rest is not
 * begun.  Where no child can be made, one that ends makes room; if there is
 * none, that work is not begun either.
 */
void children_run(size_t n, size_t atonce, void (*work)(size_t i, void *arg),
    void *arg, int64_t deadline);

#endif
