/**
 * The set of objects that commits need, of any number of commits, in 33 bytes for each place of a hash table.
 *
 * Commits and folders are read and their checksums verified on the way; files are neither read nor looked for.
 * What is missing or damaged is told, and the walk goes on with the rest.
 */
#ifndef STORE_REACH_H
#define STORE_REACH_H

#include "store/source.h"
#include "store/walk.h"

/** Bounds memory to about 1.1 GB at the very end; a store of 10 million objects takes 550 MB. */
#define REACH_OBJECTS_MAX 20000000

struct reach;

enum reach_trouble { REACH_MISSING, REACH_DAMAGED };

/** Told for a commit or folder that cannot be followed; @words say what is wrong. */
typedef void reach_tell(
    void *data, enum reach_trouble trouble, const char *checksum, enum object_kind kind, const char *words);

/** An empty set of objects of our own repository below the folder @repository. */
int reach_new(int repository, struct reach **out, struct err *err);
void reach_free(struct reach *reach);
void reach_freep(struct reach **reach);

/** Adds @commit and all that it needs. 0, or -errno for trouble of our own, when the set is of no use. */
int reach_commit(struct reach *reach, const char *commit, reach_tell *tell, void *data, struct err *err);

/** The same for one commit or folder, whatever needs it. */
int reach_object(struct reach *reach, const char *checksum, enum object_kind kind, reach_tell *tell, void *data,
    struct err *err);

/** The same without the object itself, unless something below it or another one needs it. */
int reach_below(struct reach *reach, const char *checksum, enum object_kind kind, reach_tell *tell, void *data,
    struct err *err);

bool reach_has(const struct reach *reach, const char *checksum, enum object_kind kind);
size_t reach_count(const struct reach *reach);

/** Calls @each for every object; it returns 0 to go on. */
typedef int reach_each_fn(void *data, const char *checksum, enum object_kind kind);
int reach_each(const struct reach *reach, reach_each_fn *each, void *data);

/** The kind of an object in archive mode by what follows the dot of its file name; -1 for none. */
int reach_kind(const char *suffix);
/** The reverse. */
const char *reach_suffix(enum object_kind kind);

#endif
