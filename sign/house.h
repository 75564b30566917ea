/**
 * One repository's folder of the key ring: ROLE-N.key, N.root.json, keys.json, and in the image repository
 * allow-take. Roots are kept for ever. Callers see to it that one call is made at a time.
 *
 * N in the name of a key file is the version of the root that brought the key or will bring it; a second one of
 * the same role and root is ROLE-N-2.key. Keys of a root that is still to come are pending and kept; others
 * that the newest root does not name are deleted. A key that the newest root names, that was made here, and
 * that is missing without having been deleted on purpose, is lost: the rest works, and a new root has to
 * replace it.
 */
#ifndef SIGN_HOUSE_H
#define SIGN_HOUSE_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "lib/digest.h"
#include "lib/err.h"
#include "lib/role.h"
#include "sign/key.h"
#include "sign/root.h"

/** Made by the administrator to let the root key leave, once. */
#define HOUSE_ALLOW_FILE "allow-take"
/**
 * {"made":[PUBLIC ID...],"taken":[...],"deleted":[...],"root":N}: the keys that were made here, handed out, and
 * deleted while a root named them; and the newest root's version, so that one that is missing is missed.
 */
#define HOUSE_NOTES_FILE "keys.json"

/** Private keys of one repository: four roles of thresholds that somebody still oversees, and as many pending.
 * Each takes locked memory. */
#define HOUSE_KEYS_MAX 64
/** "timestamp-2147483647-64.key" */
#define HOUSE_FILE_SIZE 32

/** A private key that is here. */
struct house_key {
	struct key_pair *pair;
	enum role role; /**< as in its file's name */
	int version;    /**< of the root that brought or brings it */
	char file[HOUSE_FILE_SIZE];
	/** What the newest root calls it in each role, borrowed from the root; NULL: the role is not its. */
	const char *ids[ROLE_COUNT];
};

/** Who writes the log of signatures: called before a root is kept; what it refuses is not. */
struct house_log {
	int (*note)(
	    void *context, enum repository repository, int version, const char *sha256, struct err *err);
	void *context;
};

struct house {
	int dir;
	struct house_log log; /**< note may be NULL: nobody */
	enum repository repository;
	struct house_key keys[HOUSE_KEYS_MAX]; /**< by public id: signatures come in the same order for ever */
	int count;
	int root_version; /**< 0: there is none yet */
	json_t *root;     /**< "signed" of the newest; NULL before the first */
	int published;    /**< version of the root that the newest snapshot tells; 0: none does */
	json_t *notes;    /**< as in the file */
	bool is_told;     /**< that a root is due which cannot be signed here */
};

/** Opens the folder of @repository below @dir. @is_new: it may be made, else it was lost and is -ENOENT. */
int house_open(struct house *house, int dir, enum repository repository, bool is_new, struct err *err);
void house_done(struct house *house);

/** Fewer keys than the role's threshold are here. */
#define HOUSE_OFFLINE 1

/** Whether @role can be signed under the newest root: 0 or HOUSE_OFFLINE. */
int house_can_sign(const struct house *house, enum role role);

/** Signs with every key here that the newest root gives @role, under the ids that it gives them. -ENOKEY. */
int house_sign(const struct house *house, enum role role, const json_t *signed_part, char **envelope,
    size_t *bytes, struct err *err);

/** The same for a document that is canonical text, and written to @out. */
int house_sign_text(
    const struct house *house, enum role role, const char *text, size_t bytes, FILE *out, struct err *err);

/** Reads N.root.json; the caller frees it. */
int house_read_root(const struct house *house, int version, char **envelope, size_t *bytes, struct err *err);

/** What the newest root asks for and where each key is: see keyring_keys(). */
int house_report(const struct house *house, json_t **out, struct err *err);

/** The place of the key with @public_id in house->keys; -1 if it is not here. */
int house_find(const struct house *house, const char *public_id);

/** Adds @pair, which is taken over; there is room. Places in house->keys change. */
void house_hold(struct house *house, const char *file, enum role role, int version, struct key_pair *pair);
/** Takes key @at out of memory, wiped; later keys move up. */
void house_forget(struct house *house, int at);

/** Makes a key of @role for root @version on disk and holds it; the caller notes it as made. */
int house_make_key(struct house *house, enum role role, int version, struct err *err);

/** Deletes the file of key @at for good and wipes it from memory; later keys move up. */
int house_remove_key(struct house *house, int at, struct err *err);

/** Deletes the keys that neither the newest root names nor one to come; what cannot be deleted now is tried
 * again. */
int house_drop_unnamed(struct house *house, struct err *err);

/* -- the next root (sign/next.c) -- */

/** Signs the newest root anew as the next one, with its keys and roles. -EBADMSG when devices would refuse it:
 * the newest goes on. */
int house_renew(struct house *house, int64_t expires, int64_t now, struct err *err);

/** Takes the next root, see keyring_put_root(). */
int house_put_root(struct house *house, const char *text, size_t bytes, int64_t now, struct err *err);

/** Prepares the next root, see keyring_begin(). */
int house_begin(struct house *house, const json_t *roles, const char *expires, bool is_preview, int64_t now,
    json_t **out, struct err *err);

/** Adds the signatures of the root keys here and takes the root, see keyring_finish(). */
int house_finish(struct house *house, const char *text, size_t bytes, int64_t now, char **envelope,
    size_t *envelope_bytes, struct err *err);

/** What a root calls the keys of a house: an id for each of house->keys in each role, borrowed from the root.
 */
struct house_names {
	const char *of[HOUSE_KEYS_MAX][ROLE_COUNT];
};

int house_name(const struct house *house, const json_t *root, struct house_names *names, struct err *err);

/** How many of the keys here have @role under these names. */
int house_count(const struct house *house, const struct house_names *names, enum role role);

/** Signs with the keys here that have @role under these names. */
int house_sign_as(const struct house *house, const struct house_names *names, enum role role,
    const char *canonical, size_t bytes, json_t *signatures, struct err *err);

/** Makes @root, whose file is written, the newest, in memory. */
void house_adopt(struct house *house, json_t *root, const struct house_names *names);

/* -- how the root key leaves (sign/handout.c) -- */

/** The key cannot be had or deleted; the reason is in @err. */
#define HOUSE_NO_KEY 1

/** Hands the root key out, and deletes it: see keyring_take() and keyring_delete(). */
int house_take(struct house *house, const char *keyid, char **text, size_t *bytes, struct err *err);
int house_delete(struct house *house, const char *keyid, struct err *err);

/* -- keys.json (sign/notes.c) -- */

/** Reads the notes. None are those of a folder from before there were any: the first root's keys were made
 * here. */
int notes_read(struct house *house, struct err *err);
/** Whether the key with @public_id is in the list @which: "made", "taken" or "deleted". */
bool notes_have(const struct house *house, const char *which, const char *public_id);
/** Adds it, durably before it counts. */
int notes_add(struct house *house, const char *which, const char *public_id, struct err *err);
/** The root version that has to be there at least, and its note. */
int notes_root(const struct house *house);
int notes_set_root(struct house *house, int version, struct err *err);

#endif
