/**
 * Moves drops between the folders of the spool.
 *
 * A drop may belong to anybody, root included, and renaming a folder to another parent takes write permission
 * on the folder itself. So the watcher's parent process stays root and does these renames on request, and
 * nothing else: a request names one of four moves and at most two names, the folders were opened at start.
 * Without root the moves are tried directly.
 */
#ifndef WATCHER_MOVER_H
#define WATCHER_MOVER_H

#include <sys/types.h>

#include "lib/config.h"
#include "lib/err.h"

/** Longest name in work/, done/ and failed/: NAME~99999.receipt.json still fits into 255 bytes. */
#define MOVER_NAME_MAX 200

struct mover {
	int spool, incoming, work, done, failed; /**< folders */
	int socket;                              /**< to the parent, or -1: this process moves */
};

/** Makes (as root: with the right owners) and opens the folders of the spool. */
int mover_open(const struct config *config, struct mover *mover, struct err *err);
void mover_done(struct mover *mover);

/** The parent's part: answers requests on @socket until the other end is closed. */
void mover_serve(struct mover *mover, int socket);

/**
 * The moves; 0 or -errno.
 * take:    incoming/FROM to work/TO, NAME.push.json with it. -EEXIST while an earlier drop TO is in work.
 * finish:  work/NAME with what is beside it to done/ (NAME.receipt.json) or failed/ (NAME.reason.txt). Older
 *          results of that name step aside as NAME~1, NAME~2 ... May be repeated after a crash at any point.
 * aside:   older results NAME in done/ and failed/ become NAME~1, NAME~2 ..., so that none is taken for a new
 * one's. restore: a NAME.push.json in work/ whose drop was never taken goes back to incoming/.
 */
int mover_take(struct mover *mover, const char *from, const char *to, struct err *err);
int mover_finish(struct mover *mover, const char *name, int is_done, struct err *err);
int mover_aside(struct mover *mover, const char *name, struct err *err);
int mover_restore(struct mover *mover, const char *name, struct err *err);

/** Whether @name may be used in work/, done/ and failed/; -EINVAL with words. */
int mover_check_name(const char *name, struct err *err);

#endif
