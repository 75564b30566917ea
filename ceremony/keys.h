/**
 * The key folder, ~/.ota-sign or another: for each key NAME
 *
 *     NAME.key     0600: a container (sign/vault.h) of kind "key" with what private_pack() makes
 *     NAME.pub     one line of JSON, {"keyid","keytype","keyval":{"public"}}: to be given to others
 *
 * A key may be used under any id: the container keeps the one it was given, and so does NAME.pub.
 */
#ifndef CEREMONY_KEYS_H
#define CEREMONY_KEYS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "ceremony/private.h"
#include "lib/err.h"
#include "sign/vault.h"

/** Longest name of a key. */
#define KEYS_NAME_MAX 64
/** Keys of a folder; so many of RSA-4096 fit in one backup. */
#define KEYS_MAX 100
/** NAME.pub with an RSA-4096 key has 950 bytes. */
#define KEYS_PUBLIC_MAX 4096
/** NAME.key of RSA-4096 has 3.4 KiB. */
#define KEYS_PRIVATE_MAX (16 * 1024)

struct keys;

/**
 * Opens folder @path; NULL: ~/.ota-sign. It has to be ours, and nobody else may write to it.
 *
 * @for_writing: makes it (0700) when it is missing, and keeps other commands that write away until it is
 * closed.
 */
int keys_open(const char *path, bool for_writing, struct keys **out, struct err *err);
void keys_free(struct keys *keys);
void keys_freep(struct keys **keys);

/** Letters, digits and . _ -, the first a letter or digit; at most KEYS_NAME_MAX. -EINVAL. */
int keys_check_name(const char *name, struct err *err);

/** The names of the folder's keys in order, an array of strings that the caller releases. */
int keys_names(const struct keys *keys, json_t **out, struct err *err);

/** Reads NAME.pub; the caller releases it. -ENOENT. */
int keys_public(const struct keys *keys, const char *name, json_t **out, struct err *err);

/** Reads NAME.key as it is. -ENOENT: there is no such key, in words. */
int keys_container(const struct keys *keys, const char *name, struct secret **out, struct err *err);

/** Opens the key. @keyid: the id it was given. Writes NAME.pub anew if it is missing, and refuses one that is
 * not of this key. -EACCES: the passphrase is wrong. */
int keys_load(const struct keys *keys, const char *name, const struct secret *passphrase,
    struct private_key **out, char keyid[static DIGEST_HEX_SIZE], struct err *err);

/** -EEXIST when there is NAME.key or NAME.pub already. */
int keys_check_free(const struct keys *keys, const char *name, struct err *err);

/** Writes both files of a key. @keyid: NULL is public_key_id(). -EEXIST. */
int keys_add(const struct keys *keys, const char *name, const struct private_key *key, const char *keyid,
    const struct secret *passphrase, struct err *err);

/** Writes NAME.key anew with another passphrase: the old file or the new one, whatever happens. */
int keys_reseal(const struct keys *keys, const char *name, const struct private_key *key, const char *keyid,
    const struct secret *passphrase, struct err *err);

/** Writes both files as they come out of a backup. */
int keys_put(const struct keys *keys, const char *name, const char *container, size_t bytes,
    const json_t *public, struct err *err);

/** {"keyid","keytype","keyval"}; NULL: no memory. */
json_t *keys_public_json(const struct public_key *public, const char *keyid);

#endif
