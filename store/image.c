#include "store/image.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/envelope.h"
#include "store/publish.h"

/** Signatures of some keys around the signed part. */
#define ENVELOPE_ROOM 4096
/** aktualizr reads no larger root, snapshot or timestamp. */
#define SMALL_MAX (64 * 1024)
/** A root every day for years; each is a file in each set. */
#define ROOTS_MAX 2000
#define DAY_SECONDS 86400

struct image {
	const struct config *config;
	struct client *client;
	int dir;         /* published/ */
	json_t *targets; /* the "signed" part of targets.json; an empty object before the first */
	int version[ROLE_COUNT];
	int64_t expires[ROLE_COUNT]; /* 0 before the first */
};

/* A set in the making. */
struct set {
	struct publish_file *files;
	size_t count;
};

static void
set_done(struct set *set)
{
	for (size_t i = 0; i < set->count; i++)
		free(set->files[i].data);
	free(set->files);
}

/* Takes over @data. */
static int
set_add(struct set *set, const char *name, char *data, size_t bytes, struct err *err)
{
	struct publish_file *files = realloc(set->files, (set->count + 1) * sizeof(*files));

	if (!files) {
		free(data);
		return err_set(err, ENOMEM, "%s: no memory", name);
	}
	set->files = files;
	files += set->count++;
	snprintf(files->name, sizeof(files->name), "%s", name);
	files->data = data;
	files->bytes = bytes;
	return 0;
}

static int64_t
lifetime(const struct image *image, enum role role)
{
	const struct config *config = image->config;
	int64_t days = role == ROLE_TARGETS    ? config->image_targets_days
		       : role == ROLE_SNAPSHOT ? config->snapshot_days
					       : config->timestamp_days;

	return days * DAY_SECONDS;
}

/* -- reading what is published -- */

static void
file_name(enum role role, char name[static PUBLISH_NAME_SIZE])
{
	snprintf(name, PUBLISH_NAME_SIZE, "%s.json", role_name(role));
}

static int
read_role(struct image *image, enum role role, json_t **signed_part, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	char name[PUBLISH_NAME_SIZE];
	size_t bytes;
	int r;

	file_name(role, name);
	r = publish_read(
	    image->dir, name, role == ROLE_TARGETS ? IMAGE_TARGETS_MAX : SMALL_MAX, &text, &bytes, err);
	if (r)
		return r;
	*signed_part = NULL;
	if ((r = json_read(text, bytes, name, &json, err)) < 0 || (r = envelope_check(json, name, err)) < 0)
		return r;
	*signed_part = json_incref(json_object_get(json, "signed"));
	if ((r = envelope_version(*signed_part, name, &image->version[role], err)) < 0)
		return r;
	return envelope_expires(*signed_part, name, &image->expires[role], err);
}

static int
read_published(struct image *image, struct err *err)
{
	for (enum role role = ROLE_ROOT; role < ROLE_COUNT; role++) {
		AUTO(json_decref_p) json_t *signed_part = NULL;
		int r = read_role(image, role, &signed_part, err);

		if (r == PUBLISH_NONE)
			return 0;
		if (r < 0)
			return err_context(err, r, "published/current");
		if (role == ROLE_TARGETS) {
			json_decref(image->targets);
			image->targets = MOVE(signed_part);
		}
	}
	return json_is_object(json_object_get(image->targets, "targets"))
		   ? 0
		   : err_set(err, EBADMSG, "published/current/targets.json: has no targets");
}

int
image_start(const char *repository, const struct config *config, struct client *client, struct image **out,
    struct err *err)
{
	AUTO(image_closep) struct image *image = calloc(1, sizeof(*image));
	int r;

	if (!image)
		return err_set(err, ENOMEM, "no memory");
	image->config = config;
	image->client = client;
	image->dir = -1;
	image->targets = json_pack("{s:{}}", "targets");
	if (!image->targets)
		return err_set(err, ENOMEM, "no memory");
	if ((r = publish_open(repository, &image->dir, err)) < 0 || (r = read_published(image, err)) < 0)
		return r;
	*out = MOVE(image);
	return 0;
}

