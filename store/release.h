/**
 * What one drop makes of one commit: a package version. Shared by the modules that decide it (push), import it
 * (ingest) and publish it (image).
 */
#ifndef STORE_RELEASE_H
#define STORE_RELEASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/digest.h"
#include "lib/err.h"
#include "lib/json.h"
#include "lib/name.h"

/**
 * An answer of whatever reads a drop: the drop is at fault, the reason is in the err. It may still be copied,
 * so the caller waits before it refuses. A negative errno is trouble of our own (disk full, no signer) and
 * never costs the builder a drop.
 */
#define DROP_BAD 1

#define drop_bad(err, ...) (err_set(err, EBADMSG, __VA_ARGS__), DROP_BAD)

/** Longest ref with its 0: it is a path below refs/heads. */
#define RELEASE_REF_SIZE 256
/** A comment is for people in a list, not a change log; it stays in targets.json for ever. */
#define RELEASE_COMMENT_MAX 1024
/** One image fits a handful of boards; every id is in every device's targets.json. */
#define RELEASE_HARDWARE_MAX 64

struct release {
	char name[NAME_PACKAGE_MAX + 1];
	char version[NAME_VERSION_MAX + 1];
	char target[NAME_TARGET_MAX + 1]; /**< file name in targets.json; empty: NAME-VERSION */
	char ref[RELEASE_REF_SIZE];       /**< empty: none, as for a binary */
	char commit[DIGEST_HEX_SIZE];     /**< the target's sha256: of a binary's bytes, or the commit */
	bool is_binary;
	uint64_t length;  /**< of a binary; 0 for a commit */
	json_t *uri;      /**< text: where the bytes are if not here; or NULL */
	json_t *custom;   /**< object: the builder's own members of custom, or NULL */
	json_t *hardware; /**< array of text, at least one */
	json_t *comment;  /**< text, or NULL */
};

struct image_judge;

struct releases {
	struct release *list; /**< never empty once planned */
	size_t count;
	const struct image_judge
	    *judge; /**< is asked about each target that they change; borrowed; NULL: nobody is */
};

/** Writes the file name in targets.json: what the release says, or NAME-VERSION; push.c has seen to it that it
 * fits. */
void release_target(const struct release *release, char target[static NAME_TARGET_MAX + 1]);

/** Appends a zeroed release; NULL: no memory. */
struct release *releases_add(struct releases *releases);
void releases_done(struct releases *releases);

#endif
