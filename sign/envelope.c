#include "sign/envelope.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/canonical.h"

int
envelope_write(const json_t *signed_part, const json_t *signatures, char **out, size_t *bytes, struct err *err)
{
	AUTO(json_decref_p)
	json_t *file = json_pack("{s:O,s:O}", "signatures", signatures, "signed", signed_part);

	if (!file)
		return err_set(err, ENOMEM, "no memory for an envelope");
	return canonical_write(file, out, bytes, err);
}

static int
check_signature(const json_t *signatures, size_t at, const char *what, struct err *err)
{
	const json_t *signature = json_array_get(signatures, at);
	const char *id, *method, *text;
	int r;

	if ((r = json_need_text(signature, "keyid", what, &id, err)) < 0 ||
	    (r = json_need_text(signature, "method", what, &method, err)) < 0 ||
	    (r = json_need_text(signature, "sig", what, &text, err)) < 0)
		return r;
	for (size_t i = 0; i < at; i++)
		if (!strcmp(json_text(json_array_get(signatures, i), "keyid"), id))
			return err_set(err, EBADMSG, "%s: key id %.64s has two signatures", what, id);
	return 0;
}

int
envelope_check(const json_t *json, const char *what, struct err *err)
{
	const json_t *signatures = json_object_get(json, "signatures");
	int r;

	if (!json_is_array(signatures) || !json_is_object(json_object_get(json, "signed")))
		return err_set(err, EBADMSG, "%s: is no {\"signatures\":[...],\"signed\":{...}}", what);
	if (json_array_size(signatures) > ENVELOPE_SIGNATURES_MAX)
		return err_set(err, EBADMSG, "%s: has %zu signatures, at most %d are read", what,
		    json_array_size(signatures), ENVELOPE_SIGNATURES_MAX);
	for (size_t i = 0; i < json_array_size(signatures); i++)
		if ((r = check_signature(signatures, i, what, err)) < 0)
			return r;
	return 0;
}

int
envelope_verify_key(const json_t *json, const struct public_key *key, const char *what, struct err *err)
{
	AUTO(free_p) char *canonical = NULL;
	const json_t *signature;
	size_t i, bytes;
	int r;

	if ((r = envelope_check(json, what, err)) < 0)
		return r;
	if ((r = canonical_write(json_object_get(json, "signed"), &canonical, &bytes, err)) < 0)
		return err_context(err, r, "%s", what);
	r = err_set(err, EBADMSG, "there is none");
	json_array_foreach(json_object_get(json, "signatures"), i, signature)
	{
		r = public_key_verify(
		    key, json_text(signature, "method"), json_text(signature, "sig"), canonical, bytes, err);
		if (r == 0)
			return 0;
	}
	return err_context(err, r, "%s: Uptane 2.1, 5.4.4.2: signature invalid", what);
}

static bool
is_listed(const json_t *ids, const char *id)
{
	const json_t *one;
	size_t i;

	json_array_foreach(
	    ids, i, one) if (json_is_string(one) && !strcmp(json_string_value(one), id)) return true;
	return false;
}

/* aktualizr refuses the whole document for any unknown method, whoever signed. */
static bool
is_known_method(const char *method)
{
	return !strcasecmp(method, "ed25519") || !strcasecmp(method, "rsassa-pss") ||
	       !strcasecmp(method, "rsassa-pss-sha256");
}

/* Notes the key @id; false if it was there already: one key under two ids signs once. */
static bool
is_first_of_key(char seen[][DIGEST_HEX_SIZE], int count, const char *id)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(seen[i], id))
			return false;
	snprintf(seen[count], DIGEST_HEX_SIZE, "%s", id);
	return true;
}

