#include "sign/house.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/log.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/envelope.h"

static void
root_file_name(int version, char name[static 32])
{
	snprintf(name, 32, "%d.root.json", version);
}

static void
key_file_name(enum role role, char name[static 32])
{
	snprintf(name, 32, "%s.key", role_name(role));
}

/* Something is missing in a key ring that was complete: made anew it would strand every device. */
static int
refuse_loss(const char *name, struct err *err)
{
	return err_set(err, ENOENT, "%s is gone: restore it from the backup", name);
}

int
house_read_root(const struct house *house, int version, char **envelope, size_t *bytes, struct err *err)
{
	char name[32];

	root_file_name(version, name);
	return file_read(house->dir, name, ROOT_BYTES_MAX, envelope, bytes, err);
}

static int
load_signed(const struct house *house, int version, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *root = NULL;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r;

	if ((r = house_read_root(house, version, &text, &bytes, err)) < 0 ||
	    (r = json_read(text, bytes, "root", &root, err)) < 0)
		return r;
	*out = json_incref(json_object_get(root, "signed"));
	return *out ? 0 : err_set(err, EBADMSG, "%d.root.json: has no signed part", version);
}

/* Sets the newest root, and what the first one called its keys: those that this folder's files hold. */
static int
load_roots(struct house *house, struct err *err)
{
	AUTO(json_decref_p) json_t *first = NULL;
	char name[32];
	struct stat st;
	int r;

	for (int version = 1;; version++) {
		root_file_name(version, name);
		if (fstatat(house->dir, name, &st, 0) < 0) {
			if (errno != ENOENT)
				return err_sys(err, "%s", name);
			break;
		}
		house->root_version = version;
	}
	if (!house->root_version)
		return 0;
	if ((r = load_signed(house, 1, &first, err)) < 0 ||
	    (r = load_signed(house, house->root_version, &house->root, err)) < 0)
		return r;
	for (enum role role = 0; role < ROLE_COUNT; role++) {
		const json_t *entry = json_object_get(json_object_get(first, "roles"), role_name(role));
		const char *id = json_string_value(json_array_get(json_object_get(entry, "keyids"), 0));

		if (!id || !root_resolve(first, id, house->first[role]))
			return err_set(err, EBADMSG, "1.root.json: has no key for %s", role_name(role));
	}
	return 0;
}

static int
make_pair(struct house *house, enum role role, const char *name, struct err *err)
{
	int r = key_pair_new(&house->pairs[role], err);

	return r < 0 ? r : key_pair_save(house->pairs[role], house->dir, name, err);
}

static int
open_pair(struct house *house, enum role role, bool is_new, struct err *err)
{
	bool is_named = false;
	char name[32];
	int r;

	key_file_name(role, name);
	r = key_pair_load(house->dir, name, &house->pairs[role], err);
	if (r == -ENOENT && house->root_version) {
		if ((r = root_names(house->root, house->first[role], &is_named, err)) < 0)
			return r;
		return is_named && !house_was(house, "deleted", house->first[role]) ? refuse_loss(name, err)
										    : 0;
	}
	if (r == -ENOENT)
		r = is_new ? make_pair(house, role, name, err) : refuse_loss(name, err);
	if (r < 0)
		return r;
	snprintf(house->first[role], DIGEST_HEX_SIZE, "%s", public_key_id(key_pair_public(house->pairs[role])));
	return 0;
}

/* A deletion that a crash cut short after it was noted. */
static int
finish_deletions(struct house *house, struct err *err)
{
	int r = 0;

	for (enum role role = 0; r == 0 && role < ROLE_COUNT; role++)
		if (house->pairs[role] && house_was(house, "deleted", house->first[role]))
			r = house_remove_key(house, role, err);
	return r < 0 ? r : house_drop_unnamed(house, err);
}

