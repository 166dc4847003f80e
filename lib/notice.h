/* SPDX-License-Identifier: ISC */
#ifndef MX_NOTICE_H
#define MX_NOTICE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "conf.h"
#include "spool.h"

/*
 * One mail to the operator of a domain: its words, and its way into the
 * spool.  When there is to be one is event's business.
 */

enum event_kind {
	/* A run ends in one of these: the one that was noted last. */
	EVENT_UP,		/* a server takes mail again */
	EVENT_DOWN,		/* none does */
	EVENT_UNROUTABLE,	/* DNS names none, and none is remembered */
	EVENT_STOPPED,		/* the breaker: a server refuses too much */
	/* And may see these: what is noted first. */
	EVENT_LOOP,		/* the way leads back to us */
	EVENT_DOWNGRADE,	/* less TLS than there was */
	EVENT_REMEMBERED	/* DNS fails; the last good route is used */
};
#define EVENT_NKINDS	7

struct notice {
	const struct conf *conf;
	const struct settings *settings;
	struct spool *spool;
	const char *domain;	/* that it is about */
	enum event_kind kind;
	const char *host, *reason;	/* plain, "" none */
	time_t now;
	time_t since;		/* EVENT_UP: it was down since then */
	time_t lasted;		/* seconds */
	size_t waiting;		/* messages, now */
	time_t oldest;		/* of these; 0 none */
	size_t delivered;	/* messages, since it is up */
	size_t failed;		/* of which somebody was refused for good */
	bool tried_on;		/* EVENT_STOPPED, and yet tried at each run */
};

/*
 * Spools it for settings->notify, from <>, like a report; ID (MSGID_MAX + 1)
 * gets its id.  0 when it is durable, or -1 with errno.
 */
int notice_send(const struct notice *n, char *id);

/* "2 days and 3 hours", cut to what matters.  SIZE 40 suffices. */
void notice_duration(char *text, size_t size, time_t seconds);

#endif
