/**
 * What the commits of a drop need: each commit, its folders and its files, found by reading the drop's commits
 * and dirtrees. Their checksums are verified on the way; the content of files is not read.
 */
#ifndef STORE_WALK_H
#define STORE_WALK_H

#include <stddef.h>

#include "store/release.h"
#include "store/source.h"

/** Bounds memory (about 150 bytes each); the largest images have some 100,000. */
#define WALK_OBJECTS_MAX 4000000

enum object_kind { OBJECT_COMMIT, OBJECT_DIRTREE, OBJECT_DIRMETA, OBJECT_FILE };

struct object {
	char checksum[DIGEST_HEX_SIZE];
	unsigned char kind;
	unsigned short release; /**< the first of the releases that needs it, for the reason */
};

/** A walk step tells one object that another one needs. 0 goes on. */
typedef int walk_child(void *data, const char *checksum, enum object_kind kind, struct err *err);

/**
 * Reads and verifies the commit, dirtree or dirmeta @checksum and tells @child each object that it needs.
 * Returns 0; SOURCE_MISSING; DROP_BAD with what is wrong with its bytes; what @child returned; or -errno.
 */
int walk_children(struct source *source, const char *checksum, enum object_kind kind, walk_child *child,
    void *data, struct err *err);

/** What a commit says about itself; both texts may be NULL. */
struct commit_info {
	char parent[DIGEST_HEX_SIZE]; /**< empty: none */
	json_t *version;              /**< text of the metadata key "version" */
	json_t *hardware;             /**< array of text, of "ota.hardware-ids" */
};

struct walk;

/**
 * Finds all that @releases need in @source (both outlive the walk) and sees to it that it is there.
 * Returns 0; DROP_BAD naming the object that is missing or damaged, and who needs it; or -errno.
 */
int walk_new(struct source *source, const struct releases *releases, struct walk **out, struct err *err);
void walk_free(struct walk *walk);
void walk_freep(struct walk **walk);

size_t walk_count(const struct walk *walk);
const struct object *walk_object(const struct walk *walk, size_t index);

/** "commit", "dirtree", "dirmeta", "filez" or "file": the end of the object's file name. */
const char *walk_kind(const struct walk *walk, const struct object *object);

/** Reads a commit, dirtree or dirmeta of the drop, verified; the caller frees @data. 0, DROP_BAD, -errno. */
int walk_read(struct walk *walk, const struct object *object, char **data, size_t *bytes, struct err *err);

/** DROP_BAD with a reason of the form "commit C (ref R) needs object O.kind, which ...". */
int walk_bad(const struct walk *walk, const struct object *object, struct err *err, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/** Reads what commit @checksum of the drop says; release it with commit_info_done(). 0, DROP_BAD, -errno. */
int walk_read_commit(struct source *source, const char *checksum, struct commit_info *info, struct err *err);
void commit_info_done(struct commit_info *info);

#endif
