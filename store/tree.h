/** Folder trees that somebody else may be changing: how one looks from outside, and how one is removed. */
#ifndef STORE_TREE_H
#define STORE_TREE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/err.h"

/** Deeper than any repository; what is below is not looked at and not removed. */
#define TREE_DEPTH_MAX 64

/** What a tree looks like; equal looks some seconds apart mean that nobody is copying into it. */
struct tree_look {
	uint64_t entries;
	uint64_t bytes;
	uint64_t disk_bytes; /**< blocks, as du counts; not part of the look */
	int64_t newest_ns;   /**< newest ctime, which a copier cannot set back as it can mtime */
	uint64_t mark;       /**< sum over inode numbers: an entry that is replaced shows */
};

/**
 * Looks at @name below @dir without following a symlink; anything but a folder is an entry by itself. What
 * cannot be read or vanishes meanwhile is left out. -errno only if @name itself is not there.
 */
int tree_scan(int dir, const char *name, struct tree_look *look, struct err *err);

/** Adds what @more saw to @look. */
void tree_add(struct tree_look *look, const struct tree_look *more);

bool tree_is_same(const struct tree_look *a, const struct tree_look *b);

/** Removes @name below @dir with all in it; a symlink is removed, not followed. What is not there is fine. */
int tree_remove(int dir, const char *name, struct err *err);

#endif
