/* SPDX-License-Identifier: ISC */
#include <sys/socket.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "log.h"
#include "tap.h"

static int saved_err, saved_in;

/* What was said on a pipe in place of standard error. */
static const char *
said(int fd)
{
	static char buf[8192];
	ssize_t n = read(fd, buf, sizeof(buf) - 1);

	buf[n < 0 ? 0 : n] = '\0';
	return buf;
}

static enum log_target
target_with(int in, int errs)
{
	enum log_target t;

	if (in == -1)
		close(STDIN_FILENO);
	else
		dup2(in, STDIN_FILENO);
	if (errs == -1)
		close(STDERR_FILENO);
	else
		dup2(errs, STDERR_FILENO);
	t = log_target_find();
	dup2(saved_in, STDIN_FILENO);
	dup2(saved_err, STDERR_FILENO);
	return t;
}

static void
check_target(void)
{
	int a[2], b[2], p[2], null = open("/dev/null", O_RDWR);

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, a) == -1 ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, b) == -1 || pipe(p) == -1)
		return;
	is_int(target_with(a[0], a[0]), LOG_TARGET_SYSLOG,
	    "inetd: fd 2 is the client");
	is_int(target_with(a[0], b[0]), LOG_TARGET_STDERR,
	    "another socket is a supervisor's");
	is_int(target_with(a[0], p[1]), LOG_TARGET_STDERR, "a pipe too");
	is_int(target_with(p[0], p[1]), LOG_TARGET_STDERR, "on both sides");
	is_int(target_with(a[0], null), LOG_TARGET_SYSLOG, "/dev/null");
	is_int(target_with(a[0], -1), LOG_TARGET_SYSLOG, "closed");
	is_int(target_with(-1, p[1]), LOG_TARGET_STDERR, "no fd 0");
}

int
main(void)
{
	static const char *const want[] = { "iw", "iwn", "iwnd" };
	char line[4000], got[8];
	const char *text;
	int p[2];

	saved_err = dup(STDERR_FILENO);
	saved_in = dup(STDIN_FILENO);
	if (pipe(p) == -1)
		return 1;
	fcntl(p[0], F_SETFL, O_NONBLOCK);
	dup2(p[1], STDERR_FILENO);
	log_open("test", LOG_TARGET_STDERR, 0);
	errno = ENOENT;
	log_warn("open %s", "x");
	is_int(errno, ENOENT, "errno is kept");
	(void)snprintf(line, sizeof(line),
	    "test[%ld]: open x: No such file or directory\n", (long)getpid());
	is_str(said(p[0]), line, "one line, with its reason");
	for (int v = -1; v <= 1; v++) {
		log_open("test", LOG_TARGET_STDERR, v);
		log_warnx("w");
		log_info("n");
		log_debug("d");
		text = said(p[0]);
		(void)snprintf(got, sizeof(got), "i%s%s%s",
		    strstr(text, ": w\n") ? "w" : "",
		    strstr(text, ": n\n") ? "n" : "",
		    strstr(text, ": d\n") ? "d" : "");
		is_str(got, want[v + 1], "verbosity %d", v);
	}
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	errno = EIO;
	log_warn("%s", line);
	text = said(p[0]);
	ok(strlen(text) < 2200 && text[strlen(text) - 1] == '\n',
	    "a long line is cut, with its end");
	log_info("100%% %s", "%s%n");
	ok(strstr(said(p[0]), ": 100% %s%n\n") != NULL, "no text is a format");
	close(STDERR_FILENO);
	log_warnx("nobody hears");
	ok(true, "a closed log stops nothing");
	dup2(saved_err, STDERR_FILENO);
	check_target();
	return done_testing();
}
