#include "store/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/due.h"
#include "lib/steady.h"
#include "lib/log.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/envelope.h"
#include "store/needed.h"
#include "store/offer.h"
#include "store/publish.h"
#include "store/state.h"

struct image *
state_lock(struct image *image)
{
	pthread_mutex_lock(&image->lock);
	return image;
}

void
state_unlock(struct image **image)
{
	pthread_mutex_unlock(&(*image)->lock);
}

/* -- reading what is published -- */

static int
read_signed(
    struct image *image, const char *name, size_t max, json_t **signed_part, size_t *bytes, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	int r = publish_read(image->dir, name, max, &text, bytes, err);

	if (r)
		return r;
	if ((r = json_read(text, *bytes, name, &json, err)) < 0 || (r = envelope_check(json, name, err)) < 0)
		return r;
	*signed_part = json_incref(json_object_get(json, "signed"));
	return 0;
}

/* Takes over @value. */
static void
replace(json_t **at, json_t *value)
{
	json_decref(*at);
	*at = value;
}

static int
read_role(struct image *image, enum role role, struct err *err)
{
	AUTO(json_decref_p) json_t *signed_part = NULL;
	char name[PUBLISH_NAME_SIZE];
	int r;

	snprintf(name, sizeof(name), "%s.json", role_name(role));
	r = read_signed(image, name, role == ROLE_TARGETS ? IMAGE_TARGETS_MAX : STATE_SMALL_MAX, &signed_part,
	    &image->bytes[role], err);
	if (r)
		return r;
	if ((r = envelope_version(signed_part, name, &image->version[role], err)) < 0 ||
	    (r = envelope_expires(signed_part, name, &image->expires[role], err)) < 0)
		return r;
	if (role == ROLE_SNAPSHOT)
		replace(&image->meta, json_incref(json_object_get(signed_part, "meta")));
	if (role == ROLE_TARGETS)
		replace(&image->targets, MOVE(signed_part));
	return 0;
}

/* All that the snapshot lists beside the roles. */
static int
read_delegations(struct image *image, struct err *err)
{
	AUTO(json_decref_p) json_t *all = json_object();
	const char *file;
	json_t *ignored;
	size_t bytes;
	int r;

	json_object_foreach(image->meta, file, ignored)
	{
		char name[PUBLISH_NAME_SIZE], one[NAME_DELEGATION_MAX + 1];
		struct err no_name;
		size_t n = strlen(file);
		json_t *signed_part;

		if (n <= 5 || n - 5 > NAME_DELEGATION_MAX)
			continue;
		snprintf(one, sizeof(one), "%.*s", (int)n - 5, file);
		if (name_check_delegation(one, &no_name) < 0)
			continue;
		snprintf(name, sizeof(name), "delegations/%s", file);
		r = read_signed(image, name, IMAGE_TARGETS_MAX, &signed_part, &bytes, err);
		if (r < 0)
			return r;
		if (json_object_set_new(all, one, signed_part) < 0)
			return err_set(err, ENOMEM, "no memory");
	}
	replace(&image->delegations, MOVE(all));
	return 0;
}

int
state_read(struct image *image, struct err *err)
{
	int r;

	for (enum role role = ROLE_ROOT; role < ROLE_COUNT; role++) {
		r = read_role(image, role, err);
		if (r == PUBLISH_NONE)
			return 0;
		if (r < 0)
			return err_context(err, r, "published/current");
	}
	if (!json_is_object(json_object_get(image->targets, "targets")))
		return err_set(err, EBADMSG, "published/current/targets.json: has no targets");
	r = read_delegations(image, err);
	return r < 0 ? err_context(err, r, "published/current") : 0;
}

