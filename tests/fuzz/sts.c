/* SPDX-License-Identifier: ISC */
/* A policy of MTA-STS, and the same octets as the data of a TXT record. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "sts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
need(bool held)
{
	if (!held)
		abort();
}

static void
policy(const char *text)
{
	struct sts_policy p;
	const char *why;
	char host[ADDR_DOMAIN_MAX + 1];
	size_t i;

	if (!sts_policy_parse(&p, text, &why)) {
		need(why != NULL && why[0] != '\0');
		return;
	}
	need(p.nmx < STS_MX_MAX && (p.nmx > 0 || p.mode == STS_NONE));
	need(p.max_age >= 0 && p.max_age <= 31557600);
	for (i = 0; i < p.nmx; i++) {
		if (p.mx[i][0] == '*') {
			need(addr_domain(host, p.mx[i] + 2));
			need(!sts_covers(&p, host) || p.nmx > 1);
		} else
			need(sts_covers(&p, p.mx[i]));
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char txt[512], *text;
	const char *why;

	if ((text = malloc(size + 1)) == NULL)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	policy(text);
	free(text);
	if (!sts_txt(txt, sizeof(txt), data, size))
		return 0;
	need(strlen(txt) < sizeof(txt));
	need(!sts_is_record(txt) || !sts_is_report(txt));
	(void)sts_record_parse(txt, &why);
	(void)sts_report_parse(txt, &why);
	return 0;
}
