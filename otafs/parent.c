#include "otafs/parent.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "lib/program.h"
#include "otafs/mount.h"

/** What the program after this one goes on with: the descriptors of both mounts and of the relay. */
#define HANDED_ON "OTAFS_HANDED_ON"
/** Options of one command line. */
#define ARGUMENTS_MAX 64
/** A child that is to end is killed after that; systemd has less patience with all of them. */
#define PATIENCE_MS 10000
/** One that ends is looked at so often, so far apart, before others are told to let go; and so often before
 * they are told again: nobody is to be told twice on the way through one path, and it may be the disk that it
 * hangs in. */
#define ENDING_LOOKS 40
#define ENDING_LOOKS_AGAIN 1000
#define ENDING_US 5000

typedef int (*serve_fn)(
    const struct config *config, const struct mounts *mounts, pid_t parent, int life, struct err *err);

struct parent {
	const struct config *config;
	struct mounts mounts;
	serve_fn serve;
	int signals;
	pid_t child; /* 0: it has ended, with status */
	int life;    /* the end of a pipe, of which the child, and then a thread of it, has the other one */
	int status;
	bool is_told_to_end;
	bool is_alone; /* no other program has come after the child that has ended for it */
};

static char *arguments[ARGUMENTS_MAX + 2];
static char program[PATH_MAX];

/* When another file has taken its place by then, it is that one which is meant: so not /proc/self/exe. */
void
parent_remember(char **argv)
{
	ssize_t n = readlink("/proc/self/exe", program, sizeof(program) - 1);

	program[n > 0 ? n : 0] = '\0';
	for (size_t i = 0; i < ARGUMENTS_MAX && argv[i]; i++)
		arguments[i] = argv[i];
}

/* ---- the mounts */

/* A web server that follows whatever link is in the repository still serves: that is told, and no reason to
 * end. */
static bool
open_shelf(const struct config *config)
{
	struct err err;

	if (mount_shelf(config, &err) == 0)
		return true;
	log_line(LOG_WARNING, "web servers follow links that ota-watcher makes reason=\"%s\"", err.text);
	return false;
}

static int
mount_anew(const struct config *config, struct mounts *mounts, struct err *err)
{
	int r = relay_new(config, &mounts->relay, err);

	if (r == 0)
		r = fs_mount(config, mounts->relay, &mounts->fs, err);
	if (r == 0)
		mounts->has_shelf = open_shelf(config);
	return r;
}

/* The descriptors that a program before this one has left; false: there was none. */
static bool
find_handed_on(int fds[3], bool *has_shelf)
{
	const char *text = getenv(HANDED_ON);
	int shelf = 0;
	bool is_there = text && sscanf(text, "%d,%d,%d,%d", &fds[0], &fds[1], &fds[2], &shelf) == 4;

	*has_shelf = shelf;
	unsetenv(HANDED_ON);
	for (int i = 0; is_there && i < 3; i++)
		is_there = fcntl(fds[i], F_SETFD, FD_CLOEXEC) == 0;
	return is_there;
}

/* What cannot be gone on with ends here, and is replaced like what a killed otafs left. */
static int
mount_all(const struct config *config, struct mounts *mounts, struct err *err)
{
	int fds[3];

	if (!find_handed_on(fds, &mounts->has_shelf))
		return mount_anew(config, mounts, err);
	if (relay_adopt(fds[2], config, &mounts->relay, err) == 0 &&
	    fs_adopt(fds, mounts->relay, &mounts->fs, err) == 0)
		return 0;
	log_line(LOG_WARNING, "mounted anew reason=\"%s\"", err->text);
	for (int i = 0; i < 3; i++)
		close(fds[i]);
	return mount_anew(config, mounts, err);
}

/* ---- the end of a child */

/* The child is ending. A thread of it may wait for a folder whose holder waits for the next child. */
static void
reap(struct parent *parent)
{
	for (int looks = 1; waitpid(parent->child, &parent->status, WNOHANG) == 0; looks++) {
		if (looks % ENDING_LOOKS_AGAIN == ENDING_LOOKS) {
			log_line(LOG_NOTICE,
			    "lookups begin anew reason=\"the process that is ending hangs in one\"");
			fs_let_go(parent->mounts.fs);
		}
		usleep(ENDING_US);
	}
	close_p(&parent->life);
	parent->life = -1;
	parent->child = 0;
}

/* Whether it is, within @ms or before a signal comes; -1: until then. */
static bool
is_ending(const struct parent *parent, int ms)
{
	struct pollfd fds[] = { { .fd = parent->life },
		{ .fd = ms < 0 ? parent->signals : -1, .events = POLLIN } };

	return poll(fds, 2, ms) > 0 && fds[0].revents;
}

/* For another program it ends while others wait: what a killed one leaves undone, the one after it does. */
static void
stop_child(struct parent *parent, int ms)
{
	kill(parent->child, SIGTERM);
	if (!is_ending(parent, ms))
		kill(parent->child, SIGKILL);
	reap(parent);
}

/* ---- another program */

