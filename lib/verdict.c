/* SPDX-License-Identifier: ISC */

#include <sys/types.h>

#include <netinet/in.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ipaddr.h"
#include "place.h"
#include "plain.h"
#include "row.h"
#include "verdict.h"

#define INDENT		6
#define HOST_WIDTH	28	/* columns */

static const char *
outcome_name(enum dns_outcome outcome)
{
	switch (outcome) {
	case DNS_DATA:
		return "data";
	case DNS_NODATA:
		return "nodata";
	case DNS_NXDOMAIN:
		return "nxdomain";
	case DNS_TEMPFAIL:
		return "tempfail";
	case DNS_BOGUS:
		break;
	}
	return "bogus";
}

static enum dns_outcome
outcome_of(const struct check *c)
{
	return c->mx != NULL ? c->mx->outcome : DNS_NXDOMAIN;
}

/* Calls FN for each line of the answer section, in order. */
static void
answer_each(const struct check *c, void (*fn)(struct row *r, const char *line),
    struct row *r)
{
	char *copy, *rest, *line;

	if (c->mx == NULL || c->mx->answer == NULL)
		return;
	if ((copy = rest = strdup(c->mx->answer)) == NULL)
		return;
	while ((line = strsep(&rest, "\n")) != NULL)
		if (*line != '\0')
			fn(r, line);
	free(copy);
}

static void
answer_text(struct row *r, const char *line)
{
	fprintf(r->f, "%s\n", line);
}

static void
answer_json(struct row *r, const char *line)
{
	row_text(r, NULL, line, 0);
}

/* In a string that the caller frees; NULL if there is no host. */
static char *
means(const struct check *c)
{
	char *text = NULL;
	size_t size;
	FILE *f;

	if (c->nhost == 0 || (f = open_memstream(&text, &size)) == NULL)
		return NULL;
	place_print(f, c);
	if (fclose(f) == EOF) {
		free(text);
		return NULL;
	}
	return text;
}

#define ADDRS_TEXT	(CHECK_ADDRS_MAX * (INET6_ADDRSTRLEN + 1))
static const char *
addrs_print(char *all, const struct check_host *h)
{
	char one[INET6_ADDRSTRLEN];
	size_t i;

	all[0] = '\0';
	for (i = 0; i < h->naddr; i++) {
		if (i > 0)
			(void)strlcat(all, " ", ADDRS_TEXT);
		(void)strlcat(all, ipaddr_print(one, &h->addr[i]),
		    ADDRS_TEXT);
	}
	return all;
}

/* "try domain preference host address ..." */
static void
host_text(struct row *r, const struct check *c, const struct check_host *h)
{
	char all[ADDRS_TEXT];

	row_begin(r);
	row_text(r, "record", "try", 4);
	row_text(r, "domain", c->domain, 20);
	if (h->preference >= 0)
		row_int(r, "preference", h->preference, -5);
	else
		row_text(r, "preference", "-", -5);
	row_text(r, "host", h->name, HOST_WIDTH);
	row_maybe(r, "addresses", addrs_print(all, h), 0);
	row_end(r);
}

static void
finding_fields(struct row *r, const char *domain,
    const struct check_finding *f)
{
	row_text(r, "level", check_level_name(f->level), 0);
	if (domain != NULL)
		row_text(r, "domain", domain, 0);
	row_text(r, "check", check_id_name(f->id), 0);
	row_text(r, "subject", f->subject, 0);
	row_text(r, "text", f->text, 0);
}

static void
write_tabs(FILE *f, const struct check *c, bool quiet)
{
	struct row r;
	char *text;
	size_t i;

	row_init(&r, f, ROW_TABS);
	if (!quiet) {
		answer_each(c, answer_text, &r);
		for (i = 0; i < c->nhost; i++)
			host_text(&r, c, &c->host[i]);
		if ((text = means(c)) != NULL) {
			row_begin(&r);
			row_text(&r, "record", "so", 0);
			row_text(&r, "domain", c->domain, 0);
			row_text(&r, "text", text, 0);
			row_end(&r);
			free(text);
		}
	}
	for (i = 0; i < c->found.n; i++) {
		if (quiet && c->found.finding[i].level == CHECK_OK)
			continue;
		row_begin(&r);
		finding_fields(&r, c->domain, &c->found.finding[i]);
		row_end(&r);
	}
}

/* For eyes */

static const char *
colour_on(enum check_level level, bool unknown)
{
	if (unknown)
		return "\033[35m";
	switch (level) {
	case CHECK_OK:
		return "\033[32m";
	case CHECK_WARN:
		return "\033[33m";
	case CHECK_FAIL:
		break;
	}
	return "\033[31m";
}

