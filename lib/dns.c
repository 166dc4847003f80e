/* SPDX-License-Identifier: ISC */

#include <sys/types.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "addr.h"
#include "deadline.h"
#include "dns.h"
#include "packet.h"
#include "resolv.h"

#define SOCKETS_MAX	128
#define HOPS_MAX	8	/* aliases followed for one question */
#define SILENCE_MAX	3	/* tries of a mute server once another failed */
#define RETRY_FIRST	300	/* milliseconds; doubled at each try */
#define RETRY_DESCRIPTOR 50	/* when there was none */
#define EDNS_TRIES	3
#define MESSAGE_MAX	65535

struct dns {
	struct resolv resolv;
	unsigned char buf[MESSAGE_MAX];
};

/* A question under way: one slot, one socket. */
struct ask {
	struct dns_query *q;		/* NULL: the slot is free */
	char name[ADDR_DOMAIN_MAX + 1];	/* asked now; moves with aliases */
	int hops;
	bool secure;
	int fd;
	bool tcp, edns, cd;
	bool confirm;		/* without validation there was an answer */
	bool sent_edns, sent_cd;	/* as in out */
	int server, sent_server;
	int tries;
	int count[RESOLV_SERVERS_MAX];
	bool failed[RESOLV_SERVERS_MAX];
	int servfail;			/* the server that said so, or -1 */
	int64_t retry;
	unsigned char out[2 + 512];	/* length as TCP has it, question */
	size_t outlen, sent;
	size_t qlen;			/* the question section in out */
	unsigned char *in;		/* TCP */
	size_t inlen;
};

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

struct dns *
dns_open(const struct sockaddr_storage *resolver, int n,
    const char *resolv_conf)
{
	struct dns *d;
	int i;

	if (n < 0 || n > RESOLV_SERVERS_MAX) {
		errno = EINVAL;
		return NULL;
	}
	if ((d = calloc(1, sizeof(*d))) == NULL)
		return NULL;
	resolv_init(&d->resolv);
	for (i = 0; i < n; i++)
		d->resolv.server[i] = resolver[i];
	d->resolv.nserver = n;
	if (n == 0 && !resolv_read(&d->resolv,
	    resolv_conf != NULL ? resolv_conf : "/etc/resolv.conf")) {
		free(d);
		return NULL;
	}
	if (resolv_is_local(&d->resolv))
		d->resolv.trust_ad = true;
	return d;
}

void
dns_close(struct dns *d)
{
	free(d);
}

void
dns_trust_ad(struct dns *d)
{
	d->resolv.trust_ad = true;
}

