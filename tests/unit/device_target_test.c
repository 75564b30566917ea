/* Which targets of the director are new, fit this vehicle, and are the image repository's. */
#include "tests/unit/unit.h"

#include <errno.h>

#include "lib/cleanup.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "tests/device/hash.h"
#include "tests/device/target.h"

#define HASH_A "aa00000000000000000000000000000000000000000000000000000000000000"
#define HASH_B "bb00000000000000000000000000000000000000000000000000000000000000"

static json_t *
director_target(const char *serial, const char *hardware, const char *sha256, int length)
{
	return json_pack("{s:i,s:{s:s},s:{s:{s:{s:s}}}}", "length", length, "hashes", "sha256", sha256,
	    "custom", "ecuIdentifiers", serial, "hardwareId", hardware);
}

static json_t *
image_target(const char *hardware, const char *sha256, int length)
{
	return json_pack("{s:i,s:{s:s},s:{s:[s,s]}}", "length", length, "hashes", "sha256", sha256, "custom",
	    "hardwareIds", "other", hardware);
}

static const struct ecus vehicle = {
	.ecu = { { .serial = "1", .hardware = "hw-a" }, { .serial = "2", .hardware = "hw-b" } }, .count = 2
};

/* Whether the director's @target (stolen) named "a" is the image repository's @image (stolen) named @name. */
static bool
is_same(json_t *target, const char *name, json_t *image)
{
	AUTO(json_decref_p) json_t *one = NULL, *other = NULL;

	one = target;
	other = image;
	assert_true(target_is_same("a", one, name, other) == target_is_same(name, other, "a", one));
	return target_is_same("a", one, name, other);
}

static void
is_the_image_of_the_same_name_length_hardware_and_hash(void **state)
{
	(void)state;
	assert_true(is_same(director_target("1", "hw-a", HASH_A, 5), "a", image_target("hw-a", HASH_A, 5)));
	assert_false(is_same(director_target("1", "hw-a", HASH_A, 5), "b", image_target("hw-a", HASH_A, 5)));
	assert_false(is_same(director_target("1", "hw-a", HASH_A, 5), "a", image_target("hw-a", HASH_A, 6)));
	assert_false(is_same(director_target("1", "hw-a", HASH_A, 5), "a", image_target("hw-b", HASH_A, 5)));
	assert_false(is_same(director_target("1", "hw-a", HASH_A, 5), "a", image_target("hw-a", HASH_B, 5)));
}

static void
needs_one_equal_hash_and_no_other(void **state)
{
	json_t *image = image_target("hw-a", HASH_A, 5), *target = director_target("1", "hw-a", HASH_A, 5);

	(void)state;
	json_object_set_new(json_object_get(image, "hashes"), "sha512", json_string("00"));
	assert_true(is_same(json_incref(target), "a", json_incref(image)));
	json_object_set_new(json_object_get(target, "hashes"), "sha512", json_string("01"));
	assert_false(is_same(json_incref(target), "a", json_incref(image)));
	json_object_del(json_object_get(target, "hashes"), "sha512");
	json_object_del(json_object_get(image, "hashes"), "sha256");
	assert_false(is_same(target, "a", image));
	assert_true(is_same(director_target("1", "hw-a", "AA", 5), "a", image_target("hw-a", "aa", 5)));
}

static void
is_for_all_ecus_or_none(void **state)
{
	json_t *target = director_target("1", "hw-a", HASH_A, 5);

	(void)state;
	json_object_set_new(target_ecus(target), "2", json_pack("{s:s}", "hardwareId", "hw-b"));
	assert_false(is_same(json_incref(target), "a", image_target("hw-a", HASH_A, 5)));
	json_object_set_new(target_ecus(target), "2", json_pack("{s:s}", "hardwareId", "other"));
	assert_true(is_same(target, "a", image_target("hw-a", HASH_A, 5)));
}

static void
does_not_take_hardware_ids_of_the_director(void **state)
{
	AUTO(json_decref_p) json_t *image = image_target("hw-a", HASH_A, 5);
	AUTO(json_decref_p) json_t *target = director_target("1", "hw-a", HASH_A, 5);
	struct err err;

	(void)state;
	json_object_set_new(json_object_get(target, "custom"), "hardwareIds", json_pack("[s]", "hw-a"));
	assert_false(target_is_same("a", target, "a", image));
	assert_int_equal(target_mismatch("a", target, image, &err), -EBADMSG);
	assert_reason(err, "director targets.json: \"a\" has hardwareIds in the director's targets");
}

/* Says what target_mismatch() says; both are stolen. */
static void
expect_mismatch(json_t *image, const char *reason)
{
	AUTO(json_decref_p) json_t *owned = NULL, *target = director_target("1", "hw-a", HASH_A, 5);
	struct err err;

	owned = image;
	assert_int_equal(target_mismatch("a", target, owned, &err), -EBADMSG);
	assert_reason(err, reason);
}

static void
says_what_differs(void **state)
{
	(void)state;
	expect_mismatch(NULL, "\"a\" is not in the image repository");
	expect_mismatch(image_target("hw-a", HASH_A, 6), "has another length");
	expect_mismatch(image_target("hw-b", HASH_A, 5), "is for other hardware");
	expect_mismatch(image_target("hw-a", HASH_B, 5), "has no equal or another hash");
}

