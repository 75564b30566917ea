/* Objects and refs that come in over the network, from several threads, and whatever fails meanwhile. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "store/ingest.h"
#include "store/space.h"
#include "store/tree.h"
#include "store/upload.h"
#include "store/walk.h"
#include "tests/unit/fault.h"

#define OBJECTS_MAX 64

struct thing {
	char checksum[DIGEST_HEX_SIZE];
	char kind[16];
	char *data;
	size_t bytes;
};

struct fixture {
	char path[64];
	char repository[96];
	char first[DIGEST_HEX_SIZE], second[DIGEST_HEX_SIZE]; /* commits, the second's parent is the first */
	struct thing list[OBJECTS_MAX];
	size_t count;
	struct ingest *ingest;
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
read_line(struct fixture *f, const char *name, char line[static DIGEST_HEX_SIZE])
{
	AUTO(free_p) char *text = NULL;
	char path[128];
	struct err err;
	size_t bytes;

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	assert_int_equal(file_read(AT_FDCWD, path, 100, &text, &bytes, &err), 0);
	memcpy(line, text, DIGEST_HEX_SIZE - 1);
	line[DIGEST_HEX_SIZE - 1] = '\0';
}

static void
add_folder(struct fixture *f, int objects, const char *prefix)
{
	AUTO(closedir_p) DIR *dir = fdopendir(openat(objects, prefix, O_RDONLY | O_DIRECTORY));
	struct dirent *file;
	struct err err;

	while ((file = readdir(dir))) {
		struct thing *object = &f->list[f->count];

		if (*file->d_name == '.')
			continue;
		assert_true(++f->count < OBJECTS_MAX);
		snprintf(object->checksum, sizeof(object->checksum), "%.2s%.62s", prefix, file->d_name);
		snprintf(object->kind, sizeof(object->kind), "%.15s", strchr(file->d_name, '.') + 1);
		assert_int_equal(
		    file_read(dirfd(dir), file->d_name, 1 << 22, &object->data, &object->bytes, &err), 0);
	}
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	char objects[96];
	struct dirent *folder;
	struct err err;
	DIR *dir;

	strcpy(f->path, "/tmp/store-upload.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	snprintf(f->repository, sizeof(f->repository), "%s/repository", f->path);
	snprintf(objects, sizeof(objects), "%s/repo/objects", f->path);
	assert_int_equal(
	    run("cd %s && mkdir -p tree/etc repository && echo hello >tree/etc/file && ln -s etc/file "
		"tree/link && "
		"head -c 2000000 /dev/urandom >tree/random && ostree --repo=repo init --mode=archive && "
		"ostree --repo=repo commit -b app tree >first && echo more >>tree/etc/file && "
		"ostree --repo=repo commit -b app tree >second",
		f->path),
	    0);
	read_line(f, "first", f->first);
	read_line(f, "second", f->second);
	dir = opendir(objects);
	while ((folder = readdir(dir)))
		if (*folder->d_name != '.')
			add_folder(f, dirfd(dir), folder->d_name);
	closedir(dir);
	assert_int_equal(ingest_new(f->repository, &f->ingest, &err), 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	struct err err;

	ingest_free(f->ingest);
	assert_int_equal(tree_remove(AT_FDCWD, f->path, &err), 0);
	for (size_t i = 0; i < f->count; i++)
		free(f->list[i].data);
	free(f);
	return 0;
}

static int
upload_one(struct ingest *ingest, const struct thing *object, struct err *err)
{
	AUTO(upload_freep) struct upload *upload = NULL;
	int r = upload_new(ingest, object->checksum, object->kind, object->bytes, &upload, err);

	for (size_t at = 0; r == 0 && at < object->bytes; at += 10000)
		r = upload_write(
		    upload, object->data + at, object->bytes - at < 10000 ? object->bytes - at : 10000, err);
	return r ? r : upload_commit(upload, err);
}

static void
upload_all(struct fixture *f)
{
	struct err err;

	for (size_t i = 0; i < f->count; i++)
		if (upload_one(f->ingest, &f->list[i], &err))
			fail_msg("%s.%s: %s", f->list[i].checksum, f->list[i].kind, err.text);
}

static int
entries_of(const struct fixture *f, const char *folder)
{
	char path[128];
	struct dirent *entry;
	int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "%s/%s", f->repository, folder);
	dir = opendir(path);
	while ((entry = readdir(dir)))
		n += *entry->d_name != '.';
	closedir(dir);
	return n;
}

static void
makes_a_repository_that_libostree_finds_whole(void **state)
{
	struct fixture *f = *state;
	struct err err;

	upload_all(f);
	assert_int_equal(ingest_check_complete(f->ingest, f->second, &err), 0);
	assert_int_equal(ingest_set_ref(f->ingest, "board/app", f->second, false, &err), 0);
	assert_int_equal(run("ostree --repo=%s/ostree fsck -q >/dev/null", f->repository), 0);
	assert_int_equal(
	    run("test $(ostree --repo=%s/ostree rev-parse board/app) = %s", f->repository, f->second), 0);
	assert_int_equal(run("test -z \"$(find %s/ostree/objects -type f ! -perm 644)\"", f->repository), 0);
	assert_int_equal(entries_of(f, "upload"), 0);
}

static void
says_what_is_there_and_refreshes_its_age(void **state)
{
	struct fixture *f = *state;
	struct thing *object = &f->list[0];
	struct stat before, after;
	struct err err;
	char path[256];

	assert_int_equal(upload_has(f->ingest, object->checksum, object->kind, &err), SOURCE_MISSING);
	assert_int_equal(upload_one(f->ingest, object, &err), 0);
	snprintf(path, sizeof(path), "%s/ostree/objects/%.2s/%s.%s", f->repository, object->checksum,
	    object->checksum + 2, object->kind);
	assert_int_equal(stat(path, &before), 0);
	usleep(20000);
	assert_int_equal(upload_has(f->ingest, object->checksum, object->kind, &err), 0);
	assert_int_equal(stat(path, &after), 0);
	assert_true(
	    after.st_ctim.tv_sec > before.st_ctim.tv_sec || after.st_ctim.tv_nsec > before.st_ctim.tv_nsec);
	assert_true(
	    after.st_mtim.tv_sec == before.st_mtim.tv_sec && after.st_mtim.tv_nsec == before.st_mtim.tv_nsec);
	assert_int_equal(upload_one(f->ingest, object, &err), UPLOAD_EXISTS);
	assert_int_equal(upload_has(f->ingest, "../../config", "filez", &err), SOURCE_MISSING);
}

static void
refuses_names_that_no_object_has(void **state)
{
	struct fixture *f = *state;
	AUTO(upload_freep) struct upload *upload = NULL;
	struct err err;

	assert_int_equal(upload_new(f->ingest, "", "filez", 1, &upload, &err), DROP_BAD);
	assert_int_equal(upload_new(f->ingest, "../../../../etc/passwd", "filez", 1, &upload, &err), DROP_BAD);
	assert_int_equal(upload_new(f->ingest, f->first, "file", 1, &upload, &err), DROP_BAD);
	assert_int_equal(upload_new(f->ingest, f->first, "commit", 1 << 30, &upload, &err), DROP_BAD);
	assert_reason(err, "a commit has at most 10485760");
	assert_null(upload);
}

static void
keeps_nothing_of_a_damaged_one(void **state)
{
	struct fixture *f = *state;
	struct err err;

	for (size_t i = 0; i < f->count; i++) {
		struct thing *object = &f->list[i];
		size_t at = object->bytes / 2;

		object->data[at] ^= 1;
		assert_int_equal(upload_one(f->ingest, object, &err), DROP_BAD);
		assert_reason(err, "is damaged: ");
		assert_reason(err, object->checksum);
		object->data[at] ^= 1;
		object->bytes--;
		assert_int_equal(upload_one(f->ingest, object, &err), DROP_BAD);
		object->bytes++;
		assert_int_equal(upload_has(f->ingest, object->checksum, object->kind, &err), SOURCE_MISSING);
	}
	assert_int_equal(entries_of(f, "upload"), 0);
	assert_int_equal(entries_of(f, "ostree/objects"), 0);
}

/* -- threads -- */

struct worker {
	pthread_t thread;
	struct fixture *f;
	int seed;
	int result;
	struct err err;
};

static void *
upload_in_thread(void *data)
{
	struct worker *worker = data;

	for (size_t i = 0; i < worker->f->count; i++) {
		size_t index = (i + (size_t)(worker->seed % 3)) % worker->f->count;
		int r = upload_one(worker->f->ingest, &worker->f->list[index], &worker->err);

		if (r != 0 && r != UPLOAD_EXISTS)
			worker->result = r;
	}
	if (worker->result == 0)
		worker->result =
		    ingest_set_ref(worker->f->ingest, "app", worker->f->second, true, &worker->err);
	return NULL;
}

/* libostree opens a folder at its first summary and keeps it. */
static int
count_fds(struct fixture *f)
{
	struct err err;

	assert_int_equal(ingest_drop_refs(f->ingest, f->first, &err), 0);
	return fault_open_fds();
}

static void
takes_the_same_objects_from_thirty_at_once(void **state)
{
	struct fixture *f = *state;
	struct worker workers[30] = { 0 };
	int fds = count_fds(f);

	for (int i = 0; i < 30; i++) {
		workers[i].f = f;
		workers[i].seed = i;
		assert_int_equal(pthread_create(&workers[i].thread, NULL, upload_in_thread, &workers[i]), 0);
	}
	for (int i = 0; i < 30; i++) {
		pthread_join(workers[i].thread, NULL);
		if (workers[i].result)
			fail_msg("%d: %s", workers[i].result, workers[i].err.text);
	}
	assert_int_equal(fault_open_fds(), fds);
	assert_int_equal(entries_of(f, "upload"), 0);
	assert_int_equal(run("ostree --repo=%s/ostree fsck -q >/dev/null", f->repository), 0);
}

/* -- whatever fails -- */

static void
fails_with(struct fixture *f, int code)
{
	const struct thing *object = &f->list[0];
	int fds = fault_open_fds(), n = 0, r, failed;
	struct err err;

	fault_code(code);
	do {
		fault_after(n++);
		r = upload_one(f->ingest, object, &err);
		failed = fault_stop();
		if (failed && r != -code && r != -ENOMEM)
			fail_msg("call %d: %d, %s", n, r, err.text);
		assert_int_equal(fault_open_fds(), fds);
		assert_int_equal(entries_of(f, "upload"), 0);
		/* It may have its name when only the folder's fsync failed; then it is whole. */
		if (failed && upload_has(f->ingest, object->checksum, object->kind, &err) == 0)
			assert_int_equal(run("find %s/ostree/objects -type f -delete", f->repository), 0);
	} while (failed);
	fault_code(EIO);
	assert_int_equal(r, 0);
	assert_true(n > 5);
}

static void
leaves_nothing_whatever_fails(void **state)
{
	fails_with(*state, EIO);
}

static void
leaves_nothing_on_a_full_disk(void **state)
{
	fails_with(*state, ENOSPC);
}

static void
keeps_the_old_ref_whatever_fails(void **state)
{
	struct fixture *f = *state;
	int fds = count_fds(f), n = 0, r, failed;
	struct err err;

	upload_all(f);
	do {
		assert_int_equal(ingest_set_ref(f->ingest, "a/b/app", f->first, true, &err), 0);
		fault_after(n++);
		r = ingest_set_ref(f->ingest, "a/b/app", f->second, false, &err);
		failed = fault_stop();
		assert_int_equal(r < 0, failed);
		assert_int_equal(fault_open_fds(), fds);
		assert_int_equal(
		    run("case $(cat %s/ostree/refs/heads/a/b/app) in %s | %s) ;; *) exit 1 ;; esac",
			f->repository, f->first, f->second),
		    0);
	} while (failed);
	assert_true(n > 3);
}

static void
empties_upload_at_the_start(void **state)
{
	struct fixture *f = *state;
	struct err err;

	ingest_free(MOVE(f->ingest));
	assert_int_equal(run("echo x >%s/upload/object-0", f->repository), 0);
	assert_int_equal(ingest_new(f->repository, &f->ingest, &err), 0);
	assert_int_equal(entries_of(f, "upload"), 0);
}

/* -- refs -- */

static void
sets_refs_forward_only_unless_forced(void **state)
{
	struct fixture *f = *state;
	struct err err;

	assert_int_equal(ingest_set_ref(f->ingest, "app", f->first, false, &err), INGEST_NO_COMMIT);
	assert_reason(err, "is not in the repository");
	upload_all(f);
	assert_int_equal(ingest_set_ref(f->ingest, "app", f->first, false, &err), 0);
	assert_int_equal(ingest_set_ref(f->ingest, "app", f->first, false, &err), 0);
	assert_int_equal(ingest_set_ref(f->ingest, "app", f->second, false, &err), 0);
	assert_int_equal(ingest_set_ref(f->ingest, "app", f->first, false, &err), INGEST_NOT_FORWARD);
	assert_reason(err, "is not the parent of");
	assert_int_equal(ingest_set_ref(f->ingest, "app", f->first, true, &err), 0);
	assert_int_equal(ingest_set_ref(f->ingest, "app/below", f->first, true, &err), DROP_BAD);
	assert_int_equal(ingest_set_ref(f->ingest, "../config", f->first, true, &err), DROP_BAD);
	assert_int_equal(ingest_set_ref(f->ingest, "other", "abc", true, &err), DROP_BAD);
	assert_reason(err, "no commit id");
}

static void
drops_the_refs_of_one_commit(void **state)
{
	struct fixture *f = *state;
	struct err err;

	upload_all(f);
	assert_int_equal(ingest_set_ref(f->ingest, "a/b/one", f->first, false, &err), 0);
	assert_int_equal(ingest_set_ref(f->ingest, "a/two", f->first, false, &err), 0);
	assert_int_equal(ingest_set_ref(f->ingest, "a/three", f->second, false, &err), 0);
	assert_int_equal(ingest_drop_refs(f->ingest, f->first, &err), 0);
	assert_int_equal(run("test \"$(ostree --repo=%s/ostree refs)\" = a/three", f->repository), 0);
	assert_int_equal(ingest_set_ref(f->ingest, "a/b", f->first, false, &err), 0);
}

static void
reads_commits_and_names_what_is_missing(void **state)
{
	struct fixture *f = *state;
	struct commit_info info;
	struct err err;
	char file[256];

	assert_int_equal(ingest_read_commit(f->ingest, f->second, &info, &err), INGEST_NO_COMMIT);
	assert_int_equal(ingest_check_complete(f->ingest, f->second, &err), DROP_BAD);
	upload_all(f);
	assert_int_equal(ingest_read_commit(f->ingest, f->second, &info, &err), 0);
	assert_string_equal(info.parent, f->first);
	commit_info_done(&info);
	assert_int_equal(ingest_read_commit(f->ingest, f->first, &info, &err), 0);
	assert_string_equal(info.parent, "");
	commit_info_done(&info);
	assert_int_equal(ingest_check_complete(f->ingest, f->first, &err), 0);
	snprintf(file, sizeof(file), "%s/ostree/objects", f->repository);
	assert_int_equal(run("rm $(find %s -name '*.filez' -size +1000k)", file), 0);
	assert_int_equal(ingest_check_complete(f->ingest, f->first, &err), DROP_BAD);
	assert_reason(err, ".filez, which is missing");
}

/* -- room -- */

static int64_t
free_mb(const struct fixture *f)
{
	struct statvfs vfs;

	assert_int_equal(statvfs(f->path, &vfs), 0);
	return (int64_t)(vfs.f_bavail * vfs.f_frsize / (1024 * 1024));
}

static void
refuses_before_anything_is_written_when_the_disk_is_short(void **state)
{
	struct fixture *f = *state;
	struct config config = { .disk_reserve_mb = free_mb(f) + 1000 };
	struct space *space;
	struct err err;

	assert_int_equal(space_new(f->repository, &config, &space, &err), 0);
	ingest_use_space(f->ingest, space);
	assert_int_equal(upload_one(f->ingest, &f->list[0], &err), -ENOSPC);
	assert_reason(err, "MiB free, disk_reserve_mb keeps");
	assert_int_equal(upload_room(f->ingest, 1, &err), -ENOSPC);
	assert_int_equal(entries_of(f, "upload"), 0);
	ingest_use_space(f->ingest, NULL);
	space_free(space);
}

static void
keeps_the_quota_while_several_are_under_way(void **state)
{
	struct fixture *f = *state;
	struct config config = { .store_quota_mb = 10 };
	AUTO(upload_freep) struct upload *one = NULL;
	AUTO(upload_freep) struct upload *two = NULL;
	struct space *space;
	struct err err;

	assert_int_equal(space_new(f->repository, &config, &space, &err), 0);
	ingest_use_space(f->ingest, space);
	assert_int_equal(upload_new(f->ingest, f->first, "filez", 6 << 20, &one, &err), 0);
	assert_int_equal(upload_new(f->ingest, f->second, "filez", 6 << 20, &two, &err), -EDQUOT);
	assert_reason(err, "store_quota_mb allows 10");
	upload_free(MOVE(one));
	assert_int_equal(upload_new(f->ingest, f->second, "filez", 6 << 20, &two, &err), 0);
	upload_free(MOVE(two));
	upload_all(f); /* 2 MB */
	assert_int_equal(upload_new(f->ingest, f->first, "filez", 9 << 20, &one, &err), -EDQUOT);
	space_removed(space, 2 << 20);
	assert_int_equal(upload_new(f->ingest, f->first, "filez", 9 << 20, &one, &err), 0);
	upload_free(MOVE(one));
	ingest_use_space(f->ingest, NULL);
	space_free(space);
}

static void
counts_what_comes_beyond_the_announced(void **state)
{
	struct fixture *f = *state;
	struct config config = { .store_quota_mb = 1 };
	struct space *space;
	struct err err;
	int refused = 0;

	assert_int_equal(space_new(f->repository, &config, &space, &err), 0);
	ingest_use_space(f->ingest, space);
	for (size_t i = 0; i < f->count; i++) {
		AUTO(upload_freep) struct upload *upload = NULL;
		struct thing *object = &f->list[i];
		int r = upload_new(f->ingest, object->checksum, object->kind, 0, &upload, &err);

		if (r == 0)
			r = upload_write(upload, object->data, object->bytes, &err);
		assert_true(r == 0 || r == -EDQUOT);
		refused += r == -EDQUOT;
	}
	assert_int_equal(refused, 1);
	ingest_use_space(f->ingest, NULL);
	space_free(space);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(makes_a_repository_that_libostree_finds_whole),
		TEST(says_what_is_there_and_refreshes_its_age),
		TEST(refuses_names_that_no_object_has),
		TEST(keeps_nothing_of_a_damaged_one),
		TEST(takes_the_same_objects_from_thirty_at_once),
		TEST(leaves_nothing_whatever_fails),
		TEST(leaves_nothing_on_a_full_disk),
		TEST(keeps_the_old_ref_whatever_fails),
		TEST(empties_upload_at_the_start),
		TEST(sets_refs_forward_only_unless_forced),
		TEST(drops_the_refs_of_one_commit),
		TEST(reads_commits_and_names_what_is_missing),
		TEST(refuses_before_anything_is_written_when_the_disk_is_short),
		TEST(keeps_the_quota_while_several_are_under_way),
		TEST(counts_what_comes_beyond_the_announced),
	};

	return cmocka_run_group_tests_name("store/upload", tests, NULL, NULL);
}
