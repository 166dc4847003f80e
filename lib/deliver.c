/* SPDX-License-Identifier: ISC */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "addr.h"
#include "conf.h"
#include "deadline.h"
#include "deliver.h"
#include "dns.h"
#include "domain.h"
#include "dsn.h"
#include "envelope.h"
#include "hosts.h"
#include "learn.h"
#include "ledger.h"
#include "log.h"
#include "message.h"
#include "plain.h"
#include "reply.h"
#include "report.h"
#include "route.h"
#include "scan.h"
#include "smtp_client.h"
#include "spool.h"

#define LOSSES_MAX	3	/* in a row, then the domain's run ends */
#define LOOK_EVERY	1000	/* milliseconds, for a hold */
#define SYNC_EVERY	100	/* removals: what a power cut may repeat */
#define UP_LONG		86400	/* seconds: a server is itself again */
#define TEXT_MAX	1024	/* a reply made plain, cut if need be */
#define ERROR_MAX	512
#define PEER_MAX	(ADDR_DOMAIN_MAX + INET6_ADDRSTRLEN + 16)

struct flush {
	const struct deliver_args *args;
	const char *domain;
	struct deliver_count *count;
	struct settings settings;
	struct domain state;
	struct route route;
	struct smtp_client *client;
	char peer[PEER_MAX];	/* of client: "name [address]:port" */
	char error[ERROR_MAX];	/* why there is no connection, or was lost */
	bool fallback;		/* the route is one remembered */
	bool dsn;		/* the server of the last message offers it */
	bool utf8;		/* only a server with SMTPUTF8 will do */
	bool unable;		/* all have answered, and none offers it */
	bool denied;		/* there is none, be it for good or not */
	bool aside;		/* the message waits for such a server */
	bool ourselves;		/* the last one that answered was us */
	bool busy;		/* one that answered in this run refused us */
	size_t carried;		/* messages over this connection */
	int losses;		/* in a row */
	size_t removed;		/* since the last sync */
	int64_t next;		/* when the rate allows another message */
	int64_t look;		/* when to look for a hold again */
	bool stop;
	struct learn *learn;	/* NULL for strangers' domains */
};

/* A list of reasons, as long as there is room. */
static void
join(char *list, size_t size, const char *head, const char *text)
{
	size_t used = strlen(list);

	(void)snprintf(list + used, size - used, "%s%s: %s",
	    used > 0 ? "; " : "", head, text);
}

/* Nothing within a log line's quoted value may end it. */
static char *
unquote(char *text)
{
	char *p;

	for (p = text; (p = strchr(p, '"')) != NULL; p++)
		*p = '\'';
	return text;
}

/*** What is known of the domain ***/

static void
peer_print(char *peer, const char *name, const struct sockaddr_storage *ss)
{
	char text[INET6_ADDRSTRLEN] = "?";
	struct sockaddr_in6 in6;
	struct sockaddr_in in;
	int port = 0;

	if (ss->ss_family == AF_INET6) {
		memcpy(&in6, ss, sizeof(in6));
		inet_ntop(AF_INET6, &in6.sin6_addr, text, sizeof(text));
		port = ntohs(in6.sin6_port);
	} else {
		memcpy(&in, ss, sizeof(in));
		inet_ntop(AF_INET, &in.sin_addr, text, sizeof(text));
		port = ntohs(in.sin_port);
	}
	(void)snprintf(peer, PEER_MAX, "%s [%s]:%d", name, text, port);
}

/* The route of peer_print's text; false if it is none. */
static bool
peer_parse(struct route *r, const char *peer)
{
	struct sockaddr_in6 in6 = { .sin6_family = AF_INET6 };
	struct sockaddr_in in = { .sin_family = AF_INET };
	char name[ADDR_DOMAIN_MAX + 1], text[INET6_ADDRSTRLEN];
	struct route_addr *a = &r->addr[0];
	const char *error;
	int port, at = -1;

	if (sscanf(peer, "%255s [%45[0-9a-fA-F.:]]:%n", name, text, &at) != 2 ||
	    at == -1)
		return false;
	port = (int)strtonum(peer + at, 1, 65535, &error);
	if (error != NULL)
		return false;
	memset(r, 0, sizeof(*r));
	if (inet_pton(AF_INET6, text, &in6.sin6_addr) == 1) {
		in6.sin6_port = htons((in_port_t)port);
		a->len = sizeof(in6);
		memcpy(&a->addr, &in6, sizeof(in6));
	} else if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		in.sin_port = htons((in_port_t)port);
		a->len = sizeof(in);
		memcpy(&a->addr, &in, sizeof(in));
	} else
		return false;
	r->kind = ROUTE_FOUND;
	r->nhost = r->naddr = 1;
	r->host[0].preference = -1;
	return strlcpy(r->host[0].name, name, sizeof(r->host[0].name)) <
	    sizeof(r->host[0].name);
}

