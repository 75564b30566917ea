/* Updates that begin later or by themselves, what is in flight, and what a trial tells. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "otafs/assign.h"
#include "otafs/follow.h"
#include "otafs/schedule.h"
#include "otafs/trial.h"
#include "tests/unit/fixture.h"

#define HOUR 3600

/* The command is refused with @code and @words, and "assign" shows what it showed. */
static void
refused(struct fixture *f, const char *text, int code, const char *words)
{
	AUTO(free_p) char *before = fixture_assign_text(f);
	AUTO(free_p) char *after = NULL;
	struct err err = { 0 };

	assert_int_equal(fixture_assign(f, text, &err), -code);
	assert_reason(err, words);
	after = fixture_assign_text(f);
	assert_string_equal(before, after);
}

static void
accepted(struct fixture *f, const char *text)
{
	struct err err = { 0 };

	if (fixture_assign(f, text, &err) != 0)
		fail_msg("%s: %s", text, err.text);
}

static void
shows(struct fixture *f, const char *words)
{
	AUTO(free_p) char *text = fixture_assign_text(f);

	if (!strstr(text, words))
		fail_msg("no \"%s\" in:\n%s", words, text);
}

static void
shows_not(struct fixture *f, const char *words)
{
	AUTO(free_p) char *text = fixture_assign_text(f);

	if (strstr(text, words))
		fail_msg("\"%s\" in:\n%s", words, text);
}

/* "at TIME REST", with a time so many seconds from now. */
static void
accepted_at(struct fixture *f, int64_t seconds, const char *rest)
{
	AUTO(free_p) char *command = NULL;
	char time[UTC_TEXT_SIZE];

	utc_format(utc_now() + seconds, time);
	assert_true(asprintf(&command, "at %s%s", time, rest) > 0);
	accepted(f, command);
}

static void
run_at(struct fixture *f, int64_t seconds)
{
	schedule_run(&f->core, utc_now() + seconds);
	fixture_load(f);
}

static void
follow_all(struct fixture *f)
{
	while (follow_run(&f->core))
		;
	fixture_load(f);
}

static void
runs(struct fixture *f, int ecu, const char *file, const char *sha256)
{
	struct reply reply;

	assert_int_equal(fixture_send(f, fixture_manifest_of(f, ecu, file, sha256), &reply), 200);
}

/* ---- in flight */

static void
takes_back_what_was_read_by_force_only(void **state)
{
	struct fixture *f = *state;

	accepted(f, "app 1.0\nfw 1.0 sec-1");
	shows(f, "app-1.0 to ECU prim, open since 2");
	shows(f, " s), not read yet, urn:here-ota:mtu:");
	fixture_read(f, 1000);
	shows(f, "in flight since 1970-01-01T00:16:40Z, urn:");
	refused(f, "cancel", EBUSY,
	    "app-1.0 is in flight: the device may have read of it since 1970-01-01T00:16:40Z and may "
	    "install it; \"cancel!\" takes it back all the same");
	refused(f, "cancel! now", EINVAL, "\"cancel\" and \"cancel!\" stand alone");
	accepted(f, "cancel!\n");
	shows(f, "last: app-1.0 on ECU prim cancelled at 2");
	shows(f, "last: fw-1.0 on ECU sec-1 cancelled at 2");
	shows_not(f, "open since");
	assert_int_equal(fixture_told(f, "by test though the device may have read of it, urn:"), 2);
}

/* ---- at */

static void
begins_at_its_time_and_not_before(void **state)
{
	struct fixture *f = *state;
	int64_t counter = f->device.counter;

	accepted_at(f, HOUR, "\napp 1.0\nfw 2.0 sec-2\n");
	assert_string_equal(f->device.status, "UpdateScheduled");
	shows(f, " by test: app 1.0; fw 2.0 sec-2, urn:here-ota:mtu:");
	assert_int_equal(fixture_told(f, " by test: app 1.0; fw 2.0 sec-2, urn:here-ota:mtu:"), 1);
	run_at(f, 0);
	run_at(f, HOUR - 10);
	shows(f, "scheduled for 2");
	assert_int_equal(f->device.counter, counter);
	run_at(f, HOUR + 1);
	shows_not(f, "scheduled for 2");
	shows(f, "app-1.0 to ECU prim, open since 2");
	shows(f, "fw-2.0 to ECU sec-2, open since 2");
	assert_int_equal(f->device.counter, counter + 1);
	assert_int_equal(fixture_told(f, "assigned app-1.0 to ECU prim by test, urn:here-ota:mtu:"), 1);
}

