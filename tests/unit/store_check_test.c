/* Objects checked piece by piece: all of libostree's are taken, and no changed byte of them. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "store/check.h"
#include "store/tree.h"
#include "tests/unit/fault.h"

#define OBJECTS_MAX 32

struct object {
	char checksum[DIGEST_HEX_SIZE];
	char kind[16];
	char *data;
	size_t bytes;
};

struct fixture {
	char path[64];
	struct object list[OBJECTS_MAX];
	size_t count;
};

static int
run(const char *format, ...)
{
	char command[1024];
	va_list args;

	va_start(args, format);
	vsnprintf(command, sizeof(command), format, args);
	va_end(args);
	return system(command);
}

static void
add(struct fixture *f, int folder, const char *prefix, const char *file)
{
	struct object *object = &f->list[f->count++];
	struct err err;

	assert_true(f->count <= OBJECTS_MAX);
	snprintf(object->checksum, sizeof(object->checksum), "%.2s%.62s", prefix, file);
	snprintf(object->kind, sizeof(object->kind), "%s", strchr(file, '.') + 1);
	assert_int_equal(file_read(folder, file, 1 << 20, &object->data, &object->bytes, &err), 0);
}

static void
add_all(struct fixture *f)
{
	char path[128];
	struct dirent *folder, *file;
	DIR *objects;

	snprintf(path, sizeof(path), "%s/repo/objects", f->path);
	objects = opendir(path);
	while ((folder = readdir(objects))) {
		DIR *dir = *folder->d_name == '.'
			       ? NULL
			       : fdopendir(openat(dirfd(objects), folder->d_name, O_RDONLY | O_DIRECTORY));

		while (dir && (file = readdir(dir)))
			if (*file->d_name != '.')
				add(f, dirfd(dir), folder->d_name, file->d_name);
		if (dir)
			closedir(dir);
	}
	closedir(objects);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	strcpy(f->path, "/tmp/store-check.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	assert_int_equal(run("cd %s && mkdir -p tree/etc && echo hello >tree/etc/file && : >tree/empty && "
			     "head -c 300000 /dev/zero >tree/zero && seq 1000 >tree/numbers && "
			     "ln -s etc/file tree/link && "
			     "{ setfattr -n user.colour -v green tree/etc/file 2>/dev/null || :; } && "
			     "ostree --repo=repo init --mode=archive && ostree --repo=repo commit -b app tree "
			     "--add-detached-metadata-string=signed=yes >commit",
			     f->path),
	    0);
	add_all(f);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(tree_remove(AT_FDCWD, f->path, &err), 0);
	for (size_t i = 0; i < f->count; i++)
		free(f->list[i].data);
	free(f);
	return 0;
}

/* Feeds @bytes in pieces of @step. */
static int
feed(struct check *check, const char *data, size_t bytes, size_t step, struct err *err)
{
	int r = 0;

	for (size_t at = 0; r == 0 && at < bytes; at += step)
		r = check_feed(check, data + at, step < bytes - at ? step : bytes - at, err);
	return r ? r : check_end(check, err);
}

static int
check_once(const struct object *object, const char *data, size_t bytes, size_t step, struct err *err)
{
	AUTO(check_freep) struct check *check = NULL;
	int r = check_new(object->checksum, object->kind, &check, err);

	return r ? r : feed(check, data, bytes, step, err);
}

static void
takes_what_libostree_wrote_in_pieces_of_any_size(void **state)
{
	static const size_t steps[] = { 1, 2, 7, 8, 9, 31, 4096, 1 << 20 };
	struct fixture *f = *state;
	struct err err;

	assert_true(f->count >= 10);
	for (size_t i = 0; i < f->count; i++)
		for (size_t j = 0; j < sizeof(steps) / sizeof(steps[0]); j++)
			if (check_once(&f->list[i], f->list[i].data, f->list[i].bytes, steps[j], &err))
				fail_msg("%s.%s in pieces of %zu: %s", f->list[i].checksum, f->list[i].kind,
				    steps[j], err.text);
}

/* 300,000 zeros can be said in several ways of the same length: this byte or that one is copied. */
static bool
is_zeros(const struct object *object)
{
	return !strcmp(object->kind, "filez") && !memcmp(object->data + 8, "\0\0\0\0\0\x04\x93\xe0", 8);
}

static void
refuses_every_flipped_byte(void **state)
{
	struct fixture *f = *state;
	struct err err;

	for (size_t i = 0; i < f->count; i++) {
		struct object *object = &f->list[i];

		if (!strcmp(object->kind, "commitmeta") || is_zeros(object))
			continue;
		for (size_t at = 0; at < object->bytes; at++)
			for (int bit = 1; bit < 256; bit *= 2) {
				int r;

				object->data[at] = (char)(object->data[at] ^ bit);
				r = check_once(object, object->data, object->bytes, 4096, &err);
				if (r == DROP_BAD)
					assert_reason(err, "is damaged: ");
				/* Unused bits in the last byte of a deflate stream carry nothing; those of a
				 * stored block neither, so there is nothing random here. */
				else if (at + 1 < object->bytes || strcmp(object->kind, "filez") != 0)
					fail_msg("%s.%s: byte %zu flipped by %d gives %d", object->checksum,
					    object->kind, at, bit, r);
				object->data[at] = (char)(object->data[at] ^ bit);
			}
	}
}

