/* SPDX-License-Identifier: ISC */
/*
 * A file of the spool; and the same octets as texts that are put into an
 * envelope, which must then be read back or not be taken.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "envelope.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
need(bool held)
{
	if (!held)
		abort();
}

static void
check_same(const struct envelope *a, const struct envelope *b)
{
	need(a->nrcpt == b->nrcpt && a->state == b->state);
	need(strcmp(a->sender, b->sender) == 0);
	need(strcmp(a->params, b->params) == 0);
	need(strcmp(a->domain, b->domain) == 0);
	need(strcmp(a->helo, b->helo) == 0);
	for (size_t i = 0; i < a->nrcpt; i++) {
		need(strcmp(a->rcpt[i].address, b->rcpt[i].address) == 0);
		need(strcmp(a->rcpt[i].params, b->rcpt[i].params) == 0);
		need(a->rcpt[i].status == b->rcpt[i].status);
	}
}

/* Prints E and reads it back. */
static void
check_print(struct envelope *e)
{
	struct envelope back;
	size_t len, wanted;
	const char *why;
	char *text = envelope_print(e, &len);

	need(text != NULL && e->length == len);
	need(envelope_parse(&back, text, len, &wanted, &why) == 0);
	check_same(e, &back);
	for (size_t i = 0; i < e->nrcpt; i++)
		need(e->rcpt[i].where == back.rcpt[i].where &&
		    text[e->rcpt[i].where] == (char)e->rcpt[i].status);
	envelope_clear(&back);
	need(envelope_parse(&back, text, len - 1, &wanted, &why) == -1 &&
	    why == NULL && wanted == len);
	free(text);
}

static void
check_file(const char *data, size_t size)
{
	struct envelope e;
	size_t wanted;
	const char *why;

	if (envelope_parse(&e, data, size, &wanted, &why) == 0) {
		need(e.length <= size && e.nrcpt > 0 && e.sender != NULL);
		for (size_t i = 0; i < e.nrcpt; i++)
			need(e.rcpt[i].where < e.length &&
			    data[e.rcpt[i].where] == (char)e.rcpt[i].status);
		check_print(&e);
	} else
		need(why != NULL || wanted > size);
	envelope_clear(&e);
}

/* A line each: sender, its parameters, a recipient, its parameters. */
static void
check_texts(const char *data, size_t size)
{
	char *text = malloc(size + 5), *part[4];
	struct envelope e;
	size_t n = 1;

	if (text == NULL)
		return;
	if (size != 0)
		memcpy(text, data, size);
	memset(text + size, 0, 5);
	part[0] = text;
	for (char *p = text; n < 4; p++)
		if (*p == '\n' || p >= text + size) {
			*p = '\0';
			part[n++] = p + 1;
		}
	envelope_init(&e);
	memcpy(e.domain, "a.test", 7);
	if (envelope_set_sender(&e, part[0], part[1]) == 0 &&
	    envelope_add(&e, part[2], part[3]) == 0)
		check_print(&e);
	envelope_clear(&e);
	free(text);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	check_file((const char *)data, size);
	check_texts((const char *)data, size);
	return 0;
}
