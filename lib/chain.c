/* SPDX-License-Identifier: ISC */

#include <sys/types.h>
#include <sys/resource.h>

#include <stdbool.h>	/* before libldns makes one of its own */

#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chain.h"
#include "children.h"

/* The key signing keys of 2017 and of 2024 (data.iana.org/root-anchors). */
static const char root_anchors[] =
    ". IN DS 20326 8 2 "
    "E06D44B80B8F1D39A95C0B0D7C65D08458E880409BBC683457104237C7F8EC8D\n"
    ". IN DS 38696 8 2 "
    "683D2D0ACB8C9B712A1948B27F741219298D0A450D612C483AF444A4C0FB2B16\n";

/* A zone that is trusted, by the keys that sign it. */
struct zone {
	ldns_rdf *name;
	ldns_rr_list *keys;
};

struct work {
	const struct asked *asked;
	const char *anchors;
	struct chain_link *link;
	size_t n;
};

/* Questions */

void
chain_want(struct asked *a, const char *name, enum dns_type type)
{
	asked_want_raw(a, name, type);
	for (; name != NULL; name = asked_parent(name)) {
		asked_want_raw(a, name, DNS_DS);
		asked_want_raw(a, name, DNS_DNSKEY);
	}
	asked_want_raw(a, ".", DNS_DNSKEY);
}

/* NULL, with why: it did not come, or is no packet. */
static ldns_pkt *
packet(const struct work *w, struct chain_link *l, const char *name,
    enum dns_type type)
{
	const struct dns_query *q = asked_find_raw(w->asked, name, type);
	ldns_pkt *pkt = NULL;

	if (q != NULL && q->outcome == DNS_DATA &&
	    ldns_wire2pkt(&pkt, q->packet, q->packetlen) == LDNS_STATUS_OK)
		return pkt;
	l->trust = CHAIN_UNKNOWN;
	(void)snprintf(l->why, sizeof(l->why), "no %s of %.80s: %.80s",
	    type == DNS_DS ? "DS" : type == DNS_DNSKEY ? "DNSKEY" :
	    "answer", name, q != NULL && q->why[0] != '\0' ? q->why :
	    "malformed");
	return NULL;
}

/* Sets of records and their signatures */

static bool
bogus(struct chain_link *l, const char *what, const char *name,
    const char *why)
{
	l->trust = CHAIN_BOGUS;
	(void)snprintf(l->why, sizeof(l->why), "%s of %.90s: %.60s", what,
	    name, why);
	return false;
}

static bool
is_signature(const ldns_rr *rr, const ldns_rdf *owner, ldns_rr_type type,
    const struct zone *z)
{
	return ldns_rr_get_type(rr) == LDNS_RR_TYPE_RRSIG &&
	    ldns_rr_rd_count(rr) >= 9 &&
	    ldns_dname_compare(ldns_rr_owner(rr), owner) == 0 &&
	    ldns_rdf2rr_type(ldns_rr_rrsig_typecovered(rr)) == type &&
	    ldns_dname_compare(ldns_rr_rrsig_signame(rr), z->name) == 0;
}

/* Is the set (of one owner and type) signed by one of the KEYS? */
static ldns_status
set_verify(ldns_rr_list *set, const ldns_rr_list *section,
    const struct zone *z, const ldns_rr_list *keys)
{
	const ldns_rr *first = ldns_rr_list_rr(set, 0);
	ldns_rr_list *sigs = ldns_rr_list_new(), *good = ldns_rr_list_new();
	ldns_status status = LDNS_STATUS_CRYPTO_NO_RRSIG;
	size_t i;

	if (sigs == NULL || good == NULL)
		goto out;
	for (i = 0; i < ldns_rr_list_rr_count(section); i++)
		if (is_signature(ldns_rr_list_rr(section, i),
		    ldns_rr_owner(first), ldns_rr_get_type(first), z))
			ldns_rr_list_push_rr(sigs,
			    ldns_rr_list_rr(section, i));
	if (ldns_rr_list_rr_count(sigs) > 0)
		status = ldns_verify(set, sigs, keys, good);
out:
	ldns_rr_list_free(sigs);
	ldns_rr_list_free(good);
	return status;
}

