/*
 * The test device's verifier on documents of another implementation (tests/vectors) and on documents that are
 * signed here with one thing wrong.
 */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/cleanup.h"
#include "lib/digest.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/utc.h"
#include "sign/canonical.h"
#include "sign/envelope.h"
#include "sign/key.h"
#include "tests/device/hash.h"
#include "tests/device/trust.h"

#define NO_VERSION (-1)

/* A moment at which all vectors are valid; the timestamp is the first to expire. */
static const char *const valid_at = "2026-03-01T12:00:00Z";

static int64_t
seconds(const char *text)
{
	int64_t s;

	assert_int_equal(utc_parse(text, &s), 0);
	return s;
}

static const char *
folder_of(enum repository repository)
{
	return repository == REPOSITORY_DIRECTOR ? "director" : "repo";
}

static char *
read_vector(const char *folder, const char *name)
{
	char path[128];
	struct err err;
	size_t bytes;
	char *text;

	snprintf(path, sizeof(path), "tests/vectors/%s/%s.json", folder, name);
	if (file_read(AT_FDCWD, path, 1 << 20, &text, &bytes, &err) < 0)
		fail_msg("%s", err.text);
	return text;
}

static int
take(struct trust *trust, enum role role, const char *text, struct err *err)
{
	size_t bytes = strlen(text);
	bool is_news;

	if (role == ROLE_ROOT)
		return trust_first_root(trust, text, bytes, err);
	if (trust->repository == REPOSITORY_DIRECTOR)
		return trust_director_targets(trust, text, bytes, &is_news, err);
	if (role == ROLE_TIMESTAMP)
		return trust_timestamp(trust, text, bytes, err);
	return role == ROLE_SNAPSHOT ? trust_snapshot(trust, text, bytes, err)
				     : trust_image_targets(trust, text, bytes, err);
}

static const enum role image_order[] = { ROLE_ROOT, ROLE_TIMESTAMP, ROLE_SNAPSHOT, ROLE_TARGETS };
static const enum role director_order[] = { ROLE_ROOT, ROLE_TARGETS };

/* Starts @trust and takes of the vectors all that comes before @role. */
static void
take_vectors_before(struct trust *trust, enum repository repository, enum role role)
{
	const enum role *order = repository == REPOSITORY_IMAGE ? image_order : director_order;
	struct err err;

	trust_init(trust, repository);
	for (; *order != role; order++) {
		AUTO(free_p) char *text = read_vector(folder_of(repository), role_name(*order));

		if (take(trust, *order, text, &err) < 0)
			fail_msg("%s", err.text);
	}
}

static void
takes_the_vectors(void **state)
{
	struct trust image, director;
	struct err err;
	AUTO(free_p) char *images = read_vector("repo", "targets");
	AUTO(free_p) char *targets = read_vector("director", "targets");

	(void)state;
	take_vectors_before(&image, REPOSITORY_IMAGE, ROLE_TARGETS);
	take_vectors_before(&director, REPOSITORY_DIRECTOR, ROLE_TARGETS);
	assert_int_equal(take(&image, ROLE_TARGETS, images, &err), 0);
	assert_int_equal(take(&director, ROLE_TARGETS, targets, &err), 0);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(trust_check_expiry(&image, image_order[i], seconds(valid_at), &err), 0);
	assert_int_equal(trust_check_expiry(&director, ROLE_TARGETS, seconds(valid_at), &err), 0);
	assert_int_equal(trust_version(&image, ROLE_TIMESTAMP), 12);
	assert_int_equal(trust_version(&image, ROLE_TARGETS), 7);
	assert_int_equal(json_object_size(trust_targets(&director)), 2);
	assert_string_equal(
	    trust_correlation(&director), "urn:here-ota:mtu:2f3a1c1e-6c8a-4f2b-9a57-0d5a3f0f7a11");
	trust_done(&image);
	trust_done(&director);
}

/*
 * Bits that may flip without a change of meaning, which no verifier can see:
 * - the case of a letter in the signature's method, which clients compare without case;
 * - the last letter of the base64 of 64 bytes, of whose 6 bits only 2 are used.
 * Neither is in the part that is signed. Snapshot and image targets are hashed whole, so there it is seen.
 */
