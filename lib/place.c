/* SPDX-License-Identifier: ISC */

#include <sys/types.h>

#include <netinet/in.h>

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ipaddr.h"
#include "place.h"

#define SERVERS_MAX 16		/* name servers of one zone */
#define STEP 10			/* between numbers of an MX set */

void
place_want_zones(struct check *c)
{
	size_t i;

	for (i = 0; i < c->nhost; i++)
		if (c->host[i].sound)
			asked_want_zone(c->asked, c->host[i].name);
}

void
place_want_servers(struct check *c, const struct check_options *o)
{
	const struct dns_query *ns;
	const char *zone;
	size_t i, k;

	for (i = 0; i < c->nhost; i++) {
		zone = asked_zone(c->asked, c->host[i].name);
		if (!c->host[i].sound || zone == NULL)
			continue;
		ns = asked_data(c->asked, zone, DNS_NS);
		for (k = 0; k < ns->nrr && k < SERVERS_MAX; k++) {
			if (o->v4)
				asked_want(c->asked, ns->rr[k].host, DNS_A);
			if (o->v6)
				asked_want(c->asked, ns->rr[k].host,
				    DNS_AAAA);
		}
	}
}

/* Order */

static void
print_names(FILE *f, const struct check *c, int preference)
{
	size_t i, n = 0, all = 0;

	for (i = 0; i < c->nhost; i++)
		if (c->host[i].preference == preference)
			all++;
	for (i = 0; i < c->nhost; i++) {
		if (c->host[i].preference != preference)
			continue;
		n++;
		fprintf(f, "%s%s", n == 1 ? "" : n == all ? " or " : ", ",
		    c->host[i].name);
	}
}

void
place_print(FILE *f, const struct check *c)
{
	int preference = 0;
	size_t i, tried = 0, steps = 0;

	for (i = 0; i < c->nhost; i++, tried++) {
		if (i > 0 && c->host[i].preference == preference)
			continue;
		preference = c->host[i].preference;
		if (steps++ == 0)
			fputs("mail goes to ", f);
		else
			fprintf(f, "; if %s, to ", tried == 1 ?
			    "it does not answer" : tried == 2 ?
			    "neither answers" : "none of these answers");
		print_names(f, c, preference);
	}
}

struct rank {			/* of the others, beside the backup */
	size_t better, equal, worse;
	int own;		/* -2: not listed */
	const char *name;
};

static void
rank_find(struct rank *r, const struct check *c)
{
	size_t i;

	r->own = -2;
	for (i = c->nhost; i-- > 0; )
		if (c->host[i].ours) {
			r->own = c->host[i].preference;
			r->name = c->host[i].name;
		}
	for (i = 0; i < c->nhost; i++) {
		if (c->host[i].ours)
			continue;
		if (c->host[i].preference < r->own)
			r->better++;
		else if (c->host[i].preference == r->own)
			r->equal++;
		else
			r->worse++;
	}
}

/* A host whose name is the backup's with something behind it. */
static const char *
almost_listed(const struct check *c, const char *name)
{
	size_t i, len = strlen(name);

	for (i = 0; i < c->nhost; i++)
		if (strncmp(c->host[i].name, name, len) == 0 &&
		    c->host[i].name[len] == '.')
			return c->host[i].name;
	return NULL;
}

/* A name server that has the backup in the set, whatever the resolver has. */
static const char *
listed_at(const struct check *c, const struct conf *us)
{
	const struct dns_query *q;
	size_t i, k;

	for (i = 0; i < c->nserver; i++) {
		q = asked_find_at(c->asked, c->domain, DNS_MX,
		    &c->server[i].addr, false);
		for (k = 0; q != NULL && k < q->nrr; k++)
			if (conf_is_self(us, q->rr[k].host))
				return c->server[i].name;
	}
	return NULL;
}

/* The backup's record behind all others: in quotes, as a zone file has it. */
#define RECORD_MAX	(2 * ADDR_DOMAIN_MAX + 80)
static const char *
record_behind(char *buf, const struct check *c, const char *name)
{
	int last = c->host[c->nhost - 1].preference;

	if (last + STEP <= UINT16_MAX)
		(void)snprintf(buf, RECORD_MAX, "\"%s. MX %d %s.\"",
		    c->domain, last + STEP, name);
	else
		(void)snprintf(buf, RECORD_MAX, "an MX record with a greater "
		    "number than %d, after you have made all smaller (-s "
		    "prints them),", last);
	return buf;
}

