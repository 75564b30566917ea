#include "lib/calls.h"

#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/cleanup.h"

/** Numbers up to here are known (Linux 6.1), also those that are not listed. All processors have the same since
 * 424. */
#define CALLS_KNOWN 450
/** What those answer that have no rule. */
#define CALLS_UNKNOWN SCMP_ACT_ERRNO(ENOSYS)

static const char *const allowed[] = {
	/* most requests */
	"read", "write", "writev", "readv", "futex", "ppoll", "pread64", "pwrite64", "fcntl", "close", "openat",
	"newfstatat", "fstat", "clock_nanosleep", "clock_gettime", "epoll_pwait", "sendto", "recvfrom",
	"sendmsg", "recvmsg", "splice", "vmsplice", "fdatasync", "lseek", "mmap", "munmap", "mremap", "madvise",
	"mprotect", "accept4", "connect", "getsockopt", "shutdown",
	/* files */
	"preadv", "pwritev", "preadv2", "pwritev2", "sendfile", "tee", "copy_file_range", "close_range", "dup",
	"dup3", "pipe2", "flock", "ioctl", "fsync", "sync_file_range", "syncfs", "ftruncate", "truncate",
	"fallocate", "fadvise64", "readahead", "openat2", "statx", "faccessat", "faccessat2", "readlinkat",
	"getdents64", "mkdirat", "unlinkat", "renameat2", "linkat", "symlinkat", "fchmod", "fchmodat", "fchown",
	"fchownat", "utimensat", "umask", "getcwd", "chdir", "fchdir", "statfs", "fstatfs", "getxattr",
	"lgetxattr", "fgetxattr", "listxattr", "llistxattr", "flistxattr", "setxattr", "lsetxattr", "fsetxattr",
	"removexattr", "lremovexattr", "fremovexattr", "inotify_init1", "inotify_add_watch", "inotify_rm_watch",
	"memfd_create",
	/* memory */
	"brk", "mlock", "mlock2", "munlock", "mincore", "msync", "membarrier",
	/* threads and processes */
	"set_robust_list", "get_robust_list", "rseq", "set_tid_address", "exit", "exit_group", "wait4",
	"waitid", "gettid", "getpid", "getppid", "getpgid", "getsid", "getuid", "geteuid", "getgid", "getegid",
	"getresuid", "getresgid", "getgroups", "getrusage", "prlimit64", "getcpu", "sched_yield",
	"sched_getaffinity", "sched_getparam", "sched_getscheduler", "sched_setattr", "sched_getattr",
	"sysinfo", "uname", "getrandom", "getpriority", "setpriority", "ioprio_set", "ioprio_get", "prctl",
	"capget",
	/* signals and time */
	"rt_sigaction", "rt_sigprocmask", "rt_sigreturn", "rt_sigsuspend", "rt_sigpending", "rt_sigtimedwait",
	"sigaltstack", "restart_syscall", "signalfd4", "kill", "tgkill", "tkill", "clock_getres", "nanosleep",
	"gettimeofday", "times", "timerfd_create", "timerfd_settime", "timerfd_gettime", "setitimer",
	"getitimer",
	/* waiting, and sockets that are there */
	"pselect6", "epoll_create1", "epoll_ctl", "eventfd2", "accept", "sendmmsg", "recvmmsg", "setsockopt",
	"getsockname", "getpeername",
	/* calls that newer processors do not have */
	"poll", "select", "epoll_wait", "open", "creat", "stat", "lstat", "access", "readlink", "getdents",
	"mkdir", "rmdir", "unlink", "rename", "link", "symlink", "chmod", "chown", "lchown", "utime", "utimes",
	"futimesat", "dup2", "pipe", "pause", "alarm", "time", "getrlimit", "getpgrp", "epoll_create",
	"eventfd", "signalfd", "inotify_init", "arch_prctl", "renameat"
};

/* Without CLONE_THREAD it is a process; with any of the others it has a namespace of its own, which would give
 * it what it has not here.  (namespaces(7)) */
static const uint64_t namespaces[] = { CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS, CLONE_NEWIPC, CLONE_NEWUSER,
	CLONE_NEWPID, CLONE_NEWNET };

struct filter {
	scmp_filter_ctx context;
	bool is_ruled[CALLS_KNOWN + 1]; /* by number */
	int failure;                    /* the first one, or 0 */
};

static void
filter_done(struct filter *filter)
{
	if (filter->context)
		seccomp_release(filter->context);
}

