/* Objects on their way into the repository: everything that a commit needs, and nothing that is damaged. */
#include "tests/unit/unit.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "tests/unit/fault.h"
#include "store/ingest.h"
#include "store/tree.h"
#include "store/walk.h"

struct fixture {
	char path[64];
	int dir;
	struct ingest *ingest;
	struct releases releases;
	char mode[32];
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

/* A drop "drop" with the ref "app", in @mode, and an empty repository. */
static void
make_drop(struct fixture *f, const char *mode)
{
	char commit[DIGEST_HEX_SIZE + 1] = "";
	struct release *release;
	FILE *pipe;

	assert_int_equal(run("cd %s && rm -rf drop && ostree --repo=drop init --mode=%s", f->path, mode), 0);
	assert_int_equal(run("cd %s && ostree --repo=drop commit -b app --owner-uid=0 --owner-gid=0 "
			     "--canonical-permissions --add-metadata-string=version=1 tree >commit",
			     f->path),
	    0);
	pipe = fdopen(openat(f->dir, "commit", O_RDONLY), "r");
	assert_non_null(fgets(commit, sizeof(commit), pipe));
	fclose(pipe);
	releases_done(&f->releases);
	release = releases_add(&f->releases);
	strcpy(release->ref, "app");
	memcpy(release->commit, commit, DIGEST_HEX_SIZE - 1);
}

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct err err;

	strcpy(f->path, "/tmp/watcher-ingest.XXXXXX");
	assert_non_null(mkdtemp(f->path));
	f->dir = open(f->path, O_RDONLY | O_DIRECTORY);
	assert_int_equal(
	    run("cd %s && mkdir -p tree/etc repository && echo hello >tree/etc/file && : >tree/empty && "
		"head -c 300000 /dev/zero >tree/zero && ln -s etc/file tree/link",
		f->path),
	    0);
	make_drop(f, "archive");
	char repository[80];
	snprintf(repository, sizeof(repository), "%s/repository", f->path);
	assert_int_equal(ingest_new(repository, &f->ingest, &err), 0);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;
	struct err err;

	ingest_free(f->ingest);
	releases_done(&f->releases);
	close(f->dir);
	assert_int_equal(tree_remove(AT_FDCWD, f->path, &err), 0);
	free(f);
	return 0;
}

static void
ignore_progress(void *data, size_t done, size_t all)
{
	(void)data;
	assert_true(done < all);
}

static int
stage(struct fixture *f, struct ingest_counts *counts, struct err *err)
{
	AUTO(source_freep) struct source *source = NULL;
	int r = source_open(f->dir, "drop", &source, err);

	return r ? r : ingest_stage(f->ingest, source, &f->releases, ignore_progress, NULL, counts, err);
}

static int
fsck(struct fixture *f)
{
	return run("ostree --repo=%s/repository/ostree fsck -q >/dev/null", f->path);
}

static void
brings_a_commit_of_each_mode(void **state)
{
	static const char *const modes[] = { "archive", "bare", "bare-user", "bare-user-only" };
	struct fixture *f = *state;
	struct ingest_counts counts;
	struct err err;

	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(run("echo %s >%s/tree/mode", modes[i], f->path), 0);
		make_drop(f, modes[i]);
		if (stage(f, &counts, &err))
			fail_msg("%s: %s", modes[i], err.text);
		assert_int_equal(ingest_commit(f->ingest, &f->releases, &err), 0);
		assert_int_equal(fsck(f), 0);
		assert_int_equal(run("test $(ostree --repo=%s/repository/ostree rev-parse app) = %s", f->path,
				     f->releases.list[0].commit),
		    0);
	}
}

static void
shares_no_inode_with_the_drop(void **state)
{
	struct fixture *f = *state;
	struct ingest_counts counts;
	struct err err;

	assert_int_equal(stage(f, &counts, &err), 0);
	assert_int_equal(ingest_commit(f->ingest, &f->releases, &err), 0);
	assert_int_equal(counts.imported, counts.objects);
	assert_int_equal(run("test -z \"$(find %s/repository -type f -links +1)\"", f->path), 0);
	assert_int_equal(
	    run("chmod -R u+w %s/drop && find %s/drop/objects -type f -exec sh -c 'echo x >$1' - {} \\;",
		f->path, f->path),
	    0);
	assert_int_equal(fsck(f), 0);
}

static void
imports_nothing_twice(void **state)
{
	struct fixture *f = *state;
	struct ingest_counts counts;
	struct err err;

	assert_int_equal(stage(f, &counts, &err), 0);
	assert_int_equal(ingest_commit(f->ingest, &f->releases, &err), 0);
	assert_int_equal(stage(f, &counts, &err), 0);
	assert_int_equal(counts.imported, 0);
	assert_int_equal(counts.bytes, 0);
	assert_int_equal(ingest_commit(f->ingest, &f->releases, &err), 0);
	assert_int_equal(fsck(f), 0);
}

