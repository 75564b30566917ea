#include "store/delta.h"

#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "store/release.h"
#include "store/tree.h"

/** 43 characters of base64 and a 0. */
#define B64_SIZE 44
/** A superblock names at most so many parts; each has 32 MiB. */
#define PARTS_MAX 4096

/* A delta of two large images takes minutes; bsdiff is slow on large files, so those are compressed instead. */
#define MAKE_SECONDS (2 * 3600)
#define MAKE_CPU_SECONDS (2 * 3600)
/** MiB; bsdiff takes 17 times the size of a file in memory. */
#define BSDIFF_OPTION "--max-bsdiff-size=16"
#define INDEX_SECONDS 600
#define INDEX_BYTES_MAX (16 * 1024 * 1024)

/* "/" cannot stand in a file name, so libostree writes "_". */
static void
to_b64(const char *checksum, char out[static B64_SIZE])
{
	unsigned char bytes[DIGEST_SHA256_BYTES] = { 0 };
	AUTO(free_p) char *text = NULL;

	digest_unhex(checksum, bytes, sizeof(bytes));
	text = digest_base64(bytes, sizeof(bytes));
	snprintf(out, B64_SIZE, "%s", text ? text : "");
	for (char *c = out; *c; c++)
		if (*c == '/')
			*c = '_';
}

static bool
from_b64(const char *text, char checksum[static DIGEST_HEX_SIZE])
{
	unsigned char bytes[DIGEST_SHA256_BYTES];
	size_t size = sizeof(bytes);
	char standard[B64_SIZE + 1];

	if (strlen(text) != B64_SIZE - 1)
		return false;
	snprintf(standard, sizeof(standard), "%s=", text);
	for (char *c = standard; *c; c++)
		if (*c == '_')
			*c = '/';
	if (digest_unbase64(standard, bytes, &size) < 0 || size != sizeof(bytes))
		return false;
	digest_hex(bytes, sizeof(bytes), checksum);
	return true;
}

static void
delta_folder(const struct delta *delta, char *path, size_t room)
{
	char from[B64_SIZE], to[B64_SIZE];

	to_b64(delta->to, to);
	if (*delta->from) {
		to_b64(delta->from, from);
		snprintf(path, room, "ostree/deltas/%.2s/%s-%s", from, from + 2, to);
	} else {
		snprintf(path, room, "ostree/deltas/%.2s/%s", to, to + 2);
	}
}

static void
index_file(const char *to, char *path, size_t room)
{
	char b64[B64_SIZE];

	to_b64(to, b64);
	snprintf(path, room, "ostree/delta-indexes/%.2s/%s.index", b64, b64 + 2);
}

/* "ab" and "cd...-ef..." to the two commits. */
static bool
parse_name(const char *prefix, const char *rest, struct delta *delta)
{
	char text[2 * B64_SIZE + 2], *dash;

	if (strlen(prefix) != 2 || (size_t)snprintf(text, sizeof(text), "%s%s", prefix, rest) >= sizeof(text))
		return false;
	/* "-" is none of the characters of base64. */
	dash = strchr(text, '-');
	if (dash)
		*dash = '\0';
	delta->from[0] = '\0';
	return dash ? from_b64(text, delta->from) && from_b64(dash + 1, delta->to) : from_b64(text, delta->to);
}

/* -- listing -- */

static DIR *
open_dir(int parent, const char *name)
{
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);

	if (!dir && fd >= 0)
		close(fd);
	return dir;
}

/* A file of the folder @name for each of two levels: "ab/cd...". */
typedef int two_fn(void *data, int parent, const char *prefix, const char *rest, struct err *err);

static int
each_below(int repository, const char *name, two_fn *each, void *data, struct err *err)
{
	AUTO(closedir_p) DIR *top = open_dir(repository, name);
	struct dirent *folder, *entry;
	int r = 0;

	if (!top)
		return errno == ENOENT ? 0 : err_sys(err, "%s", name);
	while (r == 0 && (folder = readdir(top))) {
		AUTO(closedir_p)
		DIR *dir = *folder->d_name == '.' ? NULL : open_dir(dirfd(top), folder->d_name);

		while (r == 0 && dir && (entry = readdir(dir)))
			if (*entry->d_name != '.')
				r = each(data, dirfd(dir), folder->d_name, entry->d_name, err);
	}
	return r;
}

