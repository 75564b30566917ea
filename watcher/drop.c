#include "watcher/drop.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "watcher/push.h"
#include "store/source.h"

struct drop {
	struct source *source;
	struct releases releases;
	struct ingest_counts counts;
	int targets_version;
	bool was_published; /* all of it, before this drop */
	double started, seconds;
};

static double
seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* push.json in the drop or beside it; *text stays NULL if there is none. */
static int
read_push_json(
    int dir, const char *name, const struct source *source, char **text, size_t *bytes, struct err *err)
{
	AUTO(free_p) char *inside = NULL;
	AUTO(free_p) char *beside = NULL;
	char path[512];
	size_t inside_bytes = 0, beside_bytes = 0;
	int r;

	snprintf(path, sizeof(path), "%s.push.json", name);
	r = source_read(source->dir, "push.json", SOURCE_PUSH_MAX, &inside, &inside_bytes, err);
	if (r == 0 || r == SOURCE_MISSING)
		r = source_read(dir, path, SOURCE_PUSH_MAX, &beside, &beside_bytes, err);
	if (r && r != SOURCE_MISSING)
		return r;
	if (inside && beside)
		return drop_bad(err, "there are two push.json, one in the drop and one beside it; remove one");
	*bytes = inside ? inside_bytes : beside_bytes;
	*text = inside ? MOVE(inside) : MOVE(beside);
	return 0;
}

static int
read_commit(void *data, const char *checksum, struct commit_info *info, struct err *err)
{
	return walk_read_commit(data, checksum, info, err);
}

static int
plan(struct drop *drop, int dir, const char *name, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	struct source *source = drop->source;
	size_t bytes = 0;
	int r;

	r = read_push_json(dir, name, source, &text, &bytes, err);
	return r ? r
		 : push_plan(
		       text, bytes, source->refs, source->ref_count, read_commit, source, &drop->releases, err);
}

static int
check_refs(const struct drop *drop, struct ingest *ingest, struct err *err)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < drop->releases.count; i++)
		r = ingest_check_ref(ingest, drop->releases.list[i].ref, err);
	return r;
}

static int
check_type(int dir, const char *name, struct err *err)
{
	struct stat st;

	if (fstatat(dir, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return source_failed(err, "the drop");
	if (S_ISDIR(st.st_mode))
		return 0;
	return drop_bad(err,
	    "%s; what is taken is a folder that is an OSTree repository (archive, bare, bare-user or "
	    "bare-user-only), "
	    "with push.json in it or NAME.push.json beside it",
	    S_ISLNK(st.st_mode) ? "a symlink is not followed" : "this is no folder");
}

static int
stage(struct drop *drop, struct ingest *ingest, const struct image *image, int dir, const char *name,
    ingest_progress *progress, void *data, struct err *err)
{
	int r;

	if ((r = check_type(dir, name, err)) || (r = source_open(dir, name, &drop->source, err)) ||
	    (r = plan(drop, dir, name, err)) || (r = check_refs(drop, ingest, err)) ||
	    (r = image_check(image, &drop->releases, err)))
		return r;
	return ingest_stage(ingest, drop->source, &drop->releases, progress, data, &drop->counts, err);
}

int
drop_stage(struct ingest *ingest, const struct image *image, int dir, const char *name,
    ingest_progress *progress, void *data, struct drop **out, struct err *err)
{
	AUTO(drop_freep) struct drop *drop = calloc(1, sizeof(*drop));
	int r;

	if (!drop)
		return err_set(err, ENOMEM, "no memory");
	drop->started = seconds_now();
	r = stage(drop, ingest, image, dir, name, progress, data, err);
	if (r == 0)
		*out = MOVE(drop);
	return r;
}

void
drop_free(struct drop *drop)
{
	if (!drop)
		return;
	source_free(drop->source);
	releases_done(&drop->releases);
	free(drop);
}

void
drop_freep(struct drop **drop)
{
	drop_free(*drop);
}

bool
drop_is_same(const struct drop *drop, int dir, const char *name)
{
	struct stat staged, there;

	return fstat(drop->source->dir, &staged) == 0 && fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 &&
	       staged.st_dev == there.st_dev && staged.st_ino == there.st_ino;
}

int
drop_import(struct drop *drop, struct ingest *ingest, const struct image *image, struct err *err)
{
	/* Another drop may have been published since this one was staged; its refs must not be set then. */
	int r = image_check(image, &drop->releases, err);

	return r ? r : ingest_commit(ingest, &drop->releases, err);
}

int
drop_publish(struct drop *drop, struct image *image, struct err *err)
{
	int r = image_publish(image, &drop->releases, &drop->targets_version, err);

	drop->was_published = r == IMAGE_SAME;
	drop->seconds = seconds_now() - drop->started;
	return r == IMAGE_SAME ? 0 : r;
}

static json_t *
receipt_of(const struct release *release)
{
	char target[NAME_TARGET_MAX + 1];

	release_target(release, target);
	return json_pack("{s:s, s:s, s:s, s:s, s:O, s:s}", "name", release->name, "version", release->version,
	    "commit", release->commit, "ref", release->ref, "hardwareIds", release->hardware, "target", target);
}

char *
drop_receipt(const struct drop *drop)
{
	const struct release *first = &drop->releases.list[0];
	AUTO(json_decref_p) json_t *json = NULL;
	AUTO(free_p) char *text = NULL;
	json_t *published = json_array();
	char next[512], finished[UTC_TEXT_SIZE], *line;

	for (size_t i = 0; i < drop->releases.count; i++)
		json_array_append_new(published, receipt_of(&drop->releases.list[i]));
	snprintf(
	    next, sizeof(next), "assign with: echo '%s %s' > devices/ID/assign", first->name, first->version);
	utc_format(utc_now(), finished);
	json = json_pack("{s:s, s:o, s:I, s:I, s:I, s:f, s:i, s:s, s:s}", "result",
	    drop->was_published ? "already published" : "published", "published", published, "objects",
	    (json_int_t)drop->counts.objects, "imported", (json_int_t)drop->counts.imported, "bytes",
	    (json_int_t)drop->counts.bytes, "seconds", drop->seconds, "targetsVersion", drop->targets_version,
	    "finished", finished, "next", next);
	if (!json || !(text = json_dumps(json, JSON_INDENT(4) | JSON_REAL_PRECISION(3))))
		return NULL;
	if (asprintf(&line, "%s\n", text) < 0)
		return NULL;
	return line;
}

void
drop_summary(const struct drop *drop, char *text, size_t room)
{
	const struct release *first = &drop->releases.list[0];
	int n = snprintf(text, room, "%s %s", first->name, first->version);

	if (drop->releases.count > 1 && n > 0 && (size_t)n < room)
		snprintf(text + n, room - (size_t)n, " and %zu more", drop->releases.count - 1);
}
