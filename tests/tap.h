/* SPDX-License-Identifier: ISC */
#ifndef MX_TAP_H
#define MX_TAP_H

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/*
 * The Test Anything Protocol for the unit tests.  Each check prints a line
 * and returns whether it held, so that a test can stop where going on makes
 * no sense; a failed one shows both values.  main ends in
 * "return done_testing();".
 */

static int tap_run, tap_failed;

static inline bool __attribute__((format(printf, 4, 0)))
tap_result(bool held, const char *file, int line, const char *fmt, va_list ap)
{
	printf("%sok %d - ", held ? "" : "not ", ++tap_run);
	vprintf(fmt, ap);
	putchar('\n');
	if (!held) {
		tap_failed++;
		printf("#   at %s:%d\n", file, line);
	}
	fflush(stdout);
	return held;
}

/* A value on one line, whatever bytes it has. */
static inline void
tap_show(const char *what, const char *bytes, size_t len)
{
	size_t i;

	if (bytes == NULL) {
		printf("#   %s: NULL\n", what);
		return;
	}
	printf("#   %s: \"", what);
	for (i = 0; i < len; i++) {
		unsigned char b = (unsigned char)bytes[i];

		if (b == '"' || b == '\\')
			printf("\\%c", b);
		else if (b >= ' ' && b < 127)
			putchar(b);
		else if (b == '\n')
			fputs("\\n", stdout);
		else if (b == '\r')
			fputs("\\r", stdout);
		else
			printf("\\x%02x", b);
	}
	printf("\" (%zu bytes)\n", len);
}

static inline bool __attribute__((format(printf, 4, 5)))
tap_ok(bool held, const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tap_result(held, file, line, fmt, ap);
	va_end(ap);
	return held;
}

static inline bool __attribute__((format(printf, 5, 6)))
tap_is_int(intmax_t got, intmax_t want, const char *file, int line,
    const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tap_result(got == want, file, line, fmt, ap);
	va_end(ap);
	if (got != want)
		printf("#   got: %" PRIdMAX "\n#   want: %" PRIdMAX "\n",
		    got, want);
	return got == want;
}

static inline bool __attribute__((format(printf, 5, 6)))
tap_is_str(const char *got, const char *want, const char *file, int line,
    const char *fmt, ...)
{
	va_list ap;
	bool held;

	if (got == NULL || want == NULL)
		held = got == want;
	else
		held = strcmp(got, want) == 0;
	va_start(ap, fmt);
	tap_result(held, file, line, fmt, ap);
	va_end(ap);
	if (!held) {
		tap_show("got", got, got == NULL ? 0 : strlen(got));
		tap_show("want", want, want == NULL ? 0 : strlen(want));
	}
	return held;
}

static inline bool __attribute__((format(printf, 7, 8)))
tap_is_mem(const void *got, size_t gotlen, const void *want, size_t wantlen,
    const char *file, int line, const char *fmt, ...)
{
	va_list ap;
	bool held = gotlen == wantlen &&
	    (gotlen == 0 || memcmp(got, want, gotlen) == 0);

	va_start(ap, fmt);
	tap_result(held, file, line, fmt, ap);
	va_end(ap);
	if (!held) {
		tap_show("got", got, gotlen);
		tap_show("want", want, wantlen);
	}
	return held;
}

static inline void __attribute__((format(printf, 2, 3)))
tap_skip(const char *why, const char *fmt, ...)
{
	va_list ap;

	printf("ok %d - ", ++tap_run);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	printf(" # SKIP %s\n", why);
	fflush(stdout);
}

static inline int
done_testing(void)
{
	printf("1..%d\n", tap_run);
	if (tap_failed != 0)
		printf("# %d of %d failed\n", tap_failed, tap_run);
	return tap_failed != 0;
}

#define ok(held, ...) \
	tap_ok((held), __FILE__, __LINE__, __VA_ARGS__)
#define is_int(got, want, ...) \
	tap_is_int((intmax_t)(got), (intmax_t)(want), __FILE__, __LINE__, \
	    __VA_ARGS__)
#define is_str(got, want, ...) \
	tap_is_str((got), (want), __FILE__, __LINE__, __VA_ARGS__)
#define is_mem(got, gotlen, want, wantlen, ...) \
	tap_is_mem((got), (gotlen), (want), (wantlen), __FILE__, __LINE__, \
	    __VA_ARGS__)
#define skip(why, ...) \
	tap_skip((why), __VA_ARGS__)

#endif
