/* Node ids that say what they stand for. */
#include "otafs/inode_id.h"

#include "tests/unit/unit.h"

#include <stdlib.h>

#include "state/state.h"

/** The kernel's number of a mount's top. */
#define TOP 1

static uint64_t seed;

/* xorshift64: the same numbers in each run. */
static uint64_t
any(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

static bool
is_same(const struct inode_id *a, const struct inode_id *b)
{
	return a->kind == b->kind && a->role == b->role && a->number == b->number && a->version == b->version &&
	       a->generation == b->generation;
}

static struct inode_id
any_id(void)
{
	struct inode_id id = { .number = (uint32_t)any() & STATE_NUMBER_MAX };

	id.kind = (enum inode_kind)(INODE_DOCUMENT + any() % (INODE_EST - INODE_DOCUMENT + 1));
	if (id.kind == INODE_DOCUMENT) {
		id.role = (enum role)(ROLE_TARGETS + any() % 3);
		id.version = (uint32_t)any() & INT32_MAX;
	} else {
		id.generation = (uint32_t)any() & INODE_GENERATION_MAX;
	}
	return id;
}

static void
says_what_was_written(void **state)
{
	(void)state;
	seed = 1;
	for (int i = 0; i < 1000000; i++) {
		struct inode_id id = any_id(), read;

		assert_true(inode_id_read(inode_id_write(&id), &read));
		assert_true(is_same(&id, &read));
	}
}

/* What is read is written the same: no two numbers say the same. */
static void
takes_any_number(void **state)
{
	int count = 0;

	(void)state;
	seed = 2;
	for (int i = 0; i < 1000000; i++) {
		uint64_t number = any();
		struct inode_id id;

		if (!inode_id_read(number, &id))
			continue;
		count++;
		assert_true(inode_id_write(&id) == number);
	}
	assert_true(count > 400000);
}

static void
knows_what_is_not_of_a_device(void **state)
{
	struct inode_id id;

	(void)state;
	assert_false(inode_id_read(0, &id));
	assert_false(inode_id_read(TOP, &id));
	assert_false(inode_id_read((uint64_t)(uintptr_t)&id, &id));
	assert_int_equal(id.kind, INODE_NONE);
	/* No such kind. */
	assert_false(inode_id_read(1ULL << 63, &id));
	assert_false(inode_id_read(1ULL << 63 | 15ULL << 27, &id));
}

static void
has_room_for_the_largest(void **state)
{
	const struct inode_id largest = {
		.kind = INODE_DOCUMENT, .role = ROLE_TIMESTAMP, .number = STATE_NUMBER_MAX, .version = INT32_MAX
	};
	const struct inode_id folder = {
		.kind = INODE_EST, .number = STATE_NUMBER_MAX, .generation = INODE_GENERATION_MAX
	};

	(void)state;
	assert_true(inode_id_write(&largest) == UINT64_MAX);
	assert_true(inode_id_write(&folder) < inode_id_write(&largest));
}

static int
compare(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* lighttpd's ETag is made of 32 bits, nginx's of none of them. */
static void
gives_other_inode_numbers_to_other_versions(void **state)
{
	static uint64_t numbers[3000];
	size_t count = 0;

	(void)state;
	for (uint32_t i = 0; i < 1000; i++)
		for (int role = ROLE_TARGETS; role <= ROLE_TIMESTAMP; role++)
			numbers[count++] = inode_id_ino(&(struct inode_id){
			    .kind = INODE_DOCUMENT, .role = (enum role)role, .number = 7, .version = i + 1 });
	qsort(numbers, count, sizeof(numbers[0]), compare);
	for (size_t i = 1; i < count; i++)
		assert_true(numbers[i] != numbers[i - 1]);
}

static void
keeps_inode_numbers_in_another_generation(void **state)
{
	struct inode_id id = { .kind = INODE_DIRECTOR, .number = 7, .generation = 1 };
	uint64_t first = inode_id_ino(&id);

	(void)state;
	id.generation = 2;
	assert_true(inode_id_ino(&id) == first);
	id.number = 8;
	assert_true(inode_id_ino(&id) != first);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(says_what_was_written),
		cmocka_unit_test(takes_any_number),
		cmocka_unit_test(knows_what_is_not_of_a_device),
		cmocka_unit_test(has_room_for_the_largest),
		cmocka_unit_test(gives_other_inode_numbers_to_other_versions),
		cmocka_unit_test(keeps_inode_numbers_in_another_generation),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
