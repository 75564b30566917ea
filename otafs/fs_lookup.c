#include "otafs/fs_callback.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/log.h"

/** Names and attributes of the www view are good until they are invalidated. */
#define FOREVER 1e9
/** 2001-09-09T01:46:40Z: where the mtimes of versions are counted from, so that none lies in the future. */
#define MTIME_BASE 1000000000

static void
forget_inode(struct mount *mount, fuse_ino_t id, uint64_t lookups)
{
	inodes_forget(&mount->inodes, fs_inode_of(mount, id), lookups);
}

/* In the www view all is readable and nothing writable, and mtimes step by a second with each version (ETags).
 */
static void
adjust(const struct mount *mount, const struct node *node, int64_t tag, struct stat *st)
{
	if (mount->view != VIEW_WWW)
		return;
	st->st_mode = (st->st_mode & S_IFMT) | (S_ISDIR(st->st_mode) ? 0555 : 0444);
	if (node_kind(node) != NODE_FOLDER && strncmp(node->path, "treehub/", 8))
		st->st_mtim = (struct timespec){ .tv_sec = MTIME_BASE + tag };
}

/* Makes the inode of a node that was found; called with the core's lock held. Only the www view keeps the
 * content. */
static struct inode *
make_inode(struct mount *mount, const struct node *node, int64_t tag, struct err *err)
{
	AUTO(free_p) char *content = NULL;
	struct inode *inode;
	struct stat st;

	/* Under an open file of the www view nothing may change: what is replaced on disk is kept as it was
	 * found. */
	if ((mount->view == VIEW_WWW ? node_take(node, &st, &content, err)
				     : node_stat(node, &st, &content, err)) < 0)
		return NULL;
	adjust(mount, node, tag, &st);
	inode = inode_new(mount->view == VIEW_WWW ? node_inode(node) : node->asked, tag, &st,
	    mount->view == VIEW_WWW ? content : NULL);
	if (!inode)
		err_set(err, ENOMEM, "no memory for an inode");
	else if (inode->content)
		content = NULL;
	return inode;
}

/* Finds or makes the inode of a node and counts a lookup of it; called with the core's lock held. */
static struct inode *
enter(struct mount *mount, const struct node *node, struct fuse_entry_param *entry, struct err *err)
{
	bool is_www = mount->view == VIEW_WWW;
	int64_t tag = is_www ? node_tag(node) : 0;
	struct inode *inode = is_www ? inodes_find(&mount->inodes, node_inode(node), tag, 1) : NULL, *made;

	if (inode)
		return inode;
	made = make_inode(mount, node, tag, err);
	/* The full view's attributes are of this moment, whatever inode stands for the path. */
	if (made)
		entry->attr = made->st;
	return made ? inodes_enter(&mount->inodes, made) : NULL;
}

int
fs_look_up(fuse_req_t request, const char *path, struct fuse_entry_param *entry)
{
	struct mount *mount = fs_mount_of(request);
	bool is_www = mount->view == VIEW_WWW;
	struct inode *inode = NULL;
	struct err err = { 0 };
	struct node node;
	int r;

	r = fs_find(request, path, &node, &err);
	if (r == 0 && node.is_behind) {
		r = FS_NOTED;
	} else if (r == 0) {
		bool is_noted = node_is_noted(&node);
		int roots = mount->fs->core->roots.count;

		inode = enter(mount, &node, entry, &err);
		/* The director's root is another since a moment ago: its documents have the next version. */
		if (!inode && mount->fs->core->roots.count != roots)
			inode = enter(mount, &node, entry, &err);
		r = inode ? 0 : err.code ? -err.code : -ENOMEM;
		entry->entry_timeout = is_www && node_is_announced(&node) ? FOREVER : 0;
		/* What cannot be made is not served, and so is nothing to be noted. */
		if (inode && is_noted) {
			forget_inode(mount, fs_id_of(mount, inode), 1);
			r = FS_NOTED;
		}
	}
	fs_done_lookup(request);
	/* What strangers ask for is no trouble of ours. */
	if (r < 0 && r != -ENOENT && r != -ENAMETOOLONG && r != -EACCES)
		log_line(LOG_ERR, "lookup failed path=%s reason=\"%s\"", node.path, err.text);
	if (r != 0)
		return r;
	entry->ino = fs_id_of(mount, inode);
	if (is_www)
		entry->attr = inode->st;
	entry->attr_timeout = is_www ? FOREVER : 0;
	return 0;
}

void
fs_reply_look_up(fuse_req_t request, const char *path, int r, const struct fuse_entry_param *entry)
{
	if (r == FS_NOTED)
		fs_note(request, path);
	else if (r < 0)
		fs_fail(request, r);
	else if (fuse_reply_entry(request, entry) == -ENOENT)
		forget_inode(fs_mount_of(request), entry->ino, 1); /* interrupted: the kernel did not take it */
}

/* ---- callbacks of both views: names */

void
fs_on_init(void *context, struct fuse_conn_info *connection)
{
	struct mount *mount = context;

	/* Writes of a transaction come in pieces of this size at most. */
	connection->max_write = 1024 * 1024;
	if (mount->view == VIEW_WWW)
		connection->want |= connection->capable & FUSE_CAP_CACHE_SYMLINKS;
	if (mount->view == VIEW_WWW && !(connection->capable & FUSE_CAP_NO_OPEN_SUPPORT))
		log_line(LOG_WARNING, "the kernel sends an open for every read: expect less speed");
}

void
fs_on_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = { 0 };
	char path[NODE_PATH_MAX];
	int r = fs_join(fs_inode_of(fs_mount_of(request), parent), name, path);

	if (r == 0)
		r = fs_look_up(request, path, &entry);
	fs_reply_look_up(request, path, r, &entry);
}

void
fs_on_forget(fuse_req_t request, fuse_ino_t id, uint64_t lookups)
{
	forget_inode(fs_mount_of(request), id, lookups);
	fuse_reply_none(request);
}

void
fs_on_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		forget_inode(fs_mount_of(request), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(request);
}

void
fs_on_getattr(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	struct mount *mount = fs_mount_of(request);
	struct inode *inode = fs_inode_of(mount, id), *fresh = NULL;
	struct err err = { 0 };
	struct node node;
	int r;

	(void)info;
	if (mount->view == VIEW_WWW && inode != &mount->inodes.top) {
		fuse_reply_attr(request, &inode->st, FOREVER);
		return;
	}
	r = fs_find(request, inode->path, &node, &err);
	if (r == 0)
		fresh = make_inode(mount, &node, 0, &err);
	if (r == 0 && !fresh)
		r = -err.code;
	fs_done(request);
	if (r < 0) {
		fs_fail(request, r);
		return;
	}
	fuse_reply_attr(request, &fresh->st, mount->view == VIEW_WWW ? FOREVER : 0);
	inode_free(fresh);
}
