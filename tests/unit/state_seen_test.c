/* What is noted in memory about devices: known at once, written together, lost alone. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "state/device.h"
#include "state/ecu.h"
#include "state/seen.h"

#define DIGEST "d100000000000000000000000000000000000000000000000000000000000000"

struct place {
	char folder[64], path[96];
	struct state *state, *other; /* another program would see what @other does: what is written */
};

static int
setup(void **context)
{
	struct place *p = calloc(1, sizeof(*p));
	struct ecu ecu = { .serial = "prim", .hardware = "hw", .key = "{}" };
	struct err err = { 0 };

	strcpy(p->folder, "/tmp/otafs-unit.XXXXXX");
	assert_non_null(mkdtemp(p->folder));
	snprintf(p->path, sizeof(p->path), "%s/db", p->folder);
	assert_int_equal(state_open(p->path, &p->state, &err), 0);
	assert_int_equal(state_device_add(p->state, "car7", 1, &err), 0);
	assert_int_equal(state_ecu_put(p->state, "car7", &ecu, 0, &err), 0);
	assert_int_equal(state_device_primary(p->state, "car7", "prim", &err), 0);
	assert_int_equal(state_open(p->path, &p->other, &err), 0);
	*context = p;
	return 0;
}

static int
teardown(void **context)
{
	struct place *p = *context;
	char command[128];

	state_free(p->state);
	state_free(p->other);
	snprintf(command, sizeof(command), "rm -rf %s", p->folder);
	assert_int_equal(system(command), 0);
	free(p);
	return 0;
}

static struct device
device_of(struct state *state, const char *id)
{
	struct device device = { 0 };
	struct err err;

	assert_int_equal(state_device(state, id, &device, &err), 0);
	return device;
}

static int64_t
counter_of(struct state *state)
{
	AUTO(free_p) struct ecu *ecus = NULL;
	struct err err;
	size_t count;

	assert_int_equal(state_ecus(state, "car7", &ecus, &count, &err), 0);
	return ecus[0].report_counter;
}

static void
is_known_at_once_and_written_when_it_is_flushed(void **context)
{
	struct place *p = *context;
	struct err err = { 0 };

	assert_int_equal(state_device_seen(p->state, "car7", 100, &err), 0);
	assert_int_equal(state_manifest_noted(p->state, "car7", 3, 17, DIGEST, 100, &err), 0);
	assert_int_equal(device_of(p->state, "car7").seen_at, 100);
	assert_int_equal(device_of(p->state, "car7").polls, 3);
	assert_string_equal(device_of(p->state, "car7").manifest_digest, DIGEST);
	assert_int_equal(counter_of(p->state), 17);
	assert_int_equal(device_of(p->other, "car7").seen_at, 0);
	assert_int_equal(counter_of(p->other), -1);
	assert_int_equal(state_seen_flush(p->state, &err), 0);
	assert_int_equal(device_of(p->other, "car7").seen_at, 100);
	assert_int_equal(device_of(p->other, "car7").polls, 3);
	assert_string_equal(device_of(p->other, "car7").manifest_digest, DIGEST);
	assert_int_equal(counter_of(p->other), 17);
}

static void
is_due_some_seconds_after_the_first_note(void **context)
{
	struct place *p = *context;
	struct err err = { 0 };

	assert_false(state_seen_is_due(p->state, 100));
	assert_int_equal(state_device_seen(p->state, "car7", 100, &err), 0);
	assert_int_equal(state_device_seen(p->state, "car7", 104, &err), 0);
	assert_false(state_seen_is_due(p->state, 104));
	assert_true(state_seen_is_due(p->state, 105));
	assert_true(state_seen_is_due(p->state, 99)); /* the clock was set back */
	assert_int_equal(state_seen_flush(p->state, &err), 0);
	assert_false(state_seen_is_due(p->state, 200));
}

