/* SPDX-License-Identifier: ISC */
#include "sandbox.h"

#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/landlock.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/*** Files: Landlock ***/

/* Debian 12's header ends with ABI 2. */
#define FS_ABI_1	((UINT64_C(1) << 13) - 1)
#define FS_REFER	(UINT64_C(1) << 13)		/* ABI 2 */
#define FS_TRUNCATE	(UINT64_C(1) << 14)		/* ABI 3 */
#define FS_IOCTL_DEV	(UINT64_C(1) << 15)		/* ABI 5 */
#define NET_TCP		UINT64_C(3)			/* ABI 4 */
#define SCOPED		UINT64_C(3)			/* ABI 6 */

struct ruleset {
	uint64_t fs;
	uint64_t net;		/* bind, connect */
	uint64_t scoped;	/* abstract Unix sockets, signals */
};

static int
ruleset_abi(void)
{
	return (int)syscall(SYS_landlock_create_ruleset, NULL, 0,
	    LANDLOCK_CREATE_RULESET_VERSION);
}

static int
ruleset_open(const struct ruleset *r)
{
	return (int)syscall(SYS_landlock_create_ruleset, r, sizeof(*r), 0);
}

/* All that a kernel of ABI can refuse.  Unix sockets are left to seccomp. */
static struct ruleset
handled(int abi)
{
	struct ruleset r = { .fs = FS_ABI_1 | FS_REFER };

	if (abi >= 3)
		r.fs |= FS_TRUNCATE;
	if (abi >= 4)
		r.net = NET_TCP;
	if (abi >= 5)
		r.fs |= FS_IOCTL_DEV;
	if (abi >= 6)
		r.scoped = SCOPED;
	return r;
}

static uint64_t
rights_of(unsigned rights)
{
	static const uint64_t map[] = {
		LANDLOCK_ACCESS_FS_READ_FILE, LANDLOCK_ACCESS_FS_READ_DIR,
		LANDLOCK_ACCESS_FS_WRITE_FILE, FS_TRUNCATE,
		LANDLOCK_ACCESS_FS_MAKE_REG, LANDLOCK_ACCESS_FS_MAKE_DIR,
		LANDLOCK_ACCESS_FS_REMOVE_FILE, FS_REFER,
	};
	uint64_t fs = 0;

	for (size_t i = 0; i < sizeof(map) / sizeof(map[0]); i++)
		if ((rights & 1U << i) != 0)
			fs |= map[i];
	return fs;
}

static int
add_path(int ruleset, const struct sandbox_path *p, uint64_t known)
{
	struct landlock_path_beneath_attr beneath = { .parent_fd = p->fd };
	int result, saved;

	beneath.allowed_access = rights_of(p->rights) & known;
	/* A kernel without the only right that is asked for. */
	if (beneath.allowed_access == 0)
		return 0;
	if (p->path != NULL) {
		beneath.parent_fd = openat(p->fd < 0 ? AT_FDCWD : p->fd,
		    p->path, O_PATH | O_CLOEXEC);
		if (beneath.parent_fd == -1)
			return errno == ENOENT || errno == ENOTDIR ? 0 : -1;
	}
	result = (int)syscall(SYS_landlock_add_rule, ruleset,
	    LANDLOCK_RULE_PATH_BENEATH, &beneath, 0);
	saved = errno;
	if (p->path != NULL)
		close(beneath.parent_fd);
	errno = saved;
	return result;
}

/* A ruleset with these paths; -1 with errno. */
static int
ruleset_of(const struct ruleset *r, const struct sandbox_path *paths,
    size_t n)
{
	int fd, saved;

	if ((fd = ruleset_open(r)) == -1)
		return -1;
	for (size_t i = 0; i < n; i++)
		if (add_path(fd, &paths[i], r->fs) == -1) {
			saved = errno;
			close(fd);
			errno = saved;
			return -1;
		}
	return fd;
}

