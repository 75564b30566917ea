/** The folders that the views are mounted on, and where the www view's links lead. */
#ifndef OTAFS_MOUNT_H
#define OTAFS_MOUNT_H

#include "lib/config.h"
#include "lib/err.h"

/**
 * Makes folder @path ready to be mounted on: takes away the dead mount that a killed predecessor left (-EBUSY
 * for one that is live and stays so for half a second) and leaves the bare folder to root alone, so that a web
 * server without its mount answers 403 and not 404.
 */
int mount_point_prepare(const char *path, struct err *err);

/** Unmounts, also when files are still open. */
void mount_point_release(const char *path);

/** Beside the www view, and so behind the folder that keeps others from it. */
#define MOUNT_SHELF_SUFFIX ".repository"
#define MOUNT_SHELF_SIZE (CONFIG_VALUE_MAX + sizeof(MOUNT_SHELF_SUFFIX))

/** Where mount_shelf() shows the repository of @config. */
void mount_shelf_name(const struct config *config, char path[static MOUNT_SHELF_SIZE]);

/**
 * Shows the repository there as well, read-only and without following a link in it, whoever made it: web
 * servers may read more than ota-watcher, and follow the links of the www view. What a killed predecessor left
 * is replaced. Not with a kernel before 5.14, or where it is forbidden: -errno with words.
 */
int mount_shelf(const struct config *config, struct err *err);
void mount_shelf_release(const struct config *config);

#endif
