/**
 * What devices may have read of: an assignment is in flight from the moment its document was first handed out.
 *
 * That is noted in memory, where state_assignments() and state_underway() find it at once, and written later
 * (otafs/flight.h says when), without waiting for the disk. So reading writes nothing. After an end that was
 * not clean, when notes may be lost, everything that was open then counts as read: assignments are numbered,
 * and the fleet has the highest number of which that is so.
 */
#ifndef STATE_READS_H
#define STATE_READS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "state/state.h"

/** Devices that are noted before they are written, 2 MB. */
#define STATE_READS_MAX 16384

/** To be called before anything is handed out, and when nothing is any more: in between, an end is not clean.
 * On disk when they return. */
int state_run_begin(struct state *state, struct err *err);
int state_run_end(struct state *state, struct err *err);

/** Notes that @device may have read of the assignments up to @number. -ENOSPC: there is no room until some are
 * written. */
int state_read(struct state *state, const char *device, int64_t number, int64_t now, struct err *err);

/** How many devices are noted, and which: the newest is 0. What is stored of one stays noted until it is
 * dropped.
 */
int state_reads(const struct state *state);
/** Whether so many are noted that some are to be written, while there is room for those of some seconds. */
bool state_reads_are_many(const struct state *state);
const char *state_reads_device(const struct state *state, int index);
/** Forgets the newest @count, which are stored; not within a transaction. */
void state_reads_drop(struct state *state, int count);

/** Whether something of @device may be to be stored: it is noted, or the last end was not clean. */
bool state_read_is_due(struct state *state, const char *device);
/** Stores it, and lets the polls be counted anew; @at: since when. Keeps the note, since this may be taken
 * back. STATE_NONE: it was stored, or is nothing. */
int state_read_store(struct state *state, const char *device, int64_t *at, struct err *err);

/** Whether something that was open at an end that was not clean is still to be stored; and that all of it is.
 */
bool state_reads_are_owed(const struct state *state);
/** Up to @most devices after @after, in order, which may be among those. */
int state_reads_owed(
    struct state *state, const char *after, int64_t most, state_name_fn each, void *context, struct err *err);
int state_reads_paid(struct state *state, struct err *err);

#endif