/* A domain of its own, below the one we have; -1 with errno. */
static int
restrict_self(int ruleset)
{
	return (int)syscall(SYS_landlock_restrict_self, ruleset, 0);
}

/* The ABI that is used, or -1 with errno. */
static int
enter_landlock(const struct sandbox_path *paths, size_t n)
{
	int abi = ruleset_abi();
	struct ruleset r = handled(abi);
	int fd, result, saved;

	if (abi == 1) {
		/* It refuses every link from one directory to another. */
		errno = EOPNOTSUPP;
		return -1;
	}
	if (abi == -1 || (fd = ruleset_of(&r, paths, n)) == -1)
		return -1;
	result = restrict_self(fd);
	saved = errno;
	close(fd);
	errno = saved;
	return result == -1 ? -1 : abi;
}

/*
 * Processes of one domain may look into each other and, through /proc, open
 * each other's files; with a domain of its own each child is alone.  Files
 * were settled in the parent.  But a domain has to handle something, and
 * what links between directories is refused in each that does not allow it.
 */
int
sandbox_prepare(void)
{
	static const struct sandbox_path root = { -1, "/", SANDBOX_REFER };
	int abi = ruleset_abi();
	struct ruleset r = handled(abi);

	if (abi < 2)
		return -1;
	r.fs = FS_REFER;
	return ruleset_of(&r, &root, 1);
}

/*** System calls: seccomp ***/

#if defined(__x86_64__) && !defined(__ILP32__)
#define ARCH	AUDIT_ARCH_X86_64
#elif defined(__aarch64__) && __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ARCH	AUDIT_ARCH_AARCH64
#endif

#ifdef ARCH

#define X32_BIT	0x40000000U	/* x86_64 calls with 32 bit pointers */

/* Since 424 a call has the same number everywhere; headers lag behind. */
#define NR_FCHMODAT2		452
#define NR_SETXATTRAT		463
#define NR_REMOVEXATTRAT	466
#define NR_OPEN_TREE_ATTR	467
#define NR_FILE_SETATTR		469

/* What Landlock does not cover, or only since a later ABI. */
static const uint16_t refused[] = {
	/* Other programs; the flags of clone3 cannot be seen from here. */
	SYS_execve, SYS_execveat, SYS_clone3,
	/* Ways out; a connected socket can be connected anew. */
	SYS_bind, SYS_listen, SYS_sendmsg, SYS_sendmmsg, SYS_mq_open,
	SYS_msgget, SYS_semget, SYS_shmget,
	/* Metadata and length of files that cannot be opened. */
	SYS_fchmod, SYS_fchmodat, NR_FCHMODAT2, SYS_fchown, SYS_fchownat,
	SYS_setxattr, SYS_lsetxattr, SYS_fsetxattr, NR_SETXATTRAT,
	SYS_removexattr, SYS_lremovexattr, SYS_fremovexattr,
	NR_REMOVEXATTRAT, NR_FILE_SETATTR, SYS_utimensat, SYS_truncate,
	/* Other processes. */
	SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp,
	SYS_pidfd_getfd, SYS_process_madvise, SYS_process_mrelease,
	SYS_migrate_pages, SYS_move_pages, SYS_setpriority, SYS_ioprio_set,
	SYS_sched_setscheduler, SYS_sched_setparam, SYS_sched_setattr,
	SYS_sched_setaffinity,
	/* Another identity. */
	SYS_setuid, SYS_setgid, SYS_setreuid, SYS_setregid, SYS_setresuid,
	SYS_setresgid, SYS_setfsuid, SYS_setfsgid, SYS_setgroups, SYS_capset,
	/* Another view of the files. */
	SYS_mount, SYS_umount2, SYS_pivot_root, SYS_chroot, SYS_unshare,
	SYS_setns, SYS_open_tree, NR_OPEN_TREE_ATTR, SYS_move_mount,
	SYS_fsopen, SYS_fsconfig, SYS_fsmount, SYS_fspick, SYS_mount_setattr,
	SYS_name_to_handle_at, SYS_open_by_handle_at, SYS_fanotify_init,
	SYS_fanotify_mark,
	/* Doors of the kernel that have let many in. */
	SYS_io_uring_setup, SYS_io_uring_enter, SYS_io_uring_register,
	SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_add_key,
	SYS_request_key, SYS_keyctl, SYS_personality,
	/* The machine. */
	SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load,
	SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct, SYS_quotactl,
	SYS_quotactl_fd, SYS_syslog, SYS_sethostname, SYS_setdomainname,
	SYS_settimeofday, SYS_clock_settime, SYS_adjtimex, SYS_clock_adjtime,
	SYS_vhangup,
#ifdef SYS_kexec_file_load
	SYS_kexec_file_load,
#endif
#ifdef __x86_64__
	SYS_chmod, SYS_chown, SYS_lchown, SYS_utime, SYS_utimes,
	SYS_futimesat, SYS_iopl, SYS_ioperm, SYS_modify_ldt, SYS_uselib,
	SYS_create_module, SYS_nfsservctl, SYS__sysctl,
#endif
};

