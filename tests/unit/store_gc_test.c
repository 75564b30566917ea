/* Garbage collection: what is needed never goes, whatever happens beside it. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "store/gc.h"
#include "store/ingest.h"
#include "store/lock.h"
#include "store/tree.h"

struct fixture {
	char path[64], repository[96], fleet[96];
	int dir; /* repository */
	struct ingest *ingest;
	void (*meanwhile)(struct fixture *f); /* called once, from within a run */
	int asked;
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

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;

	strcpy(f->path, "/tmp/store-gc.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	snprintf(f->repository, sizeof(f->repository), "%s/repository", f->path);
	snprintf(f->fleet, sizeof(f->fleet), "%s/fleet", f->path);
	assert_int_equal(run("cd %s && mkdir -p repository/published/1 fleet && "
			     "echo '{\"signed\":{\"targets\":{}}}' >repository/published/1/targets.json && "
			     "ln -s 1 repository/published/current",
			     f->path),
	    0);
	if (ingest_new(f->repository, &f->ingest, &err) < 0)
		fail_msg("%s", err.text);
	f->dir = open(f->repository, O_RDONLY | O_DIRECTORY);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	struct err err;

	ingest_free(f->ingest);
	close(f->dir);
	assert_int_equal(tree_remove(AT_FDCWD, f->path, &err), 0);
	free(f);
	return 0;
}

/* A commit of a folder with a few files; its ref is @ref. */
static void
commit(struct fixture *f, const char *ref, char id[static DIGEST_HEX_SIZE])
{
	char file[128];
	FILE *in;

	assert_int_equal(
	    run("cd %s && mkdir -p tree/sub && echo %s >tree/sub/file && echo common >tree/common && "
		"ostree --repo=repository/ostree commit -b %s --tree=dir=tree --owner-uid=0 --owner-gid=0 >id",
		f->path, ref, ref),
	    0);
	snprintf(file, sizeof(file), "%s/id", f->path);
	in = fopen(file, "r");
	assert_non_null(in);
	assert_int_equal(fread(id, 1, 64, in), 64);
	id[64] = '\0';
	fclose(in);
}

static void
drop_ref(struct fixture *f, const char *ref)
{
	assert_int_equal(run("rm %s/ostree/refs/heads/%s", f->repository, ref), 0);
}

static int
is_whole(struct fixture *f, const char *id)
{
	return run("ostree --repo=%s/ostree ls -R %s >/dev/null 2>&1 && ostree --repo=%s/ostree fsck -q "
		   ">/dev/null 2>&1",
		   f->repository, id, f->repository) == 0;
}

static int
count_objects(struct fixture *f)
{
	struct tree_look look;
	struct err err;

	assert_int_equal(tree_scan(f->dir, "ostree/objects", &look, &err), 0);
	return run("test $(find %s/ostree/objects -type f | wc -l) -eq 0", f->repository) == 0 ? 0 : 1;
}

static bool
ask(void *data)
{
	struct fixture *f = data;

	if (f->meanwhile && f->asked++ == 1)
		f->meanwhile(f);
	return false;
}

static struct gc_result
collect(struct fixture *f, int64_t grace, bool is_dry)
{
	struct gc_options options = { .repository = f->repository,
		.fleet = f->fleet,
		.grace_seconds = grace,
		.is_dry = is_dry,
		.is_stopped = ask,
		.data = f };
	struct gc_result result;
	struct err err;

	/* Older than the tick of the clock that ctimes have. */
	usleep(20000);
	if (gc_run(&options, &result, &err) < 0)
		fail_msg("%s", err.text);
	return result;
}

static void
takes_what_nothing_leads_to_and_nothing_else(void **state)
{
	struct fixture *f = *state;
	char a[DIGEST_HEX_SIZE], b[DIGEST_HEX_SIZE];
	struct gc_result result;

	commit(f, "a", a);
	commit(f, "b", b);
	drop_ref(f, "b");
	result = collect(f, 0, true);
	assert_int_equal(result.gone.objects, 0);
	assert_int_equal(result.next.objects, 4); /* commit, two folders, a file; the rest is a's too */
	assert_true(is_whole(f, b));
	result = collect(f, 0, false);
	assert_int_equal(result.gone.objects, 4);
	assert_int_equal(result.missing, 0);
	assert_true(is_whole(f, a));
	assert_false(is_whole(f, b));
	assert_true(result.longest_slice_ms < 50);
}

