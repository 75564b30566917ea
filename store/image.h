/**
 * The image repository's metadata: what is offered, as root, targets, snapshot and timestamp. (Uptane 2.1, 5.1)
 *
 * The published set is itself the state; there is no second book. ota-signd signs; versions go on from the
 * higher of what is published and what was ever signed. Threads may share an image: each call takes its lock.
 */
#ifndef STORE_IMAGE_H
#define STORE_IMAGE_H

#include <stdbool.h>

#include "lib/config.h"
#include "lib/err.h"
#include "sign/client.h"
#include "store/release.h"

/** aktualizr reads no larger image targets.json, and no larger delegation. */
#define IMAGE_TARGETS_MAX (8 * 1024 * 1024)
/** What is taken from a builder leaves room for the server's own next edition. */
#define IMAGE_PUSHED_MAX (IMAGE_TARGETS_MAX - 64 * 1024)

/** Words of image_warning() with their 0. */
#define IMAGE_WARNING_SIZE 256

struct image;

/** Opens @repository/published and reads the current set; @client and @config outlive the image. */
int image_start(const char *repository, const struct config *config, struct client *client, struct image **out,
    struct err *err);
void image_close(struct image *image);
void image_closep(struct image **image);

/** The repository's folder, borrowed. */
int image_repository(const struct image *image);

/** The keys of targets are off line: what was good is stored, and offered by those who have the keys. */
#define IMAGE_OFFLINE 8

/** DROP_BAD if @releases could not be published: a file name would be used for other content, or it would be
 * too large; or what the judge of @releases says. Else 0, or IMAGE_OFFLINE with words. */
int image_check(struct image *image, const struct releases *releases, struct err *err);

/** A number that is another after each publication, whatever it changed. */
int image_edition(struct image *image);

/** All of it was published before; nothing was signed. */
#define IMAGE_SAME 2

/**
 * Publishes @releases beside all that is offered already. The hardware ids of a release that was published
 * before are joined. @version: of the targets.json that has them.
 *
 * Then versions beyond keep_versions go, as far as fleet.json says that nobody needs them.
 *
 * Returns 0; IMAGE_SAME; DROP_BAD with words; -ENOKEY when the keys of targets are off line; or another -errno,
 * when the old set stands and the call may be repeated.
 */
int image_publish(struct image *image, const struct releases *releases, int *version, struct err *err);

/** Nothing had to be renewed. */
#define IMAGE_FRESH 1

/**
 * Publishes the same targets anew when nothing was published yet, when a document that is signed here has less
 * than half of its lifetime left, or when there is a newer root under which targets verify or can be signed.
 * Returns 0, IMAGE_FRESH, or -errno.
 */
int image_renew(struct image *image, struct err *err);

/**
 * Whether image_renew() has to be called because ota-signd has a root that it did not look at yet: 0,
 * IMAGE_FRESH, or -errno. One short question, to be asked every second or so: keys that were rotated sign all
 * that is published from then on.
 */
int image_look_for_root(struct image *image, struct err *err);

/**
 * Brings report/limits up to date and writes what is most urgent in it to @text: what has expired or soon will,
 * and is not renewed here, or comes near what clients read. Returns whether there is anything.
 */
bool image_warning(struct image *image, char text[static IMAGE_WARNING_SIZE]);

/* -- what builders and suppliers sign themselves -- */

/** The builder did not say which targets.json he edited (428). */
#define IMAGE_NO_CHECKSUM 3
/** targets.json has changed since the builder pulled it (412). */
#define IMAGE_OTHER_CHECKSUM 4
/** The version is not the present one + 1 (409). */
#define IMAGE_OTHER_VERSION 5
/** There is no such delegation (400 when it is pushed, 404 when it is pulled). */
#define IMAGE_NO_DELEGATION 6

/**
 * The present targets.json, as published, and its checksum, the SHA-256 of the file; @name NULL. With a name,
 * that delegation. The caller frees @text. 0, PUBLISH_NONE, IMAGE_NO_DELEGATION, or -errno.
 */
int image_read(struct image *image, const char *name, char **text, size_t *bytes,
    char checksum[static DIGEST_HEX_SIZE], struct err *err);

/**
 * Says whether who hands it in may change target @file from @before to @after; one of them is NULL when it is
 * added or removed. A @file of NULL: the trusted delegations. 0, or a positive answer of its own, with words,
 * that is passed on. Not to call image_ from it.
 */
typedef int
image_judge_fn(const char *file, const json_t *before, const json_t *after, void *data, struct err *err);

/** May be NULL: then all may be changed. */
struct image_judge {
	image_judge_fn *judge;
	void *data;
};

/**
 * Publishes targets that a builder signed, byte for byte, if the newest root's threshold of targets keys signed
 * them, and @judge has nothing against any change. @checksum: of the targets.json that he edited, or NULL. What
 * was created before keeps its createdAt only as the builder wrote it. 0, one of the above, DROP_BAD with
 * words, what the judge says, or -errno.
 */
int image_put_targets(struct image *image, const char *text, size_t bytes, const char *checksum,
    const struct image_judge *judge, struct err *err);

/**
 * The same for targets that carry no word of what was edited: @version, which is set, has to be the present one
 * + 1. 0, IMAGE_SAME when that is published already, IMAGE_OTHER_VERSION, DROP_BAD with words, or -errno.
 */
int image_put_next_targets(struct image *image, const char *text, size_t bytes, int *version, struct err *err);

/** The newest root waits for targets that its keys signed; @err says whose. */
#define IMAGE_HELD_BACK 7

/**
 * Hands a signed root to ota-signd. It is published at once when the present targets.json verifies with it, or
 * can be signed anew; else it is held back until targets arrive that do. 0, IMAGE_HELD_BACK, DROP_BAD when it
 * is refused, or -errno.
 */
int image_put_root(struct image *image, const char *text, size_t bytes, struct err *err);

/** Publishes the newest root that ota-signd has, as far as that can be done now. 0 or IMAGE_HELD_BACK: trouble
 * is logged, and the next renewal tries again. */
int image_settle_root(struct image *image, struct err *err);

/** The trusted delegations {"keys":{},"roles":[]} in targets.json: a new reference; and setting them, which
 * signs targets. -ENOKEY when targets keys are off line. DROP_BAD with words. */
json_t *image_trust(struct image *image);
int image_put_trust(struct image *image, const json_t *delegations, struct err *err);

/**
 * Publishes delegation @name as its supplier signed it: signature, threshold, paths, version, expiry are
 * checked, and @judge is asked. The same document once more is done already. 0, IMAGE_NO_DELEGATION, DROP_BAD
 * (with EKEYREJECTED as the err's code when it is the signatures), what the judge says, or -errno.
 */
int image_put_delegation(struct image *image, const char *name, const char *text, size_t bytes,
    const struct image_judge *judge, struct err *err);

/** Takes file names out of targets.json. Those that are not there are done already. DROP_BAD: one is assigned
 * to a device. -ENOKEY: targets are off line. */
int image_retire(struct image *image, const char *const *files, size_t count, struct err *err);

/** Calls @each for every target that is published: top-level, and of delegations. Not to call image_ from it.
 */
typedef int image_each_fn(const char *file, const json_t *target, void *data, struct err *err);
int image_each(struct image *image, image_each_fn *each, void *data, struct err *err);

/**
 * Has @retired told of content that no target names any more: after the set without it was published, with the
 * image's lock held, so it must not call image_ functions.
 */
typedef void image_retired_fn(void *data, const char *sha256, bool is_ostree);
void image_on_retired(struct image *image, image_retired_fn *retired, void *data);

#endif
