/* Makes the next set of the image repository: which root, which targets, and snapshot and timestamp over them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/envelope.h"
#include "store/publish.h"
#include "store/state.h"

/** A root every day for years; each is a name in each set. */
#define ROOTS_MAX 2000
#define DAY_SECONDS 86400

/* A set in the making. */
struct set {
	struct publish_file *files;
	size_t count;
	int version[ROLE_COUNT];
	json_t *root; /* the envelope of the root in it */
	json_t *meta; /* of its snapshot.json */
};

static void
set_done(struct set *set)
{
	for (size_t i = 0; i < set->count; i++)
		free(set->files[i].data);
	free(set->files);
	json_decref(set->root);
	json_decref(set->meta);
}

/* Takes over @data; NULL: the file of the current set. */
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

static int
set_copy(struct set *set, const char *name, const char *text, size_t bytes, struct err *err)
{
	char *data = malloc(bytes + 1);

	if (!data)
		return err_set(err, ENOMEM, "%s: no memory", name);
	memcpy(data, text, bytes);
	data[bytes] = '\0';
	return set_add(set, name, data, bytes, err);
}

int64_t
state_lifetime(const struct image *image, enum role role)
{
	const struct config *config = image->config;
	int64_t days = role == ROLE_TARGETS    ? config->image_targets_days
		       : role == ROLE_SNAPSHOT ? config->snapshot_days
					       : config->timestamp_days;

	return days * DAY_SECONDS;
}

int
state_is_stale(struct image *image, enum role role, bool *out, struct err *err)
{
	int64_t life = state_lifetime(image, role), left = image->expires[role] - utc_now();
	int last, r = client_last(image->client, REPOSITORY_IMAGE, role, &last, err);

	if (r < 0)
		return r;
	/* A builder's targets may live as long as he likes: the ledger does not know them. */
	*out = left < life / 2 || last > image->version[role] ||
	       (last == image->version[role] && left > life + DAY_SECONDS);
	return 0;
}

int
state_no_key(struct err *err)
{
	return err_set(err, ENOKEY,
	    "the keys of targets.json are off line: add it where they are, with ota-sign targets or "
	    "garage-sign, "
	    "and hand the signed targets in");
}

/* -- roots -- */

static int
fetch_root(struct image *image, int version, char **data, size_t *bytes, struct err *err)
{
	int r = client_root(image->client, REPOSITORY_IMAGE, version, data, bytes, err);

	if (r == CLIENT_NO_ROOT)
		return version ? err_set(err, EBADMSG, "ota-signd has no image root of version %d", version)
			       : err_set(err, EAGAIN,
				     "ota-signd has no keys of the image repository yet: ota-sign init makes "
				     "them");
	if (r == 0 && *bytes > STATE_SMALL_MAX) {
		free(MOVE(*data));
		return err_set(err, EFBIG, "image root.json has more than the %d bytes that clients read",
		    STATE_SMALL_MAX);
	}
	return r;
}

static int
read_root(struct image *image, int version, json_t **out, struct err *err)
{
	AUTO(free_p) char *data = NULL;
	size_t bytes;
	int r = fetch_root(image, version, &data, &bytes, err);

	return r < 0 ? r : json_read(data, bytes, "image root.json", out, err);
}

int
state_newest_root(struct image *image, int *version, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	int r = read_root(image, 0, &json, err);

	if (r == 0)
		r = envelope_version(json_object_get(json, "signed"), "image root.json", version, err);
	if (r == 0 && out)
		*out = MOVE(json);
	return r;
}

static int
read_targets(struct image *image, json_t **out, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = publish_read(image->dir, "targets.json", IMAGE_TARGETS_MAX, &text, &bytes, err);

	if (r == PUBLISH_NONE)
		return err_set(err, ENOKEY,
		    "nothing was published yet and the keys of targets.json are off line: hand a signed one "
		    "in, of "
		    "version 1");
	return r < 0 ? r : json_read(text, bytes, "published targets.json", out, err);
}

