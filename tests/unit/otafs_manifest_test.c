/* Manifests: what is taken over, what is refused with which code, and that a refused one changes nothing. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "otafs/manifest.h"
#include "tests/unit/fault.h"
#include "tests/unit/fixture.h"

static json_t *
signed_of(json_t *envelope)
{
	return json_object_get(envelope, "signed");
}

/* Is refused with @code and @words, which why tells, and the history if it did not last; ECUs and counter stay.
 * @manifest is released. */
static void
refused(struct fixture *f, json_t *manifest, const char *code, const char *words)
{
	AUTO(free_p) char *before = fixture_history(f);
	AUTO(free_p) char *after = NULL;
	struct device was = f->device;
	char told[128];
	struct reply reply;

	assert_int_equal(fixture_send(f, manifest, &reply), 400);
	assert_string_equal(reply.code, code);
	snprintf(told, sizeof(told), "manifest refused: %s: ", code);
	if (!strstr(reply.description, words))
		fail_msg("description is \"%s\", expected \"%s\" in it", reply.description, words);
	after = fixture_history(f);
	assert_int_equal(strncmp(after, before, strlen(before)), 0);
	if (strncmp(was.why, told, strlen(told)) == 0)
		assert_string_equal(before, after);
	else
		assert_non_null(strstr(after + strlen(before), told));
	assert_int_equal(strncmp(f->device.why, told, strlen(told)), 0);
	assert_int_equal(f->device.counter, was.counter);
}

/* The ECU as the state has it; no memory is held. */
static struct ecu
ecu_of(struct fixture *f, int at)
{
	AUTO(free_p) struct ecu *ecus = NULL;
	struct err err = { 0 };
	size_t count;

	assert_int_equal(state_ecus(f->core.state, "car7", &ecus, &count, &err), 0);
	assert_int_equal(count, ECUS);
	return ecus[at];
}

/* The correlation id of what is open. */
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

static size_t
open_count(struct fixture *f)
{
	AUTO(free_p) struct assignment *open = NULL;
	struct err err = { 0 };
	size_t count;

	assert_int_equal(state_assignments(f->core.state, "car7", &open, &count, &err), 0);
	return count;
}

static void
takes_over_what_the_ecus_run(void **state)
{
	struct fixture *f = *state;
	json_t *reports = json_object();
	struct reply reply;

	json_object_set_new(reports, "prim", fixture_runs(f, PRIM, "unknown", NOTHING));
	json_object_set_new(reports, "sec-2", fixture_runs(f, SEC_2, "fw-1.0", FW_1));
	assert_int_equal(fixture_send(f, fixture_manifest(f, reports, NULL), &reply), 200);
	assert_null(reply.code);
	assert_string_equal(ecu_of(f, PRIM).installed, "unknown");
	assert_string_equal(ecu_of(f, SEC_1).installed, "");
	assert_string_equal(ecu_of(f, SEC_2).installed, "fw-1.0");
	assert_string_equal(ecu_of(f, SEC_2).installed_sha256, FW_1);
	assert_int_equal(fixture_told(f, "ECU sec-2 runs fw-1.0, sha256 " FW_1), 1);
	assert_true(f->device.seen_at > 0);
}

static void
writes_nothing_when_nothing_is_new(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *before = NULL;
	AUTO(free_p) char *after = NULL;
	struct reply reply;

	assert_int_equal(fixture_send(f, fixture_manifest_of(f, PRIM, "unknown", NOTHING), &reply), 200);
	before = fixture_history(f);
	assert_int_equal(fixture_send(f, fixture_manifest_of(f, PRIM, "unknown", NOTHING), &reply), 200);
	after = fixture_history(f);
	assert_string_equal(before, after);
}