static void
paint(FILE *f, const struct verdict_style *style, enum check_level level,
    bool unknown, const char *text)
{
	if (style->colour)
		fprintf(f, "%s%s\033[0m", colour_on(level, unknown), text);
	else
		fputs(text, f);
}

/* A word, or words in quotes: what is to be copied stays in one piece. */
static size_t
piece(const char *text)
{
	size_t len = strcspn(text, " "), quoted = strcspn(text, "\"");
	const char *end;

	if (quoted < len && (end = strchr(text + quoted + 1, '"')) != NULL &&
	    end > text + len)
		len = (size_t)(end - text) + strcspn(end, " ");
	return len;
}

/* TEXT from column AT, no line longer than the terminal; ends it. */
static void
fold(FILE *f, const char *text, int at, int indent, int width)
{
	size_t len;

	fprintf(f, "%*s", indent - at, "");
	at = indent;
	while (*text != '\0') {
		len = piece(text);
		if (indent + (int)len >= width)
			len = strcspn(text, " ");
		if (at > indent && at + 1 + (int)len >= width) {
			fprintf(f, "\n%*s", indent, "");
			at = indent;
		} else if (at > indent) {
			fputc(' ', f);
			at++;
		}
		fwrite(text, 1, len, f);
		at += (int)len;
		text += len;
		text += strspn(text, " ");
	}
	fputc('\n', f);
}

static void
finding_eyes(FILE *f, const struct check_finding *g,
    const struct verdict_style *style)
{
	char subject[4 * sizeof(g->subject)], text[4 * sizeof(g->text)];

	(void)plain(subject, sizeof(subject), g->subject);
	(void)plain(text, sizeof(text), g->text);
	paint(f, style, g->level, g->unknown, check_level_name(g->level));
	fprintf(f, "%*s%s: %s\n", (int)(INDENT -
	    strlen(check_level_name(g->level))), "", check_id_name(g->id),
	    subject);
	fold(f, text, 0, INDENT, style->width);
}

/* Where name servers or lookups fail, what else is found may be their fault. */
static bool
is_root(enum check_id id)
{
	return id <= CHECK_UNFINISHED || (id >= CHECK_NS_RECORDS &&
	    id <= CHECK_NS_PARENT);
}

/* Faults first: they are what one came for. */
static void
findings_eyes(FILE *f, const struct check *c,
    const struct verdict_style *style)
{
	static const enum check_level order[] = { CHECK_FAIL, CHECK_WARN,
		CHECK_OK };
	const struct check_finding *g;
	size_t i, k, good = 0;

	for (k = 0; k < 6; k++)
		for (i = 0; i < c->found.n; i++) {
			g = &c->found.finding[i];
			if (g->level != order[k / 2] ||
			    is_root(g->id) != (k % 2 == 0))
				continue;
			if (g->level != CHECK_OK || style->all)
				finding_eyes(f, g, style);
			else
				good++;
		}
	if (good == 0 || style->quiet)
		return;
	paint(f, style, CHECK_OK, false, "ok");
	fprintf(f, "    %zu %sfinding%s (-v shows %s)\n", good,
	    good < c->found.n ? "other " : "", good == 1 ? "" : "s",
	    good == 1 ? "it" : "them");
}

/* With the addresses below where there is no room beside it. */
static void
host_eyes(FILE *f, const struct check *c, const struct check_host *h,
    int width)
{
	char all[ADDRS_TEXT], name[4 * sizeof(h->name)], number[16] = "-";
	int at, pad, room;

	(void)plain(name, sizeof(name), h->name);
	(void)addrs_print(all, h);
	if (h->preference >= 0)
		(void)snprintf(number, sizeof(number), "%d", h->preference);
	at = fprintf(f, "try  %-20s %5s %s", c->domain, number, name);
	if (all[0] == '\0')
		(void)strlcpy(all, "-", sizeof(all));
	pad = strlen(name) < HOST_WIDTH ? HOST_WIDTH - (int)strlen(name) : 0;
	room = width - 1 - at - 1 - (int)strlen(all);
	if (room >= 0)
		fprintf(f, "%*s %s\n", pad < room ? pad : room, "", all);
	else {
		fputc('\n', f);
		fold(f, all, 0, 2 * INDENT, width);
	}
}

/* Would the lines of plan.c mend it? */
static bool
is_planned(enum check_id id)
{
	return id == CHECK_IMPLICIT_MX || id == CHECK_NULL_MX ||
	    id == CHECK_NULL_MX_MIXED || id == CHECK_MX_LITERAL ||
	    id == CHECK_MX_TWICE || id == CHECK_MX_DOT ||
	    id == CHECK_MX_ALIAS || id == CHECK_BACKUP_LISTED ||
	    id == CHECK_BACKUP_BEST || id == CHECK_BACKUP_EQUAL ||
	    id == CHECK_TLSA_COVER;
}

