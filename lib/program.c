#include "lib/program.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <libgen.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/log.h"

/** start() has done all there was to do, -n or --help. */
#define PROGRAM_DONE 1

/* 0, PROGRAM_DONE, or -errno with words. */
static int
start(int argc, char **argv, const char *summary, struct config *config, struct err *err)
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "check", no_argument, NULL, 'n' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *path = PROGRAM_CONFIG;
	int option, is_check = 0, r;

	while ((option = getopt_long(argc, argv, "c:nh", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			path = optarg;
			break;
		case 'n':
			is_check = 1;
			break;
		case 'h':
			printf("usage: %s [-n] [-c FILE]\n%s\n\n"
			       "  -c, --config FILE   settings, see otafs.conf(5); default %s\n"
			       "  -n, --check         check the settings and exit\n"
			       "  -h, --help          this text\n",
			    argv[0], summary, PROGRAM_CONFIG);
			return PROGRAM_DONE;
		default:
			return err_set(err, EINVAL, "unknown option; --help lists them");
		}
	}
	if (optind < argc)
		return err_set(
		    err, EINVAL, "\"%.64s\" is not expected; --help lists the options", argv[optind]);
	if ((r = config_read(path, config, err)) < 0 || !is_check)
		return r;
	r = config_check(config, err);
	return r < 0 ? err_context(err, r, "%s", path) : PROGRAM_DONE;
}

int
program_signals(int *fd, struct err *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_sys(err, "signals");
	*fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return *fd < 0 ? err_sys(err, "signalfd") : 0;
}

/* Makes the folders above @path. */
static int
make_parents(const char *path, struct err *err)
{
	char part[4096];

	snprintf(part, sizeof(part), "%s", path);
	for (char *slash = strchr(part + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(part, 0755) < 0 && errno != EEXIST)
			return err_sys(err, "%s", part);
		*slash = '/';
	}
	return 0;
}

int
program_folder(const char *path, uid_t uid, gid_t gid, mode_t mode, struct err *err)
{
	struct stat st;
	int r;

	if ((r = make_parents(path, err)) < 0)
		return r;
	if (mkdir(path, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "%s", path);
	if (lstat(path, &st) < 0)
		return err_sys(err, "%s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(err, ENOTDIR, "%s: is no folder", path);
	if (geteuid() != 0)
		return 0; /* somebody else made it as it has to be, or opening it will say so */
	if (lchown(path, uid, gid) < 0 || chmod(path, mode) < 0)
		return err_sys(err, "%s", path);
	return 0;
}

int
program_folder_above(const char *path, uid_t uid, gid_t gid, mode_t mode, struct err *err)
{
	char copy[4096];
	struct stat st;
	const char *folder;

	snprintf(copy, sizeof(copy), "%s", path);
	folder = dirname(copy);
	return stat(folder, &st) == 0 ? 0 : program_folder(folder, uid, gid, mode, err);
}

/* The descriptors that systemd hands on begin here.  (sd_listen_fds(3)) */
#define INHERITED_FIRST 3
#define INHERITED_MAX 16

/* How many descriptors were meant for this process. */
static int
count_inherited(void)
{
	const char *pid = getenv("LISTEN_PID"), *count = getenv("LISTEN_FDS");
	int n = pid && count && atol(pid) == getpid() ? atoi(count) : 0;

	return n < 0 ? 0 : n > INHERITED_MAX ? INHERITED_MAX : n;
}

/* Whether @fd listens at @path. */
static bool
listens_at(int fd, const char *path)
{
	struct sockaddr_un address = { 0 };
	socklen_t bytes = sizeof(address), size = sizeof(int);
	int listens = 0;

	return getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens &&
	       getsockname(fd, (struct sockaddr *)&address, &bytes) == 0 && address.sun_family == AF_UNIX &&
	       !strncmp(address.sun_path, path, sizeof(address.sun_path));
}

/* The socket at @path that was handed on, or -1. */
static int
find_inherited(const char *path)
{
	int n = count_inherited();

	for (int fd = INHERITED_FIRST; fd < INHERITED_FIRST + n; fd++)
		if (listens_at(fd, path) && fcntl(fd, F_SETFD, FD_CLOEXEC) == 0 &&
		    fcntl(fd, F_SETFL, O_NONBLOCK) == 0)
			return fd;
	return -1;
}

int
program_listen(const char *path, uid_t uid, gid_t gid, mode_t mode, int *out, struct err *err)
{
	AUTO(close_p) int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	int inherited = find_inherited(path);

	if (inherited >= 0) {
		*out = inherited;
		return PROGRAM_INHERITED;
	}
	if (strlen(path) >= sizeof(address.sun_path))
		return err_set(err, ENAMETOOLONG, "%s: a socket's path has at most %zu bytes", path,
		    sizeof(address.sun_path) - 1);
	strcpy(address.sun_path, path);
	if (fd < 0 || (unlink(path) < 0 && errno != ENOENT) ||
	    bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0 || chmod(path, mode) < 0 ||
	    (geteuid() == 0 && lchown(path, uid, gid) < 0) || listen(fd, SOMAXCONN) < 0)
		return err_sys(err, "%s", path);
	*out = MOVE_FD(fd);
	return 0;
}

void
program_be_idle(void)
{
	enum { WHO_PROCESS = 1, CLASS_IDLE = 3, CLASS_SHIFT = 13 }; /* ioprio_set(2); glibc has no header */

	setpriority(PRIO_PROCESS, 0, 19);
	syscall(SYS_ioprio_set, WHO_PROCESS, 0, CLASS_IDLE << CLASS_SHIFT);
}

int
program_fail(const struct err *err)
{
	log_line(LOG_ERR, "stopped reason=\"%s\"", err->text);
	return 1;
}

int
program_main(
    int argc, char **argv, const char *summary, int (*run)(const struct config *config, struct err *err))
{
	struct config config;
	struct err err = { 0 };
	int r = start(argc, argv, summary, &config, &err);

	if (r == PROGRAM_DONE)
		return 0;
	if (r == 0)
		r = run(&config, &err);
	return r < 0 ? program_fail(&err) : r;
}
