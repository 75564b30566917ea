/* What the watcher is told, and what it is asked to take out. */
#include "otafs/fleet.h"

#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "otafs/retire.h"
#include "tests/unit/fault.h"
#include "tests/unit/fixture.h"

static char path[512];

static void
path_of(const struct fixture *f, const char *name)
{
	snprintf(path, sizeof(path), "%s/%s", f->path, name);
}

static void
start(struct fixture *f)
{
	struct err err = { 0 };

	assert_int_equal(fleet_open(&f->core, &err), 0);
	assert_int_equal(retire_open(&f->core, &err), 0);
	retire_follow(&f->core);
	fleet_keep(&f->core, f->core.started_at);
}

static int
setup(void **state)
{
	int r = fixture_setup(state);

	path_of(*state, "fleet");
	assert_int_equal(mkdir(path, 0755), 0);
	start(*state);
	return r;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	retire_close(&f->core);
	fleet_close(&f->core);
	return fixture_teardown(state);
}

static void
restart(struct fixture *f)
{
	retire_close(&f->core);
	fleet_close(&f->core);
	fixture_reopen(f);
	start(f);
}

/* fleet.json; to be freed. */
static char *
told(const struct fixture *f)
{
	struct err err = { 0 };
	char *text;
	size_t bytes;

	path_of(f, "fleet/fleet.json");
	assert_int_equal(file_read(AT_FDCWD, path, 1 << 20, &text, &bytes, &err), 0);
	return text;
}

static void
assert_told(const struct fixture *f, const char *words, bool is_there)
{
	AUTO(free_p) char *text = told(f);

	if (is_there != (strstr(text, words) != NULL))
		fail_msg("fleet.json is %s, %s in it", text, words);
}

/* How many requests wait; the name of the last one is in path. */
static int
requests(const struct fixture *f)
{
	AUTO(closedir_p) DIR *dir = NULL;
	struct dirent *entry;
	char name[300];
	int n = 0;

	path_of(f, "fleet/requests");
	dir = opendir(path);
	assert_non_null(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.') {
			snprintf(name, sizeof(name), "fleet/requests/%s", entry->d_name);
			path_of(f, name);
			n++;
		}
	return n;
}

static const struct target *
find(struct fixture *f, const char *package, const char *version)
{
	const struct target *target = NULL;

	return image_find(f->core.image, package, version, &target) == 0 ? target : NULL;
}

static int
retire(struct fixture *f, const char *package, const char *version, bool is_forced, struct err *err)
{
	return retire_target(&f->core, find(f, package, version), is_forced, "test", err);
}

static void
publish_without_app_1(struct fixture *f, int number)
{
	AUTO(free_p) char *text = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	struct err err = { 0 };
	char name[64];
	size_t bytes;

	fixture_publish(f, number, NULL);
	snprintf(name, sizeof(name), "published/%d/targets.json", number);
	path_of(f, name);
	assert_int_equal(file_read(AT_FDCWD, path, 1 << 20, &text, &bytes, &err), 0);
	assert_int_equal(json_read(text, bytes, "targets", &json, &err), 0);
	json_object_del(json_object_get(json_object_get(json, "signed"), "targets"), "app-1.0");
	free(text);
	text = json_write(json);
	assert_int_equal(file_replace(AT_FDCWD, path, text, strlen(text), 0644, &err), 0);
	assert_int_equal(image_refresh(f->core.image, &err), IMAGE_CHANGED);
	retire_follow(&f->core);
}

/* ---- fleet.json */

static void
says_that_nothing_is_needed_at_first(void **state)
{
	AUTO(free_p) char *text = told(*state);
	struct stat st;

	assert_string_equal(text, "{\"assigned\":[],\"running\":[]}");
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0644);
}

static void
names_what_is_assigned_before_the_assignment_is_acknowledged(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(fixture_assign(f, "fw 1.0", &err), 0);
	assert_told(f, "\"assigned\":[{\"sha256\":\"" FW_1 "\",\"target\":\"fw-1.0\"}]", true);
}