static void
keeps_what_is_scheduled_over_a_restart(void **state)
{
	struct fixture *f = *state;

	accepted_at(f, HOUR, " app 1.0 prim");
	run_at(f, 0);
	fixture_reopen(f);
	run_at(f, HOUR + 1);
	shows(f, "app-1.0 to ECU prim, open since 2");
}

static void
waits_for_the_open_update_to_end(void **state)
{
	struct fixture *f = *state;

	accepted(f, "fw 1.0");
	accepted_at(f, HOUR, " app 1.0");
	accepted_at(f, HOUR + 1, " app 2.0");
	run_at(f, 2 * HOUR);
	shows_not(f, "app-1.0 to ECU");
	runs(f, SEC_1, "fw-1.0", FW_1);
	run_at(f, 2 * HOUR);
	shows_not(f, "app-1.0 to ECU");
	runs(f, SEC_2, "fw-1.0", FW_1);
	run_at(f, 2 * HOUR);
	shows(f, "app-1.0 to ECU prim, open since");
	shows(f, ": app 2.0, urn:");
	runs(f, PRIM, "app-1.0", APP_1);
	run_at(f, 2 * HOUR);
	shows(f, "app-2.0 to ECU prim, open since");
}

static void
refuses_at_its_time_what_is_not_offered_any_more(void **state)
{
	struct fixture *f = *state;
	json_t *more = json_object();
	struct err err = { 0 };

	fixture_target(more, "app", "3.0", "OSTREE", APP_1, json_pack("[s]", "hw-a"));
	fixture_publish(f, 2, more);
	assert_int_equal(image_refresh(f->core.image, &err), IMAGE_CHANGED);
	accepted_at(f, HOUR, " app 3.0");
	fixture_publish(f, 3, NULL);
	assert_int_equal(image_refresh(f->core.image, &err), IMAGE_CHANGED);
	run_at(f, HOUR + 1);
	shows_not(f, "scheduled for");
	shows_not(f, "open since");
	assert_non_null(strstr(f->device.why, "refused what was scheduled for 2"));
	assert_non_null(strstr(f->device.why, ": package app has no version 3.0"));
	assert_int_equal(fixture_told(f, ": package app has no version 3.0"), 1);
	assert_string_equal(f->device.status, "UpToDate");
	run_at(f, HOUR + 2);
	assert_int_equal(fixture_told(f, ": package app has no version 3.0"), 1);
}

static void
refuses_to_schedule_what_could_not_be_assigned(void **state)
{
	struct fixture *f = *state;

	refused(f, "at noon app 1.0", EINVAL, "at \"noon\": expected a time like 2026-12-01T02:00:00Z, in UTC");
	refused(f, "at", EINVAL, "at \"\": expected a time");
	refused(f, "at 2026-12-01 app 1.0", EINVAL, "at \"2026-12-01\": expected a time");
	refused(f, "at 2020-01-01T00:00:00Z app 1.0", EINVAL, "at 2020-01-01T00:00:00Z: that is over, it is 2");
	refused(f, "at 2090-01-01T00:00:00Z", EINVAL, "empty: expected");
	refused(f, "at 2090-01-01T00:00:00Z app 9", ENOENT, "package app has no version 9");
	refused(f, "at 2090-01-01T00:00:00Z app 1.0 sec-1", EINVAL, "is for hardware");
	refused(f, "at 2090-01-01T00:00:00Z\napp 1.0\napp 2.0", EINVAL, "ECU prim is named twice");
}

static void
has_room_for_so_many_plans_of_one_device(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < SCHEDULE_DEVICE_MAX; i++)
		accepted_at(f, HOUR + i, " app 1.0");
	refused(f, "at 2090-01-01T00:00:00Z app 1.0", EBUSY, "has 16 scheduled updates already");
}

