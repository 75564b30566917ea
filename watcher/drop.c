#include "watcher/drop.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "store/source.h"
#include "watcher/parcel.h"
#include "watcher/push.h"

struct drop {
	struct stat identity;  /* of the folder or file that was staged */
	struct source *source; /* an OSTree repository; NULL: a parcel */
	struct parcel parcel;
	struct releases releases; /* empty for a document */
	struct ingest_counts counts;
	int targets_version;
	int checked;        /* the edition that nothing speaks against it in; -1: none yet */
	bool was_published; /* all of it, before this drop */
	bool is_stored;     /* the keys of targets are off line: others have to offer it */
	double started, seconds;
	double publish_seconds; /* of these: signing and publishing */
};

static bool
is_document(const struct drop *drop)
{
	return drop->parcel.handed.kind != HANDED_NONE;
}

/* 0 when it may go on: what cannot be offered here is stored all the same. Asked again, it looks again only
 * when something was published since: thousands of releases take a while. */
static int
check_releases(struct drop *drop, struct image *image, struct err *err)
{
	int edition = image_edition(image), r;

	if (is_document(drop) || drop->checked == edition)
		return 0;
	r = image_check(image, &drop->releases, err);
	if (r && r != IMAGE_OFFLINE)
		return r;
	drop->checked = edition;
	return 0;
}

