/* SPDX-License-Identifier: ISC */
#include <sys/time.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "deadline.h"
#include "dot.h"
#include "duration.h"
#include "plain.h"
#include "reply.h"
#include "smtp_client.h"
#include "stream.h"

#define ERROR_MAX	512	/* as the header promises */
#define REPLY_LINES	200
#define RCPT_GROUP	100	/* so that unread replies never fill a window */
#define BLOCK		(64 * 1024)
#define TICK		1000	/* milliseconds a read or write sleeps */

struct smtp_client {
	const struct conf_timeouts *timeout;
	int fd;
	struct stream *stream;
	unsigned offers;
	int64_t size_limit;
	char ehlo[512];
	bool over;		/* the session is of no further use */
	bool open_transaction;	/* MAIL was accepted and nothing ended it */
	bool out_of_step;	/* whose replies are whose is not certain */
	char *error;		/* of the call in progress, ERROR_MAX */
	char in[BLOCK];
	char out[2 * BLOCK + 5];
};

/*
 * Reads and writes sleep in the kernel for a TICK (SO_RCVTIMEO), so that a
 * message costs no poll(2) and a deadline is still kept; near its end we ask
 * poll(2).  True if the call is worth making.
 */
static bool
worth_trying(int fd, short events, int64_t deadline)
{
	struct pollfd pfd = { .fd = fd, .events = events };
	int left = deadline_left(deadline);

	if (left < 0 || left >= TICK)
		return true;
	if (left > 0 && poll(&pfd, 1, left) != 0)
		return true;
	errno = ETIMEDOUT;
	return false;
}

static ssize_t
link_read(void *arg, void *buf, size_t len, int64_t deadline)
{
	int *fd = arg;
	ssize_t n = -1;

	while (worth_trying(*fd, POLLIN, deadline)) {
		n = recv(*fd, buf, len, 0);
		if (n >= 0 || (errno != EINTR && errno != EAGAIN))
			break;
	}
	return n;
}

static ssize_t
link_write(void *arg, const void *buf, size_t len, int64_t deadline)
{
	int *fd = arg;
	ssize_t n = -1;

	while (worth_trying(*fd, POLLOUT, deadline)) {
		n = send(*fd, buf, len, MSG_NOSIGNAL);
		if (n > 0 || (errno != EINTR && errno != EAGAIN))
			break;
	}
	return n;
}

static const struct stream_ops link_ops = { link_read, link_write };

/* What we wait for: the words for it and its time. */
struct step {
	const char *name;
	int64_t timeout;
};

/* Says why the session ended, in the words of FMT, and that it did. */
static bool
lost(struct smtp_client *c, const struct step *step, const char *what)
{
	c->over = true;
	/* Cut if need be: it is for reading. */
	(void)snprintf(c->error, ERROR_MAX, "%s %s", what, step->name);
	return false;
}

static bool
lost_timeout(struct smtp_client *c, const struct step *step)
{
	char span[32], what[64];

	duration_print_short(span, sizeof(span), (step->timeout + 999) / 1000);
	(void)snprintf(what, sizeof(what), "no answer for %s to", span);
	return lost(c, step, what);
}

static bool
lost_errno(struct smtp_client *c, const struct step *step)
{
	char what[128];

	if (errno == ETIMEDOUT)
		return lost_timeout(c, step);
	(void)snprintf(what, sizeof(what), "connection lost (%s) at",
	    strerror(errno));
	return lost(c, step, what);
}

static bool
lost_garbage(struct smtp_client *c, const struct step *step, const char *line,
    size_t len)
{
	char text[160], what[256];

	c->out_of_step = true;
	plain_mem(text, sizeof(text), line, len);
	(void)snprintf(what, sizeof(what), "not an SMTP reply: \"%s\" to",
	    text);
	return lost(c, step, what);
}

static bool
lost_step(struct smtp_client *c, const struct step *step)
{
	c->out_of_step = true;
	return lost(c, step, "replies out of step at");
}

