/* The texts of director documents are what a JSON library would write of them. */
#include "otafs/edition.h"

#include "tests/unit/unit.h"

#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "sign/form.h"

#define HASH "a100000000000000000000000000000000000000000000000000000000000000"

static const struct edition edition = { "car7", 12, 5, "2026-12-04T00:00:00Z" };

/* Canonical, and of the signer's form. */
static json_t *
checked(enum role role, char *text, size_t bytes)
{
	AUTO(free_p) char *again = NULL;
	static struct form form;
	struct err err = { 0 };
	json_t *json;

	assert_int_equal(strlen(text), bytes);
	assert_int_equal(json_read(text, bytes, "document", &json, &err), 0);
	again = json_write(json);
	assert_string_equal(text, again);
	if (form_read(role, text, &form, &err) != 0)
		fail_msg("%s", err.text);
	assert_string_equal(form.device, "car7");
	assert_int_equal(form.version, 12);
	return json;
}

static json_t *
targets(const struct assignment *list, size_t count)
{
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	size_t bytes;

	assert_int_equal(edition_targets(&edition, list, count, &text, &bytes, &err), 0);
	return checked(ROLE_TARGETS, text, bytes);
}

static void
an_empty_document_names_its_device_alone(void **unused)
{
	AUTO(json_decref_p) json_t *json = targets(NULL, 0);
	AUTO(free_p) char *custom = json_write(json_object_get(json, "custom"));

	(void)unused;
	assert_string_equal(custom, "{\"deviceId\":\"car7\"}");
	assert_int_equal(json_object_size(json_object_get(json, "targets")), 0);
}

static void
files_and_ecus_are_in_order_and_files_are_there_once(void **unused)
{
	static const struct assignment list[] = {
		{ "a\"b", "hw\\1", "fw-2", HASH, 7, "BINARY", "urn:1", 0, 0, 0 },
		{ "b c", "hw-a", "app-1", HASH, 0, "OSTREE", "urn:1", 0, 0, 0 },
		{ "c\\", "hw-b", "fw-2", HASH, 7, "BINARY", "urn:1", 0, 0, 0 },
		{ "d", "hw-a", "app-1", HASH, 0, "OSTREE", "urn:1", 0, 0, 0 },
		{ "Z", "hw-a", "a\"\\-1", HASH, 9000000000, "BINARY", "urn:1", 0, 0, 0 },
	};
	AUTO(json_decref_p) json_t *json = targets(list, sizeof(list) / sizeof(list[0]));
	const json_t *files = json_object_get(json, "targets");
	const json_t *ecus =
	    json_object_get(json_object_get(json_object_get(files, "fw-2"), "custom"), "ecuIdentifiers");

	(void)unused;
	assert_int_equal(json_object_size(files), 3);
	assert_int_equal(json_object_size(ecus), 2);
	assert_string_equal(json_text(json_object_get(ecus, "a\"b"), "hardwareId"), "hw\\1");
	assert_string_equal(json_text(json_object_get(json, "custom"), "correlationId"), "urn:1");
	assert_int_equal(
	    json_integer_value(json_object_get(json_object_get(files, "a\"\\-1"), "length")), 9000000000);
}

static void
snapshot_and_timestamp_describe_whole_files(void **unused)
{
	AUTO(json_decref_p) json_t *snapshot = NULL;
	AUTO(json_decref_p) json_t *timestamp = NULL;
	AUTO(free_p) char *text = NULL;
	AUTO(free_p) char *last = NULL;
	struct err err = { 0 };
	const json_t *meta;
	size_t bytes;

	(void)unused;
	assert_int_equal(edition_snapshot(&edition, "{}", 3, "abc", 3, &text, &bytes, &err), 0);
	snapshot = checked(ROLE_SNAPSHOT, text, bytes);
	meta = json_object_get(json_object_get(snapshot, "meta"), "root.json");
	assert_int_equal(json_integer_value(json_object_get(meta, "version")), 3);
	assert_int_equal(json_integer_value(json_object_get(meta, "length")), 2);
	meta = json_object_get(json_object_get(snapshot, "meta"), "targets.json");
	assert_string_equal(json_text(json_object_get(meta, "hashes"), "sha256"),
	    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(edition_timestamp(&edition, "abc", 3, &last, &bytes, &err), 0);
	timestamp = checked(ROLE_TIMESTAMP, last, bytes);
	meta = json_object_get(json_object_get(timestamp, "meta"), "snapshot.json");
	assert_int_equal(json_integer_value(json_object_get(meta, "version")), 12);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_empty_document_names_its_device_alone),
		cmocka_unit_test(files_and_ecus_are_in_order_and_files_are_there_once),
		cmocka_unit_test(snapshot_and_timestamp_describe_whole_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