struct listing {
	delta_each_fn *each;
	void *data;
};

static int
list_delta(void *data, int parent, const char *prefix, const char *rest, struct err *err)
{
	const struct listing *listing = data;
	struct delta delta = { .from = "" };
	char superblock[512];
	struct tree_look look;
	struct stat st;

	if (!parse_name(prefix, rest, &delta) || tree_scan(parent, rest, &look, err) < 0)
		return 0;
	snprintf(superblock, sizeof(superblock), "%s/superblock", rest);
	delta.is_whole = fstatat(parent, superblock, &st, AT_SYMLINK_NOFOLLOW) == 0;
	delta.bytes = look.bytes;
	delta.changed = (time_t)(look.newest_ns / 1000000000);
	return listing->each(listing->data, &delta);
}

int
delta_each(int repository, delta_each_fn *each, void *data, struct err *err)
{
	struct listing listing = { each, data };

	return each_below(repository, "ostree/deltas", list_delta, &listing, err);
}

bool
delta_has_commit(int repository, const char *commit)
{
	char path[128];
	struct stat st;

	snprintf(path, sizeof(path), "ostree/objects/%.2s/%s.commit", commit, commit + 2);
	return fstatat(repository, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* -- making -- */

/* ostree(1) wants a path. */
static int
repo_option(int repository, char *option, size_t room, struct err *err)
{
	char link[64], path[4000];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", repository);
	n = readlink(link, path, sizeof(path) - 1);
	if (n < 0)
		return err_sys(err, "path of the repository");
	path[n] = '\0';
	snprintf(option, room, "--repo=%s/ostree", path);
	return 0;
}

int
delta_reindex(int repository, const char *to, child_stop *is_stopped, void *data, struct err *err)
{
	const struct child_limits limits = { INDEX_SECONDS, INDEX_SECONDS, INDEX_BYTES_MAX };
	char repo[4096], option[96];
	const char *const argv[] = { "ostree", "static-delta", "reindex", repo, option, NULL };
	int r = repo_option(repository, repo, sizeof(repo), err);

	snprintf(option, sizeof(option), "--to=%s", to);
	return r < 0 ? r : child_run(argv, &limits, is_stopped, data, err);
}

static void
remove_parts(int repository, const struct delta *delta)
{
	char path[256];
	struct err ignored;

	delta_folder(delta, path, sizeof(path));
	tree_remove(repository, path, &ignored);
}

static int
generate(int repository, const struct delta *delta, uint64_t max, child_stop *is_stopped, void *data,
    struct err *err)
{
	const struct child_limits limits = { MAKE_SECONDS, MAKE_CPU_SECONDS, max };
	char repo[4096], from[96], to[96];
	const char *const argv[] = { "ostree", "static-delta", "generate", BSDIFF_OPTION, repo, from, to,
		NULL };
	int r = repo_option(repository, repo, sizeof(repo), err);

	snprintf(from, sizeof(from), "--from=%s", delta->from);
	snprintf(to, sizeof(to), "--to=%s", delta->to);
	return r < 0 ? r : child_run(argv, &limits, is_stopped, data, err);
}

static int
measure(int repository, const struct delta *delta, uint64_t max, struct err *err)
{
	struct tree_look look;
	char path[256];
	int r;

	delta_folder(delta, path, sizeof(path));
	r = tree_scan(repository, path, &look, err);
	if (r == 0 && look.bytes > max)
		return err_set(err, EFBIG, "the delta has %llu bytes, %llu are left for it",
		    (unsigned long long)look.bytes, (unsigned long long)max);
	return r;
}

int
delta_make(int repository, const char *from, const char *to, uint64_t max, child_stop *is_stopped, void *data,
    struct err *err)
{
	struct delta delta = { .from = "" };
	struct err ignored;
	int r;

	memcpy(delta.from, from, DIGEST_HEX_SIZE);
	memcpy(delta.to, to, DIGEST_HEX_SIZE);
	r = generate(repository, &delta, max, is_stopped, data, err);
	if (r == 0)
		r = measure(repository, &delta, max, err);
	/* The parts have to be durable before an index leads to them. */
	if (r == 0 && syncfs(repository) < 0)
		r = err_sys(err, "deltas: sync");
	if (r == 0)
		r = delta_reindex(repository, to, is_stopped, data, err);
	if (r == 0)
		return 0;
	/* Nobody knows of it yet, unless the index was written by a child that failed later. */
	remove_parts(repository, &delta);
	if (r != -ECANCELED)
		delta_reindex(repository, to, is_stopped, data, &ignored);
	return r;
}

/* -- taking away -- */

static int
remove_index(int repository, const char *to, struct err *err)
{
	char path[128];

	index_file(to, path, sizeof(path));
	return unlinkat(repository, path, 0) < 0 && errno != ENOENT ? err_sys(err, "%s", path) : 0;
}

int
delta_retire(int repository, const struct delta *delta, child_stop *is_stopped, void *data, struct err *err)
{
	char path[300];

	delta_folder(delta, path, 256);
	strcat(path, "/superblock");
	if (unlinkat(repository, path, 0) < 0 && errno != ENOENT)
		return err_sys(err, "%s", path);
	/* ostree(1) refuses to index a commit that is not there. */
	return delta_has_commit(repository, delta->to)
		   ? delta_reindex(repository, delta->to, is_stopped, data, err)
		   : remove_index(repository, delta->to, err);
}

struct sweeping {
	int repository;
	bool is_dry;
	struct delta_sweep *sweep;
	child_stop *is_stopped;
	void *data;
	struct err *err;
};

static int
sweep_delta(void *data, const struct delta *delta)
{
	struct sweeping *sweeping = data;
	bool is_gone = !delta_has_commit(sweeping->repository, delta->to) ||
		       (*delta->from && !delta_has_commit(sweeping->repository, delta->from));

	if (delta->is_whole && is_gone) {
		sweeping->sweep->deltas++;
		if (sweeping->is_dry)
			sweeping->sweep->bytes += delta->bytes;
		else
			return delta_retire(
			    sweeping->repository, delta, sweeping->is_stopped, sweeping->data, sweeping->err);
	}
	if (!delta->is_whole && time(NULL) - delta->changed > DELTA_READ_SECONDS) {
		sweeping->sweep->folders++;
		sweeping->sweep->bytes += delta->bytes;
		if (!sweeping->is_dry)
			remove_parts(sweeping->repository, delta);
	}
	return 0;
}

static int
sweep_index(void *data, int parent, const char *prefix, const char *rest, struct err *err)
{
	struct sweeping *sweeping = data;
	char text[2 * B64_SIZE], *dot, to[DIGEST_HEX_SIZE];

	snprintf(text, sizeof(text), "%s%s", prefix, rest);
	dot = strrchr(text, '.');
	if (!dot || strcmp(dot, ".index"))
		return 0;
	*dot = '\0';
	if (!from_b64(text, to) || delta_has_commit(sweeping->repository, to))
		return 0;
	sweeping->sweep->indexes++;
	if (!sweeping->is_dry && unlinkat(parent, rest, 0) < 0 && errno != ENOENT)
		return err_sys(err, "delta-indexes/%s/%s", prefix, rest);
	return 0;
}

int
delta_sweep(
    int repository, bool is_dry, struct delta_sweep *sweep, child_stop *is_stopped, void *data, struct err *err)
{
	struct sweeping sweeping = { repository, is_dry, sweep, is_stopped, data, err };
	int r;

	*sweep = (struct delta_sweep){ 0 };
	r = each_below(repository, "ostree/delta-indexes", sweep_index, &sweeping, err);
	return r ? r : delta_each(repository, sweep_delta, &sweeping, err);
}

/* -- checking -- */

/* Child @index of @parent as hex, or false. */
static bool
checksum_child(GVariant *parent, size_t index, char hex[static DIGEST_HEX_SIZE])
{
	g_autoptr(GVariant) bytes = g_variant_get_child_value(parent, index);

	if (g_variant_get_size(bytes) != DIGEST_SHA256_BYTES)
		return false;
	digest_hex(g_variant_get_data(bytes), DIGEST_SHA256_BYTES, hex);
	return true;
}

/* Reads a file of libostree's as @type; the caller unrefs @out. DROP_BAD, -errno. */
static int
load(int repository, const char *path, const char *type, GVariant **out, char hex[static DIGEST_HEX_SIZE],
    struct err *err)
{
	g_autoptr(GVariant) value = NULL;
	char *text;
	size_t bytes;
	int r = file_read(repository, path, DELTA_SUPERBLOCK_MAX, &text, &bytes, err);

	if (r < 0)
		return r == -ENOENT || r == -EFBIG || r == -EINVAL ? DROP_BAD : r;
	digest_sha256_hex(text, bytes, hex);
	value =
	    g_variant_ref_sink(g_variant_new_from_data(G_VARIANT_TYPE(type), text, bytes, FALSE, free, text));
	if (!g_variant_is_normal_form(value))
		return drop_bad(err, "%s: is damaged: it has not the form of one", path);
	*out = g_steal_pointer(&value);
	return 0;
}

static int
digest_file(
    int repository, const char *path, char hex[static DIGEST_HEX_SIZE], uint64_t *bytes, struct err *err)
{
	AUTO(close_p) int fd = openat(repository, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
	unsigned char buffer[64 * 1024];
	ssize_t n = 0;

	*bytes = 0;
	if (fd < 0)
		return errno == ENOENT ? drop_bad(err, "%s: is missing", path) : err_sys(err, "%s", path);
	while ((n = read(fd, buffer, sizeof(buffer))) > 0) {
		g_checksum_update(sum, buffer, n);
		*bytes += (uint64_t)n;
	}
	if (n < 0)
		return errno == EIO ? drop_bad(err, "%s: cannot be read", path) : err_sys(err, "%s", path);
	memcpy(hex, g_checksum_get_string(sum), DIGEST_HEX_SIZE);
	return 0;
}

static int
check_part(int repository, const char *folder, size_t index, GVariant *part, struct err *err)
{
	char path[300], named[DIGEST_HEX_SIZE], found[DIGEST_HEX_SIZE];
	uint64_t bytes;
	int r;

	snprintf(path, sizeof(path), "%s/%zu", folder, index);
	if (!checksum_child(part, 1, named))
		return drop_bad(err, "%s: the superblock names no checksum for it", path);
	r = digest_file(repository, path, found, &bytes, err);
	if (r == 0 && strcmp(named, found))
		return drop_bad(err, "%s: is damaged: its bytes have checksum %s", path, found);
	return r;
}

static int
check_parts(int repository, const char *folder, GVariant *superblock, struct err *err)
{
	g_autoptr(GVariant) metadata = g_variant_get_child_value(superblock, 0);
	g_autoptr(GVariant) parts = g_variant_get_child_value(superblock, 6);
	size_t n = g_variant_n_children(parts);
	int r = 0;

	if (n > PARTS_MAX)
		return drop_bad(err, "%s: has %zu parts, at most %d are allowed", folder, n, PARTS_MAX);
	for (size_t i = 0; r == 0 && i < n; i++) {
		g_autoptr(GVariant) part = g_variant_get_child_value(parts, i);
		g_autofree char *inlined = g_strdup_printf("%zu", i);
		g_autoptr(GVariant) data = g_variant_lookup_value(metadata, inlined, NULL);

		/* A part may stand in the superblock itself, which the index vouches for. */
		if (!data)
			r = check_part(repository, folder, i, part, err);
	}
	return r;
}

int
delta_check(int repository, const struct delta *delta, struct err *err)
{
	g_autoptr(GVariant) superblock = NULL;
	char folder[256], path[300], hex[DIGEST_HEX_SIZE], named[DIGEST_HEX_SIZE];
	int r;

	delta_folder(delta, folder, sizeof(folder));
	snprintf(path, sizeof(path), "%s/superblock", folder);
	r = load(
	    repository, path, "(a{sv}tayay(a{sv}aya(say)sstayay)aya(uayttay)a(yaytt))", &superblock, hex, err);
	if (r)
		return r;
	if (!checksum_child(superblock, 3, named) || strcmp(named, delta->to))
		return drop_bad(err, "%s: is damaged: it leads to another commit", path);
	return check_parts(repository, folder, superblock, err);
}

struct checking {
	int repository;
	delta_bad_fn *bad;
	void *data;
	struct err *err;
};

/* Whether the index of the delta's commit names it as it is. 0, DROP_BAD, -errno. */
static int
check_named(int repository, const struct delta *delta, struct err *err)
{
	g_autoptr(GVariant) index = NULL;
	g_autoptr(GVariant) deltas = NULL;
	g_autoptr(GVariant) digest = NULL;
	g_autofree char *name =
	    *delta->from ? g_strdup_printf("%s-%s", delta->from, delta->to) : g_strdup(delta->to);
	char path[300], hex[DIGEST_HEX_SIZE], found[DIGEST_HEX_SIZE], named[DIGEST_HEX_SIZE];
	uint64_t bytes;
	int r;

	index_file(delta->to, path, sizeof(path));
	r = load(repository, path, "a{sv}", &index, hex, err);
	if (r)
		return r;
	deltas = g_variant_lookup_value(index, "ostree.static-deltas", G_VARIANT_TYPE("a{sv}"));
	digest = deltas ? g_variant_lookup_value(deltas, name, G_VARIANT_TYPE("ay")) : NULL;
	if (!digest || g_variant_get_size(digest) != DIGEST_SHA256_BYTES)
		return drop_bad(err, "%s: does not name the delta %s", path, name);
	digest_hex(g_variant_get_data(digest), DIGEST_SHA256_BYTES, named);
	delta_folder(delta, path, 256);
	strcat(path, "/superblock");
	r = digest_file(repository, path, found, &bytes, err);
	if (r == 0 && strcmp(named, found))
		return drop_bad(err, "%s: is not the one that the index names", path);
	return r;
}

static int
check_indexed(void *data, const struct delta *delta)
{
	struct checking *checking = data;
	int r = delta->is_whole ? check_named(checking->repository, delta, checking->err) : 0;

	if (r == DROP_BAD)
		checking->bad(checking->data, delta->to, checking->err->text);
	return r < 0 ? r : 0;
}

/* Every name in an index has to have its superblock. */
static int
check_index(void *data, int parent, const char *prefix, const char *rest, struct err *err)
{
	struct checking *checking = data;
	g_autoptr(GVariant) index = NULL;
	g_autoptr(GVariant) deltas = NULL;
	char text[2 * B64_SIZE], path[300], hex[DIGEST_HEX_SIZE], to[DIGEST_HEX_SIZE], *dot;
	int r;

	(void)parent;
	snprintf(text, sizeof(text), "%s%s", prefix, rest);
	dot = strrchr(text, '.');
	if (!dot || strcmp(dot, ".index"))
		return 0;
	*dot = '\0';
	if (!from_b64(text, to))
		return 0;
	snprintf(path, sizeof(path), "ostree/delta-indexes/%s/%s", prefix, rest);
	r = load(checking->repository, path, "a{sv}", &index, hex, err);
	if (r == DROP_BAD)
		checking->bad(checking->data, to, err->text);
	if (r)
		return r < 0 ? r : 0;
	deltas = g_variant_lookup_value(index, "ostree.static-deltas", G_VARIANT_TYPE("a{sv}"));
	for (size_t i = 0; deltas && i < g_variant_n_children(deltas); i++) {
		g_autoptr(GVariant) entry = g_variant_get_child_value(deltas, i);
		struct delta delta = { .from = "" };
		const char *name;
		struct stat st;

		g_variant_get_child(entry, 0, "&s", &name);
		memcpy(delta.to, to, sizeof(to));
		if (strlen(name) == 2 * 64 + 1)
			snprintf(delta.from, sizeof(delta.from), "%.64s", name);
		delta_folder(&delta, path, 256);
		strcat(path, "/superblock");
		if (fstatat(checking->repository, path, &st, 0) < 0) {
			err_set(err, EBADMSG, "%s: is named by the index and missing", path);
			checking->bad(checking->data, to, err->text);
		}
	}
	return 0;
}

int
delta_check_indexes(int repository, delta_bad_fn *bad, void *data, struct err *err)
{
	struct checking checking = { repository, bad, data, err };
	int r = each_below(repository, "ostree/delta-indexes", check_index, &checking, err);

	return r ? r : delta_each(repository, check_indexed, &checking, err);
}
