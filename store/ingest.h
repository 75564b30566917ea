/**
 * The OSTree repository that devices pull from, and the way of a drop's objects into it.
 *
 * Objects are staged first: copied into a private folder beside the repository (so that no served file shares
 * an inode with a builder's), and checked while they are written. Then, in one go, they are made durable and
 * renamed into the repository, and last the refs are set. A crash leaves at worst a staging folder, which
 * ingest_new() empties, and upload/ as well.
 *
 * One thread at a time may stage, commit and discard; all else may be called from any thread meanwhile.
 */
#ifndef STORE_INGEST_H
#define STORE_INGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/release.h"
#include "store/source.h"

struct ingest;

struct ingest_counts {
	size_t objects;  /**< that the commits need, themselves included */
	size_t imported; /**< of these, new in the repository */
	uint64_t bytes;  /**< of the new ones, as stored */
};

typedef void ingest_progress(void *data, size_t done, size_t all);

/** Opens @repository/ostree, and makes it first if need be: archive mode, indexed-deltas=true. */
int ingest_new(const char *repository, struct ingest **out, struct err *err);
void ingest_free(struct ingest *ingest);
void ingest_freep(struct ingest **ingest);

/** Bounds what is taken in from now on; @space outlives the ingest. NULL: no bounds, as at first. */
struct space;
void ingest_use_space(struct ingest *ingest, struct space *space);

/** DROP_BAD unless @ref is a ref's name and can stand beside the refs of the repository. */
int ingest_check_ref(struct ingest *ingest, const char *ref, struct err *err);

/**
 * Walks the commits of @releases (not their parents), sees to it that every object is there, and stages a
 * verified copy of each that the repository lacks. Those that it has are compared with it.
 *
 * Returns 0; DROP_BAD naming the object and who needs it; or -errno. In the last two cases nothing stays
 * staged.
 */
int ingest_stage(struct ingest *ingest, struct source *source, const struct releases *releases,
    ingest_progress *progress, void *data, struct ingest_counts *counts, struct err *err);

/** Moves what is staged into the repository, durably, and sets the refs in one transaction. May be repeated. */
int ingest_commit(struct ingest *ingest, const struct releases *releases, struct err *err);

/** Forgets what is staged. */
int ingest_discard(struct ingest *ingest, struct err *err);

/** The repository lacks the commit object. */
#define INGEST_NO_COMMIT 4
/** The ref's present commit is not the parent of the new one. */
#define INGEST_NOT_FORWARD 5

/**
 * Sets @ref (below refs/heads) to @commit, durably. Unless @is_forced, only when the ref is new, names that
 * commit already, or names the commit's parent. 0, INGEST_NO_COMMIT, INGEST_NOT_FORWARD, DROP_BAD for a bad
 * name, -errno.
 */
int ingest_set_ref(struct ingest *ingest, const char *ref, const char *commit, bool is_forced, struct err *err);

/** Removes every ref that names @commit. */
int ingest_drop_refs(struct ingest *ingest, const char *commit, struct err *err);

/** What a stored commit says (see walk.h); release it with commit_info_done(). 0, INGEST_NO_COMMIT, -errno. */
struct commit_info;
int ingest_read_commit(struct ingest *ingest, const char *commit, struct commit_info *info, struct err *err);

/** Whether all that the stored commit needs is there, by name. 0, DROP_BAD naming what is missing, or -errno.
 */
int ingest_check_complete(struct ingest *ingest, const char *commit, struct err *err);

#endif