static bool
is_harmless(const char *text, size_t at, int bit, enum repository repository, enum role role)
{
	const char *method = strstr(text, "\"method\":\"ed25519\""), *sig = strstr(text, "==\"");

	if (repository == REPOSITORY_IMAGE && (role == ROLE_SNAPSHOT || role == ROLE_TARGETS))
		return false;
	if (sig && text + at == sig - 1)
		return true;
	method += strlen("\"method\":\"");
	return bit == 5 && (text + at == method || text + at == method + 1);
}

static void
flip_every_bit(enum repository repository, enum role role)
{
	AUTO(free_p) char *text = read_vector(folder_of(repository), role_name(role));
	size_t bytes = strlen(text), taken = 0;
	bool is_hashed;
	struct trust trust;
	struct err err;

	take_vectors_before(&trust, repository, role);
	for (size_t at = 0; at < bytes; at++)
		for (int bit = 0; bit < 8; bit++) {
			struct trust copy = trust;
			int r;

			text[at] = (char)(text[at] ^ 1 << bit);
			copy.document[role] = NULL;
			r = take(&copy, role, text, &err);
			text[at] = (char)(text[at] ^ 1 << bit);
			if (r == 0 && !is_harmless(text, at, bit, repository, role))
				fail_msg("%s %s: bit %d of byte %zu may flip", repository_name(repository),
				    role_name(role), bit, at);
			assert_true(r == 0 || r == -EBADMSG);
			if (r < 0)
				continue;
			taken++;
			json_decref(copy.document[role]);
			json_decref(copy.latest);
		}
	/* Two letters of the method, and at least one of the last letter's bits; else the test is blind. */
	is_hashed = repository == REPOSITORY_IMAGE && (role == ROLE_SNAPSHOT || role == ROLE_TARGETS);
	assert_true(is_hashed ? taken == 0 : taken >= 3);
	trust_done(&trust);
}

static void
refuses_every_flipped_bit(void **state)
{
	(void)state;
	for (size_t i = 0; i < 4; i++)
		flip_every_bit(REPOSITORY_IMAGE, image_order[i]);
	for (size_t i = 0; i < 2; i++)
		flip_every_bit(REPOSITORY_DIRECTOR, director_order[i]);
}

/* Keys of a repository of our own; two for roots and targets, so that thresholds can be asked. */
enum { ROOT_KEY, ROOT_KEY_2, TARGETS_KEY, TARGETS_KEY_2, SNAPSHOT_KEY, TIMESTAMP_KEY, STRANGER, KEY_COUNT };

struct fixture {
	struct key_pair *key[KEY_COUNT];
	struct trust trust;
	struct err err;
	char text[80 * 1024];
};

static int
setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_int_equal(key_start(&f->err), 0);
	for (int i = 0; i < KEY_COUNT; i++)
		assert_int_equal(key_pair_new(&f->key[i], &f->err), 0);
	trust_init(&f->trust, REPOSITORY_IMAGE);
	*state = f;
	return 0;
}

static int
teardown(void **state)
{
	struct fixture *f = *state;

	trust_done(&f->trust);
	for (int i = 0; i < KEY_COUNT; i++)
		key_pair_free(f->key[i]);
	free(f);
	return 0;
}

static const char *
id_of(struct fixture *f, int key)
{
	return public_key_id(key_pair_public(f->key[key]));
}

static json_t *
sign_with(struct fixture *f, json_t *part, int key)
{
	AUTO(free_p) char *canonical = NULL;
	json_t *signature;
	size_t bytes;

	assert_int_equal(canonical_write(part, &canonical, &bytes, &f->err), 0);
	assert_int_equal(key_pair_sign(f->key[key], canonical, bytes, &signature, &f->err), 0);
	return signature;
}

/* Writes the file of @part (stolen) signed by @key and, unless it is -1, by @second to f->text. */
static const char *
sign(struct fixture *f, json_t *part, int key, int second)
{
	AUTO(json_decref_p) json_t *signatures = json_array(), *owned = NULL;
	AUTO(free_p) char *text = NULL;

	assert_non_null(part);
	owned = part;
	json_array_append_new(signatures, sign_with(f, owned, key));
	if (second >= 0)
		json_array_append_new(signatures, sign_with(f, owned, second));
	assert_int_equal(envelope_write(owned, signatures, &text, NULL, &f->err), 0);
	assert_true(strlen(text) < sizeof(f->text));
	return strcpy(f->text, text);
}

