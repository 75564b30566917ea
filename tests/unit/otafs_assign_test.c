/* What an administrator may assign, and every way in which it is refused. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "otafs/assign.h"
#include "otafs/director.h"
#include "otafs/enroll.h"
#include "tests/unit/fault.h"
#include "tests/unit/fixture.h"

static const struct assign_how by_test = { .who = "test" };

/* The command is refused with @code and @words, and nothing has changed. */
static void
refused(struct fixture *f, const char *text, int code, const char *words)
{
	AUTO(free_p) char *before = fixture_open(f);
	AUTO(free_p) char *after = NULL;
	int64_t counter = f->device.counter;
	struct err err = { 0 };

	assert_int_equal(fixture_assign(f, text, &err), -code);
	assert_reason(err, words);
	after = fixture_open(f);
	assert_string_equal(before, after);
	assert_int_equal(f->device.counter, counter);
}

static void
goes_to_every_ecu_of_a_fitting_hardware_id(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *open = NULL;
	int64_t counter = f->device.counter;
	struct err err = { 0 };

	assert_int_equal(fixture_assign(f, "fw 1.0\n", &err), 0);
	open = fixture_open(f);
	assert_null(strstr(open, "prim"));
	assert_non_null(strstr(open, "fw-1.0 to ECU sec-1, open since 2"));
	assert_non_null(strstr(open, "fw-1.0 to ECU sec-2, open since 2"));
	assert_non_null(strstr(open, "urn:here-ota:mtu:"));
	assert_int_equal(f->device.counter, counter + 1);
	assert_int_equal(fixture_told(f, "assigned fw-1.0 to ECU sec-2 by test, urn:here-ota:mtu:"), 1);
}

static void
goes_to_the_ecu_that_is_named_and_to_no_other(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *open = NULL;
	struct err err = { 0 };

	assert_int_equal(fixture_assign(f, "  fw\t1.0  sec-2 \r\n\n", &err), 0);
	open = fixture_open(f);
	assert_null(strstr(open, "sec-1"));
	assert_non_null(strstr(open, "sec-2"));
}

static void
takes_several_lines_as_one_update(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) struct assignment *open = NULL;
	int64_t counter = f->device.counter;
	struct err err = { 0 };
	size_t count;

	assert_int_equal(fixture_assign(f, "app 1.0\nfw 1.0 sec-1\nfw 2.0 sec-2\n", &err), 0);
	assert_int_equal(state_assignments(f->core.state, "car7", &open, &count, &err), 0);
	assert_int_equal(count, 3);
	assert_string_equal(open[0].correlation, open[2].correlation);
	assert_string_equal(open[2].target, "fw-2.0");
	assert_int_equal(open[2].length, 1000);
	assert_string_equal(open[0].format, "OSTREE");
	assert_int_equal(f->device.counter, counter + 1);
}

static void
refuses_what_does_not_parse(void **state)
{
	struct fixture *f = *state;

	refused(f, "", EINVAL,
	    "empty: expected \"PACKAGE VERSION [ECU]\", \"at TIME ...\", \"cancel\", \"cancel!\", "
	    "\"follow PACKAGE\" or \"unfollow PACKAGE\"");
	refused(f, " \n\t\n", EINVAL, "empty");
	refused(f, "app\n", EINVAL, "\"app\": expected \"PACKAGE VERSION [ECU]\", \"at");
	refused(f, "../etc 1.0", EINVAL, "package name \"../etc\": character 1");
	refused(f, "app 1/0", EINVAL, "package version \"1/0\": character 2 (0x2f)");
	refused(f, "app 1.0 pr\x01im", EINVAL, "ECU serial \"pr\\x01im\": character 3 (0x01)");
	refused(f, "cancel all", EINVAL, "\"cancel\" and \"cancel!\" stand alone");
}

static void
refuses_what_is_not_published(void **state)
{
	struct fixture *f = *state;

	refused(f, "nothing 1.0", ENOENT, "nothing: not in the image repository: ls packages");
	refused(f, "app 7", ENOENT, "package app has no version 7: ls packages/app");
	refused(f, "app 1.0 sec-9", ENOENT,
	    "no ECU \"sec-9\"; this device has prim (hw-a), sec-1 (hw-b), sec-2 (hw-b)");
}

