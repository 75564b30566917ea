/* Registrations of ECUs: first, again, changed, and every refusal. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "otafs/assign.h"
#include "otafs/device.h"
#include "otafs/enroll.h"
#include "otafs/node.h"
#include "otafs/standing.h"
#include "state/seen.h"
#include "tests/unit/fault.h"
#include "tests/unit/fixture.h"

static json_t *
ecu_in(json_t *body, size_t at)
{
	return json_array_get(json_object_get(body, "ecus"), at);
}

static void
refused(struct fixture *f, json_t *body, const char *code, const char *words)
{
	AUTO(free_p) char *before = fixture_history(f);
	AUTO(free_p) char *after = NULL;
	struct err err = { 0 };
	struct reply reply;

	assert_int_equal(fixture_enroll(f, body, &reply, &err), 0);
	assert_int_equal(reply.status, 400);
	assert_string_equal(reply.code, code);
	if (!strstr(reply.description, words))
		fail_msg("description is \"%s\", expected \"%s\" in it", reply.description, words);
	after = fixture_history(f);
	assert_string_equal(before, after);
}

static void
answers_201_and_then_200_to_the_same_list_without_writing(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *before = fixture_history(f);
	AUTO(free_p) char *after = NULL;
	json_t *body = fixture_ecus(f, ECUS), *first;
	struct err err = { 0 };
	struct reply reply;

	assert_int_equal(fixture_told(f, "ECU prim (hw-a) registered"), 1);
	assert_int_equal(fixture_told(f, "ECU sec-2 (hw-b) registered"), 1);
	assert_int_equal(fixture_enroll(f, json_incref(body), &reply, &err), 0);
	assert_int_equal(reply.status, 200);
	/* In another order it is the same list. */
	first = json_incref(ecu_in(body, 0));
	json_array_remove(json_object_get(body, "ecus"), 0);
	json_array_append_new(json_object_get(body, "ecus"), first);
	assert_int_equal(fixture_enroll(f, body, &reply, &err), 0);
	assert_int_equal(reply.status, 200);
	after = fixture_history(f);
	assert_string_equal(before, after);
}

