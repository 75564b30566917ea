/** PUT /director/manifest: a device tells, signed, what its ECUs run and how updates went.
 * (Uptane 2.1, 5.4.2.1) */
#ifndef OTAFS_MANIFEST_H
#define OTAFS_MANIFEST_H

#include <stddef.h>

#include "otafs/core.h"
#include "otafs/reply.h"

/** A manifest of 100 ECUs with RSA-4096 signatures has some 200 KiB. */
#define MANIFEST_BYTES_MAX (1024 * 1024)

/**
 * Verifies the primary's signature and each ECU's with the keys that were registered, then takes over what the
 * ECUs run. An assignment is done when its ECU reports its file and hash; a report of failure ends the
 * assignments of its correlation id. All of it is on disk before the answer.
 *
 * Refused with 400: invalid_manifest, device_not_registered, ecu_not_primary, ecu_unknown, signature_not_valid.
 * A refused manifest changes nothing.
 */
int manifest_commit(struct core *core, const struct device *device, const char *body, size_t bytes,
    struct reply *reply, struct err *err);

#endif
