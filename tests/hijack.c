/* SPDX-License-Identifier: ISC */
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "smtp_server.h"

/*
 * A receiver that a stranger has taken over: linked before
 * lib/libmx.a, it does to the host what it can from where smtp_serve is
 * called, and tells the client a line for each attempt: what it tried,
 * and what came of it, "done" or "refused" or an error.
 *
 * The client begins with "TOP PORT PID FD": the spool is TOP/spool, with a
 * message in mail/a.example/new/1, the configuration TOP/etc; a server
 * listens on PORT of 127.0.0.1, TCP and UDP; and process PID is one of its
 * kind that has a message open as FD.  Or with "hold", to be that one.
 */

#define MESSAGE		"mail/a.example/new/1"
#define DESCRIPTORS	256

static char top[256];
static struct stream *client;
static const struct spool *sp;
static int victim_fd;
static pid_t victim;

static struct sockaddr_in server = {
	.sin_family = AF_INET,
};

static void
tell(const char *what, int error)
{
	if (error == 0)
		stream_printf(client, "%s: done\r\n", what);
	else if (error == EPERM || error == EACCES || error == EXDEV)
		stream_printf(client, "%s: refused\r\n", what);
	else
		stream_printf(client, "%s: %s\r\n", what, strerror(error));
}

static void
try(const char *what, intmax_t result)
{
	tell(what, result == -1 ? errno : 0);
}

static const char *
below(const char *path)
{
	static char full[2][512];
	static int turn;

	turn = !turn;
	(void)snprintf(full[turn], sizeof(full[turn]), "%s/%s", top, path);
	return full[turn];
}

static int
get(const char *path, int flags)
{
	int fd = open(below(path), flags | O_CLOEXEC, 0600);
	int saved = errno;

	if (fd != -1)
		close(fd);
	errno = saved;
	return fd;
}

static int
get_proc(pid_t pid, int fd, int flags)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", pid, fd);
	return open(path, flags | O_CLOEXEC);
}

/*** The spool ***/

static void
try_messages(void)
{
	int fd = open(below("spool/" MESSAGE), O_PATH | O_CLOEXEC);

	try("read a message", get("spool/" MESSAGE, O_RDONLY));
	try("write a message", get("spool/" MESSAGE, O_WRONLY));
	try("read another tenant's message",
	    get("spool/mail/b.example/new/1", O_RDONLY));
	try("read a message through /proc",
	    get_proc(getpid(), fd, O_RDONLY));
	try("write a message through /proc", get_proc(getpid(), fd, O_RDWR));
	try("read a temporary", get("spool/tmp/named", O_RDONLY));
	try("list the spool", get("spool", O_RDONLY));
	try("write state", get("spool/state/file", O_WRONLY));
	try("make state", get("spool/state/new", O_WRONLY | O_CREAT));
	try("remove state", unlink(below("spool/state/file")));
	try("link a message to where it can be read",
	    link(below("spool/" MESSAGE), below("spool/seen/1")));
	try("make a message readable by all",
	    chmod(below("spool/" MESSAGE), 0644));
	try("set a message's owner",
	    chown(below("spool/" MESSAGE), getuid(), getgid()));
	try("set a message's time",
	    utimensat(AT_FDCWD, below("spool/" MESSAGE), NULL, 0));
	try("rename a message", rename(below("spool/" MESSAGE),
	    below("spool/" MESSAGE "x")));
	(void)!rename(below("spool/" MESSAGE "x"), below("spool/" MESSAGE));
	try("move a message away", rename(below("spool/" MESSAGE),
	    below("spool/tmp/1")));
	try("put something in its place", rename(below("spool/tmp/named"),
	    below("spool/" MESSAGE)));
	try("truncate a message", truncate(below("spool/" MESSAGE), 0));
	try("truncate a message by open",
	    get("spool/" MESSAGE, O_WRONLY | O_TRUNC));
	try("remove a message", unlink(below("spool/" MESSAGE)));
}

/* A second name is not worth anything where it cannot be read either. */
static void
try_second_name(void)
{
	if (link(below("spool/mail/b.example/new/1"),
	    below("spool/mail/a.example/new/second")) == -1 &&
	    errno != EEXIST)
		tell("read a message by a second name", errno);
	else
		try("read a message by a second name",
		    get("spool/mail/a.example/new/second", O_RDONLY));
}

/*** What it has got from its parent ***/

static void
try_directory(int fd)
{
	static const char *const paths[] = { "new/1", "b.example/new/1",
	    "mail/b.example/new/1", "../mail/b.example/new/1",
	    "../../../../../../../../../../etc/passwd" };
	int got, error = EACCES;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if ((got = openat(fd, paths[i], O_RDONLY)) != -1) {
			error = 0;
			close(got);
		}
	tell("read by way of a directory that is open", error);
}