static void
assigns_nothing_that_it_could_not_write_down(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *before = fixture_open(f);
	AUTO(free_p) char *after = NULL;
	struct err err = { 0 };

	path_of(f, "fleet/fleet.json");
	unlink(path);
	assert_int_equal(mkdir(path, 0755), 0);
	assert_true(fixture_assign(f, "fw 1.0", &err) < 0);
	assert_reason(err, "fleet.json");
	after = fixture_open(f);
	assert_string_equal(before, after);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(fixture_assign(f, "fw 1.0", &err), 0);
	assert_told(f, "fw-1.0", true);
}

static void
counts_devices_by_what_they_run(void **state)
{
	struct fixture *f = *state;
	struct reply reply;

	assert_int_equal(fixture_send(f, fixture_manifest_of(f, PRIM, "app-1.0", APP_1), &reply), 200);
	fleet_keep(&f->core, f->core.started_at + FLEET_SECONDS - 1);
	assert_told(f, APP_1, false);
	fleet_keep(&f->core, f->core.started_at + FLEET_SECONDS);
	assert_told(
	    f, "{\"devices\":1,\"format\":\"OSTREE\",\"hardware\":\"hw-a\",\"sha256\":\"" APP_1 "\"}", true);
}

static void
tells_the_same_after_a_restart(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *before = NULL;
	AUTO(free_p) char *after = NULL;
	struct err err = { 0 };

	assert_int_equal(fixture_assign(f, "fw 1.0", &err), 0);
	before = told(f);
	path_of(f, "fleet/fleet.json");
	assert_int_equal(unlink(path), 0);
	restart(f);
	after = told(f);
	assert_string_equal(before, after);
}

static void *
keep(void *context)
{
	struct fixture *f = context;

	fleet_keep(&f->core, f->core.started_at + FLEET_SECONDS);
	return NULL;
}

/* What is found without the lock may be old when it is written: nothing that was assigned meanwhile is left
 * out, also when the file has named it all the time. */
static void
names_what_is_assigned_while_the_fleet_is_looked_through(void **state)
{
	struct fixture *f = *state;
	struct turns lock = TURNS_INITIALIZER;
	struct err err = { 0 };
	pthread_t thread;

	assert_int_equal(fixture_assign(f, "fw 1.0", &err), 0);
	assert_int_equal(fixture_assign(f, "cancel", &err), 0);
	assert_int_equal(reader_begin(f->core.reader, &err), 0);
	f->core.lock = &lock;
	assert_int_equal(pthread_create(&thread, NULL, keep, f), 0);
	usleep(100000); /* it has begun, and waits for the reader */
	core_lock(&f->core);
	reader_end(f->core.reader);
	for (int i = 0; i < 500 && !lock.first; i++)
		usleep(10000); /* it has looked, and waits for the lock */
	assert_non_null(lock.first);
	assert_int_equal(fixture_assign(f, "fw 1.0", &err), 0);
	core_unlock(&f->core);
	pthread_join(thread, NULL);
	f->core.lock = NULL;
	assert_told(f, "\"target\":\"fw-1.0\"", true);
}

static void
run_too_much(struct fixture *f)
{
	struct ecu ecu = { .hardware = "hw-z" };
	struct state *state = f->core.state;
	struct err err = { 0 };

	assert_int_equal(state_begin(state, &err), 0);
	assert_int_equal(state_device_add(state, "other", 10, &err), 0);
	for (int i = 0; i <= FLEET_ENTRIES_MAX; i++) {
		snprintf(ecu.serial, sizeof(ecu.serial), "e%d", i);
		snprintf(ecu.installed_sha256, sizeof(ecu.installed_sha256), "%064d", i);
		assert_int_equal(state_ecu_put(state, "other", &ecu, i, &err), 0);
		assert_int_equal(state_ecu_installed(state, "other", &ecu, &err), 0);
	}
	assert_int_equal(state_end(state, 0, &err), 0);
}