static void
cancels_what_is_scheduled_too(void **state)
{
	struct fixture *f = *state;

	accepted_at(f, HOUR, " app 1.0");
	accepted_at(f, HOUR, "\nfw 1.0\n");
	accepted(f, "cancel");
	shows_not(f, "scheduled for");
	assert_int_equal(fixture_told(f, "cancelled what was scheduled for 2"), 2);
	assert_string_equal(f->device.status, "UpToDate");
	refused(f, "cancel", ENODATA, "nothing is open or scheduled, nothing to cancel");
	run_at(f, 2 * HOUR);
	shows_not(f, "open since");
}

/* The correlation id at the end of the first line of "assign" with @words. */
static const char *
correlation_of(struct fixture *f, const char *words, char out[static STATE_CORRELATION_MAX])
{
	AUTO(free_p) char *text = fixture_assign_text(f);
	const char *line = strstr(text, words), *urn = line ? strstr(line, "urn:") : NULL;

	if (!urn)
		fail_msg("no \"%s\" in:\n%s", words, text);
	snprintf(out, STATE_CORRELATION_MAX, "%.*s", (int)strcspn(urn, "\n"), urn);
	return out;
}

static void
cancels_one_update_and_no_other(void **state)
{
	struct fixture *f = *state;
	char open[STATE_CORRELATION_MAX], command[STATE_CORRELATION_MAX + 16];

	accepted_at(f, HOUR, " app 2.0");
	accepted_at(f, 2 * HOUR, " fw 2.0");
	accepted(f, "app 1.0");
	correlation_of(f, "open since", open);
	fixture_read(f, 1000);
	refused(f, "cancel", EBUSY, "app-1.0 is in flight");
	snprintf(command, sizeof(command), "cancel %s", open);
	refused(f, command, EBUSY, "app-1.0 is in flight");
	refused(f, "cancel urn:here-ota:mtu:x", ENODATA, "urn:here-ota:mtu:x is neither open nor scheduled");
	refused(f, "cancel urn:x app", EINVAL, "after a correlation id nothing is expected");

	/* What is scheduled is not in flight. */
	strcpy(command, "cancel ");
	correlation_of(f, ": app 2.0", command + 7);
	accepted(f, command);
	shows_not(f, ": app 2.0");
	shows(f, ": fw 2.0");
	shows(f, "open since");
	snprintf(command, sizeof(command), "cancel! %s\n", open);
	accepted(f, command);
	shows_not(f, "open since");
	shows(f, ": fw 2.0");
	assert_string_equal(f->device.status, "UpdateScheduled");
}

/* ---- follow */

static void
gets_the_newest_version_by_itself(void **state)
{
	struct fixture *f = *state;
	json_t *more = json_object();
	struct err err = { 0 };

	runs(f, PRIM, "app-1.0", APP_1);
	accepted(f, "follow app");
	shows(f, "app-2.0 to ECU prim, open since");
	shows(f, "urn:here-ota:auto-update:");
	shows(f, "follows app on every ECU that it fits, since 2");
	assert_int_equal(fixture_told(f, "follows app on every ECU by test"), 1);
	fixture_target(more, "app", "3.0", "OSTREE", FW_2, json_pack("[s]", "hw-a"));
	fixture_publish(f, 2, more);
	assert_int_equal(image_refresh(f->core.image, &err), IMAGE_CHANGED);
	follow_all(f);
	shows_not(f, "app-3.0");
	runs(f, PRIM, "app-2.0", APP_2);
	follow_all(f);
	shows(f, "app-3.0 to ECU prim, open since");
	runs(f, PRIM, "app-3.0", FW_2);
	follow_all(f);
	shows_not(f, "open since");
}

static void
goes_on_for_the_others_when_one_ecu_cannot_have_it(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *reports = json_object();
	char path[256];
	struct reply reply;

	json_object_set_new(reports, "prim", fixture_runs(f, PRIM, "app-1.0", APP_1));
	json_object_set_new(reports, "sec-1", fixture_runs(f, SEC_1, "fw-1.0", FW_1));
	assert_int_equal(fixture_send(f, fixture_manifest(f, json_incref(reports), NULL), &reply), 200);
	snprintf(path, sizeof(path), "%s/binaries/%.2s/%s", f->path, FW_2, FW_2 + 2);
	assert_int_equal(unlink(path), 0);
	refused(f, "follow fw", EINVAL, "fw-2.0: its bytes are not here");
	runs(f, SEC_1, "fw-2.0", FW_1);
	accepted(f, "follow fw");
	runs(f, SEC_1, "fw-1.0", FW_1);
	follow_all(f);
	assert_int_equal(fixture_told(f, "cannot have the newest of what it follows: fw-2.0: its bytes"), 1);
	accepted(f, "follow app");
	shows(f, "app-2.0 to ECU prim, open since");
	runs(f, PRIM, "app-2.0", APP_2);
	follow_all(f);
	shows_not(f, "open since");
	assert_non_null(strstr(f->device.why, "cannot have the newest of what it follows: fw-2.0: its bytes"));
}