/* false: this kernel has not all of it. */
static bool
set_up(scmp_filter_ctx context)
{
	/* No processor changes its kind by accident. */
	return seccomp_attr_set(context, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
	       seccomp_attr_set(context, SCMP_FLTATR_CTL_TSYNC, 1) == 0 &&
	       /* Else older kernels slow the whole process down. */
	       seccomp_attr_set(context, SCMP_FLTATR_CTL_SSB, 1) == 0 &&
	       /* A tree of numbers: before Linux 5.11 it is gone through for each call. */
	       seccomp_attr_set(context, SCMP_FLTATR_CTL_OPTIMIZE, 2) == 0;
}

/* What older processors have and newer ones have not is no call here. */
static void
rule(struct filter *filter, uint32_t action, const char *name, const struct scmp_arg_cmp *when)
{
	int call = seccomp_syscall_resolve_name(name);

	if (call < 0 || call > CALLS_KNOWN || filter->failure < 0)
		return;
	filter->is_ruled[call] = true;
	if (action != CALLS_UNKNOWN)
		filter->failure = seccomp_rule_add_array(filter->context, action, call, when ? 1 : 0, when);
}

/* With @value as its first argument alone; else @number is what it fails with. */
static void
allow_only(struct filter *filter, const char *name, uint64_t value, uint16_t number)
{
	rule(filter, SCMP_ACT_ALLOW, name, &SCMP_A0(SCMP_CMP_EQ, value, 0));
	rule(filter, SCMP_ACT_ERRNO(number), name, &SCMP_A0(SCMP_CMP_NE, value, 0));
}

/* Threads; processes too if it @runs programs. There is no rule of bits that are not so: each is one. */
static void
allow_clone(struct filter *filter, bool runs)
{
	const uint64_t thread = runs ? 0 : CLONE_THREAD;
	uint64_t all = thread;

	for (size_t i = 0; i < sizeof(namespaces) / sizeof(namespaces[0]); i++) {
		all |= namespaces[i];
		rule(filter, SCMP_ACT_ERRNO(EPERM), "clone",
		    &SCMP_A0(SCMP_CMP_MASKED_EQ, namespaces[i], namespaces[i]));
	}
	if (!runs)
		rule(filter, SCMP_ACT_ERRNO(EPERM), "clone", &SCMP_A0(SCMP_CMP_MASKED_EQ, thread, 0));
	rule(filter, SCMP_ACT_ALLOW, "clone", &SCMP_A0(SCMP_CMP_MASKED_EQ, all, thread));
	/* Its flags are behind a pointer, where no filter looks: libraries take clone() then. */
	rule(filter, CALLS_UNKNOWN, "clone3", NULL);
}

static void
write_rules(struct filter *filter, bool runs)
{
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		rule(filter, SCMP_ACT_ALLOW, allowed[i], NULL);
	if (runs)
		rule(filter, SCMP_ACT_ALLOW, "execve", NULL);
	allow_only(filter, "socket", AF_UNIX, EAFNOSUPPORT);
	allow_only(filter, "socketpair", AF_UNIX, EAFNOSUPPORT);
	allow_only(filter, "unshare", CLONE_FILES, EPERM);
	allow_clone(filter, runs);
	for (int call = 0; call <= CALLS_KNOWN && filter->failure == 0; call++)
		if (!filter->is_ruled[call])
			filter->failure = seccomp_rule_add(filter->context, SCMP_ACT_ERRNO(EPERM), call, 0);
}

/* The list is of 64-bit machines, whose clone() has the flags first; others have calls by other names. */
static bool
is_listed(uint32_t machine)
{
	return machine == SCMP_ARCH_X86_64 || machine == SCMP_ARCH_AARCH64 || machine == SCMP_ARCH_RISCV64;
}

int
calls_filter(bool runs, struct err *err)
{
	AUTO(filter_done) struct filter filter = { .failure = 0 };
	int r;

	if (!is_listed(seccomp_arch_native()))
		return CALLS_NO_FILTER;
	if (!(filter.context = seccomp_init(CALLS_UNKNOWN)))
		return err_set(err, ENOMEM, "seccomp");
	if (!set_up(filter.context))
		return CALLS_NO_FILTER;
	write_rules(&filter, runs);
	if (filter.failure < 0)
		return err_set(err, -filter.failure, "seccomp: %s", strerror(-filter.failure));
	r = seccomp_load(filter.context);
	/* It is errno what the kernel says; with it as the result libseccomp 2.5 makes EFAULT of most. */
	if (r == -ECANCELED && (errno == ENOSYS || errno == EINVAL || errno == EPERM))
		return CALLS_NO_FILTER;
	return r < 0 ? err_set(err, -r, "seccomp: %s", strerror(errno)) : 0;
}
