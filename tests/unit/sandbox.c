/* SPDX-License-Identifier: ISC */
#include "sandbox.h"

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tap.h"

/*
 * A small spool, and another tenant's message in it; then children that
 * enter, try one thing after the other, and leave what came of it in memory
 * that is shared.
 */
#define MSG	"mail/a.example/new/1"

static char top[] = "/tmp/mxkeep.sandbox.XXXXXX";
static int spool, mail, state, tmp, new, fifo, pair[2], udp, tcp, msg_path;
static pid_t parent;

struct outcome {
	bool done;
	unsigned layers;
	char active[SANDBOX_ACTIVE_SIZE];
	int error[128];
};
static struct outcome *outcome;

static void
put(const char *path, const char *text)
{
	int fd = openat(spool, path, O_CREAT | O_WRONLY | O_TRUNC, 0600);

	if (fd == -1 || write(fd, text, strlen(text)) == -1 || close(fd) == -1)
		ok(false, "cannot make %s", path);
}

static int
dir(const char *path)
{
	if (mkdirat(spool, path, 0700) == -1)
		ok(false, "cannot make %s", path);
	return openat(spool, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

static void
furnish(void)
{
	if (mkdtemp(top) == NULL || (spool = open(top, O_RDONLY)) == -1)
		exit(1);
	/* Root is let through where others are not. */
	if (geteuid() == 0 && (chown(top, 65534, 65534) == -1 ||
	    setresgid(65534, 65534, 65534) == -1 ||
	    setresuid(65534, 65534, 65534) == -1))
		exit(1);
	mail = dir("mail");
	state = dir("state");
	tmp = dir("tmp");
	close(dir("seen"));
	close(dir("mail/a.example"));
	close(dir("mail/b.example"));
	new = dir("mail/a.example/new");
	put(MSG, "secret");
	put("tmp/named", "secret");
	put("state/file", "up");
	put("seen/old", "x");
	mkfifoat(spool, "trigger", 0600);
	fifo = openat(spool, "trigger", O_RDWR | O_NONBLOCK);
	msg_path = openat(spool, MSG, O_PATH);
	socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
	udp = socket(AF_INET, SOCK_DGRAM, 0);
	tcp = socket(AF_INET, SOCK_STREAM, 0);
	parent = getpid();
}

static unsigned
enter(bool as_parent, char *active)
{
	char seen[64];
	const struct sandbox_path paths[] = {
		{ tmp, NULL, SANDBOX_MAKE | SANDBOX_WRITE | SANDBOX_REMOVE |
		    SANDBOX_REFER },
		{ mail, NULL, SANDBOX_MAKE | SANDBOX_MAKE_DIR |
		    SANDBOX_REFER | SANDBOX_LIST },
		{ state, NULL, SANDBOX_READ },
		{ -1, seen, SANDBOX_READ | SANDBOX_WRITE | SANDBOX_MAKE },
		{ spool, "trigger", SANDBOX_WRITE },
		{ -1, "/nonexistent/file", SANDBOX_READ },
	};
	struct sandbox_limits limits = { 65536, 64, as_parent };

	(void)snprintf(seen, sizeof(seen), "%s/seen", top);
	return sandbox_enter(paths, sizeof(paths) / sizeof(paths[0]), &limits,
	    active, SANDBOX_ACTIVE_SIZE);
}

/*** What is tried: 0, or errno ***/

static int
result(int r)
{
	return r == -1 ? errno : 0;
}

static int
open_at(int at, const char *path, int flags)
{
	return result(openat(at, path, flags, 0600));
}

static int
open_top(const char *path, int flags)
{
	char full[256];

	(void)snprintf(full, sizeof(full), "%s/%s", top, path);
	return open_at(AT_FDCWD, full, flags);
}

static int
open_proc(int fd, int flags)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open_at(AT_FDCWD, path, flags);
}

/* A message for NAME, as draft does it. */
static int
accept_for(const char *domain)
{
	char path[64], proc[64];
	int fd = openat(tmp, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600), to;

	(void)snprintf(path, sizeof(path), "%s/new", domain);
	(void)snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	if (fd == -1 || write(fd, "mail", 4) != 4 ||
	    mkdirat(mail, domain, 0700) == -1 ||
	    mkdirat(mail, path, 0700) == -1 ||
	    (to = openat(mail, path, O_RDONLY | O_DIRECTORY)) == -1 ||
	    linkat(AT_FDCWD, proc, to, "1", AT_SYMLINK_FOLLOW) == -1 ||
	    fsync(fd) == -1 || fsync(to) == -1 || fsync(mail) == -1)
		return errno;
	if (pwrite(fd, "void", 4, 0) != 4)
		return errno;
	return 0;
}

static int do_accept(void) { return accept_for("c.example"); }
static int
do_accept_named(void)
{
	int fd = openat(tmp, "own", O_CREAT | O_EXCL | O_WRONLY, 0600);

	if (fd == -1 || linkat(tmp, "own", new, "own", 0) == -1)
		return errno;
	return result(unlinkat(tmp, "own", 0));
}
static int do_list(void) { return open_at(mail, "a.example/new", O_RDONLY); }
static int do_state(void) { return open_at(state, "file", O_RDONLY); }
static int do_seen(void) { return open_top("seen/old", O_RDWR); }
static int do_seen_new(void) { return open_top("seen/n", O_RDWR | O_CREAT); }
static int
do_trigger(void)
{
	return open_at(spool, "trigger", O_WRONLY | O_NONBLOCK);
}
static int do_talk(void) { return result((int)send(pair[0], "x", 1, 0)); }
static int
do_limits(void)
{
	struct rlimit r;

	return result(getrlimit(RLIMIT_NOFILE, &r));
}

static int no_read(void) { return open_top(MSG, O_RDONLY); }
static int no_readat(void) { return open_at(new, "1", O_RDONLY); }
static int no_write(void) { return open_at(new, "1", O_WRONLY); }
static int no_trunc(void) { return open_at(new, "1", O_WRONLY | O_TRUNC); }
static int no_reopen(void) { return open_proc(msg_path, O_RDONLY); }
static int no_rewrite(void) { return open_proc(msg_path, O_RDWR); }
static int no_tmp(void) { return open_at(tmp, "named", O_RDONLY); }
static int no_remove(void) { return result(unlinkat(new, "1", 0)); }
static int
no_rename(void)
{
	return result(renameat(new, "1", new, "2"));
}
static int no_steal(void) { return result(renameat(new, "1", tmp, "2")); }
static int
no_overwrite(void)
{
	return result(renameat(tmp, "named", new, "1"));
}
static int no_link(void) { return result(linkat(new, "1", spool, "seen/1", 0)); }
static int
no_link_proc(void)
{
	char path[64];

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", msg_path);
	return result(linkat(AT_FDCWD, path, spool, "seen/1",
	    AT_SYMLINK_FOLLOW));
}
static int
no_link_read(void)
{
	/* It may have a second name where it stays unreadable. */
	if (linkat(new, "1", tmp, "second", 0) == -1)
		return errno;
	return open_at(tmp, "second", O_RDONLY);
}
static int
no_truncate(void)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/" MSG, top);
	return result(truncate(path, 0));
}
static int no_chmod(void) { return result(fchmodat(new, "1", 0666, 0)); }
static int no_chown(void) { return result(fchownat(new, "1", 1, 1, 0)); }
static int no_utime(void) { return result(utimensat(new, "1", NULL, 0)); }
static int
no_xattr(void)
{
	char path[256];

	(void)snprintf(path, sizeof(path), "%s/" MSG, top);
	return result(setxattr(path, "user.x", "y", 1, 0));
}
static int no_state(void) { return open_at(state, "file", O_WRONLY); }
static int no_state_new(void) { return open_at(state, "x", O_WRONLY | O_CREAT); }
static int no_state_lock(void) { return open_at(state, "file", O_RDWR); }
static int no_spool_list(void) { return open_top(".", O_RDONLY); }
static int no_mkdir(void) { return result(mkdirat(tmp, "d", 0700)); }
static int no_symlink(void) { return result(symlinkat("/", new, "s")); }
static int no_fifo(void) { return result(mkfifoat(new, "f", 0600)); }
static int no_passwd(void) { return open_at(AT_FDCWD, "/etc/passwd", O_RDONLY); }
static int no_root(void) { return open_at(AT_FDCWD, "/", O_RDONLY); }
static int
no_environ(void)
{
	return open_at(AT_FDCWD, "/proc/self/environ", O_RDONLY);
}
static int
no_dev(void)
{
	return open_at(AT_FDCWD, "/dev/null", O_RDWR);
}

