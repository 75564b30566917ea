/**
 * Root documents: what one from outside has to look like, and which keys it gives to which role.
 * (TUF 1.0, 4.3; aktualizr-wire 2.5, 6.2)
 *
 * Key ids are names that the root's maker chose; keys are told apart by public_key_id() of their public value.
 * Each function here takes the "signed" part of a root.
 */
#ifndef SIGN_ROOT_H
#define SIGN_ROOT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/digest.h"
#include "lib/err.h"
#include "lib/role.h"

/** aktualizr reads 64 KiB of a root. */
#define ROOT_BYTES_MAX (64 * 1024)

/**
 * Reads a whole root file from outside and checks its form: everything that aktualizr, garage-sign or ota-tuf
 * would refuse, so that no accepted root strands a client. Not its signatures.
 *
 * @now: it must expire later. @out: the envelope; the caller releases it. Returns 0 or -EBADMSG with words.
 */
int root_read(const char *text, size_t bytes, int64_t now, json_t **out, struct err *err);

/** The same for the "signed" part alone. */
int root_check(const json_t *root, int64_t now, struct err *err);

/** The ids of the keys that @root gives to @role, an array of texts, borrowed; NULL when it has no such role.
 */
const json_t *root_keyids(const json_t *root, enum role role);

/** The id by which @root gives @role to the key with @public_id, for what is shown only; NULL if it does not,
 * or that cannot be said. Borrowed from @root. */
const char *root_id_of(const json_t *root, enum role role, const char *public_id);

/** Sets @public_id for the key that @root calls @keyid. -EBADMSG when there is none, or another -errno: a key
 * may be deleted for the answer. */
int
root_public_id(const json_t *root, const char *keyid, char public_id[static DIGEST_HEX_SIZE], struct err *err);

/** The same for what is shown only; false when it cannot be said. */
bool root_resolve(const json_t *root, const char *keyid, char public_id[static DIGEST_HEX_SIZE]);

/** How many signatures @role needs; 0 when the root does not say. */
int root_threshold(const json_t *root, enum role role);

#endif
