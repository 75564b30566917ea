/**
 * A private key that signs here: one of the key folder, or one in a PKCS#11 token.
 */
#ifndef CEREMONY_SIGNER_H
#define CEREMONY_SIGNER_H

#include <jansson.h>
#include <stddef.h>

#include "ceremony/private.h"
#include "lib/err.h"
#include "sign/key.h"

struct signer;

/** Where keys are and how passphrases are asked for; the same options in each command that signs. */
struct signer_options {
	const char *folder;          /**< --keys DIR; NULL: ~/.ota-sign */
	const char *passphrase_file; /**< --passphrase-file FILE; NULL: asked for on /dev/tty */
};

/**
 * Opens the key @name: a name in the key folder, or a "pkcs11:" URI (RFC 7512). Asks for its passphrase or PIN.
 * -ENOENT, -EACCES for a wrong passphrase, or another -errno, with words.
 */
int signer_open(const struct signer_options *options, const char *name, struct signer **out, struct err *err);
void signer_free(struct signer *signer);
void signer_freep(struct signer **signer);

/** The public half, borrowed; its JSON is {"keytype","keyval":{"public"}}. */
const struct public_key *signer_public(const struct signer *signer);

/** The key's own id, borrowed: the one it was imported with, else public_key_id(). */
const char *signer_id(const struct signer *signer);

/** Signs; a new {"keyid","method","sig"} in @out, with the key's own id; the caller releases it. */
int signer_sign(struct signer *signer, const void *data, size_t bytes, json_t **out, struct err *err);

/** The same under another id: the one that a document gives to this key. */
int signer_sign_as(
    struct signer *signer, const char *keyid, const void *data, size_t bytes, json_t **out, struct err *err);

/** Makes an Ed25519 key @name in the folder, encrypted with a passphrase that is asked for twice. -EEXIST. */
int signer_new(const struct signer_options *options, const char *name, struct signer **out, struct err *err);

/** The same for a key of any type. */
int signer_new_of(const struct signer_options *options, const char *name, enum private_type type,
    struct signer **out, struct err *err);

#endif
