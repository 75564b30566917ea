/* lib/due: what is due by a clock that may be set. */
#include "tests/unit/unit.h"

#include "lib/due.h"
#include "lib/steady.h"

static void
is_due_at_once_until_it_is_put_off(void **state)
{
	struct due due = { 0 };

	(void)state;
	assert_true(due_is(&due, 1000));
	due_in(&due, 1000, 60);
	assert_false(due_is(&due, 1000));
	assert_false(due_is(&due, 1059));
	assert_true(due_is(&due, 1060));
}

static void
is_due_when_the_clock_jumps_either_way(void **state)
{
	struct due due;

	(void)state;
	due_in(&due, 1000000, 3600);
	assert_true(due_is(&due, 1000000 + 86400));
	assert_true(due_is(&due, 999999));
	due_in(&due, 10, 3600);
	assert_false(due_is(&due, 10));
}

static void
has_a_clock_that_does_not_go_back(void **state)
{
	int64_t before = steady_seconds();

	(void)state;
	assert_true(before > 0);
	assert_true(steady_seconds() >= before);
}

static void
lets_pass_a_few_at_once_and_then_one_a_minute(void **state)
{
	struct due_pace pace = { 0 };
	int done = 0;

	(void)state;
	for (int i = 0; i < 10; i++)
		done += due_may(&pace, 1000);
	assert_int_equal(done, DUE_PACE_BURST);
	for (int i = 1; i <= 3600; i++)
		done += due_may(&pace, 1000 + i);
	assert_int_equal(done, DUE_PACE_BURST + 60);
	for (int i = 0; i < 10; i++)
		done += due_may(&pace, 100000);
	assert_int_equal(done, 2 * DUE_PACE_BURST + 60);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_due_at_once_until_it_is_put_off),
		cmocka_unit_test(is_due_when_the_clock_jumps_either_way),
		cmocka_unit_test(lets_pass_a_few_at_once_and_then_one_a_minute),
		cmocka_unit_test(has_a_clock_that_does_not_go_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
