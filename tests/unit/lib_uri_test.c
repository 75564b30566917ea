#include "lib/uri.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void
decodes_two_hex_digits_of_either_case(void **state)
{
	const char *at = "a%2f%7E%00%ffz";

	(void)state;
	assert_int_equal(uri_byte(&at), 'a');
	assert_int_equal(uri_byte(&at), '/');
	assert_int_equal(uri_byte(&at), '~');
	assert_int_equal(uri_byte(&at), 0);
	assert_int_equal(uri_byte(&at), 255);
	assert_int_equal(uri_byte(&at), 'z');
	assert_string_equal(at, "");
}

static void
refuses_everything_else_behind_a_percent_sign(void **state)
{
	static const char *const bad[] = { "%", "%2", "%g0", "%0g", "%%41", "% 1", "%-1", "%u0041" };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		const char *at = bad[i];

		assert_int_equal(uri_byte(&at), -1);
		assert_ptr_equal(at, bad[i]);
	}
}

static void
finds_dots_wherever_they_are_a_segment(void **state)
{
	static const char *const dots[] = { ".", "..", "/.", "/..", "a/..", "/a/./b", "/a/../b", "../a",
		"/a//..", "/a/../" };
	static const char *const none[] = { "", "/", "a", "/a/b", "...", "/a/.../b", "/.a", "/a.", "/..a",
		"/a..", "//" };

	(void)state;
	for (size_t i = 0; i < sizeof(dots) / sizeof(*dots); i++)
		assert_true(uri_has_dots(dots[i]));
	for (size_t i = 0; i < sizeof(none) / sizeof(*none); i++)
		assert_false(uri_has_dots(none[i]));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(decodes_two_hex_digits_of_either_case),
		cmocka_unit_test(refuses_everything_else_behind_a_percent_sign),
		cmocka_unit_test(finds_dots_wherever_they_are_a_segment),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
