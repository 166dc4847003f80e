/* SPDX-License-Identifier: ISC */
/* What XCLIENT says, said again, is understood the same. */
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "xclient.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
need(bool held)
{
	if (!held)
		abort();
}

static void
check_clean(const char *text)
{
	for (; *text != '\0'; text++)
		need((unsigned char)*text >= ' ' && *text != 0x7f);
}

static void
check(const struct xclient *x)
{
	char line[XCLIENT_LINE_MAX];
	struct xclient again;
	unsigned said;

	check_clean(x->name);
	check_clean(x->helo);
	check_clean(x->login);
	need(strchr(x->helo, ' ') == NULL);
	need(x->port >= 0 && x->port <= 65535);
	said = xclient_print(line, sizeof(line), x, XCLIENT_ALL);
	need((said & ~x->given) == 0 && strlen(line) + 2 <= XCLIENT_LINE_MAX);
	if (said == 0)
		return;
	need(strncmp(line, "XCLIENT ", 8) == 0);
	need(xclient_parse(&again, line + 8) && again.given == said);
	if ((said & XCLIENT_NAME) != 0)
		need(strcmp(again.name, x->name) == 0 &&
		    again.name_later == x->name_later);
	if ((said & XCLIENT_ADDR) != 0)
		need(strcmp(again.addr, x->addr) == 0);
	if ((said & XCLIENT_PORT) != 0)
		need(again.port == x->port);
	if ((said & XCLIENT_HELO) != 0)
		need(strcmp(again.helo, x->helo) == 0);
	if ((said & XCLIENT_LOGIN) != 0)
		need(strcmp(again.login, x->login) == 0);
	if ((said & XCLIENT_DESTADDR) != 0)
		need(strcmp(again.local, x->local) == 0);
	if ((said & XCLIENT_DESTPORT) != 0)
		need(again.local_port == x->local_port);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct xclient x;

	if (text == NULL)
		return 0;
	if (size != 0)
		memcpy(text, data, size);
	text[size] = '\0';
	if (xclient_parse(&x, text))
		check(&x);
	need((xclient_offered(text) & ~(unsigned)XCLIENT_ALL) == 0);
	free(text);
	return 0;
}