/* Those of SECTION with this owner (NULL: any) and type; borrowed records. */
static ldns_rr_list *
set_pick(const ldns_rr_list *section, const ldns_rdf *owner, ldns_rr_type type)
{
	ldns_rr_list *set = ldns_rr_list_new();
	ldns_rr *rr;
	size_t i;

	for (i = 0; set != NULL && i < ldns_rr_list_rr_count(section); i++) {
		rr = ldns_rr_list_rr(section, i);
		if (ldns_rr_get_type(rr) == type && ldns_rr_rd_count(rr) > 0 &&
		    (owner == NULL ||
		    ldns_dname_compare(ldns_rr_owner(rr), owner) == 0))
			ldns_rr_list_push_rr(set, rr);
	}
	return set;
}

/*
 * The NSEC or NSEC3 records of a denial, each of them verified.  NULL: there
 * are none, or one is not signed as it should be.
 */
static ldns_rr_list *
denial_pick(const ldns_pkt *pkt, const struct zone *z)
{
	const ldns_rr_list *section = ldns_pkt_authority(pkt);
	ldns_rr_list *all, *set;
	ldns_rr *rr;
	size_t i;
	bool ok = true;

	all = set_pick(section, NULL, LDNS_RR_TYPE_NSEC);
	if (all != NULL && ldns_rr_list_rr_count(all) == 0) {
		ldns_rr_list_free(all);
		all = set_pick(section, NULL, LDNS_RR_TYPE_NSEC3);
	}
	for (i = 0; ok && all != NULL && i < ldns_rr_list_rr_count(all);
	    i++) {
		rr = ldns_rr_list_rr(all, i);
		set = set_pick(section, ldns_rr_owner(rr),
		    ldns_rr_get_type(rr));
		ok = set != NULL && set_verify(set, section, z, z->keys) ==
		    LDNS_STATUS_OK;
		ldns_rr_list_free(set);
	}
	if (all != NULL && (!ok || ldns_rr_list_rr_count(all) == 0)) {
		ldns_rr_list_free(all);
		all = NULL;
	}
	return all;
}

static bool
has_type(const ldns_rr *nsec, ldns_rr_type type)
{
	const ldns_rdf *bitmap = ldns_nsec_get_bitmap(nsec);

	return bitmap != NULL && ldns_nsec_bitmap_covers_type(bitmap, type);
}

/* The owner that the NSEC3 of NAME would have, hashed as RR says, or NULL. */
static ldns_rdf *
hashed(const ldns_rr *rr, const ldns_rdf *name, const ldns_rdf *zone)
{
	ldns_rdf *hash = ldns_nsec3_hash_name_frm_nsec3(rr, name);

	if (hash != NULL && ldns_dname_cat(hash, zone) != LDNS_STATUS_OK) {
		ldns_rdf_deep_free(hash);
		return NULL;
	}
	return hash;
}

/* Is this the NSEC or NSEC3 of NAME itself? */
static bool
denial_is_of(const ldns_rr *rr, const ldns_rdf *name, const ldns_rdf *zone)
{
	ldns_rdf *hash;
	bool is;

	if (ldns_rr_get_type(rr) == LDNS_RR_TYPE_NSEC)
		return ldns_dname_compare(ldns_rr_owner(rr), name) == 0;
	if ((hash = hashed(rr, name, zone)) == NULL)
		return false;
	is = ldns_dname_compare(ldns_rr_owner(rr), hash) == 0;
	ldns_rdf_deep_free(hash);
	return is;
}

/* Is NAME in the span of an NSEC3 that may leave zones out (RFC 5155 6)? */
static bool
may_be_left_out(const ldns_rr *rr, const ldns_rdf *name, const ldns_rdf *zone)
{
	ldns_rdf *hash;
	bool is;

	if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_NSEC3 ||
	    !ldns_nsec3_optout(rr) || (hash = hashed(rr, name, zone)) == NULL)
		return false;
	is = ldns_nsec_covers_name(rr, hash);
	ldns_rdf_deep_free(hash);
	return is;
}

/* No DS at NAME: because a zone begins there that is not signed? */
static bool
is_unsigned_cut(const ldns_rr_list *denial, const ldns_rdf *name,
    const ldns_rdf *zone)
{
	const ldns_rr *rr;
	size_t i;

	for (i = 0; i < ldns_rr_list_rr_count(denial); i++) {
		rr = ldns_rr_list_rr(denial, i);
		if (denial_is_of(rr, name, zone))
			return has_type(rr, LDNS_RR_TYPE_NS) &&
			    !has_type(rr, LDNS_RR_TYPE_SOA) &&
			    !has_type(rr, LDNS_RR_TYPE_DS);
	}
	for (i = 0; i < ldns_rr_list_rr_count(denial); i++)
		if (may_be_left_out(ldns_rr_list_rr(denial, i), name, zone))
			return true;
	return false;
}

