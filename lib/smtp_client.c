/* SPDX-License-Identifier: ISC */
#include "smtp_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "deadline.h"
#include "dot.h"

#define RCPT_MAX	100	/* what any server takes (RFC 5321 4.5.3.1.8) */
#define REPLIES_MAX	400	/* not yet read, however small */
#define WINDOW_MAX	100
#define BLOCK		(64 * 1024)
#define FAR		5	/* milliseconds to wait for a reply */

/* A message in flight. */
struct flight {
	const struct message *m;
	struct smtp_client_result_set *r;
	bool chunked;		/* BDAT, not DATA */
	bool rset, forward;	/* what was said before its MAIL */
	bool written;		/* its verbs, up to DATA or BDAT */
	bool ended;		/* and the end of its text */
};

struct smtp_client {
	struct smtp_session s;
	int64_t window;
	int64_t mails;		/* MAIL commands said */
	bool proven;		/* a message went, one reply a command */
	bool far;		/* the last reply took a while to come */
	bool vague;		/* the status to its end was one of addresses */
	bool open_transaction;	/* MAIL was accepted and nothing ended it */
	size_t first, n;	/* of the ring */
	struct flight flight[WINDOW_MAX];
	char error[SMTP_ERROR_MAX];
	char in[BLOCK];
	char out[2 * BLOCK + 5];
};

static bool
is_ok(const struct reply *r)
{
	return r->code / 100 == 2;
}

/*** The session ***/

enum smtp_client_result
smtp_client_open(struct smtp_client **cp,
    const struct smtp_client_options *o, const struct sockaddr *addr,
    socklen_t len, char *error)
{
	enum smtp_client_result result;
	struct smtp_client *c;

	*cp = NULL;
	/* Not calloc: untouched pages of the buffers cost nothing. */
	if ((c = malloc(sizeof(*c))) == NULL) {
		(void)snprintf(error, SMTP_ERROR_MAX, "%s", strerror(errno));
		if (o->fd != -1)
			close(o->fd);
		return SMTP_CLIENT_LOST;
	}
	memset(c, 0, offsetof(struct smtp_client, flight));
	c->window = o->window < WINDOW_MAX ? o->window : WINDOW_MAX;
	result = smtp_session_open(&c->s, o, addr, len, error);
	c->s.wire.error = c->error;
	if (result == SMTP_CLIENT_OK)
		*cp = c;
	else
		smtp_client_close(c);
	return result;
}

void
smtp_client_close(struct smtp_client *c)
{
	if (c == NULL)
		return;
	/* With replies still to come there is no word that would be heard. */
	if (c->n > 0)
		c->s.wire.over = true;
	smtp_session_clear(&c->s);
	free(c);
}

void
smtp_client_abandon(struct smtp_client *c)
{
	if (c != NULL)
		c->s.wire.over = true;
	smtp_client_close(c);
}

unsigned
smtp_client_offers(const struct smtp_client *c)
{
	return c->s.offers;
}

int64_t
smtp_client_size_limit(const struct smtp_client *c)
{
	return c->s.size_limit;
}

const char *
smtp_client_ehlo(const struct smtp_client *c)
{
	return c->s.ehlo;
}

struct tls *
smtp_client_tls(const struct smtp_client *c)
{
	return c->s.wire.tls;
}

size_t
smtp_client_rcpt_max(const struct smtp_client *c)
{
	if (c->s.rcpt_max > 0 && c->s.rcpt_max < RCPT_MAX)
		return (size_t)c->s.rcpt_max;
	return RCPT_MAX;
}

bool
smtp_client_is_confused(const struct smtp_client *c)
{
	return c->s.wire.out_of_step;
}

bool
smtp_client_speaks(const struct smtp_client *c)
{
	return c->s.speaks_for;
}

bool
smtp_client_takes(const struct smtp_client *c, const struct envelope *e)
{
	return smtp_params_lack(&c->s, e, 0) == SMTP_LACKS_NOTHING;
}