static int
no_exec(void)
{
	char name[] = "true", *argv[] = { name, NULL };

	return result(execv("/bin/true", argv));
}
static int no_tcp(void) { return result(socket(AF_INET, SOCK_STREAM, 0)); }
static int no_udp(void) { return result(socket(AF_INET6, SOCK_DGRAM, 0)); }
static int no_unix(void) { return result(socket(AF_UNIX, SOCK_DGRAM, 0)); }
static int no_netlink(void) { return result(socket(AF_NETLINK, SOCK_RAW, 0)); }

static const struct sockaddr_in nobody = {
	.sin_family = AF_INET,
	.sin_port = 0x0900,
	.sin_addr = { 0x0100007f },
};
static int
no_connect(void)
{
	return result(connect(tcp, (const void *)&nobody, sizeof(nobody)));
}
static int
no_bind(void)
{
	struct sockaddr_in any = nobody;

	any.sin_port = 0;
	return result(bind(tcp, (const void *)&any, sizeof(any)));
}
static int no_listen(void) { return result(listen(tcp, 1)); }
static int
no_sendto(void)
{
	return result((int)sendto(udp, "x", 1, 0, (const void *)&nobody,
	    sizeof(nobody)));
}
static int
no_sendmsg(void)
{
	struct sockaddr_in to = nobody;
	struct iovec iov = { (char[]){ 'x' }, 1 };
	struct msghdr msg = { .msg_name = &to, .msg_namelen = sizeof(to),
	    .msg_iov = &iov, .msg_iovlen = 1 };

	return result((int)sendmsg(udp, &msg, 0));
}