static void
save(struct flush *f)
{
	if (!f->args->dry && ledger_save(f->args->spool, f->domain,
	    &f->state) == -1)
		log_warn("%s: cannot write the domain's state", f->domain);
}

static void
set_state(struct flush *f, enum domain_state state, const char *error)
{
	const char *detail = state == DOMAIN_UP ? f->peer : error;

	f->state.last_try = time(NULL);
	/* Cut if need be: it is for reading. */
	(void)strlcpy(f->state.error, error, sizeof(f->state.error));
	/* A dry run is there to tell, be it news or not. */
	if (f->state.state != state || f->args->dry)
		log_info("%s domain=%s %s=\"%s\"", domain_state_name(state),
		    f->domain, state == DOMAIN_UP ? "host" : "reason", detail);
	if (f->state.state != state) {
		f->state.state = state;
		f->state.since = f->state.last_try;
		if (!f->args->dry && ledger_outage(f->args->spool, f->domain,
		    domain_state_name(state), detail) == -1)
			log_warn("%s: cannot write to outages", f->domain);
	}
	save(f);
}

/*** The connection ***/

static void
hang_up(struct flush *f)
{
	smtp_client_close(f->client);
	f->client = NULL;
	f->carried = 0;
}

/* Connects to one address unless it is known to be dead. */
static bool
try_address(struct flush *f, const struct route_addr *a)
{
	const struct sockaddr *sa = (const struct sockaddr *)&a->addr;
	enum smtp_client_result result;
	enum hosts_answer known;
	char error[ERROR_MAX];

	f->ourselves = false;
	peer_print(f->peer, f->route.host[a->host].name, &a->addr);
	known = hosts_ask(f->args->hosts, sa);
	if (known == HOSTS_DEAD) {
		join(f->error, sizeof(f->error), f->peer,
		    hosts_why(f->args->hosts, sa));
		return false;
	}
	log_debug("%s: connecting to %s", f->domain, f->peer);
	result = smtp_client_open(&f->client, f->args->conf, sa, a->len,
	    error);
	/* A busy host may refuse the second connection and serve the first. */
	if (known == HOSTS_TRY || result == SMTP_CLIENT_LOST)
		hosts_tell(f->args->hosts, sa, result == SMTP_CLIENT_OK ||
		    result == SMTP_CLIENT_OURSELVES, error);
	f->ourselves = result == SMTP_CLIENT_OURSELVES;
	if (known == HOSTS_ALIVE && result == SMTP_CLIENT_REFUSED)
		f->busy = true;
	if (result == SMTP_CLIENT_OK)
		return true;
	log_debug("%s: %s: %s", f->domain, f->peer, error);
	join(f->error, sizeof(f->error), f->peer, error);
	return false;
}

/*
 * Is the server that answered good for what is to be sent?  If not it is left
 * alone.
 */
static bool
is_suitable(struct flush *f)
{
	unsigned offers = smtp_client_offers(f->client);

	if (!f->utf8 || (offers & SMTP_OFFER_SMTPUTF8) != 0)
		return true;
	/* HELO, or a proxy that hides what there is: it may, another day. */
	if (offers == 0)
		f->unable = false;
	join(f->error, sizeof(f->error), f->peer, "SMTPUTF8 is not offered");
	hang_up(f);
	return false;
}

static bool
connect_any(struct flush *f)
{
	bool nobody_else = true;
	size_t i;

	f->error[0] = '\0';
	f->carried = 0;
	f->busy = false;
	f->unable = !f->fallback;
	for (i = 0; i < f->route.nhost; i++)
		if (f->route.host[i].outcome == DNS_TEMPFAIL ||
		    f->route.host[i].outcome == DNS_BOGUS)
			f->unable = false;
	for (i = 0; i < f->route.naddr; i++) {
		if (try_address(f, &f->route.addr[i])) {
			if (is_suitable(f))
				return true;
		} else if (!f->ourselves)
			f->unable = false;
		nobody_else = nobody_else && f->ourselves;
	}
	f->ourselves = nobody_else && f->route.naddr > 0;
	return false;
}