/* Names that devices made up themselves: other alphabets, control characters, the longest one. */
static void
tells_a_strange_file_name_once_and_not_at_every_poll(void **state)
{
	static const char *const names[] = { "f\xc3\xbcr-1", "a\tb\nc", "x" };
	struct fixture *f = *state;
	char longest[NAME_TARGET_MAX + 1];
	struct reply reply;

	for (size_t i = 0; i < 3; i++)
		for (int polls = 0; polls < 3; polls++)
			assert_int_equal(
			    fixture_send(f, fixture_manifest_of(f, PRIM, names[i], NOTHING), &reply), 200);
	assert_int_equal(fixture_told(f, "ECU prim runs f\\xc3\\xbcr-1,"), 1);
	assert_int_equal(fixture_told(f, "ECU prim runs a\\x09b\\x0ac,"), 1);
	memset(longest, 'n', NAME_TARGET_MAX);
	longest[NAME_TARGET_MAX] = '\0';
	for (int polls = 0; polls < 3; polls++)
		assert_int_equal(fixture_send(f, fixture_manifest_of(f, PRIM, longest, NOTHING), &reply), 200);
	assert_string_equal(ecu_of(f, PRIM).installed, longest);
	assert_int_equal(fixture_told(f, "ECU prim runs nnnn"), 1);
}

static void
takes_hashes_in_either_case_and_refuses_what_is_none(void **state)
{
	static const char upper[] = "A100000000000000000000000000000000000000000000000000000000000000";
	static const char odd[] = "A1000000000000000000000000000000000000000000000000000000000000\n\"";
	struct fixture *f = *state;
	struct err err = { 0 };
	struct reply reply;

	assert_int_equal(fixture_assign(f, "app 1.0", &err), 0);
	refused(f, fixture_manifest_of(f, PRIM, "app-1.0", odd), "invalid_manifest",
	    "filepath is too long, or sha256 is not 64 digits");
	refused(
	    f, fixture_manifest_of(f, PRIM, "app-1.0", "a1"), "invalid_manifest", "sha256 is not 64 digits");
	assert_int_equal(fixture_send(f, fixture_manifest_of(f, PRIM, "app-1.0", upper), &reply), 200);
	assert_int_equal(open_count(f), 0);
	assert_string_equal(ecu_of(f, PRIM).installed_sha256, APP_1);
}

static void
ends_an_assignment_when_its_ecu_runs_its_file_and_hash(void **state)
{
	struct fixture *f = *state;
	int64_t counter;
	struct err err = { 0 };
	struct reply reply;

	assert_int_equal(fixture_assign(f, "fw 1.0", &err), 0);
	counter = f->device.counter;
	assert_int_equal(fixture_send(f, fixture_manifest_of(f, SEC_1, "fw-1.0", FW_2), &reply), 200);
	assert_int_equal(open_count(f), 2);
	assert_int_equal(f->device.counter, counter);
	assert_int_equal(fixture_send(f, fixture_manifest_of(f, SEC_1, "fw-1.0", FW_1), &reply), 200);
	assert_int_equal(open_count(f), 1);
	assert_int_equal(f->device.counter, counter + 1);
	assert_int_equal(fixture_send(f, fixture_manifest_of(f, SEC_2, "fw-1.0", FW_1), &reply), 200);
	assert_int_equal(open_count(f), 0);
	assert_int_equal(f->device.counter, counter + 2);
	assert_int_equal(fixture_told(f, "installed fw-1.0 on ECU sec-2, urn:here-ota:mtu:"), 1);
}

static void
ends_an_update_that_the_device_reports_as_failed(void **state)
{
	struct fixture *f = *state;
	char correlation[STATE_CORRELATION_MAX];
	int64_t counter;
	struct err err = { 0 };
	struct reply reply;

	assert_int_equal(fixture_assign(f, "app 1.0\nfw 1.0", &err), 0);
	counter = f->device.counter;
	correlation_of(f, correlation);
	assert_int_equal(
	    fixture_send(f, fixture_manifest(f, json_object(), fixture_result(false, correlation)), &reply),
	    200);
	assert_int_equal(open_count(f), 0);
	assert_int_equal(f->device.counter, counter + 1);
	assert_int_equal(fixture_told(f, "reported failure INSTALL_FAILED: as it went, urn:here-ota:mtu:"), 1);
	assert_int_equal(fixture_told(f, "failed fw-1.0 on ECU sec-1, urn:here-ota:mtu:"), 1);
}

