#include "lib/calls.h"

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__x86_64__)
#define CALLS_ARCH AUDIT_ARCH_X86_64
#elif defined(__aarch64__)
#define CALLS_ARCH AUDIT_ARCH_AARCH64
#elif defined(__riscv) && __riscv_xlen == 64
#define CALLS_ARCH AUDIT_ARCH_RISCV64
#endif

/** Numbers up to here are known (Linux 6.1), also those that are not listed. All processors have the same since
 * 424. */
#define CALLS_KNOWN 450
/** What fits into a filter with room to spare; the kernel takes 4096. */
#define CALLS_PROGRAM_MAX 1024

#ifdef CALLS_ARCH

/* Those that are made for each request come first: before Linux 5.11 the list is gone through for each call. */
static const uint16_t allowed[] = {
	SYS_read,
	SYS_write,
	SYS_writev,
	SYS_readv,
	SYS_futex,
	SYS_ppoll,
	SYS_pread64,
	SYS_pwrite64,
	SYS_fcntl,
	SYS_close,
	SYS_openat,
	SYS_newfstatat,
	SYS_fstat,
	SYS_clock_nanosleep,
	SYS_clock_gettime,
	SYS_epoll_pwait,
	SYS_sendto,
	SYS_recvfrom,
	SYS_sendmsg,
	SYS_recvmsg,
	SYS_splice,
	SYS_vmsplice,
	SYS_fdatasync,
	SYS_lseek,
	SYS_mmap,
	SYS_munmap,
	SYS_mremap,
	SYS_madvise,
	SYS_mprotect,
	SYS_accept4,
	SYS_connect,
	SYS_getsockopt,
	SYS_shutdown,
	/* files */
	SYS_preadv,
	SYS_pwritev,
	SYS_preadv2,
	SYS_pwritev2,
	SYS_sendfile,
	SYS_tee,
	SYS_copy_file_range,
	SYS_close_range,
	SYS_dup,
	SYS_dup3,
	SYS_pipe2,
	SYS_flock,
	SYS_ioctl,
	SYS_fsync,
	SYS_sync_file_range,
	SYS_syncfs,
	SYS_ftruncate,
	SYS_truncate,
	SYS_fallocate,
	SYS_fadvise64,
	SYS_readahead,
	SYS_openat2,
	SYS_statx,
	SYS_faccessat,
	SYS_faccessat2,
	SYS_readlinkat,
	SYS_getdents64,
	SYS_mkdirat,
	SYS_unlinkat,
	SYS_renameat2,
	SYS_linkat,
	SYS_symlinkat,
	SYS_fchmod,
	SYS_fchmodat,
	SYS_fchown,
	SYS_fchownat,
	SYS_utimensat,
	SYS_umask,
	SYS_getcwd,
	SYS_chdir,
	SYS_fchdir,
	SYS_statfs,
	SYS_fstatfs,
	SYS_getxattr,
	SYS_lgetxattr,
	SYS_fgetxattr,
	SYS_listxattr,
	SYS_llistxattr,
	SYS_flistxattr,
	SYS_setxattr,
	SYS_lsetxattr,
	SYS_fsetxattr,
	SYS_removexattr,
	SYS_lremovexattr,
	SYS_fremovexattr,
	SYS_inotify_init1,
	SYS_inotify_add_watch,
	SYS_inotify_rm_watch,
	SYS_memfd_create,
	/* memory */
	SYS_brk,
	SYS_mlock,
	SYS_mlock2,
	SYS_munlock,
	SYS_mincore,
	SYS_msync,
	SYS_membarrier,
	/* threads and processes */
	SYS_set_robust_list,
	SYS_get_robust_list,
	SYS_rseq,
	SYS_set_tid_address,
	SYS_exit,
	SYS_exit_group,
	SYS_wait4,
	SYS_waitid,
	SYS_gettid,
	SYS_getpid,
	SYS_getppid,
	SYS_getpgid,
	SYS_getsid,
	SYS_getuid,
	SYS_geteuid,
	SYS_getgid,
	SYS_getegid,
	SYS_getresuid,
	SYS_getresgid,
	SYS_getgroups,
	SYS_getrusage,
	SYS_prlimit64,
	SYS_getcpu,
	SYS_sched_yield,
	SYS_sched_getaffinity,
	SYS_sched_getparam,
	SYS_sched_getscheduler,
	SYS_sched_setattr,
	SYS_sched_getattr,
	SYS_sysinfo,
	SYS_uname,
	SYS_getrandom,
	SYS_getpriority,
	SYS_setpriority,
	SYS_ioprio_set,
	SYS_ioprio_get,
	SYS_prctl,
	SYS_capget,
	/* signals and time */
	SYS_rt_sigaction,
	SYS_rt_sigprocmask,
	SYS_rt_sigreturn,
	SYS_rt_sigsuspend,
	SYS_rt_sigpending,
	SYS_rt_sigtimedwait,
	SYS_sigaltstack,
	SYS_restart_syscall,
	SYS_signalfd4,
	SYS_kill,
	SYS_tgkill,
	SYS_tkill,
	SYS_clock_getres,
	SYS_nanosleep,
	SYS_gettimeofday,
	SYS_times,
	SYS_timerfd_create,
	SYS_timerfd_settime,
	SYS_timerfd_gettime,
	SYS_setitimer,
	SYS_getitimer,
	/* waiting, and sockets that are there */
	SYS_pselect6,
	SYS_epoll_create1,
	SYS_epoll_ctl,
	SYS_eventfd2,
	SYS_accept,
	SYS_sendmmsg,
	SYS_recvmmsg,
	SYS_setsockopt,
	SYS_getsockname,
	SYS_getpeername,
#ifdef SYS_open /* calls that newer processors do not have */
	SYS_poll,
	SYS_select,
	SYS_epoll_wait,
	SYS_open,
	SYS_creat,
	SYS_stat,
	SYS_lstat,
	SYS_access,
	SYS_readlink,
	SYS_getdents,
	SYS_mkdir,
	SYS_rmdir,
	SYS_unlink,
	SYS_rename,
	SYS_link,
	SYS_symlink,
	SYS_chmod,
	SYS_chown,
	SYS_lchown,
	SYS_utime,
	SYS_utimes,
	SYS_futimesat,
	SYS_dup2,
	SYS_pipe,
	SYS_pause,
	SYS_alarm,
	SYS_time,
	SYS_getrlimit,
	SYS_getpgrp,
	SYS_epoll_create,
	SYS_eventfd,
	SYS_signalfd,
	SYS_inotify_init,
	SYS_arch_prctl,
#endif
#ifdef SYS_renameat
	SYS_renameat,
#endif
};

