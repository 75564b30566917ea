/**
 * All keys of a folder in one file: a container (sign/vault.h) of kind "backup" under a passphrase of its own,
 * with
 *
 *     {"NAME":{"key":TEXT OF NAME.key,"pub":{"keyid","keytype","keyval"}},...}
 *
 * The keys in it stay under their own passphrases: whoever makes or restores a backup need not know them, and
 * whoever learns the backup's has no key yet.
 */
#ifndef CEREMONY_BACKUP_H
#define CEREMONY_BACKUP_H

#include "ceremony/keys.h"
#include "lib/err.h"
#include "sign/vault.h"

/**
 * Writes the folder's keys to @path, a new file of mode 0600, reads it back, opens it and compares; else it is
 * removed again. @count: how many keys it holds. -EEXIST; -ENOENT: the folder has no keys.
 */
int backup_make(
    const struct keys *keys, const struct secret *passphrase, const char *path, int *count, struct err *err);

/** What became of a key: written, or there already, with the passphrase that it has here. */
typedef void backup_told(const char *name, int is_new);

/**
 * Writes the keys of backup @path that the folder lacks. When one is there that is another key under the same
 * name, nothing is written at all: -EEXIST. -EACCES: the passphrase is wrong.
 */
int backup_restore(const struct keys *keys, const struct secret *passphrase, const char *path,
    backup_told *told, struct err *err);

#endif
