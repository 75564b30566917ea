/**
 * The folder repository/ as the modules that write objects and refs share it: ingest, refs, upload.
 *
 * Who may do what at once: one drop at a time is staged, by two threads if it is large, and committed; any
 * number upload objects and set refs meanwhile. An object gets its name by one rename that replaces nothing, so
 * two who bring the same one do not meet; refs are changed under a lock.
 */
#ifndef STORE_REPOSITORY_H
#define STORE_REPOSITORY_H

#include <pthread.h>
#include <stdatomic.h>

#include "store/check.h"
#include "store/ingest.h"
#include "store/space.h"

/** "ab/cdef....commitmeta" and its 0. */
#define REPOSITORY_NAME_SIZE 80

struct OstreeRepo;
struct _GError;

struct ingest {
	int dir;                 /**< repository/ */
	int ostree;              /**< repository/ostree */
	int objects;             /**< repository/ostree/objects */
	int staging;             /**< repository/staging, of the drop on its way in */
	int upload;              /**< repository/upload */
	struct OstreeRepo *repo; /**< repository/ostree; used under refs_lock */
	struct space *space;     /**< borrowed; NULL: no bounds */

	/* of the threads that stage a drop */
	struct space_claim claim;    /**< what lies in staging; under claim_lock */
	pthread_mutex_t claim_lock;  /**< of a claim that several workers spend */
	atomic_bool has_prefix[256]; /**< staging/00 to ff is there */

	pthread_mutex_t refs_lock;
	atomic_ulong uploads;            /**< number of the next temporary file */
	atomic_bool durable_prefix[256]; /**< objects/00 to ff is there, and on the disk */
};

#define INGEST_BUFFER (128 * 1024)

/**
 * Says of an object that is there that somebody relies on it: sets its ctime to now, so that garbage collection
 * leaves it alone for the grace period. @name: "ab/cdef....kind". 0, SOURCE_MISSING, or -errno.
 */
int repository_touch(const struct ingest *ingest, const char *name, struct err *err);

/** Gives the file @from of upload/, whose content is durable, the name @name of an object, durably. 0, also if
 * there is one by now; or -errno. */
int repository_place(struct ingest *ingest, const char *from, const char *name, struct err *err);

/** Once, at the start: a process that was killed may have changed a ref and not the summary. */
void refs_start(struct ingest *ingest);

/** Sets the refs of @releases, each durably; those without a ref are left out. */
int refs_write(struct ingest *ingest, const struct releases *releases, struct err *err);

/** Trouble of our own in libostree's words: -ENOSPC or -EIO. */
int repository_failed(struct err *err, const struct _GError *error, const char *what);

#endif