/*
 * No server took the connection.  One that has answered in this run and wants
 * no connection more is not down.
 */
static void
set_away(struct flush *f)
{
	enum domain_state state = f->ourselves ? DOMAIN_UNROUTABLE :
	    DOMAIN_DOWN;

	if (f->busy && f->state.state == DOMAIN_UP)
		state = DOMAIN_UP;
	set_state(f, state, f->error);
}

static int
compare_text(const void *a, const void *b)
{
	return strcmp(a, b);
}

/* The receiver is to know the servers when they call. */
static void
note_primaries(struct flush *f)
{
	char text[ROUTE_ADDRS_MAX][INET6_ADDRSTRLEN];
	const char *addr[ROUTE_ADDRS_MAX];
	size_t n = 0;

	if (f->args->dry)
		return;
	for (size_t i = 0; i < f->route.naddr; i++)
		if (getnameinfo((struct sockaddr *)&f->route.addr[i].addr,
		    f->route.addr[i].len, text[n], sizeof(text[n]), NULL, 0,
		    NI_NUMERICHOST) == 0)
			n++;
	/* Those of one preference come in a new order each time. */
	qsort(text, n, sizeof(text[0]), compare_text);
	for (size_t i = 0; i < n; i++)
		addr[i] = text[i];
	if (ledger_note_primaries(f->args->spool, f->domain, addr, n) == -1)
		log_warn("%s: cannot note its servers", f->domain);
}

/*
 * DNS that names no better host is the domain's trouble and no verdict on
 * its mail; where we are its backup the last route that worked is used.
 */
static bool
find_route(struct flush *f, bool ours)
{
	const struct deliver_args *args = f->args;

	route_find(&f->route, args->dns, args->conf, &f->settings, f->domain,
	    deadline_in(args->conf->timeout.dns));
	f->fallback = false;
	if (f->route.kind == ROUTE_FOUND && f->route.naddr > 0) {
		if (ours)
			note_primaries(f);
		return true;
	}
	f->fallback = true;
	(void)strlcpy(f->error, f->route.why, sizeof(f->error));
	if (!ours || !peer_parse(&f->route, f->state.route))
		return false;
	log_debug("%s: %s; trying the last route that worked", f->domain,
	    f->error);
	return true;
}

/* The one probe of the run. */
static bool
probe(struct flush *f, bool ours)
{
	char unroutable[ERROR_MAX];

	f->error[0] = '\0';
	if (!find_route(f, ours)) {
		set_state(f, DOMAIN_UNROUTABLE, f->error);
		return false;
	}
	memcpy(unroutable, f->error, sizeof(unroutable));
	if (connect_any(f)) {
		memcpy(f->state.route, f->peer, sizeof(f->peer));
		(void)strlcpy(f->state.ehlo, smtp_client_ehlo(f->client),
		    sizeof(f->state.ehlo));
		set_state(f, DOMAIN_UP, "");
		return true;
	}
	if (unroutable[0] != '\0')
		set_state(f, DOMAIN_UNROUTABLE, unroutable);
	else
		set_away(f);
	return false;
}

/*** What the replies mean for the mail ***/

static bool
is_ok(const struct reply *r)
{
	return r->code / 100 == 2;
}

/*
 * The verdict on recipient K and the words for it in TEXT.  CROWDED: an
 * earlier recipient of the transaction was accepted, so that 552 means "too
 * many" (RFC 5321 4.5.3.1.10).
 */
static enum verdict
judge(const struct smtp_client_result_set *r, size_t k, bool crowded,
    char *text)
{
	const struct reply *rcpt = &r->rcpt[k].reply, *said = NULL;
	enum verdict verdict = VERDICT_DEFERRED;
	char raw[REPLY_TEXT_MAX + 32];

	if (r->mail.code != 0 && !is_ok(&r->mail))
		said = &r->mail;
	else if (rcpt->code != 0 && !is_ok(rcpt)) {
		said = rcpt;
		if (rcpt->code != 552 || !crowded)
			verdict = reply_verdict(rcpt, REPLY_TO_RCPT);
	} else if (rcpt->code != 0 && r->end.code != 0) {
		said = &r->end;
		verdict = reply_verdict(&r->end, REPLY_TO_END);
	} else if (r->data.code != 0 && r->data.code / 100 != 3)
		said = &r->data;
	if (said == NULL) {
		plain(text, TEXT_MAX, r->error);
		return VERDICT_DEFERRED;
	}
	reply_print(said, raw, sizeof(raw));
	plain(text, TEXT_MAX, raw);
	return verdict;
}

