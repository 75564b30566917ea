/* All that is known of a device, for programs; and what became of its updates. */
#include "tests/unit/unit.h"

#include <stdlib.h>

#include "lib/cleanup.h"
#include "otafs/assign.h"
#include "otafs/device.h"
#include "otafs/device_json.h"
#include "otafs/label.h"
#include "otafs/past.h"
#include "otafs/report.h"
#include "otafs/tag.h"
#include "otafs/text.h"
#include "state/group.h"
#include "tests/unit/fixture.h"

static json_t *
shown(struct fixture *f, const char *id)
{
	AUTO(free_p) char *text = NULL;
	struct device device = { 0 };
	struct err err = { 0 };
	json_t *json = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	assert_int_equal(state_device(f->core.state, id, &device, &err), 0);
	assert_int_equal(device_json_print(&f->core, &device, out, &err), 0);
	fclose(out);
	assert_int_equal(json_read(text, bytes, "device.json", &json, &err), 0);
	return json;
}

static const char *
text_at(const json_t *json, const char *list, const char *name)
{
	return json_text(json_array_get(json_object_get(json, list), 0), name);
}

static void
tells_all_of_a_new_device(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *json = NULL;
	struct err err = { 0 };

	assert_int_equal(state_device_add(f->core.state, "car8", 1, &err), 0);
	json = shown(f, "car8");
	assert_string_equal(json_text(json, "id"), "car8");
	assert_string_equal(json_text(json, "status"), "NotSeen");
	assert_true(json_is_null(json_object_get(json, "name")));
	assert_true(json_is_null(json_object_get(json, "activatedAt")));
	assert_int_equal(json_array_size(json_object_get(json, "ecus")), 0);
	assert_true(json_is_array(json_object_get(json, "assignments")));
	assert_true(json_is_object(json_object_get(json, "tags")));
}

static void
tells_all_of_a_device_in_use(void **state)
{
	struct fixture *f = *state;
	AUTO(json_decref_p) json_t *json = NULL;
	struct reply reply = { 0 };
	struct err err = { 0 };
	static const char network[] = "{\"hostname\":\"vm\"}";
	const json_t *ecu;

	assert_int_equal(label_write_name(&f->core, &f->device, "Bus 7", "test", &err), 0);
	assert_int_equal(label_write_notes(&f->core, &f->device, "old\nrusty", "test", &err), 0);
	assert_int_equal(tag_write(&f->core, &f->device, "region=EU", "test", &err), 0);
	assert_int_equal(state_certificate_add(f->core.state, "car7", "AB", 1, &err), 0);
	assert_int_equal(
	    report_commit(&f->core, &f->device, "network", network, strlen(network), &reply, &err), 0);
	assert_int_equal(fixture_send(f, fixture_manifest_of(f, PRIM, "app-1.0", APP_1), &reply), 200);
	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	assert_int_equal(fixture_assign(f, "follow fw", &err), 0);
	assert_int_equal(fixture_assign(f, "at 2046-11-22T08:00:00Z fw 2.0", &err), 0);
	assert_int_equal(state_group_add(f->core.state, "eu", 1, &err), 0);
	assert_int_equal(state_member_add(f->core.state, "eu", "car7", &err), 0);
	json = shown(f, "car7");
	assert_string_equal(json_text(json, "name"), "Bus 7");
	assert_string_equal(json_text(json, "notes"), "old\nrusty");
	assert_string_equal(json_text(json_object_get(json, "tags"), "region"), "EU");
	assert_string_equal(json_text(json_object_get(json, "network"), "hostname"), "vm");
	assert_non_null(json_text(json_object_get(json, "told"), "network"));
	assert_non_null(json_text(json, "lastSeen"));
	assert_string_equal(text_at(json, "certificates", "serial"), "AB");
	ecu = json_array_get(json_object_get(json, "ecus"), 0);
	assert_string_equal(json_text(ecu, "serial"), "prim");
	assert_true(json_is_null(json_object_get(ecu, "reportCounter")));
	assert_true(json_is_null(json_object_get(ecu, "absentSince")));
	assert_true(json_is_true(json_object_get(ecu, "primary")));
	assert_string_equal(json_text(json_object_get(ecu, "installed"), "version"), "1.0");
	assert_string_equal(json_text(json_object_get(ecu, "publicKey"), "keytype"), "ED25519");
	assert_string_equal(text_at(json, "assignments", "version"), "2.0");
	assert_string_equal(text_at(json, "followed", "package"), "fw");
	assert_string_equal(text_at(json, "scheduled", "at"), "2046-11-22T08:00:00Z");
	assert_string_equal(json_string_value(json_array_get(json_object_get(json, "groups"), 0)), "eu");
	assert_non_null(strstr(text_at(json, "assignments", "correlationId"), "urn:here-ota:mtu:"));
}