bool
dns_trusts_ad(const struct dns *d)
{
	return d->resolv.trust_ad;
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
		if ((a->in = malloc(2 + MESSAGE_MAX)) == NULL)
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
	int64_t wait;
	int shift;

	while (!ask_send(d, a)) {
		a->failed[a->server] = true;
		if (!server_next(d, a) && !ask_last_resort(d, a)) {
			ask_finish(a, DNS_TEMPFAIL);
			return;
		}
	}
	shift = a->tries > 10 ? 10 : a->tries < 1 ? 0 : a->tries - 1;
	wait = (int64_t)RETRY_FIRST << shift;
	if (a->tcp || wait > d->resolv.patience)
		wait = d->resolv.patience;
	if (a->fd == -1)
		wait = RETRY_DESCRIPTOR;
	a->retry = deadline_in(wait);
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
static void
ask_timeout(struct dns *d, struct ask *a)
{
	if (a->fd == -1) {
		ask_try(d, a);
		return;
	}
	if (a->q->why[0] == '\0')
		ask_why(d, a, "no answer in time");
	if (a->tries >= EDNS_TRIES)
		a->edns = false;
	ask_next(d, a);
}

/* From the start, for a name not yet asked for. */
static void
ask_restart(struct dns *d, struct ask *a)
{
	ask_close(a);
	a->tcp = ask_is_tcp(d, a);
	a->edns = true;
	a->cd = a->confirm = false;
	a->tries = 0;
	a->servfail = -1;
	memset(a->count, 0, sizeof(a->count));
	memset(a->failed, 0, sizeof(a->failed));
	a->server = d->resolv.rotate && a->q->at == NULL ?
	    (int)arc4random_uniform((uint32_t)d->resolv.nserver) : 0;
	ask_try(d, a);
}

static void
ask_begin(struct dns *d, struct ask *a, struct dns_query *q)
{
	memset(a, 0, sizeof(*a));
	a->q = q;
	a->fd = -1;
	a->secure = true;
	strlcpy(a->name, q->canonical, sizeof(a->name));
	ask_restart(d, a);
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

/* Time is up. */
static void
ask_stop(struct dns *d, struct ask *a)
{
	if (a->q->why[0] == '\0')
		ask_why(d, a, "no answer in time");
	ask_finish(a, DNS_TEMPFAIL);
}

/*
 * Waits for the first of the sockets, or for the first clock.  Only open
 * sockets are given to poll(2): it refuses more than there may be files.
 */
static void
asks_poll(struct dns *d, struct ask *ask, size_t n, int64_t deadline)
{
	struct pollfd pfd[SOCKETS_MAX];
	struct ask *of[SOCKETS_MAX];
	size_t i, open = 0;

	for (i = 0; i < n; i++) {
		if (ask[i].q == NULL)
			continue;
		deadline = deadline_min(deadline, ask[i].retry);
		if (ask[i].q->until != 0)
			deadline = deadline_min(deadline, ask[i].q->until);
		if (ask[i].fd == -1)
			continue;
		pfd[open].fd = ask[i].fd;
		pfd[open].events = ask[i].sent < ask[i].outlen ? POLLOUT :
		    POLLIN;
		pfd[open].revents = 0;
		of[open++] = &ask[i];
	}
	if (poll(pfd, open, deadline_left(deadline)) == -1)
		return;
	for (i = 0; i < open; i++)
		if (pfd[i].revents != 0)
			ask_step(d, of[i], of[i]->tcp ? tcp_ready(d, of[i]) :
			    udp_ready(d, of[i]));
	for (i = 0; i < n; i++) {
		if (ask[i].q != NULL && ask[i].q->until != 0 &&
		    deadline_left(ask[i].q->until) == 0)
			ask_stop(d, &ask[i]);
		if (ask[i].q != NULL && deadline_left(ask[i].retry) == 0)
			ask_timeout(d, &ask[i]);
	}
}

/* Fills free slots.  Returns how many are busy. */
static size_t
asks_fill(struct dns *d, struct ask *ask, size_t width, struct dns_query **q,
    size_t n, size_t *next)
{
	size_t i, busy = 0;

	for (i = 0; i < width; i++) {
		while (ask[i].q == NULL && *next < n) {
			if (q[*next]->outcome == DNS_TEMPFAIL &&
			    q[*next]->answer != NULL)
				ask_begin(d, &ask[i], q[*next]);
			(*next)++;
		}
		if (ask[i].q != NULL)
			busy++;
	}
	return busy;
}

static void
query_forget(struct dns_query *q)
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
	query_forget(q);
}

void
dns_lookup_each(struct dns *d, struct dns_query **q, size_t n,
    int64_t deadline)
{
	size_t i, width = n < SOCKETS_MAX ? n : SOCKETS_MAX, next = 0;
	const char *why = "out of memory";
	struct ask *ask;

	for (i = 0; i < n; i++) {
		query_forget(q[i]);
		strlcpy(q[i]->canonical, q[i]->name, sizeof(q[i]->canonical));
		packet_lower(q[i]->canonical);
		q[i]->answer = strdup("");
		q[i]->outcome = packet_is_name(q[i]->name) || (q[i]->raw &&
		    strcmp(q[i]->name, ".") == 0) ? DNS_TEMPFAIL :
		    DNS_NXDOMAIN;
	}
	if ((ask = calloc(width + 1, sizeof(*ask))) != NULL) {
		while (deadline_left(deadline) != 0 &&
		    asks_fill(d, ask, width, q, n, &next) > 0)
			asks_poll(d, ask, width, deadline);
		for (i = 0; i < width; i++)
			if (ask[i].q != NULL)
				ask_stop(d, &ask[i]);
		why = "no answer in time";
		free(ask);
	}
	for (i = 0; i < n; i++)
		if (q[i]->outcome == DNS_TEMPFAIL && q[i]->why[0] == '\0')
			strlcpy(q[i]->why, why, sizeof(q[i]->why));
}

void
dns_lookup(struct dns *d, struct dns_query *q, size_t n, int64_t deadline)
{
	struct dns_query **each = reallocarray(NULL, n + 1, sizeof(*each));
	size_t i;

	if (each == NULL) {
		for (i = 0; i < n; i++) {
			query_forget(&q[i]);
			q[i].outcome = DNS_TEMPFAIL;
			strlcpy(q[i].why, "out of memory", sizeof(q[i].why));
		}
		return;
	}
	for (i = 0; i < n; i++)
		each[i] = &q[i];
	dns_lookup_each(d, each, n, deadline);
	free(each);
}
