/**
 * Installs what was fetched, at once or with a reboot, and leaves the report of it.  (aktualizr-wire 4.1, 4.5)
 *
 * "Installing" is writing down: a test device has nothing to boot. ECUs that are to fail keep what they run.
 */
#ifndef TESTS_DEVICE_APPLY_H
#define TESTS_DEVICE_APPLY_H

#include <stdbool.h>

#include "lib/err.h"
#include "tests/device/device.h"

/** Installs @plan (file name to {"target"}) on the ECUs that its targets name; on a device that reboots for it
 * it only waits then. */
int apply_plan(struct device *device, json_t *plan, const char *correlation, struct err *err);

/** Something is installed and waits for a reboot: the device is silent. */
bool apply_is_waiting(struct device *device);

/** What waits is in use now, or the boot loader went back to what was there. -ENODATA: nothing waits. */
int apply_reboot(struct device *device, struct err *err);

#endif
