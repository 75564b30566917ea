/* Who acts, by number and by name. */
#include "tests/unit/unit.h"

#include <stdio.h>

#include "otafs/user.h"

static void
names_who_has_a_name(void **unused)
{
	struct user_names names = { 0 };

	(void)unused;
	assert_string_equal(user_who(&names, 0), "uid 0 (root)");
	assert_string_equal(user_who(&names, 4000000000u), "uid 4000000000");
}

static void
keeps_apart_more_than_it_remembers(void **unused)
{
	struct user_names names = { 0 };
	char who[STATE_WHO_MAX];

	(void)unused;
	for (int round = 0; round < 2; round++)
		for (uid_t i = 0; i < 3 * USER_NAMES_MAX; i++) {
			snprintf(who, sizeof(who), "uid %u", 4000000000u + i);
			assert_string_equal(user_who(&names, 4000000000u + i), who);
		}
	assert_string_equal(user_who(&names, 0), "uid 0 (root)");
}

static void
remembers_for_a_while(void **unused)
{
	struct user_names names = { 0 };
	const char *first = user_who(&names, 0);

	(void)unused;
	assert_ptr_equal(user_who(&names, 0), first);
	assert_int_equal(names.next, 1);
	names.list[0].until = 0;
	user_who(&names, 0);
	assert_int_equal(names.next, 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_who_has_a_name),
		cmocka_unit_test(keeps_apart_more_than_it_remembers),
		cmocka_unit_test(remembers_for_a_while),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
