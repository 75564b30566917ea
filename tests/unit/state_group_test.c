/* Groups, their members, and the orders to them. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "state/device.h"
#include "state/group.h"
#include "state/order.h"

static char path[64];
static struct state *state;
static struct err err;

static int
setup(void **unused)
{
	(void)unused;
	strcpy(path, "/tmp/otafs-unit.XXXXXX");
	assert_non_null(mkdtemp(path));
	strcat(path, "/state.db");
	assert_int_equal(state_open(path, &state, &err), 0);
	return 0;
}

static int
teardown(void **unused)
{
	char command[128];

	(void)unused;
	state_free(state);
	*strrchr(path, '/') = '\0';
	snprintf(command, sizeof(command), "rm -rf %s", path);
	return system(command);
}

/* Names are put together as "a b ". */
static int
join(const char *name, void *out)
{
	strcat(out, name);
	strcat(out, " ");
	return 0;
}

static int
join_group(const struct group *group, void *out)
{
	return join(group->name, out);
}

static int
join_receipt(const char *device, enum receipt_result result, const char *text, void *out)
{
	sprintf((char *)out + strlen(out), "%s=%d%s ", device, result, text);
	return 0;
}

static const char *
members(const char *name)
{
	static char out[256];

	out[0] = '\0';
	assert_int_equal(state_members(state, name, "", 100, join, out, &err), 0);
	return out;
}

