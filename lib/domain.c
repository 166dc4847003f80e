/* SPDX-License-Identifier: ISC */
#include "domain.h"

#include <stdlib.h>
#include <string.h>

#include "header.h"

static const char *const names[] = {
	[DOMAIN_UNKNOWN] = "unknown",
	[DOMAIN_UP] = "up",
	[DOMAIN_DOWN] = "down",
	[DOMAIN_UNROUTABLE] = "unroutable",
	[DOMAIN_HELD] = "held",
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

static void
parse_line(struct domain *d, const char *key, const char *value)
{
	if (strcmp(key, "state") == 0) {
		for (size_t i = 0; i < NNAMES; i++)
			if (strcmp(value, names[i]) == 0)
				d->state = (enum domain_state)i;
	} else if (strcmp(key, "since") == 0)
		d->since = parse_time(value);
	else if (strcmp(key, "last-try") == 0)
		d->last_try = parse_time(value);
	else if (strcmp(key, "held-until") == 0)
		d->held_until = parse_time(value);
	else if (strcmp(key, "error") == 0)
		(void)strlcpy(d->error, value, sizeof(d->error));
	else if (strcmp(key, "why") == 0)
		(void)strlcpy(d->why, value, sizeof(d->why));
	else if (strcmp(key, "route") == 0)
		(void)strlcpy(d->route, value, sizeof(d->route));
	else if (strcmp(key, "ehlo") == 0)
		(void)strlcpy(d->ehlo, value, sizeof(d->ehlo));
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
	fprintf(f, "state %s\n", names[d->state]);
	print_time(f, "since", d->since);
	print_time(f, "last-try", d->last_try);
	print_time(f, "held-until", d->held_until);
	print_text(f, "error", d->error);
	print_text(f, "why", d->why);
	print_text(f, "route", d->route);
	print_text(f, "ehlo", d->ehlo);
}
