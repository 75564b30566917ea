#include "store/repository.h"

#include <errno.h>
#include <fcntl.h>
#include <ostree.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "store/lock.h"
#include "store/served.h"
#include "store/tree.h"

int
repository_failed(struct err *err, const GError *error, const char *what)
{
	int code = g_error_matches(error, G_IO_ERROR, G_IO_ERROR_NO_SPACE) ? ENOSPC : EIO;

	return err_set(err, code, "%s: %s", what, error ? error->message : "failed");
}

static int
configure(OstreeRepo *repo, struct err *err)
{
	g_autoptr(GKeyFile) config = ostree_repo_copy_config(repo);
	g_autoptr(GError) error = NULL;

	/* Free space is watched by the operator; libostree's reserve of 3 % would refuse on a large disk too
	 * early. */
	g_key_file_set_string(config, "core", "min-free-space-percent", "0");
	g_key_file_set_boolean(config, "core", "indexed-deltas", TRUE);
	/* Deltas are found by their indexes: a summary that lists them is out of date with each one that is
	 * made. */
	g_key_file_set_boolean(config, "core", "no-deltas-in-summary", TRUE);
	if (!ostree_repo_write_config(repo, config, &error))
		return repository_failed(err, error, "repository config");
	return 0;
}

/* Made under another name first: a half-made repository must never be opened. */
static int
create(int dir, struct err *err)
{
	g_autoptr(OstreeRepo) repo = NULL;
	g_autoptr(GError) error = NULL;
	int r;

	r = tree_remove(dir, "ostree.tmp", err);
	if (r < 0)
		return r;
	repo = ostree_repo_create_at(dir, "ostree.tmp", OSTREE_REPO_MODE_ARCHIVE, NULL, NULL, &error);
	if (!repo)
		return repository_failed(err, error, "create the repository");
	r = configure(repo, err);
	if (r < 0)
		return r;
	if (syncfs(dir) < 0 || renameat(dir, "ostree.tmp", dir, "ostree") < 0)
		return err_sys(err, "create the repository");
	return file_sync_folder(dir, ".", err);
}

static int
open_repository(struct ingest *ingest, struct err *err)
{
	g_autoptr(GError) error = NULL;
	struct stat st;
	int r;

	if (fstatat(ingest->dir, "ostree", &st, 0) < 0) {
		r = errno == ENOENT ? create(ingest->dir, err) : err_sys(err, "ostree");
		if (r < 0)
			return r;
	}
	ingest->repo = ostree_repo_open_at(ingest->dir, "ostree", NULL, &error);
	if (!ingest->repo)
		return repository_failed(err, error, "open the repository");
	if (ostree_repo_get_mode(ingest->repo) != OSTREE_REPO_MODE_ARCHIVE)
		return err_set(err, EINVAL, "the repository is not in archive mode");
	ingest->ostree = openat(ingest->dir, "ostree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	ingest->objects = openat(ingest->dir, "ostree/objects", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return ingest->ostree < 0 || ingest->objects < 0 ? err_sys(err, "ostree/objects") : 0;
}

/* What uploads were writing when the last process ended is nobody's. */
static int
open_upload(struct ingest *ingest, struct err *err)
{
	int r = tree_remove(ingest->dir, "upload", err);

	if (r < 0)
		return r;
	if (mkdirat(ingest->dir, "upload", 0700) < 0)
		return err_sys(err, "upload");
	ingest->upload = openat(ingest->dir, "upload", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return ingest->upload < 0 ? err_sys(err, "upload") : 0;
}

int
ingest_new(const char *repository, struct ingest **out, struct err *err)
{
	AUTO(ingest_freep) struct ingest *ingest = calloc(1, sizeof(*ingest));
	int r;

	if (!ingest)
		return err_set(err, ENOMEM, "no memory");
	ingest->dir = ingest->ostree = ingest->objects = ingest->staging = ingest->upload = -1;
	pthread_mutex_init(&ingest->refs_lock, NULL);
	pthread_mutex_init(&ingest->claim_lock, NULL);
	ingest->dir = open(repository, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ingest->dir < 0)
		return err_sys(err, "%s", repository);
	r = served_start(ingest->dir, err);
	if (r == 0)
		r = open_repository(ingest, err);
	if (r == 0)
		r = ingest_discard(ingest, err);
	if (r == 0)
		r = open_upload(ingest, err);
	if (r < 0)
		return err_context(err, r, "%s", repository);
	refs_start(ingest);
	*out = MOVE(ingest);
	return 0;
}

void
ingest_free(struct ingest *ingest)
{
	if (!ingest)
		return;
	g_clear_object(&ingest->repo);
	close_p(&ingest->upload);
	close_p(&ingest->staging);
	close_p(&ingest->objects);
	close_p(&ingest->ostree);
	close_p(&ingest->dir);
	pthread_mutex_destroy(&ingest->refs_lock);
	free(ingest);
}

void
ingest_freep(struct ingest **ingest)
{
	ingest_free(*ingest);
}

void
ingest_use_space(struct ingest *ingest, struct space *space)
{
	ingest->space = space;
}

int
repository_touch(const struct ingest *ingest, const char *name, struct err *err)
{
	int r = store_touch(ingest->dir, ingest->objects, name, err);

	return r == -ENOENT ? SOURCE_MISSING : r;
}

/* objects/ab is there, and was when the power went. */
static int
make_prefix(struct ingest *ingest, const char *prefix, unsigned char index, struct err *err)
{
	if (atomic_load(&ingest->durable_prefix[index]))
		return 0;
	if (mkdirat(ingest->objects, prefix, 0775) < 0 && errno != EEXIST)
		return err_sys(err, "objects/%s", prefix);
	if (fsync(ingest->objects) < 0)
		return err_sys(err, "objects: fsync");
	atomic_store(&ingest->durable_prefix[index], true);
	return 0;
}

int
repository_place(struct ingest *ingest, const char *from, const char *name, struct err *err)
{
	char prefix[3] = { name[0], name[1], '\0' };
	unsigned char index;
	int r = digest_unhex(prefix, &index, 1);

	if (r < 0)
		return err_set(err, EINVAL, "objects/%s", name);
	r = make_prefix(ingest, prefix, index, err);
	if (r < 0)
		return r;
	if (renameat2(ingest->upload, from, ingest->objects, name, RENAME_NOREPLACE) < 0) {
		if (errno != EEXIST)
			return err_sys(err, "objects/%s", name);
		r = repository_touch(ingest, name, err);
		if (r)
			return r < 0 ? r : err_set(err, ENOENT, "objects/%s has vanished", name);
	}
	/* Also after EEXIST: whoever was first may not have come so far yet. */
	return file_sync_folder(ingest->objects, prefix, err);
}