/* What became of the last update. */
static void
ended(struct fixture *f, const char *ecu, const char *words)
{
	AUTO(free_p) struct installation *last = NULL;
	struct err err = { 0 };
	size_t count;

	assert_int_equal(state_installation_last(f->core.state, "car7", &last, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_string_equal(last[0].ecu, ecu);
	assert_string_equal(last[0].result, INSTALLATION_ENDED);
	assert_string_equal(last[0].text, words);
}

static void
ends_the_assignment_of_an_ecu_with_another_key_and_no_other(void **state)
{
	struct fixture *f = *state;
	AUTO(key_pair_freep) struct key_pair *other = NULL;
	AUTO(free_p) char *open = NULL;
	json_t *body = fixture_ecus(f, ECUS);
	int64_t counter;
	struct err err = { 0 };
	struct reply reply;

	assert_int_equal(key_pair_new(&other, &err), 0);
	assert_int_equal(fixture_assign(f, "fw 1.0", &err), 0);
	counter = f->device.counter;
	json_object_set_new(ecu_in(body, SEC_1), "clientKey", public_key_json(key_pair_public(other)));
	assert_int_equal(fixture_enroll(f, body, &reply, &err), 0);
	assert_int_equal(reply.status, 200);
	open = fixture_open(f);
	assert_null(strstr(open, "sec-1"));
	assert_non_null(strstr(open, "sec-2"));
	assert_int_equal(f->device.counter, counter + 1);
	assert_int_equal(
	    fixture_told(f, "ended fw-1.0 for ECU sec-1, which was replaced, other key, urn:here-ota:mtu:"), 1);
	assert_string_equal(f->device.why, "the update of ECU sec-1 to fw-1.0 has ended, since the device "
					   "registered it as replaced, other key: "
					   "assign it again");
	ended(f, "sec-1", "the ECU was replaced, other key");
	assert_int_equal(fixture_told(f, "ECU sec-1 (hw-b) replaced, other key"), 1);
}

static void
ends_the_assignments_of_ecus_that_are_gone_or_have_another_hardware_id(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *open = NULL;
	json_t *body = fixture_ecus(f, SEC_2);
	struct err err = { 0 };
	struct reply reply;

	assert_int_equal(fixture_assign(f, "app 1.0\nfw 1.0", &err), 0);
	json_object_set_new(ecu_in(body, SEC_1), "hardware_identifier", json_string("hw-c"));
	assert_int_equal(fixture_enroll(f, body, &reply, &err), 0);
	open = fixture_open(f);
	assert_null(strstr(open, "sec-"));
	assert_non_null(strstr(open, "prim"));
	assert_int_equal(fixture_told(f, "which was removed"), 1);
	assert_int_equal(fixture_told(f, "ECU sec-2 (hw-b) removed"), 1);
	assert_int_equal(fixture_told(f, "ECU sec-1 (hw-c) replaced, other hardware id"), 1);
}

static void
takes_another_primary_of_the_same_ecus(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) struct ecu *ecus = NULL;
	json_t *body = fixture_ecus(f, ECUS);
	struct err err = { 0 };
	struct reply reply;
	size_t count;

	json_object_set_new(body, "primary_ecu_serial", json_string("sec-2"));
	assert_int_equal(fixture_enroll(f, body, &reply, &err), 0);
	assert_int_equal(reply.status, 200);
	assert_string_equal(f->device.primary_ecu, "sec-2");
	assert_int_equal(state_ecus(f->core.state, "car7", &ecus, &count, &err), 0);
	assert_string_equal(ecus[0].serial, "sec-2");
	assert_int_equal(fixture_told(f, "ECU sec-2 is the primary now instead of prim"), 1);
}

static void
activates_the_device_and_moves_its_status(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *body = fixture_ecus(f, 2);
	AUTO(free_p) char *text = json_write(body);
	struct reply reply = { 0 };
	struct device car8 = { 0 };
	struct err err = { 0 };

	assert_int_equal(device_add(&f->core, "car8", "test", &err), 0);
	assert_int_equal(state_device(f->core.state, "car8", &car8, &err), 0);
	assert_string_equal(car8.status, STANDING_NOT_SEEN);
	assert_int_equal(enroll_commit(&f->core, &car8, text, strlen(text), &reply, &err), 0);
	assert_int_equal(reply.status, 201);
	assert_int_equal(state_device(f->core.state, "car8", &car8, &err), 0);
	assert_string_equal(car8.status, STANDING_UP_TO_DATE);
	assert_true(car8.activated_at > 0);
	/* The status follows what a registration ends. */
	assert_int_equal(fixture_assign(f, "fw 1.0 sec-2", &err), 0);
	assert_int_equal(standing_update(&f->core, "car7", &err), 0);
	assert_int_equal(fixture_enroll(f, json_incref(body), &reply, &err), 0);
	assert_string_equal(f->device.status, STANDING_UP_TO_DATE);
}

static void
counts_the_manifests_of_a_device_that_was_set_back_anew(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) struct ecu *ecus = NULL;
	struct err err = { 0 };
	struct reply reply;
	size_t count;

	assert_int_equal(state_manifest_taken(f->core.state, "car7", "prim", 41, NOTHING, &err), 0);
	assert_int_equal(state_ecus(f->core.state, "car7", &ecus, &count, &err), 0);
	assert_int_equal(ecus[0].report_counter, 41);
	free_p(&ecus);
	ecus = NULL;
	fixture_load(f);
	assert_int_equal(fixture_enroll(f, fixture_ecus(f, ECUS), &reply, &err), 0);
	assert_int_equal(reply.status, 200);
	assert_int_equal(state_ecus(f->core.state, "car7", &ecus, &count, &err), 0);
	assert_int_equal(ecus[0].report_counter, -1);
	assert_string_equal(f->device.manifest_digest, "");
}

