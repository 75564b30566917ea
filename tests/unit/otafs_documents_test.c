/* Texts between the lookup that made them and the read that asks for them. */
#include "otafs/documents.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "otafs/inode_id.h"

#define ROOM 65536
/** So long that about sixty of them fit. */
#define TEXT_BYTES 1000

static struct documents *documents;

static int
setup(void **state)
{
	struct err err;

	(void)state;
	return documents_new(ROOM, &documents, &err);
}

static int
teardown(void **state)
{
	(void)state;
	documents_free(documents);
	return 0;
}

static uint64_t
id_of(uint32_t number, uint32_t version)
{
	return inode_id_write(&(struct inode_id){
	    .kind = INODE_DOCUMENT, .role = ROLE_TARGETS, .number = number, .version = version });
}

static void
put(uint32_t number, uint32_t version)
{
	char text[TEXT_BYTES];

	memset(text, (char)('a' + (number + version) % 26), sizeof(text));
	documents_put(documents, id_of(number, version), text, sizeof(text));
}

static bool
is_there(uint32_t number, uint32_t version)
{
	char byte;

	if (documents_read(documents, id_of(number, version), &byte, 1, TEXT_BYTES - 1) != 1)
		return false;
	assert_int_equal(byte, 'a' + (number + version) % 26);
	return true;
}

static void
gives_what_was_put(void **state)
{
	char text[32] = "";

	(void)state;
	assert_int_equal(documents_size(documents, id_of(7, 1)), -ENODATA);
	assert_int_equal(documents_read(documents, id_of(7, 1), text, sizeof(text), 0), -ENODATA);
	documents_put(documents, id_of(7, 1), "one two", 7);
	documents_put(documents, id_of(7, 1), "another", 7);
	assert_int_equal(documents_size(documents, id_of(7, 1)), 7);
	assert_int_equal(documents_read(documents, id_of(7, 1), text, sizeof(text), 0), 7);
	assert_string_equal(text, "one two");
	assert_int_equal(documents_read(documents, id_of(7, 1), text, 2, 4), 2);
	assert_memory_equal(text, "tw", 2);
	assert_int_equal(documents_read(documents, id_of(7, 1), text, sizeof(text), 7), 0);
	assert_int_equal(documents_read(documents, id_of(7, 1), text, sizeof(text), 1000), 0);
}

static void
lets_the_first_go_when_there_is_no_room(void **state)
{
	(void)state;
	for (uint32_t i = 1; i <= 1000; i++)
		put(i, 1);
	assert_false(is_there(1, 1));
	assert_false(is_there(900, 1));
	assert_true(is_there(960, 1));
	assert_true(is_there(1000, 1));
}

/* Nobody can make it again, and somebody may be in the middle of it. */
static void
keeps_an_older_version_longer_than_others(void **state)
{
	(void)state;
	put(7, 1);
	put(7, 2);
	for (uint32_t i = 100; i < 1100; i++)
		put(i, 1);
	assert_true(is_there(7, 1));
	assert_false(is_there(7, 2));
	/* Also when the older one was made later. */
	put(8, 2);
	put(8, 1);
	for (uint32_t i = 100; i < 1100; i++)
		put(i, 1);
	assert_true(is_there(8, 1));
	assert_false(is_there(8, 2));
}

static void
has_room_for_others_whatever_is_old(void **state)
{
	(void)state;
	for (uint32_t version = 1; version <= 1000; version++) {
		put(7, version);
		put(100 + version, 1);
		assert_true(is_there(7, version));
		assert_true(is_there(100 + version, 1));
	}
	for (uint32_t i = 1; i <= 20; i++) {
		assert_true(is_there(7, 1000 - i));
		assert_true(is_there(1100 - i, 1));
	}
	assert_false(is_there(7, 900));
}

static void
is_without_what_never_fits(void **state)
{
	char *text = calloc(1, ROOM);

	(void)state;
	put(7, 1);
	documents_put(documents, id_of(8, 1), text, ROOM);
	assert_int_equal(documents_size(documents, id_of(8, 1)), -ENODATA);
	free(text);
	assert_true(is_there(7, 1));
}

/* What it takes of the processor to put this many: one version of as many files, or as many of one. */
static double
seconds_to_put(uint32_t count, bool is_one_file)
{
	struct timespec from, to;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
	for (uint32_t i = 1; i <= count; i++)
		documents_put(documents, is_one_file ? id_of(7, i) : id_of(100 + i, 1), "text", 4);
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
	return (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9;
}

/* A device that is assigned something again and again. */
static void
takes_thousands_of_versions_of_one_file_as_fast(void **state)
{
	struct err err;
	double files, versions;

	documents_free(documents);
	assert_int_equal(documents_new(32 * 1024 * 1024, &documents, &err), 0);
	files = seconds_to_put(50000, false);
	versions = seconds_to_put(50000, true);
	(void)state;
	assert_true(versions < 10 * files);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(gives_what_was_put),
		TEST(lets_the_first_go_when_there_is_no_room),
		TEST(keeps_an_older_version_longer_than_others),
		TEST(has_room_for_others_whatever_is_old),
		TEST(is_without_what_never_fits),
		TEST(takes_thousands_of_versions_of_one_file_as_fast),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
