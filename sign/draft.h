/**
 * The draft of a root: a folder that travels between the server and the key holders, on a USB stick.
 *
 *     draft.json              {"repository":"image","role":"root","version":3}; written last
 *     current.json            the newest root, an envelope; not there when the draft is of the first root
 *     next.json               the "signed" part of the root that is to be signed, canonical
 *     signatures/KEYID.json   {"keyid","method","sig"} over the canonical form of next.json
 *     README.txt              what a key holder does with it
 *
 * Nothing in it is secret, and nothing in it is trusted: whoever reads one checks it as a whole. Files that do
 * not belong to it are left alone, but for signatures/, where only names that start with a dot are.
 */
#ifndef SIGN_DRAFT_H
#define SIGN_DRAFT_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"
#include "lib/role.h"

/** A folder with this file is a draft. */
#define DRAFT_FILE "draft.json"

struct draft {
	enum repository repository;
	int version;        /**< of the next root */
	json_t *current;    /**< the newest root's envelope; NULL: the next one is the first */
	json_t *next;       /**< the "signed" part */
	json_t *signatures; /**< array, by key id; each is good and of a root key of current or next */
};

/** Releases what the members own. */
void draft_done(struct draft *draft);

/**
 * Makes the folder @name below the folder @dir (AT_FDCWD: a path) and all that is in it. -EEXIST when there is
 * something of that name; -EBADMSG when the draft is not one that draft_read() takes. What was begun is removed
 * when it fails.
 */
int draft_write(int dir, const char *name, const struct draft *draft, int64_t now, struct err *err);

/**
 * Reads the folder @name below the folder @dir (AT_FDCWD: a path). No symlink is followed in it or to it,
 * sizes and numbers of files are bounded, and it has to hold together: the next root is of the form of
 * root_read() and expires after @now; the current one is signed by its own root keys and is the version before
 * it; no key id stands for two keys; each signature is of a root key of one of the two and fits next.json.
 * Thresholds may be unmet. Returns 0; -ENOENT when it is no draft; -EBADMSG or another -errno with words.
 */
int draft_read(int dir, const char *name, int64_t now, struct draft *out, struct err *err);

/** Joins next root and signatures into the canonical file; the caller frees @out. */
int draft_assemble(const struct draft *draft, char **out, size_t *bytes, struct err *err);

/** Whether the key that the roots call @keyid has signed. */
bool draft_has_signed(const struct draft *draft, const char *keyid);

/** How many different root keys of @root, the "signed" part of the current or the next root, have signed. */
int draft_count(const struct draft *draft, const json_t *root);

/**
 * Adds @signature to the draft and to its folder. -EEXIST when that key id has signed; -EBADMSG when it is no
 * good signature of a root key of the current or the next root.
 */
int
draft_add_signature(struct draft *draft, int dir, const char *name, const json_t *signature, struct err *err);

/** Puts @next in the place of the next root, here and in the folder. -EPERM when somebody has signed. */
int
draft_change(struct draft *draft, int dir, const char *name, const json_t *next, int64_t now, struct err *err);

#endif
