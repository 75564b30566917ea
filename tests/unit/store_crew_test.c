/* A list that two threads work off. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <stdatomic.h>
#include <unistd.h>

#include "store/crew.h"

#define COUNT 1000

struct list {
	atomic_int times[COUNT];
	size_t bad; /* index at which there is trouble */
	atomic_size_t begun;
};

struct worker {
	struct list *list;
	size_t done;
};

static int
work(void *data, size_t index, struct err *err)
{
	struct worker *worker = data;
	struct list *list = worker->list;

	atomic_fetch_add(&list->begun, 1);
	if (index == list->bad)
		return err_set(err, EIO, "number %zu is bad", index);
	atomic_fetch_add(&list->times[index], 1);
	worker->done++;
	usleep(10);
	return 0;
}

static void
does_each_once_on_two_threads(void **state)
{
	struct list list = { .bad = COUNT };
	struct worker first = { &list, 0 }, second = { &list, 0 };
	struct err err;

	(void)state;
	assert_int_equal(crew_run(work, &first, &second, COUNT, &err), 0);
	for (size_t i = 0; i < COUNT; i++)
		assert_int_equal(list.times[i], 1);
	assert_int_equal(first.done + second.done, COUNT);
	assert_true(first.done > 0 && second.done > 0);
}

static void
begins_nothing_after_trouble(void **state)
{
	struct list list = { .bad = 100 };
	struct worker first = { &list, 0 }, second = { &list, 0 };
	struct err err;

	(void)state;
	assert_int_equal(crew_run(work, &first, &second, COUNT, &err), -EIO);
	assert_string_equal(err.text, "number 100 is bad");
	assert_true(list.begun < COUNT);
}

static void
does_a_short_list_alone(void **state)
{
	struct list list = { .bad = COUNT };
	struct worker first = { &list, 0 }, second = { &list, 0 };
	struct err err;

	(void)state;
	assert_int_equal(crew_run(work, &first, &second, CREW_MIN - 1, &err), 0);
	assert_int_equal(crew_run(work, &first, NULL, COUNT, &err), 0);
	assert_int_equal(second.done, 0);
	assert_int_equal(first.done, CREW_MIN - 1 + COUNT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(does_each_once_on_two_threads),
		cmocka_unit_test(begins_nothing_after_trouble),
		cmocka_unit_test(does_a_short_list_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
