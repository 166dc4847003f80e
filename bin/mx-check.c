/* SPDX-License-Identifier: ISC */

#include <sys/types.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <err.h>
#include <errno.h>
#include <limits.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "addr.h"
#include "check.h"
#include "conf.h"
#include "deadline.h"
#include "dns.h"
#include "finding.h"
#include "idn.h"
#include "row.h"

#define BATCH	100	/* domains looked up together */
#define UNKNOWN	3	/* exit status: nothing is proven */

struct names {
	char **name;
	size_t n;
};

struct options {
	struct check_options check;
	struct conf conf;
	const char *backup;
	const char *dir;
	struct sockaddr_storage resolver[CONF_LIST_MAX];
	int nresolver;
	int64_t patience;	/* milliseconds */
	bool configured, json, quiet, verbose;
};

static void __attribute__((noreturn))
usage(void)
{
	fputs("usage: mx-check [-46Djqv] [-b backup] [-C dir] "
	    "[-r resolver] [-t seconds]\n"
	    "                [domain ...]\n", stderr);
	exit(EX_USAGE);
}

static void
name_add(struct names *names, const char *text)
{
	names->name = reallocarray(names->name, names->n + 1,
	    sizeof(*names->name));
	if (names->name == NULL ||
	    (names->name[names->n++] = strdup(text)) == NULL)
		err(UNKNOWN, NULL);
}

/* "example.org  # whose it is", one a line. */
static void
names_read(struct names *names, FILE *f)
{
	char *line = NULL, *p;
	size_t size = 0;

	while (getline(&line, &size, f) != -1) {
		line[strcspn(line, "#\r\n")] = '\0';
		p = line + strspn(line, " \t");
		p[strcspn(p, " \t")] = '\0';
		if (*p != '\0')
			name_add(names, p);
	}
	if (ferror(f))
		err(UNKNOWN, "standard input");
	free(line);
}

/* A domain that covers its subdomains has a dot before it. */
static int
name_configured(const char *name, void *names)
{
	name_add(names, *name == '.' ? name + 1 : name);
	return 0;
}

static void
names_free(struct names *names)
{
	size_t i;

	for (i = 0; i < names->n; i++)
		free(names->name[i]);
	free(names->name);
}

/* ADDR[@PORT] */
static void
resolver_add(struct options *o, const char *text)
{
	struct addrinfo hints, *ai;
	char host[NI_MAXHOST];
	const char *port = strrchr(text, '@');
	size_t len = port != NULL ? (size_t)(port - text) : strlen(text);

	if (o->nresolver == CONF_LIST_MAX)
		errx(EX_USAGE, "more than %d resolvers", CONF_LIST_MAX);
	memset(&hints, 0, sizeof(hints));
	hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
	hints.ai_socktype = SOCK_DGRAM;
	if (len >= sizeof(host))
		errx(EX_USAGE, "resolver: not an address");
	memcpy(host, text, len);
	host[len] = '\0';
	if (getaddrinfo(host, port != NULL ? port + 1 : "53", &hints,
	    &ai) != 0)
		errx(EX_USAGE, "resolver \"%s\": not an address", text);
	memcpy(&o->resolver[o->nresolver++], ai->ai_addr, ai->ai_addrlen);
	freeaddrinfo(ai);
}

static void
options_read(struct options *o, int argc, char **argv)
{
	const char *error;
	int c;

	while ((c = getopt(argc, argv, "46b:C:Djqr:t:v")) != -1)
		switch (c) {
		case '4':
			o->check.v4 = true;
			break;
		case '6':
			o->check.v6 = true;
			break;
		case 'b':
			o->backup = optarg;
			break;
		case 'C':
			o->dir = optarg;
			break;
		case 'D':
			break;	/* there is nothing but the DNS yet */
		case 'j':
			o->json = true;
			break;
		case 'q':
			o->quiet = true;
			break;
		case 'r':
			resolver_add(o, optarg);
			break;
		case 't':
			o->patience = 1000 * strtonum(optarg, 1, 3600, &error);
			if (error != NULL)
				errx(EX_USAGE, "-t: the number is %s", error);
			break;
		case 'v':
			o->verbose = true;
			break;
		default:
			usage();
		}
	if (!o->check.v4 && !o->check.v6)
		o->check.v4 = o->check.v6 = true;
}

/* Without -C a machine that is no backup will do. */
static void
configure(struct options *o)
{
	char file[PATH_MAX], error[CONF_ERROR_MAX];
	const char *dir = o->dir != NULL ? o->dir : CONF_DIR;
	const char *why;
	int n;

	conf_init(&o->conf);
	n = snprintf(file, sizeof(file), "%s/mxkeep.conf", dir);
	if (n < 0 || (size_t)n >= sizeof(file))
		errx(EX_CONFIG, "%s: the name is too long", dir);
	if (o->dir != NULL || access(file, F_OK) == 0) {
		if (conf_load(&o->conf, dir, error) == -1)
			errx(EX_CONFIG, "%s", error);
		o->configured = true;
		o->check.us = &o->conf;
	}
	if (o->backup != NULL) {
		if (!idn_to_ascii(o->conf.hostname, o->backup, &why))
			errx(EX_USAGE, "-b %s: %s", o->backup, why);
		o->conf.nself_name = o->conf.nself_addr = 0;
		o->check.us = &o->conf;
	}
}

static struct dns *
resolver_open(const struct options *o)
{
	struct dns *d;

	if (o->nresolver > 0)
		d = dns_open(o->resolver, o->nresolver, NULL);
	else
		d = dns_open(o->conf.resolver, o->conf.nresolver, NULL);
	if (d == NULL)
		err(UNKNOWN, "/etc/resolv.conf");
	return d;
}