/* The keywords of EHLO that change what we say (RFC 5321 4.1.1.1). */
static const struct {
	const char *name;
	enum smtp_offer bit;
} keywords[] = {
	{ "PIPELINING", SMTP_OFFER_PIPELINING },
	{ "SIZE", SMTP_OFFER_SIZE },
	{ "8BITMIME", SMTP_OFFER_8BITMIME },
	{ "CHUNKING", SMTP_OFFER_CHUNKING },
	{ "SMTPUTF8", SMTP_OFFER_SMTPUTF8 },
	{ "DSN", SMTP_OFFER_DSN },
	{ "STARTTLS", SMTP_OFFER_STARTTLS },
	{ "ENHANCEDSTATUSCODES", SMTP_OFFER_ENHANCED }
};

/* One keyword line of the reply to EHLO. */
static void
offer(struct smtp_client *c, const char *text)
{
	size_t i, used, n = strcspn(text, " ");
	char *end;
	long long limit;

	used = strlen(c->ehlo);
	if (used > 0 && used + 1 < sizeof(c->ehlo))
		c->ehlo[used++] = ';';
	plain(c->ehlo + used, sizeof(c->ehlo) - used, text);
	for (i = 0; i < sizeof(keywords) / sizeof(keywords[0]); i++)
		if (strlen(keywords[i].name) == n &&
		    strncasecmp(keywords[i].name, text, n) == 0)
			c->offers |= keywords[i].bit;
	if (n != 4 || strncasecmp(text, "SIZE ", 5) != 0)
		return;
	/* A limit that is no number, or zero, is none (RFC 1870 4). */
	errno = 0;
	limit = strtoll(text + 5, &end, 10);
	if (errno == 0 && end != text + 5 && *end == '\0' && limit > 0)
		c->size_limit = limit;
}

/*
 * One whole reply within the time of STEP.  False when none came: the
 * session is lost then.  EHLO: note what its lines offer.
 */
static bool
get_reply(struct smtp_client *c, const struct step *step, struct reply *r,
    bool ehlo)
{
	enum reply_got got;
	size_t len;
	char *line;
	int n;

	reply_init(r);
	stream_deadline(c->stream, deadline_in(step->timeout));
	for (n = 0; n < REPLY_LINES; n++) {
		switch (stream_line(c->stream, &line, &len, STREAM_LINE_MAX)) {
		case STREAM_LINE:
		case STREAM_BARE:
			break;
		case STREAM_LONG:
			reply_init(r);
			return lost(c, step, "an endless line for a reply to");
		case STREAM_EOF:
			reply_init(r);
			return lost(c, step, "connection closed at");
		case STREAM_TIMEOUT:
			reply_init(r);
			return lost_timeout(c, step);
		case STREAM_ERROR:
			reply_init(r);
			return lost_errno(c, step);
		}
		got = reply_feed(r, line, len);
		if (got == REPLY_GARBAGE) {
			reply_init(r);
			return lost_garbage(c, step, line, len);
		}
		if (ehlo && n > 0 && r->code == 250 && len > 4)
			offer(c, line + 4);
		if (got == REPLY_DONE)
			return true;
	}
	reply_init(r);
	return lost(c, step, "an endless reply to");
}

/* After these the server closes (RFC 5321 3.8, RFC 7504). */
static bool
is_farewell(const struct reply *r)
{
	return r->code == 421 || r->code == 521;
}

/* The reply's words into the error: "MAIL: 451 4.3.0 try later". */
static void
say(struct smtp_client *c, const struct step *step, const struct reply *r)
{
	char raw[REPLY_TEXT_MAX + 32], text[ERROR_MAX];

	reply_print(r, raw, sizeof(raw));
	plain(text, sizeof(text), raw);
	(void)snprintf(c->error, ERROR_MAX, "%s: %.*s", step->name,
	    ERROR_MAX - 32, text);
}

