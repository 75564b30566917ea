/* Documents of other implementations verify, changed ones do not, and a refusal says what and why. */
#include "tests/unit/unit.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "lib/cleanup.h"
#include "lib/file.h"
#include "lib/json.h"
#include "sign/canonical.h"
#include "sign/envelope.h"
#include "sign/key.h"

/* Generated once: RSA keys take their time. */
enum { ED, ED_OTHER, RSA_2048, RSA_3072, RSA_4096, RSA_1024, KEYS };
static EVP_PKEY *keys[KEYS];

static int
make_keys(void **state)
{
	static const unsigned bits[KEYS] = { 0, 0, 2048, 3072, 4096, 1024 };
	struct err err;

	(void)state;
	assert_int_equal(key_start(&err), 0);
	for (int i = 0; i < KEYS; i++) {
		keys[i] = bits[i] ? EVP_RSA_gen(bits[i]) : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		assert_non_null(keys[i]);
	}
	return 0;
}

static int
free_keys(void **state)
{
	(void)state;
	for (int i = 0; i < KEYS; i++)
		EVP_PKEY_free(keys[i]);
	return 0;
}

/* -- documents of other implementations -- */

static char *
vector_text(const char *name, size_t *bytes)
{
	char path[256], *text;
	struct err err;

	snprintf(path, sizeof(path), "tests/vectors/%s", name);
	assert_int_equal(file_read(AT_FDCWD, path, 1 << 20, &text, bytes, &err), 0);
	return text;
}

static json_t *
vector(const char *name)
{
	size_t bytes;
	AUTO(free_p) char *text = vector_text(name, &bytes);
	json_t *json;
	struct err err;

	assert_int_equal(json_read(text, bytes, name, &json, &err), 0);
	return json;
}

static json_t *
signed_part(const char *name)
{
	AUTO(json_decref_p) json_t *json = vector(name);

	return json_incref(json_object_get(json, "signed"));
}

/* @parent: the root that gives the role its keys; or, for a delegation, targets.json. */
static const struct document {
	const char *name, *parent;
	int role; /* -1: a delegation */
} documents[] = {
	{ "repo/root.json", "repo/1.root.json", ROLE_ROOT },
	{ "repo/targets.json", "repo/root.json", ROLE_TARGETS },
	{ "repo/snapshot.json", "repo/root.json", ROLE_SNAPSHOT },
	{ "repo/timestamp.json", "repo/root.json", ROLE_TIMESTAMP },
	{ "repo/delegations/supplier01.json", "repo/targets.json", -1 },
	{ "director/root.json", "director/1.root.json", ROLE_ROOT },
	{ "director/targets.json", "director/root.json", ROLE_TARGETS },
	{ "director/targets-empty.json", "director/root.json", ROLE_TARGETS },
	{ "director/snapshot.json", "director/root.json", ROLE_SNAPSHOT },
	{ "director/timestamp.json", "director/root.json", ROLE_TIMESTAMP },
	{ "generator/image/1.root.json", "generator/image/1.root.json", ROLE_ROOT },
	{ "generator/image/2.root.json", "generator/image/1.root.json", ROLE_ROOT },
	{ "generator/image/2.root.json", "generator/image/2.root.json", ROLE_ROOT },
	{ "generator/image/3.root.json", "generator/image/2.root.json", ROLE_ROOT },
	{ "generator/image/3.root.json", "generator/image/3.root.json", ROLE_ROOT },
	{ "generator/image/4.root.json", "generator/image/3.root.json", ROLE_ROOT },
	{ "generator/image/4.root.json", "generator/image/4.root.json", ROLE_ROOT },
	{ "generator/image/targets.json", "generator/image/4.root.json", ROLE_TARGETS },
	{ "generator/image/snapshot.json", "generator/image/4.root.json", ROLE_SNAPSHOT },
	{ "generator/image/timestamp.json", "generator/image/4.root.json", ROLE_TIMESTAMP },
	{ "generator/image/delegations/supplier.json", "generator/image/targets.json", -1 },
	{ "generator/director/2.root.json", "generator/director/1.root.json", ROLE_ROOT },
	{ "generator/director/targets.json", "generator/director/2.root.json", ROLE_TARGETS },
	{ "generator/director/snapshot.json", "generator/director/2.root.json", ROLE_SNAPSHOT },
	{ "generator/director/timestamp.json", "generator/director/2.root.json", ROLE_TIMESTAMP },
};
#define DOCUMENTS (sizeof(documents) / sizeof(documents[0]))