static int
no_fork(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		(void)waitpid(pid, NULL, 0);
	return result(pid);
}
static int no_kill(void) { return result(kill(parent, 0)); }
static int no_tgkill(void) { return result((int)syscall(SYS_tgkill, parent,
    parent, 0)); }
static int no_group(void) { return result(kill(0, 0)); }
static int
no_ptrace(void)
{
	return result((int)ptrace(PTRACE_ATTACH, parent, NULL, NULL));
}
static int
no_peek(void)
{
	char byte;
	struct iovec ours = { &byte, 1 }, theirs = { top, 1 };

	return result((int)syscall(SYS_process_vm_readv, parent, &ours, 1,
	    &theirs, 1, 0));
}
static int
no_limit(void)
{
	struct rlimit r;

	return result(prlimit(parent, RLIMIT_NOFILE, NULL, &r));
}
static int no_setown(void) { return result(fcntl(pair[0], F_SETOWN, parent)); }
static int no_setsig(void) { return result(fcntl(pair[0], F_SETSIG, SIGKILL)); }
static int no_spgrp(void) { return result(ioctl(pair[0], FIOSETOWN, &parent)); }
static int no_keys(void) { return result(ioctl(pair[0], TIOCSTI, "x")); }
static int no_nice(void) { return result(setpriority(PRIO_PROCESS, 0, 19)); }
static int no_setuid(void) { return result(setuid(getuid())); }
static int no_unshare(void) { return result(unshare(CLONE_NEWUSER)); }
static int no_chroot(void) { return result(chroot("/")); }
static int no_mount(void) { return result(mount("x", "/", "tmpfs", 0, "")); }
static int no_uring(void) { return result((int)syscall(SYS_io_uring_setup, 1,
    top)); }
static int no_bpf(void) { return result((int)syscall(SYS_bpf, 0, top, 8)); }
static int no_fault(void) { return result((int)syscall(SYS_userfaultfd, 1)); }
static int no_keyctl(void) { return result((int)syscall(SYS_keyctl, 0, 0, 0)); }
static int no_handle(void) { return result((int)syscall(SYS_open_by_handle_at,
    spool, top, 0)); }
#ifdef __x86_64__
static int no_x32(void) { return result((int)syscall(0x40000000 | 39)); }
#endif

#define FILES	SANDBOX_FILES
#define CALLS	SANDBOX_CALLS
#define TWO	(SANDBOX_FILES | SANDBOX_CALLS)	/* either suffices */