/*
 * Removed, moved: nothing more is to be done for the message.  Now and then
 * that is made durable.
 */
static void
count_removed(struct flush *f)
{
	if (++f->removed < SYNC_EVERY)
		return;
	f->removed = 0;
	if (spool_sync_domain(f->args->spool, f->domain) == -1)
		log_warn("%s: cannot sync; a message may be delivered twice "
		    "after a crash", f->domain);
}

static void
wait_on(struct flush *f, struct message *m)
{
	f->count->deferred++;
	if (m->entry.folder == SPOOL_NEW &&
	    message_move(f->args->spool, m, SPOOL_CUR) == -1)
		log_warn("%s: cannot mark as tried", m->entry.id);
}

/*
 * What settle() left to the removal that failed: without the marks each run
 * would deliver the message again.
 */
static void
mark_delivered(struct message *m)
{
	struct recipient *r = m->envelope.rcpt;
	size_t i;

	for (i = 0; i < m->envelope.nrcpt; i++) {
		if (r[i].status != RCPT_DELIVERED)
			continue;
		r[i].status = RCPT_PENDING;
		if (message_mark(m, i, RCPT_DELIVERED) == -1)
			break;
	}
	if (i < m->envelope.nrcpt || message_sync(m) == -1)
		log_warn("%s: cannot mark recipients; possible duplicate",
		    m->entry.id);
}

/* Nobody pending and nobody to tell: out of the queue. */
static void
let_go(struct flush *f, struct message *m)
{
	enum spool_folder folder = SPOOL_SENT;
	int error;

	if (envelope_count(&m->envelope, RCPT_REPORTED) > 0 ||
	    envelope_count(&m->envelope, RCPT_FAILED) > 0)
		folder = SPOOL_EXPIRED;
	if (f->settings.keep > 0 || dsn_is_silenced(&m->envelope))
		error = message_move(f->args->spool, m, folder);
	else
		error = message_remove(f->args->spool, m);
	if (error == -1) {
		log_warn("%s: cannot leave the queue", m->entry.id);
		mark_delivered(m);
		f->count->deferred++;
		return;
	}
	if (folder == SPOOL_SENT)
		f->count->delivered++;
	count_removed(f);
}

static void
hold(struct flush *f, struct message *m)
{
	struct spool *sp = f->args->spool;

	if (ledger_hold(sp, f->domain, m->entry.id, 0,
	    "refused; \"bounce no\"") == -1 ||
	    message_move(sp, m, SPOOL_HELD) == -1) {
		log_warn("%s: cannot be put on hold", m->entry.id);
		f->count->deferred++;
		return;
	}
	log_info("held id=%s domain=%s reason=\"refused; bounce no\"",
	    m->entry.id, f->domain);
	count_removed(f);
}

/* Tells the sender what is to be told, then decides where the message goes. */
static void
finish(struct flush *f, struct message *m)
{
	bool failed = envelope_count(&m->envelope, RCPT_FAILED) > 0;
	bool pending = envelope_count(&m->envelope, RCPT_PENDING) > 0;
	bool relayed = envelope_count(&m->envelope, RCPT_RELAYED) > 0;

	if (failed)
		f->count->failed++;
	/* One that was tried before may have a report left by a crash. */
	if ((failed || relayed || m->remembered) &&
	    dsn_send(f->args->conf, f->args->spool, m, f->settings.bounce ?
	    DSN_REFUSED : DSN_RELAYED) == DSN_LATER) {
		log_warn("%s: cannot report to the sender yet", m->entry.id);
		pending = true;
	}
	if (pending)
		wait_on(f, m);
	else if (failed && !f->settings.bounce)
		hold(f, m);
	else
		let_go(f, m);
}

/* Does the sender wait for a word on I, which only we can give now? */
static bool
is_relayed(const struct flush *f, const struct message *m, size_t i)
{
	return !f->dsn && dsn_wants_relayed(&m->envelope, i);
}

/* Marks on disk what the verdicts say: V[k] for r->rcpt[k]. */
static int
mark(const struct flush *f, struct message *m,
    const struct smtp_client_result_set *r, const enum verdict *v)
{
	enum rcpt_status status;
	bool changed = false;
	size_t k;

	for (k = 0; k < r->nrcpt; k++) {
		if (v[k] == VERDICT_DEFERRED)
			continue;
		changed = true;
		status = RCPT_FAILED;
		if (v[k] == VERDICT_DELIVERED)
			status = is_relayed(f, m, r->rcpt[k].index) ?
			    RCPT_RELAYED : RCPT_DELIVERED;
		if (message_mark(m, r->rcpt[k].index, status) == -1)
			return -1;
	}
	return changed ? message_sync(m) : 0;
}