static void
try_descriptors(void)
{
	struct stat st;
	int yes, flags, accepts = EPERM, files = EPERM;
	socklen_t len;

	for (int fd = 0; fd < DESCRIPTORS; fd++) {
		if ((flags = fcntl(fd, F_GETFL)) == -1 || fstat(fd, &st) == -1)
			continue;
		len = sizeof(yes);
		if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &yes, &len) ==
		    0 && yes != 0)
			accepts = 0;
		if (S_ISDIR(st.st_mode))
			try_directory(fd);
		else if (fd > 2 && S_ISREG(st.st_mode) &&
		    (flags & O_ACCMODE) != O_WRONLY)
			files = 0;
	}
	tell("accept in place of its parent", accepts);
	tell("read a file that is open", files);
}

/*** The host ***/

static void
try_host(void)
{
	char no[] = "no";

	try("read a file of the host", get("secret", O_RDONLY));
	try("read the password file", open("/etc/passwd", O_RDONLY));
	try("list the host", open("/", O_RDONLY | O_DIRECTORY));
	try("make a file", get("made", O_WRONLY | O_CREAT));
	try("change the configuration", get("etc/mxkeep.conf", O_WRONLY));
	try("add a domain", get("etc/domains/evil", O_WRONLY | O_CREAT));
	try("read its own environment", open("/proc/self/environ", O_RDONLY));
	/* Arguments that are none: it comes as far as to look at them. */
	if (syscall(SYS_execve, "/bin/true", 1L, 0L) == -1)
		tell("execute", errno == EFAULT ? 0 : errno);
	try("change root", chroot(below(no)) == -1 && errno == ENOENT ? 0 :
	    -1);
}

static void
try_network(void)
{
	static const int types[] = { SOCK_STREAM, SOCK_DGRAM };

	for (size_t i = 0; i < 2; i++) {
		const char *what = i == 0 ? "connect by TCP" : "send by UDP";
		int fd = socket(AF_INET, types[i] | SOCK_CLOEXEC, 0);

		if (fd != -1 && connect(fd, (struct sockaddr *)&server,
		    sizeof(server)) == 0)
			try(what, write(fd, "hijacked", 8));
		else
			tell(what, errno);
		if (fd != -1)
			close(fd);
	}
	try("make a Unix socket", socket(AF_UNIX, SOCK_STREAM, 0));
	try("make a netlink socket", socket(AF_NETLINK, SOCK_RAW, 0));
}

/*** Other processes ***/

static void
try_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	try("fork", pid);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
}

static void
try_process(const char *who, pid_t pid)
{
	char what[64], byte = 0;
	struct iovec ours = { &byte, 1 }, theirs = { top, 1 };

	(void)snprintf(what, sizeof(what), "signal %s", who);
	try(what, kill(pid, 0));
	(void)snprintf(what, sizeof(what), "trace %s", who);
	/* It is let go when we end. */
	try(what, ptrace(PTRACE_SEIZE, pid, NULL, NULL));
	(void)snprintf(what, sizeof(what), "look into %s", who);
	/* Another program has nothing there, but then it was asked. */
	if (process_vm_readv(pid, &ours, 1, &theirs, 1, 0) == -1)
		tell(what, errno == EFAULT ? 0 : errno);
	else
		tell(what, 0);
}

static void
try_sibling(void)
{
	char path[64];

	try("read a message that another has open",
	    get_proc(victim, victim_fd, O_RDONLY));
	try("write a message that another has open",
	    get_proc(victim, victim_fd, O_WRONLY));
	(void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", victim,
	    victim_fd);
	try("link a message that another has open", linkat(AT_FDCWD, path,
	    sp->mail, "a.example/new/stolen", AT_SYMLINK_FOLLOW));
}

/* An honest one at work. */
static void
hold(void)
{
	int fd = openat(sp->tmp, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
	char *line;
	size_t len;

	stream_printf(client, "%d %d\r\n", getpid(), fd);
	(void)stream_line(client, &line, &len, 100);
}

enum smtp_server_end
smtp_serve(const struct smtp_server_args *args)
{
	char *line;
	size_t len;
	int port;

	client = args->stream;
	sp = args->spool;
	if (stream_line(client, &line, &len, 1000) != STREAM_LINE)
		return SMTP_SERVER_BROKEN;
	if (strcmp(line, "hold") == 0) {
		hold();
		return SMTP_SERVER_DONE;
	}
	if (sscanf(line, "%255s %d %d %d", top, &port, &victim, &victim_fd) !=
	    4)
		return SMTP_SERVER_BROKEN;
	server.sin_port = htons((uint16_t)port);
	server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	try_second_name();
	try_descriptors();
	try_sibling();
	try_messages();
	try_host();
	try_network();
	try_fork();
	try_process("its parent", getppid());
	try_process("another session", victim);
	stream_printf(client, "end\r\n");
	(void)stream_flush(client);
	return SMTP_SERVER_DONE;
}
