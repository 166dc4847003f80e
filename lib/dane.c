/* SPDX-License-Identifier: ISC */
#include "dane.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define TLSA_FIXED	3	/* octets before the data */

/* The questions for one host. */
struct ask {
	bool aliased;
	struct dns_query alias;		/* CNAME that leads out of DNSSEC */
	struct dns_query canonical;	/* TLSA there */
	struct dns_query name;		/* TLSA at the name itself */
};

static void
ask_tlsa(struct dns_query *q, const char *name, int port)
{
	char owner[ADDR_DOMAIN_MAX + 32];

	/* A name that is too long has no records: dns_query_init empties it. */
	(void)snprintf(owner, sizeof(owner), "_%d._tcp.%s", port, name);
	dns_query_init(q, owner, DNS_TLSA);
}

static void
ask_prepare(struct ask *a, const struct dane_host *h)
{
	dns_query_init(&a->alias, "", DNS_CNAME);
	dns_query_init(&a->canonical, "", DNS_TLSA);
	dns_query_init(&a->name, "", DNS_TLSA);
	a->aliased = strcasecmp(h->name, h->canonical) != 0;
	if (!h->secure_name)
		return;
	if (h->secure_addr && a->aliased)
		ask_tlsa(&a->canonical, h->canonical, h->port);
	if (h->secure_addr)
		ask_tlsa(&a->name, h->name, h->port);
	else if (a->aliased)
		dns_query_init(&a->alias, h->name, DNS_CNAME);
}

/*
 * Where the addresses are not secure their name may be, if it is an alias
 * that a signed zone makes (RFC 7672 2.2.2).  Elsewhere TLSA is not asked
 * for, since some servers of such zones choke on it (2.1.3).
 */
static void
ask_again(struct ask *a, const struct dane_host *h)
{
	dns_query_clear(&a->name);
	dns_query_init(&a->name, "", DNS_TLSA);
	if (a->alias.outcome == DNS_DATA && a->alias.secure)
		ask_tlsa(&a->name, h->name, h->port);
}

static bool
is_failure(const struct dns_query *q)
{
	return q->outcome == DNS_TEMPFAIL || q->outcome == DNS_BOGUS;
}

static void
fail(struct dane_host *h, const struct dns_query *q)
{
	h->kind = DANE_FAILED;
	(void)snprintf(h->why, sizeof(h->why), "%s of %.100s: %s%.120s",
	    q->type == DNS_TLSA ? "TLSA" : "CNAME", q->name,
	    q->outcome == DNS_BOGUS ? "bogus, " : "", q->why);
}

/* The order in which they come changes; what is made of them must not. */
static int
compare_rdata(const void *a, const void *b)
{
	const struct dns_record *x = a, *y = b;
	size_t n = x->datalen < y->datalen ? x->datalen : y->datalen;
	int diff = memcmp(x->data, y->data, n);

	if (diff != 0)
		return diff;
	return (x->datalen > y->datalen) - (x->datalen < y->datalen);
}

static void
take_records(struct dane_host *h, struct dns_query *q, const char *base)
{
	struct tls_tlsa r;
	size_t i;

	h->rr = q->rr;
	h->nrr = q->nrr;
	q->rr = NULL;
	q->nrr = 0;
	h->kind = DANE_FAILED;
	(void)strlcpy(h->why, "out of memory", sizeof(h->why));
	if ((h->tlsa = calloc(h->nrr, sizeof(*h->tlsa))) == NULL)
		return;
	qsort(h->rr, h->nrr, sizeof(*h->rr), compare_rdata);
	for (i = 0; i < h->nrr; i++) {
		if (h->rr[i].datalen <= TLSA_FIXED)
			continue;
		r.usage = h->rr[i].data[0];
		r.selector = h->rr[i].data[1];
		r.matching = h->rr[i].data[2];
		r.data = h->rr[i].data + TLSA_FIXED;
		r.len = h->rr[i].datalen - TLSA_FIXED;
		if (tls_tlsa_is_usable(&r))
			h->tlsa[h->ntlsa++] = r;
	}
	h->kind = h->ntlsa > 0 ? DANE_USABLE : DANE_UNUSABLE;
	(void)snprintf(h->why, sizeof(h->why), "%s", h->ntlsa > 0 ? "" :
	    "no TLSA record is usable");
	(void)strlcpy(h->base, base, sizeof(h->base));
}

