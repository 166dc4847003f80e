/* SPDX-License-Identifier: ISC */
#ifndef MX_CHECK_H
#define MX_CHECK_H

#include <sys/socket.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "conf.h"
#include "dns.h"
#include "finding.h"

/*
 * What is right and wrong with the MX set of a domain, as the DNS shows it.
 * mx-check(1) lists the findings, what each means and how to mend it.
 */

#define CHECK_HOSTS_MAX	20	/* of one domain; senders stop earlier */
#define CHECK_ADDRS_MAX	16	/* of one host */

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
	struct findings found;
};

struct check_options {
	const struct conf *us;	/* the backup's names and addresses, or NULL */
	bool v4, v6;		/* the families looked at */
	bool dns_only;		/* -D: no SMTP */
	bool rehearse;		/* --rehearse: this machine is the backup */
	bool validate;		/* -S: DNSSEC by ourselves */
	const char *anchors;	/* -k: file of trust anchors, or NULL */
	const char *policy;	/* -P: text of the MTA-STS policy, or NULL */
	int port;		/* of the MX hosts: 25 */
};

/* TEXT as written by people; what is no domain is a finding of its own. */
void check_init(struct check *c, const char *text);
void check_clear(struct check *c);

/* All N together, the MX sets first, then the addresses of all hosts. */
void check_run(struct check *c, size_t n, struct dns *d,
    const struct check_options *o, int64_t deadline);

/* The address without its port into BUF (INET6_ADDRSTRLEN); returns BUF. */
const char *check_addr_print(char *buf, const struct sockaddr_storage *ss);

#endif
