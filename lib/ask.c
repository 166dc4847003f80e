/* SPDX-License-Identifier: ISC */
#include "ask.h"

#include <sys/types.h>
#include <sys/socket.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"

#define HOPS_MAX	8	/* aliases followed for one question */
#define SILENCE_MAX	3	/* tries of a mute server once another failed */
#define RETRY_FIRST	300	/* milliseconds; doubled at each try */
#define RETRY_DESCRIPTOR 50	/* when there was none */
#define EDNS_TRIES	3

/* What follows from a datagram, or from the lack of one. */
enum step {
	STEP_WAIT,	/* not ours, or useless: keep listening */
	STEP_SAME,	/* ask the same server in another way */
	STEP_NEXT,	/* this server is of no use for the question */
	STEP_ALIAS,	/* the name has moved: begin anew */
	STEP_DONE
};

static unsigned int
get16(const unsigned char *p)
{
	return (unsigned int)p[0] << 8 | p[1];
}

/* Results and reasons */

static const struct sockaddr_storage *
ask_server(const struct dns *d, const struct ask *a)
{
	return a->q->at != NULL ? a->q->at : &d->resolv.server[a->server];
}

static bool
ask_is_tcp(const struct dns *d, const struct ask *a)
{
	return a->q->at != NULL ? a->q->tcp : d->resolv.tcp;
}

/* The reason in the end is that of the last server that gave one. */
static void
ask_why(const struct dns *d, struct ask *a, const char *reason)
{
	char server[RESOLV_SERVER_TEXT];

	resolv_server_print(server, ask_server(d, a));
	snprintf(a->q->why, sizeof(a->q->why), "%s %s: %s",
	    a->q->at != NULL ? "server" : "resolver", server, reason);
}

static void
ask_close(struct ask *a)
{
	if (a->fd != -1)
		close(a->fd);
	a->fd = -1;
	free(a->in);
	a->in = NULL;
	a->inlen = 0;
}

static void
ask_finish(struct ask *a, enum dns_outcome outcome)
{
	struct dns_query *q = a->q;

	ask_close(a);
	q->outcome = outcome;
	q->secure = a->secure && outcome != DNS_TEMPFAIL &&
	    outcome != DNS_BOGUS;
	if (outcome != DNS_TEMPFAIL && outcome != DNS_BOGUS)
		q->why[0] = '\0';
	strlcpy(q->canonical, a->name, sizeof(q->canonical));
	a->q = NULL;
}

/* Walks the aliases of the answer.  False, with the reason: a dead end. */
static bool
aliases_follow(struct ask *a, const struct dns_record *rr, size_t n,
    const char **why)
{
	size_t i = 0;

	while (i < n) {
		if (rr[i].type != DNS_CNAME || strcmp(rr[i].owner, a->name)) {
			i++;
			continue;
		}
		*why = "too many aliases";
		if (++a->hops > HOPS_MAX)
			return false;
		*why = "alias leads to what is no host name";
		if (!packet_is_name(rr[i].host))
			return false;
		if (strlcpy(a->name, rr[i].host, sizeof(a->name)) >=
		    sizeof(a->name))
			return false;
		i = 0;
	}
	return true;
}

/* Keeps the records asked for, at the name the aliases led to. */
static void
records_keep(struct ask *a, struct dns_record *rr, size_t n)
{
	size_t i, kept = 0;

	for (i = 0; i < n; i++) {
		if (rr[i].type == a->q->type &&
		    strcmp(rr[i].owner, a->name) == 0)
			rr[kept++] = rr[i];
		else
			free(rr[i].data);
	}
	a->q->rr = rr;
	a->q->nrr = kept;
}

/* An answer that would pass for "no data" and is not: why, or NULL. */
static const char *
answer_useless(const struct ask *a, const struct packet *m, bool moved)
{
	if (a->q->at != NULL && !m->aa)
		return "an answer without authority";
	/* A referral, or what is beside the point. */
	if (!m->ra && !m->aa)
		return "does not resolve for us";
	return m->nanswer > 0 && !moved ? "answers for another name" : NULL;
}

static enum step
answer_empty(struct dns *d, struct ask *a, const struct packet *m, bool moved)
{
	const char *why;

	if (moved && a->q->at == NULL && m->rcode == PACKET_NOERROR)
		return STEP_ALIAS;
	if ((why = answer_useless(a, m, moved)) != NULL) {
		ask_why(d, a, why);
		return STEP_NEXT;
	}
	ask_finish(a, m->rcode == PACKET_NXDOMAIN ? DNS_NXDOMAIN :
	    DNS_NODATA);
	return STEP_DONE;
}

