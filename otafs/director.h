/**
 * The director's documents of one device, made from its open assignments.  (Uptane 2.1, 5.2.3, 5.3.2)
 *
 * They are a function of the stored state: version = the device's counter + the fleet's epoch, expiry = the
 * moment the epoch was raised + the lifetime. So the same version has the same bytes on every read, and reading
 * writes nothing.
 */
#ifndef OTAFS_DIRECTOR_H
#define OTAFS_DIRECTOR_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/role.h"
#include "otafs/core.h"

/** What aktualizr reads of a director document (aktualizr-wire 2.3). */
#define DIRECTOR_BYTES_MAX (64 * 1024)

/** The version that the device's documents have now. */
int director_version(struct core *core, const struct device *device, int64_t *version, struct err *err);

/** Makes targets, snapshot or timestamp, signed; the caller frees @out. -EAGAIN without a root, without the
 * signer, and when the signer turned out to have a newer root: then roots.count has grown, and the next call is
 * for it. */
int director_document(
    struct core *core, const struct device *device, enum role role, char **out, size_t *bytes, struct err *err);

/**
 * The bytes that targets.json would have with these assignments, the signature included, to be held against
 * DIRECTOR_BYTES_MAX before they are stored. Negative: -errno.
 */
int64_t director_size(struct core *core, const struct device *device, const struct assignment *assignments,
    size_t count, struct err *err);

#endif
