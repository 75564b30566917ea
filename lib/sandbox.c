#include "lib/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/calls.h"
#include "lib/cleanup.h"
#include "lib/log.h"

/* landlock(7). Headers of Debian 12 end with the second version. */
#define EXECUTE (1ULL << 0)
#define WRITE_FILE (1ULL << 1)
#define READ_FILE (1ULL << 2)
#define READ_DIR (1ULL << 3)
#define REMOVE_DIR (1ULL << 4)
#define REMOVE_FILE (1ULL << 5)
#define MAKE_CHAR (1ULL << 6)
#define MAKE_DIR (1ULL << 7)
#define MAKE_REG (1ULL << 8)
#define MAKE_SOCK (1ULL << 9)
#define MAKE_FIFO (1ULL << 10)
#define MAKE_BLOCK (1ULL << 11)
#define MAKE_SYM (1ULL << 12)
#define REFER (1ULL << 13)
#define TRUNCATE (1ULL << 14)
#define IOCTL_DEV (1ULL << 15)
/* What each version knows of files: the first, second, third and fifth brought something. */
static const uint64_t known[] = { 0x1fff, 0x3fff, 0x7fff, 0x7fff, 0xffff };
/* What may be allowed of a file that is no folder. */
#define OF_FILES (EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV)
#define READING (READ_FILE | READ_DIR)
#define WRITING                                                                                                \
	(READING | WRITE_FILE | REMOVE_DIR | REMOVE_FILE | MAKE_DIR | MAKE_REG | MAKE_SYM | REFER | TRUNCATE | \
	    IOCTL_DEV)
#define SPECIAL (MAKE_CHAR | MAKE_SOCK | MAKE_FIFO | MAKE_BLOCK)
/** Connecting and listening by TCP, from version 4 on. */
#define NET_ALL 3
#define NET_SINCE 4
/** Abstract Unix sockets of processes outside, from version 6 on. */
#define SCOPE_ABSTRACT 1
#define SCOPE_SINCE 6

struct ruleset_attr {
	uint64_t files, net, scoped;
};

struct path_beneath {
	uint64_t allowed;
	int32_t fd;
} __attribute__((packed));

#ifdef SANDBOX_OFF
#define IS_OFF true
#else
#define IS_OFF false
#endif

/* prctl(2), Linux 6.3 */
#define SET_MDWE 65
#define MDWE_REFUSE_EXEC_GAIN 1

/* What any program reads. */
static const char *const libraries[] = { "/usr", "/lib", "/lib64", "/etc/ssl", "/etc/ld.so.cache",
	"/etc/localtime", "/dev/urandom", "/dev/random", "/sys/devices/system/cpu", "/proc/sys" };

/* 0 when @path is not there either. */
static int
allow(int ruleset, const char *path, uint64_t what, struct err *err)
{
	AUTO(close_p) int fd = open(path, O_PATH | O_CLOEXEC);
	struct path_beneath rule = { what, fd };
	struct stat st;

	if (fd < 0 || fstat(fd, &st) < 0)
		return errno == ENOENT || errno == EACCES || errno == ENOTCONN ? 0 : err_sys(err, "%s", path);
	if (!S_ISDIR(st.st_mode))
		rule.allowed &= OF_FILES;
	if (syscall(SYS_landlock_add_rule, ruleset, 1 /* beneath a path */, &rule, 0) < 0)
		return err_sys(err, "%s: landlock", path);
	return 0;
}

static int
allow_rule(int ruleset, const struct sandbox_rule *rule, uint64_t handled, struct err *err)
{
	uint64_t what = handled & ((rule->can & SANDBOX_WRITE ? WRITING : READING) |
				      (rule->can & SANDBOX_ANY ? SPECIAL : 0));
	char path[4096];

	if (!strcmp(rule->path, "-"))
		return 0;
	snprintf(path, sizeof(path), "%s", rule->path);
	return allow(ruleset, rule->can & SANDBOX_ABOVE ? dirname(path) : path, what, err);
}

static int
allow_all(int ruleset, const struct sandbox_rule *rules, bool runs, uint64_t handled, struct err *err)
{
	uint64_t library = handled & (READING | (runs ? EXECUTE : 0));
	int r = allow(ruleset, "/dev/null", handled & (READ_FILE | WRITE_FILE), err);

	for (size_t i = 0; r == 0 && i < sizeof(libraries) / sizeof(libraries[0]); i++)
		r = allow(ruleset, libraries[i], library, err);
	for (; r == 0 && rules->path; rules++)
		r = allow_rule(ruleset, rules, handled, err);
	return r;
}

static void
tell_without(const char *what, const char *why)
{
	log_line(LOG_NOTICE, "sandbox without=%s reason=\"%s\"", what, why);
}

static int
restrict_paths(const struct sandbox_rule *rules, bool runs, struct err *err)
{
	long version = syscall(SYS_landlock_create_ruleset, NULL, 0, 1 /* asks for the version */);
	size_t last = sizeof(known) / sizeof(known[0]);
	struct ruleset_attr attr;
	AUTO(close_p) int ruleset = -1;
	int r;

	if (version < 1) {
		tell_without("landlock", strerror(errno));
		return 0;
	}
	attr.files = known[(size_t)version < last ? (size_t)version - 1 : last - 1];
	attr.net = version >= NET_SINCE ? NET_ALL : 0;
	attr.scoped = version >= SCOPE_SINCE ? SCOPE_ABSTRACT : 0;
	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0)
		return err_sys(err, "landlock");
	if ((r = allow_all(ruleset, rules, runs, attr.files, err)) < 0)
		return r;
	return syscall(SYS_landlock_restrict_self, ruleset, 0) < 0 ? err_sys(err, "landlock") : 0;
}

static int
restrict_calls(bool runs, struct err *err)
{
	int r = calls_filter(runs, err);

	if (r == CALLS_NO_FILTER)
		tell_without("seccomp", "neither kernel nor program has it for this machine");
	return r < 0 ? r : 0;
}

int
sandbox_enter(const struct config *config, const struct sandbox_rule *rules, bool runs, struct err *err)
{
	struct rlimit none = { 0, 0 };
	int r;

	if (IS_OFF || !config->sandbox)
		return 0;
	if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_sys(err, "sandbox");
	/* A kernel before 6.3 does not know it. */
	if (!runs)
		prctl(SET_MDWE, MDWE_REFUSE_EXEC_GAIN, 0, 0, 0);
	if ((r = restrict_paths(rules, runs, err)) < 0)
		return r;
	return restrict_calls(runs, err);
}
