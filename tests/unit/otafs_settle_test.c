/* What a manifest that is signed well changes: forms, reports, counters, and keys that were exchanged. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "otafs/counter.h"
#include "otafs/manifest.h"
#include "otafs/standing.h"
#include "state/installation.h"
#include "tests/unit/fixture.h"

/* -- manifests -- */

/* What ECU @ecu signs, with members of @more (released; NULL: none). */
static json_t *
report_of(const struct fixture *f, int ecu, const char *file, const char *sha256, json_t *more)
{
	json_t *body = json_pack("{s:s,s:{s:s,s:{s:i,s:{s:s}}}}", "ecu_serial", fixture_serials[ecu],
	    "installed_image", "filepath", file, "fileinfo", "length", 0, "hashes", "sha256", sha256);

	if (more)
		json_object_update(body, more);
	json_decref(more);
	return fixture_sign(f->keys[ecu], body);
}

static json_t *
one_report(const struct fixture *f, int ecu, const char *file, const char *sha256, json_t *more)
{
	json_t *reports = json_object();

	json_object_set_new(reports, fixture_serials[ecu], report_of(f, ecu, file, sha256, more));
	return reports;
}

/* Hands in what the primary runs, with a counter. */
static int
count(struct fixture *f, const char *counter, const char *file, struct reply *reply)
{
	json_t *reports = one_report(f, PRIM, file, NOTHING, json_pack("{s:s}", "report_counter", counter));

	return fixture_send(f, fixture_manifest(f, reports, NULL), reply);
}

static void
correlation_of(struct fixture *f, char out[static STATE_CORRELATION_MAX])
{
	AUTO(free_p) struct assignment *open = NULL;
	struct err err = { 0 };
	size_t count;

	assert_int_equal(state_assignments(f->core.state, "car7", &open, &count, &err), 0);
	assert_true(count > 0);
	strcpy(out, open[0].correlation);
}

/* Assigns, and makes it so that the device has read of it. */
static void
begin(struct fixture *f, const char *text, char correlation[static STATE_CORRELATION_MAX])
{
	struct err err = { 0 };

	if (fixture_assign(f, text, &err) < 0)
		fail_msg("%s", err.text);
	fixture_read(f, 1000);
	correlation_of(f, correlation);
}

static json_t *
result(bool is_success, const char *code, const char *text)
{
	return json_pack("{s:b,s:s,s:s}", "success", is_success, "code", code, "description", text);
}

/* A report; @items (released) are results by serial. */
static json_t *
report(const char *correlation, json_t *overall, json_t *items)
{
	json_t *list = json_array(), *one;
	const char *serial;

	json_object_foreach(items, serial, one)
	    json_array_append_new(list, json_pack("{s:s,s:O}", "ecu", serial, "result", one));
	json_decref(items);
	return json_pack(
	    "{s:{s:s,s:o,s:o}}", "report", "correlation_id", correlation, "result", overall, "items", list);
}

static int
send(struct fixture *f, json_t *reports, json_t *installation)
{
	struct reply reply;

	return fixture_send(f, fixture_manifest(f, reports, installation), &reply);
}

/* -- what is stored -- */

static size_t
open_count(struct fixture *f)
{
	AUTO(free_p) struct assignment *open = NULL;
	struct err err = { 0 };
	size_t count;

	assert_int_equal(state_assignments(f->core.state, "car7", &open, &count, &err), 0);
	return count;
}

struct looking {
	const char *ecu;
	struct installation found;
};

static int
look(const struct installation *one, void *context)
{
	struct looking *looking = context;

	if (!strcmp(one->ecu, looking->ecu))
		looking->found = *one;
	return 0;
}

/* The last row of @ecu. */
static void
ended(struct fixture *f, const char *ecu, const char *state, const char *code, const char *text)
{
	struct looking looking = { .ecu = ecu };
	struct err err = { 0 };

	assert_int_equal(state_installations(f->core.state, "car7", look, &looking, &err), 0);
	assert_string_equal(looking.found.result, state);
	assert_string_equal(looking.found.code, code);
	assert_string_equal(looking.found.text, text);
}

/* -- forms of old clients -- */

