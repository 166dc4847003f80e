/* SPDX-License-Identifier: ISC */

#include <sys/types.h>

#include "authority.h"
#include "cover.h"
#include "deadline.h"
#include "examine.h"
#include "legal.h"
#include "place.h"
#include "plan.h"

/* A server that is asked directly has this long, in milliseconds. */
#define DIRECT_MAX	3000

/*
 * A question that is not answered must not keep the next round from being
 * asked: only the MX set of a single domain, without which there is none, may
 * take all the time there is.
 */
static int64_t
share(int64_t deadline, int parts, int of)
{
	int64_t now = deadline_now();

	return deadline <= now ? deadline : now + (deadline - now) * parts /
	    of;
}

/*
 * Only what the next round depends on is asked for in the first two; all else
 * waits for the third, where what is slow is slow at the same time.
 */
static void
round_one(struct check *c, bool alone)
{
	if (alone)
		asked_must(c->asked, c->domain, DNS_MX);
	else
		asked_want(c->asked, c->domain, DNS_MX);
	authority_want_zone(c);
}

static void
round_two(struct check *c, const struct check_options *o)
{
	check_hosts(c, o);
	legal_names(c);
	authority_want_servers(c, o);
	place_want_zones(c);
}

static void
round_three(struct check *c, const struct check_options *o)
{
	legal_want_domain(c);
	legal_want_hosts(c, o);
	cover_want_domain(c, o);
	cover_want_hosts(c, o);
	place_want_servers(c, o);
	if (o->plan)
		plan_want(c, o);
}

static void
judge(struct check *c, const struct check_options *o, int64_t deadline,
    bool alone)
{
	check_host_answers(c, o);
	legal_judge(c, o);
	place_judge(c, o);
	authority_judge(c, o);
	cover_judge(c, o);
	/* A zone made to be costly does not take the time of others. */
	cover_verify(c, o, alone ? deadline : share(deadline, 1, 4));
	if (c->asked->failed)
		c->found.failed = true;
}

void
examine(struct check *c, size_t n, struct asked *asked, struct dns *d,
    const struct check_options *o, int64_t deadline)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (c[i].named)
			round_one(&c[i], n == 1);
	asked_run(asked, d, share(deadline, 1, 2), deadline);
	for (i = 0; i < n; i++)
		if (c[i].named)
			round_two(&c[i], o);
	asked_run(asked, d, share(deadline, 2, 3), deadline);
	for (i = 0; i < n; i++)
		if (c[i].named)
			round_three(&c[i], o);
	asked_until(asked, deadline);
	for (i = 0; i < n; i++)
		if (c[i].named)
			authority_want_answers(&c[i], o);
	asked_run(asked, d, deadline_min(deadline, deadline_in(DIRECT_MAX)),
	    deadline);
	for (i = 0; i < n; i++)
		if (c[i].named)
			judge(&c[i], o, deadline, n == 1);
}
