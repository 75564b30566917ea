/**
 * The image repository as ota-watcher published it last: repository/published/current/.
 *
 * A publication is a folder that never changes; "current" points to the newest. What is loaded here stays what
 * it is until image_refresh() takes the next one, so all answers between two refreshes belong together.
 */
#ifndef OTAFS_IMAGE_H
#define OTAFS_IMAGE_H

#include <dirent.h>
#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/** Clients take 8 MiB of image targets, 64 KiB of anything else (aktualizr-wire 2.3). */
#define IMAGE_FILE_MAX (8 * 1024 * 1024)

/** There is no such target. */
#define IMAGE_NO_TARGET 1
/** A newer publication was loaded. */
#define IMAGE_CHANGED 2

struct image;

/** One image; everything is borrowed from the loaded publication. */
struct target {
	const char *file;    /**< name in targets.json */
	const char *package; /**< custom.name */
	const char *version; /**< custom.version */
	const char *sha256;
	const char *format;  /**< OSTREE or BINARY */
	const char *uri;     /**< NULL: from the repository itself */
	const char *comment; /**< NULL: none */
	int64_t length;      /**< bytes */
	int64_t created_at;
	const json_t *hardware; /**< array of hardware ids that it is for */
};

/** Opens the folder @repository; a repository in which nothing was published yet is an empty one. */
int image_open(const char *repository, struct image **out, struct err *err);
void image_free(struct image *image);

/** Loads the newest publication if it is not the loaded one. 0, IMAGE_CHANGED or -errno; on failure the old one
 * stays. */
int image_refresh(struct image *image, struct err *err);

/** The number of the loaded publication, 0 for none. */
int64_t image_number(const struct image *image);

/** All targets, ordered by package, then time, then version. */
const struct target *image_targets(const struct image *image, size_t *count);

/** Finds @package @version. 0 or IMAGE_NO_TARGET. */
int image_find(const struct image *image, const char *package, const char *version, const struct target **out);

/** Whether the target is for hardware @id. */
int target_fits(const struct target *target, const char *id);

/** Opens file @name of the loaded publication; -ENOENT. The caller closes the descriptor. */
int image_file(const struct image *image, const char *name, struct err *err);

/** Reads the folder of the loaded publication; NULL when there is none. The caller closes it. */
DIR *image_folder(const struct image *image);

/** A descriptor of repository/ostree, borrowed. */
int image_ostree(const struct image *image);

#endif