void
image_close(struct image *image)
{
	if (!image)
		return;
	json_decref(image->targets);
	close_p(&image->dir);
	free(image);
}

void
image_closep(struct image **image)
{
	image_close(*image);
}

/* -- what is offered -- */

static json_t *
new_target(const struct release *release, const char *now)
{
	return json_pack("{s:i, s:{s:s}, s:{s:s, s:s, s:O, s:s, s:n, s:s, s:s, s:O*}}", "length", 0, "hashes",
	    "sha256", release->commit, "custom", "name", release->name, "version", release->version,
	    "hardwareIds", release->hardware, "targetFormat", "OSTREE", "uri", "createdAt", now, "updatedAt",
	    now, "comment", release->comment);
}

static int
check_same(const json_t *target, const struct release *release, struct err *err)
{
	const json_t *custom = json_object_get(target, "custom");
	const char *commit = json_text(json_object_get(target, "hashes"), "sha256");
	const char *name = json_text(custom, "name"), *format = json_text(custom, "targetFormat");

	if (!commit || strcmp(commit, release->commit))
		return drop_bad(err,
		    "%s-%s: was published with commit %.64s; a file name is never used for other content, so "
		    "give "
		    "commit %s another version",
		    release->name, release->version, commit ? commit : "?", release->commit);
	if (!name || strcmp(name, release->name) || !format || strcmp(format, "OSTREE"))
		return drop_bad(err,
		    "%s-%s: is the file name of version \"%.64s\" of package \"%.64s\" already", release->name,
		    release->version, json_text(custom, "version"), name);
	return 0;
}

/* Whether @list has @value. */
static bool
has(const json_t *list, const json_t *value)
{
	for (size_t i = 0; i < json_array_size(list); i++)
		if (json_equal(json_array_get(list, i), value))
			return true;
	return false;
}

static int
join(json_t *target, const struct release *release, const char *now, struct err *err)
{
	json_t *custom = json_object_get(target, "custom"), *list = json_object_get(custom, "hardwareIds");
	bool is_changed = false;

	for (size_t i = 0; i < json_array_size(release->hardware); i++) {
		json_t *id = json_array_get(release->hardware, i);

		if (has(list, id))
			continue;
		is_changed = true;
		if (json_array_append(list, id) < 0)
			return err_set(err, ENOMEM, "no memory");
	}
	if (json_array_size(list) > RELEASE_HARDWARE_MAX)
		return drop_bad(err, "%s-%s: would have more than %d hardware ids", release->name,
		    release->version, RELEASE_HARDWARE_MAX);
	if (release->comment && !json_equal(json_object_get(custom, "comment"), release->comment)) {
		json_object_set(custom, "comment", release->comment);
		is_changed = true;
	}
	if (!is_changed)
		return IMAGE_SAME;
	return json_object_set_new(custom, "updatedAt", json_string(now)) < 0
		   ? err_set(err, ENOMEM, "no memory")
		   : 0;
}

int
image_add(json_t *targets, const struct release *release, const char *now, struct err *err)
{
	char name[NAME_TARGET_MAX + 1];
	json_t *target;
	int r;

	release_target(release, name);
	target = json_object_get(targets, name);
	if (target) {
		r = check_same(target, release, err);
		return r ? r : join(target, release, now, err);
	}
	/* The lists of the release stay its own. */
	target = new_target(release, now);
	if (!target || json_object_set_new(targets, name, json_deep_copy(target)) < 0)
		r = err_set(err, ENOMEM, "no memory");
	else
		r = 0;
	json_decref(target);
	return r;
}

static int
check_size(const json_t *signed_part, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = canonical_write(signed_part, &text, &bytes, err);

	if (r == 0 && bytes + ENVELOPE_ROOM > IMAGE_TARGETS_MAX)
		return drop_bad(err,
		    "targets.json would have %zu bytes; clients take at most %d: retire old packages",
		    bytes + ENVELOPE_ROOM, IMAGE_TARGETS_MAX);
	return r;
}