static void
reads_the_form_with_an_array(void **state)
{
	struct fixture *f = *state;
	struct reply reply;
	json_t *list = json_array();

	json_array_append_new(list, report_of(f, PRIM, "one", NOTHING, NULL));
	json_array_append_new(list, report_of(f, SEC_1, "two", NOTHING, NULL));
	assert_int_equal(fixture_send(f,
			     fixture_sign(f->keys[PRIM], json_pack("{s:s,s:o}", "primary_ecu_serial", "prim",
							     "ecu_version_manifest", list)),
			     &reply),
	    200);
	assert_int_equal(fixture_told(f, "ECU prim runs one,"), 1);
	assert_int_equal(fixture_told(f, "ECU sec-1 runs two,"), 1);

	list = json_array();
	json_array_append_new(list, report_of(f, PRIM, "one", NOTHING, NULL));
	json_array_append_new(list, report_of(f, PRIM, "two", NOTHING, NULL));
	assert_int_equal(fixture_send(f,
			     fixture_sign(f->keys[PRIM], json_pack("{s:s,s:o}", "primary_ecu_serial", "prim",
							     "ecu_version_manifest", list)),
			     &reply),
	    400);
	assert_non_null(strstr(reply.description, "an ECU is told of twice"));
}

static json_t *
operation(const char *file, int code, const char *text)
{
	return json_pack("{s:{s:{s:s,s:i,s:s}}}", "custom", "operation_result", "id", file, "result_code", code,
	    "result_text", text);
}

static void
takes_an_old_clients_failure_of_what_it_has_read(void **state)
{
	struct fixture *f = *state;
	char correlation[STATE_CORRELATION_MAX];
	struct err err = { 0 };

	/* Of an earlier try: it cannot have read of this one. */
	assert_int_equal(fixture_assign(f, "app 1.0", &err), 0);
	send(f, one_report(f, PRIM, "unknown", NOTHING, operation("app-1.0", 4, "disk full")), NULL);
	assert_int_equal(open_count(f), 1);
	assert_int_equal(fixture_assign(f, "cancel", &err), 0);

	begin(f, "app 1.0", correlation);
	send(f, one_report(f, PRIM, "unknown", NOTHING, operation("app-2.0", 4, "of another")), NULL);
	assert_int_equal(open_count(f), 1);
	send(f, one_report(f, PRIM, "unknown", NOTHING, operation("app-1.0", 4, "disk full")), NULL);
	assert_int_equal(open_count(f), 0);
	ended(f, "prim", "failed", "", "disk full");

	/* The same words about another try, and these repeated. */
	begin(f, "app 1.0", correlation);
	send(f, one_report(f, PRIM, "unknown", NOTHING, operation("app-1.0", 4, "disk full")), NULL);
	assert_int_equal(open_count(f), 0);
}

/* -- reports -- */

static void
tells_a_failed_update_for_each_ecu(void **state)
{
	struct fixture *f = *state;
	char correlation[STATE_CORRELATION_MAX];

	begin(f, "app 1.0\nfw 1.0", correlation);
	send(f, one_report(f, SEC_1, "fw-1.0", FW_1, NULL),
	    report(correlation, result(false, "hw-a:INSTALL_FAILED|hw-b:OK", "not all"),
		json_pack("{s:o,s:o}", "prim", result(false, "INSTALL_FAILED", "no room on /boot"), "sec-1",
		    result(true, "OK", "done"))));
	assert_int_equal(open_count(f), 0);
	ended(f, "prim", "failed", "INSTALL_FAILED", "no room on /boot");
	ended(f, "sec-1", "installed", "OK", "done");
	ended(f, "sec-2", "failed", "hw-a:INSTALL_FAILED|hw-b:OK", "not all");
	assert_non_null(
	    strstr(f->device.failure, "ECU prim to app-1.0 failed: INSTALL_FAILED: no room on /boot; "
				      "the update of ECU sec-2 to fw-1.0 failed: hw-a:INSTALL_FAILED"));
	assert_string_equal(f->device.status, STANDING_ERROR);
	assert_int_equal(fixture_told(f, "reported for ECU prim failure INSTALL_FAILED: no room on /boot"), 1);
}

