/**
 * One object or binary that comes in over the network: written to a private file and checked while it comes,
 * then made durable under its name. Memory is bounded whatever its size. Several may be under way at once, from
 * several threads, beside a drop that is being imported.
 */
#ifndef STORE_UPLOAD_H
#define STORE_UPLOAD_H

#include <stddef.h>
#include <stdint.h>

#include "store/ingest.h"

/** The repository has it already. */
#define UPLOAD_EXISTS 3

struct upload;

/**
 * Starts an upload of object @checksum (64 lower-case hex digits) of @kind ("commit", "dirtree", "dirmeta",
 * "commitmeta", "filez"), of @bytes bytes as announced; 0 if that is not known. Returns 0; DROP_BAD with words
 * when there can be no such object or none of that size; UPLOAD_EXISTS (its age is refreshed, so that garbage
 * collection leaves it alone); -ENOSPC or -EDQUOT when the disk reserve or the quota does not allow it; or
 * another -errno.
 */
int upload_new(struct ingest *ingest, const char *checksum, const char *kind, uint64_t bytes,
    struct upload **out, struct err *err);
void upload_free(struct upload *upload);
void upload_freep(struct upload **upload);

/** Takes the next bytes. 0; DROP_BAD with words as soon as they cannot be right; -errno. */
int upload_write(struct upload *upload, const void *data, size_t bytes, struct err *err);

/** Ends it: 0 when the object is durable under its name, DROP_BAD when it is not what its name says, -errno.
 * Free it in any case. */
int upload_commit(struct upload *upload, struct err *err);

/** Notes @bytes that are about to be written into the repository beside the objects: 0, -ENOSPC or -EDQUOT. */
int upload_room(struct ingest *ingest, uint64_t bytes, struct err *err);

/** Whether the repository has the object; its age is refreshed. 0, SOURCE_MISSING (also for what is no name),
 * or -errno. */
int upload_has(struct ingest *ingest, const char *checksum, const char *kind, struct err *err);

#endif
