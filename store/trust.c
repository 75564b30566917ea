#include "store/trust.h"

#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/name.h"
#include "sign/delegation.h"
#include "sign/envelope.h"
#include "sign/key.h"
#include "store/offer.h"

/* -- the form -- */

static int
check_keys(const json_t *keys, const char *what, struct err *err)
{
	if (!json_is_object(keys))
		return drop_bad(err, "%s: delegations have no object \"keys\"", what);
	if (json_object_size(keys) > TRUST_KEYS_MAX)
		return drop_bad(err, "%s: delegations have %zu keys, at most %d are allowed", what,
		    json_object_size(keys), TRUST_KEYS_MAX);
	for (void *at = json_object_iter((json_t *)(uintptr_t)keys); at;
	     at = json_object_iter_next((json_t *)(uintptr_t)keys, at)) {
		AUTO(public_key_freep) struct public_key *key = NULL;
		char name[128];
		int r;

		snprintf(name, sizeof(name), "%s: key %.64s", what, json_object_iter_key(at));
		if (!*json_object_iter_key(at))
			return drop_bad(err, "%s: a key has an empty id", what);
		r = public_key_read(json_object_iter_value(at), name, &key, err);
		if (r < 0)
			return r == -ENOMEM ? r : DROP_BAD;
	}
	return 0;
}

static int
check_keyids(const json_t *role, const json_t *keys, const char *what, struct err *err)
{
	const json_t *ids = json_object_get(role, "keyids");
	int64_t threshold;

	if (!json_is_array(ids) || json_array_size(ids) == 0)
		return drop_bad(err, "%s: keyids is missing or empty", what);
	for (size_t i = 0; i < json_array_size(ids); i++) {
		const char *id = json_string_value(json_array_get(ids, i));

		if (!id || !json_object_get(keys, id))
			return drop_bad(
			    err, "%s: key id %.64s is not among the keys", what, id ? id : "that is no text");
		for (size_t k = 0; k < i; k++)
			if (json_equal(json_array_get(ids, k), json_array_get(ids, i)))
				return drop_bad(err, "%s: key id %.64s is there twice", what, id);
	}
	if (json_need_integer(role, "threshold", what, ENVELOPE_THRESHOLD_MAX, &threshold, err) < 0)
		return DROP_BAD;
	if (threshold < 1 || (size_t)threshold > json_array_size(ids))
		return drop_bad(err, "%s: threshold is %lld, with %zu keys it can be 1 to %zu", what,
		    (long long)threshold, json_array_size(ids), json_array_size(ids));
	return 0;
}

static int
check_paths(const json_t *role, const char *what, struct err *err)
{
	const json_t *paths = json_object_get(role, "paths");

	if (json_object_get(role, "path_hash_prefixes"))
		return drop_bad(err, "%s: path_hash_prefixes are not known to clients; use paths", what);
	if (!json_is_array(paths) || json_array_size(paths) == 0)
		return drop_bad(err, "%s: paths is missing or empty", what);
	if (json_array_size(paths) > TRUST_PATHS_MAX)
		return drop_bad(err, "%s: has %zu paths, at most %d are allowed", what, json_array_size(paths),
		    TRUST_PATHS_MAX);
	for (size_t i = 0; i < json_array_size(paths); i++) {
		const char *path = json_string_value(json_array_get(paths, i));

		if (!path || !*path || strlen(path) > NAME_TARGET_MAX || strstr(path, ".."))
			return drop_bad(err, "%s: path %zu is no text of 1 to %d bytes without \"..\"", what,
			    i + 1, NAME_TARGET_MAX);
	}
	return 0;
}

static int
check_role(const json_t *roles, size_t at, const json_t *keys, const char *document, struct err *err)
{
	const json_t *role = json_array_get(roles, at), *terminating = json_object_get(role, "terminating");
	const char *name = json_text(role, "name");
	char what[160];
	int r;

	if (name_check_delegation(name ? name : "", err) < 0) {
		err_context(err, 0, "%.60s: delegation %zu", document, at + 1);
		return DROP_BAD;
	}
	snprintf(what, sizeof(what), "%.60s: delegation %s", document, name);
	for (size_t i = 0; i < at; i++)
		if (!strcmp(json_text(json_array_get(roles, i), "name"), name))
			return drop_bad(err, "%s: is there twice", what);
	if (terminating && !json_is_boolean(terminating))
		return drop_bad(err, "%s: terminating is neither true nor false", what);
	r = check_keyids(role, keys, what, err);
	return r ? r : check_paths(role, what, err);
}