static void
leaves_a_newer_update_alone_when_an_older_one_failed(void **state)
{
	struct fixture *f = *state;
	char old[STATE_CORRELATION_MAX];
	struct err err = { 0 };
	struct reply reply;

	assert_int_equal(fixture_assign(f, "app 1.0", &err), 0);
	correlation_of(f, old);
	assert_int_equal(fixture_assign(f, "cancel", &err), 0);
	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	assert_int_equal(
	    fixture_send(f, fixture_manifest(f, json_object(), fixture_result(false, old)), &reply), 200);
	assert_int_equal(
	    fixture_send(f, fixture_manifest(f, json_object(), fixture_result(false, "")), &reply), 200);
	assert_int_equal(open_count(f), 1);
	assert_int_equal(fixture_told(f, "reported failure"), 2);
}

/* One for each ECU. More would be looked through for each ECU anew, under everybody's lock. */
static void
reads_only_so_many_items_of_a_report(void **state)
{
	struct fixture *f = *state;
	json_t *result = fixture_result(false, "urn:x"), *items = json_array();
	json_t *reports = json_object();
	struct reply reply;

	for (int i = 0; i <= STATE_ECUS_MAX; i++)
		json_array_append_new(items, json_pack("{s:s,s:{s:b,s:s}}", "ecu",
						 i == 0                ? "sec-1"
						 : i == STATE_ECUS_MAX ? "prim"
								       : "x",
						 "result", "success", 0, "code", "BROKEN"));
	json_object_set_new(json_object_get(result, "report"), "items", items);
	json_object_set_new(reports, "prim", fixture_runs(f, PRIM, "unknown", NOTHING));
	assert_int_equal(fixture_send(f, fixture_manifest(f, reports, result), &reply), 200);
	assert_int_equal(fixture_told(f, "reported for ECU sec-1 failure BROKEN"), 1);
	assert_int_equal(fixture_told(f, "reported for ECU prim"), 0);
}

static void
ends_nothing_on_a_report_of_success_alone(void **state)
{
	struct fixture *f = *state;
	char correlation[STATE_CORRELATION_MAX];
	struct err err = { 0 };
	struct reply reply;

	assert_int_equal(fixture_assign(f, "app 1.0", &err), 0);
	correlation_of(f, correlation);
	assert_int_equal(
	    fixture_send(f, fixture_manifest(f, json_object(), fixture_result(true, correlation)), &reply),
	    200);
	assert_int_equal(open_count(f), 1);
	assert_int_equal(fixture_told(f, "reported success OK: as it went"), 1);
}

static void
refuses_what_is_no_manifest(void **state)
{
	static const char *const bodies[] = { "", "{", "[]", "null", "{}", "{\"signed\":{}}",
		"{\"signatures\":[],\"signed\":[]}", "{\"signatures\":[7],\"signed\":{}}", "{\"a\":1,\"a\":2}",
		"\xff\xfe", "{\"signatures\":[],\"signed\":{\"x\":\"\\u0000\"}}" };
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bodies) / sizeof(bodies[0]); i++) {
		struct reply reply = { 0 };
		struct err err = { 0 };

		assert_int_equal(
		    manifest_commit(&f->core, &f->device, bodies[i], strlen(bodies[i]), &reply, &err), 0);
		assert_int_equal(reply.status, 400);
		assert_string_equal(reply.code, "invalid_manifest");
		assert_true(reply.description[0] != '\0');
	}
}

static void
refuses_every_truncation(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *manifest = fixture_manifest_of(f, PRIM, "app-1.0", APP_1);
	AUTO(free_p) char *text = json_write(manifest);

	for (size_t bytes = 0; bytes < strlen(text); bytes += 7) {
		struct reply reply = { 0 };
		struct err err = { 0 };

		assert_int_equal(manifest_commit(&f->core, &f->device, text, bytes, &reply, &err), 0);
		assert_int_equal(reply.status, 400);
		assert_string_equal(reply.code, "invalid_manifest");
	}
}

