/* The alarm about a device that polls without a sign of its update, and the causes that it names. */
#include "tests/unit/unit.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "otafs/device.h"
#include "otafs/report.h"
#include "otafs/silence.h"
#include "otafs/standing.h"
#include "tests/unit/fixture.h"

#define LIMIT 10 /* the default of unresponsive_polls */

static void
poll(struct fixture *f, int times)
{
	struct reply reply;

	for (int i = 0; i < times; i++)
		assert_int_equal(
		    fixture_send(f, fixture_manifest_of(f, PRIM, "unknown", NOTHING), &reply), 200);
}

static void
assign(struct fixture *f, const char *text)
{
	struct err err = { 0 };

	if (fixture_assign(f, text, &err) < 0)
		fail_msg("%s", err.text);
}

static void
read_targets(struct fixture *f)
{
	struct err err = { 0 };

	fixture_read(f, 1000);
	assert_int_equal(standing_update(&f->core, "car7", &err), 0);
	fixture_load(f);
}

/* An event of the open update, or of @correlation. */
static void
tell(struct fixture *f, const char *type, const char *success, const char *correlation)
{
	static int number;
	AUTO(free_p) struct assignment *open = NULL;
	char body[1024];
	struct reply reply = { 0 };
	struct err err = { 0 };
	size_t count;

	assert_int_equal(state_assignments(f->core.state, "car7", &open, &count, &err), 0);
	snprintf(body, sizeof(body),
	    "[{\"id\":\"e%d\",\"eventType\":{\"id\":\"%s\",\"version\":0},\"event\":{\"correlationId\":\"%s\"%"
	    "s}}]",
	    ++number, type, correlation ? correlation : open[0].correlation, success);
	assert_int_equal(report_events_commit(&f->core, &f->device, body, strlen(body), &reply, &err), 0);
	assert_int_equal(reply.status, 200);
	fixture_load(f);
}

static void
in_status(struct fixture *f, const char *words)
{
	AUTO(free_p) char *text = NULL;
	AUTO(fclose_p) FILE *out = NULL;
	struct err err = { 0 };
	size_t bytes;

	out = open_memstream(&text, &bytes);
	assert_int_equal(device_print_status(&f->core, &f->device, out, &err), 0);
	fflush(out);
	if (!strstr(text, words))
		fail_msg("status is \"%s\", expected \"%s\" in it", text, words);
}

static void
in_why(struct fixture *f, const char *words)
{
	if (!strstr(f->device.why, words))
		fail_msg("why is \"%s\", expected \"%s\" in it", f->device.why, words);
}

/* -- the rule -- */

static void
causes(struct silence facts, const char *expected)
{
	AUTO(free_p) char *text = NULL;
	AUTO(fclose_p) FILE *out = NULL;
	size_t bytes;

	facts.event = facts.event ? facts.event : "";
	facts.refused = facts.refused ? facts.refused : "";
	facts.expired = facts.expired ? facts.expired : "";
	facts.unheard = facts.unheard ? facts.unheard : "";
	facts.absent = facts.absent ? facts.absent : "";
	facts.trap = facts.trap ? facts.trap : "";
	out = open_memstream(&text, &bytes);
	silence_causes(&facts, out);
	fflush(out);
	if (!strstr(text, expected))
		fail_msg("it says \"%s\", expected \"%s\" in it", text, expected);
}