bool
smtp_client_lacks(const struct smtp_client *c, enum smtp_lack lack)
{
	return smtp_params_lacks(&c->s, lack);
}

static bool
is_pipelined(const struct smtp_client *c)
{
	return (c->s.offers & SMTP_OFFER_PIPELINING) != 0;
}

static bool
is_chunked(const struct smtp_client *c)
{
	return (c->s.offers & SMTP_OFFER_CHUNKING) != 0;
}

/*** What is said ***/

static struct smtp_step
step_of(const char *name, int64_t timeout)
{
	return (struct smtp_step){ name, timeout };
}

/* RSET and XFORWARD if they are due, MAIL. */
static int
write_mail(struct smtp_client *c, struct flight *f)
{
	struct stream *out = c->s.wire.stream;
	char forward[SMTP_FORWARD_MAX];
	int error = 0;

	stream_deadline(out, deadline_in(c->s.conf->timeout.mail));
	c->mails++;
	smtp_session_forward(&c->s, &f->m->envelope, forward);
	f->forward = forward[0] != '\0';
	if (f->rset)
		error |= stream_write(out, "RSET\r\n", 6);
	if (f->forward)
		error |= stream_write(out, forward, strlen(forward));
	return error | smtp_params_mail(&c->s, &f->m->envelope, f->m->size);
}

static int
write_rcpt(struct smtp_client *c, const struct flight *f, size_t k)
{
	return smtp_params_rcpt(&c->s,
	    &f->m->envelope.rcpt[f->r->rcpt[k].index]);
}

/*
 * All verbs as one group (RFC 2920 3.1).  RSET: it is not certain that the
 * server is done with what came before.
 */
static bool
write_group(struct smtp_client *c, struct flight *f, bool rset)
{
	const struct smtp_step step = step_of("MAIL", c->s.conf->timeout.mail);
	int error;
	size_t k;

	f->written = true;
	f->rset = rset;
	error = write_mail(c, f);
	for (k = 0; k < f->r->nrcpt; k++)
		error |= write_rcpt(c, f, k);
	if (!f->chunked)
		error |= stream_write(c->s.wire.stream, "DATA\r\n", 6);
	return error == 0 || smtp_wire_lost_errno(&c->s.wire, &step);
}

/* The text in one chunk, as it is in the spool. */
static bool
put_chunk(struct smtp_client *c, struct flight *f)
{
	const struct smtp_step step = step_of("the text",
	    c->s.conf->timeout.block);

	stream_deadline(c->s.wire.stream, deadline_in(step.timeout));
	if (stream_printf(c->s.wire.stream, "BDAT %lld LAST\r\n",
	    (long long)f->m->size) == -1)
		return smtp_wire_lost_errno(&c->s.wire, &step);
	if (!smtp_wire_file(&c->s.wire, &step, f->m->fd, f->m->offset,
	    f->m->size))
		return false;
	f->ended = !c->s.wire.gone;
	return true;
}

/* At most a block of the text at OFFSET into c->in: its length, or -1. */
static ssize_t
read_text(struct smtp_client *c, const struct message *m, int64_t offset)
{
	const struct smtp_step step = step_of("the message in the spool", 0);
	int64_t want = m->size - offset;
	ssize_t n;

	if (want > BLOCK)
		want = BLOCK;
	if (want == 0)
		return 0;
	while ((n = pread(m->fd, c->in, (size_t)want, m->offset + offset)) ==
	    -1 && errno == EINTR)
		continue;
	if (n > 0)
		return n;
	/* Without its end the server throws the text away (RFC 5321 4.1.4). */
	smtp_wire_lost(&c->s.wire, &step, n == 0 ? "too short:" :
	    "cannot read");
	return -1;
}

