/**
 * The spool: watches incoming/, decides when a drop has settled, and hands it on.
 *
 * The folder is the queue. inotify only wakes: any event, an overflow and the start alike mean "look again".
 * A drop has settled when its tree looked the same for spool_quiet_seconds; if it then is incomplete or
 * damaged, it may still be copied, so it is refused only after spool_incomplete_seconds without a change.
 */
#ifndef WATCHER_SPOOL_H
#define WATCHER_SPOOL_H

#include "lib/config.h"
#include "watcher/work.h"

/** Drops that are looked at in one pass; more of them wait in the folder. */
#define SPOOL_ENTRIES_MAX 1000

struct spool;

/** What is borrowed outlives the spool. */
int spool_new(const struct config *config, struct mover *mover, struct ingest *ingest, struct image *image,
    struct client *signer, struct status *status, struct spool **out, struct err *err);
void spool_free(struct spool *spool);
void spool_freep(struct spool **spool);

/** Runs for ever; returns only a -errno that no waiting can cure. */
int spool_run(struct spool *spool, struct err *err);

#endif
