/**
 * Updates that begin at a time: "at 2026-12-01T02:00:00Z" and lines as of an update at once.
 *
 * They are checked when they are written, against what is published then, and again when their time has come,
 * since fleet and repository have gone on: what is refused then is told in history and why, and is over. While
 * another update is open they wait.
 */
#ifndef OTAFS_SCHEDULE_H
#define OTAFS_SCHEDULE_H

#include <stdio.h>

#include "otafs/assign.h"

/** Of one device. */
#define SCHEDULE_DEVICE_MAX 16

/** What stands after "at". -EINVAL: no time, or one that is over; else as assign_do(). */
int schedule_write(struct core *core, const struct device *device, const char *text,
    const struct assign_how *how, struct err *err);

/** Takes back what @device has with that correlation id, all of it when that is ""; @cancelled says how many,
 * or how many it would be. Within a transaction. */
int schedule_cancel(struct core *core, const struct device *device, const char *correlation,
    const struct assign_how *how, size_t *cancelled, struct err *err);

/** One line for each. */
int schedule_print(struct core *core, const struct device *device, FILE *out, struct err *err);

/** Begins what is due, some of it at each call; to be called each second, with the lock. Failures are logged.
 */
void schedule_run(struct core *core, int64_t now);

/** Something was scheduled, or a device with something scheduled is idle now. */
void schedule_look(struct core *core);

#endif
