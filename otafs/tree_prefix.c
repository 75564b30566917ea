/* prefix/: devices by how their ids begin, for people who look at a few of very many. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "otafs/names.h"
#include "otafs/rows.h"

static int
take_first(const char *name, void *first)
{
	memcpy(first, name, 1);
	return 0;
}

/* One look into the index for each first character that is in use, of 62 that may be. */
static int
list_first(const struct node *node, node_list_fn each, void *context, struct err *err)
{
	char first[2] = "", after[3] = "";
	int r;

	for (;;) {
		first[0] = '\0';
		r = state_device_page(node->core->state, "", after, 1, take_first, first, err);
		if (r < 0 || !first[0])
			return r;
		if ((r = each(first, S_IFDIR, context)) != 0)
			return r;
		snprintf(after, sizeof(after), "%c\x7f", first[0]);
	}
}

static int
exists_prefix(const struct node *node, struct err *err)
{
	char first[2] = "";
	int r = state_device_page(node->core->state, node->args[0], "", 1, take_first, first, err);

	return r < 0 ? r : first[0] ? 0 : err_set(err, ENOENT, "no device begins with this");
}

static int
page_prefix(const struct node *node, char cursor[static NODE_CURSOR_MAX], node_list_fn each, void *context,
    struct err *err)
{
	struct names_page page = { { each, context, S_IFLNK }, cursor, 0 };
	char after[NODE_CURSOR_MAX];

	memcpy(after, cursor, sizeof(after));
	return names_page_end(&page, state_device_page(node->core->state, node->args[0], after, NAMES_PAGE,
					 names_page_pass, &page, err));
}

static int
exists_link(const struct node *node, struct err *err)
{
	struct device device;
	int r;

	if (strncmp(node->args[1], node->args[0], strlen(node->args[0])) != 0)
		return err_set(err, ENOENT, "does not begin so");
	r = state_device(node->core->state, node->args[1], &device, err);
	return r == STATE_NONE ? err_set(err, ENOENT, "no such device") : r;
}

static int
link_device(const struct node *node, char *out, size_t room, struct err *err)
{
	(void)err;
	snprintf(out, room, "../../devices/%s", node->args[1]);
	return 0;
}

/* ---- the table */

static const struct row rows[] = {
	FOLDER("prefix", VIEW_FULL, NEEDS_NOTHING, .list = list_first),
	FOLDER("prefix/*", VIEW_FULL, NEEDS_NOTHING, .exists = exists_prefix, .page = page_prefix),
	LINK("prefix/*/*", NEEDS_NOTHING, .exists = exists_link, .link = link_device),
};

const struct table tree_prefix = TABLE(rows);
