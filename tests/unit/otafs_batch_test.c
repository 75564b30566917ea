/* Requests that share a transaction. */
#include "otafs/batch.h"

#include "state/db.h"
#include "tests/unit/fixture.h"
#include "tests/unit/unit.h"

#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

/* A job that makes the device "new-NUMBER", and looks at what there is when it is answered. */
struct making {
	struct batch_job job;
	struct test *test;
	int number;
	int fails;         /* the -errno that it comes to, after all; 0: none */
	bool is_waiting;   /* until the test lets it go on */
	int r;             /* as it was answered */
	int64_t committed; /* how many another connection saw when it was answered */
	struct err err;
};

struct test {
	struct fixture *f;
	struct batch *batch;
	sem_t entered, go_on, answered;
	int order[BATCH_MAX * 3 + 1], count; /* in which they were answered */
	int forgotten;                       /* times that the kernel was told */
	int forgotten_before;                /* of them, before the first answer */
};

static void
forget(void *context, struct changes *changes)
{
	struct test *test = context;

	/* Nobody else has the lock. */
	assert_false(test->f->core.lock->is_taken);
	test->forgotten += changes->count > 0;
	test->forgotten_before += changes->count > 0 && test->count == 0;
	free(changes->names);
}

static int
make(struct batch_job *job, struct core *core, struct err *err)
{
	struct making *making = (struct making *)job;
	char id[32];
	int r;

	if (making->is_waiting) {
		sem_post(&making->test->entered);
		sem_wait(&making->test->go_on);
	}
	core_device_named(core, "car7");
	snprintf(id, sizeof(id), "new-%d", making->number);
	if ((r = state_device_add(core->state, id, 1, err)) != 0)
		return r;
	return making->fails ? err_set(err, -making->fails, "as it was told") : 0;
}

/* How many of them another connection sees. */
static int64_t
committed(const struct test *test)
{
	static const char COUNT[] = "SELECT COUNT(*) FROM device WHERE id >= 'new-' AND id < 'new.'";
	struct err err = { 0 };
	struct rows *rows;
	struct db *db;
	int64_t n;

	assert_int_equal(db_open_reader(test->f->config.state, &db, &err), 0);
	assert_int_equal(db_query(db, COUNT, &rows, &err, ""), 0);
	assert_int_equal(db_next(rows, &err), 1);
	n = db_number(rows, 0);
	db_done(rows);
	db_free(db);
	return n;
}

static void
answer(struct batch_job *job, int r, struct err *err)
{
	struct making *making = (struct making *)job;
	struct test *test = making->test;

	making->r = r;
	making->err = *err;
	making->committed = committed(test);
	test->order[test->count++] = making->number;
	sem_post(&test->answered);
}

static int
setup(void **state)
{
	static struct turns lock = TURNS_INITIALIZER;
	static struct test test;
	void *fixture = NULL;
	struct err err = { 0 };

	if (fixture_setup(&fixture) != 0)
		return -1;
	memset(&test, 0, sizeof(test));
	test.f = fixture;
	test.f->core.lock = &lock;
	sem_init(&test.entered, 0, 0);
	sem_init(&test.go_on, 0, 0);
	sem_init(&test.answered, 0, 0);
	*state = &test;
	return batch_start(&test.f->core, forget, &test, &test.batch, &err);
}

static void
end(struct test *test)
{
	batch_end(test->batch);
	batch_free(test->batch);
	test->batch = NULL;
}

static int
teardown(void **state)
{
	struct test *test = *state;
	void *fixture = test->f;

	if (test->batch)
		end(test);
	return fixture_teardown(&fixture);
}

static void
add(struct test *test, struct making *making, int number, int fails)
{
	*making = (struct making){ .test = test, .number = number, .fails = fails };
	making->job = (struct batch_job){ .work = make, .done = answer };
	assert_int_equal(batch_add(test->batch, &making->job, &making->err), 0);
}

/* Keeps the thread at a job of its own, so that what comes meanwhile comes together; that job makes a device.
 */
static void
hold(struct test *test, struct making *first)
{
	*first = (struct making){ .test = test, .is_waiting = true };
	first->job = (struct batch_job){ .work = make, .done = answer };
	assert_int_equal(batch_add(test->batch, &first->job, &first->err), 0);
	sem_wait(&test->entered);
}

static void
let_go(struct test *test, int answers)
{
	sem_post(&test->go_on);
	for (int i = 0; i < answers; i++)
		sem_wait(&test->answered);
}

static void
answers_after_another_connection_sees_it(void **state)
{
	struct test *test = *state;
	struct making one;

	add(test, &one, 1, 0);
	let_go(test, 1);
	assert_int_equal(one.r, 0);
	assert_int_equal(one.committed, 1);
}