static json_t *
role_entry(struct fixture *f, int key, int second, int threshold)
{
	json_t *entry = json_pack("{s:[s],s:i}", "keyids", id_of(f, key), "threshold", threshold);

	if (second >= 0)
		json_array_append_new(json_object_get(entry, "keyids"), json_string(id_of(f, second)));
	return entry;
}

/* A root with @root_key alone; targets need @threshold of two keys. */
static json_t *
make_root(struct fixture *f, int version, int root_key, int threshold)
{
	json_t *keys = json_object();

	for (int i = 0; i < STRANGER; i++)
		json_object_set_new(keys, id_of(f, i), public_key_json(key_pair_public(f->key[i])));
	return json_pack("{s:s,s:i,s:s,s:b,s:o,s:{s:o,s:o,s:o,s:o}}", "_type", "Root", "version", version,
	    "expires", "2030-01-01T00:00:00Z", "consistent_snapshot", 0, "keys", keys, "roles", "root",
	    role_entry(f, root_key, -1, 1), "targets", role_entry(f, TARGETS_KEY, TARGETS_KEY_2, threshold),
	    "snapshot", role_entry(f, SNAPSHOT_KEY, -1, 1), "timestamp", role_entry(f, TIMESTAMP_KEY, -1, 1));
}

static void
begin(struct fixture *f, enum repository repository, int threshold)
{
	trust_done(&f->trust);
	trust_init(&f->trust, repository);
	sign(f, make_root(f, 1, ROOT_KEY, threshold), ROOT_KEY, -1);
	if (take(&f->trust, ROLE_ROOT, f->text, &f->err) < 0)
		fail_msg("%s", f->err.text);
}

static json_t *
make_targets(int version)
{
	return json_pack("{s:s,s:i,s:s,s:{}}", "_type", "Targets", "version", version, "expires",
	    "2030-01-01T00:00:00Z", "targets");
}

/* Director targets with one entry for each text of "NAME=ECU". */
static json_t *
make_director_targets(int version, const char *first, const char *second)
{
	json_t *part = make_targets(version), *targets = json_object_get(part, "targets");
	const char *const all[] = { first, second };

	for (int i = 0; i < 2 && all[i]; i++) {
		const char *ecu = strchr(all[i], '=') + 1;
		char name[16];

		snprintf(name, sizeof(name), "%.*s", (int)(ecu - 1 - all[i]), all[i]);
		json_object_set_new(targets, name,
		    json_pack("{s:i,s:{s:s},s:{s:{s:{s:s}}}}", "length", 0, "hashes", "sha256", "00", "custom",
			"ecuIdentifiers", ecu, "hardwareId", "hw"));
	}
	return part;
}

/* What a snapshot or timestamp says of the file in f->text. @version NO_VERSION: nothing. */
static json_t *
list(struct fixture *f, int version)
{
	char hex[DIGEST_HEX_SIZE];
	json_t *entry;

	digest_sha256_hex(f->text, strlen(f->text), hex);
	entry = json_pack("{s:{s:s},s:i}", "hashes", "sha256", hex, "length", (int)strlen(f->text));
	if (version != NO_VERSION)
		json_object_set_new(entry, "version", json_integer(version));
	return entry;
}

static json_t *
make_listing(const char *type, int version, const char *name, json_t *entry)
{
	return json_pack("{s:s,s:i,s:s,s:{s:o}}", "_type", type, "version", version, "expires",
	    "2030-01-01T00:00:00Z", "meta", name, entry);
}

static void
expect(struct fixture *f, enum role role, const char *text, const char *reason)
{
	int before = trust_version(&f->trust, role);

	assert_int_equal(take(&f->trust, role, text, &f->err), -EBADMSG);
	assert_reason(f->err, reason);
	assert_int_equal(trust_version(&f->trust, role), before);
}

static void
expect_good(struct fixture *f, enum role role, const char *text)
{
	if (take(&f->trust, role, text, &f->err) < 0)
		fail_msg("%s", f->err.text);
}

static void
refuses_what_another_role_or_a_stranger_signed(void **state)
{
	struct fixture *f = *state;

	begin(f, REPOSITORY_DIRECTOR, 1);
	for (int key = 0; key < KEY_COUNT; key++)
		if (key != TARGETS_KEY && key != TARGETS_KEY_2)
			expect(f, ROLE_TARGETS, sign(f, make_targets(1), key, -1),
			    "director targets.json: TUF 1.0, 5.3: 0 of 1 needed signatures");
	expect_good(f, ROLE_TARGETS, sign(f, make_targets(1), TARGETS_KEY_2, STRANGER));
	expect(f, ROLE_TARGETS, sign(f, make_root(f, 2, ROOT_KEY, 1), TARGETS_KEY, -1),
	    "director targets.json: _type is \"Root\", not Targets");
}

