/* What a device may have read of is noted before it is served. */
#include "otafs/flight.h"

#include "otafs/assign.h"
#include "otafs/node.h"
#include "otafs/standing.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

#include <errno.h>

#include "lib/cleanup.h"

static void
find(struct fixture *f, enum view view, const char *path, struct node *node)
{
	struct err err = { 0 };

	assert_int_equal(node_find(&f->core, view, path, 0, node, &err), 0);
}

static int64_t
in_flight_at(struct fixture *f)
{
	AUTO(free_p) struct assignment *open = NULL;
	struct err err = { 0 };
	size_t count;

	assert_int_equal(state_assignments(f->core.state, "car7", &open, &count, &err), 0);
	assert_true(count > 0);
	return open[0].in_flight_at;
}

static int
setup(void **state)
{
	struct err err = { 0 };
	struct fixture *f;

	if (fixture_setup(state) != 0)
		return -1;
	f = *state;
	f->core.roots.count = 1; /* of which nothing is read here */
	return state_certificate_add(f->core.state, "car7", "0A", 1, &err);
}

static int
teardown(void **state)
{
	((struct fixture *)*state)->core.roots.count = 0;
	return fixture_teardown(state);
}

static void
notes_the_first_look_of_the_web_server_only(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct node node;

	find(f, VIEW_WWW, "devices/car7/0A/director/targets.json", &node);
	assert_false(node_is_noted(&node)); /* nothing is open */
	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	assert_true(node_is_noted(&node));
	assert_int_equal(in_flight_at(f), 0);
	assert_int_equal(node_note(&node, &err), 0);
	assert_true(in_flight_at(f) > 0);
	assert_false(node_is_noted(&node));
}

static void
does_not_note_what_others_read(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct node node;

	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	find(f, VIEW_FULL, "devices/car7/director/targets.json", &node);
	assert_false(node_is_noted(&node));
	find(f, VIEW_WWW, "devices/car7/0A/director/timestamp.json", &node);
	assert_false(node_is_noted(&node));
	find(f, VIEW_WWW, "devices/car7/0A/director/1.root.json", &node);
	assert_false(node_is_noted(&node));
	find(f, VIEW_WWW, "devices/car7/0A/director", &node);
	assert_false(node_is_noted(&node));
}

static void
tells_it_once_and_changes_the_status(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t first;

	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	assert_int_equal(flight_note(&f->core, "car7", 1000, &err), 0);
	first = in_flight_at(f);
	assert_int_equal(first, 1000);
	assert_int_equal(flight_note(&f->core, "car7", 2000, &err), 0);
	assert_int_equal(in_flight_at(f), 1000);
	assert_int_equal(fixture_told(f, "in flight: the device may have read of urn:here-ota:mtu:"), 1);
	fixture_load(f);
	assert_string_equal(f->device.status, STANDING_IN_FLIGHT);
}

/* It is another update: the device knows nothing of it yet. */
static void
begins_anew_with_the_next_update(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	assert_int_equal(flight_note(&f->core, "car7", 1000, &err), 0);
	assert_int_equal(state_assignment_close(f->core.state, "car7", "prim", &err), 0);
	assert_false(flight_is_due(&f->core, "car7"));
	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	assert_true(flight_is_due(&f->core, "car7"));
	assert_int_equal(in_flight_at(f), 0);
}

static void
notes_nothing_where_nothing_is_open(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_false(flight_is_due(&f->core, "car7"));
	assert_int_equal(flight_note(&f->core, "car7", 1000, &err), 0);
	assert_int_equal(fixture_told(f, "in flight"), 0);
}

/* What was missing since there was no mount is not to be taken for a name that is gone. */
static void
the_view_says_that_it_is_there_after_all_else(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	struct node node;

	assert_int_equal(node_find(&f->core, VIEW_WWW, "alive", 0, &node, &err), -ENOENT);
	f->core.is_alive = true;
	assert_int_equal(node_find(&f->core, VIEW_WWW, "alive", 0, &node, &err), 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(notes_the_first_look_of_the_web_server_only),
		TEST(does_not_note_what_others_read),
		TEST(tells_it_once_and_changes_the_status),
		TEST(begins_anew_with_the_next_update),
		TEST(notes_nothing_where_nothing_is_open),
		TEST(the_view_says_that_it_is_there_after_all_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