static void
judge_unlisted(struct check *c, const struct check_options *o)
{
	const char *name = o->us->hostname, *what;
	const struct check_host *last = &c->host[c->nhost - 1];
	char line[RECORD_MAX];

	if ((what = almost_listed(c, name)) != NULL)
		finding_add(&c->found, CHECK_FAIL, CHECK_BACKUP_LISTED, name,
		    "The backup is in the MX set as %s, which is another "
		    "name: mend that record, rather than add one.", what);
	else if ((what = listed_at(c, o->us)) != NULL)
		finding_add(&c->found, CHECK_FAIL, CHECK_BACKUP_LISTED, name,
		    "The backup is in the MX set of the name server %s, but "
		    "not in that which the resolver has: wait until its TTL "
		    "has passed, or mend what ns- findings say.", what);
	else if (last->preference < 0)
		finding_add(&c->found, CHECK_FAIL, CHECK_BACKUP_LISTED, name,
		    "The backup gets no mail: add two records to the zone, "
		    "\"%s. MX 10 %s.\" and \"%s. MX 20 %s.\".", c->domain,
		    last->name, c->domain, name);
	else
		finding_add(&c->found, CHECK_FAIL, CHECK_BACKUP_LISTED, name,
		    "The backup is not among the MX hosts and gets no mail: "
		    "add %s to the zone.", record_behind(line, c, name));
}

static void
judge_rank(struct check *c, const struct check_options *o)
{
	struct rank r = { .name = o->us->hostname };
	char line[RECORD_MAX];

	(void)record_behind(line, c, r.name);
	rank_find(&r, c);
	if (r.own == -2)
		judge_unlisted(c, o);
	else if (r.better > 0)
		finding_add(&c->found, CHECK_OK, CHECK_BACKUP_LISTED, r.name,
		    r.better == 1 ? "%zu host is better than the backup." :
		    "%zu hosts are better than the backup.", r.better);
	else if (r.equal > 0)
		finding_add(&c->found, CHECK_FAIL, CHECK_BACKUP_EQUAL, r.name,
		    "The backup has the lowest number (%d) together with "
		    "another host, so it gets a part of all mail and has "
		    "nobody to hand it to: in the zone, change its record to "
		    "%s.", r.own, line);
	else if (r.worse > 0)
		finding_add(&c->found, CHECK_FAIL, CHECK_BACKUP_BEST, r.name,
		    "The backup has the lowest number (%d), so it gets all "
		    "mail and has nobody to hand it to: in the zone, change "
		    "its record to %s.", r.own, line);
	else
		finding_add(&c->found, CHECK_FAIL, CHECK_BACKUP_ALONE, r.name,
		    "The backup is the only MX host and has nobody to hand "
		    "mail to: add the primary with a lower number than the "
		    "backup's, as in \"%s. MX %d primary.example.\"%s.",
		    c->domain, r.own > STEP ? STEP : r.own / 2, r.own > 0 ?
		    "" : ", after you have made the backup's greater");
}

/* Where nobody said who the backup is. */
static void
judge_order(struct check *c)
{
	const struct check_host *last = &c->host[c->nhost - 1];
	size_t i, levels = 1;

	for (i = 1; i < c->nhost; i++)
		if (c->host[i].preference != c->host[i - 1].preference)
			levels++;
	if (levels == 1)
		finding_add(&c->found, CHECK_OK, CHECK_BACKUP_ORDER,
		    c->domain, "There is no backup: no host has a greater "
		    "number than another.");
	else
		finding_add(&c->found, CHECK_OK, CHECK_BACKUP_ORDER,
		    last->name, "The last of %zu steps that senders take.",
		    levels);
}