static void
counts_the_threshold_by_keys(void **state)
{
	struct fixture *f = *state;
	char *second;

	begin(f, REPOSITORY_DIRECTOR, 2);
	expect(f, ROLE_TARGETS, sign(f, make_targets(1), TARGETS_KEY, -1), "1 of 2 needed signatures");
	expect(
	    f, ROLE_TARGETS, sign(f, make_targets(1), TARGETS_KEY, SNAPSHOT_KEY), "1 of 2 needed signatures");
	expect(f, ROLE_TARGETS, sign(f, make_targets(1), TARGETS_KEY, TARGETS_KEY), "has two signatures");
	sign(f, make_targets(1), TARGETS_KEY, TARGETS_KEY_2);
	expect_good(f, ROLE_TARGETS, f->text);
	second = strstr(strstr(f->text, "\"sig\":\"") + 1, "\"sig\":\"") + 7;
	second[0] = second[0] == 'A' ? 'B' : 'A';
	expect(f, ROLE_TARGETS, f->text, "1 of 2 needed signatures");
}

static void
refuses_unknown_methods_of_anybody(void **state)
{
	struct fixture *f = *state;
	char *method;

	begin(f, REPOSITORY_DIRECTOR, 1);
	sign(f, make_targets(1), TARGETS_KEY, STRANGER);
	method = strstr(strstr(f->text, "ed25519") + 1, "ed25519");
	memcpy(method, "ed25518", 7);
	expect(f, ROLE_TARGETS, f->text, "signature method \"ed25518\" is unknown");
}

static void
refuses_another_form(void **state)
{
	struct fixture *f = *state;
	json_t *part;

	begin(f, REPOSITORY_DIRECTOR, 1);
	expect(f, ROLE_TARGETS, "", "director targets.json: not JSON");
	expect(f, ROLE_TARGETS, "<html>", "not JSON");
	expect(f, ROLE_TARGETS, "{}", "is no {\"signatures\"");
	expect(f, ROLE_TARGETS, "{\"signatures\":[],\"signed\":{}}", "member \"version\" is missing");
	part = make_targets(1);
	json_object_set_new(part, "expires", json_string("2030-01-01T00:00:00.5Z"));
	expect(f, ROLE_TARGETS, sign(f, part, TARGETS_KEY, -1), "expires \"2030-01-01T00:00:00.5Z\" is not");
	part = make_targets(1);
	json_object_set_new(part, "version", json_string("1"));
	expect(f, ROLE_TARGETS, sign(f, part, TARGETS_KEY, -1), "member \"version\" is missing or no integer");
	part = make_targets(1);
	json_object_set_new(part, "_type", json_string("targets"));
	expect(f, ROLE_TARGETS, sign(f, part, TARGETS_KEY, -1), "_type is \"targets\", not Targets");
	part = make_targets(1);
	json_object_set_new(part, "targets", json_pack("{s:{s:i}}", "a", "length", -1));
	expect(f, ROLE_TARGETS, sign(f, part, TARGETS_KEY, -1), "\"a\" has no usable length");
}

static void
refuses_what_is_too_large(void **state)
{
	struct fixture *f = *state;
	json_t *part = make_targets(1);
	char filler[TRUST_SMALL_MAX];

	begin(f, REPOSITORY_DIRECTOR, 1);
	memset(filler, 'x', sizeof(filler) - 1);
	filler[sizeof(filler) - 1] = '\0';
	json_object_set_new(part, "filler", json_string(filler));
	expect(f, ROLE_TARGETS, sign(f, part, TARGETS_KEY, -1), "at most 65536 are allowed");
	assert_int_equal(trust_limit(&f->trust, ROLE_ROOT), 65536);
	trust_done(&f->trust);
	trust_init(&f->trust, REPOSITORY_IMAGE);
	assert_int_equal(trust_limit(&f->trust, ROLE_SNAPSHOT), 65536);
	assert_int_equal(trust_limit(&f->trust, ROLE_TIMESTAMP), 65536);
	assert_int_equal(trust_limit(&f->trust, ROLE_TARGETS), 8 * 1024 * 1024);
}

