#include "tests/device/trust.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/cleanup.h"
#include "lib/json.h"
#include "sign/canonical.h"
#include "sign/envelope.h"
#include "tests/device/hash.h"

/** "director targets.json", "delegations/NAME.json" */
#define TITLE_MAX 128

static const json_t *
signed_of(const json_t *document)
{
	return json_object_get(document, "signed");
}

static void
title_of(const struct trust *trust, enum role role, char title[static TITLE_MAX])
{
	snprintf(title, TITLE_MAX, "%s %s.json", repository_name(trust->repository), role_name(role));
}

static void
replace(json_t **place, json_t *document)
{
	json_decref(*place);
	*place = document;
}

void
trust_init(struct trust *trust, enum repository repository)
{
	*trust = (struct trust){ .repository = repository };
}

void
trust_done(struct trust *trust)
{
	trust_forget(trust);
	replace(&trust->document[ROLE_ROOT], NULL);
}

void
trust_forget(struct trust *trust)
{
	for (int role = 0; role < ROLE_COUNT; role++)
		if (role != ROLE_ROOT)
			replace(&trust->document[role], NULL);
	replace(&trust->latest, NULL);
	trust->is_unstorable = false;
}

/* What the document taken for @by says about @name: {"version","hashes","length"}. */
static const json_t *
listed(const struct trust *trust, enum role by, const char *name)
{
	return json_object_get(json_object_get(signed_of(trust->document[by]), "meta"), name);
}

size_t
trust_limit(const struct trust *trust, enum role role)
{
	json_int_t length;

	if (role == ROLE_TARGETS && trust->repository == REPOSITORY_IMAGE)
		return TRUST_IMAGE_TARGETS_MAX;
	if (role != ROLE_SNAPSHOT)
		return TRUST_SMALL_MAX;
	length = json_integer_value(json_object_get(listed(trust, ROLE_TIMESTAMP, "snapshot.json"), "length"));
	return length > 0 ? (size_t)length : TRUST_SMALL_MAX;
}

int
trust_version(const struct trust *trust, enum role role)
{
	return (int)json_integer_value(json_object_get(signed_of(trust->document[role]), "version"));
}

/* What every document has to have, before anybody asks who signed it. */
static int
check_common(const json_t *document, const char *what, struct err *err)
{
	const json_t *part = signed_of(document);
	int64_t expires;
	int r, version;

	if ((r = envelope_check(document, what, err)) < 0 ||
	    (r = envelope_version(part, what, &version, err)) < 0)
		return r;
	return envelope_expires(part, what, &expires, err);
}

static int
read_document(const char *text, size_t bytes, size_t max, const char *what, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *document = NULL;
	int r;

	if (bytes > max)
		return err_set(err, EBADMSG, "%s: has %zu bytes, at most %zu are allowed", what, bytes, max);
	if ((r = json_read(text, bytes, what, &document, err)) < 0 ||
	    (r = check_common(document, what, err)) < 0)
		return r;
	*out = MOVE(document);
	return 0;
}

/* Reads a document of @role that the trusted root vouches for. */
static int
read_signed(const struct trust *trust, enum role role, const char *what, const char *text, size_t bytes,
    json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *document = NULL;
	int r;

	if (!trust->document[ROLE_ROOT])
		return err_set(err, EBADMSG, "%s: there is no root yet", what);
	if ((r = read_document(text, bytes, trust_limit(trust, role), what, &document, err)) < 0)
		return r;
	r = envelope_verify_role(document, signed_of(trust->document[ROLE_ROOT]), role, what, err);
	if (r == 0)
		*out = MOVE(document);
	return r;
}

/* One key of another type rejects the whole document, whoever signed it. */
static int
check_keys(json_t *keys, const char *what, struct err *err)
{
	const char *id;
	json_t *key;

	json_object_foreach(keys, id, key)
	{
		const char *type = json_text(key, "keytype");

		if (!type || (strcasecmp(type, "RSA") && strcasecmp(type, "ED25519")))
			return err_set(err, EBADMSG, "%s: key %.16s: unsupported key type \"%.32s\"", what, id,
			    type ? type : "");
	}
	return 0;
}

static int
check_threshold(const json_t *role, const char *name, const char *what, struct err *err)
{
	json_int_t threshold = json_integer_value(json_object_get(role, "threshold"));

	if (threshold < 1 || threshold > ENVELOPE_THRESHOLD_MAX)
		return err_set(err, EBADMSG, "%s: role %.64s: threshold %lld is not within 1..%d", what, name,
		    (long long)threshold, ENVELOPE_THRESHOLD_MAX);
	return 0;
}

