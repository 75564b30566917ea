/** devices/ID/counter: how far the manifests of a device are counted. */
#ifndef OTAFS_COUNTER_H
#define OTAFS_COUNTER_H

#include <stdio.h>

#include "otafs/core.h"

/** Bytes of a command. */
#define COUNTER_BYTES_MAX 64

/** A line "ECU COUNTER" for each, the primary first: the highest report_counter that was taken; "-" for none.
 */
int counter_print(struct core *core, const struct device *device, FILE *out, struct err *err);

/** "reset" lets the next manifest be taken whatever its counter: of a device that was set back. -EINVAL for
 * anything else. */
int counter_write(
    struct core *core, const struct device *device, const char *text, const char *who, struct err *err);

#endif