static void
names_a_cause_for_everything_that_is_known(void **state)
{
	(void)state;
	causes((struct silence){ .is_read = false }, "it has not read director/targets.json");
	causes((struct silence){ .is_read = true }, "its clock is wrong");
	causes((struct silence){ .is_read = true, .expired = "timestamp.json of the image repository" },
	    "since it has expired (timestamp.json of the image repository)");
	causes((struct silence){ .is_read = true, .trap = "fw-1.0" }, "takes fw-1.0 for installed");
	causes((struct silence){ .is_read = true, .unheard = "sec-9" }, "(sec-9 never reported)");
	causes((struct silence){ .is_read = true, .event = "EcuDownloadStarted", .success = -1 },
	    "its download has begun and not ended");
	causes((struct silence){ .is_read = true, .event = "EcuDownloadCompleted", .success = 0 },
	    "its download failed, and the report of that has not come");
	causes((struct silence){ .is_read = true, .event = "EcuDownloadCompleted", .success = 1 },
	    "it is downloaded and not installed");
	causes((struct silence){ .is_read = true, .event = "EcuInstallationStarted", .success = -1 },
	    "its installation has begun and not ended");
	causes((struct silence){ .is_read = true, .event = "EcuInstallationApplied", .success = -1 },
	    "waits for a reboot");
	causes((struct silence){ .is_read = true, .event = "EcuInstallationCompleted", .success = 0 },
	    "its installation failed");
	causes((struct silence){ .is_read = true, .event = "EcuInstallationCompleted", .success = 1 },
	    "goes on reporting another image");
	causes((struct silence){ .is_read = true, .event = "DevicePaused", .success = -1 }, "it was paused");
	causes((struct silence){ .is_read = true, .event = "DeviceResumed", .success = -1 },
	    "it was to go on after a pause");
	causes(
	    (struct silence){
		.is_read = true, .event = "EcuDownloadStarted", .success = -1, .absent = "sec-9" },
	    "ECU sec-9 is not in its manifests");
	/* Events come, and manifests are not taken. */
	causes(
	    (struct silence){
		.is_read = true, .event = "DeviceResumed", .success = -1, .refused = "it is old" },
	    "its manifests are refused, so nobody hears what it runs: it is old");
	/* What is not known of events says nothing. */
	causes((struct silence){ .is_read = true, .event = "campaign_accepted", .success = -1 },
	    "its clock is wrong");
}

/* -- the alarm -- */

static void
is_given_once_after_so_many_polls(void **state)
{
	struct fixture *f = *state;

	poll(f, 3);
	assert_int_equal(f->device.polls, 0);
	assign(f, "app 1.0");
	poll(f, LIMIT - 1);
	assert_int_equal(f->device.polls, LIMIT - 1);
	assert_string_equal(f->device.status, STANDING_UPDATE_PENDING);
	assert_string_equal(f->device.why, "");
	poll(f, 1);
	assert_string_equal(f->device.status, STANDING_UNRESPONSIVE);
	in_why(f, "no sign of app-1.0 in 10 polls: it has not read director/targets.json");
	in_status(f, "in 10 polls there was no sign of it: it has not read director/targets.json");
	poll(f, 5);
	in_status(f, "in 15 polls there was no sign of it");
	assert_int_equal(fixture_told(f, "no sign of app-1.0 in 10 polls"), 1);
	assert_int_equal(fixture_told(f, "no sign of"), 1);
}

static void
is_remembered_over_a_restart(void **state)
{
	struct fixture *f = *state;

	poll(f, 1);
	assign(f, "app 1.0");
	poll(f, LIMIT - 1);
	fixture_reopen(f);
	poll(f, 1);
	assert_string_equal(f->device.status, STANDING_UNRESPONSIVE);
	fixture_reopen(f);
	poll(f, 3);
	assert_int_equal(fixture_told(f, "no sign of"), 1);
}

static void
names_ecus_that_never_reported(void **state)
{
	struct fixture *f = *state;

	assign(f, "app 1.0");
	f->device.seen_at = 0;
	in_status(f, "and the device was not heard of since then");
	read_targets(f);
	f->device.seen_at = 0;
	in_status(f, "and the device may have read of it and told nothing since");
	poll(f, LIMIT + 1);
	assert_string_equal(f->device.status, STANDING_UNRESPONSIVE);
	in_why(f, "since its ECUs are not those that it registered (sec-2 never reported)");
}

