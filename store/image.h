/**
 * The image repository's metadata: what is offered, as root, targets, snapshot and timestamp. (Uptane 2.1, 5.1)
 *
 * The published targets.json is itself the state; there is no second book. ota-signd signs; versions go on from
 * the higher of what is published and what was ever signed.
 */
#ifndef STORE_IMAGE_H
#define STORE_IMAGE_H

#include "lib/config.h"
#include "lib/err.h"
#include "sign/client.h"
#include "store/release.h"

/** aktualizr reads no larger image targets.json. */
#define IMAGE_TARGETS_MAX (8 * 1024 * 1024)

struct image;

/** Opens @repository/published and reads the current set; @client and @config outlive the image. */
int image_start(const char *repository, const struct config *config, struct client *client, struct image **out,
    struct err *err);
void image_close(struct image *image);
void image_closep(struct image **image);

/** DROP_BAD if @releases could not be published: a file name would be used for other content, or too large. */
int image_check(const struct image *image, const struct releases *releases, struct err *err);

/** All of it was published before; nothing was signed. */
#define IMAGE_SAME 2

/**
 * Publishes @releases beside all that is offered already. The hardware ids of a release that was published
 * before are joined. @version: of the targets.json that has them.
 *
 * Returns 0; IMAGE_SAME; DROP_BAD with words; or -errno, when the old set stands and the call may be repeated.
 */
int image_publish(struct image *image, const struct releases *releases, int *version, struct err *err);

/** Nothing had to be renewed. */
#define IMAGE_FRESH 1

/**
 * Publishes the same targets anew when nothing was published yet, when a document has less than half of its
 * lifetime left, or when there is a newer root. Returns 0, IMAGE_FRESH, or -errno.
 */
int image_renew(struct image *image, struct err *err);

/**
 * Adds @release to the "targets" object @targets. Returns 0; IMAGE_SAME if it was there; or DROP_BAD. Apart
 * from image_publish() only tests call it.
 */
int image_add(json_t *targets, const struct release *release, const char *now, struct err *err);

#endif
