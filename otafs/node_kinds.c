/* Nodes that are more than a text or a folder that is made at once: read in pieces, linked, renamed. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "otafs/node.h"
#include "otafs/tree.h"

bool
node_is_apart(const struct node *node)
{
	return node->row->flags & ROW_APART;
}

bool
node_is_growing(const struct node *node)
{
	return node->row->flags & ROW_GROWS;
}

bool
node_is_paged(const struct node *node)
{
	return node->row->page != NULL;
}

int
node_page(const struct node *node, char cursor[static NODE_CURSOR_MAX], node_list_fn each, void *context,
    struct err *err)
{
	return node->row->page(node, cursor, each, context, err);
}

int
node_stream(const struct node *node, char cursor[static NODE_CURSOR_MAX], FILE *out, struct err *err)
{
	/* What is only written to is empty. */
	return node->row->stream ? node->row->stream(node, cursor, out, err) : 0;
}

ssize_t
node_read_at(const struct node *node, int64_t offset, char *out, size_t room, struct err *err)
{
	return node->row->read_at(node, offset, out, room, err);
}

int
node_link(const struct node *node, char *out, size_t room, struct err *err)
{
	return node->row->link(node, out, room, err);
}

static int
refuse(const struct node *node, int r, const struct err *err)
{
	if (r < 0)
		core_refused(node->core, node->path, node->who, err->text);
	return r;
}

int
node_take_lines(const struct node *node, const char *header, const char *lines, int64_t first, struct err *err)
{
	int r = node_may_write(node, err);

	if (r < 0)
		return r;
	r = node->row->take ? node->row->take(node, header, lines, first, err)
			    : err_set(err, EPERM, "cannot be written");
	return refuse(node, r, err);
}

int
node_refuse_line(const struct node *node, int64_t number, int code, const char *why, struct err *err)
{
	return refuse(node, err_set(err, code, "line %lld: %s", (long long)number, why), err);
}

int
node_make_link(const struct node *folder, const char *name, const char *target, struct err *err)
{
	char path[NODE_PATH_MAX];
	int r;

	snprintf(path, sizeof(path), "%.512s/%.500s", folder->path, name);
	if ((r = node_may_put(folder, path, err)) < 0)
		return r;
	r = folder->row->make_link ? folder->row->make_link(folder, name, target, err)
				   : err_set(err, EPERM, "no link can be made here");
	if (r < 0)
		core_refused(folder->core, path, folder->who, err->text);
	return r;
}

int
node_unlink(struct node *node, struct err *err)
{
	int r = node_may_write(node, err);

	if (r < 0 || (node->row->flags & ROW_SHOWN))
		return r;
	if (!node->row->unlink)
		return refuse(node, err_set(err, EPERM, "cannot be removed"), err);
	return refuse(node, node->row->unlink(node, err), err);
}

int
node_rename(const struct node *node, const char *name, struct err *err)
{
	char path[NODE_PATH_MAX];
	const char *slash = strrchr(node->path, '/');
	int r;

	snprintf(path, sizeof(path), "%.*s%.500s", slash ? (int)(slash + 1 - node->path) : 0, node->path, name);
	if ((r = node_may_write(node, err)) < 0 || (r = node_may_put(node, path, err)) < 0)
		return r;
	r = node->row->rename ? node->row->rename(node, name, err) : err_set(err, EPERM, "cannot be renamed");
	return refuse(node, r, err);
}
