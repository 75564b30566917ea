/* What is left after sandbox_enter(), each time in a process of its own. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/sandbox.h"

static char folder[64];

static int
setup(void **state)
{
	char path[128];

	(void)state;
	strcpy(folder, "/tmp/otafs-unit.XXXXXX");
	assert_non_null(mkdtemp(folder));
	snprintf(path, sizeof(path), "%s/in", folder);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(close(creat(strcat(path, "/file"), 0600)), 0);
	snprintf(path, sizeof(path), "%s/out", folder);
	assert_int_equal(close(creat(path, 0600)), 0);
	return 0;
}

static int
teardown(void **state)
{
	char command[128];

	(void)state;
	snprintf(command, sizeof(command), "rm -rf %s", folder);
	return system(command);
}

/* errno of what opening @name of the folder gives, or 0. */
static int
opens(const char *name, int flags)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", folder, name);
	fd = open(path, flags, 0600);
	return fd < 0 ? errno : close(fd);
}

/* The number that @try returns, inside of the sandbox; 0 is good. A sandbox that is off makes no test. */
static void
inside(int can, const char *name, bool runs, int (*try)(void))
{
	struct config config = { .sandbox = 1 };
	char path[128];
	struct err err;
	int status;
	pid_t pid;

#ifdef SANDBOX_OFF
	skip();
#endif
	snprintf(path, sizeof(path), "%s/%s", folder, name);
	pid = fork();
	if (pid == 0) {
		const struct sandbox_rule rules[] = { { path, can }, { "-", SANDBOX_READ },
			{ "/nowhere", SANDBOX_READ }, { NULL, 0 } };

		_exit(sandbox_enter(&config, rules, runs, &err) < 0 ? 99 : try());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static int
try_reading(void)
{
	return opens("in/file", O_RDONLY) != 0            ? 1
	       : opens("in/file", O_WRONLY) != EACCES     ? 2
	       : opens("in/new", O_CREAT | O_WRONLY) == 0 ? 3
	       : opens("out", O_RDONLY) != EACCES         ? 4
							  : 0;
}

static void
reads_below_the_path_and_nowhere_else(void **state)
{
	(void)state;
	inside(SANDBOX_READ, "in", false, try_reading);
}

static int
try_writing(void)
{
	char from[128], to[128];

	snprintf(from, sizeof(from), "%s/in/file", folder);
	snprintf(to, sizeof(to), "%s/in/other", folder);
	return opens("in/new", O_CREAT | O_WRONLY) != 0 ? 1
	       : rename(from, to) != 0                  ? 2
	       : unlink(to) != 0                        ? 3
	       : mkdir(from, 0700) != 0                 ? 4
	       : opens("out", O_WRONLY) != EACCES       ? 5
							: 0;
}

static void
writes_below_the_path(void **state)
{
	(void)state;
	inside(SANDBOX_WRITE, "in", false, try_writing);
}

static int
try_exchanged(void)
{
	char path[128];

	snprintf(path, sizeof(path), "%s/in/file", folder);
	return unlink(path) != 0 || opens("in/file", O_CREAT | O_WRONLY) != 0 ||
	       opens("in/file", O_RDONLY) != 0;
}

static void
a_rule_of_the_folder_above_outlives_the_file(void **state)
{
	(void)state;
	inside(SANDBOX_WRITE | SANDBOX_ABOVE, "in/file", false, try_exchanged);
}

static void *
nothing(void *data)
{
	return data;
}

static int
try_calls(void)
{
	pthread_t thread;
	int ends[2];

	return pthread_create(&thread, NULL, nothing, NULL) != 0 || pthread_join(thread, NULL) != 0 ? 1
	       : socketpair(AF_UNIX, SOCK_STREAM, 0, ends) != 0                                     ? 2
	       : socket(AF_INET, SOCK_STREAM, 0) >= 0 || errno != EAFNOSUPPORT                      ? 3
	       : fork() >= 0 || errno != EPERM                                                      ? 4
	       : execl("/bin/true", "true", NULL) >= 0 || errno != EPERM                            ? 5
	       : syscall(SYS_personality, 0xffffffff) >= 0 || errno != EPERM                        ? 6
	       : syscall(4000, 0) >= 0 || errno != ENOSYS                                           ? 7
	       : syscall(SYS_clone3, NULL, 0) >= 0 || errno != ENOSYS                               ? 8
	       : unshare(CLONE_FILES) != 0                                                          ? 9
	       : unshare(CLONE_FILES | CLONE_FS) >= 0 || errno != EPERM                             ? 10
	       : unshare(CLONE_NEWUSER) >= 0 || errno != EPERM                                      ? 11
												    : 0;
}

static void
has_threads_and_unix_sockets_but_no_network_process_or_program(void **state)
{
	(void)state;
	inside(SANDBOX_READ, "in", false, try_calls);
}

static int
try_program(void)
{
	return system("exec 2>/dev/null; true") != 0 || system("unshare -U true 2>/dev/null") == 0;
}

static void
runs_programs_that_are_held_to_the_same(void **state)
{
	(void)state;
	inside(SANDBOX_READ, "in", true, try_program);
}

/* Inside of it neither is allowed, as in a kernel or a container that has neither. */
static int
try_again(void)
{
	const struct sandbox_rule rules[] = { { NULL, 0 } };
	struct config config = { .sandbox = 1 };
	struct err err;

	return sandbox_enter(&config, rules, false, &err) != 0;
}

static void
goes_on_where_there_is_none(void **state)
{
	(void)state;
	inside(SANDBOX_READ, "in", false, try_again);
}

static void
does_nothing_when_it_is_off(void **state)
{
	const struct sandbox_rule rules[] = { { NULL, 0 } };
	struct config config = { 0 };
	struct err err;

	(void)state;
	assert_int_equal(sandbox_enter(&config, rules, false, &err), 0);
	assert_int_equal(opens("out", O_RDONLY), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(reads_below_the_path_and_nowhere_else, setup, teardown),
		cmocka_unit_test_setup_teardown(writes_below_the_path, setup, teardown),
		cmocka_unit_test_setup_teardown(a_rule_of_the_folder_above_outlives_the_file, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    has_threads_and_unix_sockets_but_no_network_process_or_program, setup, teardown),
		cmocka_unit_test_setup_teardown(runs_programs_that_are_held_to_the_same, setup, teardown),
		cmocka_unit_test_setup_teardown(goes_on_where_there_is_none, setup, teardown),
		cmocka_unit_test_setup_teardown(does_nothing_when_it_is_off, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
