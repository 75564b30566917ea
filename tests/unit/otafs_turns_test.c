/* The lock that is had in turn. */
#include "otafs/turns.h"

#include "tests/unit/unit.h"

#include <unistd.h>

#define WAITING 5

struct one {
	pthread_t thread;
	int number;
	struct test *test;
};

struct test {
	struct turns turns;
	struct one ones[WAITING];
	int order[WAITING], count; /* in which they had it */
	pthread_cond_t told;
	bool is_told, is_waiting;
};

static const void *
last_in_line(struct turns *turns)
{
	const void *last;

	pthread_mutex_lock(&turns->mutex);
	last = turns->last;
	pthread_mutex_unlock(&turns->mutex);
	return last;
}

static void *
take_once(void *argument)
{
	struct one *one = argument;

	turns_take(&one->test->turns);
	one->test->order[one->test->count++] = one->number;
	turns_give(&one->test->turns);
	return NULL;
}

/* Starts one after another, each when the one before it stands in line. */
static void
line_up(struct test *test)
{
	for (int i = 0; i < WAITING; i++) {
		const void *before = last_in_line(&test->turns);

		test->ones[i] = (struct one){ .number = i, .test = test };
		assert_int_equal(pthread_create(&test->ones[i].thread, NULL, take_once, &test->ones[i]), 0);
		while (last_in_line(&test->turns) == before)
			usleep(100);
	}
}

static void
join(struct test *test)
{
	for (int i = 0; i < WAITING; i++)
		pthread_join(test->ones[i].thread, NULL);
}

static void
goes_to_those_who_wait_in_their_order(void **state)
{
	struct test test = { .turns = TURNS_INITIALIZER };

	(void)state;
	turns_take(&test.turns);
	line_up(&test);
	turns_give(&test.turns);
	join(&test);
	for (int i = 0; i < WAITING; i++)
		assert_int_equal(test.order[i], i);
}

/* A mutex would be had by this thread again and again, before the others are awake. */
static void
who_takes_it_again_comes_after_those_who_wait(void **state)
{
	struct test test = { .turns = TURNS_INITIALIZER };

	(void)state;
	turns_take(&test.turns);
	line_up(&test);
	turns_give(&test.turns);
	turns_take(&test.turns);
	assert_int_equal(test.count, WAITING);
	turns_give(&test.turns);
	join(&test);
}

static void *
wait_to_be_told(void *argument)
{
	struct test *test = argument;
	struct timespec end;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += 60;
	turns_take(&test->turns);
	test->is_waiting = true;
	while (!test->is_told && turns_wait_until(&test->turns, &test->told, &end))
		;
	test->is_waiting = false;
	turns_give(&test->turns);
	return NULL;
}

static void
is_free_while_somebody_waits_to_be_told(void **state)
{
	struct test test = { .turns = TURNS_INITIALIZER, .told = PTHREAD_COND_INITIALIZER };
	bool is_waiting = false;
	pthread_t thread;

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, wait_to_be_told, &test), 0);
	while (!is_waiting) {
		turns_take(&test.turns);
		is_waiting = test.is_waiting;
		turns_give(&test.turns);
	}
	turns_take(&test.turns);
	test.is_told = true;
	pthread_cond_broadcast(&test.told);
	assert_true(test.is_waiting); /* it has to wait for its turn */
	turns_give(&test.turns);
	pthread_join(thread, NULL);
	assert_false(test.is_waiting);
	assert_false(test.turns.is_taken);
}

static void
waits_no_longer_than_to_the_end(void **state)
{
	struct test test = { .turns = TURNS_INITIALIZER, .told = PTHREAD_COND_INITIALIZER };
	struct timespec end;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &end);
	turns_take(&test.turns);
	assert_false(turns_wait_until(&test.turns, &test.told, &end));
	assert_true(test.turns.is_taken);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(goes_to_those_who_wait_in_their_order),
		cmocka_unit_test(who_takes_it_again_comes_after_those_who_wait),
		cmocka_unit_test(is_free_while_somebody_waits_to_be_told),
		cmocka_unit_test(waits_no_longer_than_to_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
