/* SPDX-License-Identifier: ISC */
#include "idn.h"

#include <errno.h>
#include <idn2.h>
#include <stdlib.h>
#include <string.h>

#include "addr.h"

static bool
ascii_add(char *out, char *label, const char **why)
{
	uint8_t *to = NULL;
	const char *p;
	int rc;
	bool ok = false;

	for (p = label; *p != '\0' && (unsigned char)*p < 0x80; p++)
		;
	if (*p != '\0') {
		rc = idn2_lookup_u8((const uint8_t *)label, &to,
		    IDN2_NFC_INPUT | IDN2_NONTRANSITIONAL);
		if (rc != IDN2_OK) {
			*why = idn2_strerror(rc);
			errno = rc == IDN2_MALLOC ? ENOMEM : EINVAL;
			return false;
		}
		label = (char *)to;
	}
	if ((*out != '\0' &&
	    strlcat(out, ".", ADDR_DOMAIN_MAX + 1) > ADDR_DOMAIN_MAX) ||
	    strlcat(out, label, ADDR_DOMAIN_MAX + 1) > ADDR_DOMAIN_MAX)
		*why = "too long for a domain";
	else if (*label == '\0')
		*why = "has an empty label";
	else
		ok = true;
	idn2_free(to);
	return ok;
}

bool
idn_to_ascii(char *out, const char *text, const char **why)
{
	char ascii[ADDR_DOMAIN_MAX + 1] = "";
	char *copy, *rest, *label;
	size_t len = strlen(text);
	bool ok = false;

	*out = '\0';
	*why = "out of memory";
	errno = ENOMEM;
	if ((copy = rest = strdup(text)) == NULL)
		return false;
	if (len > 1 && copy[len - 1] == '.')
		copy[len - 1] = '\0';
	errno = EINVAL;
	while ((label = strsep(&rest, ".")) != NULL)
		if (!ascii_add(ascii, label, why))
			goto out;
	if (!addr_domain(out, ascii)) {
		*out = '\0';
		*why = "not a domain name";
		goto out;
	}
	ok = true;
out:
	free(copy);
	return ok;
}
