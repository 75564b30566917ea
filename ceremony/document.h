/**
 * Metadata in files: envelopes and public keys, read with bounds and written whole.
 */
#ifndef CEREMONY_DOCUMENT_H
#define CEREMONY_DOCUMENT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ceremony/arguments.h"
#include "lib/digest.h"
#include "lib/err.h"

/** Clients read no more of anything. (aktualizr-wire 2.3) */
#define DOCUMENT_BYTES_MAX (8 * 1024 * 1024)

/**
 * Reads the envelope in @file. -EBADMSG when it is longer than DOCUMENT_BYTES_MAX, has bytes that are not
 * ASCII, is no JSON or no envelope; @bytes, the file's length, may be NULL. The caller releases @out.
 */
int document_read(const char *file, json_t **out, size_t *bytes, struct err *err);

/** Writes @envelope in canonical form in the place of @file; @is_new: -EEXIST when there is one. */
int document_write(const char *file, const json_t *envelope, bool is_new, struct err *err);

/**
 * Reads a public key, one JSON object: {"keyid"?,"keytype","keyval":{"public"}}. @json: as documents have it,
 * without the id. @keyid: the one in the file, else the key's own.
 */
int document_read_key(const char *file, json_t **json, char keyid[static DIGEST_HEX_SIZE], struct err *err);

/**
 * Adds a key to "keys", the keys of a document, and sets @keyid to the id that it has there: the given one, or
 * the one under which it is there already. -EBADMSG when the id stands for another key.
 */
int document_add_key(json_t *keys, const char *file, char keyid[static DIGEST_HEX_SIZE], struct err *err);

/** Signs @envelope with key @name of @arguments: under the id that @keys, at the list @keyids, gives to this
 * key; -EACCES when they do not; without @keys under the key's own. */
int document_sign(json_t *envelope, const struct arguments *arguments, const char *name, const json_t *keys,
    const json_t *keyids, struct err *err);

/** Whether the key with public id @public_id is @keyid in @keys. */
bool document_is_key(const json_t *keys, const char *keyid, const char *public_id);

#endif