static int
verify(const struct document *document, const json_t *json, const json_t *parent, struct err *err)
{
	const json_t *delegations = json_object_get(parent, "delegations");
	const json_t *first = json_array_get(json_object_get(delegations, "roles"), 0);

	if (document->role >= 0)
		return envelope_verify_role(json, parent, (enum role)document->role, document->name, err);
	return envelope_verify_keys(json, json_object_get(delegations, "keys"),
	    json_object_get(first, "keyids"), 1, document->name, err);
}

static void
verifies_the_documents_of_other_implementations(void **state)
{
	struct err err;

	(void)state;
	for (size_t i = 0; i < DOCUMENTS; i++) {
		AUTO(json_decref_p) json_t *json = vector(documents[i].name);
		AUTO(json_decref_p) json_t *parent = signed_part(documents[i].parent);

		if (verify(&documents[i], json, parent, &err) < 0)
			fail_msg("%s by %s: %s", documents[i].name, documents[i].parent, err.text);
	}
}

/* One that uses no line of ours: the hash of the canonical form that the other implementation noted. */
static void
agrees_about_the_hashes_of_canonical_forms(void **state)
{
	static const char *const names[][2] = { { "repo/snapshot.json", "repo/targets.json" },
		{ "generator/image/snapshot.json", "generator/image/targets.json" },
		{ "generator/director/snapshot.json", "generator/director/targets.json" } };
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		AUTO(json_decref_p) json_t *snapshot = signed_part(names[i][0]);
		AUTO(json_decref_p) json_t *targets = vector(names[i][1]);
		const json_t *entry = json_object_get(json_object_get(snapshot, "meta"), "targets.json");
		AUTO(free_p) char *canonical = NULL;
		char digest[DIGEST_HEX_SIZE];
		size_t bytes;

		assert_int_equal(canonical_write(targets, &canonical, &bytes, &err), 0);
		digest_sha256_hex(canonical, bytes, digest);
		assert_string_equal(digest, json_text(json_object_get(entry, "hashes"), "sha256"));
	}
}

/* Whatever bit is turned: it is no JSON any more, or no document of that role. Of a next root, the signature by
 * the other root's keys may be spoilt. */
static void
refuses_a_document_with_any_byte_changed(void **state)
{
	struct err err;

	(void)state;
	for (size_t i = 0; i < DOCUMENTS; i++) {
		AUTO(json_decref_p) json_t *parent = signed_part(documents[i].parent);
		AUTO(json_decref_p) json_t *good = vector(documents[i].name);
		AUTO(free_p) char *text = NULL;
		size_t bytes, taken = 0;

		assert_int_equal(canonical_write(good, &text, &bytes, &err), 0);
		for (size_t at = 0; at < bytes; at++) {
			AUTO(json_decref_p) json_t *json = NULL;

			text[at] ^= 1;
			if (json_read(text, bytes, "changed", &json, &err) == 0 &&
			    verify(&documents[i], json, parent, &err) == 0) {
				taken++;
				assert_true(json_equal(
				    json_object_get(json, "signed"), json_object_get(good, "signed")));
			}
			text[at] ^= 1;
		}
		if (json_array_size(json_object_get(good, "signatures")) == 1)
			assert_int_equal(taken, 0);
	}
}

static void
refuses_documents_of_the_other_repository_and_of_another_role(void **state)
{
	AUTO(json_decref_p) json_t *image = signed_part("repo/root.json");
	AUTO(json_decref_p) json_t *director = signed_part("director/root.json");
	AUTO(json_decref_p) json_t *targets = vector("director/targets.json");
	AUTO(json_decref_p) json_t *snapshot = vector("repo/snapshot.json");
	AUTO(json_decref_p) json_t *other_root = vector("director/root.json");
	struct err err;

	(void)state;
	assert_int_equal(envelope_verify_role(targets, image, ROLE_TARGETS, "targets.json", &err), -EBADMSG);
	assert_reason(err, "keys of the targets role: targets.json: TUF 1.0, 5.3: 0 of 1 needed signatures are "
			   "good: none is by 1a428df65c33..., key 9d3780dd63a6... is none of them");
	assert_int_equal(
	    envelope_verify_role(snapshot, director, ROLE_SNAPSHOT, "snapshot.json", &err), -EBADMSG);
	assert_reason(err, "key c286240a1cf6... is none of them");
	assert_int_equal(envelope_verify_role(other_root, image, ROLE_ROOT, "root.json", &err), -EBADMSG);
	assert_reason(err, "keys of the root role: root.json: TUF 1.0, 5.3: 0 of 1 needed signatures are good: "
			   "none is by fea17bbd5ea2..., key 063752f1dc69... is none of them");
	assert_int_equal(envelope_verify_role(snapshot, image, ROLE_TARGETS, "snapshot.json", &err), -EBADMSG);
	assert_reason(err, "snapshot.json: _type is \"Snapshot\", not Targets");
}

