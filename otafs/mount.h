/** The folders that the views are mounted on. */
#ifndef OTAFS_MOUNT_H
#define OTAFS_MOUNT_H

#include "lib/err.h"

/**
 * Makes folder @path ready to be mounted on: takes away the dead mount that a killed predecessor left (-EBUSY
 * for one that is live and stays so for half a second) and leaves the bare folder to root alone, so that a web
 * server without its mount answers 403 and not 404.
 */
int mount_point_prepare(const char *path, struct err *err);

/** Unmounts, also when files are still open. */
void mount_point_release(const char *path);

#endif