static void
knows_the_second_of_expiry(void **state)
{
	AUTO(free_p) char *text = read_vector("repo", "timestamp");
	struct trust trust;
	struct err err;

	(void)state;
	take_vectors_before(&trust, REPOSITORY_IMAGE, ROLE_TIMESTAMP);
	assert_int_equal(take(&trust, ROLE_TIMESTAMP, text, &err), 0);
	assert_int_equal(trust_check_expiry(&trust, ROLE_TIMESTAMP, seconds("2026-03-02T10:00:00Z"), &err), 0);
	assert_int_equal(
	    trust_check_expiry(&trust, ROLE_TIMESTAMP, seconds("2026-03-02T10:00:01Z"), &err), -EBADMSG);
	assert_reason(err, "image timestamp.json: expired at 2026-03-02T10:00:00Z");
	assert_int_equal(
	    trust_check_expiry(&trust, ROLE_ROOT, seconds("2027-03-01T10:00:01Z"), &err), -EBADMSG);
	assert_reason(err, "image root.json: expired");
	trust_done(&trust);
}

static void
refuses_a_first_root_that_does_not_vouch_for_itself(void **state)
{
	struct fixture *f = *state;
	json_t *part;

	expect(f, ROLE_ROOT, sign(f, make_root(f, 1, ROOT_KEY, 1), ROOT_KEY_2, -1), "0 of 1 needed signatures");
	part = make_root(f, 1, ROOT_KEY, 1);
	json_object_set_new(json_object_get(part, "keys"), "other",
	    json_pack("{s:s,s:{s:s}}", "keytype", "ECPRIME256V1", "keyval", "public", "00"));
	expect(f, ROLE_ROOT, sign(f, part, ROOT_KEY, -1), "unsupported key type \"ECPRIME256V1\"");
	expect(f, ROLE_ROOT, sign(f, make_root(f, 1, ROOT_KEY, 0), ROOT_KEY, -1),
	    "role targets: threshold 0 is not within 1..1000");
	expect(f, ROLE_ROOT, sign(f, make_root(f, 1, ROOT_KEY, 1001), ROOT_KEY, -1), "threshold 1001");
	part = make_root(f, 1, ROOT_KEY, 1);
	json_object_del(part, "roles");
	expect(f, ROLE_ROOT, sign(f, part, ROOT_KEY, -1), "has no keys or no roles");
	part = make_root(f, 1, ROOT_KEY, 1);
	json_object_set_new(part, "_type", json_string("root"));
	expect_good(f, ROLE_ROOT, sign(f, part, ROOT_KEY, -1));
}

static void
expect_next(struct fixture *f, const char *text, const char *reason)
{
	assert_int_equal(trust_next_root(&f->trust, text, strlen(text), &f->err), -EBADMSG);
	assert_reason(f->err, reason);
	assert_int_equal(trust_version(&f->trust, ROLE_ROOT), 1);
}

static void
follows_roots_one_by_one_by_old_and_new_keys(void **state)
{
	struct fixture *f = *state;

	begin(f, REPOSITORY_DIRECTOR, 1);
	expect_good(f, ROLE_TARGETS, sign(f, make_targets(9), TARGETS_KEY, -1));
	expect_next(f, "<html>", "director 2.root.json: not JSON");
	expect_next(
	    f, sign(f, make_root(f, 3, ROOT_KEY, 1), ROOT_KEY, -1), "director 2.root.json: version is 3");
	expect_next(
	    f, sign(f, make_root(f, 1, ROOT_KEY, 1), ROOT_KEY, -1), "director 2.root.json: version is 1");
	expect_next(f, sign(f, make_root(f, 2, ROOT_KEY_2, 1), ROOT_KEY_2, -1),
	    "director 2.root.json, by the keys of version 1: ");
	expect_next(f, sign(f, make_root(f, 2, ROOT_KEY_2, 1), ROOT_KEY, -1),
	    "director 2.root.json: TUF 1.0, 5.3: 0 of 1 needed signatures");
	assert_int_equal(trust_version(&f->trust, ROLE_TARGETS), 9);

	sign(f, make_root(f, 2, ROOT_KEY_2, 1), ROOT_KEY, ROOT_KEY_2);
	assert_int_equal(trust_next_root(&f->trust, f->text, strlen(f->text), &f->err), 0);
	assert_int_equal(trust_version(&f->trust, ROLE_ROOT), 2);
	assert_int_equal(trust_version(&f->trust, ROLE_TARGETS), 0);
	expect_good(f, ROLE_TARGETS, sign(f, make_targets(1), TARGETS_KEY, -1));
}