static void
refuses_a_device_without_ecus(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *manifest = fixture_manifest_of(f, PRIM, "app-1.0", APP_1);
	AUTO(free_p) char *text = json_write(manifest);
	struct device device = { .id = "new" };
	struct reply reply = { 0 };
	struct err err = { 0 };

	assert_int_equal(state_device_add(f->core.state, "new", 1, &err), 0);
	assert_int_equal(manifest_commit(&f->core, &device, text, strlen(text), &reply, &err), 0);
	assert_string_equal(reply.code, "device_not_registered");
}

static void
refuses_signatures_that_do_not_match(void **state)
{
	struct fixture *f = *state;
	json_t *manifest = fixture_manifest_of(f, PRIM, "app-1.0", APP_1), *reports, *report;

	json_object_set_new(signed_of(manifest), "extra", json_string("x"));
	refused(f, manifest, "signature_not_valid", "car7: Uptane 2.1, 5.4.4.2: signature invalid");

	/* The primary cannot speak for another ECU. */
	report = fixture_runs(f, SEC_1, "fw-1.0", FW_1);
	json_object_set_new(signed_of(report), "extra", json_string("x"));
	reports = json_object();
	json_object_set_new(reports, "sec-1", report);
	refused(f, fixture_manifest(f, reports, NULL), "signature_not_valid", "car7: ECU sec-1: Uptane 2.1");

	/* No signature at all, and a manifest signed by a secondary. */
	manifest = fixture_manifest_of(f, PRIM, "app-1.0", APP_1);
	json_array_clear(json_object_get(manifest, "signatures"));
	refused(f, manifest, "signature_not_valid", "there is none");
	manifest = fixture_manifest_of(f, PRIM, "app-1.0", APP_1);
	reports = fixture_sign(f->keys[SEC_1], json_incref(signed_of(manifest)));
	json_decref(manifest);
	refused(f, reports, "signature_not_valid", "signature invalid");
}

/* Each is checked: a device must not have thousands checked at every poll. */
static void
refuses_more_signatures_than_clients_make(void **state)
{
	struct fixture *f = *state;
	json_t *manifest = fixture_manifest_of(f, PRIM, "app-1.0", APP_1), *signatures;
	char id[32];

	signatures = json_object_get(manifest, "signatures");
	for (int i = 0; i < 4; i++) {
		json_t *copy = json_deep_copy(json_array_get(signatures, 0));

		snprintf(id, sizeof(id), "other%d", i);
		json_object_set_new(copy, "keyid", json_string(id));
		json_array_append_new(signatures, copy);
	}
	refused(f, manifest, "invalid_manifest", "car7: has more than 4 signatures");
}

static void
refuses_ecus_that_are_not_registered(void **state)
{
	struct fixture *f = *state;
	json_t *reports = json_object();

	json_object_set_new(reports,
	    "s\xc3\xa9"
	    "c\n9",
	    fixture_runs(f, SEC_1, "fw-1.0", FW_1));
	refused(f, fixture_manifest(f, reports, NULL), "ecu_unknown",
	    "ECU \"s\\xc3\\xa9"
	    "c\\x0a9\" is not registered for this device");
}

static void
refuses_a_report_under_another_ecus_name(void **state)
{
	struct fixture *f = *state;
	json_t *reports = json_object(), *report;

	report = fixture_runs(f, SEC_1, "fw-1.0", FW_1);
	json_object_set_new(reports, "sec-2", fixture_sign(f->keys[SEC_2], json_incref(signed_of(report))));
	json_decref(report);
	refused(f, fixture_manifest(f, reports, NULL), "invalid_manifest",
	    "an ECU's report stands under another ECU's name");
}

static void
refuses_a_primary_that_is_not_the_registered_one(void **state)
{
	struct fixture *f = *state;

	refused(f,
	    fixture_sign(
		f->keys[PRIM], json_pack("{s:s,s:{}}", "primary_ecu_serial", "sec-1", "ecu_version_manifests")),
	    "ecu_not_primary", "primary_ecu_serial is not the registered primary");
	refused(f, fixture_sign(f->keys[PRIM], json_pack("{s:{}}", "ecu_version_manifests")),
	    "invalid_manifest", "member \"primary_ecu_serial\" is missing");
	refused(f, fixture_sign(f->keys[PRIM], json_pack("{s:s}", "primary_ecu_serial", "prim")),
	    "invalid_manifest", "ecu_version_manifests is missing");
}

