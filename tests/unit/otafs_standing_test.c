/* The status of a device, against the table of docs/STATES.md, and what is stored of it. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "otafs/device.h"
#include "otafs/expiry.h"
#include "otafs/standing.h"
#include "otafs/status.h"
#include "state/standing.h"
#include "tests/unit/fixture.h"
#include "tests/unit/states.h"

#define FIELDS 7
#define LINES_MAX 32

/* A line of the table: what each field asks for, -1 for either. */
struct line {
	int fields[FIELDS];
	char status[STATE_STANDING_SIZE];
};

static void
read_line(char *const *fields, size_t number, void *context)
{
	struct line *out = context;

	assert_true(number < LINES_MAX);
	out += number;
	for (int i = 0; i < FIELDS; i++) {
		out->fields[i] = !strcmp(fields[i], "yes") ? 1 : !strcmp(fields[i], "no") ? 0 : -1;
		assert_true(out->fields[i] >= 0 || !*fields[i]);
	}
	snprintf(out->status, sizeof(out->status), "%s", fields[FIELDS]);
}

static bool
fits(const struct line *line, unsigned facts)
{
	for (int i = 0; i < FIELDS; i++)
		if (line->fields[i] >= 0 && line->fields[i] != (int)(facts >> i & 1))
			return false;
	return true;
}

static void
is_what_the_table_says_for_all_facts(void **state)
{
	struct line lines[LINES_MAX];
	bool is_used[LINES_MAX] = { 0 };
	size_t count = states_read("standing", read_line, lines);

	(void)state;
	assert_int_equal(count, 8);
	for (unsigned bits = 0; bits < 1U << FIELDS; bits++) {
		struct facts facts = { .is_seen = bits & 1,
			.is_registered = bits & 2,
			.is_open = bits & 4,
			.is_unresponsive = bits & 8,
			.is_in_flight = bits & 16,
			.is_failed = bits & 32,
			.is_scheduled = bits & 64 };
		size_t i = 0;

		while (i < count && !fits(&lines[i], bits))
			i++;
		assert_true(i < count);
		is_used[i] = true;
		assert_string_equal(standing_of(&facts), lines[i].status);
	}
	for (size_t i = 0; i < count; i++)
		assert_true(is_used[i]);
}

static void
update(struct fixture *f, const char *expected)
{
	struct err err = { 0 };

	assert_int_equal(standing_update(&f->core, "car7", &err), 0);
	fixture_load(f);
	assert_string_equal(f->device.status, expected);
}

static void
is_stored_when_the_facts_have_changed(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	update(f, STANDING_UP_TO_DATE);
	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	update(f, STANDING_UPDATE_PENDING);
	fixture_reopen(f);
	fixture_load(f);
	assert_string_equal(f->device.status, STANDING_UPDATE_PENDING);
	assert_int_equal(fixture_assign(f, "cancel", &err), 0);
	update(f, STANDING_UP_TO_DATE);
	assert_int_equal(state_device_failure(f->core.state, "car7", "no room", &err), 0);
	update(f, STANDING_ERROR);
}

static void
is_nothing_for_a_device_that_is_gone(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(standing_update(&f->core, "car8", &err), 0);
}

static int64_t
counted(struct fixture *f, const char *status)
{
	struct err err = { 0 };
	int64_t devices;

	assert_int_equal(standing_count(&f->core, status, &devices, &err), 0);
	return devices;
}

static void
keeps_the_number_of_devices_of_each_status(void **state)
{
	struct fixture *f = *state;
	struct device car8 = { .id = "car8" };
	struct err err = { 0 };

	update(f, STANDING_UP_TO_DATE);
	assert_int_equal(counted(f, STANDING_UP_TO_DATE), 1);
	assert_int_equal(device_add(&f->core, "car8", "test", &err), 0);
	assert_int_equal(device_add(&f->core, "car8", "test", &err), -EEXIST);
	assert_int_equal(counted(f, STANDING_NOT_SEEN), 1);
	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	update(f, STANDING_UPDATE_PENDING);
	assert_int_equal(counted(f, STANDING_UPDATE_PENDING), 1);
	assert_int_equal(counted(f, STANDING_UP_TO_DATE), 0);
	/* What is taken back did not happen. */
	assert_int_equal(state_begin(f->core.state, &err), 0);
	assert_int_equal(state_standing(f->core.state, "car7", f->device.status, STANDING_ERROR, &err), 0);
	assert_int_equal(state_end(f->core.state, -EIO, &err), -EIO);
	assert_int_equal(counted(f, STANDING_UPDATE_PENDING), 1);
	assert_int_equal(counted(f, STANDING_ERROR), 0);
	assert_int_equal(device_remove(&f->core, &car8, "test", &err), 0);
	assert_int_equal(counted(f, STANDING_NOT_SEEN), 0);
}

static void
is_told_in_the_metrics_of_all_devices(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	update(f, STANDING_UP_TO_DATE);
	assert_int_equal(expiry_open(&f->core, &err), 0);
	assert_int_equal(status_print_metrics(&f->core, out, &err), 0);
	fclose(out);
	expiry_close(&f->core);
	assert_non_null(strstr(text, "\notafs_devices_by_status{status=\"UpToDate\"} 1\n"));
	for (size_t i = 0; i < standing_name_count; i++) {
		char line[64];

		snprintf(line, sizeof(line), "{status=\"%s\"} ", standing_names[i]);
		assert_non_null(strstr(text, line));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_what_the_table_says_for_all_facts),
		cmocka_unit_test_setup_teardown(
		    is_stored_when_the_facts_have_changed, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
		    is_nothing_for_a_device_that_is_gone, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
		    keeps_the_number_of_devices_of_each_status, fixture_setup, fixture_teardown),
		cmocka_unit_test_setup_teardown(
		    is_told_in_the_metrics_of_all_devices, fixture_setup, fixture_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