static void
refuses_a_rollback_of_director_targets(void **state)
{
	struct fixture *f = *state;

	begin(f, REPOSITORY_DIRECTOR, 1);
	expect_good(f, ROLE_TARGETS, sign(f, make_director_targets(4, "a=1", NULL), TARGETS_KEY, -1));
	expect(f, ROLE_TARGETS, sign(f, make_director_targets(3, "a=1", NULL), TARGETS_KEY, -1),
	    "director targets.json: rollback attempt: version 3 after 4");
	expect_good(f, ROLE_TARGETS, sign(f, make_director_targets(4, "a=1", NULL), TARGETS_KEY, -1));
	assert_false(f->trust.is_unstorable);
	expect_good(f, ROLE_TARGETS, sign(f, make_director_targets(4, "b=1", NULL), TARGETS_KEY, -1));
	assert_true(f->trust.is_unstorable);
}

static void
keeps_the_last_director_targets_when_they_become_empty(void **state)
{
	struct fixture *f = *state;
	bool is_news;
	json_t *part;

	begin(f, REPOSITORY_DIRECTOR, 1);
	expect_good(f, ROLE_TARGETS, sign(f, make_director_targets(4, "a=1", NULL), TARGETS_KEY, -1));
	part = make_targets(5);
	json_object_set_new(part, "expires", json_string("2029-01-01T00:00:00Z"));
	sign(f, part, TARGETS_KEY, -1);
	assert_int_equal(trust_director_targets(&f->trust, f->text, strlen(f->text), &is_news, &f->err), 0);
	assert_false(is_news);
	assert_int_equal(trust_version(&f->trust, ROLE_TARGETS), 4);
	assert_int_equal(json_object_size(trust_targets(&f->trust)), 1);
	/* But it is the empty one that has to be in its time. */
	assert_int_equal(
	    trust_check_expiry(&f->trust, ROLE_TARGETS, seconds("2029-06-01T00:00:00Z"), &f->err), -EBADMSG);
	assert_reason(f->err, "expired at 2029-01-01T00:00:00Z");
}

static void
refuses_director_targets_with_delegations_or_an_ecu_twice(void **state)
{
	struct fixture *f = *state;
	json_t *part = make_targets(1);

	begin(f, REPOSITORY_DIRECTOR, 1);
	expect(f, ROLE_TARGETS, sign(f, make_director_targets(1, "a=1", "b=1"), TARGETS_KEY, -1),
	    "director targets.json: ECU 1 is in two targets");
	expect_good(f, ROLE_TARGETS, sign(f, make_director_targets(1, "a=1", "b=2"), TARGETS_KEY, -1));
	json_object_set_new(part, "delegations", json_pack("{s:{},s:[{s:s}]}", "keys", "roles", "name", "d"));
	expect(f, ROLE_TARGETS, sign(f, part, TARGETS_KEY, -1), "director targets.json: has delegations");
	part = make_targets(2);
	json_object_set_new(part, "delegations", json_pack("{s:{},s:[]}", "keys", "roles"));
	expect_good(f, ROLE_TARGETS, sign(f, part, TARGETS_KEY, -1));
}

/* Takes a timestamp that lists @entry (stolen). */
static void
take_timestamp(struct fixture *f, int version, json_t *entry)
{
	char text[sizeof(f->text)];

	memcpy(text, f->text, sizeof(text));
	expect_good(f, ROLE_TIMESTAMP,
	    sign(f, make_listing("Timestamp", version, "snapshot.json", entry), TIMESTAMP_KEY, -1));
	memcpy(f->text, text, sizeof(text));
}

/* Writes a snapshot of version @version that lists image targets of version 1 to f->text. */
static void
write_snapshot(struct fixture *f, int version)
{
	sign(f, make_targets(1), TARGETS_KEY, -1);
	sign(f, make_listing("Snapshot", version, "targets.json", list(f, 1)), SNAPSHOT_KEY, -1);
}

