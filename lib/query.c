/* SPDX-License-Identifier: ISC */
#include "query.h"

#include <stdlib.h>
#include <string.h>

void
dns_query_forget(struct dns_query *q)
{
	packet_records_free(q->rr, q->nrr);
	free(q->answer);
	free(q->packet);
	q->packet = NULL;
	q->packetlen = 0;
	q->rr = NULL;
	q->nrr = 0;
	q->answer = NULL;
	q->secure = q->heard = q->edns = q->referral = q->nowhere = false;
	q->rcode = 0;
	q->why[0] = q->extra[0] = q->canonical[0] = '\0';
}

void
dns_query_init(struct dns_query *q, const char *name, enum dns_type type)
{
	memset(q, 0, sizeof(*q));
	if (strlcpy(q->name, name, sizeof(q->name)) >= sizeof(q->name))
		q->name[0] = '\0';
	q->type = type;
	q->outcome = DNS_TEMPFAIL;
}

void
dns_query_clear(struct dns_query *q)
{
	dns_query_forget(q);
}