static int
open_folders(struct image *image, const char *repository, struct err *err)
{
	image->repository = open(repository, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (image->repository < 0)
		return err_sys(err, "%s", repository);
	if (mkdirat(image->repository, "report", 0750) < 0 && errno != EEXIST)
		return err_sys(err, "%s/report", repository);
	return publish_open(repository, &image->dir, err);
}

int
image_start(const char *repository, const struct config *config, struct client *client, struct image **out,
    struct err *err)
{
	AUTO(image_closep) struct image *image = calloc(1, sizeof(*image));
	int r;

	if (!image)
		return err_set(err, ENOMEM, "no memory");
	pthread_mutex_init(&image->lock, NULL);
	image->config = config;
	image->client = client;
	image->dir = image->repository = -1;
	image->targets = json_pack("{s:{}}", "targets");
	image->meta = json_object();
	image->delegations = json_object();
	if (!image->targets || !image->meta || !image->delegations)
		return err_set(err, ENOMEM, "no memory");
	if ((r = open_folders(image, repository, err)) < 0 || (r = state_read(image, err)) < 0)
		return r;
	limits_report(image);
	*out = MOVE(image);
	return 0;
}

void
image_close(struct image *image)
{
	if (!image)
		return;
	json_decref(image->targets);
	json_decref(image->meta);
	json_decref(image->delegations);
	close_p(&image->dir);
	close_p(&image->repository);
	pthread_mutex_destroy(&image->lock);
	free(image);
}

void
image_closep(struct image **image)
{
	image_close(*image);
}

int
image_repository(const struct image *image)
{
	return image->repository;
}

void
image_on_retired(struct image *image, image_retired_fn *retired, void *data)
{
	AUTO(state_unlock) struct image *locked = state_lock(image);

	locked->retired = retired;
	locked->retired_data = data;
}

/* -- what leaves -- */

static bool
is_offered(const json_t *targets, const char *hash)
{
	for (void *at = json_object_iter((json_t *)(uintptr_t)targets); at;
	     at = json_object_iter_next((json_t *)(uintptr_t)targets, at)) {
		const char *other = json_text(json_object_get(json_object_iter_value(at), "hashes"), "sha256");

		if (other && !strcmp(other, hash))
			return true;
	}
	return false;
}

static bool
is_offered_anywhere(const struct image *image, const char *hash)
{
	json_t *document;
	const char *name;

	if (is_offered(json_object_get(image->targets, "targets"), hash))
		return true;
	json_object_foreach(image->delegations, name, document)
	{
		if (is_offered(json_object_get(document, "targets"), hash))
			return true;
	}
	return false;
}

/* After the set without them is published. @before: the targets that had them. */
static void
tell_retired(struct image *image, const json_t *before, const json_t *retired, const char *why)
{
	for (size_t i = 0; i < json_array_size(retired); i++) {
		const char *file = json_string_value(json_array_get(retired, i));
		const json_t *target = json_object_get(before, file);
		const char *hash = json_text(json_object_get(target, "hashes"), "sha256");
		const char *format = json_text(json_object_get(target, "custom"), "targetFormat");

		log_line(LOG_NOTICE, "target retired file=\"%s\" sha256=%s reason=\"%s\"", file, hash, why);
		if (image->retired && hash && !is_offered_anywhere(image, hash))
			image->retired(image->retired_data, hash, format && !strcmp(format, "OSTREE"));
	}
}

/* What has just been published is needed as well. */
static int
need_all(json_t *needed, const struct releases *releases, struct err *err)
{
	json_t *files = json_object_get(needed, "files");
	char name[NAME_TARGET_MAX + 1];

	for (size_t i = 0; i < releases->count; i++) {
		release_target(&releases->list[i], name);
		if (json_object_set_new(files, name, json_true()) < 0)
			return err_set(err, ENOMEM, "no memory");
	}
	return 0;
}

/* Takes old versions out of @targets; when it is not known what the fleet needs, none. */
static int
expire(const struct image *image, const struct releases *releases, json_t *targets, json_t *retired,
    struct err *err)
{
	AUTO(json_decref_p) json_t *needed = NULL;
	struct err why;
	int r;

	if (image->config->keep_versions <= 0)
		return 0;
	r = needed_read(image->config->fleet, &needed, &why);
	if (r < 0)
		log_line(LOG_WARNING, "old versions stay reason=\"%s\"", why.text);
	if (r || (r = need_all(needed, releases, err)) < 0)
		return needed ? r : 0;
	return offer_expire(
	    json_object_get(targets, "targets"), image->config->keep_versions, needed, retired, err);
}

/* -- what enters -- */

static int
check_size(const json_t *signed_part, struct err *err)
{
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = canonical_write(signed_part, &text, &bytes, err);

	if (r == 0 && bytes + STATE_ENVELOPE_ROOM > IMAGE_TARGETS_MAX)
		return drop_bad(err,
		    "targets.json would have %zu bytes; clients take at most %d: retire old packages",
		    bytes + STATE_ENVELOPE_ROOM, IMAGE_TARGETS_MAX);
	return r;
}

/* A file name that a supplier offers must not get other content at the top, which would win. */
static int
check_delegated(const struct release *release, const struct trust *trust, struct err *err)
{
	char file[NAME_TARGET_MAX + 1];

	release_target(release, file);
	for (size_t i = 0; i < trust->count; i++) {
		const json_t *target =
		    json_object_get(json_object_get(trust->nodes[i].document, "targets"), file);
		const char *hash = json_text(json_object_get(target, "hashes"), "sha256");

		if (target && strcmp(hash ? hash : "", release->commit) && trust_allows(trust, (int)i, file))
			return drop_bad(err, "%.100s: delegation %s offers other content under this file name",
			    file, trust->nodes[i].name);
	}
	return 0;
}

static int
check_all_delegated(const struct image *image, const struct releases *releases, struct err *err)
{
	AUTO(free_p) struct trust *trust = malloc(sizeof(*trust));
	int r = 0;

	if (!trust)
		return err_set(err, ENOMEM, "no memory");
	trust_walk(image->targets, image->delegations, trust);
	for (size_t i = 0; r == 0 && i < releases->count; i++)
		r = check_delegated(&releases->list[i], trust, err);
	return r;
}

/* The "signed" part with @releases; 0, IMAGE_SAME, DROP_BAD, what their judge says, or -errno. */
static int
with_releases(
    const struct image *image, const struct releases *releases, const char *now, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *copy = json_deep_copy(image->targets);
	json_t *targets = json_object_get(copy, "targets");
	int r, all = IMAGE_SAME;

	if (!copy)
		return err_set(err, ENOMEM, "no memory");
	for (size_t i = 0; i < releases->count; i++) {
		r = offer_add(targets, &releases->list[i], now, err);
		if (r == 0)
			all = 0;
		else if (r != OFFER_SAME)
			return r;
	}
	r = all == 0 ? check_all_delegated(image, releases, err) : 0;
	if (r == 0 && releases->judge)
		r = state_judge(releases->judge, json_object_get(image->targets, "targets"), targets, err);
	r = r || all ? r : check_size(copy, err);
	*out = MOVE(copy);
	return r ? r : all;
}

int
image_check(struct image *image, const struct releases *releases, struct err *err)
{
	AUTO(state_unlock) struct image *locked = state_lock(image);
	AUTO(json_decref_p) json_t *signed_part = NULL;
	char now[UTC_TEXT_SIZE];
	struct err ignored;
	int r;

	utc_format(utc_now(), now);
	r = with_releases(locked, releases, now, &signed_part, err);
	if (r)
		return r == IMAGE_SAME ? 0 : r;
	/* A signer that does not answer now is waited for later. */
	if (client_can_sign(locked->client, REPOSITORY_IMAGE, ROLE_TARGETS, &ignored) == CLIENT_OFFLINE) {
		state_no_key(err);
		return IMAGE_OFFLINE;
	}
	return 0;
}

int
image_edition(struct image *image)
{
	AUTO(state_unlock) struct image *locked = state_lock(image);

	return locked->version[ROLE_TIMESTAMP];
}

int
image_publish(struct image *image, const struct releases *releases, int *version, struct err *err)
{
	AUTO(state_unlock) struct image *locked = state_lock(image);
	AUTO(json_decref_p) json_t *targets = NULL;
	AUTO(json_decref_p) json_t *retired = json_array();
	AUTO(json_decref_p) json_t *before = json_incref(locked->targets);
	struct change change = { 0 };
	char now[UTC_TEXT_SIZE];
	int r;

	utc_format(utc_now(), now);
	r = with_releases(locked, releases, now, &targets, err);
	if (r == 0)
		r = expire(locked, releases, targets, retired, err);
	if (r == 0) {
		change.targets = targets;
		r = state_publish(locked, &change, err);
	}
	if (r == 0)
		tell_retired(locked, json_object_get(before, "targets"), retired, "newer versions");
	*version = locked->version[ROLE_TARGETS];
	return r;
}

static int
check_not_assigned(const struct image *image, const json_t *retired, struct err *err)
{
	AUTO(json_decref_p) json_t *needed = NULL;
	int r = needed_read(image->config->fleet, &needed, err);

	if (r)
		return r == NEEDED_UNKNOWN ? 0 : r;
	for (size_t i = 0; i < json_array_size(retired); i++)
		if (needed_is_assigned(needed, json_string_value(json_array_get(retired, i))))
			return drop_bad(err, "%s: is assigned to a device; take the assignment back first",
			    json_string_value(json_array_get(retired, i)));
	return 0;
}

int
image_retire(struct image *image, const char *const *files, size_t count, struct err *err)
{
	AUTO(state_unlock) struct image *locked = state_lock(image);
	AUTO(json_decref_p) json_t *copy = json_deep_copy(locked->targets);
	AUTO(json_decref_p) json_t *before = json_incref(locked->targets);
	AUTO(json_decref_p) json_t *retired = json_array();
	struct change change = { .targets = copy };
	int r;

	if (!copy || !retired)
		return err_set(err, ENOMEM, "no memory");
	for (size_t i = 0; i < count; i++)
		if (json_object_del(json_object_get(copy, "targets"), files[i]) == 0 &&
		    json_array_append_new(retired, json_string(files[i])) < 0)
			return err_set(err, ENOMEM, "no memory");
	if (!json_array_size(retired))
		return 0;
	if ((r = check_not_assigned(locked, retired, err)) || (r = state_publish(locked, &change, err)))
		return r;
	tell_retired(locked, json_object_get(before, "targets"), retired, "asked for");
	return 0;
}

/* -- from time to time -- */

/* Whether what is signed here has to be signed anew. */
static int
is_stale(struct image *image, bool *out, struct err *err)
{
	static const enum role roles[] = { ROLE_TIMESTAMP, ROLE_SNAPSHOT, ROLE_TARGETS };
	int r = 0;

	*out = false;
	for (size_t i = 0; r == 0 && !*out && i < sizeof(roles) / sizeof(roles[0]); i++)
		if (roles[i] != ROLE_TARGETS || !image->is_offline)
			r = state_is_stale(image, roles[i], out, err);
	return r;
}

/* Which root is to be published with the present targets. */
static int
find_root(struct image *image, int newest, int *root, struct err *err)
{
	*root = newest;
	if (!image->is_offline || newest == image->version[ROLE_ROOT])
		return 0;
	/* Targets that are signed elsewhere bind the root, and are renewed by those who have the keys. */
	return state_fitting_root(image, NULL, root, NULL, err);
}

/* Whether there is nothing to do. However the clock jumps to and fro, and whatever fails after something was
 * signed, what only age asks for has a pace; without a publication the root is another. */
static int
is_fresh(struct image *image, int root, bool *out, struct err *err)
{
	bool stale;
	int r = is_stale(image, &stale, err);

	/* A signer whose clock is behind signs nothing. */
	if (r == 0 && stale)
		r = client_check_clock(image->client, err);
	if (r < 0)
		return r;
	*out = image->version[ROLE_ROOT] == root && (!stale || !due_may(&image->renewals, steady_seconds()));
	if (!*out || !stale || !image->failed.code)
		return 0;
	*err = image->failed;
	return -err->code;
}

static int
publish_same(struct image *image, struct err *err)
{
	const struct change same = { 0 };
	int r;

	r = state_publish(image, &same, err);
	if (r == DROP_BAD)
		r = -(err->code = EFBIG);
	image->failed = r < 0 ? *err : (struct err){ 0 };
	return r;
}

int
state_renew(struct image *image, struct err *err)
{
	int newest, root, is_offline, r;
	bool fresh = false;

	/* The newest root first: keys that change from here on come with a newer one, which is seen next time.
	 */
	if ((r = state_newest_root(image, &newest, NULL, err)) < 0)
		return r;
	is_offline = client_can_sign(image->client, REPOSITORY_IMAGE, ROLE_TARGETS, err);
	if (is_offline < 0)
		return is_offline;
	image->is_offline = is_offline;
	if ((r = find_root(image, newest, &root, err)) < 0 || (r = is_fresh(image, root, &fresh, err)) < 0 ||
	    (!fresh && (r = publish_same(image, err)) < 0))
		return r;
	image->seen_root = newest;
	return fresh ? IMAGE_FRESH : 0;
}

int
image_renew(struct image *image, struct err *err)
{
	AUTO(state_unlock) struct image *locked = state_lock(image);

	return state_renew(locked, err);
}

int
image_look_for_root(struct image *image, struct err *err)
{
	AUTO(state_unlock) struct image *locked = state_lock(image);
	AUTO(free_p) char *text = NULL;
	int r = client_root(locked->client, REPOSITORY_IMAGE, locked->seen_root + 1, &text, NULL, err);

	return r == CLIENT_NO_ROOT ? IMAGE_FRESH : r;
}

/* -- looking -- */

static int
each_of(const json_t *document, image_each_fn *each, void *data, struct err *err)
{
	json_t *target, *targets = json_object_get(document, "targets");
	const char *file;
	int r;

	json_object_foreach(targets, file, target)
	{
		if ((r = each(file, target, data, err)))
			return r;
	}
	return 0;
}

int
image_each(struct image *image, image_each_fn *each, void *data, struct err *err)
{
	AUTO(state_unlock) struct image *locked = state_lock(image);
	AUTO(free_p) struct trust *trust = malloc(sizeof(*trust));
	int r;

	if (!trust)
		return err_set(err, ENOMEM, "no memory");
	trust_walk(locked->targets, locked->delegations, trust);
	r = each_of(locked->targets, each, data, err);
	for (size_t i = 0; r == 0 && i < trust->count; i++)
		r = each_of(trust->nodes[i].document, each, data, err);
	return r;
}
