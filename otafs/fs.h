/**
 * Translates libfuse callbacks into node calls, for two mounts: the full tree, with ordinary opens, and the www
 * view, read-only, in which every version of a file is an inode of its own that never changes. So the www view
 * answers open with ENOSYS and lets the kernel cache names, attributes and pages until a change invalidates the
 * name.
 */
#ifndef OTAFS_FS_H
#define OTAFS_FS_H

#include "otafs/core.h"

struct fs;
struct relay;

/**
 * Mounts both views of @config; needs root. A dead mount that a killed predecessor left is replaced, a live one
 * is -EBUSY. Nothing is served before fs_start(), by a child of the process that mounts: as long as that
 * process lives the mounts do, whoever serves them. @relay: what those know of one another, borrowed.
 */
int fs_mount(const struct config *config, struct relay *relay, struct fs **out, struct err *err);

/** The same of mounts that are there already, of which these are the descriptors (fs_descriptors()). */
int fs_adopt(const int fds[2], struct relay *relay, struct fs **out, struct err *err);

/** What another program needs to go on with the mounts. */
void fs_descriptors(const struct fs *fs, int fds[2]);

/**
 * Lets go whoever holds a folder of the www view while he waits for an answer: he is told that his path is
 * stale, and looks it up again from its beginning. For the parent, when a killed process does not end: one of
 * its threads makes the kernel forget a name and waits for the folder of that, where nothing can interrupt it,
 * and the process that would answer comes after. What else was asked is asked again of that one.
 */
void fs_let_go(struct fs *fs);

/** Unmounts what fs_mount() mounted. */
void fs_unmount(const struct config *config);

/**
 * Serves @core in threads of its own; goes on where the process before was killed, whose requests the kernel
 * sends again. When a mount ends from outside the process exits with 1.
 */
int fs_start(struct fs *fs, struct core *core, struct err *err);

/** Answers what was handed in, and refuses what still comes: to be called without the lock, before the core is
 * closed. */
void fs_end(struct fs *fs);

/** Makes the kernel forget the names that have changed; to be called after the lock was released, before
 * acknowledging. */
void fs_forget(struct fs *fs, struct changes *changes);

/** Frees what the www view has in memory of publications below @oldest, which no name stands for any more. */
void fs_drop(struct fs *fs, int64_t oldest);

#endif
