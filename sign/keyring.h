/**
 * The keys and the roots of both repositories, in the folder that only ota-signd reads:
 * image/ and director/, each with ROLE.key and 1.root.json, 2.root.json, ...  Roots are kept for ever.
 * Keys and first roots are made as long as there is no ledger (sign/ledger.h), which is made last: after that,
 * what is missing was lost, and is refused instead of replaced. Roots of the image repository may come from
 * outside; keys that they do not name any more are deleted.
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

/** The newest root does not give the role to enough keys that are here. */
#define KEYRING_OFFLINE 1

/** Whether @role can be signed here: 0 or KEYRING_OFFLINE. */
int keyring_can_sign(const struct keyring *keyring, enum repository repository, enum role role);

/**
 * Signs the canonical form of @signed_part with the keys here that the newest root gives @role, under the ids
 * that it gives them, and writes the envelope; the caller frees it. -ENOKEY when they do not reach the
 * threshold.
 */
int keyring_sign(const struct keyring *keyring, enum repository repository, enum role role,
    const json_t *signed_part, char **envelope, size_t *bytes, struct err *err);

/** The newest root's version. */
int keyring_root_version(const struct keyring *keyring, enum repository repository);

/** Reads N.root.json; the caller frees it. */
int keyring_root(const struct keyring *keyring, enum repository repository, int version, char **envelope,
    size_t *bytes, struct err *err);

/**
 * Takes the image repository's next root as it was signed elsewhere: version newest + 1, signed by the
 * thresholds of the newest and of its own root keys, of the form of root_read(), snapshot and timestamp with
 * keys that are here. It is kept byte for byte; then the private keys that it does not name are deleted. The
 * same text again is 0 too. -EBADMSG with words when it is not taken.
 */
int keyring_put_root(struct keyring *keyring, const char *text, size_t bytes, int64_t now, struct err *err);

/** The key cannot be had or deleted, for the reason in @err. */
#define KEYRING_NO_KEY 1

/**
 * Hands out the image repository's root key if the administrator made the file allow-take, which is gone for
 * good before. @text is JSON, see key_pair_reveal(). @keyid: as the newest root or the first one calls the key.
 */
int keyring_take(struct keyring *keyring, const char *keyid, char **text, size_t *bytes, struct err *err);

/** Deletes that key, when it was handed out or no role has it; 0 when it is gone already. */
int keyring_delete(struct keyring *keyring, const char *keyid, struct err *err);

/** Renews what keyring_open() would renew. A root that cannot be signed here is logged when it is due, once. */
int keyring_renew(struct keyring *keyring, int64_t now, struct err *err);

#endif
