#define FUSE_USE_VERSION 312

#include "otafs/fs.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>

#include "lib/cleanup.h"
#include "lib/log.h"
#include "otafs/handle.h"
#include "otafs/inode.h"
#include "otafs/mount.h"
#include "otafs/node.h"

/** Names and attributes of the www view are good until they are invalidated. */
#define FOREVER 1e9
/** 2001-09-09T01:46:40Z: where the mtimes of versions are counted from, so that none lies in the future. */
#define MTIME_BASE 1000000000
/** Threads of each mount: one waits for the signer or the disk, others go on. */
#define THREADS_MAX 8

struct mount {
	struct fs *fs;
	enum view view;
	struct fuse_session *session;
	struct inodes inodes;
};

struct fs {
	struct core *core;
	pthread_mutex_t *lock;
	struct mount full, www;
};

/* ---- inodes */

static struct mount *
mount_of(fuse_req_t request)
{
	return fuse_req_userdata(request);
}

static struct inode *
inode_of(struct mount *mount, fuse_ino_t id)
{
	return id == FUSE_ROOT_ID ? &mount->inodes.top
				  : (struct inode *)(uintptr_t)id; // NOLINT(performance-no-int-to-ptr)
}

static fuse_ino_t
id_of(const struct mount *mount, const struct inode *inode)
{
	return inode == &mount->inodes.top ? FUSE_ROOT_ID : (fuse_ino_t)(uintptr_t)inode;
}

static struct handle *
handle_of(const struct fuse_file_info *info)
{
	return (struct handle *)(uintptr_t)info->fh; // NOLINT(performance-no-int-to-ptr)
}

static void
forget_inode(struct mount *mount, fuse_ino_t id, uint64_t lookups)
{
	inodes_forget(&mount->inodes, inode_of(mount, id), lookups);
}

/* ---- helpers of the callbacks */

static int
join(const struct inode *parent, const char *name, char path[static NODE_PATH_MAX])
{
	int n = snprintf(path, NODE_PATH_MAX, "%s%s%s", parent->path, *parent->path ? "/" : "", name);

	return n < NODE_PATH_MAX ? 0 : -ENAMETOOLONG;
}

/* Finds a node with the core's lock held; the caller releases it by done(). */
static int
find(fuse_req_t request, const char *path, struct node *node, struct err *err)
{
	struct mount *mount = mount_of(request);

	pthread_mutex_lock(mount->fs->lock);
	return node_find(mount->fs->core, mount->view, path, fuse_req_ctx(request)->uid, node, err);
}

/* Releases the lock and makes the kernel forget what has changed: after this an answer may be sent. */
static void
done(fuse_req_t request)
{
	struct fs *fs = mount_of(request)->fs;
	struct changes changes;

	core_take_changes(fs->core, &changes);
	pthread_mutex_unlock(fs->lock);
	fs_forget(fs, &changes);
}

