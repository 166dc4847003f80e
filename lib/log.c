/* SPDX-License-Identifier: ISC */
#include "log.h"

#include <sys/stat.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#define LINE 2048

static enum log_target log_to = LOG_TARGET_STDERR;
static const char *log_ident = "mxkeep";
static int log_verbose;

void
log_open(const char *ident, enum log_target target, int verbose)
{
	log_ident = ident;
	log_to = target;
	log_verbose = verbose;
	if (target == LOG_TARGET_SYSLOG) {
		openlog(ident, LOG_PID | LOG_NDELAY, LOG_MAIL);
		/* Its times are local; a sandbox would hide the zone. */
		tzset();
	}
}

void
log_reopen(void)
{
	if (log_to != LOG_TARGET_SYSLOG)
		return;
	closelog();
	openlog(log_ident, LOG_PID | LOG_NDELAY, LOG_MAIL);
}

enum log_target
log_target_find(void)
{
	struct stat in, errs, null;

	if (fstat(STDERR_FILENO, &errs) == -1)
		return LOG_TARGET_SYSLOG;
	if (fstat(STDIN_FILENO, &in) == 0 && in.st_dev == errs.st_dev &&
	    in.st_ino == errs.st_ino && S_ISSOCK(errs.st_mode))
		return LOG_TARGET_SYSLOG;
	if (S_ISCHR(errs.st_mode) && stat("/dev/null", &null) == 0 &&
	    null.st_rdev == errs.st_rdev)
		return LOG_TARGET_SYSLOG;
	return LOG_TARGET_STDERR;
}

/* One write(2) a line, so that lines of several processes never mix. */
static void
emit_stderr(const char *text)
{
	char head[128];
	struct iovec iov[3];
	int n;

	n = snprintf(head, sizeof(head), "%s[%ld]: ", log_ident,
	    (long)getpid());
	if (n < 0 || (size_t)n >= sizeof(head))
		return;
	iov[0].iov_base = head;
	iov[0].iov_len = (size_t)n;
	iov[1].iov_base = (char *)text;
	iov[1].iov_len = strlen(text);
	iov[2].iov_base = "\n";
	iov[2].iov_len = 1;
	/* A log that cannot be written must not stop the mail. */
	if (writev(STDERR_FILENO, iov, 3) == -1)
		return;
}

static void __attribute__((format(printf, 2, 0)))
emit(int priority, const char *fmt, va_list ap, const char *suffix)
{
	char line[LINE];
	int n;

	n = vsnprintf(line, sizeof(line), fmt, ap);
	if (n < 0)
		return;
	if (suffix != NULL && (size_t)n < sizeof(line))
		(void)snprintf(line + n, sizeof(line) - (size_t)n, ": %s",
		    suffix);
	if (log_to == LOG_TARGET_SYSLOG)
		syslog(priority, "%s", line);
	else
		emit_stderr(line);
}

void
log_warn(const char *fmt, ...)
{
	va_list ap;
	int saved = errno;

	va_start(ap, fmt);
	emit(LOG_ERR, fmt, ap, strerror(saved));
	va_end(ap);
	errno = saved;
}

void
log_warnx(const char *fmt, ...)
{
	va_list ap;
	int saved = errno;

	va_start(ap, fmt);
	emit(LOG_WARNING, fmt, ap, NULL);
	va_end(ap);
	errno = saved;
}

void
log_info(const char *fmt, ...)
{
	va_list ap;
	int saved = errno;

	if (log_verbose < 0)
		return;
	va_start(ap, fmt);
	emit(LOG_INFO, fmt, ap, NULL);
	va_end(ap);
	errno = saved;
}

void
log_debug(const char *fmt, ...)
{
	va_list ap;
	int saved = errno;

	if (log_verbose < 1)
		return;
	va_start(ap, fmt);
	emit(LOG_DEBUG, fmt, ap, NULL);
	va_end(ap);
	errno = saved;
}
