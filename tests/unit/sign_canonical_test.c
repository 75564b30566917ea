#include "tests/unit/unit.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "sign/canonical.h"
#include "tests/unit/fault.h"

static char *
canonical(const char *text)
{
	AUTO(json_decref_p) json_t *json = json_loads(text, JSON_DECODE_ANY, NULL);
	struct err err;
	char *out = NULL;

	assert_non_null(json);
	assert_int_equal(canonical_write(json, &out, NULL, &err), 0);
	return out;
}

static void
assert_canonical(const char *text, const char *expected)
{
	AUTO(free_p) char *got = canonical(text);

	assert_string_equal(got, expected);
}

static void
sorts_members_by_bytes_and_drops_white_space(void **state)
{
	(void)state;
	assert_canonical("{ \"b\" : 1, \"a\" : [ true, null ], \"B\": {}, \"ab\": \"\" }",
	    "{\"B\":{},\"a\":[true,null],\"ab\":\"\",\"b\":1}");
}

static void
escapes_what_is_not_ascii_with_lower_case_digits(void **state)
{
	(void)state;
	assert_canonical(
	    "\"\xc3\xa9\xe2\x98\x83\xf0\x9f\x98\x80/\xc3\xbc\"", "\"\\u00e9\\u2603\\ud83d\\ude00/\\u00fc\"");
	assert_canonical("\"\\u001F\\b\\f\\n\\r\\t\x7f\"", "\"\\u001f\\b\\f\\n\\r\\t\x7f\"");
}

static void
leaves_a_backslash_before_a_u_alone(void **state)
{
	(void)state;
	assert_canonical("\"\\\\u00E9 \\\\\\\\u00AB\"", "\"\\\\u00E9 \\\\\\\\u00AB\"");
}

static void
keeps_integers_of_64_bits(void **state)
{
	(void)state;
	assert_canonical(
	    "[9223372036854775807,-9223372036854775808,0]", "[9223372036854775807,-9223372036854775808,0]");
}

static void
refuses_real_numbers_wherever_they_are(void **state)
{
	AUTO(json_decref_p) json_t *json = json_loads("{\"a\":[{\"b\":1.5}]}", 0, NULL);
	struct err err;
	char *out = NULL;

	(void)state;
	assert_int_equal(canonical_write(json, &out, NULL, &err), -EBADMSG);
	assert_reason(err, "real number");
	assert_null(out);
}

/* The files of another implementation are canonical already, so parse and write has to give the same bytes. */
static void
agrees_with_files_made_by_another_implementation(void **state)
{
	static const char *const files[] = { "repo/root.json", "repo/targets.json", "repo/snapshot.json",
		"repo/timestamp.json", "repo/delegations/supplier01.json", "director/targets.json",
		"device/manifest.json", "device/ecus.json" };

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		char path[256], text[16384];
		AUTO(fclose_p) FILE *file = NULL;
		size_t n;

		snprintf(path, sizeof(path), "tests/vectors/%s", files[i]);
		file = fopen(path, "r");
		assert_non_null(file);
		n = fread(text, 1, sizeof(text) - 1, file);
		text[n] = '\0';
		if (n && text[n - 1] == '\n')
			text[n - 1] = '\0';
		assert_canonical(text, text);
	}
}

/* jansson leaves the name of a member out when it has no memory for it, and says that all is well. */
static void
is_whole_or_not_there_when_memory_is_short(void **state)
{
	AUTO(json_decref_p) json_t *json = json_object();
	AUTO(free_p) char *expected = NULL;
	struct err err;
	int calls, r;

	(void)state;
	for (int i = 0; i < 40; i++) {
		char name[32];

		snprintf(name, sizeof(name), "a rather long name %d", i);
		json_object_set_new(json, name, json_integer(i));
	}
	assert_int_equal(canonical_write(json, &expected, NULL, &err), 0);
	for (calls = 0;; calls++) {
		AUTO(free_p) char *text = NULL;

		fault_after(calls);
		r = canonical_write(json, &text, NULL, &err);
		if (!fault_stop())
			break;
		if (r == 0)
			assert_string_equal(text, expected);
		else
			assert_int_equal(r, -ENOMEM);
	}
	assert_int_equal(r, 0);
	assert_true(calls >= 3);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sorts_members_by_bytes_and_drops_white_space),
		cmocka_unit_test(escapes_what_is_not_ascii_with_lower_case_digits),
		cmocka_unit_test(leaves_a_backslash_before_a_u_alone),
		cmocka_unit_test(keeps_integers_of_64_bits),
		cmocka_unit_test(refuses_real_numbers_wherever_they_are),
		cmocka_unit_test(agrees_with_files_made_by_another_implementation),
		cmocka_unit_test(is_whole_or_not_there_when_memory_is_short),
	};

	/* Through the calls that can be made to fail. */
	json_set_alloc_funcs(malloc, free);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