/* -- documents made here -- */

static json_t *
public_json(EVP_PKEY *key)
{
	unsigned char raw[32];
	size_t bytes = sizeof(raw);
	char hex[65], *pem;
	json_t *json;
	BIO *bio;
	long n;

	if (EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519) {
		assert_int_equal(EVP_PKEY_get_raw_public_key(key, raw, &bytes), 1);
		digest_hex(raw, bytes, hex);
		return json_pack("{s:s,s:{s:s}}", "keytype", "ED25519", "keyval", "public", hex);
	}
	bio = BIO_new(BIO_s_mem());
	assert_int_equal(PEM_write_bio_PUBKEY(bio, key), 1);
	n = BIO_get_mem_data(bio, &pem);
	json = json_pack("{s:s,s:{s:s#}}", "keytype", "RSA", "keyval", "public", pem, (int)n);
	BIO_free(bio);
	return json;
}

/* aktualizr's id of a key: SHA-256 of the canonical text of its public value without the last line's end. */
static void
aktualizr_id(const json_t *public, char id[static DIGEST_HEX_SIZE])
{
	const char *value = json_text(json_object_get(public, "keyval"), "public");
	AUTO(json_decref_p) json_t *text = NULL;
	AUTO(free_p) char *canonical = NULL;
	size_t bytes = strlen(value);
	struct err err;

	while (bytes && value[bytes - 1] == '\n')
		bytes--;
	text = json_stringn(value, bytes);
	assert_int_equal(canonical_write(text, &canonical, &bytes, &err), 0);
	digest_sha256_hex(canonical, bytes, id);
}

static void
spki_id(const json_t *public, char id[static DIGEST_HEX_SIZE])
{
	AUTO(public_key_freep) struct public_key *key = NULL;
	struct err err;

	assert_int_equal(public_key_read(public, "key", &key, &err), 0);
	strcpy(id, public_key_id(key));
}

/* @salt: of an RSA signature, bytes. */
static char *
signature_text(EVP_PKEY *key, int salt, const char *data)
{
	int is_rsa = EVP_PKEY_get_base_id(key) == EVP_PKEY_RSA;
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	EVP_PKEY_CTX *padding;
	unsigned char raw[512];
	size_t bytes = sizeof(raw);

	assert_int_equal(EVP_DigestSignInit(context, &padding, is_rsa ? EVP_sha256() : NULL, NULL, key), 1);
	if (is_rsa) {
		assert_int_equal(EVP_PKEY_CTX_set_rsa_padding(padding, RSA_PKCS1_PSS_PADDING), 1);
		assert_int_equal(EVP_PKEY_CTX_set_rsa_pss_saltlen(padding, salt), 1);
	}
	assert_int_equal(EVP_DigestSign(context, raw, &bytes, (const unsigned char *)data, strlen(data)), 1);
	EVP_MD_CTX_free(context);
	return digest_base64(raw, bytes);
}

/* A root whose targets role has keys, and targets.json. */
struct scene {
	json_t *root, *file;
	struct err err;
};

static int
open_scene(void **state)
{
	struct scene *s = calloc(1, sizeof(*s));

	s->root = json_pack("{s:{},s:{s:{s:[],s:i}}}", "keys", "roles", "targets", "keyids", "threshold", 1);
	s->file = json_pack("{s:[],s:{s:s,s:s,s:i,s:{}}}", "signatures", "signed", "_type", "Targets",
	    "expires", "2040-01-01T00:00:00Z", "version", 1, "targets");
	assert_true(s->root && s->file);
	*state = s;
	return 0;
}

static int
close_scene(void **state)
{
	struct scene *s = *state;

	json_decref(s->root);
	json_decref(s->file);
	free(s);
	return 0;
}

static json_t *
role(struct scene *s)
{
	return json_object_get(json_object_get(s->root, "roles"), "targets");
}

static void
threshold(struct scene *s, int threshold)
{
	json_object_set_new(role(s), "threshold", json_integer(threshold));
}