static enum step
answer_read(struct dns *d, struct ask *a, const struct packet *m)
{
	struct dns_record *rr;
	const char *why;
	size_t n, text = strlen(a->q->answer);
	enum step step;
	int hops = a->hops;
	bool referral = a->q->at != NULL && a->q->type == DNS_NS && !m->aa;

	if ((rr = packet_records(m, a->q->type, referral,
	    &a->q->answer, &n)) == NULL) {
		ask_why(d, a, "malformed record in the answer");
		return STEP_NEXT;
	}
	if (a->q->type != DNS_CNAME && !aliases_follow(a, rr, n, &why)) {
		packet_records_free(rr, n);
		ask_why(d, a, why);
		ask_finish(a, DNS_TEMPFAIL);
		return STEP_DONE;
	}
	a->secure = a->secure && m->ad && d->resolv.trust_ad;
	records_keep(a, rr, n);
	if (a->q->nrr > 0 && (a->q->at == NULL || m->aa || referral)) {
		a->q->referral = referral;
		ask_finish(a, DNS_DATA);
		return STEP_DONE;
	}
	packet_records_free(a->q->rr, a->q->nrr);
	a->q->rr = NULL;
	a->q->nrr = 0;
	step = answer_empty(d, a, m, a->hops > hops);
	if (step == STEP_NEXT)
		a->q->answer[text] = '\0';
	return step;
}

static enum step
answer_failed(struct dns *d, struct ask *a, const struct packet *m)
{
	char text[64];

	if (a->edns && (m->rcode == PACKET_FORMERR ||
	    m->rcode == PACKET_NOTIMPL || m->rcode == PACKET_BADVERS)) {
		a->edns = false;
		return STEP_SAME;
	}
	packet_failure(text, sizeof(text), a->q->extra, sizeof(a->q->extra), m);
	ask_why(d, a, text);
	if (m->rcode == PACKET_SERVFAIL && !a->cd && a->q->at == NULL) {
		if (a->confirm && !packet_ede_is_dnssec(m->ede))
			ask_why(d, a, "DNSSEC validation failed");
		if (a->confirm || packet_ede_is_dnssec(m->ede)) {
			ask_finish(a, DNS_BOGUS);
			return STEP_DONE;
		}
		if (a->servfail == -1)
			a->servfail = a->server;
	}
	return STEP_NEXT;
}

static enum step
answer_keep(struct dns *d, struct ask *a, const unsigned char *p, size_t len)
{
	if ((a->q->packet = malloc(len)) == NULL) {
		ask_why(d, a, "out of memory");
		ask_finish(a, DNS_TEMPFAIL);
		return STEP_DONE;
	}
	memcpy(a->q->packet, p, len);
	a->q->packetlen = len;
	ask_finish(a, DNS_DATA);
	return STEP_DONE;
}

/*
 * A resolver that is busy, or far away, is not asked twice for what it is
 * about to answer.  An answer to one of several tries counts from the first:
 * else the pace would never be found that is slower than the tries.
 */
static void
pace_learn(struct dns *d, const struct ask *a)
{
	struct pace *p = &d->pace[a->sent_server];
	int64_t took = deadline_now() - a->opened, off;

	if (a->q->at != NULL || a->tcp)
		return;
	if (!p->known) {
		*p = (struct pace){ true, took, took / 2 };
		return;
	}
	off = took > p->mean ? took - p->mean : p->mean - took;
	p->deviation += (off - p->deviation) / 4;
	p->mean += (took - p->mean) / 8;
}

/* The time for an answer to the last question, in milliseconds. */
static int64_t
pace_wait(const struct dns *d, const struct ask *a)
{
	const struct pace *p = &d->pace[a->server];
	int shift = a->tries > 10 ? 10 : a->tries < 1 ? 0 : a->tries - 1;
	int64_t wait = RETRY_FIRST;

	if (a->q->at == NULL) {
		if (4 * p->deviation > wait)
			wait = 4 * p->deviation;
		wait += p->mean;
	}
	wait <<= shift;
	return a->tcp || wait > d->resolv.patience ? d->resolv.patience :
	    wait;
}

/* The door for everything a server sends. */
static enum step
answer_take(struct dns *d, struct ask *a, const unsigned char *p, size_t len)
{
	struct packet m = { .p = p, .len = len };
	enum step useless = a->tcp ? STEP_NEXT : STEP_WAIT;

	if (!packet_is_answer(a->out + 2, a->qlen, p, len)) {
		if (a->tcp)
			ask_why(d, a, "answered something else over TCP");
		return useless;
	}
	if ((p[2] & 0x02) != 0 && !a->tcp) {
		a->tcp = true;
		return STEP_SAME;
	}
	if ((p[2] & 0x02) != 0 || !packet_scan(&m, a->qlen)) {
		ask_why(d, a, "malformed answer");
		return useless;
	}
	pace_learn(d, a);
	d->drops_edns |= a->mute && a->q->at == NULL;
	a->q->heard = true;
	a->q->edns = a->edns && m.edns;
	a->q->rcode = (int)m.rcode;
	if (m.rcode != PACKET_NOERROR && m.rcode != PACKET_NXDOMAIN)
		return answer_failed(d, a, &m);
	if (a->q->raw)
		return answer_keep(d, a, p, len);
	if (a->cd) {
		/* Once more: a busy resolver says SERVFAIL, too. */
		a->cd = false;
		a->confirm = true;
		return STEP_SAME;
	}
	return answer_read(d, a, &m);
}