static void
commits_together_what_came_together(void **state)
{
	struct test *test = *state;
	struct making first, some[10];

	hold(test, &first);
	for (int i = 0; i < 10; i++)
		add(test, &some[i], i + 1, 0);
	assert_int_equal(committed(test), 0);
	let_go(test, 11);
	assert_int_equal(first.committed, 1);
	/* The first of them is answered when all are there. */
	for (int i = 0; i < 10; i++)
		assert_int_equal(some[i].committed, 11);
}

static void
holds_the_lock_for_so_many_at_most(void **state)
{
	struct test *test = *state;
	struct making first, some[2 * BATCH_MAX + 1];

	hold(test, &first);
	for (int i = 0; i < 2 * BATCH_MAX + 1; i++)
		add(test, &some[i], i + 1, 0);
	let_go(test, 2 * BATCH_MAX + 2);
	assert_int_equal(some[0].committed, 1 + BATCH_MAX);
	assert_int_equal(some[BATCH_MAX].committed, 1 + 2 * BATCH_MAX);
	assert_int_equal(some[2 * BATCH_MAX].committed, 2 + 2 * BATCH_MAX);
}

static void
answers_in_the_order_of_coming(void **state)
{
	struct test *test = *state;
	struct making first, some[2 * BATCH_MAX];

	hold(test, &first);
	for (int i = 0; i < 2 * BATCH_MAX; i++)
		add(test, &some[i], i + 1, i % 7 ? 0 : -EINVAL);
	let_go(test, 2 * BATCH_MAX + 1);
	for (int i = 0; i <= 2 * BATCH_MAX; i++)
		assert_int_equal(test->order[i], i);
}

static void
takes_back_alone_what_fails(void **state)
{
	struct test *test = *state;
	struct making first, some[3];

	hold(test, &first);
	for (int i = 0; i < 3; i++)
		add(test, &some[i], i + 1, i == 1 ? -EINVAL : 0);
	let_go(test, 4);
	assert_int_equal(some[0].r, 0);
	assert_int_equal(some[1].r, -EINVAL);
	assert_reason(some[1].err, "as it was told");
	assert_int_equal(some[2].r, 0);
	assert_int_equal(committed(test), 3);
}

static void
makes_the_kernel_forget_before_it_answers(void **state)
{
	struct test *test = *state;
	struct making one;

	add(test, &one, 1, 0);
	let_go(test, 1);
	assert_int_equal(test->forgotten_before, 1);
}

/* No file can grow: what went well has failed with the rest, and what had failed keeps its own reason. */
static void
tells_all_when_the_disk_takes_nothing(void **state)
{
	struct test *test = *state;
	struct making first, some[3];
	struct rlimit was, none;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &was), 0);
	none = (struct rlimit){ 0, was.rlim_max };
	hold(test, &first);
	for (int i = 0; i < 3; i++)
		add(test, &some[i], i + 1, i == 1 ? -EINVAL : 0);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
	let_go(test, 4);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &was), 0);
	assert_true(first.r < 0 && some[0].r < 0 && some[2].r < 0);
	assert_reason(some[0].err, "database: COMMIT");
	assert_int_equal(some[1].r, -EINVAL);
	assert_int_equal(committed(test), 0);
	/* And goes on when it can. */
	add(test, &some[0], 1, 0);
	let_go(test, 1);
	assert_int_equal(some[0].r, 0);
	assert_int_equal(committed(test), 1);
}

static void
finishes_what_it_was_given_before_it_ends(void **state)
{
	struct test *test = *state;
	struct making first, some[BATCH_MAX + 5];

	hold(test, &first);
	for (int i = 0; i < BATCH_MAX + 5; i++)
		add(test, &some[i], i + 1, 0);
	sem_post(&test->go_on);
	end(test);
	assert_int_equal(test->count, BATCH_MAX + 6);
	assert_int_equal(committed(test), BATCH_MAX + 6);
}

static void
takes_nothing_after_its_end(void **state)
{
	struct test *test = *state;
	struct making late = { .test = test };
	struct err err = { 0 };

	late.job = (struct batch_job){ .work = make, .done = answer };
	batch_end(test->batch);
	assert_int_equal(batch_add(test->batch, &late.job, &err), -ESHUTDOWN);
	assert_reason(err, "otafs is ending");
	batch_free(test->batch);
	test->batch = NULL;
	assert_int_equal(test->count, 0);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(answers_after_another_connection_sees_it),
		TEST(commits_together_what_came_together),
		TEST(holds_the_lock_for_so_many_at_most),
		TEST(answers_in_the_order_of_coming),
		TEST(takes_back_alone_what_fails),
		TEST(makes_the_kernel_forget_before_it_answers),
		TEST(tells_all_when_the_disk_takes_nothing),
		TEST(finishes_what_it_was_given_before_it_ends),
		TEST(takes_nothing_after_its_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
