/* SPDX-License-Identifier: ISC */
#include "survey.h"

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "children.h"
#include "conduct.h"
#include "deadline.h"
#include "ipaddr.h"
#include "offers.h"
#include "rehearse.h"

#define ATONCE		256	/* addresses */
#define NAMES_MAX	3	/* PTR records of an address */
#define SHOWN_MAX	3	/* addresses in a finding */

/* A host of a domain at one of its addresses. */
struct visit {
	struct check *c;
	size_t host, addr;	/* indexes */
	size_t look, ask;
};

/* What the DNS says of the address of a look. */
struct reverse {
	struct dns_query ptr;
	struct dns_query *forward;	/* names of ptr, and that in EHLO */
	size_t nforward;
};

struct site {			/* all looks at one address */
	size_t first, n;
};

struct survey {
	const struct check_options *o;
	const struct look_us *us;
	int64_t deadline;	/* of the looks */
	struct visit *visit;
	size_t nvisit;
	struct look *look;	/* shared with the children */
	struct tls_tlsa **tlsa;	/* of each look; NULL: none */
	struct reverse *reverse;
	size_t nlook;
	struct site *site;
	size_t nsite;
};

/*** Who is to be visited ***/

static const struct check_host *
host_of(const struct visit *v)
{
	return &v->c->host[v->host];
}

static const struct sockaddr_storage *
addr_of(const struct visit *v)
{
	return &host_of(v)->addr[v->addr];
}

static int
compare_addr(const struct sockaddr_storage *a,
    const struct sockaddr_storage *b)
{
	if (a->ss_family != b->ss_family)
		return a->ss_family < b->ss_family ? -1 : 1;
	if (a->ss_family == AF_INET)
		return memcmp(&((const struct sockaddr_in *)a)->sin_addr,
		    &((const struct sockaddr_in *)b)->sin_addr,
		    sizeof(struct in_addr));
	return memcmp(&((const struct sockaddr_in6 *)a)->sin6_addr,
	    &((const struct sockaddr_in6 *)b)->sin6_addr,
	    sizeof(struct in6_addr));
}

/* By address, then by the host's name, then as the domains came. */
static int
visit_by_place(const void *a, const void *b)
{
	const struct visit *x = a, *y = b;
	int cmp = compare_addr(addr_of(x), addr_of(y));

	if (cmp == 0)
		cmp = strcmp(host_of(x)->name, host_of(y)->name);
	if (cmp == 0)
		cmp = x->c < y->c ? -1 : x->c > y->c;
	return cmp != 0 ? cmp : (int)x->host - (int)y->host;
}

