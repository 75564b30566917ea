/* Modes of what web servers read, in a repository of an earlier release. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "store/served.h"
#include "store/tree.h"

struct fixture {
	char path[64];
	int dir;
};

static int
setup(void **state)
{
	static const char *const folders[] = { "published", "ostree", "ostree/refs", "ostree/objects",
		"ostree/objects/ab", "ostree/deltas", "ostree/deltas/ab", "ostree/deltas/ab/cd", "binaries",
		"binaries/ab" };
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->path, "/tmp/store-served.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY);
	for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++)
		assert_int_equal(mkdirat(f->dir, folders[i], 0750), 0);
	close(openat(f->dir, "ostree/deltas/ab/cd/0", O_CREAT | O_WRONLY, 0640));
	close(openat(f->dir, "ostree/objects/ab/c.filez", O_CREAT | O_WRONLY, 0640));
	close(openat(f->dir, "binaries/ab/c", O_CREAT | O_WRONLY, 0640));
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	struct err err;

	close(f->dir);
	assert_int_equal(tree_remove(AT_FDCWD, f->path, &err), 0);
	free(f);
	return 0;
}

static int
mode_of(const struct fixture *f, const char *name)
{
	struct stat st;

	assert_int_equal(fstatat(f->dir, name, &st, 0), 0);
	return st.st_mode & 07777;
}

static void
opens_what_devices_read_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(served_start(f->dir, &err), 0);
	assert_int_equal(mode_of(f, "ostree"), 0755);
	assert_int_equal(mode_of(f, "ostree/objects"), 0755);
	assert_int_equal(mode_of(f, "ostree/objects/ab"), 0755);
	assert_int_equal(mode_of(f, "ostree/deltas/ab/cd/0"), 0644);
	assert_int_equal(mode_of(f, "ostree/objects/ab/c.filez"), 0644);
	assert_int_equal(mode_of(f, "binaries/ab/c"), 0644);
	assert_int_equal(mode_of(f, "binaries/ab"), 0755);
	assert_int_equal(mode_of(f, "published"), 0750);
	assert_int_equal(mode_of(f, "ostree/refs"), 0750);
}

static void
does_it_once(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(served_start(f->dir, &err), 0);
	assert_int_equal(fchmodat(f->dir, "binaries/ab", 0700, 0), 0);
	assert_int_equal(fchmodat(f->dir, "ostree/objects/ab/c.filez", 0600, 0), 0);
	assert_int_equal(served_start(f->dir, &err), 0);
	assert_int_equal(mode_of(f, "binaries/ab"), 0700);
	assert_int_equal(mode_of(f, "ostree/objects/ab/c.filez"), 0600);
}

static void
goes_on_where_it_was_killed(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(fchmodat(f->dir, "binaries", 0755, 0), 0);
	assert_int_equal(served_start(f->dir, &err), 0);
	assert_int_equal(mode_of(f, "binaries/ab"), 0755);
}

static void
follows_no_link_out_of_the_repository(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(tree_remove(f->dir, "binaries/ab", &err), 0);
	assert_int_equal(symlinkat("../published", f->dir, "binaries/ab"), 0);
	assert_int_equal(served_start(f->dir, &err), 0);
	assert_int_equal(mode_of(f, "published"), 0750);
}

static void
leaves_an_empty_repository_alone(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(tree_remove(f->dir, "ostree", &err), 0);
	assert_int_equal(served_start(f->dir, &err), 0);
	assert_int_equal(mode_of(f, "binaries"), 0750);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(opens_what_devices_read_and_nothing_else, setup, teardown),
		cmocka_unit_test_setup_teardown(does_it_once, setup, teardown),
		cmocka_unit_test_setup_teardown(goes_on_where_it_was_killed, setup, teardown),
		cmocka_unit_test_setup_teardown(follows_no_link_out_of_the_repository, setup, teardown),
		cmocka_unit_test_setup_teardown(leaves_an_empty_repository_alone, setup, teardown),
	};

	return cmocka_run_group_tests_name("store/served", tests, NULL, NULL);
}
