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
/** NODE_CHANGED comes when a root, the signer or an update was another a moment ago: hardly twice in a row. */
#define TRIES_MAX 4

static void
forget_inode(struct mount *mount, fuse_ino_t id, uint64_t lookups)
{
	inodes_forget(&mount->inodes, fs_inode_of(mount, id), lookups);
}

/* In the www view all is readable and nothing writable, and mtimes step by a second with each version (ETags).
 */
static void
adjust(const struct node *node, int64_t tag, struct stat *st)
{
	st->st_mode = (st->st_mode & S_IFMT) | (S_ISDIR(st->st_mode) ? 0555 : 0444);
	if (node_kind(node) != NODE_FOLDER && strncmp(node->path, "treehub/", 8))
		st->st_mtim = (struct timespec){ .tv_sec = MTIME_BASE + tag };
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
look_up_full(fuse_req_t request, const char *path, struct fuse_entry_param *entry, struct err *err)
{
	struct mount *mount = fs_mount_of(request);
	struct inode *inode = NULL;
	struct node node;
	int r = fs_find(request, path, &node, err);

	if (r == 0 && node.is_behind)
		r = FS_NOTED;
	if (r == 0 && !(inode = make_inode(&node, err)))
		r = -err->code;
	fs_done_lookup(request);
	if (r != 0)
		return r;
	entry->attr = inode->st;
	inode = inodes_enter(&mount->inodes, inode);
	if (!inode)
		return err_set(err, ENOMEM, "no memory for an inode");
	entry->ino = fs_id_of(mount, inode);
	return 0;
}

/* ---- the www view: found with the core's lock, made without */

struct finding {
	struct node node;
	int64_t tag;
	bool is_noted;
	struct inode *inode; /* which the kernel knows already, with one lookup more; or NULL */
	struct material material;
};

/* What the name stands for at this moment. */
static int
find_version(fuse_req_t request, const char *path, struct finding *out, struct err *err)
{
	struct mount *mount = fs_mount_of(request);
	int r;

	out->inode = NULL;
	out->material = (struct material){ .fd = -1 };
	r = fs_find(request, path, &out->node, err);
	if (r == 0 && out->node.is_behind)
		r = FS_NOTED;
	if (r == 0) {
		out->is_noted = node_is_noted(&out->node);
		out->tag = node_tag(&out->node);
		out->inode = inodes_find(&mount->inodes, node_inode(&out->node), out->tag, 1);
		if (!out->inode)
			r = node_gather(&out->node, &out->material, err);
	}
	fs_done_lookup(request);
	return r;
}

/* Under an open file of the www view nothing may change: the inode keeps the content as it was found. */
static int
build_version(struct mount *mount, struct finding *finding, struct err *err)
{
	struct material *material = &finding->material;
	struct inode *inode;
	int r = node_build(&finding->node, material, err);

	if (r != 0)
		return r;
	adjust(&finding->node, finding->tag, &material->st);
	inode = inode_new(node_inode(&finding->node), finding->tag, &material->st, material->content);
	if (inode) {
		material->content = NULL;
		inode = inodes_enter(&mount->inodes, inode);
	}
	finding->inode = inode;
	return inode ? 0 : err_set(err, ENOMEM, "no memory for an inode");
}

static int
look_up_version(fuse_req_t request, const char *path, struct fuse_entry_param *entry, struct err *err)
{
	struct mount *mount = fs_mount_of(request);
	struct finding finding;
	int r = find_version(request, path, &finding, err);

	if (r == 0 && !finding.inode)
		r = build_version(mount, &finding, err);
	node_discard(&finding.node, &finding.material);
	if (r != 0)
		return r;
	if (finding.is_noted) {
		forget_inode(mount, fs_id_of(mount, finding.inode), 1);
		return FS_NOTED;
	}
	entry->ino = fs_id_of(mount, finding.inode);
	entry->attr = finding.inode->st;
	entry->attr_timeout = FOREVER;
	entry->entry_timeout = node_is_announced(&finding.node) ? FOREVER : 0;
	return 0;
}

static int
look_up_www(fuse_req_t request, const char *path, struct fuse_entry_param *entry, struct err *err)
{
	int r = NODE_CHANGED;

	for (int i = 0; i < TRIES_MAX && r == NODE_CHANGED; i++)
		r = look_up_version(request, path, entry, err);
	return r == NODE_CHANGED ? err_set(err, EAGAIN, "it changes faster than it can be made") : r;
}

int
fs_look_up(fuse_req_t request, const char *path, struct fuse_entry_param *entry)
{
	struct err err = { 0 };
	int r = fs_mount_of(request)->view == VIEW_WWW ? look_up_www(request, path, entry, &err)
						       : look_up_full(request, path, entry, &err);

	/* What strangers ask for is no trouble of ours. */
	if (r < 0 && r != -ENOENT && r != -ENAMETOOLONG && r != -EACCES)
		log_line(LOG_ERR, "lookup failed path=%s reason=\"%s\"", path, err.text);
	return r;
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

	fs_count(request, OPERATION_LOOKUP);
	if (r == 0)
		r = fs_look_up(request, path, &entry);
	fs_reply_look_up(request, path, r, &entry);
}

void
fs_on_forget(fuse_req_t request, fuse_ino_t id, uint64_t lookups)
{
	fs_count(request, OPERATION_FORGET);
	forget_inode(fs_mount_of(request), id, lookups);
	fuse_reply_none(request);
}

void
fs_on_forget_multi(fuse_req_t request, size_t count, struct fuse_forget_data *forgets)
{
	fs_count(request, OPERATION_FORGET);
	for (size_t i = 0; i < count; i++)
		forget_inode(fs_mount_of(request), forgets[i].ino, forgets[i].nlookup);
	fuse_reply_none(request);
}

void
fs_reply_attributes(fuse_req_t request, fuse_ino_t id)
{
	struct mount *mount = fs_mount_of(request);
	struct inode *inode = fs_inode_of(mount, id), *fresh = NULL;
	struct err err = { 0 };
	struct node node;
	int r;

	if (mount->view == VIEW_WWW && inode != &mount->inodes.top) {
		fuse_reply_attr(request, &inode->st, FOREVER);
		return;
	}
	r = fs_find(request, inode->path, &node, &err);
	if (r == 0)
		fresh = make_inode(&node, &err);
	if (r == 0 && !fresh)
		r = -err.code;
	if (fresh && mount->view == VIEW_WWW)
		adjust(&node, 0, &fresh->st);
	fs_done(request);
	if (r < 0) {
		fs_fail(request, r);
		return;
	}
	fuse_reply_attr(request, &fresh->st, mount->view == VIEW_WWW ? FOREVER : 0);
	inode_free(fresh);
}

void
fs_on_getattr(fuse_req_t request, fuse_ino_t id, struct fuse_file_info *info)
{
	(void)info;
	fs_count(request, OPERATION_GETATTR);
	fs_reply_attributes(request, id);
}
