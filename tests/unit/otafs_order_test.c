/* Orders to groups: who has his part in them, and when. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "otafs/assign.h"
#include "otafs/device.h"
#include "otafs/group.h"
#include "otafs/node.h"
#include "otafs/order_run.h"
#include "otafs/tag.h"
#include "otafs/follow.h"
#include "state/follow.h"
#include "state/schedule.h"
#include "state/seen.h"
#include "tests/unit/fixture.h"

static struct err err;

static int
setup(void **state)
{
	struct fixture *f;

	if (fixture_setup(state) != 0)
		return -1;
	f = *state;
	return orders_open(&f->core, &err);
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	orders_close(&f->core);
	return fixture_teardown(state);
}

typedef int (*print_fn)(struct core *core, const char *group, FILE *out, struct err *err);

static char *
printed(struct fixture *f, print_fn print, const char *group)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	assert_int_equal(print(&f->core, group, out, &err), 0);
	fclose(out);
	return text;
}

static int
print_receipts(struct core *core, const char *group, FILE *out, struct err *why)
{
	char cursor[NODE_CURSOR_MAX] = "";
	int r;

	while ((r = order_print_receipts(core, group, cursor, out, why)) > 0)
		;
	return r;
}

/* How many ECUs of @device have something open of @correlation ("": whatever). */
static size_t
open_of(struct fixture *f, const char *device, const char *correlation)
{
	AUTO(free_p) struct assignment *open = NULL;
	size_t count, n = 0;

	assert_int_equal(state_assignments(f->core.state, device, &open, &count, &err), 0);
	for (size_t i = 0; i < count; i++)
		n += !*correlation || !strcmp(open[i].correlation, correlation);
	return n;
}

#define refused(call, code, words)                                                                             \
	do {                                                                                                   \
		assert_int_equal(call, -(code));                                                               \
		assert_reason(err, words);                                                                     \
	} while (0)

/* ---- orders */

