/** Fetches metadata in aktualizr's order, has it judged by trust.h, and stores what is good. (aktualizr-wire 2)
 */
#ifndef TESTS_DEVICE_META_H
#define TESTS_DEVICE_META_H

#include <stdint.h>

#include "lib/err.h"
#include "tests/device/device.h"
#include "tests/device/trust.h"

/**
 * Brings @trust of one repository up to date as of @now: roots, then targets (director) or timestamp, snapshot
 * and targets (image repository).
 *
 * Returns 0, -EBADMSG for what is refused, -EFBIG for what is too large, -ECOMM when the server does not give
 * it.
 */
int meta_update(struct device *device, struct trust *trust, int64_t now, struct err *err);

/**
 * Finds the image repository's entry that is the same as the director's @target, if need be in delegations.
 *
 * @entry: a new reference.
 *
 * Returns 0, -EBADMSG with the difference, or a failure of meta_update() in a delegation.
 */
int meta_find_image(struct device *device, const struct trust *image, const char *name, const json_t *target,
    int64_t now, json_t **entry, struct err *err);

#endif