/* A command to copy. */
static void
next_eyes(FILE *f, const struct check *c, const struct verdict_style *style)
{
	const struct check_finding *g;
	bool planned = false;
	size_t i;

	if (c->nhost == 0 || style->quiet)
		return;
	if (style->plan == NULL) {
		fputs("next  ", f);
		fold(f, "-b NAME says which host is the backup; then its "
		    "place is judged", INDENT, INDENT, style->width);
		return;
	}
	for (i = 0; i < c->found.n; i++) {
		g = &c->found.finding[i];
		/* What is planned on a wrong answer is wrong. */
		if (g->level == CHECK_FAIL && is_root(g->id))
			return;
		planned |= g->level != CHECK_OK && is_planned(g->id);
	}
	if (planned)
		fprintf(f, "next  %s %s\n%*sprints the lines for the zone "
		    "file\n", style->plan, c->domain, INDENT, "");
}

static bool
has_fault(const struct check *c)
{
	size_t i;

	for (i = 0; i < c->found.n; i++)
		if (c->found.finding[i].level != CHECK_OK)
			return true;
	return false;
}

static void
write_eyes(FILE *f, const struct check *c, const struct verdict_style *style)
{
	char domain[4 * sizeof(c->domain)];
	struct row r;
	char *text;
	size_t i;

	row_init(&r, f, ROW_COLUMNS);
	if (style->several && (!style->quiet || has_fault(c)))
		fprintf(f, "\n%s:\n", plain(domain, sizeof(domain),
		    c->domain));
	if (!style->quiet) {
		answer_each(c, answer_text, &r);
		for (i = 0; i < c->nhost; i++)
			host_eyes(f, c, &c->host[i], style->width);
		if ((text = means(c)) != NULL) {
			char safe[4096];

			(void)plain(safe, sizeof(safe), text);
			fputs("so    ", f);
			fold(f, safe, INDENT, INDENT, style->width);
			free(text);
		}
	}
	findings_eyes(f, c, style);
	next_eyes(f, c, style);
}

/* JSON */

static void
host_json(struct row *r, const struct check_host *h)
{
	char text[INET6_ADDRSTRLEN];
	size_t i;

	row_object(r, NULL);
	row_text(r, "host", h->name, 0);
	if (h->preference >= 0)
		row_int(r, "preference", h->preference, 0);
	else
		row_null(r, "preference", 0);
	row_bool(r, "backup", h->ours, 0);
	row_text(r, "outcome", outcome_name(h->outcome), 0);
	row_array(r, "addresses");
	for (i = 0; i < h->naddr; i++)
		row_text(r, NULL, ipaddr_print(text, &h->addr[i]), 0);
	row_array_end(r);
	row_object_end(r);
}

static void
findings_json(struct row *r, const struct findings *found, bool quiet)
{
	size_t i;

	row_array(r, "findings");
	for (i = 0; i < found->n; i++) {
		if (quiet && found->finding[i].level == CHECK_OK)
			continue;
		row_object(r, NULL);
		finding_fields(r, NULL, &found->finding[i]);
		row_object_end(r);
	}
	row_array_end(r);
}

static void
write_json(FILE *f, const struct check *c, bool quiet)
{
	char *text = means(c);
	struct row r;
	size_t i;

	row_init(&r, f, ROW_JSON);
	row_begin(&r);
	row_text(&r, "domain", c->domain, 0);
	row_int(&r, "status", findings_status(&c->found), 0);
	row_text(&r, "outcome", outcome_name(outcome_of(c)), 0);
	row_bool(&r, "secure", c->mx != NULL && c->mx->secure, 0);
	row_array(&r, "answer");
	answer_each(c, answer_json, &r);
	row_array_end(&r);
	row_maybe(&r, "means", text, 0);
	row_array(&r, "hosts");
	for (i = 0; i < c->nhost; i++)
		host_json(&r, &c->host[i]);
	row_array_end(&r);
	findings_json(&r, &c->found, quiet);
	row_end(&r);
	free(text);
}

void
verdict_write(FILE *f, const struct check *c,
    const struct verdict_style *style)
{
	if (style->json)
		write_json(f, c, style->quiet);
	else if (style->terminal)
		write_eyes(f, c, style);
	else
		write_tabs(f, c, style->quiet);
}

void
verdict_unfinished(FILE *f, const char *domain, const char *why,
    const struct verdict_style *style, struct verdict *v)
{
	struct check c;

	memset(&c, 0, sizeof(c));
	findings_init(&c.found);
	(void)strlcpy(c.domain, domain, sizeof(c.domain));
	finding_unknown(&c.found, CHECK_UNFINISHED, domain,
	    "The check was not finished (%s), so nothing is proven: check "
	    "the domain alone, with more time (-t).", why);
	if (f != NULL)
		verdict_write(f, &c, style);
	verdict_of(v, &c);
	findings_clear(&c.found);
}

