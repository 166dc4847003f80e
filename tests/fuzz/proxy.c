/* SPDX-License-Identifier: ISC */
/*
 * A PROXY header: what it was cut from said "more" all along, what follows
 * changes nothing, and the addresses are some.
 */
#include <arpa/inet.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "proxy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
need(bool held)
{
	if (!held)
		abort();
}

static void
check(const struct proxy *p)
{
	int family = p->kind == PROXY_TCP6 ? AF_INET6 : AF_INET;
	unsigned char raw[16];

	need(p->version == 1 || p->version == 2);
	need(p->port >= 0 && p->port <= 65535);
	need(p->local_port >= 0 && p->local_port <= 65535);
	if (p->kind == PROXY_TCP4 || p->kind == PROXY_TCP6)
		need(inet_pton(family, p->addr, raw) == 1 &&
		    p->local[0] != '\0');
	else
		need(p->addr[0] == '\0' && p->local[0] == '\0');
}

static enum proxy_got
parse(struct proxy *p, const uint8_t *data, size_t len, size_t *used)
{
	char *copy = malloc(len == 0 ? 1 : len);
	enum proxy_got got;

	if (copy == NULL)
		abort();
	if (len != 0)
		memcpy(copy, data, len);
	got = proxy_parse(p, copy, len, used);
	free(copy);
	return got;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct proxy p, again;
	enum proxy_got got;
	size_t used, cut;

	got = parse(&p, data, size, &used);
	if (got != PROXY_DONE) {
		need(used == 0);
		need(got == PROXY_BAD || size < PROXY_MAX);
		return 0;
	}
	need(used > 0 && used <= size && used <= PROXY_MAX);
	check(&p);
	need(parse(&again, data, used, &cut) == PROXY_DONE && cut == used);
	need(memcmp(&p, &again, sizeof(p)) == 0);
	for (size_t n = 0; n < used; n += n < 120 ? 1 : 97)
		need(parse(&again, data, n, &cut) == PROXY_MORE && cut == 0);
	return 0;
}
