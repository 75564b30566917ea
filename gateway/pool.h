/**
 * Threads that wait for the tree, so that the loop never does. otafs commits what many hand in at once
 * together, so a few dozen of them make it fast, and more do not.
 */
#ifndef GATEWAY_POOL_H
#define GATEWAY_POOL_H

#include <stdbool.h>

#include "gateway/job.h"

/** Bodies at the tree at once: as many as otafs commits together (otafs/batch.h). */
#define POOL_THREADS 64

struct pool;

/** Starts the threads. @mount: the full tree, copied. @out: set on success. -EAGAIN and other -errno. */
int pool_new(const char *mount, int threads, struct pool **out, struct err *err);

/** Ends the threads, after what they have in work; what has not begun is not done. */
void pool_free(struct pool *pool);
void pool_freep(struct pool **pool);

/** Hands in @job, which stays the caller's memory but is not to be touched until it comes back. In order. */
void pool_add(struct pool *pool, struct job *job);

/** Takes @job back if nobody has begun with it. */
bool pool_take_back(struct pool *pool, struct job *job);

/** Becomes readable when jobs are done; pool_next() makes it unreadable. */
int pool_fd(const struct pool *pool);

/** The next job that is done, or NULL. */
struct job *pool_next(struct pool *pool);

#endif