/* Sums */

static int
badness(const struct check_finding *f)
{
	return f->unknown ? 2 : f->level == CHECK_FAIL ? 3 :
	    f->level == CHECK_WARN ? 1 : 0;
}

void
verdict_of(struct verdict *v, const struct check *c)
{
	const struct check_finding *f, *worst = NULL;
	size_t i;

	memset(v, 0, sizeof(*v));
	(void)strlcpy(v->domain, c->domain, sizeof(v->domain));
	v->status = findings_status(&c->found);
	v->hosts = c->nhost;
	for (i = 0; i < c->found.n; i++) {
		f = &c->found.finding[i];
		if (f->unknown)
			v->unknown++;
		else if (f->level == CHECK_FAIL)
			v->fail++;
		else if (f->level == CHECK_WARN)
			v->warn++;
		else
			v->ok++;
		if (badness(f) > (worst != NULL ? badness(worst) : 0))
			worst = f;
	}
	if (worst != NULL)
		(void)snprintf(v->worst, sizeof(v->worst), "%s %s: %s",
		    check_id_name(worst->id), worst->subject, worst->text);
}

static const char *
status_name(int status)
{
	static const char *const names[] = { "OK", "WARNING", "CRITICAL",
		"UNKNOWN" };

	return names[status];
}

void
verdict_table(FILE *f, const struct verdict *v, size_t n,
    const struct verdict_style *style)
{
	static const enum check_level level[] = { CHECK_OK, CHECK_WARN,
		CHECK_FAIL, CHECK_FAIL };
	char domain[4 * ADDR_DOMAIN_MAX];
	size_t i, good = 0;

	fprintf(f, "\n%-10s%5s%5s%5s%5s  %s\n", "", "fail", "warn", "?", "ok",
	    "domain");
	for (i = 0; i < n; i++) {
		if (v[i].status == 0) {
			good++;
			continue;
		}
		(void)plain(domain, sizeof(domain), v[i].domain);
		paint(f, style, level[v[i].status], v[i].status == 3,
		    status_name(v[i].status));
		fprintf(f, "%*s%5zu%5zu%5zu%5zu  %s\n",
		    10 - (int)strlen(status_name(v[i].status)), "",
		    v[i].fail, v[i].warn, v[i].unknown, v[i].ok, domain);
	}
	if (good > 0) {
		paint(f, style, CHECK_OK, false, "OK");
		fprintf(f, "%28s  %zu %s\n", "", good, good == n ? "domains" :
		    good == 1 ? "other domain" : "other domains");
	}
}

/* The text of a plugin's line ends at a '|'. */
static void
plugin_text(FILE *f, const char *text)
{
	char safe[4 * sizeof(((struct verdict *)NULL)->worst)];
	char *p;

	(void)plain(safe, sizeof(safe), text);
	for (p = safe; *p != '\0'; p++)
		fputc(*p == '|' ? '!' : *p, f);
}

void
verdict_plugin(FILE *f, const struct verdict *v, size_t n, int64_t ms,
    int64_t limit)
{
	size_t ok = 0, warn = 0, fail = 0, unknown = 0, bad = 0, i;
	const struct verdict *worst = n > 0 ? &v[0] : NULL;
	int status = n > 0 ? 0 : 3;

	for (i = 0; i < n; i++) {
		ok += v[i].ok;
		warn += v[i].warn;
		fail += v[i].fail;
		unknown += v[i].unknown;
		if (v[i].status != 0)
			bad++;
		if (findings_worse(status, v[i].status) != status) {
			status = findings_worse(status, v[i].status);
			worst = &v[i];
		}
	}
	fprintf(f, "MX %s - ", status_name(status));
	if (n == 0)
		fputs("no domains", f);
	else if (n == 1 || bad > 0)
		plugin_text(f, worst->domain);
	if (n > 1 && bad > 1)
		fprintf(f, " and %zu more of", bad - 1);
	if (n > 1)
		fprintf(f, bad == 1 ? ", of %zu domains" : bad > 1 ?
		    " %zu domains" : "%zu domains", n);
	if (n > 0 && status != 0) {
		fputs(": ", f);
		plugin_text(f, worst->worst);
	} else if (n > 0)
		fprintf(f, ": %zu findings, all ok", ok);
	fprintf(f, "|domains=%zu;;;0 ok=%zu;;;0 warn=%zu;0;;0 "
	    "fail=%zu;;0;0 unknown=%zu;0;;0 time=%lld.%03llds;;%lld;0\n", n,
	    ok, warn, fail, unknown, (long long)ms / 1000,
	    (long long)ms % 1000, (long long)limit / 1000);
}
