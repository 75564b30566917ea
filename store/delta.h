/**
 * Static deltas: folders below ostree/deltas, one for each pair of commits, and ostree/delta-indexes, one file
 * for each commit that deltas lead to. (ostree 2022.7, static deltas; OSTREE_STATIC_DELTA_SUPERBLOCK_FORMAT)
 *
 * A client that pulls a commit reads its index, then the superblock of the delta from what it has, whose
 * SHA-256 the index names, then the parts, whose SHA-256 the superblock names. Whoever takes a delta away takes
 * it out of the index first, and leaves the parts for those who have the superblock already.
 */
#ifndef STORE_DELTA_H
#define STORE_DELTA_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "lib/digest.h"
#include "lib/err.h"
#include "store/child.h"

/** A client that has the superblock takes no longer to fetch the parts; a delta in the making no longer to
 * grow. */
#define DELTA_READ_SECONDS (2 * 3600)
/** A superblock holds a commit and some numbers for each part; libostree takes at most 10 MiB of metadata. */
#define DELTA_SUPERBLOCK_MAX (10 * 1024 * 1024)

struct delta {
	char from[DIGEST_HEX_SIZE]; /**< commit; empty: from nothing */
	char to[DIGEST_HEX_SIZE];   /**< commit */
	bool is_whole;              /**< has its superblock, which is written last and removed first */
	uint64_t bytes;             /**< of its files */
	time_t changed;             /**< when last something in it was written or removed */
};

/** Calls @each for every delta below the folder @repository; it returns 0 to go on. Its value, 0, or -errno. */
typedef int delta_each_fn(void *data, const struct delta *delta);
int delta_each(int repository, delta_each_fn *each, void *data, struct err *err);

/** Whether there is an object file of commit @commit. */
bool delta_has_commit(int repository, const char *commit);

/**
 * Makes the delta @from -> @to with ostree(1), and the index that names it. On failure nothing stays.
 * 0, or -errno, see child_run(); -EFBIG when it would need more than @max bytes.
 */
int delta_make(int repository, const char *from, const char *to, uint64_t max, child_stop *is_stopped,
    void *data, struct err *err);

/** Takes @delta out of the index of its commit; the parts go later, by delta_sweep(). 0 or -errno. */
int
delta_retire(int repository, const struct delta *delta, child_stop *is_stopped, void *data, struct err *err);

/** What there is to take away: deltas without one of their commits, parts without a superblock, empty indexes.
 */
struct delta_sweep {
	size_t deltas;  /**< that lead from or to a commit which is gone */
	size_t folders; /**< without superblock, long enough */
	size_t indexes; /**< to a commit that is gone */
	uint64_t bytes; /**< that are free now (of a dry run: would be, later) */
};

/** Takes it away, unless @is_dry. 0 or -errno. */
int delta_sweep(int repository, bool is_dry, struct delta_sweep *sweep, child_stop *is_stopped, void *data,
    struct err *err);

/**
 * Checks @delta: the form of its superblock, that it leads to its commit, and the SHA-256 of each part. 0;
 * DROP_BAD with words; or -errno.
 */
int delta_check(int repository, const struct delta *delta, struct err *err);

/**
 * Checks each index: that every delta that it names is there, with the SHA-256 that it names, and that it names
 * every delta that is there. Calls @bad with the commit and words. 0 or -errno.
 */
typedef void delta_bad_fn(void *data, const char *to, const char *words);
int delta_check_indexes(int repository, delta_bad_fn *bad, void *data, struct err *err);

/** Writes the index of commit @to anew from the deltas that are there. 0 or -errno. */
int delta_reindex(int repository, const char *to, child_stop *is_stopped, void *data, struct err *err);

#endif