/* A reply that may also be a farewell.  False: the session is over. */
static bool
get(struct smtp_client *c, const struct step *step, struct reply *r)
{
	if (c->over)
		return false;
	if (!get_reply(c, step, r, false))
		return false;
	if (is_farewell(r)) {
		say(c, step, r);
		c->over = true;
		return false;
	}
	return true;
}

static bool
is_ok(const struct reply *r)
{
	return r->code / 100 == 2;
}

/* Is the first word of the peer's TEXT a name of ours? */
static bool
is_ourselves(const struct conf *conf, const struct reply *r)
{
	char word[ADDR_DOMAIN_MAX + 1], name[ADDR_DOMAIN_MAX + 1];
	size_t n = strcspn(r->text, " ");

	if (n == 0 || n >= sizeof(word))
		return false;
	memcpy(word, r->text, n);
	word[n] = '\0';
	return addr_domain(name, word) && conf_is_self(conf, name);
}

/*** Opening ***/

static int
bind_source(int fd, const struct conf *conf, int family)
{
	const struct sockaddr_storage *source;
	size_t i;

	for (i = 0; i < sizeof(conf->source) / sizeof(conf->source[0]); i++) {
		source = &conf->source[i];
		if (source->ss_family != family)
			continue;
		return bind(fd, (const struct sockaddr *)source,
		    family == AF_INET6 ? sizeof(struct sockaddr_in6) :
		    sizeof(struct sockaddr_in));
	}
	return 0;
}

static int
wait_connected(int fd, int64_t deadline)
{
	struct pollfd pfd = { .fd = fd, .events = POLLOUT };
	socklen_t len = sizeof(int);
	int error, n;

	while ((n = poll(&pfd, 1, deadline_left(deadline))) == -1)
		if (errno != EINTR)
			return -1;
	if (n == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) == -1)
		return -1;
	errno = error;
	return error == 0 ? 0 : -1;
}

/* From now on calls block, but for a TICK only. */
static int
set_tick(int fd)
{
	struct timeval tick = { TICK / 1000, TICK % 1000 * 1000 };
	int flags;

	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tick,
	    sizeof(tick)) == -1 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO,
	    &tick, sizeof(tick)) == -1 || (flags = fcntl(fd, F_GETFL)) == -1)
		return -1;
	return fcntl(fd, F_SETFL, flags & ~O_NONBLOCK);
}

/* A connected socket, or -1. */
static int
dial(const struct conf *conf, const struct sockaddr *addr, socklen_t len)
{
	int64_t deadline = deadline_in(conf->timeout.connect);
	int fd, one = 1, saved;

	fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK |
	    SOCK_CLOEXEC, 0);
	if (fd == -1)
		return -1;
	/* Nagle and a delayed ACK would cost 40 ms a message. */
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	if (bind_source(fd, conf, addr->sa_family) == -1)
		goto fail;
	if (connect(fd, addr, len) == -1 && (errno != EINPROGRESS ||
	    wait_connected(fd, deadline) == -1))
		goto fail;
	if (set_tick(fd) == -1)
		goto fail;
	return fd;
fail:
	saved = errno;
	close(fd);
	errno = saved;
	return -1;
}

static enum smtp_client_result
greet(struct smtp_client *c, const struct conf *conf)
{
	const struct step step = { "the greeting", c->timeout->greeting };
	struct reply r;

	if (!get_reply(c, &step, &r, false))
		return SMTP_CLIENT_LOST;
	if (is_ok(&r))
		return is_ourselves(conf, &r) ? SMTP_CLIENT_OURSELVES :
		    SMTP_CLIENT_OK;
	say(c, &step, &r);
	if (r.code / 100 == 3)
		return SMTP_CLIENT_LOST;
	/* A server that refuses still waits for QUIT (RFC 5321 3.1). */
	c->over = is_farewell(&r);
	return SMTP_CLIENT_REFUSED;
}

