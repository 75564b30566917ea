/* Published sets: whole or not at all; and what may be offered under which name. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "tests/unit/fault.h"
#include "store/offer.h"
#include "store/publish.h"
#include "store/tree.h"

#define COMMIT_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define COMMIT_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define NOW "2026-12-01T02:00:00Z"
#define LATER "2026-12-02T02:00:00Z"

struct fixture {
	char path[64];
	int dir;
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;

	strcpy(f->path, "/tmp/watcher-publish.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	assert_int_equal(publish_open(f->path, &f->dir, &err), 0);
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

/* Publishes a set whose two files both hold its number. */
static int
publish(struct fixture *f, int number, struct err *err)
{
	char text[16];
	size_t n = (size_t)sprintf(text, "%d", number);
	const struct publish_file files[] = { { "a.json", text, n }, { "b.json", text, n } };

	return publish_write(f->dir, number, files, 2, err);
}

static int
current(struct fixture *f, const char *name)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	struct err err;
	int r = publish_read(f->dir, name, 16, &text, &bytes, &err);

	assert_true(r == 0 || r == PUBLISH_NONE);
	return r == 0 ? atoi(text) : 0;
}

static int
exists(struct fixture *f, const char *name)
{
	return faccessat(f->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static void
has_nothing_before_the_first_set(void **state)
{
	assert_int_equal(current(*state, "a.json"), 0);
}

/* Lets set @number have been made so long ago. */
static void
age(struct fixture *f, int number, int seconds)
{
	const struct timespec times[] = { { 0, UTIME_OMIT }, { time(NULL) - seconds, 0 } };
	char name[16];

	sprintf(name, "%d", number);
	assert_int_equal(utimensat(f->dir, name, times, 0), 0);
}

static void
keeps_the_last_three_sets(void **state)
{
	struct fixture *f = *state;
	struct err err;

	for (int i = 1; i <= 5; i++) {
		assert_int_equal(publish(f, i, &err), 0);
		assert_int_equal(current(f, "a.json"), i);
		age(f, i, PUBLISH_KEEP_SECONDS + 1);
	}
	assert_false(exists(f, "2"));
	assert_true(exists(f, "3") && exists(f, "4") && exists(f, "5"));
}

static void
keeps_what_a_device_may_have_begun_with(void **state)
{
	struct fixture *f = *state;
	struct err err;

	for (int i = 1; i <= PUBLISH_KEEP_MAX + 6; i++) {
		assert_int_equal(publish(f, i, &err), 0);
		/* Sets 1 to 3 are old; 3 was current until 4 was made, just now. */
		if (i <= 3)
			age(f, i, PUBLISH_KEEP_SECONDS + 1);
		if (i == 6)
			assert_true(!exists(f, "2") && exists(f, "3") && exists(f, "4"));
	}
	assert_false(exists(f, "6"));
	assert_true(exists(f, "7"));
}

static void
links_what_stays_as_it_is(void **state)
{
	struct fixture *f = *state;
	char text[] = "1";
	const struct publish_file first[] = { { "a.json", text, 1 }, { "delegations/s.json", text, 1 } };
	const struct publish_file second[] = { { "a.json", NULL, 0 }, { "delegations/s.json", NULL, 0 } };
	const struct publish_file third[] = { { "gone.json", NULL, 0 } };
	struct stat a, b;
	struct err err;

	assert_int_equal(publish_write(f->dir, 1, first, 2, &err), 0);
	assert_int_equal(publish_write(f->dir, 2, second, 2, &err), 0);
	assert_int_equal(current(f, "delegations/s.json"), 1);
	assert_int_equal(fstatat(f->dir, "1/a.json", &a, 0), 0);
	assert_int_equal(fstatat(f->dir, "2/a.json", &b, 0), 0);
	assert_int_equal(a.st_ino, b.st_ino);
	assert_int_equal(publish_write(f->dir, 3, third, 1, &err), -ENOENT);
	assert_int_equal(current(f, "a.json"), 1);
}

static void
removes_what_a_crash_left(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(publish(f, 1, &err), 0);
	assert_int_equal(mkdirat(f->dir, "2", 0750), 0);
	assert_int_equal(mkdirat(f->dir, "2/old", 0750), 0);
	assert_int_equal(mkdirat(f->dir, "2.tmp", 0750), 0);
	assert_int_equal(mkdirat(f->dir, "7", 0750), 0);
	assert_int_equal(mkdirat(f->dir, "9.tmp", 0750), 0);
	assert_int_equal(symlinkat("7", f->dir, "current.tmp"), 0);
	assert_int_equal(publish(f, 2, &err), 0);
	assert_int_equal(current(f, "b.json"), 2);
	assert_false(exists(f, "2/old"));
	assert_false(exists(f, "2.tmp") || exists(f, "7") || exists(f, "9.tmp") || exists(f, "current.tmp"));
}

static void
shows_the_old_or_the_new_set_whatever_fails(void **state)
{
	struct fixture *f = *state;
	int fds = fault_open_fds(), r, is_reached = 1;
	struct err err;

	assert_int_equal(publish(f, 1, &err), 0);
	for (int i = 0; is_reached; i++) {
		int before = current(f, "a.json");

		assert_true(i < 200);
		fault_after(i);
		r = publish(f, before + 1, &err);
		is_reached = fault_stop();
		assert_int_equal(current(f, "a.json"), current(f, "b.json"));
		if (r == 0)
			assert_int_equal(current(f, "a.json"), before + 1);
		else
			assert_int_equal(r, -err.code);
		assert_int_equal(fault_open_fds(), fds);
	}
}

/* -- what is offered -- */

static struct release
release_of(const char *name, const char *version, const char *commit, const char *hardware)
{
	struct release release = { .hardware = json_pack("[s]", hardware) };

	strcpy(release.name, name);
	strcpy(release.version, version);
	strcpy(release.commit, commit);
	return release;
}

static int
add(json_t *targets, const char *name, const char *version, const char *commit, const char *hardware,
    const char *now, struct err *err)
{
	struct release release = release_of(name, version, commit, hardware);
	int r = offer_add(targets, &release, now, err);

	json_decref(release.hardware);
	return r;
}

static void
writes_a_target_as_clients_want_it(void **state)
{
	AUTO(json_decref_p) json_t *targets = json_object();
	AUTO(free_p) char *text = NULL;
	struct err err;

	(void)state;
	assert_int_equal(add(targets, "app", "2.1", COMMIT_A, "board", NOW, &err), 0);
	text = json_write(targets);
	assert_string_equal(text,
	    "{\"app-2.1\":{\"custom\":{\"createdAt\":\"" NOW "\",\"hardwareIds\":[\"board\"],\"name\":\"app\","
	    "\"targetFormat\":\"OSTREE\",\"updatedAt\":\"" NOW "\",\"uri\":null,\"version\":\"2.1\"},"
	    "\"hashes\":{\"sha256\":\"" COMMIT_A "\"},\"length\":0}}");
}

static void
joins_hardware_ids_of_the_same_commit(void **state)
{
	AUTO(json_decref_p) json_t *targets = json_object();
	const json_t *custom;
	struct err err;

	(void)state;
	assert_int_equal(add(targets, "app", "1", COMMIT_A, "x", NOW, &err), 0);
	assert_int_equal(add(targets, "app", "1", COMMIT_A, "x", LATER, &err), OFFER_SAME);
	custom = json_object_get(json_object_get(targets, "app-1"), "custom");
	assert_string_equal(json_text(custom, "updatedAt"), NOW);
	assert_int_equal(add(targets, "app", "1", COMMIT_A, "y", LATER, &err), 0);
	assert_int_equal(json_array_size(json_object_get(custom, "hardwareIds")), 2);
	assert_string_equal(json_text(custom, "createdAt"), NOW);
	assert_string_equal(json_text(custom, "updatedAt"), LATER);
}

static void
never_uses_a_file_name_for_other_content(void **state)
{
	AUTO(json_decref_p) json_t *targets = json_object();
	AUTO(json_decref_p) json_t *before = NULL;
	struct err err;

	(void)state;
	assert_int_equal(add(targets, "a-b", "c", COMMIT_A, "x", NOW, &err), 0);
	before = json_deep_copy(targets);
	assert_int_equal(add(targets, "a-b", "c", COMMIT_B, "x", NOW, &err), DROP_BAD);
	assert_reason(err, "a-b-c: was published with commit " COMMIT_A);
	assert_int_equal(add(targets, "a", "b-c", COMMIT_A, "x", NOW, &err), DROP_BAD);
	assert_reason(err, "a-b-c: is the file name of version \"c\" of package \"a-b\" (OSTREE) already");
	assert_true(json_equal(before, targets));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(has_nothing_before_the_first_set, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_the_last_three_sets, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_what_a_device_may_have_begun_with, setup, teardown),
		cmocka_unit_test_setup_teardown(links_what_stays_as_it_is, setup, teardown),
		cmocka_unit_test_setup_teardown(removes_what_a_crash_left, setup, teardown),
		cmocka_unit_test_setup_teardown(shows_the_old_or_the_new_set_whatever_fails, setup, teardown),
		cmocka_unit_test(writes_a_target_as_clients_want_it),
		cmocka_unit_test(joins_hardware_ids_of_the_same_commit),
		cmocka_unit_test(never_uses_a_file_name_for_other_content),
	};

	return cmocka_run_group_tests_name("watcher/publish", tests, NULL, NULL);
}
