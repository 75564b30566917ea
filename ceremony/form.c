#include "ceremony/form.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/envelope.h"
#include "sign/key.h"
#include "sign/root.h"

/** One image fits a handful of boards; the server takes no more. */
#define HARDWARE_MAX 64
/** The server takes no more delegations, keys or paths of one document. */
#define DELEGATIONS_MAX 64
/** Longest address of a target. */
#define URI_MAX 1000
/** When to speak up. */
#define SOON_DAYS 7

int
form_role(const json_t *signed_part)
{
	const char *type = json_text(signed_part, "_type");

	if (type && !strcasecmp(type, "root"))
		return ROLE_ROOT;
	for (enum role role = 0; type && role < ROLE_COUNT; role++)
		if (!strcmp(type, role_type(role)))
			return (int)role;
	return -1;
}

int
form_repository(const json_t *signed_part)
{
	json_t *targets = json_object_get(signed_part, "targets"), *target;
	const char *file;

	if (json_object_get(json_object_get(signed_part, "custom"), "deviceId"))
		return REPOSITORY_DIRECTOR;
	json_object_foreach(targets, file, target)
	{
		const json_t *custom = json_object_get(target, "custom");

		if (json_object_get(custom, "ecuIdentifiers"))
			return REPOSITORY_DIRECTOR;
		if (json_object_get(custom, "hardwareIds"))
			return REPOSITORY_IMAGE;
	}
	return json_object_get(signed_part, "delegations") ? REPOSITORY_IMAGE : -1;
}

/* -- targets -- */

static int
check_hardware(const json_t *list, const char *file, struct err *err)
{
	if (!json_is_array(list) || json_array_size(list) < 1 || json_array_size(list) > HARDWARE_MAX)
		return err_set(err, EBADMSG,
		    "%.100s: custom.hardwareIds is no list of 1 to %d; no device takes it", file, HARDWARE_MAX);
	for (size_t i = 0; i < json_array_size(list); i++) {
		const char *id = json_string_value(json_array_get(list, i));

		if (!id)
			return err_set(err, EBADMSG, "%.100s: hardware id %zu is no text", file, i + 1);
		if (name_check_hardware(id, err) < 0)
			return err_context(err, -EBADMSG, "%.100s", file);
	}
	return 0;
}

static int
check_ecus(const json_t *custom, const char *file, struct err *err)
{
	json_t *ecus = json_object_get(custom, "ecuIdentifiers"), *ecu;
	const char *serial;

	if (!json_is_object(ecus) || json_object_size(ecus) == 0)
		return err_set(err, EBADMSG, "%.100s: custom.ecuIdentifiers is missing or empty", file);
	if (json_object_get(custom, "hardwareIds"))
		return err_set(err, EBADMSG,
		    "%.100s: has ecuIdentifiers (of a director) and hardwareIds (of an image repository)",
		    file);
	json_object_foreach(ecus, serial, ecu)
	{
		if (!json_text(ecu, "hardwareId"))
			return err_set(err, EBADMSG, "%.100s: ECU %.64s has no hardwareId", file, serial);
	}
	return 0;
}

static int
check_uri(const json_t *uri, const char *file, struct err *err)
{
	const char *text = json_string_value(uri);

	if (!uri || json_is_null(uri) || (text && !*text))
		return 0;
	if (!text || strlen(text) > URI_MAX || strchr(text, ' ') ||
	    (strncmp(text, "https://", 8) != 0 && strncmp(text, "http://", 7) != 0))
		return err_set(err, EBADMSG,
		    "%.100s: uri is neither null nor an http:// or https:// address of at most "
		    "%d characters",
		    file, URI_MAX);
	return 0;
}

static int
check_format(const json_t *custom, int64_t length, const char *file, struct err *err)
{
	const char *format = json_text(custom, "targetFormat");

	if (json_object_get(custom, "targetFormat") &&
	    (!format || (strcmp(format, "OSTREE") != 0 && strcmp(format, "BINARY") != 0)))
		return err_set(err, EBADMSG, "%.100s: targetFormat is neither OSTREE nor BINARY", file);
	if (format && !strcmp(format, "OSTREE") && length)
		return err_set(err, EBADMSG, "%.100s: is OSTREE and has length %lld; it has to be 0", file,
		    (long long)length);
	return 0;
}

/* What garage-sign and the server want as well. */
static int
check_names(const json_t *custom, const char *file, struct err *err)
{
	const char *name = json_text(custom, "name"), *version = json_text(custom, "version");

	if (!name || !version)
		return err_set(err, EBADMSG, "%.100s: custom.name or custom.version is missing", file);
	if (name_check_package(name, err) < 0 || name_check_version(version, err) < 0)
		return err_context(err, -EBADMSG, "%.100s", file);
	return 0;
}

