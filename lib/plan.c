/* SPDX-License-Identifier: ISC */

#include <sys/types.h>

#include <netinet/in.h>

#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ipaddr.h"
#include "legal.h"
#include "plan.h"
#include "sts.h"

#define TTL_CHANGE	300	/* seconds: while things change */
#define TTL_LONG	3600	/* one that is lowered first */
#define TTL_STEADY	3600
#define STEP		10

struct line {			/* of the MX set as it should be */
	char name[ADDR_DOMAIN_MAX + 1];
	int preference;
	bool ours;
};

struct plan {
	struct line line[CHECK_HOSTS_MAX + 2];
	size_t n;
	char backup[ADDR_DOMAIN_MAX + 1];
	int best, worst, own;	/* preferences; own: -1 if not listed */
	bool changed, renumbered;
};

/* The name for a host that has none: "mail.DOMAIN"; false if too long. */
static bool
new_name(char *out, const struct check *c)
{
	int n = snprintf(out, ADDR_DOMAIN_MAX + 1, "mail.%s", c->domain);

	return n >= 0 && n <= ADDR_DOMAIN_MAX;
}

void
plan_want(struct check *c, const struct check_options *o)
{
	char name[ADDR_DOMAIN_MAX + 1];

	if (o->us == NULL)
		return;
	if (new_name(name, c)) {
		asked_want(c->asked, name, DNS_A);
		asked_want(c->asked, name, DNS_AAAA);
	}
	asked_want(c->asked, o->us->hostname, DNS_A);
	asked_want(c->asked, o->us->hostname, DNS_AAAA);
	check_tlsa_name(name, o->us->hostname);
	asked_want(c->asked, name, DNS_TLSA);
}

/* The set */

/* Can the name stand in a zone file as it is, and be that of a host? */
static bool
is_host_name(const char *name)
{
	return name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-._")] ==
	    '\0';
}

/* A host that is an alias by the name that it stands for. */
static const char *
true_name(const struct check *c, const struct check_host *h)
{
	const struct dns_query *q = asked_find(c->asked, h->name, DNS_A);

	if (q == NULL)
		q = asked_find(c->asked, h->name, DNS_AAAA);
	return q != NULL && is_host_name(q->canonical) &&
	    (q->outcome == DNS_DATA || q->outcome == DNS_NODATA) ?
	    q->canonical : h->name;
}

static void
line_add(struct plan *p, const char *name, int preference, bool ours)
{
	struct line *l = &p->line[p->n++];

	(void)strlcpy(l->name, name, sizeof(l->name));
	l->preference = preference;
	l->ours = ours;
}

static int
line_compare(const void *a, const void *b)
{
	const struct line *x = a, *y = b;

	return x->preference != y->preference ?
	    x->preference - y->preference : strcmp(x->name, y->name);
}

/* Where there is no room behind the last: 10, 20, 30. */
static void
renumber(struct plan *p)
{
	int last = -1, preference = 0;
	size_t i;

	for (i = 0; i < p->n; i++) {
		if (p->line[i].preference != last)
			preference += STEP;
		last = p->line[i].preference;
		p->line[i].preference = preference;
	}
	p->renumbered = p->changed = true;
}

/* The name that the record should have; false if it should not be there. */
static bool
proper_name(char *out, const struct check *c, const struct check_host *h)
{
	char addr[ADDR_DOMAIN_MAX + 1];

	if (legal_literal(c, h, addr))
		return new_name(out, c);
	if (h->preference >= 0 && !h->sound)
		return false;		/* twice, or no name of a host */
	if (!legal_meant(c, h, out))
		(void)strlcpy(out, h->ours ? h->name : true_name(c, h),
		    ADDR_DOMAIN_MAX + 1);
	return true;
}

static bool
has_line(const struct plan *p, const char *name)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		if (strcmp(p->line[i].name, name) == 0)
			return true;
	return false;
}

