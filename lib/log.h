/* SPDX-License-Identifier: ISC */
#ifndef MX_LOG_H
#define MX_LOG_H

/*
 * One event, one line, "key=value" words; to syslog (LOG_MAIL) or to
 * standard error, where a supervisor adds the time.  Text that came from the
 * network goes through plain() first.  errno is kept by every function.
 */

enum log_target { LOG_TARGET_STDERR, LOG_TARGET_SYSLOG };

/* IDENT is kept, not copied.  VERBOSE: 0 drops log_debug, -1 log_info too. */
void log_open(const char *ident, enum log_target target, int verbose);

/* Connects to syslog anew, for one who notices that it was restarted. */
void log_reopen(void);

/*
 * Where a program started by a super-server should log: syslog when fd 2 is
 * not open, is the null device, or is the client's socket as under inetd
 * (the same socket as fd 0); else standard error.
 */
enum log_target log_target_find(void);

void log_warn(const char *fmt, ...)	/* adds ": strerror(errno)" */
    __attribute__((format(printf, 1, 2)));
void log_warnx(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