/* Descent */

/* The keys of the zone NAME, if one that ANCHORS (DS, DNSKEY) vouch for. */
static bool
keys_take(const struct work *w, struct chain_link *l, struct zone *z,
    const char *name, const ldns_rr_list *anchors)
{
	ldns_pkt *pkt = packet(w, l, name, DNS_DNSKEY);
	ldns_rr_list *keys = NULL, *vouched = ldns_rr_list_new();
	ldns_rdf *owner = ldns_dname_new_frm_str(name);
	struct zone self = { owner, NULL };
	ldns_status status;
	size_t i, k;
	bool ok = false;

	if (pkt == NULL || vouched == NULL || owner == NULL)
		goto out;
	keys = set_pick(ldns_pkt_answer(pkt), owner, LDNS_RR_TYPE_DNSKEY);
	if (keys == NULL)
		goto out;
	for (i = 0; i < ldns_rr_list_rr_count(keys); i++)
		for (k = 0; k < ldns_rr_list_rr_count(anchors); k++)
			if (ldns_dname_compare(ldns_rr_owner(
			    ldns_rr_list_rr(anchors, k)), owner) == 0 &&
			    ldns_rr_compare_ds(ldns_rr_list_rr(anchors, k),
			    ldns_rr_list_rr(keys, i))) {
				ldns_rr_list_push_rr(vouched,
				    ldns_rr_list_rr(keys, i));
				break;
			}
	if (ldns_rr_list_rr_count(vouched) == 0) {
		bogus(l, "DNSKEY", name, "none has the digest that the "
		    "parent zone's DS, or the anchor, has");
		goto out;
	}
	status = set_verify(keys, ldns_pkt_answer(pkt), &self, vouched);
	if (status != LDNS_STATUS_OK) {
		bogus(l, "DNSKEY", name, ldns_get_errorstr_by_id(status));
		goto out;
	}
	ldns_rr_list_deep_free(z->keys);
	ldns_rdf_deep_free(z->name);
	z->keys = ldns_rr_list_clone(keys);
	z->name = ldns_rdf_clone(owner);
	ok = z->keys != NULL && z->name != NULL;
out:
	ldns_rr_list_free(keys);
	ldns_rr_list_free(vouched);
	ldns_rdf_deep_free(owner);
	ldns_pkt_free(pkt);
	return ok;
}

/* Any algorithm and digest that libldns knows (RFC 4035 5.2). */
static bool
is_known(const ldns_rr_list *ds)
{
	uint8_t algorithm, digest;
	size_t i;

	for (i = 0; i < ldns_rr_list_rr_count(ds); i++) {
		if (ldns_rr_rd_count(ldns_rr_list_rr(ds, i)) < 4)
			continue;
		algorithm = ldns_rdf2native_int8(ldns_rr_rdf(
		    ldns_rr_list_rr(ds, i), 1));
		digest = ldns_rdf2native_int8(ldns_rr_rdf(
		    ldns_rr_list_rr(ds, i), 2));
		if ((algorithm == 5 || algorithm == 7 || algorithm == 8 ||
		    algorithm == 10 || (algorithm >= 13 && algorithm <= 16)) &&
		    (digest == 1 || digest == 2 || digest == 4))
			return true;
	}
	return false;
}

static bool
insecure(struct chain_link *l, const char *name)
{
	l->trust = CHAIN_INSECURE;
	(void)snprintf(l->why, sizeof(l->why), "%.190s", name);
	return false;
}

