/* SPDX-License-Identifier: ISC */
#include "msgid.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void
msgid_new(char *base, const char *host)
{
	static unsigned long counter;
	struct timespec ts = { 0, 0 };

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	/* HOST is a name of at most 253 octets: it always fits. */
	(void)snprintf(base, MSGID_BASE_MAX + 1, "%lld.M%ldP%ldQ%lu.%s",
	    (long long)ts.tv_sec, ts.tv_nsec / 1000, (long)getpid(),
	    ++counter, host);
}

void
msgid_name(char *id, const char *base, int64_t size)
{
	(void)snprintf(id, MSGID_MAX + 1, "%s,S=%lld", base, (long long)size);
}

/* Digits at *P as a number that fits; -1 if there are none. */
static int64_t
number(const char **p)
{
	int64_t n = 0;

	if (!isdigit((unsigned char)**p))
		return -1;
	for (; isdigit((unsigned char)**p); (*p)++) {
		if (n > INT64_MAX / 10 - 10)
			return -1;
		n = n * 10 + (**p - '0');
	}
	return n;
}

bool
msgid_parse(struct msgid *m, const char *text)
{
	const char *p = text;
	int64_t n;
	size_t len = 0;

	memset(m, 0, sizeof(*m));
	m->size = -1;
	/* A time to which a lifetime can be added. */
	if ((n = number(&p)) == -1 || n > INT64_MAX / 4 || *p++ != '.')
		return false;
	m->time = (time_t)n;
	/* Other programs' unique parts differ; ours has the microseconds. */
	if (*p == 'M') {
		const char *q = p + 1;

		if ((n = number(&q)) >= 0 && n < 1000000)
			m->usec = (long)n;
	}
	while (isalnum((unsigned char)*p) || *p == '_')
		p++;
	if (*p++ != '.')
		return false;
	while (isalnum((unsigned char)*p) || *p == '-' || *p == '.' ||
	    *p == '_' || *p == '\\') {
		len++;
		p++;
	}
	if (strncmp(p, ",S=", 3) == 0) {
		p += 3;
		if ((m->size = number(&p)) == -1)
			return false;
	}
	return len > 0 && (*p == '\0' || *p == ':') &&
	    (size_t)(p - text) <= MSGID_MAX;
}

bool
msgid_matches(const char *id, const char *want)
{
	size_t n = strlen(want);

	return n > 0 && strncmp(id, want, n) == 0 &&
	    (id[n] == '\0' || id[n] == ':' ||
	    (id[n] == ',' && strchr(want, ',') == NULL));
}
