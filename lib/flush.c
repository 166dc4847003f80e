/* SPDX-License-Identifier: ISC */
#include "flush.h"

#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "msgid.h"
#include "recipients.h"
#include "scan.h"

/* The gravest of what happened is the exit status. */
void
flush_worsen(struct flush *f, int status)
{
	static const int order[] = { 0, EX_TEMPFAIL, 1, EX_CONFIG,
	    EX_USAGE };
	size_t i, was = 0, now = 2;

	for (i = 0; i < sizeof(order) / sizeof(order[0]); i++) {
		if (order[i] == f->status)
			was = i;
		if (order[i] == status)
			now = i;
	}
	if (now > was)
		f->status = order[now];
}

struct job *
flush_job(struct flush *f, const char *domain)
{
	struct job *job;
	size_t i;

	for (i = 0; i < f->njob; i++)
		if (strcmp(f->job[i].domain, domain) == 0)
			return &f->job[i];
	job = recallocarray(f->job, f->njob, f->njob + 1, sizeof(*job));
	if (job == NULL) {
		complain_errno(&f->complain, 1, NULL);
		return NULL;
	}
	f->job = job;
	job = &f->job[f->njob++];
	(void)strlcpy(job->domain, domain, sizeof(job->domain));
	return job;
}

static int
add_id(struct flush *f, const char *domain, const char *id)
{
	struct job *job = flush_job(f, domain);
	const char **more;

	if (job == NULL)
		return -1;
	/* One more than there are: NULL ends the list. */
	more = recallocarray(job->id, job->nid == 0 ? 0 : job->nid + 1,
	    job->nid + 2, sizeof(*more));
	if (more == NULL)
		return complain_errno(&f->complain, 1, NULL);
	job->id = more;
	job->id[job->nid++] = id;
	return 0;
}

static bool
is_known(struct flush *f, const char *domain)
{
	char error[CONF_ERROR_MAX];
	struct settings settings;

	return scan_waiting(f->spool, domain) != 0 || conf_domain(&f->conf,
	    domain, &settings, NULL, error) != CONF_NO;
}

/* The slip of a finger must not look like an empty queue. */
static void
warn_unknown(struct flush *f, const char *domain)
{
	if (!is_known(f, domain))
		complain(&f->complain, 0, "%s: not in %s/domains, and "
		    "nothing waits for it", domain, f->conf.dir);
}

static int
add_domain(struct flush *f, const char *domain)
{
	struct job *job = flush_job(f, domain);

	if (job == NULL)
		return -1;
	job->whole = true;
	warn_unknown(f, domain);
	return 0;
}

static int
add_arg(struct flush *f, const char *arg)
{
	const struct complain *c = &f->complain;
	char domain[ADDR_DOMAIN_MAX + 1];
	bool name = addr_domain(domain, arg);
	struct scan_found where;
	struct msgid id;
	int found = scan_find(f->spool, arg, &where);

	/* 360.com.cn has the form of an id, too. */
	if (found == 0 && (!msgid_parse(&id, arg) ||
	    (name && is_known(f, domain))))
		return name ? add_domain(f, domain) : complain(c, EX_USAGE,
		    "%s: neither a domain nor an id", arg);
	if (found == 1)
		return add_id(f, where.domain, arg);
	if (found == -1)
		complain_errno(c, 1, "%s", arg);
	else
		complain(c, 1, "%s: no such message", arg);
	return 0;
}

static int
find_args(struct flush *f)
{
	for (char **arg = f->args; *arg != NULL; arg++)
		if (add_arg(f, *arg) == -1)
			return -1;
	return 0;
}

/* All domains; spool_domains has them sorted, and each once. */
static int
find_all(struct flush *f)
{
	char **domains;
	size_t i, n;

	if ((domains = spool_domains(f->spool)) == NULL) {
		complain_errno(&f->complain, 1, "%s", f->conf.spool);
		return 0;
	}
	for (n = 0; domains[n] != NULL; n++)
		continue;
	if (n > 0 && (f->job = calloc(n, sizeof(*f->job))) == NULL) {
		free(domains);
		return complain_errno(&f->complain, 1, NULL);
	}
	for (i = 0; i < n; i++)
		if (strlcpy(f->job[f->njob].domain, domains[i],
		    sizeof(f->job->domain)) < sizeof(f->job->domain))
			f->job[f->njob++].whole = true;
	free(domains);
	return 0;
}

/* 1: complained. */
static int
add_asked(const char *domain, void *arg)
{
	char error[CONF_ERROR_MAX];
	struct settings settings;
	struct flush *f = arg;
	struct job *job;

	/* It may not be ours any more. */
	if (conf_domain(&f->conf, domain, &settings, NULL, error) !=
	    CONF_YES || settings.recipients != CONF_VERIFY)
		return 0;
	if ((job = flush_job(f, domain)) == NULL)
		return 1;
	job->whole = job->asked = true;
	return 0;
}

int
flush_find(struct flush *f)
{
	if (*f->args != NULL)
		return find_args(f);
	if (find_all(f) == -1)
		return -1;
	switch (recipients_asked_domains(f->spool, add_asked, f)) {
	case 0:
		return 0;
	case -1:
		complain_errno(&f->complain, 0, "who is to be asked about");
		return 0;
	default:
		return -1;
	}
}

void
flush_forget(struct flush *f)
{
	size_t i;

	for (i = 0; i < f->njob; i++)
		free(f->job[i].id);
	free(f->job);
	f->job = NULL;
	f->njob = 0;
}

void
flush_be_child(const struct flush *f, pid_t parent)
{
	signal(SIGTERM, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGCHLD, SIG_DFL);
#ifdef __linux__
	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
#endif
	if (getppid() != parent)
		_exit(1);
	sigprocmask(SIG_SETMASK, f->open, NULL);
}
