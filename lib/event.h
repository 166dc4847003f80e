/* SPDX-License-Identifier: ISC */
#ifndef MX_EVENT_H
#define MX_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#include "conf.h"
#include "notice.h"
#include "spool.h"

/*
 * What the operator is told of a domain: by the hook at once, by one mail to
 * "notify".  A run notes what it finds, as often as it likes; at its end it
 * is compared with what was told before, so that a thing is told once as long
 * as it lasts.
 */

#define EVENT_TEXT_MAX	512

struct event {
	/* Set by the caller, who clears the rest. */
	const struct conf *conf;
	const struct settings *settings;
	struct spool *spool;
	const char *domain;
	size_t delivered;	/* messages, in this run */
	size_t failed;		/* of which somebody was refused for good */
	bool tried_on;		/* EVENT_STOPPED, and yet tried at each run */

	time_t noted[EVENT_NKINDS];	/* when; 0: not */
	char reason[EVENT_NKINDS][EVENT_TEXT_MAX];
	char host[EVENT_NKINDS][EVENT_TEXT_MAX];
};

/*
 * KIND is so in this run.  HOST is the server it was seen at, as link_open()
 * has it, "" none; REASON plain text, "" none.  E may be NULL: nobody is
 * told.  Never blocks.
 */
void event_note(struct event *e, enum event_kind kind, const char *host,
    const char *reason);

/*
 * At the end of a run, under the lock of the domain: tells what is due, and
 * remembers that durably in SPOOL/state/DOMAIN/told; a crash in between makes
 * one hear it twice.  Mails are spooled like reports; hooks are waited for, a
 * "timeout hook" each.  To be called by each run of a domain that has found
 * out how it is: some things are told only when they have lasted.  What fails
 * is logged, and for mails tried again by the next run.  Not in a dry run,
 * nor for domains that are not ours.
 */
void event_tell(struct event *e);

/* Can "notify" hear of DOMAIN now? */
enum event_ear {
	EVENT_HEARS,
	EVENT_NOBODY,		/* there is none */
	EVENT_INSIDE,		/* it is of the same domain, or of one that
				   the same file speaks of: an error */
	EVENT_DEAF		/* we are its domain's backup, and that is not
				   up either: later */
};
enum event_ear event_ear(const struct conf *conf, const struct settings *s,
    struct spool *sp, const char *domain);

/* The word for people, MX_EVENT and the file: "down", "tls-downgrade". */
const char *event_name(enum event_kind kind);

#endif