static void
takes_nothing_within_the_grace_period(void **state)
{
	struct fixture *f = *state;
	char a[DIGEST_HEX_SIZE];

	commit(f, "a", a);
	drop_ref(f, "a");
	assert_int_equal(collect(f, 3600, false).gone.objects, 0);
	assert_true(is_whole(f, a));
}

static void
keeps_what_the_fleet_runs_or_is_assigned(void **state)
{
	struct fixture *f = *state;
	char a[DIGEST_HEX_SIZE], b[DIGEST_HEX_SIZE];

	commit(f, "a", a);
	commit(f, "b", b);
	drop_ref(f, "a");
	drop_ref(f, "b");
	assert_int_equal(
	    run("printf '{\"running\":[{\"sha256\":\"%%s\",\"format\":\"OSTREE\",\"hardware\":\"x\","
		"\"devices\":1}],\"assigned\":[{\"target\":\"b\",\"sha256\":\"%%s\"}]}' %s %s "
		">%s/fleet.json",
		a, b, f->fleet),
	    0);
	assert_int_equal(collect(f, 0, false).gone.objects, 0);
	assert_true(is_whole(f, a) && is_whole(f, b));
}

static void
takes_nothing_when_the_fleet_cannot_be_read(void **state)
{
	struct fixture *f = *state;
	struct gc_options options = {
		.repository = f->repository, .fleet = f->fleet, .is_stopped = ask, .data = f
	};
	struct gc_result result;
	struct err err;
	char a[DIGEST_HEX_SIZE];

	commit(f, "a", a);
	drop_ref(f, "a");
	assert_int_equal(run("echo '{' >%s/fleet.json", f->fleet), 0);
	assert_int_equal(gc_run(&options, &result, &err), -EBADMSG);
	assert_non_null(strstr(err.text, "fleet.json"));
	assert_true(is_whole(f, a));
}

/* What a builder's HEAD does. */
static void
touch_all(struct fixture *f)
{
	assert_int_equal(
	    run("cd %s/ostree/objects && find . -type f -name '*.commit' -exec touch -a {} +", f->repository),
	    0);
}

static void
keeps_a_commit_that_is_asked_for_during_the_run_and_all_below_it(void **state)
{
	struct fixture *f = *state;
	char a[DIGEST_HEX_SIZE];

	commit(f, "a", a);
	drop_ref(f, "a");
	f->meanwhile = touch_all;
	collect(f, 0, false);
	assert_int_not_equal(f->asked, 0);
	/* Asked before its folder was swept: whole. After: gone, as the builder was told. */
	assert_true(is_whole(f, a) || count_objects(f) == 0);
}

/* garage-push does not look below a folder that is there, so what it finds has to stay as a whole. */
static void
keeps_all_below_a_folder_that_was_asked_for(void **state)
{
	struct fixture *f = *state;
	struct gc_result result;
	char a[DIGEST_HEX_SIZE];

	commit(f, "a", a);
	drop_ref(f, "a");
	/* The commit goes; of its two folders the upper one is young. */
	usleep(2100000);
	assert_int_equal(run("touch -a $(ostree --repo=%s/ostree ls -d -C %s / | awk -v top=%s/ostree/objects/ "
			     "'{ print top substr($5, 1, 2) \"/\" substr($5, 3) \".dirtree\" }')",
			     f->repository, a, f->repository),
	    0);
	result = collect(f, 1, false);
	assert_int_equal(result.gone.objects, 1);
	/* When it is old, all of it goes. */
	assert_int_equal(collect(f, 0, false).gone.objects, 5);
	assert_int_equal(count_objects(f), 0);
}

static void
set_ref(struct fixture *f)
{
	assert_int_equal(run("cp %s/id %s/ostree/refs/heads/again", f->path, f->repository), 0);
}