static int
check_root_form(const json_t *part, const char *what, struct err *err)
{
	json_t *roles = json_object_get(part, "roles"), *role;
	const char *name;
	int r;

	if (!json_is_object(json_object_get(part, "keys")) || !json_is_object(roles))
		return err_set(err, EBADMSG, "%s: has no keys or no roles", what);
	if ((r = check_keys(json_object_get(part, "keys"), what, err)) < 0)
		return r;
	json_object_foreach(roles, name, role)
	{
		/* Clients skip roles that they do not know. */
		if (role_of(name) >= 0 && (r = check_threshold(role, name, what, err)) < 0)
			return r;
	}
	return 0;
}

static int
read_root(const char *what, const char *text, size_t bytes, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *document = NULL;
	int r;

	if ((r = read_document(text, bytes, TRUST_SMALL_MAX, what, &document, err)) < 0 ||
	    (r = check_root_form(signed_of(document), what, err)) < 0)
		return r;
	r = envelope_verify_role(document, signed_of(document), ROLE_ROOT, what, err);
	if (r < 0)
		return r;
	*out = MOVE(document);
	return 0;
}

int
trust_first_root(struct trust *trust, const char *text, size_t bytes, struct err *err)
{
	json_t *document;
	char what[TITLE_MAX];
	int r;

	title_of(trust, ROLE_ROOT, what);
	r = read_root(what, text, bytes, &document, err);
	if (r == 0)
		replace(&trust->document[ROLE_ROOT], document);
	return r;
}

int
trust_next_root(struct trust *trust, const char *text, size_t bytes, struct err *err)
{
	AUTO(json_decref_p) json_t *document = NULL;
	int r, version, old = trust_version(trust, ROLE_ROOT);
	char what[TITLE_MAX];

	snprintf(what, sizeof(what), "%s %d.root.json", repository_name(trust->repository), old + 1);
	if ((r = read_root(what, text, bytes, &document, err)) < 0)
		return r;
	snprintf(what, sizeof(what), "%s %d.root.json, by the keys of version %d",
	    repository_name(trust->repository), old + 1, old);
	r = envelope_verify_role(document, signed_of(trust->document[ROLE_ROOT]), ROLE_ROOT, what, err);
	if (r < 0 || (r = envelope_version(signed_of(document), what, &version, err)) < 0)
		return r;
	if (version != old + 1)
		return err_set(err, EBADMSG, "%s %d.root.json: version is %d",
		    repository_name(trust->repository), old + 1, version);
	replace(&trust->document[ROLE_ROOT], MOVE(document));
	trust_forget(trust);
	return 0;
}

static int
check_rollback(const struct trust *trust, enum role role, const json_t *document, struct err *err)
{
	int stored = trust_version(trust, role);
	json_int_t version = json_integer_value(json_object_get(signed_of(document), "version"));

	if (version >= stored)
		return 0;
	return err_set(err, EBADMSG, "%s %s.json: rollback attempt: version %lld after %d",
	    repository_name(trust->repository), role_name(role), (long long)version, stored);
}

/* aktualizr reads lengths as unsigned numbers, 0 for none, and gives up at anything else. */
static int
check_targets_form(const json_t *part, const char *what, struct err *err)
{
	json_t *targets = json_object_get(part, "targets"), *target;
	const char *name;

	json_object_foreach(targets, name, target)
	{
		const json_t *length = json_object_get(target, "length");

		if (!json_is_object(target) || (length && !json_is_integer(length)) ||
		    json_integer_value(length) < 0)
			return err_set(err, EBADMSG, "%s: \"%.128s\" has no usable length", what, name);
	}
	return 0;
}

/* Director targets name each ECU at most once and delegate to nobody.  (Uptane 2.1, 5.4.4.6) */
static int
check_director_form(const json_t *part, const char *what, struct err *err)
{
	AUTO(json_decref_p) json_t *seen = json_object();
	json_t *targets = json_object_get(part, "targets"), *target, *ecu;
	const char *name, *serial;

	if (json_array_size(json_object_get(json_object_get(part, "delegations"), "roles")))
		return err_set(err, EBADMSG, "%s: has delegations", what);
	json_object_foreach(targets, name, target)
	{
		json_object_foreach(
		    json_object_get(json_object_get(target, "custom"), "ecuIdentifiers"), serial, ecu)
		{
			if (json_object_get(seen, serial))
				return err_set(err, EBADMSG, "%s: ECU %.64s is in two targets", what, serial);
			if (json_object_set_new(seen, serial, json_true()) < 0)
				return err_set(err, ENOMEM, "%s: no memory", what);
		}
	}
	return 0;
}

