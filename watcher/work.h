/**
 * Drops that were taken over into work/: each is carried to done/ or failed/, whatever happens meanwhile.
 * Trouble of our own (no signer, disk full) is waited out; a crash is resumed at start. Every step may be
 * repeated.
 */
#ifndef WATCHER_WORK_H
#define WATCHER_WORK_H

#include <stdbool.h>
#include <stdint.h>

#include "watcher/drop.h"
#include "watcher/mover.h"
#include "watcher/status.h"

struct work;

/** What is borrowed outlives the work. NULL: no memory. */
struct work *work_new(struct mover *mover, struct ingest *ingest, struct image *image, struct client *signer,
    struct status *status);
void work_free(struct work *work);
void work_freep(struct work **work);

/** Finds what an earlier run left in work/; work_pass() goes on with it. */
int work_resume(struct work *work, struct err *err);

/** Writes the name that incoming/@from gets in work/, done/ and failed/: the same, if it can be used there. */
void work_name(const char *from, char name[static MOVER_NAME_MAX + 1]);

/**
 * Takes over incoming/@from, which was staged as @drop (now owned by the work), and carries it on as far as it
 * goes. -EEXIST while an earlier drop of that name is in work; other -errno: not taken.
 */
int work_take(struct work *work, const char *from, struct drop *drop, struct err *err);

/** Moves incoming/@from to failed/ with @reason beside it. */
int work_refuse(struct work *work, const char *from, const char *reason, struct err *err);

/** Tries what is due. Returns the clock when something is due again, or INT64_MAX. */
int64_t work_pass(struct work *work);

/** A status line for each drop that waits here. */
void work_tell(const struct work *work);

/** Reports the import of @name; the callback's form is that of ingest_progress, @data a struct work_progress.
 */
struct work_progress {
	struct status *status;
	const char *name;
	int64_t next_ms;
};
void work_progress(void *data, size_t done, size_t all);

#endif