static double
seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* push.json in the drop (@folder, or -1) or beside it; *text stays NULL if there is none. */
static int
read_push_json(int dir, const char *name, int folder, char **text, size_t *bytes, struct err *err)
{
	AUTO(free_p) char *inside = NULL;
	AUTO(free_p) char *beside = NULL;
	char path[512];
	size_t inside_bytes = 0, beside_bytes = 0;
	int r = SOURCE_MISSING;

	snprintf(path, sizeof(path), "%s.push.json", name);
	if (folder >= 0)
		r = source_read(folder, "push.json", SOURCE_PUSH_MAX, &inside, &inside_bytes, err);
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

	r = read_push_json(dir, name, source->dir, &text, &bytes, err);
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
check_type(struct drop *drop, int dir, const char *name, struct err *err)
{
	if (fstatat(dir, name, &drop->identity, AT_SYMLINK_NOFOLLOW) < 0)
		return source_failed(err, "the drop");
	if (S_ISDIR(drop->identity.st_mode) || S_ISREG(drop->identity.st_mode))
		return 0;
	return drop_bad(err,
	    "%s; what is taken is a folder that is an OSTree repository (archive, bare, bare-user or "
	    "bare-user-only), with push.json in it or NAME.push.json beside it, or a file with NAME.push.json "
	    "beside it",
	    S_ISLNK(drop->identity.st_mode) ? "a symlink is not followed"
					    : "this is neither a folder nor a file");
}

static int
stage_parcel(struct drop *drop, struct image *image, int dir, const char *name, ingest_progress *progress,
    void *data, struct err *err)
{
	AUTO(close_p) int folder = -1;
	AUTO(free_p) char *text = NULL;
	size_t bytes = 0;
	int r;

	if (S_ISDIR(drop->identity.st_mode)) {
		folder = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (folder < 0)
			return source_failed(err, "the drop");
	}
	drop->parcel.releases = &drop->releases;
	if ((r = read_push_json(dir, name, folder, &text, &bytes, err)) ||
	    (r = parcel_open(
		 &drop->parcel, image_repository(image), dir, name, folder, text, bytes, progress, data, err)))
		return r;
	for (size_t i = 0; i < drop->releases.count; i++) {
		drop->counts.objects += drop->parcel.binaries[i] != NULL;
		drop->counts.bytes += drop->parcel.binaries[i] ? binary_length(drop->parcel.binaries[i]) : 0;
	}
	drop->counts.imported = drop->counts.objects;
	return check_releases(drop, image, err);
}

static int
stage(struct drop *drop, struct ingest *ingest, struct image *image, int dir, const char *name,
    ingest_progress *progress, void *data, struct err *err)
{
	int r;

	if ((r = check_type(drop, dir, name, err)))
		return r;
	if (parcel_is_one(dir, name))
		return stage_parcel(drop, image, dir, name, progress, data, err);
	if ((r = source_open(dir, name, &drop->source, err)) || (r = plan(drop, dir, name, err)) ||
	    (r = check_refs(drop, ingest, err)) || (r = check_releases(drop, image, err)))
		return r;
	return ingest_stage(ingest, drop->source, &drop->releases, progress, data, &drop->counts, err);
}

int
drop_stage(struct ingest *ingest, struct image *image, int dir, const char *name, ingest_progress *progress,
    void *data, struct drop **out, struct err *err)
{
	AUTO(drop_freep) struct drop *drop = calloc(1, sizeof(*drop));
	int r;

	if (!drop)
		return err_set(err, ENOMEM, "no memory");
	drop->started = seconds_now();
	drop->checked = -1;
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
	if (drop->parcel.releases)
		parcel_done(&drop->parcel);
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
	struct stat there;

	return fstatat(dir, name, &there, AT_SYMLINK_NOFOLLOW) == 0 && drop->identity.st_dev == there.st_dev &&
	       drop->identity.st_ino == there.st_ino;
}

int
drop_import(struct drop *drop, struct ingest *ingest, struct image *image, struct err *err)
{
	/* Another drop may have been published since this one was staged; its refs must not be set then. */
	int r = check_releases(drop, image, err);

	if (r)
		return r;
	if (drop->source)
		return ingest_commit(ingest, &drop->releases, err);
	return drop->releases.count ? binary_commit_all(image_repository(image), drop->parcel.binaries,
					  drop->releases.count, err)
				    : 0;
}

int
drop_publish(struct drop *drop, struct image *image, struct client *signer, struct err *err)
{
	double started = seconds_now();
	int r;

	if (is_document(drop))
		r = handed_publish(&drop->parcel.handed, image, signer, err);
	else
		r = image_publish(image, &drop->releases, &drop->targets_version, err);
	drop->was_published = r == IMAGE_SAME;
	drop->seconds = seconds_now() - drop->started;
	drop->publish_seconds = seconds_now() - started;
	/* Keys that are off line stay so, however long the drop waits. */
	if (r == -ENOKEY && is_document(drop))
		return DROP_BAD;
	drop->is_stored = r == -ENOKEY;
	return drop->is_stored || r == IMAGE_SAME ? 0 : r;
}

static json_t *
receipt_of(const struct release *release)
{
	char target[NAME_TARGET_MAX + 1];

	release_target(release, target);
	if (release->is_binary)
		return json_pack("{s:s, s:s, s:s, s:I, s:O, s:s}", "name", release->name, "version",
		    release->version, "sha256", release->commit, "length", (json_int_t)release->length,
		    "hardwareIds", release->hardware, "target", target);
	return json_pack("{s:s, s:s, s:s, s:s, s:O, s:s}", "name", release->name, "version", release->version,
	    "commit", release->commit, "ref", release->ref, "hardwareIds", release->hardware, "target", target);
}

/* Takes over @json. */
static char *
lines_of(json_t *json)
{
	AUTO(free_p) char *text = json ? json_write_as(json, JSON_INDENT(4) | JSON_REAL_PRECISION(3)) : NULL;
	char *lines = NULL;

	json_decref(json);
	return text && asprintf(&lines, "%s\n", text) >= 0 ? lines : NULL;
}

static char *
document_lines(const struct drop *drop)
{
	json_t *json = handed_receipt(&drop->parcel.handed);
	char finished[UTC_TEXT_SIZE];

	utc_format(utc_now(), finished);
	json_object_update_new(json, json_pack("{s:f, s:s}", "seconds", drop->seconds, "finished", finished));
	return lines_of(json);
}

/* What is done with the first release next. */
static void
set_next(const struct drop *drop, char next[static 512])
{
	const struct release *first = &drop->releases.list[0];

	if (drop->is_stored)
		snprintf(next, 512,
		    "the keys of targets are off line: there, ota-sign targets add puts what is stored into "
		    "targets.json; sign that, and drop it with push.json {\"targets\":\"image\"}");
	else
		snprintf(
		    next, 512, "assign with: echo '%s %s' > devices/ID/assign", first->name, first->version);
}

const char *
drop_result(const struct drop *drop)
{
	return is_document(drop)     ? drop->parcel.handed.result
	       : drop->is_stored     ? "stored"
	       : drop->was_published ? "already published"
				     : "published";
}

char *
drop_receipt(const struct drop *drop)
{
	char next[512], finished[UTC_TEXT_SIZE];
	json_t *releases;

	if (is_document(drop))
		return document_lines(drop);
	releases = json_array();
	for (size_t i = 0; i < drop->releases.count; i++)
		json_array_append_new(releases, receipt_of(&drop->releases.list[i]));
	set_next(drop, next);
	utc_format(utc_now(), finished);
	return lines_of(json_pack("{s:s, s:o, s:I, s:I, s:I, s:f, s:f, s:i, s:s, s:s}", "result",
	    drop_result(drop), drop->is_stored ? "stored" : "published", releases, "objects",
	    (json_int_t)drop->counts.objects, "imported", (json_int_t)drop->counts.imported, "bytes",
	    (json_int_t)drop->counts.bytes, "seconds", drop->seconds, "publishSeconds", drop->publish_seconds,
	    "targetsVersion", drop->targets_version, "finished", finished, "next", next));
}

void
drop_summary(const struct drop *drop, char *text, size_t room)
{
	const struct release *first = drop->releases.list;
	int n;

	if (is_document(drop)) {
		handed_summary(&drop->parcel.handed, text, room);
		return;
	}
	n = snprintf(text, room, "%s %s", first->name, first->version);

	if (drop->releases.count > 1 && n > 0 && (size_t)n < room)
		snprintf(text + n, room - (size_t)n, " and %zu more", drop->releases.count - 1);
}