/* Calls @visit for each object file of the drop with its path below f->dir. */
static void
each_object(struct fixture *f, void (*visit)(struct fixture *f, const char *path))
{
	AUTO(closedir_p) DIR *objects = fdopendir(openat(f->dir, "drop/objects", O_RDONLY | O_DIRECTORY));
	struct dirent *folder, *file;

	while ((folder = readdir(objects))) {
		DIR *dir = *folder->d_name == '.'
			       ? NULL
			       : fdopendir(openat(dirfd(objects), folder->d_name, O_RDONLY | O_DIRECTORY));

		while (dir && (file = readdir(dir))) {
			char path[600];

			snprintf(path, sizeof(path), "drop/objects/%s/%s", folder->d_name, file->d_name);
			if (*file->d_name != '.')
				visit(f, path);
		}
		if (dir)
			closedir(dir);
	}
}

/* The object's name, "abcdef....kind", of its path. */
static const char *
object_name(const char *path)
{
	static char name[160];
	const char *at = path + strlen("drop/objects/");

	snprintf(name, sizeof(name), "%.2s%s", at, at + 3);
	return name;
}

static void
names_it_when_missing(struct fixture *f, const char *path)
{
	struct ingest_counts counts;
	struct err err;

	assert_int_equal(renameat(f->dir, path, f->dir, "kept"), 0);
	assert_int_equal(stage(f, &counts, &err), DROP_BAD);
	assert_reason(err, "is missing");
	assert_reason(err, object_name(path));
	assert_reason(err, f->releases.list[0].commit);
	assert_int_equal(renameat(f->dir, "kept", f->dir, path), 0);
}

static void
names_each_object_that_is_missing(void **state)
{
	struct fixture *f = *state;
	struct ingest_counts counts;
	struct err err;

	each_object(f, names_it_when_missing);
	assert_int_equal(stage(f, &counts, &err), 0);
}

static void
finds_flips(struct fixture *f, const char *path)
{
	AUTO(free_p) char *data = NULL;
	struct ingest_counts counts;
	struct err err;
	size_t bytes;
	int fd;

	assert_int_equal(file_read(f->dir, path, 1 << 20, &data, &bytes, &err), 0);
	fchmodat(f->dir, path, 0644, 0);
	fd = openat(f->dir, path, O_WRONLY);
	for (size_t i = 0; i < bytes; i++)
		for (int bit = 1; bit < 256; bit *= 16) {
			char flipped = (char)(data[i] ^ bit);

			assert_int_equal(pwrite(fd, &flipped, 1, (off_t)i), 1);
			/* Unused bits in the last byte of a deflate stream carry nothing. */
			if (stage(f, &counts, &err) == DROP_BAD)
				assert_reason(err, object_name(path));
			else if (i + 1 < bytes || !strstr(path, ".filez"))
				fail_msg("%s: byte %zu flipped by %d is accepted", path, i, bit);
			assert_int_equal(pwrite(fd, &data[i], 1, (off_t)i), 1);
		}
	close(fd);
}

static void
finds_a_flipped_byte_anywhere(void **state)
{
	each_object(*state, finds_flips);
}

/* More objects than one thread stages alone: none is left out or counted twice, and trouble ends both threads.
 */
static void
stages_many_objects_at_once(void **state)
{
	struct fixture *f = *state;
	struct ingest_counts counts;
	int fds = fault_open_fds();
	struct err err;

	assert_int_equal(run("cd %s && for i in $(seq 600); do echo $i >tree/etc/$i; done", f->path), 0);
	make_drop(f, "archive");
	for (int turn = 0; turn < 3; turn++) {
		assert_int_equal(stage(f, &counts, &err), 0);
		assert_true(counts.objects > 600 && counts.imported == counts.objects);
		assert_int_equal(
		    run("test $(find %s/repository/staging -type f | wc -l) = %zu", f->path, counts.objects),
		    0);
	}
	assert_int_equal(run("cd %s/drop/objects && ls */*.filez | sed -n 500p >../../victim && "
			     "printf x >>$(cat ../../victim)",
			     f->path),
	    0);
	assert_int_equal(stage(f, &counts, &err), DROP_BAD);
	assert_reason(err, "is damaged: its content ends at byte");
	assert_int_equal(run("test -z \"$(ls -A %s/repository/staging)\"", f->path), 0);
	assert_int_equal(run("cd %s/drop/objects && truncate -s -1 $(cat ../../victim)", f->path), 0);
	assert_int_equal(stage(f, &counts, &err), 0);
	assert_int_equal(ingest_commit(f->ingest, &f->releases, &err), 0);
	assert_int_equal(fsck(f), 0);
	assert_int_equal(stage(f, &counts, &err), 0);
	assert_int_equal(counts.imported, 0);
	assert_int_equal(fault_open_fds() <= fds + 1, 1); /* libostree keeps one from its first summary on */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(brings_a_commit_of_each_mode, setup, teardown),
		cmocka_unit_test_setup_teardown(shares_no_inode_with_the_drop, setup, teardown),
		cmocka_unit_test_setup_teardown(imports_nothing_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(names_each_object_that_is_missing, setup, teardown),
		cmocka_unit_test_setup_teardown(finds_a_flipped_byte_anywhere, setup, teardown),
		cmocka_unit_test_setup_teardown(stages_many_objects_at_once, setup, teardown),
	};

	return cmocka_run_group_tests_name("watcher/ingest", tests, NULL, NULL);
}
