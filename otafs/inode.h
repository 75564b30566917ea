/**
 * What the kernel knows of one mount: a table of inodes by path and tag, each with the number of lookups that
 * the kernel has yet to forget. A node id is an inode's address, with the number of the process above it, so it
 * lives as long as the kernel may name it; ids of the processes before are found in the relay (relay.h).
 * In the www view only what all devices share is here; the rest has ids that need no table (inode_id.h).
 */
#ifndef OTAFS_INODE_H
#define OTAFS_INODE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "otafs/relay.h"

/** Of the mount's root, as the kernel has it. */
#define INODE_TOP_ID 1

struct inode {
	char *path;
	int64_t tag; /**< www view: the version of the content; full view: 0 */
	uint64_t lookups;
	uint64_t inherited; /**< the id that a process before gave it; 0: it is of this one */
	struct stat st;
	char *content; /**< www view: its st.st_size bytes; NULL: dropped */
};

struct inodes {
	pthread_mutex_t lock; /* taken inside the core's lock, never around it */
	void *tree;           /* tsearch(3), by path and tag */
	void *inherited;      /* by id; these are never forgotten */
	struct relay *relay;
	struct inode top; /* the mount's root, never forgotten */
};

/** @relay: where ids are noted, borrowed. */
void inodes_init(struct inodes *inodes, struct relay *relay);

/** The id by which the kernel is told of @inode. */
uint64_t inodes_id(const struct inodes *inodes, const struct inode *inode);

/** What the kernel means by @id; NULL: a process before has given it, and it is not known any more. */
struct inode *inodes_of(struct inodes *inodes, uint64_t id);

/** st_ino of what has an inode here: the same after a restart, another one for another version. */
ino_t inode_number(const char *path, int64_t tag);

/** A new inode that owns @content (which may be NULL); NULL when there is no memory, then @content is still the
 * caller's. */
struct inode *inode_new(const char *path, int64_t tag, const struct stat *st, char *content);
void inode_free(struct inode *inode);

/** Finds the inode and counts @lookups more; NULL when the kernel does not know it. The top is path "". */
struct inode *inodes_find(struct inodes *inodes, const char *path, int64_t tag, uint64_t lookups);

/** Enters @inode with one lookup; or frees it, and counts the lookup for the one another thread entered first.
 * NULL: no memory, @inode is freed. */
struct inode *inodes_enter(struct inodes *inodes, struct inode *inode);

/** Takes @lookups of @id back; the last one frees the inode. */
void inodes_forget(struct inodes *inodes, uint64_t id, uint64_t lookups);

/** Copies up to @room bytes of the content from @offset on. -ENODATA: the inode has none, or none any more. */
ssize_t inodes_read(struct inodes *inodes, const struct inode *inode, char *out, size_t room, off_t offset);

/** Frees the contents of the inodes below the path @folder (with a slash at its end) whose tag is lower than
 * @tag: what nobody finds any more. */
void inodes_drop(struct inodes *inodes, const char *folder, int64_t tag);

#endif