static void
keeps_no_words_that_speak_of_another_end(void **state)
{
	struct fixture *f = *state;
	char correlation[STATE_CORRELATION_MAX];

	/* sec-1 says OK and runs something else; sec-2 says nothing and runs it; an ECU that nobody knows. */
	begin(f, "fw 1.0", correlation);
	send(f, one_report(f, SEC_2, "fw-1.0", FW_1, NULL),
	    report(correlation, result(false, "INSTALL_FAILED", "not all"),
		json_pack("{s:o,s:o}", "sec-1", result(true, "OK", "done"), "sec-9", result(false, "X", "y"))));
	assert_int_equal(open_count(f), 0);
	ended(f, "sec-1", "failed", "INSTALL_FAILED", "not all");
	ended(f, "sec-2", "installed", "", "");
	assert_int_equal(fixture_told(f, "sec-9"), 0);

	/* An old client tells of what it did before. */
	begin(f, "app 1.0", correlation);
	send(f, one_report(f, PRIM, "app-1.0", APP_1, operation("app-0.9", 0, "of another")), NULL);
	ended(f, "prim", "installed", "", "");
}

static void
ends_one_ecu_of_an_update_that_went_well_otherwise(void **state)
{
	struct fixture *f = *state;
	char correlation[STATE_CORRELATION_MAX];

	begin(f, "fw 1.0", correlation);
	send(f, one_report(f, SEC_1, "fw-0", NOTHING, NULL),
	    report(correlation, result(true, "OK", ""),
		json_pack("{s:o}", "sec-1", result(false, "INSTALL_FAILED", "flash is worn"))));
	assert_int_equal(open_count(f), 1);
	ended(f, "sec-1", "failed", "INSTALL_FAILED", "flash is worn");
	send(f, one_report(f, SEC_2, "fw-1.0", FW_1, NULL), NULL);
	assert_int_equal(open_count(f), 0);
	assert_string_equal(f->device.status, STANDING_ERROR);
}

static void
doubts_a_success_of_an_ecu_that_runs_something_else(void **state)
{
	struct fixture *f = *state;
	char correlation[STATE_CORRELATION_MAX];

	begin(f, "app 1.0", correlation);
	for (int i = 0; i < 2; i++) {
		send(f, one_report(f, PRIM, "app-0.9", NOTHING, NULL),
		    report(correlation, result(true, "OK", ""), json_object()));
		assert_int_equal(open_count(f), 1);
		assert_non_null(strstr(f->device.why,
		    "app-1.0 is reported as installed on ECU prim, which runs app-0.9: it stays open"));
		assert_int_equal(fixture_told(f, "is reported as installed"), 1);
	}
	/* Of an ECU that is not listed nothing is known yet. */
	send(f, json_object(), report(correlation, result(true, "OK", "again"), json_object()));
	assert_int_equal(fixture_told(f, "is reported as installed"), 1);
	assert_int_equal(open_count(f), 1);
}

static void
says_when_somebody_in_the_vehicle_did_not_want_it(void **state)
{
	struct fixture *f = *state;
	char correlation[STATE_CORRELATION_MAX];

	begin(f, "app 1.0", correlation);
	send(f, json_object(),
	    report(correlation, result(false, "hw-a:OPERATION_CANCELLED", "driver said no"), json_object()));
	ended(f, "prim", "cancelled", "hw-a:OPERATION_CANCELLED", "driver said no");
	assert_non_null(strstr(f->device.failure, "was cancelled by the device"));
	assert_int_equal(fixture_told(f, "cancelled app-1.0 on ECU prim, urn:here-ota:mtu:"), 1);
}

static void
waits_for_the_next_start_of_the_device(void **state)
{
	struct fixture *f = *state;
	char correlation[STATE_CORRELATION_MAX];

	begin(f, "app 1.0", correlation);
	send(f, json_object(), report(correlation, result(false, "NEED_COMPLETION", ""), json_object()));
	assert_int_equal(open_count(f), 1);
	send(f, one_report(f, PRIM, "app-1.0", APP_1, NULL),
	    report(correlation, result(true, "OK", ""), json_object()));
	assert_int_equal(open_count(f), 0);
	assert_string_equal(f->device.status, STANDING_UP_TO_DATE);
}

