/* SPDX-License-Identifier: ISC */
/*
 * Parameters of MAIL and RCPT, the first octet being what is offered: what
 * is kept is read again to the same, and is one clean line.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "param.h"
#include "utf8.h"
#include "xtext.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
need(bool held)
{
	if (!held)
		abort();
}

static void
check_text(const char *text)
{
	for (const char *p = text; *p != '\0'; p++)
		need((unsigned char)*p >= ' ' && *p != 0x7f);
	need(utf8_valid(text, strlen(text)));
}

static void
check_fault(const char *fault)
{
	need(fault[strspn(fault, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-")] ==
	    '\0');
}

static void
check_mail(const char *text, unsigned offered)
{
	char line[sizeof(((struct param_mail *)0)->text) + 1], value[512];
	struct param_mail m, again;

	if (param_mail_parse(&m, text, offered) != PARAM_OK) {
		check_fault(m.fault);
		return;
	}
	check_text(m.text);
	need(m.size >= -1 && m.fault[0] == '\0');
	need(xtext_decode(value, sizeof(value), m.envid, strlen(m.envid)));
	(void)snprintf(line, sizeof(line), " %s", m.text);
	need(param_mail_parse(&again, line, offered) == PARAM_OK);
	need(strcmp(again.text, m.text) == 0 &&
	    strcmp(again.envid, m.envid) == 0 && again.body == m.body &&
	    again.ret == m.ret && again.smtputf8 == m.smtputf8 &&
	    again.requiretls == m.requiretls && again.size == -1);
}

static void
check_rcpt(const char *text, unsigned offered)
{
	char line[sizeof(((struct param_rcpt *)0)->text) + 1];
	struct param_rcpt r, again;

	if (param_rcpt_parse(&r, text, offered) != PARAM_OK) {
		check_fault(r.fault);
		return;
	}
	check_text(r.text);
	(void)snprintf(line, sizeof(line), " %s", r.text);
	need(param_rcpt_parse(&again, line, offered) == PARAM_OK);
	need(strcmp(again.text, r.text) == 0 &&
	    strcmp(again.orcpt, r.orcpt) == 0 && again.notify == r.notify);
}

/* Both ways: what was decoded is encoded and decoded to itself. */
static void
check_xtext(const char *text, size_t len)
{
	char out[256], form[4096], again[256];

	if (xtext_decode(out, sizeof(out), text, len)) {
		need(xtext_encode(form, sizeof(form), out, strlen(out)));
		need(xtext_decode(again, sizeof(again), form, strlen(form)));
		need(strcmp(out, again) == 0);
	}
	if (xtext_decode_utf8(out, sizeof(out), text, len)) {
		check_text(out);
		need(xtext_encode_utf8(form, sizeof(form), out, strlen(out)));
		check_text(form);
		need(xtext_decode_utf8(again, sizeof(again), form,
		    strlen(form)));
		need(strcmp(out, again) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text;

	if (size == 0 || (text = malloc(size)) == NULL)
		return 0;
	memcpy(text, data + 1, size - 1);
	text[size - 1] = '\0';
	check_mail(text, data[0]);
	check_rcpt(text, data[0]);
	check_xtext(text, size - 1);
	free(text);
	return 0;
}
