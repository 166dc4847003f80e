/* SPDX-License-Identifier: ISC */
#ifndef MX_CONF_H
#define MX_CONF_H

#include "settings.h"

/*
 * DIR/mxkeep.conf and DIR/domains/NAME: lines "key value", # comments.
 * mxkeep.conf(5) documents every key and default.  Nothing is reloaded.
 */

#define CONF_DIR	SYSCONFDIR
#define CONF_ERROR_MAX	512

/* The defaults alone, hostname from the system. */
void conf_init(struct conf *c);

/*
 * Reads DIR/mxkeep.conf (which may be missing if DIR/domains is there).
 * Returns 0, or -1 with "file:line: what was expected" in ERROR
 * (CONF_ERROR_MAX bytes).
 */
int conf_load(struct conf *c, const char *dir, char *error);

enum conf_match {
	CONF_NO,	/* not one of ours */
	CONF_YES,
	CONF_BROKEN	/* its file cannot be read, or there is no DIR/domains:
			   ERROR says why; try later */
};

/*
 * Is DOMAIN (as addr_domain left it) backed up here?  Looks for its own
 * file, then for ".parent" of each parent, nearest first; the defaults
 * apply where the file is silent.  SETTINGS is filled for CONF_NO too, with
 * the defaults.  FILE, if not NULL, gets the name of the file
 * (ADDR_DOMAIN_MAX + 2).
 */
enum conf_match conf_domain(const struct conf *c, const char *domain,
    struct settings *settings, char *file, char *error);

/* The same for the file NAME, as conf_domains has it, and no other. */
enum conf_match conf_file(const struct conf *c, const char *name,
    struct settings *settings, char *error);

/*
 * How long a report to a sender lives, seconds: 5 days at most.  Nothing
 * else is written for a domain that is not ours, but mail may still wait for
 * one that was.
 */
int64_t conf_report_expire(const struct settings *s);

/*
 * Calls FN for each file of DIR/domains in order of name, with the leading
 * dot where there is one.  Returns 0 or the first non-zero answer of FN; -1
 * with errno when the directory cannot be read.
 */
int conf_domains(const struct conf *c, int (*fn)(const char *name, void *arg),
    void *arg);

/*
 * FILE as a key has it, which is below DIR unless it begins with a slash,
 * into PATH (PATH_MAX).  False if it does not fit.
 */
bool conf_path(const struct conf *c, const char *file, char *path);

/* True if ADDR is a name of ours: hostname or one of "self". */
bool conf_is_self(const struct conf *c, const char *name);

#endif
