/**
 * The signed envelope {"signatures":[{keyid,method,sig}],"signed":{...}} and who may sign it.  (TUF 1.0, 4.2)
 */
#ifndef SIGN_ENVELOPE_H
#define SIGN_ENVELOPE_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/role.h"
#include "sign/key.h"

/** aktualizr counts thresholds from 1 to 1000. */
#define ENVELOPE_THRESHOLD_MAX 1000
/** No document that is read here has more; each costs a verification. */
#define ENVELOPE_SIGNATURES_MAX 64

/** Joins @signed_part and @signatures (an array) into a canonical file; the caller frees @out. */
int
envelope_write(const json_t *signed_part, const json_t *signatures, char **out, size_t *bytes, struct err *err);

/**
 * Checks that @json has the form of an envelope: object, "signatures" array with text members and no key id
 * twice, "signed" object. @what is named in the reason. Returns 0 or -EBADMSG.
 */
int envelope_check(const json_t *json, const char *what, struct err *err);

/**
 * Verifies @json with the one key @key, whatever key id the signatures carry (aktualizr's manifests: the key
 * that was registered counts, not the id). Returns 0, or -EBADMSG when no signature is good.
 */
int envelope_verify_key(const json_t *json, const struct public_key *key, const char *what, struct err *err);

/**
 * Verifies @json with the keys that @keyids (an array) names in @keys (an object, id to key): at least
 * @threshold good signatures, counted by id and by key, so that one key under two ids counts once. Signatures
 * of others are ignored, but a method that aktualizr does not know refuses the document whoever signed.
 * (aktualizr-wire 2.5) Returns 0, or -EBADMSG naming @what and the clause.
 */
int envelope_verify_keys(const json_t *json, const json_t *keys, const json_t *keyids, int threshold,
    const char *what, struct err *err);

/**
 * Verifies @json for @role with the keys and the threshold that @root, the "signed" part of a root, gives it,
 * and that its _type is the role's. Returns 0, or -EBADMSG naming @what and the clause.
 */
int
envelope_verify_role(const json_t *json, const json_t *root, enum role role, const char *what, struct err *err);

/** Version (1..INT32_MAX) and expiry of a "signed" part; -EBADMSG naming @what when one is missing or of
 * another form. */
int envelope_version(const json_t *signed_part, const char *what, int *version, struct err *err);
int envelope_expires(const json_t *signed_part, const char *what, int64_t *seconds, struct err *err);

#endif