/* Else what was told last would come back with the next promise, and the watcher would throw the rest away. */
static void
tells_nothing_of_a_fleet_that_is_too_large(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	run_too_much(f);
	fleet_keep(&f->core, f->core.started_at + FLEET_SECONDS);
	path_of(f, "fleet/fleet.json");
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(fixture_assign(f, "fw 1.0", &err), -E2BIG);
	assert_reason(err, "more than 20000 different things");
	path_of(f, "fleet/fleet.json");
	assert_int_equal(access(path, F_OK), -1);
	assert_int_equal(state_device_remove(f->core.state, "other", &err), 0);
	assert_int_equal(fixture_assign(f, "fw 1.0", &err), 0);
	assert_told(f, "fw-1.0", true);
}

static void
does_without_the_folder(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	char aside[520];

	retire_close(&f->core);
	fleet_close(&f->core);
	path_of(f, "fleet");
	snprintf(aside, sizeof(aside), "%s.aside", path);
	assert_int_equal(rename(path, aside), 0);
	start(f);
	assert_int_equal(fleet_folder(&f->core), -1);
	assert_int_equal(fixture_assign(f, "fw 1.0", &err), 0);
	assert_int_equal(retire(f, "app", "1.0", false, &err), -ENOTSUP);
	assert_reason(err, "no such folder");
}

/* ---- retiring */

static void
asks_by_a_file_and_hides_the_version_at_once(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	size_t bytes;

	assert_int_equal(retire(f, "app", "1.0", false, &err), 0);
	assert_int_equal(requests(f), 1);
	assert_int_equal(file_read(AT_FDCWD, path, 4096, &text, &bytes, &err), 0);
	assert_string_equal(text, "{\"retire\":\"app-1.0\"}");
	assert_null(find(f, "app", "1.0"));
	assert_non_null(find(f, "app", "2.0"));
	assert_int_equal(fixture_assign(f, "app 1.0", &err), -ENOENT);
	assert_reason(err, "package app has no version 1.0");
	restart(f);
	assert_null(find(f, "app", "1.0"));
	assert_int_equal(requests(f), 1);
}

static void
takes_the_request_back_when_it_is_done(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(retire(f, "app", "1.0", false, &err), 0);
	fixture_publish(f, 2, NULL); /* about something else */
	assert_int_equal(image_refresh(f->core.image, &err), IMAGE_CHANGED);
	retire_follow(&f->core);
	assert_null(find(f, "app", "1.0"));
	assert_int_equal(requests(f), 1);
	publish_without_app_1(f, 3);
	assert_int_equal(requests(f), 0);
	fixture_publish(f, 4, NULL); /* published again, it is there again */
	assert_int_equal(image_refresh(f->core.image, &err), IMAGE_CHANGED);
	retire_follow(&f->core);
	assert_non_null(find(f, "app", "1.0"));
}

static void
shows_it_again_when_the_watcher_refuses(void **state)
{
	struct fixture *f = *state;
	const struct refusal *refusal = &f->core.refusals[0];
	struct err err = { 0 };
	char name[300], id[64];

	assert_int_equal(retire(f, "app", "1.0", false, &err), 0);
	assert_int_equal(requests(f), 1);
	snprintf(id, sizeof(id), "%.36s", strrchr(path, '/') + 1);
	path_of(f, "report");
	assert_int_equal(mkdir(path, 0755), 0);
	path_of(f, "report/refused");
	assert_int_equal(mkdir(path, 0755), 0);
	snprintf(name, sizeof(name), "report/refused/%s", id);
	path_of(f, name);
	assert_int_equal(file_replace(AT_FDCWD, path, "targets keys are off line\n", 26, 0644, &err), 0);
	retire_follow(&f->core);
	assert_non_null(find(f, "app", "1.0"));
	assert_int_equal(requests(f), 0);
	assert_int_equal(f->core.refused, 1);
	assert_string_equal(refusal->path, "packages/app/1.0");
	assert_string_equal(refusal->text, "not retired: targets keys are off line");
}

