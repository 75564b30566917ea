/** The "hashes" object of metadata: sha256 and sha512 in hex of any case, others are of no account. */
#ifndef TESTS_DEVICE_HASH_H
#define TESTS_DEVICE_HASH_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "lib/err.h"

/** @hashes has neither sha256 nor sha512. */
#define HASH_NONE 1

/**
 * Compares @data with every known hash in @hashes. Returns 0 when all match, HASH_NONE, or -EBADMSG naming
 * @what.
 */
int hash_check(const json_t *hashes, const void *data, size_t bytes, const char *what, struct err *err);

/** Whether @a and @b have an equal known hash and none that contradict.  (aktualizr-wire 2.8) */
bool hash_is_same(const json_t *a, const json_t *b);

#endif
