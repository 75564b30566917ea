/**
 * The table of every path of both views, in areas: tree_AREA.c has the rows of one. A new capability is a row
 * there, a module beside assign, its statements in state.
 */
#ifndef OTAFS_TREE_H
#define OTAFS_TREE_H

#include <stdio.h>
#include <sys/types.h>

#include "otafs/node.h"
#include "otafs/reply.h"

/** What has to exist for a path to exist; args are the variable parts in order. */
enum needs {
	NEEDS_NOTHING = 0,
	NEEDS_DEVICE = 1,      /**< args[0] is a device */
	NEEDS_CERTIFICATE = 2, /**< beside NEEDS_DEVICE: args[1] is a certificate of it */
	NEEDS_PACKAGE = 4,     /**< args[0] is a package */
	NEEDS_TARGET = 8,      /**< args[0], args[1] are package and version */
};

/** Who besides otafs. What is for ota-gate, and as/ itself, is not there below as/WHO/. */
enum tree_group { GROUP_ADMIN, GROUP_GATE, GROUP_WEB };

enum row_flags {
	ROW_ASKED = 1, /**< www view: the kernel asks at each use, unless the node is fixed */
	ROW_SHOWN = 4, /**< shows what its folder stands for: unlink means nothing, and is no error for rm -r */
	ROW_GROWS = 8, /**< a text that only grows: a read at its end looks again, so that tail -f works */
	ROW_APART = 16, /**< page and stream are called without the core's lock, and take it for moments */
	ROW_KEYS = 32,  /**< through as/, to write there needs the role "keys"; without it, "operate" */
	ROW_OWN = 64,   /**< through as/, is for everybody who gets in: the row looks at who it is */
	ROW_SERIES =
	    128, /**< a transaction after another in one open file: ota-gate's, that need no new open each */
	ROW_ALL = 256, /**< full view: tells of all devices, so what is only noted of them is stored before */
};

struct row {
	const char *pattern; /* "*" stands for one part of a path, a final "**" for the rest of it */
	unsigned views;
	enum node_kind kind;
	mode_t mode; /* permissions in the full view; in the www view all may read */
	enum tree_group group;
	unsigned needs;
	unsigned flags;
	int (*settle)(struct node *node, struct err *err); /* decides what the name stands for in this lookup */
	int (*exists)(const struct node *node, struct err *err);
	int (*list)(const struct node *node, node_list_fn each, void *context, struct err *err);
	int (*print)(const struct node *node, FILE *out, struct err *err);
	/* NODE_TEXT of the www view: gather() notes with the core's lock what the text is made from, build()
	 * makes it without, and may say NODE_CHANGED; discard() frees the notes. NULL for what is printed. */
	int (*gather)(const struct node *node, void **source, struct err *err);
	int (*build)(struct core *core, void *source, char **content, size_t *bytes, struct err *err);
	void (*discard)(void *source);
	int (*open)(const struct node *node, struct err *err);
	int64_t (*tag)(const struct node *node);
	enum inode_kind inode; /* www view: what of a device it is; not of a node that is shared */
	int (*write)(const struct node *node, const char *text, struct err *err);
	int (*commit)(
	    const struct node *node, const char *body, size_t bytes, struct reply *reply, struct err *err);
	size_t room;
	int (*make)(const struct node *node, const char *name, struct err *err);
	int (*remove)(const struct node *node, struct err *err);

	/* Large folders, instead of list: gives some names after @cursor ("" at first) in order, and moves it
	 * to the last. 1: there may be more, 0: that was all. Each call is short. */
	int (*page)(const struct node *node, char cursor[static NODE_CURSOR_MAX], node_list_fn each,
	    void *context, struct err *err);
	/* NODE_STREAM and NODE_LINES: prints the next piece, the same way. */
	int (*stream)(const struct node *node, char cursor[static NODE_CURSOR_MAX], FILE *out, struct err *err);
	/* NODE_LINES: @lines are whole lines but the first of the file, which is @header; the first of them is
	 * number @first. A refusal names the line; what stands before it was taken. */
	int (*take)(
	    const struct node *node, const char *header, const char *lines, int64_t first, struct err *err);
	/* NODE_LOG: how large it is, and up to @room bytes from @offset; returns how many, or -errno. */
	int64_t (*size)(const struct node *node, struct err *err);
	ssize_t (*read_at)(const struct node *node, int64_t offset, char *out, size_t room, struct err *err);
	/* NODE_LINK: what it points to. */
	int (*link)(const struct node *node, char *out, size_t room, struct err *err);
	/* Of a folder: symlink(2) of @name that points to @target. Of anything: unlink(2), rename(2) within its
	 * folder. */
	int (*make_link)(const struct node *node, const char *name, const char *target, struct err *err);
	int (*unlink)(const struct node *node, struct err *err);
	int (*rename)(const struct node *node, const char *name, struct err *err);

	/* NODE_TRANSACTION: what prepare needs to know of the core, with the lock, which is had once for this
	 * and for finding the node. */
	int (*look)(const struct node *node, void **work, struct err *err);
	/* What can be done before commit and without the core's lock, taking it for moments: parsing,
	 * signatures. *@work, which look() may have set, goes to commit in the node, and to finish afterwards.
	 * 1: @reply is the answer already. */
	int (*prepare)(const struct node *node, const char *body, size_t bytes, void **work,
	    struct reply *reply, struct err *err);
	void (*finish)(void *work);
};

/** The rows of one area. */
struct table {
	const struct row *rows;
	size_t count;
};

/** The areas; of all their rows in this order, the first that matches counts. */
extern const struct table *const tree_tables[];
extern const size_t tree_table_count;

#endif
