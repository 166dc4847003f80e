/* SPDX-License-Identifier: ISC */
#include "text.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "deadline.h"
#include "envelope.h"
#include "log.h"
#include "plain.h"

#define REPLY_MAX	512	/* RFC 5321 4.5.3.1.5, its end included */
#define PROGRESS	1024	/* octets that earn a new deadline in DATA */
#define CHUNK_DIGITS	18	/* of BDAT: what surely does not overflow */

/* RFC 3848 and RFC 6531 3.7.3. */
static const char *
protocol(const struct session *s)
{
	if (!s->extended || s->old_client)
		return "SMTP";
	if (s->tx.mail.smtputf8)
		return s->tls != NULL ? "UTF8SMTPS" : "UTF8SMTP";
	return s->tls != NULL ? "ESMTPS" : "ESMTP";
}

/* NULL, or what to answer. */
static const char *
begin_message(struct session *s)
{
	const struct transaction *tx = &s->tx;
	struct incoming_from from = {
		.spool = s->spool,
		.peer = &s->peer,
		.hostname = s->conf->hostname,
		.helo = s->helo,
		.protocol = protocol(s),
		.tls = s->tls_text,
		.sender = &tx->sender,
		.params = tx->mail.text,
		.rcpt = tx->rcpt,
		.nrcpt = tx->nrcpt,
		.max_size = s->conf->max_size,
		.passed_size = tx->limit
	};

	if ((s->tx.in = incoming_open(&from)) != NULL)
		return NULL;
	log_warn("cannot begin a message of client=[%s]", s->peer.addr);
	s->broken = true;
	return serve_storage_answer(errno);
}

/* NULL if the message may be kept. */
static const char *
fault_answer(const struct incoming *in)
{
	switch (incoming_fault(in)) {
	case INCOMING_GOOD:
		return NULL;
	case INCOMING_TOO_BIG:
		return R_TOO_BIG;
	case INCOMING_NUL:
		return R_NUL_TEXT;
	case INCOMING_BARE:
		return R_BARE_TEXT;
	case INCOMING_HOPS:
		return R_HOPS;
	case INCOMING_STORAGE:
		return serve_storage_answer(incoming_error(in));
	}
	return R_TROUBLE;
}

static void
log_accepted(struct session *s, const struct incoming *in)
{
	char from[ADDR_MAX * 2], to[ADDR_MAX * 2];

	(void)plain(from, sizeof(from), s->tx.sender.text);
	for (size_t i = 0; i < incoming_copies(in); i++) {
		const struct envelope *e = incoming_envelope(in, i);

		log_info("accepted id=%s domain=%s client=[%s] helo=%s "
		    "from=<%s> to=<%s> rcpts=%zu bytes=%" PRId64 "%s%s",
		    incoming_id(in, i), e->domain, s->peer.addr, s->helo,
		    from, plain(to, sizeof(to), e->rcpt[0].address), e->nrcpt,
		    incoming_octets(in), s->tls != NULL ? " tls=" : "",
		    s->tls != NULL ? tls_protocol(s->tls) : "");
	}
}

/* Gives back what the first N copies took of their domains' quotas. */
static void
give_room(struct session *s, const struct incoming *in, size_t n)
{
	for (size_t i = 0; i < n; i++)
		policy_give(s->policy, incoming_envelope(in, i)->domain,
		    incoming_size(in, i));
}

/* NULL, or what to answer if a domain's quota has no room for its copy. */
static const char *
take_room(struct session *s, const struct incoming *in)
{
	enum policy_verdict verdict;

	for (size_t i = 0; i < incoming_copies(in); i++) {
		verdict = policy_take(s->policy,
		    incoming_envelope(in, i)->domain, incoming_size(in, i));
		if (verdict != POLICY_ACCEPT) {
			give_room(s, in, i);
			return serve_verdict_answer(verdict);
		}
	}
	return NULL;
}