/* Sets @good to the number of different listed keys with a good signature. */
static int
count_signatures(
    const json_t *json, const json_t *keys, const json_t *ids, const char *what, int *good, struct err *err)
{
	char seen[ENVELOPE_SIGNATURES_MAX][DIGEST_HEX_SIZE];
	AUTO(free_p) char *canonical = NULL;
	const json_t *signature;
	size_t i, bytes;
	int r;

	if ((r = canonical_write(json_object_get(json, "signed"), &canonical, &bytes, err)) < 0)
		return err_context(err, r, "%s", what);
	*good = 0;
	json_array_foreach(json_object_get(json, "signatures"), i, signature)
	{
		const char *id = json_text(signature, "keyid"), *method = json_text(signature, "method");
		AUTO(public_key_freep) struct public_key *key = NULL;
		struct err ignored;

		if (!is_known_method(method))
			return err_set(err, EBADMSG, "%s: signature method \"%.32s\" is unknown", what, method);
		if (!is_listed(ids, id))
			continue;
		if ((r = public_key_read(json_object_get(keys, id), what, &key, err)) < 0)
			return r;
		if (public_key_verify(key, method, json_text(signature, "sig"), canonical, bytes, &ignored) ==
			0 &&
		    is_first_of_key(seen, *good, public_key_id(key)))
			(*good)++;
	}
	return 0;
}

int
envelope_verify_keys(const json_t *json, const json_t *keys, const json_t *keyids, int threshold,
    const char *what, struct err *err)
{
	int r, good = 0;

	if ((r = envelope_check(json, what, err)) < 0)
		return r;
	if (threshold < 1 || threshold > ENVELOPE_THRESHOLD_MAX || !json_is_array(keyids))
		return err_set(err, EBADMSG, "%s: nobody is named who may sign it", what);
	if ((r = count_signatures(json, keys, keyids, what, &good, err)) < 0)
		return r;
	if (good < threshold)
		return err_set(err, EBADMSG, "%s: TUF 1.0, 5.3: %d of %d needed signatures are good", what,
		    good, threshold);
	return 0;
}

int
envelope_verify_role(const json_t *json, const json_t *root, enum role role, const char *what, struct err *err)
{
	const json_t *entry = json_object_get(json_object_get(root, "roles"), role_name(role));
	const json_t *ids = json_object_get(entry, "keyids");
	const char *type;
	int64_t threshold;
	int r;

	if ((r = envelope_check(json, what, err)) < 0 ||
	    (r = json_need_integer(entry, "threshold", "root", ENVELOPE_THRESHOLD_MAX, &threshold, err)) < 0 ||
	    (r = json_need_text(json_object_get(json, "signed"), "_type", what, &type, err)) < 0)
		return r;
	/* Clients take a root's type in any case, the others only as it is written. */
	if (role == ROLE_ROOT ? strcasecmp(type, role_type(role)) : strcmp(type, role_type(role)))
		return err_set(err, EBADMSG, "%s: _type is \"%.32s\", not %s", what, type, role_type(role));
	if (threshold < 1 || !json_is_array(ids))
		return err_set(err, EBADMSG, "root: role %s has no keys or no threshold", role_name(role));
	r = envelope_verify_keys(json, json_object_get(root, "keys"), ids, (int)threshold, what, err);
	return r < 0 ? err_context(err, r, "keys of the %s role", role_name(role)) : 0;
}

int
envelope_version(const json_t *signed_part, const char *what, int *version, struct err *err)
{
	int64_t number;
	int r = json_need_integer(signed_part, "version", what, INT32_MAX, &number, err);

	if (r < 0)
		return r;
	if (number < 1)
		return err_set(err, EBADMSG, "%s: version is %d, the first is 1", what, (int)number);
	*version = (int)number;
	return 0;
}

int
envelope_expires(const json_t *signed_part, const char *what, int64_t *seconds, struct err *err)
{
	const char *text;
	int r = json_need_text(signed_part, "expires", what, &text, err);

	if (r < 0)
		return r;
	if (utc_parse(text, seconds) < 0)
		return err_set(err, EBADMSG, "%s: expires \"%.32s\" is not YYYY-MM-DDTHH:MM:SSZ", what, text);
	return 0;
}
