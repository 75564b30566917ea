#include "store/fsck.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "store/chain.h"
#include "store/check.h"
#include "store/delta.h"
#include "store/mend.h"
#include "store/reach.h"
#include "store/roots.h"

#define READ_BYTES (128 * 1024)
/** A repaired folder may lead to more that is missing; each round goes one level down at least. */
#define ROUNDS_MAX 1000

struct fsck {
	const struct config *config;
	bool is_repair;
	FILE *out;
	struct fsck_result *result;
	int repository;
	struct mend mend;
	struct roots roots;
	bool has_roots;
	struct reach *reach;
	struct check *check;
	json_t *told;           /* names of files that were told of already */
	bool has_mended_folder; /* what is reachable has to be found again */
	char *buffer;           /* READ_BYTES */
	const char *root;       /* the one that is being followed */
	struct err *err;        /* of this run, for callbacks */
	int failure;            /* of a callback that cannot return one */
};

/* -- findings -- */

/* False if the file was told of before. */
static bool
is_news(struct fsck *fsck, const char *path)
{
	if (json_object_get(fsck->told, path))
		return false;
	json_object_set_new(fsck->told, path, json_true());
	fsck->result->bad++;
	return true;
}

static void
tell(struct fsck *fsck, const char *path, const char *words, const char *fate)
{
	if (is_news(fsck, path))
		fprintf(fsck->out, "%s: %s%s%s\n", path, words, *fate ? "; " : "", fate);
}

static void
tell_mended(struct fsck *fsck, const char *path, const char *words, const char *how)
{
	bool is_new = is_news(fsck, path);

	fprintf(fsck->out, "%s: %s; repaired: %s\n", path, words, how);
	/* What a first round told and did not repair is repaired now. */
	fsck->result->repaired += is_new;
}

static void
tell_copied(struct fsck *fsck, const char *path, const char *words)
{
	char how[320];

	snprintf(how, sizeof(how), "copied from done/%s", fsck->mend.from);
	tell_mended(fsck, path, words, how);
}

/* After a try to mend a damaged file: r of mend_...(). */
static int
conclude(struct fsck *fsck, const char *path, const char *words, int r, struct err *err)
{
	if (r < 0)
		return r;
	if (r == 0) {
		tell_copied(fsck, path, words);
		return 0;
	}
	tell(fsck, path, words, "no drop in done/ has it; moved to damaged/, to be served to nobody");
	return mend_put_away(&fsck->mend, path, err);
}

/* -- every object is what its name says -- */

