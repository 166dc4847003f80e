/* SPDX-License-Identifier: ISC */

#include <sys/types.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <netdb.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "addr.h"
#include "asked.h"
#include "chain.h"
#include "check.h"
#include "conf.h"
#include "crew.h"
#include "deadline.h"
#include "dns.h"
#include "examine.h"
#include "finding.h"
#include "idn.h"
#include "plain.h"
#include "plan.h"
#include "rehearse.h"
#include "look.h"
#include "survey.h"
#include "tls_client.h"
#include "verdict.h"

#define BATCH	100	/* domains that one process asks for together */
#define REHEARSE 256	/* an option without a letter */
#define UNKNOWN	3	/* exit status: nothing is proven */
#define GRACE	2000	/* milliseconds beyond the time for the answers */
#define TEXT_MAX (64 * 1024)	/* of a policy: RFC 8461 3.3 */

struct names {
	char **name;
	size_t n;
};

struct options {
	struct check_options check;
	struct verdict_style style;
	struct conf conf;
	const char *backup;
	const char *dir;
	const char *policy, *anchors;	/* files */
	char name[ADDR_DOMAIN_MAX + 1];	/* of this machine */
	struct sockaddr_storage resolver[CONF_LIST_MAX];
	int nresolver;
	int64_t patience;	/* milliseconds */
	size_t atonce;		/* domains */
	bool configured, plugin;
};

/* All that is checked, and what came of it. */
struct run {
	const struct options *o;
	struct names names;
	struct dns *dns;
	struct look_us us;		/* where mail servers are looked at */
	struct verdict *verdict;	/* one for each name */
	size_t batch;			/* domains of one job */
	int64_t limit;			/* milliseconds for all jobs */
};

static const char usage_text[] =
    "usage: mx-check [-46DhjpqSsv] [-b backup] [-C dir] [-J number] "
    "[-k anchors]\n"
    "                [-P policy] [-r resolver] [-t seconds] [--rehearse]\n"
    "                [domain ...]\n";

static void __attribute__((noreturn))
usage(void)
{
	fputs(usage_text, stderr);
	exit(EX_USAGE);
}

static void __attribute__((noreturn))
help(void)
{
	fputs(usage_text, stdout);
	fputs("\n"
"Says whether mail finds its way to each domain, and whether its backup MX\n"
"takes part: in the MX set behind the primary, apart from it, and covered by\n"
"all that protects it.  Every finding that is not ok says what to do.  Try\n"
"       mx-check -b mx2.backup.example example.org\n"
"\n"
"  -b NAME  the backup (default: this machine, if it is configured as one;\n"
"           else every host that is not best)\n"
"  -D       ask the DNS only, no mail server;  -4, -6  one family only\n"
"  --rehearse  on the backup: would the primary take its mail?\n"
"  -r ADDR  ask this resolver, ADDR[@PORT]\n"
"  -S       verify DNSSEC here, from the root's keys or (-k FILE) others\n"
"  -P FILE  the domain's MTA-STS policy (see the manual for how to get it)\n"
"  -t SECS  time for one domain (default 20, with -D 10);  -J N  domains "
    "at once\n"
"  -q       only what is not ok;  -v  on a terminal also what is ok\n"
"  -s       only the zone lines that make NAME the backup: paste them\n"
"  -j       JSON;  -p  one line for monitoring\n"
"  -C DIR   configuration of the backup (default " CONF_DIR ")\n"
"  -        domains from standard input; none at all: those configured\n"
"\n"
"Exit status: 0 ok, 1 warnings, 2 something is wrong, 3 not known.\n",
	    stdout);
	if (fflush(stdout) == EOF)
		err(UNKNOWN, "standard output");
	exit(0);
}

/*
 * The end, before anything was checked.  What runs plugins knows no statuses
 * but its own, and reads standard output.
 */
static void __attribute__((noreturn, format(printf, 3, 4)))
die(const struct options *o, int status, const char *fmt, ...)
{
	char text[1024], safe[4 * sizeof(text)], *p;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!o->plugin)
		errx(status, "%s", text);
	(void)plain(safe, sizeof(safe), text);
	for (p = safe; (p = strchr(p, '|')) != NULL; )
		*p = '!';		/* performance data would begin */
	printf("MX UNKNOWN - %s\n", safe);
	exit(UNKNOWN);
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

