#include "otafs/fs_callback.h"

#include <errno.h>

static void
on_open(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	struct handle *handle;
	struct err err = { 0 };
	struct node node;
	int r;

	r = fs_find(request, fs_inode_of(fs_mount_of(request), id)->path, &node, &err);
	if (r == 0)
		r = handle_open(&node, info->flags, &handle, &err);
	fs_done(request);
	if (r < 0) {
		fs_fail(request, r);
		return;
	}
	/* A text is what it was at open, of whatever size; only files on disk may be cached. */
	info->direct_io = node_kind(&node) != NODE_FILE;
	info->fh = (uint64_t)(uintptr_t)handle;
	fuse_reply_open(request, info);
}

static void
on_release(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	(void)id;
	fs_close(request, info);
}

static void
on_read(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *info)
{
	struct handle *handle = fs_handle_of(info);

	if (handle->fd >= 0)
		fs_reply_from_file(request, handle->fd, size, offset);
	else if (handle->is_transaction && !handle_is_answered(handle))
		fs_read_transaction(request, id, size, offset, handle);
	else
		fs_reply_from_memory(request, handle->data ? handle->data : "", handle->bytes, size, offset);
}

static void
on_write(
    fuse_req_t request, fuse_ino_t id, const char *data, size_t size, off_t offset, struct fuse_file_info *info)
{
	struct handle *handle = fs_handle_of(info);
	struct err err = { 0 };
	struct node node;
	int r;

	r = fs_find(request, fs_inode_of(fs_mount_of(request), id)->path, &node, &err);
	if (r == 0)
		r = handle_write(handle, &node, data, size, offset, &err);
	fs_done(request);
	if (r < 0)
		fs_fail(request, r);
	else
		fuse_reply_write(request, size);
}

/* Shells truncate before they write; nothing else can be set. */
static void
on_setattr(fuse_req_t request, fuse_ino_t id, struct stat *st, int what, struct fuse_file_info *info)
{
	struct err err;
	struct node node;
	int r;

	r = fs_find(request, fs_inode_of(fs_mount_of(request), id)->path, &node, &err);
	fs_done(request);
	if (r == 0 && (what != FUSE_SET_ATTR_SIZE || st->st_size != 0 ||
			  (node_kind(&node) != NODE_CONTROL && node_kind(&node) != NODE_TRANSACTION)))
		r = -EPERM;
	if (r < 0)
		fs_fail(request, r);
	else
		fs_on_getattr(request, id, info);
}

static void
on_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct fuse_entry_param entry = { 0 };
	char path[NODE_PATH_MAX];
	struct err err = { 0 };
	struct node node;
	int r;

	(void)mode;
	r = fs_find(request, fs_inode_of(fs_mount_of(request), parent)->path, &node, &err);
	if (r == 0)
		r = node_make(&node, name, &err);
	fs_done(request);
	if (r == 0)
		r = fs_join(fs_inode_of(fs_mount_of(request), parent), name, path);
	if (r == 0)
		r = fs_look_up(request, path, &entry);
	if (r < 0)
		fs_fail(request, r);
	else
		fuse_reply_entry(request, &entry);
}

static void
on_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	char path[NODE_PATH_MAX];
	struct err err = { 0 };
	struct node node;
	int r = fs_join(fs_inode_of(fs_mount_of(request), parent), name, path);

	if (r < 0) {
		fs_fail(request, r);
		return;
	}
	r = fs_find(request, path, &node, &err);
	if (r == 0)
		r = node_remove(&node, &err);
	fs_done(request);
	fuse_reply_err(request, r < 0 ? -r : 0);
}

static void
on_unlink(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	char path[NODE_PATH_MAX];
	struct err err = { 0 };
	struct node node;
	int r = fs_join(fs_inode_of(fs_mount_of(request), parent), name, path);

	if (r < 0) {
		fs_fail(request, r);
		return;
	}
	r = fs_find(request, path, &node, &err);
	if (r == 0)
		r = node_unlink(&node);
	fs_done(request);
	fuse_reply_err(request, -r);
}

/* What a tree of generated files has no use for; the kernel's own word for a missing handler sounds like a
 * broken mount. */
static void
on_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	(void)parent, (void)name, (void)mode, (void)device;
	fuse_reply_err(request, EPERM);
}

static void
on_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *info)
{
	(void)parent, (void)name, (void)mode, (void)info;
	fuse_reply_err(request, EPERM);
}

static void
on_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name)
{
	(void)target, (void)parent, (void)name;
	fuse_reply_err(request, EPERM);
}

static void
on_rename(
    fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t to, const char *as, unsigned flags)
{
	(void)parent, (void)name, (void)to, (void)as, (void)flags;
	fuse_reply_err(request, EPERM);
}

static void
on_link(fuse_req_t request, fuse_ino_t id, fuse_ino_t to, const char *as)
{
	(void)id, (void)to, (void)as;
	fuse_reply_err(request, EPERM);
}

/* Data is durable or refused when write or read has answered: there is nothing left to wait for. */
static void
on_fsync(fuse_req_t request, fuse_ino_t id, int is_data_only, struct fuse_file_info *info)
{
	(void)id, (void)is_data_only, (void)info;
	fuse_reply_err(request, 0);
}

const struct fuse_lowlevel_ops fs_full_operations = {
	.init = fs_on_init,
	.lookup = fs_on_lookup,
	.forget = fs_on_forget,
	.forget_multi = fs_on_forget_multi,
	.getattr = fs_on_getattr,
	.setattr = on_setattr,
	.open = on_open,
	.read = on_read,
	.write = on_write,
	.release = on_release,
	.fsync = on_fsync,
	.opendir = fs_on_opendir,
	.readdir = fs_on_readdir,
	.releasedir = fs_on_releasedir,
	.mkdir = on_mkdir,
	.rmdir = on_rmdir,
	.unlink = on_unlink,
	.mknod = on_mknod,
	.create = on_create,
	.symlink = on_symlink,
	.rename = on_rename,
	.link = on_link,
};