/* From the zone into NAME, one label below. False: the verdict is there. */
static bool
descend(const struct work *w, struct chain_link *l, struct zone *z,
    const char *name)
{
	ldns_pkt *pkt = packet(w, l, name, DNS_DS);
	ldns_rdf *owner = ldns_dname_new_frm_str(name);
	ldns_rr_list *ds = NULL, *denial = NULL;
	ldns_status status;
	bool go_on = false;

	if (pkt == NULL || owner == NULL)
		goto out;
	ds = set_pick(ldns_pkt_answer(pkt), owner, LDNS_RR_TYPE_DS);
	if (ds != NULL && ldns_rr_list_rr_count(ds) > 0) {
		status = set_verify(ds, ldns_pkt_answer(pkt), z, z->keys);
		if (status != LDNS_STATUS_OK)
			bogus(l, "DS", name,
			    ldns_get_errorstr_by_id(status));
		else if (!is_known(ds))
			insecure(l, name);
		else
			go_on = keys_take(w, l, z, name, ds);
		goto out;
	}
	/* An alias is no zone; whether it is signed is seen in the end. */
	if (ldns_pkt_ancount(pkt) > 0) {
		go_on = true;
		goto out;
	}
	if ((denial = denial_pick(pkt, z)) == NULL)
		bogus(l, "DS", name, "that there is none is not proven");
	else if (is_unsigned_cut(denial, owner, z->name))
		insecure(l, name);
	else
		go_on = true;
out:
	ldns_rr_list_free(ds);
	ldns_rr_list_free(denial);
	ldns_rdf_deep_free(owner);
	ldns_pkt_free(pkt);
	return go_on;
}

/* Is it proven that there is no such record (RFC 4035 5.4, RFC 5155 8)? */
static bool
is_denied(const ldns_pkt *pkt, const struct zone *z, const ldns_rdf *owner,
    ldns_rr_type type)
{
	ldns_rr_list *denial = denial_pick(pkt, z);
	ldns_rr_list *sigs = set_pick(ldns_pkt_authority(pkt), NULL,
	    LDNS_RR_TYPE_RRSIG);
	ldns_rr *asked = ldns_rr_new();
	ldns_pkt_rcode rcode = ldns_pkt_get_rcode(pkt);
	bool denied = false;

	if (denial == NULL || sigs == NULL || asked == NULL)
		goto out;
	ldns_rr_set_owner(asked, ldns_rdf_clone(owner));
	ldns_rr_set_type(asked, type);
	if (ldns_rr_get_type(ldns_rr_list_rr(denial, 0)) ==
	    LDNS_RR_TYPE_NSEC)
		denied = ldns_dnssec_verify_denial(asked, denial, sigs) ==
		    LDNS_STATUS_OK;
	else
		denied = ldns_dnssec_verify_denial_nsec3(asked, denial, sigs,
		    rcode, type, rcode == LDNS_RCODE_NOERROR) ==
		    LDNS_STATUS_OK;
out:
	ldns_rr_free(asked);
	ldns_rr_list_free(sigs);
	ldns_rr_list_free(denial);
	return denied;
}

/* The answer itself, signed by the zone that it is in. */
static void
answer_verify(const struct work *w, struct chain_link *l,
    const struct zone *z)
{
	ldns_pkt *pkt = packet(w, l, l->name, l->type);
	ldns_rdf *owner = ldns_dname_new_frm_str(l->name);
	ldns_rr_list *set = NULL;
	ldns_status status;

	if (pkt == NULL || owner == NULL)
		goto out;
	set = set_pick(ldns_pkt_answer(pkt), owner, (ldns_rr_type)l->type);
	if (set != NULL && ldns_rr_list_rr_count(set) == 0) {
		ldns_rr_list_free(set);
		set = set_pick(ldns_pkt_answer(pkt), owner,
		    LDNS_RR_TYPE_CNAME);
	}
	if (set == NULL)
		goto out;
	if (ldns_rr_list_rr_count(set) > 0) {
		status = set_verify(set, ldns_pkt_answer(pkt), z, z->keys);
		if (status != LDNS_STATUS_OK) {
			bogus(l, "answer", l->name,
			    ldns_get_errorstr_by_id(status));
			goto out;
		}
	} else if (!is_denied(pkt, z, owner, (ldns_rr_type)l->type)) {
		bogus(l, "answer", l->name,
		    "that there is none is not proven");
		goto out;
	}
	l->trust = CHAIN_SECURE;
	l->why[0] = '\0';
out:
	ldns_rr_list_free(set);
	ldns_rdf_deep_free(owner);
	ldns_pkt_free(pkt);
}