static bool
is_empty(const json_t *document)
{
	return json_object_size(json_object_get(signed_of(document), "targets")) == 0;
}

int
trust_director_targets(struct trust *trust, const char *text, size_t bytes, bool *is_news, struct err *err)
{
	AUTO(json_decref_p) json_t *document = NULL;
	json_t *stored = trust->document[ROLE_TARGETS];
	const char *what = "director targets.json";
	bool is_previous_used;
	int r;

	if ((r = read_signed(trust, ROLE_TARGETS, what, text, bytes, &document, err)) < 0 ||
	    (r = check_rollback(trust, ROLE_TARGETS, document, err)) < 0 ||
	    (r = check_targets_form(signed_of(document), what, err)) < 0 ||
	    (r = check_director_form(signed_of(document), what, err)) < 0)
		return r;
	is_previous_used = stored && !is_empty(stored) && is_empty(document);
	*is_news = !is_previous_used && json_integer_value(json_object_get(signed_of(document), "version")) >
					    trust_version(trust, ROLE_TARGETS);
	trust->is_unstorable =
	    stored && !is_previous_used && !*is_news && !json_equal(signed_of(stored), signed_of(document));
	replace(&trust->latest, json_incref(document));
	if (!is_previous_used)
		replace(&trust->document[ROLE_TARGETS], MOVE(document));
	return 0;
}

/* The one entry of a timestamp needs all of hashes, length and version. */
static int
check_timestamp_form(const json_t *part, struct err *err)
{
	const json_t *entry = json_object_get(json_object_get(part, "meta"), "snapshot.json");

	if (!json_is_object(json_object_get(entry, "hashes")) ||
	    !json_is_integer(json_object_get(entry, "length")) ||
	    !json_is_integer(json_object_get(entry, "version")))
		return err_set(err, EBADMSG,
		    "image timestamp.json: snapshot.json is listed without hashes, length or version");
	return 0;
}

int
trust_timestamp(struct trust *trust, const char *text, size_t bytes, struct err *err)
{
	AUTO(json_decref_p) json_t *document = NULL;
	int r;

	r = read_signed(trust, ROLE_TIMESTAMP, "image timestamp.json", text, bytes, &document, err);
	if (r < 0 || (r = check_timestamp_form(signed_of(document), err)) < 0 ||
	    (r = check_rollback(trust, ROLE_TIMESTAMP, document, err)) < 0)
		return r;
	replace(&trust->document[ROLE_TIMESTAMP], MOVE(document));
	return 0;
}

static int
check_snapshot_form(const json_t *part, struct err *err)
{
	json_t *meta = json_object_get(part, "meta"), *entry;
	const char *name;

	if (!json_is_object(meta))
		return err_set(err, EBADMSG, "image snapshot.json: has no meta");
	json_object_foreach(meta, name, entry)
	{
		if (!json_is_integer(json_object_get(entry, "version")))
			return err_set(
			    err, EBADMSG, "image snapshot.json: \"%.64s\" is listed without version", name);
	}
	return 0;
}

/* Hashes are over the canonical form of the whole file, so white space on the way does no harm. */
static int
check_listed(const json_t *document, const json_t *entry, const char *what, struct err *err)
{
	AUTO(free_p) char *canonical = NULL;
	size_t bytes;
	json_int_t wanted = json_integer_value(json_object_get(entry, "version"));
	json_int_t version = json_integer_value(json_object_get(signed_of(document), "version"));
	int r = canonical_write(document, &canonical, &bytes, err);

	if (r < 0)
		return err_context(err, r, "%s", what);
	if ((r = hash_check(json_object_get(entry, "hashes"), canonical, bytes, what, err)) < 0)
		return r;
	if (!entry || version != wanted)
		return err_set(err, EBADMSG, "%s: version is %lld, listed is %lld", what, (long long)version,
		    (long long)wanted);
	return r;
}

int
trust_snapshot(struct trust *trust, const char *text, size_t bytes, struct err *err)
{
	AUTO(json_decref_p) json_t *document = NULL;
	const char *what = "image snapshot.json";
	int r;

	if (!trust->document[ROLE_TIMESTAMP])
		return err_set(err, EBADMSG, "%s: there is no timestamp yet", what);
	if ((r = read_signed(trust, ROLE_SNAPSHOT, what, text, bytes, &document, err)) < 0)
		return r;
	r = check_listed(document, listed(trust, ROLE_TIMESTAMP, "snapshot.json"), what, err);
	if (r == HASH_NONE)
		return err_set(err, EBADMSG, "%s: timestamp.json has no sha256 or sha512 of it", what);
	if (r < 0 || (r = check_snapshot_form(signed_of(document), err)) < 0 ||
	    (r = check_rollback(trust, ROLE_SNAPSHOT, document, err)) < 0)
		return r;
	replace(&trust->document[ROLE_SNAPSHOT], MOVE(document));
	return 0;
}

