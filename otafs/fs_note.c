/* Lookups that are answered after something of them is on disk: that a device may have read what it is to
 * install, and that it has had its part in an order. */
#include "otafs/fs_callback.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "lib/log.h"

struct noting {
	struct batch_job job;
	fuse_req_t request;
	fuse_ino_t parent;
	char name[NAME_MAX + 1];
};

static int
work(struct batch_job *job, struct core *core, struct err *err)
{
	struct noting *noting = (struct noting *)job;
	struct node node;
	struct inode_id folder;
	char path[NODE_PATH_MAX];
	int r;

	inode_id_read(noting->parent, &folder);
	r = node_path_of(core, &folder, noting->name, path, err);
	if (r == 0)
		r = node_find(core, VIEW_WWW, path, fuse_req_ctx(noting->request)->uid, &node, err);

	/* It may be gone by now, or be noted for another lookup of it. */
	if (r < 0 || !node_is_noted(&node))
		return 0;
	return node_note(&node, err);
}

static void
done(struct batch_job *job, int r, struct err *err)
{
	struct noting *noting = (struct noting *)job;
	struct fuse_entry_param entry = { 0 };

	if (r < 0)
		log_line(LOG_ERR, "lookup failed name=%s reason=\"%s\"", noting->name, err->text);
	else
		r = fs_look_up_version(noting->request, noting->parent, noting->name, &entry);
	fs_reply_version(noting->request, noting->parent, noting->name, r, &entry);
	free(noting);
}

void
fs_note(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct noting *noting = calloc(1, sizeof(*noting));
	struct err err;
	int r;

	if (!noting) {
		fs_fail(request, -ENOMEM);
		return;
	}
	noting->job = (struct batch_job){ .work = work, .done = done };
	noting->request = request;
	noting->parent = parent;
	snprintf(noting->name, sizeof(noting->name), "%s", name);
	r = batch_add(fs_mount_of(request)->fs->notes, &noting->job, &err);
	if (r < 0)
		done(&noting->job, r, &err);
}