static json_t *
trust(struct scene *s, const char *id, EVP_PKEY *key)
{
	json_t *public = public_json(key);

	json_object_set_new(json_object_get(s->root, "keys"), id, public);
	json_array_append_new(json_object_get(role(s), "keyids"), json_string(id));
	return public;
}

static json_t *
add_signature(struct scene *s, const char *id, EVP_PKEY *key, const char *method, int salt)
{
	json_t *signature;
	AUTO(free_p) char *canonical = NULL;
	AUTO(free_p) char *text = NULL;

	assert_int_equal(canonical_write(json_object_get(s->file, "signed"), &canonical, NULL, &s->err), 0);
	text = signature_text(key, salt, canonical);
	signature = json_pack("{s:s,s:s,s:s}", "keyid", id, "method", method, "sig", text);
	json_array_append_new(json_object_get(s->file, "signatures"), signature);
	return signature;
}

static int
check(struct scene *s)
{
	return envelope_verify_role(s->file, s->root, ROLE_TARGETS, "targets.json", &s->err);
}

#define expect_refusal(s, words)                                                                               \
	do {                                                                                                   \
		assert_int_equal(check(s), -EBADMSG);                                                          \
		assert_reason((s)->err, words);                                                                \
	} while (0)

static void
takes_rsa_keys_of_three_sizes_with_any_salt(void **state)
{
	static const int salts[] = { 0, 20, 32, -3 /* as long as it can be */ };
	struct scene *s = *state;

	for (int key = RSA_2048; key <= RSA_4096; key++)
		for (size_t i = 0; i < sizeof(salts) / sizeof(salts[0]); i++) {
			json_array_clear(json_object_get(role(s), "keyids"));
			json_array_clear(json_object_get(s->file, "signatures"));
			trust(s, "rsa", keys[key]);
			add_signature(
			    s, "rsa", keys[key], i % 2 ? "rsassa-pss-sha256" : "rsassa-pss", salts[i]);
			assert_int_equal(check(s), 0);
		}
}

/* 65537 is what is in use; with one as long as the modulus a signature costs milliseconds to check. */
static void
refuses_an_rsa_key_that_is_slow_to_check(void **state)
{
	AUTO(public_key_freep) struct public_key *key = NULL;
	unsigned char modulus[384], exponent[384];
	struct err err;

	(void)state;
	memset(modulus, 0xd7, sizeof(modulus));
	memset(exponent, 0xa5, sizeof(exponent));
	assert_int_equal(
	    public_key_of_rsa(modulus, sizeof(modulus), exponent, sizeof(exponent), "ECU x", &key, &err),
	    -EBADMSG);
	assert_string_equal(err.text,
	    "ECU x: RSA key is no SPKI PEM of 2048, 3072 or 4096 bits, with an exponent of at most 64");
	assert_int_equal(
	    public_key_of_rsa(modulus, sizeof(modulus), exponent, 9, "ECU x", &key, &err), -EBADMSG);
	assert_int_equal(public_key_of_rsa(modulus, sizeof(modulus), exponent, 8, "ECU x", &key, &err), 0);
}

/* Keys as they are in use are read without libcrypto's decoder, and have the id that it would give them. */
static void
calls_rsa_keys_by_the_hash_of_their_der(void **state)
{
	(void)state;
	for (int i = RSA_2048; i <= RSA_4096; i++) {
		AUTO(json_decref_p) json_t *public = public_json(keys[i]);
		AUTO(public_key_freep) struct public_key *key = NULL;
		unsigned char *der = NULL;
		char id[DIGEST_HEX_SIZE];
		struct err err;
		int bytes = i2d_PUBKEY(keys[i], &der);

		digest_sha256_hex(der, (size_t)bytes, id);
		assert_int_equal(public_key_read(public, "key", &key, &err), 0);
		assert_string_equal(public_key_id(key), id);
		OPENSSL_free(der);
	}
}

/* The key of @der with byte @at changed, where its modulus begins after 33 bytes and 5 more follow. */
static int
read_changed(const unsigned char *der, size_t bytes, size_t at, struct public_key **key)
{
	unsigned char changed[600];
	AUTO(free_p) char *base64 = NULL;
	AUTO(json_decref_p) json_t *json = NULL;
	struct err err;
	char pem[1200];

	memcpy(changed, der, bytes);
	changed[at] ^= 1;
	base64 = digest_base64(changed, bytes);
	snprintf(pem, sizeof(pem), "-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n", base64);
	json = json_pack("{s:s,s:{s:s}}", "keytype", "RSA", "keyval", "public", pem);
	return public_key_read(json, "key", key, &err);
}

