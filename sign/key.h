/**
 * Keys: Ed25519 pairs that sign, and public keys (Ed25519, RSA) that verify.  (Uptane 2.1, 5.1; aktualizr's
 * forms)
 *
 * The secret half lives in memory that is locked, guarded and wiped when it is freed. Ed25519 comes from
 * libsodium, RSA from libcrypto.
 */
#ifndef SIGN_KEY_H
#define SIGN_KEY_H

#include <jansson.h>
#include <stddef.h>

#include "lib/digest.h"
#include "lib/err.h"

/** Longest public value that is taken: the PEM of an RSA-4096 key has 800 bytes. */
#define KEY_PUBLIC_MAX 2048
/** A signature of the largest RSA key in use, 4096 bit. */
#define KEY_SIGNATURE_MAX 512

/** Longest public exponent of an RSA key, as libcrypto has it for large ones; 65537, which all use, has 17. */
#define KEY_EXPONENT_BITS_MAX 64

/** What an Ed25519 pair is made from. */
#define KEY_SEED_BYTES 32

/** To be called once before anything else here; -EIO if libsodium cannot start. */
int key_start(struct err *err);

/** A public key. */
struct public_key;

/**
 * Reads {"keytype":"ED25519"|"RSA","keyval":{"public":...}}; keytype in any case.
 * ED25519: 64 hex digits. RSA: SPKI PEM of 2048, 3072 or 4096 bits. Anything else is -EBADMSG, naming @what.
 */
int public_key_read(const json_t *json, const char *what, struct public_key **out, struct err *err);

/** Makes the same from raw numbers, big-endian, of an RSA key, or the 32 bytes of an Ed25519 key. */
int public_key_of_rsa(const unsigned char *modulus, size_t modulus_bytes, const unsigned char *exponent,
    size_t exponent_bytes, const char *what, struct public_key **out, struct err *err);
int public_key_of_ed25519(const unsigned char *raw, const char *what, struct public_key **out, struct err *err);
void public_key_free(struct public_key *key);
void public_key_freep(struct public_key **key);

/**
 * The key id, 64 lower-case hex digits: SHA-256 of the DER SubjectPublicKeyInfo, as ota-tuf and garage-sign
 * make it. Ids are names and nothing more: what comes from outside keeps the id it came with (aktualizr makes
 * others from the same key).
 */
const char *public_key_id(const struct public_key *key);

/** The id that aktualizr makes of the key: SHA-256 of the canonical JSON string of its public value without the
 * newline at the end.  (aktualizr-wire 2.5) -ENOMEM. */
int public_key_aktualizr_id(const struct public_key *key, char id[static DIGEST_HEX_SIZE], struct err *err);

/** "ED25519", "RSA-2048", ...; for people. */
const char *public_key_kind(const struct public_key *key);

/** SubjectPublicKeyInfo as PEM; the caller frees it. -ENOMEM. */
int public_key_pem(const struct public_key *key, char **out, struct err *err);

/** A new reference to the JSON that was read. */
json_t *public_key_json(const struct public_key *key);

/**
 * Verifies a base64 signature over @bytes of @data. @method is ed25519, rsassa-pss or rsassa-pss-sha256 in any
 * case and has to fit the key. Returns 0, or -EBADMSG with the cause (unknown method, wrong form, does not
 * match).
 */
int public_key_verify(const struct public_key *key, const char *method, const char *signature, const void *data,
    size_t bytes, struct err *err);

/** An Ed25519 pair. */
struct key_pair;

/** Makes a new random pair. */
int key_pair_new(struct key_pair **out, struct err *err);

/** The pair of a seed of KEY_SEED_BYTES, which the caller wipes. */
int key_pair_from_seed(const unsigned char *seed, struct key_pair **out, struct err *err);

/** Reads a pair from @name below folder @dir, which has to be ours and 0600: 64 hex digits of the seed, a
 * newline. */
int key_pair_load(int dir, const char *name, struct key_pair **out, struct err *err);

/** Writes the pair's seed as 0600 to @name below @dir; never over a file that exists. */
int key_pair_save(const struct key_pair *pair, int dir, const char *name, struct err *err);
void key_pair_free(struct key_pair *pair);
void key_pair_freep(struct key_pair **pair);

/** The public half, borrowed. */
const struct public_key *key_pair_public(const struct key_pair *pair);

/**
 * Writes the pair as garage-sign reads it, {"keytype":"ED25519","keyval":{"private":HEX of seed and public key,
 * "public":HEX}}, to @text, which the caller wipes and frees.
 */
int key_pair_reveal(const struct key_pair *pair, char **text, size_t *bytes, struct err *err);

/** A signature in base64, and its 0. */
#define KEY_PAIR_TEXT_SIZE 89

/** Signs @data. */
void key_pair_sign_text(
    const struct key_pair *pair, const void *data, size_t bytes, char text[static KEY_PAIR_TEXT_SIZE]);

/** Signs; a new {"keyid","method","sig"} object in @out, which the caller releases. -ENOMEM. */
int key_pair_sign(const struct key_pair *pair, const void *data, size_t bytes, json_t **out, struct err *err);

#endif
