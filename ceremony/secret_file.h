/** Files that hold a secret: read into locked memory, and made for their owner alone. */
#ifndef CEREMONY_SECRET_FILE_H
#define CEREMONY_SECRET_FILE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"
#include "sign/vault.h"

/**
 * Reads the regular file @name below folder @dir (AT_FDCWD: a path), at most @max bytes.
 *
 * @is_private: it has to be ours and to have no permissions for others (0600, 0400), else -EPERM; a symlink is
 * not followed.
 */
int
secret_file_read(int dir, const char *name, size_t max, bool is_private, struct secret **out, struct err *err);

/** Makes @path with mode 0600, durably. -EEXIST: never over a file; what was written half is removed. */
int secret_file_make(const char *path, const struct secret *secret, struct err *err);

#endif
