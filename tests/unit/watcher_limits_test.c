#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/unit/unit.h"
#include "watcher/limits.h"

static const char text[] = "# who may push what\n"
			   "\n"
			   "team-*  names=app-*,fw\thardware=qemu*,rpi4 refs=release/*\n"
			   "ci push-only until=2027-01-31\n"
			   "  team-a names=*\r\n"
			   "once until=2027-01-31T12:00:00Z\n"
			   "nothing names= hardware= refs=\n"
			   "bad names=a names=b\n";

static int
parse(struct limits *limits, const char *builder, struct err *err)
{
	memset(err, 0, sizeof(*err));
	return limits_parse(limits, text, builder, err);
}

static json_t *
target(const char *name, const char *hardware)
{
	return json_pack("{s:{s:s*, s:[s*]}}", "custom", "name", name, "hardwareIds", hardware);
}

/* Judges a change and lets go of both. */
static int
judge(struct limits *limits, const char *file, json_t *before, json_t *after, struct err *err)
{
	int r = limits_judge(file, before, after, limits, err);

	json_decref(before);
	json_decref(after);
	return r;
}

static void
limits_nobody_whom_no_line_names(void **state)
{
	struct limits limits;
	struct err err;

	(void)state;
	assert_int_equal(parse(&limits, "somebody", &err), 0);
	assert_int_equal(limits_check_ref(&limits, "any/ref", &err), 0);
	assert_int_equal(limits_check_package(&limits, "any", NULL, &err), 0);
	assert_int_equal(limits_check_time(&limits, INT64_MAX, &err), 0);
	assert_int_equal(judge(&limits, NULL, NULL, NULL, &err), 0);
	assert_false(limits.is_push_only);
	limits_done(&limits);
}

static void
takes_the_first_line_that_matches(void **state)
{
	json_t *hardware = json_pack("[s,s]", "qemux86-64", "rpi4"),
	       *other = json_pack("[s,s]", "rpi4", "rpi5");
	struct limits limits;
	struct err err;

	(void)state;
	assert_int_equal(parse(&limits, "team-a", &err), 0);
	assert_int_equal(limits_check_package(&limits, "app-x", hardware, &err), 0);
	assert_int_equal(limits_check_package(&limits, "fw", hardware, &err), 0);
	assert_int_equal(limits_check_package(&limits, "fw2", hardware, &err), LIMITS_REFUSED);
	assert_reason(err, "the package \"fw2\" is none of those that this builder may push: app-*,fw");
	assert_int_equal(limits_check_package(&limits, "fw", other, &err), LIMITS_REFUSED);
	assert_reason(err, "the hardware id \"rpi5\"");
	assert_int_equal(limits_check_ref(&limits, "release/a/b", &err), 0);
	assert_int_equal(limits_check_ref(&limits, "main", &err), LIMITS_REFUSED);
	assert_reason(err, "the ref \"main\"");
	json_decref(hardware);
	json_decref(other);
	limits_done(&limits);
}

static void
empty_patterns_match_nothing(void **state)
{
	struct limits limits;
	struct err err;

	(void)state;
	assert_int_equal(parse(&limits, "nothing", &err), 0);
	assert_int_equal(limits_check_ref(&limits, "x", &err), LIMITS_REFUSED);
	assert_int_equal(limits_check_package(&limits, "x", NULL, &err), LIMITS_REFUSED);
	assert_int_equal(judge(&limits, "x-1", NULL, target(NULL, NULL), &err), LIMITS_REFUSED);
	limits_done(&limits);
}

static void
ends_with_the_day_or_the_second(void **state)
{
	struct limits limits;
	struct err err;

	(void)state;
	assert_int_equal(parse(&limits, "ci", &err), 0);
	assert_true(limits.is_push_only);
	assert_int_equal(limits_check_time(&limits, 1801439999, &err), 0); /* 2027-01-31T23:59:59Z */
	assert_int_equal(limits_check_time(&limits, 1801440000, &err), LIMITS_REFUSED);
	assert_reason(err, "this builder could push until 2027-01-31T23:59:59Z");
	limits_done(&limits);
	assert_int_equal(parse(&limits, "once", &err), 0);
	assert_int_equal(limits_check_time(&limits, 1801396800, &err), 0);
	assert_int_equal(limits_check_time(&limits, 1801396801, &err), LIMITS_REFUSED);
	limits_done(&limits);
}

