/** POST /director/ecus: a device tells which ECUs it has.  (aktualizr-wire 1.4) */
#ifndef OTAFS_ENROLL_H
#define OTAFS_ENROLL_H

#include <stddef.h>

#include "otafs/core.h"
#include "otafs/reply.h"

/** 100 ECUs with RSA-4096 keys need 120 KiB. */
#define ENROLL_BYTES_MAX (1024 * 1024)

/**
 * Reads a body without the core's lock: a hundred RSA keys take a tenth of a second. 0 and @work is set, which
 * goes to enroll_take() with the lock and then to enroll_finish(); 1 when @reply is the answer already; or
 * -errno.
 */
int enroll_prepare(const char *body, size_t bytes, void **work, struct reply *reply, struct err *err);
int enroll_take(
    struct core *core, const struct device *device, const void *work, struct reply *reply, struct err *err);
void enroll_finish(void *work);

/**
 * Both at once, in programs of one thread.
 *
 * Stores the ECUs of @device: 201 at first, 200 when they are told again or have changed. The same list again
 * changes nothing but that the device's manifests are counted anew, so that one that was set back is not taken
 * for a recording. A changed list replaces the old one, ends the open assignments of ECUs that are gone or have
 * another hardware id or key, and is told in the history and, if something ended, in why.
 *
 * Refused with 400: invalid_ecus, primary_is_not_listed_for_device; with 409 ecu_replacement_disabled: another
 * list than before, while ecu_replacement is 0, which is told in why and, once until why says something else,
 * in the history.
 */
int enroll_commit(struct core *core, const struct device *device, const char *body, size_t bytes,
    struct reply *reply, struct err *err);

#endif
