/* Names and notes of devices. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "otafs/label.h"
#include "otafs/node.h"
#include "tests/unit/fixture.h"

static int
writes(struct fixture *f, const char *file, const char *text, struct err *err)
{
	struct node node;
	char path[64];

	snprintf(path, sizeof(path), "devices/car7/%s", file);
	assert_int_equal(node_find(&f->core, VIEW_FULL, path, 0, &node, err), 0);
	return node_write(&node, text, strlen(text), err);
}

static void
shows(struct fixture *f, const char *file, const char *expected)
{
	AUTO(free_p) char *content = NULL;
	struct err err = { 0 };
	struct node node;
	struct stat st;
	char path[64];

	snprintf(path, sizeof(path), "devices/car7/%s", file);
	assert_int_equal(node_find(&f->core, VIEW_FULL, path, 0, &node, &err), 0);
	assert_int_equal(node_stat(&node, &st, &content, &err), 0);
	assert_string_equal(content, expected);
}

static void
keeps_the_last_name(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	shows(f, "name", "");
	assert_int_equal(writes(f, "name", "  Müllwagen 7 \n", &err), 0);
	assert_int_equal(writes(f, "name", "Müllwagen 7", &err), 0);
	shows(f, "name", "Müllwagen 7\n");
	fixture_reopen(f);
	shows(f, "name", "Müllwagen 7\n");
	assert_int_equal(fixture_told(f, "named \"M\\xc3\\xbcllwagen 7\" by uid 0"), 1);
	assert_int_equal(writes(f, "name", "\n", &err), 0);
	shows(f, "name", "");
	assert_int_equal(fixture_told(f, "name removed by uid 0"), 1);
}

static void
refuses_a_name_that_is_no_line(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	char large[STATE_DEVICE_NAME_MAX + 2] = "";

	memset(large, 'x', STATE_DEVICE_NAME_MAX + 1);
	assert_int_equal(writes(f, "name", "a\nb", &err), -EINVAL);
	assert_reason(err, "the name: byte 2 begins a control character");
	assert_int_equal(writes(f, "name", "\xff", &err), -EINVAL);
	assert_reason(err, "the name: is not UTF-8");
	assert_int_equal(writes(f, "name", large, &err), -EINVAL);
	assert_reason(err, "the name: 201 bytes, at most 200 are allowed");
	shows(f, "name", "");
	fixture_load(f);
	assert_non_null(strstr(f->device.why, "201 bytes"));
}

static void
keeps_the_last_notes(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(writes(f, "notes", "wheel\tloose\nsince May", &err), 0);
	assert_int_equal(writes(f, "notes", "wheel\tloose\nsince May", &err), 0);
	shows(f, "notes", "wheel\tloose\nsince May\n");
	assert_int_equal(fixture_told(f, "notes written by uid 0"), 1);
	assert_int_equal(writes(f, "notes", "\x1b[2J", &err), -EINVAL);
	assert_reason(err, "the notes: byte 1 begins a control character");
	assert_int_equal(writes(f, "notes", "\n", &err), 0);
	shows(f, "notes", "");
	assert_int_equal(fixture_told(f, "notes removed by uid 0"), 1);
}

/* An administrator's terminal must not obey what another wrote. */
static void
shows_a_refused_command_without_its_control_characters(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct node node;

	assert_int_equal(node_find(&f->core, VIEW_FULL, "devices/car7/counter", 0, &node, &err), 0);
	assert_int_equal(node_write(&node, "\033]0;x", 5, &err), -EINVAL);
	fixture_load(f);
	assert_string_equal(f->device.why, "\"\\x1b]0;x\" is no command: \"reset\" is");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(shows_a_refused_command_without_its_control_characters),
		TEST(keeps_the_last_name),
		TEST(refuses_a_name_that_is_no_line),
		TEST(keeps_the_last_notes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
