/**
 * Sets of published metadata: published/N holds one complete set, published/current is a symlink to the one
 * that counts. A set is complete and durable before the symlink is switched, by one rename, so a reader sees
 * the old set or the new one.
 */
#ifndef STORE_PUBLISH_H
#define STORE_PUBLISH_H

#include <stddef.h>

#include "lib/err.h"

/** A reader that opened a file of the set before last still finds the others. */
#define PUBLISH_KEEP 3
/** And so does a device that began with any set so many seconds ago, however many were published since ... */
#define PUBLISH_KEEP_SECONDS 600
/** ... up to this number of sets. */
#define PUBLISH_KEEP_MAX 64
/** "delegations/", 50 characters, ".json" and its 0, with some room. */
#define PUBLISH_NAME_SIZE 80

struct publish_file {
	char name[PUBLISH_NAME_SIZE];
	char *data; /**< NULL: as in the current set; a link to the same file */
	size_t bytes;
};

/** Opens @repository/published, and makes it if need be. */
int publish_open(const char *repository, int *dir, struct err *err);

/** Nothing was published yet. */
#define PUBLISH_NONE 1

/** Reads @name of the current set, at most @max bytes; the caller frees @out. 0, PUBLISH_NONE, or -errno. */
int publish_read(int dir, const char *name, size_t max, char **out, size_t *bytes, struct err *err);

/**
 * Publishes @files as set @number, which has to be above the current one's, and removes sets that no
 * device reads any more (PUBLISH_KEEP and the next two) as well as what a crash left. A name may lie in
 * "delegations/". On failure before the switch the current set stands; sets that
 * cannot be removed are no failure.
 */
int publish_write(int dir, int number, const struct publish_file *files, size_t count, struct err *err);

#endif
