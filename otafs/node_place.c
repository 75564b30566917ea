/* Between a node of the www view that belongs to a device, and what stands in its node id (inode_id.h). */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "otafs/names.h"
#include "otafs/tree.h"

void
node_identify(const struct node *node, int64_t tag, struct inode_id *out)
{
	enum inode_kind kind = node->row->inode;

	*out = (struct inode_id){ .kind = node->shared[0] ? INODE_NONE : kind };
	if (out->kind == INODE_DOCUMENT || kind == INODE_DEVICE)
		out->number = (uint32_t)node->device.number;
	else if (out->kind >= INODE_CERTIFICATE)
		out->number = (uint32_t)node->certificate.number;
	if (out->kind == INODE_DOCUMENT) {
		out->role = (enum role)names_role(names_last(node));
		out->version = (uint32_t)tag;
	}
	if (kind == INODE_LINK)
		out->generation = node->core->generation;
	if (kind == INODE_DEVICES)
		out->generation = (uint32_t)strtoul(node->args[0], NULL, 10);
}

/* Where it is in the tree, with a slash at the end. */
static int
write_folder(struct core *core, const struct inode_id *id, char path[static NODE_PATH_MAX], struct err *err)
{
	static const char *const below[] = { [INODE_CERTIFICATE] = "",
		[INODE_DIRECTOR] = "director/",
		[INODE_REPO] = "repo/",
		[INODE_DELEGATIONS] = "repo/delegations/",
		[INODE_EST] = "est/" };
	char device[NAME_DEVICE_MAX + 1], serial[NAME_SERIAL_MAX + 1];
	int r = STATE_NONE;

	if (id->kind == INODE_DEVICE)
		r = state_device_numbered(core->state, id->number, device, err);
	else if (id->kind >= INODE_CERTIFICATE)
		r = state_certificate_numbered(core->state, id->number, device, serial, err);
	if (r != 0)
		return r < 0 ? r : err_set(err, ENOENT, "it is gone");
	if (id->kind == INODE_DEVICE)
		snprintf(path, NODE_PATH_MAX, "devices/%s/", device);
	else
		snprintf(path, NODE_PATH_MAX, "devices/%s/%s/%s", device, serial, below[id->kind]);
	return 0;
}

int
node_path_of(struct core *core, const struct inode_id *id, const char *name, char path[static NODE_PATH_MAX],
    struct err *err)
{
	size_t n;
	int r = 0;

	if (id->kind == INODE_LINK || (id->kind == INODE_DEVICES && *name))
		snprintf(path, NODE_PATH_MAX, "devices/");
	else if (id->kind == INODE_DEVICES)
		snprintf(path, NODE_PATH_MAX, "generations/%u/", id->generation);
	else if ((r = write_folder(core, id, path, err)) < 0)
		return r;
	n = strlen(path);
	if (!*name)
		path[n - 1] = '\0';
	else if ((size_t)snprintf(path + n, NODE_PATH_MAX - n, "%s", name) >= NODE_PATH_MAX - n)
		return err_set(err, ENAMETOOLONG, "%.64s...: name too long", name);
	return 0;
}