int
state_fitting_root(struct image *image, const json_t *json, int *version, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *published = NULL;
	AUTO(json_decref_p) json_t *root = NULL;
	struct err ignored;
	int r;

	if ((r = state_newest_root(image, version, &root, err)) < 0 ||
	    (!json && (r = read_targets(image, &published, err)) < 0))
		return r;
	while (*version > image->version[ROLE_ROOT] &&
	       envelope_verify_role(json ? json : published, json_object_get(root, "signed"), ROLE_TARGETS,
		   "targets.json", &ignored) < 0) {
		if (*version == 1)
			return err_set(err, EBADMSG, "no root fits: %s", ignored.text);
		--*version;
		json_decref(MOVE(root));
		if ((r = read_root(image, *version, &root, err)) < 0)
			return r;
	}
	if (out)
		*out = MOVE(root);
	return 0;
}

static int
add_roots(struct image *image, struct set *set, struct err *err)
{
	int newest = set->version[ROLE_ROOT], present = image->version[ROLE_ROOT], r = 0;
	char name[PUBLISH_NAME_SIZE];

	if (newest > ROOTS_MAX)
		return err_set(
		    err, E2BIG, "image root has version %d, at most %d are supported", newest, ROOTS_MAX);
	for (int version = 1; r == 0 && version <= newest + 1; version++) {
		/* root.json is the newest once more, under the name that clients ask for last. */
		bool is_last = version > newest;
		char *data = NULL;
		size_t bytes = 0;

		if (is_last ? newest != present : version > present)
			r = fetch_root(image, is_last ? newest : version, &data, &bytes, err);
		if (r < 0)
			return r;
		if (is_last)
			snprintf(name, sizeof(name), "root.json");
		else
			snprintf(name, sizeof(name), "%d.root.json", version);
		r = set_add(set, name, data, bytes, err);
	}
	return r;
}

/* -- documents -- */

/* What a snapshot says of a file. Hashes are over the canonical form; a length can only be given of a file that
 * has it.  (aktualizr-wire 2.8) */
static json_t *
describe(const char *text, size_t bytes, const json_t *json, int version)
{
	AUTO(free_p) char *canonical = NULL;
	char hash[DIGEST_HEX_SIZE];
	size_t n = bytes;
	struct err err;

	if (json && canonical_write(json, &canonical, &n, &err) < 0)
		return NULL;
	digest_sha256_hex(canonical ? canonical : text, n, hash);
	if (canonical && (n != bytes || memcmp(canonical, text, n)))
		return json_pack("{s:{s:s}, s:i}", "hashes", "sha256", hash, "version", version);
	return json_pack(
	    "{s:{s:s}, s:I, s:i}", "hashes", "sha256", hash, "length", (json_int_t)bytes, "version", version);
}

static int
set_meta(struct set *set, const char *name, json_t *entry, struct err *err)
{
	return json_object_set_new(set->meta, name, entry) < 0 ? err_set(err, ENOMEM, "no memory") : 0;
}

/* Gives @signed_part type, version and expiry, has it signed and adds it to the set. */
static int
sign(struct image *image, enum role role, json_t *signed_part, struct set *set, struct err *err)
{
	char name[PUBLISH_NAME_SIZE], expires[UTC_TEXT_SIZE], *data;
	int *version = &set->version[role], r;
	size_t bytes;

	r = client_last(image->client, REPOSITORY_IMAGE, role, version, err);
	if (r < 0)
		return r;
	if (*version < image->version[role])
		*version = image->version[role];
	++*version;
	utc_format(utc_now() + state_lifetime(image, role), expires);
	if (json_object_set_new(signed_part, "_type", json_string(role_type(role))) < 0 ||
	    json_object_set_new(signed_part, "version", json_integer(*version)) < 0 ||
	    json_object_set_new(signed_part, "expires", json_string(expires)) < 0)
		return err_set(err, ENOMEM, "no memory");
	r = client_sign(image->client, REPOSITORY_IMAGE, role, signed_part, &data, &bytes, err);
	/* -ENOKEY means that targets are signed elsewhere, which is nothing to wait for. */
	if (r == -ENOKEY && role != ROLE_TARGETS)
		r = -(err->code = EAGAIN);
	if (r < 0)
		return err_context(err, r, "sign image %s", role_name(role));
	snprintf(name, sizeof(name), "%s.json", role_name(role));
	return set_add(set, name, data, bytes, err);
}