/* Of two backups the one to be tried first should be better connected. */
static void
judge_backups(struct check *c)
{
	size_t i, before = 0, beside = 0, after = 0;
	const struct check_host *own = NULL;

	for (i = c->nhost; i-- > 0; )
		if (c->host[i].ours)
			own = &c->host[i];
	if (own == NULL)
		return;
	for (i = 0; i < c->nhost; i++) {
		const struct check_host *h = &c->host[i];

		if (h->ours || h->preference == c->host[0].preference)
			continue;
		if (h->preference < own->preference)
			before++;
		else if (h->preference == own->preference)
			beside++;
		else
			after++;
	}
	if (before + beside + after > 0)
		finding_add(&c->found, CHECK_OK, CHECK_BACKUP_ORDER,
		    own->name, "Of other backups %zu come before, %zu beside "
		    "and %zu after it.", before, beside, after);
}

/* A host that mail can be handed to. */
static void
judge_primary(struct check *c, const struct check_options *o)
{
	const char *name = NULL;
	size_t i;

	for (i = 0; i < c->nhost; i++) {
		if (!check_is_primary(c, o, i))
			continue;
		name = c->host[i].name;
		if (c->host[i].naddr > 0 ||
		    c->host[i].outcome == DNS_TEMPFAIL ||
		    c->host[i].outcome == DNS_BOGUS)
			return;
	}
	if (name != NULL)
		finding_add(&c->found, CHECK_FAIL, CHECK_BACKUP_PRIMARY, name,
		    "No host that is better than the backup has an address, "
		    "so it can hand its mail to nobody: mend their records.");
}

/* Apart */

/* The first address of A that meets one of B, of one family or any (0). */
static const struct sockaddr_storage *
addrs_meet(const struct check_host *a, const struct check_host *b,
    bool (*meet)(const struct sockaddr_storage *,
    const struct sockaddr_storage *), int family)
{
	size_t i, k;

	for (i = 0; i < a->naddr; i++)
		for (k = 0; k < b->naddr; k++)
			if ((family == 0 || a->addr[i].ss_family == family) &&
			    meet(&a->addr[i], &b->addr[k]))
				return &a->addr[i];
	return NULL;
}

static void
judge_near(struct check *c, const struct check_host *backup,
    const struct check_host *primary)
{
	const struct sockaddr_storage *v4, *v6;
	char one[INET6_ADDRSTRLEN] = "", two[INET6_ADDRSTRLEN] = "";

	v4 = addrs_meet(backup, primary, ipaddr_near, AF_INET);
	v6 = addrs_meet(backup, primary, ipaddr_near, AF_INET6);
	finding_add(&c->found, CHECK_WARN, CHECK_BACKUP_APART, backup->name,
	    "The backup stands in the network of the primary %s (%s%s%s%s%s), "
	    "so one outage may take both: move one of them.", primary->name,
	    v4 != NULL ? "the IPv4 /24 of " : "",
	    v4 != NULL ? ipaddr_print(one, v4) : "",
	    v4 != NULL && v6 != NULL ? ", " : "",
	    v6 != NULL ? "the IPv6 /48 of " : "",
	    v6 != NULL ? ipaddr_print(two, v6) : "");
}

static void
judge_network(struct check *c, const struct check_host *backup,
    const struct check_host *primary)
{
	const struct sockaddr_storage *at;
	char text[INET6_ADDRSTRLEN];

	if (backup->naddr == 0 || primary->naddr == 0)
		return;
	at = addrs_meet(backup, primary, ipaddr_same, 0);
	if (at != NULL && !backup->ours)
		return;		/* legal_judge has said so */
	if (at != NULL)
		finding_add(&c->found, CHECK_FAIL, CHECK_BACKUP_APART,
		    backup->name, "The backup has the address %s of the "
		    "primary %s, so it is no backup: use another machine.",
		    ipaddr_print(text, at), primary->name);
	else if (addrs_meet(backup, primary, ipaddr_near, 0) != NULL)
		judge_near(c, backup, primary);
	else
		finding_add(&c->found, CHECK_OK, CHECK_BACKUP_APART,
		    backup->name, "It stands in another network than %s.",
		    primary->name);
}

/* Do all known addresses of the zone's name servers meet the predicate? */
struct servers {
	const struct sockaddr_storage *addr[4 * SERVERS_MAX];
	size_t n;
};

