/*
 * What somebody does who got his own code into one of the programs. Preloaded: when the program, which is its
 * user by then and has given up what it does not need, asks for its signals (lib/program.h), everything below
 * is tried in its place, and each attempt told on standard error, as "hostile UID NAME refused" or "hostile UID
 * NAME DONE".
 *
 * HOSTILE_READ and HOSTILE_WRITE: files, by colons, to read, and folders to make a file in. The first file is
 * read by each thread.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

/** Threads that are there by then are no further from their process, even on a busy machine. */
#define THREADS_FAR 20000

static void
tell(const char *name, const char *more, bool is_done)
{
	dprintf(STDERR_FILENO, "hostile %u %s%s %s\n", getuid(), name, more, is_done ? "DONE" : "refused");
}

/* What a call gave: a descriptor, which is closed again, 0 or -1. */
static void
told(const char *name, long result)
{
	if (result > STDERR_FILENO)
		close((int)result);
	tell(name, "", result >= 0);
}

static void
read_file(const char *path)
{
	char byte;
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	tell("read:", path, fd >= 0 && read(fd, &byte, 1) == 1);
	if (fd >= 0)
		close(fd);
}

static void
write_file(const char *folder)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/hostile.%u", folder, getuid());
	fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	tell("write:", folder, fd >= 0);
	if (fd >= 0)
		close(fd);
	unlink(path);
}

static void
each(const char *variable, void (*try)(const char *))
{
	char *list = strdup(getenv(variable) ? getenv(variable) : ""), *rest = list, *path;

	while ((path = strsep(&rest, ":")))
		if (*path)
			try(path);
	free(list);
}

static void
try_sockets(void)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX, .sun_path = "\0hostile" };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	told("socket:inet", socket(AF_INET, SOCK_STREAM, 0));
	told("socket:inet6", socket(AF_INET6, SOCK_DGRAM, 0));
	told("socket:netlink", socket(AF_NETLINK, SOCK_RAW, 0));
	told("socket:packet", socket(AF_PACKET, SOCK_RAW, 0));
	told("listen", bind(fd, (struct sockaddr *)&address, sizeof(sa_family_t) + 8) < 0 ? -1 : listen(fd, 1));
	close(fd);
}

static void
try_processes(void)
{
	pid_t pid = fork();

	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	tell("fork", "", pid > 0);
	told("trace", ptrace(PTRACE_ATTACH, getppid(), NULL, NULL));
	told("kill:parent", kill(getppid(), 0));
}

/* As a program; without fork() it would have to be in place of this one, so another way is only asked for. */
static void
try_to_run(void)
{
	char name[] = "true", *const argv[] = { name, NULL };
	pid_t pid = fork();
	int status = 1;

	if (pid == 0) {
		execv("/bin/true", argv);
		_exit(1);
	}
	if (pid > 0)
		waitpid(pid, &status, 0);
	tell("run", "", pid > 0 ? status == 0 : execv("/", argv) < 0 && errno != EPERM);
}

static void
try_memory(void)
{
	size_t bytes = 4096;
	void *page = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	told("code:written", mprotect(page, bytes, PROT_READ | PROT_EXEC));
	munmap(page, bytes);
	page = mmap(NULL, bytes, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	tell("code:mapped", "", page != MAP_FAILED);
}

static void
try_power(void)
{
	struct rlimit core = { 4096, 4096 };
	struct perf_event_attr perf = { .type = PERF_TYPE_SOFTWARE, .size = sizeof(perf) };
	char params[128] = { 0 };

	told("setuid", setuid(0));
	told("unshare", unshare(CLONE_NEWUSER | CLONE_NEWNS));
	told("mount", mount("none", "/tmp", "tmpfs", 0, NULL));
	told("chroot", chroot("/tmp"));
	told("core", setrlimit(RLIMIT_CORE, &core));
	told("io_uring", syscall(SYS_io_uring_setup, 1, params));
	told("perf", syscall(SYS_perf_event_open, &perf, 0, -1, -1, 0));
	told("userfaultfd", syscall(SYS_userfaultfd, 1));
	told("keyring", syscall(SYS_keyctl, 0 /* get its id */, -1, 1));
	told("bpf", syscall(SYS_bpf, 0, params, sizeof(params)));
	told("handle", syscall(SYS_open_by_handle_at, AT_FDCWD, params, O_RDONLY));
}

static volatile sig_atomic_t is_read_apart, answers;
static char first[4096];

/* Of a thread that may have no standard error. */
static void
read_apart(int number)
{
	int fd = open(first, O_RDONLY | O_CLOEXEC);

	(void)number;
	is_read_apart |= fd >= 0;
	if (fd >= 0)
		close(fd);
	answers++;
}

/* Whether one more thread has answered, soon. */
static bool
is_answered(int before)
{
	for (int i = 0; i < 1000 && answers == before; i++)
		usleep(1000);
	return answers > before;
}

/* What this thread may not read the others may not either. They are tried out: it cannot list them. */
static void
try_threads(void)
{
	struct sigaction action = { .sa_handler = read_apart };
	pid_t self = getpid();

	snprintf(first, sizeof(first), "%s", getenv("HOSTILE_READ") ? getenv("HOSTILE_READ") : "");
	first[strcspn(first, ":")] = '\0';
	sigaction(SIGUSR2, &action, NULL);
	for (pid_t thread = self + 1; thread < self + THREADS_FAR; thread++) {
		int before = answers;

		is_read_apart = 0;
		if (syscall(SYS_tgkill, self, thread, SIGUSR2) == 0 && is_answered(before))
			tell("thread:read", "", is_read_apart);
	}
}

static void
try_all(void)
{
	pid_t pid;

	each("HOSTILE_READ", read_file);
	each("HOSTILE_WRITE", write_file);
	try_sockets();
	try_processes();
	try_to_run();
	try_memory();
	try_threads();
	/* What works changes who does it: in a process of its own, then, and the program goes on. */
	if ((pid = fork()) <= 0)
		try_power();
	if (pid == 0)
		_exit(0);
	if (pid > 0)
		waitpid(pid, NULL, 0);
	tell("end", "", false);
}

int
signalfd(int fd, const sigset_t *mask, int flags)
{
	int (*real)(int, const sigset_t *, int) =
	    (int (*)(int, const sigset_t *, int))(uintptr_t)dlsym(RTLD_NEXT, "signalfd");

	if (getuid() != 0)
		try_all();
	return real(fd, mask, flags);
}
