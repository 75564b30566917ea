/**
 * In flight is what a device may have read of.  (DESIGN 5.6)
 *
 * That is: its director/targets.json was looked up in the www view after the update was made. The kernel
 * answers later reads alone, so the first one that can be served is noted, before it is answered: an update
 * that is not in flight can be taken back without the device ever knowing. What administrators read in the full
 * view does not count.
 *
 * Reading writes nothing: it is noted in memory (state/reads.h), where every decision about the device finds
 * it. It is stored, with its line of the history and the status that follows, with what the device hands in
 * next, when somebody comes to the device in the full view, before an answer about many devices (a query,
 * events/all, counts), at the end, and when the notes become many.
 */
#ifndef OTAFS_FLIGHT_H
#define OTAFS_FLIGHT_H

#include "otafs/core.h"

/** Before devices are served, and when they are not any more. */
int flight_open(struct core *core, struct err *err);
void flight_close(struct core *core);

/** Notes that @device may read of its assignments up to @number: -ENOSPC or another -errno, then it must not.
 */
int flight_note(struct core *core, const char *device, int64_t number, int64_t now, struct err *err);

/** Stores what is noted of @device; what cannot be stays noted. To be called before an update of it ends. */
void flight_store(struct core *core, const char *device);

/** Stores what is noted of all, to be called without the core's lock, which it takes for some milliseconds at a
 * time. */
void flight_flush(struct core *core);
/** The same when the notes have become many. */
void flight_make_room(struct core *core);

/**
 * After an end that was not clean: stores that what was open then is in flight, of some devices, to be called
 * with the lock again and again. Whether there is more.
 */
bool flight_catch_up(struct core *core);

#endif