/* The text and its dot. */
static bool
put_text(struct smtp_client *c, struct flight *f)
{
	const struct smtp_step step = step_of("the text",
	    c->s.conf->timeout.block);
	struct dot_encoder dots;
	int64_t offset = 0;
	size_t len;
	ssize_t n;

	dot_encoder_init(&dots);
	do {
		if ((n = read_text(c, f->m, offset)) == -1)
			return false;
		offset += n;
		len = dot_encode(&dots, c->in, (size_t)n, c->out);
		if (offset == f->m->size)
			len += dot_encode_end(&dots, c->out + len);
		stream_deadline(c->s.wire.stream, deadline_in(step.timeout));
		if (stream_write(c->s.wire.stream, c->out, len) == -1)
			return smtp_wire_lost_errno(&c->s.wire, &step);
	} while (offset < f->m->size && !c->s.wire.gone);
	f->ended = !c->s.wire.gone;
	return true;
}

/*** What is answered ***/

static bool
get_mail(struct smtp_client *c, struct flight *f)
{
	const struct smtp_step step = step_of("MAIL", c->s.conf->timeout.mail);

	if (!smtp_wire_get(&c->s.wire, &step, &f->r->mail))
		return false;
	if (f->r->mail.code / 100 == 3)
		return smtp_wire_lost_step(&c->s.wire, &step);
	if (is_ok(&f->r->mail))
		c->open_transaction = true;
	return true;
}

static bool
get_rcpt(struct smtp_client *c, struct flight *f, size_t k)
{
	const struct smtp_step step = step_of("RCPT", c->s.conf->timeout.rcpt);

	if (!smtp_wire_get(&c->s.wire, &step, &f->r->rcpt[k].reply))
		return false;
	return f->r->rcpt[k].reply.code / 100 != 3 ||
	    smtp_wire_lost_step(&c->s.wire, &step);
}

static bool
get_data(struct smtp_client *c, struct flight *f)
{
	const struct smtp_step step = step_of("DATA", c->s.conf->timeout.data);

	if (!smtp_wire_get(&c->s.wire, &step, &f->r->data))
		return false;
	/*
	 * Only 3xx can be an answer to DATA: after a 2xx our count of
	 * replies and the server's differ, and a reply to something else
	 * could be taken for the one to the end of the text.
	 */
	if (is_ok(&f->r->data) || (f->r->data.code / 100 == 3 &&
	    smtp_wire_pending(&c->s.wire) > 0))
		return smtp_wire_lost_step(&c->s.wire, &step);
	return true;
}

/* To RSET, which no server has a reason to refuse. */
static bool
get_reset(struct smtp_client *c)
{
	const struct smtp_step step = step_of("RSET", c->s.conf->timeout.mail);
	struct reply r;

	if (!smtp_wire_get(&c->s.wire, &step, &r))
		return false;
	c->open_transaction = false;
	if (is_ok(&r))
		return true;
	/* From one that has lost count before it is another's reply. */
	if (r.code / 100 == 3 || c->window == 0)
		return smtp_wire_lost_step(&c->s.wire, &step);
	/* Whether the transaction is over is not known; the session is. */
	return smtp_wire_lost(&c->s.wire, &step, "refused:");
}

/* Whether it wants to know our client is the server's own affair. */
static bool
get_forward(struct smtp_client *c)
{
	const struct smtp_step step = step_of("XFORWARD",
	    c->s.conf->timeout.mail);
	struct reply r;

	if (!smtp_wire_get(&c->s.wire, &step, &r))
		return false;
	return r.code / 100 != 3 || smtp_wire_lost_step(&c->s.wire, &step);
}

static bool
get_end(struct smtp_client *c, struct flight *f)
{
	const struct smtp_step step = step_of("the end of the text",
	    c->s.conf->timeout.dot);
	bool good;

	good = smtp_wire_get(&c->s.wire, &step, &f->r->end);
	c->open_transaction = false;
	if (good && f->r->end.code / 100 == 3)
		return smtp_wire_lost_step(&c->s.wire, &step);
	if (good && !f->ended) {
		/* Whatever that answered, it was not all of the text. */
		smtp_wire_quote(&c->s.wire, &step, &f->r->end);
		c->s.wire.over = true;
		reply_init(&f->r->end);
		return false;
	}
	return good;
}

