/**
 * Taking versions out of the image repository: `rmdir packages/NAME/VERSION`, or `echo force` into its file
 * "retire" while devices are assigned to it.
 *
 * The watcher does it. It is asked by a file fleet/requests/UUID.json, {"retire":FILE}, which is on disk before
 * the call returns; from then on the version is neither listed nor assigned. When a publication is loaded that
 * does not have it, the request is removed. When report/refused/UUID appears, the request is removed too, its
 * words go to why and the log, and the version is shown again.
 */
#ifndef OTAFS_RETIRE_H
#define OTAFS_RETIRE_H

#include <stdio.h>

#include "otafs/core.h"

/** Bytes of one write. */
#define RETIRE_BYTES_MAX 64
/** Requests at a time. */
#define RETIRE_MAX 4096

/** Reads the requests that a predecessor left and hides what they are about. To be called after fleet_open().
 */
int retire_open(struct core *core, struct err *err);
void retire_close(struct core *core);

/**
 * Asks for the target to be taken out. -EBUSY: devices are assigned to it and @is_forced is false; -EPERM: a
 * delegation has it; -ENOTSUP: there is no folder to ask in; or another -errno. @target is not valid after it.
 */
int
retire_target(struct core *core, const struct target *target, bool is_forced, const char *who, struct err *err);

/** What is written into "retire": "force", else -EINVAL. */
int retire_write(
    struct core *core, const struct target *target, const char *text, const char *who, struct err *err);

/** Prints who is assigned to it, and so keeps it. */
int retire_print(struct core *core, const struct target *target, FILE *out, struct err *err);

/** Looks what has become of the requests; after each refresh of the core. */
void retire_follow(struct core *core);

#endif