static void
run_check(void)
{
	sigset_t none;
	size_t n = 0;

	while (arguments[n])
		n++;
	arguments[n] = (char *)(uintptr_t) "-n";
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execv(program, arguments);
	_exit(127);
}

/* Whether the program that is installed now takes its settings. */
static bool
is_sound(void)
{
	pid_t pid = fork();
	int status;

	if (pid == 0)
		run_check();
	return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void
hand_on(const struct mounts *mounts)
{
	char text[64];
	int fds[3];

	fs_descriptors(mounts->fs, fds);
	fds[2] = relay_fd(mounts->relay);
	for (int i = 0; i < 3; i++)
		fcntl(fds[i], F_SETFD, 0);
	snprintf(text, sizeof(text), "%d,%d,%d,%d", fds[0], fds[1], fds[2], mounts->has_shelf);
	setenv(HANDED_ON, text, 1);
	execv(program, arguments);
	log_line(LOG_ERR, "the same program goes on reason=\"%s: %s\"", program, strerror(errno));
	for (int i = 0; i < 3; i++)
		fcntl(fds[i], F_SETFD, FD_CLOEXEC);
	unsetenv(HANDED_ON);
}

/* Returns when it was not to be: with the child, or without it if that has ended. */
static void
become_installed(struct parent *parent)
{
	if (!relay_can_resend(parent->mounts.relay)) {
		log_line(
		    LOG_WARNING, "not followed by another program reason=\"it needs Linux 6.9: restart it\"");
		return;
	}
	if (!is_sound()) {
		log_line(LOG_ERR, "not followed by another program reason=\"%s -n fails\"", program);
		return;
	}
	log_line(LOG_NOTICE, "followed by another program file=%s", program);
	stop_child(parent, PATIENCE_MS);
	hand_on(&parent->mounts);
	parent->is_alone = true;
}

/* ---- children */

static void
be_child(const struct parent *parent, pid_t parent_id, const int ends[2], struct err *err)
{
	int r;

	close(parent->signals);
	close(ends[0]);
	r = parent->serve(parent->config, &parent->mounts, parent_id, ends[1], err);
	if (r < 0)
		program_fail(err);
	_exit(r < 0);
}

static int
start_child(struct parent *parent, struct err *err)
{
	pid_t self = getpid();
	int ends[2];

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_sys(err, "pipe");
	parent->life = ends[0];
	parent->child = fork();
	if (parent->child == 0)
		be_child(parent, self, ends, err);
	close(ends[1]);
	return parent->child < 0 ? err_sys(err, "fork") : 0;
}

static void
follow_signal(struct parent *parent)
{
	struct signalfd_siginfo told;

	if (read(parent->signals, &told, sizeof(told)) != (ssize_t)sizeof(told))
		return;
	if (told.ssi_signo == SIGHUP)
		become_installed(parent);
	else {
		parent->is_told_to_end = true;
		stop_child(parent, PATIENCE_MS);
	}
}

/* Until the child has ended. */
static void
watch(struct parent *parent)
{
	while (parent->child)
		if (is_ending(parent, -1))
			reap(parent);
		else
			follow_signal(parent);
}

/* Whether a child that was killed after @seconds is to be followed; counts those that came too fast. */
static bool
is_worth_another(time_t seconds, time_t *kills)
{
	*kills -= seconds < *kills ? seconds : *kills;
	return ++*kills < PARENT_KILLS_MAX;
}

static time_t
clock_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

/* Child after child, until one ends that nobody goes on after. */
static int
keep_serving(struct parent *parent, struct err *err)
{
	time_t kills = 0;
	bool is_killed;
	time_t begin;
	int r;

	do {
		parent->is_alone = false;
		begin = clock_seconds();
		if ((r = start_child(parent, err)) < 0)
			return r;
		watch(parent);
		is_killed = WIFSIGNALED(parent->status);
		if (is_killed)
			log_line(LOG_ERR, "otafs was killed signal=%d", WTERMSIG(parent->status));
	} while (parent->is_alone ||
		 (is_killed && !parent->is_told_to_end && relay_can_resend(parent->mounts.relay) &&
		     is_worth_another(clock_seconds() - begin, &kills)));
	return 0;
}

int
parent_run(const struct config *config, int (*prepare)(const struct config *config, struct err *err),
    serve_fn serve, struct err *err)
{
	struct parent parent = { .config = config, .serve = serve };
	int r;

	if ((r = program_signals(&parent.signals, err)) < 0 || (r = prepare(config, err)) < 0 ||
	    (r = mount_all(config, &parent.mounts, err)) < 0)
		return r;
	r = keep_serving(&parent, err);
	/* After a crash the dead mounts stay: they answer what the kernel has, and errors for the rest. */
	if (r == 0 && WIFEXITED(parent.status)) {
		fs_unmount(config);
		mount_shelf_release(config);
		r = WEXITSTATUS(parent.status);
	} else if (r == 0) {
		r = 1;
	}
	_exit(r < 0 ? program_fail(err)
		    : r); /* libfuse keeps the paths of its sessions: nothing to free them by */
}
