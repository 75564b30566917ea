/* What of a publication is listed and assigned: targets and delegations, in a device's order of search. */
#include "otafs/target.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "otafs/assign.h"
#include "otafs/device.h"
#include "otafs/withdrawn.h"
#include "otafs/image.h"
#include "tests/unit/fixture.h"

#define NEVER "2036-01-01T00:00:00Z"
#define SOON "2035-01-01T00:00:00Z"
#define LENT "d100000000000000000000000000000000000000000000000000000000000000"
#define OTHER "d200000000000000000000000000000000000000000000000000000000000000"

static json_t *
role(const char *name, const char *path, bool is_terminating)
{
	return json_pack("{s:s,s:[s],s:[],s:i,s:b}", "name", name, "paths", path, "keyids", "threshold", 1,
	    "terminating", is_terminating);
}

static json_t *
one_target(const char *name, const char *sha256, const char *hardware)
{
	json_t *targets = json_object();

	fixture_target(targets, name, "1.0", "OSTREE", sha256, json_pack("[s]", hardware));
	return targets;
}

static void
load(struct fixture *f)
{
	struct err err = { 0 };

	assert_int_equal(image_refresh(f->core.image, &err), IMAGE_CHANGED);
}

static const struct target *
found(struct fixture *f, const char *package)
{
	const struct target *target = NULL;

	return image_find(f->core.image, package, "1.0", &target) == 0 ? target : NULL;
}

static void
finds_what_a_listed_role_has(void **state)
{
	struct fixture *f = *state;

	fixture_delegation(f, 2, "supplier", one_target("lent-app", LENT, "hw-a"), NULL, NEVER);
	fixture_delegation(f, 2, "unlisted", one_target("lent-other", LENT, "hw-a"), NULL, NEVER);
	fixture_publish_with(f, 2, NULL, json_pack("[o]", role("supplier", "lent-*", false)));
	load(f);
	assert_non_null(found(f, "lent-app"));
	assert_string_equal(found(f, "lent-app")->delegation, "supplier");
	assert_null(found(f, "lent-other"));
	assert_null(found(f, "app")->delegation);
}

/* The watcher publishes it, so it has to be seen here too. */
static void
finds_a_role_whose_name_starts_with_an_underscore(void **state)
{
	struct fixture *f = *state;

	fixture_delegation(f, 2, "_supplier", one_target("lent-app", LENT, "hw-a"), NULL, NEVER);
	fixture_publish_with(f, 2, NULL, json_pack("[o]", role("_supplier", "lent-*", false)));
	load(f);
	assert_non_null(found(f, "lent-app"));
}

static void
takes_nothing_that_the_paths_do_not_match(void **state)
{
	struct fixture *f = *state;

	fixture_delegation(f, 2, "supplier", one_target("stolen", LENT, "hw-a"),
	    json_pack("[o]", role("below", "*", false)), NEVER);
	/* A device does not come to "below" for a name that "supplier" does not match. */
	fixture_delegation(f, 2, "below", one_target("stolen-too", LENT, "hw-a"), NULL, NEVER);
	fixture_publish_with(f, 2, NULL, json_pack("[o]", role("supplier", "lent-*", false)));
	load(f);
	assert_null(found(f, "stolen"));
	assert_null(found(f, "stolen-too"));
}

static void
lets_the_top_level_win_and_then_the_first_in_order(void **state)
{
	struct fixture *f = *state;
	json_t *first = one_target("lent", LENT, "hw-a");

	fixture_target(first, "app", "1.0", "OSTREE", OTHER, json_pack("[s]", "hw-a"));
	fixture_delegation(f, 2, "first", first, NULL, NEVER);
	fixture_delegation(f, 2, "second", one_target("lent", OTHER, "hw-a"), NULL, NEVER);
	fixture_publish_with(
	    f, 2, NULL, json_pack("[o,o]", role("first", "*", false), role("second", "*", false)));
	load(f);
	assert_string_equal(found(f, "app")->sha256, APP_1);
	assert_string_equal(found(f, "lent")->sha256, LENT);
	assert_string_equal(image_target(f->core.image, "lent-1.0")->delegation, "first");
}

static void
looks_no_deeper_than_a_terminating_role_and_five_levels(void **state)
{
	struct fixture *f = *state;
	char name[24], below[24];

	fixture_delegation(f, 2, "end", json_object(), json_pack("[o]", role("behind", "*", false)), NEVER);
	fixture_delegation(f, 2, "behind", one_target("behind", LENT, "hw-a"), NULL, NEVER);
	for (int i = 1; i <= 6; i++) {
		snprintf(name, sizeof(name), "level%d", i);
		snprintf(below, sizeof(below), "level%d", i + 1);
		fixture_delegation(f, 2, name, one_target(name, LENT, "hw-a"),
		    json_pack("[o]", role(below, "*", false)), NEVER);
	}
	fixture_publish_with(
	    f, 2, NULL, json_pack("[o,o]", role("end", "*", true), role("level1", "*", false)));
	load(f);
	assert_null(found(f, "behind"));
	assert_non_null(found(f, "level1"));
	assert_non_null(found(f, "level5"));
	assert_null(found(f, "level6"));
}

