/* Memory that is reserved before it is used. */
#include "tests/unit/unit.h"

#include "gateway/room.h"

static void
gives_what_there_is_and_lets_the_others_wait_in_order(void **state)
{
	struct room_seat a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };
	struct room room;

	(void)state;
	room_init(&room, 100);
	assert_true(room_take(&room, &a, 60));
	assert_true(room_is_tight(&room));
	assert_false(room_take(&room, &b, 50));
	/* It would fit, but nobody overtakes. */
	assert_false(room_take(&room, &c, 10));
	assert_null(room_next(&room));
	room_leave(&room, &a);
	assert_ptr_equal(room_next(&room), &b);
	assert_ptr_equal(room_next(&room), &c);
	assert_null(room_next(&room));
	assert_true(room_take(&room, &d, 40));
	assert_int_equal(room.taken, 100);
}

static void
who_leaves_the_queue_lets_the_next_one_in(void **state)
{
	struct room_seat a = { 0 }, b = { 0 }, c = { 0 };
	struct room room;

	(void)state;
	room_init(&room, 100);
	assert_true(room_take(&room, &a, 60));
	assert_false(room_take(&room, &b, 50));
	assert_false(room_take(&room, &c, 40));
	room_leave(&room, &b);
	assert_ptr_equal(room_next(&room), &c);
	assert_int_equal(room.taken, 100);
	room_leave(&room, &a);
	room_leave(&room, &b);
	room_leave(&room, &c);
	room_leave(&room, &c);
	assert_int_equal(room.taken, 0);
}

static void
nothing_needs_no_room(void **state)
{
	struct room_seat a = { 0 }, b = { 0 }, none = { 0 };
	struct room room;

	(void)state;
	room_init(&room, 100);
	assert_true(room_take(&room, &a, 100));
	assert_false(room_take(&room, &b, 1));
	assert_true(room_take(&room, &none, 0));
	room_leave(&room, &none);
	assert_int_equal(room.taken, 100);
}

static void
half_of_it_is_not_tight(void **state)
{
	struct room_seat a = { 0 }, b = { 0 };
	struct room room;

	(void)state;
	room_init(&room, 100);
	assert_true(room_take(&room, &a, 50));
	assert_false(room_is_tight(&room));
	assert_true(room_take(&room, &b, 1));
	assert_true(room_is_tight(&room));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(gives_what_there_is_and_lets_the_others_wait_in_order),
		cmocka_unit_test(who_leaves_the_queue_lets_the_next_one_in),
		cmocka_unit_test(nothing_needs_no_room),
		cmocka_unit_test(half_of_it_is_not_tight),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
