/* The next root of a repository: renewed, prepared for a ceremony, and taken. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/envelope.h"
#include "sign/house.h"

static int
no_memory(struct err *err)
{
	return err_set(err, ENOMEM, "no memory for a root");
}

/* -- taking -- */

/* What is signed anew all the time has to be signed with keys that are here. */
static int
check_online(const struct house *house, const json_t *root, const struct house_names *names, struct err *err)
{
	for (enum role role = ROLE_TARGETS; role < ROLE_COUNT; role++) {
		int here = house_count(house, names, role), threshold = root_threshold(root, role);

		if (role == ROLE_TARGETS && house->repository == REPOSITORY_IMAGE)
			continue;
		if (here < threshold)
			return err_set(err, EBADMSG,
			    "root: %s has to stay with the keys of ota-signd: %d signatures are needed, keys "
			    "for %d are here",
			    role_name(role), threshold, here);
	}
	return 0;
}

/* How many keys here have @role under the same id under both names. */
static int
count_staying(const struct house *house, const struct house_names *before, const struct house_names *names,
    enum role role)
{
	int count = 0;

	for (int at = 0; at < house->count; at++) {
		const char *old = before->of[at][role], *new = names->of[at][role];

		count += old && new && !strcmp(old, new);
	}
	return count;
}

/* Whether what the keys of @role signed under @before stands under @root as well: the same keys, no more of
 * them. */
static bool
is_as_before(const json_t *before, const json_t *root, enum role role)
{
	const json_t *ids = root_keyids(root, role);

	if (!json_equal(ids, root_keyids(before, role)) ||
	    root_threshold(root, role) > root_threshold(before, role))
		return false;
	for (size_t i = 0; i < json_array_size(ids); i++) {
		const char *id = json_string_value(json_array_get(ids, i)) ?: "";

		if (!json_equal(json_object_get(json_object_get(before, "keys"), id),
			json_object_get(json_object_get(root, "keys"), id)))
			return false;
	}
	return true;
}

/* The root that devices have: an older one than the newest, as long as that is held back. */
static int
read_published(const struct house *house, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *root = NULL;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r;

	if (house->published < 1 || house->published >= house->root_version) {
		*out = json_incref(house->root);
		return 0;
	}
	if ((r = house_read_root(house, house->published, &text, &bytes, err)) < 0 ||
	    (r = json_read(text, bytes, "published root", &root, err)) < 0)
		return r;
	*out = json_incref(json_object_get(root, "signed"));
	return 0;
}

/*
 * A root that gives the image repository's targets to other keys, which are elsewhere, is held back from
 * devices until targets that these signed arrive, and so are the roots after it. Snapshot and timestamp go on
 * under the newest root meanwhile, so they need keys that the root of devices has, too: else all would expire
 * within the life of a timestamp.
 */
static int
check_held_back(const struct house *house, const json_t *root, const struct house_names *names, struct err *err)
{
	AUTO(json_decref_p) json_t *before = NULL;
	struct house_names old;
	int r;

	if (house->repository != REPOSITORY_IMAGE || !house->root ||
	    house_count(house, names, ROLE_TARGETS) >= root_threshold(root, ROLE_TARGETS))
		return 0;
	if ((r = read_published(house, &before, err)) < 0 || is_as_before(before, root, ROLE_TARGETS) ||
	    (r = house_name(house, before, &old, err)) < 0)
		return r;
	for (enum role role = ROLE_SNAPSHOT; role < ROLE_COUNT; role++)
		if (count_staying(house, &old, names, role) < root_threshold(before, role))
			return err_set(err, EBADMSG,
			    "root: gives targets to keys elsewhere, and new ones to %s: it would wait for "
			    "targets that these sign, and %s expire meanwhile; change %s in a root of its own, "
			    "when such targets are published",
			    role_name(role), role_name(role), role_name(role));
	return 0;
}