static void
ends_with_roles_that_list_one_another(void **state)
{
	struct fixture *f = *state;

	fixture_delegation(f, 2, "a", one_target("lent", LENT, "hw-a"),
	    json_pack("[o,o,o,o]", role("a", "*", false), role("b", "*", false), role("a", "*", false),
		role("b", "*", false)),
	    NEVER);
	fixture_delegation(f, 2, "b", json_object(),
	    json_pack("[o,o,o,o]", role("a", "*", false), role("b", "*", false), role("a", "*", false),
		role("b", "*", false)),
	    NEVER);
	fixture_publish_with(f, 2, NULL, json_pack("[o]", role("a", "*", false)));
	load(f);
	assert_non_null(found(f, "lent"));
}

static void
goes_on_without_a_role_that_is_missing_or_no_name(void **state)
{
	struct fixture *f = *state;

	fixture_delegation(f, 2, "good", one_target("lent", LENT, "hw-a"), NULL, NEVER);
	fixture_publish_with(f, 2, NULL,
	    json_pack("[o,o,o]", role("missing", "*", false), role("../../1/targets", "*", false),
		role("good", "*", false)));
	load(f);
	assert_non_null(found(f, "lent"));
	assert_non_null(found(f, "app"));
}

static void
leaves_out_what_cannot_be_assigned(void **state)
{
	struct fixture *f = *state;
	json_t *more = json_object();

	json_object_set_new(more, "bare", json_pack("{s:i,s:{s:s}}", "length", 1, "hashes", "sha256", LENT));
	fixture_target(more, "up/there", "1.0", "OSTREE", LENT, json_pack("[s]", "hw-a"));
	fixture_target(more, "for-nothing", "1.0", "OSTREE", LENT, json_array());
	fixture_publish(f, 2, more);
	load(f);
	assert_null(image_target(f->core.image, "bare"));
	assert_null(found(f, "up/there"));
	assert_null(found(f, "for-nothing"));
	assert_non_null(found(f, "app"));
}

static void
assigns_a_delegated_target_to_the_primary_alone(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	json_t *lent = one_target("lent", LENT, "hw-a");

	fixture_target(lent, "lent-fw", "1.0", "BINARY", OTHER, json_pack("[s]", "hw-b"));
	fixture_delegation(f, 2, "supplier", lent, NULL, NEVER);
	fixture_delegation(f, 2, "late", one_target("stale", OTHER, "hw-a"), NULL, "2020-01-01T00:00:00Z");
	fixture_publish_with(
	    f, 2, NULL, json_pack("[o,o]", role("supplier", "lent*", false), role("late", "*", false)));
	load(f);
	assert_int_equal(fixture_assign(f, "lent-fw 1.0", &err), -EINVAL);
	assert_reason(err, "only primary ECUs look into delegations; sec-1 is none");
	assert_int_equal(fixture_assign(f, "stale 1.0", &err), -EINVAL);
	assert_reason(err, "delegation late, which has expired at 2020-01-01T00:00:00Z");
	assert_int_equal(fixture_assign(f, "lent 1.0", &err), 0);
}

static void
ends_the_update_whose_target_is_gone(void **state)
{
	struct fixture *f = *state;
	json_t *more = one_target("short", LENT, "hw-a");
	AUTO(free_p) char *open = NULL;
	struct err err = { 0 };
	int64_t counter;

	fixture_publish(f, 2, more);
	load(f);
	withdrawn_follow(&f->core, 1);
	assert_int_equal(fixture_assign(f, "short 1.0\nfw 1.0 sec-1", &err), 0);
	withdrawn_follow(&f->core, 2);
	counter = f->device.counter;
	fixture_publish(f, 3, NULL);
	load(f);
	withdrawn_follow(&f->core, 3);
	fixture_load(f);
	assert_string_equal(f->device.why,
	    "short-1.0 is not in the image repository any more: publish it again and assign it again");
	assert_string_equal(f->device.failure, f->device.why);
	assert_string_equal(f->device.status, "Error");
	assert_int_equal(f->device.counter, counter + 1);
	assert_int_equal(fixture_told(f, "failed short-1.0 on ECU prim, urn:here-ota:mtu:"), 1);
	/* What belonged to the same update. */
	assert_int_equal(fixture_told(f, "failed fw-1.0 on ECU sec-1, urn:here-ota:mtu:"), 1);
	open = fixture_open(f);
	assert_string_equal(open, "");
}