/* Output */

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

/* Calls FN for each line of the answer section, in order. */
static void
answer_each(const struct check *c, void (*fn)(struct row *r, const char *line),
    struct row *r)
{
	char *copy, *rest, *line;

	if (c->mx.answer == NULL)
		return;
	if ((copy = rest = strdup(c->mx.answer)) == NULL)
		err(UNKNOWN, NULL);
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

/* "try domain preference host address ..." */
static void
host_text(struct row *r, const struct check *c, const struct check_host *h)
{
	char all[CHECK_ADDRS_MAX * (INET6_ADDRSTRLEN + 1)] = "";
	char one[INET6_ADDRSTRLEN];
	size_t i;

	for (i = 0; i < h->naddr; i++) {
		if (i > 0)
			(void)strlcat(all, " ", sizeof(all));
		(void)strlcat(all, check_addr_print(one, &h->addr[i]),
		    sizeof(all));
	}
	row_begin(r);
	row_text(r, "record", "try", 4);
	row_text(r, "domain", c->domain, 20);
	if (h->preference >= 0)
		row_int(r, "preference", h->preference, -5);
	else
		row_text(r, "preference", "-", -5);
	row_text(r, "host", h->name, 28);
	row_maybe(r, "addresses", all, 0);
	row_end(r);
}

static void
finding_fields(struct row *r, const struct check *c,
    const struct check_finding *f)
{
	row_text(r, "level", check_level_name(f->level), 4);
	if (r->style != ROW_JSON)
		row_text(r, "domain", c->domain, 20);
	row_text(r, "check", check_id_name(f->id), 15);
	row_text(r, "subject", f->subject, 28);
	row_text(r, "text", f->text, 0);
}

static void
check_text(struct row *r, const struct check *c, bool quiet)
{
	size_t i;

	if (!quiet) {
		answer_each(c, answer_text, r);
		for (i = 0; i < c->nhost; i++)
			host_text(r, c, &c->host[i]);
	}
	for (i = 0; i < c->found.n; i++) {
		if (quiet && c->found.finding[i].level == CHECK_OK)
			continue;
		row_begin(r);
		finding_fields(r, c, &c->found.finding[i]);
		row_end(r);
	}
}

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
		row_text(r, NULL, check_addr_print(text, &h->addr[i]), 0);
	row_array_end(r);
	row_object_end(r);
}

static void
check_json(struct row *r, const struct check *c, bool quiet)
{
	size_t i;

	row_begin(r);
	row_text(r, "domain", c->domain, 0);
	row_int(r, "status", findings_status(&c->found), 0);
	row_text(r, "outcome", outcome_name(c->mx.outcome), 0);
	row_bool(r, "secure", c->mx.secure, 0);
	row_array(r, "answer");
	answer_each(c, answer_json, r);
	row_array_end(r);
	row_array(r, "hosts");
	for (i = 0; i < c->nhost; i++)
		host_json(r, &c->host[i]);
	row_array_end(r);
	row_array(r, "findings");
	for (i = 0; i < c->found.n; i++) {
		if (quiet && c->found.finding[i].level == CHECK_OK)
			continue;
		row_object(r, NULL);
		finding_fields(r, c, &c->found.finding[i]);
		row_object_end(r);
	}
	row_array_end(r);
	row_end(r);
}

/* One set of lookups for up to BATCH domains.  Returns the exit status. */
static int
batch_run(const struct options *o, struct dns *d, char **name, size_t n)
{
	struct check *c;
	struct row row;
	int64_t began = deadline_now();
	int status = 0;
	size_t i;

	if ((c = calloc(n, sizeof(*c))) == NULL)
		err(UNKNOWN, NULL);
	for (i = 0; i < n; i++)
		check_init(&c[i], name[i]);
	check_run(c, n, d, &o->check, deadline_in(o->patience));
	if (o->verbose)
		warnx("%zu %s looked up in %lld ms", n,
		    n == 1 ? "domain" : "domains",
		    (long long)(deadline_now() - began));
	row_init(&row, stdout, o->json ? ROW_JSON : row_style_for(stdout));
	for (i = 0; i < n; i++) {
		if (o->json)
			check_json(&row, &c[i], o->quiet);
		else
			check_text(&row, &c[i], o->quiet);
		status = findings_worse(status, findings_status(&c[i].found));
		check_clear(&c[i]);
	}
	free(c);
	return status;
}

int
main(int argc, char **argv)
{
	static struct options o = { .patience = 10000 };
	struct names names = { NULL, 0 };
	struct dns *d;
	int status = 0;
	size_t i;

	options_read(&o, argc, argv);
	argc -= optind;
	argv += optind;
	configure(&o);
	if (argc == 0 && !o.configured)
		errx(EX_USAGE, "expected a domain, as there is no "
		    CONF_DIR "/mxkeep.conf");
	if (argc == 0 && conf_domains(&o.conf, name_configured, &names) == -1)
		err(EX_CONFIG, "%s/domains", o.conf.dir);
	for (; argc > 0; argc--, argv++) {
		if (strcmp(*argv, "-") == 0)
			names_read(&names, stdin);
		else
			name_add(&names, *argv);
	}
	d = resolver_open(&o);
	for (i = 0; i < names.n; i += BATCH)
		status = findings_worse(status, batch_run(&o, d, names.name + i,
		    names.n - i < BATCH ? names.n - i : BATCH));
	dns_close(d);
	names_free(&names);
	if (fflush(stdout) == EOF || ferror(stdout))
		err(UNKNOWN, "standard output");
	return status;
}