static void
each_member_takes_or_refuses_an_order_by_itself(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	AUTO(free_p) char *receipts = NULL;
	AUTO(free_p) struct assignment *open = NULL;
	size_t count;

	fixture_group(f);
	assert_int_equal(order_write(&f->core, "eu", "app 1.0\nfw 1.0 sec-1\n", "uid 5", &err), 0);
	receipts = printed(f, print_receipts, "eu");
	assert_string_equal(receipts,
	    "bare refused: has not registered its ECUs yet, so it is not known what fits it\n"
	    "car1 taken\ncar2 taken\ncar3 taken\n");
	text = printed(f, order_print, "eu");
	assert_non_null(strstr(text, "ordered by uid 5 at 2"));
	assert_non_null(strstr(text, ", done at 2"));
	assert_non_null(
	    strstr(text, "4 members: 3 have taken it, 1 have refused\n  app 1.0\n  fw 1.0 sec-1\n"));
	assert_int_equal(state_assignments(f->core.state, "car1", &open, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_non_null(strstr(text, open[0].correlation));
	assert_int_equal(open_of(f, "car2", open[0].correlation), 2);
	assert_int_equal(open_of(f, "car3", open[1].correlation), 2);
	assert_int_equal(open_of(f, "car7", ""), 0);
}

static void
what_nobody_takes_is_refused_and_has_its_receipts(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *receipts = NULL;

	fixture_group(f);
	refused(order_write(&f->core, "eu", "app 9.9", "test", &err), ENOENT,
	    "none of 4 members has taken it, see groups/eu/receipts; bare: package app has no version 9.9");
	receipts = printed(f, print_receipts, "eu");
	assert_non_null(strstr(receipts, "car3 refused: package app has no version 9.9: ls packages/app\n"));
	refused(order_write(&f->core, "eu", " \n", "test", &err), EINVAL, "empty: expected");
	refused(order_stop(&f->core, "eu", "test", &err), ENODATA, "nothing to stop");
	group_add(&f->core, "none", "test", &err);
	refused(order_write(&f->core, "none", "app 1.0", "test", &err), ENODATA, "none has no members");
}

static void
an_order_that_begins_takes_the_place_of_the_last_one(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *receipts = NULL;
	struct group_order stale;

	fixture_group(f);
	assert_int_equal(order_write(&f->core, "eu", "app 1.0", "test", &err), 0);
	assert_int_equal(group_take(&f->core, "eu", "car1", "test", &err), 0);
	assert_int_equal(order_write(&f->core, "eu", "cancel", "test", &err), 0);
	receipts = printed(f, print_receipts, "eu");
	assert_string_equal(receipts,
	    "bare refused: nothing is open or scheduled, nothing to cancel\ncar2 taken\ncar3 taken\n");
	assert_int_equal(open_of(f, "car1", ""), 1);
	assert_int_equal(open_of(f, "car2", ""), 0);
	assert_int_equal(state_order_next(f->core.state, ORDER_STALE, 0, &stale, &err), 0);
	assert_string_equal(stale.text, "app 1.0");
}

static void
what_begins_later_or_by_itself_is_an_order_too(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) struct follow *followed = NULL;
	AUTO(free_p) char *receipts = NULL;
	struct group_order order;
	struct schedule *scheduled;
	char command[STATE_CORRELATION_MAX + 16];
	size_t count;

	fixture_group(f);
	assert_int_equal(order_write(&f->core, "eu", "follow app", "test", &err), 0);
	assert_int_equal(state_follows(f->core.state, "car2", &followed, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_string_equal(followed[0].package, "app");
	refused(order_write(&f->core, "eu", "follow app", "test", &err), ENXIO,
	    "none of 4 members has taken it, see groups/eu/receipts; bare: has not registered its ECUs");
	receipts = printed(f, print_receipts, "eu");
	assert_non_null(strstr(receipts, "car1 refused: follows app already\n"));
	assert_int_equal(order_write(&f->core, "eu", "unfollow app", "test", &err), 0);

	assert_int_equal(order_write(&f->core, "eu", "at 2090-01-01T00:00:00Z fw 1.0", "test", &err), 0);
	assert_int_equal(state_order_last(f->core.state, "eu", &order, &err), 0);
	assert_int_equal(order_write(&f->core, "eu", "at 2091-01-01T00:00:00Z fw 2.0", "test", &err), 0);
	assert_int_equal(state_schedules(f->core.state, "car3", &scheduled, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_string_equal(scheduled[0].correlation, order.correlation);
	state_schedules_free(scheduled, count);

	/* What one order made is taken back, and nothing else. */
	snprintf(command, sizeof(command), "cancel %s", order.correlation);
	assert_int_equal(order_write(&f->core, "eu", command, "test", &err), 0);
	assert_int_equal(state_schedules(f->core.state, "car3", &scheduled, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_string_equal(scheduled[0].text, "fw 2.0");
	state_schedules_free(scheduled, count);
}

static void
an_order_goes_to_those_who_are_in_by_the_rule(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *receipts = NULL;

	fixture_group(f);
	assert_int_equal(
	    group_write_rule(&f->core, "eu", "deviceid is car7 or deviceid is car2", "test", &err), 0);
	assert_int_equal(order_write(&f->core, "eu", "app 1.0 prim", "test", &err), 0);
	receipts = printed(f, print_receipts, "eu");
	assert_string_equal(receipts, "car2 taken\ncar7 taken\n");
	/* A rule may stop being true of who has taken it; the receipt stays. */
	assert_int_equal(group_write_rule(&f->core, "eu", "deviceid is bare", "test", &err), 0);
	free(receipts);
	receipts = printed(f, print_receipts, "eu");
	assert_string_equal(receipts, "car2 taken\ncar7 taken\n");
}

static void
many_members_are_worked_off_in_slices(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	char id[16];

	group_add(&f->core, "many", "test", &err);
	for (int i = 0; i < 128; i++) {
		snprintf(id, sizeof(id), "n%03d", i);
		fixture_device(f, id);
		assert_int_equal(group_put(&f->core, "many", id, "test", &err), 0);
	}
	assert_int_equal(order_write(&f->core, "many", "app 1.0", "test", &err), 0);
	text = printed(f, order_print, "many");
	assert_non_null(strstr(text, "128 members: 128 have taken it, 0 have refused\n"));
	assert_int_equal(open_of(f, "n127", ""), 1);
}

/* ---- in force, before the members are worked off */

/* An order that is in force; it is found as after a crash. */
static int64_t
give(struct fixture *f, const char *group, const char *text)
{
	struct group_order order = { .who = "uid 5", .correlation = "urn:x", .phase = ORDER_WORKING };
	struct group found;

	assert_int_equal(state_group(f->core.state, group, &found, &err), 0);
	snprintf(order.name, sizeof(order.name), "%s", group);
	snprintf(order.rule, sizeof(order.rule), "%s", found.rule);
	snprintf(order.text, sizeof(order.text), "%s", text);
	order.started_at = 1;
	assert_int_equal(state_order_add(f->core.state, &order, &err), 0);
	orders_close(&f->core);
	assert_int_equal(orders_open(&f->core, &err), 0);
	return order.number;
}

/* Works off all that is left. */
static void
work(struct fixture *f)
{
	while (f->core.orders->runs) {
		struct run *run = f->core.orders->runs;

		assert_int_equal(run_start(run, &err), 0);
		run_wait(run, &err);
	}
}

static struct device
load(struct fixture *f, const char *id)
{
	struct device device;

	assert_int_equal(state_device(f->core.state, id, &device, &err), 0);
	return device;
}

static const char *
receipts_of(struct fixture *f, const char *group)
{
	static char out[1024];
	AUTO(free_p) char *text = printed(f, print_receipts, group);

	snprintf(out, sizeof(out), "%s", text);
	return out;
}

static void
tag(struct fixture *f, const char *id, const char *text)
{
	char path[64];
	struct node node;

	snprintf(path, sizeof(path), "devices/%s/tags", id);
	assert_int_equal(node_find(&f->core, VIEW_FULL, path, 0, &node, &err), 0);
	assert_int_equal(node_write(&node, text, strlen(text), &err), 0);
}

static void
no_more_orders_are_in_force_than_a_request_can_look_at(void **state)
{
	struct fixture *f = *state;
	char name[16];

	fixture_device(f, "car8");
	for (int i = 0; i <= ORDER_RUNS_MAX; i++) {
		snprintf(name, sizeof(name), "g%d", i);
		assert_int_equal(group_add(&f->core, name, "test", &err), 0);
		assert_int_equal(
		    group_put(&f->core, name, i < ORDER_RUNS_MAX ? "car7" : "car8", "test", &err), 0);
		if (i < ORDER_RUNS_MAX)
			give(f, name, "app 1.0");
	}
	refused(order_write(&f->core, name, "app 1.0", "uid 5", &err), EBUSY, "64 orders are in force");
	work(f);
	assert_int_equal(order_write(&f->core, name, "app 1.0", "uid 5", &err), 0);
}

static void
who_is_come_to_has_his_part_first_and_once(void **state)
{
	struct fixture *f = *state;
	struct node node;
	int64_t number, counter;
	size_t named;

	fixture_group(f);
	number = give(f, "eu", "app 1.0");
	named = f->core.changes.count;
	assert_int_equal(node_find(&f->core, VIEW_FULL, "devices/car2/status", 0, &node, &err), 0);
	assert_true(node.is_behind);
	assert_int_equal(node_catch_up(&node, &err), 0);
	assert_string_equal(receipts_of(f, "eu"), "car2 taken\n");
	assert_int_equal(open_of(f, "car2", "urn:x"), 1);
	assert_int_equal(load(f, "car2").ordered, number);
	counter = load(f, "car2").counter;
	/* The kernel knows nothing of it, or forgets all before the order is answered. */
	assert_int_equal(f->core.changes.count, named);
	assert_true(f->core.orders->runs->is_touched);
	assert_int_equal(node_find(&f->core, VIEW_FULL, "devices/car2/status", 0, &node, &err), 0);
	assert_false(node.is_behind);
	work(f);
	assert_int_equal(load(f, "car2").counter, counter);
	assert_non_null(strstr(receipts_of(f, "eu"), "car1 taken\ncar2 taken\ncar3 taken\n"));
}

static void
a_read_of_who_is_no_member_writes_nothing_and_a_change_says_so(void **state)
{
	struct fixture *f = *state;
	struct node node;
	int64_t number;

	fixture_group(f);
	number = give(f, "eu", "app 1.0");
	assert_int_equal(node_find(&f->core, VIEW_FULL, "devices/car7/status", 0, &node, &err), 0);
	assert_false(node.is_behind);
	assert_int_equal(order_catch_up(&f->core, "car7", ORDER_READ, &err), 0);
	assert_int_equal(load(f, "car7").ordered, 0);
	assert_int_equal(group_put(&f->core, "eu", "car7", "test", &err), 0);
	assert_int_equal(load(f, "car7").ordered, number);
	/* Who leaves was in when it was ordered. */
	assert_int_equal(group_take(&f->core, "eu", "car1", "test", &err), 0);
	assert_string_equal(receipts_of(f, "eu"), "car1 taken\n");
	work(f);
	assert_int_equal(open_of(f, "car7", ""), 0);
	assert_int_equal(open_of(f, "car1", ""), 1);
}

static void
a_rule_means_those_of_whom_it_was_true_when_it_was_ordered(void **state)
{
	struct fixture *f = *state;

	fixture_group(f);
	tag(f, "car1", "region = south");
	tag(f, "car2", "region = south");
	assert_int_equal(group_write_rule(&f->core, "eu", "tag(region) is south", "test", &err), 0);
	give(f, "eu", "app 1.0");
	tag(f, "car1", "region = north");
	tag(f, "car3", "region = south");
	/* Nor do a later rule, and devices that come later, change who is meant. */
	assert_int_equal(group_write_rule(&f->core, "eu", "all", "test", &err), 0);
	fixture_device(f, "car0");
	tag(f, "car0", "region = south");
	assert_string_equal(receipts_of(f, "eu"), "car1 taken\n");
	work(f);
	assert_string_equal(receipts_of(f, "eu"), "car1 taken\ncar2 taken\n");
	assert_int_equal(open_of(f, "car0", "") + open_of(f, "car3", ""), 0);
}

static void
an_order_may_change_what_its_own_rule_asks(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;

	fixture_group(f);
	assert_int_equal(group_write_rule(&f->core, "eu", "status is UpToDate", "test", &err), 0);
	assert_int_equal(order_write(&f->core, "eu", "app 1.0 prim", "test", &err), 0);
	assert_string_equal(receipts_of(f, "eu"), "car1 taken\ncar2 taken\ncar3 taken\ncar7 taken\n");
	/* There is nobody left. */
	refused(order_write(&f->core, "eu", "cancel", "test", &err), ENODATA, "eu has no members");
	assert_int_equal(group_write_rule(&f->core, "eu", "status is UpdatePending", "test", &err), 0);
	assert_int_equal(order_write(&f->core, "eu", "cancel", "test", &err), 0);
	assert_string_equal(receipts_of(f, "eu"), "car1 taken\ncar2 taken\ncar3 taken\ncar7 taken\n");
}

static void
a_later_order_finds_devices_as_the_one_before_left_them(void **state)
{
	struct fixture *f = *state;

	fixture_group(f);
	assert_int_equal(group_add(&f->core, "idle", "test", &err), 0);
	assert_int_equal(group_write_rule(&f->core, "idle", "status is UpToDate", "test", &err), 0);
	assert_int_equal(group_add(&f->core, "all", "test", &err), 0);
	assert_int_equal(group_write_rule(&f->core, "all", "deviceid contains car", "test", &err), 0);
	give(f, "eu", "app 1.0 prim");
	give(f, "idle", "fw 1.0");
	give(f, "all", "app 2.0");
	assert_int_equal(order_catch_up(&f->core, "car1", ORDER_READ, &err), 0);
	assert_string_equal(receipts_of(f, "eu"), "car1 taken\n");
	assert_string_equal(receipts_of(f, "idle"), "");
	assert_non_null(strstr(receipts_of(f, "all"), "car1 refused: update urn:x (app-1.0) is open"));
	/* Worked off in any order it is the same: the second waits for the first, since it asks for the status.
	 */
	assert_int_equal(run_start(f->core.orders->runs->next, &err), 0);
	assert_false(f->core.orders->runs->next->is_queued);
	assert_int_equal(run_start(f->core.orders->runs->next->next, &err), 0);
	run_wait(f->core.orders->runs->next->next, &err);
	assert_string_equal(receipts_of(f, "idle"), "car7 taken\n");
	work(f);
	assert_string_equal(receipts_of(f, "idle"), "car7 taken\n");
	assert_int_equal(open_of(f, "car3", "urn:x"), 1);
}

static void
a_member_that_is_deleted_has_its_part_and_who_comes_back_has_none(void **state)
{
	struct fixture *f = *state;
	struct node node;

	fixture_group(f);
	assert_int_equal(group_write_rule(&f->core, "eu", "deviceid contains car", "test", &err), 0);
	give(f, "eu", "app 1.0");
	assert_int_equal(node_find(&f->core, VIEW_FULL, "devices/car2", 0, &node, &err), 0);
	assert_int_equal(node_remove(&node, &err), 0);
	fixture_device(f, "car2");
	work(f);
	assert_string_equal(receipts_of(f, "eu"), "car1 taken\ncar2 taken\ncar3 taken\ncar7 taken\n");
	assert_int_equal(open_of(f, "car2", ""), 0);
}

static void
shows_how_far_an_order_is(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	AUTO(free_p) char *upgraded = NULL;
	int64_t number;

	fixture_group(f);
	number = give(f, "eu", "app 1.0");
	assert_int_equal(state_order_cursor(f->core.state, number, "car2", &err), 0);
	text = printed(f, order_print, "eu");
	assert_non_null(strstr(text, "0 have refused; done up to car2, the others get their part before "));
	/* As the schema leaves those of an earlier release. */
	assert_int_equal(state_order_end(f->core.state, number, ORDER_STOPPED, 0, &err), 0);
	upgraded = printed(f, order_print, "eu");
	assert_non_null(strstr(upgraded, ", stopped by an upgrade of otafs, urn:x\n0 have taken it, "));
}

static void
a_group_is_held_by_an_order_that_is_being_worked_off(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	AUTO(free_p) char *stopped = NULL;

	fixture_group(f);
	give(f, "eu", "app 1.0");
	assert_int_equal(order_catch_up(&f->core, "car1", ORDER_READ, &err), 0);
	assert_int_equal(order_catch_up(&f->core, "bare", ORDER_READ, &err), 0);
	text = printed(f, order_print, "eu");
	assert_non_null(strstr(
	    text, "being worked off, urn:x\n1 have taken it, 1 have refused; the others get their part "));
	refused(order_write(&f->core, "eu", "fw 1.0", "test", &err), EBUSY,
	    "eu is busy with an order of uid 5 since 1970-01-01T00:00:01Z: cat groups/eu/assign");
	refused(group_remove(&f->core, "eu", "test", &err), EBUSY, "eu: an order of uid 5 is being worked off");
	refused(
	    group_rename(&f->core, "eu", "us", "test", &err), EBUSY, "an order of uid 5 is being worked off");
	assert_int_equal(order_stop(&f->core, "eu", "uid 6", &err), 0);
	assert_int_equal(order_catch_up(&f->core, "car2", ORDER_READ, &err), 0);
	assert_int_equal(open_of(f, "car2", ""), 0);
	assert_non_null(strstr(receipts_of(f, "eu"), "car1 taken\n"));
	stopped = printed(f, order_print, "eu");
	assert_non_null(strstr(stopped, "ordered by uid 5 at 1970"));
	assert_non_null(strstr(stopped, ", stopped at 2"));
	assert_non_null(strstr(stopped, "\n1 have taken it, 1 have refused\n"));
	refused(order_stop(&f->core, "eu", "uid 6", &err), ENODATA, "nothing to stop");
	assert_int_equal(order_write(&f->core, "eu", "fw 1.0", "test", &err), 0);
	assert_int_equal(group_remove(&f->core, "eu", "test", &err), 0);
}

static void
groups_that_say_who_is_meant_keep_their_rules_meanwhile(void **state)
{
	struct fixture *f = *state;

	fixture_group(f);
	group_add(&f->core, "south", "test", &err);
	group_add(&f->core, "all", "test", &err);
	assert_int_equal(group_write_rule(&f->core, "south", "group is eu", "test", &err), 0);
	assert_int_equal(group_write_rule(&f->core, "all", "group is south", "test", &err), 0);
	give(f, "all", "app 1.0");
	/* Its own it may change, and then needs them no more. */
	assert_int_equal(group_write_rule(&f->core, "all", "deviceid is car7", "test", &err), 0);
	refused(group_write_rule(&f->core, "south", "deviceid is car7", "test", &err), EBUSY,
	    "south: who is meant by an order of uid 5 to group all depends on it: cat groups/all/assign");
	refused(group_write_rule(&f->core, "eu", "deviceid is car7", "test", &err), EBUSY, "depends on it");
	refused(group_remove(&f->core, "south", "test", &err), EBUSY, "depends on it");
	refused(group_rename(&f->core, "south", "north", "test", &err), EBUSY, "depends on it");
	work(f);
	assert_int_equal(group_write_rule(&f->core, "south", "deviceid is car7", "test", &err), 0);
	assert_non_null(strstr(receipts_of(f, "all"), "car1 taken\ncar2 taken\ncar3 taken\n"));
}

static void
ages_count_from_when_it_was_ordered(void **state)
{
	struct fixture *f = *state;

	fixture_group(f);
	assert_int_equal(group_write_rule(&f->core, "eu", "lastseen newer than 10s", "test", &err), 0);
	/* That was in 1970: all were seen after that, or, as bare, never, which is before any time. */
	state_device_seen(f->core.state, "car7", utc_now() - 1000, &err);
	state_seen_flush(f->core.state, &err);
	give(f, "eu", "app 1.0");
	work(f);
	assert_non_null(strstr(receipts_of(f, "eu"), "car1 taken\ncar2 taken\ncar3 taken\ncar7 taken\n"));
}

/* What is only noted of when devices were seen counts for an order. */
static void
who_was_seen_just_now_is_found(void **state)
{
	struct fixture *f = *state;

	fixture_group(f);
	assert_int_equal(state_seen_flush(f->core.state, &err), 0);
	assert_int_equal(state_device_seen(f->core.state, "car2", utc_now() + 1000, &err), 0);
	assert_int_equal(group_write_rule(&f->core, "eu", "lastseen after 2090-01-01", "test", &err), 0);
	refused(order_write(&f->core, "eu", "app 1.0", "test", &err), ENODATA, "no members");
	assert_int_equal(state_device_seen(f->core.state, "car2", 4000000000, &err), 0);
	assert_int_equal(order_write(&f->core, "eu", "app 1.0", "test", &err), 0);
	assert_string_equal(receipts_of(f, "eu"), "car2 taken\n");
}

static void
what_a_crash_left_is_carried_on_from_the_cursor(void **state)
{
	struct fixture *f = *state;
	int64_t number, counter;

	fixture_group(f);
	number = give(f, "eu", "app 1.0");
	assert_int_equal(order_catch_up(&f->core, "car1", ORDER_READ, &err), 0);
	counter = load(f, "car1").counter;
	/* That it had looked at bare was stored. */
	assert_int_equal(state_order_cursor(f->core.state, number, "bare", &err), 0);
	orders_close(&f->core);
	fixture_reopen(f);
	assert_int_equal(orders_open(&f->core, &err), 0);
	work(f);
	assert_int_equal(load(f, "car1").counter, counter);
	assert_string_equal(receipts_of(f, "eu"), "car1 taken\ncar2 taken\ncar3 taken\n");
	assert_int_equal(open_of(f, "car2", "urn:x"), 1);
}

static void
what_begins_by_itself_comes_after_what_was_ordered(void **state)
{
	struct fixture *f = *state;

	fixture_group(f);
	assert_int_equal(assign_do(&f->core, &(struct device){ .id = "car1" }, "follow app",
			     &(struct assign_how){ .who = "test" }, &err),
	    0);
	give(f, "eu", "fw 1.0");
	while (follow_run(&f->core))
		;
	assert_string_equal(receipts_of(f, "eu"), "car1 taken\n");
	assert_int_equal(open_of(f, "car1", "urn:x"), 2);
}

/* ---- what is written and shown */

static void
refuses_an_order_that_a_terminal_would_obey(void **state)
{
	struct fixture *f = *state;

	fixture_group(f);
	refused(order_write(&f->core, "eu", "app\t1.0\n\033]0;x\007", "test", &err), EINVAL,
	    "the order: byte 9 begins a control character");
	refused(order_write(&f->core, "eu", "app \xff", "test", &err), EINVAL, "the order: is not UTF-8");
}

/* What a check of group eu tells. */
static int
checked(struct fixture *f, const char *text, char **told)
{
	size_t bytes;
	FILE *out = open_memstream(told, &bytes);
	int r = order_check(&f->core, "eu", text, "test", out, &err);

	fclose(out);
	return r;
}

static void
a_check_tells_what_would_be_and_stores_nothing(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *none = NULL;
	AUTO(free_p) char *some = NULL;
	AUTO(free_p) char *nothing = NULL;
	AUTO(free_p) char *receipts = NULL;

	fixture_group(f);
	refused(checked(f, "app 9", &none), ENOENT,
	    "none of 4 members would take it; bare: package app has no version 9");
	assert_non_null(strstr(none, "car1 would refuse: package app has no version 9"));
	assert_non_null(strstr(none, "4 members: 0 would take it, 4 would refuse\n"));
	assert_int_equal(checked(f, "app 1.0", &some), 0);
	assert_string_equal(some,
	    "bare would refuse: has not registered its ECUs yet, so it is not known what fits it\n"
	    "4 members: 3 would take it, 1 would refuse\n");
	refused(checked(f, "\n", &nothing), EINVAL, "empty: expected");
	assert_int_equal(open_of(f, "car1", ""), 0);
	receipts = printed(f, print_receipts, "eu");
	assert_string_equal(receipts, "");
}

#define order_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		order_test(each_member_takes_or_refuses_an_order_by_itself),
		order_test(what_nobody_takes_is_refused_and_has_its_receipts),
		order_test(an_order_that_begins_takes_the_place_of_the_last_one),
		order_test(what_begins_later_or_by_itself_is_an_order_too),
		order_test(an_order_goes_to_those_who_are_in_by_the_rule),
		order_test(many_members_are_worked_off_in_slices),
		order_test(no_more_orders_are_in_force_than_a_request_can_look_at),
		order_test(who_is_come_to_has_his_part_first_and_once),
		order_test(a_read_of_who_is_no_member_writes_nothing_and_a_change_says_so),
		order_test(a_rule_means_those_of_whom_it_was_true_when_it_was_ordered),
		order_test(an_order_may_change_what_its_own_rule_asks),
		order_test(a_later_order_finds_devices_as_the_one_before_left_them),
		order_test(a_member_that_is_deleted_has_its_part_and_who_comes_back_has_none),
		order_test(shows_how_far_an_order_is),
		order_test(a_group_is_held_by_an_order_that_is_being_worked_off),
		order_test(groups_that_say_who_is_meant_keep_their_rules_meanwhile),
		order_test(ages_count_from_when_it_was_ordered),
		order_test(who_was_seen_just_now_is_found),
		order_test(what_a_crash_left_is_carried_on_from_the_cursor),
		order_test(what_begins_by_itself_comes_after_what_was_ordered),
		order_test(refuses_an_order_that_a_terminal_would_obey),
		order_test(a_check_tells_what_would_be_and_stores_nothing),
	};

	return cmocka_run_group_tests_name("otafs/order", tests, NULL, NULL);
}
