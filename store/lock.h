/**
 * The one lock between those who rely on what the store has and garbage collection, which takes things away.
 *
 * It is a flock of the folder repository/, so it also holds between programs, and a program that is killed
 * gives it back. Garbage collection holds it alone, for some milliseconds at a time. Everybody else shares it,
 * only while he refreshes the age of something that is there already.
 */
#ifndef STORE_LOCK_H
#define STORE_LOCK_H

#include "lib/err.h"

enum store_lock { STORE_LOCK_SHARED, STORE_LOCK_ALONE };

/** Takes the lock of the repository folder @repository; close(@out) gives it back. 0 or -errno. */
int store_lock(int repository, enum store_lock how, int *out, struct err *err);

/**
 * Says of the file @name below the folder @dir "it is there, and I rely on it": sets its ctime to now under the
 * shared lock, so that garbage collection leaves it alone for the grace period. Whoever answers 200 to HEAD,
 * 409 to POST, or does not import an object since the repository has it, calls this and believes the result
 * alone.
 *
 * Returns 0; -ENOENT when it is not there (any more), without words; or another -errno.
 */
int store_touch(int repository, int dir, const char *name, struct err *err);

#endif