static void
plan_host(struct plan *p, const struct check *c, const struct check_host *h,
    const struct conf *us)
{
	char name[ADDR_DOMAIN_MAX + 1];
	int preference = h->preference >= 0 ? h->preference : STEP;

	if (!proper_name(name, c, h)) {
		p->changed = true;
		return;
	}
	if (h->preference < 0 || strcmp(name, h->name) != 0)
		p->changed = true;
	if (h->ours || conf_is_self(us, name)) {
		(void)strlcpy(p->backup, name, sizeof(p->backup));
		if (p->own == -1 || h->preference < p->own)
			p->own = h->preference;
	} else if (!has_line(p, name)) {
		line_add(p, name, preference, false);
		if (preference < p->best)
			p->best = preference;
		if (preference > p->worst)
			p->worst = preference;
	}
}

static bool
has_null(const struct dns_query *mx)
{
	size_t i;

	for (i = 0; i < mx->nrr; i++)
		if (mx->rr[i].host[0] == '\0')
			return true;
	return false;
}

static void
plan_make(struct plan *p, const struct check *c, const struct check_options *o)
{
	size_t i;

	memset(p, 0, sizeof(*p));
	p->best = INT32_MAX;
	p->own = -1;
	p->changed = has_null(c->mx);
	(void)strlcpy(p->backup, o->us->hostname, sizeof(p->backup));
	for (i = 0; i < c->nhost; i++)
		plan_host(p, c, &c->host[i], o->us);
	if (p->own <= p->best && p->n > 0) {
		p->own = p->worst + STEP;
		p->changed = true;
	} else if (p->own == -1 || p->n == 0) {
		p->own = p->own > STEP ? p->own : 2 * STEP;
		p->changed = true;
	}
	line_add(p, p->backup, p->own, true);
	qsort(p->line, p->n, sizeof(p->line[0]), line_compare);
	if (p->own > UINT16_MAX)
		renumber(p);
}

static void
set_write(FILE *f, const struct plan *p, const char *domain, unsigned ttl)
{
	size_t i;

	for (i = 0; i < p->n; i++)
		fprintf(f, "%s.\t%u\tIN\tMX\t%d %s.\n", domain, ttl,
		    p->line[i].preference, p->line[i].name);
}

/*
 * As it is, to be remembered for a shorter time.  In comments: who pastes all
 * that we print must not get the old records beside the new.
 */
static void
old_set_write(FILE *f, const struct check *c, uint32_t ttl)
{
	size_t i;

	fprintf(f, "; first, %u hours before the rest, a short TTL for the MX "
	    "set as it is:\n", ttl / 3600 + 1);
	for (i = 0; i < c->mx->nrr; i++)
		fprintf(f, ";   %s.\t%u\tIN\tMX\t%u %s.\n", c->domain,
		    TTL_CHANGE, c->mx->rr[i].preference, c->mx->rr[i].host);
}

/* The longest that anybody may remember it, as a name server says. */
static uint32_t
ttl_of(const struct check *c)
{
	const struct dns_query *q;
	uint32_t ttl = c->mx->nrr > 0 ? c->mx->rr[0].ttl : 0;
	size_t i;

	for (i = 0; i < c->nserver; i++) {
		q = asked_find_at(c->asked, c->domain, DNS_MX,
		    &c->server[i].addr, false);
		if (q != NULL && q->nrr > 0 && q->rr[0].ttl > ttl)
			ttl = q->rr[0].ttl;
	}
	return ttl;
}

/* Addresses that stood in the set, for the name that is there now. */
static void
literals_write(FILE *f, const struct check *c)
{
	char addr[ADDR_DOMAIN_MAX + 1], name[ADDR_DOMAIN_MAX + 1];
	char text[INET6_ADDRSTRLEN];
	const struct dns_query *q;
	bool six, has;
	size_t i, k;

	for (i = 0; i < c->nhost; i++) {
		if (!legal_literal(c, &c->host[i], addr) ||
		    !new_name(name, c))
			continue;
		six = strchr(addr, ':') != NULL;
		q = asked_data(c->asked, name, six ? DNS_AAAA : DNS_A);
		for (has = false, k = 0; q != NULL && k < q->nrr; k++)
			has |= strcmp(ipaddr_print(text, &q->rr[k].addr),
			    addr) == 0;
		if (has)
			continue;
		if (q != NULL)
			fprintf(f, "; %s has another address already: is it "
			    "the same host?\n", name);
		fprintf(f, "%s.\t%u\tIN\t%s\t%s\n", name, q != NULL ?
		    q->rr[0].ttl : TTL_CHANGE, six ? "AAAA" : "A", addr);
	}
}

