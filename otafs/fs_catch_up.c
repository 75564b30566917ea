/* Lookups of the www view that are answered after the device has had its part in an order to its group, and
 * that is on disk: those of many devices with one sync. */
#include "otafs/fs_callback.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "lib/log.h"

struct late_lookup {
	struct batch_job job;
	fuse_req_t request;
	fuse_ino_t parent;
	char name[NAME_MAX + 1];
};

static int
work(struct batch_job *job, struct core *core, struct err *err)
{
	struct late_lookup *lookup = (struct late_lookup *)job;
	struct node node;
	struct inode_id folder;
	char path[NODE_PATH_MAX];
	int r;

	inode_id_read(lookup->parent, &folder);
	r = node_path_of(core, &folder, lookup->name, path, err);
	if (r == 0)
		r = node_find(core, VIEW_WWW, path, fuse_req_ctx(lookup->request)->uid, &node, err);

	/* It may be gone by now, or have had its part for another lookup of it. */
	return r < 0 || !node.is_behind ? 0 : node_catch_up(&node, err);
}

static void
done(struct batch_job *job, int r, struct err *err)
{
	struct late_lookup *lookup = (struct late_lookup *)job;
	struct fuse_entry_param entry = { 0 };

	if (r < 0)
		log_line(LOG_ERR, "lookup failed name=%s reason=\"%s\"", lookup->name, err->text);
	else
		r = fs_look_up_version(lookup->request, lookup->parent, lookup->name, &entry);
	fs_reply_version(lookup->request, lookup->parent, lookup->name, r, &entry);
	free(lookup);
}

void
fs_catch_up(fuse_req_t request, fuse_ino_t parent, const char *name)
{
	struct late_lookup *lookup = calloc(1, sizeof(*lookup));
	struct err err;
	int r;

	if (!lookup) {
		fs_fail(request, -ENOMEM);
		return;
	}
	lookup->job = (struct batch_job){ .work = work, .done = done };
	lookup->request = request;
	lookup->parent = parent;
	snprintf(lookup->name, sizeof(lookup->name), "%s", name);
	r = batch_add(fs_mount_of(request)->fs->lookups, &lookup->job, &err);
	/* The process after this one is asked again, or the mounts end. */
	if (r < 0 && r != -ESHUTDOWN)
		done(&lookup->job, r, &err);
}