static void
refuses_what_does_not_fit_the_hardware(void **state)
{
	struct fixture *f = *state;
	struct reply reply;
	struct err err = { 0 };

	refused(f, "app 1.0 sec-1", EINVAL, "app-1.0 is for hardware [\"hw-a\"]; this device has prim (hw-a)");
	assert_int_equal(fixture_enroll(f, fixture_ecus(f, 1), &reply, &err), 0);
	refused(f, "fw 1.0", EINVAL, "fw-1.0 is for hardware [\"hw-b\"]; this device has prim (hw-a)");
}

static void
refuses_an_ecu_that_is_named_twice_as_a_whole(void **state)
{
	struct fixture *f = *state;

	refused(f, "app 1.0\nduo 1.0\n", EINVAL, "ECU prim is named twice");
	refused(f, "fw 1.0 sec-1\nfw 2.0 sec-1\n", EINVAL, "ECU sec-1 is named twice");
	refused(f, "app 1.0\nfw 9\n", ENOENT, "package fw has no version 9");
}

static void
refuses_a_second_update_while_one_is_open(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(fixture_assign(f, "app 1.0", &err), 0);
	refused(f, "fw 1.0", EBUSY, "(app-1.0) is open; write \"cancel\" first");
}

static void
refuses_what_runs_already(void **state)
{
	struct fixture *f = *state;
	struct reply reply;

	assert_int_equal(fixture_send(f, fixture_manifest_of(f, PRIM, "app-1.0", APP_1), &reply), 200);
	refused(f, "app 1.0", EEXIST, "ECU prim runs app-1.0 already");
}

static void
refuses_a_device_that_has_not_registered(void **state)
{
	struct fixture *f = *state;
	struct device device = { .id = "new" };
	struct err err = { 0 };

	assert_int_equal(state_device_add(f->core.state, "new", 1, &err), 0);
	assert_int_equal(assign_do(&f->core, &device, "app 1.0", &by_test, &err), -ENXIO);
	assert_reason(err, "has not registered its ECUs yet, so it is not known what fits it");
	/* What is wrong for every device is told first. */
	assert_int_equal(assign_do(&f->core, &device, "app 9", &by_test, &err), -ENOENT);
	assert_reason(err, "package app has no version 9");
	assert_int_equal(assign_do(&f->core, &device, "follow app", &by_test, &err), -ENXIO);
	assert_int_equal(
	    assign_do(&f->core, &device, "at 2090-01-01T00:00:00Z app 1.0", &by_test, &err), -ENXIO);
}

static void
cancels_all_that_is_open_at_once(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *open = NULL;
	int64_t counter;
	struct err err = { 0 };

	refused(f, "cancel", ENODATA, "nothing is open or scheduled, nothing to cancel");
	assert_int_equal(fixture_assign(f, "app 1.0\nfw 1.0\n", &err), 0);
	counter = f->device.counter;
	assert_int_equal(fixture_assign(f, " cancel\n", &err), 0);
	open = fixture_open(f);
	assert_string_equal(open, "");
	assert_int_equal(f->device.counter, counter + 1);
	assert_int_equal(fixture_told(f, "cancelled app-1.0 for ECU prim by test, urn:here-ota:mtu:"), 1);
	refused(f, "cancel", ENODATA, "nothing is open");
}

static void
keeps_what_became_of_an_assignment(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) struct installation *last = NULL;
	struct err err = { 0 };
	bool was = true;
	size_t count;

	assert_int_equal(state_installation_last(f->core.state, "car7", &last, &count, &err), 0);
	assert_int_equal(count, 0);
	assert_int_equal(fixture_assign(f, "app 1.0 prim", &err), 0);
	assert_int_equal(fixture_assign(f, "cancel", &err), 0);
	assert_int_equal(fixture_assign(f, "app 2.0\nfw 2.0 sec-2\n", &err), 0);
	assert_int_equal(fixture_assign(f, "cancel", &err), 0);
	assert_int_equal(state_installation_last(f->core.state, "car7", &last, &count, &err), 0);
	assert_int_equal(count, 2);
	assert_string_equal(last[0].ecu, "prim");
	assert_string_equal(last[0].target, "app-2.0");
	assert_string_equal(last[0].sha256, APP_2);
	assert_string_equal(last[1].target, "fw-2.0");
	assert_string_equal(last[1].result, "cancelled");
	assert_string_equal(last[1].text, "test");
	assert_string_equal(last[0].correlation, last[1].correlation);
	assert_true(last[0].finished_at >= last[0].assigned_at && last[0].assigned_at > 0);
	assert_int_equal(
	    state_installation_was_refused(f->core.state, "car7", "prim", "app-1.0", APP_1, &was, &err), 0);
	assert_true(was);
	assert_int_equal(
	    state_installation_was_refused(f->core.state, "car7", "prim", "app-1.0", APP_2, &was, &err), 0);
	assert_false(was);
	assert_int_equal(state_device_remove(f->core.state, "car7", &err), 0);
	assert_int_equal(
	    state_installation_was_refused(f->core.state, "car7", "prim", "app-1.0", APP_1, &was, &err), 0);
	assert_false(was);
	assert_int_equal(state_device_add(f->core.state, "car7", 1, &err), 0);
}