/* "example.org  # whose it is", one or more a line. */
static void
names_read(struct names *names, FILE *f)
{
	char *line = NULL, *p, *word;
	size_t size = 0;
	ssize_t len;

	while ((len = getline(&line, &size, f)) != -1) {
		/* It would end the name early: none may have it. */
		for (p = line; (p = memchr(p, '\0', (size_t)(line + len -
		    p))) != NULL; )
			*p = '\177';
		line[strcspn(line, "#\r\n")] = '\0';
		p = line;
		while ((word = strsep(&p, " \t")) != NULL)
			if (*word != '\0')
				name_add(names, word);
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
		die(o, EX_USAGE, "more than %d resolvers", CONF_LIST_MAX);
	memset(&hints, 0, sizeof(hints));
	hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
	hints.ai_socktype = SOCK_DGRAM;
	if (len >= sizeof(host))
		die(o, EX_USAGE, "resolver: not an address");
	memcpy(host, text, len);
	host[len] = '\0';
	if (getaddrinfo(host, port != NULL ? port + 1 : "53", &hints,
	    &ai) != 0)
		die(o, EX_USAGE, "resolver \"%s\": not an address", text);
	memcpy(&o->resolver[o->nresolver++], ai->ai_addr, ai->ai_addrlen);
	freeaddrinfo(ai);
}

static size_t
number(const struct options *o, int option, const char *text, long long most)
{
	const char *error;
	long long n = strtonum(text, 1, most, &error);

	if (error != NULL)
		die(o, EX_USAGE, "-%c: the number is %s", option, error);
	return (size_t)n;
}

static int
option_next(int argc, char **argv)
{
	static const struct option words[] = {
		{ "rehearse", no_argument, NULL, REHEARSE },
		{ NULL, 0, NULL, 0 }
	};

	return getopt_long(argc, argv, "46b:C:DhJ:jk:P:pqr:Sst:v", words,
	    NULL);
}

/* How to end is to be known before what is wrong. */
static void
plugin_find(struct options *o, int argc, char **argv)
{
	int c;

	opterr = 0;
	while ((c = option_next(argc, argv)) != -1)
		o->plugin = o->plugin || c == 'p';
	opterr = !o->plugin;
	optind = 1;
}

static void
options_read(struct options *o, int argc, char **argv)
{
	int c;

	plugin_find(o, argc, argv);
	while ((c = option_next(argc, argv)) != -1)
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
			o->check.dns_only = true;
			break;
		case 'h':
			help();
		case 'J':
			o->atonce = number(o, 'J', optarg, 10000);
			break;
		case 'j':
			o->style.json = true;
			break;
		case 'k':
			o->anchors = optarg;
			break;
		case 'P':
			o->policy = optarg;
			break;
		case 'p':
			break;		/* plugin_find has seen it */
		case 'q':
			o->style.quiet = true;
			break;
		case REHEARSE:
			o->check.rehearse = true;
			break;
		case 'r':
			resolver_add(o, optarg);
			break;
		case 'S':
			o->check.validate = true;
			break;
		case 's':
			o->check.plan = true;
			break;
		case 't':
			o->patience = 1000 * (int64_t)number(o, 't', optarg,
			    3600);
			break;
		case 'v':
			o->style.all = true;
			break;
		default:
			if (o->plugin)
				die(o, EX_USAGE, "wrong options: see "
				    "mx-check -h");
			usage();
		}
	if (o->plugin + o->style.json + o->check.plan > 1)
		die(o, EX_USAGE, "-j, -p and -s: each is all of the output");
	if (o->patience == 0)
		o->patience = o->check.dns_only ? 10000 : 20000;
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
		die(o, EX_CONFIG, "%s: the name is too long", dir);
	if (o->dir != NULL || access(file, F_OK) == 0) {
		if (conf_load(&o->conf, dir, error) == -1)
			die(o, EX_CONFIG, "%s", error);
		o->configured = true;
		o->check.us = &o->conf;
	}
	(void)strlcpy(o->name, o->conf.hostname, sizeof(o->name));
	if (o->check.rehearse && (!o->configured || o->backup != NULL ||
	    o->check.dns_only))
		die(o, EX_USAGE, "--rehearse is for the backup itself: it "
		    "takes its configuration (-C), and neither -b nor -D");
	if (o->backup != NULL) {
		if (!idn_to_ascii(o->conf.hostname, o->backup, &why))
			die(o, EX_USAGE, "-b %s: %s", o->backup, why);
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
		die(o, UNKNOWN, "/etc/resolv.conf: %s", strerror(errno));
	if (o->nresolver == 0 && o->conf.trust_ad)
		dns_trust_ad(d);
	return d;
}

/* Who we are to the mail servers. */
static void
us_prepare(struct look_us *us, const struct options *o)
{
	char error[TLS_ERROR_MAX];

	(void)strlcpy(us->name, o->name, sizeof(us->name));
	memcpy(us->source, o->conf.source, sizeof(us->source));
	if ((us->tls = tls_client_new(NULL, error)) == NULL)
		die(o, UNKNOWN, "TLS: %s", error);
}

/* The key that this backup shows, if it is this backup that is meant. */
static void
key_prepare(struct options *o)
{
	static unsigned char key[CHECK_KEY];
	struct tls_secret secret;
	char error[TLS_ERROR_MAX];

	if (o->check.us == NULL)
		die(o, EX_USAGE, "-s: say which host is the backup, by -b");
	if (o->backup != NULL || o->conf.tls_certificate[0] == '\0')
		return;
	if (tls_secret_load(&secret, o->conf.tls_certificate,
	    o->conf.tls_key, error) == -1)
		warnx("%s", error);
	else if (tls_secret_digest(&secret, key))
		o->check.key = key;
	tls_secret_clear(&secret);
}

/* "mx-check -s ...", for eyes; lives until the end. */
static const char *
plan_command(const struct options *o)
{
	char *text;
	int n;

	if (o->backup != NULL)
		n = asprintf(&text, "mx-check -s -b %s", o->conf.hostname);
	else if (o->dir != NULL)
		n = asprintf(&text, "mx-check -s -C %s", o->dir);
	else
		n = asprintf(&text, "mx-check -s");
	if (n == -1)
		err(UNKNOWN, NULL);
	return text;
}

/* For eyes, and in which colours. */
static void
style_choose(struct verdict_style *style)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");
	struct winsize ws;

	style->width = 80;
	style->terminal = isatty(STDOUT_FILENO);
	if (!style->terminal)
		return;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &ws) == 0 && ws.ws_col >= 40)
		style->width = ws.ws_col;
	style->colour = (no == NULL || *no == '\0') && term != NULL &&
	    strcmp(term, "dumb") != 0;
}

