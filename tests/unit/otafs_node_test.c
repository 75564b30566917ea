/* How a path finds its row. */
#include "otafs/node.h"

#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otafs/names.h"

static int
find(struct fixture *f, enum view view, const char *path, struct node *node)
{
	struct err err = { 0 };

	return node_find(&f->core, view, path, 0, node, &err);
}

static void
gives_each_variable_part_by_itself(void **state)
{
	struct fixture *f = *state;
	struct node node;
	struct err err = { 0 };

	assert_int_equal(state_certificate_add(f->core.state, "car7", "0A", 1, &err), 0);
	assert_int_equal(find(f, VIEW_WWW, "devices/car7/0A/repo/targets", &node), 0);
	assert_string_equal(node.args[0], "car7");
	assert_string_equal(node.args[1], "0A");
	assert_null(node.args[2]);
	assert_int_equal(node_kind(&node), NODE_LINK);
	assert_string_equal(node.device.id, "car7");
	assert_int_equal(node.certificate.added_at, 1);
	assert_int_equal(find(f, VIEW_FULL, "devices/car7/ecus/sec-1", &node), 0);
	assert_string_equal(node.args[1], "sec-1");
	assert_string_equal(names_last(&node), "sec-1");
}

static void
gives_the_rest_of_a_path_as_it_is(void **state)
{
	static const char deep[] = "treehub/refs/heads/a/b/c/d/e/f/g/h/i";
	struct fixture *f = *state;
	char command[256];
	struct node node;

	snprintf(command, sizeof(command), "mkdir -p %s/ostree/%s", f->path, deep + strlen("treehub/"));
	assert_int_equal(system(command), 0);
	assert_int_equal(find(f, VIEW_WWW, deep, &node), 0);
	assert_string_equal(node.args[0], "refs/heads/a/b/c/d/e/f/g/h/i");
	assert_string_equal(node_inode(&node), deep);
	assert_int_equal(find(f, VIEW_WWW, "treehub/refs/heads/a/b/c/d/e/f/g/h/x", &node), -ENOENT);
}

static void
finds_nothing_that_is_longer_or_shorter_than_its_pattern(void **state)
{
	static const char *const paths[] = { "device", "devices2", "devices/car7/0A/director/targets.json/x",
		"devices/car7/0A/repo/delegations/a/b", "devices/car7/0A/direct", "a/b/c/d/e/f/g/h/i/j/k/l",
		"/" };
	struct fixture *f = *state;
	struct node node;
	struct err err = { 0 };
	char long_path[NODE_PATH_MAX + 1];

	assert_int_equal(state_certificate_add(f->core.state, "car7", "0A", 1, &err), 0);
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		if (find(f, VIEW_WWW, paths[i], &node) != -ENOENT)
			fail_msg("found: %s", paths[i]);
	memset(long_path, 'a', NODE_PATH_MAX);
	long_path[NODE_PATH_MAX] = '\0';
	assert_int_equal(find(f, VIEW_WWW, long_path, &node), -ENAMETOOLONG);
	long_path[NODE_PATH_MAX - 1] = '\0';
	assert_int_equal(find(f, VIEW_WWW, long_path, &node), -ENOENT);
}

static void
certificates_speak_for_their_device_alone(void **state)
{
	struct fixture *f = *state;
	struct node node;
	struct err err = { 0 };

	assert_int_equal(state_device_add(f->core.state, "car8", 1, &err), 0);
	assert_int_equal(state_certificate_add(f->core.state, "car7", "0A", 1, &err), 0);
	assert_int_equal(find(f, VIEW_WWW, "devices/car7/0A", &node), 0);
	assert_int_equal(find(f, VIEW_WWW, "devices/car8/0A", &node), -ENOENT);
	assert_int_equal(find(f, VIEW_WWW, "devices/car9/0A", &node), -ENOENT);
	assert_int_equal(find(f, VIEW_WWW, "devices/car7/0B", &node), -ENOENT);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(gives_each_variable_part_by_itself),
		TEST(gives_the_rest_of_a_path_as_it_is),
		TEST(finds_nothing_that_is_longer_or_shorter_than_its_pattern),
		TEST(certificates_speak_for_their_device_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