static void
names_the_update_that_a_late_report_is_of(void **state)
{
	struct fixture *f = *state;
	char old[STATE_CORRELATION_MAX], now[STATE_CORRELATION_MAX];
	struct err err = { 0 };

	begin(f, "app 1.0", old);
	assert_int_equal(fixture_assign(f, "cancel!", &err), 0);
	begin(f, "app 2.0", now);
	send(f, json_object(), report(old, result(false, "INSTALL_FAILED", "late"), json_object()));
	assert_int_equal(fixture_told(f, "(of an earlier update)"), 1);
	send(f, json_object(), report("urn:x", result(false, "INSTALL_FAILED", "odd"), json_object()));
	assert_int_equal(fixture_told(f, "urn:x (of an update that is not known here)"), 1);
	send(f, json_object(), report("", result(false, "INSTALL_FAILED", "odd"), json_object()));
	assert_int_equal(fixture_told(f, "(of no update that it names)"), 1);
	assert_int_equal(open_count(f), 1);
}

static void
takes_a_repeated_report_once(void **state)
{
	struct fixture *f = *state;
	char correlation[STATE_CORRELATION_MAX];
	AUTO(free_p) char *before = NULL;
	AUTO(free_p) char *after = NULL;

	begin(f, "app 1.0", correlation);
	send(f, json_object(), report(correlation, result(false, "INSTALL_FAILED", "x"), json_object()));
	before = fixture_history(f);
	send(f, json_object(), report(correlation, result(false, "INSTALL_FAILED", "x"), json_object()));
	after = fixture_history(f);
	assert_string_equal(before, after);
}

static void
keeps_control_characters_of_a_device_out(void **state)
{
	struct fixture *f = *state;
	char correlation[STATE_CORRELATION_MAX];

	begin(f, "app 1.0", correlation);
	send(f, json_object(), report(correlation, result(false, "A\x1b[2J", "b\nc\x1b"), json_object()));
	ended(f, "prim", "failed", "A\\x1b[2J", "b\\x0ac\\x1b");
	assert_null(strchr(f->device.failure, '\x1b'));
	send(f, json_object(), report("\x1b]0;x", result(false, "A", ""), json_object()));
	assert_int_equal(fixture_told(f, "\\x1b]0;x (of an update"), 1);
}

/* -- attacks -- */

static void
tells_of_an_attack_once(void **state)
{
	struct fixture *f = *state;

	for (int i = 0; i < 3; i++)
		send(f,
		    one_report(
			f, PRIM, "x", NOTHING, json_pack("{s:s}", "attacks_detected", "freeze \x1b attack")),
		    NULL);
	assert_int_equal(fixture_told(f, "ECU prim has detected an attack: freeze \\x1b attack"), 1);
	send(f, one_report(f, PRIM, "x", NOTHING, NULL), NULL);
	assert_int_equal(fixture_told(f, "ECU prim tells of no attack any more"), 1);
}

/* -- all ECUs -- */

static void
tells_once_of_an_ecu_that_is_not_in_the_manifest(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) struct ecu *ecus = NULL;
	struct err err = { 0 };
	size_t count;

	/* Of whom nothing is known yet nothing is missed. */
	send(f, one_report(f, PRIM, "x", NOTHING, NULL), NULL);
	assert_int_equal(fixture_told(f, "is not in the manifest"), 0);
	send(f, one_report(f, SEC_1, "y", NOTHING, NULL), NULL);
	assert_int_equal(fixture_told(f, "ECU prim is not in the manifest: the device does not reach it"), 1);
	for (int i = 0; i < 3; i++)
		send(f, one_report(f, PRIM, "x", NOTHING, NULL), NULL);
	assert_int_equal(fixture_told(f, "ECU sec-1 is not in the manifest"), 1);
	assert_int_equal(fixture_told(f, "ECU prim is in the manifest again"), 1);
	fixture_reopen(f);
	assert_int_equal(state_ecus(f->core.state, "car7", &ecus, &count, &err), 0);
	assert_int_equal(ecus[PRIM].absent_at, 0);
	assert_true(ecus[SEC_1].absent_at > 0);
	assert_int_equal(ecus[SEC_2].absent_at, 0);
}

/* -- counters -- */