static void
servers_find(struct servers *s, const struct check *c, const char *zone)
{
	static const enum dns_type types[] = { DNS_A, DNS_AAAA };
	const struct dns_query *ns = asked_data(c->asked, zone, DNS_NS), *q;
	size_t i, k, t;

	s->n = 0;
	for (i = 0; ns != NULL && i < ns->nrr; i++)
		for (t = 0; t < 2; t++) {
			q = asked_data(c->asked, ns->rr[i].host, types[t]);
			for (k = 0; q != NULL && k < q->nrr &&
			    s->n < 4 * SERVERS_MAX; k++)
				s->addr[s->n++] = &q->rr[k].addr;
		}
}

static bool
all_near_host(const struct servers *s, const struct check_host *h)
{
	size_t i, k;

	for (i = 0; i < s->n; i++) {
		for (k = 0; k < h->naddr; k++)
			if (ipaddr_near(s->addr[i], &h->addr[k]))
				break;
		if (k == h->naddr)
			return false;
	}
	return s->n > 0;
}

/* Of each family there is one network only. */
static bool
all_near_each_other(const struct servers *s)
{
	size_t i, k;

	for (i = 0; i < s->n; i++)
		for (k = 0; k < i; k++)
			if (s->addr[i]->ss_family == s->addr[k]->ss_family &&
			    !ipaddr_near(s->addr[i], s->addr[k]))
				return false;
	return s->n > 0;
}

/* The name SUBJECT, in ZONE, is found only while the primary's site is up. */
static bool
judge_zone(struct check *c, const char *subject, const char *zone,
    const struct check_host *primary)
{
	struct servers s;

	servers_find(&s, c, zone);
	if (!all_near_host(&s, primary))
		return false;
	finding_add(&c->found, CHECK_WARN, CHECK_BACKUP_NAMES, subject,
	    "All name servers of %s stand in the network of the primary %s; "
	    "when that fails nobody finds the backup: add a name server "
	    "elsewhere.", zone, primary->name);
	return true;
}

static bool
same_servers(const struct check *c, const char *zone, const char *other)
{
	const struct dns_query *a = asked_data(c->asked, zone, DNS_NS);
	const struct dns_query *b = asked_data(c->asked, other, DNS_NS);
	size_t i, k;

	if (a->nrr != b->nrr)
		return false;
	for (i = 0; i < a->nrr; i++) {
		for (k = 0; k < b->nrr; k++)
			if (strcmp(a->rr[i].host, b->rr[k].host) == 0)
				break;
		if (k == b->nrr)
			return false;
	}
	return true;
}

static void
judge_names(struct check *c, const struct check_host *backup,
    const struct check_host *primary)
{
	const char *zone = asked_zone(c->asked, backup->name);
	const char *other = asked_zone(c->asked, primary->name);
	struct servers s;
	bool bad = false;

	if (zone == NULL || other == NULL || c->zone == NULL)
		return;
	bad = judge_zone(c, c->domain, c->zone, primary);
	if (strcmp(zone, c->zone) != 0)
		bad = judge_zone(c, backup->name, zone, primary) || bad;
	if (bad)
		return;
	servers_find(&s, c, zone);
	if (!same_servers(c, zone, other))
		finding_add(&c->found, CHECK_OK, CHECK_BACKUP_NAMES,
		    backup->name, "Its name and that of %s have different "
		    "name servers.", primary->name);
	else if (all_near_each_other(&s))
		finding_add(&c->found, CHECK_WARN, CHECK_BACKUP_NAMES,
		    backup->name, "Its name and that of %s have the same "
		    "name servers, all in one network, and are lost "
		    "together: add a name server elsewhere.", primary->name);
	else
		finding_add(&c->found, CHECK_OK, CHECK_BACKUP_NAMES,
		    backup->name, "Its name and that of %s have the same "
		    "name servers, in more than one network.", primary->name);
}

void
place_judge(struct check *c, const struct check_options *o)
{
	const struct check_host *best = NULL;
	size_t i;

	if (c->nhost == 0)
		return;
	if (o->us != NULL)
		judge_rank(c, o);
	else
		judge_order(c);
	judge_backups(c);
	if (o->us != NULL)
		judge_primary(c, o);
	for (i = 0; i < c->nhost && best == NULL; i++)
		if (check_is_primary(c, o, i) && c->host[i].sound)
			best = &c->host[i];
	for (i = 0; best != NULL && i < c->nhost; i++)
		if (check_is_backup(c, o, i) && c->host[i].sound) {
			judge_network(c, &c->host[i], best);
			judge_names(c, &c->host[i], best);
		}
}
