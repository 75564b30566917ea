/**
 * Keys in PKCS#11 tokens, by "pkcs11:" URIs (RFC 7512), through the modules that p11-kit is configured with, or
 * the one of "module-path".
 *
 * Ed25519 keys (CKK_EC_EDWARDS) and RSA keys of 2048, 3072 and 4096 bits. The public half is read from the
 * token's public key object beside the private one, with the same CKA_ID. PINs come through ceremony/prompt.h,
 * or the file of "pin-source"; "pin-value" is refused, since everybody can read it in the list of processes.
 */
#ifndef CEREMONY_TOKEN_H
#define CEREMONY_TOKEN_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"
#include "sign/key.h"

/** Whether @name is the URI of a token. */
bool token_is_uri(const char *name);

struct token;

/**
 * Opens the private key @uri; asks for the token's PIN. Token and key have to be the only ones that fit.
 *
 * -ENOENT: no token or no key fits; -EACCES: the PIN is wrong or locked; -EBADMSG: another kind of key;
 * -EINVAL: the URI; -EIO: what the module says.
 */
int token_open(const char *uri, const char *pin_file, struct token **out, struct err *err);
void token_free(struct token *token);
void token_freep(struct token **token);

/** The public half, borrowed. */
const struct public_key *token_public(const struct token *token);

/** Signs; a new {"keyid","method","sig"}. RSA: RSASSA-PSS as private_sign() makes it. */
int token_sign(
    struct token *token, const char *keyid, const void *data, size_t bytes, json_t **out, struct err *err);

/** Is told of a public key in a token; @uri names it. @public: NULL, and @problem, when it cannot be used. */
typedef void token_seen(const char *uri, const struct public_key *public, const char *problem, void *context);

/** Tells of all public keys that fit @uri and can be seen without a PIN. -ENOENT: no token fits. */
int token_list(const char *uri, token_seen *seen, void *context, struct err *err);

#endif