/* Transport */

static bool
question_build(struct ask *a)
{
	unsigned how = (a->edns ? PACKET_EDNS : 0) |
	    (a->q->at == NULL ? PACKET_RECURSE : 0) |
	    (a->q->raw ? PACKET_SIGNED : 0) |
	    (a->cd || a->q->raw ? PACKET_UNCHECKED : 0);
	size_t len = packet_question(a->out + 2, sizeof(a->out) - 2, a->name,
	    a->q->type, how, &a->qlen);

	a->out[0] = (unsigned char)(len >> 8);
	a->out[1] = (unsigned char)len;
	a->outlen = 2 + len;
	a->sent = 0;
	return len > 0;
}

/*
 * The same datagram to the same server keeps its socket: the answer to the
 * first may be on its way.
 */
static bool
ask_repeat(struct ask *a)
{
	ssize_t len = (ssize_t)a->outlen - 2;

	return a->fd != -1 && !a->tcp && a->sent == a->outlen &&
	    a->in == NULL && a->sent_server == a->server &&
	    a->sent_edns == a->edns && a->sent_cd == a->cd &&
	    send(a->fd, a->out + 2, (size_t)len, MSG_NOSIGNAL) == len;
}

/* A new socket, a new port and a new id for each other try. */
static bool
ask_send(struct dns *d, struct ask *a)
{
	const struct sockaddr_storage *ss = ask_server(d, a);
	size_t len;

	a->tries++;
	a->count[a->server]++;
	if (ask_repeat(a))
		return true;
	ask_close(a);
	a->opened = deadline_now();
	a->sent_server = a->server;
	a->sent_edns = a->edns;
	a->sent_cd = a->cd;
	if (!question_build(a)) {
		ask_why(d, a, "out of memory");
		return false;
	}
	a->fd = socket(ss->ss_family, (a->tcp ? SOCK_STREAM : SOCK_DGRAM) |
	    SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (a->fd == -1 && (errno == EMFILE || errno == ENFILE)) {
		/* Others will be done soon. */
		ask_why(d, a, strerror(errno));
		a->tries--;
		a->count[a->server]--;
		return true;
	}
	if (a->fd == -1 || (connect(a->fd, (const struct sockaddr *)ss,
	    resolv_server_len(ss)) == -1 && errno != EINPROGRESS))
		goto fail;
	if (a->tcp) {
		if ((a->in = malloc(2 + ASK_MESSAGE_MAX)) == NULL)
			goto fail;
		return true;
	}
	len = a->outlen - 2;
	if (send(a->fd, a->out + 2, len, MSG_NOSIGNAL) != (ssize_t)len)
		goto fail;
	a->sent = a->outlen;
	return true;
fail:
	a->q->nowhere = errno == ENETUNREACH || errno == EADDRNOTAVAIL ||
	    errno == EAFNOSUPPORT;
	ask_why(d, a, strerror(errno));
	return false;
}

/* Moves to the next server that may still answer.  False: none is left. */
static bool
server_next(const struct dns *d, struct ask *a)
{
	bool trouble = a->cd;
	int i, s;

	if (a->q->at != NULL)
		return !a->failed[0];
	for (i = 0; i < d->resolv.nserver; i++)
		trouble = trouble || a->failed[i];
	for (i = 1; i <= d->resolv.nserver; i++) {
		s = (a->server + i) % d->resolv.nserver;
		if (!a->failed[s] &&
		    (!trouble || a->count[s] < SILENCE_MAX)) {
			a->server = s;
			return true;
		}
	}
	return false;
}

/*
 * All have failed.  Was it validation?  The server that said SERVFAIL is
 * asked once more, with validation off; what it then says is not used.
 */
static bool
ask_last_resort(struct dns *d, struct ask *a)
{
	int i;

	if (a->cd || a->confirm || a->servfail == -1 || a->q->at != NULL)
		return false;
	a->cd = true;
	a->tries = 0;
	for (i = 0; i < d->resolv.nserver; i++) {
		a->failed[i] = i != a->servfail;
		a->count[i] = 0;
	}
	a->server = a->servfail;
	return true;
}

/* Sends to the chosen server, or to the first after it that takes it. */
static void
ask_try(struct dns *d, struct ask *a)
{
	while (!ask_send(d, a)) {
		a->failed[a->server] = true;
		if (!server_next(d, a) && !ask_last_resort(d, a)) {
			ask_finish(a, DNS_TEMPFAIL);
			return;
		}
	}
	a->asked = deadline_now();
	a->retry = a->asked + (a->fd == -1 ? RETRY_DESCRIPTOR :
	    pace_wait(d, a));
}

static void
ask_next(struct dns *d, struct ask *a)
{
	a->tcp = ask_is_tcp(d, a);
	if (server_next(d, a) || ask_last_resort(d, a))
		ask_try(d, a);
	else
		ask_finish(a, DNS_TEMPFAIL);
}

/* Some servers, and what stands before them, drop questions with EDNS. */
void
ask_timeout(struct dns *d, struct ask *a)
{
	int most = EDNS_TRIES;

	if (a->fd == -1) {
		ask_try(d, a);
		return;
	}
	a->retry = a->asked + pace_wait(d, a);
	if (deadline_left(a->retry) != 0)
		return;
	if (a->q->why[0] == '\0')
		ask_why(d, a, "no answer in time");
	if (d->drops_edns && a->q->at == NULL && !a->q->raw)
		most = 1;
	if (a->edns && a->tries >= most) {
		a->edns = false;
		a->mute = true;
	}
	ask_next(d, a);
}

/* From the start, for a name not yet asked for. */
static void
ask_restart(struct dns *d, struct ask *a)
{
	ask_close(a);
	a->tcp = ask_is_tcp(d, a);
	a->edns = true;
	a->mute = a->cd = a->confirm = false;
	a->tries = 0;
	a->servfail = -1;
	memset(a->count, 0, sizeof(a->count));
	memset(a->failed, 0, sizeof(a->failed));
	a->server = d->resolv.rotate && a->q->at == NULL ?
	    (int)arc4random_uniform((uint32_t)d->resolv.nserver) : 0;
	ask_try(d, a);
}

void
ask_begin(struct dns *d, struct ask *a, struct dns_query *q)
{
	memset(a, 0, sizeof(*a));
	a->q = q;
	a->fd = -1;
	a->secure = true;
	if (q->until != 0)
		a->until = q->until > deadline_in(q->least) ? q->until :
		    deadline_in(q->least);
	strlcpy(a->name, q->canonical, sizeof(a->name));
	ask_restart(d, a);
}

bool
ask_is_fresh(const struct ask *a)
{
	return a->q != NULL && a->tries <= 1;
}

static void
ask_step(struct dns *d, struct ask *a, enum step step)
{
	switch (step) {
	case STEP_WAIT:
	case STEP_DONE:
		break;
	case STEP_SAME:
		ask_try(d, a);
		break;
	case STEP_NEXT:
		a->failed[a->server] = true;
		ask_next(d, a);
		break;
	case STEP_ALIAS:
		ask_restart(d, a);
		break;
	}
}

/* The rest of the question goes out, the length comes in, then the rest. */
static enum step
tcp_ready(struct dns *d, struct ask *a)
{
	size_t want = 2;
	ssize_t n;

	if (a->sent < a->outlen) {
		n = send(a->fd, a->out + a->sent, a->outlen - a->sent,
		    MSG_NOSIGNAL);
		if (n > 0)
			a->sent += (size_t)n;
	} else {
		if (a->inlen >= 2)
			want = 2 + get16(a->in);
		n = recv(a->fd, a->in + a->inlen, want - a->inlen, 0);
		if (n > 0)
			a->inlen += (size_t)n;
		else if (n == 0) {
			ask_why(d, a, "closed the TCP connection");
			return STEP_NEXT;
		}
	}
	if (n == -1) {
		if (errno == EAGAIN || errno == EINTR)
			return STEP_WAIT;
		ask_why(d, a, strerror(errno));
		return STEP_NEXT;
	}
	if (a->inlen < 2 || a->inlen < 2 + (size_t)get16(a->in))
		return STEP_WAIT;
	return answer_take(d, a, a->in + 2, a->inlen - 2);
}

static enum step
udp_ready(struct dns *d, struct ask *a)
{
	ssize_t n;

	n = recv(a->fd, d->buf, sizeof(d->buf), 0);
	if (n == -1) {
		if (errno == EAGAIN || errno == EINTR)
			return STEP_WAIT;
		ask_why(d, a, strerror(errno));
		return STEP_NEXT;
	}
	return answer_take(d, a, d->buf, (size_t)n);
}

void
ask_ready(struct dns *d, struct ask *a)
{
	ask_step(d, a, a->tcp ? tcp_ready(d, a) : udp_ready(d, a));
}

void
ask_stop(struct dns *d, struct ask *a)
{
	if (a->q->why[0] == '\0')
		ask_why(d, a, "no answer in time");
	ask_finish(a, DNS_TEMPFAIL);
}
