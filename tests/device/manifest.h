/** What the device says of itself to the director: its ECUs, and what they run.  (aktualizr-wire 1.4, 4.1) */
#ifndef TESTS_DEVICE_MANIFEST_H
#define TESTS_DEVICE_MANIFEST_H

#include "lib/err.h"
#include "tests/device/device.h"

/** Registers the ECUs unless the server has taken exactly this list before. -ECOMM: it did not take it. */
int manifest_register(struct device *device, struct err *err);

/**
 * Sends the signed manifest with the report of the last installation, if one is waiting; what the server took
 * does not wait any more. -ECOMM: it did not take it.
 */
int manifest_send(struct device *device, struct err *err);

/** Leaves the result of an update for the next manifest; @items ([{"ecu","result"}]) is stolen. */
int manifest_set_report(struct device *device, const char *correlation, const char *code,
    const char *description, const char *raw, json_t *items, struct err *err);

/** {"success","code","description"}; NULL: no memory. */
json_t *manifest_result(const char *code, const char *description);

/** Puts down that ECU number @i runs @target, called @name; store_save() makes it last. */
int manifest_set_installed(struct device *device, size_t i, const char *name, json_t *target, struct err *err);

#endif