static size_t
count_accepted(const struct flight *f)
{
	size_t k, n = 0;

	for (k = 0; k < f->r->nrcpt; k++)
		n += is_ok(&f->r->rcpt[k].reply);
	return n;
}

/*
 * All replies to a chunk and its verbs may be 250: one too many would be taken
 * for the next one's.  RCPT's is known by its status (RFC 3463 3.2).
 */
static bool
is_in_step(struct smtp_client *c, const struct flight *f)
{
	const struct smtp_step step = step_of("the end of the text", 0);
	bool addresses = strncmp(f->r->end.status, "2.1.", 4) == 0;

	if (!c->proven)
		c->vague = addresses;
	if ((c->n == 1 && smtp_wire_pending(&c->s.wire) > 0) ||
	    (addresses && !c->vague))
		return smtp_wire_lost_step(&c->s.wire, &step);
	return true;
}

/*
 * To BDAT, which is what DATA and the end of data are together.  One that was
 * not understood, or came at the wrong time, says nothing of the message; and
 * after any refusal the transaction is in no certain state (RFC 3030 2).
 */
static bool
get_chunk(struct smtp_client *c, struct flight *f)
{
	bool was_open = c->open_transaction;

	if (!get_end(c, f) || !is_in_step(c, f))
		return false;
	c->open_transaction = was_open && !is_ok(&f->r->end);
	if (f->r->end.code < 500 || f->r->end.code > 504)
		return true;
	/* It offers what it does not know: DATA from now on. */
	f->r->reworded = count_accepted(f) > 0;
	if (f->r->reworded)
		c->s.offers &= ~(unsigned)SMTP_OFFER_CHUNKING;
	f->r->data = f->r->end;
	reply_init(&f->r->end);
	f->ended = false;
	return true;
}

/*** One message's turn ***/

/* The replies to a group, all of them, in order. */
static bool
get_group(struct smtp_client *c, struct flight *f)
{
	size_t k;

	if ((f->rset && !get_reset(c)) || (f->forward && !get_forward(c)) ||
	    !get_mail(c, f))
		return false;
	for (k = 0; k < f->r->nrcpt; k++)
		if (!get_rcpt(c, f, k))
			return false;
	return true;
}

/* A reply too many would be taken for the next one's. */
static bool
is_silent(struct smtp_client *c)
{
	const struct smtp_step step = step_of("RCPT", 0);

	return !smtp_wire_talks(&c->s.wire) ||
	    smtp_wire_lost_step(&c->s.wire, &step);
}

/* Up to the last RCPT, without PIPELINING. */
static bool
talk_in_turn(struct smtp_client *c, struct flight *f)
{
	const struct smtp_step step = step_of("RCPT", c->s.conf->timeout.rcpt);
	struct stream *out = c->s.wire.stream;
	char forward[SMTP_FORWARD_MAX];
	size_t k;

	smtp_session_forward(&c->s, &f->m->envelope, forward);
	stream_deadline(out, deadline_in(step.timeout));
	if (forward[0] != '\0' && (stream_write(out, forward,
	    strlen(forward)) == -1 || !get_forward(c)))
		return false;
	c->mails++;
	if (smtp_params_mail(&c->s, &f->m->envelope, f->m->size) == -1)
		return smtp_wire_lost_errno(&c->s.wire, &step);
	if (!get_mail(c, f))
		return false;
	for (k = 0; is_ok(&f->r->mail) && k < f->r->nrcpt; k++) {
		if (!is_silent(c))
			return false;
		if (write_rcpt(c, f, k) == -1)
			return smtp_wire_lost_errno(&c->s.wire, &step);
		if (!get_rcpt(c, f, k))
			return false;
	}
	return true;
}

