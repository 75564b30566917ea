/** One cycle as aktualizr's primary does it, from registration to the report.  (aktualizr-wire 2.1, 4.5) */
#ifndef TESTS_DEVICE_POLL_H
#define TESTS_DEVICE_POLL_H

#include <stdbool.h>

#include "lib/err.h"
#include "tests/device/device.h"

/** An update is there and verified; nothing was installed, as asked for. */
#define POLL_AVAILABLE 1

/**
 * Runs one cycle, none while something waits for a reboot; with @is_check it ends after the verification.
 *
 * Returns 0 when there was nothing to do or the update is installed and reported, POLL_AVAILABLE, -EBADMSG or
 * -EFBIG when something was refused, -ECOMM when the server could not be reached or said no.
 */
int poll_run(struct device *device, bool is_check, struct err *err);

#endif
