/* SPDX-License-Identifier: ISC */
#ifndef MX_HOSTS_H
#define MX_HOSTS_H

#include <sys/socket.h>
#include <stdbool.h>

/*
 * What one run of mx-flush has learnt of hosts, shared by its processes: a
 * host found dead is not tried again in the run, by any worker, and two
 * workers never probe the same host at the same time.
 */

struct hosts;

/* Shared with the processes forked afterwards.  NULL with errno. */
struct hosts *hosts_new(void);
void hosts_free(struct hosts *h);

enum hosts_answer {
	HOSTS_TRY,	/* ours to probe: hosts_tell must follow */
	HOSTS_ALIVE,	/* answered another worker in this run */
	HOSTS_DEAD
};

/*
 * Waits while another worker is probing the same address and port; if that
 * one died without telling, the probe is ours.  A full table says TRY.
 */
enum hosts_answer hosts_ask(struct hosts *h, const struct sockaddr *addr);

/* WHY is kept for a dead one (plain text). */
void hosts_tell(struct hosts *h, const struct sockaddr *addr, bool alive,
    const char *why);

/* The reason it is dead, "" if not known. */
const char *hosts_why(struct hosts *h, const struct sockaddr *addr);

#endif