struct tally {
	size_t delivered, failed, deferred;
	size_t relayed;		/* of those delivered */
	bool again;		/* some were too many for this transaction */
	char text[TEXT_MAX];	/* for the last one, deferred ones first */
};

/*
 * The verdicts into V.  A refusal whose words cannot be kept is none: the
 * report to the sender would lack its reason.
 */
static void
weigh(struct flush *f, struct message *m,
    const struct smtp_client_result_set *r, enum verdict *v, struct tally *t)
{
	bool crowded = false, relayed;
	char text[TEXT_MAX];
	size_t i, k;

	memset(t, 0, sizeof(*t));
	for (k = 0; k < r->nrcpt; k++) {
		i = r->rcpt[k].index;
		v[k] = judge(r, k, crowded, text);
		learn_rcpt(f->learn, m->envelope.rcpt[i].address,
		    &r->rcpt[k].reply);
		if (is_ok(&r->rcpt[k].reply))
			crowded = true;
		relayed = v[k] == VERDICT_DELIVERED && is_relayed(f, m, i);
		t->relayed += relayed;
		if ((v[k] != VERDICT_DELIVERED || relayed) &&
		    message_reply_add(f->args->spool, m, i, text) == -1) {
			log_warn("%s: cannot keep a reply", m->entry.id);
			if (!relayed)
				v[k] = VERDICT_DEFERRED;
		}
		if (v[k] == VERDICT_DEFERRED) {
			t->deferred++;
			t->again = t->again || (crowded &&
			    (r->rcpt[k].reply.code == 452 ||
			    r->rcpt[k].reply.code == 552));
		} else if (v[k] == VERDICT_FAILED)
			t->failed++;
		else
			t->delivered++;
		if (v[k] == VERDICT_DEFERRED || t->deferred == 0)
			memcpy(t->text, text, sizeof(t->text));
		if (v[k] == VERDICT_FAILED)
			log_info("refused id=%s domain=%s host=\"%s\" "
			    "rcpt=%zu reply=\"%s\"", m->entry.id, f->domain,
			    f->peer, i + 1, unquote(text));
	}
	/* Without a delivery another transaction would fare no better. */
	t->again = t->again && t->delivered > 0;
}

/*
 * What the transaction means for the message, on disk before the next one.
 * True if the recipients that were too many are worth another one.
 */
static bool
settle(struct flush *f, struct message *m,
    const struct smtp_client_result_set *r, enum verdict *v)
{
	struct tally t;
	size_t k;

	weigh(f, m, r, v, &t);
	unquote(t.text);
	if (r->unsure)
		log_warnx("possible duplicate id=%s domain=%s host=\"%s\" "
		    "reason=\"%s\"", m->entry.id, f->domain, f->peer, t.text);
	if (t.delivered > 0)
		log_info("delivered id=%s domain=%s host=\"%s\" rcpts=%zu "
		    "bytes=%lld reply=\"%s\"", m->entry.id, f->domain, f->peer,
		    t.delivered, (long long)m->size, t.text);
	if (t.deferred > 0)
		log_info("deferred id=%s domain=%s host=\"%s\" rcpts=%zu "
		    "reason=\"%s\"", m->entry.id, f->domain, f->peer,
		    t.deferred, t.text);
	/* All that were left: the name goes, so the marks need not change. */
	if (t.delivered == r->nrcpt && t.relayed == 0 &&
	    envelope_count(&m->envelope, RCPT_RELAYED) == 0 &&
	    envelope_count(&m->envelope, RCPT_FAILED) == 0) {
		for (k = 0; k < r->nrcpt; k++)
			m->envelope.rcpt[r->rcpt[k].index].status =
			    RCPT_DELIVERED;
	} else if (mark(f, m, r, v) == -1) {
		log_warn("%s: cannot mark recipients; possible duplicate",
		    m->entry.id);
		wait_on(f, m);
		f->stop = true;
		return false;
	}
	if (t.again && !f->stop)
		return true;
	finish(f, m);
	return false;
}

/*** One message ***/

