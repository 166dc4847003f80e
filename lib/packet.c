/* SPDX-License-Identifier: ISC */

#include <sys/types.h>

#include <netinet/in.h>

#include <stdbool.h>	/* before libldns makes one of its own */

#include <ctype.h>
#include <ldns/ldns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "packet.h"

#define UDP_SIZE	1232	/* no fragments: the DNS flag day of 2020 */

struct section_rr {	/* the fixed part of a record, and where it is */
	size_t pos;
	unsigned int type, class;
	uint32_t ttl;
	size_t rdata, rdlen;
};

static unsigned int
get16(const unsigned char *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

/* Names */

bool
packet_is_name(const char *name)
{
	size_t i, label = 0;
	bool digits = true;

	for (i = 0; name[i] != '\0'; i++) {
		unsigned char c = (unsigned char)name[i];

		if (c == '.') {
			if (label == 0)
				return false;
			label = 0;
			digits = true;
			continue;
		}
		if (c >= 0x80 || (!isalnum(c) && c != '-' && c != '_') ||
		    ++label > 63)
			return false;
		if (!isdigit(c))
			digits = false;
	}
	return label > 0 && i <= 253 && !digits;
}

void
packet_lower(char *s)
{
	for (; *s != '\0'; s++)
		if (*s >= 'A' && *s <= 'Z')
			*s += 'a' - 'A';
}

/*
 * Presentation form without the final dot.  A name that does not fit has
 * an escape within the part that does, so it can never pass for a host.
 */
static bool
name_print(char *out, const ldns_rdf *name)
{
	char *text;
	size_t len;

	if (name == NULL || ldns_rdf_get_type(name) != LDNS_RDF_TYPE_DNAME ||
	    (text = ldns_rdf2str(name)) == NULL)
		return false;
	len = strlen(text);
	if (len > 0)
		text[len - 1] = '\0';
	packet_lower(text);
	(void)strlcpy(out, text, ADDR_DOMAIN_MAX + 1);
	free(text);
	return true;
}

/* Messages, on raw bytes first: libldns sees only what has its form. */

static bool
skip_name(const struct packet *m, size_t *pos)
{
	unsigned char c;

	while (*pos < m->len) {
		c = m->p[*pos];
		if ((c & 0xc0) == 0xc0) {
			*pos += 2;
			return *pos <= m->len;
		}
		if ((c & 0xc0) != 0)
			return false;
		*pos += 1 + (size_t)c;
		if (c == 0)
			return *pos <= m->len;
	}
	return false;
}

static bool
section_next(const struct packet *m, size_t *pos, struct section_rr *rr)
{
	const unsigned char *p;

	rr->pos = *pos;
	if (!skip_name(m, pos) || m->len - *pos < 10)
		return false;
	p = m->p + *pos;
	rr->type = get16(p);
	rr->class = get16(p + 2);
	rr->ttl = (uint32_t)get16(p + 4) << 16 | get16(p + 6);
	rr->rdlen = get16(p + 8);
	rr->rdata = *pos + 10;
	if (m->len - rr->rdata < rr->rdlen)
		return false;
	*pos = rr->rdata + rr->rdlen;
	return true;
}

/* The upper bits of the response code, and the extended error. */
static void
opt_read(struct packet *m, const struct section_rr *rr)
{
	const unsigned char *p = m->p + rr->rdata;
	size_t left = rr->rdlen, len;

	m->edns = true;
	m->rcode |= (rr->ttl >> 24) << 4;
	while (left >= 4) {
		len = get16(p + 2);
		if (len > left - 4)
			return;
		if (get16(p) == 15 && len >= 2 && m->ede == -1) {
			m->ede = (int)get16(p + 4);
			m->extra = p + 6;
			m->extralen = len - 2;
		}
		p += 4 + len;
		left -= 4 + len;
	}
}

bool
packet_scan(struct packet *m, size_t qlen)
{
	struct section_rr rr;
	size_t pos = PACKET_HEADER + qlen;
	unsigned int i, n;

	m->aa = m->p[2] & 0x04;
	m->ra = m->p[3] & 0x80;
	m->ad = m->p[3] & 0x20;
	m->rcode = m->p[3] & 0x0f;
	m->ede = -1;
	m->nanswer = get16(m->p + 6);
	m->nauthority = get16(m->p + 8);
	m->answer = pos;
	n = m->nanswer + m->nauthority + get16(m->p + 10);
	for (i = 0; i < n; i++) {
		if (!section_next(m, &pos, &rr))
			return false;
		if (rr.type == LDNS_RR_TYPE_OPT && i >= m->nanswer)
			opt_read(m, &rr);
	}
	return true;
}

bool
packet_is_answer(const unsigned char *question, size_t qlen,
    const unsigned char *p, size_t len)
{
	size_t i;

	if (len < PACKET_HEADER + qlen || p[0] != question[0] ||
	    p[1] != question[1] || (p[2] & 0x80) == 0 || (p[2] & 0x78) != 0 ||
	    get16(p + 4) != 1)
		return false;
	for (i = PACKET_HEADER; i < PACKET_HEADER + qlen - 4; i++)
		if (tolower(p[i]) != tolower(question[i]))
			return false;
	return memcmp(p + i, question + i, 4) == 0;
}

/* RDLENGTH 0 leaves a record without fields, which libldns asserts on. */
static bool
rdata_has_form(const struct section_rr *rr)
{
	switch (rr->type) {
	case LDNS_RR_TYPE_A:
		return rr->rdlen == 4;
	case LDNS_RR_TYPE_AAAA:
		return rr->rdlen == 16;
	case LDNS_RR_TYPE_MX:
		return rr->rdlen >= 3;
	case LDNS_RR_TYPE_SOA:
		return rr->rdlen >= 22;
	case LDNS_RR_TYPE_TLSA:
	case LDNS_RR_TYPE_DS:
	case LDNS_RR_TYPE_DNSKEY:
		return rr->rdlen >= 4;
	default:
		return rr->rdlen >= 1;
	}
}

static size_t
rdata_fields(enum dns_type type)
{
	switch (type) {
	case DNS_MX:
		return 2;
	case DNS_TLSA:
	case DNS_DS:
	case DNS_DNSKEY:
		return 4;
	case DNS_SOA:
		return 7;
	case DNS_A:
	case DNS_AAAA:
	case DNS_CNAME:
	case DNS_NS:
	case DNS_PTR:
	case DNS_TXT:
		break;
	}
	return 1;
}

/*
 * "owner ttl class type rdata", with single spaces where dig has tabs, and
 * nothing that a terminal would obey.
 */
static void
rr_print(FILE *f, const ldns_rr *rr)
{
	char *text, *p;

	if ((text = ldns_rr2str(rr)) == NULL)
		return;
	for (p = text; *p != '\0' && *p != '\n'; p++) {
		if (*p == '\t')
			*p = ' ';
		else if (*p < ' ' || *p > '~')
			*p = '?';
	}
	fputs(text, f);
	free(text);
}

static void
addr_fill(struct sockaddr_storage *ss, enum dns_type type,
    const unsigned char *p)
{
	struct sockaddr_in6 *sin6 = (struct sockaddr_in6 *)ss;
	struct sockaddr_in *sin = (struct sockaddr_in *)ss;

	if (type == DNS_A) {
		sin->sin_family = AF_INET;
		memcpy(&sin->sin_addr, p, 4);
	} else if (type == DNS_AAAA) {
		sin6->sin6_family = AF_INET6;
		memcpy(&sin6->sin6_addr, p, 16);
	}
}

/* The fields of a record; false if it has not the form of its type. */
static bool
rdata_read(struct dns_record *r, const ldns_rr *rr, const unsigned char *p,
    size_t len)
{
	switch (r->type) {
	case DNS_MX:
		r->preference = (uint16_t)get16(p);
		return name_print(r->host, ldns_rr_rdf(rr, 1));
	case DNS_SOA:
		r->serial = ldns_rdf2native_int32(ldns_rr_rdf(rr, 2));
		return name_print(r->host, ldns_rr_rdf(rr, 0));
	case DNS_CNAME:
	case DNS_NS:
	case DNS_PTR:
		return name_print(r->host, ldns_rr_rdf(rr, 0));
	case DNS_A:
	case DNS_AAAA:
		addr_fill(&r->addr, r->type, p);
		return true;
	case DNS_TXT:
	case DNS_DS:
	case DNS_DNSKEY:
	case DNS_TLSA:
		break;
	}
	if ((r->data = malloc(len)) == NULL)
		return false;
	memcpy(r->data, p, len);
	r->datalen = len;
	return true;
}

/* One record of the answer section, from wire to ours.  False: malformed. */
static bool
record_read(struct dns_record *r, const struct packet *m,
    const struct section_rr *at, FILE *text)
{
	ldns_rr *rr = NULL;
	size_t pos = at->pos;
	bool ok = false;

	memset(r, 0, sizeof(*r));
	r->type = (enum dns_type)at->type;
	if (!rdata_has_form(at) || ldns_wire2rr(&rr, m->p, m->len, &pos,
	    LDNS_SECTION_ANSWER) != LDNS_STATUS_OK)
		return false;
	if (pos != at->rdata + at->rdlen ||
	    ldns_rr_rd_count(rr) < rdata_fields(r->type) ||
	    !name_print(r->owner, ldns_rr_owner(rr)))
		goto out;
	r->ttl = at->ttl > INT32_MAX ? 0 : at->ttl;	/* RFC 2181 8 */
	ldns_rr_set_ttl(rr, r->ttl);
	ok = rdata_read(r, rr, m->p + at->rdata, at->rdlen);
	if (ok)
		rr_print(text, rr);
out:
	ldns_rr_free(rr);
	return ok;
}

void
packet_records_free(struct dns_record *rr, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		free(rr[i].data);
	free(rr);
}

struct dns_record *
packet_records(const struct packet *m, enum dns_type type, bool referral,
    char **text, size_t *n)
{
	struct dns_record *rr;
	struct section_rr at;
	size_t pos = m->answer, size;
	unsigned int i, all = m->nanswer + (referral ? m->nauthority : 0);
	char *more = NULL;
	FILE *f = NULL;
	bool ok = false;

	*n = 0;
	if ((rr = calloc((size_t)all + 1, sizeof(*rr))) == NULL ||
	    (f = open_memstream(&more, &size)) == NULL)
		goto out;
	fputs(*text, f);
	for (i = 0; i < all; i++) {
		if (!section_next(m, &pos, &at))
			goto out;
		if (at.class != LDNS_RR_CLASS_IN || (at.type != DNS_CNAME &&
		    at.type != (unsigned int)type))
			continue;
		if (!record_read(&rr[*n], m, &at, f))
			goto out;
		(*n)++;
	}
	ok = true;
out:
	if (f != NULL && fclose(f) == EOF)
		ok = false;
	if (ok) {
		free(*text);
		*text = more;
		return rr;
	}
	free(more);
	if (rr != NULL)
		packet_records_free(rr, *n);
	return NULL;
}

/* Failures */

static const char *
ede_name(int ede)
{
	static const char *const names[] = { "other error",
		"unsupported DNSKEY algorithm", "unsupported DS digest",
		"stale answer", "forged answer", "validation indeterminate",
		"bogus", "signature expired", "signature not yet valid",
		"DNSKEY missing", "RRSIG missing", "no zone key",
		"NSEC missing", "cached error", "not ready", "blocked",
		"censored", "filtered", "prohibited", "stale NXDOMAIN",
		"not authoritative", "not supported",
		"no reachable authority", "network error", "invalid data" };

	if (ede < 0 || (size_t)ede >= sizeof(names) / sizeof(names[0]))
		return "unknown";
	return names[ede];
}

bool
packet_ede_is_dnssec(int ede)
{
	return ede == 1 || ede == 2 || (ede >= 5 && ede <= 12);
}

void
packet_failure(char *out, size_t size, char *extra, size_t extrasize,
    const struct packet *m)
{
	ldns_lookup_table *name = ldns_lookup_by_id(ldns_rcodes,
	    (int)m->rcode);
	const char *code = name != NULL ? name->name : "unknown error";
	size_t i;

	extra[0] = '\0';
	if (m->ede == -1) {
		(void)snprintf(out, size, "%s", code);
		return;
	}
	(void)snprintf(out, size, "%s, extended error %d (%s)", code, m->ede,
	    ede_name(m->ede));
	for (i = 0; i < m->extralen && i + 1 < extrasize; i++)
		extra[i] = m->extra[i] >= ' ' && m->extra[i] <= '~' ?
		    (char)m->extra[i] : '?';
	extra[i] = '\0';
}

/* Questions */

size_t
packet_question(unsigned char *out, size_t size, const char *name,
    enum dns_type type, unsigned how, size_t *qlen)
{
	ldns_pkt *pkt;
	ldns_rdf *owner;
	uint8_t *wire = NULL;
	uint16_t flags = 0;
	size_t len, result = 0;

	if (how & PACKET_RECURSE)
		flags = LDNS_RD | LDNS_AD |
		    (how & PACKET_UNCHECKED ? LDNS_CD : 0);
	if ((owner = ldns_dname_new_frm_str(name)) == NULL)
		return 0;
	*qlen = ldns_rdf_size(owner) + 4;
	pkt = ldns_pkt_query_new(owner, (ldns_rr_type)type, LDNS_RR_CLASS_IN,
	    flags);
	if (pkt == NULL) {
		ldns_rdf_deep_free(owner);
		return 0;
	}
	ldns_pkt_set_id(pkt, (uint16_t)arc4random());
	if (how & PACKET_EDNS)
		ldns_pkt_set_edns_udp_size(pkt, UDP_SIZE);
	if ((how & PACKET_EDNS) && (how & PACKET_SIGNED))
		ldns_pkt_set_edns_do(pkt, true);
	if (ldns_pkt2wire(&wire, pkt, &len) == LDNS_STATUS_OK && len <= size) {
		memcpy(out, wire, len);
		result = len;
	}
	free(wire);
	ldns_pkt_free(pkt);
	return result;
}
