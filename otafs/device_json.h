/** devices/ID/device.json: all that is known about a device, for programs. */
#ifndef OTAFS_DEVICE_JSON_H
#define OTAFS_DEVICE_JSON_H

#include <stdio.h>

#include "otafs/core.h"

/**
 * Prints one JSON object, indented, in ASCII. A time is as in lib/utc.h, or null when it has not been; a member
 * that says nothing is null, [] or {}, and never missing. What has files of its own (hardware, packages,
 * config, events, history, installations) is not in it, but when the device told it last. Groups are those it
 * was put into, not those of a rule.
 */
int device_json_print(struct core *core, const struct device *device, FILE *out, struct err *err);

#endif
