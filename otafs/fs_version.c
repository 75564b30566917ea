/*
 * Names of the www view, in which each version is an inode of its own. What is of a device is known by an id
 * that says all about it (inode_id.h); what all devices share has an inode in the table. A name is found with
 * the core's lock, and what it stands for is made without.
 */
#include "otafs/fs_callback.h"

#include <errno.h>
#include <string.h>

#include "otafs/names.h"

/** 2001-09-09T01:46:40Z: where the mtimes of versions are counted from, so that none lies in the future. */
#define MTIME_BASE 1000000000
/** NODE_CHANGED comes when a root, the signer or an update was another a moment ago: hardly twice in a row. */
#define TRIES_MAX 4

/* ---- what the kernel is told */

/* Each version has an mtime of its own second: ETags are made of it. */
void
fs_describe_id(const struct core *core, const struct inode_id *id, size_t bytes, struct stat *st)
{
	*st = (struct stat){ .st_uid = core->uid, .st_gid = core->admin_gid, .st_nlink = 1 };
	st->st_ino = inode_id_ino(id);
	st->st_mode = id->kind == INODE_DOCUMENT ? S_IFREG | 0444
		      : id->kind == INODE_LINK   ? S_IFLNK | 0777
						 : S_IFDIR | 0555;
	if (S_ISDIR(st->st_mode))
		st->st_nlink = 2;
	st->st_size = (off_t)bytes;
	st->st_mtim.tv_sec = MTIME_BASE + id->version;
}

/* Of what all devices share: all is readable and nothing writable. */
static void
adjust(const struct node *node, int64_t tag, struct stat *st)
{
	st->st_mode = (st->st_mode & S_IFMT) | (S_ISDIR(st->st_mode) ? 0555 : 0444);
	if (node_kind(node) != NODE_FOLDER && strncmp(node->path, "treehub/", 8))
		st->st_mtim = (struct timespec){ .tv_sec = MTIME_BASE + tag };
}

/* ---- lookups */

struct finding {
	struct node node;
	int64_t tag;
	bool is_kept;        /* the kernel may keep the name */
	struct inode_id id;  /* of a device; else of kind INODE_NONE, and with an inode */
	ssize_t bytes;       /* of a document or link, if known already */
	struct inode *inode; /* which the kernel knows already, with one lookup more; or NULL */
	struct material material;
};

/* Names of an older generation are found by who was on his way there when it ended: nothing of them is told to
 * the kernel any more, so it must not keep them. */
static void
place(struct mount *mount, fuse_ino_t parent, struct finding *finding)
{
	uint32_t now = mount->fs->core->generation;
	struct inode_id folder;

	finding->is_kept = node_is_announced(&finding->node);
	if (!inode_id_read(parent, &folder))
		return;
	finding->is_kept &= folder.generation == now;
	if (finding->id.kind > INODE_DEVICES)
		finding->id.generation = folder.generation;
}

static int
find_content(struct mount *mount, struct finding *out, struct err *err)
{
	char target[NODE_PATH_MAX];
	int r = 0;

	if (out->id.kind == INODE_NONE) {
		out->inode = inodes_find(&mount->inodes, node_inode(&out->node), out->tag, 1);
		return out->inode ? 0 : node_gather(&out->node, &out->material, err);
	}
	if (out->id.kind == INODE_LINK && (r = node_link(&out->node, target, sizeof(target), err)) == 0)
		out->bytes = (ssize_t)strlen(target);
	if (out->id.kind == INODE_DOCUMENT)
		out->bytes = documents_size(mount->fs->documents, inode_id_write(&out->id));
	return out->bytes < 0 ? node_gather(&out->node, &out->material, err) : r;
}

/* What the name stands for at this moment. */
static int
find(fuse_req_t request, fuse_ino_t parent, const char *name, struct finding *out, struct err *err)
{
	int r;

	out->inode = NULL;
	out->bytes = 0;
	out->material = (struct material){ .fd = -1 };
	r = fs_find_in(request, parent, name, &out->node, err);
	if (r == 0 && out->node.is_behind)
		r = FS_BEHIND;
	if (r == 0) {
		out->tag = node_tag(&out->node);
		node_identify(&out->node, out->tag, &out->id);
		place(fs_mount_of(request), parent, out);
		r = find_content(fs_mount_of(request), out, err);
	}
	fs_done_lookup(request);
	return r;
}