static void
looks_at_all_who_follow_after_a_publication(void **state)
{
	struct fixture *f = *state;
	json_t *more = json_object();
	struct err err = { 0 };

	runs(f, PRIM, "app-2.0", APP_2);
	accepted(f, "follow app");
	follow_all(f);
	shows_not(f, "open since");
	fixture_target(more, "app", "3.0", "OSTREE", FW_2, json_pack("[s]", "hw-a"));
	fixture_publish(f, 2, more);
	assert_int_equal(image_refresh(f->core.image, &err), IMAGE_CHANGED);
	follow_all(f);
	shows(f, "app-3.0 to ECU prim, open since");
}

static void
never_tries_again_what_failed_or_was_cancelled(void **state)
{
	struct fixture *f = *state;

	runs(f, SEC_1, "fw-1.0", FW_1);
	accepted(f, "follow fw sec-1");
	shows(f, "fw-2.0 to ECU sec-1, open since");
	accepted(f, "cancel");
	follow_all(f);
	shows_not(f, "open since");
	/* By hand it may be. */
	accepted(f, "fw 2.0 sec-1");
	accepted(f, "cancel");
	follow_all(f);
	shows_not(f, "open since");
}

static void
leaves_alone_who_has_not_told_what_it_runs(void **state)
{
	struct fixture *f = *state;

	accepted(f, "follow fw");
	shows_not(f, "open since");
	runs(f, SEC_2, "unknown", NOTHING);
	follow_all(f);
	shows(f, "fw-2.0 to ECU sec-2, open since");
	shows_not(f, "sec-1,");
}

/* What was retired is not known to be older than what is left. */
static void
goes_back_to_no_older_version(void **state)
{
	struct fixture *f = *state;
	json_t *more = json_object();
	struct err err = { 0 };

	runs(f, SEC_1, "fw-9.9", APP_1);
	accepted(f, "follow fw sec-1");
	follow_all(f);
	shows_not(f, "open since");
	fixture_target(more, "fw", "9.95", "BINARY", APP_2, json_pack("[s]", "hw-b"));
	json_object_set_new(json_object_get(json_object_get(more, "fw-9.95"), "custom"), "createdAt",
	    json_string("2080-01-01T00:00:00Z"));
	fixture_publish(f, 2, more);
	assert_int_equal(image_refresh(f->core.image, &err), IMAGE_CHANGED);
	follow_all(f);
	shows(f, "fw-9.95 to ECU sec-1, open since");
}

static void
stops_when_it_is_told_to(void **state)
{
	struct fixture *f = *state;

	accepted(f, "follow app");
	accepted(f, "unfollow app");
	shows_not(f, "follows");
	assert_int_equal(fixture_told(f, "unfollows app on every ECU by test"), 1);
	runs(f, PRIM, "app-1.0", APP_1);
	follow_all(f);
	shows_not(f, "open since");
	refused(f, "unfollow app", ENODATA, "does not follow app");
	refused(f, "unfollow app prim", ENODATA, "does not follow app on ECU prim");
}

static void
refuses_to_follow_what_it_could_not_install(void **state)
{
	struct fixture *f = *state;

	refused(f, "follow", EINVAL, "expected \"follow PACKAGE [ECU]\"");
	refused(f, "unfollow\n", EINVAL, "expected \"unfollow PACKAGE [ECU]\"");
	refused(f, "follow nothing", ENOENT, "nothing: not in the image repository");
	refused(f, "follow app sec-9", ENOENT, "no ECU \"sec-9\"");
	refused(f, "follow app sec-1", EINVAL, "no version of app fits sec-1");
	refused(f, "follow app prim\nfollow fw sec-1", EINVAL, "ECU");
	accepted(f, "follow app");
	refused(f, "follow app", EEXIST, "follows app already");
	refused(f, "follow duo", EINVAL,
	    "ECU prim follows app already, and cannot follow two packages; write \"unfollow app\" first");
	accepted(f, "follow duo sec-1");
}