static void
refuses_a_manifest_whose_counter_was_taken_and_tells_it_once(void **state)
{
	struct fixture *f = *state;
	struct reply reply;

	assert_int_equal(count(f, "5", "one", &reply), 200);
	assert_int_equal(count(f, "6", "two", &reply), 200);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(count(f, "5", "one", &reply), 409);
		assert_string_equal(reply.code, "replayed_manifest");
		assert_non_null(strstr(reply.description, "car7: report_counter 5 is not above 6"));
	}
	assert_int_equal(count(f, "6", "one", &reply), 409);
	assert_int_equal(fixture_told(f, "replayed manifest refused: report_counter 5, 6 was taken"), 1);
	assert_int_equal(fixture_told(f, "replayed"), 1);
	assert_non_null(strstr(f->device.why, "write \"reset\" into devices/car7/counter"));
	assert_int_equal(fixture_told(f, "ECU prim runs one"), 1);

	/* After a good one it is told again. */
	assert_int_equal(count(f, "7", "two", &reply), 200);
	assert_int_equal(count(f, "7", "three", &reply), 409);
	assert_int_equal(fixture_told(f, "replayed"), 2);
}

static void
answers_the_same_body_again_and_does_nothing(void **state)
{
	struct fixture *f = *state;
	char correlation[STATE_CORRELATION_MAX];
	AUTO(json_decref_p) json_t *manifest = NULL;
	AUTO(free_p) char *before = NULL;
	AUTO(free_p) char *after = NULL;
	struct reply reply;

	begin(f, "app 1.0", correlation);
	manifest =
	    fixture_manifest(f, one_report(f, PRIM, "x", NOTHING, json_pack("{s:s}", "report_counter", "9")),
		report(correlation, result(false, "INSTALL_FAILED", "x"), json_object()));
	assert_int_equal(fixture_send(f, json_incref(manifest), &reply), 200);
	before = fixture_history(f);
	fixture_reopen(f);
	assert_int_equal(fixture_send(f, json_incref(manifest), &reply), 200);
	after = fixture_history(f);
	assert_string_equal(before, after);
}

static void
counts_anew_after_a_registration(void **state)
{
	struct fixture *f = *state;
	struct reply reply;
	struct err err = { 0 };

	assert_int_equal(count(f, "5", "one", &reply), 200);
	assert_int_equal(count(f, "6", "one", &reply), 200); /* tells nothing new: only noted */
	assert_int_equal(count(f, "6", "two", &reply), 409);
	assert_int_equal(fixture_enroll(f, fixture_ecus(f, ECUS), &reply, &err), 0);
	assert_int_equal(count(f, "1", "two", &reply), 200);
}

static void
counts_anew_when_an_administrator_says_so(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	AUTO(fclose_p) FILE *out = NULL;
	struct reply reply;
	struct err err = { 0 };
	size_t bytes;

	assert_int_equal(count(f, "5", "one", &reply), 200);
	out = open_memstream(&text, &bytes);
	assert_int_equal(counter_print(&f->core, &f->device, out, &err), 0);
	fflush(out);
	assert_string_equal(text, "prim 5\nsec-1 -\nsec-2 -\n");
	assert_int_equal(counter_write(&f->core, &f->device, "5\n", "test", &err), -EINVAL);
	assert_reason(err, "\"5\" is no command: \"reset\" is");
	assert_int_equal(counter_write(&f->core, &f->device, "reset\n", "test", &err), 0);
	assert_int_equal(count(f, "1", "two", &reply), 200);
	assert_int_equal(fixture_told(f, "counters reset by test"), 1);
}

static void
takes_odd_counters_for_none(void **state)
{
	static const char *const odd[] = { "", "-1", "1e3", "0x5", "9999999999999999999" };
	struct fixture *f = *state;
	struct reply reply;

	for (size_t i = 0; i < sizeof(odd) / sizeof(odd[0]); i++)
		assert_int_equal(count(f, odd[i], "one", &reply), 200);
	assert_int_equal(count(f, "0", "one", &reply), 200);
	assert_int_equal(count(f, "0", "two", &reply), 409);
}

