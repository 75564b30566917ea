/**
 * The parent of otafs: stays root, holds the mounts, and has a child that serves them. It reads nothing that
 * anybody sends.
 *
 * A child that is killed is followed by another one, which goes on where that one was: the kernel sends again
 * what was not answered, and who asks waits so long. A child that ends by itself ends the parent, and the
 * mounts. With SIGHUP the parent has the child end well and becomes the program that is installed by then,
 * which goes on in the same way.
 *
 * On a kernel before 6.9, which cannot send again, a killed child ends the parent too, and the mounts stay,
 * dead.
 */
#ifndef OTAFS_PARENT_H
#define OTAFS_PARENT_H

#include <stdbool.h>
#include <sys/types.h>

#include "lib/config.h"
#include "lib/err.h"
#include "otafs/fs.h"
#include "otafs/relay.h"

struct mounts {
	struct fs *fs;
	struct relay *relay;
	bool has_shelf; /**< links lead there (mount.h) */
};

/** One in a second may be killed for ever; of those that are killed faster so many, since a request that kills
 * is asked again of the next one. */
#define PARENT_KILLS_MAX 16

/** Notes the arguments of main(), and which file the program is, for SIGHUP. */
void parent_remember(char **argv);

/**
 * Mounts, and has child after child call @serve, until one ends, or SIGTERM or SIGINT tells it to; then
 * unmounts.
 * @prepare comes first, in the parent, before anything is mounted. @serve gets the process id of the parent,
 * and the end of a pipe which it hands to life_begin() (otafs/life.h). Returns the exit status, or -errno with
 * words.
 */
int parent_run(const struct config *config, int (*prepare)(const struct config *config, struct err *err),
    int (*serve)(
	const struct config *config, const struct mounts *mounts, pid_t parent, int life, struct err *err),
    struct err *err);

#endif
