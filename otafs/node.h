/**
 * One table of every path: what it is, who may see it, what reading, writing and committing it does.
 *
 * Nodes know nothing of FUSE. A node is found by its path in one of two views; what it holds is valid until the
 * core's lock is released.
 */
#ifndef OTAFS_NODE_H
#define OTAFS_NODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>

#include "otafs/access.h"
#include "otafs/core.h"

/** Longest path below a mount: a ref's name and treehub/refs/heads/ before it. */
#define NODE_PATH_MAX 1024
/** Longest cursor of a folder or stream that is read piece by piece: the last name or id that was given. */
#define NODE_CURSOR_MAX 512

/** devices/ID/certificates/SERIAL has two variable parts. */
#define NODE_ARGS_MAX 3

/** Where node_inode() puts the files of publications, SETS/N/NAME with N as tag. */
#define NODE_SETS "sets/"

/** Where ota-gate finds the files of devices: the paths of a series begin there (handle.h). */
#define NODE_GATE "gate/"

enum view {
	VIEW_FULL = 1, /**< for administrators, scripts and ota-gate */
	VIEW_WWW = 2,  /**< read-only, for web servers */
};

enum node_kind {
	NODE_FOLDER,
	NODE_TEXT,        /**< generated when it is read */
	NODE_FILE,        /**< stands on disk */
	NODE_CONTROL,     /**< one write is one command */
	NODE_TRANSACTION, /**< one open is one request */
	NODE_LINK,        /**< a symbolic link */
	NODE_STREAM,      /**< generated piece by piece while it is read: of any size */
	NODE_LOG,         /**< only grows; read from any offset, followed by tail -f */
	NODE_LINES,       /**< read like a stream; what is written is taken line by line */
};

struct reply;
struct row;

struct node {
	struct core *core;
	const struct row *row;
	struct access access;               /**< who asked, if it was through as/ */
	const char *args[NODE_ARGS_MAX];    /**< the variable parts of the path */
	char who[STATE_WHO_MAX];            /**< who acts, for the history: "uid 1000 (anna)", "anna (web)" */
	struct device device;               /**< below devices/ID */
	struct certificate_row certificate; /**< below a certificate */
	const struct target *target;        /**< below packages/NAME/VERSION; what a name in repo/targets/ is */
	int64_t set;                        /**< the publication that it is of */
	bool is_fixed;                      /**< its name will never stand for anything else */
	bool is_behind;                     /**< its device has yet to have its part in an order (order.h) */
	bool is_link;                       /**< what its row has as a folder is a link */
	void *work;                         /**< of a transaction: what node_prepare() has made */

	/* Long, and of each only what was written: what stands before is cleared for each node. */
	char path[NODE_PATH_MAX];   /**< below as/WHO/, if it was asked for there */
	char asked[NODE_PATH_MAX];  /**< the whole path */
	char parts[NODE_PATH_MAX];  /**< what @args points into, but for the rest of a path */
	char shared[NODE_PATH_MAX]; /**< www view: see node_inode() */
};

/** Finds @path (no leading slash, "" is the top) for the user @uid. 0, -ENOENT, or another -errno. */
int
node_find(struct core *core, enum view view, const char *path, uid_t uid, struct node *out, struct err *err);

/** Whether who asks may read the node, or write to it. Modes decide for users of the machine; this is about
 * as/. -EACCES; a refusal is remembered. */
int node_may_read(const struct node *node, struct err *err);
int node_may_write(const struct node *node, struct err *err);
/** The same of @path, which is to be made in the folder. */
int node_may_put(const struct node *folder, const char *path, struct err *err);

/**
 * What the node is, how large, how old. Of a text, @content is what was generated for that, of a link what it
 * points to; the caller frees it. For other kinds @content is NULL.
 */
int node_stat(const struct node *node, struct stat *st, char **content, struct err *err);

/** What the bytes of a node of the www view are made from, as of one moment. */
struct material {
	struct stat st; /**< all but the size is known at once */
	char *content;  /**< NULL: not made yet, or a folder */
	int fd;         /**< a file on disk that is to be read; -1: it is none */
	void *source;   /**< of the row: what gather() has noted */
};

/** What @material was made from is not so any more: find the node again. */
#define NODE_CHANGED 1

/**
 * A lookup of the www view in two steps. node_gather() decides with the core's lock which version it is, and
 * notes what that is made from; node_build() makes it without the lock, which may wait for the disk and the
 * signer, and take the lock for moments. Of @node it uses what is a copy.
 *
 * So what is built may be old by then. That is no matter: the kernel holds the folder for the time of the
 * lookup, so a change that was made meanwhile is not acknowledged before the lookup is answered, and then
 * forgotten.
 *
 * node_build(): 0, NODE_CHANGED, or -errno. After node_gather(), whatever it returned, call node_discard(); who
 * wants to keep the content sets it to NULL before.
 */
int node_gather(const struct node *node, struct material *out, struct err *err);
int node_build(const struct node *node, struct material *material, struct err *err);
void node_discard(const struct node *node, struct material *material);

/** The kind; NODE_FILE may be a folder on disk, node_stat() tells. */
enum node_kind node_kind(const struct node *node);