static void
keeps_what_a_ref_comes_to_lead_to_during_the_run(void **state)
{
	struct fixture *f = *state;
	char a[DIGEST_HEX_SIZE];

	commit(f, "a", a);
	drop_ref(f, "a");
	f->meanwhile = set_ref;
	collect(f, 0, false);
	f->meanwhile = NULL;
	/* Folder 00 alone was swept before. */
	assert_true(is_whole(f, a) || run("ls %s/ostree/objects/00/* >/dev/null 2>&1", f->repository) != 0);
}

static void
tells_of_an_incomplete_commit_and_keeps_the_rest_of_it(void **state)
{
	struct fixture *f = *state;
	AUTO(free_p) char *report = NULL;
	struct gc_result result;
	char a[DIGEST_HEX_SIZE];
	struct err err;
	size_t bytes;

	commit(f, "a", a);
	assert_int_equal(run("rm $(find %s/ostree/objects -name '*.filez' | head -1)", f->repository), 0);
	result = collect(f, 0, false);
	assert_int_equal(result.gone.objects, 0);
	assert_int_equal(result.missing, 1);
	assert_int_equal(file_read(f->dir, GC_REPORT, 65536, &report, &bytes, &err), 0);
	assert_non_null(strstr(report, "missing: objects/"));
}

static void
takes_no_objects_while_a_folder_is_damaged(void **state)
{
	struct fixture *f = *state;
	char a[DIGEST_HEX_SIZE], b[DIGEST_HEX_SIZE];
	struct gc_result result;

	commit(f, "a", a);
	commit(f, "b", b);
	drop_ref(f, "b");
	assert_int_equal(
	    run("for t in $(find %s/ostree/objects -name '*.dirtree'); do echo x >>$t; done", f->repository),
	    0);
	result = collect(f, 0, false);
	assert_true(result.is_held);
	assert_int_equal(result.gone.objects, 0);
}

static void
takes_binaries_that_no_target_names(void **state)
{
	struct fixture *f = *state;
	struct gc_result result;

	assert_int_equal(
	    run("cd %s && mkdir -p binaries/aa && for n in 0 1; do for s in '' .sha512; do "
		"echo x >binaries/aa/$(printf \"$n%%061d\" 0)$s; done; done && "
		"printf '{\"signed\":{\"targets\":{\"t\":{\"hashes\":{\"sha256\":\"aa1%%061d\"},\"length\":2,"
		"\"custom\":{\"targetFormat\":\"BINARY\"}}}}}' 0 >published/1/targets.json",
		f->repository),
	    0);
	result = collect(f, 0, false);
	assert_int_equal(result.gone.binaries, 2);
	assert_int_equal(run("ls %s/binaries/aa/1*.sha512 >/dev/null && ! ls %s/binaries/aa/0* 2>/dev/null",
			     f->repository, f->repository),
	    0);
}

static void
touch_tells_whether_it_is_there(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(store_touch(f->dir, f->dir, "published/1/targets.json", &err), 0);
	assert_int_equal(store_touch(f->dir, f->dir, "published/1/none", &err), -ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(takes_what_nothing_leads_to_and_nothing_else, setup, teardown),
		cmocka_unit_test_setup_teardown(takes_nothing_within_the_grace_period, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_what_the_fleet_runs_or_is_assigned, setup, teardown),
		cmocka_unit_test_setup_teardown(takes_nothing_when_the_fleet_cannot_be_read, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    keeps_a_commit_that_is_asked_for_during_the_run_and_all_below_it, setup, teardown),
		cmocka_unit_test_setup_teardown(keeps_all_below_a_folder_that_was_asked_for, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    keeps_what_a_ref_comes_to_lead_to_during_the_run, setup, teardown),
		cmocka_unit_test_setup_teardown(
		    tells_of_an_incomplete_commit_and_keeps_the_rest_of_it, setup, teardown),
		cmocka_unit_test_setup_teardown(takes_no_objects_while_a_folder_is_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(takes_binaries_that_no_target_names, setup, teardown),
		cmocka_unit_test_setup_teardown(touch_tells_whether_it_is_there, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