/* The text of a file, or of standard input; lives until the end. */
static const char *
text_read(const struct options *o, const char *file)
{
	char *text = malloc(TEXT_MAX + 1);
	FILE *f = stdin;
	size_t n;

	if (text == NULL)
		err(UNKNOWN, NULL);
	if (strcmp(file, "-") != 0 && (f = fopen(file, "r")) == NULL)
		die(o, EX_USAGE, "%s: %s", file, strerror(errno));
	n = fread(text, 1, TEXT_MAX + 1, f);
	if (ferror(f))
		die(o, UNKNOWN, "%s: %s", file, strerror(errno));
	if (n > TEXT_MAX || memchr(text, '\0', n) != NULL)
		die(o, EX_USAGE, "%s: not a text, or too long", file);
	text[n] = '\0';
	if (f != stdin)
		fclose(f);
	return text;
}

static void
texts_read(struct options *o)
{
	if (o->policy != NULL)
		o->check.policy = text_read(o, o->policy);
	if (o->anchors == NULL)
		return;
	o->check.validate = true;
	o->check.anchors = text_read(o, o->anchors);
	if (!chain_anchors_are_sound(o->check.anchors))
		die(o, EX_USAGE, "%s: expected DS or DNSKEY records",
		    o->anchors);
}

/* What is to be checked: arguments, standard input, or the configuration. */
static void
names_find(struct names *names, const struct options *o, char **argv)
{
	bool stdin_taken = o->policy != NULL && strcmp(o->policy, "-") == 0;

	if (*argv == NULL && !o->configured)
		die(o, EX_USAGE, "expected a domain, as there is no "
		    CONF_DIR "/mxkeep.conf");
	if (*argv == NULL && conf_domains(&o->conf, name_configured,
	    names) == -1)
		die(o, EX_CONFIG, "%s/domains: %s", o->conf.dir,
		    strerror(errno));
	for (; *argv != NULL; argv++)
		if (strcmp(*argv, "-") != 0)
			name_add(names, *argv);
		else if (stdin_taken)
			die(o, EX_USAGE, "standard input can be the policy "
			    "or the domains, and once only");
		else {
			names_read(names, stdin);
			stdin_taken = true;
		}
	if (o->policy != NULL && names->n != 1)
		die(o, EX_USAGE, "-P: a policy is that of one domain");
}