static void
a_group_is_made_once_and_goes_with_its_members(void **unused)
{
	struct group group;
	char names[64] = "";
	int64_t count;

	(void)unused;
	assert_int_equal(state_group_add(state, "eu", 5, &err), 0);
	assert_int_equal(state_group_add(state, "eu", 6, &err), STATE_EXISTS);
	assert_int_equal(state_group_add(state, "asia", 7, &err), 0);
	assert_int_equal(state_groups(state, join_group, names, &err), 0);
	assert_string_equal(names, "asia eu ");
	assert_int_equal(state_group_count(state, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_int_equal(state_group_rule(state, "eu", "deviceid contains car", &err), 0);
	assert_int_equal(state_group(state, "eu", &group, &err), 0);
	assert_string_equal(group.rule, "deviceid contains car");
	assert_int_equal(group.created_at, 5);
	assert_int_equal(state_member_add(state, "eu", "car7", &err), 0);
	assert_int_equal(state_group_remove(state, "eu", &err), 0);
	assert_int_equal(state_group_remove(state, "eu", &err), STATE_NONE);
	assert_int_equal(state_group(state, "eu", &group, &err), STATE_NONE);
	assert_string_equal(members("eu"), "");
}

static void
members_are_given_piece_by_piece_and_follow_a_new_name(void **unused)
{
	char out[64] = "";

	(void)unused;
	state_group_add(state, "eu", 5, &err);
	assert_int_equal(state_member_add(state, "eu", "car9", &err), 0);
	assert_int_equal(state_member_add(state, "eu", "car7", &err), 0);
	assert_int_equal(state_member_add(state, "eu", "car7", &err), STATE_EXISTS);
	assert_int_equal(state_member_add(state, "eu", "car8", &err), 0);
	assert_int_equal(state_members(state, "eu", "car7", 1, join, out, &err), 0);
	assert_string_equal(out, "car8 ");
	assert_int_equal(state_group_rename(state, "eu", "europe", &err), 0);
	assert_string_equal(members("eu"), "");
	assert_string_equal(members("europe"), "car7 car8 car9 ");
	assert_int_equal(state_member_remove(state, "europe", "car8", &err), 0);
	assert_int_equal(state_member_remove(state, "europe", "car8", &err), STATE_NONE);
	assert_int_equal(state_member(state, "europe", "car8", &err), STATE_NONE);
	assert_int_equal(state_member(state, "europe", "car9", &err), 0);
	assert_string_equal(members("europe"), "car7 car9 ");
	assert_int_equal(state_group_remove(state, "europe", &err), 0);
	assert_string_equal(members("europe"), "");
}

static void
a_deleted_device_is_in_no_group(void **unused)
{
	(void)unused;
	state_device_add(state, "car7", 5, &err);
	state_group_add(state, "b", 5, &err);
	state_group_add(state, "a", 5, &err);
	state_member_add(state, "b", "car7", &err);
	state_member_add(state, "a", "car7", &err);
	assert_int_equal(state_device_remove(state, "car7", &err), 0);
	assert_string_equal(members("a"), "");
	assert_string_equal(members("b"), "");
}

static struct group_order
ordered(const char *name, enum order_phase phase)
{
	struct group_order order = { .rule = "all",
		.text = "app 1.0",
		.who = "uid 0",
		.correlation = "urn:x",
		.phase = phase,
		.started_at = 9 };

	snprintf(order.name, sizeof(order.name), "%s", name);
	assert_int_equal(state_order_add(state, &order, &err), 0);
	return order;
}

static void
an_order_goes_from_phase_to_phase(void **unused)
{
	struct group_order order = ordered("eu", ORDER_WORKING), other = ordered("asia", ORDER_WORKING), found;

	(void)unused;
	assert_true(other.number > order.number);
	assert_int_equal(state_order_open(state, "eu", &found, &err), 0);
	assert_string_equal(found.text, "app 1.0");
	assert_string_equal(found.rule, "all");
	assert_string_equal(found.correlation, "urn:x");
	assert_int_equal(found.started_at, 9);
	assert_int_equal(state_order_cursor(state, order.number, "car7", &err), 0);
	assert_int_equal(state_order_last(state, "eu", &found, &err), 0);
	assert_string_equal(found.cursor, "car7");
	assert_int_equal(state_order_end(state, order.number, ORDER_FINISHED, 11, &err), 0);
	assert_int_equal(state_order_open(state, "eu", &found, &err), STATE_NONE);
	assert_int_equal(state_order(state, order.number, &found, &err), 0);
	assert_int_equal(found.finished_at, 11);
	assert_int_equal(state_order_next(state, ORDER_WORKING, 0, &found, &err), 0);
	assert_string_equal(found.name, "asia");
	assert_int_equal(state_order_next(state, ORDER_WORKING, found.number, &found, &err), STATE_NONE);
	assert_int_equal(state_orders_rename(state, "eu", "europe", &err), 0);
	assert_int_equal(state_order_last(state, "europe", &found, &err), 0);
	assert_int_equal(state_orders_stale(state, "europe", found.number, &err), 0);
	assert_int_equal(state_order_last(state, "europe", &found, &err), 0);
	assert_int_equal(state_orders_stale(state, "europe", 0, &err), 0);
	assert_int_equal(state_order_last(state, "europe", &found, &err), STATE_NONE);
	assert_int_equal(state_order_next(state, ORDER_STALE, 0, &found, &err), 0);
	assert_int_equal(state_order_remove(state, found.number, &err), 0);
	assert_int_equal(state_order_next(state, ORDER_STALE, 0, &found, &err), STATE_NONE);
}

static void
a_number_is_never_used_again_and_a_new_device_begins_with_it(void **unused)
{
	int64_t number = ordered("eu", ORDER_STALE).number;
	struct device device;

	(void)unused;
	assert_int_equal(state_order_remove(state, number, &err), 0);
	assert_int_equal(ordered("eu", ORDER_WORKING).number, number + 1);
	assert_int_equal(state_device_add(state, "new", 1, &err), 0);
	assert_int_equal(state_device(state, "new", &device, &err), 0);
	assert_int_equal(device.ordered, number + 1);
	assert_int_equal(state_device_ordered(state, "new", number + 7, &err), 0);
	assert_int_equal(state_device(state, "new", &device, &err), 0);
	assert_int_equal(device.ordered, number + 7);
}

static void
receipts_are_counted_and_given_piece_by_piece(void **unused)
{
	char out[128] = "";
	const int64_t n = ordered("eu", ORDER_WORKING).number, other = ordered("us", ORDER_WORKING).number;
	struct group_order order;

	(void)unused;
	assert_int_equal(state_receipt_add(state, n, "9", RECEIPT_TAKEN, "", &err), 0);
	assert_int_equal(state_receipt_add(state, n, "7", RECEIPT_REFUSED, "no", &err), 0);
	assert_int_equal(state_receipt_add(state, n, "8", RECEIPT_TAKEN, "", &err), 0);
	assert_int_equal(state_receipt_add(state, other, "7", RECEIPT_TAKEN, "", &err), 0);
	assert_int_equal(state_order(state, n, &order, &err), 0);
	assert_int_equal(order.taken, 2);
	assert_int_equal(order.refused, 1);
	assert_int_equal(state_receipts(state, n, "", 100, join_receipt, out, &err), 0);
	assert_string_equal(out, "7=2no 8=1 9=1 ");
	out[0] = '\0';
	assert_int_equal(state_receipts(state, n, "7", 1, join_receipt, out, &err), 0);
	assert_string_equal(out, "8=1 ");
	assert_int_equal(state_receipts_remove(state, n, 2, &err), 2);
	assert_int_equal(state_receipts_remove(state, n, 2, &err), 1);
	assert_int_equal(state_receipts_remove(state, n, 2, &err), 0);
	out[0] = '\0';
	assert_int_equal(state_receipts(state, other, "", 100, join_receipt, out, &err), 0);
	assert_string_equal(out, "7=1 ");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
		    a_group_is_made_once_and_goes_with_its_members, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    members_are_given_piece_by_piece_and_follow_a_new_name, setup, teardown),
		cmocka_unit_test_setup_teardown(a_deleted_device_is_in_no_group, setup, teardown),
		cmocka_unit_test_setup_teardown(an_order_goes_from_phase_to_phase, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    a_number_is_never_used_again_and_a_new_device_begins_with_it, setup, teardown),
		cmocka_unit_test_setup_teardown(receipts_are_counted_and_given_piece_by_piece, setup, teardown),
	};

	return cmocka_run_group_tests_name("state/group", tests, NULL, NULL);
}
