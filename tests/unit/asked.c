/* SPDX-License-Identifier: ISC */
#include <stdio.h>
#include <stdlib.h>

#include "asked.h"
#include "tap.h"

/* In the place of dns.c: notes what is asked, and has one zone. */
static size_t calls, asked_now;

void
dns_query_init(struct dns_query *q, const char *name, enum dns_type type)
{
	memset(q, 0, sizeof(*q));
	(void)strlcpy(q->name, name, sizeof(q->name));
	q->type = type;
	q->outcome = DNS_TEMPFAIL;
}

void
dns_query_clear(struct dns_query *q)
{
	free(q->answer);
}

void
dns_lookup_each(struct dns *d, struct dns_query **q, size_t n,
    int64_t deadline)
{
	size_t i;

	(void)d;
	(void)deadline;
	calls++;
	asked_now = n;
	for (i = 0; i < n; i++) {
		q[i]->answer = strdup("");
		(void)strlcpy(q[i]->canonical, q[i]->name,
		    sizeof(q[i]->canonical));
		if (q[i]->type == DNS_NS && strcmp(q[i]->name,
		    "alias.example.org") == 0) {
			q[i]->outcome = DNS_DATA;
			(void)strlcpy(q[i]->canonical, "elsewhere.test",
			    sizeof(q[i]->canonical));
		} else
			q[i]->outcome = q[i]->type == DNS_NS &&
			    (strcmp(q[i]->name, "example.org") == 0 ||
			    strcmp(q[i]->name, "org") == 0) ? DNS_DATA :
			    DNS_NODATA;
	}
}

static void
test_once(void)
{
	struct sockaddr_storage one, two;
	struct dns_query *q;
	struct asked a;

	memset(&one, 0, sizeof(one));
	memset(&two, 0, sizeof(two));
	asked_init(&a);
	ok(asked_find(&a, "x", DNS_A) == NULL, "nothing is known at first");
	asked_want(&a, "x.example", DNS_A);
	asked_want(&a, "x.example", DNS_A);
	asked_want(&a, "x.example", DNS_AAAA);
	asked_want(&a, "", DNS_A);
	asked_want_at(&a, "x.example", DNS_A, &one, false);
	asked_want_at(&a, "x.example", DNS_A, &one, true);
	asked_want_at(&a, "x.example", DNS_A, &two, false);
	asked_want_raw(&a, "x.example", DNS_A);
	asked_must(&a, "m.example", DNS_MX);
	asked_run(&a, NULL, 1000, 2000);
	is_int((int)asked_now, 7, "each question once");
	ok((q = asked_find(&a, "x.example", DNS_A)) != NULL &&
	    q->until == 1000, "found, with the time it had");
	ok((q = asked_find(&a, "m.example", DNS_MX)) != NULL &&
	    q->until == INT64_MAX, "what must be known has all the time");
	ok(asked_find_at(&a, "x.example", DNS_A, &one, true)->tcp,
	    "by TCP, of one server");
	ok(asked_find_at(&a, "x.example", DNS_A, &two, true) == NULL,
	    "but not of the other");
	ok(asked_find_raw(&a, "x.example", DNS_A)->raw, "raw");
	ok(asked_data(&a, "x.example", DNS_A) == NULL, "which has no data");
	asked_want(&a, "x.example", DNS_A);
	asked_want(&a, "y.example", DNS_A);
	asked_run(&a, NULL, 1000, 2000);
	is_int((int)asked_now, 1, "the next round: only what is new");
	asked_clear(&a);
}

static void
test_many(void)
{
	char name[32];
	struct asked a;
	size_t i, found = 0;

	asked_init(&a);
	for (i = 0; i < 5000; i++) {
		(void)snprintf(name, sizeof(name), "n%zu.example", i % 2500);
		asked_want(&a, name, DNS_A);
	}
	asked_run(&a, NULL, 1000, 2000);
	is_int((int)asked_now, 2500, "many");
	for (i = 0; i < 2500; i++) {
		(void)snprintf(name, sizeof(name), "n%zu.example", i);
		if (asked_find(&a, name, DNS_A) != NULL)
			found++;
	}
	is_int((int)found, 2500, "all are found again");
	asked_clear(&a);
}

static void
test_zone(void)
{
	const char *deep = "a.b.c.d.e.f.g.h.example.org";
	struct asked a;

	asked_init(&a);
	asked_want_zone(&a, "mx.example.org");
	asked_want_zone(&a, "alias.example.org");
	asked_want_zone(&a, "example.test");
	asked_want_zone(&a, deep);
	asked_run(&a, NULL, 1000, 2000);
	is_str(asked_zone(&a, "mx.example.org"), "example.org", "the parent");
	is_str(asked_zone(&a, "example.org"), "example.org", "itself");
	is_str(asked_zone(&a, "alias.example.org"), "example.org",
	    "an alias is in its parent's");
	ok(asked_zone(&a, "example.test") == NULL, "none");
	is_str(asked_zone(&a, deep), "example.org", "a name of many labels");
	asked_clear(&a);
}

int
main(void)
{
	test_once();
	test_many();
	test_zone();
	return done_testing();
}
