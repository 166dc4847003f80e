/* SPDX-License-Identifier: ISC */

#include <sys/types.h>

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "sts.h"

#define AGE_MAX 31557600	/* a year: RFC 8461 3.2 */

bool
sts_txt(char *out, size_t size, const unsigned char *rdata, size_t len)
{
	size_t n = 0, part;

	while (len > 0) {
		part = *rdata++;
		len--;
		if (part > len || n + part >= size ||
		    memchr(rdata, '\0', part) != NULL)
			return false;
		memcpy(out + n, rdata, part);
		n += part;
		rdata += part;
		len -= part;
	}
	out[n] = '\0';
	return true;
}

static bool
begins(const char *txt, const char *version)
{
	size_t n = strlen(version);

	if (strncmp(txt, version, n) != 0)
		return false;
	txt += n;
	txt += strspn(txt, " \t");
	return *txt == ';' || *txt == '\0';
}

bool
sts_is_record(const char *txt)
{
	return begins(txt, "v=STSv1");
}

bool
sts_is_report(const char *txt)
{
	return begins(txt, "v=TLSRPTv1");
}

/*
 * The value of "key=value" in fields parted by semicolons, its length in
 * *LEN; NULL if there is none.
 */
static const char *
field(const char *txt, const char *key, size_t *len)
{
	size_t n = strlen(key);

	while (*txt != '\0') {
		txt += strspn(txt, " \t;");
		*len = strcspn(txt, ";");
		if (*len > n && strncmp(txt, key, n) == 0 && txt[n] == '=') {
			*len -= n + 1;
			txt += n + 1;
			while (*len > 0 && isblank((unsigned char)
			    txt[*len - 1]))
				(*len)--;
			return txt;
		}
		txt += *len;
	}
	return NULL;
}

bool
sts_record_parse(const char *txt, const char **why)
{
	const char *id;
	size_t i, len;

	if ((id = field(txt, "id", &len)) == NULL) {
		*why = "it has no id";
		return false;
	}
	*why = "its id is not 1 to 32 letters and digits";
	if (len < 1 || len > 32)
		return false;
	for (i = 0; i < len; i++)
		if (!isalnum((unsigned char)id[i]))
			return false;
	*why = NULL;
	return true;
}

bool
sts_report_parse(const char *txt, const char **why)
{
	const char *rua;
	size_t len;

	if ((rua = field(txt, "rua", &len)) == NULL) {
		*why = "it has no rua";
		return false;
	}
	if (strncmp(rua, "mailto:", 7) != 0 &&
	    strncmp(rua, "https:", 6) != 0) {
		*why = "its rua is neither mailto: nor https:";
		return false;
	}
	*why = NULL;
	return true;
}

/* Policies */

static void
lower(char *s)
{
	for (; *s != '\0'; s++)
		*s = (char)tolower((unsigned char)*s);
}

/* "*.example.org" or "mx.example.org" */
static bool
mx_add(struct sts_policy *p, const char *value, const char **why)
{
	char host[ADDR_DOMAIN_MAX + 1];
	char *mx = p->mx[p->nmx];

	*why = "an mx is not a host name";
	if (strlcpy(mx, value, sizeof(p->mx[0])) >= sizeof(p->mx[0]) ||
	    !addr_domain(host, strncmp(mx, "*.", 2) == 0 ? mx + 2 : mx))
		return false;
	*why = "there are more mx lines than senders are sure to read";
	if (p->nmx + 1 == STS_MX_MAX)
		return false;
	lower(mx);
	p->nmx++;
	return true;
}

static bool
mode_parse(enum sts_mode *mode, const char *value)
{
	static const enum sts_mode all[] = { STS_NONE, STS_TESTING,
		STS_ENFORCE };
	size_t i;

	for (i = 0; i < 3; i++)
		if (strcmp(value, sts_mode_name(all[i])) == 0) {
			*mode = all[i];
			return true;
		}
	return false;
}

struct seen {
	bool version, mode, age;
};

/* The first of each key counts (RFC 8461 3.2); unknown keys are let be. */
static bool
policy_field(struct sts_policy *p, struct seen *seen, const char *key,
    const char *value, const char **why)
{
	const char *error;

	if (strcmp(key, "version") == 0) {
		*why = "the version is not STSv1";
		seen->version = true;
		return strcmp(value, "STSv1") == 0;
	}
	if (strcmp(key, "mode") == 0 && !seen->mode) {
		*why = "the mode is not enforce, testing or none";
		seen->mode = true;
		return mode_parse(&p->mode, value);
	}
	if (strcmp(key, "max_age") == 0 && !seen->age) {
		*why = "max_age is not a number of seconds up to 31557600";
		seen->age = true;
		p->max_age = strtonum(value, 0, AGE_MAX, &error);
		return error == NULL;
	}
	if (strcmp(key, "mx") == 0)
		return mx_add(p, value, why);
	return true;
}

static bool
policy_line(struct sts_policy *p, struct seen *seen, char *line,
    const char **why)
{
	char *value;
	size_t len = strlen(line);

	while (len > 0 && isspace((unsigned char)line[len - 1]))
		line[--len] = '\0';
	if (len == 0)
		return true;
	*why = "a line is not \"key: value\"";
	if ((value = strchr(line, ':')) == NULL)
		return false;
	*value++ = '\0';
	value += strspn(value, " \t");
	return policy_field(p, seen, line, value, why);
}

bool
sts_policy_parse(struct sts_policy *p, const char *text, const char **why)
{
	struct seen seen = { false, false, false };
	char *copy, *rest, *line;
	bool ok = false;

	memset(p, 0, sizeof(*p));
	*why = "out of memory";
	if ((copy = rest = strdup(text)) == NULL)
		return false;
	while ((line = strsep(&rest, "\n")) != NULL)
		if (!policy_line(p, &seen, line, why))
			goto out;
	*why = !seen.version ? "it has no version" :
	    !seen.mode ? "it has no mode" :
	    !seen.age ? "it has no max_age" :
	    p->nmx == 0 && p->mode != STS_NONE ? "it has no mx" : NULL;
	ok = *why == NULL;
out:
	free(copy);
	return ok;
}

bool
sts_covers(const struct sts_policy *p, const char *host)
{
	const char *dot = strchr(host, '.');
	size_t i;

	for (i = 0; i < p->nmx; i++) {
		if (strcasecmp(p->mx[i], host) == 0)
			return true;
		if (p->mx[i][0] == '*' && dot != NULL && dot > host &&
		    strcasecmp(p->mx[i] + 1, dot) == 0)
			return true;
	}
	return false;
}

const char *
sts_mode_name(enum sts_mode mode)
{
	switch (mode) {
	case STS_NONE:
		return "none";
	case STS_TESTING:
		return "testing";
	case STS_ENFORCE:
		break;
	}
	return "enforce";
}