static void
finish(struct fixture *f, const char *result, const char *code, const char *words)
{
	AUTO(free_p) struct assignment *open = NULL;
	struct err err = { 0 };
	size_t count;

	assert_int_equal(state_assignments(f->core.state, "car7", &open, &count, &err), 0);
	assert_int_equal(count, 1);
	open[0].created_at = 1000000000;
	open[0].in_flight_at = *code ? 1000000012 : 0;
	assert_int_equal(assign_finish(&f->core, "car7", &open[0], result, code, words, 1000000243, &err), 0);
	fixture_load(f);
}

static void
ecu_shows(struct fixture *f, const char *ecu, const char *words, bool is_there)
{
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	assert_int_equal(device_print_ecu(&f->core, &f->device, ecu, out, &err), 0);
	fclose(out);
	assert_int_equal(strstr(text, words) != NULL, is_there);
}

static void
tells_what_became_of_updates_and_how_long_they_took(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	struct err err = { 0 };
	size_t bytes;
	FILE *out;
	char *second;

	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	finish(f, INSTALLATION_CANCELLED, "", "");
	assert_int_equal(fixture_assign(f, "app 2.0", &err), 0);
	finish(f, INSTALLATION_FAILED, "INSTALL_FAILED", "no room");
	out = open_memstream(&text, &bytes);
	assert_int_equal(past_print(&f->core, &f->device, out, &err), 0);
	fclose(out);
	assert_non_null(strstr(text,
	    "2001-09-09T01:50:43Z cancelled app-2.0 on ECU prim, assigned 2001-09-09T01:46:40Z, not read, "
	    "finished after 4 min 3 s, urn:here-ota:mtu:"));
	second = strchr(text, '\n') + 1;
	assert_non_null(strstr(second, " failed app-2.0 on ECU prim"));
	assert_non_null(strstr(second, ", read after 12 s, finished after 4 min 3 s, urn:"));
	assert_non_null(strstr(second, ": INSTALL_FAILED: no room\n"));
	ecu_shows(f, "prim", "\ninstallation: 2001-09-09T01:50:43Z cancelled app-2.0 on ECU prim", true);
	ecu_shows(f, "sec-1", "installation: ", false);
	json = shown(f, "car7");
	assert_string_equal(text_at(json, "lastUpdate", "code"), "INSTALL_FAILED");
	assert_string_equal(text_at(json, "lastUpdate", "finishedAt"), "2001-09-09T01:50:43Z");
}

static void
writes_lengths_of_time_in_their_two_largest_units(void **state)
{
	static const struct {
		int64_t seconds;
		const char *words;
	} lengths[] = { { -5, "0 s" }, { 0, "0 s" }, { 59, "59 s" }, { 60, "1 min" }, { 61, "1 min 1 s" },
		{ 7199, "1 h 59 min" }, { 7200, "2 h" }, { 86399, "23 h 59 min" }, { 90061, "1 d 1 h" },
		{ 86400 * 400, "400 d" } };
	char out[TEXT_DURATION_SIZE];

	(void)state;
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		text_duration(lengths[i].seconds, out);
		assert_string_equal(out, lengths[i].words);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(tells_all_of_a_new_device),
		TEST(tells_all_of_a_device_in_use),
		TEST(tells_what_became_of_updates_and_how_long_they_took),
		cmocka_unit_test(writes_lengths_of_time_in_their_two_largest_units),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
