/** Files that are there whole or not at all. */
#ifndef LIB_FILE_H
#define LIB_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "lib/err.h"

/**
 * Reads the whole file @name below the folder @dir (AT_FDCWD: a path). Symlinks are followed.
 *
 * @max:  most bytes to take; a larger file gives -EFBIG.
 * @out:  set on success, with a 0 after the last byte; the caller frees it.
 */
int file_read(int dir, const char *name, size_t max, char **out, size_t *bytes, struct err *err);

/** The same for folders that strangers filled: a symlink is -ELOOP, and a FIFO does not make it wait. */
int file_read_plain(int dir, const char *name, size_t max, char **out, size_t *bytes, struct err *err);

/**
 * Writes @name below @dir so that after a power cut there is the old file or the new one: a temporary file,
 * fsync, rename, fsync of the folder. On any failure before the rename the old file is untouched and no
 * temporary file stays; if only the folder's fsync fails, the new file stands and the failure is told. The
 * temporary file is always a new one: what stood under its name is removed.
 */
int file_replace(int dir, const char *name, const void *data, size_t bytes, mode_t mode, struct err *err);

/** Writes all of @data to @fd; -errno. */
int file_write_all(int fd, const void *data, size_t bytes);

/** fsync of the folder @path below @dir. */
int file_sync_folder(int dir, const char *path, struct err *err);

#endif