/* ---- what a device would not take */

static void
refuses_a_name_that_runs_with_other_content(void **state)
{
	struct fixture *f = *state;

	runs(f, PRIM, "app-1.0", FW_2);
	refused(f, "app 1.0", EINVAL,
	    "ECU prim runs a file of the name app-1.0 with other content (sha256 f200000000000000...)");
}

static void
refuses_what_the_device_could_not_fetch(void **state)
{
	struct fixture *f = *state;
	char path[256];

	snprintf(path, sizeof(path), "%s/ostree/objects/%.2s/%s.commit", f->path, APP_1, APP_1 + 2);
	assert_int_equal(unlink(path), 0);
	refused(f, "app 1.0", EINVAL, "app-1.0: its commit a100000000000000... is not in treehub");
	snprintf(path, sizeof(path), "%s/binaries/%.2s/%s", f->path, FW_1, FW_1 + 2);
	assert_int_equal(unlink(path), 0);
	refused(f, "fw 1.0", EINVAL, "fw-1.0: its bytes are not here, and it has no address of its own");
}

static void
refuses_formats_that_devices_do_not_know(void **state)
{
	struct fixture *f = *state;
	json_t *more = json_object();
	struct err err = { 0 };

	fixture_target(more, "deb", "1", "DEB", APP_1, json_pack("[s]", "hw-a"));
	fixture_target(more, "long", "1", "OSTREE", APP_1, json_pack("[s]", "hw-a"));
	json_object_set_new(json_object_get(more, "long-1"), "length", json_integer(5));
	fixture_publish(f, 2, more);
	assert_int_equal(image_refresh(f->core.image, &err), IMAGE_CHANGED);
	refused(f, "deb 1", EINVAL, "deb-1 has the targetFormat DEB; devices know OSTREE and BINARY");
	refused(f, "long 1", EINVAL, "long-1 is an OSTree commit with a length of 5, which has to be 0");
}

static void
refuses_a_binary_for_a_primary_with_ostree(void **state)
{
	static const char config[] = "[tls]\ntype = \"x\"\n[pacman]\nos = \"a\"\ntype = \"ostree\"\n";
	struct fixture *f = *state;
	json_t *more = json_object();
	struct err err = { 0 };

	fixture_target(more, "bin", "1", "BINARY", FW_1, json_pack("[s,s]", "hw-a", "hw-b"));
	fixture_publish(f, 2, more);
	assert_int_equal(image_refresh(f->core.image, &err), IMAGE_CHANGED);
	accepted(f, "bin 1 prim");
	accepted(f, "cancel");
	assert_int_equal(
	    state_report_put(f->core.state, "car7", "config", config, sizeof(config) - 1, 1, &err), 0);
	refused(f, "bin 1 prim", EINVAL,
	    "bin-1 is a BINARY, and the package manager of prim is ostree: it would take nothing at all");
	accepted(f, "bin 1 sec-1");
	accepted(f, "cancel");
	assert_int_equal(state_report_put(f->core.state, "car7", "config", config, 21, 1, &err), 0);
	accepted(f, "bin 1 prim");
}

/* ---- trials */

/* What assign.check would show of @command; to be freed. */
static char *
tried(struct fixture *f, const char *command, int expected)
{
	struct assign_how how = { .who = "test", .is_check = true };
	AUTO(free_p) char *before = fixture_assign_text(f);
	AUTO(free_p) char *history = fixture_history(f);
	AUTO(free_p) char *after = NULL;
	AUTO(free_p) char *history_after = NULL;
	int64_t counter = f->device.counter;
	struct trial trial;
	struct err err = { 0 };
	char *text = NULL;
	size_t bytes;
	FILE *out;

	assert_int_equal(trial_open(&f->core, "devices/car7/assign.check", "test", command, &trial, &err), 0);
	how.told = trial.told;
	assert_int_equal(
	    trial_close(&trial, assign_do(&f->core, &f->device, command, &how, &err), &err), expected);
	fixture_load(f);
	after = fixture_assign_text(f);
	history_after = fixture_history(f);
	assert_string_equal(before, after);
	assert_string_equal(history, history_after);
	assert_int_equal(f->device.counter, counter);
	out = open_memstream(&text, &bytes);
	trial_print(&f->core, "devices/car7/assign.check", out);
	fclose(out);
	return text;
}

