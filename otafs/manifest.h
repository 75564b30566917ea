/** PUT /director/manifest: a device tells, signed, what its ECUs run and how updates went.
 * (Uptane 2.1, 5.4.2.1) */
#ifndef OTAFS_MANIFEST_H
#define OTAFS_MANIFEST_H

#include <stddef.h>

#include "otafs/core.h"
#include "otafs/reply.h"

/** A manifest of 100 ECUs with RSA-4096 signatures has some 200 KiB. */
#define MANIFEST_BYTES_MAX (1024 * 1024)

/** Looks up the keys that were registered, with the core's lock. @work is set when 0 is returned; goes to the
 * functions below, then to manifest_finish(). */
int manifest_look(struct core *core, const struct device *device, void **work, struct err *err);

/**
 * Reads a manifest (told.h) and verifies the primary's signature and each ECU's with those keys: the costly
 * part. Called without the core's lock, which it takes for a refusal.
 *
 * 1: @reply is the answer, a refusal with 400: invalid_manifest, device_not_registered, ecu_not_primary,
 * ecu_unknown, signature_not_valid. A refused manifest changes nothing, but that history and why tell of it
 * once, and that it counts as a poll (silence.h). Or -errno.
 */
int manifest_prepare(struct core *core, const struct device *device, const char *body, size_t bytes, void *work,
    struct reply *reply, struct err *err);

/**
 * Takes over what it says (settle.h, docs/STATES.md), within a transaction; @device is what is stored of it
 * now. When keys were exchanged since it was prepared, signatures are verified again.
 *
 * Refused with 409 replayed_manifest when the primary's report_counter is not above the highest that was taken,
 * once for each such state in history and why; the very body that was taken last is answered with 200 again.
 */
int
manifest_take(struct core *core, const struct device *device, void *work, struct reply *reply, struct err *err);
void manifest_finish(void *work);

/** All of this at once, durably unless it is called within a transaction. */
int manifest_commit(struct core *core, const struct device *device, const char *body, size_t bytes,
    struct reply *reply, struct err *err);

#endif
