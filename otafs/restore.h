/**
 * Coming back from a backup: devices have seen versions that the restored state does not know, so the fleet's
 * epoch jumps beyond all that can have been.
 */
#ifndef OTAFS_RESTORE_H
#define OTAFS_RESTORE_H

#include <stdint.h>

#include "lib/config.h"
#include "state/state.h"

/** Made beside the database by whoever put it back; what is in it does not matter. */
#define RESTORE_FILE "restored"

/** More than any device's counter and the epoch grow between a backup and its restoring; the epoch has room for
 * 20,000 of them. (STATE_EPOCH_MAX) */
#define RESTORE_JUMP 100000

/**
 * If the file is there: raises the epoch, then removes the file. Both are on disk when this returns. After a
 * crash in between the epoch is raised once more, which harms nobody.
 *
 * Returns 0, also without the file; -EOVERFLOW when the epoch has no room left; -errno. The file then stays.
 */
int restore_follow(const struct config *config, struct state *state, int64_t now, struct err *err);

#endif
