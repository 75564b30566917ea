/* Groups of devices, who is in them, and orders to all of them. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "otafs/assign.h"
#include "otafs/device.h"
#include "otafs/enroll.h"
#include "otafs/group.h"
#include "otafs/order.h"
#include "state/follow.h"
#include "state/schedule.h"
#include "tests/unit/fault.h"
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

/* A device with the ECUs of car7. */
static void
make(struct fixture *f, const char *id)
{
	AUTO(json_decref_p) json_t *body = fixture_ecus(f, ECUS);
	AUTO(free_p) char *text = json_write(body);
	struct reply reply = { 0 };
	struct device device;

	assert_int_equal(device_add(&f->core, id, "test", &err), 0);
	assert_int_equal(state_device(f->core.state, id, &device, &err), 0);
	assert_int_equal(enroll_commit(&f->core, &device, text, strlen(text), &reply, &err), 0);
	assert_int_equal(reply.status, 201);
}

/* Group eu with car1, car2 and car3, that have ECUs, and bare, that has none. */
static void
make_eu(struct fixture *f)
{
	static const char *const cars[] = { "car1", "car2", "car3" };

	assert_int_equal(group_add(&f->core, "eu", "test", &err), 0);
	for (int i = 0; i < 3; i++) {
		make(f, cars[i]);
		assert_int_equal(group_put(&f->core, "eu", cars[i], "test", &err), 0);
	}
	assert_int_equal(device_add(&f->core, "bare", "test", &err), 0);
	assert_int_equal(group_put(&f->core, "eu", "bare", "test", &err), 0);
}

static int
join(const char *name, void *out)
{
	strcat(out, name);
	strcat(out, " ");
	return 0;
}

/* Who is in it: "a b ". */
static const char *
members(struct fixture *f, const char *name)
{
	static char out[1024];
	char cursor[NODE_CURSOR_MAX] = "";
	int r;

	out[0] = '\0';
	while ((r = group_page(&f->core, name, cursor, 2, join, out, &err)) > 0)
		;
	assert_int_equal(r, 0);
	return out;
}