static enum smtp_client_result
hello(struct smtp_client *c, const struct conf *conf, const char *verb)
{
	const struct step step = { verb, c->timeout->helo };
	struct reply r;

	if (stream_printf(c->stream, "%s %s\r\n", verb, conf->hostname) == -1) {
		lost_errno(c, &step);
		return SMTP_CLIENT_LOST;
	}
	if (!get_reply(c, &step, &r, strcmp(verb, "EHLO") == 0))
		return SMTP_CLIENT_LOST;
	if (is_ok(&r))
		return is_ourselves(conf, &r) ? SMTP_CLIENT_OURSELVES :
		    SMTP_CLIENT_OK;
	say(c, &step, &r);
	if (r.code / 100 == 3)
		return SMTP_CLIENT_LOST;
	c->over = is_farewell(&r);
	/* RFC 5321 3.2: a server too old for EHLO is asked with HELO. */
	if (r.code / 100 == 5 && !c->over && strcmp(verb, "EHLO") == 0)
		return hello(c, conf, "HELO");
	return SMTP_CLIENT_REFUSED;
}

static enum smtp_client_result
introduce(struct smtp_client *c, const struct conf *conf)
{
	enum smtp_client_result result;

	if ((result = greet(c, conf)) == SMTP_CLIENT_OK)
		result = hello(c, conf, "EHLO");
	/* Bytes nobody asked for would be taken for the reply to MAIL. */
	if (result == SMTP_CLIENT_OK && stream_pending(c->stream) > 0) {
		(void)snprintf(c->error, ERROR_MAX,
		    "the server talks unasked after EHLO");
		result = SMTP_CLIENT_LOST;
	}
	if (result == SMTP_CLIENT_OURSELVES)
		(void)snprintf(c->error, ERROR_MAX,
		    "the server bears a name of ours");
	if (result == SMTP_CLIENT_LOST)
		c->over = true;
	return result;
}

enum smtp_client_result
smtp_client_open(struct smtp_client **cp, const struct conf *conf,
    const struct sockaddr *addr, socklen_t len, char *error)
{
	enum smtp_client_result result = SMTP_CLIENT_LOST;
	struct smtp_client *c;

	*cp = NULL;
	error[0] = '\0';
	/* Not calloc: untouched pages of the buffers cost nothing. */
	if ((c = malloc(sizeof(*c))) == NULL) {
		(void)snprintf(error, ERROR_MAX, "%s", strerror(errno));
		return SMTP_CLIENT_LOST;
	}
	memset(c, 0, offsetof(struct smtp_client, in));
	c->timeout = &conf->timeout;
	c->error = error;
	c->over = true;
	c->fd = dial(conf, addr, len);
	if (c->fd == -1) {
		(void)snprintf(error, ERROR_MAX, "cannot connect: %s",
		    strerror(errno));
		goto out;
	}
	if ((c->stream = stream_new(&link_ops, &c->fd)) == NULL) {
		(void)snprintf(error, ERROR_MAX, "%s", strerror(errno));
		goto out;
	}
	c->over = false;
	result = introduce(c, conf);
out:
	if (result == SMTP_CLIENT_OK)
		*cp = c;
	else
		smtp_client_close(c);
	return result;
}

void
smtp_client_close(struct smtp_client *c)
{
	char unheard[ERROR_MAX];
	struct step step = { "QUIT", 0 };
	struct reply r;

	if (c == NULL)
		return;
	if (!c->over) {
		step.timeout = c->timeout->quit;
		c->error = unheard;
		stream_deadline(c->stream, deadline_in(step.timeout));
		if (stream_write(c->stream, "QUIT\r\n", 6) == 0)
			(void)get_reply(c, &step, &r, false);
	}
	stream_free(c->stream);
	if (c->fd != -1)
		close(c->fd);
	free(c);
}

unsigned
smtp_client_offers(const struct smtp_client *c)
{
	return c->offers;
}

int64_t
smtp_client_size_limit(const struct smtp_client *c)
{
	return c->size_limit;
}

const char *
smtp_client_ehlo(const struct smtp_client *c)
{
	return c->ehlo;
}

