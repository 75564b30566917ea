/* Tags of devices: what is taken, what is refused in which words. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "otafs/tag.h"
#include "tests/unit/fault.h"
#include "tests/unit/fixture.h"

static int
tag(struct fixture *f, const char *text, struct err *err)
{
	return tag_write(&f->core, &f->device, text, "test", err);
}

static void
shows(struct fixture *f, const char *expected)
{
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	assert_int_equal(tag_print(&f->core, &f->device, out, &err), 0);
	fclose(out);
	assert_string_equal(text, expected);
}

static void
sets_replaces_and_removes(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(tag(f, "region=EU\n  colour = dark blue\n\n", &err), 0);
	shows(f, "colour=dark blue\nregion=EU\n");
	assert_int_equal(tag(f, "region=US\ncolour=\n", &err), 0);
	shows(f, "region=US\n");
	assert_int_equal(fixture_told(f, "tag region set to \"US\" by test"), 1);
	assert_int_equal(fixture_told(f, "tag colour removed by test"), 1);
}

static void
tells_nothing_of_what_is_so_already(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(tag(f, "region=EU", &err), 0);
	assert_int_equal(tag(f, "region=EU\ncolour=", &err), 0);
	assert_int_equal(fixture_told(f, "tag "), 1);
}

static void
refuses(struct fixture *f, const char *text, const char *words)
{
	struct err err = { 0 };

	assert_int_equal(tag(f, text, &err), -EINVAL);
	assert_non_null(strstr(err.text, words));
}

static void
refuses_all_lines_with_one_that_is_wrong(void **state)
{
	struct fixture *f = *state;
	char large[STATE_TAG_VALUE_MAX + 16] = "region=";

	memset(large + 7, 'x', STATE_TAG_VALUE_MAX + 1);
	refuses(f, "region=EU\nblue\n", "\"blue\": expected \"NAME=VALUE\"");
	refuses(f, "region=EU\n=x", "the name has 0 characters, allowed are 1 to 64");
	refuses(f, "region=EU\nre;gion=x", "character 3 of the name is not allowed");
	refuses(f, "region=EU\nregion=\x1b[2J", "byte 1 begins a control character");
	refuses(f, "region=EU\nregion=a\xc2\x9b", "byte 2 begins a control character");
	refuses(f, "region=EU\nregion=\xff", "is not UTF-8");
	refuses(f, large, "201 bytes, at most 200 are allowed");
	shows(f, "");
	assert_int_equal(fixture_told(f, "tag "), 0);
}

static void
refuses_more_than_a_device_can_have(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	char text[32];

	for (int i = 0; i < STATE_TAGS_MAX; i++) {
		snprintf(text, sizeof(text), "t%d=x", i);
		assert_int_equal(tag(f, text, &err), 0);
	}
	assert_int_equal(tag(f, "t0=y", &err), 0);
	assert_int_equal(tag(f, "more=x", &err), -ENOSPC);
	assert_string_equal(err.text, "tag more: a device has at most 64 tags");
}

static void
sets_all_tags_of_a_write_or_none_whatever_fails(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int calls;

	assert_int_equal(tag(f, "ring=1", &err), 0);
	for (calls = 0;; calls++) {
		int r;

		fault_after(calls);
		r = tag(f, "ring=\nregion=EU\ncolour=blue", &err);
		if (!fault_stop() || r == 0)
			break;
		shows(f, "ring=1\n");
		assert_int_equal(fixture_told(f, "tag "), 1);
	}
	assert_true(calls > 1);
	shows(f, "colour=blue\nregion=EU\n");
}

static int
add_name(const char *name, void *context)
{
	strcat(strcat(context, name), ",");
	return 0;
}

static void
lists_the_names_in_use_once(void **state)
{
	struct fixture *f = *state;
	char names[256] = "";
	struct err err = { 0 };

	assert_int_equal(state_device_add(f->core.state, "car8", 1, &err), 0);
	assert_int_equal(tag(f, "b=1\na=2", &err), 0);
	assert_int_equal(tag_set(&f->core, "car8", "b", "3", "test", &err), 0);
	assert_int_equal(state_tag_names(f->core.state, add_name, names, &err), 0);
	assert_string_equal(names, "a,b,");
	/* With the device go its tags. */
	assert_int_equal(state_device_remove(f->core.state, "car7", &err), 0);
	names[0] = '\0';
	assert_int_equal(state_tag_names(f->core.state, add_name, names, &err), 0);
	assert_string_equal(names, "b,");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(sets_replaces_and_removes, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
		    tells_nothing_of_what_is_so_already, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
		    refuses_all_lines_with_one_that_is_wrong, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
		    refuses_more_than_a_device_can_have, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
		    sets_all_tags_of_a_write_or_none_whatever_fails, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(lists_the_names_in_use_once, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
