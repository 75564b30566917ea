/**
 * In flight is what a device may have read of.  (DESIGN 5.6)
 *
 * That is: its director/targets.json was looked up in the www view after the update was made. The kernel
 * answers later reads alone, so the first one that can be served is noted, on disk before it is answered: an
 * update that is not in flight can be taken back without the device ever knowing. What administrators read in
 * the full view does not count.
 */
#ifndef OTAFS_FLIGHT_H
#define OTAFS_FLIGHT_H

#include <stdbool.h>

#include "otafs/core.h"

/** Whether something is open that @device has not read of; also when that cannot be told, so that flight_note()
 * fails and nothing is served. */
bool flight_is_due(struct core *core, const char *device);

/** Notes that the device may have read of what is open. Within a transaction. */
int flight_note(struct core *core, const char *device, int64_t now, struct err *err);

#endif