int
form_check_target(const char *file, const json_t *target, int repository, struct err *err)
{
	const json_t *custom = json_object_get(target, "custom");
	const char *hash = json_text(json_object_get(target, "hashes"), "sha256");
	bool is_director = json_object_get(custom, "ecuIdentifiers");
	int64_t length;
	int r;

	if (name_check_target(file, err) < 0)
		return -(err->code = EBADMSG);
	if ((r = json_need_integer(target, "length", file, INT64_MAX, &length, err)) < 0)
		return r;
	if (!hash || !digest_is_sha256_hex(hash))
		return err_set(err, EBADMSG, "%.100s: hashes.sha256 is not 64 lower-case hex digits", file);
	if (repository >= 0 && is_director != (repository == REPOSITORY_DIRECTOR))
		return err_set(err, EBADMSG,
		    "%.100s: is an entry of %s repository, in a document of the other one", file,
		    is_director ? "the director" : "the image");
	if ((r = check_uri(json_object_get(custom, "uri"), file, err)) < 0 ||
	    (r = check_format(custom, length, file, err)) < 0)
		return r;
	if (is_director)
		return check_ecus(custom, file, err);
	r = check_hardware(json_object_get(custom, "hardwareIds"), file, err);
	return r < 0 ? r : check_names(custom, file, err);
}

/* -- delegations -- */

static int
check_paths(const json_t *role, const char *what, struct err *err)
{
	const json_t *paths = json_object_get(role, "paths");

	if (json_object_get(role, "path_hash_prefixes"))
		return err_set(
		    err, EBADMSG, "%s: path_hash_prefixes are not known to devices; use paths", what);
	if (!json_is_array(paths) || json_array_size(paths) < 1 || json_array_size(paths) > DELEGATIONS_MAX)
		return err_set(err, EBADMSG, "%s: has no list of 1 to %d paths", what, DELEGATIONS_MAX);
	for (size_t i = 0; i < json_array_size(paths); i++) {
		const char *path = json_string_value(json_array_get(paths, i));

		if (!path || !*path || strlen(path) > NAME_TARGET_MAX || strstr(path, ".."))
			return err_set(err, EBADMSG, "%s: path %zu is no text of 1 to %d bytes without \"..\"",
			    what, i + 1, NAME_TARGET_MAX);
	}
	return 0;
}

/* Counts different keys: one key under two ids signs once. */
static int
count_keys(const json_t *ids, const json_t *keys, const char *what, int64_t *count, struct err *err)
{
	char seen[DELEGATIONS_MAX][DIGEST_HEX_SIZE];

	*count = 0;
	for (size_t i = 0; i < json_array_size(ids); i++) {
		const char *id = json_string_value(json_array_get(ids, i));
		AUTO(public_key_freep) struct public_key *key = NULL;
		int64_t k = 0;
		int r;

		if (!id || !json_object_get(keys, id))
			return err_set(err, EBADMSG, "%s: key id %.64s is not among the keys", what,
			    id ? id : "that is no text");
		for (size_t n = 0; n < i; n++)
			if (json_equal(json_array_get(ids, n), json_array_get(ids, i)))
				return err_set(err, EBADMSG, "%s: key id %.64s is there twice", what, id);
		if ((r = public_key_read(json_object_get(keys, id), what, &key, err)) < 0)
			return r;
		while (k < *count && strcmp(seen[k], public_key_id(key)) != 0)
			k++;
		if (k == *count)
			snprintf(seen[(*count)++], DIGEST_HEX_SIZE, "%s", public_key_id(key));
	}
	return 0;
}

static int
check_threshold(const json_t *role, const json_t *keys, const char *what, struct err *err)
{
	const json_t *ids = json_object_get(role, "keyids");
	int64_t threshold, count;
	int r;

	if (!json_is_array(ids) || json_array_size(ids) < 1 || json_array_size(ids) > DELEGATIONS_MAX)
		return err_set(err, EBADMSG, "%s: has no list of 1 to %d key ids", what, DELEGATIONS_MAX);
	if ((r = count_keys(ids, keys, what, &count, err)) < 0 ||
	    (r = json_need_integer(role, "threshold", what, ENVELOPE_THRESHOLD_MAX, &threshold, err)) < 0)
		return r;
	if (threshold < 1 || threshold > count)
		return err_set(err, EBADMSG,
		    "%s: threshold is %lld, with %lld different keys it can be 1 to %lld", what,
		    (long long)threshold, (long long)count, (long long)count);
	return 0;
}