static int
visit_by_domain(const void *a, const void *b)
{
	const struct visit *x = a, *y = b;

	if (x->c != y->c)
		return x->c < y->c ? -1 : 1;
	if (x->host != y->host)
		return x->host < y->host ? -1 : 1;
	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static bool
visits_make(struct survey *s, struct check *c, size_t n)
{
	size_t i, h, a, all = 0;

	for (i = 0; i < n; i++)
		for (h = 0; h < c[i].nhost; h++)
			all += c[i].host[h].naddr;
	if ((s->visit = calloc(all + 1, sizeof(*s->visit))) == NULL)
		return false;
	for (i = 0; i < n; i++)
		for (h = 0; h < c[i].nhost; h++)
			for (a = 0; a < c[i].host[h].naddr; a++)
				s->visit[s->nvisit++] = (struct visit){
				    &c[i], h, a, 0, 0 };
	qsort(s->visit, s->nvisit, sizeof(*s->visit), visit_by_place);
	return true;
}

static void
set_port(struct sockaddr_storage *addr, int port)
{
	if (addr->ss_family == AF_INET6)
		((struct sockaddr_in6 *)addr)->sin6_port =
		    htons((uint16_t)port);
	else
		((struct sockaddr_in *)addr)->sin_port = htons((uint16_t)port);
}

/* The TLSA records are the host's, so those of any domain will do. */
static bool
look_tlsa(struct survey *s, size_t i, const struct dns_query *q)
{
	struct look *l = &s->look[i];
	size_t k;

	if (q == NULL || q->outcome != DNS_DATA || q->nrr == 0)
		return true;
	if ((s->tlsa[i] = calloc(q->nrr, sizeof(**s->tlsa))) == NULL)
		return false;
	for (k = 0; k < q->nrr; k++) {
		if (q->rr[k].datalen < 4)
			continue;
		s->tlsa[i][l->ntlsa++] = (struct tls_tlsa){
		    q->rr[k].data[0], q->rr[k].data[1], q->rr[k].data[2],
		    q->rr[k].data + 3, q->rr[k].datalen - 3 };
	}
	l->tlsa = s->tlsa[i];
	return true;
}

/* Does V belong to the look before it, which has room for its domain? */
static bool
is_shared(struct survey *s, const struct visit *v)
{
	if (v == s->visit || compare_addr(addr_of(v - 1), addr_of(v)) != 0 ||
	    strcmp(host_of(v - 1)->name, host_of(v)->name) != 0)
		return false;
	/* A host that is listed twice is still one host of one domain. */
	return v[-1].c == v->c || s->look[s->nlook - 1].nask < LOOK_ASKS;
}

static bool
look_add(struct survey *s, struct visit *v)
{
	struct sockaddr_storage addr = *addr_of(v);
	size_t i = s->nlook++;

	if (v == s->visit || compare_addr(addr_of(v - 1), &addr) != 0)
		s->site[s->nsite++] = (struct site){ i, 0 };
	s->site[s->nsite - 1].n++;
	set_port(&addr, s->o->port != 0 ? s->o->port : 25);
	look_init(&s->look[i], &addr, host_of(v)->name);
	return look_tlsa(s, i, host_of(v)->tlsa);
}

/* Would the backup's mail for the domain go there? */
static bool
is_rehearsed(const struct survey *s, const struct visit *v)
{
	return s->o->rehearse && check_is_primary(v->c, s->o, v->host) &&
	    !rehearse_is_routed(s->o, v->c->domain);
}

static bool
looks_make(struct survey *s)
{
	struct visit *v;
	struct look *l;

	s->look = children_share(s->nvisit * sizeof(*s->look));
	s->tlsa = calloc(s->nvisit + 1, sizeof(*s->tlsa));
	s->site = calloc(s->nvisit + 1, sizeof(*s->site));
	s->reverse = calloc(s->nvisit + 1, sizeof(*s->reverse));
	if (s->look == NULL || s->tlsa == NULL || s->site == NULL ||
	    s->reverse == NULL)
		return false;
	for (v = s->visit; v < s->visit + s->nvisit; v++) {
		if (!is_shared(s, v) && !look_add(s, v))
			return false;
		l = &s->look[s->nlook - 1];
		if (v == s->visit || v[-1].c != v->c || l->nask == 0)
			(void)look_ask(l, v->c->domain);
		v->look = s->nlook - 1;
		v->ask = l->nask - 1;
		if (is_rehearsed(s, v))
			l->rehearse = true;
	}
	return true;
}

/*** What the DNS says of the addresses ***/

void
survey_reverse(char *out, const struct sockaddr_storage *addr)
{
	const unsigned char *p;
	size_t i, used = 0;

	if (addr->ss_family == AF_INET) {
		p = (const void *)
		    &((const struct sockaddr_in *)addr)->sin_addr;
		(void)snprintf(out, ADDR_DOMAIN_MAX + 1,
		    "%d.%d.%d.%d.in-addr.arpa", p[3], p[2], p[1], p[0]);
		return;
	}
	p = (const void *)&((const struct sockaddr_in6 *)addr)->sin6_addr;
	for (i = 16; i-- > 0; used += 4)
		(void)snprintf(out + used, ADDR_DOMAIN_MAX + 1 - used,
		    "%x.%x.", p[i] & 15, p[i] >> 4);
	(void)snprintf(out + used, ADDR_DOMAIN_MAX + 1 - used, "ip6.arpa");
}

static void
ask_pointers(struct survey *s, struct dns *d, int64_t deadline)
{
	char name[ADDR_DOMAIN_MAX + 1];
	struct dns_query *q;
	size_t i;

	if ((q = calloc(s->nlook + 1, sizeof(*q))) == NULL)
		return;
	for (i = 0; i < s->nlook; i++) {
		survey_reverse(name, &s->look[i].addr);
		dns_query_init(&q[i], name, DNS_PTR);
	}
	dns_lookup(d, q, s->nlook, deadline);
	for (i = 0; i < s->nlook; i++)
		s->reverse[i].ptr = q[i];
	free(q);
}

/* The names that should lead to the address of look I into Q. */
static size_t
names_of(const struct survey *s, size_t i, struct dns_query *q)
{
	const struct look *l = &s->look[i];
	const struct dns_query *ptr = &s->reverse[i].ptr;
	enum dns_type type = l->addr.ss_family == AF_INET ? DNS_A : DNS_AAAA;
	size_t k, n = 0;

	for (k = 0; k < ptr->nrr && n < NAMES_MAX; k++)
		dns_query_init(&q[n++], ptr->rr[k].host, type);
	/* The host's own name leads there, or we would not have come. */
	if (l->name[0] != '\0' && strcmp(l->name, l->host) != 0)
		dns_query_init(&q[n++], l->name, type);
	return n;
}

static void
ask_names(struct survey *s, struct dns *d, int64_t deadline)
{
	struct dns_query *q;
	size_t i, n = 0;

	q = calloc(s->nlook * (NAMES_MAX + 1) + 1, sizeof(*q));
	if (q == NULL)
		return;
	for (i = 0; i < s->nlook; i++) {
		s->reverse[i].nforward = names_of(s, i, q + n);
		n += s->reverse[i].nforward;
	}
	dns_lookup(d, q, n, deadline);
	/* The first of them owns them all. */
	for (i = n = 0; i < s->nlook; i++) {
		s->reverse[i].forward = q + n;
		n += s->reverse[i].nforward;
	}
	if (s->nlook == 0)
		free(q);
}

static bool
has_addr(const struct dns_query *q, const struct sockaddr_storage *addr)
{
	size_t i;

	for (i = 0; i < q->nrr; i++)
		if (ipaddr_same(&q->rr[i].addr, addr))
			return true;
	return false;
}

/*** The findings of one visit ***/

static void
know_names(const struct survey *s, size_t i, struct conduct *k)
{
	const struct look *l = &s->look[i];
	const struct reverse *r = &s->reverse[i];
	const struct dns_query *q;
	bool has;
	size_t n;

	k->reverse = r->ptr.name[0] != '\0' ? r->ptr.outcome : DNS_TEMPFAIL;
	if (r->ptr.nrr > 0)
		(void)strlcpy(k->pointer, r->ptr.rr[0].host,
		    sizeof(k->pointer));
	k->leads = strcmp(l->name, l->host) == 0;
	for (n = 0; n < r->nforward; n++) {
		q = &r->forward[n];
		has = has_addr(q, &l->addr);
		if (strcmp(q->name, l->name) == 0) {
			k->leads = has;
			k->leads_known = q->outcome != DNS_TEMPFAIL;
		}
		if (!has || k->confirmed || n >= r->ptr.nrr)
			continue;
		k->confirmed = true;
		(void)strlcpy(k->pointer, q->name, sizeof(k->pointer));
	}
}

static void
judge(const struct survey *s, const struct visit *v, struct findings *f)
{
	const struct check_host *h = host_of(v);
	struct conduct k;

	memset(&k, 0, sizeof(k));
	k.look = &s->look[v->look];
	k.ask = &k.look->ask[v->ask];
	k.us = s->o->us;
	k.backup = h->ours;
	/* Many a primary trusts its backup, which we may be. */
	k.trusted = s->o->us != NULL &&
	    strcmp(s->us->name, s->o->us->hostname) == 0;
	k.guarded = h->tlsa != NULL && h->tlsa->secure;
	k.now = time(NULL);
	know_names(s, v->look, &k);
	conduct_judge(f, &k);
	if (is_rehearsed(s, v))
		conduct_rehearsal(f, &k);
}

/*** The findings of a host, at all of its addresses ***/

static bool
is_same(const struct check_finding *a, const struct check_finding *b)
{
	return a->id == b->id && a->level == b->level &&
	    a->unknown == b->unknown && strcmp(a->text, b->text) == 0;
}

/* Where is IT found, from visit K on?  A finding is taken out when told. */
static void
tell(struct check *c, const struct visit *v, struct findings *f, size_t n,
    size_t k, const struct check_finding *it)
{
	char where[SHOWN_MAX * (INET6_ADDRSTRLEN + 2) + 32] = "";
	char one[INET6_ADDRSTRLEN], more[32];
	size_t i, shown = 0;

	for (; k < n; k++)
		for (i = 0; i < f[k].n; i++) {
			if (!is_same(&f[k].finding[i], it))
				continue;
			if (shown > 0 && shown < SHOWN_MAX)
				(void)strlcat(where, ", ", sizeof(where));
			if (shown++ < SHOWN_MAX)
				(void)strlcat(where, ipaddr_print(one,
				    addr_of(&v[k])), sizeof(where));
			if (&f[k].finding[i] != it)
				f[k].finding[i].text[0] = '\0';
		}
	if (shown > SHOWN_MAX) {
		(void)snprintf(more, sizeof(more), " and %zu more",
		    shown - SHOWN_MAX);
		(void)strlcat(where, more, sizeof(where));
	}
	if (it->unknown)
		finding_unknown(&c->found, it->id, it->subject, "%s: %s",
		    where, it->text);
	else
		finding_add(&c->found, it->level, it->id, it->subject,
		    "%s: %s", where, it->text);
}

/* N visits to one host for one domain. */
static void
tell_host(const struct survey *s, const struct visit *v, size_t n)
{
	struct findings f[CHECK_ADDRS_MAX];
	size_t i, k;

	for (k = 0; k < n; k++) {
		findings_init(&f[k]);
		judge(s, &v[k], &f[k]);
	}
	for (k = 0; k < n; k++)
		for (i = 0; i < f[k].n; i++)
			if (f[k].finding[i].text[0] != '\0')
				tell(v->c, v, f, n, k, &f[k].finding[i]);
	for (k = 0; k < n; k++) {
		v->c->found.failed |= f[k].failed;
		findings_clear(&f[k]);
	}
}

/*** The backup's offers beside the primary's ***/

static struct offers
offers_of(const struct survey *s, const struct visit *v, size_t n, size_t host)
{
	struct offers all;
	size_t i;

	offers_init(&all);
	for (i = 0; i < n; i++)
		if (v[i].host == host)
			offers_add(&all, &s->look[v[i].look]);
	return all;
}

/* N visits for one domain. */
static void
tell_offers(const struct survey *s, const struct visit *v, size_t n)
{
	struct check *c = v->c;
	struct offers b, p;
	size_t i, k;

	for (i = 0; i < c->nhost; i++) {
		if (!check_is_backup(c, s->o, i))
			continue;
		b = offers_of(s, v, n, i);
		for (k = 0; b.known && k < c->nhost; k++) {
			p = offers_of(s, v, n, k);
			if (check_is_primary(c, s->o, k) && p.known)
				offers_compare(&c->found, c->host[i].name, &b,
				    c->host[k].name, &p);
		}
	}
}

/*** Is there somebody whom the backup can hand its mail to? ***/

/* N visits for one domain. */
static void
tell_primaries(const struct survey *s, const struct visit *v, size_t n)
{
	const struct check_host *primary = NULL;
	struct check *c = v->c;
	const struct look *l;
	bool backup = false;
	size_t i;

	for (i = 0; i < c->nhost; i++)
		backup = backup || check_is_backup(c, s->o, i);
	for (i = 0; i < n; i++) {
		if (!check_is_primary(c, s->o, v[i].host))
			continue;
		l = &s->look[v[i].look];
		if (l->greeting.code != 0 || conduct_is_unproven(l))
			return;
		primary = host_of(&v[i]);
	}
	if (backup && primary != NULL)
		finding_add(&c->found, CHECK_FAIL, CHECK_BACKUP_PRIMARY,
		    primary->name, "No host that is better than the backup "
		    "answers, so the backup can hand its mail to nobody for "
		    "now: mend what the smtp- findings say.");
}

/*** All of it ***/

/* The key that a host's server has shown. */
static void
tell_key(const struct survey *s, const struct visit *v)
{
	const struct look *l = &s->look[v->look];
	struct check_host *h = &v->c->host[v->host];

	if (!l->encrypted)
		return;
	h->has_key = true;
	memcpy(h->key, l->tls.key, sizeof(h->key));
}

static void
tell_all(struct survey *s)
{
	const struct visit *v = s->visit, *end = v + s->nvisit, *first;
	size_t n;

	qsort(s->visit, s->nvisit, sizeof(*s->visit), visit_by_domain);
	while (v < end) {
		first = v;
		while (v < end && v->c == first->c) {
			for (n = 1; v + n < end && v[n].c == v->c &&
			    v[n].host == v->host; n++)
				continue;
			tell_host(s, v, n);
			tell_key(s, v);
			v += n;
		}
		tell_primaries(s, first, (size_t)(v - first));
		tell_offers(s, first, (size_t)(v - first));
	}
}

/* In the child: the sessions with one address, one after the other. */
static void
visit_site(size_t i, void *arg)
{
	const struct survey *s = arg;
	const struct site *site = &s->site[i];
	int64_t now = deadline_now(), deadline = s->deadline;
	size_t k, rounds = (s->nsite - i + ATONCE - 1) / ATONCE;

	/* The silent do not take the time of those who wait for their turn. */
	if (deadline > now)
		deadline = now + (deadline - now) / (int64_t)rounds;
	for (k = site->first; k < site->first + site->n; k++)
		look_run(&s->look[k], s->us, deadline);
}

static void
survey_free(struct survey *s)
{
	size_t i, k;

	for (i = 0; s->reverse != NULL && i < s->nlook; i++) {
		dns_query_clear(&s->reverse[i].ptr);
		for (k = 0; k < s->reverse[i].nforward; k++)
			dns_query_clear(&s->reverse[i].forward[k]);
	}
	if (s->nlook > 0)
		free(s->reverse[0].forward);
	for (i = 0; s->tlsa != NULL && i < s->nlook; i++)
		free(s->tlsa[i]);
	children_unshare(s->look, s->nvisit * sizeof(*s->look));
	free(s->reverse);
	free(s->tlsa);
	free(s->site);
	free(s->visit);
}

void
survey(struct check *c, size_t n, struct dns *d,
    const struct check_options *o, const struct look_us *us,
    int64_t deadline)
{
	struct survey s = { .o = o, .us = us };
	int64_t now = deadline_now();
	int64_t left = deadline > now ? deadline - now : 0;
	size_t i;

	if (!visits_make(&s, c, n) || !looks_make(&s)) {
		for (i = 0; i < n; i++)
			c[i].found.failed = true;
		goto out;
	}
	/* A slow reverse zone does not take the time of all. */
	ask_pointers(&s, d, now + left / 4);
	s.deadline = deadline - left / 8;
	/* Many end at once, and each is to have the time to say so. */
	children_run(s.nsite, ATONCE, visit_site, &s, deadline - left / 16);
	ask_names(&s, d, deadline);
	tell_all(&s);
out:
	survey_free(&s);
}