static void
names_an_ecu_that_the_device_does_not_reach(void **state)
{
	struct fixture *f = *state;
	struct reply reply;

	assert_int_equal(fixture_send(f, fixture_manifest_of(f, SEC_1, "fw-0", NOTHING), &reply), 200);
	assign(f, "app 1.0\nfw 1.0 sec-1");
	read_targets(f);
	poll(f, LIMIT + 1);
	in_why(f, "no sign of app-1.0 in 10 polls: ECU sec-1 is not in its manifests");
}

static void
names_a_file_that_is_run_with_other_content(void **state)
{
	struct fixture *f = *state;
	struct reply reply;

	assign(f, "app 1.0");
	read_targets(f);
	for (int i = 0; i <= LIMIT; i++)
		assert_int_equal(fixture_send(f, fixture_manifest_of(f, PRIM, "app-1.0", APP_2), &reply), 200);
	in_why(f, "takes app-1.0 for installed, which it runs with other content");
}

static void
an_event_of_the_update_is_a_sign(void **state)
{
	struct fixture *f = *state;

	poll(f, 1);
	assign(f, "app 1.0");
	read_targets(f);
	poll(f, LIMIT);
	assert_string_equal(f->device.status, STANDING_UNRESPONSIVE);
	tell(f, "EcuDownloadStarted", "", "urn:another");
	assert_string_equal(f->device.status, STANDING_UNRESPONSIVE);
	tell(f, "EcuDownloadStarted", "", NULL);
	assert_int_equal(f->device.polls, 0);
	assert_string_equal(f->device.status, STANDING_IN_FLIGHT);
	in_status(f, "and the device is downloading it");
	poll(f, LIMIT);
	assert_string_equal(f->device.status, STANDING_UNRESPONSIVE);
	in_why(f, "its download has begun and not ended");
	assert_int_equal(fixture_told(f, "no sign of"), 2);
}

static void
ends_with_the_update(void **state)
{
	struct fixture *f = *state;
	struct reply reply;

	assign(f, "app 1.0");
	poll(f, LIMIT + 1);
	assert_string_equal(f->device.status, STANDING_UNRESPONSIVE);
	assert_int_equal(fixture_send(f, fixture_manifest_of(f, PRIM, "app-1.0", APP_1), &reply), 200);
	assert_string_equal(f->device.status, STANDING_UP_TO_DATE);
	assert_int_equal(f->device.polls, 0);
}

static void
a_new_update_is_counted_from_its_beginning(void **state)
{
	struct fixture *f = *state;

	poll(f, 1);
	assign(f, "app 1.0");
	poll(f, LIMIT);
	assign(f, "cancel");
	assert_string_equal(f->device.status, STANDING_UP_TO_DATE);
	assign(f, "app 2.0");
	assert_int_equal(f->device.polls, 0);
	assert_string_equal(f->device.status, STANDING_UPDATE_PENDING);
	poll(f, LIMIT - 1);
	assert_string_equal(f->device.status, STANDING_UPDATE_PENDING);
}

static void
follows_the_setting_when_that_is_changed(void **state)
{
	struct fixture *f = *state;

	assign(f, "app 1.0");
	poll(f, LIMIT);
	assert_string_equal(f->device.status, STANDING_UNRESPONSIVE);
	f->config.unresponsive_polls = LIMIT + 5;
	poll(f, 1);
	assert_string_equal(f->device.status, STANDING_UPDATE_PENDING);
	poll(f, 4);
	assert_string_equal(f->device.status, STANDING_UNRESPONSIVE);
	f->config.unresponsive_polls = 0;
	poll(f, 1);
	assert_string_equal(f->device.status, STANDING_UPDATE_PENDING);
	f->config.unresponsive_polls = 3;
	poll(f, 1);
	assert_string_equal(f->device.status, STANDING_UNRESPONSIVE);
}