/*** One message ***/

struct transaction {
	struct smtp_client *c;
	const struct message *m;
	struct smtp_client_result_set *r;
	size_t accepted;	/* recipients */
};

/* The parameters of MAIL and RCPT that are passed on, and their extension. */
static const struct {
	const char *name;
	enum smtp_offer bit;
} passed[] = {
	{ "BODY", SMTP_OFFER_8BITMIME },
	{ "RET", SMTP_OFFER_DSN },
	{ "ENVID", SMTP_OFFER_DSN },
	{ "NOTIFY", SMTP_OFFER_DSN },
	{ "ORCPT", SMTP_OFFER_DSN }
};

/* Does the peer know the parameter TEXT, of LEN octets? */
static bool
is_passed(const struct smtp_client *c, const char *text, size_t len)
{
	size_t i, n = strcspn(text, "= ");

	for (i = 0; i < sizeof(passed) / sizeof(passed[0]); i++)
		if (n < len && strlen(passed[i].name) == n &&
		    strncasecmp(passed[i].name, text, n) == 0)
			return (c->offers & (unsigned)passed[i].bit) != 0;
	return false;
}

/* As they were given: RFC 3461 5.2.1 has not even their case changed. */
static int
write_params(struct smtp_client *c, const char *params)
{
	const char *p;
	size_t len;
	int error = 0;

	for (p = params; *p != '\0'; p += strspn(p, " ")) {
		len = strcspn(p, " ");
		if (is_passed(c, p, len)) {
			error |= stream_write(c->stream, " ", 1);
			error |= stream_write(c->stream, p, len);
		}
		p += len;
	}
	return error;
}

static bool
is_ascii(const char *text)
{
	while (*text != '\0' && (unsigned char)*text < 0x80)
		text++;
	return *text == '\0';
}

static bool
needs_utf8(const struct envelope *e)
{
	char value[8];
	size_t i;

	if (envelope_param(e->params, "SMTPUTF8", value, sizeof(value)) ||
	    !is_ascii(e->sender))
		return true;
	for (i = 0; i < e->nrcpt; i++)
		if (!is_ascii(e->rcpt[i].address))
			return true;
	return false;
}

bool
smtp_client_takes(const struct smtp_client *c, const struct envelope *e)
{
	return (c->offers & SMTP_OFFER_SMTPUTF8) != 0 || !needs_utf8(e);
}

static int
write_mail(struct transaction *t)
{
	const struct envelope *env = &t->m->envelope;
	struct smtp_client *c = t->c;
	int error;

	error = stream_printf(c->stream, "MAIL FROM:<%s>", env->sender);
	if ((c->offers & SMTP_OFFER_SIZE) != 0)
		error |= stream_printf(c->stream, " SIZE=%lld",
		    (long long)t->m->size);
	if (needs_utf8(env))
		error |= stream_write(c->stream, " SMTPUTF8", 9);
	error |= write_params(c, env->params);
	return error | stream_write(c->stream, "\r\n", 2);
}

static int
write_rcpt(struct transaction *t, size_t i)
{
	const struct recipient *r;
	int error;

	r = &t->m->envelope.rcpt[t->r->rcpt[i].index];
	error = stream_printf(t->c->stream, "RCPT TO:<%s>", r->address);
	error |= write_params(t->c, r->params);
	return error | stream_write(t->c->stream, "\r\n", 2);
}

static bool
get_mail(struct transaction *t)
{
	const struct step step = { "MAIL", t->c->timeout->mail };
	bool good;

	good = get(t->c, &step, &t->r->mail);
	if (good && is_ok(&t->r->mail))
		t->c->open_transaction = true;
	return good;
}

static bool
get_rcpt(struct transaction *t, size_t i)
{
	const struct step step = { "RCPT", t->c->timeout->rcpt };
	bool good;

	good = get(t->c, &step, &t->r->rcpt[i].reply);
	if (good && is_ok(&t->r->rcpt[i].reply))
		t->accepted++;
	return good;
}