static void
refuses_a_timestamp_that_does_not_describe_a_snapshot(void **state)
{
	static const char *const needed[] = { "hashes", "length", "version" };
	struct fixture *f = *state;

	begin(f, REPOSITORY_IMAGE, 1);
	for (size_t i = 0; i < 3; i++) {
		json_t *entry = list(f, 1);

		json_object_del(entry, needed[i]);
		expect(f, ROLE_TIMESTAMP,
		    sign(f, make_listing("Timestamp", 1, "snapshot.json", entry), TIMESTAMP_KEY, -1),
		    "snapshot.json is listed without hashes, length or version");
	}
	take_timestamp(f, 3, list(f, 1));
	expect(f, ROLE_TIMESTAMP,
	    sign(f, make_listing("Timestamp", 2, "snapshot.json", list(f, 1)), TIMESTAMP_KEY, -1),
	    "image timestamp.json: rollback attempt: version 2 after 3");
	take_timestamp(f, 3, list(f, 2));
}

static void
refuses_a_snapshot_that_is_not_the_listed_one(void **state)
{
	struct fixture *f = *state;
	json_t *entry;

	begin(f, REPOSITORY_IMAGE, 1);
	write_snapshot(f, 5);
	expect(f, ROLE_SNAPSHOT, f->text, "there is no timestamp yet");

	take_timestamp(f, 1, list(f, 4));
	expect(f, ROLE_SNAPSHOT, f->text, "image snapshot.json: version is 5, listed is 4");

	entry = list(f, 5);
	json_object_set_new(entry, "length", json_integer((json_int_t)strlen(f->text) - 1));
	take_timestamp(f, 1, entry);
	expect(f, ROLE_SNAPSHOT, f->text, "image snapshot.json: has ");

	entry = list(f, 5);
	json_object_set_new(
	    json_object_get(entry, "hashes"), "sha256", json_string("00112233445566778899aabbccddeeff"));
	take_timestamp(f, 1, entry);
	expect(f, ROLE_SNAPSHOT, f->text, "listed is 0011223344556677...");

	/* All known hashes have to match, and one there must be. */
	entry = list(f, 5);
	json_object_set_new(json_object_get(entry, "hashes"), "sha512", json_string("00"));
	take_timestamp(f, 1, entry);
	expect(f, ROLE_SNAPSHOT, f->text, "image snapshot.json: sha512 is ");
	entry = list(f, 5);
	json_object_set_new(entry, "hashes", json_pack("{s:s}", "md5", "00"));
	take_timestamp(f, 1, entry);
	expect(f, ROLE_SNAPSHOT, f->text, "timestamp.json has no sha256 or sha512 of it");

	take_timestamp(f, 1, list(f, 5));
	expect_good(f, ROLE_SNAPSHOT, f->text);
	assert_true(trust_is_current(&f->trust, ROLE_SNAPSHOT));
	take_timestamp(f, 2, list(f, 6));
	assert_false(trust_is_current(&f->trust, ROLE_SNAPSHOT));
}

static void
refuses_a_rollback_of_the_snapshot(void **state)
{
	struct fixture *f = *state;

	begin(f, REPOSITORY_IMAGE, 1);
	write_snapshot(f, 5);
	take_timestamp(f, 1, list(f, 5));
	expect_good(f, ROLE_SNAPSHOT, f->text);
	write_snapshot(f, 4);
	take_timestamp(f, 2, list(f, 4));
	expect(f, ROLE_SNAPSHOT, f->text, "image snapshot.json: rollback attempt: version 4 after 5");
}

/* Has a snapshot taken that lists targets as @entry (stolen), whatever f->text has. */
static void
take_snapshot(struct fixture *f, int version, json_t *entry)
{
	char text[sizeof(f->text)];

	memcpy(text, f->text, sizeof(text));
	sign(f, make_listing("Snapshot", version, "targets.json", entry), SNAPSHOT_KEY, -1);
	take_timestamp(f, version, list(f, version));
	expect_good(f, ROLE_SNAPSHOT, f->text);
	memcpy(f->text, text, sizeof(text));
}

static void
refuses_image_targets_that_are_not_the_listed_ones(void **state)
{
	struct fixture *f = *state;
	json_t *entry;

	begin(f, REPOSITORY_IMAGE, 1);
	sign(f, make_targets(3), TARGETS_KEY, -1);
	expect(f, ROLE_TARGETS, f->text, "image targets.json: version is 3, listed is 0");
	take_snapshot(f, 1, list(f, 2));
	expect(f, ROLE_TARGETS, f->text, "image targets.json: version is 3, listed is 2");
	entry = list(f, 3);
	json_object_set_new(json_object_get(entry, "hashes"), "sha256", json_string("00"));
	take_snapshot(f, 2, entry);
	expect(f, ROLE_TARGETS, f->text, "image targets.json: sha256 is ");

	/* The real client needs no hash here and never looks at the length. */
	entry = json_pack("{s:i,s:i}", "version", 3, "length", 1);
	take_snapshot(f, 3, entry);
	expect_good(f, ROLE_TARGETS, f->text);
	sign(f, make_targets(2), TARGETS_KEY, -1);
	take_snapshot(f, 4, list(f, 2));
	expect(f, ROLE_TARGETS, f->text, "image targets.json: rollback attempt: version 2 after 3");
}