static ldns_rr_list *
anchors_read(const char *text)
{
	ldns_rr_list *all = ldns_rr_list_new();
	char *copy = strdup(text), *rest = copy, *line;
	ldns_rr *rr;

	while (all != NULL && (line = strsep(&rest, "\n")) != NULL) {
		line += strspn(line, " \t\r");
		line[strcspn(line, ";\r")] = '\0';
		if (*line == '\0')
			continue;
		if (ldns_rr_new_frm_str(&rr, line, 3600, NULL, NULL) !=
		    LDNS_STATUS_OK)
			goto bad;
		ldns_rr_list_push_rr(all, rr);
		if (ldns_rr_get_type(rr) != LDNS_RR_TYPE_DS &&
		    ldns_rr_get_type(rr) != LDNS_RR_TYPE_DNSKEY)
			goto bad;
	}
	free(copy);
	return all;
bad:
	free(copy);
	ldns_rr_list_deep_free(all);
	return NULL;
}

bool
chain_anchors_are_sound(const char *anchors)
{
	ldns_rr_list *all = anchors_read(anchors);
	bool sound = all != NULL && ldns_rr_list_rr_count(all) > 0;

	ldns_rr_list_deep_free(all);
	return sound;
}

/* The longest name with an anchor that NAME is in or below; "." the root. */
static const char *
anchor_of(const ldns_rr_list *anchors, const char *name)
{
	ldns_rdf *owner;
	size_t i;

	for (;;) {
		owner = ldns_dname_new_frm_str(name == NULL ? "." : name);
		for (i = 0; owner != NULL &&
		    i < ldns_rr_list_rr_count(anchors); i++)
			if (ldns_dname_compare(ldns_rr_owner(
			    ldns_rr_list_rr(anchors, i)), owner) == 0)
				break;
		ldns_rdf_deep_free(owner);
		if (owner == NULL)
			return NULL;
		if (i < ldns_rr_list_rr_count(anchors))
			return name == NULL ? "." : name;
		if (name == NULL)
			return NULL;
		name = asked_parent(name);
	}
}

/* One label more of NAME than the part AT of it; AT "." is the root. */
static const char *
one_more(const char *name, const char *at)
{
	const char *p = at;

	if (strcmp(at, ".") == 0)
		p = name + strlen(name) + 1;
	if (p == name)
		return NULL;
	for (p -= 1; p > name && p[-1] != '.'; p--)
		continue;
	return p;
}

static void
link_verify(const struct work *w, struct chain_link *l,
    const ldns_rr_list *anchors)
{
	const char *at = anchor_of(anchors, l->name);
	struct zone z = { NULL, NULL };
	bool go_on;

	if (at == NULL) {
		(void)insecure(l, "no anchor above it");
		return;
	}
	go_on = keys_take(w, l, &z, at, anchors);
	while (go_on && (at = one_more(l->name, at)) != NULL)
		go_on = descend(w, l, &z, at);
	if (go_on)
		answer_verify(w, l, &z);
	ldns_rr_list_deep_free(z.keys);
	ldns_rdf_deep_free(z.name);
}

/* In the child. */
static void
verify_all(size_t i, void *arg)
{
	struct rlimit memory = { CHAIN_MEMORY, CHAIN_MEMORY };
	const struct work *w = arg;
	ldns_rr_list *anchors;

#ifndef __SANITIZE_ADDRESS__
	(void)setrlimit(RLIMIT_DATA, &memory);
#else
	(void)memory;		/* its shadow alone takes more */
#endif
	if ((anchors = anchors_read(w->anchors)) == NULL)
		return;
	for (i = 0; i < w->n; i++) {
		w->link[i].why[0] = '\0';
		link_verify(w, &w->link[i], anchors);
	}
	ldns_rr_list_deep_free(anchors);
}

void
chain_verify(const struct asked *a, struct chain_link *link, size_t n,
    const char *anchors, int64_t deadline)
{
	struct work w = { a, anchors != NULL ? anchors : root_anchors, NULL,
		n };
	size_t i;

	for (i = 0; i < n; i++) {
		link[i].trust = CHAIN_UNKNOWN;
		(void)strlcpy(link[i].why, "the verification was not "
		    "finished", sizeof(link[i].why));
	}
	if ((w.link = children_share(n * sizeof(*link))) == NULL)
		return;
	memcpy(w.link, link, n * sizeof(*link));
	children_run(1, 1, verify_all, &w, deadline);
	memcpy(link, w.link, n * sizeof(*link));
	children_unshare(w.link, n * sizeof(*link));
}