/* Under an open file of the www view nothing may change: the inode keeps the content as it was found. */
static int
enter(struct mount *mount, struct finding *finding, struct err *err)
{
	struct material *material = &finding->material;
	struct inode *inode;

	adjust(&finding->node, finding->tag, &material->st);
	inode = inode_new(node_inode(&finding->node), finding->tag, &material->st, material->content);
	if (inode) {
		material->content = NULL;
		inode = inodes_enter(&mount->inodes, inode);
	}
	finding->inode = inode;
	return inode ? 0 : err_set(err, ENOMEM, "no memory for an inode");
}

/* For the read that follows, of this process or the next. */
static void
keep(struct fs *fs, uint64_t id, const struct material *material)
{
	size_t bytes = (size_t)material->st.st_size;

	documents_put(fs->documents, id, material->content, bytes);
	relay_put(fs->relay, id, &material->st, "", 0, material->content, bytes);
}

static int
make(struct mount *mount, struct finding *finding, struct err *err)
{
	struct material *material = &finding->material;
	bool is_of_device = finding->id.kind != INODE_NONE;
	int r;

	if (is_of_device ? finding->bytes >= 0 : finding->inode != NULL)
		return 0;
	if ((r = node_build(&finding->node, material, err)) != 0)
		return r;
	if (!is_of_device)
		return enter(mount, finding, err);
	finding->bytes = (ssize_t)material->st.st_size;
	keep(mount->fs, inode_id_write(&finding->id), material);
	return 0;
}

static void
describe(struct mount *mount, const struct finding *finding, struct fuse_entry_param *entry)
{
	if (finding->inode) {
		entry->ino = inodes_id(&mount->inodes, finding->inode);
		entry->attr = finding->inode->st;
	} else {
		entry->ino = inode_id_write(&finding->id);
		fs_describe_id(mount->fs->core, &finding->id, (size_t)finding->bytes, &entry->attr);
	}
	entry->attr_timeout = FS_FOREVER;
	entry->entry_timeout = finding->is_kept ? FS_FOREVER : 0;
}

static int
look_up(fuse_req_t request, fuse_ino_t parent, const char *name, struct finding *finding,
    struct fuse_entry_param *entry, struct err *err)
{
	struct mount *mount = fs_mount_of(request);
	int r = find(request, parent, name, finding, err);

	if (r == 0)
		r = make(mount, finding, err);
	node_discard(&finding->node, &finding->material);
	if (r == 0)
		describe(mount, finding, entry);
	return r;
}

int
fs_look_up_version(fuse_req_t request, fuse_ino_t parent, const char *name, struct fuse_entry_param *entry)
{
	struct finding finding;
	struct err err = { 0 };
	int r = NODE_CHANGED;

	for (int i = 0; i < TRIES_MAX && r == NODE_CHANGED; i++)
		r = look_up(request, parent, name, &finding, entry, &err);
	if (r == NODE_CHANGED)
		r = err_set(&err, EAGAIN, "it changes faster than it can be made");
	fs_log_lookup(finding.node.path, r, &err);
	return r;
}

void
fs_reply_version(
    fuse_req_t request, fuse_ino_t parent, const char *name, int r, const struct fuse_entry_param *entry)
{
	struct mount *mount = fs_mount_of(request);

	if (r == FS_BEHIND)
		fs_catch_up(request, parent, name);
	else if (r < 0)
		fs_fail(request, r);
	else if (fuse_reply_entry(request, entry) == -ENOENT) /* which has freed the request */
		fs_forget_id(mount, entry->ino, 1);           /* interrupted: the kernel did not take it */
}

/* A device that is told that there is no next root reads targets with the keys of this one. */
static void
look_for_root(struct core *core, fuse_ino_t parent, const char *name)
{
	int version = names_root_version(name);
	struct inode_id folder;

	if (version <= 0)
		return;
	inode_id_read(parent, &folder);
	if (folder.kind == INODE_DIRECTOR)
		core_look_for_root(core, version);
}

void
fs_on_lookup_version(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param entry = { 0 };
	int r;

	fs_count(request, OPERATION_LOOKUP);
	look_for_root(fs_mount_of(request)->fs->core, parent, name);
	r = fs_look_up_version(request, parent, name, &entry);
	fs_reply_version(request, parent, name, r, &entry);
}
