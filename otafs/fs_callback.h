/**
 * What the callbacks of the two mounts share. fs_lookup.c has the callbacks that are the same in both views,
 * fs_www.c and fs_full.c those of one view and its table, and fs.c mounts the tables. No other file knows
 * libfuse, so no other includes this one.
 *
 * A callback finds a node, which takes the core's lock, acts, releases the lock by fs_done(), and answers last:
 * when the answer is out the kernel has forgotten what changed.
 */
#ifndef OTAFS_FS_CALLBACK_H
#define OTAFS_FS_CALLBACK_H

#define FUSE_USE_VERSION 312

#include <fuse_lowlevel.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "otafs/batch.h"
#include "otafs/core.h"
#include "otafs/handle.h"
#include "otafs/inode.h"
#include "otafs/documents.h"
#include "otafs/node.h"

struct mount {
	struct fs *fs;
	enum view view;
	struct fuse_session *session;
	struct inodes inodes;
};

struct fs {
	struct core *core;
	struct documents *documents; /* of the www view */
	atomic_uint told;            /* the generation that the kernel knows of, or is ahead of */
	struct mount full, www;
	struct batch *transactions;
	/* For fs_catch_up(), a batch of its own: the kernel forgets a name only after all lookups in its folder
	 * are answered, so who makes it forget must not be who answers lookups. */
	struct batch *lookups;
	struct apart *apart;
};

/** A read of an open file or folder that is answered piece by piece. */
struct piece {
	fuse_req_t request;
	fuse_ino_t id;
	size_t size;
	off_t offset;
	struct handle *handle; /* lives until the read is answered */
};

/* ---- fs_www.c, fs_full.c */

extern const struct fuse_lowlevel_ops fs_www_operations, fs_full_operations;

/* ---- fs_callback.c: from libfuse's words to ours */

struct mount *fs_mount_of(fuse_req_t request);
struct inode *fs_inode_of(struct mount *mount, fuse_ino_t id);
fuse_ino_t fs_id_of(const struct mount *mount, const struct inode *inode);
struct handle *fs_handle_of(const struct fuse_file_info *info);

/** Counts a request: the first thing that each callback does. */
void fs_count(fuse_req_t request, enum operation operation);

/** Writes the path of @name in the folder @parent; -ENAMETOOLONG. */
int fs_join(const struct inode *parent, const char *name, char path[static NODE_PATH_MAX]);

/** Takes the core's lock and finds a node for the user who asks; whatever it returns, the caller releases the
 * lock by fs_done(). Before one that tells of all devices, what is noted of them is stored. */
int fs_find(fuse_req_t request, const char *path, struct node *node, struct err *err);

/** The same by its id, which the kernel knows from a lookup. */
int fs_find_id(fuse_req_t request, fuse_ino_t id, struct node *node, struct err *err);

/** The same of @name in the folder @parent. */
int fs_find_in(fuse_req_t request, fuse_ino_t parent, const char *name, struct node *node, struct err *err);

/** Releases the lock and makes the kernel forget what has changed: after this an answer may be sent. In the www
 * view the same as fs_done_lookup(): the kernel, which holds the folder that is looked up or listed until that
 * is answered, would wait for us, and we for the kernel. */
void fs_done(fuse_req_t request);

/** The same at the end of a lookup: what it has changed is forgotten later. */
void fs_done_lookup(fuse_req_t request);

/** Replies a failure: @r is a negative errno, of which the reason was told elsewhere. */
void fs_fail(fuse_req_t request, int r);

/** Replies up to @size of the @bytes of @data from @offset on. */
void fs_reply_from_memory(fuse_req_t request, const char *data, size_t bytes, size_t size, off_t offset);

/** Replies up to @size bytes of the file @fd from @offset on. */
void fs_reply_from_file(fuse_req_t request, int fd, size_t size, off_t offset);

/** Frees what an open file or folder has, and replies. */
void fs_close(fuse_req_t request, struct fuse_file_info *info);

/* ---- fs_commit.c */

/** Answers a read of a transaction, later if need be; the first one from the start hands it in. */
void fs_read_transaction(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset, struct handle *handle);

/** The same of a series into which one was written by lib/exchange.h, whose buffer has @size bytes. */
void fs_exchange(fuse_req_t request, fuse_ino_t id, size_t size, struct handle *handle);

/* ---- fs_apart.c */

int fs_apart_start(struct apart **out, struct err *err);
/** Calls @answer in another thread, with a copy of @piece, in its turn. */
void fs_apart(const struct piece *piece, void (*answer)(const struct piece *piece));

/* ---- fs_catch_up.c */

/** Answers a lookup of the www view after the device has had its part in all orders, and that is on disk. */
void fs_catch_up(fuse_req_t request, fuse_ino_t parent, const char *name);

/* ---- fs_version.c: names of the www view */

/** Its device has yet to have its part in an order: call fs_catch_up(). */
#define FS_BEHIND 2

/** Finds @name and counts a lookup of its inode; @entry is what to reply. Takes the core's lock. FS_BEHIND,
 * -ENOENT, -ENAMETOOLONG, or what generating its text gave, which it has logged. */
int fs_look_up_version(fuse_req_t request, fuse_ino_t parent, const char *name, struct fuse_entry_param *entry);

/** Replies what fs_look_up_version() came to. */
void fs_reply_version(
    fuse_req_t request, fuse_ino_t parent, const char *name, int r, const struct fuse_entry_param *entry);

/** What the kernel is told of that which is of a device; @bytes is the size of a text. */
void fs_describe_id(const struct core *core, const struct inode_id *id, size_t bytes, struct stat *st);

void fs_on_lookup_version(fuse_req_t request, fuse_ino_t parent, const char *name);

/* ---- fs_lookup.c: names of the full view, and what both views do with them */

/** Names and attributes of the www view are good until they are invalidated. */
#define FS_FOREVER 1e9

/** Finds @path of the full view and counts a lookup of its inode; @entry is what to reply. Takes the core's
 * lock. */
int fs_look_up(fuse_req_t request, const char *path, struct fuse_entry_param *entry);

/** Takes back lookups that the kernel has done with. */
void fs_forget_id(struct mount *mount, fuse_ino_t id, uint64_t lookups);

/** What strangers ask for is no trouble of ours: the rest is. */
void fs_log_lookup(const char *path, int r, const struct err *err);

/** Replies the attributes of an inode. */
void fs_reply_attributes(fuse_req_t request, fuse_ino_t id);

void fs_on_init(void *context, struct fuse_conn_info *connection);
void fs_on_lookup(fuse_req_t request, fuse_ino_t parent, const char *name);
void fs_on_forget(fuse_req_t request, fuse_ino_t id, uint64_t lookups);
void fs_on_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets);
void fs_on_getattr(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info);

/* ---- fs_piece.c: what is read and written piece by piece */

void fs_on_opendir(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info);
void fs_on_readdir(fuse_req_t request, fuse_ino_t id, size_t room, off_t offset, struct fuse_file_info *info);
void fs_on_releasedir(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info);

/** Replies a read of a stream, a log, or a text that grows. */
void
fs_read_piece(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset, const struct fuse_file_info *info);

/** Takes lines that were written; does not reply. */
int fs_take_lines(fuse_req_t request, fuse_ino_t id, struct handle *handle);

/** Refuses what is left of them at a close(); does not reply. */
int fs_close_lines(fuse_req_t request, fuse_ino_t id, struct handle *handle);

#endif
