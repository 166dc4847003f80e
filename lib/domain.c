/* SPDX-License-Identifier: ISC */
#include "domain.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "header.h"

static const char *const names[] = {
	[DOMAIN_UNKNOWN] = "unknown",
	[DOMAIN_UP] = "up",
	[DOMAIN_DOWN] = "down",
	[DOMAIN_UNROUTABLE] = "unroutable",
	[DOMAIN_HELD] = "held",
	[DOMAIN_STOPPED] = "stopped",
};
#define NNAMES (sizeof(names) / sizeof(names[0]))

const char *
domain_state_name(enum domain_state state)
{
	return names[state];
}

void
domain_init(struct domain *d)
{
	memset(d, 0, sizeof(*d));
}

/* "SECONDS RFC3339": the second word is for people. */
static time_t
parse_time(const char *value)
{
	char *end;
	long long n = strtoll(value, &end, 10);

	return end == value || n < 0 ? 0 : (time_t)n;
}

bool
domain_waits_for_us(const struct domain *d)
{
	return d->state == DOMAIN_HELD ||
	    (d->state == DOMAIN_STOPPED && !d->refuses);
}

static enum domain_state
parse_state(const char *value, enum domain_state other)
{
	for (size_t i = 0; i < NNAMES; i++)
		if (strcmp(value, names[i]) == 0)
			return (enum domain_state)i;
	return other;
}

/* One more for the LIST of DOMAIN_HOSTS_MAX texts of SIZE, if it fits. */
static void
parse_one(char *list, size_t size, const char *value)
{
	char *end = list + DOMAIN_HOSTS_MAX * size;

	while (list < end && *list != '\0')
		list += size;
	if (list < end && strlcpy(list, value, size) >= size)
		*list = '\0';
}

/* The values that are times, and those that are text, by their keys. */
static const struct field {
	const char *key;
	size_t at, size;
} times[] = {
	{ "since", offsetof(struct domain, since), 0 },
	{ "last-try", offsetof(struct domain, last_try), 0 },
	{ "next-try", offsetof(struct domain, next_try), 0 },
	{ "held-until", offsetof(struct domain, held_until), 0 },
	{ "good", offsetof(struct domain, good), 0 },
	{ "released", offsetof(struct domain, released), 0 },
	{ "sending", offsetof(struct domain, sending), 0 },
}, texts[] = {
#define TEXT(key, field) \
	{ key, offsetof(struct domain, field), \
	  sizeof(((struct domain *)NULL)->field) }
	TEXT("error", error),
	TEXT("why", why),
	TEXT("route", route),
	TEXT("tls", tls),
	TEXT("ehlo", ehlo),
	TEXT("detour", detour),
#undef TEXT
};
#define NTIMES (sizeof(times) / sizeof(times[0]))
#define NTEXTS (sizeof(texts) / sizeof(texts[0]))

static void
parse_line(struct domain *d, const char *key, const char *value)
{
	time_t when;

	for (size_t i = 0; i < NTIMES; i++)
		if (strcmp(key, times[i].key) == 0) {
			when = parse_time(value);
			memcpy((char *)d + times[i].at, &when, sizeof(when));
		}
	for (size_t i = 0; i < NTEXTS; i++)
		if (strcmp(key, texts[i].key) == 0)
			(void)strlcpy((char *)d + texts[i].at, value,
			    texts[i].size);
	if (strcmp(key, "state") == 0)
		d->state = parse_state(value, d->state);
	else if (strcmp(key, "host") == 0)
		parse_one(d->host[0], sizeof(d->host[0]), value);
	else if (strcmp(key, "best-tls") == 0)
		parse_one(d->best_tls[0], sizeof(d->best_tls[0]), value);
	else if (strcmp(key, "accepted") == 0)
		d->accepted = (unsigned)parse_time(value);
	else if (strcmp(key, "refuses") == 0)
		d->refuses = strcmp(value, "yes") == 0;
}

void
domain_parse(struct domain *d, const char *text)
{
	char line[1024], *value;
	size_t n;

	domain_init(d);
	for (; *text != '\0'; text += n, text += *text == '\n') {
		n = strcspn(text, "\n");
		if (n >= sizeof(line))
			continue;
		memcpy(line, text, n);
		line[n] = '\0';
		if ((value = strchr(line, ' ')) == NULL)
			continue;
		*value++ = '\0';
		parse_line(d, line, value);
	}
}

static void
print_text(FILE *f, const char *key, const char *value)
{
	if (*value == '\0')
		return;
	fprintf(f, "%s ", key);
	for (; *value != '\0'; value++)
		putc(*value == '\n' ? ' ' : *value, f);
	putc('\n', f);
}

static void
print_time(FILE *f, const char *key, time_t when)
{
	char date[HEADER_DATE_MAX];

	if (when == 0)
		return;
	header_rfc3339(date, when);
	fprintf(f, "%s %lld %s\n", key, (long long)when, date);
}

void
domain_print(const struct domain *d, FILE *f)
{
	time_t when;

	fprintf(f, "state %s\n", names[d->state]);
	for (size_t i = 0; i < NTIMES; i++) {
		memcpy(&when, (const char *)d + times[i].at, sizeof(when));
		print_time(f, times[i].key, when);
	}
	for (size_t i = 0; i < NTEXTS; i++)
		print_text(f, texts[i].key, (const char *)d + texts[i].at);
	for (size_t i = 0; i < DOMAIN_HOSTS_MAX; i++)
		print_text(f, "host", d->host[i]);
	for (size_t i = 0; i < DOMAIN_HOSTS_MAX; i++)
		print_text(f, "best-tls", d->best_tls[i]);
	if (d->accepted > 0)
		fprintf(f, "accepted %u\n", d->accepted);
	if (d->refuses)
		fprintf(f, "refuses yes\n");
}