static int
check_delegation(const json_t *roles, size_t at, const json_t *keys, struct err *err)
{
	const json_t *role = json_array_get(roles, at);
	const char *name = json_text(role, "name");
	char what[NAME_DELEGATION_MAX + 16];
	int r;

	if (name_check_delegation(name ? name : "", err) < 0)
		return -(err->code = EBADMSG);
	snprintf(what, sizeof(what), "delegation %s", name);
	for (size_t i = 0; i < at; i++)
		if (!strcmp(json_text(json_array_get(roles, i), "name"), name))
			return err_set(err, EBADMSG, "%s: is there twice", what);
	if (json_object_get(role, "terminating") && !json_is_boolean(json_object_get(role, "terminating")))
		return err_set(err, EBADMSG, "%s: terminating is neither true nor false", what);
	r = check_threshold(role, keys, what, err);
	return r < 0 ? r : check_paths(role, what, err);
}

/* Devices refuse the whole document for one key that they do not know, whether it is used or not. */
static int
check_keys(json_t *keys, struct err *err)
{
	const char *id;
	json_t *json;

	if (!json_is_object(keys) || json_object_size(keys) > DELEGATIONS_MAX)
		return err_set(err, EBADMSG, "delegations: have no object of at most %d keys", DELEGATIONS_MAX);
	json_object_foreach(keys, id, json)
	{
		AUTO(public_key_freep) struct public_key *key = NULL;
		char what[96];
		int r;

		snprintf(what, sizeof(what), "delegations: key %.64s", id);
		if ((r = public_key_read(json, what, &key, err)) < 0)
			return r;
	}
	return 0;
}

static int
check_delegations(const json_t *delegations, int repository, struct err *err)
{
	const json_t *roles = json_object_get(delegations, "roles");
	json_t *keys = json_object_get(delegations, "keys");
	int r;

	if (!delegations || json_is_null(delegations))
		return 0;
	if (!json_is_array(roles) || json_array_size(roles) > DELEGATIONS_MAX)
		return err_set(err, EBADMSG, "delegations: have no list of at most %d roles", DELEGATIONS_MAX);
	if (repository == REPOSITORY_DIRECTOR && json_array_size(roles) > 0)
		return err_set(err, EBADMSG, "delegations: a director may not delegate");
	r = check_keys(keys, err);
	for (size_t i = 0; r == 0 && i < json_array_size(roles); i++)
		r = check_delegation(roles, i, keys, err);
	return r;
}

json_t *
form_delegation(const json_t *signed_part, const char *name)
{
	const json_t *roles = json_object_get(json_object_get(signed_part, "delegations"), "roles");

	for (size_t i = 0; i < json_array_size(roles); i++)
		if (!strcmp(json_text(json_array_get(roles, i), "name") ?: "", name))
			return json_array_get(roles, i);
	return NULL;
}

/* -- whole documents -- */

static int
check_targets(const json_t *signed_part, struct err *err)
{
	json_t *targets = json_object_get(signed_part, "targets"), *target;
	int r, repository = form_repository(signed_part);
	const char *file;

	if (!json_is_object(targets))
		return err_set(err, EBADMSG, "has no object \"targets\"");
	json_object_foreach(targets, file, target)
	{
		if ((r = form_check_target(file, target, repository, err)) < 0)
			return r;
	}
	return check_delegations(json_object_get(signed_part, "delegations"), repository, err);
}

static int
check_meta(const json_t *signed_part, enum role role, struct err *err)
{
	json_t *meta = json_object_get(signed_part, "meta"), *entry;
	const char *name, *wanted = role == ROLE_TIMESTAMP ? "snapshot.json" : "targets.json";
	int64_t number;
	int r;

	if (!json_object_get(meta, wanted))
		return err_set(err, EBADMSG, "meta has no \"%s\"", wanted);
	json_object_foreach(meta, name, entry)
	{
		if ((r = json_need_integer(entry, "version", name, INT32_MAX, &number, err)) < 0)
			return r;
		if (role == ROLE_TIMESTAMP &&
		    ((r = json_need_integer(entry, "length", name, FORM_SMALL_MAX, &number, err)) < 0 ||
			!json_is_object(json_object_get(entry, "hashes"))))
			return r < 0 ? r : err_set(err, EBADMSG, "%.64s: has no hashes", name);
	}
	return 0;
}

static int
check_methods(const json_t *envelope, struct err *err)
{
	const json_t *signatures = json_object_get(envelope, "signatures");

	for (size_t i = 0; i < json_array_size(signatures); i++) {
		const char *method = json_text(json_array_get(signatures, i), "method");

		if (strcasecmp(method, "ed25519") != 0 && strcasecmp(method, "rsassa-pss") != 0 &&
		    strcasecmp(method, "rsassa-pss-sha256") != 0)
			return err_set(err, EBADMSG, "signature method \"%.32s\" is unknown", method);
	}
	return 0;
}