static void
takes_an_rsa_key_for_no_other_one(void **state)
{
	unsigned char *der = NULL;
	size_t bytes = (size_t)i2d_PUBKEY(keys[RSA_2048], &der);
	AUTO(json_decref_p) json_t *public = public_json(keys[RSA_2048]);
	AUTO(public_key_freep) struct public_key *right = NULL;
	struct err err;

	(void)state;
	assert_int_equal(public_key_read(public, "key", &right, &err), 0);
	for (size_t at = 33; at < bytes; at += at >= bytes - 6 ? 1 : 5) {
		AUTO(public_key_freep) struct public_key *key = NULL;

		if (read_changed(der, bytes, at, &key) == 0)
			assert_string_not_equal(public_key_id(key), public_key_id(right));
	}
	OPENSSL_free(der);
}

static void
refuses_a_short_rsa_key_and_other_key_types(void **state)
{
	struct scene *s = *state;
	json_t *public = trust(s, "aaaaaaaaaaaaaaaa", keys[RSA_1024]);

	add_signature(s, "aaaaaaaaaaaaaaaa", keys[RSA_1024], "rsassa-pss", 32);
	expect_refusal(s,
	    "keys of the targets role: key aaaaaaaaaaaa...: targets.json: RSA key is no SPKI PEM of "
	    "2048, 3072 or 4096 bits");
	json_object_set_new(public, "keytype", json_string("ECPRIME256V1"));
	expect_refusal(s, "keys of the targets role: key aaaaaaaaaaaa...: targets.json: key type "
			  "\"ECPRIME256V1\" is neither ED25519 nor RSA");
	json_object_set_new(public, "keytype", json_string("ED25519"));
	expect_refusal(s, "ED25519 key is not 64 hex digits");
	json_object_del(public, "keyval");
	expect_refusal(s, "member \"public\" is missing");
	json_object_del(json_object_get(s->root, "keys"), "aaaaaaaaaaaaaaaa");
	expect_refusal(s, "key aaaaaaaaaaaa...: targets.json: member \"keytype\" is missing");
}

/* As aktualizr does: key types and methods in any case, the hex digits of a key too; _type only as it is. */
static void
compares_key_types_and_methods_without_case(void **state)
{
	static const char *const methods[] = { "ED25519", "Ed25519", "RSASSA-PSS", "RSASSA-PSS-sha256" };
	static const char *const types[] = { "ed25519", "Ed25519", "rsa", "Rsa" };
	struct scene *s = *state;
	char hex[65];

	for (size_t i = 0; i < sizeof(methods) / sizeof(methods[0]); i++) {
		EVP_PKEY *key = keys[i < 2 ? ED : RSA_2048];
		json_t *public;

		json_array_clear(json_object_get(s->file, "signatures"));
		public = trust(s, "one", key);
		json_object_set_new(public, "keytype", json_string(types[i]));
		if (key == keys[ED]) {
			json_t *value = json_object_get(public, "keyval");

			strcpy(hex, json_text(value, "public"));
			for (char *p = hex; *p; p++)
				*p = (char)(*p >= 'a' ? *p - 'a' + 'A' : *p);
			json_object_set_new(value, "public", json_string(hex));
		}
		add_signature(s, "one", key, methods[i], 32);
		assert_int_equal(check(s), 0);
	}
	json_object_set_new(json_object_get(s->file, "signed"), "_type", json_string("targets"));
	expect_refusal(s, "targets.json: _type is \"targets\", not Targets");
}

static void
refuses_unknown_methods_whoever_signed(void **state)
{
	struct scene *s = *state;
	json_t *signature;

	trust(s, "good", keys[ED]);
	add_signature(s, "good", keys[ED], "ed25519", 0);
	signature = add_signature(s, "0123456789abcdef", keys[ED_OTHER], "ecdsa-sha2-nistp256", 0);
	expect_refusal(s, "keys of the targets role: targets.json: key 0123456789ab...: signature method "
			  "\"ecdsa-sha2-nistp256\" is unknown (TUF 1.0, 4.2)");
	json_object_set_new(signature, "method", json_string("ed25519"));
	assert_int_equal(check(s), 0);
	json_object_set_new(signature, "method", json_string("rsassa-pss"));
	assert_int_equal(check(s), 0);
	json_object_set_new(
	    json_array_get(json_object_get(s->file, "signatures"), 0), "method", json_string("rsassa-pss"));
	expect_refusal(s,
	    "0 of 1 needed signatures are good: key good...: signature method \"rsassa-pss\" does not "
	    "fit the key");
}

