/* events/: what happened to all devices and the fleet, as one text that grows. */
#include "otafs/rows.h"

static int64_t
size_of_log(const struct node *node, struct err *err)
{
	return state_log_size(node->core->state, err);
}

static ssize_t
read_log(const struct node *node, int64_t offset, char *out, size_t room, struct err *err)
{
	return state_log_read(node->core->state, offset, out, room, err);
}

/* ---- the table */

/* clang-format off */
static const struct row rows[] = {
	FOLDER("events", VIEW_FULL, NEEDS_NOTHING),
	ROW("events/all", VIEW_FULL, NODE_LOG, 0640, GROUP_ADMIN, NEEDS_NOTHING, .size = size_of_log,
	    .read_at = read_log, .flags = ROW_ALL),
};
/* clang-format on */

const struct table tree_events = TABLE(rows);