/** A namespace of its own would give it what it has not here.  (namespaces(7)) */
#define NAMESPACES                                                                                             \
	(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER | CLONE_NEWPID |          \
	    CLONE_NEWNET)

struct filter {
	struct sock_filter code[CALLS_PROGRAM_MAX];
	unsigned short n;
};

static void
put(struct filter *filter, uint16_t code, uint32_t k, uint8_t yes, uint8_t no)
{
	filter->code[filter->n++] = (struct sock_filter){ code, yes, no, k };
}

static void
load(struct filter *filter, size_t offset)
{
	put(filter, BPF_LD | BPF_W | BPF_ABS, (uint32_t)offset, 0, 0);
}

static void
answer(struct filter *filter, uint32_t action)
{
	put(filter, BPF_RET | BPF_K, action, 0, 0);
}

static void
allow(struct filter *filter, uint32_t call)
{
	put(filter, BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1);
	answer(filter, SECCOMP_RET_ALLOW);
}

/* The low half of the first argument; both @call's of interest take an int, or flags that are all in there. */
static void
load_first(struct filter *filter)
{
	load(filter,
	    offsetof(struct seccomp_data, args)); /* of a little-endian machine, as all of CALLS_ARCH are */
}

/* Unix sockets alone. */
static void
allow_unix(struct filter *filter, uint32_t call)
{
	put(filter, BPF_JMP | BPF_JEQ | BPF_K, call, 0, 4);
	load_first(filter);
	put(filter, BPF_JMP | BPF_JEQ | BPF_K, AF_UNIX, 0, 1);
	answer(filter, SECCOMP_RET_ALLOW);
	answer(filter, SECCOMP_RET_ERRNO | EAFNOSUPPORT);
}

/* Threads; processes too if it @runs programs. */
static void
allow_clone(struct filter *filter, bool runs)
{
	put(filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 5);
	load_first(filter);
	put(filter, BPF_JMP | BPF_JSET | BPF_K, NAMESPACES, 2, 0);
	put(filter, BPF_JMP | BPF_JSET | BPF_K, runs ? UINT32_MAX : CLONE_THREAD, 0, 1);
	answer(filter, SECCOMP_RET_ALLOW);
	answer(filter, SECCOMP_RET_ERRNO | EPERM);
	/* Its flags are behind a pointer, where no filter looks: libraries take clone() then. */
	put(filter, BPF_JMP | BPF_JEQ | BPF_K, SYS_clone3, 0, 1);
	answer(filter, SECCOMP_RET_ERRNO | ENOSYS);
}

static void
write_filter(struct filter *filter, bool runs)
{
	load(filter, offsetof(struct seccomp_data, arch));
	put(filter, BPF_JMP | BPF_JEQ | BPF_K, CALLS_ARCH, 1, 0);
	answer(filter, SECCOMP_RET_KILL_PROCESS); /* no processor changes its kind by accident */
	load(filter, offsetof(struct seccomp_data, nr));
	put(filter, BPF_JMP | BPF_JGT | BPF_K, CALLS_KNOWN, 0, 1);
	answer(filter, SECCOMP_RET_ERRNO | ENOSYS);
	for (size_t i = 0; i < sizeof(allowed) / sizeof(allowed[0]); i++)
		allow(filter, allowed[i]);
	if (runs)
		allow(filter, SYS_execve);
	allow_unix(filter, SYS_socket);
	allow_unix(filter, SYS_socketpair);
	allow_clone(filter, runs);
	answer(filter, SECCOMP_RET_ERRNO | EPERM);
}

int
calls_filter(bool runs, struct err *err)
{
	struct filter filter = { .n = 0 };
	struct sock_fprog program = { .filter = filter.code };

	write_filter(&filter, runs);
	program.len = filter.n;
	/* Without SPEC_ALLOW older kernels slow the whole process down. */
	if (syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER,
		SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW, &program) == 0)
		return 0;
	return errno == ENOSYS || errno == EINVAL || errno == EPERM ? CALLS_NO_FILTER : err_sys(err, "seccomp");
}

#else

int
calls_filter(bool runs, struct err *err)
{
	(void)runs;
	(void)err;
	return CALLS_NO_FILTER;
}

#endif
