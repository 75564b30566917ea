/**
 * One drop on its way: read and checked, staged, imported, published. It is an OSTree repository, or a parcel
 * (see parcel.h) of binaries or of one signed document.
 */
#ifndef WATCHER_DROP_H
#define WATCHER_DROP_H

#include <stdbool.h>

#include "store/image.h"
#include "store/ingest.h"

struct drop;

/**
 * Reads the drop @name below the folder @dir and what NAME.push.json beside it says, checks that it could be
 * published, and stages its objects. Nothing is changed that anybody sees.
 *
 * Returns 0; DROP_BAD with the reason, which may go away while the drop is still being copied; or -errno.
 */
int drop_stage(struct ingest *ingest, struct image *image, int dir, const char *name, ingest_progress *progress,
    void *data, struct drop **out, struct err *err);
void drop_free(struct drop *drop);
void drop_freep(struct drop **drop);

/** Whether @name below @dir still is the folder that was staged. */
bool drop_is_same(const struct drop *drop, int dir, const char *name);

/** Brings the staged objects into the repository. After a failure the drop has to be staged again. */
int drop_import(struct drop *drop, struct ingest *ingest, struct image *image, struct err *err);

/** Publishes what was imported, or leaves it stored when the keys of targets are off line; @signer takes the
 * director's roots. 0, DROP_BAD, or -errno, when it may be repeated. */
int drop_publish(struct drop *drop, struct image *image, struct client *signer, struct err *err);

/** The receipt as JSON text; the caller frees it. NULL: no memory. */
char *drop_receipt(const struct drop *drop);

/** What became of it, a word or two: "published", "already published", "stored", "taken" or "held back". */
const char *drop_result(const struct drop *drop);

/** "app 2.1", or "app 2.1 and 3 more", for status and log. */
void drop_summary(const struct drop *drop, char *text, size_t room);

#endif