/* What is signed here is signed with the keys of the newest root; when that is held back, or new since a moment
 * ago, these may not be the keys of the root in the set. Both pass: the one with the next targets. */
static int
check_last(const struct set *set, enum role role, struct err *err)
{
	const struct publish_file *file = &set->files[set->count - 1];
	AUTO(json_decref_p) json_t *json = NULL;
	int r;

	if (file->bytes > STATE_SMALL_MAX)
		return drop_bad(err, "%s would have %zu bytes; clients read at most %d: have fewer delegations",
		    file->name, file->bytes, STATE_SMALL_MAX);
	if ((r = json_read(file->data, file->bytes, file->name, &json, err)) < 0)
		return r;
	r = envelope_verify_role(json, json_object_get(set->root, "signed"), role, file->name, err);
	if (r != -EBADMSG)
		return r;
	err_context(err, 0,
	    "the keys of ota-signd are not those of root %d, which is published with these targets",
	    set->version[ROLE_ROOT]);
	err->code = EAGAIN;
	return -EAGAIN;
}

static int
add_snapshot(struct image *image, struct set *set, struct err *err)
{
	AUTO(json_decref_p) json_t *signed_part = json_pack("{s:O}", "meta", set->meta);
	int r;

	if (!signed_part)
		return err_set(err, ENOMEM, "no memory");
	r = sign(image, ROLE_SNAPSHOT, signed_part, set, err);
	return r ? r : check_last(set, ROLE_SNAPSHOT, err);
}

static int
add_timestamp(struct image *image, struct set *set, struct err *err)
{
	const struct publish_file *snapshot = &set->files[set->count - 1];
	AUTO(json_decref_p)
	json_t *signed_part = json_pack("{s:{s:o}}", "meta", "snapshot.json",
	    describe(snapshot->data, snapshot->bytes, NULL, set->version[ROLE_SNAPSHOT]));
	int r;

	if (!signed_part)
		return err_set(err, ENOMEM, "no memory");
	r = sign(image, ROLE_TIMESTAMP, signed_part, set, err);
	return r ? r : check_last(set, ROLE_TIMESTAMP, err);
}

/* -- targets -- */

/* A root that came while targets were signed may have other keys for them: then all is made anew. Reading 8 MiB
 * once more to verify them would cost more. */
static int
check_root(struct image *image, const struct set *set, struct err *err)
{
	int newest, r = state_newest_root(image, &newest, NULL, err);

	if (r == 0 && newest != set->version[ROLE_ROOT])
		return err_set(err, EAGAIN, "the image root was changed while targets.json was signed");
	return r;
}

static int
sign_targets(struct image *image, json_t *targets, struct set *set, struct err *err)
{
	const struct publish_file *file;
	int r = state_newest_root(image, &set->version[ROLE_ROOT], &set->root, err);

	if (r == 0)
		r = sign(image, ROLE_TARGETS, targets, set, err);
	if (r == 0)
		r = check_root(image, set, err);
	if (r)
		return r;
	file = &set->files[set->count - 1];
	if (file->bytes > IMAGE_TARGETS_MAX)
		return drop_bad(err,
		    "targets.json would have %zu bytes; clients take at most %d: retire old packages",
		    file->bytes, IMAGE_TARGETS_MAX);
	return set_meta(
	    set, "targets.json", describe(file->data, file->bytes, NULL, set->version[ROLE_TARGETS]), err);
}

static int
take_targets(struct image *image, const struct change *change, struct set *set, struct err *err)
{
	int *version = &set->version[ROLE_TARGETS], r;

	if ((r = state_fitting_root(image, change->json, &set->version[ROLE_ROOT], &set->root, err)) < 0 ||
	    (r = envelope_version(json_object_get(change->json, "signed"), "targets.json", version, err)) < 0 ||
	    (r = set_copy(set, "targets.json", change->text, change->bytes, err)) < 0)
		return r;
	return set_meta(
	    set, "targets.json", describe(change->text, change->bytes, change->json, *version), err);
}

