#include "otafs/fs_callback.h"

#include <errno.h>
#include <stdlib.h>

#include "lib/cleanup.h"

static void
on_open(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	(void)id, (void)info;
	fs_count(request, OPERATION_OPEN);
	fuse_reply_err(request, ENOSYS); /* the kernel opens by itself from now on, and keeps the pages */
}

static void
reply_from_inode(fuse_req_t request, const struct inode *inode, size_t size, off_t offset)
{
	AUTO(free_p) char *data = malloc(size);
	ssize_t n = data ? inodes_read(&fs_mount_of(request)->inodes, inode, data, size, offset) : -ENOMEM;

	if (n < 0)
		fs_fail(request, (int)n);
	else
		fuse_reply_buf(request, data, (size_t)n);
}

static void
on_read(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *info)
{
	(void)info;
	fs_count(request, OPERATION_READ);
	reply_from_inode(request, fs_inode_of(fs_mount_of(request), id), size, offset);
}

/* The kernel keeps what it was told: links are the way from each device to what all share. */
static void
on_readlink(fuse_req_t request, fuse_ino_t id)
{
	const struct inode *inode = fs_inode_of(fs_mount_of(request), id);

	fs_count(request, OPERATION_READLINK);
	if (S_ISLNK(inode->st.st_mode))
		fuse_reply_readlink(request, inode->content);
	else
		fs_fail(request, -EINVAL);
}

const struct fuse_lowlevel_ops fs_www_operations = {
	.init = fs_on_init,
	.lookup = fs_on_lookup,
	.forget = fs_on_forget,
	.forget_multi = fs_on_forget_multi,
	.getattr = fs_on_getattr,
	.open = on_open,
	.read = on_read,
	.readlink = on_readlink,
	.opendir = fs_on_opendir,
	.readdir = fs_on_readdir,
	.releasedir = fs_on_releasedir,
};
