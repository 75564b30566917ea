/**
 * Private keys in memory, and the forms in which they come and go: PKCS#8, PKCS#1, garage-sign's JSON,
 * ota-signd's seed.
 *
 * An Ed25519 key is libsodium's, in locked memory. An RSA key is libcrypto's: its numbers lie in libcrypto's
 * secure heap, which is locked, and what libcrypto or jansson copied on the way is wiped when they free it
 * (private_start()).
 */
#ifndef CEREMONY_PRIVATE_H
#define CEREMONY_PRIVATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"
#include "sign/key.h"
#include "sign/vault.h"

/** A key file in PEM has 3.3 KiB for RSA-4096; as JSON, with both halves, 4.5 KiB. */
#define PRIVATE_FILE_MAX (16 * 1024)

enum private_type { PRIVATE_ED25519, PRIVATE_RSA2048, PRIVATE_RSA3072, PRIVATE_RSA4096 };

/** "ed25519", "rsa2048", "rsa3072", "rsa4096"; -EINVAL with the list. */
int private_type(const char *text, enum private_type *out, struct err *err);

struct private_key;

/** Once, before libcrypto is used at all: no core dumps, freed memory of libcrypto and jansson is wiped, secure
 * heap. -ENOMEM when no memory can be locked. */
int private_start(struct err *err);

int private_new(enum private_type type, struct private_key **out, struct err *err);
void private_free(struct private_key *key);
void private_freep(struct private_key **key);

/** The public half, borrowed; its JSON is {"keytype","keyval":{"public"}}. */
const struct public_key *private_public(const struct private_key *key);

/** Signs; a new {"keyid","method","sig"}. RSA: RSASSA-PSS, SHA-256, MGF1-SHA-256, salt of 32 bytes. */
int private_sign(const struct private_key *key, const char *keyid, const void *data, size_t bytes, json_t **out,
    struct err *err);

/** Asks for the passphrase of an encrypted PEM. */
typedef int private_ask(void *context, struct secret **out, struct err *err);

/**
 * Reads a private key from outside:
 *   - PEM: PKCS#8, PKCS#8 encrypted, PKCS#1, also with a DEK-Info head;
 *   - JSON {"keytype","keyval":{"private"..,"public"?..}}: RSA with a PEM in "private", ED25519 with 64 hex
 * digits of the seed or 128 of seed and public key; a public half that does not fit is refused;
 *   - 64 hex digits of an Ed25519 seed, as ota-signd keeps it.
 *
 * -EBADMSG names @what and the cause; -EACCES: the passphrase is wrong.
 */
int private_read(const struct secret *text, const char *what, private_ask *ask, void *context,
    struct private_key **out, struct err *err);

/** PKCS#8 PEM, not encrypted. */
int private_pem(const struct private_key *key, struct secret **out, struct err *err);

/** One line of garage-sign's JSON, {"keytype","keyval":{"private"}}; RSA as PKCS#1 PEM, which it demands. */
int private_json(const struct private_key *key, struct secret **out, struct err *err);

/** What lies in a container of kind "key": "ed25519 KEYID\n" and the seed, or "rsa KEYID\n" and PKCS#1 DER. */
int private_pack(const struct private_key *key, const char *keyid, struct secret **out, struct err *err);
int private_unpack(const struct secret *content, const char *what, struct private_key **out,
    char keyid[static DIGEST_HEX_SIZE], struct err *err);

#endif
