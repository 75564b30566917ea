/** One entry of "targets": what it is, whether two are the same, which are new.  (aktualizr-wire 2.7, 2.8) */
#ifndef TESTS_DEVICE_TARGET_H
#define TESTS_DEVICE_TARGET_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"
#include "tests/device/ecu.h"

/** An OSTree commit; without targetFormat a length of 0 says so. */
bool target_is_ostree(const json_t *target);

/** custom.uri; "" for none and for the one that old tools wrote as a placeholder. */
const char *target_uri(const json_t *target);

/** custom.ecuIdentifiers, borrowed; NULL: none. */
json_t *target_ecus(const json_t *target);

/**
 * Whether two entries are the same image: same name, length and hash, and either the same ECUs and hardware
 * ids, or one (the director's) names ECUs whose hardware ids are all in the other's (the image repository's).
 */
bool target_is_same(const char *name_a, const json_t *a, const char *name_b, const json_t *b);

/**
 * Collects from @targets (the director's, file name to entry) those that some ECU does not run yet.
 *
 * @out: file name to entry, the caller releases it.
 *
 * Returns 0 or -EBADMSG: an ECU that is not in the vehicle, a wrong hardware id, or other content under the
 * file name that is installed.
 */
int target_find_new(json_t *targets, const struct ecus *ecus, json_t **out, struct err *err);

/**
 * Why @target of the director is not the entry @image of the image repository (NULL: there is none), as
 * -EBADMSG. For people; target_is_same() decides.
 */
int target_mismatch(const char *name, const json_t *target, const json_t *image, struct err *err);

#endif