/* 99 ECUs with the longest names, in which each character takes two in JSON, and a target for each. */
static void
refuses_a_document_that_devices_would_not_read(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *command = NULL;
	char serial[NAME_ECU_MAX + 1], hardware[NAME_HARDWARE_MAX + 1] = "", name[NAME_PACKAGE_MAX + 1] = "";
	json_t *body = fixture_ecus(f, 1), *targets = json_object();
	struct err err = { 0 };
	struct reply reply;
	size_t bytes;
	FILE *out = open_memstream(&command, &bytes);

	memset(hardware, '"', NAME_HARDWARE_MAX);
	memset(name, 'n', NAME_PACKAGE_MAX);
	for (int i = 1; i < STATE_ECUS_MAX; i++) {
		char version[16];

		memset(serial, '"', NAME_ECU_MAX);
		serial[0] = (char)('0' + i / 10);
		serial[1] = (char)('0' + i % 10);
		serial[NAME_ECU_MAX] = '\0';
		snprintf(version, sizeof(version), "%d", i);
		fixture_target(targets, name, version, "OSTREE", APP_1, json_pack("[s]", hardware));
		json_array_append_new(json_object_get(body, "ecus"),
		    json_pack("{s:s,s:s,s:o}", "ecu_serial", serial, "hardware_identifier", hardware,
			"clientKey", public_key_json(key_pair_public(f->keys[SEC_1]))));
		fprintf(out, "%s %d %s\n", name, i, serial);
	}
	fclose(out);
	fixture_publish(f, 2, targets);
	assert_int_equal(image_refresh(f->core.image, &err), IMAGE_CHANGED);
	assert_int_equal(fixture_enroll(f, body, &reply, &err), 0);
	assert_int_equal(reply.status, 200);
	refused(f, command, EFBIG, "the director's targets.json would have ");
	command[bytes / 3] = '\0';
	*(strrchr(command, '\n')) = '\0';
	assert_int_equal(fixture_assign(f, command, &err), 0);
}

static void
leaves_nothing_half_whatever_fails(void **state)
{
	struct fixture *f = *state;
	int64_t counter = f->device.counter;
	struct err err = { 0 };
	int r, calls = 0;

	do {
		AUTO(free_p) char *open = NULL;

		fault_after(calls++);
		r = assign_do(&f->core, &f->device, "app 1.0\nfw 1.0\n", &by_test, &err);
		if (!fault_stop())
			break;
		assert_int_equal(r, -ENOMEM);
		fixture_load(f);
		open = fixture_open(f);
		assert_string_equal(open, "");
		assert_int_equal(f->device.counter, counter);
	} while (calls < 1000);
	assert_int_equal(r, 0);
	assert_true(calls > 3);
	fixture_load(f);
	assert_int_equal(f->device.counter, counter + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(goes_to_every_ecu_of_a_fitting_hardware_id),
		TEST(goes_to_the_ecu_that_is_named_and_to_no_other),
		TEST(takes_several_lines_as_one_update),
		TEST(refuses_what_does_not_parse),
		TEST(refuses_what_is_not_published),
		TEST(refuses_what_does_not_fit_the_hardware),
		TEST(refuses_an_ecu_that_is_named_twice_as_a_whole),
		TEST(refuses_a_second_update_while_one_is_open),
		TEST(refuses_what_runs_already),
		TEST(refuses_a_device_that_has_not_registered),
		TEST(cancels_all_that_is_open_at_once),
		TEST(keeps_what_became_of_an_assignment),
		TEST(refuses_a_document_that_devices_would_not_read),
		TEST(leaves_nothing_half_whatever_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