static void
tells_of(struct fixture *f, const char *command, int expected, const char *words)
{
	AUTO(free_p) char *text = tried(f, command, expected);

	if (!strstr(text, words))
		fail_msg("no \"%s\" in:\n%s", words, text);
}

static void
tells_what_a_command_would_do_and_does_nothing(void **state)
{
	struct fixture *f = *state;

	tells_of(f, "app 1.0\nfw 1.0 sec-2", 0,
	    "Z test: app 1.0 ...\nwould assign app-1.0 to ECU prim, which runs nothing known\n"
	    "would assign fw-1.0 to ECU sec-2");
	tells_of(f, "app 9", -ENOENT, "app 9\nwould be refused: package app has no version 9");
	tells_of(f, "at 2090-01-01T00:00:00Z app 1.0", 0,
	    "would assign at 2090-01-01T00:00:00Z app-1.0 to ECU prim");
	tells_of(f, "unfollow app", -ENODATA, "would be refused: does not follow app");
	tells_of(f, "cancel", -ENODATA, "would be refused: nothing is open");
	runs(f, PRIM, "app-1.0", APP_1);
	tells_of(
	    f, "follow app", 0, "would follow app\nwould assign app-2.0 to ECU prim, which runs app-1.0\n");
	accepted(f, "follow app");
	tells_of(f, "unfollow app", 0, "would unfollow app\n");
	accepted_at(f, HOUR, " app 2.0");
	tells_of(f, "cancel", 0, "would cancel app-2.0 to ECU prim, urn:here-ota:auto-update:");
	tells_of(f, "cancel", 0, "would cancel what was scheduled for 2");
}

static void
remembers_the_newest_trials_only(void **state)
{
	struct fixture *f = *state;
	char path[64], *text = NULL;
	struct err err = { 0 };
	struct trial trial;
	size_t bytes;
	FILE *out;

	for (int i = 0; i <= TRIALS_MAX; i++) {
		snprintf(path, sizeof(path), "devices/car%d/assign.check", i);
		assert_int_equal(trial_open(&f->core, path, "test", "x", &trial, &err), 0);
		trial_close(&trial, 0, &err);
	}
	out = open_memstream(&text, &bytes);
	trial_print(&f->core, "devices/car0/assign.check", out);
	fflush(out);
	assert_int_equal(bytes, 0);
	trial_print(&f->core, "devices/car1/assign.check", out);
	fclose(out);
	assert_true(bytes > 0);
	free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(takes_back_what_was_read_by_force_only),
		TEST(begins_at_its_time_and_not_before),
		TEST(keeps_what_is_scheduled_over_a_restart),
		TEST(waits_for_the_open_update_to_end),
		TEST(refuses_at_its_time_what_is_not_offered_any_more),
		TEST(refuses_to_schedule_what_could_not_be_assigned),
		TEST(has_room_for_so_many_plans_of_one_device),
		TEST(cancels_what_is_scheduled_too),
		TEST(cancels_one_update_and_no_other),
		TEST(gets_the_newest_version_by_itself),
		TEST(goes_on_for_the_others_when_one_ecu_cannot_have_it),
		TEST(looks_at_all_who_follow_after_a_publication),
		TEST(never_tries_again_what_failed_or_was_cancelled),
		TEST(leaves_alone_who_has_not_told_what_it_runs),
		TEST(goes_back_to_no_older_version),
		TEST(stops_when_it_is_told_to),
		TEST(refuses_to_follow_what_it_could_not_install),
		TEST(refuses_a_name_that_runs_with_other_content),
		TEST(refuses_what_the_device_could_not_fetch),
		TEST(refuses_formats_that_devices_do_not_know),
		TEST(refuses_a_binary_for_a_primary_with_ostree),
		TEST(tells_what_a_command_would_do_and_does_nothing),
		TEST(remembers_the_newest_trials_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
