/* SPDX-License-Identifier: ISC */
#include "trial.h"

#include <dirent.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "log.h"
#include "plain.h"
#include "recipients.h"

struct trial {
	const struct conf *conf;
	trial_note *note;
	void *arg;
	char list[PATH_MAX];	/* the last that was read; "": none */
	bool list_good;
	size_t domains;
	bool good;		/* so far */
};

/* Whether a recipient would get an answer by it. */
static bool
is_list(struct trial *t, const char *name, const char *path)
{
	char why[RECIPIENTS_WHY_MAX];
	struct addr a;

	if (strcmp(path, t->list) == 0)
		return t->list_good;
	/* Whoever that is: all of it is read if he is not found. */
	if (!addr_parse_mailbox(&a, "nobody@localhost"))
		return false;
	t->list_good = recipients_file(path, &a, NULL, why) !=
	    RECIPIENTS_ERROR;
	if (why[0] != '\0')
		log_warnx("%s: recipients: %s", name, why);
	(void)strlcpy(t->list, path, sizeof(t->list));
	return t->list_good;
}

static void
tell(const struct trial *t, const char *name, const struct settings *s,
    const char *whom)
{
	char quota[64] = "none", found[PATH_MAX + 512];

	if (s->quota_size > 0 && s->quota_count > 0)
		(void)snprintf(quota, sizeof(quota), "%" PRId64 " octets, %"
		    PRId64 " messages", s->quota_size, s->quota_count);
	else if (s->quota_size > 0 || s->quota_count > 0)
		(void)snprintf(quota, sizeof(quota), "%" PRId64 " %s",
		    s->quota_size + s->quota_count, s->quota_size > 0 ?
		    "octets" : "messages");
	(void)snprintf(found, sizeof(found),
	    "%s, recipients %s, when-up %s, quota %s", name, whom,
	    s->when_up_defer ? "defer" : "accept", quota);
	t->note(t->arg, "domain", found);
}

static int
try_domain(const char *name, void *arg)
{
	static const char *const unknown[] = {
		[CONF_ACCEPT] = "verify (unknown accept)",
		[CONF_DEFER] = "verify (unknown defer)",
		[CONF_REJECT] = "verify (unknown reject)"
	};
	char error[CONF_ERROR_MAX], path[PATH_MAX];
	const char *whom = "any";
	struct trial *t = arg;
	struct settings s;
	bool good = true;

	t->domains++;
	switch (conf_file(t->conf, name, &s, error)) {
	case CONF_YES:
		break;
	case CONF_NO:		/* taken away just now */
		return 0;
	case CONF_BROKEN:
		log_warnx("%s", error);
		t->good = false;
		return 0;
	}
	switch (s.recipients) {
	case CONF_ANY:
		break;
	case CONF_VERIFY:
		whom = unknown[s.unknown];
		break;
	case CONF_FILE:
		whom = path;
		good = conf_path(t->conf, s.recipients_file, path);
		if (!good)
			log_warnx("%s: recipients: the name is too long",
			    name);
		else
			good = is_list(t, name, path);
		break;
	}
	if (good)
		tell(t, name, &s, whom);
	t->good = t->good && good;
	return 0;
}

static bool
is_name(const char *name)
{
	char lower[ADDR_DOMAIN_MAX + 1];

	name += name[0] == '.';
	return addr_domain(lower, name) && strcmp(lower, name) == 0;
}

/* A file that nobody will read is wrong if it was meant for a domain. */
static void
tell_strangers(const struct trial *t)
{
	char path[PATH_MAX + 16];
	const struct dirent *d;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%s/domains", t->conf->dir);
	if ((dir = opendir(path)) == NULL)
		return;
	while ((d = readdir(dir)) != NULL)
		if (strcmp(d->d_name, ".") != 0 &&
		    strcmp(d->d_name, "..") != 0 && !is_name(d->d_name)) {
			char shown[1024];

			log_warnx("%s/%s: passed over; expected a domain in "
			    "lower case, as A-labels", path,
			    plain(shown, sizeof(shown), d->d_name));
		}
	closedir(dir);
}

bool
trial(const struct conf *c, trial_note *fn, void *arg)
{
	struct trial t = { .conf = c, .note = fn, .arg = arg, .good = true };

	if (conf_domains(c, try_domain, &t) == -1) {
		log_warn("%s/domains", c->dir);
		return false;
	}
	if (t.domains == 0)
		fn(arg, "domain", "none: all mail is refused");
	tell_strangers(&t);
	return t.good;
}
