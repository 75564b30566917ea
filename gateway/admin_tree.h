/**
 * What an administrator does in the tree, through his folder as/WHO/ of the mount.
 *
 * A path has no part that is ".." and no slash at its start. Symbolic links are followed, on the mount. Each
 * function returns 0 or a negative errno; why otafs refused it admin_tree_why() tells.
 */
#ifndef GATEWAY_ADMIN_TREE_H
#define GATEWAY_ADMIN_TREE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/err.h"

/** Longest write that is handed on in one piece; a command is far shorter. */
#define ADMIN_PIECE_BYTES (1024 * 1024)
/** Longest target of a symbolic link. */
#define ADMIN_LINK_MAX 1023
/** A transaction's reply. */
#define ADMIN_REPLY_MAX (128 * 1024)

/** The tree is not mounted, or its daemon is gone. */
#define ADMIN_NO_TREE 1

/** Opens as/@as/ below @mount. 0, ADMIN_NO_TREE, -EACCES: otafs does not let him in; or another -errno. */
int admin_tree_enter(const char *mount, const char *as, int *top);

/** Opens a file or folder for reading. */
int admin_tree_open(int top, const char *path, int *fd);

/** The body of a request: the bytes that are left of it, and where they come from. */
struct admin_body {
	int fd;
	uint64_t *left;
	int is_cut; /**< out: it ended before its length */
};

/**
 * Writes @body to a control file, in one write; line by line to a table; or hands it in to a transaction file
 * and sets @reply (to be freed) to its answer. A body that ends early is no command and is not handed in.
 */
int admin_tree_write(int top, const char *path, struct admin_body *body, char **reply, size_t *bytes);

/** unlink(2), or rmdir(2) of a folder. */
int admin_tree_remove(int top, const char *path);
int admin_tree_make_folder(int top, const char *path);
int admin_tree_make_link(int top, const char *path, const char *target);
/** Within a folder, to a name that is free. */
int admin_tree_rename(int top, const char *path, const char *as);

/** The words of the refusal of @path just now, or "". */
void admin_tree_why(int top, const char *path, char why[static ERR_TEXT_MAX]);

#endif