/* The "signed" part with @releases; 0, IMAGE_SAME, DROP_BAD or -errno. */
static int
with_releases(const struct image *image, const struct releases *releases, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *copy = json_deep_copy(image->targets);
	json_t *targets = json_object_get(copy, "targets");
	char now[UTC_TEXT_SIZE];
	int r, all = IMAGE_SAME;

	if (!copy)
		return err_set(err, ENOMEM, "no memory");
	utc_format(utc_now(), now);
	for (size_t i = 0; i < releases->count; i++) {
		r = image_add(targets, &releases->list[i], now, err);
		if (r == 0)
			all = 0;
		else if (r != IMAGE_SAME)
			return r;
	}
	r = all == 0 ? check_size(copy, err) : 0;
	*out = MOVE(copy);
	return r ? r : all;
}

int
image_check(const struct image *image, const struct releases *releases, struct err *err)
{
	AUTO(json_decref_p) json_t *signed_part = NULL;
	int r = with_releases(image, releases, &signed_part, err);

	return r == IMAGE_SAME ? 0 : r;
}

/* -- signing a set -- */

static int
add_roots(struct image *image, struct set *set, int newest, struct err *err)
{
	char name[PUBLISH_NAME_SIZE];
	int r = 0;

	if (newest > ROOTS_MAX)
		return err_set(
		    err, E2BIG, "image root has version %d, at most %d are supported", newest, ROOTS_MAX);
	for (int version = 1; r == 0 && version <= newest + 1; version++) {
		char *data;
		size_t bytes;

		/* root.json is the newest once more, under the name that clients ask for last. */
		r = client_root(
		    image->client, REPOSITORY_IMAGE, version > newest ? newest : version, &data, &bytes, err);
		if (r == CLIENT_NO_ROOT)
			return err_set(err, EBADMSG, "ota-signd has no image root of version %d", version);
		if (r < 0)
			return r;
		if (version > newest)
			snprintf(name, sizeof(name), "root.json");
		else
			snprintf(name, sizeof(name), "%d.root.json", version);
		r = set_add(set, name, data, bytes, err);
	}
	return r;
}

static int
newest_root(struct image *image, int *version, struct err *err)
{
	AUTO(free_p) char *data = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	size_t bytes;
	int r;

	r = client_root(image->client, REPOSITORY_IMAGE, 0, &data, &bytes, err);
	if (r == CLIENT_NO_ROOT)
		return err_set(err, EAGAIN, "ota-signd has no image root yet");
	if (r < 0)
		return r;
	if ((r = json_read(data, bytes, "image root.json", &json, err)) < 0)
		return r;
	return envelope_version(json_object_get(json, "signed"), "image root.json", version, err);
}

/* Gives @signed_part type, version and expiry, has it signed and adds it to the set. */
static int
sign(struct image *image, enum role role, json_t *signed_part, struct set *set, int *version, struct err *err)
{
	char name[PUBLISH_NAME_SIZE], expires[UTC_TEXT_SIZE], *data;
	size_t bytes;
	int r;

	r = client_last(image->client, REPOSITORY_IMAGE, role, version, err);
	if (r < 0)
		return r;
	if (*version < image->version[role])
		*version = image->version[role];
	++*version;
	utc_format(utc_now() + lifetime(image, role), expires);
	if (json_object_set_new(signed_part, "_type", json_string(role_type(role))) < 0 ||
	    json_object_set_new(signed_part, "version", json_integer(*version)) < 0 ||
	    json_object_set_new(signed_part, "expires", json_string(expires)) < 0)
		return err_set(err, ENOMEM, "no memory");
	r = client_sign(image->client, REPOSITORY_IMAGE, role, signed_part, &data, &bytes, err);
	if (r < 0)
		return err_context(err, r, "sign image %s", role_name(role));
	file_name(role, name);
	return set_add(set, name, data, bytes, err);
}