static int
check_next(const struct house *house, const json_t *root, const struct house_names *names, struct err *err)
{
	const json_t *signed_part = json_object_get(root, "signed");
	int r, version;

	if ((r = envelope_version(signed_part, "root", &version, err)) < 0)
		return r;
	if (version != house->root_version + 1)
		return err_set(err, EBADMSG, "root: version is %d, the next is %d (TUF 1.0, 5.3.5)", version,
		    house->root_version + 1);
	if (house->root && (r = envelope_verify_role(root, house->root, ROLE_ROOT, "root", err)) < 0)
		return err_context(err, r, "by %d.root.json", house->root_version);
	if ((r = envelope_verify_role(root, signed_part, ROLE_ROOT, "root", err)) < 0)
		return err_context(err, r, "by itself");
	if ((r = check_online(house, signed_part, names, err)) < 0)
		return r;
	return check_held_back(house, signed_part, names, err);
}

static int
write_log(const struct house *house, const json_t *signed_part, struct err *err)
{
	AUTO(free_p) char *canonical = NULL;
	char digest[DIGEST_HEX_SIZE];
	size_t bytes;
	int r;

	if (!house->log.note)
		return 0;
	if ((r = canonical_write(signed_part, &canonical, &bytes, err)) < 0)
		return r;
	digest_sha256_hex(canonical, bytes, digest);
	return house->log.note(house->log.context, house->repository, house->root_version + 1, digest, err);
}

/* The root is the newest when its file is durable; what follows is made up for within the minute or at a start.
 */
static int
keep(struct house *house, json_t *signed_part, const struct house_names *names, const char *text, size_t bytes,
    struct err *err)
{
	struct err later;
	char name[32];
	int r;

	snprintf(name, sizeof(name), "%d.root.json", house->root_version + 1);
	if ((r = write_log(house, signed_part, err)) < 0 ||
	    (r = file_replace(house->dir, name, text, bytes, 0600, err)) < 0)
		return r;
	house_adopt(house, signed_part, names);
	if (notes_set_root(house, house->root_version, &later) < 0)
		log_line(LOG_ERR, "root not noted yet reason=\"%s\"", later.text);
	if (house_drop_unnamed(house, &later) < 0)
		log_line(LOG_ERR, "private key not deleted yet reason=\"%s\"", later.text);
	return 0;
}

/* A client that lost the answer sends the same again. */
static bool
is_newest(const struct house *house, const char *text, size_t bytes)
{
	AUTO(free_p) char *newest = NULL;
	struct err ignored;
	size_t n;

	return house_read_root(house, house->root_version, &newest, &n, &ignored) == 0 && n == bytes &&
	       !memcmp(newest, text, n);
}

int
house_put_root(struct house *house, const char *text, size_t bytes, int64_t now, struct err *err)
{
	AUTO(json_decref_p) json_t *root = NULL;
	struct house_names names;
	json_t *signed_part;
	int r;

	if (is_newest(house, text, bytes))
		return 0;
	if ((r = root_read(text, bytes, now, &root, err)) < 0)
		return r;
	signed_part = json_object_get(root, "signed");
	if ((r = house_name(house, signed_part, &names, err)) < 0 ||
	    (r = check_next(house, root, &names, err)) < 0)
		return r;
	return keep(house, signed_part, &names, text, bytes, err);
}

/* -- signing -- */

/* Adds the signatures of the root keys here, as the newest root and as @signed_part call them. */
static int
add_ours(const struct house *house, const json_t *signed_part, json_t *signatures, struct err *err)
{
	const json_t *const roots[] = { house->root, signed_part };
	AUTO(free_p) char *canonical = NULL;
	struct house_names names;
	size_t bytes;
	int r;

	if ((r = canonical_write(signed_part, &canonical, &bytes, err)) < 0)
		return r;
	for (size_t i = 0; i < sizeof(roots) / sizeof(roots[0]); i++) {
		if (!roots[i])
			continue;
		if ((r = house_name(house, roots[i], &names, err)) < 0 ||
		    (r = house_sign_as(house, &names, ROLE_ROOT, canonical, bytes, signatures, err)) < 0)
			return r;
	}
	return 0;
}

