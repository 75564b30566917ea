/* Lookups that are answered after something of them is on disk: that a device may have read what it is to
 * install, and that it has had its part in an order. */
#include "otafs/fs_callback.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <syslog.h>

#include "lib/log.h"

struct noting {
	struct batch_job job;
	fuse_req_t request;
	char path[NODE_PATH_MAX];
};

static int
work(struct batch_job *job, struct core *core, struct err *err)
{
	struct noting *noting = (struct noting *)job;
	enum view view = fs_mount_of(noting->request)->view;
	struct node node;
	int r = node_find(core, view, noting->path, fuse_req_ctx(noting->request)->uid, &node, err);

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
		log_line(LOG_ERR, "lookup failed path=%s reason=\"%s\"", noting->path, err->text);
	else
		r = fs_look_up(noting->request, noting->path, &entry);
	fs_reply_look_up(noting->request, noting->path, r, &entry);
	free(noting);
}

void
fs_note(fuse_req_t request, const char *path)
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
	snprintf(noting->path, sizeof(noting->path), "%s", path);
	r = batch_add(fs_mount_of(request)->fs->notes, &noting->job, &err);
	if (r < 0)
		done(&noting->job, r, &err);
}
