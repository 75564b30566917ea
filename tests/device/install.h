/** Gets images: OSTree commits by libostree, other files by ranges; both are checked to the last byte. */
#ifndef TESTS_DEVICE_INSTALL_H
#define TESTS_DEVICE_INSTALL_H

#include <jansson.h>

#include "lib/err.h"
#include "tests/device/device.h"

/**
 * Gets the image of @target unless it is there already and good.
 *
 * @uri: where instead of the usual place; "" for the usual.
 *
 * Returns 0, -EBADMSG when bytes are not what the metadata says, -ECOMM when they cannot be had.
 */
int
install_fetch(struct device *device, const char *name, const json_t *target, const char *uri, struct err *err);

#endif