static bool
get_data(struct transaction *t)
{
	const struct step step = { "DATA", t->c->timeout->data };

	if (!get(t->c, &step, &t->r->data))
		return false;
	/*
	 * Only 3xx can be an answer to DATA: after a 2xx our count of
	 * replies and the server's differ, and a reply to something else
	 * could be taken for the one to the end of the text.
	 */
	if (is_ok(&t->r->data) || (t->r->data.code / 100 == 3 &&
	    stream_pending(t->c->stream) > 0))
		return lost_step(t->c, &step);
	return true;
}

/*
 * The verbs of a transaction as one group or a few (RFC 2920 3.1), then
 * their replies, all of them, in order.
 */
static bool
talk_pipelined(struct transaction *t)
{
	struct smtp_client *c = t->c;
	struct step step = { "RCPT", c->timeout->rcpt };
	size_t i, first, end;
	int error = 0;

	for (first = 0; first < t->r->nrcpt; first = end) {
		end = first + RCPT_GROUP < t->r->nrcpt ? first + RCPT_GROUP :
		    t->r->nrcpt;
		stream_deadline(c->stream, deadline_in(step.timeout));
		if (first == 0)
			error |= write_mail(t);
		for (i = first; i < end; i++)
			error |= write_rcpt(t, i);
		if (end == t->r->nrcpt)
			error |= stream_write(c->stream, "DATA\r\n", 6);
		if (error != 0 || stream_flush(c->stream) == -1)
			return lost_errno(c, &step);
		if (first == 0 && !get_mail(t))
			return false;
		for (i = first; i < end; i++)
			if (!get_rcpt(t, i))
				return false;
	}
	return get_data(t);
}

static bool
talk_in_turn(struct transaction *t)
{
	struct smtp_client *c = t->c;
	struct step step = { "MAIL", c->timeout->mail };
	size_t i;

	stream_deadline(c->stream, deadline_in(step.timeout));
	if (write_mail(t) == -1)
		return lost_errno(c, &step);
	if (!get_mail(t))
		return false;
	if (!is_ok(&t->r->mail))
		return true;
	step.name = "RCPT";
	for (i = 0; i < t->r->nrcpt; i++) {
		/* A reply too many would be taken for the next one's. */
		if (stream_pending(c->stream) > 0)
			return lost_step(c, &step);
		if (write_rcpt(t, i) == -1)
			return lost_errno(c, &step);
		if (!get_rcpt(t, i))
			return false;
	}
	if (t->accepted == 0)
		return true;
	step.name = "DATA";
	if (stream_write(c->stream, "DATA\r\n", 6) == -1)
		return lost_errno(c, &step);
	return get_data(t);
}

/* At most a block of the text at OFFSET into c->in: its length, or -1. */
static ssize_t
read_text(struct transaction *t, int64_t offset)
{
	const struct step step = { "the message in the spool", 0 };
	int64_t want = t->m->size - offset;
	ssize_t n;

	if (want > BLOCK)
		want = BLOCK;
	if (want == 0)
		return 0;
	while ((n = pread(t->m->fd, t->c->in, (size_t)want,
	    t->m->offset + offset)) == -1 && errno == EINTR)
		continue;
	if (n > 0)
		return n;
	/* Without its end the server throws the text away (RFC 5321 4.1.4). */
	lost(t->c, &step, n == 0 ? "too short:" : "cannot read");
	return -1;
}

/* The text and its end; a small message leaves in one write. */
static bool
put_text(struct transaction *t)
{
	struct smtp_client *c = t->c;
	const struct step step = { "the text", c->timeout->block };
	struct dot_encoder dots;
	int64_t offset = 0;
	size_t len;
	ssize_t n;

	dot_encoder_init(&dots);
	do {
		if ((n = read_text(t, offset)) == -1)
			return false;
		offset += n;
		len = dot_encode(&dots, c->in, (size_t)n, c->out);
		if (offset == t->m->size)
			len += dot_encode_end(&dots, c->out + len);
		stream_deadline(c->stream, deadline_in(step.timeout));
		if (stream_write(c->stream, c->out, len) == -1)
			return lost_errno(c, &step);
	} while (offset < t->m->size);
	if (stream_flush(c->stream) == -1)
		return lost_errno(c, &step);
	return true;
}