static void
answers_in_words_whatever_stands_in_a_key_id(void **state)
{
	struct fixture *f = *state;
	/* 63 letters and one of two bytes, which a reason of 64 bytes cuts apart. */
	static const char id[] = "kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk\xc3\xa9";
	AUTO(json_decref_p) json_t *manifest = fixture_manifest_of(f, PRIM, "app-1.0", APP_1);
	AUTO(json_decref_p) json_t *body = NULL;
	AUTO(free_p) char *answer = NULL;
	json_t *signatures = json_object_get(manifest, "signatures");
	struct err err = { 0 };
	struct reply reply;
	size_t bytes;

	json_object_set_new(json_array_get(signatures, 0), "keyid", json_string(id));
	json_array_append_new(signatures, json_deep_copy(json_array_get(signatures, 0)));
	assert_int_equal(fixture_send(f, json_incref(manifest), &reply), 400);
	assert_int_equal(reply_write(&reply, &answer, &bytes, &err), 0);
	assert_int_equal(strncmp(answer, "Status: 400 Bad Request\r\n", 25), 0);
	assert_int_equal(json_read(strstr(answer, "\r\n\r\n") + 4, strlen(strstr(answer, "\r\n\r\n") + 4),
			     "answer", &body, &err),
	    0);
	assert_string_equal(json_text(body, "code"), "invalid_manifest");
	assert_non_null(strstr(json_text(body, "description"), "has two signatures"));
}

static void
changes_all_or_nothing_whatever_fails(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *manifest = NULL;
	AUTO(free_p) char *text = NULL;
	AUTO(free_p) char *before = NULL;
	struct err err = { 0 };
	int64_t counter;
	int calls = 0;

	assert_int_equal(state_certificate_add(f->core.state, "car7", "AB", 1, &err), 0);
	assert_int_equal(fixture_assign(f, "app 1.0", &err), 0);
	manifest = fixture_manifest_of(f, PRIM, "app-1.0", APP_1);
	text = json_write(manifest);
	before = fixture_history(f);
	counter = f->device.counter;
	for (;; calls++) {
		AUTO(free_p) char *after = NULL;
		struct reply reply = { 0 };
		int r;

		fault_after(calls);
		r = manifest_commit(&f->core, &f->device, text, strlen(text), &reply, &err);
		if (!fault_stop() || (r == 0 && reply.status == 200))
			break;
		assert_true(r < 0 || reply.status == 400);
		after = fixture_history(f);
		assert_string_equal(before, after);
	}
	assert_true(calls > 5);
	fixture_load(f);
	assert_int_equal(open_count(f), 0);
	assert_int_equal(f->device.counter, counter + 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(takes_over_what_the_ecus_run),
		TEST(writes_nothing_when_nothing_is_new),
		TEST(tells_a_strange_file_name_once_and_not_at_every_poll),
		TEST(takes_hashes_in_either_case_and_refuses_what_is_none),
		TEST(ends_an_assignment_when_its_ecu_runs_its_file_and_hash),
		TEST(ends_an_update_that_the_device_reports_as_failed),
		TEST(leaves_a_newer_update_alone_when_an_older_one_failed),
		TEST(reads_only_so_many_items_of_a_report),
		TEST(ends_nothing_on_a_report_of_success_alone),
		TEST(refuses_what_is_no_manifest),
		TEST(refuses_every_truncation),
		TEST(refuses_a_device_without_ecus),
		TEST(refuses_signatures_that_do_not_match),
		TEST(refuses_more_signatures_than_clients_make),
		TEST(refuses_ecus_that_are_not_registered),
		TEST(refuses_a_report_under_another_ecus_name),
		TEST(refuses_a_primary_that_is_not_the_registered_one),
		TEST(answers_in_words_whatever_stands_in_a_key_id),
		TEST(changes_all_or_nothing_whatever_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
