/* SPDX-License-Identifier: ISC */
/* A path: what is read is read again to the same, and is clean. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
need(bool held)
{
	if (!held)
		abort();
}

static void
check_addr(const struct addr *a)
{
	char local[ADDR_LOCAL_MAX + 1], domain[ADDR_DOMAIN_MAX + 1];
	struct addr b;

	need(strlen(a->text) <= ADDR_MAX && a->local <= ADDR_LOCAL_MAX);
	need(a->local <= strlen(a->text));
	for (const char *p = a->text; *p != '\0'; p++)
		need((unsigned char)*p >= ' ' && *p != 0x7f);
	addr_local(a, local);
	need(strlen(local) <= a->local);
	if (a->domain[0] == '\0')
		return;
	need(a->text[a->local] == '@');
	need(addr_parse_mailbox(&b, a->text));
	need(strcmp(a->text, b.text) == 0 && strcmp(a->domain, b.domain) == 0);
	need(a->local == b.local && a->quoted == b.quoted &&
	    a->literal == b.literal && a->utf8 == b.utf8 && !b.routed);
	if (addr_domain(domain, a->domain))
		need(strcmp(domain, a->domain) == 0 && !a->literal);
}

static void
check_name(const char *text)
{
	char name[ADDR_DOMAIN_MAX + 1], again[ADDR_DOMAIN_MAX + 1];

	(void)addr_is_helo(text);
	if (!addr_domain(name, text))
		return;
	need(name[0] != '\0' && name[0] != '.' && name[0] != '-' &&
	    strlen(name) <= 253);
	need(name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.")] ==
	    '\0');
	need(strstr(name, "..") == NULL);
	need(addr_domain(again, name) && strcmp(name, again) == 0);
	need(addr_is_helo(name));
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct addr a;
	const char *end;

	if (text == NULL)
		return 0;
	if (size != 0)
		memcpy(text, data, size);
	text[size] = '\0';
	for (int kind = ADDR_SENDER; kind <= ADDR_RECIPIENT; kind++) {
		end = addr_parse(&a, text, (enum addr_kind)kind);
		if (end == NULL)
			continue;
		need(end > text && end <= text + strlen(text) &&
		    end[-1] == '>');
		check_addr(&a);
	}
	if (addr_parse_mailbox(&a, text))
		check_addr(&a);
	check_name(text);
	if (text[0] == '<')
		check_name(text + 1);
	free(text);
	return 0;
}