/* {"hashes":{"sha256":...},"length":n,"version":n} of the file added last. */
static json_t *
describe_last(const struct set *set, int version)
{
	const struct publish_file *file = &set->files[set->count - 1];
	char hash[DIGEST_HEX_SIZE];

	digest_sha256_hex(file->data, file->bytes, hash);
	return json_pack("{s:{s:s}, s:I, s:i}", "hashes", "sha256", hash, "length", (json_int_t)file->bytes,
	    "version", version);
}

static int
sign_snapshot(struct image *image, struct set *set, int root, int targets, int *version, struct err *err)
{
	AUTO(json_decref_p)
	json_t *signed_part = json_pack("{s:{s:{s:i}, s:o}}", "meta", "root.json", "version", root,
	    "targets.json", describe_last(set, targets));

	return signed_part ? sign(image, ROLE_SNAPSHOT, signed_part, set, version, err)
			   : err_set(err, ENOMEM, "no memory");
}

static int
sign_timestamp(struct image *image, struct set *set, int snapshot, int *version, struct err *err)
{
	AUTO(json_decref_p)
	json_t *signed_part = json_pack("{s:{s:o}}", "meta", "snapshot.json", describe_last(set, snapshot));

	return signed_part ? sign(image, ROLE_TIMESTAMP, signed_part, set, version, err)
			   : err_set(err, ENOMEM, "no memory");
}

static int
make_set(struct image *image, json_t *targets, struct set *set, int version[static ROLE_COUNT], struct err *err)
{
	int r;

	/* Targets, snapshot, timestamp: each describes the one before it, which is the last in the set. */
	if ((r = newest_root(image, &version[ROLE_ROOT], err)) < 0 ||
	    (r = add_roots(image, set, version[ROLE_ROOT], err)) < 0 ||
	    (r = sign(image, ROLE_TARGETS, targets, set, &version[ROLE_TARGETS], err)) < 0 ||
	    (r = sign_snapshot(
		 image, set, version[ROLE_ROOT], version[ROLE_TARGETS], &version[ROLE_SNAPSHOT], err)) < 0)
		return r;
	return sign_timestamp(image, set, version[ROLE_SNAPSHOT], &version[ROLE_TIMESTAMP], err);
}

/* Publishes @targets and, when that is done, makes it the state. */
static int
publish(struct image *image, json_t *targets, struct err *err)
{
	AUTO(set_done) struct set set = { 0 };
	int version[ROLE_COUNT] = { 0 }, r;
	struct err ignored;

	r = make_set(image, targets, &set, version, err);
	if (r < 0)
		return r;
	r = publish_write(image->dir, version[ROLE_TIMESTAMP], set.files, set.count, err);
	if (r == 0)
		return read_published(image, err);
	/* The switch may have been done before something failed: what stands on disk is the truth. */
	read_published(image, &ignored);
	return r;
}

int
image_publish(struct image *image, const struct releases *releases, int *version, struct err *err)
{
	AUTO(json_decref_p) json_t *targets = NULL;
	int r;

	r = with_releases(image, releases, &targets, err);
	if (r == 0)
		r = publish(image, targets, err);
	*version = image->version[ROLE_TARGETS];
	return r;
}

static bool
is_half_gone(const struct image *image, int64_t now)
{
	for (enum role role = ROLE_TARGETS; role < ROLE_COUNT; role++)
		if (image->expires[role] - now < lifetime(image, role) / 2)
			return true;
	return false;
}

int
image_renew(struct image *image, struct err *err)
{
	AUTO(json_decref_p) json_t *targets = NULL;
	int root = 0, r;

	r = newest_root(image, &root, err);
	if (r < 0)
		return r;
	if (image->version[ROLE_ROOT] == root && !is_half_gone(image, utc_now()))
		return IMAGE_FRESH;
	targets = json_deep_copy(image->targets);
	return targets ? publish(image, targets, err) : err_set(err, ENOMEM, "no memory");
}