static const struct attempt {
	const char *name;
	int (*try)(void);
	unsigned layers;	/* that refuse it; 0: it is allowed */
} attempts[] = {
	{ "take a mail into a new folder", do_accept, 0 },
	{ "take a mail without O_TMPFILE", do_accept_named, 0 },
	{ "list the mail", do_list, 0 },
	{ "read state", do_state, 0 },
	{ "write what it remembers", do_seen, 0 },
	{ "remember a new thing", do_seen_new, 0 },
	{ "pull the trigger", do_trigger, 0 },
	{ "talk to the client", do_talk, 0 },
	{ "ask for its own limits", do_limits, 0 },
	{ "read a message by its path", no_read, FILES },
	{ "read a message below an open directory", no_readat, FILES },
	{ "read a message again through /proc", no_reopen, FILES },
	{ "write a message again through /proc", no_rewrite, FILES },
	{ "read a temporary", no_tmp, FILES },
	{ "write a message", no_write, FILES },
	{ "truncate a message by open", no_trunc, FILES },
	{ "truncate a message", no_truncate, TWO },
	{ "remove a message", no_remove, FILES },
	{ "rename a message", no_rename, FILES },
	{ "move a message away", no_steal, FILES },
	{ "move something over a message", no_overwrite, FILES },
	{ "link a message to where it could be read", no_link, FILES },
	{ "link it there through /proc", no_link_proc, FILES },
	{ "read a message by a second name", no_link_read, FILES },
	{ "chmod a message", no_chmod, CALLS },
	{ "chown a message", no_chown, CALLS },
	{ "set the time of a message", no_utime, CALLS },
	{ "give a message an attribute", no_xattr, CALLS },
	{ "write state", no_state, FILES },
	{ "make state", no_state_new, FILES },
	{ "open state for a lock", no_state_lock, FILES },
	{ "list the spool", no_spool_list, FILES },
	{ "make a directory in tmp", no_mkdir, FILES },
	{ "make a symbolic link", no_symlink, FILES },
	{ "make a FIFO", no_fifo, FILES },
	{ "read /etc/passwd", no_passwd, FILES },
	{ "list /", no_root, FILES },
	{ "read /proc/self/environ", no_environ, FILES },
	{ "open a device", no_dev, FILES },
	{ "execute", no_exec, TWO },
	{ "make a TCP socket", no_tcp, CALLS },
	{ "make a UDP socket", no_udp, CALLS },
	{ "make a Unix socket", no_unix, CALLS },
	{ "make a netlink socket", no_netlink, CALLS },
	{ "connect a socket that is there", no_connect, CALLS },
	{ "bind a socket that is there", no_bind, CALLS },
	{ "listen on a socket that is there", no_listen, CALLS },
	{ "send to an address", no_sendto, CALLS },
	{ "send a message to an address", no_sendmsg, CALLS },
	{ "fork", no_fork, CALLS },
	{ "signal its parent", no_kill, CALLS },
	{ "signal a thread of its parent", no_tgkill, CALLS },
	{ "signal its group", no_group, CALLS },
	{ "trace its parent", no_ptrace, TWO },
	{ "read its parent's memory", no_peek, TWO },
	{ "change its parent's limits", no_limit, CALLS },
	{ "let input signal its parent", no_setown, CALLS },
	{ "choose the signal of input", no_setsig, CALLS },
	{ "let ioctl do it", no_spgrp, CALLS },
	{ "type into a terminal", no_keys, CALLS },
	{ "change a priority", no_nice, CALLS },
	{ "change its user", no_setuid, CALLS },
	{ "make a namespace", no_unshare, CALLS },
	{ "chroot", no_chroot, CALLS },
	{ "mount", no_mount, CALLS },
	{ "use io_uring", no_uring, CALLS },
	{ "use bpf", no_bpf, CALLS },
	{ "use userfaultfd", no_fault, CALLS },
	{ "use keys", no_keyctl, CALLS },
	{ "open a file by its handle", no_handle, CALLS },
#ifdef __x86_64__
	{ "use an x32 call", no_x32, CALLS },
#endif
};
#define NATTEMPTS	(sizeof(attempts) / sizeof(attempts[0]))

static bool
is_refusal(int error)
{
	return error == EPERM || error == EACCES || error == EXDEV;
}

static void
try_all(void)
{
	for (size_t i = 0; i < NATTEMPTS; i++)
		outcome->error[i] = attempts[i].try();
	outcome->done = true;
	_exit(0);
}

static int
run(void (*child)(void))
{
	pid_t pid;
	int status = -1;

	memset(outcome, 0, sizeof(*outcome));
	if ((pid = fork()) == 0) {
		child();
		_exit(99);
	}
	(void)waitpid(pid, &status, 0);
	return status;
}

