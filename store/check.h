/**
 * Verifies one object in archive form while it comes in, piece by piece, so that what is written is what was
 * checked. Memory is bounded: content is inflated in one pass and not kept; only a file's header and the small
 * objects are.
 *
 * - commit, dirtree, dirmeta: the SHA-256 of the bytes is the name, and the bytes are of that kind's form;
 * - commitmeta: the form alone, since nothing vouches for detached metadata;
 * - filez: the header is as libostree writes it; header and inflated content have the name's checksum; the
 *   content has the header's length; nothing follows it; a symlink has none.
 */
#ifndef STORE_CHECK_H
#define STORE_CHECK_H

#include <stddef.h>
#include <stdint.h>

#include "store/release.h"

/** Header of a filez with its prefix: a path and what extended attributes Linux lets a file have. */
#define CHECK_HEADER_MAX (128 * 1024)
/** A detached signature or two. */
#define CHECK_COMMITMETA_MAX (1024 * 1024)

struct check;

/** The most bytes that an object of @kind may have: UINT64_MAX for "filez", 0 for what is no kind. */
uint64_t check_max(const char *kind);

/**
 * Starts the check of object @checksum (64 lower-case hex digits) of @kind: "commit", "dirtree", "dirmeta",
 * "commitmeta" or "filez". Returns 0, DROP_BAD (no such name or kind), or -ENOMEM.
 */
int check_new(const char *checksum, const char *kind, struct check **out, struct err *err);
void check_free(struct check *check);
void check_freep(struct check **check);

/** Starts over with another object. */
int check_restart(struct check *check, const char *checksum, const char *kind, struct err *err);

/** Takes the next bytes. 0; DROP_BAD with words, "is damaged: ...", once they cannot be right; -ENOMEM. */
int check_feed(struct check *check, const void *data, size_t bytes, struct err *err);

/** There are no more bytes: 0 if they were the object, else DROP_BAD with words. */
int check_end(struct check *check, struct err *err);

#endif