/* Hosts that are to stay, and that nobody can reach. */
static void
nowhere_write(FILE *f, const struct check *c, const struct plan *p)
{
	const struct check_host *h;
	size_t i;

	for (i = 0; i < c->nhost; i++) {
		h = &c->host[i];
		if (has_line(p, h->name) && h->naddr == 0 && !h->ours &&
		    (h->outcome == DNS_NODATA || h->outcome == DNS_NXDOMAIN))
			fprintf(f, "; %s has no address: add an A and an AAAA "
			    "record, or mend its name\n", h->name);
	}
}

static void
mx_write(FILE *f, const struct check *c, const struct plan *p)
{
	uint32_t ttl = ttl_of(c);

	if (!p->changed) {
		fprintf(f, "; the MX set needs no change\n");
		return;
	}
	if (ttl > TTL_LONG)
		old_set_write(f, c, ttl);
	fprintf(f, "; %sthe whole MX set, in the place of the one there is\n",
	    ttl > TTL_LONG ? "then " : "");
	if (p->renumbered)
		fprintf(f, "; (numbered anew, as there was no room behind "
		    "the last)\n");
	if (p->n == 1)
		fprintf(f, "; the primary is missing: add a line for it, with "
		    "a number below %d\n", p->line[0].preference);
	set_write(f, p, c->domain, TTL_CHANGE);
	literals_write(f, c);
	fprintf(f, "; when mail arrives as it should: TTL %d\n", TTL_STEADY);
}

/* The backup's own records */

/* Where they belong: not always into the zone of the domain. */
static const char *
belongs(const struct check *c, const char *name)
{
	return check_is_in_zone(c, name) ? "in the zone of" :
	    "not in this zone but in that of";
}

static void
addr_line(FILE *f, const char *name, const struct sockaddr_storage *ss)
{
	char text[INET6_ADDRSTRLEN];

	fprintf(f, "%s.\t%d\tIN\t%s\t%s\n", name, TTL_STEADY,
	    ss->ss_family == AF_INET6 ? "AAAA" : "A",
	    ipaddr_print(text, ss));
}

static void
addrs_write(FILE *f, const struct check *c, const struct plan *p,
    const struct conf *us)
{
	size_t i, n = 0;

	if (asked_data(c->asked, p->backup, DNS_A) != NULL ||
	    asked_data(c->asked, p->backup, DNS_AAAA) != NULL)
		return;
	fprintf(f, "; %s %s: its addresses\n", belongs(c, p->backup),
	    p->backup);
	for (i = 0; i < (size_t)us->nself_addr; i++)
		if (ipaddr_special(&us->self_addr[i]) == NULL) {
			addr_line(f, p->backup, &us->self_addr[i]);
			n++;
		}
	for (i = 0; i < 2; i++)
		if (n == 0 && us->source[i].ss_family != 0 &&
		    ipaddr_special(&us->source[i]) == NULL)
			addr_line(f, p->backup, &us->source[i]);
	if (n == 0 && us->source[0].ss_family == 0 &&
	    us->source[1].ss_family == 0)
		fprintf(f, "; (not known here: add an A and an AAAA "
		    "record)\n");
}

static const unsigned char *
key_of(const struct check *c, const struct check_options *o)
{
	size_t i;

	for (i = 0; i < c->nhost; i++)
		if (c->host[i].ours && c->host[i].has_key)
			return c->host[i].key;
	return o->key;
}

