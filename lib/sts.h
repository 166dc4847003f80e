/* SPDX-License-Identifier: ISC */
#ifndef MX_STS_H
#define MX_STS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "addr.h"

/*
 * The texts of MTA-STS (RFC 8461) and of TLS reporting (RFC 8460).  Nothing
 * is fetched here.  WHY is a string that lives for ever: what is wrong.
 */

#define STS_MX_MAX 40

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };

struct sts_policy {
	enum sts_mode mode;
	int64_t max_age;			/* seconds */
	char mx[STS_MX_MAX][ADDR_DOMAIN_MAX + 1];	/* lower case */
	size_t nmx;
};

/* The string of TXT rdata of LEN octets into OUT; false if it has no form. */
bool sts_txt(char *out, size_t size, const unsigned char *rdata, size_t len);

/* Is it a record of its kind ("v=STSv1", "v=TLSRPTv1"), good or bad? */
bool sts_is_record(const char *txt);
bool sts_is_report(const char *txt);

/* Whole and in order, with its id (RFC 8461 3.1). */
bool sts_record_parse(const char *txt, const char **why);
/* With one place at least for reports (RFC 8460 3). */
bool sts_report_parse(const char *txt, const char **why);

/* TEXT as the web server gave it (RFC 8461 3.2), without its header. */
bool sts_policy_parse(struct sts_policy *p, const char *text,
    const char **why);

/* Does the policy cover HOST: by name, or "*." for one label (4.1)? */
bool sts_covers(const struct sts_policy *p, const char *host);

const char *sts_mode_name(enum sts_mode mode);

#endif