int
trust_check(const json_t *delegations, const char *what, struct err *err)
{
	const json_t *keys = json_object_get(delegations, "keys"),
		     *roles = json_object_get(delegations, "roles");
	int r;

	if (!json_is_object(delegations) || !json_is_array(roles))
		return drop_bad(err, "%s: delegations are no {\"keys\":{...},\"roles\":[...]}", what);
	if (json_array_size(roles) > TRUST_ROLES_MAX)
		return drop_bad(err, "%s: has %zu delegations, at most %d are allowed", what,
		    json_array_size(roles), TRUST_ROLES_MAX);
	if (!offer_is_ascii(roles))
		return drop_bad(err, "%s: delegations are not all printable ASCII", what);
	r = check_keys(keys, what, err);
	for (size_t i = 0; r == 0 && i < json_array_size(roles); i++)
		r = check_role(roles, i, keys, what, err);
	return r;
}

json_t *
trust_complete(const json_t *delegations)
{
	json_t *copy = json_deep_copy(delegations), *roles = json_object_get(copy, "roles");

	for (size_t i = 0; i < json_array_size(roles); i++) {
		json_t *role = json_array_get(roles, i);

		if (!json_object_get(role, "terminating") &&
		    json_object_set_new(role, "terminating", json_false()) < 0) {
			json_decref(copy);
			return NULL;
		}
	}
	return copy;
}

/* -- who delegates to whom -- */

static void
add_roles(struct trust *trust, const json_t *document, const json_t *pushed, int parent, int depth)
{
	const json_t *delegations = json_object_get(document, "delegations");
	const json_t *roles = json_object_get(delegations, "roles");

	for (size_t i = 0; i < json_array_size(roles) && trust->count < TRUST_NODES_MAX; i++) {
		const json_t *role = json_array_get(roles, i);
		const char *name = json_text(role, "name");

		if (name && trust_find(trust, name) < 0)
			trust->nodes[trust->count++] =
			    (struct trust_node){ name, json_object_get(delegations, "keys"), role,
				    json_object_get(pushed, name), parent, depth };
	}
}

void
trust_walk(const json_t *targets, const json_t *pushed, struct trust *out)
{
	out->count = 0;
	add_roles(out, targets, pushed, -1, 1);
	/* The list grows behind us: nearest first. */
	for (size_t i = 0; i < out->count; i++)
		if (out->nodes[i].document && out->nodes[i].depth < TRUST_DEPTH_MAX)
			add_roles(out, out->nodes[i].document, pushed, (int)i, out->nodes[i].depth + 1);
}

int
trust_find(const struct trust *trust, const char *name)
{
	for (size_t i = 0; i < trust->count; i++)
		if (!strcmp(trust->nodes[i].name, name))
			return (int)i;
	return -1;
}

bool
trust_allows(const struct trust *trust, int number, const char *file)
{
	for (; number >= 0; number = trust->nodes[number].parent)
		if (!delegation_allows(trust->nodes[number].role, file))
			return false;
	return true;
}

int
trust_verify(const struct trust *trust, int number, const json_t *json, struct err *err)
{
	const struct trust_node *node = &trust->nodes[number];
	char what[96];
	int r;

	snprintf(what, sizeof(what), "delegation %s", node->name);
	r = envelope_verify_keys(json, node->keys, json_object_get(node->role, "keyids"),
	    (int)json_integer_value(json_object_get(node->role, "threshold")), what, err);
	if (r == 0 || r == -ENOMEM)
		return r;
	err->code = EKEYREJECTED;
	return DROP_BAD;
}

int
trust_check_names(const struct trust *trust, int number, const json_t *document, struct err *err)
{
	const json_t *roles = json_object_get(json_object_get(document, "delegations"), "roles");
	const struct trust_node *node = &trust->nodes[number];

	if (json_array_size(roles) > 0 && node->depth == TRUST_DEPTH_MAX)
		return drop_bad(err, "delegation %s: is %d deep and delegates on; clients go no deeper",
		    node->name, TRUST_DEPTH_MAX);
	for (size_t i = 0; i < json_array_size(roles); i++) {
		const char *name = json_text(json_array_get(roles, i), "name");
		int other = trust_find(trust, name);

		if (other >= 0 && trust->nodes[other].parent != number)
			return drop_bad(err,
			    "delegation %s: delegates the name %s, which another has given already", node->name,
			    name);
	}
	if (trust->count + json_array_size(roles) > TRUST_NODES_MAX)
		return drop_bad(err, "there would be more than %d delegations", TRUST_NODES_MAX);
	return 0;
}