/* Replies a failure: @r is a negative errno, of which the reason was told elsewhere. */
static void
fail(fuse_req_t request, int r)
{
	fuse_reply_err(request, -r);
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
	inode = inode_new(mount->view == VIEW_WWW ? node_inode(node) : node->path, tag, &st,
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

static int
look_up(fuse_req_t request, const char *path, struct fuse_entry_param *entry)
{
	struct mount *mount = mount_of(request);
	bool is_www = mount->view == VIEW_WWW;
	struct inode *inode = NULL;
	struct err err = { 0 };
	struct node node;
	int r;

	r = find(request, path, &node, &err);
	if (r == 0) {
		int roots = mount->fs->core->roots.count;

		inode = enter(mount, &node, entry, &err);
		/* The director's root is another since a moment ago: its documents have the next version. */
		if (!inode && mount->fs->core->roots.count != roots)
			inode = enter(mount, &node, entry, &err);
		r = inode ? 0 : err.code ? -err.code : -ENOMEM;
		entry->entry_timeout = is_www && node_is_announced(&node) ? FOREVER : 0;
	}
	done(request);
	if (r < 0 && r != -ENOENT && r != -ENAMETOOLONG) /* what strangers ask for is no trouble of ours */
		log_line(LOG_ERR, "lookup failed path=%s reason=\"%s\"", path, err.text);
	if (r < 0)
		return r;
	entry->ino = id_of(mount, inode);
	if (is_www)
		entry->attr = inode->st;
	entry->attr_timeout = is_www ? FOREVER : 0;
	return 0;
}

/* ---- callbacks of both views */

static void
on_init(void *context, struct fuse_conn_info *connection)
{
	struct mount *mount = context;

	/* Writes of a transaction come in pieces of this size at most. */
	connection->max_write = 1024 * 1024;
	if (mount->view == VIEW_WWW && !(connection->capable & FUSE_CAP_NO_OPEN_SUPPORT))
		log_line(LOG_WARNING, "the kernel sends an open for every read: expect less speed");
}

static void
on_lookup(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = { 0 };
	char path[NODE_PATH_MAX];
	int r = join(inode_of(mount_of(request), parent), name, path);

	if (r == 0)
		r = look_up(request, path, &entry);
	if (r < 0)
		fail(request, r);
	else if (fuse_reply_entry(request, &entry) == -ENOENT)
		forget_inode(mount_of(request), entry.ino, 1); /* interrupted: the kernel did not take it */
}

static void
on_forget(fuse_req_t request, fuse_ino_t id, uint64_t lookups)
{
	forget_inode(mount_of(request), id, lookups);
	fuse_reply_none(request);
}

static void
on_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets)
{
	for (size_t i = 0; i < count; i++)
		forget_inode(mount_of(request), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(request);
}

static void
on_getattr(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	struct mount *mount = mount_of(request);
	struct inode *inode = inode_of(mount, id), *fresh = NULL;
	struct err err = { 0 };
	struct node node;
	int r;

	(void)info;
	if (mount->view == VIEW_WWW && inode != &mount->inodes.top) {
		fuse_reply_attr(request, &inode->st, FOREVER);
		return;
	}
	r = find(request, inode->path, &node, &err);
	if (r == 0)
		fresh = make_inode(mount, &node, 0, &err);
	if (r == 0 && !fresh)
		r = -err.code;
	done(request);
	if (r < 0) {
		fail(request, r);
		return;
	}
	fuse_reply_attr(request, &fresh->st, mount->view == VIEW_WWW ? FOREVER : 0);
	inode_free(fresh);
}

static void
on_opendir(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	struct mount *mount = mount_of(request);
	struct handle *handle;
	struct err err = { 0 };
	struct node node;
	int r;

	r = find(request, inode_of(mount, id)->path, &node, &err);
	if (r == 0)
		r = handle_open_folder(&node, mount->view, &handle, &err);
	done(request);
	if (r < 0) {
		fail(request, r);
		return;
	}
	info->fh = (uint64_t)(uintptr_t)handle;
	fuse_reply_open(request, info);
}

static void
on_readdir(fuse_req_t request, fuse_ino_t id, size_t room, off_t offset, struct fuse_file_info *info)
{
	struct handle *handle = handle_of(info);
	AUTO(free_p) char *out = malloc(room);
	size_t used = 0, at = (size_t)offset;

	(void)id;
	if (!out) {
		fail(request, -ENOMEM);
		return;
	}
	while (at < handle->bytes) {
		const char *name = handle->data + at + 1;
		struct stat st = { .st_mode = handle->data[at] == 'd' ? S_IFDIR : S_IFREG, .st_ino = at + 2 };
		size_t next = at + strlen(name) + 2;
		size_t n = fuse_add_direntry(request, out + used, room - used, name, &st, (off_t)next);

		if (n > room - used)
			break;
		used += n;
		at = next;
	}
	fuse_reply_buf(request, out, used);
}

static void
close_handle(fuse_req_t request, struct fuse_file_info *info)
{
	struct handle *handle = handle_of(info);

	handle_free(handle);
	fuse_reply_err(request, 0);
}

static void
on_releasedir(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	(void)id;
	close_handle(request, info);
}

/* ---- callbacks of the www view */

static void
on_www_open(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	(void)id, (void)info;
	fuse_reply_err(request, ENOSYS); /* the kernel opens by itself from now on, and keeps the pages */
}

static void
reply_from_file(fuse_req_t request, int fd, size_t size, off_t offset)
{
	AUTO(free_p) char *data = malloc(size);
	ssize_t n = data ? pread(fd, data, size, offset) : -1;

	if (n < 0)
		fuse_reply_err(request, data ? errno : ENOMEM);
	else
		fuse_reply_buf(request, data, (size_t)n);
}

static void
reply_from_inode(fuse_req_t request, const struct inode *inode, size_t size, off_t offset)
{
	AUTO(free_p) char *data = malloc(size);
	ssize_t n = data ? inodes_read(&mount_of(request)->inodes, inode, data, size, offset) : -ENOMEM;

	if (n < 0)
		fail(request, (int)n);
	else
		fuse_reply_buf(request, data, (size_t)n);
}

static void
reply_from_memory(fuse_req_t request, const char *data, size_t bytes, size_t size, off_t offset)
{
	size_t at = (size_t)offset < bytes ? (size_t)offset : bytes;

	fuse_reply_buf(request, data + at, size < bytes - at ? size : bytes - at);
}

static void
on_www_read(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *info)
{
	struct inode *inode = inode_of(mount_of(request), id);
	struct err err = { 0 };
	struct node node;
	int r;

	(void)info;
	if (inode->has_content) {
		reply_from_inode(request, inode, size, offset);
		return;
	}
	r = find(request, inode->path, &node, &err);
	if (r == 0)
		r = node_kind(&node) == NODE_FILE ? node_open(&node, &err) : -EISDIR;
	done(request);
	if (r < 0) {
		fail(request, r);
		return;
	}
	reply_from_file(request, r, size, offset);
	close(r);
}

/* ---- callbacks of the full view */

static void
on_open(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	struct handle *handle;
	struct err err = { 0 };
	struct node node;
	int r;

	r = find(request, inode_of(mount_of(request), id)->path, &node, &err);
	if (r == 0)
		r = handle_open(&node, info->flags, &handle, &err);
	done(request);
	if (r < 0) {
		fail(request, r);
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
	close_handle(request, info);
}

/* The first read from the start of a transaction is its commit; of several at one moment one commits, the
 * others wait and get its answer. */
static int
commit(fuse_req_t request, fuse_ino_t id, struct handle *handle, off_t offset)
{
	struct err err = { 0 };
	struct node node;
	int r;

	r = find(request, inode_of(mount_of(request), id)->path, &node, &err);
	if (!handle_awaits_commit(handle))
		r = 0;
	else if (r == 0)
		r = offset == 0 ? handle_commit(handle, &node, &err) : -EINVAL;
	done(request);
	return r;
}

static void
on_read(fuse_req_t request, fuse_ino_t id, size_t size, off_t offset, struct fuse_file_info *info)
{
	struct handle *handle = handle_of(info);
	int r = 0;

	if (handle->fd >= 0) {
		reply_from_file(request, handle->fd, size, offset);
		return;
	}
	if (handle->is_transaction)
		r = commit(request, id, handle, offset);
	if (r < 0)
		fail(request, r);
	else
		reply_from_memory(request, handle->data ? handle->data : "", handle->bytes, size, offset);
}

static void
on_write(
    fuse_req_t request, fuse_ino_t id, const char *data, size_t size, off_t offset, struct fuse_file_info *info)
{
	struct handle *handle = handle_of(info);
	struct err err = { 0 };
	struct node node;
	int r;

	r = find(request, inode_of(mount_of(request), id)->path, &node, &err);
	if (r == 0)
		r = handle_write(handle, &node, data, size, offset, &err);
	done(request);
	if (r < 0)
		fail(request, r);
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

	r = find(request, inode_of(mount_of(request), id)->path, &node, &err);
	done(request);
	if (r == 0 && (what != FUSE_SET_ATTR_SIZE || st->st_size != 0 ||
			  (node_kind(&node) != NODE_CONTROL && node_kind(&node) != NODE_TRANSACTION)))
		r = -EPERM;
	if (r < 0)
		fail(request, r);
	else
		on_getattr(request, id, info);
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
	r = find(request, inode_of(mount_of(request), parent)->path, &node, &err);
	if (r == 0)
		r = node_make(&node, name, &err);
	done(request);
	if (r == 0)
		r = join(inode_of(mount_of(request), parent), name, path);
	if (r == 0)
		r = look_up(request, path, &entry);
	if (r < 0)
		fail(request, r);
	else
		fuse_reply_entry(request, &entry);
}

static void
on_rmdir(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	char path[NODE_PATH_MAX];
	struct err err = { 0 };
	struct node node;
	int r = join(inode_of(mount_of(request), parent), name, path);

	if (r < 0) {
		fail(request, r);
		return;
	}
	r = find(request, path, &node, &err);
	if (r == 0)
		r = node_remove(&node, &err);
	done(request);
	fuse_reply_err(request, r < 0 ? -r : 0);
}

static void
on_unlink(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	char path[NODE_PATH_MAX];
	struct err err = { 0 };
	struct node node;
	int r = join(inode_of(mount_of(request), parent), name, path);

	if (r < 0) {
		fail(request, r);
		return;
	}
	r = find(request, path, &node, &err);
	if (r == 0)
		r = node_unlink(&node);
	done(request);
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

static const struct fuse_lowlevel_ops www_operations = {
	.init = on_init,
	.lookup = on_lookup,
	.forget = on_forget,
	.forget_multi = on_forget_multi,
	.getattr = on_getattr,
	.open = on_www_open,
	.read = on_www_read,
	.opendir = on_opendir,
	.readdir = on_readdir,
	.releasedir = on_releasedir,
};

static const struct fuse_lowlevel_ops full_operations = {
	.init = on_init,
	.lookup = on_lookup,
	.forget = on_forget,
	.forget_multi = on_forget_multi,
	.getattr = on_getattr,
	.setattr = on_setattr,
	.open = on_open,
	.read = on_read,
	.write = on_write,
	.release = on_release,
	.fsync = on_fsync,
	.opendir = on_opendir,
	.readdir = on_readdir,
	.releasedir = on_releasedir,
	.mkdir = on_mkdir,
	.rmdir = on_rmdir,
	.unlink = on_unlink,
	.mknod = on_mknod,
	.create = on_create,
	.symlink = on_symlink,
	.rename = on_rename,
	.link = on_link,
};

/* ---- invalidation */

static void
forget_name(struct mount *mount, const char *folder, const char *name)
{
	struct inode *parent = inodes_find(&mount->inodes, folder, 0, 0);

	/* -ENOENT says that the kernel does not have the name; a folder that it does not know has no names in
	 * it. */
	if (parent)
		fuse_lowlevel_notify_inval_entry(mount->session, id_of(mount, parent), name, strlen(name));
}

static void
forget_all(struct mount *mount)
{
	AUTO(free_p) char *names = NULL;
	size_t bytes = 0;
	FILE *out = open_memstream(&names, &bytes);

	if (!out)
		return;
	inodes_list_generated(&mount->inodes, out);
	fclose(out);
	for (const char *folder = names; folder < names + bytes;) {
		const char *name = folder + strlen(folder) + 1;

		forget_name(mount, folder, name);
		folder = name + strlen(name) + 1;
	}
}

void
fs_forget(struct fs *fs, struct changes *changes)
{
	if (changes->is_all)
		forget_all(&fs->www);
	for (size_t i = 0; i < changes->count; i++)
		forget_name(&fs->www, changes->names[i].parent, changes->names[i].name);
	free(changes->names);
	*changes = (struct changes){ 0 };
}

void
fs_drop(struct fs *fs, int64_t oldest)
{
	inodes_drop(&fs->www.inodes, NODE_SETS, oldest);
}

/* ---- mounting */

static int
mount_view(struct mount *mount, const char *path, const char *options, struct err *err)
{
	const struct fuse_lowlevel_ops *operations =
	    mount->view == VIEW_WWW ? &www_operations : &full_operations;
	char name[] = "otafs", flag[] = "-o";
	char *argv[] = { name, flag, (char *)(uintptr_t)options, NULL };
	struct fuse_args args = FUSE_ARGS_INIT(3, argv);
	int r = mount_point_prepare(path, err);

	if (r < 0)
		return r;
	inodes_init(&mount->inodes);
	mount->session = fuse_session_new(&args, operations, sizeof(*operations), mount);
	fuse_opt_free_args(&args);
	if (!mount->session || fuse_session_mount(mount->session, path) != 0)
		return err_set(err, EIO, "%s: cannot be mounted (is /dev/fuse there?)", path);
	return 0;
}

int
fs_mount(const struct config *config, struct fs **out, struct err *err)
{
	struct fs *fs = calloc(1, sizeof(*fs));
	int r;

	if (!fs)
		return err_set(err, ENOMEM, "no memory for the mounts");
	fs->full = (struct mount){ .fs = fs, .view = VIEW_FULL };
	fs->www = (struct mount){ .fs = fs, .view = VIEW_WWW };
	r = mount_view(
	    &fs->full, config->mount, "allow_other,default_permissions,fsname=otafs,nosuid,nodev,noexec", err);
	if (r == 0) {
		/* Without default_permissions a lookup after a change needs no attributes of the folder. */
		r = mount_view(
		    &fs->www, config->www, "allow_other,ro,fsname=otafs-www,nosuid,nodev,noexec", err);
		if (r < 0)
			mount_point_release(config->mount);
	}
	if (r < 0) {
		free(fs);
		return r;
	}
	*out = fs;
	return 0;
}

void
fs_disown(struct fs *fs)
{
	fuse_session_destroy(fs->full.session);
	fuse_session_destroy(fs->www.session);
	free(fs);
}

void
fs_unmount(const struct config *config)
{
	mount_point_release(config->www);
	mount_point_release(config->mount);
}

static void *
serve(void *argument)
{
	struct mount *mount = argument;
	struct fuse_loop_config *config = fuse_loop_cfg_create();

	if (config) {
		fuse_loop_cfg_set_max_threads(config, THREADS_MAX);
		fuse_session_loop_mt(mount->session, config);
	}
	log_line(LOG_ERR, "stopped reason=\"the mount has ended\"");
	_exit(1);
}

int
fs_start(struct fs *fs, struct core *core, pthread_mutex_t *lock, struct err *err)
{
	pthread_t thread;

	fs->core = core;
	fs->lock = lock;
	if (pthread_create(&thread, NULL, serve, &fs->full) != 0 ||
	    pthread_create(&thread, NULL, serve, &fs->www) != 0)
		return err_set(err, EAGAIN, "no threads for the mounts");
	return 0;
}