int
house_renew(struct house *house, int64_t expires, int64_t now, struct err *err)
{
	AUTO(json_decref_p) json_t *root = json_deep_copy(house->root);
	AUTO(json_decref_p) json_t *again = NULL;
	AUTO(json_decref_p) json_t *signatures = json_array();
	AUTO(free_p) char *envelope = NULL;
	char text[UTC_TEXT_SIZE];
	struct house_names names;
	size_t bytes;
	int r;

	utc_format(expires, text);
	if (!root || json_object_set_new(root, "expires", json_string(text)) < 0 ||
	    json_object_set_new(root, "version", json_integer(house->root_version + 1)) < 0)
		return no_memory(err);
	if ((r = add_ours(house, root, signatures, err)) < 0 ||
	    (r = envelope_write(root, signatures, &envelope, &bytes, err)) < 0 ||
	    (r = house_name(house, root, &names, err)) < 0)
		return r;
	/* All keys here sign, more than may have signed the last one: devices read so many bytes. */
	if ((r = root_read(envelope, bytes, now, &again, err)) < 0)
		return r;
	return keep(house, root, &names, envelope, bytes, err);
}

/* The answer to a root that is the newest already, asked for again. */
static int
repeat(const struct house *house, const json_t *signed_part, char **envelope, size_t *bytes, struct err *err)
{
	if (!house->root || !json_equal(house->root, signed_part))
		return 1;
	return house_read_root(house, house->root_version, envelope, bytes, err);
}

int
house_finish(struct house *house, const char *text, size_t bytes, int64_t now, char **envelope,
    size_t *envelope_bytes, struct err *err)
{
	AUTO(json_decref_p) json_t *root = NULL;
	AUTO(free_p) char *whole = NULL;
	json_t *signed_part, *signatures;
	int r;

	if ((r = root_read(text, bytes, now, &root, err)) < 0)
		return r;
	signed_part = json_object_get(root, "signed");
	signatures = json_object_get(root, "signatures");
	r = repeat(house, signed_part, envelope, envelope_bytes, err);
	if (r <= 0)
		return r;
	if ((r = add_ours(house, signed_part, signatures, err)) < 0 ||
	    (r = envelope_write(signed_part, signatures, &whole, envelope_bytes, err)) < 0 ||
	    (r = house_put_root(house, whole, *envelope_bytes, now, err)) < 0)
		return r;
	*envelope = MOVE(whole);
	return 0;
}

/* -- preparing -- */

/* What a root is made of. */
struct plan {
	struct house *house;
	json_t *keys, *roles;
	json_t *new_names; /* ids of new keys: how a preview shows them */
	int version;
	bool is_preview;
};

static void
plan_done(struct plan *plan)
{
	json_decref(plan->keys);
	json_decref(plan->roles);
	json_decref(plan->new_names);
	/* The keys of a preview were never on disk. */
	for (int at = plan->house->count - 1; at >= 0; at--)
		if (!plan->house->keys[at].file[0])
			house_forget(plan->house, at);
}

/* Gives @ids the key @id, which is @json without what does not belong into a root. */
static int
add_key(struct plan *plan, json_t *ids, const char *id, const json_t *json, struct err *err)
{
	AUTO(json_decref_p)
	json_t *key = json_pack("{s:O,s:O}", "keytype", json_object_get(json, "keytype"), "keyval",
	    json_object_get(json, "keyval"));
	const json_t *other = json_object_get(plan->keys, id);

	if (!key)
		return err_set(err, EINVAL, "request: key %.64s has no keytype or keyval", id);
	if (other && !json_equal(other, key))
		return err_set(err, EINVAL, "request: two keys have the id %.64s", id);
	if (json_object_set(plan->keys, id, key) < 0 || json_array_append_new(ids, json_string(id)) < 0)
		return no_memory(err);
	return 0;
}