static void
passes_over_an_old_report_of_a_secondary_and_tells_it_once(void **state)
{
	struct fixture *f = *state;

	send(f, one_report(f, SEC_1, "old", NOTHING, json_pack("{s:s}", "report_counter", "3")), NULL);
	send(f, one_report(f, SEC_1, "new", NOTHING, json_pack("{s:s}", "report_counter", "4")), NULL);
	for (int i = 0; i < 3; i++)
		send(f, one_report(f, SEC_1, "old", NOTHING, json_pack("{s:s}", "report_counter", "3")), NULL);
	assert_int_equal(fixture_told(f, "ECU sec-1 runs old"), 1);
	assert_int_equal(fixture_told(f, "ECU sec-1: report with counter 3 passed over, 4 was taken"), 1);
	assert_non_null(strstr(f->device.why, "write \"reset\" into devices/car7/counter"));
	/* Its last report again is no old one. */
	send(f, one_report(f, SEC_1, "new", NOTHING, json_pack("{s:s}", "report_counter", "4")), NULL);
	assert_int_equal(fixture_told(f, "passed over"), 1);
}

/* -- between preparing and taking -- */

static void
verifies_again_when_keys_were_exchanged_meanwhile(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *manifest = fixture_manifest_of(f, PRIM, "one", NOTHING);
	AUTO(free_p) char *text = json_write(manifest);
	json_t *ecus = fixture_ecus(f, ECUS), *first = json_array_get(json_object_get(ecus, "ecus"), 0);
	struct reply reply = { 0 }, ignored;
	struct err err = { 0 };
	void *work = NULL;

	assert_int_equal(manifest_look(&f->core, &f->device, &work, &err), 0);
	assert_int_equal(manifest_prepare(&f->core, &f->device, text, strlen(text), work, &reply, &err), 0);
	json_object_set_new(first, "clientKey", public_key_json(key_pair_public(f->keys[SEC_1])));
	assert_int_equal(fixture_enroll(f, ecus, &ignored, &err), 0);
	assert_int_equal(manifest_take(&f->core, &f->device, work, &reply, &err), 0);
	manifest_finish(work);
	assert_int_equal(reply.status, 400);
	assert_string_equal(reply.code, "signature_not_valid");
	assert_int_equal(fixture_told(f, "runs one"), 0);
}

/* -- the disk -- */

static int64_t
log_bytes(const struct fixture *f)
{
	char path[CONFIG_VALUE_MAX + 8];
	struct stat st;

	snprintf(path, sizeof(path), "%s-wal", f->config.state);
	assert_int_equal(stat(path, &st), 0);
	return st.st_size;
}

static void
writes_nothing_for_polls_that_tell_nothing_new(void **state)
{
	struct fixture *f = *state;
	char correlation[STATE_CORRELATION_MAX], counter[16];
	struct reply reply;
	int64_t before;

	begin(f, "app 1.0", correlation);
	assert_int_equal(count(f, "1", "one", &reply), 200);
	before = log_bytes(f);
	for (int i = 2; i < 9; i++) {
		snprintf(counter, sizeof(counter), "%d", i);
		assert_int_equal(count(f, counter, "one", &reply), 200);
		assert_int_equal(f->device.polls, i);
	}
	assert_int_equal(log_bytes(f), before);
	assert_int_equal(count(f, "9", "two", &reply), 200);
	assert_true(log_bytes(f) > before);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(reads_the_form_with_an_array),
		TEST(takes_an_old_clients_failure_of_what_it_has_read),
		TEST(tells_a_failed_update_for_each_ecu),
		TEST(keeps_no_words_that_speak_of_another_end),
		TEST(ends_one_ecu_of_an_update_that_went_well_otherwise),
		TEST(doubts_a_success_of_an_ecu_that_runs_something_else),
		TEST(says_when_somebody_in_the_vehicle_did_not_want_it),
		TEST(waits_for_the_next_start_of_the_device),
		TEST(names_the_update_that_a_late_report_is_of),
		TEST(takes_a_repeated_report_once),
		TEST(keeps_control_characters_of_a_device_out),
		TEST(tells_of_an_attack_once),
		TEST(tells_once_of_an_ecu_that_is_not_in_the_manifest),
		TEST(refuses_a_manifest_whose_counter_was_taken_and_tells_it_once),
		TEST(answers_the_same_body_again_and_does_nothing),
		TEST(counts_anew_after_a_registration),
		TEST(counts_anew_when_an_administrator_says_so),
		TEST(takes_odd_counters_for_none),
		TEST(passes_over_an_old_report_of_a_secondary_and_tells_it_once),
		TEST(verifies_again_when_keys_were_exchanged_meanwhile),
		TEST(writes_nothing_for_polls_that_tell_nothing_new),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
