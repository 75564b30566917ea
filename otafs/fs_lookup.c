#include "otafs/fs_callback.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/log.h"

void
fs_forget_id(struct mount *mount, fuse_ino_t id, uint64_t lookups)
{
	struct inode_id read;

	/* Of what is of a device we remember nothing. */
	if (mount->view == VIEW_FULL || !inode_id_read(id, &read))
		inodes_forget(&mount->inodes, id, lookups);
}

void
fs_log_lookup(const char *path, int r, const struct err *err)
{
	if (r < 0 && r != -ENOENT && r != -ENAMETOOLONG && r != -EACCES)
		log_line(LOG_ERR, "lookup failed path=%s reason=\"%s\"", path, err->text);
}

/* ---- the full view: attributes are of this moment, whatever inode stands for the path */

/* Makes the inode of a node that was found; called with the core's lock held. */
static struct inode *
make_inode(const struct node *node, struct err *err)
{
	AUTO(free_p) char *content = NULL;
	struct inode *inode;
	struct stat st;

	if (node_stat(node, &st, &content, err) < 0)
		return NULL;
	inode = inode_new(node->asked, 0, &st, NULL);
	if (!inode)
		err_set(err, ENOMEM, "no memory for an inode");
	return inode;
}

static int
look_up(fuse_req_t request, const char *path, struct fuse_entry_param *entry, struct err *err)
{
	struct mount *mount = fs_mount_of(request);
	struct inode *inode = NULL;
	struct node node;
	int r = fs_find(request, path, &node, err);

	/* What is handed in has that with its commit. */
	if (r == 0 && node.is_behind && node_kind(&node) != NODE_TRANSACTION)
		r = node_catch_up(&node, err);
	if (r == 0 && !(inode = make_inode(&node, err)))
		r = -err->code;
	fs_done_lookup(request);
	if (r < 0)
		return r;
	entry->attr = inode->st;
	inode = inodes_enter(&mount->inodes, inode);
	if (!inode)
		return err_set(err, ENOMEM, "no memory for an inode");
	entry->ino = inodes_id(&mount->inodes, inode);
	return 0;
}

int
fs_look_up(fuse_req_t request, const char *path, struct fuse_entry_param *entry)
{
	struct err err = { 0 };
	int r = look_up(request, path, entry, &err);

	fs_log_lookup(path, r, &err);
	return r;
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
	struct mount *mount = fs_mount_of(request);
	struct fuse_entry_param entry = { 0 };
	char path[NODE_PATH_MAX];
	int r = fs_join(mount, parent, name, path);

	fs_count(request, OPERATION_LOOKUP);
	if (r == 0)
		r = fs_look_up(request, path, &entry);
	if (r < 0)
		fs_fail(request, r);
	else if (fuse_reply_entry(request, &entry) == -ENOENT) /* which has freed the request */
		fs_forget_id(mount, entry.ino, 1);             /* interrupted: the kernel did not take it */
}

void
fs_on_forget(fuse_req_t request, fuse_ino_t id, uint64_t lookups)
{
	fs_count(request, OPERATION_FORGET);
	fs_forget_id(fs_mount_of(request), id, lookups);
	fuse_reply_none(request);
}

void
fs_on_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets)
{
	fs_count(request, OPERATION_FORGET);
	for (size_t i = 0; i < count; i++)
		fs_forget_id(fs_mount_of(request), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(request);
}

void
fs_reply_attributes(fuse_req_t request, fuse_ino_t id)
{
	AUTO(free_p) char *content = NULL;
	struct err err = { 0 };
	struct node node;
	struct stat st;
	int r;

	r = fs_find_id(request, id, &node, &err);
	if (r == 0 && (r = node_stat(&node, &st, &content, &err)) == 0)
		st.st_ino = inode_number(node.asked, 0);
	fs_done(request);
	if (r < 0)
		fs_fail(request, r);
	else
		fuse_reply_attr(request, &st, fs_mount_of(request)->view == VIEW_WWW ? FS_FOREVER : 0);
}

void
fs_on_getattr(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	(void)info;
	fs_count(request, OPERATION_GETATTR);
	fs_reply_attributes(request, id);
}
