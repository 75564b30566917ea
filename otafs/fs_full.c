#include "otafs/fs_callback.h"

#include <errno.h>

#include "lib/exchange.h"

static void
on_open(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	struct handle *handle;
	struct err err = { 0 };
	struct node node;
	int r;

	fs_count(request, OPERATION_OPEN);
	r = fs_find_id(request, id, &node, &err);
	if (r == 0)
		r = handle_open(&node, info->flags, &handle, &err);
	fs_done(request);
	if (r < 0) {
		fs_fail(request, r);
		return;
	}
	/* A text is what it was at open, of whatever size; only files on disk may be cached. */
	info->direct_io = node_kind(&node) != NODE_FILE;
	info->noflush = node_kind(&node) != NODE_LINES;
	info->fh = (uint64_t)(uintptr_t)handle;
	fuse_reply_open(request, info);
}

/* Of each close(), whose caller hears what it comes to; a release is nobody's. */
static void
on_flush(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	struct handle *handle = fs_handle_of(info);

	fs_count(request, OPERATION_FLUSH);
	fs_fail(request, handle->kind == NODE_LINES ? fs_close_lines(request, id, handle) : 0);
}

static void
on_release(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	(void)id;
	fs_count(request, OPERATION_RELEASE);
	fs_close(request, info);
}

static void
on_read(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *info)
{
	struct handle *handle = fs_handle_of(info);

	fs_count(request, OPERATION_READ);
	if (handle->fd >= 0)
		fs_reply_from_file(request, handle->fd, size, offset);
	else if (handle->is_transaction && (handle->is_series || !handle_is_answered(handle)))
		fs_read_transaction(request, id, size, offset, handle);
	else if (handle->is_growing || handle->kind == NODE_STREAM || handle->kind == NODE_LINES ||
		 handle->kind == NODE_LOG)
		fs_read_piece(request, id, size, offset, info);
	else
		fs_reply_from_memory(request, handle->data ? handle->data : "", handle->bytes, size, offset);
}

static int
write_lines(fuse_req_t request, fuse_ino_t id, struct handle *handle, const char *data, size_t size)
{
	int r;

	pthread_mutex_lock(&handle->lock);
	r = lines_add(&handle->lines, data, size);
	pthread_mutex_unlock(&handle->lock);
	return r < 0 ? r : fs_take_lines(request, id, handle);
}

static int
write_series(struct handle *handle, const char *data, size_t size, off_t offset)
{
	int r;

	pthread_mutex_lock(&handle->lock);
	r = handle_continue(handle, data, size, offset);
	pthread_mutex_unlock(&handle->lock);
	return r;
}

static int
write_whole(
    fuse_req_t request, fuse_ino_t id, struct handle *handle, const char *data, size_t size, off_t offset)
{
	struct err err = { 0 };
	struct node node;
	int r;

	pthread_mutex_lock(&handle->lock);
	r = fs_find_id(request, id, &node, &err);
	if (r == 0)
		r = handle_write(handle, &node, data, size, offset, &err);
	fs_done(request);
	pthread_mutex_unlock(&handle->lock);
	return r;
}

static void
on_write(
    fuse_req_t request, fuse_ino_t id, const char *data, size_t size, off_t offset, struct fuse_file_info *info)
{
	struct handle *handle = fs_handle_of(info);
	int r;

	fs_count(request, OPERATION_WRITE);
	r = handle->kind == NODE_LINES ? write_lines(request, id, handle, data, size)
	    : handle->is_series        ? write_series(handle, data, size, offset)
				       : write_whole(request, id, handle, data, size, offset);
	if (r < 0)
		fs_fail(request, r);
	else
		fuse_reply_write(request, size);
}

/* A series' write and read in one: see lib/exchange.h. */
static void
on_ioctl(fuse_req_t request, fuse_ino_t id, unsigned command, void *argument, struct fuse_file_info *info,
    unsigned flags, const void *data, size_t bytes, size_t room)
{
	struct handle *handle = fs_handle_of(info);
	int r = -ENOTTY;

	(void)argument, (void)flags;
	fs_count(request, OPERATION_IOCTL);
	if (handle->is_series && bytes > 0 && command == EXCHANGE(bytes))
		r = write_series(handle, data, bytes, 0);
	if (r < 0)
		fs_fail(request, r);
	else
		fs_exchange(request, id, room, handle);
}

static bool
is_written(const struct node *node)
{
	enum node_kind kind = node_kind(node);

	return kind == NODE_CONTROL || kind == NODE_TRANSACTION || kind == NODE_LINES;
}

/* Shells truncate before they write; nothing else can be set. */
static void
on_setattr(fuse_req_t request, fuse_ino_t id, struct stat *st, int what, struct fuse_file_info *info)
{
	struct err err;
	struct node node;
	int r;

	(void)info;
	fs_count(request, OPERATION_SETATTR);
	r = fs_find_id(request, id, &node, &err);
	fs_done(request);
	if (r == 0 && (what != FUSE_SET_ATTR_SIZE || st->st_size != 0 || !is_written(&node)))
		r = -EPERM;
	if (r < 0)
		fs_fail(request, r);
	else
		fs_reply_attributes(request, id);
}

