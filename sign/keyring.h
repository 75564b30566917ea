/**
 * The keys and the roots of both repositories, in the folder that only ota-signd reads:
 * image/ and director/, each with ROLE-N.key and 1.root.json, 2.root.json, ...  Roots are kept for ever.
 *
 * Keys and roots are made when the administrator asks for them: keyring_begin() prepares the next root and
 * makes the keys it needs here, keyring_finish() or keyring_put_root() takes it when its signatures are
 * together. Only a root that is due is renewed without being asked, with the same keys, if they are here. A
 * root or a ledger (sign/ledger.h) that is missing is refused instead of replaced; a key that is missing is
 * told, and the roles of the others go on.
 */
#ifndef SIGN_KEYRING_H
#define SIGN_KEYRING_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/err.h"
#include "lib/role.h"

struct keyring;

/**
 * Opens folder @dir (borrowed). Keys are on disk before the root that names them, and a root is before those
 * are deleted that it does not name, so a crash leaves nothing half. keyring_renew() is to be called next.
 */
int keyring_open(int dir, int64_t root_days, struct keyring **out, struct err *err);
void keyring_free(struct keyring *keyring);
void keyring_freep(struct keyring **keyring);

/** From here on @log is told of roots before they are kept, and may refuse them. */
struct house_log;
void keyring_set_log(struct keyring *keyring, const struct house_log *log);

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

/** The same for a document that is canonical text: the envelope is written to @out, as far as there is memory.
 * For several threads at once, as long as nothing else is called. */
int keyring_sign_text(const struct keyring *keyring, enum repository repository, enum role role,
    const char *text, size_t bytes, FILE *out, struct err *err);

/** Which root of the image repository the newest snapshot tells, and so devices have; 0: none does. The newest
 * may be held back. */
void keyring_set_published(struct keyring *keyring, int version);

/** The newest root's version; 0: there is none yet. */
int keyring_root_version(const struct keyring *keyring, enum repository repository);

/** Reads N.root.json; the caller frees it. */
int keyring_root(const struct keyring *keyring, enum repository repository, int version, char **envelope,
    size_t *bytes, struct err *err);

/**
 * Prepares the next root, version newest + 1.
 *
 * @roles: an object {ROLE:{"keys":[{"keyid"?,"keytype","keyval"}...],"new":N,"threshold":T}}: the role gets the
 * keys given, under their ids if they have one, and N new ones that are made here. Keys that were made for this
 * version before are used again, so a ceremony may start anew. "threshold" is as before, or 1, when it is not
 * given. Roles that are not named stay as in the newest root; in the first one they get one new key each.
 * @expires: NULL for root_days from now. @is_preview: nothing is made, new keys are shown with ids
 * "new-ROLE-1".
 *
 * @signed_part: the root to be signed, in a form that will be taken; the caller releases it. -EINVAL, -EBADMSG.
 */
int keyring_begin(struct keyring *keyring, enum repository repository, const json_t *roles, const char *expires,
    bool is_preview, int64_t now, json_t **signed_part, struct err *err);

/**
 * Takes the next root: version newest + 1, signed by the thresholds of the newest and of its own root keys, of
 * the form of root_read(), with keys that are here for snapshot, timestamp and the director's targets. It is
 * kept byte for byte; then the private keys that it does not name are deleted. The same text again is 0 too.
 * -EBADMSG with words when it is not taken.
 */
int keyring_put_root(struct keyring *keyring, enum repository repository, const char *text, size_t bytes,
    int64_t now, struct err *err);

/** The same, after the signatures of the root keys here, old and new, were added. @envelope: as it is kept. */
int keyring_finish(struct keyring *keyring, enum repository repository, const char *text, size_t bytes,
    int64_t now, char **envelope, size_t *envelope_bytes, struct err *err);

/**
 * What the newest root asks for: {"version":N,"expires":TEXT,"roles":{ROLE:{"threshold":T,"keys":[{"keyid":ID,
 * "where":"here"|"elsewhere"|"lost"}...]}}}; version 0 and no roles when there is none. Lost: made here, not
 * deleted on purpose, and missing.
 */
int keyring_keys(const struct keyring *keyring, enum repository repository, json_t **out, struct err *err);

/** The key cannot be had or deleted, for the reason in @err. */
#define KEYRING_NO_KEY 1

/**
 * Hands out the image repository's root key if the administrator made the file allow-take, which is gone for
 * good before. @text is JSON, see key_pair_reveal(). @keyid: as the newest root calls the key, or
 * its public_key_id().
 */
int keyring_take(struct keyring *keyring, const char *keyid, char **text, size_t *bytes, struct err *err);

/** Deletes that key, when it was handed out or no role has it; 0 when it is gone already. */
int keyring_delete(struct keyring *keyring, const char *keyid, struct err *err);

/** Deletes keys that no root names, and renews a root that has less than a quarter of its root_days left. One
 * that cannot be signed here is logged when it is due, once. */
int keyring_renew(struct keyring *keyring, int64_t now, struct err *err);

#endif