static void
pace(struct flush *f)
{
	int64_t now = deadline_now(), left;
	struct timespec ts;

	if (f->settings.rate <= 0)
		return;
	if ((left = f->next - now) > 0) {
		ts.tv_sec = (time_t)(left / 1000);
		ts.tv_nsec = (long)(left % 1000) * 1000000;
		(void)nanosleep(&ts, NULL);
		now = f->next;
	}
	f->next = now + (int64_t)(1000 / f->settings.rate);
}

enum sent {
	SENT,
	SENT_LOST,		/* no replies: no server was to be had */
	SENT_ASIDE		/* it takes a server with SMTPUTF8 */
};

/*
 * Sends to r's recipients.  A server that closes a connection between two
 * messages, or says 421 to the second MAIL, has nothing against the second:
 * it gets one more chance, on a new connection.
 */
static enum sent
transmit(struct flush *f, const struct message *m,
    struct smtp_client_result_set *r)
{
	enum smtp_client_result result;
	bool fresh;

	do {
		if (f->client == NULL && !connect_any(f)) {
			f->stop = true;
			f->losses = 0;
			if (!f->utf8)
				set_away(f);
			return SENT_LOST;
		}
		fresh = f->carried == 0;
		log_debug("sending id=%s to %s", m->entry.id, f->peer);
		f->dsn = (smtp_client_offers(f->client) & SMTP_OFFER_DSN) != 0;
		result = smtp_client_send(f->client, m, r);
		if (result == SMTP_CLIENT_UNABLE)
			return SENT_ASIDE;
		if (result == SMTP_CLIENT_OK) {
			f->carried++;
			f->losses = 0;
			return SENT;
		}
		(void)strlcpy(f->error, r->error, sizeof(f->error));
		log_debug("%s: lost %s: %s", f->domain, f->peer, r->error);
		hang_up(f);
	} while (!fresh && !r->unsure &&
	    (r->mail.code == 0 || r->mail.code == 421));
	/* The third message to lose its connection: it is not the message. */
	if (++f->losses >= LOSSES_MAX)
		f->stop = true;
	return SENT;
}

/* The pending recipients of M into R. */
static void
choose(const struct message *m, struct smtp_client_result_set *r)
{
	size_t i;

	r->nrcpt = 0;
	for (i = 0; i < m->envelope.nrcpt; i++)
		if (m->envelope.rcpt[i].status == RCPT_PENDING)
			r->rcpt[r->nrcpt++].index = i;
}

static void
send_message(struct flush *f, struct message *m)
{
	struct smtp_client_result_set r = { 0 };
	enum sent sent;
	enum verdict *v;

	r.rcpt = calloc(m->envelope.nrcpt, sizeof(*r.rcpt));
	v = calloc(m->envelope.nrcpt, sizeof(*v));
	if (r.rcpt == NULL || v == NULL) {
		log_warn("%s", m->entry.id);
		wait_on(f, m);
		goto out;
	}
	pace(f);
	do {
		choose(m, &r);
		sent = transmit(f, m, &r);
	} while (sent == SENT && settle(f, m, &r, v));
	if (sent == SENT_LOST)
		wait_on(f, m);
	f->aside = sent == SENT_ASIDE;
out:
	free(r.rcpt);
	free(v);
}

/* Our own words for why M's pending recipients did not get it. */
static bool
keep_words(struct flush *f, struct message *m, const char *text)
{
	bool kept = true;
	size_t i;

	for (i = 0; i < m->envelope.nrcpt; i++)
		if (m->envelope.rcpt[i].status == RCPT_PENDING &&
		    message_reply_add(f->args->spool, m, i, text) == -1)
			kept = false;
	if (!kept)
		log_warn("%s: cannot keep a reply", m->entry.id);
	return kept;
}

/* RFC 1870 6.1: what the server said it would not take is not sent. */
static bool
fits(struct flush *f, struct message *m)
{
	char text[TEXT_MAX];
	int64_t limit;

	limit = f->client != NULL ? smtp_client_size_limit(f->client) : 0;
	if (limit == 0 || m->size <= limit)
		return true;
	(void)snprintf(text, sizeof(text), REPORT_OURS "the message has %lld "
	    "octets and %s takes %lld", (long long)m->size, f->peer,
	    (long long)limit);
	(void)keep_words(f, m, text);
	log_info("deferred id=%s domain=%s host=\"%s\" reason=\"%s\"",
	    m->entry.id, f->domain, f->peer, text);
	return false;
}