static void
not_wanted(struct fixture *f, json_t *body, const char *words)
{
	AUTO(free_p) struct ecu *before = NULL;
	AUTO(free_p) struct ecu *after = NULL;
	struct err err = { 0 };
	struct reply reply;
	char line[ERR_TEXT_MAX];
	size_t count, count_after;

	assert_int_equal(state_ecus(f->core.state, "car7", &before, &count, &err), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fixture_enroll(f, json_incref(body), &reply, &err), 0);
		assert_int_equal(reply.status, 409);
		assert_string_equal(reply.code, "ecu_replacement_disabled");
	}
	json_decref(body);
	snprintf(line, sizeof(line), "registration refused: %s, and ecu_replacement is 0", words);
	assert_string_equal(reply.description, line);
	assert_string_equal(f->device.why, line);
	assert_int_equal(fixture_told(f, line), 1);
	assert_int_equal(state_ecus(f->core.state, "car7", &after, &count_after, &err), 0);
	assert_int_equal(count, count_after);
	for (size_t i = 0; i < count; i++)
		assert_string_equal(before[i].key, after[i].key);
}

static void
refuses_other_ecus_when_the_setting_says_so(void **state)
{
	struct fixture *f = *state;
	AUTO(key_pair_freep) struct key_pair *other = NULL;
	json_t *body = fixture_ecus(f, ECUS);
	struct err err = { 0 };
	struct reply reply;

	f->config.ecu_replacement = 0;
	assert_int_equal(key_pair_new(&other, &err), 0);
	assert_int_equal(fixture_enroll(f, json_incref(body), &reply, &err), 0);
	assert_int_equal(reply.status, 200);
	json_object_set_new(ecu_in(body, SEC_1), "clientKey", public_key_json(key_pair_public(other)));
	not_wanted(f, body, "ECU sec-1 would be replaced, other key");
	body = fixture_ecus(f, ECUS);
	json_object_set_new(ecu_in(body, SEC_1), "hardware_identifier", json_string("hw-c"));
	not_wanted(f, body, "ECU sec-1 would be replaced, other hardware id");
	not_wanted(f, fixture_ecus(f, 2), "ECU sec-2 would be removed");
	body = fixture_ecus(f, ECUS);
	json_object_set_new(body, "primary_ecu_serial", json_string("sec-2"));
	not_wanted(f, body, "ECU sec-2 would be the primary");
	body = fixture_ecus(f, ECUS);
	json_array_append_new(json_object_get(body, "ecus"), json_deep_copy(ecu_in(body, SEC_1)));
	json_object_set_new(ecu_in(body, ECUS), "ecu_serial", json_string("sec-3"));
	not_wanted(f, body, "ECU sec-3 is new");
}

static void
refuses_lists_that_make_no_sense(void **state)
{
	struct fixture *f = *state;
	json_t *body;

	body = fixture_ecus(f, 2);
	json_object_set_new(body, "primary_ecu_serial", json_string("sec-2"));
	refused(f, body, "primary_is_not_listed_for_device", "the primary is not among the ECUs");
	body = fixture_ecus(f, 2);
	json_object_del(body, "primary_ecu_serial");
	refused(f, body, "invalid_ecus", "member \"primary_ecu_serial\" is missing");
	refused(f, fixture_ecus(f, 0), "invalid_ecus", "ecus: 0 ECUs, allowed are 1 to 100");
	refused(f, json_object(), "invalid_ecus", "ecus: 0 ECUs");
	refused(f, json_array(), "invalid_ecus", "ecus: 0 ECUs");
	body = fixture_ecus(f, 1);
	json_array_append_new(json_object_get(body, "ecus"), json_deep_copy(ecu_in(body, 0)));
	refused(f, body, "invalid_ecus", "ECU prim is listed twice");
	body = fixture_ecus(f, 1);
	for (int i = 0; i < STATE_ECUS_MAX; i++)
		json_array_append_new(json_object_get(body, "ecus"), json_null());
	refused(f, body, "invalid_ecus", "ecus: 101 ECUs, allowed are 1 to 100");
}

static void
refuses_ecus_that_cannot_be_files_or_keys(void **state)
{
	static const struct {
		const char *member, *value, *words;
	} bad[] = {
		{ "ecu_serial", "", "\"ecu_serial\" is missing or no text" },
		{ "ecu_serial", "..", "ECU serial \"..\" is a path, not a name" },
		{ "ecu_serial", "a/b", "ECU serial \"a/b\": character 2 (0x2f)" },
		{ "ecu_serial", "a\nb", "ECU serial \"a\\x0ab\": character 2 (0x0a)" },
		{ "ecu_serial", "\xc3\xa9", "ECU serial \"\\xc3\\xa9\": character 1 (0xc3)" },
		{ "ecu_serial", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
		    "has 65 bytes, at most 64 are allowed" },
		{ "hardware_identifier", "", "\"hardware_identifier\" is missing or no text" },
		{ "hardware_identifier", "a/b", "hardware id \"a/b\"" },
		{ "clientKey", "x", "sec-1: " },
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_t *body = fixture_ecus(f, ECUS);

		json_object_set_new(ecu_in(body, SEC_1), bad[i].member, json_string(bad[i].value));
		refused(f, body, "invalid_ecus", bad[i].words);
	}
}