static const char *
groups_of(struct fixture *f, const char *device)
{
	static char out[1024];

	out[0] = '\0';
	assert_int_equal(group_each_of(&f->core, device, join, out, &err), 0);
	return out;
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

/* ---- groups */

static void
refuses_names_and_members_that_mean_nothing(void **state)
{
	struct fixture *f = *state;

	refused(group_add(&f->core, "e u", "test", &err), EINVAL, "group name \"e u\": character 2 (0x20)");
	make_eu(f);
	refused(group_add(&f->core, "eu", "test", &err), EEXIST, "eu: there is such a group");
	refused(group_put(&f->core, "eu", "car1", "test", &err), EEXIST, "car1 is in group eu");
	refused(group_put(&f->core, "eu", "car9", "test", &err), ENOENT, "car9: there is no such device");
	refused(group_put(&f->core, "us", "car1", "test", &err), ENOENT, "us: there is no such group");
	refused(group_take(&f->core, "eu", "car7", "test", &err), ENOENT, "car7 is not in group eu");
	assert_int_equal(device_add(&f->core, "count", "test", &err), 0);
	refused(group_put(&f->core, "eu", "count", "test", &err), EINVAL, "count is a file of each group");
	assert_int_equal(group_check_link("../../devices/car1/", "devices", "car1", &err), 0);
	assert_int_equal(group_check_link("devices/car1", "devices", "car1", &err), 0);
	refused(group_check_link("../../devices/car1", "devices", "car2", &err), EINVAL,
	    "a link is to devices/car2 and has the same name, this is to ../../devices/car1");
	refused(group_check_link("../../mydevices/car1", "devices", "car1", &err), EINVAL, "a link is to");
	refused(group_check_link("", "devices", "car1", &err), EINVAL, "a link is to");
	assert_string_equal(members(f, "eu"), "bare car1 car2 car3 ");
}

static void
a_rule_says_who_is_in_and_gives_back_those_who_were_put_in(void **state)
{
	struct fixture *f = *state;
	int64_t count;

	make_eu(f);
	assert_string_equal(groups_of(f, "car1"), "eu ");
	assert_int_equal(group_write_rule(&f->core, "eu", " deviceid contains\ncar \n", "test", &err), 0);
	assert_string_equal(members(f, "eu"), "car1 car2 car3 car7 ");
	assert_int_equal(group_count(&f->core, "eu", &count, &err), 0);
	assert_int_equal(count, 4);
	assert_string_equal(groups_of(f, "car7"), "eu ");
	assert_string_equal(groups_of(f, "bare"), "");
	refused(group_put(&f->core, "eu", "bare", "test", &err), EPERM,
	    "eu: its rule says who is in it: deviceid contains car");
	refused(group_take(&f->core, "eu", "car1", "test", &err), EPERM, "its rule says who is in it");
	refused(group_write_rule(&f->core, "eu", "deviceid resembles car", "test", &err), EINVAL, "resembles");
	assert_string_equal(members(f, "eu"), "car1 car2 car3 car7 ");
	assert_int_equal(group_write_rule(&f->core, "eu", "\n", "test", &err), 0);
	assert_string_equal(members(f, "eu"), "bare car1 car2 car3 ");
}

static void
refuses_rules_that_are_too_long_or_lead_nowhere(void **state)
{
	struct fixture *f = *state;
	char rule[1200];

	make_eu(f);
	group_add(&f->core, "all", "test", &err);
	memset(rule, 'x', sizeof(rule));
	memcpy(rule, "deviceid contains ", 18);
	rule[201] = '\0';
	refused(group_write_rule(&f->core, "all", rule, "test", &err), EINVAL,
	    "the rule has 201 characters, at most 200 are allowed");
	rule[200] = '\0';
	assert_int_equal(group_write_rule(&f->core, "all", rule, "test", &err), 0);
	memset(rule, 'x', 1199);
	rule[1199] = '\0';
	refused(group_write_rule(&f->core, "all", rule, "test", &err), EINVAL, "at most 200 characters");
	refused(group_write_rule(&f->core, "all", "group is us", "test", &err), ENOENT, "us");
	refused(group_write_rule(&f->core, "us", "group is eu", "test", &err), ENOENT, "us");
	assert_int_equal(group_write_rule(&f->core, "all", "group is eu", "test", &err), 0);
	refused(group_write_rule(&f->core, "eu", "group is all", "test", &err), ELOOP, "");
	assert_string_equal(members(f, "all"), "bare car1 car2 car3 ");
}

static void
a_group_that_a_rule_needs_stays_as_it_is_called(void **state)
{
	struct fixture *f = *state;

	make_eu(f);
	group_add(&f->core, "all", "test", &err);
	assert_int_equal(group_write_rule(&f->core, "all", "group is eu or deviceid is car7", "test", &err), 0);
	refused(group_remove(&f->core, "eu", "test", &err), EBUSY,
	    "eu: the rule of group all needs it: group is eu or deviceid is car7");
	refused(group_rename(&f->core, "eu", "europe", "test", &err), EBUSY, "the rule of group all needs it");
	assert_string_equal(members(f, "all"), "bare car1 car2 car3 car7 ");
	assert_int_equal(group_write_rule(&f->core, "all", "", "test", &err), 0);
	refused(group_rename(&f->core, "eu", "all", "test", &err), EEXIST, "all: there is such a group");
	refused(group_rename(&f->core, "eu", "a/b", "test", &err), EINVAL, "group name");
	refused(group_rename(&f->core, "us", "usa", "test", &err), ENOENT, "us: there is no such group");
	assert_int_equal(group_rename(&f->core, "eu", "europe", "test", &err), 0);
	assert_string_equal(members(f, "europe"), "bare car1 car2 car3 ");
	assert_int_equal(group_remove(&f->core, "europe", "test", &err), 0);
	refused(group_remove(&f->core, "europe", "test", &err), ENOENT, "europe: there is no such group");
	assert_string_equal(groups_of(f, "car1"), "");
}

static void
there_are_only_so_many_groups(void **state)
{
	struct fixture *f = *state;
	char name[16];

	state_begin(f->core.state, &err);
	for (int i = 0; i < GROUPS_MAX; i++) {
		snprintf(name, sizeof(name), "g%d", i);
		assert_int_equal(state_group_add(f->core.state, name, 1, &err), 0);
	}
	state_end(f->core.state, 0, &err);
	refused(group_add(&f->core, "eu", "test", &err), ENOSPC,
	    "there are 1000 groups, at most 1000 are possible");
}

static void
a_deleted_device_leaves_its_groups(void **state)
{
	struct fixture *f = *state;
	struct device device;

	make_eu(f);
	assert_int_equal(state_device(f->core.state, "car2", &device, &err), 0);
	assert_int_equal(device_remove(&f->core, &device, "test", &err), 0);
	assert_string_equal(members(f, "eu"), "bare car1 car3 ");
	make(f, "car2");
	assert_string_equal(members(f, "eu"), "bare car1 car3 ");
}

/* ---- orders */

static void
each_member_takes_or_refuses_an_order_by_itself(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	AUTO(free_p) char *receipts = NULL;
	AUTO(free_p) struct assignment *open = NULL;
	size_t count;

	make_eu(f);
	assert_int_equal(order_write(&f->core, "eu", "app 1.0\nfw 1.0 sec-1\n", "uid 5", &err), 0);
	receipts = printed(f, print_receipts, "eu");
	assert_string_equal(receipts,
	    "bare refused: has not registered its ECUs yet, so it is not known what fits it\n"
	    "car1 taken\ncar2 taken\ncar3 taken\n");
	text = printed(f, order_print, "eu");
	assert_non_null(strstr(text, "ordered by uid 5 at 2"));
	assert_non_null(strstr(text, ", done at 2"));
	assert_non_null(
	    strstr(text, "4 members: 3 have taken it, 1 have refused, 0 wait\n  app 1.0\n  fw 1.0 sec-1\n"));
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

	make_eu(f);
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

	make_eu(f);
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

	make_eu(f);
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

	make_eu(f);
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
	for (int i = 0; i < ORDER_SLICE * 2; i++) {
		snprintf(id, sizeof(id), "n%03d", i);
		make(f, id);
		assert_int_equal(group_put(&f->core, "many", id, "test", &err), 0);
	}
	assert_int_equal(order_write(&f->core, "many", "app 1.0", "test", &err), 0);
	text = printed(f, order_print, "many");
	assert_non_null(strstr(text, "128 members: 128 have taken it, 0 have refused, 0 wait"));
	assert_int_equal(open_of(f, "n127", ""), 1);
}

/* An order as a crash left it: two of its members done. */
static void
leave_half_done(struct fixture *f, enum order_phase phase)
{
	struct group_order order = { .name = "eu",
		.text = "app 1.0",
		.who = "uid 5",
		.correlation = "urn:x",
		.phase = phase,
		.started_at = 1,
		.members = 4,
		.taken = 1,
		.refused = 1 };
	static const char *const ids[] = { "bare", "car1", "car2", "car3" };

	assert_int_equal(state_order_add(f->core.state, &order, &err), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(state_receipt_add(f->core.state, order.number, ids[i], &err), 0);
	assert_int_equal(
	    state_receipt_set(f->core.state, order.number, "bare", RECEIPT_REFUSED, "no", &err), 0);
	assert_int_equal(state_receipt_set(f->core.state, order.number, "car1", RECEIPT_TAKEN, "", &err), 0);
}

static void
a_group_is_held_by_an_order_that_is_being_worked_off(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *receipts = NULL;
	AUTO(free_p) char *text = NULL;

	make_eu(f);
	leave_half_done(f, ORDER_WORKING);
	text = printed(f, order_print, "eu");
	assert_non_null(
	    strstr(text, "being worked off, urn:x\n4 members: 1 have taken it, 1 have refused, 2 wait"));
	refused(order_write(&f->core, "eu", "fw 1.0", "test", &err), EBUSY,
	    "eu is busy with an order of uid 5 since 1970-01-01T00:00:01Z: cat groups/eu/assign");
	refused(group_remove(&f->core, "eu", "test", &err), EBUSY, "eu: an order of uid 5 is being worked off");
	refused(
	    group_rename(&f->core, "eu", "us", "test", &err), EBUSY, "an order of uid 5 is being worked off");
	/* Its members are those of when it was written. */
	assert_int_equal(group_take(&f->core, "eu", "car3", "test", &err), 0);
	assert_int_equal(order_stop(&f->core, "eu", "uid 6", &err), 0);
	receipts = printed(f, print_receipts, "eu");
	assert_string_equal(receipts,
	    "bare refused: no\ncar1 taken\ncar2 refused: passed over: stopped by uid 6\n"
	    "car3 refused: passed over: stopped by uid 6\n");
	assert_int_equal(group_remove(&f->core, "eu", "test", &err), 0);
}

static void
who_is_in_does_not_change_while_an_order_settles_that(void **state)
{
	struct fixture *f = *state;

	make_eu(f);
	leave_half_done(f, ORDER_COLLECTING);
	refused(
	    group_put(&f->core, "eu", "car7", "test", &err), EBUSY, "an order of uid 5 begins at this moment");
	refused(group_take(&f->core, "eu", "car1", "test", &err), EBUSY, "try again");
	refused(group_write_rule(&f->core, "eu", "all", "test", &err), EBUSY, "try again");
	/* Such an order has done nothing, and a restart forgets it. */
	orders_close(&f->core);
	assert_int_equal(orders_open(&f->core, &err), 0);
	assert_int_equal(group_put(&f->core, "eu", "car7", "test", &err), 0);
}

/* On a full disk whoever has written it cannot even note that it is given up. */
static void
an_order_that_nobody_settles_any_more_is_given_up_without_a_restart(void **state)
{
	struct fixture *f = *state;

	make_eu(f);
	leave_half_done(f, ORDER_COLLECTING);
	refused(
	    order_write(&f->core, "eu", "fw 1.0", "test", &err), EBUSY, "eu is busy with an order of uid 5");
	orders_follow(&f->core, 1000);
	assert_int_equal(order_write(&f->core, "eu", "fw 1.0", "test", &err), 0);
}

static void
refuses_an_order_that_a_terminal_would_obey(void **state)
{
	struct fixture *f = *state;

	make_eu(f);
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

	make_eu(f);
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

#define group_test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		group_test(refuses_names_and_members_that_mean_nothing),
		group_test(a_rule_says_who_is_in_and_gives_back_those_who_were_put_in),
		group_test(refuses_rules_that_are_too_long_or_lead_nowhere),
		group_test(a_group_that_a_rule_needs_stays_as_it_is_called),
		group_test(there_are_only_so_many_groups),
		group_test(a_deleted_device_leaves_its_groups),
		group_test(each_member_takes_or_refuses_an_order_by_itself),
		group_test(what_nobody_takes_is_refused_and_has_its_receipts),
		group_test(an_order_that_begins_takes_the_place_of_the_last_one),
		group_test(what_begins_later_or_by_itself_is_an_order_too),
		group_test(an_order_goes_to_those_who_are_in_by_the_rule),
		group_test(many_members_are_worked_off_in_slices),
		group_test(a_group_is_held_by_an_order_that_is_being_worked_off),
		group_test(who_is_in_does_not_change_while_an_order_settles_that),
		group_test(an_order_that_nobody_settles_any_more_is_given_up_without_a_restart),
		group_test(refuses_an_order_that_a_terminal_would_obey),
		group_test(a_check_tells_what_would_be_and_stores_nothing),
	};

	return cmocka_run_group_tests_name("otafs/group", tests, NULL, NULL);
}