/*
 * Not to be sent without SMTPUTF8, and nobody offers it (RFC 6531 3.2).  That
 * is the end of it where each server of the domain has said so, and the domain
 * has been up for so long that they are what they are meant to be: one that
 * has just been put back may still lack something.
 */
static void
deny(struct flush *f, struct message *m)
{
	char text[TEXT_MAX];
	size_t i;
	bool final;

	final = f->unable && f->state.state == DOMAIN_UP &&
	    f->state.since > 0 && f->state.since + UP_LONG <= time(NULL);
	if (final)
		(void)snprintf(text, sizeof(text), REPORT_OURS "5.6.7 it "
		    "needs SMTPUTF8, and no server of %s offers that",
		    f->domain);
	else
		(void)snprintf(text, sizeof(text), REPORT_OURS "it needs "
		    "SMTPUTF8: %s", f->error);
	final = keep_words(f, m, text) && final;
	log_info("%s id=%s domain=%s reason=\"%s\"", final ? "refused" :
	    "deferred", m->entry.id, f->domain, unquote(text));
	if (!final) {
		wait_on(f, m);
		return;
	}
	for (i = 0; i < m->envelope.nrcpt; i++)
		if (m->envelope.rcpt[i].status == RCPT_PENDING &&
		    message_mark(m, i, RCPT_FAILED) == -1)
			break;
	if (i == m->envelope.nrcpt && message_sync(m) == 0) {
		finish(f, m);
		return;
	}
	log_warn("%s: cannot mark recipients", m->entry.id);
	wait_on(f, m);
	f->stop = true;
}

static void
one_message(struct flush *f, const struct scan_entry *e)
{
	struct message m;
	const char *why = "";

	switch (message_open(f->args->spool, f->domain, e, true, &m,
	    &why)) {
	case MESSAGE_OPENED:
		break;
	case MESSAGE_GONE:
	case MESSAGE_VOIDED:
		return;
	case MESSAGE_BUSY:
		f->count->deferred++;
		return;
	case MESSAGE_DAMAGED:
		log_warnx("damaged id=%s domain=%s reason=\"%s\": kept, not "
		    "delivered", e->id, f->domain, why);
		f->count->unread++;
		return;
	case MESSAGE_ERROR:
		log_warn("%s: cannot be opened", e->id);
		f->count->unread++;
		return;
	}
	/* A crash came between the last verdict and its consequence. */
	if (envelope_count(&m.envelope, RCPT_PENDING) == 0) {
		m.remembered = true;
		finish(f, &m);
	} else if (f->denied)
		deny(f, &m);
	else if (!fits(f, &m))
		wait_on(f, &m);
	else
		send_message(f, &m);
	message_close(&m);
}

/*** All of them ***/

static bool
is_wanted(const struct flush *f, const struct scan_entry *e)
{
	const char *const *id;

	if (f->args->ids == NULL)
		return true;
	for (id = f->args->ids; *id != NULL; id++)
		if (msgid_matches(e->id, *id))
			return true;
	return false;
}

/* Has the operator put the domain on hold meanwhile? */
static bool
is_held_now(struct flush *f)
{
	int64_t now = deadline_now();
	struct domain d;

	if (now < f->look)
		return false;
	f->look = now + LOOK_EVERY;
	return ledger_load(f->args->spool, f->domain, &d) == 0 &&
	    d.state == DOMAIN_HELD;
}

/* What takes a server with SMTPUTF8, which the first that answered is not. */
static void
drain_aside(struct flush *f, const struct scan_entry *e, size_t n)
{
	size_t done = 0;

	hang_up(f);
	f->utf8 = true;
	f->denied = !connect_any(f);
	while (done < n && !f->stop && !is_held_now(f))
		one_message(f, &e[done++]);
	f->count->deferred += n - done;
}

static void
drain(struct flush *f, struct scan_entry *e, size_t n)
{
	const struct deliver_args *args = f->args;
	size_t aside = 0, done = 0, i, total = 0;

	for (i = 0; i < n; i++)
		if (is_wanted(f, &e[i]))
			e[total++] = e[i];
	if (args->dry) {
		log_info("would deliver domain=%s host=\"%s\" messages=%zu",
		    f->domain, f->peer, total);
		f->count->deferred = total;
		return;
	}
	while (done < total && !f->stop && !is_held_now(f)) {
		f->aside = false;
		one_message(f, &e[done++]);
		if (f->aside)
			e[aside++] = e[done - 1];
		if (args->progress != NULL)
			args->progress(args->progress_arg, f->domain, done,
			    total);
	}
	f->count->deferred += total - done;
	if (f->losses > 0)
		(void)strlcpy(f->state.error, f->error,
		    sizeof(f->state.error));
	if (f->losses > 0)
		save(f);
	if (f->stop)
		f->count->deferred += aside;
	else if (aside > 0)
		drain_aside(f, e, aside);
	if (f->removed > 0 && spool_sync_domain(args->spool, f->domain) == -1)
		log_warn("%s: cannot sync", f->domain);
}

