/* SPDX-License-Identifier: ISC */
#include "ledger.h"

#include <sys/file.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "header.h"

struct ledger_holds {
	char *log;		/* lines "TIME hold|release ID [WHY]" */
};

int
ledger_lock(struct spool *sp, const char *domain)
{
	int fd, saved;

	fd = spool_text_open(sp, domain, "lock", O_RDWR);
	if (fd != -1 && flock(fd, LOCK_EX | LOCK_NB) == -1) {
		saved = errno;
		close(fd);
		errno = saved;
		return -1;
	}
	return fd;
}

/* Is the domain on hold by the operator?  Fills what is known of it. */
static int
load_hold(struct spool *sp, const char *domain, struct domain *d)
{
	struct domain hold;
	char *text;

	if ((text = spool_text_read(sp, domain, "hold")) == NULL)
		return -1;
	domain_parse(&hold, text);
	free(text);
	if (hold.state == DOMAIN_HELD) {
		d->state = DOMAIN_HELD;
		d->since = hold.since;
		d->held_until = hold.held_until;
		(void)strlcpy(d->why, hold.why, sizeof(d->why));
	}
	return 0;
}

int
ledger_load(struct spool *sp, const char *domain, struct domain *d)
{
	char *text;

	domain_init(d);
	if ((text = spool_text_read(sp, domain, "state")) == NULL)
		return -1;
	domain_parse(d, text);
	free(text);
	return load_hold(sp, domain, d);
}

static int
save_domain(struct spool *sp, const char *domain, const char *name,
    const struct domain *d, bool sync)
{
	char *text = NULL;
	size_t size = 0;
	int result = -1;
	FILE *f;

	if ((f = open_memstream(&text, &size)) == NULL)
		return -1;
	domain_print(d, f);
	if (fclose(f) == 0)
		result = spool_text_write(sp, domain, name, text, sync);
	free(text);
	return result;
}

int
ledger_save(struct spool *sp, const char *domain, const struct domain *d)
{
	return save_domain(sp, domain, "state", d, false);
}

int
ledger_outage(struct spool *sp, const char *domain, const char *event,
    const char *detail)
{
	char date[HEADER_DATE_MAX], line[1024];

	header_rfc3339(date, time(NULL));
	if (snprintf(line, sizeof(line), "%s\t%s\t%.900s\n", date, event,
	    detail) >= (int)sizeof(line)) {
		errno = EMSGSIZE;
		return -1;
	}
	return spool_text_append(sp, domain, "outages", line);
}

/* "TIME hold|release ID [WHY]", ID "*" for the whole domain. */
static int
log_hold(struct spool *sp, const char *domain, const char *id, time_t when,
    const char *event, const char *why)
{
	char line[MSGID_MAX + 512];

	if (snprintf(line, sizeof(line), "%lld %s %s%s%.*s\n",
	    (long long)when, event, id == NULL ? "*" : id,
	    *why != '\0' ? " " : "", (int)strcspn(why, "\n"), why) >=
	    (int)sizeof(line)) {
		errno = EMSGSIZE;
		return -1;
	}
	return spool_text_append(sp, domain, "holds", line);
}

int
ledger_hold(struct spool *sp, const char *domain, const char *id,
    time_t until, const char *why)
{
	struct domain d;
	time_t now = time(NULL);

	if (log_hold(sp, domain, id, now, "hold", why) == -1)
		return -1;
	if (id != NULL)
		return 0;
	domain_init(&d);
	d.state = DOMAIN_HELD;
	d.since = now;
	d.held_until = until;
	(void)strlcpy(d.why, why, sizeof(d.why));
	if (save_domain(sp, domain, "hold", &d, true) == -1)
		return -1;
	return ledger_outage(sp, domain, "hold", why);
}

int
ledger_release(struct spool *sp, const char *domain, const char *id)
{
	if (id == NULL && (spool_text_remove(sp, domain, "hold") == -1 ||
	    ledger_outage(sp, domain, "release", "") == -1))
		return -1;
	return log_hold(sp, domain, id, time(NULL), "release", "");
}

/*
 * One walk over the log for one subject ("*" or an id).  By hand: sscanf(3)
 * would measure the rest of the log for each of its lines.
 */
static int64_t
sum_holds(const char *log, const char *subject, time_t arrived, time_t now)
{
	static const char hold[] = " hold ", release[] = " release ";
	size_t len = strlen(subject);
	int64_t sum = 0;
	time_t begin = 0, when;
	char *p;
	bool ends;

	for (; *log != '\0'; log += strcspn(log, "\n"), log += *log == '\n') {
		when = (time_t)strtoll(log, &p, 10);
		ends = strncmp(p, release, sizeof(release) - 1) == 0;
		if (p == log || (!ends && strncmp(p, hold, sizeof(hold) - 1)))
			continue;
		p += ends ? sizeof(release) - 1 : sizeof(hold) - 1;
		if (strncmp(p, subject, len) != 0 ||
		    (p[len] != ' ' && p[len] != '\n' && p[len] != '\0'))
			continue;
		if (when < arrived)
			when = arrived;
		if (!ends && begin == 0)
			begin = when;
		else if (ends && begin != 0) {
			sum += when - begin;
			begin = 0;
		}
	}
	if (begin != 0 && now > begin)
		sum += now - begin;
	return sum < 0 ? 0 : sum;
}

struct ledger_holds *
ledger_holds_load(struct spool *sp, const char *domain)
{
	struct ledger_holds *h;

	if ((h = malloc(sizeof(*h))) == NULL)
		return NULL;
	if ((h->log = spool_text_read(sp, domain, "holds")) == NULL) {
		free(h);
		return NULL;
	}
	return h;
}

void
ledger_holds_free(struct ledger_holds *h)
{
	if (h != NULL)
		free(h->log);
	free(h);
}

int64_t
ledger_held_seconds(const struct ledger_holds *h, const char *id,
    time_t arrived, time_t now)
{
	int64_t whole, own;

	if (*h->log == '\0')
		return 0;
	whole = sum_holds(h->log, "*", arrived, now);
	own = sum_holds(h->log, id, arrived, now);
	/* Two holds may overlap; the message gains from the longer one. */
	return whole > own ? whole : own;
}

void
ledger_why(const struct ledger_holds *h, const char *id, char *why,
    size_t size)
{
	const char *words;
	char line[MSGID_MAX + 512], pattern[MSGID_MAX + 16];
	size_t n;

	why[0] = '\0';
	(void)snprintf(pattern, sizeof(pattern), " hold %s ", id);
	for (const char *p = h->log; *p != '\0'; p += n, p += *p == '\n') {
		n = strcspn(p, "\n");
		if (n >= sizeof(line))
			continue;
		memcpy(line, p, n);
		line[n] = '\0';
		if ((words = strstr(line, pattern)) != NULL)
			(void)strlcpy(why, words + strlen(pattern), size);
	}
}
