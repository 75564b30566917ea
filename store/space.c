#include "store/space.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "store/tree.h"

#define MIB (1024 * 1024)

struct space {
	int dir;
	uint64_t reserve; /* bytes */
	uint64_t quota;   /* bytes; 0: none */
	pthread_t thread; /* measures; only with a quota */
	bool has_thread;

	pthread_mutex_t lock; /* over all below */
	pthread_cond_t changed;
	bool is_measured;
	bool is_stopping;
	uint64_t used;    /* by the repository, as measured and as written since */
	uint64_t since;   /* written since the measurement under way began */
	uint64_t claimed; /* not written yet */
};

/* -- measuring -- */

/* One measurement; what is written meanwhile is counted twice until the next one. */
static void
measure(struct space *space)
{
	struct tree_look look;
	struct err ignored;
	int r;

	pthread_mutex_lock(&space->lock);
	space->since = 0;
	pthread_mutex_unlock(&space->lock);
	r = tree_scan(space->dir, ".", &look, &ignored);
	pthread_mutex_lock(&space->lock);
	if (r == 0)
		space->used = look.disk_bytes + space->since;
	space->is_measured = true;
	pthread_cond_broadcast(&space->changed);
	pthread_mutex_unlock(&space->lock);
}

static bool
wait_for_next(struct space *space)
{
	struct timespec until;
	bool is_stopping;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += SPACE_MEASURE_SECONDS;
	pthread_mutex_lock(&space->lock);
	while (
	    !space->is_stopping && pthread_cond_timedwait(&space->changed, &space->lock, &until) != ETIMEDOUT)
		;
	is_stopping = space->is_stopping;
	pthread_mutex_unlock(&space->lock);
	return !is_stopping;
}

static void *
run(void *data)
{
	struct space *space = data;

	do
		measure(space);
	while (wait_for_next(space));
	return NULL;
}

int
space_new(const char *repository, const struct config *config, struct space **out, struct err *err)
{
	AUTO(space_freep) struct space *space = calloc(1, sizeof(*space));
	pthread_condattr_t steady;
	int r;

	if (!space)
		return err_set(err, ENOMEM, "no memory");
	pthread_mutex_init(&space->lock, NULL);
	/* A clock that is set back would put the next measurement off by as much. */
	pthread_condattr_init(&steady);
	pthread_condattr_setclock(&steady, CLOCK_MONOTONIC);
	pthread_cond_init(&space->changed, &steady);
	pthread_condattr_destroy(&steady);
	space->reserve = (uint64_t)config->disk_reserve_mb * MIB;
	space->quota = (uint64_t)config->store_quota_mb * MIB;
	space->dir = open(repository, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (space->dir < 0)
		return err_sys(err, "%s", repository);
	if (space->quota) {
		r = pthread_create(&space->thread, NULL, run, space);
		if (r)
			return err_set(err, r, "start a thread");
		space->has_thread = true;
	}
	*out = MOVE(space);
	return 0;
}

void
space_free(struct space *space)
{
	if (!space)
		return;
	if (space->has_thread) {
		pthread_mutex_lock(&space->lock);
		space->is_stopping = true;
		pthread_cond_broadcast(&space->changed);
		pthread_mutex_unlock(&space->lock);
		pthread_join(space->thread, NULL);
	}
	pthread_cond_destroy(&space->changed);
	pthread_mutex_destroy(&space->lock);
	close_p(&space->dir);
	free(space);
}

void
space_freep(struct space **space)
{
	space_free(*space);
}

/* -- claiming -- */

static int
check_quota(struct space *space, uint64_t bytes, struct err *err)
{
	while (space->quota && !space->is_measured)
		pthread_cond_wait(&space->changed, &space->lock);
	if (!space->quota || space->used + space->claimed + bytes <= space->quota)
		return 0;
	return err_set(err, EDQUOT,
	    "the repository takes %llu MiB, store_quota_mb allows %llu, and this needs %llu more",
	    (unsigned long long)((space->used + space->claimed) / MIB),
	    (unsigned long long)(space->quota / MIB), (unsigned long long)(bytes / MIB + 1));
}

static int
check_disk(struct space *space, uint64_t bytes, struct err *err)
{
	struct statvfs vfs;
	uint64_t free_bytes;

	if (!space->reserve)
		return 0; /* the disk itself says when it is full */
	if (fstatvfs(space->dir, &vfs) < 0)
		return err_sys(err, "the disk of the repository");
	free_bytes = (uint64_t)vfs.f_bavail * vfs.f_frsize;
	if (free_bytes >= space->reserve + space->claimed + bytes)
		return 0;
	return err_set(err, ENOSPC,
	    "the disk has %llu MiB free, disk_reserve_mb keeps %llu, and this needs %llu",
	    (unsigned long long)(free_bytes / MIB), (unsigned long long)(space->reserve / MIB),
	    (unsigned long long)((space->claimed + bytes) / MIB + 1));
}

int
space_claim(struct space_claim *claim, uint64_t bytes, struct err *err)
{
	struct space *space = claim->space;
	int r;

	if (!space)
		return 0;
	/* No sum below overflows. */
	if (bytes > INT64_MAX / 4)
		return err_set(err, ENOSPC, "no disk has room for %llu bytes", (unsigned long long)bytes);
	pthread_mutex_lock(&space->lock);
	r = check_quota(space, bytes, err);
	if (r == 0)
		r = check_disk(space, bytes, err);
	if (r == 0) {
		space->claimed += bytes;
		claim->left += bytes;
	}
	pthread_mutex_unlock(&space->lock);
	return r;
}

int
space_spend(struct space_claim *claim, uint64_t bytes, struct err *err)
{
	int r;

	if (!claim->space)
		return 0;
	r = bytes > claim->left ? space_claim(claim, bytes - claim->left, err) : 0;
	if (r)
		return r;
	pthread_mutex_lock(&claim->space->lock);
	claim->left -= bytes;
	claim->written += bytes;
	claim->space->claimed -= bytes;
	claim->space->used += bytes;
	claim->space->since += bytes;
	pthread_mutex_unlock(&claim->space->lock);
	return 0;
}

static void
subtract(uint64_t *from, uint64_t bytes)
{
	*from -= bytes < *from ? bytes : *from;
}

static void
end(struct space_claim *claim, uint64_t removed)
{
	struct space *space = claim->space;

	if (!space)
		return;
	pthread_mutex_lock(&space->lock);
	subtract(&space->claimed, claim->left);
	subtract(&space->used, removed);
	subtract(&space->since, removed);
	pthread_mutex_unlock(&space->lock);
	claim->left = claim->written = 0;
}

void
space_keep(struct space_claim *claim)
{
	end(claim, 0);
}

void
space_release(struct space_claim *claim)
{
	end(claim, claim->written);
}

void
space_removed(struct space *space, uint64_t bytes)
{
	struct space_claim gone = { space, 0, bytes };

	space_release(&gone);
}
