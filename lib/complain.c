/* SPDX-License-Identifier: ISC */
#include "complain.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define TEXT_MAX	4096

static void __attribute__((format(printf, 2, 0)))
print(char *text, const char *fmt, va_list ap)
{
	if (vsnprintf(text, TEXT_MAX, fmt, ap) < 0)
		*text = '\0';
}

int
complain(const struct complain *c, int status, const char *fmt, ...)
{
	char text[TEXT_MAX];
	va_list ap;

	va_start(ap, fmt);
	print(text, fmt, ap);
	va_end(ap);
	c->hear(c->arg, status, text);
	return -1;
}

int
complain_errno(const struct complain *c, int status, const char *fmt, ...)
{
	const char *why = strerror(errno);
	char text[TEXT_MAX] = "";
	va_list ap;

	if (fmt != NULL) {
		va_start(ap, fmt);
		print(text, fmt, ap);
		va_end(ap);
		(void)strlcat(text, ": ", sizeof(text));
	}
	(void)strlcat(text, why, sizeof(text));
	c->hear(c->arg, status, text);
	return -1;
}
