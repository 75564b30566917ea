#include "sign/root.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "sign/canonical.h"
#include "sign/envelope.h"
#include "sign/key.h"

/* -EBADMSG if @object has a member that is not one of @names: ota-tuf would lose it when it encodes anew. */
static int
check_members(const json_t *object, const char *const *names, const char *what, struct err *err)
{
	for (void *at = json_object_iter((json_t *)(uintptr_t)object); at;
	     at = json_object_iter_next((json_t *)(uintptr_t)object, at)) {
		const char *const *name = names;

		while (*name && strcmp(*name, json_object_iter_key(at)))
			name++;
		if (!*name)
			return err_set(err, EBADMSG, "%s: has a member \"%.32s\" that does not belong there",
			    what, json_object_iter_key(at));
	}
	return json_is_object(object) ? 0 : err_set(err, EBADMSG, "%s: is no object", what);
}

static int
check_key(const char *id, const json_t *json, struct err *err)
{
	static const char *const members[] = { "keytype", "keyval", NULL }, *const values[] = { "public",
		NULL };
	AUTO(public_key_freep) struct public_key *key = NULL;
	const char *type = json_text(json, "keytype");
	char what[64];
	int r;

	snprintf(what, sizeof(what), "root: key %.12s...", id);
	if (!digest_is_sha256_hex(id))
		return err_set(err, EBADMSG, "root: key id \"%.70s\" is not 64 lower-case hex digits", id);
	if ((r = check_members(json, members, what, err)) < 0 ||
	    (r = check_members(json_object_get(json, "keyval"), values, what, err)) < 0 ||
	    (r = public_key_read(json, what, &key, err)) < 0)
		return r;
	if (strcmp(type, "RSA") && strcmp(type, "ED25519"))
		return err_set(err, EBADMSG, "%s: key type \"%.32s\" is not in upper-case letters", what, type);
	return 0;
}

static int
check_keys(const json_t *keys, struct err *err)
{
	if (!json_is_object(keys))
		return err_set(err, EBADMSG, "root: has no keys");
	for (void *at = json_object_iter((json_t *)(uintptr_t)keys); at;
	     at = json_object_iter_next((json_t *)(uintptr_t)keys, at)) {
		int r = check_key(json_object_iter_key(at), json_object_iter_value(at), err);

		if (r < 0)
			return r;
	}
	return 0;
}

/* Sets @is_new if no key before @at in the role has the same public value. */
static int
check_role_key(
    const json_t *ids, size_t at, const json_t *keys, const char *role, bool *is_new, struct err *err)
{
	const char *id = json_string_value(json_array_get(ids, at));
	AUTO(public_key_freep) struct public_key *key = NULL;
	int r;

	if (!id || !json_object_get(keys, id))
		return err_set(err, EBADMSG, "root: role %s names a key that is not there", role);
	if ((r = public_key_read(json_object_get(keys, id), "root", &key, err)) < 0)
		return r;
	*is_new = true;
	for (size_t i = 0; i < at; i++) {
		const char *other = json_string_value(json_array_get(ids, i));
		AUTO(public_key_freep) struct public_key *before = NULL;

		if (!strcmp(other, id))
			return err_set(err, EBADMSG, "root: role %s names key %.12s... twice", role, id);
		if ((r = public_key_read(json_object_get(keys, other), "root", &before, err)) < 0)
			return r;
		if (!strcmp(public_key_id(before), public_key_id(key)))
			*is_new = false;
	}
	return 0;
}

static int
check_role(const json_t *root, enum role role, struct err *err)
{
	static const char *const members[] = { "keyids", "threshold", NULL };
	const json_t *entry = json_object_get(json_object_get(root, "roles"), role_name(role));
	const json_t *ids = json_object_get(entry, "keyids");
	int64_t threshold, count = 0;
	char what[32];
	int r;

	snprintf(what, sizeof(what), "root: role %s", role_name(role));
	if (!entry)
		return err_set(err, EBADMSG, "%s is missing", what);
	if ((r = check_members(entry, members, what, err)) < 0 ||
	    (r = json_need_integer(entry, "threshold", what, ENVELOPE_THRESHOLD_MAX, &threshold, err)) < 0)
		return r;
	if (threshold < 1 || !json_is_array(ids) || json_array_size(ids) < 1)
		return err_set(err, EBADMSG, "%s has no keys or no threshold", what);
	if (json_array_size(ids) > ENVELOPE_SIGNATURES_MAX)
		return err_set(err, EBADMSG, "%s has more than %d keys", what, ENVELOPE_SIGNATURES_MAX);
	for (size_t i = 0; i < json_array_size(ids); i++) {
		bool is_new = true;

		r = check_role_key(ids, i, json_object_get(root, "keys"), role_name(role), &is_new, err);
		if (r < 0)
			return r;
		count += is_new;
	}
	if (count < threshold)
		return err_set(err, EBADMSG, "%s needs %d signatures and has %d different keys", what,
		    (int)threshold, (int)count);
	return 0;
}