/* Asks for what is new when the director lists @target (stolen) as "a". */
static int
find(json_t *target, const struct ecus *ecus, size_t *count, struct err *err)
{
	AUTO(json_decref_p) json_t *targets = json_pack("{s:o}", "a", target), *found = NULL;
	int r = target_find_new(targets, ecus, &found, err);

	*count = json_object_size(found);
	return r;
}

static void
finds_what_is_not_installed(void **state)
{
	AUTO(json_decref_p)
	json_t *installed =
	    json_pack("{s:s,s:o}", "name", "a", "target", director_target("1", "hw-a", HASH_A, 5));
	struct ecus ecus = vehicle;
	struct err err;
	size_t count;

	(void)state;
	assert_int_equal(find(director_target("1", "hw-a", HASH_A, 5), &ecus, &count, &err), 0);
	assert_int_equal(count, 1);
	ecus.ecu[0].installed = installed;
	assert_int_equal(find(director_target("1", "hw-a", HASH_A, 5), &ecus, &count, &err), 0);
	assert_int_equal(count, 0);
	json_object_set_new(installed, "name", json_string("b"));
	assert_int_equal(find(director_target("1", "hw-a", HASH_A, 5), &ecus, &count, &err), 0);
	assert_int_equal(count, 1);
	assert_int_equal(find(json_pack("{s:i}", "length", 0), &ecus, &count, &err), 0);
	assert_int_equal(count, 0);
}

static void
refuses_an_ecu_that_is_not_there_or_is_another(void **state)
{
	struct err err;
	size_t count;

	(void)state;
	assert_int_equal(find(director_target("3", "hw-a", HASH_A, 5), &vehicle, &count, &err), -EBADMSG);
	assert_reason(err, "director targets.json: \"a\": ECU 3 is not in this vehicle");
	assert_int_equal(find(director_target("2", "hw-a", HASH_A, 5), &vehicle, &count, &err), -EBADMSG);
	assert_reason(err, "director targets.json: \"a\": ECU 2 has hardware id hw-b, not \"hw-a\"");
}

static void
refuses_other_content_under_an_installed_name(void **state)
{
	AUTO(json_decref_p)
	json_t *installed =
	    json_pack("{s:s,s:o}", "name", "a", "target", director_target("1", "hw-a", HASH_A, 5));
	json_t *wider = director_target("1", "hw-a", HASH_A, 5);
	struct ecus ecus = vehicle;
	struct err err;
	size_t count;

	(void)state;
	ecus.ecu[0].installed = installed;
	assert_int_equal(find(director_target("1", "hw-a", HASH_B, 5), &ecus, &count, &err), -EBADMSG);
	assert_reason(err, "\"a\": ECU 1 runs a file of that name with other content");
	json_object_set_new(target_ecus(wider), "2", json_pack("{s:s}", "hardwareId", "hw-b"));
	assert_int_equal(find(wider, &ecus, &count, &err), -EBADMSG);
	assert_reason(err, "\"a\": ECU 1 runs a file of that name with other content");
}

static void
knows_ostree_by_format_or_by_length(void **state)
{
	AUTO(json_decref_p) json_t *target = director_target("1", "hw-a", HASH_A, 0);

	(void)state;
	assert_true(target_is_ostree(target));
	json_object_set_new(json_object_get(target, "custom"), "targetFormat", json_string("BINARY"));
	assert_false(target_is_ostree(target));
	json_object_set_new(target, "length", json_integer(7));
	json_object_set_new(json_object_get(target, "custom"), "targetFormat", json_string("OSTREE"));
	assert_true(target_is_ostree(target));
}

static void
ignores_the_placeholder_uri(void **state)
{
	AUTO(json_decref_p) json_t *target = director_target("1", "hw-a", HASH_A, 0);

	(void)state;
	assert_string_equal(target_uri(target), "");
	json_object_set_new(json_object_get(target, "custom"), "uri", json_null());
	assert_string_equal(target_uri(target), "");
	json_object_set_new(json_object_get(target, "custom"), "uri", json_string("https://example.com/"));
	assert_string_equal(target_uri(target), "");
	json_object_set_new(json_object_get(target, "custom"), "uri", json_string("https://h/x"));
	assert_string_equal(target_uri(target), "https://h/x");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_the_image_of_the_same_name_length_hardware_and_hash),
		cmocka_unit_test(needs_one_equal_hash_and_no_other),
		cmocka_unit_test(is_for_all_ecus_or_none),
		cmocka_unit_test(does_not_take_hardware_ids_of_the_director),
		cmocka_unit_test(says_what_differs),
		cmocka_unit_test(finds_what_is_not_installed),
		cmocka_unit_test(refuses_an_ecu_that_is_not_there_or_is_another),
		cmocka_unit_test(refuses_other_content_under_an_installed_name),
		cmocka_unit_test(knows_ostree_by_format_or_by_length),
		cmocka_unit_test(ignores_the_placeholder_uri),
	};

	return cmocka_run_group_tests_name("device_target", tests, NULL, NULL);
}
