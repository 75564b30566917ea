/**
 * What the watcher does for the store in the background, in one thread: garbage collection every gc_seconds,
 * and static deltas after each publication and each change of fleet.json.
 *
 * It reads the repository and fleet.json from disk; with the rest of the watcher it shares the lock of
 * store/lock.h only. It may be ended at any moment.
 */
#ifndef WATCHER_UPKEEP_H
#define WATCHER_UPKEEP_H

#include "lib/config.h"
#include "lib/err.h"

struct upkeep;

/** Starts the thread; @config outlives it. Signals are for the other threads. */
int upkeep_start(const struct config *config, struct upkeep **out, struct err *err);

/** Ends the thread and what it started; waits for it, some milliseconds. */
void upkeep_stop(struct upkeep *upkeep);
void upkeep_stopp(struct upkeep **upkeep);

/** Asks for a garbage collection now, with the grace period as configured. From any thread. */
void upkeep_wake(struct upkeep *upkeep);

#endif
