/* SPDX-License-Identifier: ISC */
#ifndef MX_SETTINGS_H
#define MX_SETTINGS_H

#include <sys/socket.h>
#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"
#include "net.h"

/*
 * What can be configured, and how each key reads its values; mxkeep.conf(5)
 * documents them all.  The files are conf's business.
 */

#define CONF_LIST_MAX	16		/* resolvers, self, hops of a route */
#define CONF_NETS_MAX	64		/* of one list of ADDR/LEN */
#define CONF_FILE_MAX	1024
#define CONF_PINS_MAX	4		/* those of today and of tomorrow */

enum conf_recipients {		/* whom a domain has */
	CONF_ANY,		/* nobody tells */
	CONF_FILE,		/* settings' file does */
	CONF_VERIFY		/* what its primary has said of them does */
};

enum conf_unknown {		/* what becomes of those it is silent about */
	CONF_ACCEPT,
	CONF_DEFER,
	CONF_REJECT
};

enum conf_sandbox {
	CONF_SANDBOX,		/* as much of it as the kernel has */
	CONF_SANDBOX_REQUIRED,	/* all of it, or do not run */
	CONF_SANDBOX_NO
};

enum conf_tls {			/* on the way to the primary */
	CONF_TLS_MAY,		/* if it offers it, whoever it is */
	CONF_TLS_DANE,		/* known by TLSA records, where it has them */
	CONF_TLS_VERIFY,	/* by a certificate of a known authority */
	CONF_TLS_PIN		/* by its public key */
};

enum conf_identify {		/* how the primary is told of the client */
	CONF_IDENTIFY_NONE,
	CONF_IDENTIFY_XCLIENT,
	CONF_IDENTIFY_XFORWARD
};

struct conf_pin {
	unsigned char sha256[32];	/* of a SubjectPublicKeyInfo */
};

struct conf_nets {
	size_t n;
	struct net net[CONF_NETS_MAX];
};

struct conf_hop {			/* one of "route HOST[:PORT] ..." */
	char host[ADDR_DOMAIN_MAX + 1];	/* a name, or an address unbracketed */
	int port;			/* 0: the key "port" */
};

/* May stand in mxkeep.conf, as a default, and in a domain's file. */
struct settings {
	int nroute;
	int64_t expire;			/* seconds */
	bool bounce;
	int64_t keep;			/* seconds; 0: keep no copies */
	int64_t sessions;		/* connections at once, at most */
	int64_t window;			/* messages in flight on each */
	double rate;			/* messages a second; 0: no limit */
	bool strict_routing;
	int64_t route_memory;		/* seconds; 0: none */
	int breaker;			/* percent refused; 0: there is none */
	enum conf_tls tls;
	int npin;
	struct conf_pin pin[CONF_PINS_MAX];
	enum conf_identify identify;
	int64_t warn;			/* seconds; 0: no word of delays */
	int64_t report_limit;		/* an hour; 0: no limit */
	char notify[ADDR_MAX + 1];	/* "": nobody */
	int64_t notify_after;		/* seconds; 0: when mail waits */
	char hook[CONF_FILE_MAX];	/* an absolute path, or "" */
	enum conf_recipients recipients;
	char recipients_file[CONF_FILE_MAX];	/* see conf_path() */
	enum conf_unknown unknown;
	bool when_up_defer;
	int64_t quota_size;		/* octets; 0: no limit */
	int64_t quota_count;		/* messages; 0: no limit */
	struct conf_hop route[CONF_LIST_MAX];	/* last: see conf_init() */
};

struct conf_timeouts {			/* milliseconds */
	/* mx-flush (RFC 5321 4.5.3.2) */
	int64_t connect, greeting, helo, mail, rcpt, data, block, dot, quit;
	int64_t dns;			/* one set of lookups */
	int64_t hook;
	/* mx-receive */
	int64_t command, receive, session, proxy;
};

/* The long lists come last: pages that nobody fills cost nothing. */
struct conf {
	char dir[CONF_FILE_MAX];
	char hostname[ADDR_DOMAIN_MAX + 1];
	char spool[CONF_FILE_MAX];
	int port;
	struct sockaddr_storage source[2];	/* ss_family 0: any */
	char postmaster[ADDR_MAX + 1];	/* default postmaster@hostname */
	bool postmaster_set;		/* by its key */
	int64_t max_size;		/* octets; 0: no limit */
	int64_t max_recipients;
	int64_t max_sessions, max_sessions_per_client;
	char tls_certificate[CONF_FILE_MAX];	/* "": no STARTTLS */
	char tls_key[CONF_FILE_MAX];	/* default: the certificate's file */
	char tls_authorities[CONF_FILE_MAX];	/* "": those of the system */
	enum conf_sandbox sandbox;
	int64_t greet_delay;		/* milliseconds */
	int64_t tarpit;			/* milliseconds */
	int64_t min_rate;		/* octets a second; 0: none */
	struct conf_timeouts timeout;
	int nresolver;			/* 0: resolv.conf */
	bool trust_ad;			/* believed, wherever they are */
	int nself_name;
	int nself_addr;
	struct settings defaults;
	struct sockaddr_storage resolver[CONF_LIST_MAX];
	char self_name[CONF_LIST_MAX][ADDR_DOMAIN_MAX + 1];
	struct sockaddr_storage self_addr[CONF_LIST_MAX];	/* port 0 */
	struct conf_nets trusted_proxy;	/* speak the PROXY protocol */
	struct conf_nets xclient;	/* may use XCLIENT */
	struct conf_nets etrn;		/* may use ETRN for any domain */
};

/* Where a line's values go. */
struct settings_target {
	struct conf *conf;		/* NULL in a domain's file */
	struct settings *settings;
};

struct settings_key {
	const char *name;
	bool global;			/* in mxkeep.conf alone */
	/* True if it took the N words after the key, which it may change. */
	bool (*parse)(struct settings_target *t, char **word, int n);
	const char *expected;		/* for people: what it takes */
};

/* NULL if there is none of that name. */
const struct settings_key *settings_key(const char *name);

/*
 * The defaults of all but hostname and dir, which are empty; what has a
 * count is not cleared beyond it.
 */
void settings_init(struct conf *c);

#endif