static void
keeps_what_a_device_is_assigned_to_unless_forced(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(fixture_assign(f, "app 1.0", &err), 0);
	assert_int_equal(retire(f, "app", "1.0", false, &err), -EBUSY);
	assert_reason(err, "app-1.0 is assigned to 1 device, car7 is one; cancel that, or");
	assert_int_equal(requests(f), 0);
	assert_int_equal(retire_write(&f->core, find(f, "app", "1.0"), "please\n", "test", &err), -EINVAL);
	assert_reason(err, "expected \"force\"");
	assert_int_equal(retire_write(&f->core, find(f, "app", "1.0"), "force it\n", "test", &err), -EINVAL);
	assert_int_equal(retire_write(&f->core, find(f, "app", "1.0"), " force\n", "test", &err), 0);
	assert_int_equal(requests(f), 1);
	/* The watcher keeps what is named there. */
	assert_told(f, "app-1.0", false);
}

static void
tells_the_watcher_first_that_an_assignment_was_cancelled(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };

	assert_int_equal(fixture_assign(f, "app 1.0", &err), 0);
	assert_int_equal(fixture_assign(f, "cancel", &err), 0);
	assert_told(f, "app-1.0", true);
	assert_int_equal(retire(f, "app", "1.0", false, &err), 0);
	assert_told(f, "app-1.0", false);
}

static void
retires_nothing_of_a_delegation(void **state)
{
	struct fixture *f = *state;
	json_t *lent = json_object();
	struct err err = { 0 };

	fixture_target(lent, "lent", "1.0", "OSTREE", APP_1, json_pack("[s]", "hw-a"));
	fixture_delegation(f, 2, "supplier", lent, NULL, "2036-01-01T00:00:00Z");
	fixture_publish_with(f, 2, NULL, json_pack("[{s:s,s:[s]}]", "name", "supplier", "paths", "*"));
	assert_int_equal(image_refresh(f->core.image, &err), IMAGE_CHANGED);
	assert_int_equal(retire(f, "lent", "1.0", true, &err), -EPERM);
	assert_reason(err, "of the delegation supplier: only who signs that");
}

static void
leaves_nothing_half_whatever_fails(void **state)
{
	struct fixture *f = *state;
	struct err err = { 0 };
	int r = -1, calls = 0;

	do {
		assert_non_null(find(f, "app", "1.0"));
		assert_int_equal(requests(f), 0);
		fault_after(calls++);
		r = retire(f, "app", "1.0", false, &err);
	} while (fault_stop() && r < 0);
	assert_int_equal(r, 0);
	assert_true(calls > 5);
	assert_int_equal(requests(f), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(says_that_nothing_is_needed_at_first),
		TEST(names_what_is_assigned_before_the_assignment_is_acknowledged),
		TEST(assigns_nothing_that_it_could_not_write_down),
		TEST(counts_devices_by_what_they_run),
		TEST(tells_the_same_after_a_restart),
		TEST(names_what_is_assigned_while_the_fleet_is_looked_through),
		TEST(tells_nothing_of_a_fleet_that_is_too_large),
		TEST(does_without_the_folder),
		TEST(asks_by_a_file_and_hides_the_version_at_once),
		TEST(takes_the_request_back_when_it_is_done),
		TEST(shows_it_again_when_the_watcher_refuses),
		TEST(keeps_what_a_device_is_assigned_to_unless_forced),
		TEST(tells_the_watcher_first_that_an_assignment_was_cancelled),
		TEST(retires_nothing_of_a_delegation),
		TEST(leaves_nothing_half_whatever_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
