/**
 * The bytes of binary targets: binaries/XX/REST below the repository, named by their SHA-256, 0644. Bytes are
 * read and hashed once, while they come in; memory is bounded whatever their number. Different threads may take
 * in different binaries at once.
 */
#ifndef STORE_BINARY_H
#define STORE_BINARY_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/digest.h"
#include "store/release.h"
#include "store/space.h"

/** There is no such binary. */
#define BINARY_NONE 1

/** One that comes in: a private file below upload/ until it is committed. */
struct binary;

/**
 * Once, at start: makes upload/ and binaries/ below @repository, and removes what a crash left in upload/.
 * @space bounds what is taken in from then on and outlives it; NULL: no bounds.
 */
int binary_start(int repository, struct space *space, struct err *err);

/** Begins one of @bytes bytes as announced (0: not known). -ENOSPC or -EDQUOT when there is no room. */
int binary_new(int repository, uint64_t bytes, struct binary **out, struct err *err);
void binary_free(struct binary *binary);
void binary_freep(struct binary **binary);

/** Takes the next bytes. 0 or -errno. */
int binary_write(struct binary *binary, const void *data, size_t bytes, struct err *err);

/**
 * Takes all of the regular file @fd, from its start: shared with it where the file system can do that, and with
 * its holes as holes. 0, DROP_BAD when it shrinks meanwhile, or -errno.
 */
int binary_copy(struct binary *binary, int fd, struct err *err);

/** Ends it, and closes its file: no more bytes. Length and SHA-256 are known from then on. */
int binary_end(struct binary *binary, struct err *err);
uint64_t binary_length(const struct binary *binary);
const char *binary_sha256(const struct binary *binary);

/** Makes it durable and gives it its name; ends it if need be. One that is there already stays, and its age is
 * refreshed so that garbage collection leaves it alone. May be repeated. */
int binary_commit(struct binary *binary, struct err *err);

/** The same for many, with one wait for the disk instead of one for each. NULLs are skipped. */
int binary_commit_all(int repository, struct binary *const *list, size_t count, struct err *err);

/** Whether the binary is there, and its length; its age is refreshed. 0, BINARY_NONE, or -errno. */
int binary_has(int repository, const char *sha256, uint64_t *bytes, struct err *err);

/** Opens the binary for reading. 0, BINARY_NONE, or -errno. */
int binary_open(int repository, const char *sha256, int *fd, struct err *err);

#endif
