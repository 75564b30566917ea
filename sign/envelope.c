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

/* Who may sign, and what is signed. */
struct signers {
	const char *what;
	const json_t *keys, *ids;
	const char *data; /* canonical */
	size_t bytes;
	char seen[ENVELOPE_SIGNATURES_MAX][DIGEST_HEX_SIZE]; /* by public value, of those that signed */
	int good;
	const char *stranger; /* an id that is not listed, and signed; NULL: none */
};

static bool
has_signature(const json_t *signatures, const char *id)
{
	const json_t *signature;
	size_t i;

	json_array_foreach(signatures, i, signature)
	{
		if (!strcmp(json_text(signature, "keyid"), id))
			return true;
	}
	return false;
}

/* Whose signatures are missing, who may have to be asked; and who signed in vain. */
static void
tell_missing(const struct signers *signers, const json_t *signatures, struct err *why)
{
	char ids[80] = "";
	size_t used = 0, i;
	const json_t *id;

	json_array_foreach(signers->ids, i, id)
	{
		const char *text = json_string_value(id) ?: "";

		if (!has_signature(signatures, text) && used + 24 < sizeof(ids))
			used += (size_t)sprintf(ids + used, "%s%.12s...", used ? ", " : "", text);
	}
	err_set(why, ENOKEY, "none is by %s", used ? ids : "yet another key");
	used = strlen(why->text);
	if (signers->stranger)
		snprintf(why->text + used, sizeof(why->text) - used, ", key %.12s... is none of them",
		    signers->stranger);
}

/* Counts one signature. @why: what is wrong with it, if its key is listed and it does not count. */
static int
count_one(struct signers *signers, const json_t *signature, struct err *why, struct err *err)
{
	const char *id = json_text(signature, "keyid"), *method = json_text(signature, "method");
	AUTO(public_key_freep) struct public_key *key = NULL;
	int r;

	if (!is_known_method(method))
		return err_set(err, EBADMSG,
		    "%s: key %.12s...: signature method \"%.32s\" is unknown (TUF 1.0, 4.2)", signers->what, id,
		    method);
	if (!is_listed(signers->ids, id)) {
		signers->stranger = signers->stranger ?: id;
		return 0;
	}
	if ((r = public_key_read(json_object_get(signers->keys, id), signers->what, &key, err)) < 0)
		return err_context(err, r, "key %.12s...", id);
	if (public_key_verify(key, method, json_text(signature, "sig"), signers->data, signers->bytes, why) < 0)
		err_context(why, 0, "key %.12s...", id);
	else if (!is_first_of_key(signers->seen, signers->good, public_key_id(key)))
		err_set(why, EBADMSG, "key %.12s... signed under another id too", id);
	else
		signers->good++;
	return 0;
}

static int
count_signatures(struct signers *signers, const json_t *signatures, struct err *why, struct err *err)
{
	const json_t *signature;
	size_t i;
	int r;

	why->code = 0;
	json_array_foreach(signatures, i, signature)
	{
		if ((r = count_one(signers, signature, why, err)) < 0)
			return r;
	}
	if (why->code == 0)
		tell_missing(signers, signatures, why);
	return 0;
}

int
envelope_verify_keys(const json_t *json, const json_t *keys, const json_t *keyids, int threshold,
    const char *what, struct err *err)
{
	struct signers signers = { .what = what, .keys = keys, .ids = keyids };
	AUTO(free_p) char *canonical = NULL;
	struct err why;
	int r;

	if ((r = envelope_check(json, what, err)) < 0)
		return r;
	if (threshold < 1 || threshold > ENVELOPE_THRESHOLD_MAX || !json_is_array(keyids))
		return err_set(err, EBADMSG, "%s: nobody is named who may sign it", what);
	if ((r = canonical_write(json_object_get(json, "signed"), &canonical, &signers.bytes, err)) < 0)
		return err_context(err, r, "%s", what);
	signers.data = canonical;
	if ((r = count_signatures(&signers, json_object_get(json, "signatures"), &why, err)) < 0)
		return r;
	if (signers.good < threshold)
		return err_set(err, EBADMSG, "%s: TUF 1.0, 5.3: %d of %d needed signatures are good: %.200s",
		    what, signers.good, threshold, why.text);
	return 0;
}

int
envelope_verify_role(const json_t *json, const json_t *root, enum role role, const char *what, struct err *err)
{
	const json_t *entry = json_object_get(json_object_get(root, "roles"), role_name(role));
	const json_t *ids = json_object_get(entry, "keyids");
	const char *type;
	int64_t threshold;
	char named[32];
	int r;

	snprintf(named, sizeof(named), "root: role %s", role_name(role));
	if ((r = envelope_check(json, what, err)) < 0 ||
	    (r = json_need_integer(entry, "threshold", named, ENVELOPE_THRESHOLD_MAX, &threshold, err)) < 0 ||
	    (r = json_need_text(json_object_get(json, "signed"), "_type", what, &type, err)) < 0)
		return r;
	/* Clients take a root's type in any case, the others only as it is written. */
	if (role == ROLE_ROOT ? strcasecmp(type, role_type(role)) : strcmp(type, role_type(role)))
		return err_set(err, EBADMSG, "%s: _type is \"%.32s\", not %s", what, type, role_type(role));
	if (threshold < 1 || !json_is_array(ids))
		return err_set(err, EBADMSG, "%s has no keys or no threshold", named);
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