static int
add_given(struct plan *plan, json_t *ids, const json_t *list, struct err *err)
{
	for (size_t i = 0; i < json_array_size(list); i++) {
		AUTO(public_key_freep) struct public_key *key = NULL;
		const json_t *json = json_array_get(list, i);
		int r = public_key_read(json, "request", &key, err);

		if (r < 0 ||
		    (r = add_key(plan, ids, json_text(json, "keyid") ?: public_key_id(key), json, err)) < 0)
			return r;
	}
	return 0;
}

/* A key that is thrown away after it was shown. */
static int
hold_unsaved(struct plan *plan, enum role role, struct err *err)
{
	struct key_pair *pair;
	int r;

	if (plan->house->count == HOUSE_KEYS_MAX)
		return err_set(
		    err, E2BIG, "there are %d private keys already, the most that are held", HOUSE_KEYS_MAX);
	if ((r = key_pair_new(&pair, err)) == 0)
		house_hold(plan->house, "", role, plan->version, pair);
	return r;
}

static bool
is_pending(const struct plan *plan, const struct house_key *key, enum role role)
{
	const char *id = public_key_id(key_pair_public(key->pair));

	return key->role == role && key->version == plan->version && !json_object_get(plan->keys, id);
}

/* The place of a key for the role that was made before and is not used yet in this root; -1: none. */
static int
find_pending(const struct plan *plan, enum role role)
{
	for (int at = 0; at < plan->house->count; at++)
		if (is_pending(plan, &plan->house->keys[at], role))
			return at;
	return -1;
}

static int
add_new(struct plan *plan, enum role role, json_t *ids, int number, struct err *err)
{
	AUTO(json_decref_p) json_t *json = NULL;
	const struct public_key *public;
	char shown[32];
	int at = find_pending(plan, role), r = 0;

	if (at < 0)
		r = plan->is_preview ? hold_unsaved(plan, role, err)
				     : house_make_key(plan->house, role, plan->version, err);
	if (r < 0)
		return r;
	at = find_pending(plan, role);
	public = key_pair_public(plan->house->keys[at].pair);
	if (!plan->is_preview && (r = notes_add(plan->house, "made", public_key_id(public), err)) < 0)
		return r;
	snprintf(shown, sizeof(shown), "new-%s-%d", role_name(role), number);
	if (json_object_set_new(plan->new_names, public_key_id(public), json_string(shown)) < 0)
		return no_memory(err);
	json = public_key_json(public);
	return add_key(plan, ids, public_key_id(public), json, err);
}

/* A role as the newest root has it. */
static int
keep_role(struct plan *plan, enum role role, json_t *ids, struct err *err)
{
	const json_t *root = plan->house->root, *old = root_keyids(root, role);
	int r = 0;

	for (size_t i = 0; r == 0 && i < json_array_size(old); i++) {
		const char *id = json_string_value(json_array_get(old, i)) ?: "";

		r = add_key(plan, ids, id, json_object_get(json_object_get(root, "keys"), id), err);
	}
	return r;
}

static int
fill_role(struct plan *plan, enum role role, const json_t *wanted, json_t *ids, struct err *err)
{
	int64_t count = plan->house->root ? 0 : 1;
	int r;

	if (!wanted && plan->house->root)
		return keep_role(plan, role, ids, err);
	if (json_object_get(wanted, "new") &&
	    (r = json_need_integer(wanted, "new", "request", HOUSE_KEYS_MAX, &count, err)) < 0)
		return r;
	if ((r = add_given(plan, ids, json_object_get(wanted, "keys"), err)) < 0)
		return r;
	for (int i = 1; r == 0 && i <= count; i++)
		r = add_new(plan, role, ids, i, err);
	return r;
}

