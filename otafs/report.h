/**
 * What a device tells about itself: hardware, network, packages, its configuration, and events.
 * (aktualizr-wire 4.2, 4.3)
 */
#ifndef OTAFS_REPORT_H
#define OTAFS_REPORT_H

#include <stddef.h>
#include <stdio.h>

#include "otafs/core.h"
#include "otafs/node.h"
#include "otafs/reply.h"

/** lshw of a large machine has some 100 KiB. */
#define REPORT_BYTES_MAX (4 * 1024 * 1024)
/** Host name, address and MAC; and a configuration file with all its comments. */
#define REPORT_NETWORK_BYTES_MAX (64 * 1024)
#define REPORT_CONFIG_BYTES_MAX (256 * 1024)
/** aktualizr halves its batch when it gets 413. */
#define REPORT_EVENTS_BYTES_MAX (1024 * 1024)
/** So many real events fill a megabyte; storing them holds everybody up for some 100 ms. */
#define REPORT_EVENTS_MAX 4096
/** One event is a few hundred bytes. */
#define REPORT_EVENT_BYTES_MAX (16 * 1024)

/**
 * Each body is read without the core's lock (prepare: a body of megabytes takes tenths of a second), which is
 * held to store it (take), within a transaction or not. prepare returns 0 and sets @work, which goes to take
 * and then to report_finish(); 1 when @reply is the answer already; or -errno.
 */
int report_prepare(
    const char *kind, const char *body, size_t bytes, void **work, struct reply *reply, struct err *err);
int report_take(struct core *core, const struct device *device, const char *kind, const char *body,
    size_t bytes, const void *work, struct err *err);
int report_events_prepare(const char *body, size_t bytes, void **work, struct reply *reply, struct err *err);
int report_events_take(struct core *core, const struct device *device, const void *work, struct err *err);
void report_finish(void *work);

/**
 * Both at once, in programs of one thread.
 *
 * Stores the body as the last one of @kind: "system_info", "installed", "network" (JSON) or "config" (whose
 * secrets are masked before they are stored: mask.h). 200; 400 invalid_report when JSON does not parse.
 */
int report_commit(struct core *core, const struct device *device, const char *kind, const char *body,
    size_t bytes, struct reply *reply, struct err *err);

/**
 * Stores each event once, told apart by its id. 200, also for events that are not known or have no id (they are
 * left out and counted in the history): any other answer makes a device send the same batch for ever.
 *
 * 413 for more than REPORT_EVENTS_MAX, and for an array that cannot be read: a device then sends fewer at a
 * time, and leaves out the one that it is about. Bytes that are no UTF-8 are read as '?'. 400 only for what is
 * no array at all. An event of an update that is over is kept like others and changes nothing.
 * Of each device the newest STATE_EVENTS_MAX are kept.
 */
int report_events_commit(struct core *core, const struct device *device, const char *body, size_t bytes,
    struct reply *reply, struct err *err);

/** Its file in devices/ID/, "hardware" for "system_info"; and the kind that a file shows. */
const char *report_file(const char *kind);
const char *report_kind(const char *file);

/**
 * Prints the last body of @kind, nothing when there is none: JSON indented unless it is large, and all of it in
 * ASCII without control characters, since it goes to terminals.
 */
int report_print(struct core *core, const struct device *device, const char *kind, FILE *out, struct err *err);

/** Prints some events behind @cursor, one JSON object a line. 1: there may be more, 0: that was all. */
int report_events_print(struct core *core, const struct device *device, char cursor[static NODE_CURSOR_MAX],
    FILE *out, struct err *err);

#endif