/* Puts back what the mail of the last child made. */
static void
tidy(void)
{
	static const char *const files[] = { "mail/c.example/new/1",
	    "mail/a.example/new/own", "tmp/own", "tmp/second", "seen/n" };

	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++)
		(void)unlinkat(spool, files[i], 0);
	(void)unlinkat(spool, "mail/c.example/new", AT_REMOVEDIR);
	(void)unlinkat(spool, "mail/c.example", AT_REMOVEDIR);
}

static void
judge(const char *who, unsigned without)
{
	char text[8];
	int fd;

	ok(outcome->done, "%s: has tried all", who);
	for (size_t i = 0; outcome->done && i < NATTEMPTS; i++) {
		const struct attempt *a = &attempts[i];
		int error = outcome->error[i];

		if (a->layers == 0)
			is_int(error, 0, "%s can %s", who, a->name);
		else if ((a->layers & ~without) == 0)
			continue;
		else if ((a->layers & outcome->layers) == 0)
			skip("no layer for it", "%s cannot %s", who, a->name);
		else if (!ok(is_refusal(error), "%s cannot %s", who, a->name))
			printf("#   %s\n", strerror(error));
	}
	if ((outcome->layers & ~without & FILES) != 0) {
		fd = openat(spool, MSG, O_RDONLY);
		is_int(read(fd, text, sizeof(text)), 6, "%s: the message is "
		    "as it was", who);
		close(fd);
	}
	tidy();
}

static void
alone(void)
{
	outcome->layers = enter(false, outcome->active);
	try_all();
}

static void
narrowed(void)
{
	parent = getppid();
	outcome->layers = sandbox_narrow(sandbox_prepare());
	try_all();
}

/* An accepting parent does what it must, then has a child. */
static void
accepting(void)
{
	pid_t pid;
	int status;

	outcome->layers = enter(true, outcome->active);
	outcome->error[0] = no_unix();
	outcome->error[1] = no_tcp();
	outcome->error[2] = no_exec();
	outcome->error[3] = no_read();
	outcome->error[4] = no_unshare();
	if ((pid = fork()) == 0) {
		(void)pause();
		_exit(0);
	}
	outcome->error[5] = result(kill(pid, SIGKILL));
	outcome->error[6] = waitpid(pid, &status, 0) == pid &&
	    WIFSIGNALED(status) ? 0 : EINVAL;
	outcome->done = true;
	_exit(0);
}

static void
accepting_child(void)
{
	int status;
	pid_t pid;

	if (enter(true, outcome->active) == 0)
		_exit(1);
	if ((pid = fork()) == 0)
		narrowed();
	(void)waitpid(pid, &status, 0);
	_exit(0);
}

/* Two of a parent: one has a message open, the other would like it. */
static void
siblings(void)
{
	char path[64];
	int ready[2], fd;
	pid_t one, two;

	if (enter(true, outcome->active) == 0 || pipe(ready) == -1)
		_exit(1);
	if ((one = fork()) == 0) {
		/* A domain of its own does it, even where this does not. */
		(void)prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
		fd = openat(tmp, ".", O_TMPFILE | O_WRONLY, 0600);
		if (dup2(fd, 50) != 50)
			_exit(1);
		outcome->layers = sandbox_narrow(sandbox_prepare());
		(void)!write(ready[1], "x", 1);
		(void)pause();
		_exit(0);
	}
	(void)!read(ready[0], path, 1);
	if ((two = fork()) == 0) {
		(void)snprintf(path, sizeof(path), "/proc/%d/fd/50", one);
		sandbox_narrow(sandbox_prepare());
		outcome->error[0] = open_at(AT_FDCWD, path, O_WRONLY);
		outcome->error[1] = result(linkat(AT_FDCWD, path, new,
		    "stolen", AT_SYMLINK_FOLLOW));
		outcome->error[2] = result(kill(one, 0));
		outcome->done = true;
		_exit(0);
	}
	(void)waitpid(two, NULL, 0);
	(void)kill(one, SIGKILL);
	(void)waitpid(one, NULL, 0);
	_exit(0);
}

/* A kernel that answers NR with ENOSYS. */
static void
forget(uint32_t nr)
{
	struct sock_filter f[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(f) / sizeof(f[0]), f };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1 ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) == -1)
		_exit(98);
}