/* A manifest that is signed by the wrong ECU. */
static void
hand_in_a_bad_one(struct fixture *f)
{
	AUTO(json_decref_p) json_t *good = fixture_manifest_of(f, PRIM, "unknown", NOTHING);
	struct reply reply;

	assert_int_equal(
	    fixture_send(f, fixture_sign(f->keys[SEC_1], json_incref(json_object_get(good, "signed"))), &reply),
	    400);
}

static void
is_given_to_a_device_whose_manifests_are_refused(void **state)
{
	struct fixture *f = *state;

	assign(f, "app 1.0");
	read_targets(f);
	for (int i = 1; i < LIMIT; i++)
		hand_in_a_bad_one(f);
	assert_int_equal(f->device.polls, LIMIT - 1);
	assert_string_equal(f->device.status, STANDING_IN_FLIGHT);
	in_why(f, "manifest refused: signature_not_valid: car7: ");
	hand_in_a_bad_one(f);
	assert_string_equal(f->device.status, STANDING_UNRESPONSIVE);
	in_status(f, "its manifests are refused, so nobody hears what it runs: signature_not_valid: car7: ");
	hand_in_a_bad_one(f);
	assert_int_equal(fixture_told(f, "no sign of app-1.0 in 10 polls: its manifests are refused"), 1);
	assert_int_equal(fixture_told(f, "manifest refused: signature_not_valid"), 1);
	in_why(f, "manifest refused: signature_not_valid");

	/* The next that is taken ends what was said, and begins it anew. */
	poll(f, 1);
	assert_string_equal(f->device.why, "");
	hand_in_a_bad_one(f);
	assert_int_equal(fixture_told(f, "manifest refused: signature_not_valid"), 2);
}

static void
is_given_to_a_device_whose_manifests_are_old(void **state)
{
	struct fixture *f = *state;
	json_t *reports,
	    *body = json_pack("{s:s,s:s,s:{s:s,s:{s:i,s:{s:s}}}}", "ecu_serial", "prim", "report_counter", "5",
		"installed_image", "filepath", "unknown", "fileinfo", "length", 0, "hashes", "sha256", NOTHING);
	AUTO(json_decref_p) json_t *manifest = NULL;
	struct reply reply;

	reports = json_pack("{s:o}", "prim", fixture_sign(f->keys[PRIM], json_incref(body)));
	assert_int_equal(fixture_send(f, fixture_manifest(f, reports, NULL), &reply), 200);
	json_object_set_new(body, "report_counter", json_string("4"));
	reports = json_pack("{s:o}", "prim", fixture_sign(f->keys[PRIM], body));
	manifest = fixture_manifest(f, reports, NULL);
	assign(f, "app 1.0");
	for (int i = 0; i < LIMIT; i++)
		assert_int_equal(fixture_send(f, json_incref(manifest), &reply), 409);
	assert_string_equal(f->device.status, STANDING_UNRESPONSIVE);
	in_status(
	    f, "its manifests are refused, so nobody hears what it runs: its report_counter is not above 5");
	assert_int_equal(fixture_told(f, "replayed manifest refused"), 1);
	/* None of them counts. */
	assert_int_equal(fixture_send(f, json_incref(manifest), &reply), 409);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_a_cause_for_everything_that_is_known),
		TEST(is_given_once_after_so_many_polls),
		TEST(is_remembered_over_a_restart),
		TEST(names_ecus_that_never_reported),
		TEST(names_an_ecu_that_the_device_does_not_reach),
		TEST(names_a_file_that_is_run_with_other_content),
		TEST(an_event_of_the_update_is_a_sign),
		TEST(ends_with_the_update),
		TEST(a_new_update_is_counted_from_its_beginning),
		TEST(follows_the_setting_when_that_is_changed),
		TEST(is_given_to_a_device_whose_manifests_are_refused),
		TEST(is_given_to_a_device_whose_manifests_are_old),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
