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
	HOSTS_TRY,	/* ours to probe: hosts_tell or hosts_drop must
			   follow */
	HOSTS_ALIVE,	/* answered another worker in this run */
	HOSTS_DEAD,
	HOSTS_BUSY	/* another worker is probing it */
};

/*
 * With WAIT, instead of BUSY, waits for the other worker; who does that must
 * have no probes of its own.  If that one died without telling, the probe is
 * ours.  A full table says TRY.
 */
enum hosts_answer hosts_ask(struct hosts *h, const struct sockaddr *addr,
    bool wait);

/* Is it known to be alive?  Never waits, and never makes it ours. */
bool hosts_is_alive(struct hosts *h, const struct sockaddr *addr);

/* Ends a probe of ours that has found nothing out. */
void hosts_drop(struct hosts *h, const struct sockaddr *addr);

#define HOSTS_WHY_MAX	256

/* WHY is kept for a dead one (plain text), cut if need be. */
void hosts_tell(struct hosts *h, const struct sockaddr *addr, bool alive,
    const char *why);

/* The reason it is dead, "" if not known. */
const char *hosts_why(struct hosts *h, const struct sockaddr *addr);

#endif