static void
refuses_what_is_cut_short(void **state)
{
	struct fixture *f = *state;
	struct err err;

	for (size_t i = 0; i < f->count; i++)
		for (size_t bytes = 0; bytes < f->list[i].bytes; bytes++)
			if (check_once(&f->list[i], f->list[i].data, bytes, 4096, &err) != DROP_BAD &&
			    strcmp(f->list[i].kind, "commitmeta") != 0)
				fail_msg(
				    "%s.%s: %zu bytes are enough", f->list[i].checksum, f->list[i].kind, bytes);
}

static void
refuses_bytes_after_the_end(void **state)
{
	struct fixture *f = *state;
	struct err err;

	for (size_t i = 0; i < f->count; i++) {
		struct object *object = &f->list[i];
		AUTO(free_p) char *longer = calloc(1, object->bytes + 3);

		memcpy(longer, object->data, object->bytes);
		for (size_t step = 1; step < 100000; step *= 10)
			if (check_once(object, longer, object->bytes + 3, step, &err) != DROP_BAD)
				fail_msg("%s.%s: bytes may follow", object->checksum, object->kind);
		assert_reason(err, "is damaged: ");
	}
}

static void
refuses_one_object_under_the_name_of_another(void **state)
{
	struct fixture *f = *state;
	struct object other;
	struct err err;

	for (size_t i = 0; i < f->count; i++) {
		other = f->list[i];
		other.checksum[63] = other.checksum[63] == '0' ? '1' : '0';
		if (strcmp(other.kind, "commitmeta") == 0)
			continue;
		assert_int_equal(check_once(&other, other.data, other.bytes, 4096, &err), DROP_BAD);
		assert_reason(err, f->list[i].kind[0] == 'f' ? "its content has checksum" : "its bytes have");
	}
}

static void
can_be_used_again_after_any_end(void **state)
{
	AUTO(check_freep) struct check *check = NULL;
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(check_new(f->list[0].checksum, f->list[0].kind, &check, &err), 0);
	for (size_t i = 0; i < f->count; i++) {
		struct object *object = &f->list[i];

		assert_int_equal(check_restart(check, object->checksum, object->kind, &err), 0);
		feed(check, object->data, object->bytes / 2, 100, &err);
		assert_int_equal(check_restart(check, object->checksum, object->kind, &err), 0);
		assert_int_equal(feed(check, object->data, object->bytes, 100, &err), 0);
	}
}

static void
bounds_small_objects(void **state)
{
	AUTO(check_freep) struct check *check = NULL;
	struct fixture *f = *state;
	AUTO(free_p) char *megabyte = calloc(1, 1 << 20);
	struct err err;
	int r = 0, n = 0;

	assert_int_equal(check_new(f->list[0].checksum, "dirtree", &check, &err), 0);
	for (; r == 0 && n < 100; n++)
		r = check_feed(check, megabyte, 1 << 20, &err);
	assert_int_equal(r, DROP_BAD);
	assert_int_equal(n, 11);
	assert_reason(err, "more than the 10485760 bytes that a dirtree may have");
	assert_int_equal(check_restart(check, f->list[0].checksum, "commitmeta", &err), 0);
	assert_int_equal(check_feed(check, megabyte, 1 << 20, &err), 0);
	assert_int_equal(check_feed(check, megabyte, 1, &err), DROP_BAD);
}

static void
refuses_a_large_header(void **state)
{
	static const char prefix[8] = { 0, 2, 0, 0 };
	AUTO(check_freep) struct check *check = NULL;
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(check_new(f->list[0].checksum, "filez", &check, &err), 0);
	assert_int_equal(check_feed(check, prefix, 8, &err), 0);
	assert_int_equal(check_feed(check, prefix, 1, &err), DROP_BAD);
	assert_reason(err, "is damaged: its header has no such form");
}

static void
knows_names_and_kinds(void **state)
{
	AUTO(check_freep) struct check *check = NULL;
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(check_new("abc", "filez", &check, &err), DROP_BAD);
	assert_int_equal(check_new(f->list[0].checksum, "file", &check, &err), DROP_BAD);
	assert_null(check);
	assert_int_equal(check_max("file"), 0);
	assert_true(check_max("filez") == UINT64_MAX);
}

static void
leaks_nothing_without_memory(void **state)
{
	struct fixture *f = *state;
	struct err err;
	int n = 0, r;

	do {
		fault_after(n++);
		r = check_once(&f->list[0], f->list[0].data, f->list[0].bytes, 100, &err);
		if (r)
			assert_int_equal(r, -ENOMEM);
	} while (fault_stop());
	assert_int_equal(r, 0);
	assert_true(n >= 2);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_what_libostree_wrote_in_pieces_of_any_size),
		cmocka_unit_test(refuses_every_flipped_byte),
		cmocka_unit_test(refuses_what_is_cut_short),
		cmocka_unit_test(refuses_bytes_after_the_end),
		cmocka_unit_test(refuses_one_object_under_the_name_of_another),
		cmocka_unit_test(can_be_used_again_after_any_end),
		cmocka_unit_test(bounds_small_objects),
		cmocka_unit_test(refuses_a_large_header),
		cmocka_unit_test(knows_names_and_kinds),
		cmocka_unit_test(leaks_nothing_without_memory),
	};

	return cmocka_run_group_tests_name("store/check", tests, setup, teardown);
}