/* As many of the ids as a line of a reply holds (RFC 5321 4.5.3.1.5). */
static void
say_kept(struct session *s, const struct incoming *in)
{
	size_t used = strlen(R_KEPT "\r\n");

	(void)stream_printf(s->io, R_KEPT);
	for (size_t i = 0; i < incoming_copies(in) && i < 4; i++) {
		used += strlen(incoming_id(in, i)) + 1;
		if (used > REPLY_MAX)
			break;
		(void)stream_printf(s->io, " %s", incoming_id(in, i));
	}
	(void)stream_printf(s->io, "\r\n");
}

static void
accept_message(struct session *s, struct incoming *in)
{
	const char *problem = take_room(s, in);

	if (problem != NULL) {
		log_info("refused client=[%s] bytes=%" PRId64 " reply=\"%s\"",
		    s->peer.addr, incoming_octets(in), problem);
		serve_answer(s, problem);
		return;
	}
	if (incoming_commit(in) == -1) {
		log_warn("cannot store a message of client=[%s]",
		    s->peer.addr);
		s->broken = true;
		serve_answer(s, serve_storage_answer(errno));
		give_room(s, in, incoming_copies(in));
		return;
	}
	/* From here on the mail is safe. */
	say_kept(s, in);
	if (stream_flush(s->io) == -1)
		log_info("client=[%s] left before it heard that id=%s is kept",
		    s->peer.addr, incoming_id(in, 0));
	log_accepted(s, in);
	for (size_t i = 0; s->tx.wakes && !s->unheard &&
	    i < incoming_copies(in); i++)
		s->unheard = spool_trigger(s->spool,
		    incoming_envelope(in, i)->domain, SPOOL_NEW_MAIL) == -1;
}

static void
log_refused(struct session *s, const struct incoming *in, const char *problem)
{
	if (incoming_fault(in) == INCOMING_STORAGE) {
		errno = incoming_error(in);
		log_warn("cannot write a message of client=[%s]",
		    s->peer.addr);
		s->broken = true;
	}
	log_info("refused client=[%s] bytes=%" PRId64 " reply=\"%s\"",
	    s->peer.addr, incoming_octets(in), problem);
}

static void
end_message(struct session *s)
{
	const char *problem = fault_answer(s->tx.in);

	if (problem == NULL)
		accept_message(s, s->tx.in);
	else {
		log_refused(s, s->tx.in, problem);
		serve_answer(s, problem);
	}
	transaction_clear(&s->tx);
}

/* Text on its way, and the pace it has to keep. */
struct pace {
	int64_t began;
	int64_t octets;
	size_t progress;	/* since the deadline was set */
};

static void
pace_begin(struct pace *p)
{
	p->began = deadline_now();
	p->octets = 0;
	p->progress = PROGRESS;
}

/*
 * A client has the time of one "receive" for each KiB, not for each octet,
 * and one more on the whole, beside what "min-rate" gives it.
 */
static void
pace_keep(struct session *s, struct pace *p, size_t used)
{
	int64_t most = s->conf->timeout.receive, rate = s->conf->min_rate;
	int64_t until = deadline_in(most);

	p->octets += (int64_t)used;
	p->progress += used;
	if (p->progress < PROGRESS)
		return;
	p->progress = 0;
	if (rate > 0 && p->octets < INT64_MAX / 2000)
		until = deadline_min(until, p->began + most +
		    p->octets * 1000 / rate);
	stream_deadline(s->io, deadline_min(s->end, until));
}

/* Reads up to the end of the message, whatever becomes of it. */
static enum stream_got
receive(struct session *s)
{
	const char *data;
	size_t len, used;
	struct pace pace;
	enum stream_got got;
	bool done = false;

	pace_begin(&pace);
	for (used = 0; !done; stream_skip(s->io, used)) {
		pace_keep(s, &pace, used);
		if ((got = stream_data(s->io, &data, &len)) != STREAM_LINE)
			return got;
		used = incoming_data(s->tx.in, data, len, &done);
	}
	return STREAM_LINE;
}

