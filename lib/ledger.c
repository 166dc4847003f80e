/* SPDX-License-Identifier: ISC */
#include "ledger.h"

#include <sys/file.h>
#include <sys/stat.h>
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "header.h"

#define ALL	"*"
#define STOPPED	"!"

struct event {
	const char *id;		/* LEN octets of the log; WHY follows */
	size_t len;
	time_t when;
	bool ends;
};

struct ledger_holds {
	char *log;
	struct event *event;	/* N, sorted */
	size_t n;
};

int
ledger_lock(struct spool *sp, const char *domain)
{
	struct stat st;
	int fd, saved;

	fd = spool_lock_open(sp, domain);
	if (fd == -1)
		return -1;
	if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
		/* Its last holder may have removed it meanwhile. */
		if (fstat(fd, &st) == 0 && st.st_nlink > 0)
			return fd;
		errno = EWOULDBLOCK;
	}
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
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

static int
load_order(struct spool *sp, const char *domain, struct domain *d)
{
	char *text;

	if ((text = spool_text_read(sp, domain, "order")) == NULL)
		return -1;
	if (strcmp(text, "release\n") == 0)
		d->order = DOMAIN_RELEASE;
	else if (strcmp(text, "retry\n") == 0)
		d->order = DOMAIN_RETRY;
	free(text);
	return 0;
}

