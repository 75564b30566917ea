/**
 * fleet/fleet.json: what the fleet runs and is to run, for ota-watcher, which must not throw that away.
 *
 *     {"running":[{"sha256":HEX,"format":"OSTREE" or "BINARY","hardware":ID,"devices":N}],
 *      "assigned":[{"target":FILE,"sha256":HEX}]}
 *
 * It is replaced whole. It may tell of more than is still needed, never of less: what is newly assigned is in
 * it before the assignment is acknowledged. Only a target that is being retired, though devices are assigned to
 * it, is left out: it is to go.
 */
#ifndef OTAFS_FLEET_H
#define OTAFS_FLEET_H

#include "otafs/core.h"

/** Seconds between two writes that can wait. */
#define FLEET_SECONDS 10
/** Entries of each list, so that readers find less than 16 MiB. A fleet with more tells nothing, and then
 * nothing is thrown away. */
#define FLEET_ENTRIES_MAX 20000

struct fleet;

/** Opens config->fleet. Without that folder core->fleet stays NULL, with a line in the log:
 * the watcher then knows nothing and throws nothing away. */
int fleet_open(struct core *core, struct err *err);
void fleet_close(struct core *core);

/** A descriptor of the folder, borrowed; -1: there is none. */
int fleet_folder(const struct core *core);

/** Writes the file if something has changed and the last write is FLEET_SECONDS ago; failures are logged and
 * tried again. To be called without the core's lock, which it takes for moments: it goes through the whole
 * fleet, by core->reader. */
void fleet_keep(struct core *core, int64_t now);

/** Writes the file now, with the core's lock held. */
int fleet_write(struct core *core, struct err *err);

/**
 * To be called within the transaction that added @list, before its commit: if the file does not name one of
 * these targets yet, it is on disk with them when this returns. -errno: do not commit.
 */
int fleet_promise(struct core *core, const struct assignment *list, size_t count, struct err *err);

#endif
