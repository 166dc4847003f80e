/* SPDX-License-Identifier: ISC */
#ifndef MX_TLS_POLICY_H
#define MX_TLS_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "conf.h"
#include "dane.h"
#include "dns.h"
#include "domain.h"
#include "route.h"
#include "tls.h"
#include "tls_client.h"

/*
 * What a domain's "tls" (mxkeep.conf(5)) asks of each server of its route,
 * what has come of it in this run, and how that compares with what there was.
 */

struct tls_policy {
	/* Set by the caller, who clears the rest. */
	const struct conf *conf;
	const struct settings *settings;
	struct dns *dns;
	const char *domain;
	struct tls_client *tls;	/* NULL: made when first needed */

	/* private */
	struct tls_client *own;
	const struct route *route;
	bool dane_only;		/* what is not known by DANE is left alone */
	bool never_clear;	/* nor does "dane" fall back to clear text */
	struct dane_host *dane;	/* one for each host of the route; or NULL */
	size_t ndane;
	bool broken[ROUTE_ADDRS_MAX];
	struct tls_session *session[ROUTE_ADDRS_MAX];
	const char *name[3];
};

/*
 * For R, which is borrowed until the next call.  REMEMBERED is NULL for a
 * route out of the DNS, else what tls_print() said of it when it worked: one
 * that was known by DANE has to be known by it again, and one with TLS to
 * have that again where the policy is DANE, for a DNS that fails cannot say
 * that DANE has been given up.  Asks for TLSA records where the policy wants
 * them, until DEADLINE at most.
 */
void tls_policy_route(struct tls_policy *p, struct route *r,
    const char *remembered, int64_t deadline);
void tls_policy_clear(struct tls_policy *p);

enum tls_demand {
	TLS_DEMAND_NONE,	/* clear text: TLS has failed there in this
				   run, and is not asked for */
	TLS_DEMAND_TRY,		/* TLS, else clear text on a new connection */
	TLS_DEMAND_MUST,	/* TLS as wanted, or leave the server alone */
	TLS_DEMAND_LEAVE	/* leave it alone: WHY */
};

/*
 * What is wanted of the server at the address ADDR of the route.  WANT, whose
 * parts are P's and good until the next call, and *TLS are for the handshake.
 * WHY has TLS_ERROR_MAX bytes.
 */
enum tls_demand tls_policy_ask(struct tls_policy *p, size_t addr,
    struct tls_want *want, struct tls_client **tls, char *why);

/* Would tls_policy_ask() say TLS_DEMAND_LEAVE, before any of TLS is needed? */
bool tls_policy_leaves(struct tls_policy *p, size_t addr, char *why);

/* TLS_DEMAND_TRY came to nothing at ADDR. */
void tls_policy_failed(struct tls_policy *p, size_t addr);

/* The server at ADDR has answered inside T: to be resumed by the next. */
void tls_policy_keep(struct tls_policy *p, size_t addr, struct tls *t);

/*
 * "TLSv1.3 TLS_AES_256_GCM_SHA384 dane-ee", "none" for T that is NULL: for
 * the state of a domain and the log.
 */
#define TLS_TEXT_MAX 128
void tls_print(char *text, const struct tls *t);

/*
 * Of the N memories BEST that of the server PEER ("name [address]:port"), or
 * else the one that another server needs least.
 */
#define TLS_BEST_MAX DOMAIN_BEST_MAX
char *tls_best(char (*best)[TLS_BEST_MAX], size_t n, const char *peer,
    time_t now);

/*
 * Has the server PEER given more to us than TEXT, of tls_print(), in the last
 * 30 days?  BEST, of tls_best(), remembers that of one server between calls;
 * "" knows of none.  What a POLICY that has been relaxed no longer asks for
 * is not missed.
 */
bool tls_is_less(char *best, const char *peer, const char *text,
    enum conf_tls policy, time_t now);

#endif