/** In the www view: two lookups with the same tag found the same bytes. */
int64_t node_tag(const struct node *node);

/** Whether the kernel is told (core_changed) when the name stands for something else; if not, it asks each
 * time. */
bool node_is_announced(const struct node *node);

/** In the www view: the path that together with the tag says which bytes these are. Names that several devices
 * have for the same bytes share it, and so one inode and one copy in memory. */
const char *node_inode(const struct node *node);

/** Of a node that is behind: lets its device have its part in all orders, to be read after that. */
int node_catch_up(struct node *node, struct err *err);

/** Opens a NODE_FILE for reading; the caller closes the descriptor. */
int node_open(const struct node *node, struct err *err);

/** Calls @each for every name in a folder; of one that is read piece by piece only for those that always stand
 * in it. @mode is S_IFDIR, S_IFREG or S_IFLNK. */
typedef int (*node_list_fn)(const char *name, mode_t mode, void *context);
int node_list(const struct node *node, enum view view, node_list_fn each, void *context, struct err *err);

/** One write to a NODE_CONTROL. A refusal is kept for the top's why, and for devices/ID/why of its device. */
int node_write(struct node *node, const char *text, size_t bytes, struct err *err);

/** Whether it tells of all devices, and so what is only noted of them is to be stored before (flight_flush()).
 */
bool node_is_of_all(const struct node *node);

/** Whether a NODE_TRANSACTION is one transaction after another (handle.h), and has no commit of its own. */
bool node_is_series(const struct node *node);

/** Most bytes of a NODE_TRANSACTION's body, or of one write to a NODE_CONTROL. */
size_t node_room(const struct node *node);

/**
 * A NODE_TRANSACTION: it is prepared without the core's lock, so that several are at once; then found again and
 * committed with it, within a transaction of the state; and answered after that is on disk.
 *
 * node_look(), with the lock of the first finding, and node_prepare() set @node->work, to be handed to the
 * commit in its own node, and to be released by node_finish() in the end, whatever they return. 1: @reply is
 * the answer already, and nothing is to be committed.
 */
int node_look(struct node *node, struct err *err);
int node_prepare(struct node *node, const char *body, size_t bytes, struct reply *reply, struct err *err);
int node_commit(struct node *node, const char *body, size_t bytes, struct reply *reply, struct err *err);
void node_finish(struct node *node);

/** What is answered after preparing and committing came to @r, with @reply or @err; and logged, when that is a
 * refusal. The caller frees @text, which starts with "Status: ". */
int
node_answer(const struct node *node, int r, struct reply *reply, char **text, size_t *bytes, struct err *err);

/** mkdir of @name in a folder, rmdir of a folder; a refusal is remembered. -EPERM where it means nothing. */
int node_make(struct node *folder, const char *name, struct err *err);
int node_remove(struct node *node, struct err *err);

/* ---- node_place.c: node ids of the www view */

/** In the www view: what of a device the node is, of which the version is @tag; INODE_NONE: node_inode() says
 * what it is. The generation of what is below a folder is that of the folder. */
void node_identify(const struct node *node, int64_t tag, struct inode_id *out);

/** Writes the path of what node_identify() said, or of @name in it ("": of itself). -ENOENT when its device or
 * certificate is gone, and of a document, which no folder leads to alone. */
int node_path_of(struct core *core, const struct inode_id *id, const char *name,
    char path[static NODE_PATH_MAX], struct err *err);

/* ---- node_kinds.c: folders, texts and links that are more than that */

/** Whether node_page() and node_stream() are called without the core's lock. */
bool node_is_apart(const struct node *node);

/** Whether a text only grows, so that a read at its end looks again. */
bool node_is_growing(const struct node *node);

/** Whether node_page() gives names beside those of node_list(). */
bool node_is_paged(const struct node *node);

/** The next names, or the next text, after @cursor, which is "" at first and moved on. 1: there may be more,
 * though this call gave none, 0: that was all. */
int node_page(const struct node *node, char cursor[static NODE_CURSOR_MAX], node_list_fn each, void *context,
    struct err *err);
int node_stream(const struct node *node, char cursor[static NODE_CURSOR_MAX], FILE *out, struct err *err);

/** Up to @room bytes of a NODE_LOG from @offset on: how many, or -errno. */
ssize_t node_read_at(const struct node *node, int64_t offset, char *out, size_t room, struct err *err);

/** What a NODE_LINK points to. */
int node_link(const struct node *node, char *out, size_t room, struct err *err);

/** Hands whole lines to a NODE_LINES, the first of which is number @first of the file. A refusal is remembered.
 */
int
node_take_lines(const struct node *node, const char *header, const char *lines, int64_t first, struct err *err);
/** Refuses line @number before it is handed over: returns -@code. */
int node_refuse_line(const struct node *node, int64_t number, int code, const char *why, struct err *err);

/** symlink of @name in a folder, unlink of a file or link, rename within its folder; a refusal is remembered.
 * -EPERM where it means nothing. What a folder merely shows of itself may be unlinked, without a change, so
 * that rm -r comes to its rmdir. */
int node_make_link(const struct node *folder, const char *name, const char *target, struct err *err);
int node_unlink(struct node *node, struct err *err);
int node_rename(const struct node *node, const char *name, struct err *err);

#endif
