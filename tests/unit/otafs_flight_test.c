/* What a device may have read of is noted before it is served, and stored later. A real signer signs. */
#include "otafs/flight.h"

#include "otafs/assign.h"
#include "otafs/group.h"
#include "otafs/node.h"
#include "otafs/order.h"
#include "otafs/reply.h"
#include "otafs/rule.h"
#include "otafs/standing.h"
#include "otafs/withdrawn.h"
#include "state/reads.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/resource.h>

#include "lib/cleanup.h"
#include "lib/utc.h"

static void
find(struct fixture *f, enum view view, const char *path, struct node *node)
{
	struct err err = { 0 };

	assert_int_equal(node_find(&f->core, view, path, 0, node, &err), 0);
}

/* As a web server does; what node_build() comes to. */
static int
look(struct fixture *f, const char *path)
{
	struct material material;
	struct err err = { 0 };
	struct node node;
	int r;

	find(f, VIEW_WWW, path, &node);
	assert_int_equal(node_gather(&node, &material, &err), 0);
	r = node_build(&node, &material, &err);
	node_discard(&node, &material);
	return r;
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
told(struct fixture *f)
{
	return fixture_told(f, "in flight: the device may have read of urn:here-ota:mtu:");
}

/* As another start finds it: without what is only noted. */
static void
is_stored(struct fixture *f, bool is_expected)
{
	struct state *other;
	AUTO(free_p) struct assignment *open = NULL;
	struct err err = { 0 };
	size_t count;

	assert_int_equal(state_open(f->config.state, &other, &err), 0);
	assert_int_equal(state_assignments(other, "car7", &open, &count, &err), 0);
	assert_int_equal(count > 0 && open[0].in_flight_at > 0, is_expected);
	state_free(other);
}

static int
setup(void **state)
{
	struct err err = { 0 };
	struct fixture *f;

	if (fixture_setup_with_signer(state) != 0)
		return -1;
	f = *state;
	return state_certificate_add(f->core.state, "car7", "0A", 1, &err);
}

#define TARGETS "devices/car7/0A/director/targets.json"

static void
notes_the_first_look_of_the_web_server_without_a_write(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t rows;

	assert_int_equal(look(f, TARGETS), 0); /* nothing is open */
	assert_int_equal(state_reads(f->core.state), 0);
	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	rows = state_changes(f->core.state);
	assert_int_equal(in_flight_at(f), 0);
	assert_int_equal(look(f, TARGETS), 0);
	assert_true(in_flight_at(f) > 0);
	assert_int_equal(look(f, TARGETS), 0);
	assert_int_equal(state_changes(f->core.state), rows);
	is_stored(f, false);
}

static void
does_not_note_what_others_read(void **state)
{
	static const char *const paths[] = { "devices/car7/0A/director/timestamp.json",
		"devices/car7/0A/director/snapshot.json", "devices/car7/0A/director/1.root.json",
		"devices/car7/0A/director" };
	struct fixture *f = *state;
	AUTO(free_p) char *content = NULL;
	struct err err = { 0 };
	struct node node;
	struct stat st;

	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	find(f, VIEW_FULL, "devices/car7/director/targets.json", &node);
	assert_int_equal(node_stat(&node, &st, &content, &err), 0);
	assert_non_null(strstr(content, "app-2.0"));
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		assert_int_equal(look(f, paths[i]), 0);
	assert_int_equal(in_flight_at(f), 0);
}

/* The kernel holds up the acknowledgement, not the lookup: so it must not come to the device. */
static void
does_not_hand_out_what_was_taken_back_while_it_was_made(void **state)
{
	struct fixture *f = *state;
	struct material material;
	struct err err = { 0 };
	struct node node;

	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	find(f, VIEW_WWW, TARGETS, &node);
	assert_int_equal(node_gather(&node, &material, &err), 0);
	assert_int_equal(fixture_assign(f, "cancel", &err), 0);
	assert_int_equal(node_build(&node, &material, &err), NODE_CHANGED);
	assert_null(material.content);
	node_discard(&node, &material);
	assert_int_equal(state_reads(f->core.state), 0);
}

static void
is_not_taken_back_once_it_was_read(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	assert_int_equal(look(f, TARGETS), 0);
	assert_int_equal(fixture_assign(f, "cancel", &err), -EBUSY);
	assert_int_equal(fixture_assign(f, "cancel!", &err), 0);
	assert_int_equal(fixture_told(f, "cancelled"), 1);
}

static void
is_told_once_when_somebody_comes_to_the_device(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t first, rows;
	struct node node;

	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	assert_int_equal(look(f, TARGETS), 0);
	first = in_flight_at(f);
	find(f, VIEW_FULL, "devices/car7", &node);
	assert_string_equal(node.device.status, STANDING_IN_FLIGHT);
	is_stored(f, true);
	assert_int_equal(told(f), 1);
	assert_int_equal(look(f, TARGETS), 0);
	rows = state_changes(f->core.state);
	find(f, VIEW_FULL, "devices/car7", &node);
	flight_flush(&f->core);
	assert_int_equal(state_changes(f->core.state), rows);
	assert_int_equal(state_reads(f->core.state), 0);
	assert_int_equal(told(f), 1);
	assert_int_equal(in_flight_at(f), first);
}

/* In the transaction of that. */
static void
is_stored_with_what_the_device_hands_in_next(void **state)
{
	struct fixture *f = *state;
	struct reply reply = { 0 };
	struct err err = { 0 };
	struct node node;

	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	assert_int_equal(look(f, TARGETS), 0);
	find(f, VIEW_FULL, "devices/car7/in/events", &node);
	assert_int_equal(told(f), 0);
	assert_int_equal(state_begin(f->core.state, &err), 0);
	assert_int_equal(node_commit(&node, "[]", 2, &reply, &err), 0);
	assert_int_equal(told(f), 1);
	assert_int_equal(state_end(f->core.state, -EIO, &err), -EIO);
	assert_int_equal(told(f), 0);
	assert_int_equal(node_commit(&node, "[]", 2, &reply, &err), 0);
	is_stored(f, true);
	assert_int_equal(told(f), 1);
	reply_done(&reply);
}

static void
is_stored_when_many_are_noted(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	char id[32];

	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	assert_int_equal(look(f, TARGETS), 0);
	for (int i = 1; i < STATE_READS_MAX / 4; i++) {
		snprintf(id, sizeof(id), "other%d", i);
		assert_int_equal(state_read(f->core.state, id, 1, 1, &err), 0);
	}
	flight_make_room(&f->core);
	is_stored(f, false);
	assert_int_equal(state_read(f->core.state, "one-more", 1, 1, &err), 0);
	flight_make_room(&f->core);
	is_stored(f, true);
	assert_int_equal(state_reads(f->core.state), 0);
}

static void
is_stored_before_all_are_told_of(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	assert_int_equal(look(f, TARGETS), 0);
	flight_flush(&f->core);
	assert_int_equal(state_reads(f->core.state), 0);
	is_stored(f, true);
	assert_int_equal(told(f), 1);
	fixture_load(f);
	assert_string_equal(f->device.status, STANDING_IN_FLIGHT);
}

/* A batch may take it back with what it stored it for. */
static void
is_stored_again_after_it_was_taken_back(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	assert_int_equal(look(f, TARGETS), 0);
	assert_int_equal(state_begin(f->core.state, &err), 0);
	flight_store(&f->core, "car7");
	assert_int_equal(state_end(f->core.state, -EIO, &err), -EIO);
	assert_true(in_flight_at(f) > 0);
	assert_int_equal(told(f), 0);
	flight_store(&f->core, "car7");
	is_stored(f, true);
	assert_int_equal(told(f), 1);
}

static void
is_stored_before_a_rule_is_asked(void **state)
{
	struct fixture *f = *state;
	AUTO(rule_freep) struct rule *rule = NULL;
	struct err err = { 0 };

	assert_int_equal(rule_parse("status is InFlight", &rule, &err), 0);
	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	assert_int_equal(rule_matches(&f->core, rule, "car7", &err), 0);
	assert_int_equal(look(f, TARGETS), 0);
	assert_int_equal(rule_matches(&f->core, rule, "car7", &err), 1);
	assert_int_equal(told(f), 1);
}

/* Whoever ends it. */
static void
is_told_before_the_update_ends_by_itself_or_an_order(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	assert_int_equal(look(f, TARGETS), 0);
	assert_int_equal(withdrawn_end(&f->core, "car7", "it is gone", utc_now(), &err), 0);
	assert_int_equal(told(f), 1);
	assert_int_equal(group_add(&f->core, "eu", "test", &err), 0);
	assert_int_equal(group_put(&f->core, "eu", "car7", "test", &err), 0);
	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	assert_int_equal(look(f, TARGETS), 0);
	assert_int_equal(orders_open(&f->core, &err), 0);
	assert_int_equal(order_write(&f->core, "eu", "cancel!", "test", &err), 0);
	orders_close(&f->core);
	assert_int_equal(told(f), 2);
}

/* It is another update: the device knows nothing of it yet. */
static void
begins_anew_with_the_next_update(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	assert_int_equal(look(f, TARGETS), 0);
	assert_int_equal(fixture_assign(f, "cancel!", &err), 0);
	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	assert_int_equal(in_flight_at(f), 0);
	flight_flush(&f->core);
	assert_int_equal(in_flight_at(f), 0);
	assert_int_equal(look(f, TARGETS), 0);
	assert_true(in_flight_at(f) > 0);
}

static void
keeps_what_is_open_apart_over_a_clean_end(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(flight_open(&f->core, &err), 0);
	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	flight_close(&f->core);
	fixture_reopen(f);
	assert_int_equal(flight_open(&f->core, &err), 0);
	assert_false(flight_catch_up(&f->core));
	assert_int_equal(in_flight_at(f), 0);
	assert_int_equal(look(f, TARGETS), 0);
	flight_close(&f->core);
	fixture_reopen(f);
	assert_int_equal(flight_open(&f->core, &err), 0);
	assert_true(in_flight_at(f) > 0);
	assert_int_equal(told(f), 1);
}

static void
counts_all_that_was_open_as_read_after_another_end(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(flight_open(&f->core, &err), 0);
	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	fixture_reopen(f);
	assert_int_equal(in_flight_at(f), 0);
	assert_int_equal(flight_open(&f->core, &err), 0);
	assert_true(in_flight_at(f) > 0);
	assert_int_equal(fixture_assign(f, "cancel", &err), -EBUSY);
	is_stored(f, false);
	assert_false(flight_catch_up(&f->core));
	is_stored(f, true);
	assert_int_equal(told(f), 1);
	/* What is made from now on is not of then. */
	assert_int_equal(fixture_assign(f, "cancel!", &err), 0);
	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	assert_int_equal(in_flight_at(f), 0);
}

/* As on a full disk. */
static void
let_files_grow(bool is_allowed)
{
	const struct rlimit limit = { is_allowed ? RLIM_INFINITY : 1, RLIM_INFINITY };

	signal(SIGXFSZ, is_allowed ? SIG_DFL : SIG_IGN);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void
begins_on_a_full_disk_after_an_end_that_was_not_clean_only(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int r;

	let_files_grow(false);
	r = flight_open(&f->core, &err);
	let_files_grow(true);
	assert_true(r < 0); /* nobody could tell that it was not clean */
	assert_int_equal(flight_open(&f->core, &err), 0);
	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	fixture_reopen(f);
	let_files_grow(false);
	r = flight_open(&f->core, &err);
	let_files_grow(true);
	assert_int_equal(r, 0);
	assert_true(in_flight_at(f) > 0);
	/* Nor is it forgotten at the next end. */
	flight_close(&f->core);
	fixture_reopen(f);
	assert_int_equal(flight_open(&f->core, &err), 0);
	assert_true(in_flight_at(f) > 0);
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
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, fixture_teardown)
	const struct CMUnitTest tests[] = {
		TEST(notes_the_first_look_of_the_web_server_without_a_write),
		TEST(does_not_note_what_others_read),
		TEST(does_not_hand_out_what_was_taken_back_while_it_was_made),
		TEST(is_not_taken_back_once_it_was_read),
		TEST(is_told_once_when_somebody_comes_to_the_device),
		TEST(is_stored_with_what_the_device_hands_in_next),
		TEST(is_stored_when_many_are_noted),
		TEST(is_stored_before_all_are_told_of),
		TEST(is_stored_again_after_it_was_taken_back),
		TEST(is_stored_before_a_rule_is_asked),
		TEST(is_told_before_the_update_ends_by_itself_or_an_order),
		TEST(begins_anew_with_the_next_update),
		TEST(keeps_what_is_open_apart_over_a_clean_end),
		TEST(counts_all_that_was_open_as_read_after_another_end),
		TEST(begins_on_a_full_disk_after_an_end_that_was_not_clean_only),
		TEST(the_view_says_that_it_is_there_after_all_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
