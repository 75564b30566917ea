#include "otafs/fs_callback.h"

#include <errno.h>
#include <stdlib.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "otafs/director.h"

static void
on_open(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	(void)id, (void)info;
	fs_count(request, OPERATION_OPEN);
	fuse_reply_err(request, ENOSYS); /* the kernel opens by itself from now on, and keeps the pages */
}

/* ---- of a device: said by its id */

/* Of a version that is not the newest any more, nobody but the process before could make it. */
static bool
find_left(struct relay *relay, fuse_ino_t id, char **text, size_t *bytes)
{
	struct relay_thing thing;

	if (!relay_find(relay, id, &thing))
		return false;
	*text = MOVE(thing.content);
	*bytes = thing.bytes;
	relay_thing_done(&thing);
	return true;
}

/* Makes a document again that had to make room for others, or was made by the process before. */
static int
restore(struct fs *fs, fuse_ino_t id, const struct inode_id *document)
{
	AUTO(free_p) char *text = NULL;
	struct err err = { 0 };
	size_t bytes;
	int r = find_left(fs->relay, id, &text, &bytes)
		    ? 0
		    : director_again(fs->core, document, &text, &bytes, &err);

	if (r == 0)
		documents_put(fs->documents, id, text, bytes);
	else
		log_line(LOG_ERR, "read failed device=%u version=%u reason=\"%s\"", document->number,
		    document->version, err.text);
	return r;
}

static void
reply_document(fuse_req_t request, fuse_ino_t id, const struct inode_id *document, size_t size, off_t offset)
{
	AUTO(free_p) char *data = malloc(size);
	struct fs *fs = fs_mount_of(request)->fs;
	ssize_t n = data ? documents_read(fs->documents, id, data, size, offset) : -ENOMEM;

	if (n == -ENODATA && (n = restore(fs, id, document)) == 0)
		n = documents_read(fs->documents, id, data, size, offset);
	if (n < 0)
		fs_fail(request, n == -ENODATA ? -EIO : (int)n);
	else
		fuse_reply_buf(request, data, (size_t)n);
}

static void
describe(fuse_req_t request, fuse_ino_t id, const struct inode_id *read)
{
	struct fs *fs = fs_mount_of(request)->fs;
	char target[NODE_PATH_MAX];
	ssize_t bytes = 0;
	struct stat st;

	if (read->kind == INODE_LINK)
		bytes = inode_id_link(read, target, sizeof(target));
	if (read->kind == INODE_DOCUMENT && (bytes = documents_size(fs->documents, id)) < 0 &&
	    (bytes = restore(fs, id, read)) == 0)
		bytes = documents_size(fs->documents, id);
	if (bytes < 0) {
		fs_fail(request, -EIO);
		return;
	}
	fs_describe_id(fs->core, read, (size_t)bytes, &st);
	fuse_reply_attr(request, &st, FS_FOREVER);
}

/* ---- what all devices share: in the table of inodes */

static void
reply_from_inode(fuse_req_t request, const struct inode *inode, size_t size, off_t offset)
{
	AUTO(free_p) char *data = malloc(size);
	ssize_t n = !inode ? -ESTALE
		    : data ? inodes_read(&fs_mount_of(request)->inodes, inode, data, size, offset)
			   : -ENOMEM;

	if (n < 0)
		fs_fail(request, (int)n);
	else
		fuse_reply_buf(request, data, (size_t)n);
}

/* ---- callbacks */

static void
on_read(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *info)
{
	struct inode_id read;

	(void)info;
	fs_count(request, OPERATION_READ);
	if (inode_id_read(id, &read))
		reply_document(request, id, &read, size, offset);
	else
		reply_from_inode(request, inodes_of(&fs_mount_of(request)->inodes, id), size, offset);
}

/* The kernel keeps what it was told: links are the way from each device to what all share. */
static void
on_readlink(fuse_req_t request, fuse_ino_t id)
{
	const struct inode *inode;
	char target[NODE_PATH_MAX];
	struct inode_id read;

	fs_count(request, OPERATION_READLINK);
	if (inode_id_read(id, &read)) {
		inode_id_link(&read, target, sizeof(target));
		fuse_reply_readlink(request, target);
		return;
	}
	inode = inodes_of(&fs_mount_of(request)->inodes, id);
	if (!inode)
		fs_fail(request, -ESTALE);
	else if (S_ISLNK(inode->st.st_mode))
		fuse_reply_readlink(request, inode->content);
	else
		fs_fail(request, -EINVAL);
}

static void
on_getattr(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	const struct inode *inode;
	struct inode_id read;

	(void)info;
	fs_count(request, OPERATION_GETATTR);
	if (inode_id_read(id, &read))
		describe(request, id, &read);
	else if (id == FUSE_ROOT_ID)
		fs_reply_attributes(request, id);
	else if ((inode = inodes_of(&fs_mount_of(request)->inodes, id)))
		fuse_reply_attr(request, &inode->st, FS_FOREVER);
	else
		fs_fail(request, -ESTALE);
}

const struct fuse_lowlevel_ops fs_www_operations = {
	.init = fs_on_init,
	.lookup = fs_on_lookup_version,
	.forget = fs_on_forget,
	.forget_multi = fs_on_forget_multi,
	.getattr = on_getattr,
	.open = on_open,
	.read = on_read,
	.readlink = on_readlink,
	.opendir = fs_on_opendir,
	.readdir = fs_on_readdir,
	.releasedir = fs_on_releasedir,
};