static void
names_the_line_that_is_wrong(void **state)
{
	static const char *const lines[][2] = {
		{ "a names=x other=y",
		    "line 1: \"other=y\" is none of names=, hardware=, refs=, until= and push-only" },
		{ "a refs=x refs=y", "line 1: refs= is given twice" },
		{ "a until=tomorrow", "line 1: until=tomorrow is no date such as 2027-01-31" },
		{ "a until=2027-13-01", "no date" },
		{ "a until=2027-01-31T12:00:00Z2", "no date" },
		{ "a push-onlyx", "\"push-onlyx\" is none of" },
		{ "# x\n* names", "line 2: \"names\" is none of" },
	};
	struct limits limits;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
		assert_int_equal(limits_parse(&limits, lines[i][0], "a", &err), -EINVAL);
		assert_reason(err, lines[i][1]);
		limits_done(&limits);
	}
	assert_int_equal(parse(&limits, "bad", &err), -EINVAL);
	assert_reason(err, "line 8");
	limits_done(&limits);
}

static void
judges_what_a_target_was_and_what_it_will_be(void **state)
{
	struct limits limits;
	struct err err;

	(void)state;
	assert_int_equal(parse(&limits, "team-a", &err), 0);
	assert_int_equal(judge(&limits, "fw-1", NULL, target("fw", "rpi4"), &err), 0);
	assert_int_equal(judge(&limits, "fw-1", target("fw", "rpi4"), NULL, &err), 0);
	assert_int_equal(judge(&limits, "x-1", NULL, target("x", "rpi4"), &err), LIMITS_REFUSED);
	assert_reason(err, "x-1: the package \"x\"");
	assert_int_equal(judge(&limits, "x-1", target("x", "rpi4"), NULL, &err), LIMITS_REFUSED);
	assert_int_equal(
	    judge(&limits, "x-1", target("x", "rpi4"), target("fw", "rpi4"), &err), LIMITS_REFUSED);
	assert_int_equal(
	    judge(&limits, "fw-1", target("fw", "rpi5"), target("fw", "rpi4"), &err), LIMITS_REFUSED);
	assert_int_equal(judge(&limits, "fw-1", NULL, target("fw", NULL), &err), LIMITS_REFUSED);
	assert_int_equal(judge(&limits, "fw-1", NULL, target(NULL, "rpi4"), &err), LIMITS_REFUSED);
	assert_int_equal(judge(&limits, "fw-1", NULL, json_object(), &err), LIMITS_REFUSED);
	assert_int_equal(judge(&limits, NULL, NULL, json_object(), &err), LIMITS_REFUSED);
	assert_reason(err, "does not change which delegations are trusted");
	limits_done(&limits);
}

static void
has_no_limits_without_the_file_and_no_answer_when_it_cannot_be_read(void **state)
{
	struct limits limits;
	struct err err;

	(void)state;
	assert_int_equal(limits_read(&limits, "/nonexistent/build-limits", "ci", &err), 0);
	limits_done(&limits);
	assert_true(limits_read(&limits, "/", "ci", &err) < 0);
	assert_reason(err, "build_limits");
	limits_done(&limits);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(limits_nobody_whom_no_line_names),
		cmocka_unit_test(takes_the_first_line_that_matches),
		cmocka_unit_test(empty_patterns_match_nothing),
		cmocka_unit_test(ends_with_the_day_or_the_second),
		cmocka_unit_test(names_the_line_that_is_wrong),
		cmocka_unit_test(judges_what_a_target_was_and_what_it_will_be),
		cmocka_unit_test(has_no_limits_without_the_file_and_no_answer_when_it_cannot_be_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
