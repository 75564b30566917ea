/* Groups of devices, and who is in them. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "otafs/device.h"
#include "otafs/group.h"
#include "tests/unit/fixture.h"

static struct err err;

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
	fixture_group(f);
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

	fixture_group(f);
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

	fixture_group(f);
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

	fixture_group(f);
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

	fixture_group(f);
	assert_int_equal(state_device(f->core.state, "car2", &device, &err), 0);
	assert_int_equal(device_remove(&f->core, &device, "test", &err), 0);
	assert_string_equal(members(f, "eu"), "bare car1 car3 ");
	fixture_device(f, "car2");
	assert_string_equal(members(f, "eu"), "bare car1 car3 ");
}

#define group_test(f) cmocka_unit_test_setup_teardown(f, fixture_setup, fixture_teardown)

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
	};

	return cmocka_run_group_tests_name("otafs/group", tests, NULL, NULL);
}