static void
is_written_when_there_is_no_room_and_at_the_end(void **context)
{
	struct place *p = *context;
	struct err err = { 0 };
	char id[32];

	assert_int_equal(state_begin(p->state, &err), 0);
	for (int i = 0; i <= STATE_SEEN_MAX; i++) {
		snprintf(id, sizeof(id), "car%d", 100000 + i);
		assert_int_equal(state_device_add(p->state, id, 1, &err), 0);
	}
	assert_int_equal(state_end(p->state, 0, &err), 0);
	for (int i = 0; i <= STATE_SEEN_MAX; i++) {
		snprintf(id, sizeof(id), "car%d", 100000 + i);
		assert_int_equal(state_device_seen(p->state, id, 100 + i, &err), 0);
		assert_int_equal(
		    state_seen_is_due(p->state, 100 + i), i >= STATE_SEEN_MAX / 4 || i >= STATE_SEEN_SECONDS);
	}
	assert_int_equal(device_of(p->other, id).seen_at, 0);
	assert_int_equal(device_of(p->other, "car100000").seen_at, 0);
	snprintf(id, sizeof(id), "car%d", 100000 + STATE_SEEN_MAX - 1);
	assert_int_equal(device_of(p->other, id).seen_at, 100 + STATE_SEEN_MAX - 1);
	assert_int_equal(device_of(p->state, "car100000").seen_at, 100);
	assert_int_equal(state_seen_write(p->state, &err), 1);
	state_free(p->state);
	p->state = NULL;
	assert_int_equal(device_of(p->other, "car100000").seen_at, 100);
}

static void
a_counter_never_goes_back_but_for_a_reset(void **context)
{
	struct place *p = *context;
	struct err err = { 0 };

	assert_int_equal(state_manifest_noted(p->state, "car7", 0, 17, DIGEST, 100, &err), 0);
	assert_int_equal(state_manifest_taken(p->state, "car7", "prim", 18, "other", &err), 0);
	assert_int_equal(counter_of(p->state), 18);
	assert_string_equal(device_of(p->state, "car7").manifest_digest, "other");
	assert_int_equal(state_seen_flush(p->state, &err), 0);
	assert_int_equal(counter_of(p->state), 18);
	assert_int_equal(state_manifest_noted(p->state, "car7", 0, 19, DIGEST, 100, &err), 0);
	assert_int_equal(state_counters_reset(p->state, "car7", &err), 0);
	assert_int_equal(counter_of(p->state), -1);
	assert_string_equal(device_of(p->state, "car7").manifest_digest, "");
	assert_int_equal(state_seen_flush(p->state, &err), 0);
	assert_int_equal(counter_of(p->other), -1);
}

/* A device that counts may hand in what does not: what it handed in before stays old. */
static void
a_manifest_without_a_counter_takes_none_back(void **context)
{
	struct place *p = *context;
	struct err err = { 0 };

	assert_int_equal(state_manifest_noted(p->state, "car7", 0, 17, DIGEST, 100, &err), 0);
	assert_int_equal(state_manifest_noted(p->state, "car7", 0, -1, DIGEST, 100, &err), 0);
	assert_int_equal(counter_of(p->state), 17);
	assert_int_equal(state_seen_flush(p->state, &err), 0);
	assert_int_equal(counter_of(p->other), 17);
	/* Nor one that tells something, of what was only noted. */
	assert_int_equal(state_manifest_noted(p->state, "car7", 0, 19, DIGEST, 100, &err), 0);
	assert_int_equal(state_manifest_taken(p->state, "car7", "prim", -1, "other", &err), 0);
	assert_int_equal(counter_of(p->other), 19);
}

static void
polls_that_are_stored_are_newer_than_the_notes(void **context)
{
	struct place *p = *context;
	struct err err = { 0 };

	assert_int_equal(state_manifest_noted(p->state, "car7", 9, -1, DIGEST, 100, &err), 0);
	assert_int_equal(state_polls(p->state, "car7", 0, &err), 0);
	assert_int_equal(device_of(p->state, "car7").polls, 0);
	assert_int_equal(state_seen_flush(p->state, &err), 0);
	assert_int_equal(device_of(p->other, "car7").polls, 0);
}

static void
a_device_of_the_same_id_inherits_no_sign_of_life(void **context)
{
	struct place *p = *context;
	struct err err = { 0 };

	assert_int_equal(state_device_seen(p->state, "car7", 100, &err), 0);
	assert_int_equal(state_device_remove(p->state, "car7", &err), 0);
	assert_int_equal(state_device_add(p->state, "car7", 200, &err), 0);
	assert_int_equal(state_seen_flush(p->state, &err), 0);
	assert_int_equal(device_of(p->state, "car7").seen_at, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(is_known_at_once_and_written_when_it_is_flushed),
		TEST(is_due_some_seconds_after_the_first_note),
		TEST(is_written_when_there_is_no_room_and_at_the_end),
		TEST(a_counter_never_goes_back_but_for_a_reset),
		TEST(a_manifest_without_a_counter_takes_none_back),
		TEST(polls_that_are_stored_are_newer_than_the_notes),
		TEST(a_device_of_the_same_id_inherits_no_sign_of_life),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