static void
names_the_key_whose_signature_is_bad(void **state)
{
	struct scene *s = *state;
	json_t *signature;

	trust(s, "0123456789abcdef", keys[ED]);
	signature = add_signature(s, "0123456789abcdef", keys[ED_OTHER], "ed25519", 0);
	expect_refusal(s, "keys of the targets role: targets.json: TUF 1.0, 5.3: 0 of 1 needed signatures are "
			  "good: key 0123456789ab...: signature of key");
	json_object_set_new(signature, "sig", json_string("abc"));
	expect_refusal(s, "key 0123456789ab...: signature is not base64");
	json_object_set_new(signature, "sig", json_string("AAAA"));
	expect_refusal(s, "key 0123456789ab...: signature of key");
	json_array_clear(json_object_get(s->file, "signatures"));
	expect_refusal(s, "0 of 1 needed signatures are good: none is by 0123456789ab...");
}

static void
counts_thresholds_of_mixed_keys(void **state)
{
	static const char *const ids[] = { "k0", "k1", "k2", "k3", "k4" };
	struct scene *s = *state;

	for (int i = ED; i <= RSA_4096; i++)
		trust(s, ids[i], keys[i]);
	for (int i = ED; i <= RSA_4096; i++) {
		add_signature(s, ids[i], keys[i], i < RSA_2048 ? "ed25519" : "rsassa-pss-sha256", 32);
		threshold(s, i + 1);
		assert_int_equal(check(s), 0);
		threshold(s, i + 2);
		assert_int_equal(check(s), -EBADMSG);
		if (i < RSA_4096) {
			assert_reason(s->err, "needed signatures are good: none is by");
			assert_reason(s->err, ids[i + 1]);
		}
	}
	assert_reason(s->err,
	    "targets.json: TUF 1.0, 5.3: 5 of 6 needed signatures are good: none is by yet another "
	    "key");
}

static void
refuses_thresholds_that_are_none(void **state)
{
	static const struct {
		const char *json, *reason;
	} thresholds[] = {
		{ "0", "root: role targets has no keys or no threshold" },
		{ "-1", "root: role targets: member \"threshold\" is -1, allowed is 0 to 1000" },
		{ "1001", "root: role targets: member \"threshold\" is 1001, allowed is 0 to 1000" },
		{ "1.0", "root: role targets: member \"threshold\" is missing or no integer" },
		{ "\"1\"", "root: role targets: member \"threshold\" is missing or no integer" },
	};
	struct scene *s = *state;

	trust(s, "one", keys[ED]);
	add_signature(s, "one", keys[ED], "ed25519", 0);
	for (size_t i = 0; i < sizeof(thresholds) / sizeof(thresholds[0]); i++) {
		json_object_set_new(
		    role(s), "threshold", json_loads(thresholds[i].json, JSON_DECODE_ANY, NULL));
		expect_refusal(s, thresholds[i].reason);
	}
	threshold(s, 1);
	json_object_del(role(s), "keyids");
	expect_refusal(s, "root: role targets has no keys or no threshold");
	json_object_del(json_object_get(s->root, "roles"), "targets");
	expect_refusal(s, "root: role targets: member \"threshold\" is missing");
}

static void
refuses_two_signatures_under_one_id(void **state)
{
	struct scene *s = *state;

	trust(s, "0123456789abcdef", keys[ED]);
	add_signature(s, "0123456789abcdef", keys[ED], "ed25519", 0);
	add_signature(s, "0123456789abcdef", keys[ED], "ed25519", 0);
	expect_refusal(s, "targets.json: key id 0123456789abcdef has two signatures");
}

/* Ids are names: the same key by ota-tuf's rule, by aktualizr's and by none. It is one key for all that. */
static void
takes_ids_as_they_are_and_counts_a_key_once(void **state)
{
	struct scene *s = *state;

	for (int i = 0; i < 2; i++) {
		EVP_PKEY *key = keys[i ? RSA_2048 : ED];
		const char *method = i ? "rsassa-pss" : "ed25519";
		AUTO(json_decref_p) json_t *public = public_json(key);
		char ids[3][DIGEST_HEX_SIZE];

		spki_id(public, ids[0]);
		aktualizr_id(public, ids[1]);
		strcpy(ids[2], i ? "any name" : "another name");
		assert_string_not_equal(ids[0], ids[1]);
		for (int j = 0; j < 3; j++) {
			trust(s, ids[j], key);
			json_array_clear(json_object_get(s->file, "signatures"));
			add_signature(s, ids[j], key, method, 32);
			threshold(s, 1);
			assert_int_equal(check(s), 0);
		}
		for (int j = 0; j < 2; j++)
			add_signature(s, ids[j], key, method, 32);
		assert_int_equal(check(s), 0);
		threshold(s, 2);
		expect_refusal(s, "1 of 2 needed signatures are good: key");
		assert_reason(s->err, "signed under another id too");
	}
}

