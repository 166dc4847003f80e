/* SPDX-License-Identifier: ISC */
/* All that a server says, whatever it is asked. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "deadline.h"
#include "look.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct server {
	const uint8_t *data;
	size_t left;
};

static void
need(int held)
{
	if (!held)
		abort();
}

/* A line at a time. */
static ssize_t
server_read(void *arg, void *buf, size_t len, int64_t deadline)
{
	struct server *s = arg;
	const uint8_t *lf;
	size_t n;

	(void)deadline;
	if (s->left == 0)
		return 0;
	lf = memchr(s->data, '\n', s->left);
	n = lf != NULL ? (size_t)(lf - s->data) + 1 : s->left;
	if (n > len)
		n = len;
	memcpy(buf, s->data, n);
	s->data += n;
	s->left -= n;
	return (ssize_t)n;
}

static ssize_t
server_write(void *arg, const void *buf, size_t len, int64_t deadline)
{
	(void)arg;
	(void)buf;
	(void)deadline;
	return (ssize_t)len;
}

static const struct stream_ops ops = { server_read, server_write };

static void
check_plain(const char *text, size_t size)
{
	need(memchr(text, '\0', size) != NULL);
	for (; *text != '\0'; text++)
		need(*text >= ' ' && *text < 0x7f);
}

static void
check_reply(const struct talk_reply *r)
{
	need(r->code == 0 || (r->code >= 200 && r->code <= 599));
	check_plain(r->text, sizeof(r->text));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct look l;
	struct sockaddr_storage addr;
	struct server s = { data, size };
	struct look_us us;

	memset(&addr, 0, sizeof(addr));
	memset(&us, 0, sizeof(us));
	memcpy(us.name, "mx2.backup.test", sizeof("mx2.backup.test"));
	look_init(&l, &addr, "mx1.example.org");
	look_ask(&l, "example.org");
	l.rehearse = size % 2 == 0;
	look_talk(&l, &us, &ops, &s, deadline_in(1000));
	need(l.end != TALK_NOT);
	need((l.end == TALK_WELL) == (l.why[0] == '\0'));
	check_plain(l.why, sizeof(l.why));
	check_plain(l.keywords, sizeof(l.keywords));
	check_plain(l.name, sizeof(l.name));
	need(l.size >= 0);
	check_reply(&l.greeting);
	check_reply(&l.ehlo);
	check_reply(&l.starttls);
	check_reply(&l.null_sender);
	check_reply(&l.ask[0].postmaster);
	check_reply(&l.relay);
	check_reply(&l.ask[0].sender);
	check_reply(&l.ask[0].known);
	check_reply(&l.ask[0].stranger);
	check_reply(&l.ask[0].passed);
	return 0;
}