/* 0, DROP_BAD with words, SOURCE_MISSING if it has gone, -errno. */
static int
verify_object(struct fsck *fsck, const char *path, const char *checksum, const char *kind, struct err *err)
{
	AUTO(close_p) int fd = openat(fsck->repository, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	ssize_t n;
	int r;

	if (fd < 0)
		return errno == ENOENT ? SOURCE_MISSING : err_sys(err, "%s", path);
	r = fsck->check ? check_restart(fsck->check, checksum, kind, err)
			: check_new(checksum, kind, &fsck->check, err);
	while (r == 0 && (n = read(fd, fsck->buffer, READ_BYTES)) != 0)
		r = n < 0 ? drop_bad(err, "cannot be read: %s", strerror(errno))
			  : check_feed(fsck->check, fsck->buffer, (size_t)n, err);
	return r ? r : check_end(fsck->check, err);
}

static int
check_object(struct fsck *fsck, const char *prefix, const char *name, struct err *err)
{
	char path[512], checksum[DIGEST_HEX_SIZE], words[ERR_TEXT_MAX];
	const char *kind = strlen(name) > 63 ? name + 63 : "";
	int r;

	snprintf(checksum, sizeof(checksum), "%s%.62s", prefix, name);
	if (!digest_is_sha256_hex(checksum) || !*kind || check_max(kind) == 0)
		return 0; /* libostree's own: tombstones, temporary files */
	snprintf(path, sizeof(path), "ostree/objects/%s/%s", prefix, name);
	fsck->result->objects++;
	r = verify_object(fsck, path, checksum, kind, err);
	if (r != DROP_BAD)
		return r == SOURCE_MISSING ? 0 : r;
	snprintf(words, sizeof(words), "%s", err->text);
	if (!fsck->is_repair) {
		tell(fsck, path, words, "");
		return 0;
	}
	return conclude(fsck, path, words, mend_object(&fsck->mend, checksum, kind, err), err);
}

/* Calls @each for every file of the 256 folders below @path. */
typedef int file_fn(struct fsck *fsck, const char *prefix, const char *name, struct err *err);

static int
each_file(struct fsck *fsck, const char *path, file_fn *each, struct err *err)
{
	int r = 0;

	for (int i = 0; r == 0 && i < 256; i++) {
		char prefix[3], folder[64];
		AUTO(closedir_p) DIR *dir = NULL;
		struct dirent *entry;
		int fd;

		snprintf(prefix, sizeof(prefix), "%02x", i);
		snprintf(folder, sizeof(folder), "%s/%s", path, prefix);
		fd = openat(fsck->repository, folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (fd < 0 && errno == ENOENT)
			continue;
		dir = fd < 0 ? NULL : fdopendir(fd);
		if (!dir)
			return err_sys(err, "%s", folder);
		while (r == 0 && (entry = readdir(dir)))
			if (*entry->d_name != '.')
				r = each(fsck, prefix, entry->d_name, err);
	}
	return r;
}

/* -- everything that is promised is there -- */

static void
object_path(const char *checksum, enum object_kind kind, char *path, size_t room)
{
	snprintf(path, room, "ostree/objects/%.2s/%s.%s", checksum, checksum + 2, reach_suffix(kind));
}

/* An object that is needed and not there. */
static int
handle_missing(struct fsck *fsck, const char *checksum, enum object_kind kind, const char *words)
{
	char path[128];
	int r = fsck->is_repair ? mend_object(&fsck->mend, checksum, reach_suffix(kind), fsck->err) : MEND_NONE;

	object_path(checksum, kind, path, sizeof(path));
	if (r < 0)
		return r;
	if (r == MEND_NONE) {
		tell(fsck, path, words, fsck->is_repair ? "no drop in done/ has it" : "");
		return 0;
	}
	tell_copied(fsck, path, words);
	if (kind == OBJECT_COMMIT || kind == OBJECT_DIRTREE)
		fsck->has_mended_folder = true;
	return 0;
}

static void
reach_trouble(
    void *data, enum reach_trouble trouble, const char *checksum, enum object_kind kind, const char *words)
{
	struct fsck *fsck = data;
	char text[ERR_TEXT_MAX];
	int r;

	if (trouble == REACH_DAMAGED)
		return; /* was told when it was read */
	snprintf(text, sizeof(text), "%s, and %s needs it", words, fsck->root);
	r = handle_missing(fsck, checksum, kind, text);
	if (r < 0)
		fsck->failure = r;
}

static int
find_reachable(struct fsck *fsck, struct err *err)
{
	int r;

	reach_free(fsck->reach);
	fsck->reach = NULL;
	r = reach_new(fsck->repository, &fsck->reach, err);
	for (size_t i = 0; r == 0 && i < fsck->roots.count; i++) {
		const struct root *root = &fsck->roots.list[i];

		if (!(root->formats & ROOT_OSTREE) || !root->is_promised)
			continue;
		fsck->root = root->name;
		r = reach_commit(fsck->reach, root->sha256, reach_trouble, fsck, err);
	}
	return r < 0 ? r : fsck->failure;
}

static int
look_for(void *data, const char *checksum, enum object_kind kind)
{
	struct fsck *fsck = data;
	char path[128];
	struct stat st;

	object_path(checksum, kind, path, sizeof(path));
	if (fstatat(fsck->repository, path, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT)
		return 0;
	return handle_missing(fsck, checksum, kind, "is missing");
}

static int
check_reachable(struct fsck *fsck, struct err *err)
{
	int r, rounds = 0;

	do {
		fsck->has_mended_folder = false;
		r = find_reachable(fsck, err);
	} while (r == 0 && fsck->has_mended_folder && ++rounds < ROUNDS_MAX);
	return r == 0 ? reach_each(fsck->reach, look_for, fsck) : r;
}

/* -- binaries -- */

/* 0, DROP_BAD, SOURCE_MISSING, -errno. */
static int
digest_binary(struct fsck *fsck, const char *path, char sha256[static DIGEST_HEX_SIZE], struct err *err)
{
	AUTO(close_p) int fd = openat(fsck->repository, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	int64_t bytes;
	int r;

	if (fd < 0)
		return errno == ENOENT ? SOURCE_MISSING : err_sys(err, "%s", path);
	r = digest_sha256_fd(fd, sha256, &bytes);
	return r < 0 ? drop_bad(err, "cannot be read: %s", strerror(-r)) : 0;
}

/* How long the binary has to be; false if no published target says so. */
static bool
find_length(const struct fsck *fsck, const char *sha256, uint64_t *length)
{
	for (size_t i = 0; i < fsck->roots.count; i++)
		if (!strcmp(fsck->roots.list[i].sha256, sha256) &&
		    (fsck->roots.list[i].formats & ROOT_BINARY) && fsck->roots.list[i].is_promised) {
			*length = fsck->roots.list[i].length;
			return true;
		}
	return false;
}

static int
mend_binary_if_known(struct fsck *fsck, const char *sha256, struct err *err)
{
	uint64_t length;

	return find_length(fsck, sha256, &length) ? mend_binary(&fsck->mend, sha256, length, err) : MEND_NONE;
}

static int
check_binary(struct fsck *fsck, const char *prefix, const char *name, struct err *err)
{
	char path[128], checksum[DIGEST_HEX_SIZE], sha256[DIGEST_HEX_SIZE], words[128];
	int r;

	snprintf(checksum, sizeof(checksum), "%s%.62s", prefix, name);
	if (!digest_is_sha256_hex(checksum) || name[62])
		return 0;
	snprintf(path, sizeof(path), "binaries/%s/%s", prefix, name);
	fsck->result->binaries++;
	r = digest_binary(fsck, path, sha256, err);
	if (r < 0 || r == SOURCE_MISSING || (r == 0 && !strcmp(sha256, checksum)))
		return r < 0 ? r : 0;
	if (r == 0)
		snprintf(words, sizeof(words), "is damaged: its bytes have SHA-256 %s", sha256);
	else
		snprintf(words, sizeof(words), "%.120s", err->text);
	if (!fsck->is_repair) {
		tell(fsck, path, words, "");
		return 0;
	}
	return conclude(fsck, path, words, mend_binary_if_known(fsck, checksum, err), err);
}

static int
check_promised_binary(struct fsck *fsck, const struct root *root, struct err *err)
{
	char path[128], words[ERR_TEXT_MAX];
	struct stat st;
	int r;

	snprintf(path, sizeof(path), "binaries/%.2s/%s", root->sha256, root->sha256 + 2);
	if (fstatat(fsck->repository, path, &st, AT_SYMLINK_NOFOLLOW) == 0) {
		snprintf(words, sizeof(words), "has %lld bytes, %.200s says %llu", (long long)st.st_size,
		    root->name, (unsigned long long)root->length);
		if ((uint64_t)st.st_size != root->length)
			tell(fsck, path, words, "");
		return 0;
	}
	if (errno != ENOENT)
		return err_sys(err, "%s", path);
	snprintf(words, sizeof(words), "is missing, and %.300s needs it", root->name);
	r = fsck->is_repair ? mend_binary(&fsck->mend, root->sha256, root->length, err) : MEND_NONE;
	if (r == 0)
		tell_copied(fsck, path, words);
	else if (r == MEND_NONE)
		tell(fsck, path, words, fsck->is_repair ? "no drop in done/ has it" : "");
	return r < 0 ? r : 0;
}

static int
check_promised_binaries(struct fsck *fsck, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < fsck->roots.count; i++)
		if (fsck->roots.list[i].is_promised && fsck->roots.list[i].formats == ROOT_BINARY)
			r = check_promised_binary(fsck, &fsck->roots.list[i], err);
	return r;
}

/* -- deltas -- */

static bool
never(void *data)
{
	(void)data;
	return false;
}

static int
check_one_delta(void *data, const struct delta *delta)
{
	struct fsck *fsck = data;
	char name[160], words[ERR_TEXT_MAX];
	int r;

	if (!delta->is_whole)
		return 0;
	fsck->result->deltas++;
	r = delta_check(fsck->repository, delta, fsck->err);
	if (r != DROP_BAD)
		return r;
	snprintf(words, sizeof(words), "%s", fsck->err->text);
	snprintf(name, sizeof(name), "delta %s%s%s", delta->from, *delta->from ? "-" : "", delta->to);
	if (!fsck->is_repair) {
		tell(fsck, name, words, "");
		return 0;
	}
	r = delta_retire(fsck->repository, delta, never, NULL, fsck->err);
	if (r == 0)
		tell_mended(fsck, name, words, "taken away; the watcher makes those again that are wanted");
	return r;
}

struct leading {
	struct fsck *fsck;
	const char *to;
};

static int
retire_leading(void *data, const struct delta *delta)
{
	const struct leading *leading = data;

	return delta->is_whole && !strcmp(delta->to, leading->to)
		   ? delta_retire(leading->fsck->repository, delta, never, NULL, leading->fsck->err)
		   : 0;
}

/* Nobody knows which of the two is damaged, the index or a superblock, and no checksum but the index's vouches
 * for a superblock: so an index is not written anew from what is there. */
static void
bad_index(void *data, const char *to, const char *words)
{
	struct fsck *fsck = data;
	struct leading leading = { fsck, to };
	char name[128], why[ERR_TEXT_MAX];
	struct err err;
	int r;

	snprintf(name, sizeof(name), "delta index of %s", to);
	if (json_object_get(fsck->told, name))
		return;
	snprintf(why, sizeof(why), "%s", words);
	if (!fsck->is_repair) {
		tell(fsck, name, why, "");
		return;
	}
	r = delta_each(fsck->repository, retire_leading, &leading, fsck->err);
	if (r == 0 && (r = delta_reindex(fsck->repository, to, never, NULL, &err)) == 0)
		tell_mended(fsck, name, why,
		    "its deltas are taken away; the watcher makes those again that are wanted");
	else
		tell(fsck, name, why, "its deltas cannot be taken away");
}

static int
check_deltas(struct fsck *fsck, struct err *err)
{
	int r = delta_each(fsck->repository, check_one_delta, fsck, err);

	return r ? r : delta_check_indexes(fsck->repository, bad_index, fsck, err);
}

/* -- the published set -- */

static void
bad_document(void *data, const char *name, const char *words)
{
	tell(data, name, words, "");
}

static int
read_roots(struct fsck *fsck, struct err *err)
{
	int r = roots_read(fsck->repository, fsck->config->fleet, &fsck->roots, err);

	/* What cannot be understood is a finding; a disk that cannot be read is none of the store's. */
	if (r == -EBADMSG) {
		tell(fsck, "what is needed", err->text, "whether all of it is there was not checked");
		return 0;
	}
	fsck->has_roots = r == 0;
	return r;
}

static int
check_all(struct fsck *fsck, struct err *err)
{
	int r;

	if ((r = read_roots(fsck, err)) < 0 ||
	    (r = chain_check(fsck->repository, bad_document, fsck, err)) < 0 ||
	    (r = each_file(fsck, "ostree/objects", check_object, err)) < 0)
		return r;
	if (fsck->has_roots &&
	    ((r = check_reachable(fsck, err)) < 0 || (r = check_promised_binaries(fsck, err)) < 0))
		return r;
	r = each_file(fsck, "binaries", check_binary, err);
	return r == 0 ? check_deltas(fsck, err) : r;
}

static void
fsck_done(struct fsck *fsck)
{
	roots_done(&fsck->roots);
	reach_free(fsck->reach);
	check_free(fsck->check);
	json_decref(fsck->told);
	free(fsck->buffer);
	close_p(&fsck->mend.done);
	close_p(&fsck->repository);
}

int
fsck_run(const struct config *config, bool is_repair, FILE *out, struct fsck_result *result, struct err *err)
{
	AUTO(fsck_done)
	struct fsck fsck = { .config = config,
		.is_repair = is_repair,
		.out = out,
		.result = result,
		.err = err,
		.mend = { .done = -1 } };
	char done[CONFIG_VALUE_MAX + 8];

	*result = (struct fsck_result){ 0 };
	fsck.repository = open(config->repository, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fsck.repository < 0)
		return err_sys(err, "%s", config->repository);
	snprintf(done, sizeof(done), "%s/done", config->spool);
	fsck.mend = (struct mend){ .repository = fsck.repository,
		.done = open(done, O_RDONLY | O_DIRECTORY | O_CLOEXEC) };
	fsck.told = json_object();
	fsck.buffer = malloc(READ_BYTES);
	if (!fsck.told || !fsck.buffer)
		return err_set(err, ENOMEM, "no memory");
	return check_all(&fsck, err);
}