static int
check_head(const json_t *signed_part, int role, int64_t now, struct err *err)
{
	const char *type = json_text(signed_part, "_type");
	int64_t expires;
	int r, version;

	if (role < 0)
		return err_set(err, EBADMSG, "_type is \"%.32s\"; it is Root, Targets, Snapshot or Timestamp",
		    type ? type : "");
	if ((r = envelope_version(signed_part, role_name((enum role)role), &version, err)) < 0 ||
	    (r = envelope_expires(signed_part, role_name((enum role)role), &expires, err)) < 0)
		return r;
	if (expires <= now)
		return err_set(
		    err, EBADMSG, "has expired: %s is in the past", json_text(signed_part, "expires"));
	return 0;
}

static int
check_size(size_t bytes, const json_t *signed_part, int role, struct err *err)
{
	bool is_large = role == ROLE_TARGETS && form_repository(signed_part) != REPOSITORY_DIRECTOR;
	size_t max = is_large ? FORM_LARGE_MAX : FORM_SMALL_MAX;

	if (bytes > max)
		return err_set(err, EBADMSG, "has %zu bytes; a %s may have %zu", bytes,
		    role == ROLE_TARGETS && !is_large ? "director's targets" : role_name((enum role)role), max);
	return 0;
}

static int
check_root(const json_t *envelope, int64_t now, struct err *err)
{
	AUTO(json_decref_p) json_t *root = NULL;
	AUTO(free_p) char *text = NULL;
	size_t bytes;
	int r = canonical_write(envelope, &text, &bytes, err);

	return r < 0 ? r : root_read(text, bytes, now, &root, err);
}

static int
check_all(const json_t *envelope, size_t bytes, int64_t now, struct err *err)
{
	const json_t *signed_part = json_object_get(envelope, "signed");
	AUTO(free_p) char *canonical = NULL;
	int role = form_role(signed_part), r;
	size_t canonical_bytes;

	if ((r = check_head(signed_part, role, now, err)) < 0 ||
	    (r = canonical_write(envelope, &canonical, &canonical_bytes, err)) < 0 ||
	    (r = check_size(bytes ? bytes : canonical_bytes, signed_part, role, err)) < 0 ||
	    (r = check_methods(envelope, err)) < 0)
		return r;
	if (strstr(canonical, "\\u"))
		return err_set(err, EBADMSG, "has characters outside printable ASCII");
	if (role == ROLE_ROOT)
		return check_root(envelope, now, err);
	return role == ROLE_TARGETS ? check_targets(signed_part, err)
				    : check_meta(signed_part, (enum role)role, err);
}

int
form_check(const json_t *envelope, size_t bytes, int64_t now, const char *what, struct err *err)
{
	int r = check_all(envelope, bytes, now, err);

	return r < 0 ? err_context(err, r, "%.200s", what) : 0;
}

/* -- warnings -- */

static int
warn(json_t *out, struct err *err, const char *text, const char *name)
{
	json_t *line = json_sprintf("%s%s%s", name, *name ? ": " : "", text);

	return json_array_append_new(out, line) < 0 ? err_set(err, ENOMEM, "no memory") : 0;
}

static int
warn_target(const char *file, const json_t *target, json_t *out, struct err *err)
{
	const json_t *custom = json_object_get(target, "custom");

	if (json_object_size(json_object_get(target, "hashes")) > 1)
		return warn(out, err, "has other hashes than sha256; garage-sign cannot read that", file);
	if (!json_object_get(custom, "targetFormat"))
		return warn(out, err, "has no targetFormat; devices guess it from the length", file);
	if (json_object_get(custom, "hardwareIds") &&
	    (!json_text(custom, "createdAt") || !json_text(custom, "updatedAt")))
		return warn(out, err, "has no createdAt or updatedAt; garage-sign cannot read that", file);
	return 0;
}

int
form_warn(const json_t *envelope, int64_t now, json_t *out, struct err *err)
{
	const json_t *signed_part = json_object_get(envelope, "signed");
	json_t *targets = json_object_get(signed_part, "targets"), *target;
	int role = form_role(signed_part), r = 0;
	const char *file;
	int64_t expires;

	if (role != ROLE_TIMESTAMP && envelope_expires(signed_part, "document", &expires, err) == 0 &&
	    expires > now && expires < now + SOON_DAYS * 86400)
		r = warn(out, err, "expires within a week", "");
	json_object_foreach(targets, file, target)
	{
		if (r == 0)
			r = warn_target(file, target, out, err);
	}
	return r;
}