/* A hold that has run out is over.  True while it has not. */
static bool
is_held(struct flush *f)
{
	struct spool *sp = f->args->spool;

	if (f->state.state != DOMAIN_HELD)
		return false;
	if (f->state.held_until == 0 || f->state.held_until > time(NULL))
		return true;
	if (f->args->dry)
		return false;
	if (ledger_release(sp, f->domain, NULL) == -1 ||
	    ledger_load(sp, f->domain, &f->state) == -1) {
		log_warn("%s: cannot end its hold", f->domain);
		return true;
	}
	return f->state.state == DOMAIN_HELD;
}

/*
 * Reports go to domains that are not ours: by their MX records, whatever
 * route ours have by default, and one that is refused ends there.
 */
static void
as_stranger(struct settings *s)
{
	s->nroute = 0;
	s->bounce = true;
	s->keep = 0;
}

static int
flush_domain(struct flush *f)
{
	const struct deliver_args *args = f->args;
	char error[CONF_ERROR_MAX];
	struct scan_entry *e = NULL;
	enum conf_match ours;
	size_t n = 0;

	if (ledger_load(args->spool, f->domain, &f->state) == -1) {
		log_warn("%s: cannot read the domain's state", f->domain);
		return -1;
	}
	if (is_held(f)) {
		log_debug("%s: on hold", f->domain);
		return 0;
	}
	ours = conf_domain(args->conf, f->domain, &f->settings, NULL, error);
	if (ours == CONF_NO)
		as_stranger(&f->settings);
	if (ours == CONF_BROKEN) {
		log_warnx("%s", error);
		return -1;
	}
	if (!probe(f, ours == CONF_YES))
		return 0;
	if (scan_sorted(args->spool, f->domain, SCAN_WAITING, &e, &n) == -1) {
		log_warn("%s: cannot read the queue", f->domain);
		return -1;
	}
	if (ours == CONF_YES)
		f->learn = learn_new();
	drain(f, e, n);
	free(e);
	if (learn_save(f->learn, args->spool, f->domain, time(NULL)) == -1)
		log_warn("%s: cannot note its recipients", f->domain);
	return 0;
}

/* Does anything wait of what was asked for?  1, 0, or -1 with errno. */
static int
is_waiting(const struct deliver_args *args, const char *domain)
{
	const char *const *id = args->ids;
	struct scan_found found;
	int waiting;

	if (id == NULL)
		return scan_waiting(args->spool, domain);
	for (; *id != NULL; id++) {
		waiting = scan_find_in(args->spool, domain, *id, &found);
		if (waiting == -1 || (waiting == 1 &&
		    ((1 << found.entry.folder) & SCAN_WAITING) != 0))
			return waiting;
	}
	return 0;
}

int
deliver_domain(const struct deliver_args *args, const char *domain,
    struct deliver_count *count)
{
	int lock = -1, result = -1, waiting;
	struct flush *f;

	memset(count, 0, sizeof(*count));
	count->waiting = true;
	if ((f = calloc(1, sizeof(*f))) == NULL) {
		log_warn("%s", domain);
		return -1;
	}
	f->args = args;
	f->domain = domain;
	f->count = count;
	waiting = scan_waiting(args->spool, domain);
	if (waiting <= 0) {
		count->waiting = waiting == -1;
		result = waiting;
		goto out;
	}
	if (!args->dry)
		lock = ledger_lock(args->spool, domain);
	if (!args->dry && lock == -1) {
		count->busy = errno == EWOULDBLOCK;
		result = count->busy ? 0 : -1;
		goto out;
	}
	result = flush_domain(f);
	hang_up(f);
	waiting = is_waiting(args, domain);
	count->waiting = waiting != 0;
out:
	if (result == -1 || waiting == -1)
		log_warnx("%s: its part of the spool is in trouble", domain);
	if (lock != -1)
		close(lock);
	learn_free(f->learn);
	free(f);
	return waiting == -1 ? -1 : result;
}
