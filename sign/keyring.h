/**
 * The keys and the roots of both repositories, in the folder that only ota-signd reads:
 * image/ and director/, each with ROLE.key and 1.root.json, 2.root.json, ...  Roots are kept for ever.
 * Keys and first roots are made as long as there is no ledger (sign/ledger.h), which is made last: after that,
 * what is missing was lost, and is refused instead of replaced.
 */
#ifndef SIGN_KEYRING_H
#define SIGN_KEYRING_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/role.h"

struct keyring;

/**
 * Opens folder @dir (borrowed), makes the keys and the first roots that are missing, and renews a root that has
 * less than a quarter of its @root_days left. Made in an order in which a crash leaves nothing half: keys
 * before the root that names them, and a root file only whole.
 */
int keyring_open(int dir, int64_t root_days, int64_t now, struct keyring **out, struct err *err);
void keyring_free(struct keyring *keyring);
void keyring_freep(struct keyring **keyring);

/** Signs the canonical form of @signed_part and writes the envelope; the caller frees it. */
int keyring_sign(const struct keyring *keyring, enum repository repository, enum role role,
    const json_t *signed_part, char **envelope, size_t *bytes, struct err *err);

/** The newest root's version. */
int keyring_root_version(const struct keyring *keyring, enum repository repository);

/** Reads N.root.json; the caller frees it. */
int keyring_root(const struct keyring *keyring, enum repository repository, int version, char **envelope,
    size_t *bytes, struct err *err);

/** Renews what keyring_open() would renew. */
int keyring_renew(struct keyring *keyring, int64_t now, struct err *err);

#endif