/* The ids of the generator's vectors are by the rule that the tests above know. */
static void
knows_how_aktualizr_makes_ids(void **state)
{
	AUTO(json_decref_p) json_t *root = signed_part("generator/image/3.root.json");
	const char *id;
	json_t *public;

	(void)state;
	json_object_foreach(json_object_get(root, "keys"), id, public)
	{
		char made[DIGEST_HEX_SIZE];

		aktualizr_id(public, made);
		assert_string_equal(made, id);
	}
}

static void
tells_one_key_by_its_value_however_its_text_is_wrapped(void **state)
{
	AUTO(json_decref_p) json_t *public = public_json(keys[RSA_3072]);
	json_t *value = json_object_get(public, "keyval");
	AUTO(free_p) char *text = strdup(json_text(value, "public"));
	char id[DIGEST_HEX_SIZE], again[DIGEST_HEX_SIZE];

	(void)state;
	spki_id(public, id);
	text[strlen(text) - 1] = '\0'; /* the last line's end */
	json_object_set_new(value, "public", json_string(text));
	spki_id(public, again);
	assert_string_equal(id, again);
}

/* -- the form of an envelope -- */

static void
refuses_what_is_no_envelope(void **state)
{
	static const struct {
		const char *text, *reason;
	} texts[] = {
		{ "[]", "doc: is no {\"signatures\":[...],\"signed\":{...}}" },
		{ "{\"signatures\":{},\"signed\":{}}", "is no {" },
		{ "{\"signatures\":[],\"signed\":[]}", "is no {" },
		{ "{\"signatures\":[]}", "is no {" },
		{ "{\"signed\":{}}", "is no {" },
		{ "{\"signatures\":[1],\"signed\":{}}", "member \"keyid\" is missing or no text" },
		{ "{\"signatures\":[{\"keyid\":\"a\",\"sig\":\"b\"}],\"signed\":{}}", "member \"method\"" },
		{ "{\"signatures\":[{\"keyid\":\"a\",\"method\":\"b\",\"sig\":1}],\"signed\":{}}",
		    "member \"sig\"" },
		{ "{\"signatures\":[{\"keyid\":\"\",\"method\":\"b\",\"sig\":\"c\"}],\"signed\":{}}",
		    "member \"keyid\"" },
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		AUTO(json_decref_p) json_t *json = json_loads(texts[i].text, 0, NULL);

		assert_non_null(json);
		assert_int_equal(envelope_check(json, "doc", &err), -EBADMSG);
		assert_reason(err, texts[i].reason);
	}
}

static void
refuses_more_signatures_than_it_reads(void **state)
{
	struct scene *s = *state;
	char id[16];

	for (int i = 0; i <= ENVELOPE_SIGNATURES_MAX; i++) {
		snprintf(id, sizeof(id), "%d", i);
		add_signature(s, id, keys[ED], "ed25519", 0);
	}
	expect_refusal(s, "targets.json: has 65 signatures, at most 64 are read");
}

static void
refuses_real_numbers_in_what_is_signed(void **state)
{
	struct scene *s = *state;

	trust(s, "one", keys[ED]);
	add_signature(s, "one", keys[ED], "ed25519", 0);
	json_object_set_new(json_object_get(s->file, "signed"), "custom", json_real(1.5));
	expect_refusal(s, "targets.json: a real number has no canonical form");
}

/* Clients would read them, but ota-tuf and garage-sign make other bytes of them. */
static void
verifies_what_is_not_ascii_over_its_escaped_form(void **state)
{
	struct scene *s = *state;

	trust(s, "one", keys[ED]);
	json_object_set_new(json_object_get(s->file, "signed"), "custom", json_string("\xc3\xbc"));
	add_signature(s, "one", keys[ED], "ed25519", 0);
	assert_int_equal(check(s), 0);
}