int
ledger_order(struct spool *sp, const char *domain, enum domain_order order)
{
	switch (order) {
	case DOMAIN_WAIT:
		return spool_text_remove(sp, domain, "order") == -1 &&
		    errno != ENOENT ? -1 : 0;
	case DOMAIN_RETRY:
		return spool_text_write(sp, domain, "order", "retry\n", true);
	case DOMAIN_RELEASE:
		return spool_text_write(sp, domain, "order", "release\n",
		    true);
	}
	errno = EINVAL;
	return -1;
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
	/* Another file, so that the operator need not wait for a flusher. */
	if (d->state == DOMAIN_STOPPED && load_order(sp, domain, d) == -1)
		return -1;
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
	/* Durable before anything is sent: after a power cut it is needed. */
	return save_domain(sp, domain, "state", d, d->sending != 0);
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

/*** Where primaries call from: a file for each of their addresses ***/

static bool
primary_name(char *name, size_t size, const char *addr)
{
	/* Numeric, so it is safe as the name of a file. */
	return *addr != '\0' &&
	    addr[strspn(addr, "0123456789abcdefABCDEF.:")] == '\0' &&
	    snprintf(name, size, ".primaries/%s", addr) < (int)size;
}

/* Is LINE one of the lines of TEXT?  Where it begins, else NULL. */
static char *
find_line(char *text, const char *line)
{
	size_t n = strlen(line);

	for (char *p = text; *p != '\0'; p += strcspn(p, "\n"),
	    p += *p == '\n')
		if (strncmp(p, line, n) == 0 && p[n] == '\n')
			return p;
	return NULL;
}

/* Puts the domain into the file of ADDR, or takes it out. */
static int
edit_primary(struct spool *sp, const char *addr, const char *domain, bool in)
{
	char name[64], *text, *line, *grown;
	int result = 0;

	if (!primary_name(name, sizeof(name), addr))
		return 0;
	if ((text = spool_text_read(sp, NULL, name)) == NULL)
		return -1;
	line = find_line(text, domain);
	if (in && line == NULL) {
		if (asprintf(&grown, "%s%s\n", text, domain) == -1)
			result = -1;
		else {
			result = spool_text_write(sp, NULL, name, grown,
			    false);
			free(grown);
		}
	} else if (!in && line != NULL) {
		grown = line + strlen(domain) + 1;
		memmove(line, grown, strlen(grown) + 1);
		result = *text == '\0' ? spool_text_remove(sp, NULL, name) :
		    spool_text_write(sp, NULL, name, text, false);
	}
	free(text);
	return result;
}

/* In the files of all addresses in LINES that are not in OTHER. */
static int
edit_primaries(struct spool *sp, const char *domain, const char *lines,
    char *other, bool in)
{
	char addr[64];
	size_t n;

	for (; *lines != '\0'; lines += n + 1) {
		n = strcspn(lines, "\n");
		if (lines[n] == '\0' || n >= sizeof(addr))
			return 0;
		memcpy(addr, lines, n);
		addr[n] = '\0';
		if (find_line(other, addr) == NULL &&
		    edit_primary(sp, addr, domain, in) == -1)
			return -1;
	}
	return 0;
}

int
ledger_note_primaries(struct spool *sp, const char *domain,
    const char *const *addr, size_t n)
{
	char *old = NULL, *now = NULL;
	int lock = -1, result = -1;
	size_t size;
	FILE *f;

	if ((f = open_memstream(&now, &size)) == NULL)
		return -1;
	for (size_t i = 0; i < n; i++)
		fprintf(f, "%s\n", addr[i]);
	if (fclose(f) != 0 ||
	    (old = spool_text_read(sp, domain, "primaries")) == NULL)
		goto out;
	/* Nearly always: nothing has changed, and nobody is locked out. */
	if (strcmp(old, now) == 0) {
		result = 0;
		goto out;
	}
	lock = spool_lock_open(sp, NULL);
	if (lock == -1 || flock(lock, LOCK_EX) == -1 ||
	    edit_primaries(sp, domain, now, old, true) == -1 ||
	    edit_primaries(sp, domain, old, now, false) == -1)
		goto out;
	result = spool_text_write(sp, domain, "primaries", now, false);
out:
	if (lock != -1)
		close(lock);
	free(old);
	free(now);
	return result;
}

int
ledger_primary_of(struct spool *sp, const char *addr,
    int (*fn)(const char *domain, void *arg), void *arg)
{
	char name[64], *text, *rest, *line;
	int result = 0;

	if (!primary_name(name, sizeof(name), addr) ||
	    (text = rest = spool_text_read(sp, NULL, name)) == NULL)
		return 0;
	while (result == 0 && (line = strsep(&rest, "\n")) != NULL)
		if (*line != '\0')
			result = fn(line, arg);
	free(text);
	return result;
}

static int
is_wanted(const char *domain, void *arg)
{
	return arg == NULL || strcmp(domain, arg) == 0;
}

bool
ledger_is_primary(struct spool *sp, const char *addr, const char *domain)
{
	return ledger_primary_of(sp, addr, is_wanted, (void *)domain) != 0;
}

/*
 * "TIME hold|release ID [WHY]", ID ALL for the whole domain by the operator,
 * STOPPED for it by the breaker: one may begin before the other ends.
 */
static int
log_hold(struct spool *sp, const char *domain, const char *id, time_t when,
    const char *event, const char *why)
{
	char line[MSGID_MAX + 512];

	if (snprintf(line, sizeof(line), "%lld %s %s%s%.*s\n",
	    (long long)when, event, id == NULL ? ALL : id,
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

int
ledger_stop(struct spool *sp, const char *domain, const char *why)
{
	return log_hold(sp, domain, STOPPED, time(NULL), "hold", why);
}

int
ledger_go_on(struct spool *sp, const char *domain)
{
	return log_hold(sp, domain, STOPPED, time(NULL), "release", "");
}

/* "TIME hold|release ID [WHY]"; what else there may be is passed over. */
static bool
parse_event(struct event *e, const char *line)
{
	static const char hold[] = " hold ", release[] = " release ";
	char *p;

	if (!isdigit((unsigned char)*line))
		return false;
	e->when = (time_t)strtoll(line, &p, 10);
	e->ends = strncmp(p, release, sizeof(release) - 1) == 0;
	if (!e->ends && strncmp(p, hold, sizeof(hold) - 1) != 0)
		return false;
	e->id = p + (e->ends ? sizeof(release) : sizeof(hold)) - 1;
	e->len = strcspn(e->id, " \n");
	return true;
}

static int
compare_id(const struct event *e, const char *id, size_t len)
{
	int c = memcmp(e->id, id, e->len < len ? e->len : len);

	if (c != 0)
		return c;
	return e->len < len ? -1 : e->len > len;
}

/* By id; those of one as they stand in the log. */
static int
compare_events(const void *a, const void *b)
{
	const struct event *x = a, *y = b;
	int c = compare_id(x, y->id, y->len);

	if (c != 0)
		return c;
	return x->id < y->id ? -1 : x->id > y->id;
}

/* Sorted once, or each of many messages would walk over all of the log. */
static bool
sort_log(struct ledger_holds *h)
{
	size_t lines = 1;

	for (const char *p = h->log; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	if ((h->event = reallocarray(NULL, lines, sizeof(*h->event))) == NULL)
		return false;
	for (const char *p = h->log; *p != '\0'; p += *p == '\n') {
		h->n += parse_event(&h->event[h->n], p);
		p += strcspn(p, "\n");
	}
	qsort(h->event, h->n, sizeof(*h->event), compare_events);
	return true;
}

/* The first event of ID, or of what would follow it. */
static size_t
first_event(const struct ledger_holds *h, const char *id)
{
	size_t low = 0, high = h->n, mid, len = strlen(id);

	while (low < high) {
		mid = low + (high - low) / 2;
		if (compare_id(&h->event[mid], id, len) < 0)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

/* Where in the log the hold of a subject is. */
struct walk {
	const char *subject;
	size_t next;		/* its next event */
	bool on;
};

/* The next event of any, the oldest first; NULL at the end. */
static const struct event *
next_event(const struct ledger_holds *h, struct walk *w, size_t n,
    struct walk **whose)
{
	const struct event *first = NULL, *e;

	for (size_t i = 0; i < n; i++) {
		e = &h->event[w[i].next];
		if (w[i].next == h->n || compare_id(e, w[i].subject,
		    strlen(w[i].subject)) != 0)
			continue;
		if (first == NULL || e->when < first->when ||
		    (e->when == first->when && e->id < first->id)) {
			first = e;
			*whose = &w[i];
		}
	}
	if (first != NULL)
		(*whose)->next++;
	return first;
}

struct ledger_holds *
ledger_holds_load(struct spool *sp, const char *domain)
{
	struct ledger_holds *h;

	if ((h = calloc(1, sizeof(*h))) == NULL)
		return NULL;
	if ((h->log = spool_text_read(sp, domain, "holds")) == NULL ||
	    !sort_log(h)) {
		ledger_holds_free(h);
		return NULL;
	}
	return h;
}

void
ledger_holds_free(struct ledger_holds *h)
{
	int saved = errno;

	if (h != NULL) {
		free(h->event);
		free(h->log);
	}
	free(h);
	errno = saved;
}

int64_t
ledger_held_seconds(const struct ledger_holds *h, const char *id,
    time_t arrived, time_t now)
{
	struct walk w[] = { { .subject = ALL }, { .subject = STOPPED },
	    { .subject = id } }, *whose = NULL;
	const struct event *e;
	time_t begin = 0, when;
	int64_t sum = 0;
	size_t on = 0;

	for (size_t i = 0; i < sizeof(w) / sizeof(w[0]); i++)
		w[i].next = first_event(h, w[i].subject);
	while ((e = next_event(h, w, sizeof(w) / sizeof(w[0]), &whose)) !=
	    NULL) {
		if (whose->on != e->ends)
			continue;
		whose->on = !e->ends;
		when = e->when < arrived ? arrived : e->when;
		if (whose->on && on++ == 0)
			begin = when;
		else if (!whose->on && --on == 0 && when > begin)
			sum += when - begin;
	}
	if (on > 0 && now > begin)
		sum += now - begin;
	return sum;
}

void
ledger_why(const struct ledger_holds *h, const char *id, char *why,
    size_t size)
{
	const struct event *e;
	const char *words;
	size_t len = strlen(id);

	why[0] = '\0';
	for (size_t i = first_event(h, id); i < h->n &&
	    compare_id(&h->event[i], id, len) == 0; i++) {
		e = &h->event[i];
		words = e->id + e->len + (e->id[e->len] == ' ');
		if (!e->ends && *words != '\0' && *words != '\n')
			(void)snprintf(why, size, "%.*s",
			    (int)strcspn(words, "\n"), words);
	}
}