static bool
say_data(struct smtp_client *c)
{
	const struct smtp_step step = step_of("DATA", c->s.conf->timeout.data);

	stream_deadline(c->s.wire.stream, deadline_in(step.timeout));
	return stream_write(c->s.wire.stream, "DATA\r\n", 6) == 0 ||
	    smtp_wire_lost_errno(&c->s.wire, &step);
}

/*
 * A server that says 354 although it took no recipient gets the lone dot
 * (RFC 2920 3.1); what it answers concerns nobody.
 */
static bool
put_lone_dot(struct smtp_client *c)
{
	const struct smtp_step step = step_of("the lone dot",
	    c->s.conf->timeout.dot);
	struct reply r;

	stream_deadline(c->s.wire.stream,
	    deadline_in(c->s.conf->timeout.block));
	if (stream_write(c->s.wire.stream, ".\r\n", 3) == -1)
		return smtp_wire_lost_errno(&c->s.wire, &step);
	c->open_transaction = false;
	return smtp_wire_get(&c->s.wire, &step, &r);
}

/* The text where DATA was answered 354, and the verbs of the message behind. */
static bool
finish_data(struct smtp_client *c, struct flight *f)
{
	struct flight *next = &c->flight[(c->first + 1) % WINDOW_MAX];

	if (f->r->data.code / 100 != 3)
		return true;
	if (!is_ok(&f->r->mail) || count_accepted(f) == 0)
		return put_lone_dot(c);
	if (!put_text(c, f))
		return false;
	if (c->n > 1 && !write_group(c, next, false))
		return false;
	return get_end(c, f);
}

static bool
converse(struct smtp_client *c, struct flight *f)
{
	if (is_pipelined(c)) {
		if (!f->written && !write_group(c, f, c->open_transaction))
			return false;
		if (!get_group(c, f) || (!f->chunked && !get_data(c, f))) {
			/* It may read one command and forget the others. */
			c->s.wire.out_of_step |= c->s.wire.late;
			return false;
		}
		return f->chunked ? get_chunk(c, f) : finish_data(c, f);
	}
	if (!talk_in_turn(c, f))
		return false;
	if (!is_ok(&f->r->mail) || count_accepted(f) == 0)
		return true;
	if (f->chunked)
		return is_silent(c) && put_chunk(c, f) && get_chunk(c, f);
	return is_silent(c) && say_data(c) && get_data(c, f) &&
	    finish_data(c, f);
}

static bool
reset(struct smtp_client *c)
{
	const struct smtp_step step = step_of("RSET", c->s.conf->timeout.mail);

	stream_deadline(c->s.wire.stream, deadline_in(step.timeout));
	if (stream_write(c->s.wire.stream, "RSET\r\n", 6) == -1)
		return smtp_wire_lost_errno(&c->s.wire, &step);
	return get_reset(c);
}

/*** In flight ***/

size_t
smtp_client_flying(const struct smtp_client *c)
{
	return c->n;
}

static void
clear_result(struct smtp_client_result_set *r)
{
	size_t k;

	reply_init(&r->mail);
	reply_init(&r->data);
	reply_init(&r->end);
	r->unsure = r->reworded = false;
	r->lack = SMTP_LACKS_NOTHING;
	r->error[0] = '\0';
	for (k = 0; k < r->nrcpt; k++)
		reply_init(&r->rcpt[k].reply);
}

static size_t
count_replies(const struct smtp_client *c)
{
	size_t i, n = 0;

	for (i = 0; i < c->n; i++)
		n += c->flight[(c->first + i) % WINDOW_MAX].r->nrcpt + 4;
	return n;
}

/* Is there room for another message beside those in flight? */
static bool
has_room(const struct smtp_client *c)
{
	size_t most = 1;

	if (c->proven && is_pipelined(c) && c->window > 1)
		most = is_chunked(c) ? (size_t)c->window : 2;
	return c->n == 0 || (c->n < most && count_replies(c) < REPLIES_MAX);
}

