/* SPDX-License-Identifier: ISC */
#ifndef MX_CHECK_H
#define MX_CHECK_H

#include <sys/socket.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "dns.h"

/*
 * What is right and wrong with the MX set of a domain, as the DNS shows it.
 * mx-check(1) lists the findings, what each means and how to mend it.
 */

#define CHECK_HOSTS_MAX	20	/* of one domain; senders stop earlier */
#define CHECK_ADDRS_MAX	16	/* of one host */

enum check_level { CHECK_OK, CHECK_WARN, CHECK_FAIL };

enum check_id {
	CHECK_DOMAIN_NAME,
	CHECK_NO_DOMAIN,
	CHECK_LOOKUP_TEMP,
	CHECK_LOOKUP_BOGUS,
	CHECK_MX_RECORDS,
	CHECK_MX_MANY,
	CHECK_IMPLICIT_MX,
	CHECK_NULL_MX,
	CHECK_NULL_MX_MIXED,
	CHECK_MX_LITERAL,
	CHECK_MX_NAME,
	CHECK_MX_TWICE,
	CHECK_MX_ALIAS,
	CHECK_MX_ADDRESS,
	CHECK_ADDRESS_TWICE,
	CHECK_ADDRESS_SPECIAL,
	CHECK_BACKUP_LISTED,
	CHECK_BACKUP_ALONE,
	CHECK_BACKUP_BEST,
	CHECK_BACKUP_EQUAL,
	CHECK_ID_MAX
};

struct check_finding {
	enum check_level level;
	enum check_id id;
	bool unknown;		/* a temporary failure: nothing is proven */
	char subject[ADDR_DOMAIN_MAX + 1];
	char text[320];		/* a sentence */
};

struct check_host {
	char name[ADDR_DOMAIN_MAX + 1];
	int preference;		/* -1: implicit */
	bool ours;
	enum dns_outcome outcome;	/* of the addresses */
	struct sockaddr_storage addr[CHECK_ADDRS_MAX];
	size_t naddr;
};

struct check {
	char domain[ADDR_DOMAIN_MAX + 1];	/* A-labels; or as given */
	struct dns_query mx;
	struct check_host host[CHECK_HOSTS_MAX];	/* as senders try */
	size_t nhost;
	struct check_finding *finding;
	size_t nfinding;
	bool failed;		/* out of memory: findings are missing */
};

struct check_options {
	const struct conf *us;	/* the backup's names and addresses, or NULL */
	bool v4, v6;		/* the families looked at */
};

/* TEXT as written by people; what is no domain is a finding of its own. */
void check_init(struct check *c, const char *text);
void check_clear(struct check *c);

/* All N together, the MX sets first, then the addresses of all hosts. */
void check_run(struct check *c, size_t n, struct dns *d,
    const struct check_options *o, int64_t deadline);

/* The exit status of mx-check(1) for one domain: 0, 1, 2 or 3. */
int check_status(const struct check *c);

/* The address without its port into BUF (INET6_ADDRSTRLEN); returns BUF. */
const char *check_addr_print(char *buf, const struct sockaddr_storage *ss);

const char *check_id_name(enum check_id id);
const char *check_level_name(enum check_level level);

#endif