void
text_data(struct session *s, char *arg)
{
	const char *problem;
	enum stream_got got;

	(void)arg;
	if (s->tx.in != NULL || s->tx.spoiled != NULL) {
		serve_answer(s, s->tx.spoiled != NULL ? R_SPOILED :
		    R_IN_CHUNKS);
		return;
	}
	if (s->tx.nrcpt == 0) {
		serve_answer(s, R_NO_RECIPIENT);
		return;
	}
	if ((problem = begin_message(s)) != NULL) {
		serve_answer(s, problem);
		transaction_clear(&s->tx);
		return;
	}
	serve_answer(s, R_DATA);
	if ((got = receive(s)) == STREAM_LINE)
		end_message(s);
	else {
		transaction_clear(&s->tx);
		serve_lost(s, got, "in a message");
	}
}

/* "octets" or "octets LAST" (RFC 3030); false if it is not that. */
static bool
parse_chunk(const char *arg, int64_t *octets, bool *last)
{
	size_t digits = strspn(arg, "0123456789");

	if (digits == 0 || digits > CHUNK_DIGITS)
		return false;
	*octets = 0;
	for (size_t i = 0; i < digits; i++)
		*octets = *octets * 10 + (arg[i] - '0');
	arg += digits;
	*last = *arg == ' ' &&
	    strcasecmp(arg + strspn(arg, " "), "LAST") == 0;
	return *last || *arg == '\0';
}

/* Reads the chunk; TAKE says whether it goes into the message. */
static enum stream_got
receive_chunk(struct session *s, int64_t left, bool take)
{
	const char *data;
	struct pace pace;
	size_t len, used = 0;
	enum stream_got got;

	pace_begin(&pace);
	while (left > 0) {
		pace_keep(s, &pace, used);
		if ((got = stream_data(s->io, &data, &len)) != STREAM_LINE)
			return got;
		used = left < (int64_t)len ? (size_t)left : len;
		if (take)
			incoming_chunk(s->tx.in, data, used);
		stream_skip(s->io, used);
		left -= (int64_t)used;
	}
	return STREAM_LINE;
}

/*
 * NULL if a chunk may come now.  What follows one that was refused is refused
 * with the same words: who looks at the last reply alone is not to take what
 * will pass for what is for good.
 */
static const char *
chunk_problem(const struct session *s)
{
	if (s->helo[0] == '\0')
		return R_HELO_FIRST;
	if (!s->tx.open)
		return R_MAIL_FIRST;
	if (s->tx.spoiled != NULL)
		return s->tx.spoiled;
	return s->tx.nrcpt == 0 ? R_NO_RECIPIENT : NULL;
}

/* After the last chunk nothing is left of a transaction, as after DATA. */
static void
refuse_chunk(struct session *s, const char *problem, bool last)
{
	serve_answer(s, problem);
	incoming_close(s->tx.in);
	s->tx.in = NULL;
	if (last)
		transaction_clear(&s->tx);
	else if (s->tx.open)
		s->tx.spoiled = problem;
}

static void
end_chunk(struct session *s, bool last)
{
	const char *problem;

	if (last) {
		incoming_chunks_end(s->tx.in);
		end_message(s);
	} else if ((problem = fault_answer(s->tx.in)) == NULL)
		serve_answer(s, R_CHUNK);
	else {
		log_refused(s, s->tx.in, problem);
		refuse_chunk(s, problem, last);
	}
}

/* A chunk that is not wanted is read away all the same, and answered then. */
void
text_bdat(struct session *s, char *arg)
{
	const char *problem;
	enum stream_got got;
	int64_t octets;
	bool last;

	if (!parse_chunk(arg, &octets, &last)) {
		/* Nobody knows where the next command begins. */
		s->errors++;
		serve_hang_up(s, R_BDAT_SYNTAX);
		return;
	}
	problem = chunk_problem(s);
	if (problem == NULL && s->tx.in == NULL)
		problem = begin_message(s);
	got = receive_chunk(s, octets, problem == NULL);
	if (got != STREAM_LINE) {
		transaction_clear(&s->tx);
		serve_lost(s, got, "in a chunk");
	} else if (problem != NULL)
		refuse_chunk(s, problem, last);
	else
		end_chunk(s, last);
}