/* Is the session fit for such a message now? */
static enum smtp_client_result
is_ready_for(struct smtp_client *c, const struct envelope *e)
{
	const struct smtp_step step = step_of("MAIL",
	    c->s.conf->timeout.mail);
	struct reply r;
	bool able, suits;

	suits = smtp_session_suits(&c->s, e, &able);
	if (c->s.mail_max > 0 && c->mails + (int64_t)(is_chunked(c) ? 0 :
	    c->n) >= c->s.mail_max)
		able = suits = false;
	if (!has_room(c) || (!suits && c->n > 0))
		return SMTP_CLIENT_FULL;
	/* Unless it takes its leave it has answered something twice. */
	if (c->n == 0 && smtp_wire_talks(&c->s.wire)) {
		if (smtp_wire_get(&c->s.wire, &step, &r)) {
			c->s.wire.out_of_step = true;
			smtp_wire_lost(&c->s.wire, &step,
			    "the server talks unasked before");
		}
		return SMTP_CLIENT_LOST;
	}
	if (suits)
		return SMTP_CLIENT_OK;
	if (able)
		return smtp_session_speak_for(&c->s, e);
	(void)snprintf(c->error, sizeof(c->error),
	    "the session is good for no more");
	return SMTP_CLIENT_SPENT;
}

enum smtp_client_result
smtp_client_begin(struct smtp_client *c, const struct message *m,
    struct smtp_client_result_set *r)
{
	const struct smtp_step step = step_of("MAIL", 0);
	enum smtp_client_result result;
	struct flight *f;

	clear_result(r);
	if (c->s.wire.gone && c->n > 0)
		return SMTP_CLIENT_FULL;
	if (c->s.wire.gone && !c->s.wire.over)
		smtp_wire_lost(&c->s.wire, &step, "connection closed before");
	if (c->s.wire.over) {
		(void)strlcpy(r->error, c->error[0] != '\0' ? c->error :
		    "session is over", sizeof(r->error));
		return SMTP_CLIENT_LOST;
	}
	result = is_ready_for(c, &m->envelope);
	if (result != SMTP_CLIENT_OK) {
		(void)strlcpy(r->error, c->error, sizeof(r->error));
		return result;
	}
	/* Now: what is offered may be another after an XCLIENT. */
	r->lack = smtp_params_lack(&c->s, &m->envelope, m->size);
	if (r->lack != SMTP_LACKS_NOTHING) {
		(void)strlcpy(r->error, smtp_params_lack_text(r->lack),
		    sizeof(r->error));
		return SMTP_CLIENT_UNABLE;
	}
	f = &c->flight[(c->first + c->n) % WINDOW_MAX];
	*f = (struct flight){ .m = m, .r = r, .chunked = is_chunked(c) };
	c->n++;
	/*
	 * If that fails its end will tell.  To one far away it goes at once,
	 * to one nearby together with others.
	 */
	if (is_pipelined(c) && f->chunked && write_group(c, f, c->n > 1) &&
	    put_chunk(c, f) && c->far)
		(void)stream_flush(c->s.wire.stream);
	return SMTP_CLIENT_OK;
}

/*
 * Who says 421 closes the connection (RFC 5321 3.8) and does nothing of what
 * we have sent meanwhile.  One that talks on has perhaps taken it.
 */
static void
hear_out(struct smtp_client *c)
{
	const struct smtp_step step = step_of("QUIT",
	    c->s.conf->timeout.quit);
	size_t i;

	for (i = 0; i < c->n; i++)
		if (c->flight[(c->first + i) % WINDOW_MAX].ended)
			break;
	if (i < c->n)
		c->s.wire.farewell = smtp_wire_leaves(&c->s.wire, &step);
}

/* Whatever else it was sent: nobody is left whom the server would take. */
static bool
is_refused(const struct smtp_client_result_set *r)
{
	size_t k;

	if (r->mail.code != 0 && !is_ok(&r->mail))
		return true;
	for (k = 0; k < r->nrcpt; k++)
		if (r->rcpt[k].reply.code == 0 || is_ok(&r->rcpt[k].reply))
			break;
	return k == r->nrcpt;
}