static int
check_roles(const json_t *root, struct err *err)
{
	static const char *const names[] = { "root", "targets", "snapshot", "timestamp", NULL };
	int r = check_members(json_object_get(root, "roles"), names, "root: roles", err);

	for (enum role role = 0; r == 0 && role < ROLE_COUNT; role++)
		r = check_role(root, role, err);
	return r;
}

static int
check_form(const json_t *root, int64_t now, struct err *err)
{
	static const char *const names[] = { "_type", "consistent_snapshot", "expires", "keys", "roles",
		"version", NULL };
	AUTO(free_p) char *canonical = NULL;
	const char *type;
	int64_t expires;
	int r, version;

	if ((r = json_need_text(root, "_type", "root", &type, err)) < 0)
		return r;
	if (strcmp(type, "Root"))
		return err_set(err, EBADMSG, "root: _type is \"%.32s\", not Root", type);
	if ((r = check_members(root, names, "root", err)) < 0 ||
	    (r = envelope_version(root, "root", &version, err)) < 0 ||
	    (r = envelope_expires(root, "root", &expires, err)) < 0 ||
	    (r = canonical_write(root, &canonical, NULL, err)) < 0)
		return r;
	if (expires <= now)
		return err_set(err, EBADMSG, "root: expires in the past");
	if (strstr(canonical, "\\u"))
		return err_set(err, EBADMSG, "root: has characters outside printable ASCII");
	if (!json_is_false(json_object_get(root, "consistent_snapshot")))
		return err_set(err, EBADMSG, "root: consistent_snapshot is not false");
	if ((r = check_keys(json_object_get(root, "keys"), err)) < 0)
		return r;
	return check_roles(root, err);
}

int
root_check(const json_t *root, int64_t now, struct err *err)
{
	int r = check_form(root, now, err);

	return r == -EBADMSG ? err_context(err, r, "TUF 1.0, 4.3") : r;
}

int
root_read(const char *text, size_t bytes, int64_t now, json_t **out, struct err *err)
{
	static const char *const names[] = { "signatures", "signed", NULL };
	AUTO(json_decref_p) json_t *root = NULL;
	int r;

	if (bytes > ROOT_BYTES_MAX)
		return err_set(err, EBADMSG, "root: has %zu bytes, devices read %d", bytes, ROOT_BYTES_MAX);
	for (size_t i = 0; i < bytes; i++)
		if ((unsigned char)text[i] > 0x7e)
			return err_set(err, EBADMSG, "root: has characters outside printable ASCII");
	if ((r = json_read(text, bytes, "root", &root, err)) < 0 ||
	    (r = envelope_check(root, "root", err)) < 0 || (r = check_members(root, names, "root", err)) < 0 ||
	    (r = root_check(json_object_get(root, "signed"), now, err)) < 0)
		return r;
	*out = MOVE(root);
	return 0;
}

static const json_t *
role_entry(const json_t *root, enum role role)
{
	return json_object_get(json_object_get(root, "roles"), role_name(role));
}

const json_t *
root_keyids(const json_t *root, enum role role)
{
	return json_object_get(role_entry(root, role), "keyids");
}

int
root_public_id(const json_t *root, const char *keyid, char public_id[static DIGEST_HEX_SIZE], struct err *err)
{
	AUTO(public_key_freep) struct public_key *key = NULL;
	int r = public_key_read(json_object_get(json_object_get(root, "keys"), keyid), "root", &key, err);

	if (r < 0)
		return r;
	snprintf(public_id, DIGEST_HEX_SIZE, "%s", public_key_id(key));
	return 0;
}

bool
root_resolve(const json_t *root, const char *keyid, char public_id[static DIGEST_HEX_SIZE])
{
	struct err ignored;

	return root_public_id(root, keyid, public_id, &ignored) == 0;
}

const char *
root_id_of(const json_t *root, enum role role, const char *public_id)
{
	const json_t *ids = root_keyids(root, role);

	for (size_t i = 0; i < json_array_size(ids); i++) {
		const char *id = json_string_value(json_array_get(ids, i));
		char found[DIGEST_HEX_SIZE];

		if (id && root_resolve(root, id, found) && !strcmp(found, public_id))
			return id;
	}
	return NULL;
}

int
root_threshold(const json_t *root, enum role role)
{
	return (int)json_integer_value(json_object_get(role_entry(root, role), "threshold"));
}
