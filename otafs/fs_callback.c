#include "otafs/fs_callback.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "lib/cleanup.h"
#include "otafs/flight.h"
#include "otafs/fs.h"
#include "state/reads.h"

struct mount *
fs_mount_of(fuse_req_t request)
{
	return fuse_req_userdata(request);
}

void
fs_count(fuse_req_t request, enum operation operation)
{
	const struct mount *mount = fs_mount_of(request);
	struct core *core = mount->fs->core;

	requests_count(mount->view == VIEW_WWW ? &core->www_requests : &core->full_requests, operation);
}

struct inode *
fs_inode_of(struct mount *mount, fuse_ino_t id)
{
	return id == FUSE_ROOT_ID ? &mount->inodes.top
				  : (struct inode *)(uintptr_t)id; // NOLINT(performance-no-int-to-ptr)
}

fuse_ino_t
fs_id_of(const struct mount *mount, const struct inode *inode)
{
	return inode == &mount->inodes.top ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)inode;
}

struct handle *
fs_handle_of(const struct fuse_file_info *info)
{
	return (struct handle *)(uintptr_t)info->fh; // NOLINT(performance-no-int-to-ptr)
}

int
fs_join(const struct inode *parent, const char *name, char path[static NODE_PATH_MAX])
{
	int n = snprintf(path, NODE_PATH_MAX, "%s%s%s", parent->path, *parent->path ? "/" : "", name);

	return n < NODE_PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* With the lock, which is released for moments. */
static int
find(fuse_req_t request, const char *path, struct node *node, struct err *err)
{
	struct mount *mount = fs_mount_of(request);
	struct core *core = mount->fs->core;
	uid_t uid = fuse_req_ctx(request)->uid;
	int r = node_find(core, mount->view, path, uid, node, err);

	if (r < 0 || !node_is_of_all(node) || state_reads(core->state) == 0)
		return r;
	core_unlock(core);
	flight_flush(core);
	core_lock(core);
	return node_find(core, mount->view, path, uid, node, err);
}

int
fs_find(fuse_req_t request, const char *path, struct node *node, struct err *err)
{
	struct mount *mount = fs_mount_of(request);

	core_lock(mount->fs->core);
	return find(request, path, node, err);
}

/* With the lock held. */
static int
write_path(
    struct mount *mount, fuse_ino_t id, const char *name, char path[static NODE_PATH_MAX], struct err *err)
{
	struct inode_id read;

	if (mount->view == VIEW_WWW && inode_id_read(id, &read))
		return node_path_of(mount->fs->core, &read, name, path, err);
	if (*name)
		return fs_join(fs_inode_of(mount, id), name, path);
	snprintf(path, NODE_PATH_MAX, "%s", fs_inode_of(mount, id)->path);
	return 0;
}

int
fs_find_in(fuse_req_t request, fuse_ino_t parent, const char *name, struct node *node, struct err *err)
{
	struct mount *mount = fs_mount_of(request);
	char path[NODE_PATH_MAX];
	int r;

	core_lock(mount->fs->core);
	*node->path = '\0';
	r = write_path(mount, parent, name, path, err);
	return r < 0 ? r : find(request, path, node, err);
}

int
fs_find_id(fuse_req_t request, fuse_ino_t id, struct node *node, struct err *err)
{
	return fs_find_in(request, id, "", node, err);
}

void
fs_done(fuse_req_t request)
{
	struct fs *fs = fs_mount_of(request)->fs;
	struct changes changes;

	if (fs_mount_of(request)->view == VIEW_WWW) {
		fs_done_lookup(request);
		return;
	}
	core_take_changes(fs->core, &changes);
	core_unlock(fs->core);
	fs_forget(fs, &changes);
}

void
fs_done_lookup(fuse_req_t request)
{
	struct fs *fs = fs_mount_of(request)->fs;

	core_postpone(fs->core, &fs->core->changes);
	core_unlock(fs->core);
}

void
fs_fail(fuse_req_t request, int r)
{
	fuse_reply_err(request, -r);
}

void
fs_reply_from_memory(fuse_req_t request, const char *data, size_t bytes, size_t size, off_t offset)
{
	size_t at = (size_t)offset < bytes ? (size_t)offset : bytes;

	fuse_reply_buf(request, data + at, size < bytes - at ? size : bytes - at);
}

void
fs_reply_from_file(fuse_req_t request, int fd, size_t size, off_t offset)
{
	AUTO(free_p) char *data = malloc(size);
	ssize_t n = data ? pread(fd, data, size, offset) : -1;

	if (n < 0)
		fuse_reply_err(request, data ? errno : ENOMEM);
	else
		fuse_reply_buf(request, data, (size_t)n);
}

void
fs_close(fuse_req_t request, struct fuse_file_info *info)
{
	struct handle *handle = fs_handle_of(info);

	handle_free(handle);
	fuse_reply_err(request, 0);
}