/* A job: the domains of one batch, in a process of its own. */
static void
batch_work(size_t job, FILE *out, void *note, void *arg)
{
	struct run *run = arg;
	const struct options *o = run->o;
	size_t first = job * run->batch, n = run->names.n - first, i;
	struct verdict *v = note;
	int64_t deadline = deadline_in(o->patience);
	struct asked asked;
	struct check *c;

	if (n > run->batch)
		n = run->batch;
	if ((c = calloc(n, sizeof(*c))) == NULL)
		err(UNKNOWN, NULL);
	asked_init(&asked);
	for (i = 0; i < n; i++)
		check_init(&c[i], run->names.name[first + i], &asked);
	examine(c, n, &asked, run->dns, &o->check, o->check.dns_only ?
	    deadline : deadline_in(o->patience / 2));
	if (o->check.rehearse)
		rehearse(c, n, run->dns, &o->check, &run->us,
		    deadline_in(o->patience / 4));
	if (!o->check.dns_only)
		survey(c, n, run->dns, &o->check, &run->us, deadline);
	for (i = 0; i < n; i++) {
		verdict_of(&v[i], &c[i]);
		if (o->check.plan)
			v[i].status = plan_write(out, &c[i], &o->check) ? 0 :
			    UNKNOWN;
		else if (!o->plugin)
			verdict_write(out, &c[i], &o->style);
	}
}

static void
batch_done(size_t job, const struct crew_result *r, void *arg)
{
	struct run *run = arg;
	const struct options *o = run->o;
	size_t first = job * run->batch, n = run->names.n - first, i;

	if (n > run->batch)
		n = run->batch;
	if (r->why == NULL) {
		memcpy(run->verdict + first, r->note,
		    n * sizeof(*run->verdict));
		fwrite(r->text, 1, r->len, stdout);
		/* Children to come must not have it in their buffers. */
		if (fflush(stdout) == EOF || ferror(stdout))
			err(UNKNOWN, "standard output");
		return;
	}
	for (i = first; i < first + n; i++)
		verdict_unfinished(o->plugin || o->check.plan ? NULL : stdout,
		    run->names.name[i], r->why, &o->style,
		    &run->verdict[i]);
}

static void
run_all(struct run *run)
{
	const struct options *o = run->o;
	struct crew crew = {
		.limit = o->patience + GRACE,
		.work = batch_work,
		.done = batch_done,
		.arg = run
	};

	crew.atonce = (o->atonce + BATCH - 1) / BATCH;
	if (crew.atonce > CREW_ATONCE_MAX)
		crew.atonce = CREW_ATONCE_MAX;
	run->batch = o->atonce / crew.atonce;
	run->verdict = calloc(run->names.n + 1, sizeof(*run->verdict));
	if (run->verdict == NULL)
		err(UNKNOWN, NULL);
	crew.jobs = (run->names.n + run->batch - 1) / run->batch;
	dns_divide(run->dns, crew.jobs < crew.atonce ? crew.jobs :
	    crew.atonce);
	run->limit = o->patience *
	    (int64_t)((crew.jobs + crew.atonce - 1) / crew.atonce);
	crew.note = run->batch * sizeof(*run->verdict);
	if (crew_run(&crew) == -1)
		err(UNKNOWN, NULL);
}

int
main(int argc, char **argv)
{
	static struct options o = { .atonce = 4 * BATCH,
		.check.port = 25 };
	struct run run = { .o = &o };
	int64_t began = deadline_now();
	size_t i;
	int status;

	options_read(&o, argc, argv);
	configure(&o);
	style_choose(&o.style);
	names_find(&run.names, &o, argv + optind);
	texts_read(&o);
	o.style.several = run.names.n > 1;
	if (o.check.us != NULL)
		o.style.plan = plan_command(&o);
	if (o.check.plan)
		key_prepare(&o);
	run.dns = resolver_open(&o);
	if (!o.check.dns_only)
		us_prepare(&run.us, &o);
	run_all(&run);
	/* Monitoring that looks at nothing is not well. */
	status = o.plugin && run.names.n == 0 ? UNKNOWN : 0;
	for (i = 0; i < run.names.n; i++)
		status = findings_worse(status, run.verdict[i].status);
	if (o.plugin)
		verdict_plugin(stdout, run.verdict, run.names.n,
		    deadline_now() - began, run.limit);
	else if (o.style.terminal && !o.style.json && !o.check.plan &&
	    run.names.n > 1)
		verdict_table(stdout, run.verdict, run.names.n, &o.style);
	tls_client_free(run.us.tls);
	dns_close(run.dns);
	names_free(&run.names);
	free(run.verdict);
	if (fflush(stdout) == EOF || ferror(stdout))
		err(UNKNOWN, "standard output");
	return status;
}
