/** Devices as an administrator sees them below devices/ID/. */
#ifndef OTAFS_DEVICE_H
#define OTAFS_DEVICE_H

#include <stdio.h>

#include "otafs/core.h"

/** mkdir devices/ID, which unblocks the id (blocked.h). -EEXIST, -EINVAL with the cause for a bad id. */
int device_add(struct core *core, const char *id, const char *who, struct err *err);
/** rmdir devices/ID: all of it but the history goes, its certificates stop working, and the id is blocked
 * (blocked.h). */
int device_remove(struct core *core, const struct device *device, const char *who, struct err *err);

/** mkdir and rmdir devices/ID/certificates/SERIAL. */
int device_certificate_add(
    struct core *core, const struct device *device, const char *serial, const char *who, struct err *err);
int device_certificate_remove(
    struct core *core, const struct device *device, const char *serial, const char *who, struct err *err);

/** When a certificate expires, in a form of moment.h; -EINVAL for another one. Printed is the first form, or
 * "not known". */
int device_certificate_expires(struct core *core, const struct device *device, const char *serial,
    const char *text, const char *who, struct err *err);
int device_print_certificate_expires(
    struct core *core, const struct device *device, const char *serial, FILE *out, struct err *err);

/**
 * One line: the id, the status (standing.h), what it should run, what it runs, and why they differ, what begins
 * later, and when it was last seen.
 */
int device_print_status(struct core *core, const struct device *device, FILE *out, struct err *err);
int device_print_history(struct core *core, const struct device *device, FILE *out, struct err *err);
/** The same as JSON lines. */
int device_print_log(struct core *core, const struct device *device, FILE *out, struct err *err);
int device_print_why(const struct device *device, FILE *out);

/** The target of the image repository that the ECU runs, by name or by content; NULL: none of them. */
const struct target *device_ecu_target(const struct core *core, const struct ecu *ecu);

/** 0, or -ENOENT. */
int device_has_ecu(struct core *core, const struct device *device, const char *serial, struct err *err);

/** "NAME: VALUE" lines of one ECU, and "installation: " lines (past.h); -ENOENT. */
int device_print_ecu(
    struct core *core, const struct device *device, const char *serial, FILE *out, struct err *err);

#endif
