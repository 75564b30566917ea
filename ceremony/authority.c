#include "ceremony/authority.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ceremony/document.h"
#include "ceremony/form.h"
#include "lib/cleanup.h"
#include "lib/json.h"
#include "sign/canonical.h"
#include "sign/delegation.h"
#include "sign/envelope.h"
#include "sign/key.h"

void
authority_done(struct authority *authority)
{
	json_decref(authority->document);
	*authority = (struct authority){ 0 };
}

/* Reads a document that is going to be believed. */
static int
read_checked(const char *file, int role, json_t **out, struct err *err)
{
	size_t bytes;
	int r = document_read(file, out, &bytes, err);

	if (r < 0)
		return r;
	if ((r = form_check(*out, bytes, INT64_MIN, file, err)) < 0)
		return r;
	if (form_role(json_object_get(*out, "signed")) != role)
		return err_set(err, EBADMSG, "%.200s: is no %s", file, role_type((enum role)role));
	return 0;
}

static void
take_entry(struct authority *out, const json_t *entry)
{
	out->keyids = json_object_get(entry, "keyids");
	out->threshold = (int)json_integer_value(json_object_get(entry, "threshold"));
}

static int
from_root(const char *file, const json_t *envelope, enum role role, struct authority *out, struct err *err)
{
	const json_t *root;
	int r;

	if (envelope)
		out->document = json_incref((json_t *)(uintptr_t)envelope);
	else if ((r = read_checked(file, ROLE_ROOT, &out->document, err)) < 0)
		return r;
	root = json_object_get(out->document, "signed");
	out->keys = json_object_get(root, "keys");
	take_entry(out, json_object_get(json_object_get(root, "roles"), role_name(role)));
	return 0;
}

/* The delegation's name: the file's, without folder and ".json". */
static int
name_of(const struct arguments *arguments, const char *file, char name[static NAME_DELEGATION_MAX + 8],
    struct err *err)
{
	const char *given = arguments_text(arguments, "delegation"), *slash = strrchr(file, '/');
	const char *base = given ? given : slash ? slash + 1 : file;
	size_t bytes = strlen(base);

	if (!given && bytes > 5 && !strcmp(base + bytes - 5, ".json"))
		bytes -= 5;
	snprintf(name, NAME_DELEGATION_MAX + 8, "%.*s", (int)bytes, base);
	return name_check_delegation(name, err);
}

static int
from_parent(const struct arguments *arguments, const char *file, struct authority *out, struct err *err)
{
	const char *parent = arguments_text(arguments, "parent"), *root = arguments_text(arguments, "root");
	AUTO(authority_done) struct authority above = { 0 };
	char name[NAME_DELEGATION_MAX + 8];
	const json_t *signed_part;
	int r;

	if ((r = name_of(arguments, file, name, err)) < 0 ||
	    (r = read_checked(parent, ROLE_TARGETS, &out->document, err)) < 0)
		return r;
	if (root && ((r = from_root(root, NULL, ROLE_TARGETS, &above, err)) < 0 ||
			(r = authority_verify(&above, out->document, parent, err)) < 0))
		return r;
	signed_part = json_object_get(out->document, "signed");
	out->delegation = form_delegation(signed_part, name);
	if (!out->delegation)
		return err_set(
		    err, ENOENT, "%.200s: has no delegation %s; --delegation NAME tells another", parent, name);
	out->keys = json_object_get(json_object_get(signed_part, "delegations"), "keys");
	take_entry(out, out->delegation);
	return 0;
}

int
authority_open(const struct arguments *arguments, const char *file, const json_t *envelope,
    struct authority *out, struct err *err)
{
	int role = form_role(json_object_get(envelope, "signed"));
	const char *root = arguments_text(arguments, "root");
	AUTO(authority_done) struct authority authority = { 0 };
	int r = 0;

	if (role < 0)
		return err_set(err, EBADMSG, "%.200s: _type is \"%.32s\", none that devices know", file,
		    json_text(json_object_get(envelope, "signed"), "_type") ?: "");
	if (arguments_text(arguments, "parent"))
		r = from_parent(arguments, file, &authority, err);
	else if (root || role == ROLE_ROOT)
		r = from_root(root, root ? NULL : envelope, (enum role)role, &authority, err);
	if (r < 0)
		return r;
	*out = authority;
	authority = (struct authority){ 0 };
	return 0;
}

/* -- verifying -- */

int
authority_check_paths(const struct authority *authority, const json_t *signed_part, struct err *err)
{
	json_t *targets = json_object_get(signed_part, "targets"), *target;
	const char *file;

	if (!authority->delegation)
		return 0;
	json_object_foreach(targets, file, target)
	{
		if (!delegation_allows(authority->delegation, file))
			return err_set(err, EBADMSG, "target \"%.100s\": no path of delegation %s allows it",
			    file, json_text(authority->delegation, "name"));
	}
	return 0;
}

int
authority_verify(const struct authority *authority, const json_t *envelope, const char *what, struct err *err)
{
	int r =
	    envelope_verify_keys(envelope, authority->keys, authority->keyids, authority->threshold, what, err);

	if (r < 0)
		return r;
	r = authority_check_paths(authority, json_object_get(envelope, "signed"), err);
	return r < 0 ? err_context(err, r, "%.200s", what) : 0;
}

bool
authority_accepts(const struct authority *authority, const json_t *envelope, size_t at)
{
	const json_t *signature = json_array_get(json_object_get(envelope, "signatures"), at);
	const char *id = json_text(signature, "keyid");
	AUTO(public_key_freep) struct public_key *key = NULL;
	AUTO(free_p) char *canonical = NULL;
	bool is_listed = false;
	struct err ignored;
	size_t bytes;

	for (size_t i = 0; i < json_array_size(authority->keyids); i++)
		is_listed |= !strcmp(json_string_value(json_array_get(authority->keyids, i)) ?: "", id);
	return is_listed && public_key_read(json_object_get(authority->keys, id), "key", &key, &ignored) == 0 &&
	       canonical_write(json_object_get(envelope, "signed"), &canonical, &bytes, &ignored) == 0 &&
	       public_key_verify(key, json_text(signature, "method"), json_text(signature, "sig"), canonical,
		   bytes, &ignored) == 0;
}

int
authority_count(const struct authority *authority, const json_t *envelope)
{
	struct err ignored;
	int count = 0;

	/* What counts is decided in one place. */
	while (count < ENVELOPE_SIGNATURES_MAX &&
	       envelope_verify_keys(envelope, authority->keys, authority->keyids, count + 1, "", &ignored) == 0)
		count++;
	return count;
}

int
authority_prune(const struct authority *authority, json_t *envelope)
{
	json_t *signatures = json_object_get(envelope, "signatures");
	int count = 0;

	for (size_t i = json_array_size(signatures); authority->document && i-- > 0;)
		if (!authority_accepts(authority, envelope, i)) {
			json_array_remove(signatures, i);
			count++;
		}
	return count;
}
