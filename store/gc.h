/**
 * Garbage collection: takes away what nobody needs any more, and never anything that somebody may need.
 *
 * What goes: objects that no root leads to (see roots.h), binaries that no root names, static deltas and
 * indexes whose commits are gone, and what uploads left. Nothing goes before its ctime is older than the grace
 * period.
 *
 * Why a push beside it is never hurt. A file goes only if (1) it was not reachable from the roots that were
 * read during the run, and (2) its ctime was older than the grace period before the run began, looked at under
 * the lock of lock.h, directly before its name is removed under the same lock. Take a commit that becomes a
 * root at some time:
 *   - before the roots were read: all that it needs is in the set. Roots are read again before each folder in
 * which anything could go if one of them changed.
 *   - after: whoever made it a root had, for each object, either written it (its ctime is when it got its name)
 * or found it and touched it under the shared lock. A touch before our look makes it young: (2) keeps it. A
 * touch after our unlink fails, and he sends the object again, which again is young. So only a push that takes
 * longer than the grace period, from its first object to its ref, can lose objects; it then gets a refusal that
 * names them, for a ref is set to complete commits only. The grace period has to be longer than the longest
 * push.
 *
 * Nor is a builder who does not look below what is there, as garage-push does: a commit goes before its
 * folders, a folder before those in it, and those before their files. What stays, for being young, keeps all
 * below it. So whatever is found and touched is whole.
 *
 * The lock is held for one slice at a time: GC_SLICE_MS, then the next file ends it. Files are opened before a
 * slice and closed after it, so freeing a large file's blocks is no part of it. Finding out what is reachable
 * takes no lock.
 *
 * What cannot be understood is a reason to keep things. Roots that cannot be read: nothing goes. A reachable
 * commit or folder that is damaged: no objects go, since what it leads to is not known. One that is missing: it
 * is told, and what is known of its commit stays.
 */
#ifndef STORE_GC_H
#define STORE_GC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "store/child.h"

/** A slice ends after this; the file at hand may take some more. Publishing waits at most 50 ms. */
#define GC_SLICE_MS 10
/** Files of one slice at most, so open at once. */
#define GC_SLICE_FILES 128
/** An upload writes at least once an hour. */
#define GC_LEFTOVER_SECONDS 3600
/** Names in the report; what is more is counted. */
#define GC_NAMES_MAX 1000
/** report/gc, below the repository */
#define GC_REPORT "report/gc"

struct gc_options {
	const char *repository; /**< path */
	const char *fleet;      /**< the folder of fleet.json */
	int64_t grace_seconds;
	int64_t next_seconds; /**< until the next run: what will be old enough then is in the report */
	bool is_dry;          /**< takes nothing away */
	child_stop *is_stopped;
	void *data;
};

struct gc_count {
	size_t objects, binaries, deltas, leftovers;
	uint64_t bytes;
};

struct gc_result {
	struct gc_count gone;    /**< taken away */
	struct gc_count next;    /**< that go at the next run unless somebody comes to need them */
	size_t reachable;        /**< objects that somebody needs */
	size_t young;            /**< files that nobody needs and that stay for now */
	size_t missing;          /**< reachable objects that are not there */
	bool is_held;            /**< objects were left alone, since a reachable one is damaged */
	double longest_slice_ms; /**< how long the lock was held at most */
	double seconds;
};

/**
 * One run, and the report of it in GC_REPORT. Returns 0; -ECANCELED when stopped between two folders; or -errno
 * when it could not be done, which the report says too. It may be repeated, and killed at any time.
 */
int gc_run(const struct gc_options *options, struct gc_result *result, struct err *err);

#endif
