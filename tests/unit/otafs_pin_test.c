/* Which publication a device is reading. */
#include "otafs/pin.h"

#include "tests/unit/unit.h"

#include <stdio.h>

static struct pins pins;

static int
setup(void **state)
{
	struct err err = { 0 };

	(void)state;
	return pins_init(&pins, NULL, &err);
}

static int
teardown(void **state)
{
	(void)state;
	pins_done(&pins);
	return 0;
}

static void
knows_nobody_at_first(void **state)
{
	(void)state;
	assert_int_equal(pins_get(&pins, "car7", "0A", 0), 0);
	assert_int_equal(pins_get(&pins, "", "", 100000), 0);
}

static void
keeps_a_set_for_one_visit_and_not_for_longer(void **state)
{
	(void)state;
	pins_set(&pins, "car7", "0A", 41, 1000);
	assert_int_equal(pins_get(&pins, "car7", "0A", 1000), 41);
	assert_int_equal(pins_get(&pins, "car7", "0A", 1000 + PIN_SECONDS - 1), 41);
	assert_int_equal(pins_get(&pins, "car7", "0A", 1000 + PIN_SECONDS), 0);
	pins_set(&pins, "car7", "0A", 42, 1001);
	assert_int_equal(pins_get(&pins, "car7", "0A", 1001), 42);
}

/* Signatures by other keys must not come before the root that brings these keys. */
static void
begins_where_the_roots_end(void **state)
{
	(void)state;
	pins_set(&pins, "car7", "0A", 41, 1000);
	assert_int_equal(pins_begun(&pins, "car7", "0A", 1000), 0);
	pins_begin(&pins, "car7", "0A", 42, 1001);
	assert_int_equal(pins_begun(&pins, "car7", "0A", 1002), 42);
	assert_int_equal(pins_get(&pins, "car7", "0A", 1002), 42);
	assert_int_equal(pins_begun(&pins, "car7", "0A", 1001 + PIN_SECONDS), 0);
	pins_set(&pins, "car7", "0A", 43, 1003);
	assert_int_equal(pins_begun(&pins, "car7", "0A", 1004), 0);
}

static void
tells_devices_and_their_certificates_apart(void **state)
{
	(void)state;
	pins_set(&pins, "car7", "0A", 41, 0);
	pins_set(&pins, "car70", "A", 42, 0);
	pins_set(&pins, "car7", "0B", 43, 0);
	assert_int_equal(pins_get(&pins, "car7", "0A", 1), 41);
	assert_int_equal(pins_get(&pins, "car70", "A", 1), 42);
	assert_int_equal(pins_get(&pins, "car7", "0B", 1), 43);
	assert_int_equal(pins_get(&pins, "car8", "0A", 1), 0);
}

/* Whoever is pushed out has no pin, never another's. */
static void
gives_nobody_anothers_set_however_many_there_are(void **state)
{
	char name[16];
	int kept = 0;

	(void)state;
	for (int i = 1; i <= 2 * PIN_SLOTS; i++) {
		snprintf(name, sizeof(name), "car%d", i);
		pins_set(&pins, name, "0A", i, 0);
	}
	for (int i = 1; i <= 2 * PIN_SLOTS; i++) {
		int64_t set;

		snprintf(name, sizeof(name), "car%d", i);
		set = pins_get(&pins, name, "0A", 1);
		assert_true(set == 0 || set == i);
		kept += set == i;
	}
	assert_true(kept > PIN_SLOTS / 2 && kept <= PIN_SLOTS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(knows_nobody_at_first, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_a_set_for_one_visit_and_not_for_longer, setup, teardown),
		cmocka_unit_test_setup_teardown(begins_where_the_roots_end, setup, teardown),
		cmocka_unit_test_setup_teardown(tells_devices_and_their_certificates_apart, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    gives_nobody_anothers_set_however_many_there_are, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
