#include "store/ingest.h"

#include <errno.h>
#include <fcntl.h>
#include <ostree.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "store/crew.h"
#include "store/repository.h"
#include "store/tree.h"
#include "store/walk.h"

/** Smaller files are copied whatever they look like. */
#define SPARSE_MIN (1024 * 1024)

/* One drop on its way in, as one of its workers has it. */
struct stage {
	struct ingest *ingest;
	struct source *source;
	struct walk *walk;
	OstreeRepo *view; /* the drop as libostree sees it; bare modes only */
	struct check *check;
	char *buffer; /* INGEST_BUFFER bytes, twice */
	struct ingest_counts counts;
	ingest_progress *progress; /* only one of the workers tells */
	void *data;
};

int
ingest_discard(struct ingest *ingest, struct err *err)
{
	int r;

	close_p(&ingest->staging);
	ingest->staging = -1;
	for (int i = 0; i < 256; i++)
		ingest->has_prefix[i] = false;
	space_release(&ingest->claim);
	ingest->claim.space = ingest->space;
	r = tree_remove(ingest->dir, "staging", err);
	if (r < 0)
		return r;
	if (mkdirat(ingest->dir, "staging", 0700) < 0)
		return err_sys(err, "staging");
	ingest->staging = openat(ingest->dir, "staging", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return ingest->staging < 0 ? err_sys(err, "staging") : 0;
}

/* -- staging: verified copies -- */

static int
make_prefix(struct ingest *ingest, const char *checksum, struct err *err)
{
	char prefix[3] = { checksum[0], checksum[1], '\0' };
	unsigned char index;

	if (digest_unhex(prefix, &index, 1) < 0)
		return err_set(err, EINVAL, "staging/%s", prefix);
	if (ingest->has_prefix[index])
		return 0;
	if (mkdirat(ingest->staging, prefix, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "staging/%s", prefix);
	ingest->has_prefix[index] = true;
	return 0;
}

static int
make_staged(struct stage *stage, const char *checksum, const char *kind, int *out, struct err *err)
{
	char name[REPOSITORY_NAME_SIZE];
	int r = make_prefix(stage->ingest, checksum, err);

	if (r < 0)
		return r;
	source_object_name(checksum, kind, name, sizeof(name));
	*out = openat(stage->ingest->staging, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	/* Served files are readable whatever the umask: the folders above decide who gets here. */
	if (*out < 0 || fchmod(*out, 0644) < 0)
		return err_sys(err, "staging/%s", name);
	return 0;
}

static int
start_check(struct stage *stage, const char *checksum, const char *kind, struct err *err)
{
	struct check **check = &stage->check;

	return *check ? check_restart(*check, checksum, kind, err) : check_new(checksum, kind, check, err);
}

/* The next piece of an object: checked and, unless @to is -1, written. What is written is what was checked. */
static int
take(struct stage *stage, int to, const void *data, size_t bytes, struct err *err)
{
	int r = check_feed(stage->check, data, bytes, err);

	if (r || to < 0)
		return r;
	pthread_mutex_lock(&stage->ingest->claim_lock);
	r = space_spend(&stage->ingest->claim, bytes, err);
	pthread_mutex_unlock(&stage->ingest->claim_lock);
	if (r < 0)
		return r;
	r = file_write_all(to, data, bytes);
	stage->counts.bytes += bytes;
	return r < 0 ? err_set(err, -r, "staging: %s", strerror(-r)) : 0;
}

static int
take_file(struct stage *stage, int from, int to, struct err *err)
{
	char *buffer = stage->buffer;
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = read(from, buffer, INGEST_BUFFER)) != 0)
		r = n < 0 ? source_failed(err, "read an object") : take(stage, to, buffer, (size_t)n, err);
	return r ? r : check_end(stage->check, err);
}

static int
take_stream(struct stage *stage, GInputStream *stream, int to, struct err *err)
{
	g_autoptr(GError) error = NULL;
	char *buffer = stage->buffer;
	gssize n;
	int r = 0;

	while (r == 0 && (n = g_input_stream_read(stream, buffer, INGEST_BUFFER, NULL, &error)) != 0)
		r = n < 0 ? drop_bad(err, "cannot be read: %s", error->message)
			  : take(stage, to, buffer, (size_t)n, err);
	return r ? r : check_end(stage->check, err);
}

/* A refusal says which object it is about and who needs it. */
static int
told(struct stage *stage, const struct object *object, int r, struct err *err)
{
	struct err why = *err;

	return r == DROP_BAD ? walk_bad(stage->walk, object, err, "%s", why.text) : r;
}

/* Refreshes the age of an object that the repository has. 0, SOURCE_MISSING, -errno. */
static int
find_stored(struct stage *stage, const char *checksum, const char *kind, struct err *err)
{
	char name[REPOSITORY_NAME_SIZE];

	source_object_name(checksum, kind, name, sizeof(name));
	return repository_touch(stage->ingest, name, err);
}

/* Whether both files have the same bytes. A short read makes them look different, which costs time only. */
static bool
is_equal_file(struct stage *stage, int a, int b)
{
	char *one = stage->buffer, *two = one + INGEST_BUFFER;
	ssize_t n, m;

	do {
		n = read(a, one, INGEST_BUFFER);
		m = read(b, two, INGEST_BUFFER);
	} while (n > 0 && n == m && !memcmp(one, two, (size_t)n));
	return n == 0 && m == 0;
}

/* Compressed content has no holes; a file with large ones would fill our disk from next to none of its owner's.
 */
static int
check_sparse(struct stage *stage, const struct object *object, int fd, struct err *err)
{
	struct stat st;

	if (fstat(fd, &st) < 0)
		return source_failed(err, "read an object");
	if (st.st_size > SPARSE_MIN && st.st_blocks * 512 < st.st_size / 2)
		return walk_bad(stage->walk, object, err, "is damaged: it has %lld bytes, most of them holes",
		    (long long)st.st_size);
	return 0;
}

/* An object as the drop stores it. @is_stored: the repository has one of that name. */
static int
stage_stored_form(
    struct stage *stage, const char *checksum, const char *kind, int from, bool is_stored, struct err *err)
{
	AUTO(close_p) int to = -1;
	char name[REPOSITORY_NAME_SIZE];
	int r;

	if (is_stored) {
		source_object_name(checksum, kind, name, sizeof(name));
		to = openat(stage->ingest->objects, name, O_RDONLY | O_CLOEXEC);
		if (to >= 0 && is_equal_file(stage, from, to))
			return 0;
		/* Another compression of the same content, or a damaged one, which is refused. */
		if (lseek(from, 0, SEEK_SET) < 0)
			return source_failed(err, "read an object");
	}
	r = start_check(stage, checksum, kind, err);
	if (r == 0 && is_stored)
		return take_file(stage, from, -1, err);
	if (r == 0)
		r = make_staged(stage, checksum, kind, &to, err);
	return r ? r : take_file(stage, from, to, err);
}

static int
stage_archived(struct stage *stage, const struct object *object, struct err *err)
{
	const char *kind = walk_kind(stage->walk, object);
	AUTO(close_p) int from = -1;
	int stored = find_stored(stage, object->checksum, kind, err), r;

	if (stored < 0)
		return stored;
	if (stored == 0 && object->kind != OBJECT_FILE)
		return 0; /* and the walk has verified the drop's */
	r = source_object(stage->source, object->checksum, kind, &from, err);
	if (r == 0)
		r = check_sparse(stage, object, from, err);
	if (r)
		return r;
	r = stage_stored_form(stage, object->checksum, kind, from, stored == 0, err);
	if (r == 0 && stored == SOURCE_MISSING)
		stage->counts.imported++;
	return told(stage, object, r, err);
}

/*
 * Detached metadata holds signatures over the commit. Nothing vouches for its bytes, so only its form is
 * checked, and what was published is never replaced.
 */
static int
stage_commitmeta(struct stage *stage, const struct object *object, struct err *err)
{
	AUTO(close_p) int from = -1;
	int r = find_stored(stage, object->checksum, "commitmeta", err);

	if (r != SOURCE_MISSING)
		return r;
	r = source_has(stage->source, object->checksum, "commitmeta", err);
	if (r)
		return r == SOURCE_MISSING ? 0 : r;
	r = source_object(stage->source, object->checksum, "commitmeta", &from, err);
	if (r)
		return r;
	r = stage_stored_form(stage, object->checksum, "commitmeta", from, false, err);
	return r == DROP_BAD ? err_context(err, r, "object %s.commitmeta", object->checksum) : r;
}

/* The repository has it; the drop's may still be damaged. */
static int
check_bare(const char *checksum, GInputStream *content, GFileInfo *info, GVariant *xattrs, struct err *err)
{
	g_autoptr(GError) error = NULL;
	g_autofree guchar *digest = NULL;
	char found[DIGEST_HEX_SIZE];

	if (!ostree_checksum_file_from_input(
		info, xattrs, content, OSTREE_OBJECT_TYPE_FILE, &digest, NULL, &error))
		return drop_bad(err, "cannot be read: %s", error->message);
	digest_hex(digest, DIGEST_SHA256_BYTES, found);
	return strcmp(found, checksum) ? drop_bad(err, "is damaged: its content has checksum %s", found) : 0;
}

/* A bare drop: libostree joins inode, extended attributes and content; we keep it in archive form. */
static int
stage_bare(struct stage *stage, const struct object *object, struct err *err)
{
	g_autoptr(GInputStream) content = NULL;
	g_autoptr(GInputStream) stream = NULL;
	g_autoptr(GFileInfo) info = NULL;
	g_autoptr(GVariant) xattrs = NULL;
	g_autoptr(GError) error = NULL;
	AUTO(close_p) int to = -1;
	int r = find_stored(stage, object->checksum, "filez", err);

	if (r < 0)
		return r;
	if (!ostree_repo_load_file(stage->view, object->checksum, &content, &info, &xattrs, NULL, &error))
		return drop_bad(err, "cannot be read: %s", error->message);
	if (r == 0)
		return check_bare(object->checksum, content, info, xattrs, err);
	if (!ostree_raw_file_to_archive_z2_stream(content, info, xattrs, &stream, NULL, &error))
		return repository_failed(err, error, "compress an object");
	r = start_check(stage, object->checksum, "filez", err);
	if (r == 0)
		r = make_staged(stage, object->checksum, "filez", &to, err);
	if (r == 0)
		r = take_stream(stage, stream, to, err);
	if (r == 0)
		stage->counts.imported++;
	return r;
}

static int
stage_object(struct stage *stage, const struct object *object, struct err *err)
{
	int r = object->kind == OBJECT_COMMIT ? stage_commitmeta(stage, object, err) : 0;

	if (r)
		return r;
	if (object->kind != OBJECT_FILE || stage->source->mode == SOURCE_ARCHIVE)
		return stage_archived(stage, object, err);
	r = told(stage, object, stage_bare(stage, object, err), err);
	if (r == DROP_BAD && stage->source->mode != SOURCE_BARE_USER_ONLY)
		return err_context(err, r, "%s repository (was it copied with owners and extended attributes?)",
		    source_mode_name(stage->source->mode));
	return r;
}

/*
 * Lets libostree look at the objects of a bare drop, and at nothing else of it: the drop's own config could
 * name another repository as parent, and its folders could be exchanged meanwhile.
 */
static int
open_view(struct stage *stage, struct err *err)
{
	g_autoptr(GError) error = NULL;
	char config[64], objects[64];
	int staging = stage->ingest->staging, r;

	snprintf(
	    config, sizeof(config), "[core]\nrepo_version=1\nmode=%s\n", source_mode_name(stage->source->mode));
	snprintf(objects, sizeof(objects), "/proc/self/fd/%d", stage->source->objects);
	if (mkdirat(staging, "view", 0700) < 0 || mkdirat(staging, "view/refs", 0700) < 0 ||
	    mkdirat(staging, "view/tmp", 0700) < 0 || symlinkat(objects, staging, "view/objects") < 0)
		return err_sys(err, "staging/view");
	r = file_replace(staging, "view/config", config, strlen(config), 0600, err);
	if (r < 0)
		return r;
	stage->view = ostree_repo_open_at(staging, "view", NULL, &error);
	return stage->view ? 0 : repository_failed(err, error, "open the drop");
}

static int
work(void *worker, size_t index, struct err *err)
{
	struct stage *stage = worker;

	if (stage->progress)
		stage->progress(stage->data, index, walk_count(stage->walk));
	return stage_object(stage, walk_object(stage->walk, index), err);
}

static void
worker_done(struct stage *worker)
{
	free(worker->buffer);
	check_free(worker->check);
}

/* libostree's view of a bare drop is for one thread, and does the most itself. */
static int
stage_all(struct stage *first, struct ingest_counts *counts, struct err *err)
{
	AUTO(worker_done) struct stage second = *first;
	int r;

	second.progress = NULL;
	first->buffer = malloc(2 * INGEST_BUFFER);
	second.buffer = malloc(2 * INGEST_BUFFER);
	if (!first->buffer || !second.buffer)
		return err_set(err, ENOMEM, "no memory");
	r = crew_run(work, first, first->view ? NULL : &second, walk_count(first->walk), err);
	counts->imported = first->counts.imported + second.counts.imported;
	counts->bytes = first->counts.bytes + second.counts.bytes;
	return r;
}

int
ingest_stage(struct ingest *ingest, struct source *source, const struct releases *releases,
    ingest_progress *progress, void *data, struct ingest_counts *counts, struct err *err)
{
	AUTO(walk_freep) struct walk *walk = NULL;
	AUTO(worker_done)
	struct stage stage = { .ingest = ingest, .source = source, .progress = progress, .data = data };
	struct err ignored;
	int r;

	*counts = (struct ingest_counts){ 0 };
	r = ingest_discard(ingest, err);
	if (r == 0)
		r = walk_new(source, releases, &walk, err);
	if (r)
		return r;
	stage.walk = walk;
	counts->objects = walk_count(walk);
	r = source->mode == SOURCE_ARCHIVE ? 0 : open_view(&stage, err);
	if (r == 0)
		r = stage_all(&stage, counts, err);
	g_clear_object(&stage.view);
	if (r)
		ingest_discard(ingest, &ignored);
	return r;
}

/* -- from staging into the repository -- */

static int
move_entries(DIR *from, int to, const char *prefix, struct err *err)
{
	struct dirent *entry;

	while ((entry = readdir(from)))
		if (*entry->d_name != '.' &&
		    renameat2(dirfd(from), entry->d_name, to, entry->d_name, RENAME_NOREPLACE) < 0 &&
		    errno != EEXIST)
			return err_sys(err, "objects/%s/%s", prefix, entry->d_name);
	return 0;
}

/* One of the 256 folders. */
static int
move_folder(void *data, size_t index, struct err *err)
{
	struct ingest *ingest = data;
	AUTO(closedir_p) DIR *dir = NULL;
	AUTO(close_p) int to = -1;
	char prefix[3];
	int from;

	snprintf(prefix, sizeof(prefix), "%02x", (unsigned int)index);
	from = openat(ingest->staging, prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (from < 0 && errno == ENOENT)
		return 0;
	dir = from < 0 ? NULL : fdopendir(from);
	if (!dir)
		return err_sys(err, "staging/%s", prefix);
	if (mkdirat(ingest->objects, prefix, 0775) < 0 && errno != EEXIST)
		return err_sys(err, "objects/%s", prefix);
	to = openat(ingest->objects, prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return to < 0 ? err_sys(err, "objects/%s", prefix) : move_entries(dir, to, prefix, err);
}

int
ingest_commit(struct ingest *ingest, const struct releases *releases, struct err *err)
{
	int r;

	/* Content first, then names: after a power cut no object may stand under its name without its content.
	 * The second call also makes names durable that an earlier, killed process left. */
	if (syncfs(ingest->staging) < 0)
		return err_sys(err, "staging: sync");
	r = crew_run(move_folder, ingest, ingest, 256, err);
	if (r < 0)
		return r;
	if (syncfs(ingest->objects) < 0)
		return err_sys(err, "objects: sync");
	space_keep(&ingest->claim);
	r = refs_write(ingest, releases, err);
	return r < 0 ? r : ingest_discard(ingest, err);
}
