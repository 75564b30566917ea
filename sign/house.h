/**
 * One repository's folder of the key ring: ROLE.key, N.root.json, and in the image repository handed-out.json
 * and allow-take. Roots are kept for ever. Callers see to it that one call is made at a time.
 *
 * A key that is missing was lost, and refused, as long as the newest root gives it a role; unless it was handed
 * out and deleted, which handed-out.json says. A key that the newest root does not name is deleted.
 */
#ifndef SIGN_HOUSE_H
#define SIGN_HOUSE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/digest.h"
#include "lib/err.h"
#include "lib/role.h"
#include "sign/key.h"
#include "sign/root.h"

/** Made by the administrator to let the root key leave, once. */
#define HOUSE_ALLOW_FILE "allow-take"
/** {"taken":[PUBLIC ID...],"deleted":[PUBLIC ID...]} */
#define HOUSE_HANDED_OUT_FILE "handed-out.json"

struct house {
	int dir;
	struct key_pair *pairs[ROLE_COUNT];      /**< by the name of their file; NULL: not here any more */
	char first[ROLE_COUNT][DIGEST_HEX_SIZE]; /**< public ids of the keys that these files had or have */
	int root_version;
	json_t *root;       /**< "signed" of the newest; NULL before the first */
	json_t *handed_out; /**< as in the file */
	bool is_told;       /**< that a root is due which cannot be signed here */
};

/** Opens @name below @dir. @is_new: what is missing may be made, else it was lost and is -ENOENT. */
int house_open(struct house *house, int dir, const char *name, bool is_new, struct err *err);
void house_done(struct house *house);

/** Fewer keys than the role's threshold are here. */
#define HOUSE_OFFLINE 1

/** Whether @role can be signed under the newest root: 0 or HOUSE_OFFLINE. */
int house_can_sign(const struct house *house, enum role role);

/** Signs with every key here that the newest root gives @role, under the ids that it gives them. -ENOKEY. */
int house_sign(const struct house *house, enum role role, const json_t *signed_part, char **envelope,
    size_t *bytes, struct err *err);

/** Reads N.root.json; the caller frees it. */
int house_read_root(const struct house *house, int version, char **envelope, size_t *bytes, struct err *err);

/** Makes the next root: the keys and roles of the newest, or one key for each role when it is the first. */
int house_add_root(struct house *house, int64_t expires, struct err *err);

/** Takes the next root from outside, see keyring_put_root(). */
int house_put_root(struct house *house, const char *text, size_t bytes, int64_t now, struct err *err);

/** Deletes the keys that the newest root does not name; what cannot be deleted now is tried again. */
int house_drop_unnamed(struct house *house, struct err *err);

/** The key cannot be had or deleted; the reason is in @err. */
#define HOUSE_NO_KEY 1

/** Hands the root key out, and deletes it: see keyring_take() and keyring_delete(). (sign/handout.c) */
int house_take(struct house *house, const char *keyid, char **text, size_t *bytes, struct err *err);
int house_delete(struct house *house, const char *keyid, struct err *err);

/** Reads handed-out.json; none is an empty one. */
int house_read_handed_out(struct house *house, struct err *err);
/** Whether the key with @public_id is in the list @which, "taken" or "deleted". */
bool house_was(const struct house *house, const char *which, const char *public_id);

/** Deletes ROLE.key for good and wipes it from memory. */
int house_remove_key(struct house *house, enum role role, struct err *err);

#endif
