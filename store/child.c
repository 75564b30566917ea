#include "store/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/program.h"
#include "lib/steady.h"

static void
limit(int resource, uint64_t value)
{
	struct rlimit limit = { value, value };

	setrlimit((__rlimit_resource_t)resource, &limit);
}

/* Between fork and exec other threads are gone and may have left any lock taken: system calls only. */
static void __attribute__((noreturn))
become(const char *const *argv, const struct child_limits *limits, pid_t parent, int null, int errors)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	if (getppid() != parent)
		_exit(127);
	dup2(null, 0);
	dup2(null, 1);
	dup2(errors, 2);
	program_be_idle();
	limit(RLIMIT_CPU, (uint64_t)limits->cpu_seconds);
	limit(RLIMIT_FSIZE, limits->file_bytes);
	limit(RLIMIT_CORE, 0);
	execvp(argv[0], (char *const *)(uintptr_t)argv);
	dprintf(2, "%s: cannot be started: error %d\n", argv[0], errno);
	_exit(127);
}

static void
end(pid_t pid)
{
	int status;

	kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
}

/* The status that it ends with, or -errno. */
static int
wait_for(pid_t pid, int64_t seconds, child_stop *is_stopped, void *data, int *status, struct err *err)
{
	const struct timespec pause = { .tv_nsec = CHILD_LOOK_MS * 1000000 };
	int64_t until = steady_ms() + seconds * 1000;
	pid_t got;

	while ((got = waitpid(pid, status, WNOHANG)) == 0 || (got < 0 && errno == EINTR)) {
		bool is_late = steady_ms() > until;

		if (is_late || is_stopped(data)) {
			end(pid);
			return is_late ? err_set(err, ETIME, "took more than %lld s", (long long)seconds)
				       : err_set(err, ECANCELED, "stopped");
		}
		nanosleep(&pause, NULL);
	}
	return got < 0 ? err_sys(err, "wait") : 0;
}

/* The last line of what it wrote to standard error, or a word on how it ended. */
static int
failed(int errors, int status, struct err *err)
{
	char text[256], *line;
	off_t bytes = lseek(errors, 0, SEEK_END);
	ssize_t n = pread(errors, text, sizeof(text) - 1, bytes > 255 ? bytes - 255 : 0);

	if (WIFSIGNALED(status) && (WTERMSIG(status) == SIGXFSZ || WTERMSIG(status) == SIGXCPU))
		return err_set(err, EFBIG, "needs more %s than it may have",
		    WTERMSIG(status) == SIGXFSZ ? "room" : "processor time");
	if (WIFSIGNALED(status))
		return err_set(err, EIO, "ended by signal %d", WTERMSIG(status));
	text[n < 0 ? 0 : n] = '\0';
	while (n > 0 && text[n - 1] == '\n')
		text[--n] = '\0';
	line = strrchr(text, '\n');
	return err_set(err, EIO, "%s (exit status %d)", line ? line + 1 : text, WEXITSTATUS(status));
}

int
child_run(const char *const *argv, const struct child_limits *limits, child_stop *is_stopped, void *data,
    struct err *err)
{
	AUTO(close_p) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	AUTO(close_p) int errors = memfd_create("errors", MFD_CLOEXEC);
	pid_t parent = getpid(), pid;
	int status, r;

	if (null < 0 || errors < 0)
		return err_sys(err, "%s", argv[0]);
	pid = fork();
	if (pid < 0)
		return err_sys(err, "%s", argv[0]);
	if (pid == 0)
		become(argv, limits, parent, null, errors);
	r = wait_for(pid, limits->seconds, is_stopped, data, &status, err);
	if (r == 0 && status != 0)
		r = failed(errors, status, err);
	return r < 0 ? err_context(err, r, "%s %s", argv[0], argv[1]) : 0;
}
