#include "store/ingest.h"

#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <openssl/evp.h>
#include <ostree.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "store/tree.h"
#include "store/walk.h"

/** A detached signature or two. */
#define COMMITMETA_MAX (1024 * 1024)
#define COPY_BYTES (128 * 1024)
/** Smaller files are copied whatever they look like. */
#define SPARSE_MIN (1024 * 1024)

struct ingest {
	int dir;          /* the repository folder */
	int staging;      /* dir/staging */
	int objects;      /* dir/ostree/objects */
	OstreeRepo *repo; /* dir/ostree */
	char *buffer;     /* COPY_BYTES, twice */
};

/* One drop on its way in. */
struct stage {
	struct ingest *ingest;
	struct source *source;
	struct walk *walk;
	OstreeRepo *view; /* the drop as libostree sees it; bare modes only */
	struct ingest_counts *counts;
};

/* Trouble of our own in libostree's words. */
static int
own_failure(struct err *err, const GError *error, const char *what)
{
	int code = g_error_matches(error, G_IO_ERROR, G_IO_ERROR_NO_SPACE) ? ENOSPC : EIO;

	return err_set(err, code, "%s: %s", what, error ? error->message : "failed");
}

/* -- the repository -- */

static int
configure(OstreeRepo *repo, struct err *err)
{
	g_autoptr(GKeyFile) config = ostree_repo_copy_config(repo);
	g_autoptr(GError) error = NULL;

	/* Free space is watched by the operator; libostree's reserve of 3 % would refuse on a large disk too
	 * early. */
	g_key_file_set_string(config, "core", "min-free-space-percent", "0");
	g_key_file_set_boolean(config, "core", "indexed-deltas", TRUE);
	if (!ostree_repo_write_config(repo, config, &error))
		return own_failure(err, error, "repository config");
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
		return own_failure(err, error, "create the repository");
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
		return own_failure(err, error, "open the repository");
	if (ostree_repo_get_mode(ingest->repo) != OSTREE_REPO_MODE_ARCHIVE)
		return err_set(err, EINVAL, "the repository is not in archive mode");
	ingest->objects = openat(ingest->dir, "ostree/objects", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return ingest->objects < 0 ? err_sys(err, "ostree/objects") : 0;
}

int
ingest_new(const char *repository, struct ingest **out, struct err *err)
{
	AUTO(ingest_freep) struct ingest *ingest = calloc(1, sizeof(*ingest));
	int r;

	if (!ingest)
		return err_set(err, ENOMEM, "no memory");
	ingest->staging = ingest->objects = -1;
	ingest->buffer = malloc(2 * COPY_BYTES);
	ingest->dir = open(repository, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ingest->dir < 0 || !ingest->buffer)
		return err_sys(err, "%s", repository);
	r = open_repository(ingest, err);
	if (r == 0)
		r = ingest_discard(ingest, err);
	if (r < 0)
		return err_context(err, r, "%s", repository);
	*out = MOVE(ingest);
	return 0;
}

void
ingest_free(struct ingest *ingest)
{
	if (!ingest)
		return;
	g_clear_object(&ingest->repo);
	close_p(&ingest->objects);
	close_p(&ingest->staging);
	close_p(&ingest->dir);
	free(ingest->buffer);
	free(ingest);
}

void
ingest_freep(struct ingest **ingest)
{
	ingest_free(*ingest);
}

int
ingest_discard(struct ingest *ingest, struct err *err)
{
	int r;

	close_p(&ingest->staging);
	ingest->staging = -1;
	r = tree_remove(ingest->dir, "staging", err);
	if (r < 0)
		return r;
	if (mkdirat(ingest->dir, "staging", 0700) < 0)
		return err_sys(err, "staging");
	ingest->staging = openat(ingest->dir, "staging", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return ingest->staging < 0 ? err_sys(err, "staging") : 0;
}

int
ingest_check_ref(struct ingest *ingest, const char *ref, struct err *err)
{
	g_autofree char *path = g_strdup_printf("ostree/refs/heads/%s", ref);
	g_autoptr(GError) error = NULL;
	struct stat st;

	if (!ostree_validate_rev(ref, &error))
		return drop_bad(err, "ref \"%.200s\" is no name for a ref", ref);
	if (fstatat(ingest->dir, path, &st, 0) == 0)
		return S_ISDIR(st.st_mode)
			   ? drop_bad(err, "ref %s cannot be set: there are refs below %s/ already", ref, ref)
			   : 0;
	if (errno == ENOTDIR)
		return drop_bad(err, "ref %s cannot be set: a part of its path is a ref already", ref);
	return errno == ENOENT ? 0 : err_sys(err, "%s", path);
}

/* -- staging: verified copies -- */

static int
make_staged(struct stage *stage, const struct object *object, const char *kind, int *out, struct err *err)
{
	char name[80];

	source_object_name(object->checksum, kind, name, sizeof(name));
	name[2] = '\0';
	if (mkdirat(stage->ingest->staging, name, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "staging/%s", name);
	name[2] = '/';
	*out = openat(stage->ingest->staging, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
	/* Served files are readable whatever the umask: the folders above decide who gets here. */
	if (*out < 0 || fchmod(*out, 0644) < 0)
		return err_sys(err, "staging/%s", name);
	return 0;
}

static int
write_staged(struct stage *stage, int fd, const void *data, size_t bytes, struct err *err)
{
	int r = file_write_all(fd, data, bytes);

	stage->counts->bytes += bytes;
	return r < 0 ? err_set(err, -r, "staging: %s", strerror(-r)) : 0;
}

static bool
is_stored(const struct stage *stage, const struct object *object, const char *kind)
{
	char name[80];
	struct stat st;

	source_object_name(object->checksum, kind, name, sizeof(name));
	return fstatat(stage->ingest->objects, name, &st, 0) == 0;
}

static int
stage_bytes(struct stage *stage, const struct object *object, const char *kind, const void *data, size_t bytes,
    struct err *err)
{
	AUTO(close_p) int fd = -1;
	int r = make_staged(stage, object, kind, &fd, err);

	return r < 0 ? r : write_staged(stage, fd, data, bytes, err);
}

/*
 * Detached metadata holds signatures over the commit. Nothing vouches for its bytes, so only its form is
 * checked, and what was published is never replaced.
 */
static int
stage_commitmeta(struct stage *stage, const struct object *object, struct err *err)
{
	g_autoptr(GVariant) value = NULL;
	AUTO(free_p) char *data = NULL;
	char name[80];
	size_t bytes;
	int r;

	if (is_stored(stage, object, "commitmeta"))
		return 0;
	source_object_name(object->checksum, "commitmeta", name, sizeof(name));
	r = source_read(stage->source->objects, name, COMMITMETA_MAX, &data, &bytes, err);
	if (r)
		return r == SOURCE_MISSING ? 0 : r;
	value =
	    g_variant_ref_sink(g_variant_new_from_data(G_VARIANT_TYPE_VARDICT, data, bytes, FALSE, NULL, NULL));
	if (!g_variant_is_normal_form(value))
		return drop_bad(err, "object %s.commitmeta is damaged", object->checksum);
	return stage_bytes(stage, object, "commitmeta", data, bytes, err);
}

static int
stage_metadata(struct stage *stage, const struct object *object, struct err *err)
{
	const char *kind = walk_kind(stage->walk, object);
	AUTO(free_p) char *data = NULL;
	size_t bytes;
	int r;

	if (object->kind == OBJECT_COMMIT && (r = stage_commitmeta(stage, object, err)))
		return r;
	if (is_stored(stage, object, kind))
		return 0; /* and the walk has verified the drop's */
	/* Read again: keeping them all since the walk would take memory for all of a large tree at once. */
	r = walk_read(stage->walk, object, &data, &bytes, err);
	if (r == 0)
		r = stage_bytes(stage, object, kind, data, bytes, err);
	if (r == 0)
		stage->counts->imported++;
	return r;
}

/* Reads the stream to its end; its checksum is the object's name when all is well. */
static int
digest_stream(
    struct stage *stage, GInputStream *stream, guint64 length, char hex[static DIGEST_HEX_SIZE], GError **error)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	guint64 total = 0;
	gssize n = 0;

	EVP_DigestInit_ex(md, EVP_sha256(), NULL);
	while (total <= length &&
	       (n = g_input_stream_read(stream, stage->ingest->buffer, COPY_BYTES, NULL, error)) > 0) {
		EVP_DigestUpdate(md, stage->ingest->buffer, (size_t)n);
		total += (guint64)n;
	}
	EVP_DigestFinal_ex(md, digest, NULL);
	EVP_MD_CTX_free(md);
	digest_hex(digest, DIGEST_SHA256_BYTES, hex);
	if (n < 0)
		return -1;
	/* The checksum does not cover the length that the stored form's header names. */
	if (total != length)
		g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "its header names another length");
	return total == length ? 0 : -1;
}

/* Checks content and its header against the object's name. */
static int
check_content(struct stage *stage, const struct object *object, GInputStream *content, GFileInfo *info,
    GVariant *xattrs, struct err *err)
{
	g_autoptr(GInputStream) stream = NULL;
	g_autoptr(GError) error = NULL;
	char found[DIGEST_HEX_SIZE];
	guint64 length;

	if (!ostree_raw_file_to_content_stream(content, info, xattrs, &stream, &length, NULL, &error) ||
	    digest_stream(stage, stream, length, found, &error) < 0)
		return walk_bad(stage->walk, object, err, "is damaged: %s", error->message);
	if (strcmp(found, object->checksum))
		return walk_bad(stage->walk, object, err, "is damaged: its content has checksum %s", found);
	return 0;
}

/*
 * What neither the checksum nor libostree's parser looks at in the header of the archive form, a byte count
 * with padding and (size, uid, gid, mode, rdev, symlink target, extended attributes), has to be as libostree
 * writes it.
 */
static int
check_header(struct stage *stage, const struct object *object, int fd, struct err *err)
{
	g_autoptr(GVariant) header = NULL;
	unsigned char *prefix = (unsigned char *)stage->ingest->buffer;
	size_t size;
	ssize_t n = pread(fd, prefix, COPY_BYTES, 0);
	const char *target;
	guint32 mode;

	if (n < 0)
		return source_failed(err, "read an object");
	size =
	    n < 8 ? 0 : (size_t)prefix[0] << 24 | (size_t)prefix[1] << 16 | (size_t)prefix[2] << 8 | prefix[3];
	if (size == 0 || size > (size_t)n - 8 || prefix[4] || prefix[5] || prefix[6] || prefix[7])
		return walk_bad(stage->walk, object, err, "is damaged: its header has no such form");
	header = g_variant_ref_sink(
	    g_variant_new_from_data(G_VARIANT_TYPE("(tuuuusa(ayay))"), prefix + 8, size, FALSE, NULL, NULL));
	g_variant_get_child(header, 3, "u", &mode);
	g_variant_get_child(header, 5, "&s", &target);
	if (!g_variant_is_normal_form(header) || (!S_ISLNK(GUINT32_FROM_BE(mode)) && *target))
		return walk_bad(stage->walk, object, err, "is damaged: its header has no such form");
	return 0;
}

/* Inflates what follows the header, to see where it ends: what comes after the end is covered by no checksum.
 */
static int
find_end(struct stage *stage, int fd, off_t at, uint64_t *end, GError **error)
{
	g_autoptr(GZlibDecompressor) inflate = g_zlib_decompressor_new(G_ZLIB_COMPRESSOR_FORMAT_RAW);
	char *in = stage->ingest->buffer, *out = in + COPY_BYTES;
	GConverterResult result = G_CONVERTER_CONVERTED;

	while (result != G_CONVERTER_FINISHED) {
		ssize_t n = pread(fd, in, COPY_BYTES, at);
		gsize got, made;

		if (n < 0)
			return -1;
		result = g_converter_convert(G_CONVERTER(inflate), in, (gsize)n, out, COPY_BYTES,
		    n ? G_CONVERTER_NO_FLAGS : G_CONVERTER_INPUT_AT_END, &got, &made, error);
		if (result == G_CONVERTER_ERROR)
			return -1;
		at += (off_t)got;
	}
	*end = (uint64_t)at;
	return 0;
}

static int
check_end(struct stage *stage, const struct object *object, int fd, uint64_t bytes, struct err *err)
{
	unsigned char *prefix = (unsigned char *)stage->ingest->buffer;
	g_autoptr(GError) error = NULL;
	uint64_t end;
	off_t start;

	if (pread(fd, prefix, 4, 0) != 4)
		return source_failed(err, "read an object");
	start = 8 + (off_t)((uint32_t)prefix[0] << 24 | (uint32_t)prefix[1] << 16 | (uint32_t)prefix[2] << 8 |
			    prefix[3]);
	if ((uint64_t)start == bytes)
		return 0; /* a symlink has no content, not even an empty one */
	if (find_end(stage, fd, start, &end, &error) < 0)
		return walk_bad(
		    stage->walk, object, err, "is damaged: %s", error ? error->message : "cannot be read");
	if (end != bytes)
		return walk_bad(stage->walk, object, err, "is damaged: its content ends at byte %llu of %llu",
		    (unsigned long long)end, (unsigned long long)bytes);
	return 0;
}

/* Parses and checks an object in archive form. */
static int
check_archived(struct stage *stage, const struct object *object, int fd, struct err *err)
{
	g_autoptr(GInputStream) stored = g_unix_input_stream_new(fd, FALSE);
	g_autoptr(GInputStream) content = NULL;
	g_autoptr(GFileInfo) info = NULL;
	g_autoptr(GVariant) xattrs = NULL;
	g_autoptr(GError) error = NULL;
	struct stat st;
	int r;

	if (fstat(fd, &st) < 0 || lseek(fd, 0, SEEK_SET) < 0)
		return err_sys(err, "staging");
	r = check_header(stage, object, fd, err);
	if (r == 0)
		r = check_end(stage, object, fd, (uint64_t)st.st_size, err);
	if (r)
		return r;
	if (!ostree_content_stream_parse(
		TRUE, stored, (guint64)st.st_size, FALSE, &content, &info, &xattrs, NULL, &error))
		return walk_bad(stage->walk, object, err, "is damaged: %s", error->message);
	return check_content(stage, object, content, info, xattrs, err);
}

static int
copy_file(struct stage *stage, int from, int to, struct err *err)
{
	ssize_t n;
	int r = 0;

	while (r == 0 && (n = read(from, stage->ingest->buffer, COPY_BYTES)) != 0)
		r = n < 0 ? source_failed(err, "read an object")
			  : write_staged(stage, to, stage->ingest->buffer, (size_t)n, err);
	return r;
}

/* Whether both files have the same bytes. A short read makes them look different, which costs time only. */
static bool
is_equal_file(struct stage *stage, int a, int b)
{
	char *one = stage->ingest->buffer, *two = one + COPY_BYTES;
	ssize_t n, m;

	do {
		n = read(a, one, COPY_BYTES);
		m = read(b, two, COPY_BYTES);
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

static int
stage_archived(struct stage *stage, const struct object *object, struct err *err)
{
	AUTO(close_p) int from = -1;
	AUTO(close_p) int to = -1;
	char name[80];
	int r;

	r = source_object(stage->source, object->checksum, "filez", &from, err);
	if (r)
		return r;
	source_object_name(object->checksum, "filez", name, sizeof(name));
	to = openat(stage->ingest->objects, name, O_RDONLY | O_CLOEXEC);
	if (to >= 0)
		return is_equal_file(stage, from, to) ? 0 : check_archived(stage, object, from, err);
	r = check_sparse(stage, object, from, err);
	if (r == 0)
		r = make_staged(stage, object, "filez", &to, err);
	if (r == 0)
		r = copy_file(stage, from, to, err);
	/* The copy is what gets served, so the copy is what gets checked: the drop's owner can still write to
	 * his. */
	if (r == 0)
		r = check_archived(stage, object, to, err);
	if (r == 0)
		stage->counts->imported++;
	return r;
}

static int
write_archived(struct stage *stage, const struct object *object, GInputStream *stream, int to, struct err *err)
{
	g_autoptr(GError) error = NULL;
	gssize n;
	int r = 0;

	while (
	    r == 0 && (n = g_input_stream_read(stream, stage->ingest->buffer, COPY_BYTES, NULL, &error)) != 0)
		r = n < 0 ? walk_bad(stage->walk, object, err, "cannot be read: %s", error->message)
			  : write_staged(stage, to, stage->ingest->buffer, (size_t)n, err);
	return r;
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
	int r;

	if (!ostree_repo_load_file(stage->view, object->checksum, &content, &info, &xattrs, NULL, &error))
		return walk_bad(stage->walk, object, err, "cannot be read: %s", error->message);
	if (is_stored(stage, object, "filez"))
		return check_content(stage, object, content, info, xattrs, err);
	if (!ostree_raw_file_to_archive_z2_stream(content, info, xattrs, &stream, NULL, &error))
		return own_failure(err, error, "compress an object");
	r = make_staged(stage, object, "filez", &to, err);
	if (r == 0)
		r = write_archived(stage, object, stream, to, err);
	if (r == 0)
		r = check_archived(stage, object, to, err);
	if (r == 0)
		stage->counts->imported++;
	return r;
}

static int
stage_object(struct stage *stage, const struct object *object, struct err *err)
{
	int r;

	if (object->kind != OBJECT_FILE)
		return stage_metadata(stage, object, err);
	if (stage->source->mode == SOURCE_ARCHIVE)
		return stage_archived(stage, object, err);
	r = stage_bare(stage, object, err);
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
	return stage->view ? 0 : own_failure(err, error, "open the drop");
}

static int
stage_all(struct stage *stage, ingest_progress *progress, void *data, struct err *err)
{
	size_t all = walk_count(stage->walk);
	int r = stage->source->mode == SOURCE_ARCHIVE ? 0 : open_view(stage, err);

	for (size_t i = 0; r == 0 && i < all; i++) {
		progress(data, i, all);
		r = stage_object(stage, walk_object(stage->walk, i), err);
	}
	g_clear_object(&stage->view);
	return r;
}

int
ingest_stage(struct ingest *ingest, struct source *source, const struct releases *releases,
    ingest_progress *progress, void *data, struct ingest_counts *counts, struct err *err)
{
	AUTO(walk_freep) struct walk *walk = NULL;
	struct stage stage = { .ingest = ingest, .source = source, .counts = counts };
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
	r = stage_all(&stage, progress, data, err);
	if (r)
		ingest_discard(ingest, &ignored);
	return r;
}

/* -- from staging into the repository -- */

static int
move_folder(struct ingest *ingest, const char *prefix, struct err *err)
{
	AUTO(closedir_p) DIR *dir = NULL;
	AUTO(close_p) int to = -1;
	struct dirent *entry;
	int from = openat(ingest->staging, prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (mkdirat(ingest->objects, prefix, 0775) < 0 && errno != EEXIST)
		return err_sys(err, "objects/%s", prefix);
	to = openat(ingest->objects, prefix, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = from < 0 ? NULL : fdopendir(from);
	if (to < 0 || !dir)
		return err_sys(err, "objects/%s", prefix);
	while ((entry = readdir(dir)))
		if (*entry->d_name != '.' &&
		    renameat2(from, entry->d_name, to, entry->d_name, RENAME_NOREPLACE) < 0 && errno != EEXIST)
			return err_sys(err, "objects/%s/%s", prefix, entry->d_name);
	return 0;
}

static int
move_all(struct ingest *ingest, struct err *err)
{
	AUTO(closedir_p) DIR *dir = NULL;
	struct dirent *entry;
	int fd = openat(ingest->staging, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC), r = 0;

	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return err_sys(err, "staging");
	while (r == 0 && (entry = readdir(dir)))
		if (strlen(entry->d_name) == 2 && *entry->d_name != '.')
			r = move_folder(ingest, entry->d_name, err);
	return r;
}

static int
set_refs(struct ingest *ingest, const struct releases *releases, struct err *err)
{
	g_autoptr(GError) error = NULL;

	if (!ostree_repo_prepare_transaction(ingest->repo, NULL, NULL, &error))
		return own_failure(err, error, "set refs");
	for (size_t i = 0; i < releases->count; i++)
		ostree_repo_transaction_set_ref(
		    ingest->repo, NULL, releases->list[i].ref, releases->list[i].commit);
	if (ostree_repo_commit_transaction(ingest->repo, NULL, NULL, &error))
		return 0;
	ostree_repo_abort_transaction(ingest->repo, NULL, NULL);
	return own_failure(err, error, "set refs");
}

int
ingest_commit(struct ingest *ingest, const struct releases *releases, struct err *err)
{
	int r;

	/* Content first, then names: after a power cut no object may stand under its name without its content.
	 * The second call also makes names durable that an earlier, killed process left. */
	if (syncfs(ingest->staging) < 0)
		return err_sys(err, "staging: sync");
	r = move_all(ingest, err);
	if (r < 0)
		return r;
	if (syncfs(ingest->objects) < 0)
		return err_sys(err, "objects: sync");
	r = set_refs(ingest, releases, err);
	return r < 0 ? r : ingest_discard(ingest, err);
}
