/* The test device's memory, when calls fail: there is the old state or the new one. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "tests/device/store.h"
#include "tests/unit/fault.h"

/* More calls than any function here makes. */
#define CALLS_MAX 100

struct fixture {
	char path[64];
	struct err err;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(key_start(&f->err), 0);
	snprintf(f->path, sizeof(f->path), "/tmp/device_store_test.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", f->path);
	assert_int_equal(system(command), 0);
	free(f);
	return 0;
}

/* The counter of the state on disk, 0 when there is none. */
static int
counter(struct fixture *f)
{
	AUTO(store_freep) struct store *store = NULL;

	if (store_open(f->path, &store, &f->err) < 0)
		fail_msg("%s", f->err.text);
	return (int)json_integer_value(json_object_get(store_state(store), "counter"));
}

static int
count(struct fixture *f)
{
	AUTO(store_freep) struct store *store = NULL;
	json_int_t next;
	int r = store_open(f->path, &store, &f->err);

	if (r < 0)
		return r;
	next = json_integer_value(json_object_get(store_state(store), "counter")) + 1;
	assert_int_equal(json_object_set_new(store_state(store), "counter", json_integer(next)), 0);
	return store_save(store, &f->err);
}

static void
keeps_the_old_state_or_the_new_whatever_fails(void **state)
{
	struct fixture *f = *state;
	int fds = fault_open_fds(), calls, was, r;

	assert_int_equal(count(f), 0);
	for (calls = 0; calls < CALLS_MAX; calls++) {
		int is_reached;

		was = counter(f);
		fault_after(calls);
		r = count(f);
		is_reached = fault_stop();
		if (r == 0)
			assert_int_equal(counter(f), was + 1);
		else
			assert_in_range(counter(f), was, was + 1);
		assert_int_equal(fault_open_fds(), fds);
		if (!is_reached)
			break;
		assert_true(r < 0);
		assert_true(strlen(f->err.text) > 0);
	}
	assert_in_range(calls, 4, CALLS_MAX - 1);
}

static void
keeps_metadata_as_it_came(void **state)
{
	struct fixture *f = *state;
	AUTO(store_freep) struct store *store = NULL;
	char *text = NULL;
	size_t bytes;

	assert_int_equal(store_open(f->path, &store, &f->err), 0);
	assert_int_equal(
	    store_read_metadata(store, REPOSITORY_IMAGE, ROLE_ROOT, &text, &bytes, &f->err), STORE_NONE);
	for (int role = 0; role < ROLE_COUNT; role++)
		assert_int_equal(
		    store_write_metadata(store, REPOSITORY_IMAGE, (enum role)role, " { }\n", 5, &f->err), 0);
	assert_int_equal(store_forget_metadata(store, REPOSITORY_IMAGE, &f->err), 0);
	assert_int_equal(store_read_metadata(store, REPOSITORY_IMAGE, ROLE_ROOT, &text, &bytes, &f->err), 0);
	assert_int_equal(bytes, 5);
	assert_memory_equal(text, " { }\n", 5);
	free(text);
	for (int role = 0; role < ROLE_COUNT; role++)
		if (role != ROLE_ROOT)
			assert_int_equal(store_read_metadata(
					     store, REPOSITORY_IMAGE, (enum role)role, &text, &bytes, &f->err),
			    STORE_NONE);
}

static void
makes_a_key_once(void **state)
{
	struct fixture *f = *state;
	AUTO(store_freep) struct store *store = NULL;
	AUTO(key_pair_freep) struct key_pair *first = NULL, *second = NULL;

	assert_int_equal(store_open(f->path, &store, &f->err), 0);
	assert_int_equal(store_key(store, "primary.key", &first, &f->err), 0);
	assert_int_equal(store_key(store, "primary.key", &second, &f->err), 0);
	assert_string_equal(public_key_id(key_pair_public(first)), public_key_id(key_pair_public(second)));
}

static void
serves_one_process_at_a_time(void **state)
{
	struct fixture *f = *state;
	AUTO(store_freep) struct store *first = NULL, *second = NULL;

	assert_int_equal(store_open(f->path, &first, &f->err), 0);
	assert_int_equal(store_open(f->path, &second, &f->err), -EBUSY);
	assert_reason(f->err, "another process uses it");
}

#define TEST(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keeps_the_old_state_or_the_new_whatever_fails),
		TEST(keeps_metadata_as_it_came),
		TEST(makes_a_key_once),
		TEST(serves_one_process_at_a_time),
	};

	return cmocka_run_group_tests_name("device_store", tests, NULL, NULL);
}