/* A PARENT keeps these, but for the checks below; nobody else does. */
static const uint16_t refused_narrow[] = {
	SYS_clone, SYS_socket, SYS_connect, SYS_kill, SYS_tkill, SYS_tgkill,
	SYS_rt_sigqueueinfo, SYS_rt_tgsigqueueinfo, SYS_pidfd_send_signal,
#ifdef __x86_64__
	SYS_fork, SYS_vfork,
#endif
};

#define COUNT(list)	(sizeof(list) / sizeof((list)[0]))
#define NEW_NAMESPACE	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | \
			CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID | \
			CLONE_NEWNET)

/* Calls that hang on one argument. */
static const struct check {
	uint16_t nr;
	uint8_t arg;
	enum { ONLY, NOT, NO_BIT } test;	/* of these values */
	uint8_t n;
	uint32_t value[4];
} checks[] = {
	/* Oneself; and no address. */
	{ SYS_prlimit64, 0, ONLY, 1, { 0 } },
	{ SYS_sendto, 4, ONLY, 1, { 0 } },
	/* A signal to another process as soon as there is input. */
	{ SYS_fcntl, 1, NOT, 3, { F_SETOWN, F_SETOWN_EX, F_SETSIG } },
	/* The same; and keys for the terminal that is our standard error. */
	{ SYS_ioctl, 1, NOT, 4, { FIOSETOWN, SIOCSPGRP, TIOCSTI,
	    TIOCLINUX } },
	/* In a PARENT, which is not refused them altogether. */
	{ SYS_socket, 0, ONLY, 1, { AF_UNIX } },
	{ SYS_clone, 0, NO_BIT, 1, { NEW_NAMESPACE } },
};
#define NCHECKS_NARROW	4	/* of them, for everybody */

#define CHECK_MAX	8	/* instructions for one check */
#define NINS		(20 + CHECK_MAX * COUNT(checks) + 3 * WORDS + \
			COUNT(refused_narrow))

/* Numbers of calls, a bit for each. */
#define WORDS		16
struct set {
	uint32_t word[WORDS];
};

_Static_assert(NR_FILE_SETATTR < 32 * WORDS, "each call has its bit");
/* The jumps of seccomp's BPF are of 8 bits. */
_Static_assert(3 * WORDS + COUNT(refused_narrow) < UINT8_MAX,
    "each refused call can jump to the end");

struct program {
	struct sock_filter ins[NINS];
	size_t n;
};

static void
emit(struct program *p, uint16_t code, uint32_t k, size_t yes, size_t no)
{
	p->ins[p->n].code = code;
	p->ins[p->n].k = k;
	p->ins[p->n].jt = (uint8_t)yes;
	p->ins[p->n++].jf = (uint8_t)no;
}