/* The first of the names that has records, of those that count. */
static void
judge(struct dane_host *h, struct ask *a)
{
	h->kind = DANE_NONE;
	if (!h->secure_name)
		return;
	if (a->alias.name[0] != '\0' && is_failure(&a->alias))
		fail(h, &a->alias);
	else if (a->canonical.name[0] != '\0' && is_failure(&a->canonical))
		fail(h, &a->canonical);
	else if (a->canonical.outcome == DNS_DATA && a->canonical.secure)
		take_records(h, &a->canonical, h->canonical);
	else if (a->name.name[0] != '\0' && is_failure(&a->name))
		fail(h, &a->name);
	else if (a->name.outcome == DNS_DATA && a->name.secure)
		take_records(h, &a->name, h->name);
}

/* Sends the questions that are there: dns_lookup takes them in a row. */
static bool
look_up(struct ask *a, size_t n, struct dns *dns, int64_t deadline)
{
	struct dns_query *q, **from, *of[3];
	size_t i, k, nq = 0;

	q = calloc(3 * n, sizeof(*q));
	from = calloc(3 * n, sizeof(struct dns_query *));
	if (q == NULL || from == NULL) {
		free(q);
		free(from);
		return false;
	}
	for (i = 0; i < n; i++) {
		of[0] = &a[i].alias;
		of[1] = &a[i].canonical;
		of[2] = &a[i].name;
		for (k = 0; k < 3; k++) {
			if (of[k]->name[0] == '\0' || of[k]->answer != NULL)
				continue;
			from[nq] = of[k];
			q[nq++] = *of[k];
		}
	}
	if (nq > 0)
		dns_lookup(dns, q, nq, deadline);
	for (i = 0; i < nq; i++)
		*from[i] = q[i];
	free(q);
	free(from);
	return true;
}

void
dane_find(struct dane_host *h, size_t n, struct dns *dns, int64_t deadline)
{
	struct ask *a = calloc(n + 1, sizeof(*a));
	bool good = a != NULL;
	size_t i;

	for (i = 0; good && i < n; i++)
		ask_prepare(&a[i], &h[i]);
	good = good && look_up(a, n, dns, deadline);
	for (i = 0; good && i < n; i++)
		if (a[i].alias.name[0] != '\0')
			ask_again(&a[i], &h[i]);
	good = good && look_up(a, n, dns, deadline);
	for (i = 0; i < n; i++) {
		if (good) {
			judge(&h[i], &a[i]);
			continue;
		}
		h[i].kind = DANE_FAILED;
		(void)strlcpy(h[i].why, "out of memory", sizeof(h[i].why));
	}
	for (i = 0; a != NULL && i < n; i++) {
		dns_query_clear(&a[i].alias);
		dns_query_clear(&a[i].canonical);
		dns_query_clear(&a[i].name);
	}
	free(a);
}

struct dane_host *
dane_of_route(const struct route *r, struct dns *dns, int64_t deadline)
{
	struct dane_host *h = calloc(r->nhost + 1, sizeof(*h));
	size_t i;

	if (h == NULL)
		return NULL;
	for (i = 0; i < r->nhost; i++) {
		h[i].name = r->host[i].name;
		h[i].canonical = r->host[i].canonical;
		h[i].port = r->host[i].port;
		h[i].secure_name = r->secure;
		h[i].secure_addr = r->host[i].secure;
	}
	dane_find(h, r->nhost, dns, deadline);
	return h;
}

void
dane_clear(struct dane_host *h, size_t n)
{
	size_t i, k;

	for (i = 0; i < n; i++) {
		for (k = 0; k < h[i].nrr; k++)
			free(h[i].rr[k].data);
		free(h[i].rr);
		free(h[i].tlsa);
		h[i].rr = NULL;
		h[i].tlsa = NULL;
		h[i].nrr = h[i].ntlsa = 0;
	}
}