static int
find_name(const char *name, mode_t mode, void *wanted)
{
	return S_ISREG(mode) && !strcmp(name, wanted);
}

/* aktualizr takes any characters in a serial: what can be a file name works everywhere. */
static void
keeps_ecu_serials_with_strange_characters(void **state)
{
	static char serial[] = "a b\"'\\$(x)*?[]{}<>|&;%s~`^#@!=,.+:-_";
	struct fixture *f = *state;
	AUTO(free_p) char *content = NULL;
	AUTO(free_p) char *open = NULL;
	json_t *body = fixture_ecus(f, 2);
	struct err err = { 0 };
	struct reply reply;
	struct node node;
	struct stat st;
	char path[128], command[128];

	json_object_set_new(ecu_in(body, SEC_1), "ecu_serial", json_string(serial));
	assert_int_equal(fixture_enroll(f, body, &reply, &err), 0);
	assert_int_equal(reply.status, 200);
	assert_int_equal(node_find(&f->core, VIEW_FULL, "devices/car7/ecus", 0, &node, &err), 0);
	assert_int_equal(node_list(&node, VIEW_FULL, find_name, serial, &err), 1);
	snprintf(path, sizeof(path), "devices/car7/ecus/%s", serial);
	assert_int_equal(node_find(&f->core, VIEW_FULL, path, 0, &node, &err), 0);
	assert_int_equal(node_stat(&node, &st, &content, &err), 0);
	assert_non_null(strstr(content, serial));
	assert_int_equal(st.st_size, strlen(content));
	snprintf(command, sizeof(command), "fw 1.0 %s\n", serial);
	assert_int_equal(fixture_assign(f, command, &err), 0);
	open = fixture_open(f);
	assert_non_null(strstr(open, serial));
}

static void
changes_all_or_nothing_whatever_fails(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *body = fixture_ecus(f, SEC_2);
	AUTO(free_p) char *text = NULL;
	AUTO(free_p) char *before = NULL;
	AUTO(free_p) char *open_before = NULL;
	struct err err = { 0 };
	int calls = 0;

	assert_int_equal(state_certificate_add(f->core.state, "car7", "AB", 1, &err), 0);
	assert_int_equal(fixture_assign(f, "fw 1.0", &err), 0);
	text = json_write(body);
	before = fixture_history(f);
	open_before = fixture_open(f);
	for (;; calls++) {
		AUTO(free_p) char *after = NULL;
		AUTO(free_p) char *open_after = NULL;
		struct reply reply = { 0 };
		int r;

		fault_after(calls);
		r = enroll_commit(&f->core, &f->device, text, strlen(text), &reply, &err);
		if (!fault_stop() || (r == 0 && reply.status == 200))
			break;
		after = fixture_history(f);
		open_after = fixture_open(f);
		assert_string_equal(before, after);
		assert_string_equal(open_before, open_after);
	}
	assert_true(calls > 5);
	assert_int_equal(fixture_told(f, "ECU sec-2 (hw-b) removed"), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(answers_201_and_then_200_to_the_same_list_without_writing),
		TEST(ends_the_assignment_of_an_ecu_with_another_key_and_no_other),
		TEST(ends_the_assignments_of_ecus_that_are_gone_or_have_another_hardware_id),
		TEST(takes_another_primary_of_the_same_ecus),
		TEST(activates_the_device_and_moves_its_status),
		TEST(counts_the_manifests_of_a_device_that_was_set_back_anew),
		TEST(refuses_other_ecus_when_the_setting_says_so),
		TEST(refuses_lists_that_make_no_sense),
		TEST(refuses_ecus_that_cannot_be_files_or_keys),
		TEST(keeps_ecu_serials_with_strange_characters),
		TEST(changes_all_or_nothing_whatever_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
