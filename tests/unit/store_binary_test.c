/* Bytes of binary targets: whole under their own name or not at all. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "store/binary.h"
#include "store/tree.h"
#include "tests/unit/fault.h"

/* sha256 of "hello" */
#define HELLO "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
#define HELLO_PATH "binaries/2c/f24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"

/** So many that two threads are at it. */
#define MANY 200

struct fixture {
	char path[64];
	int dir;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;

	strcpy(f->path, "/tmp/store-binary.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(binary_start(f->dir, NULL, &err), 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	struct err err;

	close(f->dir);
	assert_int_equal(tree_remove(AT_FDCWD, f->path, &err), 0);
	free(f);
	return 0;
}

static int
count_uploads(struct fixture *f)
{
	struct dirent **list = NULL;
	int n = scandirat(f->dir, "upload", &list, NULL, NULL);

	for (int i = 0; i < n; i++)
		free(list[i]);
	free(list);
	return n - 2;
}

static int
take_hello(struct fixture *f, struct err *err)
{
	AUTO(binary_freep) struct binary *binary = NULL;
	int r;

	if ((r = binary_new(f->dir, 5, &binary, err)) < 0 || (r = binary_write(binary, "hel", 3, err)) < 0 ||
	    (r = binary_write(binary, "lo", 2, err)) < 0)
		return r;
	return binary_commit(binary, err);
}

static void
names_bytes_by_their_hash(void **state)
{
	struct fixture *f = *state;
	AUTO(close_p) int fd = -1;
	struct stat st;
	struct err err;
	uint64_t length;

	assert_int_equal(binary_has(f->dir, HELLO, NULL, &err), BINARY_NONE);
	assert_int_equal(binary_open(f->dir, HELLO, &fd, &err), BINARY_NONE);
	assert_int_equal(take_hello(f, &err), 0);
	assert_int_equal(binary_has(f->dir, HELLO, &length, &err), 0);
	assert_int_equal(length, 5);
	assert_int_equal(binary_open(f->dir, HELLO, &fd, &err), 0);
	assert_int_equal(fstatat(f->dir, HELLO_PATH, &st, 0), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
	assert_int_equal(take_hello(f, &err), 0);
	assert_int_equal(count_uploads(f), 0);
}

static void
removes_what_was_not_committed(void **state)
{
	struct fixture *f = *state;
	struct binary *binary;
	struct err err;

	assert_int_equal(binary_new(f->dir, 5, &binary, &err), 0);
	assert_int_equal(binary_write(binary, "x", 1, &err), 0);
	assert_int_equal(count_uploads(f), 1);
	binary_free(binary);
	assert_int_equal(count_uploads(f), 0);
	/* After a crash. */
	assert_int_equal(file_replace(f->dir, "upload/binary.1.2", "x", 1, 0600, &err), 0);
	assert_int_equal(file_replace(f->dir, "upload/others", "x", 1, 0600, &err), 0);
	assert_int_equal(binary_start(f->dir, NULL, &err), 0);
	assert_int_equal(count_uploads(f), 1);
}

static void
copies_holes_as_holes(void **state)
{
	struct fixture *f = *state;
	AUTO(binary_freep) struct binary *binary = NULL;
	AUTO(close_p) int fd = openat(f->dir, "sparse", O_RDWR | O_CREAT, 0600);
	char path[256];
	struct stat st;
	struct err err;

	assert_int_equal(ftruncate(fd, 100 << 20), 0);
	assert_int_equal(pwrite(fd, "data", 4, 50 << 20), 4);
	assert_int_equal(binary_new(f->dir, 4096, &binary, &err), 0);
	assert_int_equal(binary_copy(binary, fd, &err), 0);
	assert_int_equal(binary_commit(binary, &err), 0);
	assert_int_equal(binary_length(binary), 100 << 20);
	/* sha256sum's word */
	snprintf(path, sizeof(path), "test %s = $(sha256sum <%s/sparse | cut -c1-64)", binary_sha256(binary),
	    f->path);
	assert_int_equal(system(path), 0);
	snprintf(path, sizeof(path), "binaries/%.2s/%s", binary_sha256(binary), binary_sha256(binary) + 2);
	assert_int_equal(fstatat(f->dir, path, &st, 0), 0);
	assert_int_equal(st.st_size, 100 << 20);
	assert_true(st.st_blocks * 512 < 1 << 20);
}

static void
commits_many_at_once(void **state)
{
	struct fixture *f = *state;
	struct binary *list[MANY] = { NULL };
	struct err err;

	for (int i = 0; i < MANY; i++) {
		char text[16];

		if (i == 3)
			continue; /* its bytes are elsewhere */
		/* Two of each, so that they meet when two threads place them. */
		snprintf(text, sizeof(text), "%d", i / 2);
		assert_int_equal(binary_new(f->dir, 1, &list[i], &err), 0);
		assert_int_equal(binary_write(list[i], text, strlen(text), &err), 0);
	}
	assert_int_equal(binary_commit_all(f->dir, list, MANY, &err), 0);
	assert_int_equal(count_uploads(f), 0);
	for (int i = 0; i < MANY; i++) {
		if (list[i])
			assert_int_equal(binary_has(f->dir, binary_sha256(list[i]), NULL, &err), 0);
		binary_free(list[i]);
	}
}

static void
commits_after_whatever_failed(void **state)
{
	struct fixture *f = *state;
	int is_reached = 1, r;
	struct err err;

	for (int i = 0; is_reached; i++) {
		struct binary *binary = NULL;

		assert_true(i < 100);
		assert_int_equal(binary_new(f->dir, 5, &binary, &err), 0);
		assert_int_equal(binary_write(binary, "hello", 5, &err), 0);
		fault_after(i);
		r = binary_commit(binary, &err);
		is_reached = fault_stop();
		assert_int_equal(r < 0, is_reached);
		assert_int_equal(binary_commit(binary, &err), 0);
		binary_free(binary);
		assert_int_equal(unlinkat(f->dir, HELLO_PATH, 0), 0);
		assert_int_equal(count_uploads(f), 0);
	}
}

static void
leaves_nothing_half_done_whatever_fails(void **state)
{
	struct fixture *f = *state;
	int fds = fault_open_fds(), is_reached = 1, r;
	struct err err;

	for (int i = 0; is_reached; i++) {
		assert_true(i < 100);
		fault_after(i);
		r = take_hello(f, &err);
		is_reached = fault_stop();
		if (r < 0)
			assert_int_equal(r, -err.code);
		assert_int_equal(fault_open_fds(), fds);
		unlinkat(f->dir, HELLO_PATH, 0);
	}
	assert_int_equal(r, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(names_bytes_by_their_hash),
		TEST(removes_what_was_not_committed),
		TEST(copies_holes_as_holes),
		TEST(commits_many_at_once),
		TEST(commits_after_whatever_failed),
		TEST(leaves_nothing_half_done_whatever_fails),
	};

	return cmocka_run_group_tests_name("store/binary", tests, NULL, NULL);
}