static bool
get_end(struct transaction *t)
{
	const struct step step = { "the end of the text", t->c->timeout->dot };
	bool good;

	good = get(t->c, &step, &t->r->end);
	t->r->unsure = t->r->end.code == 0 || t->r->end.code / 100 == 3;
	t->c->open_transaction = false;
	if (good && t->r->end.code / 100 == 3)
		return lost_step(t->c, &step);
	return good;
}

/*
 * A server that says 354 although it took no recipient gets the lone dot
 * (RFC 2920 3.1); what it answers concerns nobody.
 */
static bool
put_lone_dot(struct transaction *t)
{
	const struct step step = { "the lone dot", t->c->timeout->dot };
	struct reply r;

	stream_deadline(t->c->stream, deadline_in(t->c->timeout->block));
	if (stream_write(t->c->stream, ".\r\n", 3) == -1)
		return lost_errno(t->c, &step);
	t->c->open_transaction = false;
	return get(t->c, &step, &r);
}

static bool
reset(struct smtp_client *c)
{
	const struct step step = { "RSET", c->timeout->mail };
	struct reply r;

	stream_deadline(c->stream, deadline_in(step.timeout));
	if (stream_write(c->stream, "RSET\r\n", 6) == -1)
		return lost_errno(c, &step);
	if (!get(c, &step, &r))
		return false;
	c->open_transaction = false;
	if (is_ok(&r))
		return true;
	if (r.code / 100 == 3)
		return lost_step(c, &step);
	/* Whether the transaction is over is not known; the session is. */
	return lost(c, &step, "refused:");
}

static bool
converse(struct transaction *t)
{
	struct smtp_client *c = t->c;
	const struct step step = { "MAIL", c->timeout->mail };
	bool good;

	if (stream_pending(c->stream) > 0)
		return lost(c, &step, "the server talks unasked before");
	good = (c->offers & SMTP_OFFER_PIPELINING) != 0 ? talk_pipelined(t) :
	    talk_in_turn(t);
	if (!good)
		return false;
	if (t->r->data.code / 100 == 3) {
		if (!is_ok(&t->r->mail) || t->accepted == 0)
			good = put_lone_dot(t);
		else
			good = put_text(t) && get_end(t);
	}
	if (good && c->open_transaction)
		good = reset(c);
	return good;
}

enum smtp_client_result
smtp_client_send(struct smtp_client *c, const struct message *m,
    struct smtp_client_result_set *r)
{
	struct transaction t = { .c = c, .m = m, .r = r };
	bool good;
	size_t i;

	reply_init(&r->mail);
	reply_init(&r->data);
	reply_init(&r->end);
	r->unsure = false;
	r->error[0] = '\0';
	for (i = 0; i < r->nrcpt; i++)
		reply_init(&r->rcpt[i].reply);
	c->error = r->error;
	if (c->over) {
		(void)snprintf(r->error, sizeof(r->error), "session is over");
		return SMTP_CLIENT_LOST;
	}
	if (!smtp_client_takes(c, &m->envelope)) {
		(void)snprintf(r->error, sizeof(r->error),
		    "not sent: it needs SMTPUTF8, which is not offered");
		return SMTP_CLIENT_UNABLE;
	}
	good = converse(&t);
	/*
	 * A 503 after a refused MAIL says nothing of a recipient, nor does
	 * a reply of a server that we have lost step with.
	 */
	if (c->out_of_step || !is_ok(&r->mail))
		for (i = 0; i < r->nrcpt; i++)
			reply_init(&r->rcpt[i].reply);
	return good ? SMTP_CLIENT_OK : SMTP_CLIENT_LOST;
}