static void
refuses_a_snapshot_entry_without_version(void **state)
{
	struct fixture *f = *state;

	begin(f, REPOSITORY_IMAGE, 1);
	sign(f, make_listing("Snapshot", 1, "targets.json", list(f, NO_VERSION)), SNAPSHOT_KEY, -1);
	take_timestamp(f, 1, list(f, 1));
	expect(f, ROLE_SNAPSHOT, f->text, "\"targets.json\" is listed without version");
}

static void
takes_a_delegation_that_parent_and_snapshot_know(void **state)
{
	AUTO(free_p) char *targets = read_vector("repo", "targets");
	AUTO(free_p) char *text = read_vector("repo/delegations", "supplier01");
	AUTO(json_decref_p) json_t *document = NULL, *renamed = NULL;
	const json_t *parent, *role;
	struct trust trust;
	struct err err;

	(void)state;
	take_vectors_before(&trust, REPOSITORY_IMAGE, ROLE_TARGETS);
	assert_int_equal(take(&trust, ROLE_TARGETS, targets, &err), 0);
	parent = trust_signed(&trust, ROLE_TARGETS);
	role = json_array_get(json_object_get(json_object_get(parent, "delegations"), "roles"), 0);
	assert_int_equal(trust_delegation(&trust, parent, role, text, strlen(text), &document, &err), 0);
	assert_non_null(json_object_get(
	    json_object_get(json_object_get(document, "signed"), "targets"), "supplier01/brake-2.bin"));

	renamed = json_copy((json_t *)(uintptr_t)role);
	json_object_set_new(renamed, "name", json_string("other"));
	json_decref(document);
	document = NULL;
	assert_int_equal(
	    trust_delegation(&trust, parent, renamed, text, strlen(text), &document, &err), -EBADMSG);
	assert_reason(err, "image delegations/other.json: version is 3, listed is 0");
	assert_int_equal(
	    trust_delegation(&trust, parent, role, targets, strlen(targets), &document, &err), -EBADMSG);
	assert_reason(err, "image delegations/supplier01.json: TUF 1.0, 5.3: 0 of 1");
	text[strlen(text) - 5] ^= 1;
	assert_int_equal(trust_delegation(&trust, parent, role, text, strlen(text), &document, &err), -EBADMSG);
	trust_done(&trust);
}

#define WITH_KEYS(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_the_vectors),
		cmocka_unit_test(refuses_every_flipped_bit),
		cmocka_unit_test(knows_the_second_of_expiry),
		cmocka_unit_test(takes_a_delegation_that_parent_and_snapshot_know),
		WITH_KEYS(refuses_what_another_role_or_a_stranger_signed),
		WITH_KEYS(counts_the_threshold_by_keys),
		WITH_KEYS(refuses_unknown_methods_of_anybody),
		WITH_KEYS(refuses_another_form),
		WITH_KEYS(refuses_what_is_too_large),
		WITH_KEYS(refuses_a_first_root_that_does_not_vouch_for_itself),
		WITH_KEYS(follows_roots_one_by_one_by_old_and_new_keys),
		WITH_KEYS(refuses_a_rollback_of_director_targets),
		WITH_KEYS(keeps_the_last_director_targets_when_they_become_empty),
		WITH_KEYS(refuses_director_targets_with_delegations_or_an_ecu_twice),
		WITH_KEYS(refuses_a_timestamp_that_does_not_describe_a_snapshot),
		WITH_KEYS(refuses_a_snapshot_that_is_not_the_listed_one),
		WITH_KEYS(refuses_a_rollback_of_the_snapshot),
		WITH_KEYS(refuses_image_targets_that_are_not_the_listed_ones),
		WITH_KEYS(refuses_a_snapshot_entry_without_version),
	};

	return cmocka_run_group_tests_name("device_trust", tests, NULL, NULL);
}