static void
reads_versions_from_1_to_31_bits(void **state)
{
	static const struct {
		const char *json, *reason; /* NULL: taken */
	} versions[] = {
		{ "1", NULL },
		{ "2147483647", NULL },
		{ "0", "doc: version is 0, the first is 1" },
		{ "-1", "doc: member \"version\" is -1, allowed is 0 to 2147483647" },
		{ "2147483648", "doc: member \"version\" is 2147483648, allowed is 0 to 2147483647" },
		{ "1.0", "doc: member \"version\" is missing or no integer" },
		{ "\"1\"", "doc: member \"version\" is missing or no integer" },
		{ "null", "doc: member \"version\" is missing or no integer" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
		AUTO(json_decref_p)
		json_t *json =
		    json_pack("{s:o}", "version", json_loads(versions[i].json, JSON_DECODE_ANY, NULL));
		int version, r;
		struct err err;

		r = envelope_version(json, "doc", &version, &err);
		assert_int_equal(r, versions[i].reason ? -EBADMSG : 0);
		if (r < 0)
			assert_reason(err, versions[i].reason);
		else
			assert_int_equal(version, strtol(versions[i].json, NULL, 10));
	}
}

static void
reads_expiries_of_exactly_20_characters(void **state)
{
	static const char *const bad[] = { "2030-01-01T00:00:00.5Z", "2030-01-01T00:00:00.000Z",
		"2030-01-01T00:00:00+00:00", "2030-01-01T00:00:00", "2030-01-01 00:00:00Z",
		"2030-01-01T00:00:00z", "2030-02-30T00:00:00Z", "2030-13-01T00:00:00Z", "2030-01-01T24:00:00Z",
		"2030-01-01T00:00:60Z", " 2030-01-01T00:00:0Z", "2030-1-01T00:00:000Z", "+2030-01-01T0:00:00Z",
		"1893456000", "never" };
	AUTO(json_decref_p) json_t *json = json_pack("{s:s}", "expires", "2030-01-01T00:00:00Z");
	int64_t seconds;
	struct err err;

	(void)state;
	assert_int_equal(envelope_expires(json, "doc", &seconds, &err), 0);
	assert_int_equal(seconds, 1893456000);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		json_object_set_new(json, "expires", json_string(bad[i]));
		assert_int_equal(envelope_expires(json, "doc", &seconds, &err), -EBADMSG);
		assert_reason(err, "is not YYYY-MM-DDTHH:MM:SSZ");
		assert_reason(err, bad[i]);
	}
	json_object_set_new(json, "expires", json_integer(1893456000));
	assert_int_equal(envelope_expires(json, "doc", &seconds, &err), -EBADMSG);
	assert_reason(err, "doc: member \"expires\" is missing or no text");
}

#define SCENE(name) cmocka_unit_test_setup_teardown(name, open_scene, close_scene)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(verifies_the_documents_of_other_implementations),
		cmocka_unit_test(agrees_about_the_hashes_of_canonical_forms),
		cmocka_unit_test(refuses_a_document_with_any_byte_changed),
		cmocka_unit_test(refuses_documents_of_the_other_repository_and_of_another_role),
		SCENE(takes_rsa_keys_of_three_sizes_with_any_salt),
		cmocka_unit_test(refuses_an_rsa_key_that_is_slow_to_check),
		cmocka_unit_test(calls_rsa_keys_by_the_hash_of_their_der),
		cmocka_unit_test(takes_an_rsa_key_for_no_other_one),
		SCENE(refuses_a_short_rsa_key_and_other_key_types),
		SCENE(compares_key_types_and_methods_without_case),
		SCENE(refuses_unknown_methods_whoever_signed),
		SCENE(names_the_key_whose_signature_is_bad),
		SCENE(counts_thresholds_of_mixed_keys),
		SCENE(refuses_thresholds_that_are_none),
		SCENE(refuses_two_signatures_under_one_id),
		SCENE(takes_ids_as_they_are_and_counts_a_key_once),
		cmocka_unit_test(knows_how_aktualizr_makes_ids),
		cmocka_unit_test(tells_one_key_by_its_value_however_its_text_is_wrapped),
		cmocka_unit_test(refuses_what_is_no_envelope),
		SCENE(refuses_more_signatures_than_it_reads),
		SCENE(refuses_real_numbers_in_what_is_signed),
		SCENE(verifies_what_is_not_ascii_over_its_escaped_form),
		cmocka_unit_test(reads_versions_from_1_to_31_bits),
		cmocka_unit_test(reads_expiries_of_exactly_20_characters),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