/* What was made in a folder is answered as if it had been looked up. */
static void
reply_made(fuse_req_t request, fuse_ino_t parent, const char *name, int r)
{
	struct fuse_entry_param entry = { 0 };
	char path[NODE_PATH_MAX];

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
on_mkdir(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode)
{
	struct err err = { 0 };
	struct node node;
	int r;

	(void)mode;
	fs_count(request, OPERATION_MKDIR);
	r = fs_find_id(request, parent, &node, &err);
	if (r == 0)
		r = node_make(&node, name, &err);
	fs_done(request);
	reply_made(request, parent, name, r);
}

static void
on_symlink(fuse_req_t request, const char *target, fuse_ino_t parent, const char *name)
{
	struct err err = { 0 };
	struct node node;
	int r;

	fs_count(request, OPERATION_SYMLINK);
	r = fs_find_id(request, parent, &node, &err);
	if (r == 0)
		r = node_make_link(&node, name, target, &err);
	fs_done(request);
	reply_made(request, parent, name, r);
}

static void
on_readlink(fuse_req_t request, fuse_ino_t id)
{
	char target[NODE_PATH_MAX];
	struct err err = { 0 };
	struct node node;
	int r;

	fs_count(request, OPERATION_READLINK);
	r = fs_find_id(request, id, &node, &err);
	if (r == 0)
		r = node_kind(&node) == NODE_LINK ? node_link(&node, target, sizeof(target), &err) : -EINVAL;
	fs_done(request);
	if (r < 0)
		fs_fail(request, r);
	else
		fuse_reply_readlink(request, target);
}

/* Acts on @name in a folder. */
static void
change(fuse_req_t request, fuse_ino_t parent, const char *name, int (*act)(struct node *node, struct err *err))
{
	char path[NODE_PATH_MAX];
	struct err err = { 0 };
	struct node node;
	int r = fs_join(fs_inode_of(fs_mount_of(request), parent), name, path);

	if (r == 0) {
		r = fs_find(request, path, &node, &err);
		if (r == 0)
			r = act(&node, &err);
		fs_done(request);
	}
	fuse_reply_err(request, r < 0 ? -r : 0);
}

static void
on_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	fs_count(request, OPERATION_RMDIR);
	change(request, parent, name, node_remove);
}

static void
on_unlink(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	fs_count(request, OPERATION_UNLINK);
	change(request, parent, name, node_unlink);
}

static int
rename_node(fuse_req_t request, const char *path, const char *as)
{
	struct err err = { 0 };
	struct node node;
	int r;

	r = fs_find(request, path, &node, &err);
	if (r == 0)
		r = node_rename(&node, as, &err);
	fs_done(request);
	return r;
}

/* Not EXDEV between two folders: mv would go on to copy and remove. That there is something of the new name is
 * for the row to refuse. */
static void
on_rename(
    fuse_req_t request, fuse_ino_t parent, const char *name, fuse_ino_t to, const char *as, unsigned flags)
{
	char path[NODE_PATH_MAX];
	int r = flags & ~(unsigned)RENAME_NOREPLACE ? -EINVAL : parent != to ? -EPERM : 0;

	fs_count(request, OPERATION_RENAME);
	if (r == 0)
		r = fs_join(fs_inode_of(fs_mount_of(request), parent), name, path);
	if (r == 0)
		r = rename_node(request, path, as);
	fuse_reply_err(request, r < 0 ? -r : 0);
}

/* What a tree of generated files has no use for; the kernel's own word for a missing handler sounds like a
 * broken mount. */
static void
on_mknod(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, dev_t device)
{
	(void)parent, (void)name, (void)mode, (void)device;
	fs_count(request, OPERATION_REFUSED);
	fuse_reply_err(request, EPERM);
}

static void
on_create(fuse_req_t request, fuse_ino_t parent, const char *name, mode_t mode, struct fuse_file_info *info)
{
	(void)parent, (void)name, (void)mode, (void)info;
	fs_count(request, OPERATION_REFUSED);
	fuse_reply_err(request, EPERM);
}

static void
on_link(fuse_req_t request, fuse_ino_t id, fuse_ino_t to, const char *as)
{
	(void)id, (void)to, (void)as;
	fs_count(request, OPERATION_REFUSED);
	fuse_reply_err(request, EPERM);
}

/* Data is durable or refused when write or read has answered: there is nothing left to wait for. */
static void
on_fsync(fuse_req_t request, fuse_ino_t id, int is_data_only, struct fuse_file_info *info)
{
	(void)id, (void)is_data_only, (void)info;
	fs_count(request, OPERATION_FSYNC);
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
	.ioctl = on_ioctl,
	.flush = on_flush,
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
	.readlink = on_readlink,
	.rename = on_rename,
	.link = on_link,
};