enum smtp_client_result
smtp_client_end(struct smtp_client *c, struct smtp_client_result_set **rp)
{
	struct flight *f = &c->flight[c->first];
	struct smtp_client_result_set *r = f->r;
	bool good, over = c->s.wire.over;
	bool waits = smtp_wire_pending(&c->s.wire) == 0;
	int64_t begun = waits ? deadline_now() : 0;
	size_t k;

	good = !over && converse(c, f);
	if (!over && c->s.wire.farewell)
		hear_out(c);
	if (waits)
		c->far = deadline_now() - begun >= FAR;
	c->first = (c->first + 1) % WINDOW_MAX;
	c->n--;
	if (good && c->open_transaction && c->n == 0)
		good = reset(c);
	/* Nor is a reply that may be another's. */
	if (f->chunked && c->s.wire.out_of_step)
		reply_init(&r->end);
	r->unsure = f->ended && !c->s.wire.farewell && (r->end.code == 0 ||
	    r->end.code / 100 == 3) && (c->s.wire.out_of_step ||
	    !is_refused(r));
	if (!good)
		(void)strlcpy(r->error, c->error, sizeof(r->error));
	/*
	 * A 503 after a refused MAIL says nothing of a recipient, nor does
	 * a reply of a server that we have lost step with, or that owes us one.
	 */
	if (c->s.wire.out_of_step || !is_ok(&r->mail) ||
	    (f->chunked && c->s.wire.late))
		for (k = 0; k < r->nrcpt; k++)
			reply_init(&r->rcpt[k].reply);
	c->proven = c->proven || good;
	*rp = r;
	return good ? SMTP_CLIENT_OK : SMTP_CLIENT_LOST;
}

enum smtp_client_result
smtp_client_send(struct smtp_client *c, const struct message *m,
    struct smtp_client_result_set *r)
{
	enum smtp_client_result result = smtp_client_begin(c, m, r);

	return result == SMTP_CLIENT_OK ? smtp_client_end(c, &r) : result;
}

/*** Asking ***/

/* One command and its reply. */
static bool
command(struct smtp_client *c, const struct smtp_step *step, struct reply *r,
    const char *line)
{
	struct stream *out = c->s.wire.stream;

	stream_deadline(out, deadline_in(step->timeout));
	if (stream_printf(out, "%s\r\n", line) == -1)
		return smtp_wire_lost_errno(&c->s.wire, step);
	return smtp_wire_get(&c->s.wire, step, r) && is_silent(c);
}

enum smtp_client_result
smtp_client_ask(struct smtp_client *c, const char *address,
    struct reply *reply)
{
	const struct smtp_step mail = step_of("MAIL", c->s.conf->timeout.mail);
	const struct smtp_step rcpt = step_of("RCPT", c->s.conf->timeout.rcpt);
	char line[ADDR_MAX + 16];
	struct reply said;

	reply_init(reply);
	if (c->s.wire.over || c->s.wire.out_of_step)
		return SMTP_CLIENT_LOST;
	if (c->s.mail_max > 0 && c->mails >= c->s.mail_max)
		return SMTP_CLIENT_SPENT;
	if (snprintf(line, sizeof(line), "RCPT TO:<%s>", address) >=
	    (int)sizeof(line))
		return SMTP_CLIENT_REFUSED;
	c->mails++;
	if (!command(c, &mail, &said, "MAIL FROM:<>"))
		return SMTP_CLIENT_LOST;
	if (!is_ok(&said))
		return SMTP_CLIENT_REFUSED;
	if (!command(c, &rcpt, reply, line) || !reset(c)) {
		reply_init(reply);
		return SMTP_CLIENT_LOST;
	}
	return SMTP_CLIENT_OK;
}
