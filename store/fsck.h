/**
 * Whether the store is sound: every object and binary is what its name says, everything that is promised is
 * there, the published documents name one another, deltas are whole. And making it sound again, from the drops
 * in spool/done.
 *
 * Runs beside the watcher: what comes or goes meanwhile is no damage. Memory is bounded by the set of reachable
 * objects, see reach.h. A repaired file is written beside, verified, made durable and then put in place by one
 * rename.
 */
#ifndef STORE_FSCK_H
#define STORE_FSCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "lib/config.h"
#include "lib/err.h"

struct fsck_result {
	size_t objects, binaries, deltas; /**< that were checked */
	size_t bad;                       /**< damaged, missing or inconsistent */
	size_t repaired;                  /**< of these */
};

/**
 * Checks the repository of @config; every finding is a line on @out. With @is_repair what is missing or damaged
 * is copied from drops that have it; a damaged object or binary that none has is moved to repository/damaged/,
 * so that it is served to nobody; a damaged delta is taken away, since the watcher makes it again. Returns 0 or
 * -errno when it could not be checked.
 */
int
fsck_run(const struct config *config, bool is_repair, FILE *out, struct fsck_result *result, struct err *err);

#endif
