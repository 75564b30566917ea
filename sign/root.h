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

/** The id by which @root gives @role to the key with @public_id; NULL if it does not. Borrowed from @root. */
const char *root_id_of(const json_t *root, enum role role, const char *public_id);

/** Sets @is_named if any role has the key with @public_id. A key may be deleted for the answer, so a failure to
 * find out is one: -errno. */
int root_names(const json_t *root, const char *public_id, bool *is_named, struct err *err);

/** How many signatures @role needs; 0 when the root does not say. */
int root_threshold(const json_t *root, enum role role);

/** Sets @public_id for the key that @root calls @keyid; false if there is none. */
bool root_resolve(const json_t *root, const char *keyid, char public_id[static DIGEST_HEX_SIZE]);

#endif
