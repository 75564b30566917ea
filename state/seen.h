/**
 * What a device that has nothing new to tell changes: when it was seen, how often it polled, and its counter.
 *
 * That is noted in memory and written for many devices together, by state_seen_flush(): of all that is told, it
 * alone may be lost with the power, a few seconds of it. state_device() and state_ecus() know it at once.
 */
#ifndef STATE_SEEN_H
#define STATE_SEEN_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"
#include "state/state.h"

/** Devices that are noted before they are written: what many thousand tell in a second, 3 MB. */
#define STATE_SEEN_MAX 16384
/** The oldest note is written after so many seconds, or when a quarter of the room is taken. */
#define STATE_SEEN_SECONDS 5
/** Devices that are written in one transaction: some milliseconds. */
#define STATE_SEEN_SLICE 100

/** Notes that @device handed something in. */
int state_device_seen(struct state *state, const char *device, int64_t now, struct err *err);

/**
 * Notes a manifest that told nothing new: how many polls there were since the device's open update moved on,
 * the report_counter of its primary (-1: it has none), and the SHA-256 of the body. Of one that was refused
 * only the polls are noted: -1 and "" leave what was noted before.
 */
int state_manifest_noted(struct state *state, const char *device, int64_t polls, int64_t counter,
    const char *digest, int64_t now, struct err *err);

/** The same of a manifest that told something, within the transaction of that; to be called once it is all
 * stored. */
int state_manifest_taken(struct state *state, const char *device, const char *primary, int64_t counter,
    const char *digest, struct err *err);

/** Stores how many polls there were. */
int state_polls(struct state *state, const char *device, int64_t polls, struct err *err);

/** Forgets the counters of all ECUs, and the last manifest: the next one counts, whatever its counter. */
int state_counters_reset(struct state *state, const char *device, struct err *err);

/** Writes what is noted about STATE_SEEN_SLICE devices, without waiting for the disk. 1: there is more, 0, or
 * -errno. To be called when state_seen_is_due(). */
int state_seen_write(struct state *state, struct err *err);
/** Writes all of it. To be called before devices are looked for by when they were seen. */
int state_seen_flush(struct state *state, struct err *err);
bool state_seen_is_due(const struct state *state, int64_t now);

#endif