static void
ends_the_update_whose_target_has_other_content(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	fixture_publish(f, 2, one_target("short", LENT, "hw-a"));
	load(f);
	assert_int_equal(fixture_assign(f, "short 1.0", &err), 0);
	fixture_publish(f, 3, one_target("short", OTHER, "hw-a"));
	load(f);
	withdrawn_follow(&f->core, 3);
	fixture_load(f);
	assert_string_equal(f->device.why,
	    "short-1.0 has other content now in the image repository: publish it again and assign it again");
}

static void
ends_the_update_when_the_delegation_expires(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int64_t expires;

	assert_int_equal(utc_parse(SOON, &expires), 0);
	fixture_delegation(f, 2, "supplier", one_target("lent", LENT, "hw-a"), NULL, SOON);
	fixture_publish_with(f, 2, NULL, json_pack("[o]", role("supplier", "lent*", false)));
	load(f);
	assert_int_equal(fixture_assign(f, "lent 1.0", &err), 0);
	withdrawn_follow(&f->core, expires - 1);
	fixture_load(f);
	assert_string_equal(f->device.why, "");
	withdrawn_follow(&f->core, expires);
	fixture_load(f);
	assert_string_equal(f->device.why,
	    "lent-1.0 is of the delegation supplier, which has expired: when its "
	    "supplier has signed anew, assign it again");
}

static void
ends_it_at_the_start_too_and_for_every_device(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	AUTO(free_p) struct assignment *open = NULL;
	size_t count;

	fixture_publish(f, 2, one_target("short", LENT, "hw-a"));
	load(f);
	assert_int_equal(fixture_assign(f, "short 1.0", &err), 0);
	assert_int_equal(state_assignments(f->core.state, "car7", &open, &count, &err), 0);
	assert_int_equal(count, 1);
	for (int i = 0; i < 1100; i++) {
		char id[32];

		snprintf(id, sizeof(id), "other%d", i);
		assert_int_equal(device_add(&f->core, id, "test", &err), 0);
		assert_int_equal(state_assignment_add(f->core.state, id, open, &err), 0);
	}
	fixture_publish(f, 3, NULL);
	fixture_reopen(f);
	withdrawn_follow(&f->core, 3);
	assert_true(f->core.changes.is_all);
	free(MOVE(open));
	assert_int_equal(state_assignments(f->core.state, "other1099", &open, &count, &err), 0);
	assert_int_equal(count, 0);
}

static void
keeps_older_sets_open_and_falls_back_to_the_newest(void **state)
{
	struct fixture *f = *state;
	struct image *image = f->core.image;
	char command[128];
	struct err err = { 0 };
	int fd;

	for (int i = 2; i <= IMAGE_SETS_MAX + 10; i++) {
		fixture_publish(f, i, NULL);
		load(f);
	}
	assert_int_equal(image_number(image), IMAGE_SETS_MAX + 10);
	assert_int_equal(image_oldest(image), 11);
	assert_int_equal(image_set(image, 11), 11);
	assert_int_equal(image_set(image, 10), IMAGE_SETS_MAX + 10);
	assert_int_equal(image_set(image, 0), IMAGE_SETS_MAX + 10);
	fd = image_file(image, 11, "targets.json", &err);
	assert_true(fd >= 0);
	close(fd);
	snprintf(command, sizeof(command), "rm -r %s/published/11", f->path);
	assert_int_equal(system(command), 0);
	assert_int_equal(image_set(image, 11), IMAGE_SETS_MAX + 10);
	assert_int_equal(image_file(image, 11, "targets.json", &err), -ENOENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(finds_what_a_listed_role_has),
		TEST(finds_a_role_whose_name_starts_with_an_underscore),
		TEST(takes_nothing_that_the_paths_do_not_match),
		TEST(lets_the_top_level_win_and_then_the_first_in_order),
		TEST(looks_no_deeper_than_a_terminating_role_and_five_levels),
		TEST(ends_with_roles_that_list_one_another),
		TEST(goes_on_without_a_role_that_is_missing_or_no_name),
		TEST(leaves_out_what_cannot_be_assigned),
		TEST(assigns_a_delegated_target_to_the_primary_alone),
		TEST(ends_the_update_whose_target_is_gone),
		TEST(ends_the_update_whose_target_has_other_content),
		TEST(ends_the_update_when_the_delegation_expires),
		TEST(ends_it_at_the_start_too_and_for_every_device),
		TEST(keeps_older_sets_open_and_falls_back_to_the_newest),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
