/* Devices page by page. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "state/device.h"

struct fleet {
	char path[64];
	struct state *state;
};

static int
setup(void **state)
{
	static const char *const ids[] = { "b", "ab", "a", "abc", "ab-1", "B", "ac", "0", "ab:z", "abd" };
	struct fleet *fleet = calloc(1, sizeof(*fleet));
	struct err err = { 0 };

	strcpy(fleet->path, "/tmp/otafs-unit.XXXXXX");
	assert_non_null(mkdtemp(fleet->path));
	strcat(fleet->path, "/state.db");
	assert_int_equal(state_open(fleet->path, &fleet->state, &err), 0);
	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		assert_int_equal(state_device_add(fleet->state, ids[i], 1, &err), 0);
	*state = fleet;
	return 0;
}

static int
teardown(void **state)
{
	struct fleet *fleet = *state;

	state_free(fleet->state);
	remove(fleet->path);
	*strrchr(fleet->path, '/') = '\0';
	rmdir(fleet->path);
	free(fleet);
	return 0;
}

static int
join(const char *name, void *out)
{
	strcat(out, name);
	strcat(out, " ");
	return 0;
}

static void
assert_page(void **state, const char *prefix, const char *after, int64_t most, const char *expected)
{
	struct fleet *fleet = *state;
	struct err err = { 0 };
	char names[256] = "";

	assert_int_equal(state_device_page(fleet->state, prefix, after, most, join, names, &err), 0);
	assert_string_equal(names, expected);
}

static void
a_page_goes_on_after_the_last_id(void **state)
{
	assert_page(state, "", "", 100, "0 B a ab ab-1 ab:z abc abd ac b ");
	assert_page(state, "", "", 3, "0 B a ");
	assert_page(state, "", "a", 3, "ab ab-1 ab:z ");
	assert_page(state, "", "aaa", 1, "ab "); /* one that went meanwhile */
	assert_page(state, "", "b", 3, "");
}

static void
a_prefix_holds_what_begins_so_and_the_id_itself(void **state)
{
	assert_page(state, "ab", "", 100, "ab ab-1 ab:z abc abd ");
	assert_page(state, "ab", "", 2, "ab ab-1 ");
	assert_page(state, "ab", "ab-1", 2, "ab:z abc ");
	assert_page(state, "ab", "abd", 2, "");
	assert_page(state, "ab", "a", 1, "ab ");
	assert_page(state, "abc", "", 100, "abc ");
	assert_page(state, "c", "", 100, "");
	assert_page(state, "\xff", "", 100, "");
	assert_page(state, "a'", "", 100, "");
}

static void
a_prefix_that_is_longer_than_an_id_holds_nothing(void **state)
{
	struct fleet *fleet = *state;
	char longest[NAME_DEVICE_MAX + 2], expected[NAME_DEVICE_MAX + 8];
	struct err err = { 0 };

	memset(longest, 'y', NAME_DEVICE_MAX);
	longest[NAME_DEVICE_MAX] = '\0';
	assert_int_equal(state_device_add(fleet->state, longest, 1, &err), 0);
	snprintf(expected, sizeof(expected), "%s ", longest);
	assert_page(state, longest, "", 100, expected);
	longest[0] = 'x';
	assert_page(state, longest, "", 100, "");
	memset(longest, 'y', NAME_DEVICE_MAX);
	strcpy(longest + NAME_DEVICE_MAX, "a");
	assert_page(state, longest, "", 100, "");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_page_goes_on_after_the_last_id, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_prefix_holds_what_begins_so_and_the_id_itself, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_prefix_that_is_longer_than_an_id_holds_nothing, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