static int
add_role(struct plan *plan, enum role role, const json_t *wanted, struct err *err)
{
	int64_t threshold = plan->house->root ? root_threshold(plan->house->root, role) : 1;
	AUTO(json_decref_p) json_t *ids = json_array();
	int r;

	if (wanted && !json_is_object(wanted))
		return err_set(err, EINVAL, "request: role %s is no object", role_name(role));
	if (json_object_get(wanted, "threshold") && (r = json_need_integer(wanted, "threshold", "request",
							 ENVELOPE_THRESHOLD_MAX, &threshold, err)) < 0)
		return r;
	if ((r = fill_role(plan, role, wanted, ids, err)) < 0)
		return r;
	return json_object_set_new(plan->roles, role_name(role),
		   json_pack("{s:O,s:I}", "keyids", ids, "threshold", (json_int_t)threshold)) < 0
		   ? no_memory(err)
		   : 0;
}

static int
check_names(const json_t *roles, struct err *err)
{
	for (void *at = json_object_iter((json_t *)(uintptr_t)roles); at;
	     at = json_object_iter_next((json_t *)(uintptr_t)roles, at))
		if (role_of(json_object_iter_key(at)) < 0)
			return err_set(
			    err, EINVAL, "request: no such role \"%.32s\"", json_object_iter_key(at));
	return 0;
}

/** The public half of a key that is not there yet. */
#define NO_PUBLIC "0000000000000000000000000000000000000000000000000000000000000000"

/* New keys change at each preview: they are shown by their number. */
static int
rename_new(const struct plan *plan, struct err *err)
{
	const json_t *names = plan->new_names;

	for (enum role role = 0; role < ROLE_COUNT; role++) {
		json_t *ids = json_object_get(json_object_get(plan->roles, role_name(role)), "keyids");

		for (size_t i = 0; i < json_array_size(ids); i++) {
			const char *id = json_string_value(json_array_get(ids, i));
			const char *shown = json_text(names, id);

			if (!shown)
				continue;
			if (json_object_set_new(plan->keys, shown,
				json_pack("{s:s,s:{s:s}}", "keytype", "ED25519", "keyval", "public",
				    NO_PUBLIC)) < 0 ||
			    json_object_del(plan->keys, id) < 0 ||
			    json_array_set_new(ids, i, json_string(shown)) < 0)
				return no_memory(err);
		}
	}
	return 0;
}

/* Checks what the root will have to stand when it comes back signed. */
static int
check_plan(const struct plan *plan, const json_t *root, int64_t now, struct err *err)
{
	struct house_names names;
	int r;

	if ((r = root_check(root, now, err)) < 0 || (r = house_name(plan->house, root, &names, err)) < 0)
		return r;
	if ((r = check_online(plan->house, root, &names, err)) < 0)
		return r;
	return check_held_back(plan->house, root, &names, err);
}

static int
prepare(
    struct plan *plan, const json_t *wanted, const char *expires, int64_t now, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *root = NULL;
	int r = check_names(wanted, err);

	for (enum role role = 0; r == 0 && role < ROLE_COUNT; role++)
		r = add_role(plan, role, json_object_get(wanted, role_name(role)), err);
	if (r < 0)
		return r;
	root = json_pack("{s:s,s:b,s:s,s:O,s:O,s:i}", "_type", "Root", "consistent_snapshot", 0, "expires",
	    expires, "keys", plan->keys, "roles", plan->roles, "version", plan->version);
	if (!root)
		return no_memory(err);
	if ((r = check_plan(plan, root, now, err)) < 0 || (plan->is_preview && (r = rename_new(plan, err)) < 0))
		return r;
	*out = MOVE(root);
	return 0;
}

int
house_begin(struct house *house, const json_t *roles, const char *expires, bool is_preview, int64_t now,
    json_t **out, struct err *err)
{
	AUTO(plan_done)
	struct plan plan = { .house = house,
		.keys = json_object(),
		.roles = json_object(),
		.new_names = json_object(),
		.version = house->root_version + 1,
		.is_preview = is_preview };

	if (!plan.keys || !plan.roles || !plan.new_names)
		return no_memory(err);
	return prepare(&plan, roles, expires, now, out, err);
}
