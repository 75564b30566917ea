/* ota-sign rotate, revoke: new keys for roles, by the root keys that are with ota-signd. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ceremony/online.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "sign/envelope.h"
#include "sign/root.h"

/** Of one role: everybody reads the root. */
#define ROLE_KEYS_MAX 16

static int
no_memory(struct err *err)
{
	return err_set(err, ENOMEM, "no memory");
}

/* -- rotate -- */

/* Keys that somebody keeps elsewhere are not replaced by ours unless that is meant. */
static int
check_where(const struct present *present, enum role role, const struct arguments *arguments, struct err *err)
{
	const char *name = repository_name(present->repository);

	if (!present_count(present, role, "elsewhere") || arguments_text(arguments, "online"))
		return 0;
	return err_set(err, EPERM,
	    "%s: keys of role %s are elsewhere: replace them with ota-sign root begin %s --remove-key ... "
	    "--add-key ...; --online gives the role to keys of ota-signd",
	    name, role_name(role), name);
}

static int
want_role(const struct present *present, const struct arguments *arguments, const char *name, json_t *roles,
    struct err *err)
{
	int64_t keys, threshold;
	enum role role;
	int r;

	if ((r = online_role(name, &role, err)) < 0 || (r = check_where(present, role, arguments, err)) < 0)
		return r;
	keys = (int64_t)json_array_size(root_keyids(present->root, role));
	threshold = root_threshold(present->root, role);
	if ((r = arguments_integer(arguments, "keys", 1, ROLE_KEYS_MAX, &keys, err)) < 0 ||
	    (r = arguments_integer(arguments, "threshold", 1, ROLE_KEYS_MAX, &threshold, err)) < 0)
		return r;
	if (json_object_set_new(roles, name,
		json_pack("{s:I,s:I}", "new", (json_int_t)keys, "threshold", (json_int_t)threshold)) < 0)
		return no_memory(err);
	return 0;
}

int
rotate_run(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "config=", "keys=", "threshold=", "online", "preview", "yes",
		NULL };
	AUTO(online_done) struct online online = { 0 };
	AUTO(present_done) struct present present = { 0 };
	AUTO(json_decref_p) json_t *roles = json_object();
	enum repository repository;
	struct arguments arguments;
	int r;

	if ((r = online_open(argc, argv, names, 2, 1 + ROLE_COUNT, &arguments, &online, err)) < 0 ||
	    (r = online_repository(arguments.words[0], &repository, err)) < 0 ||
	    (r = present_read(&online, repository, true, &present, err)) < 0)
		return r;
	for (size_t i = 1; i < arguments.word_count; i++)
		if ((r = want_role(&present, &arguments, arguments.words[i], roles, err)) < 0)
			return r;
	return online_change(&online, &arguments, &present, roles, err);
}

/* -- revoke -- */

/* Sets @keyid to the one key of the root whose id begins like @start. */
static int
find_key(const json_t *root, const char *start, const char **keyid, struct err *err)
{
	json_t *keys = json_object_get(root, "keys"), *ignored;
	const char *id;
	int found = 0;

	if (strlen(start) < 8)
		return err_set(err, EINVAL, "\"%.64s\": give at least 8 digits of the key's id", start);
	json_object_foreach(keys, id, ignored)
	{
		if (strncmp(id, start, strlen(start)) != 0)
			continue;
		*keyid = id;
		found++;
	}
	return found == 1 ? 0
			  : err_set(err, ENOENT, "%.64s: %s", start,
				found ? "several keys begin like that" : "the newest root has no such key");
}

static bool
has_key(const json_t *ids, const char *keyid)
{
	for (size_t i = 0; i < json_array_size(ids); i++)
		if (!strcmp(json_string_value(json_array_get(ids, i)) ?: "", keyid))
			return true;
	return false;
}

/* The role without the key. Roles that others have to hold keys of are no business of ours. */
static int
drop_from(const struct present *present, enum role role, const char *keyid, bool is_replaced, json_t *roles,
    struct err *err)
{
	AUTO(json_decref_p) json_t *keys = present_role_keys(present, role, keyid);
	int threshold = root_threshold(present->root, role), left = (int)json_array_size(keys);
	const char *name = repository_name(present->repository);

	if (!keys)
		return no_memory(err);
	if (is_replaced && present_count(present, role, "elsewhere"))
		return err_set(err, EPERM,
		    "%s: keys of role %s are elsewhere: ota-sign root begin %s --remove-key %s=%.12s --add-key "
		    "%s=FILE.pub",
		    name, role_name(role), name, role_name(role), keyid, role_name(role));
	if (!is_replaced && left < threshold)
		return err_set(err, EPERM,
		    "%s: role %s would have %d keys and needs %d signatures: --replace makes a new key", name,
		    role_name(role), left, threshold);
	return json_object_set_new(roles, role_name(role),
		   json_pack("{s:O,s:i,s:i}", "keys", keys, "new", is_replaced, "threshold", threshold)) < 0
		   ? no_memory(err)
		   : 0;
}

int
revoke_run(int argc, char **argv, struct err *err)
{
	static const char *const names[] = { "config=", "replace", "preview", "yes", NULL };
	AUTO(online_done) struct online online = { 0 };
	AUTO(present_done) struct present present = { 0 };
	AUTO(json_decref_p) json_t *roles = json_object();
	enum repository repository;
	struct arguments arguments;
	const char *keyid = NULL;
	int r;

	if ((r = online_open(argc, argv, names, 2, 2, &arguments, &online, err)) < 0 ||
	    (r = online_repository(arguments.words[0], &repository, err)) < 0 ||
	    (r = present_read(&online, repository, true, &present, err)) < 0 ||
	    (r = find_key(present.root, arguments.words[1], &keyid, err)) < 0)
		return r;
	for (enum role role = 0; role < ROLE_COUNT; role++)
		if (has_key(root_keyids(present.root, role), keyid) &&
		    (r = drop_from(&present, role, keyid, arguments_text(&arguments, "replace"), roles, err)) <
			0)
			return r;
	return online_change(&online, &arguments, &present, roles, err);
}