static void
emit_load(struct program *p, size_t offset)
{
	emit(p, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void
emit_jump(struct program *p, uint16_t test, uint32_t k, size_t yes, size_t no)
{
	emit(p, BPF_JMP | test | BPF_K, k, yes, no);
}

static void
emit_return(struct program *p, uint32_t action)
{
	emit(p, BPF_RET | BPF_K, action, 0, 0);
}

static void
emit_end(struct program *p)
{
	emit_return(p, SECCOMP_RET_ALLOW);
	emit_return(p, SECCOMP_RET_ERRNO | EPERM);
}

/*
 * The kernel runs a new filter for each call there is, to know those that it
 * need not ask for again, which costs ten times what the filter costs a
 * session; it gives up where it meets an argument, so one is loaded first.
 */
static void
emit_begin(struct program *p)
{
	emit_load(p, offsetof(struct seccomp_data, args));
	emit_load(p, offsetof(struct seccomp_data, arch));
	emit_jump(p, BPF_JEQ, ARCH, 1, 0);
	emit_return(p, SECCOMP_RET_KILL_PROCESS);
	emit_load(p, offsetof(struct seccomp_data, nr));
	/* A tracer cancels a call by making it -1. */
	emit_jump(p, BPF_JEQ, UINT32_MAX, 2, 0);
	emit_jump(p, BPF_JGE, X32_BIT, 0, 1);
	emit_return(p, SECCOMP_RET_ERRNO | EPERM);
}

static void
emit_check(struct program *p, const struct check *c)
{
	size_t arg = offsetof(struct seccomp_data, args[c->arg]), at = p->n;

	emit_jump(p, BPF_JEQ, c->nr, 0, 0);
	emit_load(p, arg);
	if (c->test == ONLY) {
		emit_jump(p, BPF_JEQ, c->value[0], 0, 3);
		emit_load(p, arg + sizeof(uint32_t));
		emit_jump(p, BPF_JEQ, 0, 0, 1);
	} else
		/* The kernel looks at the lower half alone, too. */
		for (size_t i = 0; i < c->n; i++)
			emit_jump(p, c->test == NOT ? BPF_JEQ : BPF_JSET,
			    c->value[i], c->n - i, 0);
	emit_end(p);
	p->ins[at].jf = (uint8_t)(p->n - at - 1);
}

static void
emit_refused(struct program *p, const uint16_t *nr, size_t n)
{
	for (size_t i = 0; i < n; i++)
		emit_jump(p, BPF_JEQ, nr[i], n - i, 0);
}

static void
add_calls(struct set *set, const uint16_t *nr, size_t n)
{
	for (size_t i = 0; i < n; i++)
		set->word[nr[i] / 32] |= UINT32_C(1) << nr[i] % 32;
}

/*
 * A comparison for each would be twice as long a program, which the kernel
 * has to compile at each start, and to run at each call.
 */
static void
emit_refused_set(struct program *p, const struct set *set)
{
	size_t left = 0;

	for (size_t i = 0; i < WORDS; i++)
		left += set->word[i] != 0;
	emit(p, BPF_ALU | BPF_AND | BPF_K, 31, 0, 0);
	emit(p, BPF_MISC | BPF_TAX, 0, 0, 0);
	emit(p, BPF_LD | BPF_IMM, 1, 0, 0);
	emit(p, BPF_ALU | BPF_LSH | BPF_X, 0, 0, 0);
	emit(p, BPF_MISC | BPF_TAX, 0, 0, 0);
	emit_load(p, offsetof(struct seccomp_data, nr));
	emit(p, BPF_ALU | BPF_RSH | BPF_K, 5, 0, 0);
	for (size_t i = 0; i < WORDS; i++)
		if (set->word[i] != 0) {
			left--;
			emit_jump(p, BPF_JEQ, (uint32_t)i, 0, 2);
			emit(p, BPF_LD | BPF_IMM, set->word[i], 0, 0);
			emit(p, BPF_JMP | BPF_JSET | BPF_X, 0, 3 * left + 1,
			    3 * left);
		}
}

static int
install(struct program *p)
{
	struct sock_fprog prog = { (unsigned short)p->n, p->ins };

	return (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog);
}

static int
enter_seccomp(bool parent)
{
	struct set set = { { 0 } };
	struct program p;

	p.n = 0;
	emit_begin(&p);
	for (size_t i = 0; i < (parent ? COUNT(checks) : NCHECKS_NARROW); i++)
		emit_check(&p, &checks[i]);
	add_calls(&set, refused, COUNT(refused));
	if (!parent)
		add_calls(&set, refused_narrow, COUNT(refused_narrow));
	emit_refused_set(&p, &set);
	emit_end(&p);
	return install(&p);
}

static int
narrow_seccomp(void)
{
	struct program p;

	/* The filter of the parent has seen to the rest. */
	p.n = 0;
	emit_load(&p, offsetof(struct seccomp_data, args));
	emit_load(&p, offsetof(struct seccomp_data, nr));
	emit_refused(&p, refused_narrow, COUNT(refused_narrow));
	emit_end(&p);
	return install(&p);
}

#else

static int
enter_seccomp(bool parent)
{
	(void)parent;
	errno = ENOTSUP;
	return -1;
}

static int
narrow_seccomp(void)
{
	return -1;
}

#endif

/*** Limits ***/

static int
limit(int resource, rlim_t value)
{
	struct rlimit r;

	if (getrlimit(resource, &r) == -1)
		return -1;
	if (value > r.rlim_max)
		value = r.rlim_max;
	if (value == RLIM_INFINITY)
		return 0;
	r.rlim_cur = r.rlim_max = value;
	return setrlimit(resource, &r);
}

static int
enter_limits(const struct sandbox_limits *l)
{
	/* Not for other processes of the user to look into: keys, mail. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == -1 ||
	    limit(RLIMIT_CORE, 0) == -1 ||
	    limit(RLIMIT_FSIZE, l->fsize) == -1 ||
	    limit(RLIMIT_NOFILE, l->nofile) == -1)
		return -1;
	return l->parent ? 0 : limit(RLIMIT_NPROC, 0);
}

/*** All together ***/

/* Adds to TEXT the NAME of a layer, or why it is missing; LAYER, or 0. */
static unsigned
tell(char *text, size_t size, unsigned l, const char *name, bool holds)
{
	const char *why = strerror(errno);
	size_t used = strlen(text);

	(void)snprintf(text + used, size - used, "%s%s%s%s%s%s",
	    used > 0 ? ", " : "", holds ? "" : "no ", name,
	    holds ? "" : " (", holds ? "" : why, holds ? "" : ")");
	return holds ? l : 0;
}

unsigned
sandbox_enter(const struct sandbox_path *paths, size_t n,
    const struct sandbox_limits *limits, char *active, size_t size)
{
	char landlock[32] = "landlock";
	unsigned holds;
	int abi;

	*active = '\0';
	/* Without it neither Landlock nor seccomp is anybody's to enter. */
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == -1) {
		(void)tell(active, size, 0, "no_new_privs", false);
		return 0;
	}
	if ((abi = enter_landlock(paths, n)) != -1)
		(void)snprintf(landlock, sizeof(landlock), "landlock-abi-%d",
		    abi);
	holds = tell(active, size, SANDBOX_FILES, landlock, abi != -1);
	holds |= tell(active, size, SANDBOX_LIMITS, "rlimits",
	    enter_limits(limits) == 0);
	holds |= tell(active, size, SANDBOX_CALLS, "seccomp",
	    enter_seccomp(limits->parent) == 0);
	return holds;
}

unsigned
sandbox_narrow(int prepared)
{
	static const struct rlimit none = { 0, 0 };
	unsigned holds = 0;

	if (prepared != -1 && restrict_self(prepared) == 0)
		holds |= SANDBOX_FILES;
	if (setrlimit(RLIMIT_NPROC, &none) == 0)
		holds |= SANDBOX_LIMITS;
	if (narrow_seccomp() == 0)
		holds |= SANDBOX_CALLS;
	return holds;
}