static void
old_kernel(void)
{
	forget(SYS_landlock_create_ruleset);
	alone();
}

static void
no_seccomp(void)
{
	forget(SYS_seccomp);
	alone();
}

#ifdef __x86_64__
/* getpid(2) of i386: no kernel and no hypervisor need have it. */
static void
other_abi(void)
{
	long r;

	__asm__ volatile("int $0x80" : "=a"(r) : "a"(20L) : "memory");
	outcome->error[0] = (int)r;
	_exit(0);
}

static void
wrong_abi(void)
{
	outcome->layers = enter(false, outcome->active);
	other_abi();
}

static void
test_wrong_abi(void)
{
	int status;

	status = run(other_abi);
	if (!WIFEXITED(status) || outcome->error[0] <= 0) {
		skip("no calls of i386 here", "a call of i386 kills");
		return;
	}
	status = run(wrong_abi);
	if ((outcome->layers & CALLS) == 0)
		skip("no seccomp", "a call of i386 kills");
	else
		ok(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS,
		    "a call of i386 kills");
}
#endif

static void
limits(void)
{
	struct rlimit r;
	int fd;

	outcome->layers = enter(false, outcome->active);
	(void)signal(SIGXFSZ, SIG_IGN);
	outcome->error[0] = getrlimit(RLIMIT_NOFILE, &r) == 0 ?
	    (int)r.rlim_max : -1;
	outcome->error[1] = getrlimit(RLIMIT_CORE, &r) == 0 ?
	    (int)r.rlim_max : -1;
	outcome->error[2] = prctl(PR_GET_DUMPABLE, 0, 0, 0, 0);
	outcome->error[3] = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
	fd = openat(tmp, ".", O_TMPFILE | O_WRONLY, 0600);
	outcome->error[4] = result((int)pwrite(fd, "x", 1, 65536));
	_exit(0);
}

static void
test_roles(void)
{
	bool files, calls;

	run(alone);
	printf("# %s\n", outcome->active);
	judge("a receiver", 0);

	run(accepting);
	ok(outcome->done, "an accepting parent");
	files = (outcome->layers & FILES) != 0;
	calls = (outcome->layers & CALLS) != 0;
	is_int(outcome->error[0], 0, "it can make a Unix socket, for syslog");
	is_int(outcome->error[5], 0, "it can signal its child");
	is_int(outcome->error[6], 0, "it can wait for its child");
	ok(!calls || is_refusal(outcome->error[1]), "no TCP socket");
	ok(!calls || is_refusal(outcome->error[2]), "no exec");
	ok(!files || is_refusal(outcome->error[3]), "no message");
	ok(!calls || is_refusal(outcome->error[4]), "no namespace");

	run(accepting_child);
	judge("its child", 0);

	run(siblings);
	ok(outcome->done, "two children");
	for (size_t i = 0; files && calls && i < 3; i++)
		ok(is_refusal(outcome->error[i]), "they are strangers: %s",
		    i == 0 ? "open" : i == 1 ? "link" : "kill");
}

static void
test_missing_layers(void)
{
	run(no_seccomp);
	is_int(outcome->layers & CALLS, 0, "a kernel without seccomp(2)");
	ok(strstr(outcome->active, "no seccomp (Function not implemented)") !=
	    NULL, "says so: %s", outcome->active);
	judge("without seccomp, it", CALLS);

	/* The last, since nothing keeps it from the files. */
	run(old_kernel);
	is_int(outcome->layers & FILES, 0, "a kernel without Landlock");
	ok(strstr(outcome->active, "no landlock (Function not implemented)") !=
	    NULL, "says so: %s", outcome->active);
	judge("without Landlock, it", FILES);
}

static int
remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

int
main(void)
{
	outcome = mmap(NULL, sizeof(*outcome), PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	furnish();
	test_roles();
#ifdef __x86_64__
	test_wrong_abi();
#endif

	run(limits);
	is_int(outcome->error[0], 64, "descriptors are limited");
	is_int(outcome->error[1], 0, "no core");
	is_int(outcome->error[2], 0, "not dumpable");
	is_int(outcome->error[3], 1, "no new privileges");
	is_int(outcome->error[4], EFBIG, "files are limited");

	test_missing_layers();
	(void)nftw(top, remove_one, 8, FTW_DEPTH | FTW_PHYS);
	return done_testing();
}