bool
trust_is_current(const struct trust *trust, enum role role)
{
	const json_t *document = trust->document[role];
	const json_t *entry = role == ROLE_SNAPSHOT ? listed(trust, ROLE_TIMESTAMP, "snapshot.json")
						    : listed(trust, ROLE_SNAPSHOT, "targets.json");
	struct err err;

	return document && check_listed(document, entry, "stored", &err) >= 0;
}

static int
check_delegation_form(const json_t *part, const char *what, struct err *err)
{
	const json_t *delegations = json_object_get(part, "delegations"), *role;
	const json_t *roles = json_object_get(delegations, "roles");
	int r = check_keys(json_object_get(delegations, "keys"), what, err);

	for (size_t i = 0; r == 0 && (role = json_array_get(roles, i)); i++) {
		const char *name = json_text(role, "name");

		if (!name || !*name || strchr(name, '/') || role_of(name) >= 0)
			r = err_set(err, EBADMSG, "%s: a delegation has no usable name", what);
		else
			r = check_threshold(role, name, what, err);
	}
	return r;
}

int
trust_image_targets(struct trust *trust, const char *text, size_t bytes, struct err *err)
{
	AUTO(json_decref_p) json_t *document = NULL;
	const char *what = "image targets.json";
	int r;

	if ((r = read_signed(trust, ROLE_TARGETS, what, text, bytes, &document, err)) < 0 ||
	    (r = check_listed(document, listed(trust, ROLE_SNAPSHOT, "targets.json"), what, err)) < 0 ||
	    (r = check_targets_form(signed_of(document), what, err)) < 0 ||
	    (r = check_delegation_form(signed_of(document), what, err)) < 0 ||
	    (r = check_rollback(trust, ROLE_TARGETS, document, err)) < 0)
		return r;
	replace(&trust->document[ROLE_TARGETS], MOVE(document));
	return 0;
}

int
trust_delegation(const struct trust *trust, const json_t *parent, const json_t *role, const char *text,
    size_t bytes, json_t **out, struct err *err)
{
	AUTO(json_decref_p) json_t *document = NULL, *vouching = NULL;
	char what[TITLE_MAX], name[TITLE_MAX];
	int r;

	snprintf(name, sizeof(name), "%s.json", json_text(role, "name"));
	snprintf(what, sizeof(what), "image delegations/%.64s", name);
	/* The parent vouches for the delegation as a root does for targets. */
	vouching = json_pack("{s:O,s:{s:O}}", "keys",
	    json_object_get(json_object_get(parent, "delegations"), "keys"), "roles", "targets", role);
	if (!vouching)
		return err_set(err, EBADMSG, "%s: the parent has no keys for it", what);
	if ((r = read_document(text, bytes, TRUST_IMAGE_TARGETS_MAX, what, &document, err)) < 0 ||
	    (r = envelope_verify_role(document, vouching, ROLE_TARGETS, what, err)) < 0 ||
	    (r = check_listed(document, listed(trust, ROLE_SNAPSHOT, name), what, err)) < 0 ||
	    (r = check_targets_form(signed_of(document), what, err)) < 0 ||
	    (r = check_delegation_form(signed_of(document), what, err)) < 0)
		return r;
	*out = MOVE(document);
	return 0;
}

int
trust_check_document_expiry(const json_t *document, const char *what, int64_t now, struct err *err)
{
	int64_t expires;
	int r = envelope_expires(signed_of(document), what, &expires, err);

	if (r == 0 && expires < now)
		r = err_set(err, EBADMSG, "%s: expired at %s", what, json_text(signed_of(document), "expires"));
	return r;
}

int
trust_check_expiry(const struct trust *trust, enum role role, int64_t now, struct err *err)
{
	const json_t *document = trust->document[role];
	char what[TITLE_MAX];

	title_of(trust, role, what);
	if (role == ROLE_TARGETS && trust->latest)
		document = trust->latest;
	return trust_check_document_expiry(document, what, now, err);
}

json_t *
trust_targets(const struct trust *trust)
{
	return json_object_get(signed_of(trust->document[ROLE_TARGETS]), "targets");
}

const json_t *
trust_signed(const struct trust *trust, enum role role)
{
	return signed_of(trust->document[role]);
}

const char *
trust_correlation(const struct trust *trust)
{
	const char *id =
	    json_text(json_object_get(signed_of(trust->document[ROLE_TARGETS]), "custom"), "correlationId");

	return id ? id : "";
}
