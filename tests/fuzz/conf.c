/* SPDX-License-Identifier: ISC */
/* A file of configuration: every value taken is within its bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../../lib/conf.c"
#include "../../lib/settings.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
need(bool held)
{
	if (!held)
		abort();
}

static void
check_settings(const struct settings *s)
{
	char name[ADDR_DOMAIN_MAX + 1];
	struct sockaddr_storage ss;

	need(s->expire > 0 && s->expire <= DURATION_MAX);
	need(s->keep >= 0 && s->keep <= DURATION_MAX);
	need(s->sessions >= 1 && s->sessions <= 1000);
	need(s->rate >= 0 && s->rate <= 1000000);
	need(s->nroute >= 0 && s->nroute <= CONF_LIST_MAX);
	for (int i = 0; i < s->nroute; i++) {
		need(s->route[i].port >= 0 && s->route[i].port <= 65535);
		need(parse_addr(&ss, s->route[i].host) ||
		    addr_domain(name, s->route[i].host));
	}
}

static void
check_conf(const struct conf *c)
{
	const int64_t *t = (const void *)&c->timeout;
	char name[ADDR_DOMAIN_MAX + 1];

	need(addr_domain(name, c->hostname) && strcmp(name, c->hostname) == 0);
	need(c->spool[0] == '/' && strlen(c->spool) < sizeof(c->spool));
	need(c->port >= 1 && c->port <= 65535);
	need(c->nresolver <= CONF_LIST_MAX && c->nself_name <= CONF_LIST_MAX &&
	    c->nself_addr <= CONF_LIST_MAX);
	need(c->max_size >= 0 && c->max_recipients >= 1);
	for (size_t i = 0; i < sizeof(c->timeout) / sizeof(*t); i++)
		need(t[i] >= 1000 && t[i] <= DURATION_MAX * 1000);
	check_settings(&c->defaults);
}

/* As parse_file does it, without a file: is all of it good? */
static bool
feed(struct settings_target *t, const char *data, size_t size)
{
	char error[CONF_ERROR_MAX], *line, *end;
	size_t n, number = 0;
	bool good = true;

	while (size > 0 && good) {
		end = memchr(data, '\n', size);
		n = end != NULL ? (size_t)(end - data) : size;
		if ((line = malloc(n + 1)) == NULL)
			return false;
		memcpy(line, data, n);
		line[n] = '\0';
		memset(error, 0, sizeof(error));
		good = parse_line(t, line, "f", ++number, error);
		need(good || (strncmp(error, "f:", 2) == 0 &&
		    memchr(error, '\0', sizeof(error)) != NULL));
		free(line);
		n += end != NULL;
		data += n;
		size -= n;
	}
	return good;
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct conf c;
	struct settings s;
	struct settings_target global = { &c, &c.defaults }, domain = { NULL, &s };
	char name[ADDR_DOMAIN_MAX + 1];

	conf_init(&c);
	s = c.defaults;
	/* After an error nothing but the host's name is used. */
	if (feed(&global, (const char *)data, size))
		check_conf(&c);
	need(addr_domain(name, c.hostname) && strcmp(name, c.hostname) == 0);
	if (feed(&domain, (const char *)data, size))
		check_settings(&s);
	return 0;
}
