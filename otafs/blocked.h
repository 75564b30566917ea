/** enroll/blocked/ID: ids that no device comes in by itself under, neither by an enrolment token nor by a CA of
 * the fleet. Deleting a device blocks its id; making it again, or rmdir here, lifts that. */
#ifndef OTAFS_BLOCKED_H
#define OTAFS_BLOCKED_H

#include <stdbool.h>
#include <stdio.h>

#include "otafs/core.h"
#include "state/blocked.h"

/** mkdir: -EEXIST, -EINVAL for a bad id. A device of that id stays as it is. */
int blocked_add(struct core *core, const char *id, const char *who, struct err *err);
/** rmdir: -ENOENT. */
int blocked_remove(struct core *core, const char *id, const char *who, struct err *err);

/** 0, or -ENOENT. */
int blocked_find(struct core *core, const char *id, struct err *err);
/** Since when, and by whom: one line. */
int blocked_print(struct core *core, const char *id, FILE *out, struct err *err);

#endif