static int
keep_targets(struct image *image, struct set *set, struct err *err)
{
	set->version[ROLE_TARGETS] = image->version[ROLE_TARGETS];
	return set_add(set, "targets.json", NULL, 0, err);
}

/* Targets that are not changed are signed anew when they can be and have to be: they are stale, or there is a
 * new root. */
static int
renew_targets(struct image *image, int is_offline, struct set *set, struct err *err)
{
	AUTO(json_decref_p) json_t *targets = NULL;
	bool stale;
	int r;

	if (is_offline) {
		r = state_fitting_root(image, NULL, &set->version[ROLE_ROOT], &set->root, err);
		return r < 0 ? r : keep_targets(image, set, err);
	}
	if ((r = state_newest_root(image, &set->version[ROLE_ROOT], &set->root, err)) < 0 ||
	    (r = state_is_stale(image, ROLE_TARGETS, &stale, err)) < 0)
		return r;
	if (set->version[ROLE_ROOT] == image->version[ROLE_ROOT] && !stale)
		return keep_targets(image, set, err);
	json_decref(MOVE(set->root));
	targets = json_deep_copy(image->targets);
	return targets ? sign_targets(image, targets, set, err) : err_set(err, ENOMEM, "no memory");
}

static int
add_targets(struct image *image, const struct change *change, struct set *set, struct err *err)
{
	int is_offline;

	if (change->text)
		return take_targets(image, change, set, err);
	is_offline = client_can_sign(image->client, REPOSITORY_IMAGE, ROLE_TARGETS, err);
	if (is_offline < 0)
		return is_offline;
	if (!change->targets)
		return renew_targets(image, is_offline, set, err);
	return is_offline ? state_no_key(err) : sign_targets(image, change->targets, set, err);
}

static int
add_delegations(struct image *image, const struct change *change, struct set *set, struct err *err)
{
	char name[PUBLISH_NAME_SIZE];
	const char *one;
	json_t *ignored;
	int r = 0, version;

	/* All that were ever listed stay: a client that knows one must not see it vanish from the snapshot. */
	json_object_foreach(image->delegations, one, ignored)
	{
		snprintf(name, sizeof(name), "delegations/%s.json", one);
		if (change->delegation && !strcmp(one, change->delegation))
			continue;
		if ((r = set_add(set, name, NULL, 0, err)) < 0)
			return r;
	}
	if (!change->delegation)
		return 0;
	snprintf(name, sizeof(name), "delegations/%s.json", change->delegation);
	if ((r = set_copy(set, name, change->delegation_text, change->delegation_bytes, err)) < 0 ||
	    (r = envelope_version(json_object_get(change->delegation_json, "signed"), name, &version, err)) < 0)
		return r;
	return set_meta(set, strchr(name, '/') + 1,
	    describe(change->delegation_text, change->delegation_bytes, change->delegation_json, version), err);
}

static int
make_set(struct image *image, const struct change *change, struct set *set, struct err *err)
{
	int r;

	set->meta = json_copy(image->meta);
	if (!set->meta)
		return err_set(err, ENOMEM, "no memory");
	/* Each describes those before it. */
	if ((r = add_targets(image, change, set, err)) || (r = add_delegations(image, change, set, err)) ||
	    (r = add_roots(image, set, err)) ||
	    (r = set_meta(set, "root.json", json_pack("{s:i}", "version", set->version[ROLE_ROOT]), err)) ||
	    (r = add_snapshot(image, set, err)))
		return r;
	return add_timestamp(image, set, err);
}

int
state_publish(struct image *image, const struct change *change, struct err *err)
{
	AUTO(set_done) struct set set = { 0 };
	struct err ignored;
	int r;

	r = make_set(image, change, &set, err);
	if (r)
		return r;
	r = publish_write(image->dir, set.version[ROLE_TIMESTAMP], set.files, set.count, err);
	if (r == 0)
		r = state_read(image, err);
	else
		/* The switch may have been done before something failed: what stands on disk is the truth. */
		state_read(image, &ignored);
	limits_report(image);
	return r;
}