static bool
has_tlsa(const struct dns_query *q, const unsigned char *key)
{
	static const unsigned char form[] = { 3, 1, 1 };
	size_t i;

	for (i = 0; q != NULL && i < q->nrr; i++)
		if (q->rr[i].datalen == 3 + CHECK_KEY &&
		    memcmp(q->rr[i].data, form, 3) == 0 &&
		    memcmp(q->rr[i].data + 3, key, CHECK_KEY) == 0)
			return true;
	return false;
}

static void
tlsa_write(FILE *f, const struct check *c, const struct plan *p,
    const struct check_options *o)
{
	const unsigned char *key = key_of(c, o);
	const struct dns_query *ds = asked_find(c->asked, c->zone != NULL ?
	    c->zone : c->domain, DNS_DS);
	const struct dns_query *q;
	char name[ADDR_DOMAIN_MAX + 1];
	size_t i;

	check_tlsa_name(name, p->backup);
	q = asked_find(c->asked, name, DNS_TLSA);
	if (key == NULL) {
		if (q == NULL || q->nrr == 0)
			fprintf(f, "; no TLSA record, as no key was to be "
			    "seen: STARTTLS of %s shows it\n", p->backup);
		return;
	}
	if (has_tlsa(q, key))
		return;
	fprintf(f, "; %s %s: the digest of its key%s\n",
	    belongs(c, p->backup), p->backup, q != NULL && q->nrr > 0 ?
	    ", beside the record there is until its TTL has passed twice" :
	    "");
	if (ds != NULL && ds->outcome == DNS_NODATA &&
	    check_is_in_zone(c, p->backup))
		fprintf(f, "; once that zone is signed, as nobody heeds it "
		    "before:\n;   ");
	fprintf(f, "%s.\t%d\tIN\tTLSA\t3 1 1 ", name, TTL_STEADY);
	for (i = 0; i < CHECK_KEY; i++)
		fprintf(f, "%02x", key[i]);
	fputc('\n', f);
}

static void
sts_write(FILE *f, const struct check *c, const struct plan *p,
    const struct check_options *o)
{
	char id[32], name[ADDR_DOMAIN_MAX + 12];
	const struct dns_query *q;
	struct sts_policy policy;
	time_t now = time(NULL);
	const char *why;
	struct tm tm;

	(void)snprintf(name, sizeof(name), "_mta-sts.%s", c->domain);
	q = asked_data(c->asked, name, DNS_TXT);
	if (o->policy == NULL && q != NULL)
		fprintf(f, "; the MTA-STS policy needs the line \"mx: %s\": "
		    "-P looks whether it has it\n", p->backup);
	if (o->policy == NULL || !sts_policy_parse(&policy, o->policy, &why) ||
	    sts_covers(&policy, p->backup))
		return;
	if (gmtime_r(&now, &tm) == NULL ||
	    strftime(id, sizeof(id), "%Y%m%d%H%M%S", &tm) == 0)
		return;
	fprintf(f, "; once the MTA-STS policy has the line \"mx: %s\"%s\n",
	    p->backup, q != NULL ? ", in the place of the TXT record there is" :
	    "");
	fprintf(f, "%s.\t%d\tIN\tTXT\t\"v=STSv1; id=%s;\"\n", name,
	    TTL_CHANGE, id);
}

bool
plan_write(FILE *f, const struct check *c, const struct check_options *o)
{
	struct plan p;

	if (c->mx == NULL || (c->mx->outcome != DNS_DATA &&
	    c->mx->outcome != DNS_NODATA)) {
		fprintf(f, "; a domain was not found, or could not be looked "
		    "up: nothing is planned for it\n");
		return false;
	}
	plan_make(&p, c, o);
	fprintf(f, "; %s, with %s as its backup\n", c->domain, p.backup);
	mx_write(f, c, &p);
	nowhere_write(f, c, &p);
	sts_write(f, c, &p, o);
	addrs_write(f, c, &p, o->us);
	tlsa_write(f, c, &p, o);
	return true;
}