int
house_open(struct house *house, int dir, const char *name, bool is_new, struct err *err)
{
	int r;

	if (is_new && mkdirat(dir, name, 0700) < 0 && errno != EEXIST)
		return err_sys(err, "%s", name);
	house->dir = openat(dir, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (house->dir < 0)
		return errno == ENOENT ? refuse_loss(name, err) : err_sys(err, "%s", name);
	if ((r = load_roots(house, err)) < 0 || (r = house_read_handed_out(house, err)) < 0)
		return err_context(err, r, "%s", name);
	if (house->root_version == 0 && !is_new)
		return err_context(err, refuse_loss("1.root.json", err), "%s", name);
	for (enum role role = 0; role < ROLE_COUNT; role++)
		if ((r = open_pair(house, role, is_new, err)) < 0)
			return err_context(err, r, "%s", name);
	if (house->root && (r = finish_deletions(house, err)) < 0)
		return err_context(err, r, "%s", name);
	return 0;
}

void
house_done(struct house *house)
{
	for (int role = 0; role < ROLE_COUNT; role++)
		key_pair_free(house->pairs[role]);
	json_decref(house->root);
	json_decref(house->handed_out);
	if (house->dir >= 0)
		close(house->dir);
}

int
house_remove_key(struct house *house, enum role role, struct err *err)
{
	char name[32];

	key_file_name(role, name);
	if (unlinkat(house->dir, name, 0) < 0 && errno != ENOENT)
		return err_sys(err, "%s", name);
	if (fsync(house->dir) < 0)
		return err_sys(err, "%s: fsync of its folder", name);
	key_pair_free(house->pairs[role]);
	house->pairs[role] = NULL;
	log_line(LOG_NOTICE, "private key deleted file=%s keyid=%s", name, house->first[role]);
	return 0;
}

static int
drop_if_unnamed(struct house *house, enum role role, struct err *err)
{
	bool is_named;
	int r;

	if (!house->pairs[role])
		return 0;
	r = root_names(house->root, house->first[role], &is_named, err);
	return r < 0 || is_named ? r : house_remove_key(house, role, err);
}

int
house_drop_unnamed(struct house *house, struct err *err)
{
	int r = 0;

	for (enum role role = 0; role < ROLE_COUNT; role++) {
		int one = drop_if_unnamed(house, role, err);

		r = one < 0 ? one : r;
	}
	return r;
}

/* -- signing -- */

/* The id under which @root gives @role to the key in file @file; NULL if it is not here or does not. */
static const char *
id_here(const struct house *house, const json_t *root, enum role role, enum role file)
{
	return house->pairs[file] ? root_id_of(root, role, house->first[file]) : NULL;
}

static int
count_here(const struct house *house, const json_t *root, enum role role)
{
	int count = 0;

	for (enum role file = 0; file < ROLE_COUNT; file++)
		count += id_here(house, root, role, file) != NULL;
	return count;
}

int
house_can_sign(const struct house *house, enum role role)
{
	int threshold = root_threshold(house->root, role);

	return threshold >= 1 && count_here(house, house->root, role) >= threshold ? 0 : HOUSE_OFFLINE;
}

static int
add_signature(const struct key_pair *pair, const char *id, const char *canonical, size_t bytes,
    json_t *signatures, struct err *err)
{
	json_t *signature;
	int r = key_pair_sign(pair, canonical, bytes, &signature, err);

	if (r < 0)
		return r;
	if (json_object_set_new(signature, "keyid", json_string(id)) < 0) {
		json_decref(signature);
		return err_set(err, ENOMEM, "no memory for a signature");
	}
	return json_array_append_new(signatures, signature) < 0
		   ? err_set(err, ENOMEM, "no memory for a signature")
		   : 0;
}

/* Signs with the keys that @root gives @role. */
static int
sign_under(const struct house *house, const json_t *root, enum role role, const json_t *signed_part,
    char **envelope, size_t *bytes, struct err *err)
{
	AUTO(free_p) char *canonical = NULL;
	AUTO(json_decref_p) json_t *signatures = json_array();
	size_t n;
	int r;

	if ((r = canonical_write(signed_part, &canonical, &n, err)) < 0)
		return r;
	for (enum role file = 0; file < ROLE_COUNT; file++) {
		const char *id = id_here(house, root, role, file);

		if (id && (r = add_signature(house->pairs[file], id, canonical, n, signatures, err)) < 0)
			return r;
	}
	return envelope_write(signed_part, signatures, envelope, bytes, err);
}

int
house_sign(const struct house *house, enum role role, const json_t *signed_part, char **envelope, size_t *bytes,
    struct err *err)
{
	if (house_can_sign(house, role) == HOUSE_OFFLINE)
		return err_set(err, ENOKEY, "%s: %d.root.json needs %d signatures, keys for %d are here",
		    role_name(role), house->root_version, root_threshold(house->root, role),
		    count_here(house, house->root, role));
	return sign_under(house, house->root, role, signed_part, envelope, bytes, err);
}

/* -- roots -- */

/* The "signed" part of the first root: every role has its one key. */
static json_t *
make_root(const struct house *house)
{
	json_t *keys = json_object(), *roles = json_object();

	for (enum role role = 0; role < ROLE_COUNT; role++) {
		const struct public_key *public = key_pair_public(house->pairs[role]);

		json_object_set_new(keys, public_key_id(public), public_key_json(public));
		json_object_set_new(roles, role_name(role),
		    json_pack("{s:[s],s:i}", "keyids", public_key_id(public), "threshold", 1));
	}
	return json_pack(
	    "{s:s,s:b,s:o,s:o}", "_type", "Root", "consistent_snapshot", 0, "keys", keys, "roles", roles);
}

/* Makes @root, whose file is written, the newest. */
static void
become_newest(struct house *house, json_t *root)
{
	json_decref(house->root);
	house->root = json_incref(root);
	house->root_version++;
	house->is_told = false;
}

int
house_add_root(struct house *house, int64_t expires, struct err *err)
{
	AUTO(json_decref_p) json_t *root = house->root ? json_deep_copy(house->root) : make_root(house);
	AUTO(free_p) char *envelope = NULL;
	char name[32], text[UTC_TEXT_SIZE];
	size_t bytes;
	int r;

	utc_format(expires, text);
	if (!root || json_object_set_new(root, "expires", json_string(text)) < 0 ||
	    json_object_set_new(root, "version", json_integer(house->root_version + 1)) < 0)
		return err_set(err, ENOMEM, "no memory for a root");
	if ((r = sign_under(house, root, ROLE_ROOT, root, &envelope, &bytes, err)) < 0)
		return r;
	root_file_name(house->root_version + 1, name);
	if ((r = file_replace(house->dir, name, envelope, bytes, 0600, err)) < 0)
		return r;
	become_newest(house, root);
	return 0;
}

/* Snapshot and timestamp are signed anew all the time: their keys have to be here. */
static int
check_online(const struct house *house, const json_t *root, struct err *err)
{
	static const enum role online[] = { ROLE_SNAPSHOT, ROLE_TIMESTAMP };

	for (size_t i = 0; i < sizeof(online) / sizeof(online[0]); i++) {
		int here = count_here(house, root, online[i]), threshold = root_threshold(root, online[i]);

		if (here < threshold)
			return err_set(err, EBADMSG,
			    "root: %s has to stay with the keys of ota-signd: %d signatures are needed, keys "
			    "for %d are here",
			    role_name(online[i]), threshold, here);
	}
	return 0;
}

static int
check_next(const struct house *house, const json_t *root, struct err *err)
{
	const json_t *signed_part = json_object_get(root, "signed");
	int r, version;

	if ((r = envelope_version(signed_part, "root", &version, err)) < 0)
		return r;
	if (version != house->root_version + 1)
		return err_set(
		    err, EBADMSG, "root: version is %d, the next is %d", version, house->root_version + 1);
	if ((r = envelope_verify_role(root, house->root, ROLE_ROOT, "root", err)) < 0)
		return err_context(err, r, "by %d.root.json", house->root_version);
	if ((r = envelope_verify_role(root, signed_part, ROLE_ROOT, "root", err)) < 0)
		return err_context(err, r, "by itself");
	return check_online(house, signed_part, err);
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
	struct err later;
	char name[32];
	int r;

	if (is_newest(house, text, bytes))
		return 0;
	if ((r = root_read(text, bytes, now, &root, err)) < 0 || (r = check_next(house, root, err)) < 0)
		return r;
	root_file_name(house->root_version + 1, name);
	if ((r = file_replace(house->dir, name, text, bytes, 0600, err)) < 0)
		return r;
	become_newest(house, json_object_get(root, "signed"));
	/* The root stands. Keys that stay for now are not used, and deleted within the hour or at the next
	 * start. */
	if (house_drop_unnamed(house, &later) < 0)
		log_line(LOG_ERR, "private key not deleted yet reason=\"%s\"", later.text);
	return 0;
}
