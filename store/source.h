/**
 * The folder of a drop, read without trusting it: its owner may still write to it. Nothing here follows a
 * symlink, waits on a fifo, or believes the drop's config beyond its mode.
 */
#ifndef STORE_SOURCE_H
#define STORE_SOURCE_H

#include <stddef.h>

#include "store/release.h"

/** More refs than any build makes; a drop with more is a whole history, pushed by mistake. */
#define SOURCE_REFS_MAX 256
/** push.json holds a few names, or those of a few thousand binaries. */
#define SOURCE_PUSH_MAX (2 * 1024 * 1024)
/** libostree takes no larger commit, dirtree or dirmeta (OSTREE_MAX_METADATA_SIZE). */
#define SOURCE_METADATA_MAX (10 * 1024 * 1024)

enum source_mode { SOURCE_ARCHIVE, SOURCE_BARE, SOURCE_BARE_USER, SOURCE_BARE_USER_ONLY };

struct source_ref {
	char name[RELEASE_REF_SIZE];
	char commit[DIGEST_HEX_SIZE];
};

struct source {
	int dir;     /**< the drop */
	int objects; /**< its objects folder */
	enum source_mode mode;
	int prefix[256];         /**< objects/00 to ff as they were needed; -1 not yet */
	struct source_ref *refs; /**< below refs/heads, sorted by name */
	size_t ref_count;
};

/**
 * Opens the drop @name below @parent and reads its mode and its refs.
 *
 * Returns 0, DROP_BAD (no OSTree repository, not readable, a ref half written ...) or -errno.
 */
int source_open(int parent, const char *name, struct source **out, struct err *err);
/** The objects of an archive repository of our own as a source without refs. */
int source_of_objects(int objects, struct source **out, struct err *err);
void source_free(struct source *source);
void source_freep(struct source **source);

/** "archive", "bare-user" ... */
const char *source_mode_name(enum source_mode mode);

/** Writes the name of an object below objects/, "ab/cdef....filez"; 80 bytes are enough. */
void source_object_name(const char *checksum, const char *kind, char *name, size_t room);

/** What a file object is called in this mode: "filez" or "file". */
const char *source_file_kind(const struct source *source);

/** Whether the object is there. Returns 0, SOURCE_MISSING, DROP_BAD with words, or -errno. */
#define SOURCE_MISSING 2
int source_has(struct source *source, const char *checksum, const char *kind, struct err *err);

/** Opens a regular object for reading. Returns 0, DROP_BAD (missing, not readable, a symlink), or -errno. */
int source_object(struct source *source, const char *checksum, const char *kind, int *out, struct err *err);

/**
 * Reads the regular file @name below @dir, at most @max bytes; a 0 follows them; the caller frees @out.
 * Returns 0, SOURCE_MISSING, DROP_BAD, or -errno.
 */
int source_read(int dir, const char *name, size_t max, char **out, size_t *bytes, struct err *err);

/** DROP_BAD or -errno for the present errno of a call on the drop, with words. A disk that cannot be read and
 * a shortage of our own are not the drop's fault. */
int source_failed(struct err *err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
